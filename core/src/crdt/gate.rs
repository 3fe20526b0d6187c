//! The gate: which changes of a flat document a server lets into its history.
//!
//! By the time a change arrives here its bytes are known to be a canonical change of the small
//! subset that flat documents use (see [`codec`](super::codec)). The gate decides whether it fits
//! the history. When it follows everything that the document holds, the state alone decides;
//! otherwise the history is asked. None of the rules about predecessors can be left out: an
//! invented predecessor makes a document that Automerge cannot load, one of another key makes it
//! panic on load, one outside the past makes it panic depending on the order of arrival.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    archive::{ARCHIVED, Archived},
    history::{History, PastOp},
    op::{Action, Change, EncodedChange, Op, OpId},
    rows::{op_ids_from_text, op_ids_to_text},
    state::{Clock, State, covers_op, merge_clock},
};
use crate::{
    ids::{ActorPrefix, ChangeHash, Part},
    schema::{Entity, Field, Key, Kind},
    value::Value,
};

/// The code of a change under an actor that its sender does not own. It says something of the
/// sender, not of the change, and must not be remembered against its author.
pub const FOREIGN_ACTOR: &str = "foreign_actor";

/// Predecessors of one change that are looked for in the history, at most: what was replaced since
/// its author saw it. More than twice what a change could honestly have of a crowded document.
pub const PAST_OPS_MAX: usize = 20_000;

/// Who sent the change, and what it is about.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The definition of the record's entity.
    pub entity: &'a Entity,
    /// The part of the record that the document is.
    pub part: &'a Part,
    /// The prefix that the author's enrolment owns.
    pub prefix: ActorPrefix,
    /// Whether the author is the office itself, which alone writes office-owned fields.
    pub is_office: bool,
}

/// What the gate says of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It fits: apply it. The clock is that of its past.
    Fits(Clock),
    /// The very same change is in the history.
    Duplicate,
    /// It follows changes that are not here.
    Pending(Vec<ChangeHash>),
    /// It can never be applied.
    Refused(Refusal),
    /// The actor has written another change with this number.
    Forked,
}

/// Why a change is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A short name of the reason, stable across versions.
    pub code: String,
    /// The keys that caused it; empty if it is the change as a whole.
    pub keys: Vec<String>,
}

impl Refusal {
    /// A refusal of the whole change.
    #[must_use]
    pub fn whole(code: &str) -> Self {
        Self { code: code.to_owned(), keys: Vec::new() }
    }
}

/// What a rule about one operation found.
type OpRule<'a> = Result<(), &'a str>;

/// Judges a decoded change against the document's state and history.
///
/// # Errors
///
/// Fails only when the history's storage does.
pub fn judge<H: History>(
    state: &State,
    history: &H,
    encoded: &EncodedChange,
    context: Context<'_>,
) -> Result<Verdict, H::Error> {
    let change = &encoded.change;
    let is_foreign = change.actor.prefix() != context.prefix;
    let seen = state.clock.get(&change.actor).map_or(0, |seen| seen.seq);
    // What the history has it has, whoever sends it again.
    let known = if change.seq <= seen { history.hash_of(change.actor, change.seq)? } else { None };
    if known == Some(encoded.hash) {
        return Ok(Verdict::Duplicate);
    }
    if is_foreign {
        return Ok(Verdict::Refused(Refusal::whole(FOREIGN_ACTOR)));
    }
    if change.seq <= seen {
        return Ok(Verdict::Forked);
    }
    if state.generation > 0 && change.deps.is_empty() && !context.is_office {
        // What follows nothing belongs to the past that was erased.
        return Ok(Verdict::Refused(Refusal::whole("erased")));
    }
    let past = match find_past(state, history, change)? {
        Ok(past) => past,
        Err(missing) => return Ok(Verdict::Pending(missing)),
    };
    if let Err(code) = check_place(state, history, change, seen, &past)? {
        return Ok(Verdict::Refused(Refusal::whole(code)));
    }
    if let Some(refusal) = check_ops(state, history, change, &past, context)? {
        return Ok(Verdict::Refused(refusal));
    }
    if !state.surely_holds(change) {
        let mut after = state.clone();
        after.apply(encoded);
        if !after.is_within_limits() {
            let refusal = Refusal { code: "document_full".to_owned(), keys: after.crowded_keys() };
            return Ok(Verdict::Refused(refusal));
        }
    }
    Ok(Verdict::Fits(past))
}

