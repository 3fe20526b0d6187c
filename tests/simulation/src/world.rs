//! One run: devices, a server, people and accidents, step by step; then calm, and the verdict.
//!
//! Each step draws from dice of its own, which follow from the seed and the number of the step: a
//! step that is left out shifts nothing of what the others draw, so a run that fails can be made
//! smaller (`shrink`).
//!
//! * `scene`: what may happen in this run at all. * `talk`: sessions over the network. * `device`:
//!   accidents of devices. * `disk`: disks that fail and rot. * `house`: what happens to the server, and what the office decides.
//! * `calm`: the network heals.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use outrider_core::ids::{ChangeHash, DocumentId, RecordId};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::{
    Failure,
    clerk::Counter,
    device::{Device, EPOCH_MS},
    dice::Dice,
    event::Event,
    hand::Hand,
    ledger::Ledger,
    link::Weather,
    people::Desk,
    plan::{Check, Outcome, STEPS_MAX, Sabotage, Settings},
    server::Server,
    trace::Trace,
    verdict::{self, shown::Shown},
};

mod calm;
mod device;
mod disk;
mod house;
mod replay;
mod sabotage;
mod scene;
mod talk;

pub(crate) use calm::QUIET_ROUNDS_MAX;
use disk::Failing;
pub(crate) use scene::Scene;
pub(crate) use talk::Acknowledged;
use talk::OldRequest;

pub use replay::{Replayed, replay};

/// Steps that one session takes before others have their turn, at most.
const STRIDES_MAX: usize = 6;
/// The part of the dice that makes the world, and the part of the calm: no step has such a number.
const MAKING: u64 = u64::MAX;
const CALM: u64 = u64::MAX - 1;
/// Where runs live: in memory where there is such a folder, since nothing of them outlives them.
const MEMORY: &str = "/dev/shm";

/// Runs one seed. Whatever panics within is found like everything else.
#[must_use]
pub fn run(seed: u64, settings: &Settings) -> Outcome {
    catch_unwind(AssertUnwindSafe(|| live_and_judge(seed, settings))).unwrap_or_else(|panic| {
        let mut outcome = Outcome { seed, ..Outcome::default() };
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("?");
        outcome.add(Check::Alive, format!("the run panicked: {words}"));
        outcome
    })
}

fn live_and_judge(seed: u64, settings: &Settings) -> Outcome {
    let mut world = match World::new(seed, settings) {
        Ok(world) => world,
        Err(error) => {
            let mut outcome = Outcome { seed, ..Outcome::default() };
            outcome.add(Check::Alive, format!("the world cannot be built: {error}"));
            return outcome;
        }
    };
    let ended = world.live(settings);
    world.end(ended)
}

/// An error with its causes.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text = [text.as_str(), ": ", &more].concat();
        }
        cause = next.source();
    }
    text
}

