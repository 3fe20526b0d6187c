//! One run: devices, a server, people and accidents, step by step; then calm, and the verdict.

use std::path::PathBuf;

use outrider_core::{
    ids::RecordId,
    replica::session::{Session, Summary},
    schema::{Entity, Field, Schema, sample},
    store::meta::Enrolment,
};
use tempfile::TempDir;

use crate::{
    Failure,
    clerk::Counter,
    device::{Backup, Device, EPOCH_MS, Flight, Talk, draw_skew},
    dice::Dice,
    hand::Hand,
    ledger::Ledger,
    link::{Downward, Upward, Weather},
    people::Desk,
    server::Server,
    trace::Trace,
    verdict::{self, Verdict},
};

mod replay;

pub use replay::{Replayed, replay};

/// Rounds of undisturbed sessions after which nothing may move any more.
pub(crate) const QUIET_ROUNDS_MAX: usize = 12;
/// Bytes that a session without news may cost, up and down together.
pub(crate) const IDLE_BYTES_MAX: u64 = 2_048;
/// Requests of one undisturbed session, at most.
const CALM_REQUESTS_MAX: usize = 400;
/// Steps that one session takes before others have their turn, at most.
const STRIDES_MAX: usize = 8;
/// Devices that begin as copies of others, at most.
const TWINS_MAX: usize = 2;
/// Runs in which the server's disk is lost, in percent.
const DISASTERS: usize = 20;
/// Fields that the office withholds at once, at most.
const WITHHELD_MAX: usize = 3;

/// How a run is made.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How many devices there are; drawn for each run if none is given.
    pub devices: Option<usize>,
    /// How many steps the run has.
    pub steps: usize,
    /// Whether to keep the events as text.
    pub keeps_trace: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { devices: None, steps: 400, keeps_trace: false }
    }
}

/// What came of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The run's seed.
    pub seed: u64,
    /// Sessions that were begun.
    pub sessions: u64,
    /// Requests that were sent.
    pub requests: u64,
    /// Things that went wrong on purpose.
    pub faults: u64,
    /// Edits that people made.
    pub edits: u64,
    /// How often the server was restored from a backup.
    pub restores: u64,
    /// Ways in which replicas do not agree.
    pub diverged: Vec<String>,
    /// What devices hold that their users may not see.
    pub leaked: Vec<String>,
    /// Edits that cannot be accounted for.
    pub lost: Vec<String>,
    /// What does not come to rest, or breaks.
    pub stuck: Vec<String>,
    /// A digest of all that happened.
    pub trace: u64,
    /// The events, if they were kept.
    pub lines: Vec<String>,
}

impl Outcome {
    /// Whether all that must hold holds.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let Self { diverged, leaked, lost, stuck, .. } = self;
        [diverged, leaked, lost, stuck].into_iter().all(Vec::is_empty)
    }
}

/// Runs one seed.
#[must_use]
pub fn run(seed: u64, settings: &Settings) -> Outcome {
    let mut world = match World::new(seed, settings) {
        Ok(world) => world,
        Err(error) => {
            let stuck = vec![format!("the world cannot be built: {error}")];
            return Outcome { seed, stuck, ..Outcome::default() };
        }
    };
    let mut verdict = Verdict::default();
    let ended = world.live(settings).and_then(|()| {
        world.calm(&mut verdict)?;
        verdict::judge(&mut world, &mut verdict)
    });
    if let Err(error) = ended {
        verdict.stuck.push(format!("the run broke: {}", chain(&*error)));
    }
    verdict.stuck.append(&mut world.stuck);
    verdict.lost.append(&mut world.ledger.broken);
    Outcome {
        seed,
        sessions: world.sessions,
        requests: world.requests,
        faults: world.faults,
        edits: u64::from(world.next_edit) - 1,
        restores: world.restores,
        diverged: verdict.diverged,
        lost: verdict.lost,
        leaked: Vec::new(),
        stuck: verdict.stuck,
        trace: world.trace.hash(),
        lines: world.trace.into_lines(),
    }
}

