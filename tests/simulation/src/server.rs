//! The server: its real logic on a real database, behind bytes instead of HTTP.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use outrider_core::{
    access::Policy,
    ids::DeviceId,
    sync::{
        codec::{self, FrameWriter, MESSAGE_BYTES_MAX, pack},
        frame::{
            CheckRequest, FetchRequest, PROTOCOL_VERSION, PullFrame, PullRequest, PushRequest,
        },
        sign,
    },
    time::TimestampMs,
};
use outrider_sync_server::{
    accept,
    access::{Issuer, policy_of},
    devices::Bar,
    enrol::{Applicant, Draw, create_code, enrol},
    feed::{self, Stopped},
    keys::ServerKey,
    ledger::LEDGER_FILE,
    office::{self, Author, Draws},
    storage::{
        Device, Storage,
        sqlite::{
            DATABASE_FILE, SqliteStorage,
            snapshot::{self, Mark, mark_restored_with},
        },
    },
};

use crate::{Failure, device::copy_files, dice::Dice, fresh, versions::Version};

/// The server, and what stands between it and the network.
#[derive(Debug)]
pub(crate) struct Server {
    folder: PathBuf,
    storage: SqliteStorage,
    /// Devices that this process has met.
    devices: BTreeMap<DeviceId, Device>,
    version: Version,
    /// Fields that are withheld just now.
    pub(crate) withheld: Vec<(&'static str, &'static str)>,
    pub(crate) now_ms: TimestampMs,
    /// What the office draws from, anew in every process.
    draws: Arc<Draws>,
}

impl Server {
    pub(crate) fn open(
        folder: PathBuf,
        version: Version,
        now_ms: TimestampMs,
        dice: &mut Dice,
    ) -> Result<Self, Failure> {
        fresh::server(&folder, version)?;
        Self::open_as(folder, version, now_ms, dice, false)
    }

    /// The same; where the disk itself fails, commits wait for it.
    fn open_as(
        folder: PathBuf,
        version: Version,
        now_ms: TimestampMs,
        dice: &mut Dice,
        is_synced: bool,
    ) -> Result<Self, Failure> {
        version.enter();
        let storage = SqliteStorage::open_for_test(&folder, !is_synced)?;
        let draws = Arc::new(Draws::from_seed(dice.bytes()));
        // As a server does before it listens.
        office::replay_erasures_with(&storage, &draws, now_ms)?;
        office::restore_users_with(&storage, &draws, now_ms)?;
        let (devices, withheld) = (BTreeMap::new(), Vec::new());
        Ok(Self { folder, storage, devices, version, withheld, now_ms, draws })
    }

    /// Who writes when a user sits at a page of the server.
    pub(crate) fn author(&self, user: &str, now_ms: TimestampMs) -> Result<Author, Failure> {
        Ok(office::author_with(&self.storage, user, None, &self.draws, now_ms)?)
    }

    pub(crate) fn storage(&self) -> &dyn Storage {
        self.version.enter();
        &self.storage
    }

