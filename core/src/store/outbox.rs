//! The outbox: changes of this device, waiting until the server has answered for each by its hash.

use minicbor::{Decode, Encode};
use rusqlite::{Connection, Row, params};

use super::{
    StoreError,
    undo::{self, Before},
};
use crate::{
    crdt::{OpId, base::Base},
    ids::{ActorId, ChangeHash, DocumentId, RecordId},
    time::TimestampMs,
};

/// A change of this device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnChange {
    /// Its place in the order of writing.
    pub id: i64,
    /// Changes of one tap have the same.
    pub group_id: i64,
    /// The document.
    pub document: DocumentId,
    /// Name of its entity.
    pub entity: String,
    /// The document's generation when it was written.
    pub generation: u32,
    /// Names it.
    pub hash: ChangeHash,
    /// The uncompressed chunk.
    pub bytes: Vec<u8>,
    /// What was confirmed when it was written.
    pub base: Base,
    /// When it was written, by this device's clock.
    pub made_at: TimestampMs,
}

/// What is new about a change when it is put into the outbox.
#[derive(Debug)]
pub struct NewOwnChange<'a> {
    /// Changes of one tap have the same.
    pub group_id: i64,
    /// The document.
    pub document: &'a DocumentId,
    /// Name of its entity.
    pub entity: &'a str,
    /// The document's generation.
    pub generation: u32,
    /// Names it.
    pub hash: ChangeHash,
    /// The uncompressed chunk.
    pub bytes: &'a [u8],
    /// What was confirmed when it was written.
    pub base: &'a Base,
    /// When it was written, by this device's clock.
    pub made_at: TimestampMs,
    /// What stood before, if a person may take the change back.
    pub before: Option<&'a Before>,
}

/// A base as it is stored.
#[derive(Encode, Decode)]
struct StoredBase {
    #[n(0)]
    heads: Vec<ChangeHash>,
    #[n(1)]
    max_op: u64,
    #[n(2)]
    replaced: Vec<(String, Vec<(u64, ActorId)>)>,
    #[n(3)]
    counts: Vec<(String, i64)>,
}

fn base_to_bytes(base: &Base) -> Vec<u8> {
    let stored = StoredBase {
        heads: base.heads.iter().copied().collect(),
        max_op: base.max_op,
        replaced: base
            .replaced
            .iter()
            .filter(|(_, ids)| !ids.is_empty())
            .map(|(key, ids)| (key.clone(), ids.iter().map(|id| (id.counter, id.actor)).collect()))
            .collect(),
        counts: base.counts.iter().map(|(key, count)| (key.clone(), *count)).collect(),
    };
    minicbor::to_vec(&stored).unwrap_or_default()
}

fn base_from_bytes(bytes: &[u8]) -> Result<Base, StoreError> {
    if bytes.is_empty() {
        return Ok(Base::default());
    }
    let stored: StoredBase =
        minicbor::decode(bytes).map_err(|error| StoreError::damaged("a base", error))?;
    let ids = |ids: Vec<(u64, ActorId)>| {
        ids.into_iter().map(|(counter, actor)| OpId { counter, actor }).collect()
    };
    Ok(Base {
        heads: stored.heads.into_iter().collect(),
        max_op: stored.max_op,
        replaced: stored.replaced.into_iter().map(|(key, found)| (key, ids(found))).collect(),
        counts: stored.counts.into_iter().collect(),
    })
}

pub(super) const COLUMNS: &str =
    "id, group_id, record, part, entity, generation, hash, bytes, base, made_at";

pub(super) fn read(row: &Row<'_>) -> Result<OwnChange, StoreError> {
    let part: String = row.get(3)?;
    Ok(OwnChange {
        id: row.get(0)?,
        group_id: row.get(1)?,
        document: DocumentId {
            record: RecordId::from_bytes(row.get(2)?),
            part: part.parse().map_err(|error| StoreError::damaged("a part's name", error))?,
        },
        entity: row.get(4)?,
        generation: row.get(5)?,
        hash: ChangeHash(row.get(6)?),
        bytes: row.get(7)?,
        base: base_from_bytes(row.get_ref(8)?.as_blob().map_err(rusqlite::Error::from)?)?,
        made_at: row.get(9)?,
    })
}

fn select(
    conn: &Connection,
    condition: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<OwnChange>, StoreError> {
    // The condition is one of the constants of this file.
    let sql = ["SELECT ", COLUMNS, " FROM own_change WHERE ", condition].concat();
    let mut query = conn.prepare_cached(&sql)?;
    let mut rows = query.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// The number of the next group.
///
/// # Errors
///
/// Fails when the database does.
pub fn next_group(conn: &Connection) -> Result<i64, StoreError> {
    Ok(conn
        .prepare_cached("SELECT coalesce(max(id), 0) + 1 FROM own_change")?
        .query_row([], |row| row.get(0))?)
}

/// Puts a change into the outbox.
///
/// # Errors
///
/// Fails when the database does.
pub fn add(conn: &Connection, change: &NewOwnChange<'_>) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT INTO own_change
             (group_id, record, part, entity, generation, hash, bytes, base, made_at, undo)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        change.group_id,
        change.document.record.as_bytes(),
        change.document.part.as_str(),
        change.entity,
        change.generation,
        change.hash.0,
        change.bytes,
        base_to_bytes(change.base),
        change.made_at,
        change.before.map(Before::to_bytes).unwrap_or_default(),
    ])?;
    undo::clear_old(conn, conn.last_insert_rowid())
}