/// The clock of everything that the change follows, or the hashes that are not here.
fn find_past<H: History>(
    state: &State,
    history: &H,
    change: &Change,
) -> Result<Result<Clock, Vec<ChangeHash>>, H::Error> {
    let heads: BTreeSet<ChangeHash> = state.heads.iter().map(|head| head.hash).collect();
    let others: Vec<ChangeHash> =
        change.deps.iter().filter(|dep| !heads.contains(dep)).copied().collect();
    if change.deps.len() - others.len() == heads.len() {
        // Everything that the document holds is followed; a further dependency can only be the
        // actor's own previous change, covered by the heads.
        let follows_all = match others.as_slice() {
            [] => true,
            [other] => own_previous(state, history, change)? == Some(*other),
            _ => false,
        };
        if follows_all {
            return Ok(Ok(state.clock.clone()));
        }
    }
    let mut past = Clock::new();
    let mut missing = Vec::new();
    for dep in &change.deps {
        match history.change(*dep)? {
            Some(known) => merge_clock(&mut past, &known.clock),
            None => missing.push(*dep),
        }
    }
    Ok(if missing.is_empty() { Ok(past) } else { Err(missing) })
}

/// The hash of the change that the same actor wrote before; the state knows it if it is a head.
fn own_previous<H: History>(
    state: &State,
    history: &H,
    change: &Change,
) -> Result<Option<ChangeHash>, H::Error> {
    if change.seq < 2 {
        return Ok(None);
    }
    let previous = change.seq - 1;
    match state.heads.iter().find(|head| head.actor == change.actor && head.seq == previous) {
        Some(head) => Ok(Some(head.hash)),
        None => history.hash_of(change.actor, previous),
    }
}

/// Whether the change takes the next number, follows its author's previous change, and counts on
/// from the highest operation of its past.
fn check_place<H: History>(
    state: &State,
    history: &H,
    change: &Change,
    seen: u64,
    past: &Clock,
) -> Result<Result<(), &'static str>, H::Error> {
    if change.seq != seen + 1 {
        return Ok(Err("sequence_gap"));
    }
    if change.seq > 1 {
        let own = own_previous(state, history, change)?;
        if !own.is_some_and(|own| change.deps.contains(&own)) {
            return Ok(Err("previous_change_not_followed"));
        }
    }
    let highest = past.values().map(|seen| seen.op).max().unwrap_or(0);
    if change.start_op != highest + 1 {
        return Ok(Err("start_op"));
    }
    Ok(Ok(()))
}

fn check_ops<H: History>(
    state: &State,
    history: &H,
    change: &Change,
    past: &Clock,
    context: Context<'_>,
) -> Result<Option<Refusal>, H::Error> {
    let mut first_code = None;
    let mut keys = Vec::new();
    let wanted = replaced_preds(state, change, past);
    if wanted.len() > PAST_OPS_MAX {
        return Ok(Some(Refusal::whole("too_many_preds")));
    }
    let Some(replaced) = history.ops(&wanted)? else {
        return Ok(Some(Refusal::whole("past_too_large")));
    };
    for op in &change.ops {
        if let Err(code) = check_preds(state, history, op, past, &replaced)? {
            return Ok(Some(Refusal::whole(code)));
        }
        let checked = check_key(change, op, context);
        if let Err(code) = checked.and_then(|key| check_claims(state, &key, op, past)) {
            first_code.get_or_insert(code);
            keys.push(op.key.clone());
        }
    }
    Ok(first_code.map(|code| Refusal { code: code.to_owned(), keys }))
}

/// Whether the state has the operation under this key.
fn survives(state: &State, key: &str, id: OpId) -> bool {
    state.survivors(key).binary_search_by_key(&id, |survivor| survivor.id).is_ok()
}

/// The predecessors of which the history alone knows. They are looked for together, so that each
/// change of the past is read once: one by one, the 130,000 that a change can name would cost
/// minutes, while nobody else writes.
fn replaced_preds(state: &State, change: &Change, past: &Clock) -> BTreeSet<OpId> {
    let each = change.ops.iter().flat_map(|op| op.pred.iter().map(move |pred| (&op.key, *pred)));
    each.filter(|(key, pred)| covers_op(past, *pred) && !survives(state, key, *pred))
        .map(|(_, pred)| pred)
        .collect()
}

