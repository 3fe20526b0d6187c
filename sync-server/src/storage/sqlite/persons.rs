//! Persons in a copy of the database: sealing what their records hold, and opening it again.
//!
//! Rows and indexes repeat what documents hold. They are caches, so a copy has none, and the first
//! server that opens it makes them anew.

use std::path::Path;

use outrider_core::{
    ids::{RecordId, bytes_from_hex, to_hex},
    schema::Schema,
    store::{index, rows},
};
use rusqlite::{Connection, types::Value};

use super::{DATABASE_FILE, Doing, document, erasure, stream::StreamChanges};
use crate::{person_keys::PersonKeys, storage::StorageError};

const SEALING: &str = "sealing persons in a copy";
const OPENING: &str = "opening persons in a copy";

/// A column with what somebody typed: its name, the statement that reads it with what names its
/// row, and the one that writes it.
struct Column(&'static str, &'static str, &'static str);

const COLUMNS: [Column; 10] = [
    Column(
        "content",
        "SELECT rowid, content FROM document WHERE record = ?1",
        "UPDATE document SET content = ?3 WHERE record = ?1 AND rowid = ?2",
    ),
    Column(
        "text",
        "SELECT rowid, text FROM document WHERE record = ?1 AND text <> ''",
        "UPDATE document SET text = ?3 WHERE record = ?1 AND rowid = ?2",
    ),
    Column(
        "change",
        "SELECT id, bytes FROM change WHERE record = ?1",
        "UPDATE change SET bytes = ?3 WHERE record = ?1 AND id = ?2",
    ),
    // A member of a set is its own key.
    Column(
        "change keys",
        "SELECT id, keys FROM change WHERE record = ?1",
        "UPDATE change SET keys = ?3 WHERE record = ?1 AND id = ?2",
    ),
    Column(
        "refusal keys",
        "SELECT hash, keys FROM refusal WHERE record = ?1",
        "UPDATE refusal SET keys = ?3 WHERE record = ?1 AND hash = ?2",
    ),
    Column(
        "review keys",
        "SELECT id, keys FROM review WHERE record = ?1",
        "UPDATE review SET keys = ?3 WHERE record = ?1 AND id = ?2",
    ),
    Column(
        "review",
        "SELECT id, bytes FROM review WHERE record = ?1",
        "UPDATE review SET bytes = ?3 WHERE record = ?1 AND id = ?2",
    ),
    Column(
        "fingerprint",
        "SELECT 0, fingerprint FROM import_row WHERE record = ?1",
        "UPDATE import_row SET fingerprint = ?3 WHERE record = ?1 AND ?2 = 0",
    ),
    Column(
        "pending",
        "SELECT 0, pending FROM import_row WHERE record = ?1 AND pending <> ''",
        "UPDATE import_row SET pending = ?3 WHERE record = ?1 AND ?2 = 0",
    ),
    Column(
        "effect",
        "SELECT batch, effect FROM import_effect WHERE record = ?1",
        "UPDATE import_effect SET effect = ?3 WHERE record = ?1 AND batch = ?2",
    ),
];

/// What is removed of a person whose key is gone, beside documents and changes.
const REST: [&str; 4] = [
    "DELETE FROM refusal WHERE record = ?1",
    "DELETE FROM review WHERE record = ?1",
    "DELETE FROM import_row WHERE record = ?1",
    "DELETE FROM import_effect WHERE record = ?1",
];

/// What became of the persons in a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Persons {
    /// How many are there again.
    pub opened: u64,
    /// How many are not: their key is gone.
    pub lost: u64,
}

/// The records in the copy at `file` that can be a person: those of `entities`.
///
/// # Errors
///
/// [`StorageError`] when the copy cannot be read.
pub fn persons_in(file: &Path, entities: &[&str]) -> Result<Vec<RecordId>, StorageError> {
    let conn = Connection::open(file).doing(SEALING)?;
    let entities = serde_json::to_string(entities).map_err(super::damaged)?;
    let mut query = conn
        .prepare(
            // What is left of an erased person says nothing, and a new key would not fit old backups.
            "SELECT record FROM document WHERE entity IN (SELECT value FROM json_each(?1))
             UNION SELECT record FROM review WHERE entity IN (SELECT value FROM json_each(?1))
             EXCEPT SELECT record FROM erasure",
        )
        .doing(SEALING)?;
    query
        .query_map([entities], |row| Ok(RecordId::from_bytes(row.get(0)?)))
        .and_then(Iterator::collect)
        .doing(SEALING)
}

