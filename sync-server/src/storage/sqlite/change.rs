//! The history: accepted changes, and what was refused.

use outrider_core::{
    crdt::{
        OpId,
        wire::{clock_from_bytes, clock_to_bytes},
    },
    ids::{ActorId, ChangeHash, DeviceId, DocumentId},
    sync::frame::Provenance,
    time::TimestampMs,
};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use uuid::Uuid;

use super::{Doing, damaged, document, from_sql, to_sql};
use crate::storage::{ArrivedChange, NewChange, StorageError, StoredChange, StoredRefusal};

const READING: &str = "reading the history";

/// The columns that [`read`] expects.
macro_rules! select_change {
    ($rest:literal) => {
        concat!(
            "SELECT hash, actor, seq, start_op, max_op, clock, bytes, keys, device, made_at, \
             received_at, position FROM change WHERE record = ?1 AND part = ?2 ",
            $rest
        )
    };
}

fn read(row: &Row<'_>) -> Result<StoredChange, StorageError> {
    let clock: Vec<u8> = row.get(5).doing(READING)?;
    let keys: String = row.get(7).doing(READING)?;
    Ok(StoredChange {
        hash: ChangeHash(row.get(0).doing(READING)?),
        actor: ActorId(row.get(1).doing(READING)?),
        seq: from_sql(row.get(2).doing(READING)?)?,
        start_op: from_sql(row.get(3).doing(READING)?)?,
        max_op: from_sql(row.get(4).doing(READING)?)?,
        clock: clock_from_bytes(&clock).map_err(damaged)?,
        bytes: row.get(6).doing(READING)?,
        keys: serde_json::from_str(&keys).map_err(damaged)?,
        device: DeviceId(Uuid::from_bytes(row.get(8).doing(READING)?)),
        made_at: row.get(9).doing(READING)?,
        received_at: row.get(10).doing(READING)?,
        position: from_sql(row.get(11).doing(READING)?)?,
    })
}

