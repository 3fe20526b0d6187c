//! Accidents of devices: processes that die, phones that are lost and put back, clocks that jump, disks
//! that are full, people who are away.

use super::{World, is_full};
use crate::{
    Failure,
    device::{Backup, DAY_MS, draw_skew},
    versions::Version,
};

/// Devices that begin as copies of others, at most.
const TWINS_MAX: usize = 2;
/// Steps that somebody is away, at most.
const AWAY_STEPS_MAX: usize = 120;
/// Days of two years.
const YEARS_DAYS: i64 = 730;
/// Pages that a full disk has left, at most.
const PAGES_LEFT_MAX: usize = 5;

impl World {
    pub(super) fn restart_device(&mut self, at: usize) -> Result<(), Failure> {
        self.out.fault("device_killed");
        self.note(at, "is restarted");
        let seed = self.dice.next();
        self.device(at)?.reopen(seed)
    }

    pub(super) fn back_up(&mut self, at: usize) -> Result<(), Failure> {
        let (folder, seed, next_edit) = (self.new_folder(), self.dice.next(), self.next_edit);
        let device = self.device(at)?;
        if device.id.is_none() || device.is_revoked {
            return Ok(());
        }
        device.back_up(&folder, seed)?;
        device.backup = Some(Backup { folder, next_edit });
        let device = self.devices.get(at).ok_or("there is no such device")?;
        self.ledger.note_copy(device.replica()?)?;
        self.note(at, "is backed up");
        Ok(())
    }

    pub(super) fn restore(&mut self, at: usize) -> Result<(), Failure> {
        let (folder, seed) = (self.new_folder(), self.dice.next());
        let Some(backup) = self.end_of_phone(at)? else { return Ok(()) };
        self.device(at)?.restore(&backup.folder, folder, seed)?;
        self.out.fault("device_restored");
        self.note(at, "is replaced by its backup");
        Ok(())
    }

    /// A snapshot of the whole folder is put back: what tells copies apart is as it was.
    pub(super) fn roll_back(&mut self, at: usize) -> Result<(), Failure> {
        let (folder, seed) = (self.new_folder(), self.dice.next());
        let Some(backup) = self.end_of_phone(at)? else { return Ok(()) };
        let device = self.devices.get_mut(at).ok_or("there is no such device")?;
        device.roll_back(&backup.folder, folder, seed)?;
        if let Some(enrolment) = device.replica()?.enrolment()? {
            self.ledger.forking.insert(enrolment.prefix);
        }
        self.out.fault("device_rolled_back");
        self.note(at, "is rolled back");
        Ok(())
    }

    /// A phone is about to be replaced by its backup, if there is one and phones fail at all.
    fn end_of_phone(&mut self, at: usize) -> Result<Option<Backup>, Failure> {
        let device = self.devices.get(at).ok_or("there is no such device")?;
        if !self.scene.phones_fail || device.is_revoked {
            return Ok(None);
        }
        let Some(backup) = device.backup.clone() else { return Ok(None) };
        self.ledger.note_end(&device.name, device.replica()?, backup.next_edit)?;
        Ok(Some(backup))
    }

    pub(super) fn add_twin(&mut self, at: usize) -> Result<(), Failure> {
        let (folder, seed) = (self.new_folder(), self.dice.next());
        let twins = self.devices.iter().filter(|device| device.name.ends_with('\'')).count();
        let is_possible = self.scene.phones_fail && twins < TWINS_MAX;
        let device = self.device(at)?;
        let backup = device.backup.clone().filter(|_| is_possible && !device.is_revoked);
        let Some(backup) = backup else { return Ok(()) };
        let twin = device.twin(&backup.folder, folder, seed)?;
        self.devices.push(twin);
        self.out.fault("device_cloned");
        self.note(at, "has a twin");
        Ok(())
    }

    pub(super) fn move_clock(&mut self, at: usize) -> Result<(), Failure> {
        let skew_ms = draw_skew(&mut self.dice);
        self.device(at)?.skew_ms = skew_ms;
        self.out.fault("device_clock");
        self.note(at, &format!("has a clock that is off by {} days", skew_ms / DAY_MS));
        Ok(())
    }

    pub(super) fn go_away(&mut self, at: usize) -> Result<(), Failure> {
        let until = self.step + 1 + self.dice.below(AWAY_STEPS_MAX);
        self.device(at)?.away_until = until;
        self.out.fault("device_away");
        self.note(at, &format!("is away until step {until}"));
        Ok(())
    }

    /// Two years pass, in which somebody is away: then the person comes back, or not yet.
    pub(super) fn go_away_for_years(&mut self, at: usize) -> Result<(), Failure> {
        let passed_ms = YEARS_DAYS * DAY_MS;
        for device in &mut self.devices {
            device.passed_ms += passed_ms;
        }
        self.server_mut()?.now_ms += passed_ms;
        self.out.device_hours += self.devices.len() as u64 * YEARS_DAYS.unsigned_abs() * 24;
        self.trace.note("two years pass");
        if self.dice.percent(50) { self.go_away(at) } else { Ok(()) }
    }

    /// For the time of one edit or of a few steps of a session the disk has no more room.
    pub(super) fn fill_disk(&mut self, at: usize) -> Result<(), Failure> {
        let left = u32::try_from(self.dice.below(PAGES_LEFT_MAX)).unwrap_or(0);
        self.device(at)?.limit_growth(Some(left))?;
        let done = if self.dice.percent(50) {
            self.edit(at, false)
        } else {
            (0..4).try_for_each(|_| self.talk(at))
        };
        self.device(at)?.limit_growth(None)?;
        match done {
            Err(error) if is_full(&*error) => {
                self.device(at)?.talk = None;
                self.out.fault("device_disk_full");
                self.note(at, "has no room on its disk");
                self.scan(at)
            }
            done => done,
        }
    }

    pub(super) fn upgrade_app(&mut self, at: usize) -> Result<(), Failure> {
        let seed = self.dice.next();
        if !self.scene.is_mixed {
            return Ok(());
        }
        let device = self.device(at)?;
        let next = match device.version {
            Version::First => Version::Second,
            Version::Second | Version::Third => Version::Third,
        };
        device.upgrade(next, seed)?;
        self.note(at, &format!("gets {}", next.name()));
        Ok(())
    }
}
