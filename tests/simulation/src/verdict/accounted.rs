//! Every edit of a flat document is in the server's history and stands, or was replaced by
//! somebody who had seen it, or is in its author's inbox.

use std::collections::{BTreeMap, BTreeSet};

use automerge::{Automerge, ReadDoc};
use outrider_core::{
    crdt::{self, Action, OpId, State, export::export, rows::GONE},
    domain::merge::REDIRECT,
    ids::DocumentId,
    schema::Kind,
    value::Value,
};
use outrider_sync_server::storage::{Content, Read, StoredDocument};

use super::{Office, Verdict, excused::Excused};
use crate::{
    Failure,
    device::number_of,
    ledger::{Edit, Ledger, Wrote, plain_key},
    plan::Check,
    versions::newest,
    world::World,
};

/// How many documents of a run are exported and opened with Automerge.
const EXPORTS_MAX: usize = 3;

/// What the server's history says of one document.
#[derive(Default)]
struct History {
    /// By edit and key: the operations that it became.
    versions: BTreeMap<(u32, String), Vec<OpId>>,
    /// By operation: the edits that replaced it.
    replaced_by: BTreeMap<OpId, Vec<u32>>,
    /// Operations that left nothing.
    cleared: BTreeSet<OpId>,
    chunks: Vec<Vec<u8>>,
}

impl History {
    fn read(tx: &dyn Read, id: &DocumentId, entity: &str) -> Result<Self, Failure> {
        let mut history = Self::default();
        for stored in tx.changes_since(id, 0, usize::MAX)? {
            let encoded = crdt::decode(&stored.bytes)?;
            let number = number_of(encoded.change.time_ms);
            for (op_id, op) in encoded.change.ops_with_ids() {
                let key = plain_key(entity, &op.key);
                history.versions.entry((number, key)).or_default().push(op_id);
                if op.action == Action::Put(Value::Null) {
                    history.cleared.insert(op_id);
                }
                for pred in &op.pred {
                    history.replaced_by.entry(*pred).or_default().push(number);
                }
            }
            history.chunks.push(stored.bytes);
        }
        Ok(history)
    }
}

pub(super) fn judge(
    tx: &dyn Read,
    world: &World,
    office: &Office,
    excused: &Excused,
    verdict: &mut Verdict,
) -> Result<(), Failure> {
    let ledger = &world.ledger;
    let is_asked = |id: &DocumentId| !excused.has(id) && !world.is_erased(id);
    let mut histories: BTreeMap<&DocumentId, History> = BTreeMap::new();
    let mut exports = 0;
    for (id, stored) in office.documents.iter().filter(|(id, _)| id.part.is_flat()) {
        if !is_asked(id) {
            continue;
        }
        let history = History::read(tx, id, &stored.entity)?;
        let Content::Flat(state) = &stored.content else { continue };
        if exports < EXPORTS_MAX {
            exports += 1;
            verdict.extend(Check::Sound, check_export(id, state, &history)?);
        }
        let rows = check_rows(id, stored, state, &history, ledger);
        let counters = check_counters(id, stored, state, &history, ledger);
        verdict.extend(Check::Accounted, rows.into_iter().chain(counters));
        histories.insert(id, history);
    }
    let nothing = History::default();
    for ((id, number), edit) in &ledger.edits {
        if !is_asked(id) {
            continue;
        }
        let history = histories.get(id).unwrap_or(&nothing);
        let state = match office.documents.get(id).map(|stored| &stored.content) {
            Some(Content::Flat(state)) => Some(state),
            Some(Content::Text(_)) | None => None,
        };
        let is_restored = world.out.restores > 0;
        let place = Place { id, number: *number, edit, history, state, ledger, is_restored };
        for (key, wrote) in &edit.wrote {
            let found = place.find(key, wrote);
            let found = found.map(|how| format!("{id} {key}, edit {number}: {how}"));
            verdict.extend(Check::Accounted, found);
        }
    }
    Ok(())
}

/// One edit, with all that is known of it.
struct Place<'a> {
    id: &'a DocumentId,
    number: u32,
    edit: &'a Edit,
    history: &'a History,
    state: Option<&'a State>,
    ledger: &'a Ledger,
    /// Whether a server was put back.
    is_restored: bool,
}

