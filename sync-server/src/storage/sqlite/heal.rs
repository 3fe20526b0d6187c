//! Documents that are found damaged, made anew from their history.
//!
//! Disks flip bits. The history has every change under its hash, so what a document must say is known:
//! whoever reads a damaged one gets it as its history makes it, at once. Who writes next puts what was
//! found aside whole (table `quarantine`), stores the document anew at its old position, and leaves a
//! line in the audit. Only where a change is damaged too nothing can be made of it here; then this
//! one document is not served, and everything else is.

use std::collections::BTreeMap;

use outrider_core::{
    crdt::{
        self, Clock, State, TextDocument,
        history::clock_with,
        state::merge_clock,
        wire::{clock_from_bytes, clock_to_bytes},
    },
    ids::{ChangeHash, DocumentId, RecordId},
    schema::Schema,
    store::index::Changed,
    sync::{digest, frame::Digest},
    time::TimestampMs,
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Doing, document, rows, stream::StreamChanges, to_sql};
use crate::storage::{Content, StorageError, StoredDocument, TextContent, access::alone};

const DOING: &str = "making a document anew from its history";

/// What the row of a damaged document still says.
#[derive(Debug, Default)]
struct Remains {
    entity: Option<String>,
    family: Option<RecordId>,
    alone: Option<RecordId>,
    generation: Option<u32>,
    position: Option<i64>,
    digest: Option<Digest>,
    content: Vec<u8>,
    text: Vec<u8>,
}

/// A document as it is stored, or, if that is damaged, as its history makes it.
pub(super) fn find(
    conn: &Connection,
    id: &DocumentId,
) -> Result<Option<StoredDocument>, StorageError> {
    match document::find(conn, id) {
        Err(StorageError::DamagedDocument { why, .. }) => rebuilt(conn, id, &why).map(Some),
        // A torn page: perhaps the history lies on others.
        Err(torn @ StorageError::Torn { .. }) => rebuilt(conn, id, "").map(Some).map_err(|_| torn),
        found => found,
    }
}

/// A damaged document as its history makes it.
fn rebuilt(conn: &Connection, id: &DocumentId, why: &str) -> Result<StoredDocument, StorageError> {
    let remains = remains_of(conn, id)?;
    let lost = |what: &str| StorageError::DamagedDocument {
        id: id.clone(),
        why: format!("{why}; {what}"),
    };
    let changes = history(conn, id)?.ok_or_else(|| lost("its history is damaged too"))?;
    let content = content_of(id, &changes.bytes, &remains)
        .ok_or_else(|| lost("its history does not make it anew"))?;
    let place = place_of(conn, id)?;
    let entity = remains.entity.or_else(|| place.as_ref().map(|(entity, _)| entity.clone()));
    let family = remains.family.or_else(|| place.as_ref().map(|(_, family)| *family));
    let (Some(entity), Some(family)) = (entity, family) else {
        return Err(lost("nothing says whose it is"));
    };
    let last = u64::try_from(changes.position).unwrap_or(0);
    let position = remains.position.and_then(|position| u64::try_from(position).ok());
    Ok(StoredDocument { entity, family, content, position: position.unwrap_or(last).max(last) })
}

/// What can be read of the row.
fn remains_of(conn: &Connection, id: &DocumentId) -> Result<Remains, StorageError> {
    let found = conn
        .prepare_cached(
            "SELECT entity, family, alone, generation, position, digest, content, text
             FROM document WHERE record = ?1 AND part = ?2",
        )
        .doing(DOING)?
        .query_row(params![id.record.as_bytes(), id.part.as_str()], |row| {
            let blob = |column: usize| {
                let bytes = row.get_ref(column).ok().and_then(|value| value.as_bytes().ok());
                bytes.map(<[u8]>::to_vec).unwrap_or_default()
            };
            let entity: Option<String> = row.get(0).ok();
            Ok(Remains {
                entity: entity.filter(|name| Schema::current().entity(name).is_some()),
                family: row.get(1).ok().map(RecordId::from_bytes),
                alone: row.get::<_, Option<[u8; 16]>>(2).ok().flatten().map(RecordId::from_bytes),
                generation: row.get(3).ok(),
                position: row.get(4).ok(),
                digest: row.get(5).ok(),
                content: blob(6),
                text: blob(7),
            })
        })
        .optional()
        .doing(DOING)?;
    found.ok_or_else(|| StorageError::Damaged(format!("{id} is not there")))
}

