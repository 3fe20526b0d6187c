//! The server's own key: P-256, with which it signs what devices believe without asking again.
//!
//! It lies in a file of the data folder, beside the database and outside of its backups, readable
//! by its owner alone. Devices get its public half when they are enrolled.

use std::{fmt, io, path::Path};

use chacha20poly1305::{
    XChaCha20Poly1305,
    aead::{Aead as _, KeyInit as _, Payload},
};
use hmac::{Hmac, Mac as _};
use outrider_core::{
    ids::{from_hex, to_hex},
    sync::{
        sealed::{OpenKey, SEAL_KEY, SignedSealKey},
        sign::sign_document,
    },
};
use p256::ecdsa::SigningKey;
use sha2::{Digest as _, Sha256};

use crate::durable::{OWNER_ONLY, read_or_create};

/// Name of the key's file in the data folder.
pub const KEY_FILE: &str = "server.key";

/// Signs in the server's name.
#[derive(Clone)]
pub struct ServerKey(SigningKey);

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServerKey").finish_non_exhaustive()
    }
}

impl ServerKey {
    /// Reads the key in a data folder, or draws one and writes it there.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read or written, or holds something else.
    pub fn load_or_create(folder: &Path) -> io::Result<Self> {
        let make = || {
            let mut bytes = [0_u8; 32];
            while SigningKey::from_slice(&bytes).is_err() {
                getrandom::fill(&mut bytes).map_err(io::Error::other)?;
            }
            Ok(to_hex(&bytes))
        };
        let text = read_or_create(&folder.join(KEY_FILE), OWNER_ONLY, make, |error| error)?;
        Self::parse(&text)
    }

    /// The key of these 32 bytes, for tests and simulations.
    ///
    /// # Errors
    ///
    /// Fails when the bytes are no key.
    pub fn from_bytes(bytes: &[u8; 32]) -> io::Result<Self> {
        Self::parse(&to_hex(bytes))
    }

    fn parse(text: &str) -> io::Result<Self> {
        from_hex::<32>(text.trim())
            .and_then(|bytes| SigningKey::from_slice(&bytes).ok())
            .map(Self)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a server's key"))
    }

    /// The public half, uncompressed SEC1 bytes.
    #[must_use]
    pub fn public_key(&self) -> Vec<u8> {
        self.0.verifying_key().to_sec1_point(false).as_bytes().to_vec()
    }

    /// Signs a document of a kind; 64 bytes.
    #[must_use]
    pub fn sign(&self, kind: &str, bytes: &[u8]) -> Vec<u8> {
        sign_document(&self.0, kind, bytes)
    }
}

impl ServerKey {
    /// The key that opens what devices seal to this server.
    #[must_use]
    pub fn open_key(&self) -> OpenKey {
        OpenKey::derive(&self.derive("edits for review"))
    }

    /// What devices seal to, signed.
    #[must_use]
    pub fn seal_key(&self) -> SignedSealKey {
        let public_key = self.open_key().public_key();
        let signature = to_hex(&self.sign(SEAL_KEY, public_key.as_bytes()));
        SignedSealKey { public_key, signature }
    }
}

/// Bytes of a nonce that is drawn for each sealing.
pub const NONCE_BYTES: usize = 24;

impl ServerKey {
    /// A secret that this server alone makes of these bytes, and makes again: HMAC-SHA-256 under
    /// the key.
    #[must_use]
    pub fn secret(&self, kind: &str, bytes: &[u8]) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&self.0.to_bytes())
            .expect("a key of any length will do");
        mac.update(b"outrider seal 1\n");
        mac.update(&(kind.len() as u64).to_be_bytes());
        mac.update(kind.as_bytes());
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }

    /// 32 secret bytes for one purpose. They come from the key, so they are in no backup of the
    /// database.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"outrider derived key 1\n");
        hash.update((purpose.len() as u64).to_be_bytes());
        hash.update(purpose.as_bytes());
        hash.update(self.0.to_bytes());
        hash.finalize().into()
    }

    /// Seals what the database keeps and must not show: only this key, for the same purpose and
    /// owner, opens it again. The nonce is drawn anew for each.
    #[must_use]
    pub fn seal(
        &self,
        purpose: &str,
        owner: &[u8],
        nonce: [u8; NONCE_BYTES],
        plain: &[u8],
    ) -> Vec<u8> {
        let payload = Payload { msg: plain, aad: owner };
        let sealed = self.cipher(purpose).encrypt(&nonce.into(), payload);
        // It fails for messages of many gigabytes alone.
        [&nonce[..], &sealed.unwrap_or_default()].concat()
    }

    /// Opens what was sealed; `None` if another key sealed it, or somebody changed it.
    #[must_use]
    pub fn open(&self, purpose: &str, owner: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: owner };
        self.cipher(purpose).decrypt(&(*nonce).into(), payload).ok()
    }

    fn cipher(&self, purpose: &str) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.derive(purpose).into())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use outrider_core::sync::sign::is_document_signed;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_another_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let key = ServerKey::load_or_create(folder.path()).unwrap();
        let again = ServerKey::load_or_create(folder.path()).unwrap();
        assert_eq!(key.public_key(), again.public_key());
        let signature = key.sign("policy", b"x");
        assert!(is_document_signed(&again.public_key(), "policy", b"x", &signature));
        assert_eq!(key.secret("wipe", b"x"), again.secret("wipe", b"x"));
        assert_ne!(key.secret("wipe", b"x"), key.secret("wip", b"ex"));
        fs::write(folder.path().join(KEY_FILE), "no key").unwrap();
        let error = ServerKey::load_or_create(folder.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn what_is_sealed_opens_for_its_owner_and_purpose_alone() {
        let folder = tempfile::tempdir().unwrap();
        let key = ServerKey::load_or_create(folder.path()).unwrap();
        let sealed = key.seal("second factor", b"li", [3; NONCE_BYTES], b"secret");
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        let open = |purpose, owner, sealed: &[u8]| key.open(purpose, owner, sealed);
        assert_eq!(open("second factor", b"li", &sealed).unwrap(), b"secret");
        assert_eq!(open("second factor", b"wang", &sealed), None);
        assert_eq!(open("other", b"li", &sealed), None);
        assert_eq!(open("second factor", b"li", &[&sealed[..], &[0]].concat()), None);
        assert_eq!(open("second factor", b"li", &sealed[..10]), None);
        let other = tempfile::tempdir().unwrap();
        let other = ServerKey::load_or_create(other.path()).unwrap();
        assert_eq!(other.open("second factor", b"li", &sealed), None);
        assert_ne!(key.derive("a"), key.derive("b"));
    }
}
