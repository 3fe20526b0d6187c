//! Phones in a town in which records change hands: people edit offline what they hold, some of it
//! although they may not, while owners, teams, territories and roles change under their feet,
//! sessions are cut, and an administrator decides on what was refused.
//!
//! When all is quiet every phone holds exactly what the model says that its user reads, and every
//! word that was typed is in the history, in an inbox, or among the edits that were refused.

use std::collections::{BTreeMap, BTreeSet};

use outrider_core::{
    access::{Operation, PartKind},
    crdt::{State, TextDocument},
    ids::{DocumentId, Part, RecordId},
    replica::{Replica, ReplicaError, session::Session},
    schema::{Entity, Kind, Schema},
    store::{document, meta::Enrolment, outbox, standing},
    sync::frame::PROTOCOL_VERSION,
};
use outrider_sync_server::{
    access::policy_of,
    devices::Bar,
    enrol::{Applicant, Draw, create_code, enrol},
    office::{self, Decision, OfficeError},
    storage::{self, Content, Read, SCOPE_ALL, Storage, access::ReviewState, sqlite::verify},
};
use serde_json::{Map, json};

use super::{model::Fact, town::Town};
use crate::{
    Failure, Outcome, device::Device, server::answer_with, versions::Version,
    world::QUIET_ROUNDS_MAX,
};

/// Phones of one town, at most.
const PHONES_MAX: usize = 4;
/// Requests of one undisturbed session, at most.
const REQUESTS_MAX: usize = 400;
/// Entities of records that people make in the field.
const MADE: [&str; 6] = ["contact", "visit", "comment", "activity", "opportunity", "lead"];

/// A phone, and how the server knows it.
pub(super) struct Phone {
    user: RecordId,
    pub(super) device: Device,
    pub(super) known: storage::Device,
}

pub(super) struct World {
    pub(super) town: Town,
    pub(super) phones: Vec<Phone>,
    pub(super) boss: RecordId,
    pub(super) number: u32,
    /// Devices that were turned away for good.
    pub(super) revoked: usize,
    /// Records that were erased: what was typed into them is nowhere.
    pub(super) erased: BTreeSet<RecordId>,
    /// Every word that somebody was told is kept, with where it was typed.
    words: BTreeMap<String, DocumentId>,
    pub(super) out: Outcome,
    keeps_trace: bool,
}

/// Runs one town.
#[must_use]
pub fn run_phones(seed: u64, steps: usize, keeps_trace: bool) -> Outcome {
    Version::First.enter();
    let out = Outcome { seed, ..Outcome::default() };
    let world = World::new(seed, out.clone(), keeps_trace);
    let mut world = match world {
        Ok(world) => world,
        Err(error) => {
            let stuck = vec![format!("the town cannot be built: {error}")];
            return Outcome { stuck, ..out };
        }
    };
    let ended = world.live(steps).and_then(|()| world.calm()).and_then(|()| world.judge());
    if let Err(error) = ended {
        world.out.stuck.push(format!("the run broke: {error}"));
    }
    world.out.edits = u64::from(world.number);
    world.out
}

impl World {
    fn new(seed: u64, out: Outcome, keeps_trace: bool) -> Result<Self, Failure> {
        let mut town = Town::build(seed)?;
        let boss = town.add_person("boss", "administrator")?;
        let (phones, words) = (Vec::new(), BTreeMap::new());
        let (number, revoked, erased) = (0, 0, BTreeSet::new());
        let mut world =
            Self { town, phones, boss, number, revoked, erased, words, out, keeps_trace };
        let users = world.town.users();
        for (at, user) in users.into_iter().rev().take(PHONES_MAX).enumerate() {
            let phone = world.enrol(user, at)?;
            world.phones.push(phone);
        }
        Ok(world)
    }

