//! Which SQLite is linked, and whether it is good enough.
//!
//! **Waiver.** SQLCipher 4.19 is built on SQLite 3.53.4. Two faults of full-text search
//! (CVE-2026-119373, CVE-2026-119374) are known to be gone in 3.54.0; whether they were taken over into
//! 3.53.4 was not found out. Both need a database file that an attacker wrote. Nobody without the key
//! can write one into an encrypted store: each page is authenticated with it, and the tables of the
//! search are closed to SQL besides (defensive mode). One way in remains, with either engine: who
//! imports a whole store (`outrider store import`) opens a database that somebody else wrote, so such
//! files are taken from people whom one trusts. The waiver ends with a SQLCipher on SQLite 3.54 or
//! later: then [`CIPHER_SQLITE_VERSION_MIN`] goes.

use rusqlite::Connection;

use super::StoreError;

/// The oldest SQLite without known ways to damage a file or read beside it.
const SQLITE_VERSION_MIN: i32 = 3_054_000;
/// The oldest one within SQLCipher, by the waiver above.
const CIPHER_SQLITE_VERSION_MIN: i32 = 3_053_004;

/// Checks the engine; tells whether it can encrypt.
pub(super) fn check() -> Result<bool, StoreError> {
    let can_encrypt = can_encrypt()?;
    let least = if can_encrypt { CIPHER_SQLITE_VERSION_MIN } else { SQLITE_VERSION_MIN };
    if rusqlite::version_number() < least {
        return Err(StoreError::OldSqlite(rusqlite::version().to_owned()));
    }
    Ok(can_encrypt)
}

/// Plain SQLite takes `PRAGMA key` for nothing and says nothing: so the engine itself is asked, never
/// the way it was meant to be built.
fn can_encrypt() -> Result<bool, StoreError> {
    let conn = Connection::open_in_memory()?;
    let mut question = conn.prepare("PRAGMA cipher_version")?;
    Ok(question.query([])?.next()?.is_some())
}
