//! Every field of every kind changed on two devices that do not see each other, and settled.

use std::collections::{BTreeMap, BTreeSet};

use outrider_core::{
    crdt::OpId,
    domain::rank::rank_of,
    ids::RecordId,
    schema::{Entity, Field, Kind, Settle, sample},
};
use outrider_sync_server::office::{self, Settlement};
use serde_json::{Map, Value as Json, json};

use super::{Suite, canonical, editable, entities, items_of, keeps_both, one, value_of};
use crate::{Failure, see::is_same};

const PHASE: &str = "conflict";
const SETTLE: &str = "settle";
const ONCE: &str = "write once";
/// What the two devices put at the ends of a long text.
const ENDS: (&str, &str) = ("首 ", " 尾");

/// What must come of one field.
#[derive(Debug, Clone)]
enum Outcome {
    /// These values stand beside each other under this key.
    Both(String, Vec<Json>),
    /// This is shown.
    Shows(Json),
    /// The items that are there, each as far as it was written; a row that came back says so.
    Items(Vec<Json>),
}

/// What the two devices write, and what must come of it.
#[derive(Debug, Default)]
struct Clash {
    mine: Map<String, Json>,
    theirs: Map<String, Json>,
    outcomes: Vec<(&'static Field, Outcome)>,
}

impl Suite {
    pub(super) fn conflict(&mut self) -> Result<(), Failure> {
        self.clear_flags()?;
        let mut clashes = Vec::new();
        for made in self.made.clone() {
            let mut clash = Clash::default();
            let shown = self.shown(self.a, made.id)?;
            for field in editable(made.entity) {
                *self.report.conflicts.entry(field.kind.name()).or_default() += 1;
                self.clash(field, &shown, &mut clash);
            }
            clashes.push((made, clash));
        }
        for (made, clash) in &clashes {
            // One device makes one change of all fields, the other one change per field.
            self.update(self.a, made.id, &clash.mine)?;
            for (name, value) in &clash.theirs {
                let fields = Map::from_iter([(name.clone(), value.clone())]);
                self.update(self.b, made.id, &fields)?;
            }
        }
        self.sync()?;
        for (made, clash) in clashes {
            self.check_clash(made.entity, made.id, &clash)?;
        }
        Ok(())
    }

    /// Fields in which yes beats no are emptied, so that both answers can be written.
    fn clear_flags(&mut self) -> Result<(), Failure> {
        for made in self.made.clone() {
            for field in editable(made.entity).filter(|field| is_flag(field) && !field.required) {
                self.update(self.a, made.id, &one(field, Json::Null))?;
            }
        }
        self.sync()
    }