/// Whether something failed because the disk was full.
fn is_full(error: &(dyn std::error::Error + 'static)) -> bool {
    chain(error).contains("disk is full")
}

/// Everything there is.
pub(crate) struct World {
    folder: TempDir,
    folders: usize,
    dice: Dice,
    step: usize,
    pub(crate) scene: Scene,
    pub(crate) trace: Trace,
    server: Option<Server>,
    pub(crate) devices: Vec<Device>,
    pub(crate) ledger: Ledger,
    pub(crate) records: Vec<RecordId>,
    letters: u32,
    next_edit: u32,
    weather: Weather,
    old: Vec<OldRequest>,
    backups: Vec<PathBuf>,
    /// Changes of which a device heard that the server has them.
    pub(crate) acknowledged: BTreeSet<(DocumentId, ChangeHash)>,
    /// Changes that a server had when its disk was lost.
    pub(crate) once_there: BTreeSet<(DocumentId, ChangeHash)>,
    /// What devices showed whenever the server was put back.
    pub(crate) shown: Vec<Shown>,
    /// Documents of a group of which a member was refused so: nothing of it goes up again.
    pub(crate) held_up: BTreeSet<DocumentId>,
    /// Changes that were acknowledged and refused when they were sent again, each with the code.
    pub(crate) refused_again: BTreeMap<(DocumentId, ChangeHash), String>,
    /// Records that the office erased.
    pub(crate) erased: BTreeSet<RecordId>,
    /// The place of the last change of the server that the ledger knows.
    seen_changes: i64,
    /// How the server's history is read beside its process.
    watch: Option<Connection>,
    /// Whose disk fails just now: what they say then is no finding.
    failing: Option<Failing>,
    pub(crate) sabotage: Option<Sabotage>,
    pub(crate) out: Outcome,
}

impl World {
    fn new(seed: u64, settings: &Settings) -> Result<Self, Failure> {
        let mut dice = Dice::of_part(seed, MAKING);
        let scene = Scene::draw(&mut dice, settings);
        let mut builder = tempfile::Builder::new();
        builder.prefix("outrider-sim");
        let folder =
            builder.tempdir_in(MEMORY).or_else(|_| builder.tempdir()).map_err(Failure::from)?;
        let version = scene.server_version();
        let server = Server::open(folder.path().join("server"), version, EPOCH_MS, &mut dice)?;
        let weather = Weather { percent: dice.pick(&[0, 4, 8, 12, 16]).copied().unwrap_or(8) };
        let count = settings.devices.unwrap_or_else(|| 2 + dice.below(4));
        let mut world = Self {
            folders: 0,
            step: 0,
            scene,
            trace: Trace::new(settings.keeps_trace),
            server: Some(server),
            devices: Vec::new(),
            ledger: Ledger::of(scene.is_mixed),
            records: Vec::new(),
            letters: 0,
            next_edit: 1,
            weather,
            old: Vec::new(),
            backups: Vec::new(),
            acknowledged: BTreeSet::new(),
            once_there: BTreeSet::new(),
            shown: Vec::new(),
            held_up: BTreeSet::new(),
            refused_again: BTreeMap::new(),
            erased: BTreeSet::new(),
            seen_changes: 0,
            watch: None,
            failing: None,
            sabotage: settings.sabotage,
            out: Outcome { seed, ..Outcome::default() },
            folder,
            dice,
        };
        for _ in 0..world.dice.below(4) {
            world.change_policy()?;
        }
        for number in 0..count {
            world.add_device(number)?;
        }
        Ok(world)
    }

    /// The network heals, everybody syncs, and what is then there is judged.
    fn end(mut self, lived: Result<(), Failure>) -> Outcome {
        let ended = lived.and_then(|()| {
            self.sabotage_edits()?;
            let moves = self.calm()?;
            verdict::judge(&mut self, moves)
        });
        if let Err(error) = ended {
            self.out.add(Check::Alive, format!("the run broke: {}", chain(&*error)));
        }
        for broken in std::mem::take(&mut self.ledger.broken) {
            self.out.add(Check::Accounted, broken);
        }
        let mut outcome = self.out;
        outcome.edits = u64::from(self.next_edit) - 1;
        outcome.trace = self.trace.hash();
        outcome.lines = self.trace.into_lines();
        outcome
    }

    fn add_device(&mut self, number: usize) -> Result<(), Failure> {
        let folder = self.new_folder();
        // One draw more or less of one device shifts nothing for the others.
        let mut dice = Dice::new(self.dice.next());
        let version = self.scene.draw_version(&mut dice);
        let name = format!("device {number}");
        let device = Device::open_as(name, folder, version, dice.next())?;
        self.devices.push(device);
        self.note(number, &format!("has {}", version.name()));
        if dice.percent(if self.scene.is_restoring { 50 } else { 75 }) {
            self.enrol(number)?;
        }
        Ok(())
    }

    fn new_folder(&mut self) -> PathBuf {
        self.folders += 1;
        self.folder.path().join(format!("folder-{}", self.folders))
    }

    pub(crate) fn server(&self) -> Result<&Server, Failure> {
        self.server.as_ref().ok_or_else(|| "the server is down".into())
    }

    fn server_mut(&mut self) -> Result<&mut Server, Failure> {
        self.server.as_mut().ok_or_else(|| "the server is down".into())
    }

    /// Ends the server's process and begins it again, however `again` does that.
    fn replace_server(
        &mut self,
        again: impl FnOnce(Server, &mut Dice) -> Result<Server, Failure>,
    ) -> Result<(), Failure> {
        let server = self.server.take().ok_or("the server is down")?;
        self.watch = None;
        self.server = Some(again(server, &mut self.dice)?);
        Ok(())
    }

    fn device(&mut self, at: usize) -> Result<&mut Device, Failure> {
        self.devices.get_mut(at).ok_or_else(|| "there is no such device".into())
    }

    fn note(&mut self, at: usize, what: &str) {
        let name = self.devices.get(at).map_or("?", |device| device.name.as_str());
        self.trace.note(&[name, " ", what].concat());
    }

    fn take_number(&mut self) -> u32 {
        let number = self.next_edit;
        self.next_edit += 1;
        number
    }

    /// The part of the run in which everything may happen.
    fn live(&mut self, settings: &Settings) -> Result<(), Failure> {
        for step in 0..settings.steps.min(STEPS_MAX) {
            if !settings.has_step(step) {
                continue;
            }
            self.step = step;
            self.dice = Dice::of_part(self.out.seed, step as u64);
            self.trace.begin_step(step);
            let event = Event::draw(&mut self.dice, settings.kind);
            if settings.without.contains(&event) {
                continue;
            }
            self.make(event).map_err(|error| {
                Failure::from(format!("step {step} ({}): {}", event.name(), chain(&*error)))
            })?;
        }
        Ok(())
    }

    fn make(&mut self, event: Event) -> Result<(), Failure> {
        let at = self.dice.below(usize::from(u16::MAX)) % self.devices.len().max(1);
        match event {
            Event::Edit => self.edit(at, false),
            Event::Merge => self.edit(at, true),
            Event::OfficeEdit => self.work_at_the_office(),
            Event::Talk => {
                for _ in 0..=self.dice.below(STRIDES_MAX) {
                    self.talk(at)?;
                }
                Ok(())
            }
            Event::Replay => self.replay(),
            Event::RestartDevice => self.restart_device(at),
            Event::RestartServer => self.restart_server(),
            Event::BackUpServer => self.back_up_server(),
            Event::RestoreServer => self.restore_server(),
            Event::ChangePolicy => self.change_policy(),
            Event::BackUpDevice => self.back_up(at),
            Event::RestoreDevice => self.restore(at),
            Event::AddTwin => self.add_twin(at),
            Event::RollBack => self.roll_back(at),
            Event::DeviceClock => self.move_clock(at),
            Event::ServerClock => self.move_clock_of_server(),
            Event::Enrol => self.enrol(at),
            Event::Away => self.go_away(at),
            Event::Years => self.go_away_for_years(at),
            Event::DeviceDisk => self.fill_disk(at),
            Event::ServerDisk => self.fill_disk_of_server(at),
            Event::DeviceBreaks => self.break_disk(at),
            Event::ServerBreaks => self.break_disk_of_server(at),
            Event::DeviceRots => self.rot(at),
            Event::ServerRots => self.rot_at_the_server(),
            Event::Revoke => self.revoke(at),
            Event::Erase => self.erase(),
            Event::UpgradeApp => self.upgrade_app(at),
            Event::UpgradeServer => self.upgrade_server(),
        }
    }

    fn edit(&mut self, at: usize, is_merge: bool) -> Result<(), Failure> {
        let number = self.take_number();
        let device = self.devices.get_mut(at).ok_or("there is no such device")?;
        if device.is_revoked {
            return Ok(());
        }
        let mut desk = Desk {
            device,
            ledger: &mut self.ledger,
            hand: Hand {
                dice: &mut self.dice,
                records: &mut self.records,
                letters: &mut self.letters,
            },
            number,
        };
        let what = if is_merge { desk.merge()? } else { desk.edit()? };
        self.note(at, &what);
        Ok(())
    }

    fn work_at_the_office(&mut self) -> Result<(), Failure> {
        if !self.scene.office_writes {
            return Ok(());
        }
        let number = self.take_number();
        let mut counter = Counter {
            server: self.server.as_ref().ok_or("the server is down")?,
            ledger: &mut self.ledger,
            hand: Hand {
                dice: &mut self.dice,
                records: &mut self.records,
                letters: &mut self.letters,
            },
            number,
        };
        let what = counter.edit()?;
        self.trace.note(&["the office ", &what].concat());
        Ok(())
    }

    fn scan(&mut self, at: usize) -> Result<(), Failure> {
        let device = self.devices.get(at).ok_or("there is no such device")?;
        self.ledger.scan(&device.name, device.replica()?)
    }

    /// The folder of the server's data.
    pub(crate) fn data(&self) -> Result<&Path, Failure> {
        Ok(self.server()?.folder())
    }
}
