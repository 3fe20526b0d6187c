//! An office and its devices, which talk without a network.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use outrider_core::{
    access::Policy,
    ids::RecordId,
    replica::{
        Conflict, Options, Replica,
        session::{Session, Summary},
    },
    store::{Durability, meta::Enrolment},
    sync::{
        codec::{self, FrameWriter, MESSAGE_BYTES_MAX, pack},
        frame::{CheckRequest, FetchRequest, PROTOCOL_VERSION, PullRequest, PushRequest},
    },
    time::{ManualClock, TimestampMs},
};
use outrider_sync_server::{
    accept,
    access::{Issuer, policy_of},
    enrol::{Applicant, Draw, create_code, enrol},
    feed,
    keys::ServerKey,
    ledger::LEDGER_FILE,
    office::{self, Author, Draws, OfficeError, Settlement, author_with},
    storage::{
        Content, Device, Storage,
        sqlite::{
            DATABASE_FILE, SqliteStorage,
            snapshot::{mark_restored, take_snapshot},
        },
    },
};
use serde_json::{Map, Value as Json};
use tempfile::TempDir;

/// When everything happens.
pub(crate) const NOW: TimestampMs = 1_700_000_000_000;

/// An office.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) data: PathBuf,
    pub(crate) storage: SqliteStorage,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) policy: Policy,
    /// What the office draws from, anew in every process.
    draws: Arc<Draws>,
}

/// A device of the office.
pub(crate) struct Phone {
    pub(crate) replica: Replica,
    pub(crate) device: Device,
}

fn draws(process: u8) -> Arc<Draws> {
    Arc::new(Draws::from_seed([process; 16]))
}

/// JSON as fields.
pub(crate) fn fields(json: Json) -> Map<String, Json> {
    let Json::Object(fields) = json else { panic!("{json} has no fields") };
    fields
}

impl World {
    pub(crate) fn open() -> Self {
        let folder = TempDir::new().unwrap();
        let data = folder.path().join("server");
        let storage = SqliteStorage::open_for_test(&data, true).unwrap();
        Self {
            folder,
            data,
            storage,
            clock: Arc::new(ManualClock::at(NOW)),
            policy: Policy::open(),
            draws: draws(1),
        }
    }

    /// Who may do what at this moment.
    pub(crate) fn policy(&self) -> Policy {
        let policy = policy_of(&*self.storage.read().unwrap()).unwrap();
        if policy.rules.is_on { policy } else { self.policy.clone() }
    }

    /// A fresh device, enrolled for `user`.
    pub(crate) fn phone(&self, user: &str) -> Phone {
        self.second_phone(user, user)
    }

    /// A further device of a user.
    pub(crate) fn second_phone(&self, user: &str, folder: &str) -> Phone {
        let seed = folder.bytes().fold(7, |seed: u64, byte| seed * 31 + u64::from(byte));
        let clock = Arc::clone(&self.clock) as Arc<_>;
        let options = Options { clock, seed: Some(seed), durability: Durability::None, keys: None };
        let mut replica = Replica::open(&self.folder.path().join(folder), options).unwrap();
        let (code, _) = create_code(&self.storage, user, 10, u128::from(seed) << 64, NOW).unwrap();
        let applicant = Applicant {
            code,
            device_name: format!("phone of {user}"),
            public_key: replica.public_key(),
            protocol: PROTOCOL_VERSION,
        };
        let device = enrol(&self.storage, &applicant, &Draw::new().unwrap(), self.now()).unwrap();
        replica
            .enroll(&Enrolment {
                url: String::new(),
                device: device.id,
                user: device.user.clone(),
                user_record: device.user_record,
                ca: None,
                prefix: device.prefix,
                token: String::new(),
            })
            .unwrap();
        Phone { replica, device }
    }

    /// The data as it is at this moment, in a folder of its own.
    pub(crate) fn back_up(&self) -> PathBuf {
        let to = self.folder.path().join(format!("backup-{}", self.now()));
        std::fs::create_dir(&to).unwrap();
        take_snapshot(&self.data, &to.join(DATABASE_FILE)).unwrap();
        to
    }

    /// Goes on from a backup, with the ledger as it is; `is_announced` as an operator's command
    /// does, otherwise as a disk that was put back.
    pub(crate) fn restore(&mut self, backup: &Path, is_announced: bool) {
        let to = self.folder.path().join(format!("server-{}", self.now()));
        std::fs::create_dir(&to).unwrap();
        std::fs::copy(backup.join(DATABASE_FILE), to.join(DATABASE_FILE)).unwrap();
        std::fs::copy(self.data.join(LEDGER_FILE), to.join(LEDGER_FILE)).unwrap();
        if is_announced {
            mark_restored(&to, self.now()).unwrap();
        }
        self.storage = SqliteStorage::open_for_test(&to, true).unwrap();
        self.data = to;
        self.draws = draws(2);
    }

