//! What people do with their phones.
//!
//! Entities, fields and values are drawn from the schema, so whatever is added to it is edited
//! here too. Values differ as far as their type allows, and several people work on the same few
//! records, so that concurrent edits are the rule.

use outrider_core::{
    domain::{record::Documents, values::members},
    ids::{DocumentId, Part, RecordId},
    replica::{ReplicaError, Writer},
    schema::{Entity, Field, Kind, Schema, Type, sample},
};
use serde_json::{Map, Value as Json, json};

use crate::{Failure, device::Device, dice::Dice, ledger::Ledger};

/// Where the unique characters of texts are taken from.
const FIRST_LETTER: u32 = 0x4e00;
/// How many there are.
const LETTERS_MAX: u32 = 20_000;

/// Records that several devices make under one id, as imports of one file do.
const SHARED_RECORDS: usize = 4;
/// Edits that name a link to a record that somebody has, in percent.
const REAL_LINKS: usize = 80;

/// What an edit is made with.
pub(crate) struct Desk<'a> {
    pub(crate) device: &'a mut Device,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) dice: &'a mut Dice,
    /// Records that people know of.
    pub(crate) records: &'a mut Vec<RecordId>,
    /// The number of this edit.
    pub(crate) number: u32,
    /// How many characters were typed so far.
    pub(crate) letters: &'a mut u32,
}

