//! The base of a waiting change, and writing changes anew on it.
//!
//! When the server refuses a change, everything that its author wrote on top of it must be
//! written again, under an actor that has not written in the document yet. It is written on what
//! the author had *seen*, never on what the server holds today: otherwise a colleague's
//! concurrent value would be replaced without anybody noticing.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    archive::{ARCHIVED, Archived},
    op::{Action, Change, EncodedChange, Op, OpId},
    rows::{GONE, op_ids_from_text, op_ids_to_text},
    state::{Clock, Own, State, covers_op},
    write::{WriteError, commit},
};
use crate::{
    ids::{ActorId, ChangeHash},
    value::Value,
};

/// What was confirmed by the server when a change was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Base {
    /// Heads of the confirmed state.
    pub heads: BTreeSet<ChangeHash>,
    /// Highest operation counter of the confirmed state.
    pub max_op: u64,
    /// For each key of the change, the confirmed operations that stood there.
    pub replaced: BTreeMap<String, BTreeSet<OpId>>,
    /// For each counter key of the change, the confirmed count.
    pub counts: BTreeMap<String, i64>,
}

impl Base {
    /// The base of `change` when `confirmed` is the last state that the server confirmed.
    #[must_use]
    pub fn new(confirmed: &State, change: &Change) -> Self {
        let mut base = Self {
            heads: confirmed.head_hashes().into_iter().collect(),
            max_op: confirmed.max_op,
            ..Self::default()
        };
        for op in &change.ops {
            base.replaced
                .insert(op.key.clone(), confirmed.survivor_ids(&op.key).into_iter().collect());
            if is_counter_key(&op.key, change.actor) {
                base.counts.insert(op.key.clone(), confirmed.own_count(&op.key));
            }
        }
        base
    }

    /// The base of a change of which nothing is known but itself, and what was counted before it.
    #[must_use]
    pub fn of_change(change: &Change, counts: BTreeMap<String, i64>) -> Self {
        let replaced = change.ops.iter();
        Self {
            heads: change.deps.iter().copied().collect(),
            max_op: change.start_op.saturating_sub(1),
            replaced: replaced
                .map(|op| (op.key.clone(), op.pred.iter().copied().collect()))
                .collect(),
            counts,
        }
    }

    /// Takes note that `applied`, an earlier change of the same author, was confirmed.
    ///
    /// Call it once for each change that waited when this one was written, in their order, as the
    /// server's answers come in.
    pub fn advance(&mut self, applied: &EncodedChange) {
        for dep in &applied.change.deps {
            self.heads.remove(dep);
        }
        self.heads.insert(applied.hash);
        self.max_op = self.max_op.max(applied.change.max_op());
        for (id, op) in applied.change.ops_with_ids() {
            // Also under keys that are not listed: nothing stood there when this was written, or
            // the key is the counter of an actor that took over since.
            let replaced = self.replaced.entry(op.key.clone()).or_default();
            replaced.retain(|known| !op.pred.contains(known));
            if let Action::Put(value) = &op.action {
                replaced.insert(id);
                if let (true, Value::Int(number)) =
                    (is_counter_key(&op.key, applied.change.actor), value)
                {
                    self.counts.insert(op.key.clone(), *number);
                }
            }
        }
    }
}

/// A waiting change with what its author had seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The change as it was written.
    pub encoded: EncodedChange,
    /// What was confirmed when it was written.
    pub base: Base,
    /// Keys whose edits are left out when it is written again.
    pub dropped: BTreeSet<String>,
}

/// What came of writing a document's waiting changes anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// The confirmed state with the new changes applied.
    pub state: State,
    /// The last of the new changes, if there is one.
    pub own: Option<Own>,
    /// For each waiting change in order: its successor, or `None` if nothing of it was left.
    pub changes: Vec<Option<EncodedChange>>,
}