impl Place<'_> {
    fn is_refused(&self, number: u32, key: &str) -> bool {
        self.ledger.refused.contains(&(self.id.clone(), number, key.to_owned()))
    }

    /// Says what is wrong with what one edit did under one key, if anything is.
    fn find(&self, key: &str, wrote: &Wrote) -> Option<String> {
        let is_refused = self.is_refused(self.number, key);
        let Some(versions) = self.history.versions.get(&(self.number, key.to_owned())) else {
            let is_well = is_refused
                || self.edit.is_gone
                || self.is_pointless(key, wrote)
                || self.is_written_anew(key)
                || self.goes_on_with_the_merge(key);
            return (!is_well).then(|| "is neither at the server nor in an inbox".to_owned());
        };
        let is_of_older = self.ledger.of_older.contains(&(self.id.clone(), self.number));
        if is_refused && !self.edit.is_copied && !is_of_older {
            return Some("is in an inbox, and at the server".to_owned());
        }
        if wrote.is_delete || key.ends_with("/*") {
            return None;
        }
        versions.iter().find_map(|version| self.replaced_wrongly(key, *version))
    }

    /// A removal of what was refused, or went, has nothing left to remove.
    fn is_pointless(&self, key: &str, wrote: &Wrote) -> bool {
        let is_out = |number: &u32| {
            let edit = self.ledger.edits.get(&(self.id.clone(), *number));
            self.is_refused(*number, key) || edit.is_some_and(|edit| edit.is_gone)
        };
        let past = self.ledger.past(self.id, self.number, key);
        wrote.is_delete && !past.is_empty() && past.iter().any(is_out)
    }

    /// What waited in a document of which a server lost something is part of what is written anew there.
    fn is_written_anew(&self, key: &str) -> bool {
        self.is_restored
            && self.history.versions.keys().any(|(number, of)| {
                let edit = self.ledger.edits.get(&(self.id.clone(), *number));
                of == key && *number > self.number && edit.is_some_and(|edit| edit.is_anew)
            })
    }

    /// An edit that went on to this record comes back to a server that was put back before the merge does: then it
    /// goes on as a part of that.
    fn goes_on_with_the_merge(&self, key: &str) -> bool {
        let edits = || self.ledger.edits.iter().filter(|((id, _), _)| id != self.id);
        let wrote = |number: u32, key: &str| {
            edits().any(|((_, other), edit)| *other == number && edit.wrote.contains_key(key))
        };
        let versions = self.history.versions.keys().filter(|(_, of)| of == key);
        self.is_restored
            && wrote(self.number, key)
            && versions.into_iter().any(|(number, _)| wrote(*number, REDIRECT))
    }

    fn replaced_wrongly(&self, key: &str, version: OpId) -> Option<String> {
        let is_standing =
            self.state.is_some_and(|state| state.survivor_ids(key).contains(&version));
        let replaced_by = self.history.replaced_by.get(&version);
        match (is_standing, replaced_by) {
            (true, None) => None,
            (true, Some(by)) => Some(format!("stands, although {by:?} replaced it")),
            (false, None) => {
                Some("is at the server, nobody replaced it, and it is gone".to_owned())
            }
            (false, Some(by)) => {
                // What one edit wrote twice, since a part of it went on to the same record, it saw. Where nothing
                // stands, what goes on with a merge fills the gap, as the merge itself does.
                let fills = |by: &u32| {
                    let edit = self.ledger.edits.get(&(self.id.clone(), *by));
                    let written = self.history.versions.get(&(*by, key.to_owned()));
                    let is_twice = written.is_some_and(|written| written.len() > 1);
                    self.history.cleared.contains(&version)
                        && edit.is_some_and(|edit| {
                            is_twice || edit.is_forwarded || !edit.wrote.contains_key(key)
                        })
                };
                let blind = by.iter().find(|by| {
                    **by != self.number
                        && !fills(by)
                        && !self.ledger.past(self.id, **by, key).contains(&self.number)
                })?;
                Some(format!("was replaced by edit {blind}, whose author had not seen it"))
            }
        }
    }
}

