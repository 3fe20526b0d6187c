//! A small office for one case: a server and three phones in one folder, which can be copied.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use outrider_core::{
    access::Policy,
    ids::RecordId,
    replica::{
        Options, Replica,
        session::{Session, Summary},
    },
    store::{Durability, meta::Enrolment},
    sync::frame::PROTOCOL_VERSION,
    time::{ManualClock, TimestampMs},
};
use outrider_sync_server::{
    access::policy_of,
    enrol::{Applicant, Draw, create_code, enrol},
    office::{self, Author, Draws},
    storage::{self, Storage, sqlite::SqliteStorage},
};
use serde_json::{Map, Value as Json, json};

use crate::{Failure, device::EPOCH_MS, dice::Dice, server::answer_with};

/// The phone that edits.
pub(super) const EDITOR: usize = 0;
/// A colleague's.
pub(super) const COLLEAGUE: usize = 1;
/// One that was enrolled and has nothing yet.
pub(super) const NEWCOMER: usize = 2;
/// How many phones there are.
const PHONES: usize = 3;
/// Requests of one session, at most.
const REQUESTS_MAX: usize = 200;
/// Rounds after which nothing may move any more.
const ROUNDS_MAX: usize = 8;
/// Bytes of one answer, about.
const BUDGET_BYTES: u64 = 1 << 30;
/// The name of the person at the office.
const CLERK: &str = "Zhao";
/// The name of the server's folder, and how those of phones begin.
const SERVER_FOLDER: &str = "server";
const PHONE_PREFIX: &str = "phone-";

/// What is known of a town beside its files.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) seed: u64,
    /// Counts up with each process that begins, so that none draws what another one drew.
    pub(super) phase: u64,
    pub(super) now_ms: TimestampMs,
    pub(super) known: Vec<Option<storage::Device>>,
    pub(super) customer: RecordId,
    pub(super) double: RecordId,
    pub(super) contact: RecordId,
    pub(super) lead: RecordId,
    /// A field that the office takes from nobody.
    pub(super) withheld: Option<(&'static str, &'static str)>,
    /// A code with which somebody may enrol.
    pub(super) code: String,
    /// The public key of who does.
    pub(super) stranger: Vec<u8>,
    /// To whom backups are encrypted.
    pub(super) recipient: String,
}

/// Everything of one case.
#[derive(Debug)]
pub(super) struct Town {
    pub(super) home: PathBuf,
    pub(super) facts: Facts,
    storage: Option<SqliteStorage>,
    replicas: Vec<Option<Replica>>,
    draws: Arc<Draws>,
    /// The town of which this is a copy, and what of it was not needed yet.
    source: Option<(PathBuf, BTreeSet<OsString>)>,
}

impl Town {
    /// The town whose files are in `home`; nothing is open.
    pub(super) fn at(home: PathBuf, facts: Facts) -> Self {
        let mut seed = [0; 16];
        let bytes = facts.seed.wrapping_add(facts.phase << 32).to_le_bytes();
        seed.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        let replicas = (0..PHONES).map(|_| None).collect();
        let draws = Arc::new(Draws::from_seed(seed));
        Self { home, facts, storage: None, replicas, draws, source: None }
    }

    /// Builds a town in which a little happened.
    pub(super) fn build(home: PathBuf, seed: u64) -> Result<Self, Failure> {
        let nobody = RecordId::new(1, [0; 10]);
        let facts = Facts {
            seed,
            phase: 1,
            now_ms: EPOCH_MS,
            known: vec![None; PHONES],
            customer: nobody,
            double: nobody,
            contact: nobody,
            lead: nobody,
            withheld: None,
            code: String::new(),
            stranger: Vec::new(),
            recipient: String::new(),
        };
        let mut town = Self::at(home, facts);
        town.storage()?;
        for at in 0..PHONES {
            town.enrol_phone(at)?;
        }
        town.fill()?;
        town.author()?;
        let stranger = town.home.join("stranger");
        town.facts.stranger = Replica::open(&stranger, town.options(PHONES))?.public_key();
        let key = town.home.join("backup.key");
        town.facts.recipient = outrider_sync_server::backup::create_key_file(&key)?.to_string();
        town.facts.code =
            create_code(town.storage()?, "Stranger", 60, u128::from(seed) + 77, EPOCH_MS)?.0;
        town.close();
        Ok(town)
    }

