//! A whole copy of the store, without what names this device to the server.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, params};
use serde::{Deserialize, Serialize};

use super::{APPLICATION_ID, MIGRATIONS, Store, StoreError, pages};

/// Settings that do not leave the device: who we are to the server, and which copy this is.
const SECRETS: [&str; 2] = ["enrolment", "instance"];

/// What a copy holds, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// Version of the store's tables.
    pub store_version: u32,
    /// Records.
    pub records: u64,
    /// Changes that wait to be sent.
    pub waiting: u64,
}

/// Writes a consistent copy of the store into a new or empty file, whatever others write meanwhile.
/// It is plain, also if the store is encrypted.
///
/// # Errors
///
/// Fails when the database does, or there is such a file.
pub fn write(store: &Store, to: &Path) -> Result<Holding, StoreError> {
    let path = to.to_string_lossy();
    if store.is_sealed() {
        unseal(store.conn(), &path)?;
    } else {
        store.conn().execute("VACUUM INTO ?1", params![path])?;
    }
    let copy = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // One file, in which nothing is left of what is deleted.
    super::journal::fold(&copy)?;
    copy.pragma_update(None, "cache_size", -super::CACHE_KIB)?;
    copy.pragma_update(None, "secure_delete", true)?;
    for key in SECRETS.iter().chain(&super::credentials::ROWS) {
        copy.execute("DELETE FROM meta WHERE key = ?1", [key])?;
    }
    copy.execute_batch("VACUUM")?;
    holding(&copy)
}

/// Copies an encrypted store, as it is at one moment, into a plain file.
fn unseal(conn: &Connection, to: &str) -> Result<(), StoreError> {
    conn.execute("ATTACH DATABASE ?1 AS unsealed KEY ''", params![to])?;
    let copied = export(conn);
    if copied.is_err() {
        // It was the copying that failed; what cannot be taken back is said by that.
        let _ = conn.execute_batch("ROLLBACK");
    }
    conn.execute_batch("DETACH DATABASE unsealed")?;
    Ok(copied?)
}

fn export(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch("BEGIN")?;
    conn.query_row("SELECT sqlcipher_export('unsealed')", [], |_| Ok(()))?;
    for pragma in ["user_version", "application_id"] {
        let value: i64 = conn.pragma_query_value(None, pragma, |row| row.get(0))?;
        conn.pragma_update(Some("unsealed"), pragma, value)?;
    }
    conn.execute_batch("COMMIT")
}

/// Checks that a file is a whole device's store that this app can open.
///
/// # Errors
///
/// Returns [`StoreError`] if it is damaged, some other program's, or of a newer app.
pub fn check(path: &Path) -> Result<Holding, StoreError> {
    let open_error = |source| StoreError::Open { path: path.to_owned(), source };
    let conn =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(open_error)?;
    let mark: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if mark != APPLICATION_ID {
        return Err(StoreError::Foreign(path.to_owned()));
    }
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    let found: u32 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known {
        return Err(StoreError::TooNew { found, known });
    }
    if let Some(line) = pages::quick_check(&conn)?.into_iter().next() {
        return Err(StoreError::Damaged(line));
    }
    holding(&conn)
}

fn holding(conn: &Connection) -> Result<Holding, StoreError> {
    let count = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
    Ok(Holding {
        store_version: conn.pragma_query_value(None, "user_version", |row| row.get(0))?,
        records: count("SELECT count(*) FROM document WHERE part = 'main'")?.unsigned_abs(),
        waiting: count("SELECT count(*) FROM own_change WHERE acknowledged_at IS NULL")?
            .unsigned_abs(),
    })
}
