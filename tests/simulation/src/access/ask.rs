//! The questions: each is put to the server and to the model.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
    sync::{Arc, Mutex},
};

use outrider_core::{
    access::{Grant, Operation, PartKind, Standing, grant::Question},
    ids::{ActorPrefix, DeviceId, DocumentId, Part, RecordId},
    schema::{Entity, Schema},
    store::{query::Query, search::SearchQuery},
    sync::{
        codec::to_cbor,
        frame::{PROTOCOL_VERSION, Progress, PullFrame, PullRequest},
    },
    transfer::export::{Format, Options},
};
use outrider_sync_server::{
    access::{Eyes, Issuer, Policies, policy_of},
    feed,
    keys::ServerKey,
    office::{self, FileOptions, Selection},
    storage::{Device, Read, Storage, sqlite::SqliteStorage},
};
use serde_json::{Map, Value as Json};

use super::{Asked, model::Facts, town::Town};
use crate::Failure;

/// Random questions to the grant, for each user and round.
const GRANT_QUESTIONS: usize = 400;
/// Edits that are tried at the office, for each user and round.
const EDITS: usize = 4;
/// Requests of one pull, at most.
const REQUESTS_MAX: usize = 200;
/// Differences that are told of each town, at most.
const FOUND_MAX: usize = 8;

/// Asks everything of everybody.
pub(super) fn all(town: &mut Town, round: usize, asked: &mut Asked) -> Result<(), Failure> {
    for user in town.users() {
        let grant = policy_of(&*town.storage.read()?)?.grant(Some(user), town.now_ms);
        let mut talk = Talk { user, round, facts: &town.facts, asked };
        talk.ask_grant(&town.storage, &grant, &mut town.dice)?;
        let budget = if town.dice.percent(60) { 1 } else { 1 << 30 };
        talk.pull(&town.storage, town.now_ms, budget, town.dice.bytes())?;
        talk.read(&*town.storage.read_as(&grant)?)?;
        let format = if town.dice.percent(50) { Format::Csv } else { Format::JsonLines };
        talk.export(&town.storage, town.now_ms, format)?;
        for _ in 0..EDITS {
            try_edit(town, user, round, asked)?;
        }
    }
    Ok(())
}

/// One user's questions.
struct Talk<'a> {
    user: RecordId,
    round: usize,
    facts: &'a Facts,
    asked: &'a mut Asked,
}

fn tell(asked: &mut Asked, what: String) {
    asked.differences += 1;
    if asked.found.len() < FOUND_MAX {
        asked.found.push(what);
    }
}