/// Seals what the records of `persons` hold in the copy at `file`, which nobody else has open.
///
/// # Errors
///
/// [`StorageError`] when the copy cannot be written or a person has no key.
pub fn seal_persons(
    file: &Path,
    persons: &[RecordId],
    keys: &PersonKeys,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), StorageError> {
    let mut conn = open_copy(file).doing(SEALING)?;
    let tx = conn.transaction().doing(SEALING)?;
    rows::clear(&tx, Schema::current()).doing(SEALING)?;
    index::clear(&tx).doing(SEALING)?;
    tx.execute_batch(
        "UPDATE meta SET schema_version = 0;
         -- What is kept aside here says what persons' records said, and no key would seal it.
         DELETE FROM quarantine;
         CREATE TABLE sealed_person (record BLOB PRIMARY KEY NOT NULL) STRICT, WITHOUT ROWID;",
    )
    .doing(SEALING)?;
    for (n, record) in (0..).zip(persons) {
        progress(n, persons.len() as u64);
        for column in &COLUMNS {
            change(&tx, *record, column, |value| {
                let seal =
                    |plain: &[u8]| keys.seal(*record, column.0, plain).map_err(super::damaged);
                Ok(match &value {
                    // A column of texts holds no bytes.
                    Value::Text(text) => Some(Value::Text(to_hex(&seal(text.as_bytes())?))),
                    Value::Blob(bytes) => Some(Value::Blob(seal(bytes)?)),
                    Value::Null | Value::Integer(_) | Value::Real(_) => None,
                })
            })?;
        }
        tx.prepare_cached("INSERT INTO sealed_person (record) VALUES (?1)")
            .and_then(|mut insert| insert.execute([record.as_bytes()]))
            .doing(SEALING)?;
    }
    tx.commit().doing(SEALING)?;
    // What was there before is in no free page.
    conn.execute_batch("VACUUM").doing(SEALING)
}

/// Opens the persons in the copy in `folder` of whom there is a key, and removes the others.
///
/// # Errors
///
/// [`StorageError`] when the copy cannot be written, or a value is not what was sealed.
pub fn open_persons(folder: &Path, keys: Option<&PersonKeys>) -> Result<Persons, StorageError> {
    let mut conn = open_copy(&folder.join(DATABASE_FILE)).doing(OPENING)?;
    let mut found = Persons::default();
    let tx = conn.transaction().doing(OPENING)?;
    let records: Vec<RecordId> = sealed(&tx)?;
    for record in records {
        let Some(keys) = keys.filter(|keys| keys.has(record)) else {
            remove(&tx, record)?;
            found.lost += 1;
            continue;
        };
        for column in &COLUMNS {
            change(&tx, record, column, |value| open_value(keys, record, column, value))?;
        }
        found.opened += 1;
    }
    tx.execute_batch("DROP TABLE IF EXISTS sealed_person").doing(OPENING)?;
    tx.commit().doing(OPENING)?;
    Ok(found)
}

/// How many persons are sealed in the copy in `folder`.
///
/// # Errors
///
/// [`StorageError`] when the copy cannot be read.
pub fn count_sealed(folder: &Path) -> Result<u64, StorageError> {
    let conn = open_copy(&folder.join(DATABASE_FILE)).doing(OPENING)?;
    Ok(sealed(&conn)?.len() as u64)
}

fn sealed(conn: &Connection) -> Result<Vec<RecordId>, StorageError> {
    let is_there: bool = conn
        .query_row(
            "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'sealed_person')",
            [],
            |row| row.get(0),
        )
        .doing(OPENING)?;
    if !is_there {
        return Ok(Vec::new());
    }
    conn.prepare("SELECT record FROM sealed_person")
        .doing(OPENING)?
        .query_map([], |row| Ok(RecordId::from_bytes(row.get(0)?)))
        .and_then(Iterator::collect)
        .doing(OPENING)
}

fn open_value(
    keys: &PersonKeys,
    record: RecordId,
    Column(name, ..): &Column,
    value: Value,
) -> Result<Option<Value>, StorageError> {
    let changed = || StorageError::Damaged(format!("a sealed {name} was changed"));
    let open = |sealed: &[u8]| keys.open(record, name, sealed).ok_or_else(changed);
    Ok(match value {
        Value::Text(text) => {
            let sealed = bytes_from_hex(&text).ok_or_else(changed)?;
            Some(Value::Text(String::from_utf8(open(&sealed)?).map_err(|_| changed())?))
        }
        Value::Blob(bytes) => Some(Value::Blob(open(&bytes)?)),
        Value::Null | Value::Integer(_) | Value::Real(_) => None,
    })
}

fn change(
    conn: &Connection,
    record: RecordId,
    Column(_, select, update): &Column,
    mut to: impl FnMut(Value) -> Result<Option<Value>, StorageError>,
) -> Result<(), StorageError> {
    let values: Vec<(Value, Value)> = conn
        .prepare_cached(select)
        .doing(SEALING)?
        .query_map([record.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .and_then(Iterator::collect)
        .doing(SEALING)?;
    for (row, value) in values {
        let Some(value) = to(value)? else { continue };
        conn.prepare_cached(update)
            .and_then(|mut update| update.execute((record.as_bytes(), row, value)))
            .doing(SEALING)?;
    }
    Ok(())
}

fn remove(conn: &Connection, record: RecordId) -> Result<(), StorageError> {
    let mut streams = StreamChanges::default();
    for id in document::parts_of(conn, record)? {
        document::remove(conn, &mut streams, &id)?;
    }
    streams.write(conn)?;
    erasure::remove_changes(conn, record)?;
    for sql in REST {
        conn.prepare_cached(sql)
            .and_then(|mut delete| delete.execute([record.as_bytes()]))
            .doing(OPENING)?;
    }
    Ok(())
}

/// A copy is nobody's yet: if this process ends, it is thrown away.
fn open_copy(file: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open(file)?;
    conn.pragma_update_and_check(None, "journal_mode", "MEMORY", |_| Ok(()))?;
    conn.pragma_update(None, "synchronous", "OFF")?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
    Ok(conn)
}