    fn clash(&mut self, field: &'static Field, shown: &Map<String, Json>, clash: &mut Clash) {
        let present = value_of(shown, field).clone();
        let draw = |suite: &mut Self| sample::value(field, &mut |max| suite.world.draw(max));
        let (mine, theirs, outcome) = match field.kind {
            Kind::Register | Kind::Once | Kind::Office => {
                let values = self.clashing(field, &present);
                let outcome = settled(field, &field.name, &values);
                let mut values = values.into_iter();
                (values.next(), values.next(), outcome)
            }
            Kind::Counter => {
                let steps = (draw(self), draw(self));
                let count = |json: &Json| json.as_i64().unwrap_or(0);
                let sum = count(&present) + count(&steps.0) + count(&steps.1);
                let add = |step: Json| Some(json!({ "add": step }));
                (add(steps.0), add(steps.1), Outcome::Shows(sum.into()))
            }
            Kind::Text => {
                let text = present.as_str().unwrap_or_default();
                let (first, last) = ENDS;
                let mine = [first, text].concat();
                let theirs = [text, last].concat();
                let both = [first, text, last].concat();
                (Some(mine.into()), Some(theirs.into()), Outcome::Shows(both.into()))
            }
            Kind::Log => {
                let (mine, theirs) = (draw(self), draw(self));
                let mut all = items_of(shown, field);
                all.extend([mine.clone(), theirs.clone()]);
                let add = |entry: Json| Some(json!({ "add": [entry] }));
                (add(mine), add(theirs), Outcome::Items(all))
            }
            Kind::Set => {
                // One member is removed by one and added again by the other, one only removed.
                let members = items_of(shown, field);
                let (kept, gone) = (members.first().cloned(), members.get(1).cloned());
                let new = draw(self);
                let mut all: Vec<Json> = members;
                all.retain(|member| Some(member) != gone.as_ref());
                all.push(new.clone());
                let removed: Vec<&Json> = kept.iter().chain(&gone).collect();
                let added: Vec<&Json> = kept.iter().chain([&new]).collect();
                let mine = json!({ "remove": removed });
                let theirs = json!({ "add": added });
                (Some(mine), Some(theirs), Outcome::Shows(all.into()))
            }
            Kind::Rows => return self.clash_rows(field, shown, clash),
        };
        let (Some(mine), Some(theirs)) = (mine, theirs) else {
            self.check(PHASE, false, || format!("{}: too few values to draw from", field.name));
            return;
        };
        clash.mine.insert(field.name.clone(), mine);
        clash.theirs.insert(field.name.clone(), theirs);
        clash.outcomes.push((field, outcome));
    }

    /// Two values to write: of flags yes and no, of ranked fields two that rank apart.
    fn clashing(&mut self, field: &Field, present: &Json) -> Vec<Json> {
        if is_flag(field) {
            return vec![true.into(), false.into()];
        }
        let mut values = self.distinct(field, 12, present);
        if !keeps_both(field) {
            let mut ranks = BTreeSet::new();
            values.retain(|value| rank(field, value).is_some_and(|rank| ranks.insert(rank)));
        }
        values.truncate(2);
        values
    }

    /// Cells that merge one by one, one cell that two people write, a row that one removes and the
    /// other edits, and new rows of both.
    fn clash_rows(&mut self, field: &'static Field, shown: &Map<String, Json>, clash: &mut Clash) {
        let rows = items_of(shown, field);
        let [edited, removed, rest @ ..] = rows.as_slice() else {
            self.check(PHASE, false, || format!("{}: too few rows", field.name));
            return;
        };
        let (edited_id, removed_id) = (id_of(edited), id_of(removed));
        let (mut mine, mut theirs, mut saved) = (Map::new(), Map::new(), Map::new());
        let cells = |row: &Json| row.as_object().cloned().unwrap_or_default();
        let (mut edited, mut removed) = (cells(edited), cells(removed));
        for (at, column) in field.columns.iter().enumerate() {
            if at == 0 {
                let values = self.clashing(column, value_of(&edited, column));
                let [first, second] = values.as_slice() else {
                    self.check(PHASE, false, || format!("{}: too few values", column.name));
                    continue;
                };
                mine.insert(column.name.clone(), first.clone());
                theirs.insert(column.name.clone(), second.clone());
                let key = format!("{}/{edited_id}/{}", field.name, column.name);
                match settled(column, &key, &values) {
                    Outcome::Shows(value) => drop(edited.insert(column.name.clone(), value)),
                    outcome @ (Outcome::Both(..) | Outcome::Items(_)) => {
                        edited.remove(&column.name);
                        clash.outcomes.push((column, outcome));
                    }
                }
                let value = self.distinct(column, 1, value_of(&removed, column)).into_iter().next();
                if let Some(value) = value {
                    removed.insert(column.name.clone(), value.clone());
                    removed.insert("is_revived".to_owned(), true.into());
                    saved.insert(column.name.clone(), value);
                }
            } else if let Some(value) =
                self.distinct(column, 1, value_of(&edited, column)).into_iter().next()
            {
                edited.insert(column.name.clone(), value.clone());
                let writer = if at % 2 == 1 { &mut mine } else { &mut theirs };
                writer.insert(column.name.clone(), value);
            }
        }
        let new = |suite: &mut Self| sample::value(field, &mut |max| suite.world.draw(max));
        let (first, second) = (new(self), new(self));
        let mine = json!({
            "edit": { edited_id.as_str(): mine }, "remove": [removed_id], "add": [first],
        });
        let theirs = json!({
            "edit": { edited_id.as_str(): theirs, removed_id.as_str(): saved }, "add": [second],
        });
        clash.mine.insert(field.name.clone(), mine);
        clash.theirs.insert(field.name.clone(), theirs);
        let mut all = vec![edited.into(), removed.into(), first, second];
        all.extend_from_slice(rest);
        clash.outcomes.push((field, Outcome::Items(all)));
    }

