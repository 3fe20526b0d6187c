//! Edits of a record that was merged away meanwhile: they go on to the record that goes on.
//!
//! A device that does not know of a merge edits the record that it has. The change is accepted
//! where it was written, and its fields are written to the surviving record in the same
//! transaction, on that record as it was when the two were merged: a colleague's newer value there
//! becomes a conflict, nothing vanishes. What was written before the merge but not seen by whoever
//! merged goes the same way, when the merge arrives. The author is the person who made the edit,
//! the time that of the edit.
//!
//! A change is forwarded when it is applied, and it is applied once; so forwarding needs no memory
//! of its own. Counters, logs and long texts stay in their half, where they are read.

use std::{collections::BTreeMap, sync::Arc};

use outrider_core::{
    crdt::{Action, Clock, Edit, EncodedChange, OpId, State, rows::GONE, state::covers_op},
    domain::{compose::Composer, merge::REDIRECT},
    ids::{ActorPrefix, DocumentId, Part, RecordId},
    schema::{Entity, Key, Kind, RowId, Schema},
    sync::frame::{Outcome, PushGroup},
    time::TimestampMs,
    value::Value,
};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::{
    Author, Draws, OfficeError,
    author::author_in,
    base::{Base, flat_at},
    edit::flat_change,
};
use crate::{
    accept::{Applied, Desk},
    storage::{AuditLine, Content, Read, StorageError, StoredChange, StoredDocument},
};

/// Forwards what was applied to merged records.
///
/// # Errors
///
/// Fails when the storage does. An edit that does not fit the other record stays in its half, with
/// a line in the audit; one that its author may not make there waits for somebody to decide.
pub(crate) fn forward(desk: &mut Desk<'_>) -> Result<(), StorageError> {
    for applied in desk.take_applied() {
        let Some((heir, due)) = due(desk, &applied)? else { continue };
        let (hash, made_at) = (applied.change.hash, applied.change.change.time_ms);
        let action = match write(desk, heir, &due, &applied.change, made_at) {
            Ok(true) => "forwarded",
            Ok(false) => continue,
            Err(OfficeError::Storage(error)) => return Err(error),
            Err(_) => "not_forwarded",
        };
        let line = AuditLine::new(desk.now_ms(), action).device(desk.device().id);
        desk.tx.add_audit(&line.document(applied.id).hash(hash))?;
    }
    Ok(())
}

/// What of a change goes on.
struct Due {
    fields: Map<String, Json>,
    /// The position of the merge.
    seen: u64,
    merge: Tap,
}

/// What was written at once: all of it is of one device and one time.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Tap {
    device: ActorPrefix,
    made_at: TimestampMs,
}

impl Tap {
    fn of(change: &StoredChange) -> Self {
        Self { device: change.actor.prefix(), made_at: change.made_at }
    }

    /// Whether an operation of a document is of it.
    fn wrote(self, read: &dyn Read, id: &DocumentId, op: OpId) -> Result<bool, StorageError> {
        if op.actor.prefix() != self.device {
            return Ok(false);
        }
        Ok(read.change_with_op(id, op)?.is_some_and(|change| Self::of(&change) == self))
    }
}

/// What of a change goes on, and to which record.
fn due(desk: &Desk<'_>, applied: &Applied) -> Result<Option<(RecordId, Due)>, StorageError> {
    let record = applied.id.record;
    let main = DocumentId { record, part: Part::Main };
    let Some(stored) = desk.tx.document(&main)? else { return Ok(None) };
    let (Some(entity), Content::Flat(state)) =
        (Schema::current().entity(&stored.entity), &stored.content)
    else {
        return Ok(None);
    };
    let Some(leads) = state.register(REDIRECT) else { return Ok(None) };
    let redirect = leads.winner.id;
    let heir = desk.tx.heir(entity, record)?;
    let Some(merge) = desk.tx.change_with_op(&main, redirect)? else { return Ok(None) };
    if heir == record {
        return Ok(None);
    }
    // What the merger had written or seen is in the merge already. The clock of the main part tells
    // nothing of the restricted one; there whoever merged knew at least their own writing.
    let ops = || applied.change.change.ops_with_ids();
    let is_known = match applied.id.part {
        Part::Main => ops().all(|(id, _)| covers_op(&merge.clock, id) && id != redirect),
        Part::Restricted | Part::Text(_) => {
            applied.change.change.actor.prefix() == redirect.actor.prefix()
        }
    };
    if is_known {
        return Ok(None);
    }
    let own = |op: OpId| ops().any(|(id, _)| id == op);
    let mut ops: Vec<(OpId, String, Action)> = match applied.id.part {
        // The merge itself: what it had not seen.
        Part::Main if own(redirect) => unseen(state, &merge.clock),
        // Whoever knew of the merge wrote to this half on purpose.
        Part::Main if covers_op(&applied.clock, redirect) => return Ok(None),
        Part::Main | Part::Restricted => {
            ops().map(|(id, op)| (id, op.key.clone(), op.action.clone())).collect()
        }
        Part::Text(_) => return Ok(None),
    };
    if let Some(crossing) = merge_of(&*desk.tx, heir)? {
        // What a merge the other way took over from the record that goes on, that has already, or somebody
        // replaced it there.
        let mut left = Vec::new();
        for op in ops {
            if !crossing.wrote(&*desk.tx, &applied.id, op.0)? {
                left.push(op);
            }
        }
        ops = left;
    }
    let heirs = DocumentId { record: heir, part: applied.id.part.clone() };
    let theirs = match desk.tx.document(&heirs)?.map(|stored| stored.content) {
        Some(Content::Flat(state)) => state,
        Some(Content::Text(_)) | None => State::default(),
    };
    let fields = fields_of(entity, &applied.id.part, &theirs, &ops);
    let due = Due { fields, seen: merge.position, merge: Tap::of(&merge) };
    Ok((!due.fields.is_empty()).then_some((heir, due)))
}

