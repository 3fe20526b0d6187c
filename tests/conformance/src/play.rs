//! Playing a story: real replicas, the real server, and a network that is there when somebody
//! syncs.
//!
//! Every story is played several times, with other ids of devices and other orders in which they
//! sync: what everyone sees must not depend on them.

use std::{collections::BTreeMap, path::PathBuf};

use outrider_core::{
    access::Policy,
    ids::RecordId,
    replica::{ReplicaError, Writer},
    schema::{Entity, Schema},
    transfer::Mapping,
};
use outrider_sync_server::{
    office::{self, Settlement},
    storage::Storage,
};
use serde_json::{Map, Value as Json};

use crate::{
    Failure,
    see::wrong,
    story::{EVERYONE, Import, See, Standing, Step, Story},
    world::{Device, World},
};

/// In which order devices sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As they came.
    Forwards,
    /// The last one first.
    Backwards,
    /// Beginning in the middle.
    Middle,
}

/// The ways in which every story is played: seed and order.
pub const TAKES: &[(u64, Order)] =
    &[(1, Order::Forwards), (2, Order::Backwards), (3, Order::Middle)];

/// What stands behind the name of somebody who works at a page of the server.
const AT_THE_OFFICE: &str = " at the office";
/// Days in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// A story under way.
#[derive(Debug)]
struct Stage {
    world: World,
    order: Order,
    names: BTreeMap<String, RecordId>,
    copies: BTreeMap<String, PathBuf>,
    /// Pages that are open at the office: what they show is what was at this position.
    forms: BTreeMap<String, u64>,
    withheld: Vec<(String, String)>,
}

/// Plays a story in one way.
///
/// # Errors
///
/// Says at which step what was not as it should be.
pub fn play(story: &Story, (seed, order): (u64, Order)) -> Result<(), Failure> {
    let mut stage = Stage {
        world: World::new(seed)?,
        order,
        names: BTreeMap::new(),
        copies: BTreeMap::new(),
        forms: BTreeMap::new(),
        withheld: Vec::new(),
    };
    for name in story.people.iter().chain(&story.later) {
        let at = stage.world.add_device(user_of(name), name)?;
        if !story.later.contains(name) {
            stage.world.enrol(at)?;
        }
    }
    for (number, step) in story.steps.iter().enumerate() {
        let done = stage.take(step);
        let wrong = match (done, &step.fails) {
            (Ok(()), None) => continue,
            (Ok(()), Some(_)) => "should have failed".to_owned(),
            (Err(error), Some(text)) if error.to_string().contains(text) => continue,
            (Err(error), _) => error.to_string(),
        };
        return Err(format!("step {}: {wrong}", number + 1).into());
    }
    stage.sync_everyone()?;
    stage.world.check_agreement()?;
    stage.check_inboxes(story)?;
    story.see.iter().try_for_each(|see| stage.check_everywhere(see))
}

/// Whose device it is: what stands before `'s`.
fn user_of(device: &str) -> &str {
    device.split("'s").next().unwrap_or(device)
}

impl Stage {
    fn take(&mut self, step: &Step) -> Result<(), Failure> {
        for name in &step.sync {
            if name == EVERYONE {
                self.sync_everyone()?;
            } else {
                let at = self.find_device(name)?;
                self.world.sync(at)?;
            }
        }
        if let Some(user) = step.who.strip_suffix(AT_THE_OFFICE) {
            return self.work_at_the_office(user, step);
        }
        if !step.tap.is_empty() {
            return self.tap(&step.who, &step.tap);
        }
        if step.create.is_some() || step.edit.is_some() {
            return self.tap(&step.who, std::slice::from_ref(step));
        }
        self.tend(step)?;
        self.care(step)?;
        for see in &step.sees {
            let at = self.find_device(&step.who)?;
            let see = self.resolve_see(see)?;
            let record = self.record(&see.record)?;
            let replica = self.world.device(at)?.replica()?;
            let entity = entity_of(replica.title(record)?.map(|(entity, _)| entity));
            if let Some(what) = wrong(entity, &see, replica.get(record)?.as_ref()) {
                return Err(format!("{} of {}: {what}", see.record, step.who).into());
            }
        }
        Ok(())
    }

