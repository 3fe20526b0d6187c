//! A town: a real storage with people, groups and records drawn by dice, and the facts that a
//! model of access needs, written down beside.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use outrider_core::{
    access::Policy,
    crdt::{self, Action, Edit, Stamp, State},
    ids::{ActorId, Part, RecordId},
    schema::{Family, Kind, Schema, Type, sample},
    sync::frame::{Outcome, PushChange, PushGroup, PushRequest},
    time::TimestampMs,
    value::Value,
};
use outrider_sync_server::{
    accept,
    office::{self, Author, Draws, SYSTEM_USER},
    storage::{Storage, sqlite::SqliteStorage},
};
use serde_json::{Map, Value as Json, json};
use tempfile::TempDir;

use super::{
    model::{Fact, Facts, Group, Person},
    roles::draw_roles,
};
use crate::{Failure, device::EPOCH_MS, dice::Dice, hand::draw};

/// The folder of the server.
const DATA: &str = "server";
/// Records of these are drawn: heads, members of families, entities with readers and shares, and
/// those that stand alone.
pub(super) const ENTITIES: [&str; 18] = [
    "contact",
    "opportunity",
    "visit",
    "visit",
    "service_request",
    "comment",
    "check_in",
    "asset",
    "contract",
    "sales_order",
    "interaction",
    "activity",
    "proposal",
    "product",
    "lead",
    "stock_move",
    "campaign",
    "saved_filter",
];
/// The fields that say whose a record is, with what they link to.
const OWNERSHIP: [&str; 3] = ["owner_id", "team_id", "territory_id"];

/// A town.
pub(super) struct Town {
    pub(super) folder: TempDir,
    pub(super) storage: SqliteStorage,
    pub(super) facts: Facts,
    pub(super) dice: Dice,
    pub(super) now_ms: TimestampMs,
    draws: Arc<Draws>,
    system: Author,
    people: Vec<RecordId>,
    /// Roles that people have beside that which their own record names.
    linked_roles: BTreeMap<RecordId, String>,
    teams: Vec<RecordId>,
    territories: Vec<RecordId>,
    pub(super) customers: Vec<RecordId>,
    pub(super) others: Vec<RecordId>,
    /// Ids of customers that records belong to and that come later.
    expected: Vec<RecordId>,
    canaries: u32,
}

impl Town {
    pub(super) fn build(seed: u64) -> Result<Self, Failure> {
        let mut dice = Dice::new(seed);
        let folder = tempfile::Builder::new().prefix("outrider-town").tempdir()?;
        let storage = SqliteStorage::open_for_test(&folder.path().join(DATA), true)?;
        let draws = Arc::new(Draws::from_seed(dice.bytes()));
        let system = office::author_with(&storage, SYSTEM_USER, None, &draws, EPOCH_MS)?;
        let facts = Facts { today: "2026-05-28", ..Facts::default() };
        let expected = (0..2).map(|_| RecordId::new(EPOCH_MS as u64, dice.bytes())).collect();
        let mut town = Self {
            folder,
            storage,
            facts,
            dice,
            now_ms: EPOCH_MS,
            draws,
            system,
            people: Vec::new(),
            linked_roles: BTreeMap::new(),
            teams: Vec::new(),
            territories: Vec::new(),
            customers: Vec::new(),
            others: Vec::new(),
            expected,
            canaries: 0,
        };
        town.set_rules()?;
        town.settle_people()?;
        for _ in 0..5 + town.dice.below(4) {
            let customer = town.settle_record("customer")?;
            town.customers.push(customer);
        }
        for _ in 0..24 + town.dice.below(16) {
            let entity = town.dice.pick(&ENTITIES).copied().unwrap_or("contact");
            let record = town.settle_record(entity)?;
            town.others.push(record);
        }
        Ok(town)
    }

