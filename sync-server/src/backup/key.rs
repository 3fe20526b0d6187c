//! Pairs of keys: the public half makes backups, the private half reads them.

use std::{fs, io, path::Path};

use age::{
    secrecy::ExposeSecret as _,
    x25519::{Identity, Recipient},
};

use outrider_core::points;

use super::{BackupError, failed};
use crate::durable::{OWNER_ONLY, write_first};

/// What a line with a private key begins with.
const SECRET: &str = "AGE-SECRET-KEY-1";
/// Bytes of a file with keys, at most.
const KEY_FILE_BYTES_MAX: u64 = 64 * 1024;

/// Private keys, any of which may open a backup.
pub struct Identities(Vec<Identity>);

impl std::fmt::Debug for Identities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identities").finish_non_exhaustive()
    }
}

impl Identities {
    pub(super) fn all(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.0.iter().map(|identity| identity as _)
    }
}

/// Draws a pair and writes it to a new file that its owner alone may read; returns the public half.
///
/// The file is that of `age-keygen`.
///
/// # Errors
///
/// [`BackupError::Exists`] when the file is there: it may be the only key to older backups.
pub fn create_key_file(path: &Path) -> Result<Recipient, BackupError> {
    let identity = Identity::generate();
    let recipient = identity.to_public();
    let secret = identity.to_string();
    let text = format!("# public key: {recipient}\n{}\n", secret.expose_secret());
    points::reach("server.backup_key.begun");
    // Whole or not at all: a file that was only begun would stand in the way of the next one.
    if !write_first(path, OWNER_ONLY, text.as_bytes()).map_err(failed(path))? {
        return Err(BackupError::Exists { path: path.display().to_string() });
    }
    Ok(recipient)
}

/// Reads a public key.
///
/// # Errors
///
/// [`BackupError::Recipient`] for what is none.
pub fn parse_recipient(text: &str) -> Result<Recipient, BackupError> {
    let text = text.trim();
    // A private key given by mistake must not be shown again.
    let shown = if text.starts_with(SECRET) { "a private key" } else { text };
    text.parse().map_err(|_| BackupError::Recipient(shown.to_owned()))
}

/// Reads the private keys of a file.
///
/// # Errors
///
/// [`BackupError::NoIdentity`] for a file without one.
pub fn read_identities(path: &Path) -> Result<Identities, BackupError> {
    let none = || BackupError::NoIdentity { path: path.display().to_string() };
    let length = match fs::metadata(path) {
        Ok(known) => known.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(none()),
        Err(error) => return Err(failed(path)(error)),
    };
    if length > KEY_FILE_BYTES_MAX {
        return Err(none());
    }
    let bytes = fs::read(path).map_err(failed(path))?;
    let text = String::from_utf8(bytes).map_err(|_| none())?;
    let keys = text.lines().map(str::trim).filter(|line| line.starts_with(SECRET));
    let keys = keys.map(|line| line.parse().map_err(|_| none())).collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() { Err(none()) } else { Ok(Identities(keys)) }
}
