//! Taking back what a tap wrote in one flat document: one change, or nothing.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt as _;

use super::{PutBack, Reason, Stays, before::count_of};
use crate::{
    crdt::{
        Action, Edit, OpId, State, Survivor,
        archive::{ARCHIVED, Archived},
    },
    domain::{edit::Plan, record::Documents, stage::note_stage},
    ids::{ActorId, ChangeHash, DocumentId},
    replica::{ReplicaError, Writer, flat::decode_own},
    schema::{Entity, Field, Key, Kind, RowId, counter_key},
    store::undo::{Old, Undoable},
    value::Value,
};

/// The log that the program keeps of a field; what is taken back leaves a further entry.
const KEPT_BY_PROGRAM: &str = "stages";

/// What a tap did to the keys of one document.
struct Touched {
    /// By key: what stood there before the tap, and its last operation.
    keys: BTreeMap<String, (Option<Old>, OpId, Action)>,
    /// By field: the sum of its steps.
    steps: BTreeMap<String, i64>,
    /// Rows that it made, as `lines/<row>`.
    new_rows: BTreeSet<String>,
    /// All its operations.
    ops: BTreeSet<OpId>,
    /// Its last change.
    last: Option<ChangeHash>,
}

impl Touched {
    fn of(changes: &[&Undoable]) -> Result<Self, ReplicaError> {
        let mut touched = Self {
            keys: BTreeMap::new(),
            steps: BTreeMap::new(),
            new_rows: BTreeSet::new(),
            ops: BTreeSet::new(),
            last: None,
        };
        for change in changes {
            let olds = &change.before.olds;
            for (key, old) in olds {
                match old {
                    Old::Step(step) => *touched.steps.entry(key.clone()).or_default() += step,
                    Old::NewRow => drop(touched.new_rows.insert(key.clone())),
                    Old::Null | Old::Bool(_) | Old::Int(_) | Old::Text(_) | Old::Bytes(_) => {}
                }
            }
            let encoded = decode_own(&change.own)?;
            for (id, op) in encoded.change.ops_with_ids() {
                touched.ops.insert(id);
                if count_of(&op.key, &op.action).is_some() {
                    continue;
                }
                let old = olds.get(&op.key).cloned();
                let known = touched.keys.entry(op.key.clone());
                let slot = known.or_insert_with(|| (old, id, op.action.clone()));
                (slot.1, slot.2) = (id, op.action.clone());
            }
            touched.last = Some(encoded.hash);
        }
        Ok(touched)
    }
}

/// Finds out what takes a tap back.
struct Undoer<'a> {
    entity: &'a Entity,
    state: &'a State,
    touched: &'a Touched,
    /// What earlier undoing put back counts as what stood there before it.
    put_back: &'a PutBack,
    edits: BTreeMap<String, Edit>,
    stays: Vec<(String, Reason, Option<ActorId>)>,
}

