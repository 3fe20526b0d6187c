//! The outbox: changes of this device, waiting until the server has answered for each by its hash.

mod damaged;

use minicbor::{Decode, Encode};
use rusqlite::{Connection, Row, params};

use self::damaged::read_whole;
pub use self::damaged::{
    damaged_acknowledged, damaged_of, damaged_waiting, keep_aside, readable_of, set_aside,
};

use super::{
    StoreError,
    checksum::{is_whole, with_sum},
    document::name_of_parts,
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
    with_sum(minicbor::to_vec(&stored).unwrap_or_default())
}

fn base_from_bytes(bytes: &[u8]) -> Result<Base, StoreError> {
    if bytes.is_empty() {
        return Ok(Base::default());
    }
    let damaged = |error: &dyn std::fmt::Display| StoreError::damaged("a base", error);
    let mut decoder = minicbor::Decoder::new(bytes);
    let stored: StoredBase = decoder.decode().map_err(|error| damaged(&error))?;
    let length = decoder.position();
    // Older apps wrote no sum.
    if length != bytes.len() && is_whole(bytes, length) != Some(true) {
        return Err(damaged(&"its bytes are not those that were stored"));
    }
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

/// Reads a row of [`COLUMNS`]; one that is not as it was stored is [`StoreError::DamagedChange`].
pub(super) fn read(row: &Row<'_>) -> Result<OwnChange, StoreError> {
    let id: i64 = row.get(0)?;
    read_columns(id, row).map_err(|error| StoreError::DamagedChange {
        id,
        document: name_of_parts(row, 2),
        why: error.to_string(),
    })
}

fn read_columns(id: i64, row: &Row<'_>) -> Result<OwnChange, StoreError> {
    let named = || StoreError::damaged("a change", "it has lost the name of its document");
    Ok(OwnChange {
        id,
        group_id: row.get(1)?,
        document: name_of_parts(row, 2).ok_or_else(named)?,
        entity: row.get(4)?,
        generation: row.get(5)?,
        hash: ChangeHash(row.get(6)?),
        bytes: row.get(7)?,
        base: base_from_bytes(row.get_ref(8)?.as_blob().map_err(rusqlite::Error::from)?)?,
        made_at: row.get(9)?,
    })
}

impl OwnChange {
    /// Whether its bytes are those of the change that it is named by.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        crate::crdt::header(&self.bytes).is_ok_and(|header| header.hash == self.hash)
    }
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
        match read(row) {
            // One that is damaged keeps back no other; [`damaged_waiting`] finds it.
            Err(StoreError::DamagedChange { .. }) => {}
            own => found.push(own?),
        }
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

/// Lets a change wait, also if it was acknowledged, with what was confirmed when it was written.
///
/// # Errors
///
/// Fails when the database does.
pub fn wait_again(conn: &Connection, id: i64, base: &Base) -> Result<(), StoreError> {
    conn.prepare_cached(
        "UPDATE own_change SET base = ?2, acknowledged_at = NULL, position = NULL WHERE id = ?1",
    )?
    .execute(params![id, base_to_bytes(base)])?;
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

/// Notes that the server has a change durably. Of its base the counts are kept: the rest stands in
/// the change itself.
///
/// # Errors
///
/// Fails when the database does.
pub fn acknowledge(
    conn: &Connection,
    own: &OwnChange,
    now_ms: TimestampMs,
) -> Result<(), StoreError> {
    let counts = own.base.counts.clone();
    let is_counted = !counts.is_empty();
    let base = is_counted.then(|| base_to_bytes(&Base { counts, ..Base::default() }));
    conn.prepare_cached("UPDATE own_change SET acknowledged_at = ?2, base = ?3 WHERE id = ?1")?
        .execute(params![own.id, now_ms, base.unwrap_or_default()])?;
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
/// Fails when the database does; [`StoreError::DamagedChange`] when one is not as it was stored:
/// whoever goes on without it would lose it.
pub fn waiting_of(conn: &Connection, id: &DocumentId) -> Result<Vec<OwnChange>, StoreError> {
    let sql = ["SELECT ", COLUMNS, " FROM own_change WHERE ", OF_DOCUMENT].concat();
    let mut query = conn.prepare_cached(&sql)?;
    let mut rows = query.query(params![id.record.as_bytes(), id.part.as_str()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read_whole(row)?);
    }
    Ok(found)
}

/// The waiting changes of the document of one that were written before it, the last one first; those that
/// are damaged are left out.
///
/// # Errors
///
/// Fails when the database does.
pub fn waiting_before(conn: &Connection, own: &OwnChange) -> Result<Vec<OwnChange>, StoreError> {
    let sql = [
        "SELECT ",
        COLUMNS,
        " FROM own_change
         WHERE record = ?1 AND part = ?2 AND acknowledged_at IS NULL AND id < ?3 ORDER BY id DESC",
    ]
    .concat();
    let mut query = conn.prepare_cached(&sql)?;
    let DocumentId { record, part } = &own.document;
    let mut rows = query.query(params![record.as_bytes(), part.as_str(), own.id])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        match read_whole(row) {
            Err(StoreError::DamagedChange { .. }) => {}
            own => found.push(own?),
        }
    }
    Ok(found)
}

/// Those that wait of one document.
const OF_DOCUMENT: &str = "record = ?1 AND part = ?2 AND acknowledged_at IS NULL ORDER BY id";

/// The numbers of the waiting changes of a document, readable or not.
///
/// # Errors
///
/// Fails when the database does.
pub fn waiting_rows(conn: &Connection, id: &DocumentId) -> Result<Vec<i64>, StoreError> {
    let sql = ["SELECT id FROM own_change WHERE ", OF_DOCUMENT].concat();
    let mut query = conn.prepare_cached(&sql)?;
    let rows =
        query.query_map(params![id.record.as_bytes(), id.part.as_str()], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// When the oldest change was written that waits since before a moment, and how many wait so long.
///
/// # Errors
///
/// Fails when the database does.
pub fn waiting_since(
    conn: &Connection,
    before: TimestampMs,
) -> Result<Option<(TimestampMs, u64)>, StoreError> {
    let (oldest, count): (Option<TimestampMs>, i64) = conn
        .prepare_cached(
            "SELECT min(made_at), count(*) FROM own_change
             WHERE acknowledged_at IS NULL AND made_at < ?1",
        )?
        .query_row([before], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(oldest.map(|oldest| (oldest, count.unsigned_abs())))
}

/// The name of a change, if it can be read.
///
/// # Errors
///
/// Fails when the database does.
pub fn hash_of(conn: &Connection, id: i64) -> Result<Option<ChangeHash>, StoreError> {
    let mut query = conn.prepare_cached("SELECT hash FROM own_change WHERE id = ?1")?;
    let mut rows = query.query([id])?;
    Ok(rows.next()?.and_then(|row| row.get(0).ok()).map(ChangeHash))
}

/// Forgets what stood before a change: it was written anew, with other operations.
///
/// # Errors
///
/// Fails when the database does.
pub fn forget_undo(conn: &Connection, id: i64) -> Result<(), StoreError> {
    conn.prepare_cached("UPDATE own_change SET undo = x'' WHERE id = ?1")?.execute([id])?;
    Ok(())
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

/// Notes at which position of the server's feed an acknowledged change is.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_position(conn: &Connection, hash: ChangeHash, position: u64) -> Result<(), StoreError> {
    conn.prepare_cached(
        "UPDATE own_change SET position = ?2 WHERE hash = ?1 AND acknowledged_at IS NOT NULL",
    )?
    .execute(params![hash.0, i64::try_from(position).unwrap_or(i64::MAX)])?;
    Ok(())
}

/// Forgets at which positions acknowledged changes are: the server's feed is another one now.
///
/// # Errors
///
/// Fails when the database does.
pub fn forget_positions(conn: &Connection) -> Result<(), StoreError> {
    conn.execute("UPDATE own_change SET position = NULL WHERE position IS NOT NULL", [])?;
    Ok(())
}

/// Lets go of acknowledged changes that the server's backups cover, at most `limit`; how many. Those
/// that can be undone stay, and the last one, after which the next is numbered.
///
/// # Errors
///
/// Fails when the database does.
pub fn forget_covered(
    conn: &Connection,
    backed_up: u64,
    limit: usize,
) -> Result<usize, StoreError> {
    let forgotten = conn
        .prepare_cached(
            "DELETE FROM own_change WHERE id IN (
                 SELECT id FROM own_change
                 WHERE position <= ?1 AND acknowledged_at IS NOT NULL AND undo = x''
                   AND id < (SELECT max(id) FROM own_change)
                 ORDER BY position, id LIMIT ?2)",
        )?
        .execute(params![
            i64::try_from(backed_up).unwrap_or(i64::MAX),
            i64::try_from(limit).unwrap_or(i64::MAX)
        ])?;
    Ok(forgotten)
}

/// How many acknowledged changes are kept.
///
/// # Errors
///
/// Fails when the database does.
pub fn count_acknowledged(conn: &Connection) -> Result<u64, StoreError> {
    let count: i64 = conn
        .prepare_cached("SELECT count(*) FROM own_change WHERE acknowledged_at IS NOT NULL")?
        .query_row([], |row| row.get(0))?;
    Ok(count.unsigned_abs())
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
