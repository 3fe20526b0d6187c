//! Signatures: which device wrote a batch of changes.
//!
//! P-256, because that is what the secure hardware of phones holds. One signature covers a
//! batch, through the hashes of its changes, so a courier may carry it and nobody can alter it.

use p256::ecdsa::{
    Signature, SigningKey, VerifyingKey,
    signature::{Signer, Verifier},
};
use sha2::{Digest as _, Sha256};

use super::{
    frame::PushGroup,
    key::{DeviceKey, KeyError},
};
use crate::ids::DeviceId;

/// Separates these signatures from all others.
const DOMAIN: &[u8] = b"outrider push 1\n";

/// What a device signs: who it is, and every change with its place.
#[must_use]
pub fn batch_digest(device: DeviceId, groups: &[PushGroup]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    hash.update(device.0.as_bytes());
    for group in groups {
        hash.update((group.changes.len() as u64).to_be_bytes());
        for change in &group.changes {
            hash.update(change.record.as_bytes());
            for text in [change.part.as_str(), &change.entity] {
                hash.update((text.len() as u64).to_be_bytes());
                hash.update(text.as_bytes());
            }
            hash.update(change.generation.to_be_bytes());
            hash.update(Sha256::digest(&change.bytes));
        }
    }
    hash.finalize().into()
}

/// Signs a batch.
///
/// # Errors
///
/// Returns [`KeyError`] when the device's key does not sign.
pub fn sign(
    key: &dyn DeviceKey,
    device: DeviceId,
    groups: &[PushGroup],
) -> Result<Vec<u8>, KeyError> {
    Ok(key.sign_message(&batch_digest(device, groups))?.to_vec())
}

/// Groups of a fingerprint.
const FINGERPRINT_GROUPS: usize = 8;

/// What people compare to know that two of them mean the same key (SEC1 bytes): 128 bits of its
/// SHA-256 in groups of four digits. `None` for bytes that are no key.
#[must_use]
pub fn fingerprint(public_key: &[u8]) -> Option<String> {
    let key = VerifyingKey::from_sec1_bytes(public_key).ok()?;
    let hash = Sha256::digest(key.to_sec1_point(false).as_bytes());
    let groups = hash.chunks_exact(2).take(FINGERPRINT_GROUPS);
    Some(groups.map(crate::ids::to_hex).collect::<Vec<_>>().join(" "))
}

/// Whether `signature` is that of the device with `public_key` (SEC1 bytes) over the batch.
#[must_use]
pub fn is_signed(
    public_key: &[u8],
    device: DeviceId,
    groups: &[PushGroup],
    signature: &[u8],
) -> bool {
    let Ok(key) = VerifyingKey::from_sec1_bytes(public_key) else { return false };
    let Ok(signature) = Signature::from_slice(signature) else { return false };
    key.verify(&batch_digest(device, groups), &signature).is_ok()
}

/// What a server or device signs besides batches: the bytes of one kind of document.
///
/// `kind` separates the kinds (`policy`, `certificate`, `audit head`, …): a signature over one can
/// never be shown as one over another.
#[must_use]
pub fn document_digest(kind: &str, bytes: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"outrider document 1\n");
    hash.update((kind.len() as u64).to_be_bytes());
    hash.update(kind.as_bytes());
    hash.update(bytes);
    hash.finalize().into()
}

/// Signs the bytes of a document.
#[must_use]
pub fn sign_document(key: &SigningKey, kind: &str, bytes: &[u8]) -> Vec<u8> {
    let signature: Signature = key.sign(&document_digest(kind, bytes));
    signature.to_bytes().to_vec()
}

/// Whether `signature` is that of the holder of `public_key` (SEC1 bytes) over a document.
#[must_use]
pub fn is_document_signed(public_key: &[u8], kind: &str, bytes: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = VerifyingKey::from_sec1_bytes(public_key) else { return false };
    let Ok(signature) = Signature::from_slice(signature) else { return false };
    key.verify(&document_digest(kind, bytes), &signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_fingerprint_however_it_is_written() {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let long = fingerprint(key.verifying_key().to_sec1_point(false).as_bytes()).unwrap();
        let short = fingerprint(key.verifying_key().to_sec1_point(true).as_bytes()).unwrap();
        assert_eq!(long, short);
        assert_eq!(long.len(), 8 * 4 + 7);
        assert_eq!(fingerprint(b"no key"), None);
    }

    #[test]
    fn a_signature_of_one_kind_is_none_of_another() {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let public = key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
        let signature = sign_document(&key, "policy", b"text");
        assert!(is_document_signed(&public, "policy", b"text", &signature));
        assert!(!is_document_signed(&public, "certificate", b"text", &signature));
        assert!(!is_document_signed(&public, "policy", b"texts", &signature));
        assert!(!is_document_signed(&public, "policytext", b"", &signature));
        let other = SigningKey::from_slice(&[8; 32]).unwrap();
        let other = other.verifying_key().to_sec1_point(false).as_bytes().to_vec();
        assert!(!is_document_signed(&other, "policy", b"text", &signature));
    }
}
