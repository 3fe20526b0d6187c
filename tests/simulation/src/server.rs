//! The server: its real logic on a real database, behind bytes instead of HTTP.

use std::{collections::BTreeMap, path::PathBuf};

use outrider_core::{
    access::Policy,
    ids::DeviceId,
    sync::{
        codec::{self, FrameWriter, MESSAGE_BYTES_MAX, pack},
        frame::{CheckRequest, FetchRequest, PullFrame, PullRequest, PushRequest},
        sign,
    },
    time::TimestampMs,
};
use outrider_sync_server::{
    accept,
    enrol::{Applicant, Draw, create_code, enrol},
    feed::{self, Stopped},
    storage::{Device, Storage, sqlite::SqliteStorage},
};

use crate::{Failure, dice::Dice};

/// The server, and what stands between it and the network.
#[derive(Debug)]
pub(crate) struct Server {
    folder: PathBuf,
    storage: SqliteStorage,
    devices: BTreeMap<DeviceId, Device>,
    /// Fields that are withheld just now.
    pub(crate) withheld: Vec<(&'static str, &'static str)>,
    pub(crate) now_ms: TimestampMs,
}

impl Server {
    pub(crate) fn open(folder: PathBuf, now_ms: TimestampMs) -> Result<Self, Failure> {
        let storage = SqliteStorage::open_for_test(&folder, true)?;
        Ok(Self { folder, storage, devices: BTreeMap::new(), withheld: Vec::new(), now_ms })
    }

    pub(crate) fn storage(&self) -> &dyn Storage {
        &self.storage
    }

    /// The file of the database.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.join(outrider_sync_server::storage::sqlite::DATABASE_FILE)
    }

    /// The process ends and begins again.
    pub(crate) fn restart(self) -> Result<Self, Failure> {
        let Self { folder, storage, devices, withheld, now_ms } = self;
        drop(storage);
        let storage = SqliteStorage::open_for_test(&folder, true)?;
        Ok(Self { folder, storage, devices, withheld, now_ms })
    }

    fn policy(&self) -> Policy {
        let withhold =
            |policy: Policy, (entity, field): &(&str, &str)| policy.withholding(entity, field);
        self.withheld.iter().fold(Policy::open(), withhold)
    }

    /// Makes a device of whoever has this key.
    pub(crate) fn enrol(
        &mut self,
        name: &str,
        public_key: Vec<u8>,
        dice: &mut Dice,
    ) -> Result<Device, Failure> {
        let random = u128::from(dice.next()) << 64 | u128::from(dice.next());
        let (code, _) = create_code(&self.storage, name, 60, random, self.now_ms)?;
        let device_name = format!("phone of {name}");
        let applicant = Applicant { code, device_name, public_key, protocol: 1 };
        let draw = Draw { id: dice.bytes(), prefix: dice.bytes(), token: dice.bytes() };
        let device = enrol(&self.storage, &applicant, &draw, self.now_ms)?;
        self.devices.insert(device.id, device.clone());
        Ok(device)
    }

    /// Answers a request, as the handlers do; frames are flushed now and then, so that an answer
    /// that is cut off has some that arrived.
    pub(crate) fn answer(
        &mut self,
        device: DeviceId,
        path: &str,
        body: &[u8],
        dice: &mut Dice,
    ) -> Result<Vec<u8>, Failure> {
        self.now_ms += 1;
        let device = self.devices.get(&device).ok_or("401: the token is not known")?;
        let flush_every = 1 + dice.below(6);
        match path {
            "/v1/push" => {
                let request: PushRequest = codec::unpack(body, MESSAGE_BYTES_MAX)?;
                check_push(device, &request)?;
                let policy = self.policy();
                let response = accept::push(&self.storage, &policy, device, &request, self.now_ms)?;
                Ok(pack(&response)?)
            }
            "/v1/pull" => {
                let request: PullRequest = codec::unpack(body, MESSAGE_BYTES_MAX)?;
                let mut frames = Frames::new(flush_every)?;
                feed::pull(&self.storage, device, &request, self.now_ms, &mut |frame| {
                    frames.write(frame)
                })?;
                frames.finish()
            }
            "/v1/check" => {
                let request: CheckRequest = codec::unpack(body, MESSAGE_BYTES_MAX)?;
                Ok(pack(&feed::check(&self.storage, device, &request)?)?)
            }
            "/v1/fetch" => {
                let request: FetchRequest = codec::unpack(body, MESSAGE_BYTES_MAX)?;
                let mut frames = Frames::new(flush_every)?;
                feed::fetch(&self.storage, device, &request, &mut |frame| frames.write(frame))?;
                frames.finish()
            }
            other => Err(format!("404: {other}").into()),
        }
    }
}

/// What the handler of a push asks before it hands the batch over.
fn check_push(device: &Device, request: &PushRequest) -> Result<(), Failure> {
    if request.device != device.id {
        return Err("403: a device may push only what it wrote itself".into());
    }
    if !sign::is_signed(&device.public_key, device.id, &request.groups, &request.signature) {
        return Err("403: the signature is not that of the device".into());
    }
    Ok(())
}

/// Frames of one answer.
struct Frames {
    writer: FrameWriter<Vec<u8>>,
    flush_every: usize,
    count: usize,
}

impl Frames {
    fn new(flush_every: usize) -> Result<Self, Failure> {
        Ok(Self { writer: FrameWriter::new(Vec::new())?, flush_every, count: 0 })
    }

    fn write(&mut self, mut frame: PullFrame) -> Result<(), Stopped> {
        if let PullFrame::Hello(hello) = &mut frame {
            // Drawn by the system when the database was made; the length of an answer, and so
            // where it is cut, must not depend on it.
            hello.instance = [7; 16];
        }
        self.writer.write(&frame).map_err(|_| Stopped)?;
        self.count += 1;
        if self.count.is_multiple_of(self.flush_every) {
            self.writer.flush().map_err(|_| Stopped)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<u8>, Failure> {
        Ok(self.writer.finish()?)
    }
}
