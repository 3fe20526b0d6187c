//! Backups that were finished, and up to where the feed is covered by them.
//!
//! Devices keep what they wrote until a server that was put back to a backup would have it. Which
//! backup that will be nobody knows: it may not be the newest. So what counts is the oldest one that
//! the operator keeps ([`BACKUPS_KEPT`] unless said otherwise), and nothing counts while there are
//! fewer. Rows are part of the database, and so of every later backup: a database that was put back
//! knows the backups before its own.

use outrider_core::time::TimestampMs;
use rusqlite::{Connection, OptionalExtension, params};

use super::{Doing, from_sql, to_sql};
use crate::storage::StorageError;

/// Backups that may be put back, unless the operator says how many are kept.
pub const BACKUPS_KEPT: u32 = 2;
/// Backups that are remembered, at most.
const REMEMBERED_MAX: i64 = 10_000;

/// Up to which position the feed is in all of the backups that are kept.
pub(super) fn covered(conn: &Connection) -> Result<Option<u64>, StorageError> {
    const DOING: &str = "reading up to where the feed is backed up";
    let kept: Option<i64> = conn
        .prepare_cached("SELECT kept FROM backup ORDER BY id DESC LIMIT 1")
        .and_then(|mut query| query.query_row([], |row| row.get(0)).optional())
        .doing(DOING)?;
    let Some(kept) = kept else { return Ok(None) };
    let (count, oldest): (i64, Option<i64>) = conn
        .prepare_cached(
            "SELECT count(*), min(position) FROM
                 (SELECT position FROM backup ORDER BY id DESC LIMIT ?1)",
        )
        .and_then(|mut query| query.query_row([kept], |row| Ok((row.get(0)?, row.get(1)?))))
        .doing(DOING)?;
    oldest.filter(|_| count >= kept).map(from_sql).transpose()
}

/// Notes a backup of which `kept` are kept.
pub(super) fn note(
    conn: &Connection,
    position: u64,
    made_at: TimestampMs,
    kept: u32,
) -> Result<(), StorageError> {
    const DOING: &str = "noting a backup";
    conn.execute(
        "INSERT INTO backup (position, made_at, kept) VALUES (?1, ?2, ?3)",
        params![to_sql(position), made_at, kept.max(1)],
    )
    .doing(DOING)?;
    conn.execute(
        "DELETE FROM backup WHERE id <= (SELECT max(id) FROM backup) - ?1",
        [REMEMBERED_MAX],
    )
    .doing(DOING)?;
    Ok(())
}

/// Notes the backup that a database was put back from: it is one of those that are kept.
pub(super) fn note_restored(
    conn: &Connection,
    position: u64,
    at: TimestampMs,
) -> Result<(), StorageError> {
    let kept: Option<u32> = conn
        .query_row("SELECT kept FROM backup ORDER BY id DESC LIMIT 1", [], |row| row.get(0))
        .optional()
        .doing("reading how many backups are kept")?;
    note(conn, position, at, kept.unwrap_or(BACKUPS_KEPT))
}