impl Desk<'_> {
    /// Makes one edit; returns what it was, for the trace.
    pub(crate) fn edit(&mut self) -> Result<String, Failure> {
        self.device.tell_time(self.number);
        let what = match self.dice.below(100) {
            0..12 => self.create()?,
            12..18 => self.write_group()?,
            18..24 => self.archive_or_restore()?,
            24..32 => self.settle()?,
            _ => self.update()?,
        };
        self.ledger.scan(self.device.replica()?)?;
        Ok(what)
    }

    fn create(&mut self) -> Result<String, Failure> {
        let entity = self.draw_entity()?;
        let fields = self.new_fields(entity);
        let id = self.dice.percent(5).then(|| {
            let key = self.dice.below(SHARED_RECORDS).to_string();
            RecordId::external(&entity.name, "shared", &key)
        });
        let replica = self.device.replica_mut()?;
        if let Some(id) = id
            && replica.documents(id)?.is_some()
        {
            return self.update();
        }
        let record = replica.transaction(|writer| writer.create(&entity.name, id, &fields))?;
        if !self.records.contains(&record) {
            self.records.push(record);
        }
        self.note_new_texts(entity, record, &fields);
        Ok(format!("creates {} {record}", entity.name))
    }

    /// Any entity; more often one of those with long lists of fields of every kind.
    fn draw_entity(&mut self) -> Result<&'static Entity, Failure> {
        let all: Vec<&'static Entity> = Schema::current().entities().collect();
        let busy: Vec<&'static Entity> =
            all.iter().copied().filter(|entity| has_many_kinds(entity)).collect();
        let from = if self.dice.percent(50) && !busy.is_empty() { &busy } else { &all };
        self.dice.pick(from).copied().ok_or_else(|| "the schema is empty".into())
    }

    /// Creates a customer with what belongs to it, and touches another record, in one group.
    fn write_group(&mut self) -> Result<String, Failure> {
        let entity = Schema::current().entity("customer").ok_or("there are no customers")?;
        let customer = self.new_fields(entity);
        let mut children = Vec::new();
        for _ in 0..=self.dice.below(4) {
            let entity = self.draw_entity()?;
            children.push((entity, self.new_fields(entity)));
        }
        let other = self.draw_record()?;
        let touched = other
            .as_ref()
            .map(|(record, entity, documents)| (*record, self.flat_fields(entity, documents)));
        let write = |writer: &mut Writer<'_>| -> Result<Vec<RecordId>, ReplicaError> {
            let id = writer.create("customer", None, &customer)?;
            let mut made = vec![id];
            for (entity, fields) in &children {
                let mut fields = fields.clone();
                if fields.contains_key("customer_id") {
                    fields.insert("customer_id".to_owned(), id.to_string().into());
                }
                made.push(writer.create(&entity.name, None, &fields)?);
            }
            if let Some((record, fields)) = &touched {
                writer.update(*record, fields)?;
            }
            Ok(made)
        };
        let replica = self.device.replica_mut()?;
        let made = replica.transaction(|writer| writer.group(write))?;
        let written = std::iter::once((entity, customer.clone())).chain(children.iter().cloned());
        for (record, (entity, fields)) in made.iter().zip(written.collect::<Vec<_>>()) {
            self.note_new_texts(entity, *record, &fields);
        }
        let count = made.len();
        self.records.extend(made);
        Ok(format!("writes a group of {count} records"))
    }

    fn note_new_texts(&mut self, entity: &Entity, record: RecordId, fields: &Map<String, Json>) {
        for field in entity.texts() {
            let Some(text) = fields.get(&field.name).and_then(Json::as_str) else { continue };
            let document = DocumentId { record, part: Part::Text(field.name.clone()) };
            self.ledger.note_text(&document, "", text);
        }
    }

    fn archive_or_restore(&mut self) -> Result<String, Failure> {
        let Some((record, ..)) = self.draw_record()? else { return self.create() };
        if self.dice.percent(50) {
            self.device.replica_mut()?.archive(record)?;
            Ok(format!("archives {record}"))
        } else {
            self.device.replica_mut()?.restore(record)?;
            Ok(format!("restores {record}"))
        }
    }

    fn settle(&mut self) -> Result<String, Failure> {
        let conflicts = self.device.replica()?.conflicts(None)?;
        let Some(conflict) = self.dice.pick(&conflicts) else { return self.update() };
        let Some(chosen) = self.dice.pick(&conflict.values) else { return self.update() };
        let (record, key) = (conflict.record, conflict.key.clone());
        self.device.replica_mut()?.settle(record, &key, &chosen.value)?;
        Ok(format!("settles {key} of {record}"))
    }

    fn update(&mut self) -> Result<String, Failure> {
        let Some((record, entity, documents)) = self.draw_record()? else { return self.create() };
        let texts: Vec<&Field> = entity.texts().collect();
        if let Some(field) = self.dice.pick(&texts).copied()
            && self.dice.percent(25)
        {
            return self.edit_text(record, &field.name, &documents);
        }
        let fields = self.flat_fields(entity, &documents);
        let names: Vec<&str> = fields.keys().map(String::as_str).collect();
        let what = format!("changes {} of {} {record}", names.join(", "), entity.name);
        self.device.replica_mut()?.update(record, &fields)?;
        Ok(what)
    }

    /// Puts new characters anywhere into a text, or takes some out.
    fn edit_text(
        &mut self,
        record: RecordId,
        field: &str,
        documents: &Documents,
    ) -> Result<String, Failure> {
        let before = documents.texts.get(field).cloned().unwrap_or_default();
        let mut letters: Vec<char> = before.chars().collect();
        let at = self.dice.below(letters.len() + 1);
        if self.dice.percent(25) && !letters.is_empty() {
            let until = letters.len().min(at + 1 + self.dice.below(5));
            letters.drain(at.min(until)..until);
        }
        if self.dice.percent(85) {
            let at = at.min(letters.len());
            letters.splice(at..at, self.type_letters().chars());
        }
        let after: String = letters.into_iter().collect();
        let fields = Map::from_iter([(field.to_owned(), after.as_str().into())]);
        self.device.replica_mut()?.update(record, &fields)?;
        let document = DocumentId { record, part: Part::Text(field.to_owned()) };
        self.ledger.note_text(&document, &before, &after);
        Ok(format!("edits {field} of {record}"))
    }

    fn type_letters(&mut self) -> String {
        let count = if self.dice.percent(4) { 500 } else { 1 + self.dice.below(8) };
        let typed: String = (0..count)
            .filter_map(|_| {
                *self.letters += 1;
                if *self.letters >= LETTERS_MAX {
                    return None;
                }
                char::from_u32(FIRST_LETTER + *self.letters)
            })
            .collect();
        typed
    }

    /// A record that this device holds, with its documents: mostly one of the newest.
    fn draw_record(&mut self) -> Result<Option<(RecordId, &'static Entity, Documents)>, Failure> {
        let count = self.records.len();
        let recent = if self.dice.percent(60) { 4 } else { count };
        let at = count.saturating_sub(1 + self.dice.below(recent));
        for _ in 0..4 {
            let Some(record) = self.records.get(at).copied() else { break };
            if let Some((entity, documents)) = self.device.replica()?.documents(record)?
                && documents.flat.contains_key(&Part::Main)
            {
                return Ok(Some((record, entity, documents)));
            }
        }
        for _ in 0..4 {
            let Some(record) = self.dice.pick(self.records).copied() else { break };
            if let Some((entity, documents)) = self.device.replica()?.documents(record)?
                && documents.flat.contains_key(&Part::Main)
            {
                return Ok(Some((record, entity, documents)));
            }
        }
        Ok(None)
    }

    /// The fields of a new record: what it must have, and some or all of the others.
    fn new_fields(&mut self, entity: &'static Entity) -> Map<String, Json> {
        let chance = if self.dice.percent(20) { 100 } else { 25 };
        let mut fields = sample::record(entity, &mut |limit| draw(self.dice, limit));
        for field in &entity.fields {
            if !fields.contains_key(&field.name) {
                continue;
            }
            if !field.required && !self.dice.percent(chance) {
                fields.remove(&field.name);
            } else if field.kind == Kind::Text {
                fields.insert(field.name.clone(), self.type_letters().into());
            } else if field.kind.is_single() {
                let value = self.value(field);
                fields.insert(field.name.clone(), value);
            }
        }
        fields
    }

    /// A value of a field, with links that mostly lead to a record.
    fn value(&mut self, field: &Field) -> Json {
        if matches!(field.ty, Type::Link(_)) && self.dice.percent(REAL_LINKS) {
            let record = self.dice.pick(self.records);
            if let Some(record) = record {
                return record.to_string().into();
            }
        }
        sample::value(field, &mut |limit| draw(self.dice, limit))
    }

    /// Changes of one to three fields of flat parts.
    fn flat_fields(
        &mut self,
        entity: &'static Entity,
        documents: &Documents,
    ) -> Map<String, Json> {
        let is_flat = |field: &&Field| {
            sample::is_by_person(field) && !matches!(field.kind, Kind::Once | Kind::Text)
        };
        let choices: Vec<&'static Field> = entity.fields.iter().filter(is_flat).collect();
        // A few fields of each entity are everybody's favourites.
        let favourites = choices.get(..6).unwrap_or(&choices);
        let mut fields = Map::new();
        for _ in 0..=self.dice.below(3) {
            let from = if self.dice.percent(50) { favourites } else { &choices };
            let Some(field) = self.dice.pick(from).copied() else { break };
            let value = self.change(field, documents);
            fields.insert(field.name.clone(), value);
        }
        fields
    }

    /// What an edit of one field says.
    fn change(&mut self, field: &'static Field, documents: &Documents) -> Json {
        match field.kind {
            Kind::Register | Kind::Once | Kind::Office | Kind::Text => {
                if !field.required && self.dice.percent(12) { Json::Null } else { self.value(field) }
            }
            Kind::Counter | Kind::Log => {
                edit_many(field, &mut |limit| draw(self.dice, limit))
            }
            Kind::Set => self.change_members(field, documents),
            Kind::Rows => self.change_rows(field, documents),
        }
    }

    fn change_members(&mut self, field: &'static Field, documents: &Documents) -> Json {
        let state = documents.flat.get(&field.part);
        let present = state.map_or_else(Vec::new, |state| members(field, state));
        let mut add = Vec::new();
        let mut remove = Vec::new();
        if self.dice.percent(60) {
            add.push(self.value(field));
        }
        if self.dice.percent(30) {
            add.extend(self.dice.pick(&present).cloned());
        }
        if self.dice.percent(50) {
            remove.extend(self.dice.pick(&present).cloned());
        }
        json!({ "add": add, "remove": remove })
    }

    fn change_rows(&mut self, field: &'static Field, documents: &Documents) -> Json {
        let state = documents.flat.get(&field.part);
        let rows: Vec<String> = state.map_or_else(Vec::new, |state| {
            state.rows(&field.name).into_iter().map(|row| row.id.to_owned()).collect()
        });
        let row = self.dice.pick(&rows).cloned();
        match (row, self.dice.below(4)) {
            (Some(row), 0 | 1) => {
                let mut cells = Map::new();
                for _ in 0..=self.dice.below(2) {
                    let Some(column) = self.dice.pick(&field.columns) else { break };
                    let is_empty = !column.required && self.dice.percent(10);
                    let value = if is_empty { Json::Null } else { self.value(column) };
                    cells.insert(column.name.clone(), value);
                }
                json!({ "edit": { row: cells } })
            }
            (Some(row), 2) => json!({ "remove": [row] }),
            _ => json!({ "add": [sample::value(field, &mut |limit| draw(self.dice, limit))] }),
        }
    }
}

/// A step of a counter, or an entry of a log.
fn edit_many(field: &Field, draw: sample::Draw<'_>) -> Json {
    let value = sample::value(field, draw);
    if field.kind == Kind::Log { json!({ "add": [value] }) } else { json!({ "add": value }) }
}

/// A number for a sample.
pub(crate) fn draw(dice: &mut Dice, limit: u32) -> u32 {
    u32::try_from(dice.below(limit as usize)).unwrap_or(0)
}

/// Whether an entity has three kinds of fields beside single values and tags.
fn has_many_kinds(entity: &Entity) -> bool {
    let is_other = |kind: Kind| {
        entity.fields.iter().any(|field| field.kind == kind && sample::is_by_person(field))
    };
    let kinds = [Kind::Counter, Kind::Rows, Kind::Log, Kind::Text];
    kinds.into_iter().filter(|kind| is_other(*kind)).count() >= 2
}
