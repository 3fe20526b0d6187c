//! The floor: plain SQLite with the same tables, indexes and settings, and nothing else.

use std::path::Path;

use outrider_core::{schema::Schema, store::rows};
use rusqlite::{Connection, TransactionBehavior, params, params_from_iter, types::Value};

use crate::{
    Outcome,
    input::{EDITED, ENTITY},
};

/// Whether commits wait for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sync {
    /// They do.
    Full,
    /// They do not: what is left is work.
    Off,
}

/// Typed rows: the columns that are filled, and the values, in the order of insertion.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    names: Vec<String>,
    values: Vec<Vec<Value>>,
}

impl Rows {
    /// Reads the rows that a device or a server wrote.
    pub(crate) fn read(database: &Path) -> Outcome<Self> {
        let conn = Connection::open(database)?;
        let mut query = conn.prepare(&format!("SELECT * FROM {ENTITY} ORDER BY rowid"))?;
        let all: Vec<String> = query.column_names().map(str::to_owned).collect();
        let rows = query.query_map([], |row| {
            (0..all.len()).map(|at| row.get(at)).collect::<Result<Vec<Value>, _>>()
        })?;
        let rows: Vec<Vec<Value>> = rows.collect::<Result<_, _>>()?;
        let is_filled = |at: usize| {
            let name = all.get(at).map(String::as_str);
            !matches!(name, Some("is_archived" | "conflicts"))
                && rows.iter().any(|row| row.get(at).is_some_and(|value| *value != Value::Null))
        };
        let filled: Vec<usize> = (0..all.len()).filter(|at| is_filled(*at)).collect();
        let names = filled.iter().filter_map(|at| all.get(*at).cloned()).collect();
        let take = |row: Vec<Value>| filled.iter().filter_map(|at| row.get(*at).cloned()).collect();
        Ok(Self { names, values: rows.into_iter().map(take).collect() })
    }

    /// The columns that are filled.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.values.len()
    }
}

/// A plain database.
#[derive(Debug)]
pub(crate) struct Plain {
    conn: Connection,
}

impl Plain {
    /// Opens the database at `path` with the settings of a device.
    pub(crate) fn open(path: &Path, sync: Sync) -> Outcome<Self> {
        let conn = Connection::open(path)?;
        conn.pragma_update(None, "journal_mode", "WAL")?;
        let synchronous = if sync == Sync::Full { "FULL" } else { "OFF" };
        conn.pragma_update(None, "synchronous", synchronous)?;
        conn.pragma_update(None, "cell_size_check", true)?;
        conn.pragma_update(None, "cache_size", -8_192)?;
        rows::create_tables(&conn, Schema::current())?;
        conn.execute_batch(
            "CREATE TABLE IF NOT EXISTS change (
                 id INTEGER PRIMARY KEY,
                 record BLOB NOT NULL,
                 bytes BLOB NOT NULL,
                 received_at INTEGER NOT NULL
             ) STRICT;
             CREATE INDEX IF NOT EXISTS change_of_record ON change (record);",
        )?;
        Ok(Self { conn })
    }

    /// Inserts rows, `batch` in a transaction.
    pub(crate) fn insert(&mut self, rows: &Rows, batch: usize) -> Outcome<()> {
        let places: Vec<String> = (1..=rows.names.len()).map(|at| format!("?{at}")).collect();
        let (names, places) = (rows.names.join(", "), places.join(", "));
        let sql = format!("INSERT INTO {ENTITY} ({names}) VALUES ({places})");
        for chunk in rows.values.chunks(batch.max(1)) {
            let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            {
                let mut insert = tx.prepare_cached(&sql)?;
                for row in chunk {
                    insert.execute(params_from_iter(row))?;
                }
            }
            tx.commit()?;
        }
        Ok(())
    }

    /// Changes one field of one record in a transaction of its own.
    pub(crate) fn update(&mut self, record: &[u8], value: usize) -> Outcome<()> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        update_field(&tx, record, value)?;
        tx.commit()?;
        Ok(())
    }

    /// Changes one field of each record and keeps a row of `bytes` for each, in one transaction.
    pub(crate) fn accept(&mut self, changes: &[(&[u8], &[u8])], value: usize) -> Outcome<()> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (record, bytes) in changes {
            update_field(&tx, record, value)?;
            tx.prepare_cached(
                "INSERT INTO change (record, bytes, received_at) VALUES (?1, ?2, 0)",
            )?
            .execute(params![record, bytes])?;
        }
        tx.commit()?;
        Ok(())
    }
}

fn update_field(conn: &Connection, record: &[u8], value: usize) -> Outcome<()> {
    let sql = format!("UPDATE {ENTITY} SET {EDITED} = ?2 WHERE id = ?1");
    conn.prepare_cached(&sql)?.execute(params![record, i64::try_from(value)?])?;
    Ok(())
}
