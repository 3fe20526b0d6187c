//! Do all replicas agree, and is everything there that anybody typed?

use std::path::Path;

use outrider_core::{
    ids::RecordId,
    replica::{Options, Replica},
    store::meta,
    sync::{digest, frame::Digest},
};
use outrider_sync_server::storage::{SCOPE_ALL, Storage as _, sqlite::SqliteStorage};
use serde_json::Value as Json;

use super::{
    device::{DemoError, Device},
    edits::{Trace, Typed},
};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Records on each device.
    pub(super) records: u64,
    /// Whether rows and documents are equal everywhere, and equal to the server's.
    pub(super) is_converged: bool,
    /// Fields with several values.
    pub(super) conflicts: u64,
    /// Things typed that are nowhere.
    pub(super) lost: Vec<String>,
}

/// Looks into every replica and into the server's data.
pub(super) fn verify(
    devices: &[Device],
    server_data: &Path,
    typed: &[Typed],
) -> Result<Verdict, DemoError> {
    let mut verdict = Verdict { records: 0, is_converged: true, conflicts: 0, lost: Vec::new() };
    let server = held_by_server(server_data)?;
    let mut first_rows = None;
    for device in devices {
        let replica = Replica::open(&device.home, Options::default())?;
        let status = replica.status()?;
        let rows = replica.dump_rows()?;
        let held = meta::cursor(replica.store().conn())
            .map_err(outrider_core::replica::ReplicaError::from)?
            .held;
        verdict.is_converged &= status.waiting == 0 && held == server;
        verdict.is_converged &= first_rows.get_or_insert_with(|| rows.clone()) == &rows;
        verdict.records = status.records.iter().map(|(_, count)| count).sum();
        verdict.conflicts = status.conflicts;
        for one in typed {
            if !is_there(&replica, one)? {
                verdict.lost.push(format!("{} on {}: {:?}", one.record, device.key, one.trace));
            }
        }
    }
    Ok(verdict)
}

fn held_by_server(data: &Path) -> Result<Digest, DemoError> {
    let storage = SqliteStorage::open(data)?;
    let mut held = Digest::default();
    for stream in storage.read()?.stream_digests(SCOPE_ALL)? {
        digest::toggle(&mut held, &stream.digest);
    }
    Ok(held)
}

fn is_there(replica: &Replica, typed: &Typed) -> Result<bool, DemoError> {
    let Some(record) = replica.get(typed.record)? else { return Ok(false) };
    Ok(match &typed.trace {
        Trace::Value { field, value } => {
            same(record.get(field), value) || is_beside(replica, typed.record, field, value)?
        }
        Trace::Member { field, member } => items(&record, field).any(|item| item == member),
        Trace::Cell { field, column, value } => {
            let mut cells = items(&record, field).filter_map(|row| row.get(column));
            cells.any(|cell| same(Some(cell), value))
                || is_beside(replica, typed.record, field, value)?
        }
        Trace::Words { field, words } => {
            record.get(field).and_then(Json::as_str).is_some_and(|text| text.contains(words))
        }
        Trace::Sum { field, total } => record.get(field).and_then(Json::as_i64) == Some(*total),
        Trace::Stage { to } => items(&record, "stages")
            .any(|entry| entry.get("to_stage").and_then(Json::as_str) == Some(to)),
    })
}

fn items<'a>(record: &'a Json, field: &str) -> impl Iterator<Item = &'a Json> {
    record.get(field).and_then(Json::as_array).into_iter().flatten()
}

/// Amounts are typed as text and come back as objects.
fn same(found: Option<&Json>, typed: &Json) -> bool {
    let Some(found) = found else { return false };
    let money = || {
        let amount = found.get("amount")?.as_str()?;
        let currency = found.get("currency")?.as_str()?;
        Some(Json::String(format!("{amount} {currency}")))
    };
    found == typed || money().as_ref() == Some(typed)
}

fn is_beside(
    replica: &Replica,
    record: RecordId,
    field: &str,
    value: &Json,
) -> Result<bool, DemoError> {
    let conflicts = replica.conflicts(Some(record))?;
    let mut of_field =
        conflicts.iter().filter(|conflict| conflict.key.split('/').next() == Some(field));
    Ok(of_field.any(|conflict| conflict.values.iter().any(|one| same(Some(&one.value), value))))
}