    /// The version of the server.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// The folder of its data.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of the database.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.join(DATABASE_FILE)
    }

    /// Lets the database grow by `more` pages at most.
    pub(crate) fn limit_growth(&self, more: Option<u32>) -> Result<(), Failure> {
        Ok(self.storage.limit_growth_for_test(more)?)
    }

    /// The process ends and begins again.
    pub(crate) fn restart(self, dice: &mut Dice) -> Result<Self, Failure> {
        self.restart_after(dice, false, |_| Ok(()))
    }

    /// The process ends; another one begins when what happens `meanwhile` to its folder is over.
    pub(crate) fn restart_after(
        self,
        dice: &mut Dice,
        is_synced: bool,
        meanwhile: impl FnOnce(&Path) -> Result<(), Failure>,
    ) -> Result<Self, Failure> {
        let folder = self.folder.clone();
        let closed = self.close();
        meanwhile(&folder)?;
        closed.open_as(folder, dice, is_synced)
    }

    /// Copies the data, as a nightly backup does.
    pub(crate) fn back_up(self, to: &Path, dice: &mut Dice) -> Result<Self, Failure> {
        self.restart_after(dice, false, |folder| copy_files(folder, to))
    }

    /// The disk is lost; the server goes on from a copy of its data, with the ledger as it is.
    pub(crate) fn restore(
        self,
        from: &Path,
        to: PathBuf,
        is_announced: bool,
        dice: &mut Dice,
    ) -> Result<Self, Failure> {
        let (folder, now_ms) = (self.folder.clone(), self.now_ms);
        let closed = self.close();
        copy_files(from, &to)?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if !entry.file_name().to_string_lossy().starts_with(DATABASE_FILE) {
                fs::copy(entry.path(), to.join(entry.file_name()))?;
            }
        }
        if is_announced {
            let mark = Mark { instance: dice.bytes(), feed: dice.bytes() };
            mark_restored_with(&to, &mark, now_ms)?;
        }
        closed.open_in(to, dice)
    }

    /// The server gets the newest version.
    pub(crate) fn upgrade(self, dice: &mut Dice) -> Result<Self, Failure> {
        let folder = self.folder.clone();
        let closed = self.close();
        Closed { version: Version::Third, ..closed }.open_in(folder, dice)
    }

    /// The same with the ledger, which lies elsewhere and is not lost: what it has and the copy has
    /// not is carried out again. `is_marked` tells that it was put back by the command for that.
    pub(crate) fn restore_with_ledger(
        self,
        from: &Path,
        to: PathBuf,
        is_marked: bool,
        dice: &mut Dice,
    ) -> Result<Self, Failure> {
        let before = self.folder.clone();
        let closed = self.close();
        copy_files(from, &to)?;
        for file in [LEDGER_FILE.to_owned(), [LEDGER_FILE, ".persons"].concat()] {
            if before.join(&file).exists() {
                fs::copy(before.join(&file), to.join(&file))?;
            }
        }
        if is_marked {
            snapshot::mark_restored(&to, closed.now_ms)?;
        }
        let server = closed.open_in(to, dice)?;
        office::replay_erasures(&server.storage, server.now_ms)?;
        Ok(server)
    }

    fn close(self) -> Closed {
        let Self { version, withheld, now_ms, .. } = self;
        Closed { version, withheld, now_ms }
    }

    /// Who may do what, with what is withheld from devices at this moment.
    pub(crate) fn policy(&self) -> Result<Policy, Failure> {
        let withhold =
            |policy: Policy, (entity, field): &(&str, &str)| policy.withholding(entity, field);
        Ok(self.withheld.iter().fold(self.seen_policy()?, withhold))
    }

    /// Who may see what.
    fn seen_policy(&self) -> Result<Policy, Failure> {
        self.version.enter();
        Ok(policy_of(&*self.storage.read()?)?)
    }

    /// The device of this id, as the storage knows it.
    pub(crate) fn device(&mut self, id: DeviceId) -> Result<Device, Failure> {
        if let Some(device) = self.devices.get(&id) {
            return Ok(device.clone());
        }
        let device = self.storage.read()?.device(id)?.ok_or("401: the token is not known")?;
        self.devices.insert(id, device.clone());
        Ok(device)
    }

    /// What stands between a device and everything.
    pub(crate) fn bar(&self, id: DeviceId) -> Result<Option<Bar>, Failure> {
        let standing = self.storage.read()?.standing(id)?;
        Ok(standing.and_then(|standing| Bar::of(&standing)))
    }

    /// Makes a device of whoever has this key.
    pub(crate) fn enrol(
        &mut self,
        name: &str,
        public_key: Vec<u8>,
        dice: &mut Dice,
    ) -> Result<Device, Failure> {
        self.version.enter();
        let random = u128::from(dice.next()) << 64 | u128::from(dice.next());
        let (code, _) = create_code(&self.storage, name, 60, random, self.now_ms)?;
        let device_name = format!("phone of {name}");
        let applicant = Applicant { code, device_name, public_key, protocol: PROTOCOL_VERSION };
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
        let device = self.device(device)?;
        let policies = (&self.policy()?, &self.seen_policy()?);
        let flush_every = 1 + dice.below(6);
        answer_with(&self.storage, policies, &device, (path, body), self.now_ms, flush_every)
    }
}

