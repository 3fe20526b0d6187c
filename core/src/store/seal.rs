//! Encryption of the store's file: with SQLCipher, by a raw key, page by page.
//!
//! The database and its write-ahead log hold encrypted pages, each with a code that only the key can
//! make; temporary tables stay in memory. There is no password to derive a key from: 256 random bits
//! are one already.
//!
//! The first 16 bytes of the file, which SQLCipher calls the salt, are made from the key here. They
//! tell nothing about it, and they tell a wrong key from a damaged file. They are asked for through
//! SQLite: opening the file beside it would drop its locks when it is closed again.

use std::{fs, io, path::Path};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{BUSY_TIMEOUT, StoreError};
use crate::{
    ids::to_hex,
    keys::{KeyStore, StoreKey},
};

mod error;
mod migrate;

pub use error::SealError;
pub(super) use migrate::is_moved;

/// How often a file that others seal meanwhile is looked at again.
const LOOKS_MAX: u32 = 10;
/// The first bytes of a database that is not encrypted.
const PLAIN_HEADER: &[u8; 16] = b"SQLite format 3\0";
/// A key that nobody has: with it a file's first bytes can be asked for.
const NO_KEY: &str = "x'0000000000000000000000000000000000000000000000000000000000000000'";

/// How an existing file looks from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// There is none, or nothing in it.
    Empty,
    /// A plain database.
    Plain,
    /// Encrypted, or damaged; its first bytes in hexadecimal.
    Sealed([u8; 32]),
}

/// Opens an encrypted store, makes it, or encrypts the plain one that is there. `fresh` becomes its
/// key if there is none yet.
pub(super) fn open(
    path: &Path,
    flags: OpenFlags,
    keys: &dyn KeyStore,
    fresh: &StoreKey,
) -> Result<Connection, StoreError> {
    for _ in 0..LOOKS_MAX {
        let kept = keys.load().map_err(SealError::from)?;
        match (form_of(path)?, kept) {
            // Kept before anything is written with it.
            (Form::Empty | Form::Plain, None) => {
                keys.keep(fresh).map_err(SealError::from)?;
            }
            (Form::Empty, Some(key)) => {
                super::make_private(path);
                return connect(path, flags, &key);
            }
            (Form::Plain, Some(key)) => migrate::seal(path, &key)?,
            (Form::Sealed(_), None) => {
                let (path, place) = (path.to_owned(), keys.place());
                return Err(SealError::NoKey { path, place }.into());
            }
            (Form::Sealed(header), Some(key)) => {
                return unlock(path, flags, keys, &key, &header);
            }
        }
    }
    // It is marked as moved, and what it moved to is not there.
    Err(StoreError::Damaged(
        "the encrypted copy of the store is gone; ask support, the plain file holds everything"
            .to_owned(),
    ))
}

/// A connection with the key that is kept; nothing is asked of the file.
pub(crate) fn open_known(
    path: &Path,
    flags: OpenFlags,
    keys: &dyn KeyStore,
) -> Result<Connection, StoreError> {
    let no_key = || SealError::NoKey { path: path.to_owned(), place: keys.place() };
    let key = keys.load().map_err(SealError::from)?.ok_or_else(no_key)?;
    connect(path, flags, &key)
}

fn unlock(
    path: &Path,
    flags: OpenFlags,
    keys: &dyn KeyStore,
    key: &StoreKey,
    header: &[u8; 32],
) -> Result<Connection, StoreError> {
    let conn = connect(path, flags, key)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    match conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())) {
        Ok(()) => Ok(conn),
        Err(error) if is_unreadable(&error) => {
            let path = path.to_owned();
            if header == to_hex(&salt_of(key)).as_bytes() {
                return Err(SealError::Corrupt { path, source: error }.into());
            }
            Err(SealError::WrongKey { path, place: keys.place() }.into())
        }
        Err(source) => Err(StoreError::opening(path, source)),
    }
}

/// Whether SQLite says that the file is no database, or a damaged one.
pub(super) fn is_unreadable(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}

/// A connection with the key; nothing is read yet.
fn connect(path: &Path, flags: OpenFlags, key: &StoreKey) -> Result<Connection, StoreError> {
    keyed(path, flags, &key_spec(key)).map_err(|source| StoreError::opening(path, source))
}

fn keyed(path: &Path, flags: OpenFlags, spec: &str) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, flags)?;
    conn.pragma_update(None, "key", spec)?;
    // It writes to stderr, or to the log of a phone, what becomes an error here.
    conn.query_row("PRAGMA cipher_log_level = NONE", [], |_| Ok(()))?;
    Ok(conn)
}

/// What SQLCipher takes for a raw key and a salt.
fn key_spec(key: &StoreKey) -> Zeroizing<String> {
    let bytes = Zeroizing::new(to_hex(key.bytes()));
    Zeroizing::new(["x'", &bytes, &to_hex(&salt_of(key)), "'"].concat())
}

/// The first bytes of a file with this key.
fn salt_of(key: &StoreKey) -> [u8; 16] {
    let digest = Sha256::new_with_prefix(b"outrider store\0").chain_update(key.bytes()).finalize();
    let mut salt = [0; 16];
    salt.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    salt
}

fn form_of(path: &Path) -> Result<Form, StoreError> {
    let open_error = |source| StoreError::opening(path, source);
    match fs::metadata(path) {
        Ok(found) if found.len() == 0 => return Ok(Form::Empty),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Form::Empty),
        Err(source) => return Err(SealError::File { path: path.to_owned(), source }.into()),
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = keyed(path, flags, NO_KEY).map_err(open_error)?;
    let header: String =
        conn.query_row("PRAGMA cipher_salt", [], |row| row.get(0)).map_err(open_error)?;
    let header = header.to_lowercase();
    if header == to_hex(PLAIN_HEADER) {
        return Ok(Form::Plain);
    }
    <[u8; 32]>::try_from(header.as_bytes())
        .map(Form::Sealed)
        .map_err(|_| StoreError::Damaged("the first bytes of the store cannot be read".to_owned()))
}
