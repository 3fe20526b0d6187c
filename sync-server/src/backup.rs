//! Backups: one encrypted file each, made while the server runs; and putting one back.
//!
//! A backup is the whole database at one moment, compressed, in an [age](https://age-encryption.org)
//! file: encrypted to public keys, so that the machine that makes backups cannot read them, and
//! any age tool can. Beside it lies what is known of it (`….age.json`), which has neither names nor
//! secrets: enough to find a damaged file without any key.
//!
//! What is not in it: the ledger, which must not go back in time ([`crate::ledger`]), the server's
//! key ([`crate::keys`]), and files that are being imported.
//!
//! What records of persons hold is sealed once more, with a key for each person
//! ([`crate::person_keys`]): whoever is erased is in no backup any more.
//!
//! * `key`: pairs of keys. * `persons`: copies of the persons' keys. * `manifest`: what is known of a backup. * `seal`: making one. * `open`:
//!   reading one. * `restore`: putting one back.

use std::io;

use crate::{office::EraseError, storage::StorageError};

mod key;
mod manifest;
mod open;
mod persons;
mod restore;
mod seal;

#[cfg(test)]
mod tests;

pub use key::{Identities, create_key_file, parse_recipient, read_identities};
pub use manifest::{FORMAT, Manifest, Sealed};
pub use open::{check_file, open_into};
pub use persons::{KeySource, PERSON_KEYS_DAYS, open as open_persons_of};
pub use restore::{RestoreOrder, Restored, restore};
pub use seal::{BackupOrder, Created, create};

/// How far the work is: what is being done, how much of it, of how much.
pub type Progress<'a> = dyn FnMut(&'static str, u64, u64) + 'a;

/// Why a backup was not made, read or put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file or folder cannot be used.
    #[error("{path} cannot be used")]
    File {
        /// Which.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file is there already.
    #[error("{path} is there already, and is not written over")]
    Exists {
        /// Which.
        path: String,
    },
    /// A public key is none.
    #[error("`{0}` is no public key; it begins with age1 and `backup-key` makes one")]
    Recipient(String),
    /// No public key was given.
    #[error(
        "no public key to encrypt to; give one with --recipient (the command `backup-key` makes a pair)"
    )]
    NoRecipient,
    /// A file holds no private key.
    #[error(
        "{path} holds no private key; it is the file that `backup-key` wrote, with a line that begins with AGE-SECRET-KEY-1"
    )]
    NoIdentity {
        /// Which file.
        path: String,
    },
    /// The private key is another pair's.
    #[error(
        "this key does not open the backup: it was encrypted to another public key; give the private half of that one with --identity"
    )]
    WrongKey,
    /// The bytes are not what was written.
    #[error("the backup is damaged or cut short ({0}); use another one")]
    Damaged(String),
    /// A newer server wrote it.
    #[error("the backup has format {0}, which this server does not know; install the newer server")]
    TooNew(u32),
    /// The data folder holds data.
    #[error(
        "there is data in {path}; put the backup into an empty folder, or replace what is there with --replace, which keeps it aside"
    )]
    NotEmpty {
        /// Which folder.
        path: String,
    },
    /// The database's ledger is not there.
    #[error(
        "the ledger {path} is not there: who was enrolled or shut out after the backup would be forgotten; name it with --ledger, or go on without it with --without-ledger"
    )]
    NoLedger {
        /// Where it should be.
        path: String,
    },
    /// There are persons, and no keys for them.
    #[error(
        "the keys of {persons} persons (file {keys}) are neither beside the ledger nor beside the backup; name a copy (….keys.age) with --person-keys, or leave these persons out with --without-persons"
    )]
    NoPersonKeys {
        /// Records that are sealed.
        persons: u64,
        /// Which file of keys sealed them.
        keys: String,
    },
    /// The keys are another file's.
    #[error("these are not the persons' keys of this backup; name the copy that was made with it")]
    OtherPersonKeys,
    /// What was erased since cannot be erased again.
    #[error("cannot erase again what the ledger says was erased")]
    Erase(#[from] EraseError),
    /// The database cannot be used.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Says which file failed.
fn failed(path: &std::path::Path) -> impl Fn(io::Error) -> BackupError + use<> {
    let path = path.display().to_string();
    move |source| BackupError::File { path: path.clone(), source }
}