/// Answers a request under the policies for what is written and for what is seen.
pub(crate) fn answer_with(
    storage: &dyn Storage,
    (written, seen): (&Policy, &Policy),
    device: &Device,
    (path, body): (&str, &[u8]),
    now_ms: TimestampMs,
    flush_every: usize,
) -> Result<Vec<u8>, Failure> {
    let key = key()?;
    let issuer = Issuer { policy: seen, key: &key, now_ms };
    match path {
        "/v1/push" => {
            let request: PushRequest = codec::unpack(body, MESSAGE_BYTES_MAX)?;
            check_push(device, &request)?;
            Ok(pack(&accept::push(storage, written, device, &request, now_ms)?)?)
        }
        "/v1/pull" => {
            let request: PullRequest = codec::unpack(body, MESSAGE_BYTES_MAX)?;
            let mut frames = Frames::new(flush_every)?;
            feed::pull(storage, issuer, device, &request, &mut |frame| frames.write(frame))?;
            frames.finish()
        }
        "/v1/check" => {
            let request: CheckRequest = codec::unpack(body, MESSAGE_BYTES_MAX)?;
            Ok(pack(&feed::check(storage, issuer, device, &request)?)?)
        }
        "/v1/fetch" => {
            let request: FetchRequest = codec::unpack(body, MESSAGE_BYTES_MAX)?;
            let mut frames = Frames::new(flush_every)?;
            feed::fetch(storage, issuer, device, &request, &mut |frame| frames.write(frame))?;
            frames.finish()
        }
        other => Err(format!("404: {other}").into()),
    }
}

/// The key with which the server signs here.
pub(crate) fn key() -> Result<ServerKey, Failure> {
    Ok(ServerKey::from_bytes(&[7; 32])?)
}

/// What outlives the server's process, beside its data.
struct Closed {
    version: Version,
    withheld: Vec<(&'static str, &'static str)>,
    now_ms: TimestampMs,
}

impl Closed {
    fn open_in(self, folder: PathBuf, dice: &mut Dice) -> Result<Server, Failure> {
        self.open_as(folder, dice, false)
    }