/// A field that devices may write, and that the office withholds now and then: mostly one of those
/// that people edit often.
fn draw_withheld(dice: &mut Dice) -> Option<(&'static str, &'static str)> {
    let entities: Vec<&'static Entity> = Schema::current().entities().collect();
    let entity = dice.pick(&entities).copied()?;
    let fields: Vec<&'static Field> =
        entity.fields.iter().filter(|field| sample::is_by_person(field)).collect();
    let from = if dice.percent(60) { fields.get(..6).unwrap_or(&fields) } else { &fields };
    let field = dice.pick(from)?;
    Some((entity.name.as_str(), field.name.as_str()))
}

/// An error with its causes.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
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

/// A request that was sent once and may arrive again, much later.
struct OldRequest {
    device: usize,
    path: &'static str,
    body: Vec<u8>,
}

/// Whether the server's disk is lost in this run. Then nothing else may be lost for good, since
/// the devices are all that is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disaster {
    None,
    Ahead,
}

/// Everything there is.
pub(crate) struct World {
    folder: TempDir,
    folders: usize,
    dice: Dice,
    pub(crate) trace: Trace,
    server: Option<Server>,
    pub(crate) devices: Vec<Device>,
    pub(crate) ledger: Ledger,
    pub(crate) records: Vec<RecordId>,
    letters: u32,
    next_edit: u32,
    weather: Weather,
    old: Vec<OldRequest>,
    disaster: Disaster,
    server_backup: Option<PathBuf>,
    restores: u64,
    sessions: u64,
    requests: u64,
    faults: u64,
    stuck: Vec<String>,
}

impl World {
    fn new(seed: u64, settings: &Settings) -> Result<Self, Failure> {
        let mut dice = Dice::new(seed);
        let folder = tempfile::Builder::new().prefix("outrider-sim").tempdir()?;
        let server = Server::open(folder.path().join("server"), EPOCH_MS, &mut dice)?;
        let disaster = if dice.percent(DISASTERS) { Disaster::Ahead } else { Disaster::None };
        let count = settings.devices.unwrap_or_else(|| 2 + dice.below(4));
        let weather = Weather { percent: dice.pick(&[0, 2, 5, 8, 12]).copied().unwrap_or(5) };
        let mut world = Self {
            folders: 0,
            trace: Trace::new(settings.keeps_trace),
            server: Some(server),
            devices: Vec::new(),
            ledger: Ledger::default(),
            records: Vec::new(),
            letters: 0,
            next_edit: 1,
            weather,
            old: Vec::new(),
            disaster,
            server_backup: None,
            restores: 0,
            sessions: 0,
            requests: 0,
            faults: 0,
            stuck: Vec::new(),
            folder,
            dice,
        };
        for _ in 0..world.dice.below(4) {
            world.change_policy()?;
        }
        for number in 0..count {
            let folder = world.new_folder();
            let seed = world.dice.next();
            world.devices.push(Device::open(format!("device {number}"), folder, seed)?);
            if world.dice.percent(70) {
                world.enrol(number)?;
            }
        }
        Ok(world)
    }

    fn new_folder(&mut self) -> PathBuf {
        self.folders += 1;
        self.folder.path().join(format!("folder-{}", self.folders))
    }

    pub(crate) fn server(&self) -> Result<&Server, Failure> {
        self.server.as_ref().ok_or_else(|| "the server is down".into())
    }

    fn device(&mut self, at: usize) -> Result<&mut Device, Failure> {
        self.devices.get_mut(at).ok_or_else(|| "there is no such device".into())
    }

    fn note(&mut self, at: usize, what: &str) {
        let name = self.devices.get(at).map_or("?", |device| device.name.as_str());
        self.trace.note(&[name, " ", what].concat());
    }

