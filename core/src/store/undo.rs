//! What taking an edit back needs: beside each change of this device what stood where it wrote.
//!
//! It stands in the row that the outbox writes anyway, survives the acknowledgement, and goes when
//! the change is long ago.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use rusqlite::{Connection, params};

use super::{
    StoreError,
    outbox::{self, OwnChange},
};
use crate::{ids::RecordId, sync::frame::GROUP_CHANGES_MAX, value::Value};

/// Taps that can be taken back, at most: the last ones.
pub const UNDO_TAPS_MAX: usize = 100;
/// Changes beside which it is kept what stood before, about: more than so many taps have.
const CHANGES_KEPT: i64 = (UNDO_TAPS_MAX * GROUP_CHANGES_MAX) as i64;
/// After so many changes, those that are long ago are cleared.
const CLEAR_EVERY: i64 = 512;

/// What stood before a change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Before {
    /// The tap that this one takes back.
    #[n(0)]
    pub undoes: Option<i64>,
    /// Whether the change created the record.
    #[n(1)]
    pub is_new: bool,
    /// What stood under its keys; nothing where a key is missing. A counter stands under its
    /// field, a row under `lines/<row>`.
    #[n(2)]
    pub olds: BTreeMap<String, Old>,
}

/// What stood under a key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Old {
    /// A value that had been cleared.
    #[n(0)]
    Null,
    /// Yes or no; yes for a member that was there.
    #[n(1)]
    Bool(#[n(0)] bool),
    /// A whole number.
    #[n(2)]
    Int(#[n(0)] i64),
    /// Text.
    #[n(3)]
    Text(#[n(0)] String),
    /// Bytes.
    #[n(4)]
    Bytes(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// What a counter was moved by.
    #[n(5)]
    Step(#[n(0)] i64),
    /// The row was made by the change.
    #[n(6)]
    NewRow,
}

impl From<&Value> for Old {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Int(number) => Self::Int(*number),
            Value::Text(text) => Self::Text(text.clone()),
            Value::Bytes(bytes) => Self::Bytes(bytes.clone()),
        }
    }
}

impl Old {
    /// The value that stood there.
    #[must_use]
    pub fn value(&self) -> Value {
        match self {
            Self::Null | Self::Step(_) | Self::NewRow => Value::Null,
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Int(number) => Value::Int(*number),
            Self::Text(text) => Value::Text(text.clone()),
            Self::Bytes(bytes) => Value::Bytes(bytes.clone()),
        }
    }
}

impl Before {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).unwrap_or_default()
    }
}

/// A change that can be taken back.
#[derive(Debug, Clone)]
pub struct Undoable {
    /// The change as it was written.
    pub own: OwnChange,
    /// What stood before.
    pub before: Before,
    /// Whether the office has it.
    pub is_acknowledged: bool,
}

/// The last taps that can be taken back, newest first, at most `limit`; the changes of each in the
/// order of writing.
///
/// # Errors
///
/// Fails when the database does, or what is stored is damaged.
pub fn taps(conn: &Connection, limit: usize) -> Result<Vec<Vec<Undoable>>, StoreError> {
    let limit = limit.min(UNDO_TAPS_MAX);
    let mut taps: Vec<Vec<Undoable>> = Vec::new();
    let sql = select(
        "undo <> x'' AND id > (SELECT coalesce(max(id), 0) FROM own_change) - ?1 ORDER BY id DESC",
    );
    let mut query = conn.prepare_cached(&sql)?;
    let mut rows = query.query([CHANGES_KEPT])?;
    while let Some(row) = rows.next()? {
        let found = read(row)?;
        let group = found.own.group_id;
        let is_same = |tap: &Vec<Undoable>| tap.iter().any(|other| other.own.group_id == group);
        if !taps.last().is_some_and(is_same) {
            if taps.len() >= limit {
                break;
            }
            taps.push(Vec::new());
        }
        if let Some(tap) = taps.last_mut() {
            tap.push(found);
        }
    }
    taps.iter_mut().for_each(|tap| tap.reverse());
    Ok(taps)
}

/// The changes of one tap that can be taken back, in the order of writing.
///
/// # Errors
///
/// Fails when the database does, or what is stored is damaged.
pub fn tap(conn: &Connection, group: i64) -> Result<Vec<Undoable>, StoreError> {
    // A group is numbered by its first change.
    let last = group.saturating_add(GROUP_CHANGES_MAX as i64);
    let sql = select("id >= ?1 AND id <= ?2 AND group_id = ?1 AND undo <> x'' ORDER BY id");
    let mut query = conn.prepare_cached(&sql)?;
    let mut rows = query.query(params![group, last])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// All changes of this device of a record, in the order of writing; what stood before is empty
/// where it is not known.
///
/// # Errors
///
/// Fails when the database does, or what is stored is damaged.
pub fn of_record(conn: &Connection, record: RecordId) -> Result<Vec<Undoable>, StoreError> {
    let mut query = conn.prepare_cached(&select("record = ?1 ORDER BY id"))?;
    let mut rows = query.query([record.as_bytes()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

fn select(condition: &str) -> String {
    // The condition is one of the constants of this file.
    let columns = outbox::COLUMNS;
    format!("SELECT {columns}, undo, acknowledged_at IS NOT NULL FROM own_change WHERE {condition}")
}

fn read(row: &rusqlite::Row<'_>) -> Result<Undoable, StoreError> {
    let bytes = row.get_ref(10)?.as_blob().map_err(rusqlite::Error::from)?;
    // What cannot be read cannot be taken back, and that is all.
    let before = if bytes.is_empty() { None } else { minicbor::decode(bytes).ok() };
    Ok(Undoable {
        own: outbox::read(row)?,
        before: before.unwrap_or_default(),
        is_acknowledged: row.get(11)?,
    })
}

/// Clears what stood before changes that are long ago, now and then.
pub(super) fn clear_old(conn: &Connection, last_id: i64) -> Result<(), StoreError> {
    let until = last_id - CHANGES_KEPT;
    if until <= 0 || last_id % CLEAR_EVERY != 0 {
        return Ok(());
    }
    conn.prepare_cached(
        "UPDATE own_change SET undo = x'' WHERE id <= ?1 AND id > ?2 AND undo <> x''",
    )?
    .execute(params![until, until - CLEAR_EVERY])?;
    Ok(())
}

/// Forgets what stood before the changes of a document that leaves this device.
///
/// # Errors
///
/// Fails when the database does.
pub fn forget(conn: &Connection, id: &crate::ids::DocumentId) -> Result<(), StoreError> {
    conn.prepare_cached("UPDATE own_change SET undo = x'' WHERE record = ?1 AND part = ?2")?
        .execute(params![id.record.as_bytes(), id.part.as_str()])?;
    Ok(())
}
