//! The server: its real logic on a real database, behind bytes instead of HTTP.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use outrider_core::{
    access::Policy,
    domain::record::{Documents, conflicts},
    ids::{DeviceId, RecordId},
    schema::Entity,
    sync::{
        codec::{self, FrameWriter, MESSAGE_BYTES_MAX, pack},
        frame::{CheckRequest, FetchRequest, PROTOCOL_VERSION, PullRequest, PushRequest},
        sign,
    },
    time::TimestampMs,
};
use outrider_sync_server::{
    accept,
    access::{Issuer, policy_of},
    enrol::{Applicant, Draw, create_code, enrol},
    feed::{self, Stopped},
    keys::ServerKey,
    office::{self, Author},
    storage::{
        Device, Storage,
        sqlite::{DATABASE_FILE, SqliteStorage},
    },
};

use serde_json::Value as Json;

use crate::Failure;

/// How long an enrolment code is good, in minutes.
const CODE_MINUTES: u32 = 60;

/// The server of a world.
#[derive(Debug)]
pub struct Office {
    folder: PathBuf,
    storage: Option<SqliteStorage>,
    devices: BTreeMap<DeviceId, Device>,
    /// What devices may write.
    pub policy: Policy,
}

impl Office {
    /// Opens the server's data in `folder`, or creates it there.
    ///
    /// # Errors
    ///
    /// Fails when the folder cannot be used.
    pub fn open(folder: PathBuf) -> Result<Self, Failure> {
        let storage = Some(SqliteStorage::open_for_test(&folder, true)?);
        Ok(Self { folder, storage, devices: BTreeMap::new(), policy: Policy::open() })
    }

    /// What the server keeps.
    ///
    /// # Errors
    ///
    /// Fails while the server is down.
    pub fn storage(&self) -> Result<&SqliteStorage, Failure> {
        self.storage.as_ref().ok_or_else(|| "the server is down".into())
    }