    /// What people do with records beside creating and changing them.
    fn tend(&mut self, step: &Step) -> Result<(), Failure> {
        if let Some(name) = &step.archive {
            let (at, record) = (self.find_device(&step.who)?, self.record(name)?);
            self.world.act(at)?.replica_mut()?.archive(record)?;
        }
        if let Some(name) = &step.restore {
            let (at, record) = (self.find_device(&step.who)?, self.record(name)?);
            self.world.act(at)?.replica_mut()?.restore(record)?;
        }
        if let Some(name) = &step.merge {
            let (at, pair) = (self.find_device(&step.who)?, self.pair(name, step)?);
            let take = step.take_fields.iter().cloned().collect();
            self.world.act(at)?.replica_mut()?.merge(pair.0, pair.1, &take)?;
        }
        if let Some(name) = &step.unmerge {
            let (at, record) = (self.find_device(&step.who)?, self.record(name)?);
            self.world.act(at)?.replica_mut()?.unmerge(record)?;
        }
        if let Some(name) = &step.settle {
            let (at, record) = (self.find_device(&step.who)?, self.record(name)?);
            let value = self.resolve(&step.take)?;
            self.world.act(at)?.replica_mut()?.settle(record, &step.key, &value)?;
        }
        Ok(())
    }

    /// Somebody works at a page of the server.
    fn work_at_the_office(&mut self, user: &str, step: &Step) -> Result<(), Failure> {
        self.world.tick();
        let now_ms = self.world.now_ms();
        let World { office, .. } = &self.world;
        let author = office.author(user, now_ms)?;
        let (storage, policy) = (office.storage()?, &office.policy);
        if let Some(name) = &step.opens {
            let position = storage.read()?.position()?;
            self.forms.insert(name.clone(), position);
            return Ok(());
        }
        let seen = step.form.as_ref().and_then(|name| self.forms.get(name)).copied();
        let with = resolve_map(&step.with, &self.names);
        if let Some(entity) = &step.create {
            let id = office::create(storage, policy, &author, entity, &with, now_ms)?;
            self.names.insert(step.called.clone(), id);
        }
        if let Some(name) = &step.edit {
            let record = self.record(name)?;
            office::update(storage, policy, &author, record, &with, seen, now_ms)?;
        }
        if let Some(name) = &step.archive {
            office::archive(storage, policy, &author, self.record(name)?, seen, now_ms)?;
        }
        if let Some(name) = &step.restore {
            office::restore(storage, policy, &author, self.record(name)?, seen, now_ms)?;
        }
        if let Some(name) = &step.merge {
            let (pair, take) = (self.pair(name, step)?, step.take_fields.iter().cloned().collect());
            office::merge(storage, policy, &author, pair, &take, now_ms)?;
        }
        if let Some(name) = &step.unmerge {
            office::unmerge(storage, policy, &author, self.record(name)?, now_ms)?;
        }
        if let Some(name) = &step.settle {
            let value = self.resolve(&step.take)?;
            let settlement = Settlement { key: &step.key, value: &value, seen };
            office::settle(storage, policy, &author, self.record(name)?, settlement, now_ms)?;
        }
        Ok(())
    }

