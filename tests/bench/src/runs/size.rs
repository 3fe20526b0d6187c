//! Bytes on disk and on the wire: what a phone's storage and a slow network have to carry.

use std::{fs, path::Path};

use outrider_core::{replica::DATABASE_FILE, sync::codec::pack};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{BATCH, Synced};
use crate::{
    Outcome,
    figure::Figure,
    floor::{Plain, Sync},
    input::edit,
};

pub(crate) fn run(world: &Synced) -> Outcome<Vec<Figure>> {
    let count = world.setting.records;
    let folder = TempDir::new()?;
    let (office_at, device_at) = (folder.path().join("office"), folder.path().join("device"));
    let plain_at = folder.path().join("plain.db");
    Plain::open(&plain_at, Sync::Off)?.insert(&world.rows, BATCH)?;

    let edits = count.min(BATCH);
    let office = world.office(&office_at, Sync::Off)?;
    let mut replica = world.reader(&device_at, Sync::Off)?;
    let databases = [device_at.join(DATABASE_FILE), office_at.join(DATABASE_FILE), plain_at];
    let before = sizes(&databases)?;
    for (at, record) in world.records.iter().take(edits).enumerate() {
        replica.update(*record, &edit(at))?;
    }
    let waiting = sizes(&databases)?;
    let push = replica.next_push(0)?.ok_or("nothing to push")?.request;
    let mut single = push.clone();
    single.groups.truncate(1);
    let (wire_one, wire_all) = (pack(&single)?.len(), pack(&push)?.len());
    office.sync(&mut replica)?;
    let after = sizes(&databases)?;

    let per = |bytes: f64, number: usize| bytes / number as f64;
    let [device, server, plain] = before.map(|bytes| per(bytes, count));
    let grown = |at: usize, from: &[f64; 3], to: &[f64; 3]| {
        let (from, to) = (from.get(at).unwrap_or(&0.0), to.get(at).unwrap_or(&0.0));
        per(to - from, edits)
    };
    let wire = world.wire_bytes as f64;
    Ok(vec![
        Figure::cost("size_device", count, (device, plain), "B/record"),
        Figure::cost("size_server", count, (server, plain), "B/record"),
        Figure::new("size_wire", count, per(wire, count), "B/record"),
        Figure::new("size_edit_wire_1", count, wire_one as f64, "B"),
        Figure::new("size_edit_wire_1000", count, per(wire_all as f64, edits), "B/edit"),
        Figure::new("size_edit_device", edits, grown(0, &before, &waiting), "B/edit"),
        Figure::new("size_edit_device_synced", edits, grown(0, &before, &after), "B/edit"),
        Figure::new("size_edit_server", edits, grown(1, &before, &after), "B/edit"),
    ])
}

/// Bytes of databases, with nothing left in their logs.
fn sizes(databases: &[impl AsRef<Path>; 3]) -> Outcome<[f64; 3]> {
    let mut found = [0.0; 3];
    for (to, path) in found.iter_mut().zip(databases) {
        Connection::open(path)?.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        *to = fs::metadata(path)?.len() as f64;
    }
    Ok(found)
}