/// Writes `pending`, all waiting changes of one document in order, anew under `actor`.
///
/// # Errors
///
/// Returns [`WriteError`] if `actor` has written in the document or in `pending`, or the result
/// outgrows a limit.
pub fn rewrite(
    confirmed: &State,
    pending: &[Pending],
    actor: ActorId,
) -> Result<Rewritten, WriteError> {
    let is_used = pending.iter().any(|waiting| waiting.encoded.change.actor == actor);
    if is_used || confirmed.clock.contains_key(&actor) {
        return Err(WriteError::UnknownOwn(actor));
    }
    let mut writer = Rewriter::new(confirmed, pending, actor);
    let mut changes = Vec::with_capacity(pending.len());
    for waiting in pending {
        changes.push(writer.rewrite_one(waiting)?);
    }
    Ok(Rewritten { state: writer.state, own: writer.own, changes })
}

/// The author's view, followed change by change.
struct Rewriter {
    actor: ActorId,
    state: State,
    own: Option<Own>,
    /// Base heads that the last new change already follows.
    seen_heads: BTreeSet<ChangeHash>,
    max_op: u64,
    /// New operation that stands under a key, with the base operations that it replaced.
    written: BTreeMap<String, (Option<OpId>, BTreeSet<OpId>)>,
    /// Old operation ids and what became of them.
    renamed: BTreeMap<OpId, OpId>,
    /// Clock of what the server confirmed; older operations keep their ids.
    confirmed: Clock,
    /// By old counter key: what the author had last counted there.
    counts: BTreeMap<String, i64>,
    /// By new counter key: what it holds. Several old keys become one, when the author went on
    /// under another actor while changes waited.
    counted: BTreeMap<String, i64>,
    /// The actors of the waiting changes, each with the number of its first operation that waits.
    authors: BTreeMap<ActorId, u64>,
    /// Those of them by whose numbers the server has other changes: the device had been rolled back.
    parted: BTreeSet<ActorId>,
}

impl Rewriter {
    fn new(confirmed: &State, pending: &[Pending], actor: ActorId) -> Self {
        let waiting = || pending.iter().map(|waiting| &waiting.encoded.change);
        let has_another = |change: &&Change| {
            confirmed.clock.get(&change.actor).is_some_and(|seen| seen.seq >= change.seq)
        };
        let mut authors = BTreeMap::new();
        for change in waiting() {
            authors.entry(change.actor).or_insert(change.start_op);
        }
        Self {
            actor,
            state: confirmed.clone(),
            own: None,
            seen_heads: BTreeSet::new(),
            max_op: 0,
            written: BTreeMap::new(),
            renamed: BTreeMap::new(),
            confirmed: confirmed.clock.clone(),
            counts: BTreeMap::new(),
            counted: BTreeMap::new(),
            authors,
            parted: waiting().filter(has_another).map(|change| change.actor).collect(),
        }
    }

    fn rewrite_one(&mut self, waiting: &Pending) -> Result<Option<EncodedChange>, WriteError> {
        let old = &waiting.encoded.change;
        let start_op = self.max_op.max(waiting.base.max_op) + 1;
        let mut ops: Vec<Op> = Vec::new();
        let mut renamed = Vec::new();
        for (old_id, op) in old.ops_with_ids() {
            let dropped = waiting.dropped.contains(&op.key);
            let key = self.key(&op.key, old.actor);
            let action = self.action(&op.key, &op.action, old.actor, waiting, dropped);
            if dropped {
                continue;
            }
            let pred = self.pred(&key, &op.key, waiting);
            if matches!(action, Action::Delete) && pred.is_empty() {
                // The author took back what was refused: nothing is left to remove.
                continue;
            }
            let id = OpId { counter: start_op + ops.len() as u64, actor: self.actor };
            renamed.push((old_id, id));
            let stands = matches!(action, Action::Put(_)).then_some(id);
            let base = waiting.base.replaced.get(&op.key).cloned().unwrap_or_default();
            self.written.insert(key.clone(), (stands, base));
            ops.push(Op { key, action, pred });
        }
        if ops.is_empty() {
            return Ok(None);
        }
        self.renamed.extend(renamed);
        self.commit(waiting, old, start_op, ops).map(Some)
    }