    fn fill(&mut self) -> Result<(), Failure> {
        let phone = self.replica(EDITOR)?;
        let acme =
            json!({ "company_name": "Acme Pumps Ltd", "notes": "Asked for a quote.", "visits": 1 });
        let customer = phone.create("customer", &fields(&acme))?;
        let double = phone.create(
            "customer",
            &fields(&json!({ "company_name": "Acme Pumps", "tags": ["old"] })),
        )?;
        let anna = json!({ "name": { "family": "Li", "given": "Na" }, "customer_id": customer.to_string(), "mobile": "+86 138 0013 8000" });
        let contact = phone.create("contact", &fields(&anna))?;
        let lead =
            phone.create("lead", &fields(&json!({ "name": "Northwind", "status": "new" })))?;
        (self.facts.customer, self.facts.double) = (customer, double);
        (self.facts.contact, self.facts.lead) = (contact, lead);
        self.sync(EDITOR)?;
        self.sync(COLLEAGUE)?;
        // Both rename it while apart: there is something to settle.
        for (at, name) in [(EDITOR, "Acme Pumps"), (COLLEAGUE, "ACME Pumps & Valves")] {
            self.replica(at)?.update(customer, &fields(&json!({ "company_name": name })))?;
        }
        for at in [EDITOR, COLLEAGUE, EDITOR] {
            self.sync(at)?;
        }
        Ok(())
    }

    /// Copies all files to `home`; a town that goes on there as another process.
    pub(super) fn copied(from: &Path, facts: &Facts, home: PathBuf) -> Result<Self, Failure> {
        copy_tree(from, &home)?;
        Ok(Self::at(home, Facts { phase: facts.phase + 1, ..facts.clone() }))
    }

    /// As [`copied`](Self::copied), but a phone and the server come when they are first opened.
    pub(super) fn copied_by_need(
        from: &Path,
        facts: &Facts,
        home: PathBuf,
    ) -> Result<Self, Failure> {
        let mut town = Self::at(home, Facts { phase: facts.phase + 1, ..facts.clone() });
        fs::create_dir_all(&town.home)?;
        let mut later: BTreeSet<OsString> = BTreeSet::new();
        for entry in fs::read_dir(from)? {
            let (name, path) = entry.map(|entry| (entry.file_name(), entry.path()))?;
            let is_home = [SERVER_FOLDER, PHONE_PREFIX]
                .iter()
                .any(|begin| name.to_string_lossy().starts_with(begin));
            if is_home {
                later.insert(name);
            } else if path.is_dir() {
                copy_tree(&path, &town.home.join(name))?;
            } else {
                fs::copy(&path, town.home.join(name))?;
            }
        }
        town.source = Some((from.to_owned(), later));
        Ok(town)
    }

    /// Copies the folder of a phone or the server, unless that was done.
    pub(super) fn bring(&mut self, folder: &Path) -> Result<(), Failure> {
        if let (Some((from, later)), Some(name)) = (&mut self.source, folder.file_name())
            && later.remove(name)
        {
            copy_tree(&from.join(name), folder)?;
        }
        Ok(())
    }

    /// The same of a town of which nothing is open.
    pub(super) fn copy_to(&self, home: PathBuf) -> Result<Self, Failure> {
        Self::copied(&self.home, &self.facts, home)
    }

    /// Everything that is open is closed: the processes end.
    pub(super) fn close(&mut self) {
        self.storage = None;
        self.replicas.iter_mut().for_each(|replica| *replica = None);
    }

    /// Another process goes on with the same files.
    pub(super) fn reopened(mut self) -> Self {
        self.close();
        let Self { home, facts, source, .. } = self;
        let facts = Facts { phase: facts.phase + 1, ..facts };
        Self { source, ..Self::at(home, facts) }
    }

    /// The folder of a phone.
    pub(super) fn phone_folder(&self, at: usize) -> PathBuf {
        self.home.join(format!("{PHONE_PREFIX}{at}"))
    }

    /// The folder of the server.
    pub(super) fn data(&self) -> PathBuf {
        self.home.join(SERVER_FOLDER)
    }

    /// How a phone is opened.
    pub(super) fn options(&self, at: usize) -> Options {
        let seed = self.facts.seed.wrapping_add(self.facts.phase * 1_000).wrapping_add(at as u64);
        let clock = Arc::new(ManualClock::at(self.facts.now_ms));
        Options { clock, seed: Some(seed), durability: Durability::Full, keys: None }
    }

    /// A phone, opened as it is for users.
    pub(super) fn replica(&mut self, at: usize) -> Result<&mut Replica, Failure> {
        let (folder, options) = (self.phone_folder(at), self.options(at));
        self.bring(&folder)?;
        let place = self.replicas.get_mut(at).ok_or("there is no such phone")?;
        if place.is_none() {
            *place = Some(Replica::open(&folder, options)?);
        }
        place.as_mut().ok_or_else(|| "the phone is not open".into())
    }