impl Talk<'_> {
    fn compare(&mut self, what: &str, server: bool, model: bool, about: &dyn std::fmt::Debug) {
        self.asked.questions += 1;
        if server != model {
            let Self { user, round, .. } = self;
            let what = format!(
                "round {round}, user {user}, {what}: server {server}, model {model}: {about:?}; {:?}",
                self.facts.people.get(user)
            );
            tell(self.asked, what);
        }
    }

    fn reads(&self, record: RecordId, part: &Part) -> bool {
        self.facts.may(self.user, Operation::Read, PartKind::of(part), record)
    }

    /// Looks for words that may not be in what reached the user.
    fn look_for_canaries(&mut self, what: &str, bytes: &[u8], operation: Operation) {
        for (record, fact) in &self.facts.records {
            for (part, canary) in &fact.canaries {
                let is_there = contains(bytes, canary);
                if is_there && !self.facts.may(self.user, operation, PartKind::of(part), *record) {
                    self.asked.canary_hits += 1;
                    let what = format!(
                        "round {}, user {}: {what} has {canary} of {record} {part}",
                        self.round, self.user
                    );
                    if self.asked.found.len() < FOUND_MAX {
                        self.asked.found.push(what);
                    }
                }
            }
        }
    }

    /// Random questions to the grant, with the standing that the server computes.
    fn ask_grant(
        &mut self,
        storage: &SqliteStorage,
        grant: &Grant,
        dice: &mut crate::dice::Dice,
    ) -> Result<(), Failure> {
        let read = storage.read()?;
        let mut standings: BTreeMap<RecordId, Standing> = BTreeMap::new();
        let records: Vec<RecordId> = self.facts.records.keys().copied().collect();
        for _ in 0..GRANT_QUESTIONS {
            let (Some(record), Some(operation), Some(part)) = (
                dice.pick(&records).copied(),
                dice.pick(&Operation::ALL).copied(),
                dice.pick(&PartKind::ALL).copied(),
            ) else {
                continue;
            };
            let Some(fact) = self.facts.records.get(&record) else { continue };
            let standing = match standings.entry(record) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(standing_of(&*read, record)?)
                }
            };
            let entity = fact.entity.name.as_str();
            let server = grant.allows(&Question { operation, entity, part, standing });
            let model = self.facts.may(self.user, operation, part, record);
            let about = (operation, part, entity, record, &fact.links, &*standing);
            self.compare("grant", server, model, &about);
        }
        Ok(())
    }

    /// A fresh device of the user pulls: the bytes that it gets are what the user may read.
    fn pull(
        &mut self,
        storage: &SqliteStorage,
        now_ms: i64,
        budget_bytes: u64,
        id: [u8; 16],
    ) -> Result<(), Failure> {
        let device = fresh_device(self.user, id);
        let policy = policy_of(&*storage.read()?)?;
        let key = ServerKey::from_bytes(&[7; 32])?;
        let (mut sent, mut bytes) = (BTreeSet::new(), Vec::new());
        let mut request = PullRequest {
            version: PROTOCOL_VERSION,
            position: 0,
            digest: [0; 16],
            progress: None,
            budget_bytes,
            held: [0; 16],
            erased: None,
            recovered: None,
            has_tried: None,
            is_cursor_lost: None,
            grant: [0; 16],
            audit_head: None,
            pushed: None,
        };
        for number in 0.. {
            if number == REQUESTS_MAX {
                tell(self.asked, format!("a pull of {} does not end", self.user));
                break;
            }
            let issuer = Issuer { policy: &policy, key: &key, now_ms };
            let (mut progress, mut end) = (None, None);
            feed::pull(storage, issuer, &device, &request, &mut |frame| {
                bytes.extend(to_cbor(&frame));
                match frame {
                    PullFrame::Document(document) => {
                        sent.insert((document.record, document.part.clone()));
                        progress = Some(Progress {
                            pass: document.pass,
                            family_position: document.family_position,
                            family: document.unit.unwrap_or(document.family),
                            record: document.record,
                            part: document.part.clone(),
                            reached: None,
                        });
                    }
                    PullFrame::End(last) => end = Some(last),
                    PullFrame::Hello(_)
                    | PullFrame::Author(_)
                    | PullFrame::Leave(..)
                    | PullFrame::Enter(..)
                    | PullFrame::Depart(..)
                    | PullFrame::Erase(..) => {}
                }
                Ok(())
            })?;
            let end = end.ok_or("a pull without an end")?;
            if !end.is_more {
                break;
            }
            let before = request.progress.take();
            request.progress =
                progress.or(before).map(|progress| Progress { reached: end.reached, ..progress });
        }
        for (record, fact) in &self.facts.records {
            for part in fact.canaries.keys() {
                let server = sent.remove(&(*record, part.clone()));
                let about = (&fact.entity.name, record, part, &fact.links, &fact.sets);
                self.asked.questions += 1;
                let model = self.reads(*record, part);
                if server != model {
                    let what = format!(
                        "round {}, user {}, pull: server {server}, model {model}: {about:?}",
                        self.round, self.user
                    );
                    tell(self.asked, what);
                }
            }
        }
        for (record, part) in sent {
            tell(self.asked, format!("a pull has {record} {part}, of which nobody knows"));
        }
        self.look_for_canaries("a pull", &bytes, Operation::Read);
        self.look_for_missing("a pull", &bytes);
        Ok(())
    }

    /// What may be read must be found in the bytes too: else the looking proves nothing.
    fn look_for_missing(&mut self, what: &str, bytes: &[u8]) {
        for (record, fact) in &self.facts.records {
            for (part, canary) in &fact.canaries {
                if self.reads(*record, part) && !contains(bytes, canary) {
                    tell(self.asked, format!("{what} lacks {canary} of {record} {part}"));
                }
            }
        }
    }

    /// What lists, counts, searches, pages and histories show with the user's eyes.
    fn read(&mut self, read: &dyn Read) -> Result<(), Failure> {
        let mut shown = String::new();
        let query = Query { limit: 1_000, with_archived: true, ..Query::default() };
        let mut found = BTreeSet::new();
        let names: BTreeSet<&str> =
            self.facts.records.values().map(|fact| fact.entity.name.as_str()).collect();
        for name in names {
            let entity = entity(name)?;
            let expected = self.expected(entity);
            let listed: BTreeSet<RecordId> = read.list(entity, &query)?.ids.into_iter().collect();
            self.compare_sets("list", &listed, &expected);
            let count = usize::try_from(read.count(entity, &query)?).unwrap_or_default();
            self.compare("count", count == expected.len(), true, &(name, count, expected.len()));
            let (page, total) = read.list_found(entity, "canary", &query)?;
            let hits: BTreeSet<RecordId> = page.ids.into_iter().collect();
            let is_titled = entity.title_field().is_some_and(super::town::is_plain);
            if is_titled && !matches!(name, "user" | "role" | "team" | "territory") {
                self.compare_sets("search in a list", &hits, &expected);
                self.compare("found", total as usize == expected.len(), true, &(name, total));
            }
            found.extend(hits);
        }
        self.compare("search", found.iter().all(|id| self.reads(*id, &Part::Main)), true, &found);
        let search = SearchQuery {
            text: "canary".to_owned(),
            with_archived: true,
            limit: 200,
            ..SearchQuery::default()
        };
        let page = read.search(&search)?;
        let is_allowed = page.hits.iter().all(|hit| self.reads(hit.record, &Part::Main));
        self.compare("hits", is_allowed, true, &page.total);
        shown.push_str(&format!("{page:?}"));
        for (record, fact) in &self.facts.records {
            for part in fact.canaries.keys() {
                let id = DocumentId { record: *record, part: part.clone() };
                let server = read.document(&id)?.is_some();
                let history = !read.changes_since(&id, 0, 1)?.is_empty();
                let model = self.reads(*record, part);
                self.asked.questions += 2;
                if server != model || history != model {
                    let what = format!("document {id}: {server}, {history}, model {model}");
                    tell(self.asked, what);
                }
            }
            if let Some(view) = office::view(read, *record)? {
                shown.push_str(&serde_json::to_string(&view.json)?);
            }
            match office::history(read, *record, &office::HistoryQuery::default()) {
                Ok(page) => shown.push_str(&format!("{page:?}")),
                Err(error) => shown.push_str(&error.to_string()),
            }
        }
        let (conflicts, _) = read.conflicts(1_000)?;
        let is_allowed = conflicts.iter().all(|id| self.reads(*id, &Part::Main));
        self.compare("conflicts", is_allowed, true, &conflicts);
        self.look_for_canaries("a page", shown.as_bytes(), Operation::Read);
        Ok(())
    }

    fn expected(&self, entity: &Entity) -> BTreeSet<RecordId> {
        let of = self.facts.records.iter().filter(|(_, fact)| fact.entity.name == entity.name);
        of.map(|(id, _)| *id).filter(|id| self.reads(*id, &Part::Main)).collect()
    }

    fn compare_sets(
        &mut self,
        what: &str,
        server: &BTreeSet<RecordId>,
        model: &BTreeSet<RecordId>,
    ) {
        self.asked.questions += 1;
        if server != model {
            let more: Vec<_> = server.difference(model).collect();
            let less: Vec<_> = model.difference(server).collect();
            let Self { user, round, .. } = self;
            let what = format!("round {round}, user {user}, {what}: more {more:?}, less {less:?}");
            tell(self.asked, what);
        }
    }

    /// Files that the user takes out.
    fn export(
        &mut self,
        storage: &SqliteStorage,
        now_ms: i64,
        format: Format,
    ) -> Result<(), Failure> {
        let login = self.facts.people.get(&self.user).map_or("", |person| person.login.as_str());
        let eyes = Eyes::of_user(login, Some(self.user));
        let names: BTreeSet<&str> =
            self.facts.records.values().map(|fact| fact.entity.name.as_str()).collect();
        for name in names {
            let seen = Policies::default().seen(storage, &eyes, now_ms)?;
            let seen = seen.narrowed_to(Operation::Export);
            let options = Options { now_ms, ..Options::default() };
            let file = FileOptions { format, options, device: None, account: None, subject: None };
            let query = Query { with_archived: true, ..Query::default() };
            let out = Shared::default();
            let written = office::write_file(
                &seen,
                entity(name)?,
                &Selection::List(query),
                &file,
                Box::new(out.clone()),
            );
            let mut bytes = out.take();
            if let Err(error) = &written {
                bytes.extend(error.to_string().into_bytes());
            }
            self.look_for_canaries("an export", &bytes, Operation::Export);
            for (record, fact) in &self.facts.records {
                let canary = fact.canaries.get(&Part::Main);
                let Some(canary) = canary.filter(|_| fact.entity.name == name) else { continue };
                let model = self.facts.may(self.user, Operation::Export, PartKind::Main, *record);
                let server = contains(&bytes, canary);
                self.asked.questions += 1;
                if server != model {
                    let what = format!("export of {name} {record}: {server}, model {model}");
                    tell(self.asked, what);
                }
            }
        }
        Ok(())
    }
}

