//! The whole database at one moment, as a file of its own; and what a database is told when it was
//! put back.
//!
//! `VACUUM INTO` reads within one transaction, so the copy is consistent while the server writes
//! on, and it holds no free pages: what was erased is not in it.

use std::{path::Path, time::Duration};

use outrider_core::{
    ids::{ChangeHash, RecordId},
    store::{hold, journal},
    sync::digest,
    time::TimestampMs,
};
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi, limits::Limit, params};

pub use super::backups::BACKUPS_KEPT;
use super::{DATABASE_FILE, Doing, Durability, backups, connection, feed, ledger, migrate, to_sql};
use crate::{ledger::Reached, storage::StorageError};

/// What a copy of the database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// Which store.
    pub instance: [u8; 16],
    /// The position of its last commit.
    pub position: u64,
    /// Version of its tables.
    pub tables: u32,
    /// How far it had seen its ledger.
    pub ledger: Option<Reached>,
}

/// Copies the database in `folder` to the file `to`, which must not be there or be empty.
///
/// # Errors
///
/// [`StorageError`] when there is no server's database, or the copy cannot be written.
pub fn take_snapshot(folder: &Path, to: &Path) -> Result<Snapshot, StorageError> {
    const DOING: &str = "copying the database";
    let conn = connection::open_existing(&folder.join(DATABASE_FILE))?;
    // `VACUUM INTO` attaches the file that it writes, and writes there alone.
    conn.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 1).doing(DOING)?;
    conn.pragma_update(None, "query_only", false).doing(DOING)?;
    // The copy has the same.
    connection::set_cache(&conn).doing(DOING)?;
    let path = to.to_str().ok_or_else(|| StorageError::Open {
        path: to.display().to_string(),
        source: std::io::Error::other("the path is not Unicode"),
    })?;
    conn.execute("VACUUM INTO ?1", params![path]).doing(DOING)?;
    describe(to)
}

/// What a database file holds that no server has open.
///
/// # Errors
///
/// [`StorageError`] when it is no server's database, or a newer one's.
pub fn describe(file: &Path) -> Result<Snapshot, StorageError> {
    const DOING: &str = "reading what the copy holds";
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(file, flags).doing(DOING)?;
    let tables = migrate::check(&conn)?;
    Ok(Snapshot {
        instance: conn.query_row("SELECT instance FROM meta", [], |row| row.get(0)).doing(DOING)?,
        position: feed::position(&conn)?,
        tables,
        ledger: if has_ledger(&conn).doing(DOING)? { ledger::known(&conn)? } else { None },
    })
}

/// Records that the database in `folder` knows to be erased, or to be erased still.
///
/// # Errors
///
/// [`StorageError`] when the database cannot be read.
pub fn erased(folder: &Path) -> Result<Vec<RecordId>, StorageError> {
    const DOING: &str = "reading which records were erased";
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(folder.join(DATABASE_FILE), flags).doing(DOING)?;
    conn.prepare("SELECT record FROM erasure UNION SELECT record FROM erasure_due")
        .doing(DOING)?
        .query_map([], |row| Ok(RecordId::from_bytes(row.get(0)?)))
        .and_then(Iterator::collect)
        .doing(DOING)
}

/// Whether its tables are those of a server that keeps a ledger.
fn has_ledger(conn: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'ledger'";
    conn.query_row(sql, [], |row| Ok(row.get::<_, i64>(0)? > 0))
}

/// Brings the tables of a copy to this server's version, as a server does that opens it.
///
/// # Errors
///
/// [`StorageError`] when the database cannot be written, or is a newer server's.
pub fn bring_up_to_date(folder: &Path) -> Result<(), StorageError> {
    let path = folder.join(DATABASE_FILE);
    migrate::run(&mut connection::open(&path, connection::Role::Writer, Durability::Synced)?)
}

/// What tells a database that was put back from what it was before; drawn, and never twice the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Which store it is from then on.
    pub instance: [u8; 16],
    /// How its feed goes on.
    pub feed: [u8; 32],
}

/// Tells the database in `folder` that it was put back from a backup, with a mark that SQLite draws.
///
/// # Errors
///
/// As [`mark_restored_with`].
pub fn mark_restored(folder: &Path, now_ms: TimestampMs) -> Result<(), StorageError> {
    let drawn = Connection::open_in_memory().and_then(|conn| {
        conn.query_row("SELECT randomblob(16), randomblob(32)", [], |row| {
            Ok(Mark { instance: row.get(0)?, feed: row.get(1)? })
        })
    });
    mark_restored_with(folder, &drawn.doing("drawing the mark of a restored database")?, now_ms)
}

