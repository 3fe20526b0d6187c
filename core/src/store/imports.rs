//! What imports remember: the fingerprint of each row, references that wait for their record, what
//! each import did.
//!
//! [`Notes`] is what an import needs of a database beside the records; a device's and a server's
//! SQLite give it alike. What a single run needs while it runs is in [`scratch`](mod@scratch).

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use super::{
    StoreError,
    redirect::{self, HALVES_MAX},
};
use crate::{
    ids::RecordId,
    schema::{Entity, SqlValue},
    time::TimestampMs,
};

pub mod scratch;

/// What the last import of a row left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportedRow {
    /// 8 bytes per mapped field: a digest of its name and its value in the file.
    pub fingerprint: Vec<u8>,
    /// JSON: references to records that were not here; empty if none.
    pub pending: String,
}

/// An import that was run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Batch {
    /// Its number; 0 until it is kept.
    pub id: i64,
    /// When it began.
    pub begun_at: TimestampMs,
    /// When it ended; none while it runs, or when it was interrupted.
    pub ended_at: Option<TimestampMs>,
    /// When it was taken back.
    pub undone_at: Option<TimestampMs>,
    /// Name of the file.
    pub file: String,
    /// Name of the entity.
    pub entity: String,
    /// Name of the system that the file comes from.
    pub source: String,
    /// Rows of the file.
    pub rows: u64,
    /// Rows that made a record.
    pub created: u64,
    /// Rows that changed one.
    pub updated: u64,
    /// Rows that could not be imported.
    pub rejected: u64,
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

