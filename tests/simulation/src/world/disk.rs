//! Disks that fail for a moment, lose their power, or rot: afterwards what was promised is there all the same.

use std::path::Path;

use outrider_core::store::Durability;
use outrider_disk::{Disk, Keep, Mode, Plan};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::World;
use crate::{Failure, device::Device, dice::Dice};

/// A disk fails within so many operations.
const OPERATIONS_MAX: usize = 90;
/// Steps of a session during which a disk fails.
const STRIDES: usize = 4;
/// How a disk fails. One that says it has what it has not is no fault of ours.
const MODES: [Mode; 5] = [Mode::Error, Mode::Full, Mode::Short, Mode::SyncFails, Mode::Power];

/// Whose disk fails just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failing {
    /// That of the device whose turn it is.
    Device,
    /// The server's.
    Server,
}

/// How a disk fails this time.
struct Accident {
    plan: Plan,
    keep: Keep,
    /// Whether the process goes on when the disk works again.
    goes_on: bool,
}

impl Accident {
    fn draw(dice: &mut Dice) -> Self {
        let mode = dice.pick(&MODES).copied().unwrap_or(Mode::Error);
        let at = 1 + dice.below(OPERATIONS_MAX) as u64;
        let is_lasting = dice.percent(50);
        let keep = if dice.percent(50) { Keep::Nothing } else { Keep::Sectors(dice.next()) };
        let goes_on = dice.percent(50) && mode != Mode::Power;
        Self { plan: Plan { mode, at, is_lasting }, keep, goes_on }
    }

    fn is_of_power(&self) -> bool {
        self.plan.mode == Mode::Power
    }

    /// It is over; where it was the power, nothing reaches the disk any more until [`end`](Self::end).
    fn stop(&self, disk: &Disk) {
        if self.is_of_power() {
            disk.begin(Some(Plan { mode: Mode::Power, at: 1, is_lasting: true }));
        } else {
            disk.heal();
        }
    }

    /// Everything on the disk is closed: it becomes what it holds.
    fn end(&self, disk: &Disk) -> Result<(), Failure> {
        disk.heal();
        if self.is_of_power() {
            disk.cut_power(self.keep)?;
        }
        Ok(())
    }
}

impl World {
    /// A device's disk fails while somebody edits or syncs.
    pub(super) fn break_disk(&mut self, at: usize) -> Result<(), Failure> {
        let accident = Accident::draw(&mut self.dice);
        let (seed, then, is_edit) = (self.dice.next(), self.dice.next(), self.dice.percent(50));
        let device = self.device(at)?;
        if device.is_revoked {
            return Ok(());
        }
        device.close();
        let disk = Disk::over(device.folder())?;
        device.reopen_as(seed, Durability::Full)?;
        disk.begin(Some(accident.plan));
        self.failing = Some(Failing::Device);
        let done = match is_edit {
            true => self.edit(at, false),
            false => (0..STRIDES).try_for_each(|_| self.talk(at)),
        };
        self.failing = None;
        let is_broken = disk.faults() > 0;
        let device = self.device(at)?;
        device.talk = None;
        accident.stop(&disk);
        if !accident.goes_on {
            device.close();
            accident.end(&disk)?;
            device.reopen(then)?;
        }
        self.note(at, &format!("had a disk that failed: {:?} {is_broken}", accident.plan));
        if is_broken {
            self.out.fault("device_disk_fails");
        } else {
            done?;
        }
        self.scan(at)
    }

    /// The server's disk fails while a device syncs.
    pub(super) fn break_disk_of_server(&mut self, at: usize) -> Result<(), Failure> {
        let accident = Accident::draw(&mut self.dice);
        if self.device(at)?.is_revoked {
            return Ok(());
        }
        let mut over = None;
        self.replace_server(|server, dice| {
            server.restart_after(dice, true, |folder| {
                over = Some(Disk::over(folder)?);
                Ok(())
            })
        })?;
        let disk = over.ok_or("the server has no disk")?;
        disk.begin(Some(accident.plan));
        self.failing = Some(Failing::Server);
        let done = (0..STRIDES).try_for_each(|_| self.talk(at));
        self.failing = None;
        self.trace.note(&format!("the server's disk failed: {:?}", accident.plan));
        if disk.faults() > 0 {
            self.out.fault("server_disk_fails");
        }
        done?;
        accident.stop(&disk);
        if accident.goes_on {
            return Ok(());
        }
        self.replace_server(|server, dice| {
            server.restart_after(dice, false, |_| accident.end(&disk))
        })
    }

    /// Whether what the server says now may be that its disk fails.
    pub(super) fn is_server_disk_failing(&self) -> bool {
        self.failing == Some(Failing::Server)
    }

    /// Whether what a device says now may be that its disk fails.
    pub(super) fn is_disk_failing(&self) -> bool {
        self.failing == Some(Failing::Device)
    }

    /// A bit flips in a document that a device stores.
    pub(super) fn rot(&mut self, at: usize) -> Result<(), Failure> {
        let (seed, mut dice) = (self.dice.next(), Dice::new(self.dice.next()));
        let device = self.device(at)?;
        if device.is_revoked {
            return Ok(());
        }
        device.close();
        let is_flipped = flip(&device.folder().join(Device::DATABASE), OF_DEVICE, &mut dice)?;
        device.has_rotted |= is_flipped;
        device.reopen(seed)?;
        if is_flipped {
            self.out.fault("device_rots");
        }
        self.note(at, &format!("has a bit the other way: {is_flipped}"));
        Ok(())
    }

    /// A bit flips in a document that the server stores.
    pub(super) fn rot_at_the_server(&mut self) -> Result<(), Failure> {
        let mut flipping = Dice::new(self.dice.next());
        let mut is_flipped = false;
        self.replace_server(|server, dice| {
            let database = server.database();
            server.restart_after(dice, false, |_| {
                is_flipped = flip(&database, OF_SERVER, &mut flipping)?;
                Ok(())
            })
        })?;
        if is_flipped {
            self.out.fault("server_rots");
        }
        self.trace.note(&format!("the server has a bit the other way: {is_flipped}"));
        Ok(())
    }
}

/// How many documents there are, which one is at a place, and how its bytes are replaced.
type Questions = [&'static str; 3];

const OF_DEVICE: Questions = [
    "SELECT count(*) FROM document",
    "SELECT record, part, state FROM document ORDER BY record, part LIMIT 1 OFFSET ?1",
    "UPDATE document SET state = ?3 WHERE record = ?1 AND part = ?2",
];
const OF_SERVER: Questions = [
    "SELECT count(*) FROM document",
    "SELECT record, part, content FROM document ORDER BY record, part LIMIT 1 OFFSET ?1",
    "UPDATE document SET content = ?3 WHERE record = ?1 AND part = ?2",
];

/// Flips a bit of one document; whether there is one.
fn flip(database: &Path, [count, find, put]: Questions, dice: &mut Dice) -> Result<bool, Failure> {
    let conn = Connection::open(database)?;
    let count: usize = conn.query_row(count, [], |row| row.get::<_, u32>(0))?.try_into()?;
    let place = u32::try_from(dice.below(count.max(1)))?;
    type Found = (Vec<u8>, String, Vec<u8>);
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let found: Option<Found> = conn.query_row(find, [place], read).optional()?;
    let Some((record, part, mut bytes)) = found else { return Ok(false) };
    let bit = dice.below((8 * bytes.len()).max(1));
    let Some(byte) = bytes.get_mut(bit / 8) else { return Ok(false) };
    *byte ^= 1 << (bit % 8);
    Ok(conn.execute(put, params![record, part, bytes])? == 1)
}