/// Tells the database in `folder` that it was put back from a backup.
///
/// It becomes another store, and its feed goes on in a way that it never went: no cursor of a
/// device that knew more fits by accident. Who was signed in has to sign in again, and codes that
/// may have been used since are good no more.
///
/// # Errors
///
/// [`StorageError`] when the database cannot be written.
pub fn mark_restored_with(
    folder: &Path,
    mark: &Mark,
    now_ms: TimestampMs,
) -> Result<(), StorageError> {
    const DOING: &str = "marking the database as restored";
    let path = folder.join(DATABASE_FILE);
    let mut conn = connection::open(&path, connection::Role::Writer, Durability::Synced)?;
    migrate::run(&mut conn)?;
    let tx = conn.transaction().doing(DOING)?;
    tx.execute("UPDATE meta SET instance = ?1", params![mark.instance]).doing(DOING)?;
    tx.execute_batch(
        "DELETE FROM session;
         DELETE FROM enrolment_code;",
    )
    .doing(DOING)?;
    let before = feed::position(&tx)?;
    let position = before + 1;
    let digest = feed::digest_at(&tx, before)?
        .ok_or_else(|| StorageError::Damaged(format!("the feed lacks position {before}")))?;
    let chained = digest::chain(&digest, position, &[ChangeHash(mark.feed)]);
    tx.execute(
        "INSERT INTO feed (position, digest) VALUES (?1, ?2)",
        params![to_sql(position), chained],
    )
    .doing(DOING)?;
    tx.execute(
        "INSERT INTO restoration (position, at, mark) VALUES (?1, ?2, ?3)",
        params![to_sql(position), now_ms, mark.feed],
    )
    .doing(DOING)?;
    tx.execute("UPDATE counter SET position = ?1", params![to_sql(position)]).doing(DOING)?;
    tx.execute(
        "INSERT INTO recovery (number, position, opened_at, is_announced)
         SELECT coalesce(max(number), 0) + 1, ?1, ?2, 1 FROM recovery",
        params![to_sql(position), now_ms],
    )
    .doing(DOING)?;
    backups::note_restored(&tx, before, now_ms)?;
    tx.commit().doing(DOING)
}

/// Notes in the database of `folder` that a backup of it was finished; whether it could be noted.
///
/// A server may use the database meanwhile. What is in all backups that are kept, devices need not
/// keep. Tables of an older server have no place for it.
///
/// # Errors
///
/// [`StorageError`] when the database cannot be written.
pub fn note_backup(
    folder: &Path,
    position: u64,
    made_at: TimestampMs,
    kept: u32,
) -> Result<bool, StorageError> {
    let path = folder.join(DATABASE_FILE);
    let conn = connection::open(&path, connection::Role::Writer, Durability::Synced)?;
    if migrate::check(&conn)? < migrate::known_version() {
        return Ok(false);
    }
    backups::note(&conn, position, made_at, kept)?;
    Ok(true)
}

/// Lets the database in `folder` forget its ledger; the next opening begins one.
///
/// # Errors
///
/// [`StorageError`] when the database cannot be written.
pub fn forget_ledger(folder: &Path) -> Result<(), StorageError> {
    const DOING: &str = "forgetting the ledger";
    let path = folder.join(DATABASE_FILE);
    let mut conn = connection::open(&path, connection::Role::Writer, Durability::Synced)?;
    migrate::run(&mut conn)?;
    conn.execute_batch("UPDATE ledger SET id = x'', entries = 0, hash = x''").doing(DOING)
}

/// Writes what waits in the write-ahead log into the database, whose file then stands for itself
/// and may be given another name.
///
/// # Errors
///
/// [`StorageError::InUse`] while another process has it open: at its end that one would remove the
/// write-ahead log of whatever has the name then. Others when the database cannot be read or written: what
/// SQLite keeps beside it belongs to it then.
pub fn fold(folder: &Path) -> Result<(), StorageError> {
    const PATIENCE: Duration = Duration::from_secs(2);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let file = folder.join(DATABASE_FILE);
    let folded = Connection::open_with_flags(file, flags).and_then(|conn| {
        conn.busy_timeout(PATIENCE)?;
        // Only the last connection may leave this mode, and it takes the log away.
        journal::fold(&conn)
    });
    match folded {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
            Err(StorageError::InUse { path: folder.display().to_string() })
        }
        folded => folded.doing("folding the log into the database"),
    }
}

/// As [`fold`], of a database that gives its name to another; what cannot be read stays as it is.
///
/// # Errors
///
/// As [`fold`], but for what cannot be read.
pub fn retire(folder: &Path) -> Result<(), StorageError> {
    if !hold::begins_well(&folder.join(DATABASE_FILE)) {
        return Ok(());
    }
    match fold(folder) {
        Err(StorageError::Torn { source, .. } | StorageError::Database { source, .. })
            if is_unreadable(&source) =>
        {
            Ok(())
        }
        folded => folded,
    }
}

/// Whether it is the pages that cannot be read, so that nothing better can be made of the file.
fn is_unreadable(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_extended_error_code().unwrap_or_default();
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        || [ffi::SQLITE_IOERR_READ, ffi::SQLITE_IOERR_SHORT_READ].contains(&code)
}

/// Devices in the database of `folder`, those of the office with them.
///
/// # Errors
///
/// [`StorageError`] when the database cannot be read.
pub fn count_devices(folder: &Path) -> Result<u64, StorageError> {
    const DOING: &str = "counting devices";
    let conn = connection::open_existing(&folder.join(DATABASE_FILE))?;
    let count = conn.query_row("SELECT count(*) FROM device", [], |row| row.get(0)).doing(DOING)?;
    super::from_sql(count)
}
