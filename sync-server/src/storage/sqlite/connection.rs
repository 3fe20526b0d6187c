//! Opening one connection, with everything set that keeps the data safe.

use std::{path::Path, time::Duration};

use outrider_core::store::journal;
use rusqlite::{Connection, OpenFlags, config::DbConfig, limits::Limit};

use super::{Doing, Durability, migrate};
use crate::storage::StorageError;

/// The oldest SQLite without the bug that could corrupt a database when its WAL is reset.
const SQLITE_VERSION_MIN: i32 = 3_051_003;
/// How long a statement waits for another process (the `code` command beside the server).
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Prepared statements kept per connection.
const STATEMENTS_MAX: usize = 128;
/// The WAL file is cut back to this size after it was larger.
const JOURNAL_BYTES_MAX: i64 = 64 * 1024 * 1024;
/// Page cache of the connection that writes, in KiB: the tables of a new server fit, so that each of their
/// pages is written once.
const WRITER_CACHE_KIB: i64 = 8_192;
/// Longest text or blob, far above the largest state, change or long text.
const VALUE_BYTES_MAX: i32 = 64 * 1024 * 1024;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The one that writes.
    Writer,
    /// One of those that read.
    Reader,
    /// One that will read with a user's eyes, once they are in place.
    Seer,
}

/// Refuses a SQLite library with known defects.
pub(super) fn check_engine() -> Result<(), StorageError> {
    if rusqlite::version_number() < SQLITE_VERSION_MIN {
        return Err(StorageError::Engine { found: rusqlite::version() });
    }
    Ok(())
}

/// Opens `path`.
pub(super) fn open(
    path: &Path,
    role: Role,
    durability: Durability,
) -> Result<Connection, StorageError> {
    const DOING: &str = "opening the database";
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).doing(DOING)?;
    configure(&conn, role, durability).doing(DOING)?;
    Ok(conn)
}

/// Opens the database that is at `path`, changing nothing of its tables.
pub(super) fn open_existing(path: &Path) -> Result<Connection, StorageError> {
    const DOING: &str = "opening the database";
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).doing(DOING)?;
    migrate::check(&conn)?;
    configure(&conn, Role::Reader, Durability::Synced).doing(DOING)?;
    Ok(conn)
}

fn configure(conn: &Connection, role: Role, durability: Durability) -> rusqlite::Result<()> {
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // Plans must not depend on bound values: with them a query that sorts is prepared anew each
    // time that it runs, which takes longer than running it.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    conn.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX)?;
    journal::write_ahead(conn)?;
    // In WAL mode anything less than FULL loses acknowledged commits with the power.
    let synchronous = match durability {
        Durability::Synced => "FULL",
        Durability::NotSynced => "OFF",
    };
    conn.pragma_update(None, "synchronous", synchronous)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "cell_size_check", true)?;
    conn.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(()))?;
    conn.pragma_update_and_check(None, "journal_size_limit", JOURNAL_BYTES_MAX, |_| Ok(()))?;
    // What stands before the tables for a user never reaches a file.
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    // What is removed is overwritten: an erased person is not to be found in free pages.
    conn.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
    match role {
        Role::Reader => conn.pragma_update(None, "query_only", true),
        Role::Writer => set_cache(conn),
        Role::Seer => Ok(()),
    }
}

/// Gives a connection the page cache of one that writes.
pub(super) fn set_cache(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)
}

/// Lets a connection only read from now on.
pub(super) fn make_reader(conn: &Connection) -> Result<(), StorageError> {
    conn.pragma_update(None, "query_only", true).doing("opening the database")
}
