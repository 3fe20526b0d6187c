//! Documents: their content, and their place in the feed and in the digests.

use outrider_core::{
    crdt::State,
    ids::{ChangeHash, DocumentId, HASH_BYTES, Part, RecordId},
    schema::Schema,
    store::checksum::sum_of,
    sync::frame::Digest,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Doing, damaged, feed, from_sql, rows, scope, stream::StreamChanges, to_sql};
use crate::storage::{Content, StorageError, StoredDocument, TextContent};

/// Reads the columns `record, part` that a row begins with.
pub(super) fn id_of(row: &Row<'_>) -> Result<DocumentId, StorageError> {
    const DOING: &str = "reading a document's name";
    let record = RecordId::from_bytes(row.get(0).doing(DOING)?);
    let part: String = row.get(1).doing(DOING)?;
    Ok(DocumentId { record, part: part.parse().map_err(damaged)? })
}

/// The documents of a record.
pub(super) fn parts_of(
    conn: &Connection,
    record: RecordId,
) -> Result<Vec<DocumentId>, StorageError> {
    const DOING: &str = "reading the parts of a record";
    let mut query =
        conn.prepare_cached("SELECT record, part FROM document WHERE record = ?1").doing(DOING)?;
    let mut rows = query.query([record.as_bytes()]).doing(DOING)?;
    let mut parts = Vec::new();
    while let Some(row) = rows.next().doing(DOING)? {
        parts.push(id_of(row)?);
    }
    Ok(parts)
}

/// A document as its row has it.
struct Raw {
    entity: String,
    family: RecordId,
    generation: u32,
    content: Vec<u8>,
    heads: Vec<u8>,
    text: String,
    position: i64,
    sum: Option<i64>,
}

/// The document `id`; one that is not as it was stored is [`StorageError::DamagedDocument`].
pub(super) fn find(
    conn: &Connection,
    id: &DocumentId,
) -> Result<Option<StoredDocument>, StorageError> {
    const DOING: &str = "reading a document";
    let mut query = conn
        .prepare_cached(
            "SELECT entity, family, generation, content, heads, text, position, sum
             FROM document WHERE record = ?1 AND part = ?2",
        )
        .doing(DOING)?;
    let mut rows = query.query(params![id.record.as_bytes(), id.part.as_str()]).doing(DOING)?;
    let Some(row) = rows.next().doing(DOING)? else { return Ok(None) };
    let damaged = |why: String| StorageError::DamagedDocument { id: id.clone(), why };
    let raw = read_raw(row).map_err(|error| damaged(error.to_string()))?;
    decode(id, raw).map(Some).map_err(damaged)
}

fn read_raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw {
        entity: row.get(0)?,
        family: RecordId::from_bytes(row.get(1)?),
        generation: row.get(2)?,
        content: row.get(3)?,
        heads: row.get(4)?,
        text: row.get(5)?,
        position: row.get(6)?,
        sum: row.get(7)?,
    })
}

/// The sum over what a document's row holds.
fn sum(id: &DocumentId, entity: &str, content: &[u8], heads: &[u8], text: &str) -> u32 {
    sum_of(id, entity, &[content, heads, text.as_bytes()])
}

fn decode(id: &DocumentId, raw: Raw) -> Result<StoredDocument, String> {
    let fits =
        |stored| stored == i64::from(sum(id, &raw.entity, &raw.content, &raw.heads, &raw.text));
    if !raw.sum.is_none_or(fits) {
        return Err("its bytes are not those that were stored".to_owned());
    }
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let content = if id.part.is_flat() {
        let state = State::from_bytes(&raw.content).map_err(|error| words(&error))?;
        if state.generation != raw.generation {
            return Err("its generation is not that of its content".to_owned());
        }
        Content::Flat(state)
    } else {
        Content::Text(TextContent {
            generation: raw.generation,
            saved: raw.content,
            heads: hashes_of(&raw.heads).map_err(|error| words(&error))?,
            text: raw.text,
        })
    };
    Ok(StoredDocument {
        entity: raw.entity,
        family: raw.family,
        content,
        position: from_sql(raw.position).map_err(|error| words(&error))?,
    })
}

