//! A device: a real replica in a folder, its clock, and the session that is under way.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use outrider_core::{
    ids::DeviceId,
    replica::{
        DATABASE_FILE, KEY_FILE, Options, Replica,
        session::{Request, Session},
    },
    store::{Durability, meta::Enrolment},
    time::{Clock, ManualClock, TimestampMs},
};

use crate::{Failure, dice::Dice};

/// Times of edits are told apart by what is left of them after division by this.
pub(crate) const TICKS: i64 = 1_000_000;
/// When the run begins: a multiple of [`TICKS`].
pub(crate) const EPOCH_MS: TimestampMs = 1_780_000_000_000;

/// Where a session stands between two requests.
#[derive(Debug)]
pub(crate) enum Flight {
    /// Nothing is on its way.
    None,
    /// A request is on its way up.
    Up(Request),
    /// An answer is on its way down.
    Down(Vec<u8>),
}

/// A session under way.
#[derive(Debug)]
pub(crate) struct Talk {
    pub(crate) session: Session,
    pub(crate) flight: Flight,
}

/// A copy of a device's folder.
#[derive(Debug, Clone)]
pub(crate) struct Backup {
    pub(crate) folder: PathBuf,
    /// Edits from here on are not in it.
    pub(crate) next_edit: u32,
}

/// One device.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) name: String,
    pub(crate) id: Option<DeviceId>,
    pub(crate) talk: Option<Talk>,
    pub(crate) backup: Option<Backup>,
    /// How far its clock is off, in multiples of [`TICKS`].
    pub(crate) skew_ms: i64,
    folder: PathBuf,
    clock: Arc<ManualClock>,
    replica: Option<Replica>,
}

impl Device {
    pub(crate) fn open(name: String, folder: PathBuf, seed: u64) -> Result<Self, Failure> {
        let mut device = Self {
            name,
            id: None,
            talk: None,
            backup: None,
            skew_ms: 0,
            folder,
            clock: Arc::new(ManualClock::at(EPOCH_MS)),
            replica: None,
        };
        device.reopen(seed)?;
        Ok(device)
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The process ends, and begins again.
    pub(crate) fn reopen(&mut self, seed: u64) -> Result<(), Failure> {
        self.talk = None;
        self.replica = None;
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let options = Options { clock, seed: Some(seed), durability: Durability::None, keys: None };
        self.replica = Some(Replica::open(&self.folder, options)?);
        Ok(())
    }

    pub(crate) fn replica(&self) -> Result<&Replica, Failure> {
        self.replica.as_ref().ok_or_else(|| "the device is not open".into())
    }

    pub(crate) fn replica_mut(&mut self) -> Result<&mut Replica, Failure> {
        self.replica.as_mut().ok_or_else(|| "the device is not open".into())
    }

    /// The replica and the session under way.
    pub(crate) fn both(&mut self) -> Result<(&mut Replica, Option<&mut Talk>), Failure> {
        let replica = self.replica.as_mut().ok_or("the device is not open")?;
        Ok((replica, self.talk.as_mut()))
    }

    /// Sets the clock to what this device takes for the moment of edit `number`.
    pub(crate) fn tell_time(&self, number: u32) {
        let time_ms = EPOCH_MS + self.skew_ms + i64::from(number);
        self.clock.advance(time_ms - self.clock.now_ms());
    }

    pub(crate) fn take_enrolment(&mut self, enrolment: &Enrolment) -> Result<(), Failure> {
        self.replica_mut()?.enroll(enrolment)?;
        self.id = Some(enrolment.device);
        Ok(())
    }

    /// Copies the folder as a backup does: without the token that tells copies apart.
    pub(crate) fn back_up(&mut self, to: &Path, seed: u64) -> Result<(), Failure> {
        self.replica = None;
        fs::create_dir_all(to)?;
        for file in [DATABASE_FILE, KEY_FILE] {
            fs::copy(self.folder.join(file), to.join(file))?;
        }
        self.reopen(seed)
    }

    /// Goes on from a copy of the folder.
    pub(crate) fn restore(&mut self, from: &Path, to: PathBuf, seed: u64) -> Result<(), Failure> {
        self.replica = None;
        copy(from, &to)?;
        self.folder = to;
        self.reopen(seed)
    }

    /// A second device that begins as a copy of a backup of this one.
    pub(crate) fn twin(&self, from: &Path, to: PathBuf, seed: u64) -> Result<Self, Failure> {
        copy(from, &to)?;
        let mut twin = Self::open(format!("{}'", self.name), to, seed)?;
        twin.id = self.id;
        twin.skew_ms = self.skew_ms;
        Ok(twin)
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to)?;
    for file in [DATABASE_FILE, KEY_FILE] {
        fs::copy(from.join(file), to.join(file))?;
    }
    Ok(())
}

/// Copies all files of a folder.
pub(crate) fn copy_files(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// The number of the edit that was made at this time.
pub(crate) fn number_of(time_ms: TimestampMs) -> u32 {
    u32::try_from(time_ms.rem_euclid(TICKS)).unwrap_or(u32::MAX)
}

/// How far a clock may be off after a jump.
pub(crate) fn draw_skew(dice: &mut Dice) -> i64 {
    let days = i64::try_from(dice.below(4_000)).unwrap_or(0) - 2_000;
    // 86.4 ticks make a day.
    days * 86 * TICKS
}
