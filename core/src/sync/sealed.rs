//! Edits of a device that was turned away, sealed to the server: whoever carries them, or keeps them
//! on the way, cannot read what the user of the device may not read any more either.
//!
//! HPKE (RFC 9180) in base mode: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305. The
//! server's key for it comes from its own key, and is given to the device with the server's
//! signature.

use hpke::{
    Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _, aead::ChaCha20Poly1305,
    kdf::HkdfSha256, kem::DhP256HkdfSha256, single_shot_open, single_shot_seal,
};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::sign::is_document_signed;
use crate::ids::{DeviceId, bytes_from_hex, from_hex, to_hex};

/// The kind of the signed document that holds the key.
pub const SEAL_KEY: &str = "seal key";
/// What the sealing is for.
const INFO: &[u8] = b"outrider review 1";

type Public = <DhP256HkdfSha256 as hpke::Kem>::PublicKey;
type Private = <DhP256HkdfSha256 as hpke::Kem>::PrivateKey;

/// Why something cannot be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key is not the server's.
    #[error("the key that edits should be sealed to is not signed by this device's server")]
    Key,
    /// It was sealed to another key, or changed on the way.
    #[error("this was not sealed to this server, or was changed on the way")]
    Sealed,
}

/// The key that edits are sealed to, as the server signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedSealKey {
    /// Uncompressed SEC1 bytes in hexadecimal.
    pub public_key: String,
    /// The server's signature over that text, in hexadecimal.
    pub signature: String,
}

impl SignedSealKey {
    /// The key, if the server with `server_key` (SEC1 bytes) signed it.
    ///
    /// # Errors
    ///
    /// [`SealError::Key`] if not.
    pub fn checked(&self, server_key: &[u8]) -> Result<SealKey, SealError> {
        let signature = from_hex::<64>(&self.signature).ok_or(SealError::Key)?;
        let text = self.public_key.as_bytes();
        if !is_document_signed(server_key, SEAL_KEY, text, &signature) {
            return Err(SealError::Key);
        }
        let bytes = bytes_from_hex(&self.public_key).ok_or(SealError::Key)?;
        Public::from_bytes(&bytes).map(SealKey).map_err(|_| SealError::Key)
    }
}

/// The key that edits are sealed to.
#[derive(Debug, Clone)]
pub struct SealKey(Public);

/// The key that opens them.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "it is a secret")]
pub struct OpenKey(Private, Public);

impl OpenKey {
    /// The key that comes from 32 secret bytes.
    #[must_use]
    pub fn derive(secret: &[u8; 32]) -> Self {
        let (private, public) = DhP256HkdfSha256::derive_keypair(secret);
        Self(private, public)
    }

    /// The public half: uncompressed SEC1 bytes in hexadecimal.
    #[must_use]
    pub fn public_key(&self) -> String {
        to_hex(&self.1.to_bytes())
    }

    /// Opens what a device sealed.
    ///
    /// # Errors
    ///
    /// [`SealError::Sealed`] for what was sealed by another, to another, or changed.
    pub fn open(&self, sealed: &SealedPush) -> Result<Vec<u8>, SealError> {
        let encapped = <DhP256HkdfSha256 as hpke::Kem>::EncappedKey::from_bytes(&sealed.encapped)
            .map_err(|_| SealError::Sealed)?;
        single_shot_open::<ChaCha20Poly1305, HkdfSha256, DhP256HkdfSha256>(
            &OpModeR::Base,
            &self.0,
            &encapped,
            INFO,
            &sealed.ciphertext,
            sealed.device.0.as_bytes(),
        )
        .map_err(|_| SealError::Sealed)
    }
}

/// A push, sealed: the message's bytes as they would have been sent.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SealedPush {
    /// The version of the protocol.
    #[n(0)]
    pub version: u8,
    /// Whose it is; sealed with it.
    #[n(1)]
    pub device: DeviceId,
    /// The encapsulated key: uncompressed SEC1 bytes.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub encapped: Vec<u8>,
    /// The sealed message with its tag.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub ciphertext: Vec<u8>,
}

impl SealKey {
    /// Seals a packed [`PushRequest`](super::frame::PushRequest) of a device.
    ///
    /// # Errors
    ///
    /// [`SealError::Key`] for a key to which nothing can be sealed.
    pub fn seal(&self, device: DeviceId, message: &[u8]) -> Result<SealedPush, SealError> {
        let (encapped, ciphertext) = single_shot_seal::<
            ChaCha20Poly1305,
            HkdfSha256,
            DhP256HkdfSha256,
        >(
            &OpModeS::Base, &self.0, INFO, message, device.0.as_bytes()
        )
        .map_err(|_| SealError::Key)?;
        let encapped = encapped.to_bytes().to_vec();
        Ok(SealedPush { version: super::frame::PROTOCOL_VERSION, device, encapped, ciphertext })
    }
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::SigningKey;

    use super::*;
    use crate::sync::{key::DeviceKey, sign::sign_document};

    #[test]
    fn only_the_server_that_signed_the_key_opens_it() {
        let server = SigningKey::from_slice(&[7; 32]).unwrap();
        let open = OpenKey::derive(&[3; 32]);
        let public_key = open.public_key();
        let signature = to_hex(&sign_document(&server, SEAL_KEY, public_key.as_bytes()));
        let signed = SignedSealKey { public_key, signature };
        let key = signed.checked(&DeviceKey::public_key(&server)).unwrap();
        let device = DeviceId(uuid::Uuid::from_u128(1));
        let sealed = key.seal(device, b"CANARY of an edit").unwrap();
        assert!(!sealed.ciphertext.windows(6).any(|part| part == b"CANARY"));
        assert_eq!(open.open(&sealed).unwrap(), b"CANARY of an edit");
        assert_ne!(key.seal(device, b"CANARY of an edit").unwrap(), sealed, "drawn each time");
        let other = DeviceId(uuid::Uuid::from_u128(2));
        let wrong = SealError::Sealed;
        assert_eq!(open.open(&SealedPush { device: other, ..sealed.clone() }), Err(wrong));
        assert_eq!(OpenKey::derive(&[4; 32]).open(&sealed), Err(wrong));
        assert_eq!(open.open(&SealedPush { encapped: vec![4; 65], ..sealed.clone() }), Err(wrong));
        assert_eq!(open.open(&SealedPush { ciphertext: Vec::new(), ..sealed }), Err(wrong));
        let foreign = SigningKey::from_slice(&[8; 32]).unwrap();
        assert!(signed.checked(&DeviceKey::public_key(&foreign)).is_err());
        let other = OpenKey::derive(&[4; 32]).public_key();
        let swapped = SignedSealKey { public_key: other, ..signed };
        assert!(swapped.checked(&DeviceKey::public_key(&server)).is_err());
    }
}