/// The changes of a document.
#[derive(Debug, Default)]
struct History {
    bytes: Vec<Vec<u8>>,
    /// Of the last one.
    position: i64,
}

/// The changes of a document, each of which is the one that its hash names; `None` if one is not, or
/// there are none.
fn history(conn: &Connection, id: &DocumentId) -> Result<Option<History>, StorageError> {
    let mut query = conn
        .prepare_cached(
            "SELECT hash, bytes, position FROM change WHERE record = ?1 AND part = ?2
             ORDER BY position, id",
        )
        .doing(DOING)?;
    let mut rows = query.query(params![id.record.as_bytes(), id.part.as_str()]).doing(DOING)?;
    let mut known = History::default();
    while let Some(row) = rows.next().doing(DOING)? {
        let columns: rusqlite::Result<([u8; 32], Vec<u8>, i64)> =
            row.get(0).and_then(|hash| Ok((hash, row.get(1)?, row.get(2)?)));
        let Ok((hash, bytes, position)) = columns else { return Ok(None) };
        if !crdt::header(&bytes).is_ok_and(|header| header.hash == ChangeHash(hash)) {
            return Ok(None);
        }
        known.bytes.push(bytes);
        known.position = known.position.max(position);
    }
    Ok((!known.bytes.is_empty()).then_some(known))
}

/// What changes come to.
fn content_of(id: &DocumentId, changes: &[Vec<u8>], remains: &Remains) -> Option<Content> {
    let from_content = State::from_bytes(&remains.content).ok().map(|state| state.generation);
    let generations = [remains.generation, from_content, Some(0)];
    if !id.part.is_flat() {
        let text = TextDocument::from_changes(changes).ok()?;
        let heads = text.heads();
        let generation = generation_of(id, &generations, &heads, remains);
        let (saved, text) = (text.save(), text.text().ok()?);
        return Some(Content::Text(TextContent { generation, saved, heads, text }));
    }
    let mut state = State::default();
    for change in changes {
        state.apply(&crdt::decode(change).ok()?);
    }
    state.generation = generation_of(id, &generations, &state.head_hashes(), remains);
    Some(Content::Flat(state))
}

/// The generation with which the digest fits, or else the first that is known.
fn generation_of(
    id: &DocumentId,
    generations: &[Option<u32>],
    heads: &[ChangeHash],
    remains: &Remains,
) -> u32 {
    let mut known = generations.iter().flatten().copied();
    let fits =
        |generation: &u32| remains.digest == Some(digest::of_document(id, *generation, heads));
    let first = known.clone().next().unwrap_or(0);
    known.find(fits).unwrap_or(first)
}

/// Whose the feed says that a document is: its entity and its family, not the unit of the record alone.
fn place_of(
    conn: &Connection,
    id: &DocumentId,
) -> Result<Option<(String, RecordId)>, StorageError> {
    conn.prepare_cached(
        "SELECT r.entity, r.family FROM record_feed r
         WHERE r.record = ?1 AND r.part = ?2 AND r.gone = 0 AND r.family <> ?3
           AND EXISTS (SELECT 1 FROM family_feed f WHERE f.family = r.family)
         ORDER BY r.position DESC LIMIT 1",
    )
    .doing(DOING)?
    .query_row(
        params![id.record.as_bytes(), id.part.as_str(), alone(id.record).as_bytes()],
        |row| Ok((row.get(0)?, RecordId::from_bytes(row.get(1)?))),
    )
    .optional()
    .doing(DOING)
}

/// What became of a damaged document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Healed {
    /// Nothing is wrong with it.
    Whole,
    /// It was made anew.
    Rebuilt(String),
    /// It cannot be made anew here; told for the first time.
    Lost(String),
    /// As before, and it was told already.
    Known,
}

/// Puts a damaged document aside and makes it anew, at its old position.
pub(super) fn heal(
    conn: &Connection,
    id: &DocumentId,
    now_ms: TimestampMs,
) -> Result<Healed, StorageError> {
    match document::find(conn, id) {
        Ok(_) => Ok(Healed::Whole),
        Err(StorageError::DamagedDocument { why, .. }) => remake(conn, id, why, now_ms),
        Err(error) => Err(error),
    }
}

