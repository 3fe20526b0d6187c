//! What people type: fields and values drawn from the schema, and unique characters for texts.

use outrider_core::{
    domain::{record::Documents, values::members},
    ids::RecordId,
    schema::{Entity, Field, Kind, Schema, Type, sample},
};
use serde_json::{Map, Value as Json, json};

use crate::{Failure, dice::Dice};

/// Where the unique characters of texts are taken from.
const FIRST_LETTER: u32 = 0x4e00;
/// How many there are.
const LETTERS_MAX: u32 = 20_000;
/// Links that lead to a record that somebody has, in percent.
const REAL_LINKS: usize = 80;
/// So many fields of each entity are everybody's favourites, so that people meet.
const FAVOURITES: usize = 6;

/// Types what an edit says.
pub(crate) struct Hand<'a> {
    pub(crate) dice: &'a mut Dice,
    /// Records that people know of.
    pub(crate) records: &'a mut Vec<RecordId>,
    /// How many characters were typed so far.
    pub(crate) letters: &'a mut u32,
}

impl Hand<'_> {
    /// Any entity; more often one with fields of many kinds.
    pub(crate) fn draw_entity(&mut self) -> Result<&'static Entity, Failure> {
        let all: Vec<&'static Entity> = Schema::current().entities().collect();
        let busy: Vec<&'static Entity> =
            all.iter().copied().filter(|entity| has_many_kinds(entity)).collect();
        let from = if self.dice.percent(50) && !busy.is_empty() { &busy } else { &all };
        self.dice.pick(from).copied().ok_or_else(|| "the schema is empty".into())
    }

    /// Characters that nobody typed before.
    pub(crate) fn type_letters(&mut self) -> String {
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

    /// The fields of a new record: what it must have, and some or all of the others.
    pub(crate) fn new_fields(&mut self, entity: &'static Entity) -> Map<String, Json> {
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

    /// Changes of one to three fields of flat parts, as a person in the field makes them.
    pub(crate) fn flat_fields(
        &mut self,
        entity: &'static Entity,
        documents: &Documents,
    ) -> Map<String, Json> {
        let is_open = |field: &Field| sample::is_by_person(field) && field.kind != Kind::Once;
        self.changes(entity, Some(documents), is_open)
    }

    /// The same, as somebody in the office makes them.
    pub(crate) fn office_fields(
        &mut self,
        entity: &'static Entity,
        documents: &Documents,
    ) -> Map<String, Json> {
        let is_open = |field: &Field| {
            field.kind == Kind::Office || sample::is_by_person(field) && field.kind != Kind::Once
        };
        self.changes(entity, Some(documents), is_open)
    }

    /// The same, of fields with one value.
    pub(crate) fn single_fields(&mut self, entity: &'static Entity) -> Map<String, Json> {
        let is_open = |field: &Field| {
            let is_single = matches!(field.kind, Kind::Office | Kind::Register);
            is_single && (field.kind == Kind::Office || sample::is_by_person(field))
        };
        self.changes(entity, None, is_open)
    }

    fn changes(
        &mut self,
        entity: &'static Entity,
        documents: Option<&Documents>,
        is_open: impl Fn(&Field) -> bool,
    ) -> Map<String, Json> {
        let nothing = Documents::default();
        let documents = documents.unwrap_or(&nothing);
        let fields = entity.fields.iter().filter(|field| field.kind != Kind::Text);
        let choices: Vec<&'static Field> = fields.filter(|field| is_open(field)).collect();
        let favourites = choices.get(..FAVOURITES).unwrap_or(&choices);
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
                if !field.required && self.dice.percent(12) {
                    Json::Null
                } else {
                    self.value(field)
                }
            }
            Kind::Counter | Kind::Log => edit_many(field, &mut |limit| draw(self.dice, limit)),
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
