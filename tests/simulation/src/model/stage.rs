//! Events of a trace, done for real: replicas on SQLite files, sessions, the server's logic on a
//! database and a ledger.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use outrider_core::{
    ids::{DeviceId, RecordId},
    replica::{
        INSTANCE_FILE,
        session::{Session, Summary},
    },
    store::meta::Enrolment,
    sync::codec::pack,
    time::TimestampMs,
};
use outrider_model::{
    bounds::{Bounds, DEVICES_MAX, Last},
    change::{DocumentName, Kind, Slot},
    event::Event,
};
use outrider_sync_server::{
    access::policy_of,
    devices::standing::revoke,
    enrol::create_code,
    office::{self, SYSTEM_USER},
};
use serde_json::{Map, Value as Json};
use tempfile::TempDir;

use crate::{
    Failure,
    device::{Device, EPOCH_MS},
    dice::Dice,
    server::Server,
    versions::Version,
};

/// The entity of the model's documents.
pub(super) const ENTITY: &str = "customer";
/// What every record must have.
pub(super) const NAME: &str = "company_name";
/// What anybody may write.
pub(super) const OPEN: &str = "wechat";
/// What the office withholds.
pub(super) const WITHHELD: &str = "qq";
/// Requests of one session, at most.
const REQUESTS_MAX: usize = 64;
/// Between two events: erasures are numbered by the server's clock in seconds.
const PAUSE_MS: TimestampMs = 5_000;
/// How long the codes of devices are good.
const CODE_MINUTES: u32 = 60;

/// A device with what the stage knows of it.
pub(super) struct Phone {
    pub(super) device: Device,
    /// How many edits were typed on it.
    pub(super) typed: u8,
    is_let_in: bool,
}

/// A copy of a device.
struct Copy {
    slot: Slot,
    folder: PathBuf,
    is_let_in: bool,
}

/// The real world.
pub(super) struct Stage {
    folder: TempDir,
    folders: usize,
    dice: Dice,
    server: Option<Server>,
    pub(super) phones: BTreeMap<Slot, Phone>,
    backup: Option<PathBuf>,
    copy: Option<Copy>,
    late: Option<(DeviceId, Vec<u8>)>,
    /// Devices that were turned away: what stands at the door is not asked here.
    revoked: Vec<DeviceId>,
    place: Option<Slot>,
    edits: u32,
}

/// The record of a document.
pub(super) fn record_of(document: DocumentName) -> RecordId {
    RecordId::external(ENTITY, "model", &document.to_string())
}

/// What an edit says.
pub(super) fn text_of(slot: Slot, number: u8) -> String {
    format!("edit {slot}.{number}")
}

impl Stage {
    pub(super) fn open(bounds: &Bounds, seed: u64) -> Result<Self, Failure> {
        let mut dice = Dice::new(seed);
        let folder = tempfile::Builder::new().prefix("outrider-model").tempdir()?;
        let server =
            Server::open(folder.path().join("server"), Version::First, EPOCH_MS, &mut dice)?;
        let mut stage = Self {
            folder,
            folders: 0,
            dice,
            server: Some(server),
            phones: BTreeMap::new(),
            backup: None,
            copy: None,
            late: None,
            revoked: Vec::new(),
            place: None,
            edits: 0,
        };
        stage.fill(bounds)?;
        Ok(stage)
    }

    fn fill(&mut self, bounds: &Bounds) -> Result<(), Failure> {
        let count = bounds.devices.min(DEVICES_MAX);
        let slots: Vec<Slot> = (0_u8..).take(count).collect();
        for slot in &slots {
            // Users are there from the beginning: who is let in later comes as a device alone.
            let random = u128::from(self.dice.next()) << 64 | u128::from(self.dice.next());
            let server = self.server()?;
            create_code(server.storage(), &user_of(*slot), CODE_MINUTES, random, server.now_ms)?;
        }
        let server = self.server.as_mut().ok_or("the server is down")?;
        server.withheld = vec![(ENTITY, WITHHELD)];
        for slot in &slots {
            let is_last = Some(slot) == slots.last();
            if is_last && bounds.last == Last::Empty {
                self.place = Some(*slot);
                continue;
            }
            let (folder, seed) = (self.new_folder(), self.dice.next());
            let device = Device::open(user_of(*slot), folder, seed)?;
            self.phones.insert(*slot, Phone { device, typed: 0, is_let_in: false });
            if !(is_last && bounds.last == Last::Stranger) {
                self.enrol(*slot)?;
            }
        }
        self.enrol_absent()?;
        // All have heard of one another.
        for _ in 0..2 {
            for slot in &slots {
                if self.phones.get(slot).is_some_and(|phone| phone.is_let_in) {
                    self.talk(*slot, &Until::End)?;
                }
            }
        }
        Ok(())
    }