    /// What happens to devices and the office.
    fn care(&mut self, step: &Step) -> Result<(), Failure> {
        if let Some(name) = &step.cut {
            let at = self.find_device(name)?;
            self.world.sync_cut(at)?;
        }
        if let Some(Import { file, mapping, calls }) = &step.import {
            let at = self.find_device(&step.who)?;
            let report = self.world.import(at, mapping, file)?;
            if report.rejected > 0 {
                return Err(format!("rows were rejected: {report:?}").into());
            }
            let mapping = Mapping::from_toml(mapping)?;
            for (key, name) in calls {
                let id = RecordId::external(mapping.entity(), mapping.source(), key);
                self.names.insert(name.clone(), id);
            }
        }
        if let Some(name) = &step.enrol {
            let at = self.find_device(name)?;
            self.world.enrol(at)?;
        }
        if let Some(field) = &step.withhold {
            let (entity, field) = field.split_once('.').ok_or("`withhold` names entity.field")?;
            self.withheld.push((entity.to_owned(), field.to_owned()));
            self.set_policy();
        }
        if let Some(field) = &step.permit {
            self.withheld.retain(|(entity, name)| [entity, ".", name].concat() != *field);
            self.set_policy();
        }
        if let Some(days) = step.clock_days {
            let at = self.find_device(&step.who)?;
            self.world.act(at)?.skew_ms = days * DAY_MS;
        }
        if let Some(name) = &step.restart {
            let at = self.find_device(name)?;
            self.world.restart(at)?;
        }
        if let Some(name) = &step.copy {
            let at = self.find_device(name)?;
            let folder = self.world.copy_device(at, step.whole)?;
            self.copies.insert(step.called.clone(), folder);
        }
        if let Some(name) = &step.return_to {
            let (at, from) = (self.find_device(&step.who)?, self.copied(name)?);
            self.world.restore_device(at, from)?;
        }
        if let Some(name) = &step.twin {
            let (at, from) = (self.find_device(&step.who)?, self.copied(name)?);
            self.world.add_twin(at, &step.called, from)?;
        }
        if let Some(name) = &step.back_up_office {
            let folder = self.world.back_up_office()?;
            self.copies.insert(name.clone(), folder);
        }
        if let Some(name) = &step.restore_office {
            let folder = self.copied(name)?;
            self.world.restore_office(&folder)?;
        }
        Ok(())
    }

    fn copied(&mut self, name: &str) -> Result<PathBuf, Failure> {
        self.copies.remove(name).ok_or_else(|| format!("there is no copy `{name}`").into())
    }

    fn set_policy(&mut self) {
        let withhold =
            |policy: Policy, (entity, field): &(String, String)| policy.withholding(entity, field);
        self.world.office.policy = self.withheld.iter().fold(Policy::open(), withhold);
    }