/// What imports remember, within the transaction that writes the records.
#[expect(clippy::missing_errors_doc, reason = "all methods fail when the database does")]
pub trait Notes {
    /// What the last import of a record's row left, if there was one.
    fn imported(&self, record: RecordId) -> Result<Option<ImportedRow>, StoreError>;
    /// Keeps what the import of a record's row left.
    fn keep_imported(&self, record: RecordId, row: &ImportedRow) -> Result<(), StoreError>;
    /// Forgets that a record's row was imported.
    fn forget_imported(&self, record: RecordId) -> Result<(), StoreError>;
    /// Rows whose references wait, by record, after one, at most `limit`.
    fn pending(
        &self,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<(RecordId, String)>, StoreError>;
    /// Keeps a new batch, and returns its number.
    fn add_batch(&self, batch: &Batch) -> Result<i64, StoreError>;
    /// Keeps what became of a batch.
    fn save_batch(&self, batch: &Batch) -> Result<(), StoreError>;
    /// A batch.
    fn batch(&self, id: i64) -> Result<Option<Batch>, StoreError>;
    /// The latest batches first, at most `limit`.
    fn batches(&self, limit: usize) -> Result<Vec<Batch>, StoreError>;
    /// Notes what a batch did to a record; a second effect replaces the first.
    fn keep_effect(&self, batch: i64, record: RecordId, effect: &str) -> Result<(), StoreError>;
    /// What a batch did to a record.
    fn effect(&self, batch: i64, record: RecordId) -> Result<Option<String>, StoreError>;
    /// What a batch did, by record, after one, at most `limit`.
    fn effects(
        &self,
        batch: i64,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<(RecordId, String)>, StoreError>;
}

impl Notes for Connection {
    fn imported(&self, record: RecordId) -> Result<Option<ImportedRow>, StoreError> {
        Ok(self
            .prepare_cached("SELECT fingerprint, pending FROM import_row WHERE record = ?1")?
            .query_row([record.as_bytes()], |row| {
                Ok(ImportedRow { fingerprint: row.get(0)?, pending: row.get(1)? })
            })
            .optional()?)
    }

    fn keep_imported(&self, record: RecordId, row: &ImportedRow) -> Result<(), StoreError> {
        self.prepare_cached(
            "INSERT INTO import_row (record, fingerprint, pending) VALUES (?1, ?2, ?3)
             ON CONFLICT (record) DO UPDATE
             SET fingerprint = excluded.fingerprint, pending = excluded.pending",
        )?
        .execute((record.as_bytes(), &row.fingerprint, &row.pending))?;
        Ok(())
    }

    fn forget_imported(&self, record: RecordId) -> Result<(), StoreError> {
        self.prepare_cached("DELETE FROM import_row WHERE record = ?1")?
            .execute([record.as_bytes()])?;
        Ok(())
    }

    fn pending(
        &self,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<(RecordId, String)>, StoreError> {
        let mut statement = self.prepare_cached(
            "SELECT record, pending FROM import_row
             WHERE pending <> '' AND record > ?1 ORDER BY record LIMIT ?2",
        )?;
        let rows = statement.query_map((bytes(after.as_ref()), count(limit)), |row| {
            Ok((RecordId::from_bytes(row.get(0)?), row.get(1)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn add_batch(&self, batch: &Batch) -> Result<i64, StoreError> {
        self.prepare_cached(
            "INSERT INTO import_batch (begun_at, file, entity, source) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((batch.begun_at, &batch.file, &batch.entity, &batch.source))?;
        Ok(self.last_insert_rowid())
    }

    fn save_batch(&self, batch: &Batch) -> Result<(), StoreError> {
        self.prepare_cached(
            "UPDATE import_batch SET ended_at = ?2, undone_at = ?3,
                 rows = ?4, created = ?5, updated = ?6, rejected = ?7
             WHERE id = ?1",
        )?
        .execute(params![
            batch.id,
            batch.ended_at,
            batch.undone_at,
            batch.rows.cast_signed(),
            batch.created.cast_signed(),
            batch.updated.cast_signed(),
            batch.rejected.cast_signed(),
        ])?;
        Ok(())
    }

    fn batch(&self, id: i64) -> Result<Option<Batch>, StoreError> {
        let sql = "SELECT id, begun_at, ended_at, undone_at, file, entity, source,
                       rows, created, updated, rejected
                   FROM import_batch WHERE id = ?1";
        Ok(self.prepare_cached(sql)?.query_row([id], read_batch).optional()?)
    }

    fn batches(&self, limit: usize) -> Result<Vec<Batch>, StoreError> {
        let sql = "SELECT id, begun_at, ended_at, undone_at, file, entity, source,
                       rows, created, updated, rejected
                   FROM import_batch ORDER BY id DESC LIMIT ?1";
        let mut statement = self.prepare_cached(sql)?;
        let rows = statement.query_map([count(limit)], read_batch)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn keep_effect(&self, batch: i64, record: RecordId, effect: &str) -> Result<(), StoreError> {
        self.prepare_cached(
            "INSERT INTO import_effect (batch, record, effect) VALUES (?1, ?2, ?3)
             ON CONFLICT (batch, record) DO UPDATE SET effect = excluded.effect",
        )?
        .execute((batch, record.as_bytes(), effect))?;
        Ok(())
    }

    fn effect(&self, batch: i64, record: RecordId) -> Result<Option<String>, StoreError> {
        let sql = "SELECT effect FROM import_effect WHERE batch = ?1 AND record = ?2";
        let mut statement = self.prepare_cached(sql)?;
        Ok(statement.query_row((batch, record.as_bytes()), |row| row.get(0)).optional()?)
    }

    fn effects(
        &self,
        batch: i64,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<(RecordId, String)>, StoreError> {
        let mut statement = self.prepare_cached(
            "SELECT record, effect FROM import_effect
             WHERE batch = ?1 AND record > ?2 ORDER BY record LIMIT ?3",
        )?;
        let rows = statement.query_map((batch, bytes(after.as_ref()), count(limit)), |row| {
            Ok((RecordId::from_bytes(row.get(0)?), row.get(1)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn read_batch(row: &rusqlite::Row<'_>) -> rusqlite::Result<Batch> {
    let number = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
    Ok(Batch {
        id: row.get(0)?,
        begun_at: row.get(1)?,
        ended_at: row.get(2)?,
        undone_at: row.get(3)?,
        file: row.get(4)?,
        entity: row.get(5)?,
        source: row.get(6)?,
        rows: number(7)?,
        created: number(8)?,
        updated: number(9)?,
        rejected: number(10)?,
    })
}

fn bytes(record: Option<&RecordId>) -> &[u8] {
    record.map_or(&[], |record| record.as_bytes())
}

fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Creates the tables of [`Notes`] where they are not: a server has no migrations of a device.
///
/// # Errors
///
/// Fails when the database does.
pub fn create_tables(conn: &Connection) -> Result<(), StoreError> {
    let has: bool = conn.query_row(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'import_row')",
        [],
        |row| row.get(0),
    )?;
    if !has {
        conn.execute_batch(include_str!("migrations/0002_import.sql"))?;
        conn.execute_batch(include_str!("migrations/0005_import_batches.sql"))?;
    }
    Ok(())
}

/// Page cache during an import, in KiB.
const CACHE_KIB: i64 = 65_536;
/// Pages of the write-ahead log between checkpoints during an import (about 64 MiB).
const CHECKPOINT_PAGES: i64 = 16_384;

/// How the connection is set otherwise: what the store has, and SQLite's own.
const USUAL_CACHE_KIB: i64 = super::CACHE_KIB;
const USUAL_CHECKPOINT_PAGES: i64 = 1_000;

/// Sets the connection for many writes, or as it is otherwise.
///
/// Ids are scattered over the tables, so that each batch touches most pages of the indexes; a
/// larger cache and rarer checkpoints write each page less often.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_bulk(conn: &Connection, is_bulk: bool) -> Result<(), StoreError> {
    let (cache, pages) = if is_bulk {
        (CACHE_KIB, CHECKPOINT_PAGES)
    } else {
        (USUAL_CACHE_KIB, USUAL_CHECKPOINT_PAGES)
    };
    conn.pragma_update(None, "cache_size", -cache)?;
    // The pragma answers with the new value, so that a plain update would fail.
    conn.pragma_update_and_check(None, "wal_autocheckpoint", pages, |_| Ok(()))?;
    Ok(())
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