    /// Closes a phone.
    pub(super) fn close_phone(&mut self, at: usize) {
        if let Some(place) = self.replicas.get_mut(at) {
            *place = None;
        }
    }

    /// The server's storage, opened as the server does.
    pub(super) fn storage(&mut self) -> Result<&SqliteStorage, Failure> {
        if self.storage.is_none() {
            self.bring(&self.data())?;
            self.storage = Some(SqliteStorage::open(&self.data())?);
        }
        self.storage.as_ref().ok_or_else(|| "the server is not open".into())
    }

    /// The time, a moment later each time that it is asked for.
    pub(super) fn tick(&mut self) -> TimestampMs {
        self.facts.now_ms += 1;
        self.facts.now_ms
    }

    /// Who may do what.
    pub(super) fn policy(&mut self) -> Result<Policy, Failure> {
        Ok(policy_of(&*self.storage()?.read()?)?)
    }

    /// The person at the office.
    pub(super) fn author(&mut self) -> Result<Author, Failure> {
        let (now_ms, draws) = (self.tick(), Arc::clone(&self.draws));
        Ok(office::author_with(self.storage()?, CLERK, None, &draws, now_ms)?)
    }

    /// Enrols whoever has this code and key.
    pub(super) fn enrol(
        &mut self,
        code: String,
        public_key: Vec<u8>,
    ) -> Result<storage::Device, Failure> {
        let now_ms = self.tick();
        let mut hasher = DefaultHasher::new();
        (&public_key, self.facts.phase, now_ms).hash(&mut hasher);
        let mut dice = Dice::new(hasher.finish());
        let draw = Draw { id: dice.bytes(), prefix: dice.bytes(), token: dice.bytes() };
        let applicant = Applicant {
            code,
            device_name: "a phone".to_owned(),
            public_key,
            protocol: PROTOCOL_VERSION,
        };
        Ok(enrol(self.storage()?, &applicant, &draw, now_ms)?)
    }

    fn enrol_phone(&mut self, at: usize) -> Result<(), Failure> {
        let public_key = self.replica(at)?.public_key();
        let user = ["Ana", "Ben", "Cui"].get(at).copied().unwrap_or("Dan");
        let now_ms = self.tick();
        let random = u128::from(self.facts.seed) + at as u128;
        let (code, _) = create_code(self.storage()?, user, 60, random, now_ms)?;
        let known = self.enrol(code, public_key)?;
        let enrolment = Enrolment {
            url: "http://office".to_owned(),
            device: known.id,
            user: known.user.clone(),
            prefix: known.prefix,
            token: "token".to_owned(),
            user_record: known.user_record,
            ca: None,
        };
        self.replica(at)?.enroll(&enrolment)?;
        if let Some(place) = self.facts.known.get_mut(at) {
            *place = Some(known);
        }
        Ok(())
    }

    /// One undisturbed session.
    pub(super) fn sync(&mut self, at: usize) -> Result<Summary, Failure> {
        let known =
            self.facts.known.get(at).cloned().flatten().ok_or("a phone that is nobody's")?;
        let mut session = Session::with_budget(BUDGET_BYTES);
        for _ in 0..REQUESTS_MAX {
            let Some(request) = session.next(self.replica(at)?)? else {
                return Ok(session.summary().clone());
            };
            let now_ms = self.tick();
            let seen = self.policy()?;
            let written = match self.facts.withheld {
                Some((entity, field)) => seen.clone().withholding(entity, field),
                None => seen.clone(),
            };
            let question = (request.path, request.body.as_slice());
            let answer =
                answer_with(self.storage()?, (&written, &seen), &known, question, now_ms, 1)?;
            session.receive(self.replica(at)?, &mut answer.as_slice())?;
        }
        Err(format!("one session has more than {REQUESTS_MAX} requests").into())
    }

    /// These phones sync until nothing moves any more.
    pub(super) fn settle(&mut self, phones: &BTreeSet<usize>) -> Result<(), Failure> {
        for _ in 0..ROUNDS_MAX {
            let mut is_quiet = true;
            for at in phones {
                let summary = self.sync(*at)?;
                is_quiet &= summary.requests == 1 && summary.pulled == 0 && summary.pushed == 0;
            }
            if is_quiet {
                return Ok(());
            }
        }
        Err(format!("after {ROUNDS_MAX} rounds something still moves").into())
    }
}

/// An object of fields.
pub(super) fn fields(json: &Json) -> Map<String, Json> {
    json.as_object().cloned().unwrap_or_default()
}

/// Copies a folder with all that is in it.
pub(super) fn copy_tree(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
