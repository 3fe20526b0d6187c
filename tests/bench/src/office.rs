//! A server without a network, and devices that talk to it through pipes.

use std::{
    fs,
    io::{self, Read, Write},
    path::Path,
    sync::Arc,
    thread,
};

use outrider_core::{
    access::Policy,
    ids::{DeviceId, RecordId},
    replica::{
        DATABASE_FILE, INSTANCE_FILE, KEY_FILE, Options, Replica,
        session::{Request, Session, Summary},
    },
    store::{Durability, meta::Enrolment},
    sync::{
        codec::{FrameWriter, MESSAGE_BYTES_MAX, pack, unpack},
        frame::{CheckRequest, FetchRequest, PROTOCOL_VERSION, PullRequest, PushRequest},
        sign,
    },
    time::ManualClock,
};
use outrider_sync_server::{
    accept,
    access::{Issuer, policy_of},
    enrol::{Applicant, Draw, create_code, enrol},
    feed,
    keys::ServerKey,
    ledger::LEDGER_FILE,
    office,
    storage::{Device, Storage, sqlite::SqliteStorage},
};

use serde_json::{Map, Value as Json};

use crate::{Outcome, floor::Sync, input::START_MS, measure::thread_cpu_seconds};

/// A server's logic and storage, in this process.
#[derive(Debug)]
pub(crate) struct Office {
    pub(crate) storage: SqliteStorage,
    policy: Policy,
}

/// What a conversation was.
#[derive(Debug, Clone, Default)]
pub(crate) struct Talk {
    /// What the session says of itself.
    pub(crate) summary: Summary,
    /// Processor time of the server.
    pub(crate) server_seconds: f64,
}

impl Office {
    /// The office whose data is in `folder`.
    pub(crate) fn open(folder: &Path, sync: Sync) -> Outcome<Self> {
        let storage = SqliteStorage::open_for_test(folder, sync == Sync::Off)?;
        Ok(Self { storage, policy: Policy::open() })
    }

    /// Switches the rules on, and gives roles to users, by their names.
    pub(crate) fn switch_on(&mut self, roles: &[(&str, &str)]) -> Outcome<()> {
        for (user, role) in roles {
            let record = office::ensure_user(&self.storage, &self.policy, user, START_MS)?;
            let fields = Map::from_iter([("role".to_owned(), Json::from(*role))]);
            self.update(record, &fields)?;
        }
        let mut write = self.storage.write()?;
        let mut rules = write.rules()?;
        (rules.is_on, rules.number) = (true, rules.number + 1);
        write.add_rules(&rules, START_MS, "bench")?;
        write.commit()?;
        self.policy = policy_of(&*self.storage.read()?)?;
        Ok(())
    }

    /// The server itself changes a record.
    pub(crate) fn update(&self, record: RecordId, fields: &Map<String, Json>) -> Outcome<()> {
        let system = office::author_for(&self.storage, office::SYSTEM_USER, None, START_MS)?;
        let policy = Policy::open();
        office::update(&self.storage, &policy, &system, record, fields, None, START_MS)?;
        Ok(())
    }

    /// Makes `replica` a device of this office, the `number`-th; its bearer token is drawn from
    /// the number.
    pub(crate) fn enroll(&self, replica: &mut Replica, number: u8) -> Outcome<Device> {
        let user = format!("user {number}");
        let (code, _) = create_code(&self.storage, &user, 10, u128::from(number), START_MS)?;
        let applicant = Applicant {
            code,
            device_name: format!("device {number}"),
            public_key: replica.public_key(),
            protocol: PROTOCOL_VERSION,
        };
        let draw = Draw { id: [number; 10], prefix: [number; 12], token: [number; 32] };
        let device = enrol(&self.storage, &applicant, &draw, START_MS)?;
        replica.enroll(&Enrolment {
            url: "http://127.0.0.1".to_owned(),
            device: device.id,
            user: device.user.clone(),
            prefix: device.prefix,
            token: outrider_core::ids::to_hex(&draw.token),
            user_record: device.user_record,
            ca: None,
        })?;
        Ok(device)
    }

    /// The device of this id.
    pub(crate) fn device(&self, id: DeviceId) -> Outcome<Device> {
        Ok(self.storage.read()?.device(id)?.ok_or("the office does not know the device")?)
    }