impl Writer<'_> {
    /// Takes back what a tap wrote in a flat document.
    pub(super) fn undo_flat(
        &mut self,
        id: &DocumentId,
        changes: &[&Undoable],
        put_back: &PutBack,
        stays: &mut Vec<Stays>,
    ) -> Result<(), ReplicaError> {
        let Some(name) = changes.first().map(|change| change.own.entity.clone()) else {
            return Ok(());
        };
        let touched = Touched::of(changes)?;
        let mut stay = |(key, reason, author)| {
            stays.push(Stays { id: id.clone(), entity: name.clone(), key, reason, author });
        };
        let Some(document) = self.load_flat(id)? else {
            stay((String::new(), Reason::NotHere, None));
            return Ok(());
        };
        let entity = self.entity(&document.entity)?;
        let mut undoer = Undoer {
            entity,
            state: &document.state,
            touched: &touched,
            put_back,
            edits: BTreeMap::new(),
            stays: Vec::new(),
        };
        let archived = Archived::new(&document.state, None, self.now_ms).to_value();
        undoer.rows();
        undoer.keys(id, &archived);
        let Undoer { mut edits, stays: left, .. } = undoer;
        left.into_iter().for_each(&mut stay);
        let actor = self.actor_for(Some(&document));
        for (name, step) in &touched.steps {
            let Some(field) = entity.field(name).filter(|field| field.kind == Kind::Counter) else {
                continue;
            };
            let key = counter_key(field, actor);
            let count = document.state.own_count(&key).saturating_sub(*step);
            edits.insert(key.clone(), put(&key, Value::Int(count)));
        }
        if edits.is_empty() {
            return Ok(());
        }
        let mut plan = Plan::default();
        plan.flat.insert(id.part.clone(), edits.into_values().collect());
        let documents = Documents {
            flat: BTreeMap::from([(id.part.clone(), document.state.clone())]),
            texts: BTreeMap::new(),
        };
        let (user, entry) = (self.user()?, RowId::new(self.rng.random()));
        note_stage(entity, &documents, &mut plan, user, (self.now_ms, entry));
        let edits = plan.flat.remove(&id.part).unwrap_or_default();
        self.write_flat(id, entity, Some(document), actor, edits)
    }
}