/// A row is away only while whoever removed it had seen every cell that stands.
fn check_rows(
    id: &DocumentId,
    stored: &StoredDocument,
    state: &State,
    history: &History,
    ledger: &Ledger,
) -> Vec<String> {
    let author: BTreeMap<OpId, (u32, &str)> = history
        .versions
        .iter()
        .flat_map(|((number, key), ops)| ops.iter().map(move |op| (*op, (*number, key.as_str()))))
        .collect();
    let number_of_op = |op: OpId| author.get(&op).map(|(number, _)| *number);
    let mut wrong = Vec::new();
    let Some(entity) = newest().entity(&stored.entity) else { return wrong };
    for field in entity.fields.iter().filter(|field| field.kind == Kind::Rows) {
        let there: BTreeSet<&str> = state.rows(&field.name).into_iter().map(|row| row.id).collect();
        let mut cells: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
        let mut seen: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
        let mut forwarded: BTreeSet<&str> = BTreeSet::new();
        let prefix = [field.name.as_str(), "/"].concat();
        for (rest, ops) in state.under(&prefix) {
            let Some((row, column)) = rest.split_once('/') else { continue };
            let numbers = ops.iter().filter_map(|op| number_of_op(op.id));
            if column == GONE {
                let key = [prefix.as_str(), rest].concat();
                for number in numbers {
                    let edit = ledger.edits.get(&(id.clone(), number));
                    let wrote = edit.and_then(|edit| edit.wrote.get(&key));
                    if wrote.is_none() && ledger.wrote_elsewhere(id, &key) {
                        forwarded.insert(row);
                    }
                    seen.entry(row).or_default().extend(wrote.iter().flat_map(|w| &w.cells));
                }
            } else {
                cells.entry(row).or_default().extend(numbers);
            }
        }
        for (row, cells) in cells {
            let is_seen = seen.get(row).is_some_and(|seen| cells.is_subset(seen));
            let is_copied = cells.iter().any(|number| {
                ledger.edits.get(&(id.clone(), *number)).is_some_and(|edit| edit.is_copied)
            });
            if is_seen && is_copied {
                // Whoever removed the cells of one copy had not seen those of the other.
                continue;
            }
            if forwarded.contains(row) {
                // Removed in a record that had been merged into this one: what of the row here is a copy of
                // what its author saw there, only the server knows.
                continue;
            }
            if there.contains(row) == is_seen {
                let is = if is_seen {
                    "is there although all of it"
                } else {
                    "is away although not all of it"
                };
                let seen = seen.get(row);
                wrong.push(format!(
                    "{id} {}/{row} {is} was removed: edits {cells:?}, seen {seen:?}",
                    field.name
                ));
            }
        }
    }
    wrong
}

/// A counter shows the sum of all that was counted and not refused.
fn check_counters(
    id: &DocumentId,
    stored: &StoredDocument,
    state: &State,
    history: &History,
    ledger: &Ledger,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let Some(entity) = newest().entity(&stored.entity) else { return wrong };
    for field in entity.fields.iter().filter(|field| field.kind == Kind::Counter) {
        let key = [field.name.as_str(), "/*"].concat();
        let mut sum = 0;
        for ((number, counted), ops) in &history.versions {
            if *counted != key {
                continue;
            }
            let edit = ledger.edits.get(&(id.clone(), *number));
            let Some(wrote) = edit.and_then(|edit| edit.wrote.get(&key)) else { continue };
            // An edit that two copies of one phone wrote anew counts for both.
            sum += wrote.step * i64::try_from(ops.len()).unwrap_or(0);
            if ops.len() > 1 && !edit.is_some_and(|edit| edit.is_copied) {
                wrong.push(format!("{id} {key}, edit {number}: counts {} times", ops.len()));
            }
        }
        if state.counter(&field.name) != sum {
            let shown = state.counter(&field.name);
            wrong.push(format!("{id} {} shows {shown}, but {sum} were counted", field.name));
        }
    }
    wrong
}

/// The history is a standard Automerge document with the same values.
fn check_export(id: &DocumentId, state: &State, history: &History) -> Result<Vec<String>, Failure> {
    let saved = export(history.chunks.iter().map(Vec::as_slice))?;
    let document = Automerge::load(&saved)?;
    let mut wrong = Vec::new();
    let keys: BTreeSet<String> =
        document.keys(automerge::ROOT).chain(state.keys.keys().cloned()).collect();
    for key in keys {
        let theirs: Vec<Value> = document
            .get_all(automerge::ROOT, &key)?
            .into_iter()
            .map(|(value, _)| from_automerge(&value))
            .collect();
        let mine: Vec<Value> =
            state.survivors(&key).iter().map(|survivor| survivor.value.clone()).collect();
        if theirs != mine {
            wrong.push(format!("{id} {key}: {mine:?}, but Automerge reads {theirs:?}"));
        }
    }
    Ok(wrong)
}

fn from_automerge(value: &automerge::Value<'_>) -> Value {
    match value {
        automerge::Value::Scalar(scalar) => match scalar.as_ref() {
            automerge::ScalarValue::Str(text) => Value::Text(text.to_string()),
            automerge::ScalarValue::Int(number) => Value::Int(*number),
            automerge::ScalarValue::Boolean(is) => Value::Bool(*is),
            automerge::ScalarValue::Bytes(bytes) => Value::Bytes(bytes.clone()),
            automerge::ScalarValue::Null
            | automerge::ScalarValue::Uint(_)
            | automerge::ScalarValue::F64(_)
            | automerge::ScalarValue::Counter(_)
            | automerge::ScalarValue::Timestamp(_)
            | automerge::ScalarValue::Unknown { .. } => Value::Null,
        },
        automerge::Value::Object(_) => Value::Null,
    }
}
