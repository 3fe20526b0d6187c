//! What can go wrong with an encrypted store, in words that say what to do.

use std::path::PathBuf;

use crate::keys::KeyStoreError;

/// Why an encrypted store cannot be opened, or a plain one encrypted.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// A file of the store cannot be used.
    #[error("cannot use {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The key cannot be had: locked, no key, or its place failed.
    #[error(transparent)]
    Key(#[from] KeyStoreError),
    /// The file is encrypted, and there is no key.
    #[error(
        "{path} is encrypted, and its key is not in {place}; put the key there from where you keep a \
         copy. Without it nobody can read the file: enroll this device again in another folder, the \
         office has everything that was sent"
    )]
    NoKey {
        /// Which file.
        path: PathBuf,
        /// Where the key should be.
        place: String,
    },
    /// The file is encrypted with another key.
    #[error(
        "{path} is encrypted with another key than the one in {place}; name the place of its own key, \
         nothing was changed"
    )]
    WrongKey {
        /// Which file.
        path: PathBuf,
        /// Where the key was found.
        place: String,
    },
    /// The key is the right one, and the file cannot be read.
    #[error(
        "{path} is damaged, its key is the right one ({source}); keep a copy of the folder for \
         support, then wipe it and enroll this device again: the office has everything that was sent"
    )]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The file was opened without a key, and is encrypted or damaged.
    #[error(
        "{0} cannot be read without a key: it is encrypted, or damaged; open it with the program and \
         the key that encrypted it"
    )]
    Sealed(PathBuf),
    /// There is a key, and the program cannot encrypt.
    #[error(
        "this program was built without encryption; build it with the feature `sqlcipher`, or name no \
         key: nothing was opened"
    )]
    NoCipher,
}