    /// One exchange between a device and the office.
    pub(crate) fn sync(&self, phone: &mut Phone) {
        self.session(phone);
    }

    /// One exchange between a device and the office, and what it did.
    pub(crate) fn session(&self, phone: &mut Phone) -> Summary {
        let mut session = Session::new();
        while let Some(request) = session.next(&mut phone.replica).unwrap() {
            let answer = self.answer(&phone.device, request.path, &request.body);
            session.receive(&mut phone.replica, &mut answer.as_slice()).unwrap();
        }
        session.summary().clone()
    }

    pub(crate) fn answer(&self, device: &Device, path: &str, body: &[u8]) -> Vec<u8> {
        let mut frames = FrameWriter::new(Vec::new()).unwrap();
        let policy = policy_of(&*self.storage.read().unwrap()).unwrap();
        let key = ServerKey::from_bytes(&[7; 32]).unwrap();
        let issuer = Issuer { policy: &policy, key: &key, now_ms: self.now() };
        match path {
            "/v1/push" => {
                let request: PushRequest = codec::unpack(body, MESSAGE_BYTES_MAX).unwrap();
                let now_ms = self.now();
                let answer =
                    accept::push(&self.storage, &self.policy(), device, &request, now_ms).unwrap();
                return pack(&answer).unwrap();
            }
            "/v1/check" => {
                let request: CheckRequest = codec::unpack(body, MESSAGE_BYTES_MAX).unwrap();
                return pack(&feed::check(&self.storage, issuer, device, &request).unwrap())
                    .unwrap();
            }
            "/v1/pull" => {
                let request: PullRequest = codec::unpack(body, MESSAGE_BYTES_MAX).unwrap();
                feed::pull(&self.storage, issuer, device, &request, &mut |frame| {
                    frames.write(&frame).unwrap();
                    Ok(())
                })
                .unwrap();
            }
            "/v1/fetch" => {
                let request: FetchRequest = codec::unpack(body, MESSAGE_BYTES_MAX).unwrap();
                feed::fetch(&self.storage, issuer, device, &request, &mut |frame| {
                    frames.write(&frame).unwrap();
                    Ok(())
                })
                .unwrap();
            }
            other => panic!("no route {other}"),
        }
        frames.finish().unwrap()
    }

    pub(crate) fn now(&self) -> TimestampMs {
        use outrider_core::time::Clock as _;
        self.clock.advance(1_000);
        self.clock.now_ms()
    }

    pub(crate) fn position(&self) -> u64 {
        self.storage.read().unwrap().position().unwrap()
    }

    pub(crate) fn author(&self, user: &str) -> Author {
        author_with(&self.storage, user, None, &self.draws, NOW).unwrap()
    }

    pub(crate) fn create(&self, author: &Author, entity: &str, json: Json) -> RecordId {
        self.try_create(author, entity, json).unwrap()
    }

    pub(crate) fn try_create(
        &self,
        author: &Author,
        entity: &str,
        json: Json,
    ) -> Result<RecordId, OfficeError> {
        office::create(&self.storage, &self.policy(), author, entity, &fields(json), self.now())
    }

    pub(crate) fn update(
        &self,
        author: &Author,
        record: RecordId,
        json: Json,
        seen: Option<u64>,
    ) -> Result<bool, OfficeError> {
        let now_ms = self.now();
        office::update(&self.storage, &self.policy(), author, record, &fields(json), seen, now_ms)
    }

    pub(crate) fn settle(
        &self,
        author: &Author,
        record: RecordId,
        settlement: Settlement<'_>,
    ) -> Result<(), OfficeError> {
        office::settle(&self.storage, &self.policy, author, record, settlement, self.now())
    }

    /// The survivors under a key of the main part, as the office holds them.
    pub(crate) fn values(&self, record: RecordId, key: &str) -> Vec<String> {
        let id = outrider_core::ids::DocumentId { record, part: outrider_core::ids::Part::Main };
        let stored = self.storage.read().unwrap().document(&id).unwrap().unwrap();
        let Content::Flat(state) = stored.content else { panic!("{id} is a text") };
        let text = |value: &outrider_core::value::Value| value.as_text().unwrap().to_owned();
        let mut values: Vec<String> =
            state.survivors(key).iter().map(|op| text(&op.value)).collect();
        values.sort();
        values
    }
}

impl Phone {
    pub(crate) fn get(&self, record: RecordId) -> Json {
        self.replica.get(record).unwrap().expect("the record is here")
    }

    pub(crate) fn update(&mut self, record: RecordId, json: Json) {
        self.replica.update(record, &fields(json)).unwrap();
    }

    pub(crate) fn conflicts(&self, record: RecordId) -> Vec<Conflict> {
        self.replica.conflicts(Some(record)).unwrap()
    }
}