/// An edit at the office: taken if the model says that the user may edit the main part.
fn try_edit(
    town: &mut Town,
    user: RecordId,
    round: usize,
    asked: &mut Asked,
) -> Result<(), Failure> {
    let from = if town.dice.percent(30) { &town.customers } else { &town.others };
    let Some(record) = town.dice.pick(from).copied() else { return Ok(()) };
    let follower = town.dice.pick(&town.users()).copied().unwrap_or(user);
    let author = town.author(user)?;
    let policy = policy_of(&*town.storage.read()?)?;
    town.now_ms += 1;
    let add = serde_json::json!({ "add": [follower.to_string()] });
    let fields: Map<String, Json> = Map::from_iter([("followers".to_owned(), add)]);
    let (storage, now_ms) = (&town.storage, town.now_ms);
    let result = office::update(storage, &policy, &author, record, &fields, None, now_ms);
    let model = town.facts.may(user, Operation::Edit, PartKind::Main, record);
    let mut talk = Talk { user, round, facts: &town.facts, asked };
    let about = town.facts.records.get(&record).map(|fact| (&fact.entity.name, &fact.links));
    talk.compare("edit", result.is_ok(), model, &(record, about));
    if let Err(error) = result {
        talk.look_for_canaries("an error", error.to_string().as_bytes(), Operation::Read);
    }
    Ok(())
}