    /// The part of the run in which everything may happen.
    fn live(&mut self, settings: &Settings) -> Result<(), Failure> {
        for step in 0..settings.steps {
            self.trace.begin_step(step);
            if let Err(error) = self.step() {
                let error = chain(&*error);
                return Err(format!("step {step}: {error}").into());
            }
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), Failure> {
        let at = self.dice.below(self.devices.len());
        match self.dice.below(1_000) {
            0..320 => self.edit(at),
            320..350 => self.work_at_the_office(),
            350..900 => {
                for _ in 0..=self.dice.below(STRIDES_MAX) {
                    self.talk(at)?;
                }
                Ok(())
            }
            900..925 => self.replay(),
            925..945 => self.restart_device(at),
            945..950 => self.restart_server(),
            950..955 => self.back_up_server(),
            955..975 => self.change_policy(),
            975..982 => self.back_up(at),
            982..987 => self.restore(at),
            987..989 => self.add_twin(at),
            989..993 => self.restore_server(),
            993..995 => self.move_clock(at),
            _ => self.enrol(at),
        }
    }

    fn edit(&mut self, at: usize) -> Result<(), Failure> {
        let number = self.next_edit;
        self.next_edit += 1;
        let device = self.devices.get_mut(at).ok_or("there is no such device")?;
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
        let what = desk.edit()?;
        self.note(at, &what);
        Ok(())
    }

    fn work_at_the_office(&mut self) -> Result<(), Failure> {
        if self.disaster == Disaster::Ahead {
            // What nobody but the server has cannot come back to it.
            return Ok(());
        }
        let number = self.next_edit;
        self.next_edit += 1;
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

    /// Takes a session one step further: a request, its way up, its way down.
    fn talk(&mut self, at: usize) -> Result<(), Failure> {
        let budget_bytes = if self.dice.percent(70) { 1 } else { 1 << 30 };
        let device = self.device(at)?;
        let Some(id) = device.id else { return Ok(()) };
        if device.talk.is_none() {
            let session = Session::with_budget(budget_bytes);
            device.talk = Some(Talk { session, flight: Flight::None });
            self.sessions += 1;
        }
        let (replica, talk) = self.device(at)?.both()?;
        let Some(talk) = talk else { return Ok(()) };
        match std::mem::replace(&mut talk.flight, Flight::None) {
            Flight::None => match talk.session.next(replica)? {
                None => self.end_session(at),
                Some(request) => {
                    talk.flight = Flight::Up(request);
                    self.requests += 1;
                    Ok(())
                }
            },
            Flight::Up(request) => {
                let body = request.body.clone();
                let upward = self.weather.upward(&mut self.dice);
                self.note(at, &format!("{} {} bytes {upward:?}", request.path, body.len()));
                if upward == Upward::Late || self.dice.percent(10) {
                    self.old.push(OldRequest { device: at, path: request.path, body });
                }
                self.faults += u64::from(upward != Upward::Arrives);
                if matches!(upward, Upward::Lost | Upward::Late) {
                    self.device(at)?.talk = None;
                    return Ok(());
                }
                let mut answer = self.ask(id, request.path, &request.body)?;
                if upward == Upward::Twice {
                    answer = self.ask(id, request.path, &request.body)?;
                }
                if let (_, Some(talk)) = self.device(at)?.both()? {
                    talk.flight = Flight::Down(answer);
                }
                Ok(())
            }
            Flight::Down(answer) => self.deliver(at, &answer),
        }
    }

    fn ask(
        &mut self,
        id: outrider_core::ids::DeviceId,
        path: &str,
        body: &[u8],
    ) -> Result<Vec<u8>, Failure> {
        let server = self.server.as_mut().ok_or("the server is down")?;
        server.answer(id, path, body, &mut self.dice)
    }

    fn deliver(&mut self, at: usize, answer: &[u8]) -> Result<(), Failure> {
        let downward = self.weather.downward(&mut self.dice);
        self.note(at, &format!("answer of {} bytes {downward:?}", answer.len()));
        let arrived = match downward {
            Downward::Arrives => answer,
            Downward::Lost => &[],
            Downward::Cut(thousandths) => {
                answer.get(..answer.len() * thousandths / 1_000).unwrap_or_default()
            }
        };
        let number = self.next_edit;
        self.next_edit += 1;
        let device = self.device(at)?;
        device.tell_time(number);
        let (replica, talk) = device.both()?;
        let Some(talk) = talk else { return Ok(()) };
        let received = talk.session.receive(replica, &mut &*arrived);
        if downward != Downward::Arrives {
            device.talk = None;
            self.faults += 1;
        } else if let Err(error) = received {
            device.talk = None;
            let name = device.name.clone();
            let step = chain(&error);
            self.stuck.push(format!("{name}: a whole answer could not be taken: {step}"));
        }
        self.scan(at)
    }

    fn end_session(&mut self, at: usize) -> Result<(), Failure> {
        let Some(talk) = self.device(at)?.talk.take() else { return Ok(()) };
        let Summary { pushed, applied, refused, forked, waiting, pulled, repaired, .. } =
            talk.session.summary();
        let what = format!(
            "session ends: pushed {pushed}, applied {applied}, refused {refused}, \
             forked {forked}, waiting {waiting}, pulled {pulled}, repaired {repaired}"
        );
        self.note(at, &what);
        self.scan(at)
    }

    fn scan(&mut self, at: usize) -> Result<(), Failure> {
        let device = self.devices.get(at).ok_or("there is no such device")?;
        self.ledger.scan(device.replica()?)
    }

    /// A request of long ago arrives (again).
    fn replay(&mut self) -> Result<(), Failure> {
        if self.old.is_empty() {
            return Ok(());
        }
        let old = self.old.swap_remove(self.dice.below(self.old.len()));
        let Some(id) = self.device(old.device)?.id else { return Ok(()) };
        self.faults += 1;
        self.note(old.device, &format!("{} arrives from long ago", old.path));
        self.ask(id, old.path, &old.body).map(drop)
    }

    fn restart_device(&mut self, at: usize) -> Result<(), Failure> {
        self.faults += 1;
        self.note(at, "is restarted");
        let seed = self.dice.next();
        self.device(at)?.reopen(seed)
    }

    fn restart_server(&mut self) -> Result<(), Failure> {
        self.faults += 1;
        self.trace.note("the server is restarted");
        let server = self.server.take().ok_or("the server is down")?;
        self.server = Some(server.restart(&mut self.dice)?);
        Ok(())
    }

    fn back_up_server(&mut self) -> Result<(), Failure> {
        let is_ready = self.devices.iter().all(|device| device.id.is_some());
        if self.disaster != Disaster::Ahead || self.server_backup.is_some() || !is_ready {
            return Ok(());
        }
        self.trace.note("the server is backed up");
        let to = self.new_folder();
        let server = self.server.take().ok_or("the server is down")?;
        self.server = Some(server.back_up(&to, &mut self.dice)?);
        self.server_backup = Some(to);
        Ok(())
    }

    /// The server's disk is lost. What devices had sent since the backup they send again.
    fn restore_server(&mut self) -> Result<(), Failure> {
        let Some(from) = self.server_backup.take() else { return Ok(()) };
        self.faults += 1;
        self.trace.note("the server is restored from its backup");
        let to = self.new_folder();
        let server = self.server.take().ok_or("the server is down")?;
        self.server = Some(server.restore(&from, to, &mut self.dice)?);
        self.restores += 1;
        Ok(())
    }

    fn change_policy(&mut self) -> Result<(), Failure> {
        if self.disaster == Disaster::Ahead {
            // What was permitted and acknowledged is not to be refused when it is sent again.
            return Ok(());
        }
        let Some(field) = draw_withheld(&mut self.dice) else { return Ok(()) };
        let server = self.server.as_mut().ok_or("the server is down")?;
        let count = server.withheld.len();
        server.withheld.retain(|known| *known != field);
        let is_withheld = server.withheld.len() == count && count < WITHHELD_MAX;
        if is_withheld {
            server.withheld.push(field);
        }
        self.trace.note(&format!("{field:?} is withheld: {is_withheld}"));
        Ok(())
    }

    fn back_up(&mut self, at: usize) -> Result<(), Failure> {
        let (folder, seed, next_edit) = (self.new_folder(), self.dice.next(), self.next_edit);
        let device = self.device(at)?;
        if device.id.is_none() {
            return Ok(());
        }
        device.back_up(&folder, seed)?;
        device.backup = Some(Backup { folder, next_edit });
        let device = self.devices.get(at).ok_or("there is no such device")?;
        self.ledger.note_copy(device.replica()?)?;
        self.note(at, "is backed up");
        Ok(())
    }

    fn restore(&mut self, at: usize) -> Result<(), Failure> {
        let (folder, seed) = (self.new_folder(), self.dice.next());
        let device = self.devices.get_mut(at).ok_or("there is no such device")?;
        let Some(backup) = device.backup.clone() else { return Ok(()) };
        if self.disaster == Disaster::Ahead {
            // Server and phone lost together have nobody left who knows.
            return Ok(());
        }
        self.ledger.note_end(device.replica()?, backup.next_edit)?;
        device.restore(&backup.folder, folder, seed)?;
        self.faults += 1;
        self.note(at, "is replaced by its backup");
        Ok(())
    }

    fn add_twin(&mut self, at: usize) -> Result<(), Failure> {
        let (folder, seed) = (self.new_folder(), self.dice.next());
        if self.disaster == Disaster::Ahead {
            return Ok(());
        }
        let twins = self.devices.iter().filter(|device| device.name.ends_with('\'')).count();
        let device = self.device(at)?;
        let Some(backup) = device.backup.clone().filter(|_| twins < TWINS_MAX) else {
            return Ok(());
        };
        let twin = device.twin(&backup.folder, folder, seed)?;
        self.devices.push(twin);
        self.faults += 1;
        self.note(at, "has a twin");
        Ok(())
    }

    fn move_clock(&mut self, at: usize) -> Result<(), Failure> {
        let skew_ms = draw_skew(&mut self.dice);
        self.device(at)?.skew_ms = skew_ms;
        self.faults += 1;
        self.note(at, &format!("has a clock that is off by {skew_ms} ms"));
        Ok(())
    }

    fn enrol(&mut self, at: usize) -> Result<(), Failure> {
        let number = self.next_edit;
        self.next_edit += 1;
        let device = self.devices.get_mut(at).ok_or("there is no such device")?;
        if device.id.is_some() {
            return Ok(());
        }
        device.tell_time(number);
        let (name, key) = (device.name.clone(), device.replica()?.public_key());
        let server = self.server.as_mut().ok_or("the server is down")?;
        let enrolled = server.enrol(&name, key, &mut self.dice)?;
        device.take_enrolment(&Enrolment {
            url: "http://office".to_owned(),
            device: enrolled.id,
            user: enrolled.user,
            prefix: enrolled.prefix,
            token: "token".to_owned(),
            user_record: None,
            ca: None,
        })?;
        self.note(at, "is enrolled");
        self.scan(at)
    }

    /// The network heals, and everybody syncs until nothing moves any more.
    fn calm(&mut self, verdict: &mut Verdict) -> Result<(), Failure> {
        self.trace.note("the network heals");
        for device in &mut self.devices {
            device.talk = None;
        }
        for at in 0..self.devices.len() {
            self.enrol(at)?;
        }
        for _ in 0..QUIET_ROUNDS_MAX {
            let mut is_quiet = true;
            for at in 0..self.devices.len() {
                let budget_bytes = if self.dice.percent(50) { 1 } else { 1 << 30 };
                let summary = self.sync(at, budget_bytes)?;
                let what = format!("syncs: {summary:?}");
                self.note(at, &what);
                is_quiet &= summary.requests == 1 && summary.pulled == 0 && summary.pushed == 0;
            }
            if is_quiet {
                return Ok(());
            }
        }
        verdict.stuck.push(format!("after {QUIET_ROUNDS_MAX} rounds something still moves"));
        Ok(())
    }

    /// One undisturbed session.
    pub(crate) fn sync(&mut self, at: usize, budget_bytes: u64) -> Result<Summary, Failure> {
        let mut session = Session::with_budget(budget_bytes);
        self.sessions += 1;
        for _ in 0..CALM_REQUESTS_MAX {
            let device = self.device(at)?;
            let id = device.id.ok_or("the device is not enrolled")?;
            let Some(request) = session.next(device.replica_mut()?)? else {
                return Ok(session.summary().clone());
            };
            self.requests += 1;
            let answer = self.ask(id, request.path, &request.body)?;
            let number = self.next_edit;
            self.next_edit += 1;
            let device = self.device(at)?;
            device.tell_time(number);
            session.receive(device.replica_mut()?, &mut answer.as_slice())?;
            self.scan(at)?;
        }
        Err(format!("one session has more than {CALM_REQUESTS_MAX} requests").into())
    }
}
