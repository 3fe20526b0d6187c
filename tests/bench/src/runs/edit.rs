//! One field of one record in a transaction of its own: what a tap on "save" costs.

use std::time::Instant;

use outrider_core::{ids::RecordId, replica::Replica};
use tempfile::TempDir;

use super::Synced;
use crate::{
    Outcome,
    figure::Figure,
    floor::{Plain, Sync},
    input::{Dice, edit},
    measure::{mean, median, thread_cpu_seconds},
};

/// Edits of one side before the other has its turn.
const TURN: usize = 200;

/// What edits took.
#[derive(Debug, Default)]
struct Times {
    /// Microseconds of each on the wall clock.
    wall: Vec<f64>,
    /// Microseconds of processor time, the mean of each turn.
    cpu: Vec<f64>,
}

impl Times {
    fn take(&mut self, mut one: impl FnMut(usize) -> Outcome<()>) -> Outcome<()> {
        let before = thread_cpu_seconds();
        for at in 0..TURN {
            let start = Instant::now();
            one(at)?;
            self.wall.push(start.elapsed().as_secs_f64() * 1e6);
        }
        self.cpu.push((thread_cpu_seconds() - before) * 1e6 / TURN as f64);
        Ok(())
    }
}

pub(crate) fn run(world: &Synced) -> Outcome<Vec<Figure>> {
    let count = world.setting.records;
    let (ours, floor) = measure(world, Sync::Full)?;
    let p50 = (median(&ours.wall), median(&floor.wall));
    let all = (mean(&ours.wall), mean(&floor.wall));
    let (ours, floor) = measure(world, Sync::Off)?;
    let work_p50 = (median(&ours.wall), median(&floor.wall));
    let work = (median(&ours.cpu), median(&floor.cpu));
    Ok(vec![
        Figure::cost("edit_p50", count, p50, "µs"),
        Figure::cost("edit_mean", count, all, "µs"),
        Figure::cost("edit_unsynced_p50", count, work_p50, "µs"),
        Figure::cost("edit_unsynced_cpu", count, work, "µs"),
    ])
}

fn measure(world: &Synced, sync: Sync) -> Outcome<(Times, Times)> {
    let folder = TempDir::new()?;
    let mut replica = world.reader(&folder.path().join("device"), sync)?;
    let mut plain = Plain::open(&folder.path().join("plain.db"), sync)?;
    plain.insert(&world.rows, super::BATCH)?;
    let (mut ours, mut floor) = (Times::default(), Times::default());
    let mut dice = Dice::new(7);
    for turn in 0..world.setting.repetitions {
        let records: Vec<RecordId> = (0..TURN)
            .filter_map(|_| world.records.get(dice.below(world.records.len())).copied())
            .collect();
        let value = |at: usize| turn * TURN + at;
        ours.take(|at| edit_one(&mut replica, records.get(at), value(at)))?;
        floor.take(|at| {
            let record = records.get(at).ok_or("no record")?;
            plain.update(record.as_bytes(), value(at))
        })?;
    }
    Ok((ours, floor))
}

fn edit_one(replica: &mut Replica, record: Option<&RecordId>, value: usize) -> Outcome<()> {
    replica.update(*record.ok_or("no record")?, &edit(value))?;
    Ok(())
}