    fn check_clash(
        &mut self,
        entity: &'static Entity,
        id: RecordId,
        clash: &Clash,
    ) -> Result<(), Failure> {
        let shown = self.shown(self.a, id)?;
        let conflicts = conflicts_of(&shown);
        let mut expected = BTreeMap::new();
        for (field, outcome) in &clash.outcomes {
            let place = format!("{}.{}", entity.name, field.name);
            match outcome {
                Outcome::Both(key, values) => {
                    expected.insert(key.clone(), (*field, values.clone()));
                }
                Outcome::Shows(value) => {
                    let found = value_of(&shown, field);
                    self.check(PHASE, is_same(Some(field), value, found), || {
                        format!("{place} is {found}, expected {value}")
                    });
                }
                Outcome::Items(items) => {
                    let (found, items) = (value_of(&shown, field), Json::from(items.clone()));
                    self.check(PHASE, is_same(Some(field), &items, found), || {
                        format!("{place} is {found}, expected {items}")
                    });
                }
            }
        }
        let keys: BTreeSet<&String> = conflicts.keys().collect();
        let expected_keys: BTreeSet<&String> = expected.keys().collect();
        self.check(PHASE, keys == expected_keys, || {
            format!("{}: conflicts {keys:?}, expected {expected_keys:?}", entity.name)
        });
        for (key, (field, values)) in &expected {
            let Some(conflict) = conflicts.get(key) else { continue };
            let found: BTreeSet<String> =
                values_in(conflict).iter().map(|value| value["value"].to_string()).collect();
            let wanted: BTreeSet<String> =
                values.iter().map(|value| canonical(&field.ty, value).to_string()).collect();
            let must_settle = Json::from(field.settle == Settle::Person);
            let is_well = found == wanted && conflict["must_settle"] == must_settle;
            self.check(PHASE, is_well, || {
                format!("{}: {key} is {conflict}, expected {wanted:?}", entity.name)
            });
        }
        Ok(())
    }

    /// Every conflict is settled, by turns on a device and in the office.
    pub(super) fn settle(&mut self) -> Result<(), Failure> {
        let mut chosen = Vec::new();
        for made in self.made.clone() {
            let shown = self.shown(self.b, made.id)?;
            for (turn, (key, conflict)) in conflicts_of(&shown).into_iter().enumerate() {
                let values = values_in(&conflict);
                let value = values.first().map_or(Json::Null, |value| value["value"].clone());
                if turn % 2 == 0 {
                    let device = self.world.act(self.b)?;
                    device.replica_mut()?.settle(made.id, &key, &value)?;
                } else {
                    self.world.sync(self.b)?;
                    let now_ms = self.world.now_ms();
                    let office = &self.world.office;
                    let author = office.author("Zhao", now_ms)?;
                    let settlement = Settlement { key: &key, value: &value, seen: None };
                    let (storage, policy) = (office.storage()?, &office.policy);
                    office::settle(storage, policy, &author, made.id, settlement, now_ms)?;
                }
                chosen.push((made.clone(), key, value));
            }
        }
        self.sync()?;
        for (made, key, value) in chosen {
            let shown = self.shown(self.a, made.id)?;
            self.check(SETTLE, !conflicts_of(&shown).contains_key(&key), || {
                format!("{}: {key} is still in conflict", made.entity.name)
            });
            let found = at_key(&shown, &key);
            self.check(SETTLE, found == value, || {
                format!("{}: {key} is {found}, chosen was {value}", made.entity.name)
            });
        }
        Ok(())
    }

