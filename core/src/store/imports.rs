//! What imports remember: the fingerprint of each row between imports, the keys seen during one.
//!
//! The tables of one run are temporary: SQLite moves them to disk when they grow, so that memory
//! does not grow with the file, and takes them back when a rehearsal is rolled back.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension};

use super::{
    StoreError,
    redirect::{self, HALVES_MAX},
};
use crate::{
    ids::RecordId,
    schema::{Entity, SqlValue},
};

/// What the last import of a row left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportedRow {
    /// 8 bytes per mapped field: a digest of its name and its value in the file.
    pub fingerprint: Vec<u8>,
    /// JSON object field -> text: references to records that were not here; empty if none.
    pub pending: String,
}

/// A row of this run with references to records that were not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingRow {
    /// The row's record.
    pub record: RecordId,
    /// Whether the row has been counted as unchanged.
    pub is_unchanged: bool,
}

/// What a text names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// No record.
    None,
    /// One record.
    One(RecordId),
    /// Several records.
    Several,
}

/// Page cache during an import, in KiB.
const CACHE_KIB: i64 = 65_536;
/// Pages of the write-ahead log between checkpoints during an import (about 64 MiB).
const CHECKPOINT_PAGES: i64 = 16_384;

/// How the connection was set before an import.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    cache_size: i64,
    checkpoint_pages: i64,
}

/// Sets the connection for many writes, and returns how it was set before.
///
/// Ids are scattered over the tables, so that each batch touches most pages of the indexes; a
/// larger cache and rarer checkpoints write each page less often.
///
/// # Errors
///
/// Fails when the database does.
pub fn quicken(conn: &Connection) -> Result<Pace, StoreError> {
    let before = Pace {
        cache_size: conn.pragma_query_value(None, "cache_size", |row| row.get(0))?,
        checkpoint_pages: conn.pragma_query_value(None, "wal_autocheckpoint", |row| row.get(0))?,
    };
    set_pace(conn, Pace { cache_size: -CACHE_KIB, checkpoint_pages: CHECKPOINT_PAGES })?;
    Ok(before)
}

/// Sets the connection as it was before.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_pace(conn: &Connection, pace: Pace) -> Result<(), StoreError> {
    conn.pragma_update(None, "cache_size", pace.cache_size)?;
    // The pragma answers with the new value, so that a plain update would fail.
    conn.pragma_update_and_check(None, "wal_autocheckpoint", pace.checkpoint_pages, |_| Ok(()))?;
    Ok(())
}

/// Makes empty tables for one run.
///
/// # Errors
///
/// Fails when the database does.
pub fn begin_run(conn: &Connection) -> Result<(), StoreError> {
    end_run(conn)?;
    conn.execute_batch(
        "-- records of the run, with the row of the file that came first
         CREATE TEMP TABLE import_seen (
             record BLOB PRIMARY KEY NOT NULL,
             first_row INTEGER NOT NULL
         ) STRICT, WITHOUT ROWID;
         -- keys that may come several times, with how often they came
         CREATE TEMP TABLE import_key (
             key BLOB PRIMARY KEY NOT NULL,
             times INTEGER NOT NULL
         ) STRICT, WITHOUT ROWID;
         -- records of the run whose references are tried again at its end
         CREATE TEMP TABLE import_waiting (
             record BLOB PRIMARY KEY NOT NULL,
             is_unchanged INTEGER NOT NULL
         ) STRICT, WITHOUT ROWID;",
    )?;
    Ok(())
}

/// Removes the tables of the run.
///
/// # Errors
///
/// Fails when the database does.
pub fn end_run(conn: &Connection) -> Result<(), StoreError> {
    conn.execute_batch(
        "DROP TABLE IF EXISTS temp.import_seen;
         DROP TABLE IF EXISTS temp.import_key;
         DROP TABLE IF EXISTS temp.import_waiting;",
    )?;
    Ok(())
}

/// Notes that `row` of the file makes `record`; returns the earlier row that did, if any.
///
/// # Errors
///
/// Fails when the database does.
pub fn note_seen(conn: &Connection, record: RecordId, row: u64) -> Result<Option<u64>, StoreError> {
    let is_new = conn
        .prepare_cached(
            "INSERT INTO temp.import_seen (record, first_row) VALUES (?1, ?2)
             ON CONFLICT (record) DO NOTHING",
        )?
        .execute((record.as_bytes(), row.cast_signed()))?
        > 0;
    if is_new {
        return Ok(None);
    }
    let first: i64 = conn
        .prepare_cached("SELECT first_row FROM temp.import_seen WHERE record = ?1")?
        .query_row([record.as_bytes()], |row| row.get(0))?;
    Ok(Some(first.unsigned_abs()))
}