    fn commit(
        &mut self,
        waiting: &Pending,
        old: &Change,
        start_op: u64,
        ops: Vec<Op>,
    ) -> Result<EncodedChange, WriteError> {
        let mut deps: Vec<ChangeHash> =
            waiting.base.heads.difference(&self.seen_heads).copied().collect();
        deps.extend(self.own.iter().map(|own| own.hash));
        deps.sort_unstable();
        let change = Change {
            actor: self.actor,
            seq: self.own.map_or(0, |own| own.seq) + 1,
            start_op,
            time_ms: old.time_ms,
            message: old.message.clone(),
            deps,
            ops,
        };
        let encoded = commit(&mut self.state, &mut self.own, change)?;
        self.seen_heads.extend(waiting.base.heads.iter().copied());
        self.max_op = encoded.change.max_op();
        Ok(encoded)
    }

    /// What the author saw under the key: his own last word, or what was confirmed, plus what
    /// arrived in between.
    fn pred(&self, key: &str, old_key: &str, waiting: &Pending) -> Vec<OpId> {
        let base = waiting.base.replaced.get(old_key).cloned().unwrap_or_default();
        let mut pred: BTreeSet<OpId> = match self.written.get(key) {
            None => base,
            Some((stands, earlier)) => base.difference(earlier).copied().chain(*stands).collect(),
        };
        // A counter key under the new actor has no confirmed operations.
        if key != old_key {
            pred.retain(|id| id.actor == self.actor);
        }
        pred.into_iter().collect()
    }

    fn key(&self, key: &str, old_actor: ActorId) -> String {
        match counter_field(key, old_actor) {
            Some(field) => [field, "/", &self.actor.to_string()].concat(),
            None => key.to_owned(),
        }
    }

    /// The edit in terms of the new actor: counts restart, operation ids and clocks are renamed.
    fn action(
        &mut self,
        key: &str,
        action: &Action,
        old_actor: ActorId,
        waiting: &Pending,
        dropped: bool,
    ) -> Action {
        let Action::Put(value) = action else { return Action::Delete };
        if let (true, Value::Int(count)) = (is_counter_key(key, old_actor), value) {
            let confirmed = waiting.base.counts.get(key).copied().unwrap_or(0);
            let last = self.counts.entry(key.to_owned()).or_insert(confirmed);
            let step = count.saturating_sub(*last);
            *last = *count;
            let total = self.counted.entry(self.key(key, old_actor)).or_default();
            if !dropped {
                *total = total.saturating_add(step);
            }
            return Action::Put(Value::Int(*total));
        }
        let renamed = match value {
            Value::Text(text) if key.rsplit('/').next() == Some(GONE) && key.contains('/') => {
                let ids = op_ids_from_text(text);
                Value::Text(op_ids_to_text(ids.into_iter().filter_map(|id| self.rename(id))))
            }
            Value::Text(_) if key == ARCHIVED => match Archived::from_value(value) {
                Some(archived) => self.rename_clock(archived).to_value(),
                None => value.clone(),
            },
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Text(_) | Value::Bytes(_) => {
                value.clone()
            }
        };
        Action::Put(renamed)
    }

    fn rename(&self, id: OpId) -> Option<OpId> {
        let is_anothers = || {
            let waits = |from: &u64| *from <= id.counter;
            self.parted.contains(&id.actor) && self.authors.get(&id.actor).is_some_and(waits)
        };
        match self.renamed.get(&id) {
            Some(new) => Some(*new),
            None => (covers_op(&self.confirmed, id) && !is_anothers()).then_some(id),
        }
    }

    /// Of what waits nothing is left under the actors that wrote it; what was confirmed of them
    /// stays, unless it is another's change by the same number, which the archiver had not seen.
    fn rename_clock(&self, mut archived: Archived) -> Archived {
        for author in self.authors.keys() {
            let Some(saw) = archived.saw.get_mut(author) else { continue };
            let is_known = !self.parted.contains(author);
            let known = self.confirmed.get(author).filter(|_| is_known).map_or(0, |seen| seen.op);
            *saw = known.min(*saw);
        }
        archived.saw.retain(|_, saw| *saw > 0);
        if self.own.is_some() {
            archived.saw.insert(self.actor, self.max_op);
        }
        archived
    }
}

/// The field of a counter key that `actor` writes.
fn counter_field(key: &str, actor: ActorId) -> Option<&str> {
    let (field, name) = key.split_once('/')?;
    (name == actor.to_string()).then_some(field)
}

fn is_counter_key(key: &str, actor: ActorId) -> bool {
    counter_field(key, actor).is_some()
}
