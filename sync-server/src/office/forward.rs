//! Edits of a record that was merged away meanwhile: they go on to the record that goes on.
//!
//! A device that does not know of a merge edits the record that it has. The change is accepted
//! where it was written, and its fields are written to the surviving record in the same
//! transaction, on that record as it was when the two were merged. There it replaces what the merge
//! took over, and nothing else: a colleague's value becomes a conflict, nothing vanishes. What was
//! written before the merge but not seen by whoever merged goes the same way, when the merge
//! arrives. The author is the person who made the edit, the time that of the edit.
//!
//! A change is forwarded when it is applied, and it is applied once; so forwarding needs no memory
//! of its own. Counters, logs and long texts stay in their half, where they are read.

mod fields;
mod taken;

use std::sync::Arc;

use outrider_core::{
    crdt::{Action, Clock, Edit, EncodedChange, OpId, State, state::covers_op},
    domain::{compose::Composer, merge::REDIRECT},
    ids::{DocumentId, Part, RecordId},
    schema::{RowId, Schema},
    sync::frame::{Outcome, PushGroup},
    time::TimestampMs,
};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest as _, Sha256};

use self::{
    fields::{Written, fields_of},
    taken::{Tap, is_said, keep_taken, merge_of, of_what_is_left},
};
use super::{
    Author, Draws, OfficeError,
    author::author_in,
    base::{Base, flat_at},
    edit::flat_change,
};
use crate::{
    accept::{Applied, Desk},
    storage::{AuditLine, Content, StorageError},
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
    let mut ops: Vec<Written> = match applied.id.part {
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

/// The operations of a state that are outside a clock.
fn unseen(state: &State, clock: &Clock) -> Vec<Written> {
    let keys = state.keys.iter();
    let ops = keys.flat_map(|(key, ops)| ops.iter().map(move |op| (key, op)));
    ops.filter(|(_, op)| !covers_op(clock, op.id))
        .map(|(key, op)| (op.id, key.clone(), Action::Put(op.value.clone())))
        .collect()
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