/// Puts a document aside, for whatever reason, and makes it anew from its history.
pub(super) fn remake(
    conn: &Connection,
    id: &DocumentId,
    why: String,
    now_ms: TimestampMs,
) -> Result<Healed, StorageError> {
    let stored = match rebuilt(conn, id, &why) {
        Err(StorageError::DamagedDocument { why, .. }) => {
            let is_new = !is_known_lost(conn, id)?;
            if is_new {
                put_aside(conn, id, &why, now_ms, None)?;
            }
            return Ok(if is_new { Healed::Lost(why) } else { Healed::Known });
        }
        stored => stored?,
    };
    let remains = remains_of(conn, id)?;
    put_aside(conn, id, &why, now_ms, Some(now_ms))?;
    let digest = stored.content.digest(id);
    let place = (stored.entity.as_str(), stored.family, remains.alone);
    document::write(conn, id, place, &stored.content, &digest, stored.position)?;
    if let Some(before) = remains.digest.filter(|before| *before != digest) {
        let mut streams = StreamChanges::default();
        streams.remove(&stored.entity, &id.part, &before);
        streams.add(&stored.entity, &id.part, &digest);
        streams.write(conn)?;
    }
    show(conn, id, &stored)?;
    Ok(Healed::Rebuilt(why))
}

/// Writes the typed rows of a document that was made anew, and what it is found by.
pub(super) fn show(
    conn: &Connection,
    id: &DocumentId,
    stored: &StoredDocument,
) -> Result<(), StorageError> {
    rows::project(conn, id, &stored.entity, &stored.content)?;
    if let Some(entity) = Schema::current().entity(&stored.entity) {
        let mut changed = Changed::default();
        changed.note(entity, id.record);
        rows::index(conn, &changed)?;
    }
    Ok(())
}

/// Documents of which there are changes, and nothing else any more: their own pages were torn.
pub(super) fn missing(conn: &Connection) -> Result<Vec<DocumentId>, StorageError> {
    let mut query = conn
        .prepare(
            "SELECT DISTINCT c.record, c.part FROM change c
             LEFT JOIN document d ON d.record = c.record AND d.part = c.part
             WHERE d.record IS NULL ORDER BY c.record, c.part",
        )
        .doing(DOING)?;
    let mut rows = query.query([]).doing(DOING)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().doing(DOING)? {
        found.push(document::id_of(row)?);
    }
    Ok(found)
}

/// Makes a missing document anew from its history, where the feed says that it stands; none if one of the two
/// does not say enough.
pub(super) fn bring_back(
    conn: &Connection,
    id: &DocumentId,
) -> Result<Option<StoredDocument>, StorageError> {
    let remains = Remains::default();
    let (Some(changes), Some((entity, family))) = (history(conn, id)?, place_of(conn, id)?) else {
        return Ok(None);
    };
    let Some(content) = content_of(id, &changes.bytes, &remains) else { return Ok(None) };
    let digest = content.digest(id);
    let position = u64::try_from(changes.position).unwrap_or(0);
    let unit = alone(id.record);
    let is_alone = conn
        .prepare_cached("SELECT 1 FROM record_feed WHERE record = ?1 AND part = ?2 AND family = ?3")
        .and_then(|mut query| {
            query.exists(params![id.record.as_bytes(), id.part.as_str(), unit.as_bytes()])
        })
        .doing(DOING)?;
    let place = (entity.as_str(), family, is_alone.then_some(unit));
    document::write(conn, id, place, &content, &digest, position)?;
    // The streams counted it all the time, unless it was re-rooted; `verify` tells.
    Ok(Some(StoredDocument { entity, family, content, position }))
}

/// Writes the columns of a document's changes anew from their bytes; how many were wrong. A change
/// whose bytes are damaged stays as it is.
pub(super) fn mend_history(conn: &Connection, id: &DocumentId) -> Result<u64, StorageError> {
    let mut query = conn
        .prepare_cached(
            "SELECT id, hash, bytes, actor, seq, start_op, max_op, clock, keys, made_at FROM change
             WHERE record = ?1 AND part = ?2 ORDER BY position, id",
        )
        .doing(DOING)?;
    let mut rows = query.query(params![id.record.as_bytes(), id.part.as_str()]).doing(DOING)?;
    let mut clocks: BTreeMap<ChangeHash, Clock> = BTreeMap::new();
    let mut wrong = Vec::new();
    while let Some(row) = rows.next().doing(DOING)? {
        let read: rusqlite::Result<(i64, [u8; 32], Vec<u8>)> =
            row.get(0).and_then(|number| Ok((number, row.get(1)?, row.get(2)?)));
        let Ok((number, hash, bytes)) = read else { continue };
        let Some(made) = columns_of(id, &bytes, &clocks) else { continue };
        if made.hash != ChangeHash(hash) {
            continue;
        }
        let stored = || {
            Ok::<_, rusqlite::Error>(Columns {
                hash: made.hash,
                actor: row.get(3)?,
                numbers: [row.get(4)?, row.get(5)?, row.get(6)?, row.get(9)?],
                clock: row.get(7)?,
                keys: row.get(8)?,
            })
        };
        clocks.insert(made.hash, clock_from_bytes(&made.clock).unwrap_or_default());
        if stored().ok().as_ref() != Some(&made) {
            wrong.push((number, made));
        }
    }
    drop(rows);
    for (number, made) in &wrong {
        let [seq, start_op, max_op, made_at] = made.numbers;
        conn.prepare_cached(
            "UPDATE change SET actor = ?2, seq = ?3, start_op = ?4, max_op = ?5, clock = ?6,
                 keys = ?7, made_at = ?8
             WHERE id = ?1",
        )
        .and_then(|mut update| {
            update.execute(params![
                number, made.actor, seq, start_op, max_op, made.clock, made.keys, made_at
            ])
        })
        .doing(DOING)?;
    }
    Ok(wrong.len() as u64)
}

