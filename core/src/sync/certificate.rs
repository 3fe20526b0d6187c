//! A device's certificate: what the server says of a device, signed, so that it can be shown and
//! checked without asking again.
//!
//! The document is JSON text, and the signature is over its bytes as they are: nothing is written
//! anew to be checked.

use serde::{Deserialize, Serialize};

use super::sign::is_document_signed;
use crate::{
    ids::{ActorPrefix, DeviceId, RecordId, from_hex, to_hex},
    time::TimestampMs,
};

/// The kind of the document, for its signature.
pub const CERTIFICATE: &str = "certificate";

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The server's store, in hexadecimal.
    pub instance: String,
    /// The device.
    pub device: DeviceId,
    /// Name of its user.
    pub user: String,
    /// The user's record, where there is one.
    pub user_record: Option<RecordId>,
    /// What the ids of its actors begin with.
    pub prefix: ActorPrefix,
    /// The device's public key, uncompressed SEC1 bytes in hexadecimal.
    pub public_key: String,
    /// When the server said so.
    pub issued_at: TimestampMs,
}

/// A certificate as it travels and is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedCertificate {
    /// The JSON of a [`Certificate`].
    pub document: String,
    /// The server's signature, in hexadecimal.
    pub signature: String,
    /// The server's public key, uncompressed SEC1 bytes in hexadecimal.
    pub server_key: String,
}

impl SignedCertificate {
    /// The certificate, if the server that it names signed it, and it is that of this device.
    #[must_use]
    pub fn checked(&self, device: DeviceId, public_key: &[u8]) -> Option<Certificate> {
        let server_key = from_hex::<65>(&self.server_key)?;
        let signature = from_hex::<64>(&self.signature)?;
        if !is_document_signed(&server_key, CERTIFICATE, self.document.as_bytes(), &signature) {
            return None;
        }
        let certificate: Certificate = serde_json::from_str(&self.document).ok()?;
        let is_ours = certificate.device == device && certificate.public_key == to_hex(public_key);
        is_ours.then_some(certificate)
    }
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::SigningKey;

    use super::*;
    use crate::sync::{key::DeviceKey, sign::sign_document};

    #[test]
    fn a_certificate_is_checked_whole() {
        let server = SigningKey::from_slice(&[7; 32]).unwrap();
        let key = DeviceKey::public_key(&SigningKey::from_slice(&[8; 32]).unwrap());
        let device = DeviceId(uuid::Uuid::from_u128(1));
        let document = serde_json::to_string(&Certificate {
            instance: "00".to_owned(),
            device,
            user: "Anna".to_owned(),
            user_record: None,
            prefix: ActorPrefix([1; 12]),
            public_key: to_hex(&key),
            issued_at: 5,
        })
        .unwrap();
        let signature = to_hex(&sign_document(&server, CERTIFICATE, document.as_bytes()));
        let server_key = to_hex(&DeviceKey::public_key(&server));
        let signed = SignedCertificate { document, signature, server_key };
        assert_eq!(signed.checked(device, &key).unwrap().user, "Anna");
        let other = DeviceId(uuid::Uuid::from_u128(2));
        assert_eq!(signed.checked(other, &key), None);
        assert_eq!(signed.checked(device, &[4; 65]), None);
        let altered = signed.document.replace("Anna", "Anne");
        assert_eq!(SignedCertificate { document: altered, ..signed }.checked(device, &key), None);
    }
}