fn hashes_of(bytes: &[u8]) -> Result<Vec<ChangeHash>, StorageError> {
    bytes.chunks(HASH_BYTES).map(|hash| ChangeHash::try_from(hash).map_err(damaged)).collect()
}

/// Where a document was before.
struct Before {
    entity: String,
    family: RecordId,
    digest: Digest,
    alone: Option<RecordId>,
}

fn find_before(conn: &Connection, id: &DocumentId) -> Result<Option<Before>, StorageError> {
    const DOING: &str = "reading a document's place";
    conn.prepare_cached(
        "SELECT entity, family, digest, alone FROM document WHERE record = ?1 AND part = ?2",
    )
    .doing(DOING)?
    .query_row(params![id.record.as_bytes(), id.part.as_str()], |row| {
        Ok(Before {
            entity: row.get(0)?,
            family: RecordId::from_bytes(row.get(1)?),
            digest: row.get(2)?,
            alone: row.get::<_, Option<[u8; 16]>>(3)?.map(RecordId::from_bytes),
        })
    })
    .optional()
    .doing(DOING)
}

/// Stores a document's new content, and everything that follows from it.
pub(super) fn put(
    conn: &Connection,
    streams: &mut StreamChanges,
    id: &DocumentId,
    (entity, family): (&str, RecordId),
    content: &Content,
    position: u64,
) -> Result<(), StorageError> {
    let before = find_before(conn, id)?;
    let digest = content.digest(id);
    if let Some(before) = &before {
        streams.remove(&before.entity, &id.part, &before.digest);
        if before.entity != entity || before.family != family {
            feed::remove(conn, before.family, id, position)?;
        }
    }
    let alone = match &before {
        Some(before) => before.alone,
        None => scope::unit_of_new(conn, id.record)?,
    };
    write(conn, id, (entity, family, alone), content, &digest, position)?;
    streams.add(entity, &id.part, &digest);
    if before.as_ref().is_none_or(|before| before.family != family) {
        feed::begin(conn, family, position)?;
        move_other_parts(conn, id, family, position)?;
    }
    feed::put(conn, family, id, entity, position)?;
    if let Some(alone) = alone {
        feed::put(conn, alone, id, entity, position)?;
    }
    if let (Part::Main, Content::Flat(state), Some(entity)) =
        (&id.part, content, Schema::current().entity(entity))
    {
        scope::follow(conn, entity, id, (family, before.is_none()), state, position)?;
    }
    rows::project(conn, id, entity, content)
}

/// Removes a document. Devices are told by the erasure of its record.
pub(super) fn remove(
    conn: &Connection,
    streams: &mut StreamChanges,
    id: &DocumentId,
) -> Result<(), StorageError> {
    const DOING: &str = "removing a document";
    let Some(before) = find_before(conn, id)? else { return Ok(()) };
    streams.remove(&before.entity, &id.part, &before.digest);
    for sql in [
        "DELETE FROM document WHERE record = ?1 AND part = ?2",
        "DELETE FROM record_feed WHERE record = ?1 AND part = ?2",
    ] {
        conn.prepare_cached(sql)
            .and_then(|mut delete| delete.execute(params![id.record.as_bytes(), id.part.as_str()]))
            .doing(DOING)?;
    }
    Ok(())
}

