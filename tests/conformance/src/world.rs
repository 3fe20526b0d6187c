//! People with their devices, the office, and one clock that only moves when something happens.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use outrider_core::{
    crdt::State,
    ids::{DeviceId, DocumentId, RecordId},
    replica::{
        DATABASE_FILE, INSTANCE_FILE, Options, Replica,
        session::{Session, Summary},
    },
    schema::Schema,
    store::{Durability, document, meta::Enrolment, rows},
    time::{Clock, ManualClock, TimestampMs},
    transfer::{ImportReport, Job, Mapping, import},
};
use outrider_sync_server::{
    enrol::Draw,
    ledger::LEDGER_FILE,
    storage::{Content, Storage},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::{
    Failure,
    office::{Office, copy_files},
    see::without_time,
};

/// When a world begins: 2026-06-01, 08:00 UTC.
pub const EPOCH_MS: TimestampMs = 1_780_300_800_000;
/// How far the clock moves with everything that happens.
const STEP_MS: i64 = 60_000;
/// Rounds of sessions after which nothing may move any more.
pub const ROUNDS_MAX: usize = 8;
/// Requests of one session, at most.
const REQUESTS_MAX: usize = 200;

/// An empty device's and an empty server's database: making the tables of all entities takes
/// longer than most worlds.
static EMPTY: OnceLock<Option<TempDir>> = OnceLock::new();

fn make_empty() -> Result<TempDir, Failure> {
    let folder = tempfile::Builder::new().prefix("outrider-empty").tempdir()?;
    drop(Office::open(folder.path().join("office"))?);
    let options = Options { seed: Some(0), durability: Durability::None, ..Options::default() };
    drop(Replica::open(&folder.path().join("device"), options)?);
    Ok(folder)
}

/// Puts an empty database where none is yet: of a `device` or an `office`.
fn begin_with_empty(of: &str, folder: &Path) -> Result<(), Failure> {
    let empty = EMPTY.get_or_init(|| make_empty().ok()).as_ref().ok_or("no empty database")?;
    fs::create_dir_all(folder)?;
    // A server's ledger belongs to its database; what tells devices apart they draw themselves.
    for name in [DATABASE_FILE, LEDGER_FILE] {
        let from = empty.path().join(of).join(name);
        if from.exists() {
            fs::copy(from, folder.join(name))?;
        }
    }
    Ok(())
}

/// A device and who has it.
#[derive(Debug)]
pub struct Device {
    /// What the device is called.
    pub name: String,
    /// Who has it.
    pub user: String,
    folder: PathBuf,
    clock: Arc<ManualClock>,
    id: Option<DeviceId>,
    /// How far its clock is off.
    pub skew_ms: i64,
    replica: Option<Replica>,
}

impl Device {
    /// The replica, for reading.
    ///
    /// # Errors
    ///
    /// Fails while it is closed.
    pub fn replica(&self) -> Result<&Replica, Failure> {
        self.replica.as_ref().ok_or_else(|| "the device is closed".into())
    }

    /// The replica, for writing.
    ///
    /// # Errors
    ///
    /// Fails while it is closed.
    pub fn replica_mut(&mut self) -> Result<&mut Replica, Failure> {
        self.replica.as_mut().ok_or_else(|| "the device is closed".into())
    }

    /// Whether it talks to the office.
    #[must_use]
    pub fn is_enrolled(&self) -> bool {
        self.id.is_some()
    }

    fn open(&mut self, seed: u64) -> Result<(), Failure> {
        self.replica = None;
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let options = Options { clock, seed: Some(seed), durability: Durability::None, keys: None };
        self.replica = Some(Replica::open(&self.folder, options)?);
        Ok(())
    }
}

/// Everything there is.
#[derive(Debug)]
pub struct World {
    folder: TempDir,
    folders: u32,
    rng: StdRng,
    /// The server.
    pub office: Office,
    /// All devices, in the order in which they came.
    pub devices: Vec<Device>,
    now_ms: TimestampMs,
}

impl World {
    /// An office without devices; everything random in it comes from `seed`.
    ///
    /// # Errors
    ///
    /// Fails when the disk does.
    pub fn new(seed: u64) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("outrider-world").tempdir()?;
        begin_with_empty("office", &folder.path().join("office"))?;
        let office = Office::open(folder.path().join("office"))?;
        let rng = StdRng::seed_from_u64(seed);
        Ok(Self { folder, folders: 0, rng, office, devices: Vec::new(), now_ms: EPOCH_MS })
    }

    /// The time now.
    #[must_use]
    pub fn now_ms(&self) -> TimestampMs {
        self.now_ms
    }

    /// A random number below `limit`, for samples.
    pub fn draw(&mut self, limit: u32) -> u32 {
        self.rng.random_range(0..limit.max(1))
    }

    fn new_folder(&mut self) -> PathBuf {
        self.folders += 1;
        self.folder.path().join(format!("folder-{}", self.folders))
    }

    /// Time passes.
    pub fn tick(&mut self) {
        self.now_ms += STEP_MS;
        for device in &self.devices {
            device.clock.advance(self.now_ms + device.skew_ms - device.clock.now_ms());
        }
    }

    /// Time passes, more of it.
    pub fn wait(&mut self, ms: i64) {
        self.now_ms += ms;
        self.tick();
    }

    /// A new device, not yet enrolled; returns its place.
    ///
    /// # Errors
    ///
    /// Fails when the disk does.
    pub fn add_device(&mut self, user: &str, name: &str) -> Result<usize, Failure> {
        let mut device = Device {
            name: name.to_owned(),
            user: user.to_owned(),
            folder: self.new_folder(),
            clock: Arc::new(ManualClock::at(self.now_ms)),
            id: None,
            skew_ms: 0,
            replica: None,
        };
        begin_with_empty("device", &device.folder)?;
        device.open(self.rng.random())?;
        self.devices.push(device);
        Ok(self.devices.len() - 1)
    }

    /// The device at a place.
    ///
    /// # Errors
    ///
    /// Fails if there is none.
    pub fn device(&self, at: usize) -> Result<&Device, Failure> {
        self.devices.get(at).ok_or_else(|| "there is no such device".into())
    }

    /// The device at a place, to do something with it; time passes.
    ///
    /// # Errors
    ///
    /// Fails if there is none.
    pub fn act(&mut self, at: usize) -> Result<&mut Device, Failure> {
        self.tick();
        self.devices.get_mut(at).ok_or_else(|| "there is no such device".into())
    }

    /// Enrols a device.
    ///
    /// # Errors
    ///
    /// Fails when the server refuses.
    pub fn enrol(&mut self, at: usize) -> Result<(), Failure> {
        let draw =
            Draw { id: self.rng.random(), prefix: self.rng.random(), token: self.rng.random() };
        self.tick();
        let now_ms = self.now_ms;
        let device = self.devices.get_mut(at).ok_or("there is no such device")?;
        let key = device.replica()?.public_key();
        let enrolled = self.office.enrol((&device.user, &device.name), key, &draw, now_ms)?;
        device.replica_mut()?.enroll(&Enrolment {
            url: "http://office".to_owned(),
            device: enrolled.id,
            user: enrolled.user,
            prefix: enrolled.prefix,
            token: "token".to_owned(),
            user_record: enrolled.user_record,
            ca: None,
        })?;
        device.id = Some(enrolled.id);
        Ok(())
    }

    /// The process of a device ends, and begins again.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be opened.
    pub fn restart(&mut self, at: usize) -> Result<(), Failure> {
        let seed = self.rng.random();
        self.act(at)?.open(seed)
    }

    /// Copies a device's folder: whole, or as a backup does, without the token that tells copies
    /// apart. Returns where the copy is.
    ///
    /// # Errors
    ///
    /// Fails when the disk does.
    pub fn copy_device(&mut self, at: usize, is_whole: bool) -> Result<PathBuf, Failure> {
        let (to, seed) = (self.new_folder(), self.rng.random());
        let device = self.act(at)?;
        device.replica = None;
        copy_files(&device.folder, &to)?;
        if !is_whole {
            fs::remove_file(to.join(INSTANCE_FILE))?;
        }
        device.open(seed)?;
        Ok(to)
    }

    /// A device goes on from a copy of its folder; what came after the copy is gone from it.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be opened.
    pub fn restore_device(&mut self, at: usize, from: PathBuf) -> Result<(), Failure> {
        let seed = self.rng.random();
        let device = self.act(at)?;
        device.folder = from;
        device.open(seed)
    }

    /// A second device that begins with a copy of another one's folder.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be opened.
    pub fn add_twin(&mut self, of: usize, name: &str, from: PathBuf) -> Result<usize, Failure> {
        let (id, user) = self.device(of).map(|device| (device.id, device.user.clone()))?;
        let clock = Arc::new(ManualClock::at(self.now_ms));
        let (name, folder) = (name.to_owned(), from);
        let mut twin = Device { name, user, folder, clock, id, skew_ms: 0, replica: None };
        twin.open(self.rng.random())?;
        self.devices.push(twin);
        Ok(self.devices.len() - 1)
    }

    /// Copies the server's data; returns where the copy is.
    ///
    /// # Errors
    ///
    /// Fails when the disk does.
    pub fn back_up_office(&mut self) -> Result<PathBuf, Failure> {
        let to = self.new_folder();
        self.office.back_up(&to)?;
        Ok(to)
    }

    /// The server goes on from a copy of its data.
    ///
    /// # Errors
    ///
    /// Fails when the disk does.
    pub fn restore_office(&mut self, from: &Path) -> Result<(), Failure> {
        let to = self.new_folder();
        self.office.restore(from, to)
    }

    /// One undisturbed session of a device.
    ///
    /// # Errors
    ///
    /// Fails when either side does.
    pub fn sync(&mut self, at: usize) -> Result<Summary, Failure> {
        let mut session = Session::new();
        for _ in 0..REQUESTS_MAX {
            let device = self.act(at)?;
            let id = device.id.ok_or("the device is not enrolled")?;
            let Some(request) = session.next(device.replica_mut()?)? else {
                return Ok(session.summary().clone());
            };
            let answer = self.office.answer(id, request.path, &request.body, self.now_ms)?;
            let replica = self.devices.get_mut(at).ok_or("there is no such device")?;
            session.receive(replica.replica_mut()?, &mut answer.as_slice())?;
        }
        Err(format!("one session has more than {REQUESTS_MAX} requests").into())
    }

    /// A session of a device that breaks before the first answer arrives.
    ///
    /// # Errors
    ///
    /// Fails when either side does.
    pub fn sync_cut(&mut self, at: usize) -> Result<(), Failure> {
        let device = self.act(at)?;
        let id = device.id.ok_or("the device is not enrolled")?;
        let request = Session::new().next(device.replica_mut()?)?.ok_or("nothing to ask")?;
        self.office.answer(id, request.path, &request.body, self.now_ms).map(drop)
    }

    /// A device imports a CSV file.
    ///
    /// # Errors
    ///
    /// Fails when the mapping or the file as a whole is wrong.
    pub fn import(
        &mut self,
        at: usize,
        mapping: &str,
        file: &str,
    ) -> Result<ImportReport, Failure> {
        let path = self.new_folder().with_extension("csv");
        fs::write(&path, file)?;
        let mapping = Mapping::from_toml(mapping)?;
        let replica = self.act(at)?.replica_mut()?;
        Ok(import(replica, Job::new(&mapping, &path), false, &mut |_| {})?)
    }

    /// Every enrolled device syncs, in this order, until nothing moves any more.
    ///
    /// # Errors
    ///
    /// Fails when something still moves after [`ROUNDS_MAX`] rounds.
    pub fn sync_all(&mut self, order: &[usize]) -> Result<(), Failure> {
        for _ in 0..ROUNDS_MAX {
            let mut is_quiet = true;
            for at in order {
                let summary = self.sync(*at)?;
                is_quiet &= summary.requests == 1 && summary.pulled == 0 && summary.pushed == 0;
            }
            if is_quiet {
                return Ok(());
            }
        }
        Err(format!("after {ROUNDS_MAX} rounds something still moves").into())
    }

    /// Every device holds what the server holds, in documents, records and rows.
    ///
    /// # Errors
    ///
    /// Says where they differ.
    pub fn check_agreement(&mut self) -> Result<(), Failure> {
        let schema = Schema::current();
        let conn = rusqlite::Connection::open(self.office.database())?;
        let office_rows = rows::dump(&conn, schema)?;
        for at in 0..self.devices.len() {
            let Self { office, devices, .. } = self;
            let device = devices.get_mut(at).ok_or("there is no such device")?;
            let name = device.name.clone();
            let mut ids: Vec<(DocumentId, Vec<u8>)> = Vec::new();
            document::for_each(device.replica()?.store().conn(), |id, _, state| {
                ids.push((id.clone(), state.to_vec()));
                Ok(())
            })?;
            let mut records: Vec<RecordId> = ids.iter().map(|(id, _)| id.record).collect();
            records.dedup();
            for (id, mine) in &ids {
                let read = office.storage()?.read()?;
                let theirs = read.document(id)?.ok_or(format!("{name}: {id} is only here"))?;
                if let Content::Flat(theirs) = &theirs.content
                    && State::from_bytes(mine)? != *theirs
                {
                    return Err(format!("{name}: {id} is not what the office holds").into());
                }
            }
            for record in records {
                let mut mine = device.replica()?.get(record)?;
                mine.as_mut().and_then(Json::as_object_mut).into_iter().for_each(without_time);
                let theirs = office.get(record)?;
                same_json(&name, mine.as_ref(), theirs.as_ref())?;
            }
            let replica = device.replica_mut()?;
            let mine = replica.dump_rows()?;
            same_rows(&name, "the office's", &mine, &office_rows)?;
            replica.rebuild_rows()?;
            same_rows(&name, "rebuilt ones", &mine, &replica.dump_rows()?)?;
        }
        Ok(())
    }
}

fn same_json(name: &str, mine: Option<&Json>, theirs: Option<&Json>) -> Result<(), Failure> {
    if mine == theirs {
        return Ok(());
    }
    let show = |json: Option<&Json>| json.map(Json::to_string).unwrap_or_default();
    Err(format!("{name} sees {}, the office {}", show(mine), show(theirs)).into())
}

fn same_rows(name: &str, of: &str, mine: &[String], other: &[String]) -> Result<(), Failure> {
    if mine == other {
        return Ok(());
    }
    let first = mine.iter().zip(other).find(|(mine, other)| mine != other);
    Err(format!("{name}: rows are not {of}: {} and {}: {first:?}", mine.len(), other.len()).into())
}