fn entity(name: &str) -> Result<&'static Entity, Failure> {
    Schema::current().entity(name).ok_or_else(|| "no such entity".into())
}

/// Where a record stands, as the server's storage says.
fn standing_of(read: &dyn Read, record: RecordId) -> Result<Standing, Failure> {
    let Some((family, alone)) = read.place_of(record)? else { return Ok(Standing::new()) };
    let scopes = read.scopes_of(family, alone)?.into_iter();
    Ok(scopes.filter(|scope| scope.left.is_none()).map(|scope| scope.scope).collect())
}

fn fresh_device(user: RecordId, id: [u8; 16]) -> Device {
    Device {
        id: DeviceId(RecordId::from_bytes(id).0),
        name: String::new(),
        user: String::new(),
        user_record: Some(user),
        prefix: ActorPrefix([0xff; 12]),
        public_key: Vec::new(),
        token_hash: [0; 32],
        enrolled_at: 0,
        is_office: false,
    }
}

/// Whether a word is in some bytes; an amount may be there in its smallest unit.
fn contains(bytes: &[u8], word: &str) -> bool {
    memchr::memmem::find(bytes, word.as_bytes()).is_some()
        || word.split_once('.').is_some_and(|(whole, rest)| {
            memchr::memmem::find(bytes, [whole, rest].concat().as_bytes()).is_some()
        })
}

/// A file in memory.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn take(&self) -> Vec<u8> {
        self.0.lock().map(|bytes| bytes.clone()).unwrap_or_default()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Ok(mut all) = self.0.lock() {
            all.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