    fn open_as(self, folder: PathBuf, dice: &mut Dice, is_synced: bool) -> Result<Server, Failure> {
        let Self { version, withheld, now_ms } = self;
        let server = Server::open_as(folder, version, now_ms, dice, is_synced)?;
        Ok(Server { withheld, ..server })
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

#[cfg(test)]
mod tests {
    use std::fs;

    use outrider_core::{
        ids::RecordId,
        replica::{
            INSTANCE_FILE,
            session::{Session, Summary},
        },
        store::meta::Enrolment,
    };
    use serde_json::{Map, Value as Json, json};
    use tempfile::TempDir;

    use super::*;
    use crate::device::{Device as Phone, EPOCH_MS};

    /// A server with a network that works.
    struct Office {
        folder: TempDir,
        server: Server,
        dice: Dice,
    }

    impl Office {
        fn open() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let mut dice = Dice::new(1);
            let path = folder.path().join("server");
            let server = Server::open(path, Version::First, EPOCH_MS, &mut dice).unwrap();
            Self { folder, server, dice }
        }

        fn phone(&mut self, name: &str) -> Phone {
            let path = self.folder.path().join(name);
            let seed = self.dice.next();
            let mut phone = Phone::open(name.to_owned(), path, seed).unwrap();
            let key = phone.replica().unwrap().public_key();
            let enrolled = self.server.enrol(name, key, &mut self.dice).unwrap();
            let Device { id: device, user, prefix, .. } = enrolled;
            let (url, token) = (String::new(), String::new());
            phone
                .take_enrolment(&Enrolment {
                    url,
                    device,
                    user,
                    prefix,
                    token,
                    user_record: None,
                    ca: None,
                })
                .unwrap();
            phone
        }

        /// Copies the server's data aside.
        fn back_up(mut self) -> Self {
            let to = self.folder.path().join("server-backup");
            let server = self.server.back_up(&to, &mut self.dice).unwrap();
            Self { server, ..self }
        }

        /// Puts the server back to that, and says so.
        fn put_back(mut self) -> Self {
            let [from, to] = ["server-backup", "server-again"].map(|n| self.folder.path().join(n));
            let server = self.server.restore(&from, to, true, &mut self.dice).unwrap();
            Self { server, ..self }
        }

        /// A phone with a record that the server has, and a copy of its whole folder with the token.
        fn phone_and_its_copy(&mut self) -> (Phone, Phone, RecordId) {
            let mut original = self.phone("original");
            let customer = fields(&json!({ "company_name": "Acme", "visits": 1, "notes": "abc" }));
            let record = original.replica_mut().unwrap().create("customer", &customer).unwrap();
            self.sync(&mut original, 1 << 20);
            let copy = self.folder.path().join("copy");
            let backup = self.folder.path().join("backup");
            original.back_up(&backup, 7).unwrap();
            fs::create_dir_all(&copy).unwrap();
            let token = self.folder.path().join("original").join(INSTANCE_FILE);
            fs::copy(token, copy.join(INSTANCE_FILE)).unwrap();
            let copied = original.twin(&backup, copy, 8).unwrap();
            (original, copied, record)
        }

        fn sync(&mut self, phone: &mut Phone, budget_bytes: u64) -> Summary {
            let mut session = Session::with_budget(budget_bytes);
            let id = phone.id.unwrap();
            while let Some(request) = session.next(phone.replica_mut().unwrap()).unwrap() {
                let (path, body) = (request.path, &request.body);
                let answer = self.server.answer(id, path, body, &mut self.dice).unwrap();
                session.receive(phone.replica_mut().unwrap(), &mut answer.as_slice()).unwrap();
            }
            session.summary().clone()
        }
    }

    fn fields(json: &Json) -> Map<String, Json> {
        json.as_object().unwrap().clone()
    }

    fn edit(phone: &mut Phone, record: RecordId, number: i64, text: &str) {
        phone.tell_time(u32::try_from(number).unwrap());
        let change = fields(&json!({
            "company_name": format!("Acme {number}"), "visits": { "add": number },
            "notes": text, "tags": { "add": [format!("t{number}")] },
        }));
        phone.replica_mut().unwrap().update(record, &change).unwrap();
    }

    /// A budget was looked at after every 200th document only, so a small one changed nothing.
    #[test]
    fn a_pull_keeps_to_its_budget() {
        let mut office = Office::open();
        let (mut author, mut reader) = (office.phone("author"), office.phone("reader"));
        for number in 0..100 {
            let name = format!("{number}{}", "x".repeat(190));
            let name = fields(&json!({ "company_name": name }));
            author.replica_mut().unwrap().create("customer", &name).unwrap();
        }
        office.sync(&mut author, 1);
        let summary = office.sync(&mut reader, 1);
        // The customers, and the two users.
        assert_eq!(summary.pulled, 102);
        assert!((3..20).contains(&summary.requests), "{summary:?}");
    }

    /// Somebody copies the whole folder to another computer, with the token that should have
    /// stayed behind, and works on both under the same actors.
    #[test]
    fn a_folder_that_was_copied_with_its_token_loses_nothing() {
        let mut office = Office::open();
        let colleague = office.phone("colleague");
        let (mut original, mut copied, record) = office.phone_and_its_copy();
        edit(&mut original, record, 10, "abc原");
        edit(&mut copied, record, 200, "复abc");
        let mut phones = [original, copied, colleague];
        let mut forked = 0;
        for round in 0..4 {
            for phone in &mut phones {
                let summary = office.sync(phone, 1 << 20);
                forked += summary.forked;
                assert!(round < 3 || summary.requests == 1, "{summary:?}");
            }
        }
        assert!(forked > 0);
        let [original, copied, colleague] = &phones;
        let shown = |phone: &Phone| phone.replica().unwrap().get(record).unwrap().unwrap();
        assert_eq!(shown(original), shown(copied));
        assert_eq!(shown(original), shown(colleague));
        let record: Json = shown(original);
        assert_eq!(record["visits"], 211);
        assert_eq!(record["notes"], "复abc原");
        assert_eq!(record["tags"], json!(["t10", "t200"]));
        let values = record["conflicts"][0]["values"].as_array().unwrap();
        assert_eq!(values.len(), 2, "{record}");
    }

    /// The same, and what the original had acknowledged a server that is put back does not have any
    /// more when the copy talks first: its number is the copy's then, for good.
    #[test]
    fn what_was_acknowledged_is_written_anew_when_a_copy_has_its_number() {
        for is_again in [false, true] {
            let mut office = Office::open();
            let colleague = office.phone("colleague");
            let (mut original, mut copied, record) = office.phone_and_its_copy();
            let mut office = office.back_up();
            edit(&mut original, record, 10, "abc原");
            office.sync(&mut original, 1 << 20);
            edit(&mut original, record, 20, "abc原文");
            if is_again {
                // What follows waits, or was acknowledged too.
                office.sync(&mut original, 1 << 20);
            }
            let mut office = office.put_back();
            edit(&mut copied, record, 200, "复abc");
            office.sync(&mut copied, 1 << 20);
            let mut phones = [original, copied, colleague];
            let mut forked = 0;
            for round in 0..5 {
                for phone in &mut phones {
                    let summary = office.sync(phone, 1 << 20);
                    forked += summary.forked;
                    assert!(round < 4 || summary.requests == 1, "{summary:?}");
                }
            }
            assert!(forked > 0);
            let shown = |phone: &Phone| phone.replica().unwrap().get(record).unwrap().unwrap();
            let [original, copied, colleague] = &phones;
            let record: Json = shown(original);
            assert_eq!(record["visits"], 231, "{record}");
            assert_eq!(record["notes"], "复abc原文");
            assert_eq!(record["tags"], json!(["t10", "t20", "t200"]));
            let values = record["conflicts"][0]["values"].as_array().unwrap();
            let names: Vec<&Json> = values.iter().map(|one| &one["value"]).collect();
            assert_eq!(names.len(), 2, "{record}");
            assert_eq!(shown(copied), record);
            assert_eq!(shown(colleague), record);
            assert_eq!(original.replica().unwrap().quarantined().unwrap().awaited, 0);
        }
    }

    /// A device was put back with its token after what it wrote was on a colleague's phone, and the
    /// server too: the number was another change's now, and the colleague took it for the one that he
    /// had seen. Nothing told that he held something else than everybody.
    #[test]
    fn a_number_that_became_another_change_does_not_part_others_for_good() {
        let mut office = Office::open();
        let mut colleague = office.phone("colleague");
        let (mut original, mut copied, record) = office.phone_and_its_copy();
        let mut office = office.back_up();
        edit(&mut original, record, 10, "abc");
        office.sync(&mut original, 1 << 20);
        office.sync(&mut colleague, 1 << 20);
        drop(original);
        let mut office = office.put_back();
        // As many operations would not show.
        copied.tell_time(200);
        let change = fields(&json!({ "short_name": "other" }));
        copied.replica_mut().unwrap().update(record, &change).unwrap();
        for round in 0..4 {
            for phone in [&mut copied, &mut colleague] {
                let summary = office.sync(phone, 1 << 20);
                assert!(round < 3 || summary.requests == 1, "{summary:?}");
            }
        }
        let shown = |phone: &Phone| phone.replica().unwrap().get(record).unwrap().unwrap();
        let seen: Json = shown(&colleague);
        assert_eq!(seen["short_name"], "other", "{seen}");
        assert_eq!(seen["company_name"], "Acme 10", "what only he had seen comes back by him");
        assert_eq!(shown(&copied), seen);
    }
}