    /// The file of the database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.folder.join(DATABASE_FILE)
    }

    /// Copies the server's data, as a nightly backup does.
    ///
    /// # Errors
    ///
    /// Fails when a file cannot be copied.
    pub fn back_up(&mut self, to: &Path) -> Result<(), Failure> {
        self.storage = None;
        copy_files(&self.folder, to)?;
        self.storage = Some(SqliteStorage::open_for_test(&self.folder, true)?);
        Ok(())
    }

    /// Goes on from a backup in a new folder.
    ///
    /// # Errors
    ///
    /// Fails when a file cannot be copied.
    pub fn restore(&mut self, from: &Path, to: PathBuf) -> Result<(), Failure> {
        self.storage = None;
        copy_files(from, &to)?;
        self.storage = Some(SqliteStorage::open_for_test(&to, true)?);
        self.folder = to;
        Ok(())
    }

    /// Makes a device of `user` of whoever has this key.
    ///
    /// # Errors
    ///
    /// Fails when the server refuses.
    pub fn enrol(
        &mut self,
        (user, device_name): (&str, &str),
        public_key: Vec<u8>,
        draw: &Draw,
        now_ms: TimestampMs,
    ) -> Result<Device, Failure> {
        let storage = self.storage()?;
        let random = u128::from_be_bytes(*draw.token.first_chunk().unwrap_or(&[0; 16]));
        let (code, _) = create_code(storage, user, CODE_MINUTES, random, now_ms)?;
        let device_name = device_name.to_owned();
        let applicant = Applicant { code, device_name, public_key, protocol: PROTOCOL_VERSION };
        let device = enrol(storage, &applicant, draw, now_ms)?;
        self.devices.insert(device.id, device.clone());
        Ok(device)
    }

    /// Answers a request of a device, as the handlers do.
    ///
    /// # Errors
    ///
    /// Fails as the server does, and for a request that no client sends.
    pub fn answer(
        &self,
        device: DeviceId,
        path: &str,
        body: &[u8],
        now_ms: TimestampMs,
    ) -> Result<Vec<u8>, Failure> {
        let storage = self.storage()?;
        let device = self.devices.get(&device).ok_or("401: the token is not known")?;
        match path {
            "/v1/push" => {
                let request: PushRequest = codec::unpack(body, MESSAGE_BYTES_MAX)?;
                let PushRequest { device: sender, groups, signature, .. } = &request;
                let is_signed = sign::is_signed(&device.public_key, device.id, groups, signature);
                if *sender != device.id || !is_signed {
                    return Err("403: the signature is not that of the device".into());
                }
                Ok(pack(&accept::push(storage, &self.policy, device, &request, now_ms)?)?)
            }
            "/v1/pull" => {
                let request: PullRequest = codec::unpack(body, MESSAGE_BYTES_MAX)?;
                let mut frames = FrameWriter::new(Vec::new())?;
                let (policy, key) = (policy_of(&*storage.read()?)?, key()?);
                let issuer = Issuer { policy: &policy, key: &key, now_ms };
                feed::pull(storage, issuer, device, &request, &mut |frame| {
                    frames.write(&frame).map_err(|_| Stopped)
                })?;
                Ok(frames.finish()?)
            }
            "/v1/check" => {
                let request: CheckRequest = codec::unpack(body, MESSAGE_BYTES_MAX)?;
                let (policy, key) = (policy_of(&*storage.read()?)?, key()?);
                let issuer = Issuer { policy: &policy, key: &key, now_ms };
                Ok(pack(&feed::check(storage, issuer, device, &request)?)?)
            }
            "/v1/fetch" => {
                let request: FetchRequest = codec::unpack(body, MESSAGE_BYTES_MAX)?;
                let mut frames = FrameWriter::new(Vec::new())?;
                let (policy, key) = (policy_of(&*storage.read()?)?, key()?);
                let issuer = Issuer { policy: &policy, key: &key, now_ms };
                feed::fetch(storage, issuer, device, &request, &mut |frame| {
                    frames.write(&frame).map_err(|_| Stopped)
                })?;
                Ok(frames.finish()?)
            }
            other => Err(format!("404: {other}").into()),
        }
    }

    /// Who writes when `user` sits at a page of the server.
    ///
    /// # Errors
    ///
    /// Fails when the storage does.
    pub fn author(&self, user: &str, now_ms: TimestampMs) -> Result<Author, Failure> {
        Ok(office::author_for(self.storage()?, user, None, now_ms)?)
    }

    /// A record as the office has it; `None` if it has none.
    ///
    /// # Errors
    ///
    /// Fails when the storage does.
    pub fn documents(
        &self,
        record: RecordId,
    ) -> Result<Option<(&'static Entity, Documents)>, Failure> {
        Ok(office::documents(&*self.storage()?.read()?, record)?)
    }

    /// A record as JSON, as people in the office see it, with its conflicts as a device has them.
    ///
    /// # Errors
    ///
    /// Fails when the storage does.
    pub fn get(&self, record: RecordId) -> Result<Option<Json>, Failure> {
        let read = self.storage()?.read()?;
        let Some(view) = office::view(&*read, record)? else { return Ok(None) };
        let Some((entity, documents)) = office::documents(&*read, record)? else { return Ok(None) };
        let mut json = view.json;
        let conflicts = conflicts(entity, &documents);
        if view.conflicts.len() != conflicts.len() {
            return Err(format!("{record}: the page shows other conflicts").into());
        }
        if !conflicts.is_empty() {
            json.insert("conflicts".to_owned(), serde_json::to_value(conflicts)?);
        }
        Ok(Some(json.into()))
    }
}

/// Copies the files of a folder into another one.
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

/// The key with which the server signs here.
fn key() -> Result<ServerKey, Failure> {
    Ok(ServerKey::from_bytes(&[7; 32])?)
}