    /// Enrols a device that never asks. It keeps every recovery open: what devices write anew when one
    /// is over is not part of the model.
    fn enrol_absent(&mut self) -> Result<(), Failure> {
        let (folder, seed) = (self.new_folder(), self.dice.next());
        let key = Device::open("absent".to_owned(), folder, seed)?.replica()?.public_key();
        let server = self.server.as_mut().ok_or("the server is down")?;
        server.enrol("absent", key, &mut self.dice)?;
        Ok(())
    }

    fn new_folder(&mut self) -> PathBuf {
        self.folders += 1;
        self.folder.path().join(format!("folder-{}", self.folders))
    }

    pub(super) fn server(&self) -> Result<&Server, Failure> {
        self.server.as_ref().ok_or_else(|| "the server is down".into())
    }

    fn phone(&mut self, slot: Slot) -> Result<&mut Phone, Failure> {
        self.phones.get_mut(&slot).ok_or_else(|| "there is no such device".into())
    }

    /// Does an event; what a conversation did.
    pub(super) fn act(&mut self, event: Event) -> Result<Summary, Failure> {
        self.server.as_mut().ok_or("the server is down")?.now_ms += PAUSE_MS;
        match event {
            Event::Write { slot, document, kind } => self.write(slot, document, kind)?,
            Event::WriteDuring { slot, document, kind } => {
                self.talk(slot, &Until::Typing(document, kind))?;
            }
            Event::Sync { slot } => return self.talk(slot, &Until::End),
            Event::Cut { slot, after } => return self.talk(slot, &Until::Answers(after.into())),
            Event::Lost { slot, at } => return self.talk(slot, &Until::Lost(at.into())),
            Event::Late { slot } => self.send_late(slot)?,
            Event::Arrive => self.arrive()?,
            Event::BackUp => self.back_up()?,
            Event::Restore { is_marked } => self.restore(is_marked)?,
            Event::Snapshot { slot } => self.snapshot(slot)?,
            Event::RollBack { has_token } => self.roll_back(has_token)?,
            Event::Clone { has_token } => self.clone_device(has_token)?,
            Event::Enrol { slot } => self.enrol(slot)?,
            Event::Revoke { slot } => self.revoke(slot)?,
            Event::Erase { document } => self.erase(document)?,
            Event::Toggle => {
                let server = self.server.as_mut().ok_or("the server is down")?;
                let is_withheld = !server.withheld.is_empty();
                server.withheld = if is_withheld { vec![] } else { vec![(ENTITY, WITHHELD)] };
            }
        }
        Ok(Summary::default())
    }

    fn write(&mut self, slot: Slot, document: DocumentName, kind: Kind) -> Result<(), Failure> {
        self.edits += 1;
        let edits = self.edits;
        let phone = self.phone(slot)?;
        phone.typed += 1;
        phone.device.tell_time(edits);
        let text: Json = text_of(slot, phone.typed).into();
        let record = record_of(document);
        let mut fields = Map::new();
        if matches!(kind, Kind::Plain | Kind::Mixed) {
            fields.insert(OPEN.to_owned(), text.clone());
        }
        if matches!(kind, Kind::Refused | Kind::Mixed) {
            fields.insert(WITHHELD.to_owned(), text.clone());
        }
        let replica = phone.device.replica_mut()?;
        if replica.documents(record)?.is_some() {
            replica.update(record, &fields)?;
        } else {
            fields.insert(NAME.to_owned(), text);
            replica.transaction(|writer| writer.create(ENTITY, Some(record), &fields))?;
        }
        Ok(())
    }

    fn answer(&mut self, id: DeviceId, path: &str, body: &[u8]) -> Result<Vec<u8>, Failure> {
        if self.revoked.contains(&id) {
            return Err("403: the device was turned away".into());
        }
        let server = self.server.as_mut().ok_or("the server is down")?;
        server.answer(id, path, body, &mut self.dice)
    }

    fn talk(&mut self, slot: Slot, until: &Until) -> Result<Summary, Failure> {
        self.edits += 1;
        let edits = self.edits;
        let mut session = Session::new();
        let phone = self.phone(slot)?;
        phone.device.tell_time(edits);
        let id = phone.device.id.ok_or("the device is not enrolled")?;
        for number in 1..=REQUESTS_MAX {
            if *until == Until::Answers(number - 1) {
                return Ok(session.summary().clone());
            }
            let request = session.next(self.phone(slot)?.device.replica_mut()?)?;
            let Some(request) = request else { return Ok(session.summary().clone()) };
            let answer = self.answer(id, request.path, &request.body)?;
            if *until == Until::Lost(number) {
                return Ok(session.summary().clone());
            }
            let typing = match until {
                Until::Typing(document, kind) if request.path == "/v1/pull" => {
                    Some((*document, *kind))
                }
                Until::Typing(..) | Until::End | Until::Answers(_) | Until::Lost(_) => None,
            };
            if let Some((document, kind)) = typing {
                self.write(slot, document, kind)?;
            }
            session.receive(self.phone(slot)?.device.replica_mut()?, &mut answer.as_slice())?;
            if typing.is_some() {
                return Ok(session.summary().clone());
            }
        }
        Err(format!("one session has more than {REQUESTS_MAX} requests").into())
    }

