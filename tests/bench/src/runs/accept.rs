//! Changes that the server takes: how many devices one machine serves.

use outrider_core::{
    ids::RecordId,
    sync::frame::{Outcome as Answered, PushGroup, PushRequest},
};
use outrider_sync_server::storage::Device;
use tempfile::TempDir;

use super::{BATCH, Synced};
use crate::{
    Outcome,
    figure::Figure,
    floor::{Plain, Sync},
    input::{Dice, edit},
    measure::{Both, Cost, alternate, cost, thread_cpu_seconds},
    office::{Office, is_signed},
};

/// Pushes of one change before the other side has its turn.
const TURN: usize = 100;

pub(crate) fn run(world: &Synced) -> Outcome<Vec<Figure>> {
    let count = world.setting.records;
    let turns = world.setting.repetitions;
    let pushes = prepare(world, turns * (TURN + BATCH))?;
    let mut figures = Vec::new();
    let mut sides = Sides::open(world, &pushes)?;
    for (name, per_turn, size) in [("accept_1", TURN, 1), ("accept_1000", 1, BATCH)] {
        let both = sides.measure(turns, per_turn, size)?;
        let each = per_turn * size;
        figures.push(Figure::each(name, count, both.wall, each));
        figures.push(Figure::each(&[name, "_cpu"].concat(), count, both.cpu, each));
    }
    figures.push(signature(world, &pushes)?);
    Ok(figures)
}

/// Edits of a device, as its pushes: one group for each.
pub(super) struct Pushes {
    groups: Vec<PushGroup>,
    pub(super) whole: PushRequest,
}

impl Pushes {
    pub(super) fn of(&self, from: usize, count: usize) -> PushRequest {
        let groups = self.groups.iter().skip(from).take(count).cloned().collect();
        PushRequest { groups, ..self.whole.clone() }
    }
}

pub(super) fn prepare(world: &Synced, count: usize) -> Outcome<Pushes> {
    let folder = TempDir::new()?;
    let mut replica = world.reader(folder.path(), Sync::Off)?;
    let mut dice = Dice::new(11);
    let mut last = RecordId::from_bytes([0; 16]);
    for at in 0..count {
        let record = world.records.get(dice.below(world.records.len())).unwrap_or(&last);
        last = *record;
        replica.update(last, &edit(at))?;
    }
    let mut pushes = Pushes {
        groups: Vec::with_capacity(count),
        whole: replica.next_push(0)?.ok_or("nothing to push")?.request,
    };
    let mut after = 0;
    while let Some(batch) = replica.next_push(after)? {
        after = batch.last_id;
        pushes.groups.extend(batch.request.groups);
    }
    Ok(pushes)
}

/// A server and a plain database that take the same edits.
struct Sides<'a> {
    _folder: TempDir,
    office: Office,
    device: Device,
    plain: Plain,
    pushes: &'a Pushes,
    next: usize,
}

impl<'a> Sides<'a> {
    fn open(world: &Synced, pushes: &'a Pushes) -> Outcome<Self> {
        let folder = TempDir::new()?;
        let office = world.office(&folder.path().join("office"), Sync::Full)?;
        let mut plain = Plain::open(&folder.path().join("plain.db"), Sync::Full)?;
        plain.insert(&world.rows, BATCH)?;
        let device = office.device(pushes.whole.device)?;
        Ok(Self { _folder: folder, office, device, plain, pushes, next: 0 })
    }

    /// What turns of `per_turn` pushes of `size` changes each take.
    fn measure(&mut self, turns: usize, per_turn: usize, size: usize) -> Outcome<Both> {
        let first = self.next;
        self.next += turns * per_turn * size;
        let time = |work: &mut dyn FnMut() -> Outcome<()>| -> Outcome<Cost> { Ok(cost(work)?.0) };
        let requests = |turn: usize| -> Vec<PushRequest> {
            let from = first + turn * per_turn * size;
            (0..per_turn).map(|at| self.pushes.of(from + at * size, size)).collect()
        };
        let (office, device, plain) = (&self.office, &self.device, &mut self.plain);
        alternate(
            turns,
            |turn| {
                let requests = requests(turn);
                time(&mut || {
                    for request in &requests {
                        let response = office.accept(device, request)?;
                        let is_applied = |outcome: &Answered| *outcome == Answered::Applied;
                        if !response.answers.iter().all(|answer| is_applied(&answer.outcome)) {
                            return Err("a change was not applied".into());
                        }
                    }
                    Ok(())
                })
            },
            |turn| {
                let requests = requests(turn);
                time(&mut || {
                    for request in &requests {
                        let changes = request.groups.iter().flat_map(|group| &group.changes);
                        let changes: Vec<(&[u8], &[u8])> = changes
                            .map(|one| (one.record.as_bytes() as &[u8], one.bytes.as_slice()))
                            .collect();
                        plain.accept(&changes, turn)?;
                    }
                    Ok(())
                })
            },
        )
    }
}

/// What checking the signature of a push of one change adds, in processor time.
fn signature(world: &Synced, pushes: &Pushes) -> Outcome<Figure> {
    let folder = TempDir::new()?;
    let office = world.office(folder.path(), Sync::Off)?;
    let device = office.device(pushes.whole.device)?;
    let before = thread_cpu_seconds();
    for _ in 0..TURN {
        if !is_signed(&device, &pushes.whole) {
            return Err("a push with a wrong signature".into());
        }
    }
    let spent = (thread_cpu_seconds() - before) * 1e6 / TURN as f64;
    Ok(Figure::new("accept_signature", world.setting.records, spent, "µs/push"))
}