/// The merge of a record into another, if it was merged.
fn merge_of(read: &dyn Read, record: RecordId) -> Result<Option<Tap>, StorageError> {
    let main = DocumentId { record, part: Part::Main };
    let Some(StoredDocument { content: Content::Flat(state), .. }) = read.document(&main)? else {
        return Ok(None);
    };
    let Some(leads) = state.register(REDIRECT) else { return Ok(None) };
    Ok(read.change_with_op(&main, leads.winner.id)?.as_ref().map(Tap::of))
}

/// The operations of a state that are outside a clock.
fn unseen(state: &State, clock: &Clock) -> Vec<(OpId, String, Action)> {
    let keys = state.keys.iter();
    let ops = keys.flat_map(|(key, ops)| ops.iter().map(move |op| (key, op)));
    ops.filter(|(_, op)| !covers_op(clock, op.id))
        .map(|(key, op)| (op.id, key.clone(), Action::Put(op.value.clone())))
        .collect()
}

/// Operations of one record as fields that another takes.
fn fields_of(
    entity: &Entity,
    part: &Part,
    theirs: &State,
    ops: &[(OpId, String, Action)],
) -> Map<String, Json> {
    let mut fields = Map::new();
    let mut cells: BTreeMap<(String, String), Map<String, Json>> = BTreeMap::new();
    for (_, key, action) in ops {
        match entity.parse_key(part, key) {
            Ok(Key::Register(field)) if field.kind == Kind::Register && !field.by_program => {
                let json = match action {
                    Action::Put(value) => field.ty.to_json(value),
                    Action::Delete => Json::Null,
                };
                fields.insert(field.name.clone(), json);
            }
            Ok(Key::Member { field, .. }) => {
                let way = if matches!(action, Action::Put(_)) { "add" } else { "remove" };
                let member = key.split_once('/').map_or("", |(_, member)| member);
                let member = member.replace("%2F", "/").replace("%2f", "/").replace("%25", "%");
                let change = fields.entry(field.name.clone()).or_insert_with(|| json!({}));
                push(change, way, member.into());
            }
            Ok(Key::Cell { field, row, column }) => {
                if let Action::Put(value) = action {
                    let cells = cells.entry((field.name.clone(), row.to_string())).or_default();
                    cells.insert(column.name.clone(), column.ty.to_json(value));
                }
            }
            Ok(Key::RowGone { field, row }) => {
                let id = row.to_string();
                if theirs.rows(&field.name).iter().any(|row| row.id == id) {
                    let change = fields.entry(field.name.clone()).or_insert_with(|| json!({}));
                    push(change, "remove", id.into());
                }
            }
            Ok(Key::Register(_) | Key::Counter { .. } | Key::Entry { .. }) | Err(_) => {}
        }
    }
    for ((field, row), mut cells) in cells {
        let is_there = theirs.rows(&field).iter().any(|known| known.id == row);
        let change = fields.entry(field).or_insert_with(|| json!({}));
        if is_there {
            let Json::Object(change) = change else { continue };
            if let Json::Object(edited) = change.entry("edit").or_insert_with(|| json!({})) {
                edited.insert(row, Json::Object(cells));
            }
        } else {
            cells.insert("id".to_owned(), row.into());
            push(change, "add", Json::Object(cells));
        }
    }
    fields
}

/// Adds an item to a list of a change of a set or of rows.
fn push(change: &mut Json, way: &str, item: Json) {
    let Json::Object(change) = change else { return };
    if let Json::Array(items) = change.entry(way).or_insert_with(|| json!([])) {
        items.push(item);
    }
}