    fn send_late(&mut self, slot: Slot) -> Result<(), Failure> {
        let phone = self.phone(slot)?;
        let id = phone.device.id.ok_or("the device is not enrolled")?;
        let batch = phone.device.replica()?.next_push(0)?.ok_or("nothing waits")?;
        self.late = Some((id, pack(&batch.request)?));
        Ok(())
    }

    fn arrive(&mut self) -> Result<(), Failure> {
        let Some((id, body)) = self.late.take() else { return Ok(()) };
        if !self.revoked.contains(&id) {
            self.answer(id, "/v1/push", &body)?;
        }
        Ok(())
    }

    fn back_up(&mut self) -> Result<(), Failure> {
        let to = self.new_folder();
        let server = self.server.take().ok_or("the server is down")?;
        self.server = Some(server.back_up(&to, &mut self.dice)?);
        self.backup = Some(to);
        Ok(())
    }

    fn restore(&mut self, is_marked: bool) -> Result<(), Failure> {
        let from = self.backup.take().ok_or("there is no backup")?;
        let to = self.new_folder();
        let server = self.server.take().ok_or("the server is down")?;
        self.server = Some(server.restore_with_ledger(&from, to, is_marked, &mut self.dice)?);
        Ok(())
    }

    fn snapshot(&mut self, slot: Slot) -> Result<(), Failure> {
        let (folder, seed) = (self.new_folder(), self.dice.next());
        let phone = self.phone(slot)?;
        let is_let_in = phone.is_let_in;
        let token = phone.device.folder().join(INSTANCE_FILE);
        phone.device.back_up(&folder, seed)?;
        fs::copy(token, folder.join(INSTANCE_FILE))?;
        self.copy = Some(Copy { slot, folder, is_let_in });
        Ok(())
    }

    /// A folder for a device that goes on from a copy, with the token or without it.
    fn place_for(&mut self, copy: &Path, has_token: bool) -> Result<PathBuf, Failure> {
        let to = self.new_folder();
        fs::create_dir_all(&to)?;
        if has_token {
            fs::copy(copy.join(INSTANCE_FILE), to.join(INSTANCE_FILE))?;
        }
        Ok(to)
    }

    fn roll_back(&mut self, has_token: bool) -> Result<(), Failure> {
        let copy = self.copy.take().ok_or("there is no copy")?;
        let to = self.place_for(&copy.folder, has_token)?;
        let seed = self.dice.next();
        self.phone(copy.slot)?.device.restore(&copy.folder, to, seed)
    }

    fn clone_device(&mut self, has_token: bool) -> Result<(), Failure> {
        let copy = self.copy.take().ok_or("there is no copy")?;
        let slot = self.place.take().ok_or("there is no place")?;
        let to = self.place_for(&copy.folder, has_token)?;
        let seed = self.dice.next();
        let device = self.phone(copy.slot)?.device.twin(&copy.folder, to, seed)?;
        self.phones.insert(slot, Phone { device, typed: 0, is_let_in: copy.is_let_in });
        Ok(())
    }

    fn enrol(&mut self, slot: Slot) -> Result<(), Failure> {
        self.edits += 1;
        let edits = self.edits;
        let phone = self.phones.get_mut(&slot).ok_or("there is no such device")?;
        phone.device.tell_time(edits);
        let key = phone.device.replica()?.public_key();
        let server = self.server.as_mut().ok_or("the server is down")?;
        let enrolled = server.enrol(&user_of(slot), key, &mut self.dice)?;
        phone.device.take_enrolment(&Enrolment {
            url: String::new(),
            device: enrolled.id,
            user: enrolled.user,
            prefix: enrolled.prefix,
            token: String::new(),
            user_record: None,
            ca: None,
        })?;
        phone.is_let_in = true;
        Ok(())
    }

    fn revoke(&mut self, slot: Slot) -> Result<(), Failure> {
        let id = self.phone(slot)?.device.id.ok_or("the device is not enrolled")?;
        let server = self.server()?;
        revoke(server.storage(), id, server.now_ms)?;
        self.revoked.push(id);
        Ok(())
    }

    fn erase(&mut self, document: DocumentName) -> Result<(), Failure> {
        let server = self.server()?;
        let author = server.author(SYSTEM_USER, server.now_ms)?;
        let policy = policy_of(&*server.storage().read()?)?;
        office::erase(server.storage(), &policy, &author, record_of(document), server.now_ms)?;
        Ok(())
    }
}

/// How far a conversation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// To its end.
    End,
    /// Until so many answers were taken.
    Answers(usize),
    /// Until this request, whose answer is lost.
    Lost(usize),
    /// Until the first pull; before its answer is taken somebody types.
    Typing(DocumentName, Kind),
}

fn user_of(slot: Slot) -> String {
    format!("user {slot}")
}
