//! Erased records: what is taken off this device, and what is remembered of it.
//!
//! An erasure beats the promise that nothing typed is lost: what waited in the outbox and in the
//! inbox goes too. How many values that were stays, and nothing else.

use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::json;

use super::StoreError;
use crate::{ids::RecordId, points, time::TimestampMs};

/// The code of what the inbox tells of an erasure.
pub const ERASED: &str = "erased";
/// The key under which it tells how many values went.
pub const TAKEN: &str = "erased_values";

/// The highest number of an erasure that was carried out here; 0 at first.
///
/// # Errors
///
/// As all functions here: fails when the database does.
pub fn reached(conn: &Connection) -> Result<u64, StoreError> {
    let number: i64 = conn
        .prepare_cached("SELECT coalesce(max(number), 0) FROM erased")?
        .query_row([], |row| row.get(0))?;
    Ok(number.unsigned_abs())
}

/// Forgets how far erasures were carried out, and nothing of which records they were: a server that
/// was put back counts anew, and tells all of them again.
///
/// # Errors
///
/// As all functions here.
pub fn forget_numbers(conn: &Connection) -> Result<(), StoreError> {
    conn.prepare_cached("UPDATE erased SET number = 0 WHERE number > 0")?.execute([])?;
    Ok(())
}

/// Whether a record was erased.
///
/// # Errors
///
/// As all functions here.
pub fn is_erased(conn: &Connection, record: RecordId) -> Result<bool, StoreError> {
    Ok(conn
        .prepare_cached("SELECT 1 FROM erased WHERE record = ?1")?
        .query_row([record.as_bytes()], |_| Ok(()))
        .optional()?
        .is_some())
}

/// Refused values of a record that wait for a person, as JSON objects.
///
/// # Errors
///
/// As all functions here.
pub fn refused_of(conn: &Connection, record: RecordId) -> Result<Vec<String>, StoreError> {
    let mut query = conn.prepare_cached(
        "SELECT refused FROM inbox WHERE record = ?1 AND dismissed_at IS NULL AND code <> ?2",
    )?;
    let refused = query.query_map(params![record.as_bytes(), ERASED], |row| row.get(0))?;
    let mut all: Vec<String> = refused.collect::<Result<_, _>>()?;
    let mut told =
        conn.prepare_cached("SELECT refused FROM inbox WHERE record = ?1 AND code = ?2")?;
    let told = told.query_map(params![record.as_bytes(), ERASED], |row| row.get::<_, String>(0))?;
    for one in told {
        // What an earlier erasure told is a count already.
        all.extend(Some(one?).filter(|one| !one.contains(TAKEN)));
    }
    Ok(all)
}

/// Removes everything of a record that is beside its documents: its own changes with their bytes,
/// what stood before them, refusals, who wrote what when, what imports remember.
///
/// # Errors
///
/// As all functions here.
pub fn remove_traces(conn: &Connection, record: RecordId) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM own_change WHERE record = ?1",
        "DELETE FROM quarantine WHERE record = ?1",
        // What an earlier erasure told is no trace: a count.
        "DELETE FROM inbox WHERE record = ?1
             AND (code <> 'erased' OR refused ->> '$.erased_values' IS NULL)",
        "DELETE FROM leaving WHERE record = ?1",
    ] {
        conn.prepare_cached(sql)?.execute([record.as_bytes()])?;
    }
    remove_notes(conn, record)?;
    // A request for approval repeats what somebody wanted to write.
    conn.prepare_cached(
        "DELETE FROM inbox WHERE entity = 'proposal' AND refused ->> '$.about_record' = ?1",
    )?
    .execute([record.to_string()])?;
    Ok(())
}

/// Removes who wrote what of a record when, and what imports remember of it: values that stood there
/// before among it.
///
/// # Errors
///
/// As all functions here.
pub fn remove_notes(conn: &Connection, record: RecordId) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM provenance WHERE record = ?1",
        "DELETE FROM import_row WHERE record = ?1",
        "DELETE FROM import_effect WHERE record = ?1",
    ] {
        conn.prepare_cached(sql)?.execute([record.as_bytes()])?;
    }
    Ok(())
}

/// Remembers an erasure; if it took typed values, the inbox tells how many.
///
/// # Errors
///
/// As all functions here.
pub fn note(
    conn: &Connection,
    (record, entity): (RecordId, &str),
    number: u64,
    taken: u64,
    now_ms: TimestampMs,
) -> Result<(), StoreError> {
    let taken = i64::try_from(taken).unwrap_or(i64::MAX);
    conn.prepare_cached(
        "INSERT INTO erased (record, number, at, taken) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (record) DO UPDATE SET
             number = max(number, excluded.number), at = excluded.at,
             taken = taken + excluded.taken, is_swept = 0",
    )?
    .execute(params![
        record.as_bytes(),
        i64::try_from(number).unwrap_or(i64::MAX),
        now_ms,
        taken
    ])?;
    if taken > 0 {
        conn.prepare_cached(
            "INSERT INTO inbox (record, part, entity, code, refused, made_at, refused_at)
             VALUES (?1, 'main', ?2, ?3, ?4, ?5, ?5)",
        )?
        .execute(params![
            record.as_bytes(),
            entity,
            ERASED,
            json!({ TAKEN: taken }).to_string(),
            now_ms
        ])?;
    }
    Ok(())
}

/// Makes what was removed unreadable in the files too: search entries that are marked as gone are
/// written anew without them, and the write-ahead log is emptied.
///
/// # Errors
///
/// As all functions here.
pub fn sweep(conn: &Connection) -> Result<bool, StoreError> {
    let is_due: bool = conn
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM erased WHERE is_swept = 0)")?
        .query_row([], |row| row.get(0))?;
    if !is_due {
        return Ok(true);
    }
    points::reach("device.sweep.before");
    super::search::sweep(conn)?;
    let is_busy: i64 = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if is_busy != 0 {
        return Ok(false);
    }
    points::reach("device.sweep.after");
    conn.execute("UPDATE erased SET is_swept = 1", [])?;
    Ok(true)
}
