//! The server's own key: P-256, with which it signs what devices believe without asking again.
//!
//! It lies in a file of the data folder, beside the database and outside of its backups, readable
//! by its owner alone. Devices get its public half when they are enrolled.

use std::{
    fmt, fs,
    io::{self, Write as _},
    path::Path,
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use outrider_core::{
    ids::{from_hex, to_hex},
    sync::sign::sign_document,
};
use p256::ecdsa::SigningKey;
use sha2::Sha256;

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
        let path = folder.join(KEY_FILE);
        match fs::read_to_string(&path) {
            Ok(text) => return Self::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let mut bytes = [0_u8; 32];
        while SigningKey::from_slice(&bytes).is_err() {
            getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        }
        // Of two processes that begin together one is first; both use its key.
        let draft = folder.join(format!("{KEY_FILE}.{}", std::process::id()));
        write_private(&draft, &to_hex(&bytes))?;
        let linked = fs::hard_link(&draft, &path);
        fs::remove_file(&draft)?;
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            Ok(()) | Err(_) => Self::parse(&fs::read_to_string(&path)?),
        }
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
    /// A secret that this server alone makes of these bytes, and makes again: HMAC-SHA-256 under
    /// the key.
    #[must_use]
    pub fn seal(&self, kind: &str, bytes: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0.to_bytes())
            .expect("a key of any length will do");
        mac.update(b"outrider seal 1\n");
        mac.update(&(kind.len() as u64).to_be_bytes());
        mac.update(kind.as_bytes());
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }
}

/// Writes a file that only its owner may read, synced.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
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
        assert_eq!(key.seal("wipe", b"x"), again.seal("wipe", b"x"));
        assert_ne!(key.seal("wipe", b"x"), key.seal("wip", b"ex"));
        fs::write(folder.path().join(KEY_FILE), "no key").unwrap();
        let error = ServerKey::load_or_create(folder.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
