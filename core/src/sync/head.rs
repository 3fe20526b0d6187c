//! Heads of the server's audit: how far its chain had come, and what it was then.
//!
//! The audit of a server is a chain of hashes, so whoever rewrites a line must rewrite all that
//! follow. Nobody notices that who has the server alone. So the server signs where its chain
//! stands, devices remember what they were told and say it back with their next pull: phones in
//! the field are the witnesses that an office cannot get at.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::sign::is_document_signed;
use crate::{
    ids::{from_hex, to_hex},
    time::TimestampMs,
};

/// The kind under which heads are signed.
pub const AUDIT_HEAD_KIND: &str = "audit head";
/// Heads that a device remembers; of more the oldest are forgotten.
pub const AUDIT_HEADS_MAX: usize = 64;
/// Bytes of a signature, at most, that is worth keeping.
const SIGNATURE_BYTES_MAX: usize = 128;

/// Where the audit of a server stood at a moment, signed by the server's key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct AuditHead {
    /// The number of the last line.
    #[n(0)]
    pub number: u64,
    /// The hash of the chain there.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub hash: [u8; 32],
    /// When it was signed, by the server's clock.
    #[n(2)]
    pub at: TimestampMs,
    /// The server's signature over [`AuditHead::signed_bytes`].
    #[cbor(n(3), with = "minicbor::bytes")]
    pub signature: Vec<u8>,
}

impl AuditHead {
    /// What is signed: number, time and hash, each number in 8 bytes, the first one highest.
    #[must_use]
    pub fn signed_bytes(number: u64, hash: &[u8; 32], at: TimestampMs) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(48);
        bytes.extend_from_slice(&number.to_be_bytes());
        bytes.extend_from_slice(&at.to_be_bytes());
        bytes.extend_from_slice(hash);
        bytes
    }

    /// Whether the server with this key (SEC1 bytes) signed it.
    #[must_use]
    pub fn is_signed_by(&self, public_key: &[u8]) -> bool {
        let bytes = Self::signed_bytes(self.number, &self.hash, self.at);
        is_document_signed(public_key, AUDIT_HEAD_KIND, &bytes, &self.signature)
    }

    /// Whether it has a form that is worth keeping.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.signature.len() <= SIGNATURE_BYTES_MAX
    }
}

/// Heads as a file for people to carry: JSON, bytes in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HeadsFile {
    /// The heads, the oldest first.
    pub heads: Vec<HeadText>,
}

/// One head in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadText {
    /// The number of the last line.
    pub number: u64,
    /// The hash of the chain there.
    pub hash: String,
    /// When it was signed.
    pub at: TimestampMs,
    /// The server's signature.
    pub signature: String,
}

impl HeadsFile {
    /// Heads as they go into a file.
    #[must_use]
    pub fn new(heads: &[AuditHead]) -> Self {
        let text = |head: &AuditHead| HeadText {
            number: head.number,
            hash: to_hex(&head.hash),
            at: head.at,
            signature: to_hex(&head.signature),
        };
        Self { heads: heads.iter().map(text).collect() }
    }

    /// The heads of a file; `None` if one of them is none.
    #[must_use]
    pub fn heads(&self) -> Option<Vec<AuditHead>> {
        let head = |text: &HeadText| {
            let (hash, signature) = (from_hex::<32>(&text.hash)?, from_hex::<64>(&text.signature)?);
            Some(AuditHead {
                number: text.number,
                hash,
                at: text.at,
                signature: signature.to_vec(),
            })
        };
        self.heads.iter().map(head).collect()
    }
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::SigningKey;

    use super::*;
    use crate::sync::sign::sign_document;

    #[test]
    fn a_head_is_signed_as_a_whole_and_travels_in_a_file() {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let public = key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
        let bytes = AuditHead::signed_bytes(5, &[1; 32], 9);
        let signature = sign_document(&key, AUDIT_HEAD_KIND, &bytes);
        let head = AuditHead { number: 5, hash: [1; 32], at: 9, signature };
        assert!(head.is_signed_by(&public) && head.is_sound());
        assert!(!AuditHead { number: 6, ..head.clone() }.is_signed_by(&public));
        assert!(!AuditHead { hash: [2; 32], ..head.clone() }.is_signed_by(&public));
        assert!(!AuditHead { at: 8, ..head.clone() }.is_signed_by(&public));
        for (bytes, is_sound) in [(SIGNATURE_BYTES_MAX, true), (SIGNATURE_BYTES_MAX + 1, false)] {
            assert_eq!(
                AuditHead { signature: vec![0; bytes], ..head.clone() }.is_sound(),
                is_sound
            );
        }
        let file = HeadsFile::new(std::slice::from_ref(&head));
        let text = serde_json::to_string(&file).unwrap();
        let read: HeadsFile = serde_json::from_str(&text).unwrap();
        assert_eq!(read.heads(), Some(vec![head]));
        let mut broken = file;
        broken.heads[0].hash.pop();
        assert_eq!(broken.heads(), None);
    }
}
