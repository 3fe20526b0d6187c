//! The feed: which documents changed, in the order in which devices take them.

use outrider_core::{
    ids::{ChangeHash, DocumentId, RecordId},
    sync::{digest, frame::Digest},
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Doing, document, from_sql, to_sql};
use crate::storage::{FeedCursor, FeedQuery, FeedRow, SCOPE_ALL, StorageError};

/// The position of the last commit that changed something.
pub(super) fn position(conn: &Connection) -> Result<u64, StorageError> {
    const DOING: &str = "reading the position";
    let position = conn
        .prepare_cached("SELECT position FROM counter")
        .and_then(|mut query| query.query_row([], |row| row.get(0)))
        .doing(DOING)?;
    from_sql(position)
}

/// The chain's digest at a position.
pub(super) fn digest_at(conn: &Connection, position: u64) -> Result<Option<Digest>, StorageError> {
    const DOING: &str = "reading the feed's digest";
    if position == 0 {
        return Ok(Some(Digest::default()));
    }
    let Ok(position) = i64::try_from(position) else { return Ok(None) };
    conn.prepare_cached("SELECT digest FROM feed WHERE position = ?1")
        .doing(DOING)?
        .query_row(params![position], |row| row.get(0))
        .optional()
        .doing(DOING)
}

/// Takes the next position: extends the chain and counts up, the last writes before a commit.
pub(super) fn advance(
    conn: &Connection,
    position: u64,
    hashes: &[ChangeHash],
) -> Result<(), StorageError> {
    const DOING: &str = "taking the next position";
    let previous = position.saturating_sub(1);
    let before = digest_at(conn, previous)?
        .ok_or_else(|| StorageError::Damaged(format!("the feed lacks position {previous}")))?;
    conn.prepare_cached("INSERT INTO feed (position, digest) VALUES (?1, ?2)")
        .doing(DOING)?
        .execute(params![to_sql(position), digest::chain(&before, position, hashes)])
        .doing(DOING)?;
    conn.prepare_cached("UPDATE counter SET position = ?1, changes = changes + ?2")
        .doing(DOING)?
        .execute(params![to_sql(position), to_sql(hashes.len() as u64)])
        .doing(DOING)?;
    Ok(())
}

/// Puts a changed document, and with it its unit, at a position: in every scope that it is in.
pub(super) fn put(
    conn: &Connection,
    unit: RecordId,
    id: &DocumentId,
    entity: &str,
    position: u64,
) -> Result<(), StorageError> {
    touch(conn, unit, position)?;
    put_record(conn, unit, id, entity, position)
}

/// Puts a family at a position, which begins with the scope of everybody.
pub(super) fn begin(
    conn: &Connection,
    family: RecordId,
    position: u64,
) -> Result<(), StorageError> {
    conn.prepare_cached(
        "INSERT OR IGNORE INTO family_feed (scope, family, position, since, first)
         VALUES (?1, ?2, ?3, ?3, ?3)",
    )
    .and_then(|mut insert| insert.execute(params![SCOPE_ALL, family.as_bytes(), to_sql(position)]))
    .doing("placing a family in the feed")?;
    Ok(())
}

/// Puts a unit at a position in every scope that it is in.
pub(super) fn touch(conn: &Connection, unit: RecordId, position: u64) -> Result<(), StorageError> {
    conn.prepare_cached(
        "UPDATE family_feed SET position = ?2 WHERE family = ?1 AND gone = 0 AND position <> ?2",
    )
    .and_then(|mut update| update.execute(params![unit.as_bytes(), to_sql(position)]))
    .doing("placing a family in the feed")?;
    Ok(())
}

