//! Changes of this device whose bytes are not those that were stored.

use rusqlite::{Connection, Params, Row, params};

use super::{COLUMNS, OF_DOCUMENT, OwnChange, read, replace};
use crate::{ids::DocumentId, store::StoreError, time::TimestampMs};

/// Reads a change, and looks whether its bytes are those of its name.
pub(super) fn read_whole(row: &Row<'_>) -> Result<OwnChange, StoreError> {
    let own = read(row)?;
    if own.is_whole() {
        return Ok(own);
    }
    let why = "its bytes are not those that it is named by".to_owned();
    Err(StoreError::DamagedChange { id: own.id, document: Some(own.document), why })
}

/// Every waiting change that is not as it was stored, with its document as far as that can be read.
///
/// # Errors
///
/// Fails when the database does.
pub fn damaged_waiting(conn: &Connection) -> Result<Vec<(i64, Option<DocumentId>)>, StoreError> {
    damaged(conn, "acknowledged_at IS NULL ORDER BY id", [])
}

/// What of the changes for which a condition holds is not as it was stored.
fn damaged(
    conn: &Connection,
    condition: &'static str,
    params: impl Params,
) -> Result<Vec<(i64, Option<DocumentId>)>, StoreError> {
    let sql = ["SELECT ", COLUMNS, " FROM own_change WHERE ", condition].concat();
    let mut query = conn.prepare_cached(&sql)?;
    let mut rows = query.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        match read_whole(row) {
            Err(StoreError::DamagedChange { id, document, .. }) => found.push((id, document)),
            own => drop(own?),
        }
    }
    Ok(found)
}

/// The numbers of the waiting changes of a document that are not as they were stored.
///
/// # Errors
///
/// Fails when the database does.
pub fn damaged_of(conn: &Connection, id: &DocumentId) -> Result<Vec<i64>, StoreError> {
    let found = damaged(conn, OF_DOCUMENT, params![id.record.as_bytes(), id.part.as_str()])?;
    Ok(found.into_iter().map(|(id, _)| id).collect())
}

/// The changes of a document that are as they were stored, with whether the server has them.
///
/// # Errors
///
/// Fails when the database does.
pub fn readable_of(
    conn: &Connection,
    id: &DocumentId,
) -> Result<Vec<(OwnChange, bool)>, StoreError> {
    let sql = [
        "SELECT ",
        COLUMNS,
        ", acknowledged_at IS NOT NULL FROM own_change
         WHERE record = ?1 AND part = ?2 ORDER BY id",
    ]
    .concat();
    let mut query = conn.prepare_cached(&sql)?;
    let mut rows = query.query(params![id.record.as_bytes(), id.part.as_str()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        match read_whole(row) {
            Err(StoreError::DamagedChange { .. }) => {}
            own => found.push((own?, row.get(10)?)),
        }
    }
    Ok(found)
}

/// The numbers of the acknowledged changes that are not as they were stored.
///
/// # Errors
///
/// Fails when the database does.
pub fn damaged_acknowledged(conn: &Connection) -> Result<Vec<i64>, StoreError> {
    let found = damaged(conn, "acknowledged_at IS NOT NULL ORDER BY id", [])?;
    Ok(found.into_iter().map(|(id, _)| id).collect())
}

/// Copies a damaged change into the quarantine, as it lies there.
///
/// # Errors
///
/// Fails when the database does.
pub fn keep_aside(conn: &Connection, id: i64, now_ms: TimestampMs) -> Result<(), StoreError> {
    for (piece, column) in [("change", "bytes"), ("base", "base")] {
        // The names are those of this array.
        let sql = [
            "INSERT INTO quarantine (record, part, entity, what, bytes, why, found_at, healed_at)
             SELECT CAST(record AS BLOB), CAST(part AS TEXT), CAST(entity AS TEXT), '",
            piece,
            "', CAST(",
            column,
            " AS BLOB), 'its bytes are not those that were stored', ?2, ?2
             FROM own_change WHERE id = ?1",
        ]
        .concat();
        conn.prepare_cached(&sql)?.execute(params![id, now_ms])?;
    }
    Ok(())
}

/// Takes a damaged change out of the outbox into the quarantine: nothing can be made of it here.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_aside(conn: &Connection, id: i64, now_ms: TimestampMs) -> Result<(), StoreError> {
    keep_aside(conn, id, now_ms)?;
    replace(conn, id, None)
}