/// Each predecessor is an operation of the same key, a put, within the past, and named once.
///
/// `replaced` has those that the state does not have.
fn check_preds<H: History>(
    state: &State,
    history: &H,
    op: &Op,
    past: &Clock,
    replaced: &BTreeMap<OpId, PastOp>,
) -> Result<OpRule<'static>, H::Error> {
    let mut last: Option<OpId> = None;
    for pred in &op.pred {
        if last.is_some_and(|last| last >= *pred) {
            return Ok(Err("pred_order"));
        }
        last = Some(*pred);
        if !covers_op(past, *pred) {
            let known = history.op(*pred)?.is_some();
            return Ok(Err(if known { "pred_outside_past" } else { "pred_unknown" }));
        }
        if survives(state, &op.key, *pred) {
            continue;
        }
        match replaced.get(pred) {
            None => return Ok(Err("pred_unknown")),
            Some(PastOp { is_delete: true, .. }) => return Ok(Err("pred_is_delete")),
            Some(PastOp { key, .. }) if *key != op.key => return Ok(Err("pred_of_other_key")),
            Some(_) => {}
        }
    }
    Ok(Ok(()))
}

/// What is written once is not there yet, and what an operation says that its author saw is
/// within the past: nobody archives, or deletes from a row, what is still to be written.
fn check_claims(state: &State, key: &Key<'_>, op: &Op, past: &Clock) -> OpRule<'static> {
    let is_there = || state.survivors(&op.key).iter().any(|there| covers_op(past, there.id));
    let value = match &op.action {
        Action::Put(value) => value,
        Action::Delete => return Ok(()),
    };
    match key {
        Key::Entry { .. } if is_there() => Err("entry_is_final"),
        Key::Register(field) if field.kind == Kind::Once && is_there() => Err("written_once"),
        Key::Register(field) if field.name == ARCHIVED && *value != Value::Null => {
            let archived = Archived::from_value(value).ok_or("malformed")?;
            let mut saw = archived.saw.into_iter().map(|(actor, counter)| OpId { counter, actor });
            if saw.all(|id| covers_op(past, id)) { Ok(()) } else { Err("saw_outside_past") }
        }
        Key::RowGone { .. } => {
            let text = value.as_text().unwrap_or_default();
            let ids = op_ids_from_text(text);
            if op_ids_to_text(ids.iter().copied()) != text {
                return Err("malformed");
            }
            let is_seen = ids.iter().all(|id| covers_op(past, *id));
            if is_seen { Ok(()) } else { Err("saw_outside_past") }
        }
        Key::Register(_)
        | Key::Counter { .. }
        | Key::Member { .. }
        | Key::Cell { .. }
        | Key::Entry { .. } => Ok(()),
    }
}

/// The key is known to the entity, and the operation is one that its kind of field allows.
fn check_key<'a>(change: &Change, op: &Op, context: Context<'a>) -> Result<Key<'a>, &'static str> {
    let key = context.entity.parse_key(context.part, &op.key).map_err(|error| error.code())?;
    if let Action::Put(value) = &op.action {
        key.check_value(value).map_err(|error| error.code())?;
    }
    let is_delete = op.action == Action::Delete;
    match &key {
        Key::Register(field) => check_register(field, op, context),
        Key::Counter { actor, .. } if *actor != change.actor => Err("counter_of_other_actor"),
        Key::Counter { .. } | Key::Cell { .. } if is_delete => Err("delete_not_allowed"),
        Key::Entry { .. } if is_delete || !op.pred.is_empty() => Err("entry_is_final"),
        Key::Counter { .. }
        | Key::Member { .. }
        | Key::Cell { .. }
        | Key::RowGone { .. }
        | Key::Entry { .. } => Ok(()),
    }
    .map(|()| key)
}

fn check_register(field: &Field, op: &Op, context: Context<'_>) -> OpRule<'static> {
    match field.kind {
        Kind::Once if op.action == Action::Delete || !op.pred.is_empty() => Err("written_once"),
        Kind::Office if !context.is_office => Err("office_owned"),
        Kind::Once | Kind::Office | Kind::Register => Ok(()),
        Kind::Counter | Kind::Set | Kind::Rows | Kind::Log | Kind::Text => Err("unknown_key"),
    }
}
