//! A database file that another one is to replace: kept from everybody else until that is done.

use std::{fs::File, io::Read as _, path::Path};

use rusqlite::{Connection, ErrorCode};

use super::{StoreError, journal};

/// The first bytes of every plain database.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Marks a file of which a copy took the place (`ORrp`): who opened it a moment before writes nothing to it.
const REPLACED: i32 = 0x4f52_7270;

/// Whether the file begins as a database does. Of one that does not SQLite takes the log away, which
/// may be all there is.
pub fn begins_well(path: &Path) -> bool {
    File::open(path).is_ok_and(|mut file| {
        let mut begin = [0; MAGIC.len()];
        file.read_exact(&mut begin).is_ok() && begin == *MAGIC
    })
}

/// Makes sure that nobody else has the file open, and that nobody uses it until `conn` is closed. Its log is
/// folded into it, so that it stands for itself.
///
/// # Errors
///
/// [`StoreError::InUse`] when somebody else has it open; nothing was changed then.
pub fn hold(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let in_use = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            StoreError::InUse(path.to_owned())
        }
        Some(_) | None => error.into(),
    };
    conn.pragma_update_and_check(None, "locking_mode", "EXCLUSIVE", |_| Ok(())).map_err(in_use)?;
    conn.pragma_update(None, "synchronous", "FULL").map_err(in_use)?;
    conn.pragma_update(None, "fullfsync", true).map_err(in_use)?;
    // Without the log there is one file, and one lock on it.
    journal::fold(conn).map_err(in_use)?;
    conn.execute_batch("BEGIN EXCLUSIVE; COMMIT").map_err(in_use)
}

/// Marks the file that is held as replaced.
pub(crate) fn mark_replaced(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "application_id", REPLACED)
}

/// Whether another file took its place.
pub(super) fn is_replaced(conn: &Connection) -> bool {
    let mark = conn.pragma_query_value(None, "application_id", |row| row.get::<_, i32>(0));
    mark.is_ok_and(|mark| mark == REPLACED)
}