/// Puts what was written anew in the place of a waiting change; `None` takes it out.
///
/// # Errors
///
/// Fails when the database does.
pub fn replace(
    conn: &Connection,
    id: i64,
    successor: Option<(ChangeHash, &[u8])>,
) -> Result<(), StoreError> {
    match successor {
        Some((hash, bytes)) => conn
            .prepare_cached("UPDATE own_change SET hash = ?2, bytes = ?3 WHERE id = ?1")?
            .execute(params![id, hash.0, bytes])?,
        None => conn.prepare_cached("DELETE FROM own_change WHERE id = ?1")?.execute([id])?,
    };
    Ok(())
}

/// Stores the advanced base of a waiting change.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_base(conn: &Connection, id: i64, base: &Base) -> Result<(), StoreError> {
    conn.prepare_cached("UPDATE own_change SET base = ?2 WHERE id = ?1")?
        .execute(params![id, base_to_bytes(base)])?;
    Ok(())
}

/// Notes that the server has a change durably.
///
/// # Errors
///
/// Fails when the database does.
pub fn acknowledge(conn: &Connection, id: i64, now_ms: TimestampMs) -> Result<(), StoreError> {
    conn.prepare_cached("UPDATE own_change SET acknowledged_at = ?2, base = x'' WHERE id = ?1")?
        .execute(params![id, now_ms])?;
    Ok(())
}

/// Waiting changes after a place in the order of writing, at most `limit`.
///
/// # Errors
///
/// Fails when the database does.
pub fn waiting(conn: &Connection, after: i64, limit: usize) -> Result<Vec<OwnChange>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    select(conn, "acknowledged_at IS NULL AND id > ?1 ORDER BY id LIMIT ?2", params![after, limit])
}

/// All waiting changes of a document, in the order of writing.
///
/// # Errors
///
/// Fails when the database does.
pub fn waiting_of(conn: &Connection, id: &DocumentId) -> Result<Vec<OwnChange>, StoreError> {
    select(
        conn,
        "record = ?1 AND part = ?2 AND acknowledged_at IS NULL ORDER BY id",
        params![id.record.as_bytes(), id.part.as_str()],
    )
}

/// The waiting change of this name.
///
/// # Errors
///
/// Fails when the database does.
pub fn by_hash(conn: &Connection, hash: ChangeHash) -> Result<Option<OwnChange>, StoreError> {
    Ok(select(conn, "hash = ?1 AND acknowledged_at IS NULL", params![hash.0])?.pop())
}

/// Acknowledged changes of these names: what a server that lost them asks for.
///
/// # Errors
///
/// Fails when the database does.
pub fn acknowledged(conn: &Connection, hash: ChangeHash) -> Result<Option<OwnChange>, StoreError> {
    Ok(select(conn, "hash = ?1 AND acknowledged_at IS NOT NULL", params![hash.0])?.pop())
}

/// Acknowledged changes after a place in the order of writing, at most `limit`.
///
/// # Errors
///
/// Fails when the database does.
pub fn acknowledged_after(
    conn: &Connection,
    after: i64,
    limit: usize,
) -> Result<Vec<OwnChange>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    select(
        conn,
        "acknowledged_at IS NOT NULL AND id > ?1 ORDER BY id LIMIT ?2",
        params![after, limit],
    )
}

/// The documents that have waiting changes.
///
/// # Errors
///
/// Fails when the database does.
pub fn waiting_documents(conn: &Connection) -> Result<Vec<DocumentId>, StoreError> {
    let mut query = conn.prepare_cached(
        "SELECT DISTINCT record, part FROM own_change WHERE acknowledged_at IS NULL
         ORDER BY record, part",
    )?;
    let rows = query
        .query_map([], |row| Ok((RecordId::from_bytes(row.get(0)?), row.get::<_, String>(1)?)))?;
    rows.map(|row| {
        let (record, part) = row?;
        let part = part.parse().map_err(|error| StoreError::damaged("a part's name", error))?;
        Ok(DocumentId { record, part })
    })
    .collect()
}

/// How many changes wait.
///
/// # Errors
///
/// Fails when the database does.
pub fn count_waiting(conn: &Connection) -> Result<u64, StoreError> {
    let count: i64 = conn
        .prepare_cached("SELECT count(*) FROM own_change WHERE acknowledged_at IS NULL")?
        .query_row([], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// The names of the acknowledged changes of a document, in the order of writing.
///
/// # Errors
///
/// Fails when the database does.
pub fn acknowledged_of(conn: &Connection, id: &DocumentId) -> Result<Vec<ChangeHash>, StoreError> {
    let mut query = conn.prepare_cached(
        "SELECT hash FROM own_change
         WHERE record = ?1 AND part = ?2 AND acknowledged_at IS NOT NULL ORDER BY id",
    )?;
    let rows = query.query_map(params![id.record.as_bytes(), id.part.as_str()], |row| {
        Ok(ChangeHash(row.get(0)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Forgets every change that the server has.
///
/// # Errors
///
/// Fails when the database does.
pub fn forget_acknowledged(conn: &Connection) -> Result<(), StoreError> {
    conn.execute("DELETE FROM own_change WHERE acknowledged_at IS NOT NULL", [])?;
    Ok(())
}
