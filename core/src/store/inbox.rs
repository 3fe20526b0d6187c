//! The inbox: what the office refused, kept with its reason until a person dismisses it.

use rusqlite::{Connection, params};
use serde::Serialize;
use serde_json::Value as Json;

use super::StoreError;
use crate::{
    ids::{ChangeHash, DocumentId, RecordId},
    time::TimestampMs,
};

/// A refusal, waiting for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Its number.
    pub id: i64,
    /// The record.
    pub record: RecordId,
    /// Its part.
    pub part: String,
    /// Name of its entity.
    pub entity: String,
    /// Why.
    pub code: String,
    /// What was refused: key to value.
    pub refused: Json,
    /// When it was written.
    pub made_at: TimestampMs,
    /// When the refusal arrived.
    pub refused_at: TimestampMs,
    /// The change that was refused.
    #[serde(skip)]
    pub hash: Option<ChangeHash>,
    /// The request for approval that asks for it.
    pub proposal: Option<RecordId>,
}

/// Keeps a refusal.
///
/// # Errors
///
/// Fails when the database does.
pub fn add(
    conn: &Connection,
    document: &DocumentId,
    entity: &str,
    (code, hash): (&str, ChangeHash),
    refused: &Json,
    times: (TimestampMs, TimestampMs),
) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT INTO inbox (record, part, entity, code, refused, made_at, refused_at, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        document.record.as_bytes(),
        document.part.as_str(),
        entity,
        code,
        refused.to_string(),
        times.0,
        times.1,
        hash.0,
    ])?;
    Ok(())
}

/// Refusals that nobody has dismissed, oldest first, at most `limit`.
///
/// # Errors
///
/// Fails when the database does.
pub fn open(conn: &Connection, limit: usize) -> Result<Vec<Refused>, StoreError> {
    let mut query = conn.prepare_cached(
        "SELECT id, record, part, entity, code, refused, made_at, refused_at, hash, proposal
         FROM inbox WHERE dismissed_at IS NULL ORDER BY id LIMIT ?1",
    )?;
    let rows = query.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        let refused: String = row.get(5)?;
        Ok(Refused {
            id: row.get(0)?,
            record: RecordId::from_bytes(row.get(1)?),
            part: row.get(2)?,
            entity: row.get(3)?,
            code: row.get(4)?,
            refused: serde_json::from_str(&refused).unwrap_or(Json::String(refused)),
            made_at: row.get(6)?,
            refused_at: row.get(7)?,
            hash: row.get::<_, Option<[u8; 32]>>(8)?.map(ChangeHash),
            proposal: row.get::<_, Option<[u8; 16]>>(9)?.map(RecordId::from_bytes),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Dismisses a refusal; returns whether it was there.
///
/// # Errors
///
/// Fails when the database does.
pub fn dismiss(conn: &Connection, id: i64, now_ms: TimestampMs) -> Result<bool, StoreError> {
    let changed = conn
        .prepare_cached(
            "UPDATE inbox SET dismissed_at = ?2 WHERE id = ?1 AND dismissed_at IS NULL",
        )?
        .execute(params![id, now_ms])?;
    Ok(changed > 0)
}

/// Notes which request for approval asks for a refusal.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_proposal(conn: &Connection, id: i64, proposal: RecordId) -> Result<(), StoreError> {
    conn.prepare_cached("UPDATE inbox SET proposal = ?2 WHERE id = ?1")?
        .execute(params![id, proposal.as_bytes()])?;
    Ok(())
}