    fn enrol(&mut self, user: RecordId, at: usize) -> Result<Phone, Failure> {
        let Town { dice, storage, facts, now_ms, folder, .. } = &mut self.town;
        let login = facts.people.get(&user).map(|person| person.login.clone()).unwrap_or_default();
        let folder = folder.path().join(format!("phone-{at}"));
        let mut device = Device::open(format!("phone {at} of {login}"), folder, dice.next())?;
        let random = u128::from(dice.next()) << 64 | u128::from(dice.next());
        let (code, _) = create_code(&*storage, &login, 60, random, *now_ms)?;
        let applicant = Applicant {
            code,
            device_name: device.name.clone(),
            public_key: device.replica()?.public_key(),
            protocol: PROTOCOL_VERSION,
        };
        let draw = Draw { id: dice.bytes(), prefix: dice.bytes(), token: dice.bytes() };
        let known = enrol(&*storage, &applicant, &draw, *now_ms)?;
        device.take_enrolment(&Enrolment {
            url: "http://office".to_owned(),
            device: known.id,
            user: known.user.clone(),
            prefix: known.prefix,
            token: "token".to_owned(),
            user_record: known.user_record,
            ca: None,
        })?;
        Ok(Phone { user, device, known })
    }

    fn note(&mut self, what: impl FnOnce() -> String) {
        if self.keeps_trace {
            let what = what();
            self.out.lines.push(what);
        }
    }

    fn live(&mut self, steps: usize) -> Result<(), Failure> {
        for step in 0..steps {
            let at = self.town.dice.below(self.phones.len());
            let done = match self.town.dice.below(100) {
                0..30 => self.edit(at),
                30..38 => self.make(at),
                38..52 => self.town.move_something(),
                52..57 => self.town.reorganise().map(|()| "people move".to_owned()),
                57..60 => self.town.change_role().map(|()| "a role changes".to_owned()),
                60..64 => self.decide(),
                64..67 => self.ask_approval(at),
                67..70 => self.restart(at),
                70..72 => self.turn_away(at),
                72 => self.erase(),
                73 => self.town.restart().map(|()| "the server is restarted".to_owned()),
                _ => self.sync_badly(at),
            };
            let done = done.map_err(|error| format!("step {step}: {error}"))?;
            self.note(|| format!("{step}: phone {at}: {done}"));
        }
        Ok(())
    }

    fn word(&mut self, id: &DocumentId) -> String {
        let word = format!("w{:05}w", self.number);
        self.words.insert(word.clone(), id.clone());
        word
    }

    /// Somebody edits what the phone holds; some do so although the phone says that they may not.
    fn edit(&mut self, at: usize) -> Result<String, Failure> {
        self.number += 1;
        let phone = self.phones.get(at).ok_or("no such phone")?;
        let held = held_records(phone.device.replica()?)?;
        let Some((record, entity)) = self.town.dice.pick(&held).copied() else {
            return Ok("holds nothing".to_owned());
        };
        let (kind, insists) = (self.town.dice.below(10), self.town.dice.percent(40));
        let text = entity.texts().next().map(|field| field.name.clone());
        let money = entity.fields_in(&Part::Restricted).next().map(|field| field.name.clone());
        let (part, fields) = match (kind, text, money) {
            (0 | 1, Some(text), _) => {
                let id = DocumentId { record, part: Part::Text(text.clone()) };
                // Behind what is there, so that the word stays whole in the change.
                let before = text_of(phone.device.replica()?, record, &text)?;
                let after = [before.as_str(), &self.word(&id)].concat();
                (id.part, Map::from_iter([(text, json!(after))]))
            }
            (2 | 3, ..) => {
                let owner = self.town.dice.pick(&self.town.users()).copied();
                let Some(owner) = owner.filter(|_| is_register(entity, "owner_id")) else {
                    return Ok("gives nothing away".to_owned());
                };
                (Part::Main, Map::from_iter([("owner_id".to_owned(), json!(owner.to_string()))]))
            }
            (4, ..) if is_register(entity, "customer_id") => {
                let Some(customer) = self.town.dice.pick(&self.town.customers).copied() else {
                    return Ok("moves nothing".to_owned());
                };
                let customer = json!(customer.to_string());
                (Part::Main, Map::from_iter([("customer_id".to_owned(), customer)]))
            }
            (5, _, Some(money)) => {
                let amount = json!({ "amount": format!("{}.00", self.number), "currency": "EUR" });
                (Part::Restricted, Map::from_iter([(money, amount)]))
            }
            _ => {
                let word = self.word(&DocumentId { record, part: Part::Main });
                (Part::Main, Map::from_iter([("tags".to_owned(), json!({ "add": [word] }))]))
            }
        };
        let (number, what) = (self.number, format!("{part} of {record}: {fields:?}"));
        self.write(at, number, insists, |writer| writer.update(record, &fields).map(drop))
            .map(|done| format!("{done}: {what}"))
    }