/// Counts a key that may come several times; returns how often it came, this time included.
///
/// # Errors
///
/// Fails when the database does.
pub fn count_key(conn: &Connection, key: RecordId) -> Result<u64, StoreError> {
    let times: i64 = conn
        .prepare_cached(
            "INSERT INTO temp.import_key (key, times) VALUES (?1, 1)
             ON CONFLICT (key) DO UPDATE SET times = times + 1 RETURNING times",
        )?
        .query_row([key.as_bytes()], |row| row.get(0))?;
    Ok(times.unsigned_abs())
}

/// What the last import of a record's row left, if there was one.
///
/// # Errors
///
/// Fails when the database does.
pub fn load(conn: &Connection, record: RecordId) -> Result<Option<ImportedRow>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT fingerprint, pending FROM import_row WHERE record = ?1")?
        .query_row([record.as_bytes()], |row| {
            Ok(ImportedRow { fingerprint: row.get(0)?, pending: row.get(1)? })
        })
        .optional()?)
}

/// Keeps what the import of a record's row left.
///
/// # Errors
///
/// Fails when the database does.
pub fn save(conn: &Connection, record: RecordId, row: &ImportedRow) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT INTO import_row (record, fingerprint, pending) VALUES (?1, ?2, ?3)
         ON CONFLICT (record) DO UPDATE
         SET fingerprint = excluded.fingerprint, pending = excluded.pending",
    )?
    .execute((record.as_bytes(), &row.fingerprint, &row.pending))?;
    Ok(())
}

/// Notes that references of a row are to be tried again at the end of the run.
///
/// # Errors
///
/// Fails when the database does.
pub fn add_waiting(
    conn: &Connection,
    record: RecordId,
    is_unchanged: bool,
) -> Result<(), StoreError> {
    conn.prepare_cached("INSERT INTO temp.import_waiting (record, is_unchanged) VALUES (?1, ?2)")?
        .execute((record.as_bytes(), is_unchanged))?;
    Ok(())
}

/// Rows of the run whose references are tried again, by record, `after` one, at most `limit`.
///
/// # Errors
///
/// Fails when the database does.
pub fn waiting(
    conn: &Connection,
    after: Option<RecordId>,
    limit: usize,
) -> Result<Vec<WaitingRow>, StoreError> {
    let after: &[u8] = after.as_ref().map_or(&[], |record| record.as_bytes());
    let mut statement = conn.prepare_cached(
        "SELECT record, is_unchanged FROM temp.import_waiting
         WHERE record > ?1 ORDER BY record LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map((after, limit), |row| {
        Ok(WaitingRow { record: RecordId::from_bytes(row.get(0)?), is_unchanged: row.get(1)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The record that is not archived and has `value` in a column; if only merged ones have it, the
/// record that goes on for them.
///
/// # Errors
///
/// Fails when the database does.
pub fn find_by(
    conn: &Connection,
    entity: &Entity,
    column: &str,
    value: &SqlValue,
) -> Result<Found, StoreError> {
    // Names come from the schema, which admits only `[a-z_]+`.
    let sql = format!(
        "SELECT id FROM {} WHERE {column} = ?1 AND is_archived = 0 ORDER BY id LIMIT 2",
        entity.name
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([value])?;
    let Some(row) = rows.next()? else { return find_merged(conn, entity, column, value) };
    let first = RecordId::from_bytes(row.get(0)?);
    Ok(if rows.next()?.is_some() { Found::Several } else { Found::One(first) })
}

/// The one record that goes on for those merged ones that have `value` in a column.
fn find_merged(
    conn: &Connection,
    entity: &Entity,
    column: &str,
    value: &SqlValue,
) -> Result<Found, StoreError> {
    let sql = format!(
        "SELECT id FROM {} WHERE {column} = ?1 AND is_archived = 2 ORDER BY id LIMIT {HALVES_MAX}",
        entity.name
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let ids = statement
        .query_map([value], |row| Ok(RecordId::from_bytes(row.get(0)?)))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut heirs = BTreeSet::new();
    for id in ids {
        heirs.insert(redirect::resolve(conn, entity, id)?);
    }
    let mut heirs = heirs.into_iter();
    Ok(match (heirs.next(), heirs.next()) {
        (None, _) => Found::None,
        (Some(only), None) => Found::One(only),
        (Some(_), Some(_)) => Found::Several,
    })
}

/// Opens a savepoint within the transaction.
///
/// # Errors
///
/// Fails when the database does.
pub fn open_savepoint(conn: &Connection) -> Result<(), StoreError> {
    conn.prepare_cached("SAVEPOINT import_row")?.execute([])?;
    Ok(())
}

/// Closes the savepoint, keeping or dropping what was written since.
///
/// # Errors
///
/// Fails when the database does.
pub fn close_savepoint(conn: &Connection, keep: bool) -> Result<(), StoreError> {
    if !keep {
        conn.prepare_cached("ROLLBACK TO import_row")?.execute([])?;
    }
    conn.prepare_cached("RELEASE import_row")?.execute([])?;
    Ok(())
}