    /// Runs a session of a device to its end.
    pub(crate) fn sync(&self, replica: &mut Replica) -> Outcome<Talk> {
        let enrolment = replica.enrolment()?.ok_or("the device is not enrolled")?;
        let device = self.device(enrolment.device)?;
        let mut session = Session::new();
        let mut server_seconds = 0.0;
        while let Some(request) = session.next(replica)? {
            let (mut from, to) = io::pipe()?;
            server_seconds += thread::scope(|scope| -> Outcome<f64> {
                let server = scope.spawn(|| {
                    let answered = self.answer(&device, &request, to);
                    answered.map(|()| thread_cpu_seconds())
                });
                let received = session.receive(replica, &mut from as &mut dyn Read);
                drop(from);
                let spent = server.join().map_err(|_| "the server panicked")??;
                received?;
                Ok(spent)
            })?;
        }
        Ok(Talk { summary: session.summary().clone(), server_seconds })
    }

    /// Answers one request, as the HTTP handlers do.
    fn answer(&self, device: &Device, request: &Request, mut to: impl Write) -> Outcome<()> {
        let (storage, body) = (&self.storage, request.body.as_slice());
        let key = ServerKey::from_bytes(&[7; 32])?;
        let issuer = Issuer { policy: &self.policy, key: &key, now_ms: START_MS };
        match request.path {
            "/v1/push" => {
                let push: PushRequest = unpack(body, MESSAGE_BYTES_MAX)?;
                if !is_signed(device, &push) {
                    return Err("a push with a wrong signature".into());
                }
                to.write_all(&pack(&self.accept(device, &push)?)?)?;
            }
            "/v1/check" => {
                let asked: CheckRequest = unpack(body, MESSAGE_BYTES_MAX)?;
                to.write_all(&pack(&feed::check(storage, issuer, device, &asked)?)?)?;
            }
            "/v1/pull" => {
                let asked: PullRequest = unpack(body, MESSAGE_BYTES_MAX)?;
                stream(to, |emit| feed::pull(storage, issuer, device, &asked, emit))?;
            }
            "/v1/fetch" => {
                let asked: FetchRequest = unpack(body, MESSAGE_BYTES_MAX)?;
                stream(to, |emit| feed::fetch(storage, issuer, device, &asked, emit))?;
            }
            other => return Err(format!("a request to {other}, for which nothing called").into()),
        }
        Ok(())
    }

    /// Judges and applies a push.
    pub(crate) fn accept(
        &self,
        device: &Device,
        push: &PushRequest,
    ) -> Outcome<outrider_core::sync::frame::PushResponse> {
        Ok(accept::push(&self.storage, &self.policy, device, push, START_MS)?)
    }
}

/// Writes an answer of frames to its end.
fn stream(
    to: impl Write,
    answer: impl FnOnce(&mut feed::Emit<'_>) -> Result<(), feed::FeedError>,
) -> Outcome<()> {
    let mut writer = FrameWriter::new(to)?;
    answer(&mut |frame| writer.write(&frame).map_err(|_| feed::Stopped))?;
    writer.finish()?;
    Ok(())
}

/// Whether the device signed the push.
pub(crate) fn is_signed(device: &Device, push: &PushRequest) -> bool {
    sign::is_signed(&device.public_key, device.id, &push.groups, &push.signature)
}

/// Opens a device's replica; `clock` stands still until somebody moves it.
pub(crate) fn open_device(
    folder: &Path,
    sync: Sync,
    seed: u64,
) -> Outcome<(Replica, Arc<ManualClock>)> {
    let clock = Arc::new(ManualClock::at(START_MS));
    let durability = if sync == Sync::Full { Durability::Full } else { Durability::None };
    let options =
        Options { clock: Arc::clone(&clock) as _, seed: Some(seed), durability, keys: None };
    Ok((Replica::open(folder, options)?, clock))
}

/// Copies a device's or an office's folder that nobody has open.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> Outcome<()> {
    fs::create_dir_all(to)?;
    for name in [DATABASE_FILE, INSTANCE_FILE, KEY_FILE, LEDGER_FILE] {
        let source = from.join(name);
        if source.exists() {
            fs::copy(source, to.join(name))?;
        }
    }
    Ok(())
}
