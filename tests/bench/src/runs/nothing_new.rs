//! A device that comes back when nothing happened: what being online costs.

use tempfile::TempDir;

use super::Synced;
use crate::{Outcome, figure::Figure, floor::Sync, measure::median};

pub(crate) fn run(world: &Synced) -> Outcome<Vec<Figure>> {
    let count = world.setting.records;
    let folder = TempDir::new()?;
    let office = world.office(&folder.path().join("office"), Sync::Full)?;
    let mut replica = world.reader(&folder.path().join("device"), Sync::Full)?;
    let mut server = Vec::new();
    let mut last = office.sync(&mut replica)?;
    for _ in 0..world.setting.repetitions.max(5) {
        last = office.sync(&mut replica)?;
        server.push(last.server_seconds * 1e6);
    }
    let summary = last.summary;
    if summary.pulled != 0 {
        return Err("something was new".into());
    }
    Ok(vec![
        Figure::new("nothing_new_requests", count, summary.requests as f64, "requests"),
        Figure::new("nothing_new_up", count, summary.bytes_up as f64, "B"),
        Figure::new("nothing_new_down", count, summary.bytes_down as f64, "B"),
        Figure::new("nothing_new_server", count, median(&server), "µs"),
    ])
}
