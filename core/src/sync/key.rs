//! The key that a device is known by: P-256, used and never shown.
//!
//! Secure hardware of phones (Secure Enclave, `StrongBox`) makes such keys and signs with them, and
//! nobody gets them out. So a key is an interface: what it is outside, and that it signs. A host
//! app brings its own; desktops keep one in a file that only its owner may read.
//!
//! The hardware signs *messages*: it takes bytes and hashes them itself (Apple's
//! `ecdsaSignatureMessageX962SHA256`, Android's `SHA256withECDSA`). Both answer in DER;
//! [`from_der`] makes of that what travels.

use std::fmt;

use p256::ecdsa::{Signature, SigningKey, signature::Signer as _};

/// Bytes of a signature, r ‖ s.
pub const SIGNATURE_BYTES: usize = 64;

/// The device's key did not sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the device's key cannot be used: {0}; unlock the device and try again")]
pub struct KeyError(pub String);

/// A P-256 key that signs for a device.
pub trait DeviceKey: fmt::Debug + Send + Sync {
    /// The public half, uncompressed SEC1 bytes (65).
    fn public_key(&self) -> Vec<u8>;

    /// Signs a message: ECDSA over its SHA-256, as r ‖ s.
    ///
    /// # Errors
    ///
    /// Returns [`KeyError`] when the hardware does not sign, for instance while it is locked.
    fn sign_message(&self, message: &[u8]) -> Result<[u8; SIGNATURE_BYTES], KeyError>;
}

/// A key in this process's memory.
impl DeviceKey for SigningKey {
    fn public_key(&self) -> Vec<u8> {
        self.verifying_key().to_sec1_point(false).as_bytes().to_vec()
    }

    fn sign_message(&self, message: &[u8]) -> Result<[u8; SIGNATURE_BYTES], KeyError> {
        let signature: Signature =
            self.try_sign(message).map_err(|error| KeyError(error.to_string()))?;
        Ok(signature.to_bytes().into())
    }
}

/// The signature that hardware gave in DER, as it travels.
///
/// # Errors
///
/// Returns [`KeyError`] for bytes that are no signature.
pub fn from_der(der: &[u8]) -> Result<[u8; SIGNATURE_BYTES], KeyError> {
    let signature = Signature::from_der(der).map_err(|error| KeyError(error.to_string()))?;
    Ok(signature.to_bytes().into())
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::{VerifyingKey, signature::Verifier as _};

    use super::*;

    #[test]
    fn what_hardware_signs_in_der_is_the_same_signature() {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let plain = key.sign_message(b"message").unwrap();
        let der: p256::ecdsa::DerSignature = key.sign(b"message");
        assert_eq!(from_der(der.as_bytes()).unwrap(), plain);
        let public = VerifyingKey::from_sec1_bytes(&DeviceKey::public_key(&key)).unwrap();
        assert!(public.verify(b"message", &Signature::from_slice(&plain).unwrap()).is_ok());
        assert!(from_der(b"none").is_err());
    }
}