    /// Two devices make one record under the same id, as two imports of one file do: of a field
    /// that is written once the lowest operation counts.
    pub(super) fn write_once(&mut self) -> Result<(), Failure> {
        let mut twice = Vec::new();
        for (number, entity) in entities().enumerate() {
            let fields = entity.fields.iter().filter(|field| sample::is_by_person(field));
            let once: Vec<&'static Field> = fields.filter(|f| f.kind == Kind::Once).collect();
            let id = RecordId::external(&entity.name, "twice", &number.to_string());
            for at in [self.a, self.b] {
                let fields = sample::record(entity, &mut |max| self.world.draw(max));
                let replica = self.world.act(at)?.replica_mut()?;
                replica.transaction(|writer| writer.create(&entity.name, Some(id), &fields))?;
            }
            twice.push((entity, id, once));
        }
        self.sync()?;
        for (entity, id, once) in twice {
            let shown = self.shown(self.a, id)?;
            let found = self.world.office.documents(id)?.ok_or("the office lacks the record")?;
            for field in once {
                let state = found.1.flat.get(&field.part).ok_or("the part is missing")?;
                let survivors = state.survivors(&field.name);
                let lowest = survivors.iter().min_by_key(|op| -> OpId { op.id });
                let lowest = lowest.map_or(Json::Null, |op| field.ty.to_json(&op.value));
                let found = value_of(&shown, field);
                let is_well = *found == lowest && !found.is_null() && survivors.len() == 2;
                self.check(ONCE, is_well, || {
                    format!("{}.{} is {found}, first was {lowest}", entity.name, field.name)
                });
            }
        }
        Ok(())
    }
}

fn id_of(row: &Json) -> String {
    row["id"].as_str().unwrap_or_default().to_owned()
}

fn is_flag(field: &Field) -> bool {
    matches!(field.settle, Settle::OptOut | Settle::Done)
}

fn rank(field: &Field, value: &Json) -> Option<i64> {
    rank_of(field, &field.ty.from_json(value).ok()?)
}

/// What must come of two values under one key.
fn settled(field: &Field, key: &str, values: &[Json]) -> Outcome {
    match field.settle {
        Settle::Winner | Settle::Person => Outcome::Both(key.to_owned(), values.to_vec()),
        Settle::OptOut | Settle::Done => Outcome::Shows(true.into()),
        Settle::Higher | Settle::StageRank => {
            let highest = values.iter().max_by_key(|value| rank(field, value));
            Outcome::Shows(highest.cloned().unwrap_or_default())
        }
    }
}

/// The conflicts that a record shows, by key.
pub(super) fn conflicts_of(shown: &Map<String, Json>) -> BTreeMap<String, Json> {
    let conflicts = shown.get("conflicts").and_then(Json::as_array).cloned().unwrap_or_default();
    let key = |conflict: &Json| conflict["key"].as_str().unwrap_or_default().to_owned();
    conflicts.into_iter().map(|conflict| (key(&conflict), conflict)).collect()
}

fn values_in(conflict: &Json) -> Vec<Json> {
    conflict["values"].as_array().cloned().unwrap_or_default()
}

/// What a record shows under a key.
fn at_key(shown: &Map<String, Json>, key: &str) -> Json {
    let mut names = key.split('/');
    let field = names.next().and_then(|name| shown.get(name)).unwrap_or(&Json::Null);
    let (Some(row), Some(column)) = (names.next(), names.next()) else { return field.clone() };
    let rows = field.as_array().into_iter().flatten();
    rows.filter(|found| found["id"] == row)
        .map(|found| found[column].clone())
        .next()
        .unwrap_or_default()
}
