//! What was found damaged, kept as it was found: when, why, and whether it was made anew.
//!
//! It goes only when its record is erased ([`erased`](super::erased)). Nothing here is ever read as a document. A document *waits* while one of its entries is open: the
//! server's copy is fetched with the next session.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use super::{StoreError, document::name_of};
use crate::{ids::DocumentId, time::TimestampMs};

/// Documents that wait for the server's copy and are asked for in one session, at most.
pub const AWAITED_MAX: usize = 10_000;

/// Which bytes of a document were damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    /// What people see.
    State,
    /// What the server confirmed.
    Confirmed,
    /// A change of this device.
    Change,
    /// What was confirmed when a change was written.
    Base,
    /// A row of a list.
    Row,
}

impl Piece {
    /// Its name in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Confirmed => "confirmed",
            Self::Change => "change",
            Self::Base => "base",
            Self::Row => "row",
        }
    }
}

/// How much is kept here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Quarantined {
    /// Pieces that were found damaged.
    pub kept: u64,
    /// Documents that wait for the server's copy.
    pub awaited: u64,
}

/// Keeps a damaged piece; returns its number.
///
/// # Errors
///
/// Fails when the database does.
pub fn keep(
    conn: &Connection,
    id: &DocumentId,
    entity: &str,
    (piece, bytes): (Piece, &[u8]),
    why: &str,
    now_ms: TimestampMs,
) -> Result<i64, StoreError> {
    conn.prepare_cached(
        "INSERT INTO quarantine (record, part, entity, what, bytes, why, found_at, healed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
    )?
    .execute(params![
        id.record.as_bytes(),
        id.part.as_str(),
        entity,
        piece.as_str(),
        bytes,
        why,
        now_ms
    ])?;
    Ok(conn.last_insert_rowid())
}

/// Says that the document of an entry waits for the server's copy.
///
/// # Errors
///
/// Fails when the database does.
pub fn open(conn: &Connection, entry: i64) -> Result<(), StoreError> {
    conn.prepare_cached("UPDATE quarantine SET healed_at = NULL WHERE id = ?1")?
        .execute([entry])?;
    Ok(())
}

/// Says that a document waits no longer.
///
/// # Errors
///
/// Fails when the database does.
pub fn close(conn: &Connection, id: &DocumentId, now_ms: TimestampMs) -> Result<(), StoreError> {
    conn.prepare_cached(
        "UPDATE quarantine SET healed_at = ?3
         WHERE record = ?1 AND part = ?2 AND healed_at IS NULL",
    )?
    .execute(params![id.record.as_bytes(), id.part.as_str(), now_ms])?;
    Ok(())
}

/// The entity of a document of which something was put aside.
///
/// # Errors
///
/// Fails when the database does.
pub fn entity_of(conn: &Connection, id: &DocumentId) -> Result<Option<String>, StoreError> {
    Ok(conn
        .prepare_cached(
            "SELECT entity FROM quarantine WHERE record = ?1 AND part = ?2 ORDER BY id DESC LIMIT 1",
        )?
        .query_row(params![id.record.as_bytes(), id.part.as_str()], |row| row.get(0))
        .optional()?)
}

/// Whether a document waits for the server's copy.
///
/// # Errors
///
/// Fails when the database does.
pub fn is_awaited(conn: &Connection, id: &DocumentId) -> Result<bool, StoreError> {
    let found = conn
        .prepare_cached(
            "SELECT 1 FROM quarantine WHERE record = ?1 AND part = ?2 AND healed_at IS NULL LIMIT 1",
        )?
        .query_row(params![id.record.as_bytes(), id.part.as_str()], |_| Ok(()))
        .optional()?;
    Ok(found.is_some())
}

/// The documents that wait for the server's copy, at most [`AWAITED_MAX`].
///
/// # Errors
///
/// Fails when the database does.
pub fn awaited(conn: &Connection) -> Result<BTreeSet<DocumentId>, StoreError> {
    let mut query = conn.prepare_cached(
        "SELECT DISTINCT record, part FROM quarantine WHERE healed_at IS NULL
         ORDER BY record, part LIMIT ?1",
    )?;
    let mut rows = query.query([AWAITED_MAX as i64])?;
    let mut found = BTreeSet::new();
    while let Some(row) = rows.next()? {
        found.extend(name_of(row));
    }
    Ok(found)
}

/// How much is kept.
///
/// # Errors
///
/// Fails when the database does.
pub fn count(conn: &Connection) -> Result<Quarantined, StoreError> {
    let kept: i64 =
        conn.prepare_cached("SELECT count(*) FROM quarantine")?.query_row([], |row| row.get(0))?;
    let awaited: i64 = conn
        .prepare_cached(
            "SELECT count(*) FROM
                 (SELECT DISTINCT record, part FROM quarantine WHERE healed_at IS NULL)",
        )?
        .query_row([], |row| row.get(0))?;
    Ok(Quarantined { kept: kept.unsigned_abs(), awaited: awaited.unsigned_abs() })
}
