//! A device: a real replica in a folder, its clock, and the session that is under way.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use outrider_core::{
    ids::DeviceId,
    replica::{
        DATABASE_FILE, INSTANCE_FILE, KEY_FILE, Options, Replica, ReplicaError,
        session::{Request, Session},
    },
    store::{Durability, meta::Enrolment},
    time::{Clock, ManualClock, TimestampMs},
};

use crate::{Failure, dice::Dice, fresh, versions::Version, world::Acknowledged};

/// Times of edits are told apart by what is left of them after division by this.
pub(crate) const TICKS: i64 = 1_000_000;
/// When the run begins: a multiple of [`TICKS`].
pub(crate) const EPOCH_MS: TimestampMs = 1_780_000_000_000;
/// A day, about: 86.4 ticks make one.
pub(crate) const DAY_MS: i64 = 86 * TICKS;
/// For how long a device may go on without its server.
const LEASE_MS: i64 = 30 * DAY_MS;
/// How far a clock may be off, in days: ten years.
const SKEW_DAYS_MAX: usize = 3_652;
/// What the token of a device is called in a copy of its folder.
const TOKEN_COPY: &str = "token-of-the-original";

/// Where a session stands between two requests.
#[derive(Debug)]
pub(crate) enum Flight {
    /// Nothing is on its way.
    None,
    /// A request is on its way up.
    Up(Request),
    /// An answer is on its way down; it acknowledges these changes.
    Down(Vec<u8>, Acknowledged),
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
    /// How much time has passed beside what edits take, in multiples of [`TICKS`].
    pub(crate) passed_ms: i64,
    /// The version of its app.
    pub(crate) version: Version,
    /// The step from which it has a network again.
    pub(crate) away_until: usize,
    /// Whether the office turned it away for good.
    pub(crate) is_revoked: bool,
    /// Whether a bit of what it stores was ever the other way.
    pub(crate) has_rotted: bool,
    folder: PathBuf,
    clock: Arc<ManualClock>,
    replica: Option<Replica>,
}

impl Device {
    /// Name of its database.
    pub(crate) const DATABASE: &str = DATABASE_FILE;

    pub(crate) fn open(name: String, folder: PathBuf, seed: u64) -> Result<Self, Failure> {
        Self::open_as(name, folder, Version::First, seed)
    }

    pub(crate) fn open_as(
        name: String,
        folder: PathBuf,
        version: Version,
        seed: u64,
    ) -> Result<Self, Failure> {
        let mut device = Self {
            name,
            id: None,
            talk: None,
            backup: None,
            skew_ms: 0,
            passed_ms: 0,
            version,
            away_until: 0,
            is_revoked: false,
            has_rotted: false,
            folder,
            clock: Arc::new(ManualClock::at(EPOCH_MS)),
            replica: None,
        };
        fresh::device(&device.folder, version)?;
        device.reopen(seed)?;
        Ok(device)
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The process ends, and begins again.
    pub(crate) fn reopen(&mut self, seed: u64) -> Result<(), Failure> {
        self.reopen_as(seed, Durability::None)
    }

    /// The same; where the disk itself fails, commits wait for it.
    pub(crate) fn reopen_as(&mut self, seed: u64, durability: Durability) -> Result<(), Failure> {
        self.close();
        self.version.enter();
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let options = Options { clock, seed: Some(seed), durability, keys: None };
        self.replica = Some(Replica::open(&self.folder, options)?);
        Ok(())
    }

    /// The process ends.
    pub(crate) fn close(&mut self) {
        self.talk = None;
        self.replica = None;
    }

    pub(crate) fn replica(&self) -> Result<&Replica, Failure> {
        self.version.enter();
        self.replica.as_ref().ok_or_else(|| "the device is not open".into())
    }

    pub(crate) fn replica_mut(&mut self) -> Result<&mut Replica, Failure> {
        self.version.enter();
        self.replica.as_mut().ok_or_else(|| "the device is not open".into())
    }

    /// The replica and the session under way.
    pub(crate) fn both(&mut self) -> Result<(&mut Replica, Option<&mut Talk>), Failure> {
        self.version.enter();
        let replica = self.replica.as_mut().ok_or("the device is not open")?;
        Ok((replica, self.talk.as_mut()))
    }

    /// Sets the clock to what this device takes for the moment of edit `number`.
    pub(crate) fn tell_time(&self, number: u32) {
        let time_ms = EPOCH_MS + self.passed_ms + self.skew_ms + i64::from(number);
        self.clock.advance(time_ms - self.clock.now_ms());
    }

    /// An answer of the server arrived, with its time, as each does over HTTP.
    pub(crate) fn note_contact(&mut self, server_ms: TimestampMs) -> Result<(), ReplicaError> {
        match self.replica_mut() {
            Ok(replica) => replica.note_contact(server_ms, LEASE_MS),
            Err(_) => Ok(()),
        }
    }

    /// Lets the database grow by `more` pages at most; `None` takes the limit away.
    pub(crate) fn limit_growth(&self, more: Option<u32>) -> Result<(), Failure> {
        let conn = self.replica()?.store().conn();
        let pages: i64 = conn.query_row("PRAGMA page_count", [], |row| row.get(0))?;
        let most = more.map_or(i64::from(u32::MAX - 1), |more| pages + i64::from(more));
        Ok(conn.pragma_update_and_check(None, "max_page_count", most, |_| Ok(()))?)
    }

    /// Gets a newer app.
    pub(crate) fn upgrade(&mut self, version: Version, seed: u64) -> Result<(), Failure> {
        self.version = version;
        self.reopen(seed)
    }

    pub(crate) fn take_enrolment(&mut self, enrolment: &Enrolment) -> Result<(), Failure> {
        self.replica_mut()?.enroll(enrolment)?;
        self.id = Some(enrolment.device);
        Ok(())
    }

    /// Copies the folder as a backup does: the token that tells copies apart is put away.
    pub(crate) fn back_up(&mut self, to: &Path, seed: u64) -> Result<(), Failure> {
        self.replica = None;
        copy(&self.folder, to)?;
        fs::copy(self.folder.join(INSTANCE_FILE), to.join(TOKEN_COPY))?;
        self.reopen(seed)
    }

    /// The whole folder is as it was, with the token: what tells copies apart tells nothing.
    pub(crate) fn roll_back(&mut self, from: &Path, to: PathBuf, seed: u64) -> Result<(), Failure> {
        self.replica = None;
        copy(from, &to)?;
        fs::copy(from.join(TOKEN_COPY), to.join(INSTANCE_FILE))?;
        self.folder = to;
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
        let mut twin = Self::open_as(format!("{}'", self.name), to, self.version, seed)?;
        (twin.id, twin.skew_ms, twin.passed_ms) = (self.id, self.skew_ms, self.passed_ms);
        twin.has_rotted = self.has_rotted;
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

/// How far a clock may be off after a jump: ten years in either direction, and often just that.
pub(crate) fn draw_skew(dice: &mut Dice) -> i64 {
    let most = i64::try_from(SKEW_DAYS_MAX).unwrap_or(0);
    let days = match dice.below(4) {
        0 => most,
        1 => -most,
        2 => 0,
        _ => i64::try_from(dice.below(2 * SKEW_DAYS_MAX)).unwrap_or(0) - most,
    };
    days * DAY_MS
}