/// Puts a document at a position within its family.
pub(super) fn put_record(
    conn: &Connection,
    family: RecordId,
    id: &DocumentId,
    entity: &str,
    position: u64,
) -> Result<(), StorageError> {
    conn.prepare_cached(
        "INSERT INTO record_feed (family, record, part, entity, position)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (family, record, part) DO UPDATE SET
             entity = excluded.entity, position = excluded.position, gone = 0",
    )
    .and_then(|mut insert| {
        insert.execute(params![
            family.as_bytes(),
            id.record.as_bytes(),
            id.part.as_str(),
            entity,
            to_sql(position)
        ])
    })
    .doing("placing a document in the feed")?;
    Ok(())
}

/// Takes a document out of a unit; that it left is remembered with the position.
pub(super) fn remove(
    conn: &Connection,
    unit: RecordId,
    id: &DocumentId,
    position: u64,
) -> Result<(), StorageError> {
    conn.prepare_cached(
        "UPDATE record_feed SET gone = 1, position = ?4
         WHERE family = ?1 AND record = ?2 AND part = ?3",
    )
    .and_then(|mut update| {
        update.execute(params![
            unit.as_bytes(),
            id.record.as_bytes(),
            id.part.as_str(),
            to_sql(position)
        ])
    })
    .doing("taking a document out of a family")?;
    touch(conn, unit, position)
}

/// A page of the feed.
///
/// The first comparison finds the family by its index, the second the place within it. A family
/// that changes meanwhile moves behind the cursor, and comes again with all its rows.
pub(super) fn page(conn: &Connection, query: &FeedQuery<'_>) -> Result<Vec<FeedRow>, StorageError> {
    const DOING: &str = "reading the feed";
    // The index is entered at the cursor, so without one it must be entered behind the base: from
    // its beginning every family there is would be passed over.
    let start = query.base.saturating_add(1);
    let after = query.after.filter(|cursor| cursor.family_position >= start);
    let family: &[u8] = after.map_or(&[], |cursor| cursor.family.as_bytes());
    let record: &[u8] = after.map_or(&[], |cursor| cursor.record.as_bytes());
    let part = after.map_or("", |cursor| cursor.part.as_str());
    let mut select = conn
        .prepare_cached(
            "SELECT r.record, r.part, r.entity, r.position, f.position, f.family
             FROM family_feed f CROSS JOIN record_feed r ON r.family = f.family
             WHERE f.scope = ?1 AND f.position > ?2 AND r.position > ?2 AND r.gone = 0
               AND (f.position, f.family) >= (?3, ?4)
               AND (f.position, f.family, r.record, r.part) > (?3, ?4, ?5, ?6)
             ORDER BY f.position, f.family, r.record, r.part
             LIMIT ?7",
        )
        .doing(DOING)?;
    let mut found = select
        .query(params![
            query.scope,
            to_sql(query.base),
            to_sql(after.map_or(start, |cursor| cursor.family_position)),
            family,
            record,
            part,
            to_sql(query.limit as u64),
        ])
        .doing(DOING)?;
    let mut rows = Vec::new();
    while let Some(row) = found.next().doing(DOING)? {
        let id = document::id_of(row)?;
        rows.push(FeedRow {
            cursor: FeedCursor {
                family_position: from_sql(row.get(4).doing(DOING)?)?,
                family: RecordId::from_bytes(row.get(5).doing(DOING)?),
                record: id.record,
                part: id.part,
            },
            entity: row.get(2).doing(DOING)?,
            position: from_sql(row.get(3).doing(DOING)?)?,
        });
    }
    Ok(rows)
}

/// How many documents of a scope changed after a position.
pub(super) fn count(conn: &Connection, scope: &str, base: u64) -> Result<u64, StorageError> {
    let count = conn
        .prepare_cached(
            "SELECT count(*) FROM family_feed f CROSS JOIN record_feed r ON r.family = f.family
             WHERE f.scope = ?1 AND f.position > ?2 AND r.position > ?2 AND r.gone = 0",
        )
        .and_then(|mut query| query.query_row(params![scope, to_sql(base)], |row| row.get(0)))
        .doing("counting the feed")?;
    from_sql(count)
}
