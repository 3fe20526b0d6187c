//! What one run of an import remembers while it runs: which rows came, which references wait.
//!
//! In a database of its own that SQLite keeps in a temporary file: memory does not grow with the
//! file that is imported, and nothing of it is in anybody's store.

use rusqlite::{Connection, OptionalExtension, params};

use crate::{ids::RecordId, schema::SqlValue, store::StoreError};

use super::Found;

/// A row of this run with references to records that were not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingRow {
    /// The row's record.
    pub record: RecordId,
    /// Which file of the run it is from.
    pub file: usize,
    /// Its number in the file.
    pub row: u64,
    /// Whether the row has been counted as unchanged.
    pub is_unchanged: bool,
    /// The references, as JSON.
    pub pending: String,
}

/// The notes of one run.
#[derive(Debug)]
pub struct Scratch {
    conn: Connection,
}

impl Scratch {
    /// Begins empty.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub fn new() -> Result<Self, StoreError> {
        // No name: a temporary file that is gone with the connection.
        let conn = Connection::open("")?;
        conn.execute_batch(
            "PRAGMA journal_mode = OFF;
             PRAGMA synchronous = OFF;
             -- records of the run, with the row of the file that came first
             CREATE TABLE seen (
                 record BLOB PRIMARY KEY NOT NULL,
                 first_row INTEGER NOT NULL
             ) STRICT, WITHOUT ROWID;
             -- keys that may come several times, with how often they came
             CREATE TABLE occurrence (
                 key BLOB PRIMARY KEY NOT NULL,
                 times INTEGER NOT NULL
             ) STRICT, WITHOUT ROWID;
             -- what a rehearsal would have made, by what other rows name it by
             CREATE TABLE made (
                 place TEXT NOT NULL,
                 value ANY NOT NULL,
                 record BLOB NOT NULL,
                 PRIMARY KEY (place, value, record)
             ) STRICT, WITHOUT ROWID;
             CREATE TABLE waiting (
                 record BLOB PRIMARY KEY NOT NULL,
                 file INTEGER NOT NULL,
                 row INTEGER NOT NULL,
                 is_unchanged INTEGER NOT NULL,
                 pending TEXT NOT NULL
             ) STRICT, WITHOUT ROWID;
             CREATE INDEX waiting_in_order ON waiting (file, row);",
        )?;
        Ok(Self { conn })
    }

    /// Notes that `row` of a file makes `record`; returns the earlier row that did, if any.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub fn note_seen(&self, record: RecordId, row: u64) -> Result<Option<u64>, StoreError> {
        let is_new = self
            .conn
            .prepare_cached(
                "INSERT INTO seen (record, first_row) VALUES (?1, ?2)
                 ON CONFLICT (record) DO NOTHING",
            )?
            .execute((record.as_bytes(), row.cast_signed()))?
            > 0;
        if is_new {
            return Ok(None);
        }
        let first: i64 = self
            .conn
            .prepare_cached("SELECT first_row FROM seen WHERE record = ?1")?
            .query_row([record.as_bytes()], |row| row.get(0))?;
        Ok(Some(first.unsigned_abs()))
    }

    /// Counts a key that may come several times; returns how often it came, this time included.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub fn count_key(&self, key: RecordId) -> Result<u64, StoreError> {
        let times: i64 = self
            .conn
            .prepare_cached(
                "INSERT INTO occurrence (key, times) VALUES (?1, 1)
                 ON CONFLICT (key) DO UPDATE SET times = times + 1 RETURNING times",
            )?
            .query_row([key.as_bytes()], |row| row.get(0))?;
        Ok(times.unsigned_abs())
    }

    /// Notes that a rehearsal would have made `record`, which other rows name by `value`.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub fn note_made(
        &self,
        place: &str,
        value: &SqlValue,
        record: RecordId,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "INSERT OR IGNORE INTO made (place, value, record) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![place, value, record.as_bytes()])?;
        Ok(())
    }

    /// What a rehearsal would have made under a name.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub fn find_made(&self, place: &str, value: &SqlValue) -> Result<Found, StoreError> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT record FROM made WHERE place = ?1 AND value = ?2 LIMIT 2")?;
        let mut rows = statement.query(params![place, value])?;
        let Some(row) = rows.next()? else { return Ok(Found::None) };
        let first = RecordId::from_bytes(row.get(0)?);
        Ok(if rows.next()?.is_some() { Found::Several } else { Found::One(first) })
    }

    /// Notes that references of a row are to be tried again at the end of the run.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub fn add_waiting(&self, waiting: &WaitingRow) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "INSERT OR REPLACE INTO waiting (record, file, row, is_unchanged, pending)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                waiting.record.as_bytes(),
                i64::try_from(waiting.file).unwrap_or(i64::MAX),
                waiting.row.cast_signed(),
                waiting.is_unchanged,
                waiting.pending,
            ])?;
        Ok(())
    }

    /// Rows whose references are tried again, in the order of files and rows, after one, at most
    /// `limit`.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub fn waiting(
        &self,
        after: Option<(usize, u64)>,
        limit: usize,
    ) -> Result<Vec<WaitingRow>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT record, file, row, is_unchanged, pending FROM waiting
             WHERE (file, row) > (?1, ?2) ORDER BY file, row LIMIT ?3",
        )?;
        let (file, row) = after.map_or((-1, -1), |(file, row)| {
            (i64::try_from(file).unwrap_or(i64::MAX), row.cast_signed())
        });
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map((file, row, limit), |row| {
            Ok(WaitingRow {
                record: RecordId::from_bytes(row.get(0)?),
                file: usize::try_from(row.get::<_, i64>(1)?).unwrap_or_default(),
                row: row.get::<_, i64>(2)?.unsigned_abs(),
                is_unchanged: row.get(3)?,
                pending: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether a record's references are among those that are tried again.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub fn is_waiting(&self, record: RecordId) -> Result<bool, StoreError> {
        Ok(self
            .conn
            .prepare_cached("SELECT 1 FROM waiting WHERE record = ?1")?
            .query_row([record.as_bytes()], |_| Ok(()))
            .optional()?
            .is_some())
    }
}