fn list(
    conn: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<Vec<StoredChange>, StorageError> {
    let mut query = conn.prepare_cached(sql).doing(READING)?;
    let mut found = query.query(params).doing(READING)?;
    let mut changes = Vec::new();
    while let Some(row) = found.next().doing(READING)? {
        changes.push(read(row)?);
    }
    Ok(changes)
}

/// The change named `hash`.
pub(super) fn find(
    conn: &Connection,
    id: &DocumentId,
    hash: ChangeHash,
) -> Result<Option<StoredChange>, StorageError> {
    let sql = select_change!("AND hash = ?3");
    list(conn, sql, params![id.record.as_bytes(), id.part.as_str(), hash.0])
        .map(|found| found.into_iter().next())
}

/// The hash of the `seq`-th change of `actor`.
pub(super) fn find_hash(
    conn: &Connection,
    id: &DocumentId,
    actor: ActorId,
    seq: u64,
) -> Result<Option<ChangeHash>, StorageError> {
    conn.prepare_cached(
        "SELECT hash FROM change WHERE record = ?1 AND part = ?2 AND actor = ?3 AND seq = ?4",
    )
    .doing(READING)?
    .query_row(params![id.record.as_bytes(), id.part.as_str(), actor.0, to_sql(seq)], |row| {
        row.get(0).map(ChangeHash)
    })
    .optional()
    .doing(READING)
}

/// The change that holds the operation `op`.
pub(super) fn find_with_op(
    conn: &Connection,
    id: &DocumentId,
    op: OpId,
) -> Result<Option<StoredChange>, StorageError> {
    let sql = select_change!("AND actor = ?3 AND start_op <= ?4 ORDER BY start_op DESC LIMIT 1");
    let params = params![id.record.as_bytes(), id.part.as_str(), op.actor.0, to_sql(op.counter)];
    let found = list(conn, sql, params)?.into_iter().next();
    Ok(found.filter(|change| change.max_op >= op.counter))
}

/// Changes after a position.
pub(super) fn since(
    conn: &Connection,
    id: &DocumentId,
    position: u64,
    limit: usize,
) -> Result<Vec<StoredChange>, StorageError> {
    let sql = select_change!("AND position > ?3 ORDER BY position, id LIMIT ?4");
    let params =
        params![id.record.as_bytes(), id.part.as_str(), to_sql(position), to_sql(limit as u64)];
    list(conn, sql, params)
}

/// The last changes of all documents since a moment, the latest first.
///
/// Along the order of arrival from its end, so that the answer costs the same however much there
/// is; a clock that was set back hides nothing.
pub(super) fn arrivals(
    conn: &Connection,
    since: TimestampMs,
    scan: usize,
) -> Result<Vec<ArrivedChange>, StorageError> {
    let mut query = conn
        .prepare_cached(
            "SELECT c.record, c.part, d.entity, c.device, c.keys, c.made_at, c.received_at,
                    c.position
             FROM change c JOIN document d ON d.record = c.record AND d.part = c.part
             WHERE c.id > (SELECT max(id) FROM change) - ?2 AND c.received_at >= ?1
             ORDER BY c.id DESC",
        )
        .doing(READING)?;
    let mut found = query.query(params![since, to_sql(scan as u64)]).doing(READING)?;
    let mut changes = Vec::new();
    while let Some(row) = found.next().doing(READING)? {
        let keys: String = row.get(4).doing(READING)?;
        changes.push(ArrivedChange {
            document: document::id_of(row)?,
            entity: row.get(2).doing(READING)?,
            device: DeviceId(Uuid::from_bytes(row.get(3).doing(READING)?)),
            keys: serde_json::from_str(&keys).map_err(damaged)?,
            made_at: row.get(5).doing(READING)?,
            received_at: row.get(6).doing(READING)?,
            position: from_sql(row.get(7).doing(READING)?)?,
        });
    }
    Ok(changes)
}

/// When each of the operations was made; those that are not in the history are left out.
pub(super) fn provenance(
    conn: &Connection,
    id: &DocumentId,
    ops: &[OpId],
) -> Result<Vec<Provenance>, StorageError> {
    let mut query = conn
        .prepare_cached(
            "SELECT max_op, made_at FROM change
             WHERE record = ?1 AND part = ?2 AND actor = ?3 AND start_op <= ?4
             ORDER BY start_op DESC LIMIT 1",
        )
        .doing(READING)?;
    let mut known = Vec::with_capacity(ops.len());
    for op in ops {
        let counter = to_sql(op.counter);
        let found: Option<(i64, TimestampMs)> = query
            .query_row(
                params![id.record.as_bytes(), id.part.as_str(), op.actor.0, counter],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()
            .doing(READING)?;
        if let Some((_, made_at)) = found.filter(|(max_op, _)| *max_op >= counter) {
            known.push(Provenance { actor: op.actor, counter: op.counter, made_at });
        }
    }
    Ok(known)
}

/// Adds an accepted change.
pub(super) fn add(
    conn: &Connection,
    id: &DocumentId,
    change: &NewChange,
    received_at: TimestampMs,
    position: u64,
) -> Result<(), StorageError> {
    const DOING: &str = "adding to the history";
    conn.prepare_cached(
        "INSERT INTO change (record, part, hash, actor, seq, start_op, max_op, clock, bytes, keys,
                             device, made_at, received_at, position)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )
    .doing(DOING)?
    .execute(params![
        id.record.as_bytes(),
        id.part.as_str(),
        change.hash.0,
        change.actor.0,
        to_sql(change.seq),
        to_sql(change.start_op),
        to_sql(change.max_op),
        clock_to_bytes(&change.clock),
        change.bytes,
        keys_to_json(&change.keys)?,
        change.device.0.as_bytes(),
        change.made_at,
        received_at,
        to_sql(position),
    ])
    .doing(DOING)?;
    Ok(())
}

fn keys_to_json(keys: &[String]) -> Result<String, StorageError> {
    serde_json::to_string(keys).map_err(damaged)
}

/// What was refused of `actor` under `seq`.
pub(super) fn find_refusal(
    conn: &Connection,
    id: &DocumentId,
    actor: ActorId,
    seq: u64,
) -> Result<Option<StoredRefusal>, StorageError> {
    let found: Option<(ChangeHash, String, String)> = conn
        .prepare_cached(
            "SELECT hash, code, keys FROM refusal
             WHERE record = ?1 AND part = ?2 AND actor = ?3 AND seq = ?4",
        )
        .doing(READING)?
        .query_row(params![id.record.as_bytes(), id.part.as_str(), actor.0, to_sql(seq)], |row| {
            Ok((ChangeHash(row.get(0)?), row.get(1)?, row.get(2)?))
        })
        .optional()
        .doing(READING)?;
    let Some((hash, code, keys)) = found else { return Ok(None) };
    Ok(Some(StoredRefusal { hash, code, keys: serde_json::from_str(&keys).map_err(damaged)? }))
}

/// Remembers a refusal. The first one under a number stays: its author may ask again.
pub(super) fn add_refusal(
    conn: &Connection,
    id: &DocumentId,
    actor: ActorId,
    seq: u64,
    refusal: &StoredRefusal,
) -> Result<(), StorageError> {
    const DOING: &str = "remembering a refusal";
    conn.prepare_cached(
        "INSERT INTO refusal (record, part, actor, seq, hash, code, keys)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (record, part, actor, seq) DO NOTHING",
    )
    .doing(DOING)?
    .execute(params![
        id.record.as_bytes(),
        id.part.as_str(),
        actor.0,
        to_sql(seq),
        refusal.hash.0,
        refusal.code,
        keys_to_json(&refusal.keys)?,
    ])
    .doing(DOING)?;
    Ok(())
}

/// Forgets a refusal.
pub(super) fn remove_refusal(
    conn: &Connection,
    id: &DocumentId,
    actor: ActorId,
    seq: u64,
) -> Result<(), StorageError> {
    conn.prepare_cached(
        "DELETE FROM refusal WHERE record = ?1 AND part = ?2 AND actor = ?3 AND seq = ?4",
    )
    .and_then(|mut delete| {
        delete.execute(params![id.record.as_bytes(), id.part.as_str(), actor.0, to_sql(seq)])
    })
    .doing("forgetting a refusal")?;
    Ok(())
}
