//! Which records were written since somebody last asked: by this connection, told by triggers that
//! only it has, and by other processes, told by SQLite's own counter.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::StoreError;
use crate::ids::RecordId;

/// Records written through this connection, by entity.
pub type Touched = BTreeMap<String, BTreeSet<RecordId>>;

/// Begins to note which records this connection writes.
///
/// # Errors
///
/// Fails when the database does.
pub fn begin(conn: &Connection) -> Result<(), StoreError> {
    // Not INSERT OR IGNORE: the statement that fires a trigger decides what a conflict does in it.
    conn.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS touched (
             record BLOB PRIMARY KEY NOT NULL,
             entity TEXT NOT NULL
         ) STRICT, WITHOUT ROWID;
         CREATE TEMP TRIGGER IF NOT EXISTS touched_new AFTER INSERT ON main.document BEGIN
             INSERT INTO touched (record, entity) SELECT NEW.record, NEW.entity
             WHERE NOT EXISTS (SELECT 1 FROM touched WHERE record = NEW.record);
         END;
         CREATE TEMP TRIGGER IF NOT EXISTS touched_edited AFTER UPDATE ON main.document BEGIN
             INSERT INTO touched (record, entity) SELECT NEW.record, NEW.entity
             WHERE NOT EXISTS (SELECT 1 FROM touched WHERE record = NEW.record);
         END;
         CREATE TEMP TRIGGER IF NOT EXISTS touched_gone AFTER DELETE ON main.document BEGIN
             INSERT INTO touched (record, entity) SELECT OLD.record, OLD.entity
             WHERE NOT EXISTS (SELECT 1 FROM touched WHERE record = OLD.record);
         END;",
    )?;
    Ok(())
}

/// Ends it, so that writes cost nothing more.
///
/// # Errors
///
/// Fails when the database does.
pub fn end(conn: &Connection) -> Result<(), StoreError> {
    conn.execute_batch(
        "DROP TRIGGER IF EXISTS temp.touched_new;
         DROP TRIGGER IF EXISTS temp.touched_edited;
         DROP TRIGGER IF EXISTS temp.touched_gone;
         DROP TABLE IF EXISTS temp.touched;",
    )?;
    Ok(())
}

/// What was noted since it was last taken.
///
/// # Errors
///
/// Fails when the database does; what was noted stays then, if the caller's transaction is undone.
pub fn take(conn: &Connection) -> Result<Touched, StoreError> {
    let mut touched = Touched::new();
    {
        let mut query = conn.prepare_cached("SELECT entity, record FROM temp.touched")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let records = touched.entry(row.get(0)?).or_default();
            records.insert(RecordId::from_bytes(row.get(1)?));
        }
    }
    if !touched.is_empty() {
        conn.prepare_cached("DELETE FROM temp.touched")?.execute([])?;
    }
    Ok(touched)
}

/// Changes whenever another connection, of this process or of any other, has written.
///
/// # Errors
///
/// Fails when the database does.
pub fn data_version(conn: &Connection) -> Result<i64, StoreError> {
    Ok(conn.pragma_query_value(None, "data_version", |row| row.get(0))?)
}

/// Runs `read` on one snapshot of the store.
///
/// # Errors
///
/// Passes on the error of `read`.
pub fn snapshot<T, E: From<StoreError>>(
    conn: &Connection,
    read: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<T, E> {
    let tx = conn.unchecked_transaction().map_err(StoreError::from)?;
    let found = read(&tx)?;
    tx.commit().map_err(StoreError::from)?;
    Ok(found)
}