impl Undoer<'_> {
    /// Rows that the tap made are taken out whole, if nobody else wrote in them.
    fn rows(&mut self) {
        for row in &self.touched.new_rows {
            let Some((field, id)) = row.split_once('/') else { continue };
            let prefix = [row.as_str(), "/"].concat();
            let ops = self.state.under(&prefix).flat_map(|(_, ops)| ops);
            let is_own = |op: &&Survivor| {
                self.touched.ops.contains(&op.id) || self.put_back.ops.contains(&op.id)
            };
            let others: Vec<&Survivor> = ops.filter(|op| !is_own(op)).collect();
            match others.last() {
                Some(other) => {
                    self.stays.push((row.clone(), Reason::WrittenSince, Some(other.id.actor)));
                }
                None => {
                    let edit = self.state.delete_row(field, id);
                    let is_there = self.state.rows(field).iter().any(|there| there.id == id);
                    if let Some(edit) = edit.filter(|_| is_there) {
                        self.edits.insert(edit.key.clone(), edit);
                    }
                }
            }
        }
    }

    fn keys(&mut self, id: &DocumentId, archived: &Value) {
        for (key, (old, op, action)) in &self.touched.keys {
            let is_in_new_row =
                key.rsplit_once('/').is_some_and(|(row, _)| self.touched.new_rows.contains(row));
            if is_in_new_row {
                continue;
            }
            match self.entity.parse_key(&id.part, key) {
                Ok(Key::Register(field)) if field.name == ARCHIVED => {
                    self.archiving(key, *op, action, archived);
                }
                Ok(Key::Register(field)) => self.value(key, field, old.as_ref(), *op),
                Ok(Key::Cell { field, row, .. }) => {
                    let row = row.to_string();
                    let is_there = self.state.rows(&field.name).iter().any(|there| there.id == row);
                    if is_there {
                        self.value(key, field, old.as_ref(), *op);
                    } else {
                        let gone = [field.name.as_str(), "/", &row, "/-"].concat();
                        let by = self.state.survivors(&gone).last().map(|gone| gone.id.actor);
                        self.stays.push((key.clone(), Reason::WrittenSince, by));
                    }
                }
                Ok(Key::Member { .. }) => self.member(key, old.as_ref(), *op, action),
                Ok(Key::RowGone { field, row }) => {
                    self.row_removal(key, (&field.name, &row.to_string()), *op, action);
                }
                Ok(Key::Entry { field, .. }) if field.name == KEPT_BY_PROGRAM => {}
                Ok(Key::Entry { .. } | Key::Counter { .. }) | Err(_) => {
                    self.stays.push((key.clone(), Reason::Final, None));
                }
            }
        }
    }

    /// A value goes back where the tap's own is the only one that stands there.
    fn value(&mut self, key: &str, field: &Field, old: Option<&Old>, op: OpId) {
        if matches!(field.kind, Kind::Once | Kind::Office) {
            self.stays.push((key.to_owned(), Reason::Final, None));
            return;
        }
        let Some(own) = self.only_own(key, op) else { return };
        let old = old.map_or(Value::Null, Old::value);
        if own != old {
            self.edits.insert(key.to_owned(), put(key, old));
        }
    }

    fn member(&mut self, key: &str, old: Option<&Old>, op: OpId, action: &Action) {
        match (action, old) {
            // It was there before, too.
            (Action::Put(_), Some(_)) | (Action::Delete, None) => {}
            (Action::Put(_), None) => {
                if self.only_own(key, op).is_some() {
                    self.edits.insert(key.to_owned(), delete(key));
                }
            }
            (Action::Delete, Some(_)) => {
                if self.is_still_empty(key) {
                    self.edits.insert(key.to_owned(), put(key, Value::Bool(true)));
                }
            }
        }
    }

    fn row_removal(&mut self, key: &str, (field, row): (&str, &str), op: OpId, action: &Action) {
        match action {
            Action::Put(_) => {
                if self.only_own(key, op).is_some() {
                    self.edits.insert(key.to_owned(), delete(key));
                }
            }
            // The tap had brought the row back.
            Action::Delete => {
                if self.is_still_empty(key)
                    && self.is_untouched(key)
                    && let Some(edit) = self.state.delete_row(field, row)
                {
                    self.edits.insert(edit.key.clone(), edit);
                }
            }
        }
    }

    fn archiving(&mut self, key: &str, op: OpId, action: &Action, archived: &Value) {
        match action {
            Action::Put(_) => {
                if self.only_own(key, op).is_some() {
                    self.edits.insert(key.to_owned(), delete(key));
                }
            }
            Action::Delete => {
                if self.is_still_empty(key) && self.is_untouched(key) {
                    self.edits.insert(key.to_owned(), put(key, archived.clone()));
                }
            }
        }
    }

    /// The tap's value, if it alone stands there; else the key stays.
    fn only_own(&mut self, key: &str, op: OpId) -> Option<Value> {
        let written = self.touched.keys.get(key).map(|(_, _, action)| action);
        let is_same = |value: &Value| match written {
            // What the program writes there names what it had seen, so it differs each time.
            _ if key == ARCHIVED || key.ends_with("/-") => true,
            Some(Action::Put(written)) => written == value,
            Some(Action::Delete) | None => false,
        };
        match self.state.survivors(key) {
            [only] if only.id == op => Some(only.value.clone()),
            [only] if self.put_back.ops.contains(&only.id) && is_same(&only.value) => {
                Some(only.value.clone())
            }
            others => {
                let other = others.iter().rev().find(|other| other.id != op);
                let by = other.map(|other| other.id.actor);
                self.stays.push((key.to_owned(), Reason::WrittenSince, by));
                None
            }
        }
    }

    /// Whether nothing was put where the tap deleted; else the key stays.
    fn is_still_empty(&mut self, key: &str) -> bool {
        let Some(other) = self.state.survivors(key).last() else { return true };
        self.stays.push((key.to_owned(), Reason::WrittenSince, Some(other.id.actor)));
        false
    }

    /// Whether nothing at all was written in the document since; else the key stays. What would
    /// hide others' work asks for this.
    fn is_untouched(&mut self, key: &str) -> bool {
        let heads = &self.state.heads;
        let other = heads.iter().find(|head| Some(head.hash) != self.touched.last);
        let Some(other) = other else { return true };
        self.stays.push((key.to_owned(), Reason::WrittenSince, Some(other.actor)));
        false
    }
}

fn put(key: &str, value: Value) -> Edit {
    Edit { key: key.to_owned(), action: Action::Put(value) }
}

fn delete(key: &str) -> Edit {
    Edit { key: key.to_owned(), action: Action::Delete }
}