    /// Where the server's data is.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join(DATA)
    }

    /// The process ends and begins again.
    pub(super) fn restart(&mut self) -> Result<(), Failure> {
        self.storage = SqliteStorage::open_for_test(&self.data(), true)?;
        Ok(())
    }

    /// Records of entities that can be a person.
    pub(super) fn persons(&self, entities: &[&str]) -> Vec<RecordId> {
        let is_person = |record: &&RecordId| {
            let fact = self.facts.records.get(record);
            fact.is_some_and(|fact| entities.contains(&fact.entity.name.as_str()))
        };
        self.customers.iter().chain(&self.others).filter(is_person).copied().collect()
    }

    /// Nobody at the office touches these any more.
    pub(super) fn forget(&mut self, records: &[RecordId]) {
        self.customers.retain(|one| !records.contains(one));
        self.others.retain(|one| !records.contains(one));
    }

    pub(super) fn users(&self) -> Vec<RecordId> {
        self.people.clone()
    }

    /// Who writes as this user at the office.
    pub(super) fn author(&self, user: RecordId) -> Result<Author, Failure> {
        let login = self.facts.people.get(&user).map(|person| person.login.as_str());
        let login = login.ok_or("nobody")?;
        Ok(office::author_with(&self.storage, login, Some(user), &self.draws, self.now_ms)?)
    }

    fn set_rules(&mut self) -> Result<(), Failure> {
        let mut write = self.storage.write()?;
        let mut rules = write.rules()?;
        rules.is_on = !self.dice.percent(3);
        rules.number += 1;
        rules.roles.extend(draw_roles(&mut self.dice));
        write.add_rules(&rules, self.now_ms, "test")?;
        write.commit()?;
        self.facts.is_on = rules.is_on;
        self.facts.roles = rules.roles;
        Ok(())
    }

    fn settle_people(&mut self) -> Result<(), Failure> {
        let names: Vec<String> = self.facts.roles.keys().cloned().collect();
        let mut roles = Vec::new();
        for _ in 0..3 {
            let name = self.dice.pick(&names).cloned().unwrap_or_default();
            let id = self.create("role", Map::from_iter([("name".to_owned(), json!(name))]))?;
            roles.push((id, name));
        }
        for number in 0..3 + self.dice.below(2) {
            let fields = Map::from_iter([("name".to_owned(), json!(format!("Team {number}")))]);
            let id = self.create("team", fields)?;
            self.teams.push(id);
            self.facts.teams.insert(id, Group::default());
        }
        for number in 0..3 + self.dice.below(3) {
            let fields = Map::from_iter([("name".to_owned(), json!(format!("Land {number}")))]);
            let id = self.create("territory", fields)?;
            self.territories.push(id);
            self.facts.territories.insert(id, Group::default());
        }
        for number in 0..5 + self.dice.below(3) {
            let login = format!("user{number}");
            let role =
                if self.dice.percent(4) { "nothing".to_owned() } else { self.draw_role(&names) };
            let id = self.add_person(&login, &role)?;
            self.people.push(id);
            if self.dice.percent(35)
                && let Some((role, name)) = self.dice.pick(&roles).cloned()
            {
                self.update(id, &json!({ "roles": { "add": [role.to_string()] } }))?;
                self.person(id).roles.insert(name.clone());
                self.linked_roles.insert(id, name);
            }
        }
        for _ in 0..14 {
            self.reorganise()?;
        }
        Ok(())
    }

    fn draw_role(&mut self, names: &[String]) -> String {
        // Those who see part of the records are asked more often than those who see all.
        let usual = ["sales_rep", "sales_manager", "technician", "odd_0", "odd_1", "odd_2"];
        if self.dice.percent(65) {
            return self.dice.pick(&usual).copied().unwrap_or("sales_rep").to_owned();
        }
        self.dice.pick(names).cloned().unwrap_or_default()
    }

    /// Changes something about who is who.
    pub(super) fn reorganise(&mut self) -> Result<(), Failure> {
        let (Some(user), Some(other)) =
            (self.dice.pick(&self.people).copied(), self.dice.pick(&self.people).copied())
        else {
            return Ok(());
        };
        let (Some(team), Some(territory)) =
            (self.dice.pick(&self.teams).copied(), self.dice.pick(&self.territories).copied())
        else {
            return Ok(());
        };
        let is_team = self.dice.percent(50);
        let group_id = if is_team { team } else { territory };
        let parent =
            *self.dice.pick(if is_team { &self.teams } else { &self.territories }).ok_or("-")?;
        match self.dice.below(8) {
            0 | 1 => {
                self.update(group_id, &json!({ "members": { "add": [user.to_string()] } }))?;
                self.group(group_id).members.insert(user);
            }
            2 => {
                self.update(group_id, &json!({ "manager_id": user.to_string() }))?;
                self.group(group_id).manager = Some(user);
            }
            3 => {
                self.update(group_id, &json!({ "parent_id": parent.to_string() }))?;
                self.group(group_id).parent = Some(parent);
            }
            4 => {
                // A team by its name, now and then.
                let at = self.teams.iter().position(|known| *known == team).unwrap_or(0);
                let name =
                    if self.dice.percent(50) { team.to_string() } else { format!("Team {at}") };
                self.update(user, &json!({ "teams": { "add": [name] } }))?;
                self.person(user).teams.insert(team);
            }
            5 => {
                self.update(user, &json!({ "territories": { "add": [territory.to_string()] } }))?;
                self.person(user).territories.insert(territory);
            }
            6 => {
                let periods = [
                    ("2026-05-01", "2026-05-28"),
                    ("2026-05-28", "2026-06-30"),
                    ("2026-05-29", "2026-06-30"),
                    ("2026-05-01", "2026-05-27"),
                    ("2026-01-01", "2026-12-31"),
                ];
                let (from, until) = *self.dice.pick(&periods).ok_or("-")?;
                let period = format!("{from}/{until}");
                let fields = json!({ "delegate_id": other.to_string(), "delegated": period });
                self.update(user, &fields)?;
                self.person(user).stands_in = Some((other, from, until));
            }
            _ => {
                let is_inactive = self.dice.percent(15);
                self.update(user, &json!({ "inactive": is_inactive }))?;
                self.person(user).is_inactive = is_inactive;
            }
        }
        Ok(())
    }

    fn group(&mut self, id: RecordId) -> &mut Group {
        if self.teams.contains(&id) {
            self.facts.teams.entry(id).or_default()
        } else {
            self.facts.territories.entry(id).or_default()
        }
    }

    fn person(&mut self, id: RecordId) -> &mut Person {
        self.facts.people.entry(id).or_default()
    }

    /// Changes something about a record: whose it is, to which family it belongs, who works on it.
    pub(super) fn move_something(&mut self) -> Result<String, Failure> {
        let nothing = "nothing moves".to_owned();
        if self.dice.percent(4)
            && let Some(head) = self.expected.pop()
        {
            return self.bring_head(head).map(|()| format!("the head {head} comes"));
        }
        let from = if self.dice.percent(35) { &self.customers } else { &self.others };
        let Some(record) = self.dice.pick(from).copied() else { return Ok(nothing) };
        let Some(entity) = self.facts.records.get(&record).map(|fact| fact.entity) else {
            return Ok(nothing);
        };
        if self.dice.percent(6) {
            let (storage, open) = (&self.storage, Policy::open());
            office::archive(storage, &open, &self.system, record, None, self.now_ms)?;
            return Ok(format!("{record} is archived"));
        }
        let mut names: Vec<&str> = OWNERSHIP.to_vec();
        if let Family::Link(field) = &entity.family {
            names.push(field);
        }
        names.extend(entity.readers.iter().map(String::as_str));
        names.extend(entity.shares.iter().map(String::as_str));
        let Some(name) = self.dice.pick(&names).copied() else { return Ok(nothing) };
        let Some(field) = entity.field(name) else { return Ok(nothing) };
        if field.kind == Kind::Once {
            return Ok(nothing);
        }
        let Some(linked) = self.draw_link(name, &field.ty) else { return Ok(nothing) };
        let is_set = field.kind == Kind::Set;
        let has = |fact: &Fact| fact.sets.get(name).is_some_and(|set| set.contains(&linked));
        let was_in = self.facts.records.get(&record).is_some_and(has);
        let is_emptied = !field.required && self.dice.percent(25);
        let value = match (is_set, was_in, is_emptied) {
            (true, true, _) => json!({ "remove": [linked.to_string()] }),
            (true, false, _) => json!({ "add": [linked.to_string()] }),
            (false, _, true) => Json::Null,
            (false, _, false) => json!(linked.to_string()),
        };
        let told = format!("{record} moves: {name} {value}");
        self.update(record, &Json::Object(Map::from_iter([(name.to_owned(), value)])))?;
        let Some(fact) = self.facts.records.get_mut(&record) else { return Ok(nothing) };
        if is_set {
            let set = fact.sets.entry(name.to_owned()).or_default();
            if was_in {
                set.remove(&linked)
            } else {
                set.insert(linked)
            };
        } else if is_emptied {
            fact.links.remove(name);
        } else {
            fact.links.insert(name.to_owned(), linked);
        }
        Ok(told)
    }

    /// A record to which a field may link.
    fn draw_link(&mut self, name: &str, ty: &Type) -> Option<RecordId> {
        let Type::Link(target) = ty else { return None };
        match target.as_str() {
            "user" => self.dice.pick(&self.people).copied(),
            "team" => self.dice.pick(&self.teams).copied(),
            "territory" => self.dice.pick(&self.territories).copied(),
            "customer" if name == "customer_id" && self.dice.percent(12) => {
                self.dice.pick(&self.expected).copied()
            }
            "customer" => self.dice.pick(&self.customers).copied(),
            _ => {
                let fits = |id: &&RecordId| {
                    self.facts.records.get(id).is_some_and(|fact| fact.entity.name == *target)
                };
                let all: Vec<RecordId> = self.others.iter().filter(fits).copied().collect();
                self.dice.pick(&all).copied()
            }
        }
    }

    fn settle_record(&mut self, name: &str) -> Result<RecordId, Failure> {
        let fields = self.draw_fields(name, None, None)?;
        self.create(name, fields)
    }

    /// The fields of a new record; its owner, and the customers that it may belong to, drawn if
    /// none are given.
    pub(super) fn draw_fields(
        &mut self,
        name: &str,
        owner: Option<RecordId>,
        customers: Option<&[RecordId]>,
    ) -> Result<Map<String, Json>, Failure> {
        let entity = Schema::current().entity(name).ok_or("no such entity")?;
        let mut fields = sample::record(entity, &mut |limit| draw(&mut self.dice, limit));
        fields.retain(|name, _| entity.field(name).is_some_and(|field| field.required));
        let mut names: BTreeSet<&str> = OWNERSHIP.into_iter().collect();
        if let Family::Link(field) = &entity.family {
            names.insert(field);
        }
        names.extend(entity.readers.iter().map(String::as_str));
        names.extend(entity.shares.iter().map(String::as_str));
        for name in names {
            let Some(field) = entity.field(name) else { continue };
            fields.remove(name);
            let chance = match name {
                "owner_id" | "customer_id" => 85,
                "team_id" | "territory_id" => 30,
                _ => 50,
            };
            if !field.required && !self.dice.percent(chance) {
                continue;
            }
            let drawn = match (name, owner, customers) {
                ("owner_id", Some(owner), _) => Some(owner),
                ("customer_id", _, Some(customers)) => self.dice.pick(customers).copied(),
                _ => self.draw_link(name, &field.ty),
            };
            let linked = match drawn {
                Some(linked) => linked,
                None if field.required => RecordId::new(EPOCH_MS as u64, self.dice.bytes()),
                None => continue,
            };
            let text = linked.to_string();
            let value = if field.kind == Kind::Set { json!([text]) } else { json!(text) };
            fields.insert(name.to_owned(), value);
        }
        Ok(fields)
    }

    /// Somebody more, with a role.
    pub(super) fn add_person(&mut self, login: &str, role: &str) -> Result<RecordId, Failure> {
        let fields = json!({ "login": login, "name": login, "role": role });
        let Json::Object(fields) = fields else { return Err("no fields".into()) };
        let id = self.create("user", fields)?;
        let person = Person {
            login: login.to_owned(),
            roles: [role.to_owned()].into(),
            ..Person::default()
        };
        self.facts.people.insert(id, person);
        Ok(id)
    }

    /// Somebody has another role from now on.
    pub(super) fn change_role(&mut self) -> Result<(), Failure> {
        let Some(user) = self.dice.pick(&self.people).copied() else { return Ok(()) };
        let names: Vec<String> = self.facts.roles.keys().cloned().collect();
        let role = self.draw_role(&names);
        self.update(user, &json!({ "role": role }))?;
        let linked = self.linked_roles.get(&user).cloned();
        self.person(user).roles = linked.into_iter().chain([role]).collect();
        Ok(())
    }

    /// Creates a record with a canary in each of its parts.
    fn create(&mut self, name: &str, mut fields: Map<String, Json>) -> Result<RecordId, Failure> {
        let entity = Schema::current().entity(name).ok_or("no such entity")?;
        let mut canaries = BTreeMap::new();
        for part in entity.parts() {
            self.canaries += 1;
            let number = self.canaries;
            let canary = match &part {
                Part::Main => {
                    let canary = format!("cq{number:05}mz");
                    fields.insert("external_id".to_owned(), json!(format!("sim:{canary}")));
                    let title = entity.title_field();
                    let is_free = !matches!(name, "role" | "team" | "territory" | "user");
                    if let Some(field) = title.filter(|field| is_free && is_plain(field)) {
                        fields.insert(field.name.clone(), json!(format!("Canary {canary}")));
                    }
                    canary
                }
                Part::Restricted => {
                    let Some(field) = entity
                        .fields_in(&part)
                        .find(|field| field.ty == Type::Money && field.kind.is_single())
                    else {
                        continue;
                    };
                    let canary = format!("7{number:06}.77");
                    let money = json!({ "amount": canary, "currency": "CNY" });
                    fields.insert(field.name.clone(), money);
                    canary
                }
                Part::Text(field) => {
                    if self.dice.percent(40) {
                        continue;
                    }
                    let canary = format!("cq{number:05}tz");
                    fields.insert(field.clone(), json!(canary));
                    canary
                }
            };
            canaries.insert(part, canary);
        }
        self.now_ms += 1;
        let (storage, open) = (&self.storage, Policy::open());
        let record = office::create(storage, &open, &self.system, name, &fields, self.now_ms)?;
        let (mut links, mut sets) = (BTreeMap::new(), BTreeMap::new());
        for (name, value) in &fields {
            if let Some(id) = value.as_str().and_then(|text| text.parse().ok()) {
                links.insert(name.clone(), id);
            }
            if let Some(list) = value.as_array() {
                let ids = list.iter().filter_map(|one| one.as_str()?.parse().ok());
                sets.insert(name.clone(), ids.collect());
            }
        }
        self.facts.records.insert(record, Fact { entity, links, sets, canaries });
        Ok(record)
    }

    /// The head of a family of which records are here already arrives.
    fn bring_head(&mut self, head: RecordId) -> Result<(), Failure> {
        let entity = Schema::current().entity("customer").ok_or("no customers")?;
        self.canaries += 1;
        let canary = format!("cq{:05}mz", self.canaries);
        let mut edits = vec![
            ("company_name".to_owned(), format!("Canary {canary}")),
            ("external_id".to_owned(), format!("sim:{canary}")),
        ];
        let mut links = BTreeMap::new();
        if self.dice.percent(80)
            && let Some(owner) = self.dice.pick(&self.people)
        {
            links.insert("owner_id".to_owned(), *owner);
            edits.push(("owner_id".to_owned(), owner.to_string()));
        }
        edits.sort();
        let edits = edits
            .into_iter()
            .map(|(key, text)| Edit { key, action: Action::Put(Value::from(text.as_str())) });
        let device = &self.system.device;
        let actor = ActorId::new(device.prefix, self.dice.bytes());
        let stamp = Stamp { actor, time_ms: self.now_ms, message: None };
        let change = crdt::write(&mut State::default(), &mut None, stamp, edits.collect())?;
        let change = PushChange {
            record: head,
            part: Part::Main,
            entity: entity.name.clone(),
            generation: 0,
            bytes: change.bytes,
        };
        let groups = vec![PushGroup { changes: vec![change] }];
        let request = PushRequest::new(device.id, groups, Vec::new());
        let open = Policy::open();
        let answer = accept::push(&self.storage, &open, device, &request, self.now_ms)?;
        if answer.answers.iter().any(|answer| answer.outcome != Outcome::Applied) {
            return Err(format!("the head was not taken: {answer:?}").into());
        }
        let canaries = [(Part::Main, canary)].into();
        let fact = Fact { entity, links, sets: BTreeMap::new(), canaries };
        self.facts.records.insert(head, fact);
        self.customers.push(head);
        Ok(())
    }

    fn update(&mut self, record: RecordId, fields: &Json) -> Result<(), Failure> {
        let Json::Object(fields) = fields else { return Err("no fields".into()) };
        self.now_ms += 1;
        let (storage, open) = (&self.storage, Policy::open());
        office::update(storage, &open, &self.system, record, fields, None, self.now_ms)?;
        Ok(())
    }
}

pub(super) fn is_plain(field: &outrider_core::schema::Field) -> bool {
    matches!(field.ty, Type::Text { max } if max >= 40) && field.kind.is_single()
}