    /// Somebody makes a record, mostly of a customer that the phone holds.
    fn make(&mut self, at: usize) -> Result<String, Failure> {
        self.number += 1;
        let phone = self.phones.get(at).ok_or("no such phone")?;
        let held = held_records(phone.device.replica()?)?;
        let customers: Vec<RecordId> = held
            .iter()
            .filter(|(_, entity)| entity.name == "customer")
            .map(|(id, _)| *id)
            .collect();
        let name = self.town.dice.pick(&MADE).copied().unwrap_or("contact");
        let owner = if self.town.dice.percent(80) {
            Some(phone.user)
        } else {
            self.town.dice.pick(&self.town.users()).copied()
        };
        let fields = self.town.draw_fields(name, owner, Some(&customers))?;
        let record = RecordId::new(self.town.now_ms.unsigned_abs(), self.town.dice.bytes());
        let word = self.word(&DocumentId { record, part: Part::Main });
        let mut fields = fields;
        fields.insert("tags".to_owned(), json!([word]));
        let (number, insists) = (self.number, self.town.dice.percent(40));
        self.write(at, number, insists, |writer| {
            writer.create(name, Some(record), &fields).map(drop)
        })
        .map(|done| format!("{done}: makes {name} {record}"))
    }

    /// Writes on a phone; what it refuses at once was never kept.
    fn write(
        &mut self,
        at: usize,
        number: u32,
        insists: bool,
        write: impl FnOnce(&mut outrider_core::replica::Writer<'_>) -> Result<(), ReplicaError>,
    ) -> Result<String, Failure> {
        let word = format!("w{number:05}w");
        let phone = self.phones.get_mut(at).ok_or("no such phone")?;
        phone.device.tell_time(number);
        let written = phone.device.replica_mut()?.transaction(|writer| {
            if insists {
                writer.insist();
            }
            write(writer)
        });
        match written {
            Ok(()) => Ok(format!("writes{}", if insists { ", insisting" } else { "" })),
            Err(ReplicaError::NotPermitted { code, .. }) => {
                self.words.remove(&word);
                if insists {
                    return Err("a phone refuses although its user insists".into());
                }
                Ok(format!("is told {code}"))
            }
            // What a once-field or the office owns is no matter of access.
            Err(ReplicaError::Edit(error)) => {
                self.words.remove(&word);
                Ok(format!("is told {error}"))
            }
            Err(error @ ReplicaError::Erased(_)) => {
                self.words.remove(&word);
                Ok(format!("is told {error}"))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn ask_approval(&mut self, at: usize) -> Result<String, Failure> {
        self.number += 1;
        let number = self.number;
        let phone = self.phones.get_mut(at).ok_or("no such phone")?;
        phone.device.tell_time(number);
        let inbox = phone.device.replica()?.inbox(100)?;
        let Some(id) = self.town.dice.pick(&inbox).map(|refused| refused.id) else {
            return Ok("has nothing to ask for".to_owned());
        };
        match phone.device.replica_mut()?.ask_approval(id, "please") {
            Ok(proposal) => Ok(format!("asks for approval: {proposal}")),
            Err(ReplicaError::NoRefusal(_) | ReplicaError::NotPermitted { .. }) => {
                Ok("may not ask".to_owned())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The administrator decides on the oldest edits that wait.
    fn decide(&mut self) -> Result<String, Failure> {
        let open = self.town.storage.read()?.reviews(ReviewState::Open, 0, 5)?;
        let Some(review) = self.town.dice.pick(&open) else {
            return Ok("nothing waits".to_owned());
        };
        let decision = if self.town.dice.percent(60) { Decision::Grant } else { Decision::Decline };
        let author = self.town.author(self.boss)?;
        let policy = policy_of(&*self.town.storage.read()?)?;
        self.town.now_ms += 1;
        let (storage, now_ms) = (&self.town.storage, self.town.now_ms);
        match office::decide(storage, &policy, &author, review.id, decision, "", now_ms) {
            Ok(()) => Ok(format!("{decision:?}: {}", review.document)),
            Err(OfficeError::Refused { code, .. }) => Ok(format!("{decision:?}: {code}")),
            Err(error @ OfficeError::NotEntered(_)) => Ok(format!("{decision:?}: {error}")),
            Err(error) => Err(error.into()),
        }
    }

    fn restart(&mut self, at: usize) -> Result<String, Failure> {
        self.out.faults += 1;
        let seed = self.town.dice.next();
        self.phones.get_mut(at).ok_or("no such phone")?.device.reopen(seed)?;
        Ok("is restarted".to_owned())
    }

    /// A session over a bad network: things move while it is under way, and it may be cut.
    fn sync_badly(&mut self, at: usize) -> Result<String, Failure> {
        if self.bar(at)?.is_some() {
            return self.hand_in(at, true);
        }
        let budget = if self.town.dice.percent(60) { 1 } else { 1 << 30 };
        let mut session = Session::with_budget(budget);
        self.out.sessions += 1;
        for _ in 0..REQUESTS_MAX {
            let Some(answer) = self.exchange(at, &mut session)? else {
                return Ok(format!("syncs: {:?}", session.summary()));
            };
            let is_cut = self.town.dice.percent(12);
            let thousandths = self.town.dice.below(1_000);
            let arrived = if is_cut {
                answer.get(..answer.len() * thousandths / 1_000).unwrap_or_default()
            } else {
                &answer
            };
            let phone = self.phones.get_mut(at).ok_or("no such phone")?;
            let received = session.receive(phone.device.replica_mut()?, &mut &*arrived);
            if is_cut {
                self.out.faults += 1;
                return Ok("is cut off".to_owned());
            }
            received?;
            match self.town.dice.below(100) {
                0..8 => drop(self.town.move_something()?),
                8..12 => self.town.reorganise()?,
                12..14 => self.town.change_role()?,
                _ => {}
            }
        }
        Err("a session does not end".into())
    }

    /// One request and its answer; none when the session is over.
    fn exchange(&mut self, at: usize, session: &mut Session) -> Result<Option<Vec<u8>>, Failure> {
        let number = self.number;
        let phone = self.phones.get_mut(at).ok_or("no such phone")?;
        phone.device.tell_time(number);
        let Some(request) = session.next(phone.device.replica_mut()?)? else { return Ok(None) };
        self.out.requests += 1;
        self.town.now_ms += 1;
        let policy = policy_of(&*self.town.storage.read()?)?;
        let flush_every = 1 + self.town.dice.below(6);
        let (storage, now_ms) = (&self.town.storage, self.town.now_ms);
        let asked = (request.path, request.body.as_slice());
        let answer =
            answer_with(storage, (&policy, &policy), &phone.known, asked, now_ms, flush_every)?;
        Ok(Some(answer))
    }

    /// Some who were turned away are let in again.
    fn let_in(&mut self) -> Result<(), Failure> {
        for at in 0..self.phones.len() {
            if self.bar(at)? == Some(Bar::UserDisabled) && self.town.dice.percent(60) {
                let told = self.turn_away(at)?;
                self.note(|| format!("phone {at}: {told}"));
            }
        }
        Ok(())
    }

    /// The network heals, and everybody syncs until nothing moves any more.
    fn calm(&mut self) -> Result<(), Failure> {
        self.let_in()?;
        for _ in 0..QUIET_ROUNDS_MAX {
            let mut is_quiet = true;
            for at in 0..self.phones.len() {
                if self.bar(at)?.is_some() {
                    let told = self.hand_in(at, false)?;
                    self.note(|| format!("phone {at} {told}"));
                    continue;
                }
                let budget = if self.town.dice.percent(50) { 1 } else { 1 << 30 };
                let mut session = Session::with_budget(budget);
                let mut requests = 0;
                while let Some(answer) = self.exchange(at, &mut session)? {
                    requests += 1;
                    if requests > REQUESTS_MAX {
                        return Err("a session does not end".into());
                    }
                    let phone = self.phones.get_mut(at).ok_or("no such phone")?;
                    session.receive(phone.device.replica_mut()?, &mut answer.as_slice())?;
                    phone.device.replica_mut()?.sweep_erased()?;
                }
                let summary = session.summary().clone();
                is_quiet &= summary.requests == 1 && summary.pulled == 0 && summary.pushed == 0;
                self.note(|| format!("phone {at} syncs: {summary:?}"));
            }
            if is_quiet {
                return Ok(());
            }
        }
        self.out.stuck.push(format!("after {QUIET_ROUNDS_MAX} rounds something still moves"));
        Ok(())
    }

    fn judge(&mut self) -> Result<(), Failure> {
        let documents = all_documents(&*self.town.storage.read()?)?;
        self.town.facts.records = facts_of(&documents);
        let mut places: Vec<(String, Vec<u8>)> = Vec::new();
        let read = &*self.town.storage.read()?;
        for (at, phone) in self.phones.iter().enumerate() {
            let is_barred = self.bar(at)?.is_some();
            let replica = phone.device.replica()?;
            let name = &phone.device.name;
            let waiting = outbox::count_waiting(replica.store().conn())?;
            if waiting > 0 {
                self.out.stuck.push(format!("{name}: {waiting} changes wait for ever"));
            }
            if replica.leaving()? > 0 {
                self.out.stuck.push(format!("{name}: records wait to leave for ever"));
            }
            let mut held: BTreeMap<DocumentId, Vec<u8>> = BTreeMap::new();
            document::for_each(replica.store().conn(), |id, _, state| {
                held.insert(id.clone(), state.to_vec());
                Ok(())
            })?;
            for (id, stored) in &documents {
                let part = PartKind::of(&id.part);
                let may =
                    !is_barred && self.town.facts.may(phone.user, Operation::Read, part, id.record);
                let what = || format!("{name}: {id} of {}", stored.entity);
                match (held.remove(id), may) {
                    (Some(_), false) => {
                        let why = reasons(replica, read, id.record, stored.family)?;
                        self.out.leaked.push(format!("{}: {why}", what()));
                    }
                    (None, true) => self.out.diverged.push(format!("{} is missing", what())),
                    (Some(mine), true) if !is_same(&mine, &stored.content)? => {
                        self.out.diverged.push(format!("{} differs", what()));
                    }
                    (Some(_), true) | (None, false) => {}
                }
            }
            let rest = held.keys().map(|id| format!("{name}: {id} is not at the server"));
            self.out.diverged.extend(rest);
            let inbox = serde_json::to_vec(&replica.inbox(usize::MAX)?)?;
            places.push((format!("the inbox of {name}"), inbox));
        }
        for id in documents.keys() {
            for change in read.changes_since(id, 0, usize::MAX)? {
                places.push((format!("a change of {id}"), change.bytes));
            }
        }
        for state in ReviewState::ALL {
            for review in read.reviews(state, 0, 100_000)? {
                let words = format!("review {} ({state:?}) of {}", review.id, review.document);
                places.push((words, review.bytes));
            }
        }
        let checked = verify::verify(&self.town.data(), None, &mut |_, _, _| ())?;
        let problems = checked.problems.iter().map(|problem| format!("the server: {problem}"));
        self.out.diverged.extend(problems);
        for (word, id) in &self.words {
            let finder = memchr::memmem::Finder::new(word);
            let place = places.iter().find(|(_, bytes)| finder.find(bytes).is_some());
            if self.erased.contains(&id.record) {
                if let Some((place, _)) = place {
                    self.out
                        .leaked
                        .push(format!("{word} of {id}, which was erased, is in {place}"));
                }
            } else if place.is_none() {
                self.out.lost.push(format!("{word}, typed into {id}, is nowhere"));
            }
        }
        Ok(())
    }
}

/// Why a phone thinks that it may hold a record, and where the server has it.
fn reasons(
    replica: &Replica,
    read: &dyn Read,
    record: RecordId,
    family: RecordId,
) -> Result<String, Failure> {
    let conn = replica.store().conn();
    let alone = standing::alone(record);
    let place = standing::family_of(conn, record)?;
    let mine = (standing::scopes_of(conn, family)?, standing::scopes_of(conn, alone)?);
    let theirs = read.scopes_of(family, Some(alone))?;
    let grant = replica.grant()?.digest();
    Ok(format!("{place:?} of {family}, {mine:?}, the server {theirs:?}, grant {grant:?}"))
}

fn text_of(replica: &Replica, record: RecordId, field: &str) -> Result<String, Failure> {
    let documents = replica.documents(record)?;
    Ok(documents.and_then(|(_, mut all)| all.texts.remove(field)).unwrap_or_default())
}

fn is_register(entity: &Entity, field: &str) -> bool {
    entity.field(field).is_some_and(|field| field.kind == Kind::Register)
}

/// Records on a phone that people work with, each with its entity.
fn held_records(replica: &Replica) -> Result<Vec<(RecordId, &'static Entity)>, Failure> {
    let mut held = Vec::new();
    document::for_each(replica.store().conn(), |id, entity, _| {
        if id.part == Part::Main
            && !matches!(entity, "user" | "team" | "territory" | "role" | "proposal")
        {
            held.extend(Schema::current().entity(entity).map(|entity| (id.record, entity)));
        }
        Ok(())
    })?;
    held.sort_by_key(|(record, _)| *record);
    Ok(held)
}

fn all_documents(
    read: &dyn Read,
) -> Result<BTreeMap<DocumentId, storage::StoredDocument>, Failure> {
    let mut documents = BTreeMap::new();
    for stream in read.stream_digests(SCOPE_ALL)? {
        for one in read.document_digests(&stream.stream, None, usize::MAX)? {
            let id = DocumentId { record: one.record, part: stream.stream.part.clone() };
            let stored = read.document(&id)?.ok_or("a digest without a document")?;
            documents.insert(id, stored);
        }
    }
    Ok(documents)
}

/// What the records say by now, whoever wrote it.
fn facts_of(documents: &BTreeMap<DocumentId, storage::StoredDocument>) -> BTreeMap<RecordId, Fact> {
    let mut facts = BTreeMap::new();
    for (id, stored) in documents.iter().filter(|(id, _)| id.part == Part::Main) {
        let (Some(entity), Content::Flat(main)) =
            (Schema::current().entity(&stored.entity), &stored.content)
        else {
            continue;
        };
        let (mut links, mut sets) = (BTreeMap::new(), BTreeMap::new());
        for field in &entity.fields {
            if field.kind == Kind::Set {
                let members = main.members(&field.name).into_iter();
                let members: BTreeSet<RecordId> =
                    members.filter_map(|one| one.parse().ok()).collect();
                sets.insert(field.name.clone(), members);
            } else if let Some(shown) = main.register(&field.name)
                && let Some(link) = shown.winner.value.as_text().and_then(|text| text.parse().ok())
            {
                links.insert(field.name.clone(), link);
            }
        }
        facts.insert(id.record, Fact { entity, links, sets, canaries: BTreeMap::new() });
    }
    facts
}

fn is_same(mine: &[u8], theirs: &Content) -> Result<bool, Failure> {
    Ok(match theirs {
        Content::Flat(theirs) => State::from_bytes(mine)? == *theirs,
        Content::Text(theirs) => TextDocument::load(mine)?.heads() == theirs.heads,
    })
}
