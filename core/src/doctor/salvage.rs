//! A torn database file: every row that can be read, copied into a new file.
//!
//! The old file is kept beside it under a name with the time. Rows are read from both ends of each
//! table, and where a page is torn in between, from behind it; what lies on torn pages is lost here
//! and comes back from the server: the copy goes on as another copy of the store (under actors that
//! never wrote), with its digests counted anew, and the next session fetches what is missing.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, ErrorCode, OpenFlags, params_from_iter, types::Value};
use serde::Serialize;

use crate::{
    replica::{DATABASE_FILE, Options, ReplicaError},
    store::{Store, StoreError, hold, journal, seal},
    sync::{digest, frame::Digest},
    time::TimestampMs,
};

mod replace;

pub use replace::{ReplaceError, ReplacePoints, Replacement};

/// The points at which a crash is tried.
const POINTS: ReplacePoints =
    ["device.salvage.drafted", "device.salvage.linked", "device.salvage.named"];
/// What is said when nothing is left.
const NOTHING: &str = "nothing can be read of it; put back a copy of the folder, or enroll anew";
/// Tables that are made anew from others, and settings that the copy must not have: it is another
/// copy, whose rows nobody made yet.
const NOT_COPIED: [&str; 3] = ["instance", "schema_version", "held"];

/// What was saved of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SavedTable {
    /// Its name.
    pub table: String,
    /// Rows that are in the new file.
    pub rows: u64,
    /// Whether some could not be read.
    pub is_torn: bool,
}

/// What was saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Salvaged {
    /// By table.
    pub tables: Vec<SavedTable>,
    /// Where the torn file lies now.
    pub kept_in: PathBuf,
}

/// Copies what can be read of the store in `folder` into a new file, which takes its place.
///
/// Of the old one only the mark that says what the file is becomes another, so that nothing writes to it
/// any more.
///
/// # Errors
///
/// Fails when somebody else has it open, nothing can be read or the new file cannot be written; everything
/// is as before then.
pub fn salvage(
    folder: &Path,
    options: &Options,
    now_ms: TimestampMs,
) -> Result<Salvaged, ReplicaError> {
    let path = folder.join(DATABASE_FILE);
    if options.keys.is_none() && !hold::begins_well(&path) {
        return Err(StoreError::Damaged(NOTHING.to_owned()).into());
    }
    let replacement = Replacement::begin(folder, open_torn(&path, options)?).map_err(failed)?;
    let tables = copy_readable(&replacement, options)?;
    let kept_in = replacement.finish(now_ms, POINTS).map_err(failed)?;
    Ok(Salvaged { tables, kept_in })
}

fn failed(error: ReplaceError) -> ReplicaError {
    match error {
        ReplaceError::Store(error) => error.into(),
        ReplaceError::File { path, source } => ReplicaError::Folder { path, source },
    }
}

/// Opens a store's file without asking anything of what is in it.
fn open_torn(path: &Path, options: &Options) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = match &options.keys {
        None => Connection::open_with_flags(path, flags)?,
        Some(keys) => seal::open_known(path, flags, keys.as_ref())?,
    };
    conn.busy_timeout(crate::store::BUSY_TIMEOUT)?;
    // A flipped bit in a value is noticed by its sum; here all that can be read is read.
    conn.pragma_update(None, "cell_size_check", false)?;
    Ok(conn)
}

fn copy_readable(
    replacement: &Replacement,
    options: &Options,
) -> Result<Vec<SavedTable>, ReplicaError> {
    let draft = replacement.draft();
    let mut store = match &options.keys {
        None => Store::open(draft, options.durability)?,
        Some(keys) => Store::open_known(draft, options.durability, keys.as_ref())?,
    };
    let tx = store.begin()?;
    let saved = copy_tables(replacement.old(), &tx)?;
    for key in NOT_COPIED {
        tx.execute("DELETE FROM meta WHERE key = ?1", [key]).map_err(StoreError::from)?;
    }
    let mut held = Digest::default();
    {
        let mut query = tx
            .prepare("SELECT digest FROM document WHERE length(digest) = 16")
            .map_err(StoreError::from)?;
        let digests = query.query_map([], |row| row.get(0)).map_err(StoreError::from)?;
        for one in digests {
            digest::toggle(&mut held, &one.map_err(StoreError::from)?);
        }
    }
    crate::store::meta::set_held(&tx, &held)?;
    tx.commit().map_err(StoreError::from)?;
    if saved.iter().all(|table| table.rows == 0) {
        return Err(StoreError::Damaged(NOTHING.to_owned()).into());
    }
    // One file that stands for itself.
    journal::fold(store.conn()).map_err(StoreError::from)?;
    Ok(saved)
}

/// Copies every row that can be read into the tables that there are in `new`; a row of the same name
/// there is replaced.
///
/// # Errors
///
/// Fails when `new` cannot be written; what cannot be read of `old` is told.
pub fn copy_tables(old: &Connection, new: &Connection) -> Result<Vec<SavedTable>, StoreError> {
    own_tables(new)?.iter().map(|table| copy_table(old, new, table)).collect()
}