    /// Creates and changes records in one group.
    fn tap(&mut self, who: &str, steps: &[Step]) -> Result<(), Failure> {
        let at = self.find_device(who)?;
        let mut names = self.names.clone();
        let device = self.world.act(at)?;
        let mut write = |writer: &mut Writer<'_>| -> Result<(), ReplicaError> {
            for step in steps {
                let with = resolve_map(&step.with, &names);
                if let Some(entity) = &step.create {
                    let id = writer.create(entity, None, &with)?;
                    names.insert(step.called.clone(), id);
                }
                if let Some(id) = step.edit.as_ref().and_then(|name| names.get(name)) {
                    writer.update(*id, &with)?;
                }
            }
            Ok(())
        };
        device.replica_mut()?.transaction(|writer| writer.group(&mut write))?;
        self.names = names;
        Ok(())
    }

    fn find_device(&self, name: &str) -> Result<usize, Failure> {
        let devices = &self.world.devices;
        let is = |device: &Device| device.name == name || device.user == name;
        devices.iter().position(is).ok_or_else(|| format!("nobody is called `{name}`").into())
    }

    fn sync_everyone(&mut self) -> Result<(), Failure> {
        let devices = &self.world.devices;
        let is_enrolled = |at: &usize| devices.get(*at).is_some_and(Device::is_enrolled);
        let mut order: Vec<usize> = (0..devices.len()).filter(is_enrolled).collect();
        let half = order.len() / 2;
        match self.order {
            Order::Forwards => {}
            Order::Backwards => order.reverse(),
            Order::Middle => order.rotate_left(half),
        }
        self.world.sync_all(&order)
    }

    fn record(&self, name: &str) -> Result<RecordId, Failure> {
        let id = self.names.get(name).copied();
        id.ok_or_else(|| format!("no record is called `{name}`").into())
    }

    /// The record that goes and the one that goes on.
    fn pair(&self, loser: &str, step: &Step) -> Result<(RecordId, RecordId), Failure> {
        Ok((self.record(loser)?, self.record(&step.into)?))
    }

    fn resolve(&self, json: &Json) -> Result<Json, Failure> {
        let resolved = resolve(json, &self.names);
        let left = resolved.as_str().is_some_and(|text| text.starts_with('@'));
        if left { Err(format!("{resolved} is not known").into()) } else { Ok(resolved) }
    }

    /// The expectation with links resolved.
    fn resolve_see(&self, see: &See) -> Result<See, Failure> {
        let all = |several: &BTreeMap<String, Vec<Json>>| {
            let resolve = |(name, values): (&String, &Vec<Json>)| {
                let values = values.iter().map(|json| self.resolve(json));
                Ok((name.clone(), values.collect::<Result<Vec<_>, Failure>>()?))
            };
            several.iter().map(resolve).collect::<Result<BTreeMap<_, _>, Failure>>()
        };
        Ok(See {
            has: resolve_map(&see.has, &self.names),
            one_of: all(&see.one_of)?,
            conflicts: all(&see.conflicts)?,
            ..see.clone()
        })
    }

    /// Every device and the office see a record alike, and as the story says.
    fn check_everywhere(&self, see: &See) -> Result<(), Failure> {
        let resolved = self.resolve_see(see)?;
        let record = self.record(&see.record)?;
        let office = self.world.office.get(record)?;
        let entity = entity_of(self.world.office.documents(record)?.map(|(entity, _)| entity));
        if let Some(what) = wrong(entity, &resolved, office.as_ref()) {
            return Err(format!("the office: {}: {what}", see.record).into());
        }
        for device in &self.world.devices {
            let json = device.replica()?.get(record)?;
            let is_missing = resolved.is == Standing::Missing;
            if json.is_none() && !is_missing && !device.is_enrolled() {
                continue;
            }
            if let Some(what) = wrong(entity, &resolved, json.as_ref()) {
                return Err(format!("{}: {}: {what}", device.name, see.record).into());
            }
        }
        Ok(())
    }

    /// What came back to its author is what the story says, and nothing else.
    fn check_inboxes(&self, story: &Story) -> Result<(), Failure> {
        let mut expected = Vec::new();
        for refusal in &story.inbox {
            let at = self.find_device(&refusal.who)?;
            let record = self.record(&refusal.record)?;
            expected.push((at, record, refusal.key.clone(), self.resolve(&refusal.value)?));
        }
        let mut found = Vec::new();
        for (at, device) in self.world.devices.iter().enumerate() {
            for refused in device.replica()?.inbox(usize::MAX)? {
                for (key, value) in refused.refused.as_object().into_iter().flatten() {
                    found.push((at, refused.record, key.clone(), value.clone()));
                }
            }
        }
        let in_order = |items: &mut Vec<(usize, RecordId, String, Json)>| {
            items.sort_by_key(|(at, record, key, value)| {
                (*at, *record, key.clone(), value.to_string())
            });
        };
        in_order(&mut expected);
        in_order(&mut found);
        if found == expected {
            return Ok(());
        }
        Err(format!("inboxes hold {found:?}, expected {expected:?}").into())
    }
}

fn resolve(json: &Json, names: &BTreeMap<String, RecordId>) -> Json {
    match json {
        Json::String(text) => {
            let id = text.strip_prefix('@').and_then(|name| names.get(name));
            id.map_or_else(|| json.clone(), |id| Json::from(id.to_string()))
        }
        Json::Array(items) => items.iter().map(|item| resolve(item, names)).collect(),
        Json::Object(members) => Json::Object(resolve_map(members, names)),
        Json::Null | Json::Bool(_) | Json::Number(_) => json.clone(),
    }
}

fn resolve_map(map: &Map<String, Json>, names: &BTreeMap<String, RecordId>) -> Map<String, Json> {
    map.iter().map(|(name, json)| (name.clone(), resolve(json, names))).collect()
}

/// Where a record is not, any entity will do to say so.
fn entity_of(found: Option<&'static Entity>) -> &'static Entity {
    let any = || Schema::current().entities().next();
    found.or_else(any).expect("the schema has entities")
}
