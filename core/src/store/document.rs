//! Documents: the truth of a device.

use rusqlite::{Connection, Row, params};

use super::{StoreError, checksum::sum_of};
use crate::{
    crdt::{Own, State, TextDocument},
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
/// Returns [`StoreError::DamagedDocument`] for anything else.
pub fn decode_state(id: &DocumentId, bytes: &[u8]) -> Result<State, StoreError> {
    State::from_bytes(bytes).map_err(|error| StoreError::damaged_document(id, error))
}

/// Loads a document.
///
/// # Errors
///
/// Fails when the database does; [`StoreError::DamagedDocument`] when it is not as it was stored.
pub fn load(conn: &Connection, id: &DocumentId) -> Result<Option<StoredDocument>, StoreError> {
    let mut query = conn.prepare_cached(
        "SELECT entity, state, confirmed, own_actor, own_seq, own_hash, digest, sum, confirmed_sum
         FROM document WHERE record = ?1 AND part = ?2",
    )?;
    let mut rows = query.query(params![id.record.as_bytes(), id.part.as_str()])?;
    rows.next()?.map(|row| read(id, row)).transpose()
}

/// Reads a row of entity, state, confirmed, the three columns of the own change, digest, and both
/// sums.
fn read(id: &DocumentId, row: &Row<'_>) -> Result<StoredDocument, StoreError> {
    let damaged = |error| StoreError::damaged_document(id, error);
    let (stored, sums) = read_columns(row).map_err(damaged)?;
    check(id, &stored.entity, &stored.state, sums.0)?;
    match (&stored.confirmed, sums.1) {
        (Some(confirmed), sum) => check(id, &stored.entity, confirmed, sum)?,
        (None, None) => {}
        (None, Some(_)) => {
            return Err(StoreError::damaged_document(id, "what was confirmed is not there"));
        }
    }
    Ok(stored)
}

/// The sums of both states.
type Sums = (Option<i64>, Option<i64>);

fn read_columns(row: &Row<'_>) -> rusqlite::Result<(StoredDocument, Sums)> {
    let own: (Option<[u8; 16]>, Option<i64>, Option<[u8; 32]>) =
        (row.get(3)?, row.get(4)?, row.get(5)?);
    let own = match own {
        (Some(actor), Some(seq), Some(hash)) => {
            Some(Own { actor: ActorId(actor), seq: seq.unsigned_abs(), hash: ChangeHash(hash) })
        }
        _ => None,
    };
    let stored = StoredDocument {
        entity: row.get(0)?,
        state: row.get(1)?,
        confirmed: row.get(2)?,
        own,
        digest: row.get(6)?,
    };
    Ok((stored, (row.get(7)?, row.get(8)?)))
}

/// Whether bytes are those that were stored: by their sum, or, of an older app, by reading them.
pub(super) fn check(
    id: &DocumentId,
    entity: &str,
    bytes: &[u8],
    sum: Option<i64>,
) -> Result<(), StoreError> {
    match sum {
        Some(sum) if sum == i64::from(sum_of(id, entity, &[bytes])) => Ok(()),
        Some(_) => {
            Err(StoreError::damaged_document(id, "its bytes are not those that were stored"))
        }
        None if id.part.is_flat() => decode_state(id, bytes).map(drop),
        None => TextDocument::load(bytes)
            .map(drop)
            .map_err(|error| StoreError::damaged_document(id, error)),
    }
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
             (record, part, entity, state, confirmed, own_actor, own_seq, own_hash, digest,
              sum, confirmed_sum)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (record, part) DO UPDATE SET
             state = excluded.state, confirmed = excluded.confirmed,
             own_actor = excluded.own_actor, own_seq = excluded.own_seq,
             own_hash = excluded.own_hash, digest = excluded.digest,
             sum = excluded.sum, confirmed_sum = excluded.confirmed_sum",
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
        sum_of(id, &document.entity, &[&document.state]),
        document.confirmed.as_ref().map(|bytes| sum_of(id, &document.entity, &[bytes])),
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
    (id, entity): (&DocumentId, &str),
    state: &[u8],
    confirmed: &[u8],
    own: Option<&Own>,
) -> Result<(), StoreError> {
    conn.prepare_cached(
        "UPDATE document
         SET state = ?3, confirmed = ?4, own_actor = ?5, own_seq = ?6, own_hash = ?7,
             sum = ?8, confirmed_sum = ?9
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
        sum_of(id, entity, &[state]),
        sum_of(id, entity, &[confirmed]),
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

/// The pieces of a stored document, each for itself.
#[derive(Debug, Clone)]
pub struct Pieces {
    /// Name of its entity: the one with which a sum fits, if there is one.
    pub entity: String,
    /// The state as it lies there.
    pub state: Vec<u8>,
    /// Whether that is what was stored.
    pub is_state_whole: bool,
    /// The confirmed one as it lies there, with whether that is what was stored.
    pub confirmed: Option<(Vec<u8>, bool)>,
    /// Whether a confirmed one was stored.
    pub had_confirmed: bool,
    /// The digest, if it has the form of one.
    pub digest: Option<Digest>,
}

/// Takes a damaged document apart; `None` if there is none of this name.
///
/// `names` are those of all entities: a flipped bit in the name of one is found so.
///
/// # Errors
///
/// Fails when the database does.
pub fn take_apart<'a>(
    conn: &Connection,
    id: &DocumentId,
    mut names: impl Iterator<Item = &'a str>,
) -> Result<Option<Pieces>, StoreError> {
    let mut query = conn.prepare_cached(
        "SELECT entity, state, confirmed, digest, sum, confirmed_sum FROM document
         WHERE record = ?1 AND part = ?2",
    )?;
    let mut rows = query.query(params![id.record.as_bytes(), id.part.as_str()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let blob = |column: usize| {
        let bytes = row.get_ref(column).ok().and_then(|bytes| bytes.as_bytes().ok());
        bytes.map(<[u8]>::to_vec)
    };
    let stored = blob(0).unwrap_or_default();
    let stored = String::from_utf8_lossy(&stored).into_owned();
    let (state, confirmed) = (blob(1).unwrap_or_default(), blob(2));
    let sums: [Option<i64>; 2] = [row.get(4).ok().flatten(), row.get(5).ok().flatten()];
    let fits = |entity: &str, bytes: &[u8], sum| check(id, entity, bytes, sum).is_ok();
    let is_named = |entity: &str| {
        fits(entity, &state, sums[0])
            || confirmed.as_deref().is_some_and(|bytes| fits(entity, bytes, sums[1]))
    };
    let has_sums = sums.iter().any(Option::is_some);
    let found =
        if is_named(&stored) || !has_sums { None } else { names.find(|name| is_named(name)) };
    let entity = found.map_or_else(|| stored.clone(), str::to_owned);
    let is_state_whole = fits(&entity, &state, sums[0]);
    let had_confirmed = confirmed.is_some() || sums[1].is_some();
    let confirmed = confirmed.map(|bytes| {
        let is_whole = fits(&entity, &bytes, sums[1]);
        (bytes, is_whole)
    });
    let digest = blob(3).and_then(|bytes| bytes.try_into().ok());
    Ok(Some(Pieces { entity, state, is_state_whole, confirmed, had_confirmed, digest }))
}

/// Adds the sums that an older app did not keep. What cannot be read has none.
///
/// # Errors
///
/// Fails when the database does.
pub(super) fn add_sums(conn: &Connection) -> Result<(), StoreError> {
    let mut after = i64::MIN;
    loop {
        let page = sums_after(conn, after)?;
        let Some((last, ..)) = page.last() else { return Ok(()) };
        after = *last;
        let mut update = conn
            .prepare_cached("UPDATE document SET sum = ?2, confirmed_sum = ?3 WHERE rowid = ?1")?;
        for (rowid, sum, confirmed) in page {
            update.execute(params![rowid, sum, confirmed])?;
        }
    }
}

/// Rows of documents whose sums are added at once.
const SUMS_PAGE: i64 = 500;

type RowSums = (i64, Option<u32>, Option<u32>);

fn sums_after(conn: &Connection, after: i64) -> Result<Vec<RowSums>, StoreError> {
    let mut query = conn.prepare_cached(
        "SELECT record, part, rowid, entity, state, confirmed FROM document
         WHERE rowid > ?1 ORDER BY rowid LIMIT ?2",
    )?;
    let mut rows = query.query([after, SUMS_PAGE])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let entity: rusqlite::Result<String> = row.get(3);
        let sum = |column: usize| {
            let (id, entity) = (name_of(row)?, entity.as_ref().ok()?);
            let bytes = row.get_ref(column).ok()?.as_blob().ok()?;
            let is_read = if id.part.is_flat() {
                State::from_bytes(bytes).is_ok()
            } else {
                // Reading every text takes long; it is read before it is used.
                return None;
            };
            is_read.then(|| sum_of(&id, entity, &[bytes]))
        };
        found.push((row.get(2)?, sum(4), sum(5)));
    }
    Ok(found)
}

/// Calls `visit` for every document, in order of (record, part); returns those that are damaged, with
/// why. One that is damaged keeps nobody from the others.
///
/// # Errors
///
/// Fails when the database or `visit` does; what `visit` finds damaged is no failure.
pub fn for_each(
    conn: &Connection,
    mut visit: impl FnMut(&DocumentId, &str, &[u8]) -> Result<(), StoreError>,
) -> Result<Vec<(DocumentId, String)>, StoreError> {
    let mut query = conn
        .prepare("SELECT record, part, entity, state, sum FROM document ORDER BY record, part")?;
    let mut rows = query.query([])?;
    let mut damaged = Vec::new();
    while let Some(row) = rows.next()? {
        // What has lost its name is nobody's: the server has it under its name.
        let Some(id) = name_of(row) else { continue };
        let mut look = || {
            let broken = |error| StoreError::damaged_document(&id, error);
            let entity: String = row.get(2).map_err(broken)?;
            let state = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from).map_err(broken)?;
            check(&id, &entity, state, row.get(4).map_err(broken)?)?;
            visit(&id, &entity, state)
        };
        match look() {
            Err(StoreError::DamagedDocument { id, why }) => damaged.push((id, why)),
            done => done?,
        }
    }
    Ok(damaged)
}

/// The names of all documents, in order; what has lost its name is not among them.
///
/// # Errors
///
/// Fails when the database does.
pub fn ids(conn: &Connection) -> Result<Vec<DocumentId>, StoreError> {
    let mut query = conn.prepare("SELECT record, part FROM document ORDER BY record, part")?;
    let mut rows = query.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.extend(name_of(row));
    }
    Ok(found)
}

/// The record and the part that a row begins with, if that is what they are.
pub(super) fn name_of(row: &Row<'_>) -> Option<DocumentId> {
    name_of_parts(row, 0)
}

/// As [`name_of`], from the columns that begin with number `first`.
pub(super) fn name_of_parts(row: &Row<'_>, first: usize) -> Option<DocumentId> {
    let record = RecordId::from_bytes(row.get(first).ok()?);
    let part: String = row.get(first + 1).ok()?;
    Some(DocumentId { record, part: part.parse().ok()? })
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
/// Fails when the database does; [`StoreError::DamagedDocument`] when one is not as it was stored.
pub fn load_all(
    conn: &Connection,
    record: RecordId,
) -> Result<Vec<(Part, StoredDocument)>, StoreError> {
    let mut query = conn.prepare_cached(
        "SELECT entity, state, confirmed, own_actor, own_seq, own_hash, digest, sum, confirmed_sum,
                part
         FROM document WHERE record = ?1 ORDER BY part",
    )?;
    let mut rows = query.query([record.as_bytes()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        // A part that has lost its name is not found by anybody.
        let part = row.get_ref(9)?.as_str().ok().and_then(|part| part.parse().ok());
        let Some(part) = part else { continue };
        let id = DocumentId { record, part };
        let stored = read(&id, row)?;
        found.push((id.part, stored));
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