/// What the columns of a change say, which its bytes say too.
#[derive(Debug, PartialEq, Eq)]
struct Columns {
    hash: ChangeHash,
    actor: [u8; 16],
    /// Its number, the counters of its first and last operation, and its time.
    numbers: [i64; 4],
    clock: Vec<u8>,
    keys: String,
}

fn columns_of(
    id: &DocumentId,
    bytes: &[u8],
    clocks: &BTreeMap<ChangeHash, Clock>,
) -> Option<Columns> {
    if !id.part.is_flat() {
        let header = crdt::header(bytes).ok()?;
        let numbers = [header.seq, header.start_op, header.max_op()].map(to_sql);
        let [seq, start_op, max_op] = numbers;
        return Some(Columns {
            hash: header.hash,
            actor: header.actor.0,
            numbers: [seq, start_op, max_op, header.time_ms],
            clock: clock_to_bytes(&Clock::new()),
            keys: "[]".to_owned(),
        });
    }
    let encoded = crdt::decode(bytes).ok()?;
    let mut past = Clock::new();
    for dep in &encoded.change.deps {
        merge_clock(&mut past, clocks.get(dep)?);
    }
    let change = &encoded.change;
    let [seq, start_op, max_op] = [change.seq, change.start_op, change.max_op()].map(to_sql);
    let keys: Vec<&str> = change.ops.iter().map(|op| op.key.as_str()).collect();
    Some(Columns {
        hash: encoded.hash,
        actor: change.actor.0,
        numbers: [seq, start_op, max_op, change.time_ms],
        clock: clock_to_bytes(&clock_with(&past, &encoded)),
        keys: serde_json::to_string(&keys).ok()?,
    })
}

fn is_known_lost(conn: &Connection, id: &DocumentId) -> Result<bool, StorageError> {
    let found = conn
        .prepare_cached(
            "SELECT 1 FROM quarantine
             WHERE record = ?1 AND part = ?2 AND healed_at IS NULL LIMIT 1",
        )
        .doing(DOING)?
        .query_row(params![id.record.as_bytes(), id.part.as_str()], |_| Ok(()))
        .optional()
        .doing(DOING)?;
    Ok(found.is_some())
}

/// Copies what was found into the quarantine.
fn put_aside(
    conn: &Connection,
    id: &DocumentId,
    why: &str,
    now_ms: TimestampMs,
    healed_at: Option<TimestampMs>,
) -> Result<(), StorageError> {
    let remains = remains_of(conn, id)?;
    let pieces = [("content", remains.content), ("text", remains.text)];
    for (what, bytes) in
        pieces.into_iter().filter(|(what, bytes)| *what == "content" || !bytes.is_empty())
    {
        conn.prepare_cached(
            "INSERT INTO quarantine (record, part, entity, what, bytes, why, found_at, healed_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )
        .doing(DOING)?
        .execute(params![
            id.record.as_bytes(),
            id.part.as_str(),
            remains.entity.as_deref().unwrap_or_default(),
            what,
            bytes,
            why,
            now_ms,
            healed_at,
        ])
        .doing(DOING)?;
    }
    if healed_at.is_some() {
        conn.prepare_cached(
            "UPDATE quarantine SET healed_at = ?3
             WHERE record = ?1 AND part = ?2 AND healed_at IS NULL",
        )
        .and_then(|mut close| {
            close.execute(params![id.record.as_bytes(), id.part.as_str(), healed_at])
        })
        .doing(DOING)?;
    }
    Ok(())
}