/// Draws that follow from the change and from all that decides what is written of it: a simulation can be
/// repeated, and a server that was put back and forwards the change once more writes the very same change,
/// or writes under another actor.
fn draws(
    desk: &Desk<'_>,
    heir: RecordId,
    Due { fields, merge, .. }: &Due,
    seen: Option<u64>,
    cause: &EncodedChange,
) -> Result<Draws, OfficeError> {
    let mut hash = Sha256::new();
    hash.update(cause.hash.0);
    hash.update(json!([fields, merge.device.to_string(), merge.made_at]).to_string());
    for part in [Part::Main, Part::Restricted] {
        let id = DocumentId { record: heir, part };
        let base = flat_at(&*desk.tx, &id, seen)?.unwrap_or_default();
        hash.update(id.part.as_str());
        base.head_hashes().iter().for_each(|head| hash.update(head.0));
    }
    let mut seed = [0; 16];
    for (to, from) in seed.iter_mut().zip(hash.finalize()) {
        *to = from;
    }
    Ok(Draws::from_seed(seed))
}

/// Writes the fields to the record that goes on, in the name of who wrote them.
fn write(
    desk: &mut Desk<'_>,
    heir: RecordId,
    due: &Due,
    cause: &EncodedChange,
    made_at: TimestampMs,
) -> Result<bool, OfficeError> {
    let Due { fields, seen, merge } = due;
    // The merge may be of this very transaction: then the record is as it is now.
    let seen = (*seen <= desk.tx.position()?).then_some(*seen);
    let draws = Arc::new(draws(desk, heir, due, seen, cause)?);
    let writer = desk.device().clone();
    let now_ms = desk.now_ms();
    let author = if writer.is_office {
        Author::with_draws(writer, draws)
    } else {
        author_in(&mut *desk.tx, &writer.user, writer.user_record, draws, now_ms)?
    };
    let mut base = Base::load(&*desk.tx, heir, seen, &author)?;
    let fields = super::edit::without_shown(&base, heir, fields);
    let plan = Composer {
        entity: base.entity,
        documents: &base.documents,
        actors: &base,
        user: author.device.user_record,
        now_ms: made_at,
        is_new: false,
        takes_gaps: true,
        is_office: true,
        draw_row: || RowId::new(author.draw()),
    }
    .compose(&fields)?;
    let mut changes = Vec::new();
    for (part, mut edits) in plan.flat {
        let Some(mut document) = base.flat.remove(&part) else { continue };
        edits.retain(|edit| !is_said(&document.state, edit));
        if edits.is_empty() {
            continue;
        }
        let id = DocumentId { record: heir, part };
        keep_taken(&*desk.tx, (&id, base.entity), *merge, &mut document.state, &edits)?;
        let left = |edit| of_what_is_left(base.entity, &id.part, &document.state, edit);
        let edits: Vec<Edit> = edits.into_iter().filter_map(left).collect();
        if edits.is_empty() {
            continue;
        }
        changes.push(flat_change(id, base.entity, document, edits, made_at)?);
    }
    if changes.is_empty() {
        return Ok(false);
    }
    let answers = desk.forward_as(author.device, |desk| desk.take_group(&PushGroup { changes }))?;
    let is_taken = answers.iter().all(|answer| answer.outcome == Outcome::Applied);
    if is_taken { Ok(true) } else { Err(OfficeError::TooLarge) }
}

/// Keeps, of what stands where something is written, what the merge took over: that the author had in front of
/// them. What the other record says by itself stays beside it, whoever wrote it. What says nothing is filled.
fn keep_taken(
    read: &dyn Read,
    (id, entity): (&DocumentId, &Entity),
    merge: Tap,
    state: &mut State,
    edits: &[Edit],
) -> Result<(), StorageError> {
    let is_removal = |key: &str| matches!(entity.parse_key(&id.part, key), Ok(Key::RowGone { .. }));
    // The removal of a row is of all its cells.
    let rows: Vec<&str> = edits
        .iter()
        .filter(|edit| is_removal(&edit.key))
        .filter_map(|edit| edit.key.strip_suffix(GONE))
        .collect();
    for (key, ops) in &mut state.keys {
        let is_written = edits.iter().any(|edit| edit.key == *key);
        if !is_written && !rows.iter().any(|row| key.starts_with(row)) {
            continue;
        }
        let mut kept = Vec::new();
        for op in ops.drain(..) {
            if op.value == Value::Null || merge.wrote(read, id, op.id)? {
                kept.push(op);
            }
        }
        *ops = kept;
    }
    state.keys.retain(|_, ops| !ops.is_empty());
    Ok(())
}

/// An edit of what is left: a removal removes that alone, and of nothing it is none.
fn of_what_is_left(entity: &Entity, part: &Part, state: &State, edit: Edit) -> Option<Edit> {
    if let Ok(Key::RowGone { field, row }) = entity.parse_key(part, &edit.key) {
        return state.delete_row(&field.name, &row.to_string());
    }
    let is_of_nothing = edit.action == Action::Delete && state.survivors(&edit.key).is_empty();
    (!is_of_nothing).then_some(edit)
}

/// Whether that alone stands there already, as when two merges crossed: whoever wrote it first goes on to have
/// written it.
fn is_said(state: &State, edit: &Edit) -> bool {
    match (&edit.action, state.survivors(&edit.key)) {
        (Action::Put(value), [only]) => only.value == *value,
        _ => false,
    }
}
