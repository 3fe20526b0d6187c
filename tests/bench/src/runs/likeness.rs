//! Who may be the same: asked for while somebody types, and of the whole store, beside plain SQL
//! that looks for the same telephone number by an index.

use std::time::Instant;

use outrider_core::store::likeness::SCAN_MAX;
use rusqlite::OptionalExtension as _;
use tempfile::TempDir;

use super::Synced;
use crate::{
    Outcome,
    figure::Figure,
    floor::Sync,
    input::{Dice, ENTITY, customer},
    measure::median,
};

/// Records that are asked for.
const ASKED: usize = 500;
/// Records that are gone through for the pairs, at most.
const SCANNED: usize = 5_000;

pub(crate) fn run(world: &Synced) -> Outcome<Vec<Figure>> {
    let count = world.setting.records;
    let folder = TempDir::new()?;
    let replica = world.reader(&folder.path().join("device"), Sync::Off)?;
    let conn = replica.store().conn();
    let mut dice = Dice::new(11);
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..ASKED {
        let mut typed = customer(dice.below(count));
        let phone = typed.get("phone").and_then(|phone| phone.as_str()).map(str::to_owned);
        typed.remove("external_id");
        let start = Instant::now();
        let found = replica.likely(ENTITY, &typed, None)?;
        ours.push(start.elapsed().as_secs_f64() * 1e6);
        if found.is_empty() {
            return Err("a record that is there was not found".into());
        }
        let start = Instant::now();
        conn.prepare_cached(&format!("SELECT id FROM {ENTITY} WHERE phone = ?1 LIMIT 10"))?
            .query_row([phone], |row| row.get::<_, Vec<u8>>(0))
            .optional()?;
        floor.push(start.elapsed().as_secs_f64() * 1e6);
    }
    let start = Instant::now();
    let (mut scanned, mut after) = (0, None);
    while scanned < SCANNED.min(count) {
        let page = replica.duplicates(ENTITY, after, SCAN_MAX)?;
        scanned += page.scanned;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let ours_per = start.elapsed().as_secs_f64() * 1e6 / scanned.max(1) as f64;
    let start = Instant::now();
    let same: i64 = conn.query_row(
        &format!(
            "SELECT count(*) FROM (SELECT id, phone FROM {ENTITY} ORDER BY id LIMIT {SCANNED}) a
             JOIN {ENTITY} b ON b.phone = a.phone AND b.id > a.id"
        ),
        [],
        |row| row.get(0),
    )?;
    let floor_per = start.elapsed().as_secs_f64() * 1e6 / scanned.max(1) as f64;
    std::hint::black_box(same);
    Ok(vec![
        Figure::cost("likely_p50", count, (median(&ours), median(&floor)), "µs"),
        Figure::cost("duplicates_per_record", count, (ours_per, floor_per), "µs"),
    ])
}
