//! The key of an encrypted store, and where a device keeps it.
//!
//! The key never lies in the store's folder by itself: the host app hands in a [`KeyStore`], which is
//! the Keychain or the Keystore on a phone and [`FileKeys`] on a desktop. One key store holds the key
//! of one replica. Destroying the key is what makes a store unreadable, so it comes first in
//! [`wipe`](mod@crate::replica::wipe).

use std::{fmt, io};

use rand::Rng;
use zeroize::Zeroizing;

mod file;

pub use file::FileKeys;
pub(crate) use file::{make_private_folder, private, sync_folder};

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// The key of a store: 256 random bits. It leaves nothing in memory when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreKey(Zeroizing<[u8; KEY_BYTES]>);

impl StoreKey {
    /// A key of these bytes.
    #[must_use]
    pub fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Draws a key.
    pub fn draw(rng: &mut impl Rng) -> Self {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        rng.fill_bytes(&mut *bytes);
        Self(bytes)
    }

    /// Its bytes, for a key store to keep.
    #[must_use]
    pub fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey(…)")
    }
}

/// Why a key store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// The key is there and cannot be had now.
    #[error("the key in {place} is locked; unlock the device and try again, nothing was changed")]
    Locked {
        /// Where the key is kept, in words for people.
        place: String,
    },
    /// There is something, and it is no key.
    #[error(
        "what is in {place} is no key of a store; put the right one there from where you keep a \
         copy, nothing was changed"
    )]
    Damaged {
        /// Where the key is kept, in words for people.
        place: String,
    },
    /// The key store failed.
    #[error("the key in {place} cannot be used: {source}")]
    Failed {
        /// Where the key is kept, in words for people.
        place: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Where the host app keeps the key of one replica.
pub trait KeyStore: fmt::Debug + Send + Sync {
    /// Where the key is kept, in words for people, such as the path of a file.
    fn place(&self) -> String;

    /// The key, if one is kept.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError::Locked`] when there may be one and it cannot be had now.
    fn load(&self) -> Result<Option<StoreKey>, KeyStoreError>;

    /// Keeps a key, durably before this returns, and returns the one that is kept: where there was
    /// a key already, that one stays.
    ///
    /// # Errors
    ///
    /// Fails when nothing can be kept there now.
    fn keep(&self, key: &StoreKey) -> Result<StoreKey, KeyStoreError>;

    /// Destroys the key, durably before this returns; tells whether there was one.
    ///
    /// # Errors
    ///
    /// Fails when the key may still be there.
    fn destroy(&self) -> Result<bool, KeyStoreError>;
}

/// The key store of a device whose store is not encrypted: there is no key.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoKeys;

impl KeyStore for NoKeys {
    fn place(&self) -> String {
        "no key store".to_owned()
    }

    fn load(&self) -> Result<Option<StoreKey>, KeyStoreError> {
        Ok(None)
    }

    fn keep(&self, _key: &StoreKey) -> Result<StoreKey, KeyStoreError> {
        let source = io::Error::new(io::ErrorKind::Unsupported, "nothing is kept there");
        Err(KeyStoreError::Failed { place: self.place(), source })
    }

    fn destroy(&self) -> Result<bool, KeyStoreError> {
        Ok(false)
    }
}
