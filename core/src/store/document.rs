//! Documents: the truth of a device.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::StoreError;
use crate::{
    crdt::{Own, State},
    ids::{ACTOR_PREFIX_BYTES, ActorId, ActorPrefix, ChangeHash, DocumentId, Part, RecordId},
    sync::frame::{Digest, DocumentDigest, SCOPE_MINE, Stream},
};

/// A document as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDocument {
    /// Name of its entity.
    pub entity: String,
    /// The state, or the saved Automerge document of a long text.
    pub state: Vec<u8>,
    /// The last confirmed one, while edits wait.
    pub confirmed: Option<Vec<u8>>,
    /// The last change that this device wrote here.
    pub own: Option<Own>,
    /// Digest of the confirmed content; `None` while the server has nothing of it.
    pub digest: Option<Digest>,
}

/// Reads a state that this store wrote.
///
/// # Errors
///
/// Returns [`StoreError::Damaged`] for anything else.
pub fn decode_state(id: &DocumentId, bytes: &[u8]) -> Result<State, StoreError> {
    State::from_bytes(bytes).map_err(|error| StoreError::damaged(&id.to_string(), error))
}

/// Loads a document.
///
/// # Errors
///
/// Fails when the database does, or what is stored is damaged.
pub fn load(conn: &Connection, id: &DocumentId) -> Result<Option<StoredDocument>, StoreError> {
    let mut query = conn.prepare_cached(
        "SELECT entity, state, confirmed, own_actor, own_seq, own_hash, digest
         FROM document WHERE record = ?1 AND part = ?2",
    )?;
    Ok(query.query_row(params![id.record.as_bytes(), id.part.as_str()], read).optional()?)
}

/// Reads a row of entity, state, confirmed, the three columns of the own change, and digest.
fn read(row: &Row<'_>) -> rusqlite::Result<StoredDocument> {
    let own: (Option<[u8; 16]>, Option<i64>, Option<[u8; 32]>) =
        (row.get(3)?, row.get(4)?, row.get(5)?);
    let own = match own {
        (Some(actor), Some(seq), Some(hash)) => {
            Some(Own { actor: ActorId(actor), seq: seq.unsigned_abs(), hash: ChangeHash(hash) })
        }
        _ => None,
    };
    Ok(StoredDocument {
        entity: row.get(0)?,
        state: row.get(1)?,
        confirmed: row.get(2)?,
        own,
        digest: row.get(6)?,
    })
}

/// Stores a document.
///
/// # Errors
///
/// Fails when the database does.
pub fn save(
    conn: &Connection,
    id: &DocumentId,
    document: &StoredDocument,
) -> Result<(), StoreError> {
    let own = document.own.as_ref();
    conn.prepare_cached(
        "INSERT INTO document
             (record, part, entity, state, confirmed, own_actor, own_seq, own_hash, digest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (record, part) DO UPDATE SET
             state = excluded.state, confirmed = excluded.confirmed,
             own_actor = excluded.own_actor, own_seq = excluded.own_seq,
             own_hash = excluded.own_hash, digest = excluded.digest",
    )?
    .execute(params![
        id.record.as_bytes(),
        id.part.as_str(),
        document.entity,
        document.state,
        document.confirmed,
        own.map(|own| own.actor.0),
        own.map(|own| i64::try_from(own.seq).unwrap_or(i64::MAX)),
        own.map(|own| own.hash.0),
        document.digest,
    ])?;
    Ok(())
}

/// Stores a document that was edited: its entity and digest stay, and with them its index.
///
/// # Errors
///
/// Fails when the database does.
pub fn save_edited(
    conn: &Connection,
    id: &DocumentId,
    state: &[u8],
    confirmed: &[u8],
    own: Option<&Own>,
) -> Result<(), StoreError> {
    conn.prepare_cached(
        "UPDATE document
         SET state = ?3, confirmed = ?4, own_actor = ?5, own_seq = ?6, own_hash = ?7
         WHERE record = ?1 AND part = ?2",
    )?
    .execute(params![
        id.record.as_bytes(),
        id.part.as_str(),
        state,
        confirmed,
        own.map(|own| own.actor.0),
        own.map(|own| i64::try_from(own.seq).unwrap_or(i64::MAX)),
        own.map(|own| own.hash.0),
    ])?;
    Ok(())
}

/// Removes a document.
///
/// # Errors
///
/// Fails when the database does.
pub fn remove(conn: &Connection, id: &DocumentId) -> Result<(), StoreError> {
    conn.prepare_cached("DELETE FROM document WHERE record = ?1 AND part = ?2")?
        .execute(params![id.record.as_bytes(), id.part.as_str()])?;
    Ok(())
}

/// The parts of a record that are here, with the name of its entity.
///
/// # Errors
///
/// Fails when the database does.
pub fn parts(conn: &Connection, record: RecordId) -> Result<Vec<(Part, String)>, StoreError> {
    let mut query =
        conn.prepare_cached("SELECT part, entity FROM document WHERE record = ?1 ORDER BY part")?;
    let rows = query.query_map([record.as_bytes()], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    })?;
    rows.map(|row| {
        let (part, entity) = row?;
        let part = part.parse().map_err(|error| StoreError::damaged("a part's name", error))?;
        Ok((part, entity))
    })
    .collect()
}