/// The tables of a store that hold what nothing else makes anew. Typed rows and what they are found
/// by are not among them: an empty store has none of those yet.
fn own_tables(conn: &Connection) -> Result<Vec<String>, StoreError> {
    let mut query = conn.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
         ORDER BY name",
    )?;
    let names = query.query_map([], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

fn columns(conn: &Connection, table: &str) -> Vec<String> {
    let names = || {
        let mut query = conn.prepare("SELECT name FROM pragma_table_info(?1)")?;
        let names = query.query_map([table], |row| row.get::<_, String>(0))?;
        names.collect::<rusqlite::Result<Vec<_>>>()
    };
    names().unwrap_or_default()
}

fn copy_table(old: &Connection, new: &Connection, table: &str) -> Result<SavedTable, StoreError> {
    let mut saved = SavedTable { table: table.to_owned(), rows: 0, is_torn: false };
    let there: BTreeSet<String> = columns(old, table).into_iter().collect();
    let shared: Vec<String> =
        columns(new, table).into_iter().filter(|name| there.contains(name)).collect();
    if shared.is_empty() {
        saved.is_torn = true;
        return Ok(saved);
    }
    // Names come from this app's own tables; no data is ever in this text.
    let list = shared.join(", ");
    let marks = vec!["?"; shared.len()].join(", ");
    let insert = format!("INSERT OR REPLACE INTO {table} ({list}) VALUES ({marks})");
    let has_rowid = old.prepare(&format!("SELECT rowid FROM {table} LIMIT 0")).is_ok();
    let mut take = |row: Vec<Value>| -> Result<(), StoreError> {
        match new.prepare_cached(&insert)?.execute(params_from_iter(row)) {
            Ok(count) => saved.rows += count as u64,
            // A row that breaks a rule of its table says nothing any more.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {}
            // One that found no room would be missing, and nobody told.
            Err(error) => return Err(error.into()),
        }
        Ok(())
    };
    let is_torn = if has_rowid {
        copy_by_rowid(old, table, &list, shared.len(), &mut take)?
    } else {
        copy_from_both_ends(old, table, &list, shared.len(), &mut take)?
    };
    saved.is_torn = is_torn;
    Ok(saved)
}

type Take<'a> = dyn FnMut(Vec<Value>) -> Result<(), StoreError> + 'a;

/// Reads a table in the order of its rows; behind a torn page goes on at the next row that is found.
fn copy_by_rowid(
    old: &Connection,
    table: &str,
    list: &str,
    width: usize,
    take: &mut Take<'_>,
) -> Result<bool, StoreError> {
    let sql = format!("SELECT rowid, {list} FROM {table} WHERE rowid >= ?1 ORDER BY rowid");
    let mut is_torn = false;
    let mut from = i64::MIN;
    loop {
        let mut last = None;
        let read = read_rows(old, &sql, Some(from), width + 1, &mut |mut row| {
            if let Value::Integer(rowid) = row.remove(0) {
                last = Some(rowid);
            }
            take(row)
        })?;
        if read {
            return Ok(is_torn);
        }
        is_torn = true;
        let stopped = last.map_or(from, |last| last.saturating_add(1));
        match behind(old, table, stopped) {
            Some(next) => from = next,
            None => return Ok(is_torn),
        }
    }
}

/// The first row behind a torn page, looked for in growing steps.
fn behind(old: &Connection, table: &str, stopped: i64) -> Option<i64> {
    let first = format!("SELECT rowid FROM {table} WHERE rowid >= ?1 ORDER BY rowid LIMIT 1");
    let whole = format!("SELECT * FROM {table} WHERE rowid = ?1");
    let begin = stopped.max(0);
    for step in 0..62_u32 {
        let at = begin.checked_add(1_i64 << step)?;
        let found = old.query_row(&first, [at], |row| row.get::<_, i64>(0)).ok();
        let is_readable =
            |rowid: &i64| old.query_row(&whole, [rowid], |row| row.get::<_, Value>(0)).is_ok();
        if let Some(rowid) = found.filter(is_readable) {
            return Some(rowid);
        }
    }
    None
}

/// Reads a table without row numbers from its first row on, then from its last one back.
fn copy_from_both_ends(
    old: &Connection,
    table: &str,
    list: &str,
    width: usize,
    take: &mut Take<'_>,
) -> Result<bool, StoreError> {
    let forward = format!("SELECT {list} FROM {table}");
    if read_rows(old, &forward, None, width, take)? {
        return Ok(false);
    }
    let keys: Vec<String> = {
        let mut query =
            old.prepare("SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk")?;
        let names = query.query_map([table], |row| row.get::<_, String>(0))?;
        names.collect::<Result<_, _>>()?
    };
    let order: Vec<String> = keys.iter().map(|key| format!("{key} DESC")).collect();
    let backward = format!("SELECT {list} FROM {table} ORDER BY {}", order.join(", "));
    read_rows(old, &backward, None, width, take)?;
    Ok(true)
}

/// Reads rows until there are no more (true) or one cannot be read (false).
fn read_rows(
    old: &Connection,
    sql: &str,
    from: Option<i64>,
    width: usize,
    take: &mut Take<'_>,
) -> Result<bool, StoreError> {
    let Ok(mut query) = old.prepare(sql) else { return Ok(false) };
    let Ok(mut rows) = query.query(params_from_iter(from)) else { return Ok(false) };
    loop {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(true),
            Err(_) => return Ok(false),
        };
        let values: rusqlite::Result<Vec<Value>> = (0..width).map(|at| row.get(at)).collect();
        if let Ok(values) = values {
            take(values)?;
        }
    }
}
