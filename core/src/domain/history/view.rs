//! What a person sees of the pieces that a change touches, before and after it.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{Seen, What};
use crate::{
    crdt::{Action, Op, OpId, State, read::settle},
    domain::{
        rank::rank_of,
        values::{member_json, row_json},
    },
    ids::Part,
    schema::{Entity, Field, Key, Kind},
    value::Value,
};

/// A piece of a document that people see as one.
#[derive(Debug, Clone)]
pub(super) enum Slot<'a> {
    Value(&'a Field),
    Counter(&'a Field),
    Member(&'a Field, String),
    Row(&'a Field, String),
    Entry(&'a Field, String),
    /// A key of a newer schema.
    Unknown(String),
}

/// What there was to see.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Look {
    json: Json,
    /// Whether a person should look at several values.
    is_conflict: bool,
    /// By cell, for rows.
    conflicts: Vec<String>,
    /// Whether anything was ever there, for rows.
    is_known: bool,
}

/// A piece before and after a change, and what the change wrote there.
#[derive(Debug, Default)]
pub(super) struct Sight {
    pub(super) before: Look,
    pub(super) after: Look,
    ops: Vec<(OpId, String, Option<Value>)>,
}

impl Sight {
    pub(super) fn note(&mut self, id: OpId, op: &Op) {
        let value = match &op.action {
            Action::Put(value) => Some(value.clone()),
            Action::Delete => None,
        };
        self.ops.push((id, op.key.clone(), value));
    }

    fn ids(&self) -> Vec<OpId> {
        self.ops.iter().map(|(id, _, _)| *id).collect()
    }
}

impl<'a> Slot<'a> {
    pub(super) fn of(entity: &'a Entity, part: &Part, key: &str) -> Self {
        match entity.parse_key(part, key) {
            Ok(Key::Register(field)) => Self::Value(field),
            Ok(Key::Counter { field, .. }) => Self::Counter(field),
            Ok(Key::Member { field, .. }) => Self::Member(field, key.to_owned()),
            Ok(Key::Cell { field, row, .. } | Key::RowGone { field, row }) => {
                Self::Row(field, row.to_string())
            }
            Ok(Key::Entry { field, .. }) => Self::Entry(field, key.to_owned()),
            Err(_) => Self::Unknown(key.to_owned()),
        }
    }

    /// What it is called in entries.
    fn key(&self) -> String {
        match self {
            Self::Value(field) | Self::Counter(field) => field.name.clone(),
            Self::Row(field, row) => [field.name.as_str(), "/", row].concat(),
            Self::Member(_, key) | Self::Entry(_, key) | Self::Unknown(key) => key.clone(),
        }
    }

    fn field_name(&self) -> &str {
        match self {
            Self::Value(field)
            | Self::Counter(field)
            | Self::Member(field, _)
            | Self::Row(field, _)
            | Self::Entry(field, _) => &field.name,
            Self::Unknown(key) => key.split('/').next().unwrap_or_default(),
        }
    }

    /// Adds what happened to it.
    pub(super) fn entries(&self, sight: &Sight, to: &mut Vec<Seen>) {
        match self {
            Self::Row(field, row) => row_entries(field, row, self, sight, to),
            Self::Value(field) => to.extend(value_entry(self.seen(sight), field, sight)),
            Self::Unknown(_) | Self::Counter(_) | Self::Member(..) | Self::Entry(..) => {
                if sight.before.json != sight.after.json {
                    let mut seen = self.seen(sight);
                    seen.what = self.what(sight);
                    to.push(seen);
                }
            }
        }
    }

    fn seen(&self, sight: &Sight) -> Seen {
        Seen {
            old: sight.before.json.clone(),
            new: sight.after.json.clone(),
            is_conflict: sight.after.is_conflict,
            ops: sight.ids(),
            ..Seen::at(&self.key(), self.field_name())
        }
    }

    fn what(&self, sight: &Sight) -> What {
        match (self, sight.before.json.is_null(), sight.after.json.is_null()) {
            (Self::Member(..) | Self::Entry(..), true, false) => What::Added,
            (Self::Member(..) | Self::Entry(..), false, true) => What::Removed,
            (Self::Member(..) | Self::Entry(..), _, _)
            | (Self::Value(_) | Self::Counter(_) | Self::Row(..) | Self::Unknown(_), _, _) => {
                What::Changed
            }
        }
    }
}

/// A value that was written, also where another one shows.
fn value_entry(mut seen: Seen, field: &Field, sight: &Sight) -> Option<Seen> {
    let (_, _, value) = sight.ops.last()?;
    finish_value(&mut seen, field, value.as_ref(), sight.before.is_conflict);
    let is_told = seen.old != seen.new || seen.written.is_some() || seen.what == What::Settled;
    is_told.then_some(seen)
}

fn finish_value(seen: &mut Seen, field: &Field, value: Option<&Value>, was_conflict: bool) {
    let written = value.map_or(Json::Null, |value| field.ty.to_json(value));
    if written != seen.new {
        seen.written = Some(written);
    } else if was_conflict && !seen.is_conflict {
        seen.what = What::Settled;
    }
}

fn row_entries(field: &Field, row: &str, slot: &Slot<'_>, sight: &Sight, to: &mut Vec<Seen>) {
    let (before, after) = (&sight.before, &sight.after);
    let whole = |what| Seen { what, ..slot.seen(sight) };
    match (before.json.is_null(), after.json.is_null()) {
        (true, true) => {}
        (true, false) if before.is_known => to.push(whole(What::CameBack)),
        (true, false) => to.push(whole(What::Added)),
        (false, true) => to.push(whole(What::Removed)),
        (false, false) => {
            cell_entries(field, row, sight, to);
            let is_revived = |look: &Look| look.json.get("is_revived").is_some();
            if is_revived(before) != is_revived(after) {
                to.push(whole(What::CameBack));
            }
        }
    }
}

fn cell_entries(field: &Field, row: &str, sight: &Sight, to: &mut Vec<Seen>) {
    for (id, key, value) in &sight.ops {
        let name = key.rsplit('/').next().unwrap_or_default();
        let Some(column) = field.column(name) else { continue };
        let cell = |look: &Look| look.json.get(name).cloned().unwrap_or(Json::Null);
        let is_in = |look: &Look| look.conflicts.iter().any(|other| other == name);
        let mut seen = Seen {
            old: cell(&sight.before),
            new: cell(&sight.after),
            is_conflict: is_in(&sight.after),
            ops: vec![*id],
            ..Seen::at(&[field.name.as_str(), "/", row, "/", name].concat(), &field.name)
        };
        finish_value(&mut seen, column, value.as_ref(), is_in(&sight.before));
        if seen.old != seen.new || seen.written.is_some() || seen.what == What::Settled {
            to.push(seen);
        }
    }
}

/// Looks at every piece in `slots` as it stands in `state`.
pub(super) fn look<'a>(
    state: &State,
    slots: &mut BTreeMap<Slot<'a>, Sight>,
    place: impl Fn(&mut Sight) -> &mut Look,
) {
    let mut rows: BTreeMap<String, BTreeMap<String, Look>> = BTreeMap::new();
    for slot in slots.keys() {
        if let Slot::Row(field, _) = slot {
            rows.entry(field.name.clone()).or_insert_with(|| look_at_rows(field, state));
        }
    }
    for (slot, sight) in slots.iter_mut() {
        *place(sight) = match slot {
            Slot::Value(field) => look_at_value(field, state),
            Slot::Counter(field) => Look {
                json: match state.counter(&field.name) {
                    0 => Json::Null,
                    count => count.into(),
                },
                ..Look::default()
            },
            Slot::Member(_, key) => Look {
                json: if state.survivors(key).is_empty() { Json::Null } else { member_json(key) },
                ..Look::default()
            },
            Slot::Row(field, row) => {
                let prefix = [field.name.as_str(), "/", row.as_str(), "/"].concat();
                let found = rows.get(&field.name).and_then(|rows| rows.get(row)).cloned();
                let is_known = state.under(&prefix).next().is_some();
                Look { is_known, ..found.unwrap_or_default() }
            }
            Slot::Entry(_, key) => {
                let first = state.survivors(key).first().and_then(|op| op.value.as_text());
                let json = first.and_then(|text| serde_json::from_str(text).ok());
                Look { json: json.unwrap_or(Json::Null), ..Look::default() }
            }
            Slot::Unknown(key) => {
                let value = state.register(key).map(|register| &register.winner.value);
                let json = value.and_then(|value| serde_json::to_value(value).ok());
                Look { json: json.unwrap_or(Json::Null), ..Look::default() }
            }
        };
    }
}

fn look_at_value(field: &Field, state: &State) -> Look {
    if field.kind == Kind::Once {
        let first = state.once(&field.name);
        let json = first.map_or(Json::Null, |first| field.ty.to_json(&first.value));
        return Look { json, ..Look::default() };
    }
    let ops = state.survivors(&field.name);
    match settle(field.settle, ops, |value| rank_of(field, value)) {
        None => Look::default(),
        Some(reading) => Look {
            json: field.ty.to_json(&reading.shown.value),
            is_conflict: !reading.beside.is_empty(),
            ..Look::default()
        },
    }
}

fn look_at_rows(field: &Field, state: &State) -> BTreeMap<String, Look> {
    let mut looks = BTreeMap::new();
    for row in state.rows(&field.name) {
        let is_open = |name: &&str| {
            let ops = row.cells.get(*name).copied().unwrap_or_default();
            let column = field.column(name);
            column
                .and_then(|column| settle(column.settle, ops, |value| rank_of(column, value)))
                .is_some_and(|reading| !reading.beside.is_empty())
        };
        let conflicts: Vec<String> =
            row.cells.keys().copied().filter(is_open).map(str::to_owned).collect();
        let is_conflict = !conflicts.is_empty();
        let look = Look { json: row_json(field, &row), is_conflict, conflicts, is_known: true };
        looks.insert(row.id.to_owned(), look);
    }
    looks
}

impl Slot<'_> {
    /// Fields in the order of their keys.
    fn order(&self) -> String {
        self.key()
    }
}

impl PartialEq for Slot<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Slot<'_> {}

impl PartialOrd for Slot<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Slot<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}