/// Calls `visit` for every document, in order of (record, part).
///
/// # Errors
///
/// Fails when the database or `visit` does.
pub fn for_each(
    conn: &Connection,
    mut visit: impl FnMut(&DocumentId, &str, &[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut query =
        conn.prepare("SELECT record, part, entity, state FROM document ORDER BY record, part")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let part: String = row.get(1)?;
        let id = DocumentId {
            record: RecordId::from_bytes(row.get(0)?),
            part: part.parse().map_err(|error| StoreError::damaged("a part's name", error))?,
        };
        let entity: String = row.get(2)?;
        visit(&id, &entity, row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?)?;
    }
    Ok(())
}

/// Digests of the confirmed documents of one part of one entity, ascending by record.
///
/// # Errors
///
/// Fails when the database does.
pub fn digests(
    conn: &Connection,
    entity: &str,
    part: &Part,
    after: Option<RecordId>,
    limit: usize,
) -> Result<Vec<DocumentDigest>, StoreError> {
    let mut query = conn.prepare_cached(
        "SELECT record, digest FROM document
         WHERE entity = ?1 AND part = ?2 AND digest IS NOT NULL AND record > ?3
         ORDER BY record LIMIT ?4",
    )?;
    let after = after.map_or_else(Vec::new, |record| record.as_bytes().to_vec());
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = query.query_map(params![entity, part.as_str(), after, limit], |row| {
        Ok(DocumentDigest { record: RecordId::from_bytes(row.get(0)?), digest: row.get(1)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Forgets which changes this device wrote last, so that every document goes on under an actor
/// that never wrote in it.
///
/// # Errors
///
/// Fails when the database does.
pub fn forget_own(conn: &Connection) -> Result<(), StoreError> {
    conn.execute("UPDATE document SET own_actor = NULL, own_seq = NULL, own_hash = NULL", [])?;
    Ok(())
}

/// Forgets the last changes that were written under another prefix than `prefix`.
///
/// # Errors
///
/// Fails when the database does.
pub fn forget_own_except(conn: &Connection, prefix: ActorPrefix) -> Result<(), StoreError> {
    conn.execute(
        "UPDATE document SET own_actor = NULL, own_seq = NULL, own_hash = NULL
         WHERE own_actor IS NOT NULL AND substr(own_actor, 1, ?2) <> ?1",
        params![prefix.0, ACTOR_PREFIX_BYTES as i64],
    )?;
    Ok(())
}

/// All documents of a record.
///
/// # Errors
///
/// Fails when the database does, or what is stored is damaged.
pub fn load_all(
    conn: &Connection,
    record: RecordId,
) -> Result<Vec<(Part, StoredDocument)>, StoreError> {
    let mut query = conn.prepare_cached(
        "SELECT entity, state, confirmed, own_actor, own_seq, own_hash, digest, part
         FROM document WHERE record = ?1 ORDER BY part",
    )?;
    let mut rows = query.query([record.as_bytes()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let part = row.get_ref(7)?.as_str().map_err(rusqlite::Error::from)?;
        let part = part.parse().map_err(|error| StoreError::damaged("a part's name", error))?;
        found.push((part, read(row)?));
    }
    Ok(found)
}

/// How many records of each entity are here, by entity.
///
/// # Errors
///
/// Fails when the database does.
pub fn counts(conn: &Connection) -> Result<Vec<(String, u64)>, StoreError> {
    let mut query = conn.prepare_cached(
        "SELECT entity, count(*) FROM document WHERE part = 'main' GROUP BY entity ORDER BY entity",
    )?;
    let rows =
        query.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Says that the server no longer counts a document among what is held here.
///
/// # Errors
///
/// Fails when the database does.
pub fn forget_digest(conn: &Connection, id: &DocumentId) -> Result<(), StoreError> {
    conn.prepare_cached("UPDATE document SET digest = NULL WHERE record = ?1 AND part = ?2")?
        .execute(params![id.record.as_bytes(), id.part.as_str()])?;
    Ok(())
}

/// The streams of which documents are held that the server knows.
///
/// # Errors
///
/// Fails when the database does, or what is stored is damaged.
pub fn streams(conn: &Connection) -> Result<Vec<Stream>, StoreError> {
    let mut query = conn.prepare_cached(
        "SELECT DISTINCT entity, part FROM document WHERE digest IS NOT NULL ORDER BY entity, part",
    )?;
    let rows =
        query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    rows.map(|row| {
        let (entity, part) = row?;
        let part = part.parse().map_err(|error| StoreError::damaged("a part's name", error))?;
        Ok(Stream { scope: SCOPE_MINE.to_owned(), entity, part })
    })
    .collect()
}