/// Writes a document's row and nothing that follows from it.
pub(super) fn write(
    conn: &Connection,
    id: &DocumentId,
    (entity, family, alone): (&str, RecordId, Option<RecordId>),
    content: &Content,
    digest: &Digest,
    position: u64,
) -> Result<(), StorageError> {
    const DOING: &str = "writing a document";
    let state;
    let (generation, bytes, heads, text) = match content {
        Content::Flat(flat) => {
            state = flat.to_bytes();
            (flat.generation, state.as_slice(), Vec::new(), "")
        }
        Content::Text(text) => {
            let heads: Vec<u8> = text.heads.iter().flat_map(|head| head.0).collect();
            (text.generation, text.saved.as_slice(), heads, text.text.as_str())
        }
    };
    conn.prepare_cached(
        "INSERT INTO document
             (record, part, entity, family, generation, content, heads, text, digest, position,
              alone, sum)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         ON CONFLICT (record, part) DO UPDATE SET
             entity = excluded.entity, family = excluded.family,
             generation = excluded.generation, content = excluded.content,
             heads = excluded.heads, text = excluded.text,
             digest = excluded.digest, position = excluded.position, sum = excluded.sum",
    )
    .doing(DOING)?
    .execute(params![
        id.record.as_bytes(),
        id.part.as_str(),
        entity,
        family.as_bytes(),
        generation,
        bytes,
        heads,
        text,
        digest,
        to_sql(position),
        alone.as_ref().map(RecordId::as_bytes),
        sum(id, entity, bytes, &heads, text),
    ])
    .doing(DOING)?;
    Ok(())
}

/// Adds the sums that an older server did not keep; what cannot be read has none.
pub(super) fn add_sums(conn: &Connection) -> Result<(), StorageError> {
    const DOING: &str = "adding sums to documents";
    let mut select = conn
        .prepare(
            "SELECT entity, family, generation, content, heads, text, position, sum,
                    record, part, rowid
             FROM document WHERE rowid > ?1 ORDER BY rowid LIMIT ?2",
        )
        .doing(DOING)?;
    let mut update = conn.prepare("UPDATE document SET sum = ?2 WHERE rowid = ?1").doing(DOING)?;
    let mut after = i64::MIN;
    loop {
        let mut rows = select.query([after, SUMS_PAGE]).doing(DOING)?;
        let mut page = Vec::new();
        while let Some(row) = rows.next().doing(DOING)? {
            after = row.get(10).doing(DOING)?;
            let Ok(raw) = read_raw(row) else { continue };
            let name: rusqlite::Result<([u8; 16], String)> =
                row.get(8).and_then(|record| Ok((record, row.get(9)?)));
            let Ok((record, part)) = name else { continue };
            let Ok(part) = part.parse() else { continue };
            let id = DocumentId { record: RecordId::from_bytes(record), part };
            let sum = sum(&id, &raw.entity, &raw.content, &raw.heads, &raw.text);
            page.extend(decode(&id, raw).is_ok().then_some((after, sum)));
        }
        drop(rows);
        if page.is_empty() {
            return Ok(());
        }
        for (rowid, sum) in page {
            update.execute(params![rowid, sum]).doing(DOING)?;
        }
    }
}

/// Documents whose sums are added at once.
const SUMS_PAGE: i64 = 500;

/// Takes the other parts of a record along to its new family; they did not change themselves.
fn move_other_parts(
    conn: &Connection,
    id: &DocumentId,
    family: RecordId,
    moved_at: u64,
) -> Result<(), StorageError> {
    const DOING: &str = "moving a record to another family";
    let others: Vec<(DocumentId, String, RecordId, u64)> = {
        let mut query = conn
            .prepare_cached(
                "SELECT record, part, entity, family, position FROM document
                 WHERE record = ?1 AND part <> ?2 AND family <> ?3",
            )
            .doing(DOING)?;
        let mut found = query
            .query(params![id.record.as_bytes(), id.part.as_str(), family.as_bytes()])
            .doing(DOING)?;
        let mut others = Vec::new();
        while let Some(row) = found.next().doing(DOING)? {
            let from = RecordId::from_bytes(row.get(3).doing(DOING)?);
            let position = from_sql(row.get(4).doing(DOING)?)?;
            others.push((id_of(row)?, row.get(2).doing(DOING)?, from, position));
        }
        others
    };
    for (other, entity, from, position) in others {
        feed::remove(conn, from, &other, moved_at)?;
        feed::put_record(conn, family, &other, &entity, position)?;
        conn.prepare_cached("UPDATE document SET family = ?3 WHERE record = ?1 AND part = ?2")
            .doing(DOING)?
            .execute(params![other.record.as_bytes(), other.part.as_str(), family.as_bytes()])
            .doing(DOING)?;
    }
    Ok(())
}
