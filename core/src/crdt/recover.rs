//! Writing anew what a server lost for good.
//!
//! A server that was put back to a backup gets back what devices wrote. Some of what it had may
//! come back from nobody: a change of the office itself, and what follows it. A device that holds
//! the result in its state writes the difference between that and the server's state anew, as
//! changes of its own on the server's state. They replace only what was replaced before, so a
//! value that somebody wrote since stands beside them as a conflict.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    archive::{ARCHIVED, Archival, Archived},
    base::Base,
    op::{Action, Change, EncodedChange, Op, OpId},
    rows::{GONE, op_ids_from_text, op_ids_to_text},
    state::{Own, SURVIVORS_MAX, State, Survivor, covers_op},
    write::{WriteError, commit},
};
use crate::{
    ids::{ActorId, Part},
    schema::{Entity, Key, Kind},
    time::TimestampMs,
    value::Value,
};

/// Who writes anew, and what.
#[derive(Debug, Clone, Copy)]
pub struct Recovering<'a> {
    /// The definition of the record's entity; none of one that only a newer app knows.
    pub entity: Option<&'a Entity>,
    /// Which part of the record.
    pub part: &'a Part,
    /// An actor of this device that has not written in the document.
    pub actor: ActorId,
    /// The author's time.
    pub time_ms: TimestampMs,
}

impl<'a> Recovering<'a> {
    /// What a key names, if this app knows it.
    fn key(&self, key: &str) -> Option<Key<'a>> {
        self.entity?.parse_key(self.part, key).ok()
    }
}

/// What was written anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The server's state with the changes applied.
    pub state: State,
    /// The last of them, if there is one.
    pub own: Option<Own>,
    /// The changes in their order, each with what stood at the server when it was written.
    pub changes: Vec<(EncodedChange, Base)>,
}

/// Writes what `mine` has and `theirs` has never seen as changes on `theirs`.
///
/// What only the office writes, and what others count, is not written anew; what `theirs` has by
/// another device that did this already is not written twice.
///
/// # Errors
///
/// Returns [`WriteError`] if the actor has written in one of them, or the result outgrows a limit.
pub fn recover(theirs: &State, mine: &State, who: Recovering<'_>) -> Result<Recovered, WriteError> {
    let is_used = |state: &State| state.clock.contains_key(&who.actor);
    if is_used(theirs) || is_used(mine) {
        return Err(WriteError::UnknownOwn(who.actor));
    }
    let mut plan = Plan::default();
    let both = Both::new(theirs, mine);
    let keys: BTreeSet<&String> = theirs.keys.keys().chain(mine.keys.keys()).collect();
    for key in keys {
        plan.take(&both, key, who);
    }
    plan.count(theirs, mine, who);
    let mut writer = Anew {
        theirs,
        who,
        state: theirs.clone(),
        own: None,
        changes: Vec::new(),
        renamed: BTreeMap::new(),
    };
    writer.write(Plan::archiving(theirs, plan.revived.as_ref()).into_iter().collect())?;
    for round in (0..plan.rounds()).rev() {
        writer.write(plan.round(round, who.actor))?;
    }
    let claims = plan.claims(theirs, &writer);
    writer.write(claims)?;
    Ok(Recovered { state: writer.state, own: writer.own, changes: writer.changes })
}

/// The server's state and this device's.
struct Both<'a> {
    theirs: &'a State,
    mine: &'a State,
    /// Whose operations say nothing by their names: they are other ones at the server.
    parted: BTreeSet<ActorId>,
    /// Whether the record came back here by something that was written beside its archiving, and did
    /// not at the server: then also a value that stands there already says something.
    is_revived: bool,
}

impl<'a> Both<'a> {
    fn new(theirs: &'a State, mine: &'a State) -> Self {
        let is_revived = |state: &State| matches!(state.archival(), Archival::Revived(_));
        let parted = mine.parted_actors(theirs);
        Self { theirs, mine, parted, is_revived: is_revived(mine) && !is_revived(theirs) }
    }
}

/// What of one key is to be written.
#[derive(Debug, Default)]
struct Lost<'a> {
    key: &'a str,
    /// What the server never saw, the one that shows last.
    values: Vec<&'a Survivor>,
    /// What stands at the server and was replaced.
    replaced: Vec<OpId>,
}

impl Lost<'_> {
    /// Of what is written once the lowest operation counts.
    fn first(mut self) -> Self {
        self.values.truncate(1);
        self
    }
}

/// What is written under one key.
struct Step {
    op: Op,
    /// What it stands for.
    was: Option<OpId>,
}

#[derive(Debug, Default)]
struct Plan<'a> {
    plain: Vec<Lost<'a>>,
    /// Archivings and removals of rows: they say what their author had seen.
    claims: Vec<Lost<'a>>,
    /// The archiving of a record that came back.
    revived: Option<Lost<'a>>,
    /// What this device counted, by field.
    counts: BTreeMap<&'a str, i64>,
}

impl<'a> Plan<'a> {
    /// Looks at one key.
    fn take(&mut self, both: &Both<'a>, key: &'a str, who: Recovering<'a>) {
        let Some(lost) = lost(both, key) else { return };
        let Both { theirs, mine, .. } = *both;
        let is_there = !theirs.survivors(key).is_empty();
        let is_deleted = lost.values.is_empty();
        match who.key(key) {
            Some(Key::Counter { .. }) => {}
            Some(Key::Register(field)) if field.kind == Kind::Office => {}
            Some(Key::Register(field)) if field.kind == Kind::Once => {
                self.plain.extend((!is_there).then_some(lost.first()));
            }
            Some(Key::Entry { .. }) => self.plain.extend((!is_there).then_some(lost.first())),
            Some(Key::Cell { .. }) if is_deleted => {}
            Some(Key::RowGone { .. }) => self.claims.push(lost),
            // What a newer app counts, or removed.
            None if counter(who, mine, key).is_some() => {}
            None if is_row_gone(key) => self.claims.push(lost),
            Some(Key::Register(_)) | None if key == ARCHIVED && !is_deleted => {
                // An archiving covers what is written before it; of a record that came back it goes
                // first, and the record stays flagged.
                let is_archived = matches!(mine.archival(), Archival::Archived(_));
                if is_archived { self.claims.push(lost) } else { self.revived = Some(lost) }
            }
            // What a newer app knows is written like a field.
            Some(Key::Register(_) | Key::Member { .. } | Key::Cell { .. }) | None => {
                self.plain.push(lost);
            }
        }
    }

    /// What this device counted under its earlier actors and the server does not have.
    fn count(&mut self, theirs: &State, mine: &'a State, who: Recovering<'a>) {
        for key in mine.keys.keys() {
            if let Some((field, actor)) = counter(who, mine, key)
                && actor.prefix() == who.actor.prefix()
            {
                let step = mine.own_count(key).saturating_sub(theirs.own_count(key));
                if step != 0 {
                    let sum = self.counts.entry(field).or_default();
                    *sum = sum.saturating_add(step);
                }
            }
        }
    }

    /// Into how many changes concurrent values of a key are spread: one change has a key once.
    fn rounds(&self) -> usize {
        let most = self.plain.iter().map(|lost| lost.values.len()).max().unwrap_or(0);
        most.clamp(1, SURVIVORS_MAX)
    }

    /// The `round`-th change from the last; the last one has what shows.
    fn round(&self, round: usize, actor: ActorId) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for Lost { key, values, replaced } in &self.plain {
            let at = values.len().checked_sub(round + 1);
            let (action, was) = match at.and_then(|at| values.get(at)) {
                Some(survivor) => (Action::Put(survivor.value.clone()), Some(survivor.id)),
                None if round == 0 => (Action::Delete, None),
                None => continue,
            };
            let op = Op { key: (*key).to_owned(), action, pred: replaced.clone() };
            steps.push(Step { op, was });
        }
        if round == 0 {
            for (field, count) in &self.counts {
                let action = Action::Put(Value::Int(*count));
                let key = [field, "/", &actor.to_string()].concat();
                let op = Op { key, action, pred: Vec::new() };
                steps.push(Step { op, was: None });
            }
        }
        steps
    }

    /// Archivings and removals, in terms of what the changes before were given as ids.
    fn claims(&self, theirs: &State, written: &Anew<'_>) -> Vec<Step> {
        let rename = |id: OpId| {
            let renamed = written.renamed.get(&id).copied();
            renamed.or_else(|| covers_op(&theirs.clock, id).then_some(id))
        };
        let mut steps = Vec::new();
        for Lost { key, values, replaced } in &self.claims {
            if *key == ARCHIVED || values.is_empty() {
                continue;
            }
            let ids = values.iter().filter_map(|one| one.value.as_text());
            let ids: BTreeSet<OpId> = ids.flat_map(op_ids_from_text).filter_map(rename).collect();
            let action = Action::Put(Value::Text(op_ids_to_text(ids)));
            let op = Op { key: (*key).to_owned(), action, pred: replaced.clone() };
            steps.push(Step { op, was: None });
        }
        let archiving = self.claims.iter().find(|lost| lost.key == ARCHIVED);
        steps.extend(Self::archiving(theirs, archiving));
        steps
    }

    /// An archiving that covers what its author saw of `theirs`; what was written anew before it, it
    /// covers as the same actor's.
    fn archiving(theirs: &State, lost: Option<&Lost<'_>>) -> Option<Step> {
        let Lost { key, values, replaced } = lost?;
        let mut archived = Archived::from_value(&values.last()?.value)?;
        // Several that stand beside one another cover together what each author saw and wrote.
        for one in values {
            let seen = Archived::from_value(&one.value).map(|one| one.saw).unwrap_or_default();
            for (actor, op) in seen.into_iter().chain([(one.id.actor, one.id.counter)]) {
                let known = archived.saw.entry(actor).or_default();
                *known = op.max(*known);
            }
        }
        let known = archived.saw.into_iter();
        archived.saw = known
            .filter_map(|(actor, saw)| Some((actor, saw.min(theirs.clock.get(&actor)?.op))))
            .collect();
        let action = Action::Put(archived.to_value());
        let op = Op { key: (*key).to_owned(), action, pred: replaced.clone() };
        Some(Step { op, was: None })
    }
}

/// The field and the actor of a counter's key. A counter that this app does not know shows itself: all
/// that stands there are numbers of the actor that the key names.
fn counter<'a>(who: Recovering<'a>, mine: &'a State, key: &'a str) -> Option<(&'a str, ActorId)> {
    match who.key(key) {
        Some(Key::Counter { field, actor }) => Some((field.name.as_str(), actor)),
        Some(
            Key::Register(_)
            | Key::Member { .. }
            | Key::Cell { .. }
            | Key::RowGone { .. }
            | Key::Entry { .. },
        ) => None,
        None => {
            let (field, actor) = key.split_once('/')?;
            let actor: ActorId = actor.parse().ok()?;
            let survivors = mine.survivors(key);
            let is_count = |one: &Survivor| one.id.actor == actor && one.value.as_int().is_some();
            (!survivors.is_empty() && survivors.iter().all(is_count)).then_some((field, actor))
        }
    }
}

/// Whether a key says that a row was removed, also of rows that this app does not know.
fn is_row_gone(key: &str) -> bool {
    key.rsplit_once('/').is_some_and(|(row, column)| column == GONE && row.contains('/'))
}

/// Cells that were removed with the row of a key, also of rows that this app does not know.
fn removed_with_row(state: &State, key: &str) -> BTreeSet<OpId> {
    let Some((row, _)) = key.rsplit_once('/') else { return BTreeSet::new() };
    let gone = state.survivors(&[row, "/", GONE].concat()).iter();
    gone.filter_map(|op| op.value.as_text()).flat_map(op_ids_from_text).collect()
}

/// What `theirs` never saw under a key, and what of it was replaced; `None` if there is nothing.
fn lost<'a>(both: &Both<'a>, key: &'a str) -> Option<Lost<'a>> {
    let Both { theirs, mine, ref parted, is_revived } = *both;
    let (there, here) = (theirs.survivors(key), mine.survivors(key));
    let is_parted = |id: OpId| parted.contains(&id.actor);
    // A copied device may have written another value under the same name.
    let is_other = |op: &Survivor| there.iter().any(|at| at.id == op.id && at.value != op.value);
    let is_unseen = |op: &&Survivor| {
        let is_gone = is_parted(op.id) && !there.contains(op);
        !covers_op(&theirs.clock, op.id) || is_other(op) || is_gone
    };
    let unseen: Vec<&Survivor> = here.iter().filter(is_unseen).collect();
    let is_kept = |id: OpId| here.iter().any(|op| op.id == id);
    let replaced: Vec<OpId> = there
        .iter()
        .map(|op| op.id)
        .filter(|id| covers_op(&mine.clock, *id) && !is_kept(*id) && !is_parted(*id))
        .collect();
    // What was removed with its row says nothing: a cell that was written beside that brings the row back.
    let [removed_there, removed_here] = [theirs, mine].map(|state| removed_with_row(state, key));
    // Another device wrote it anew already.
    let is_back = |lost: &&Survivor| {
        // An archiving covers what its own author wrote.
        if is_revived || key == ARCHIVED {
            return false;
        }
        let is_shown = |id: OpId| is_kept(id) || !covers_op(&mine.clock, id) || is_parted(id);
        let is_equal = |op: &Survivor| is_shown(op.id) && op.value == lost.value;
        let is_gone = removed_here.contains(&lost.id);
        // Its removal may be lost as well, and is written anew in the end.
        let is_removed = |id| removed_there.contains(&id) || removed_here.contains(&id);
        there.iter().any(|op| is_equal(op) && (is_gone || !is_removed(op.id)))
    };
    let mut values: Vec<&Survivor> = unseen.iter().copied().filter(|lost| !is_back(lost)).collect();
    if values.is_empty() && replaced.is_empty() {
        return None;
    }
    if values.is_empty() {
        // An equal value stands there, and so does what this one had replaced.
        values.extend(unseen.last());
    }
    Some(Lost { key, values, replaced })
}

/// The changes as they are written, one after the other.
struct Anew<'a> {
    theirs: &'a State,
    who: Recovering<'a>,
    state: State,
    own: Option<Own>,
    changes: Vec<(EncodedChange, Base)>,
    /// Lost operations and what they are called now.
    renamed: BTreeMap<OpId, OpId>,
}

impl Anew<'_> {
    fn write(&mut self, steps: Vec<Step>) -> Result<(), WriteError> {
        if steps.is_empty() {
            return Ok(());
        }
        let deps = match self.own {
            None => self.theirs.head_hashes(),
            Some(own) => vec![own.hash],
        };
        let mut base = Base {
            heads: self.theirs.head_hashes().into_iter().collect(),
            max_op: self.theirs.max_op,
            ..Base::default()
        };
        let start_op = self.state.max_op + 1;
        let mut ops = Vec::with_capacity(steps.len());
        for (counter, Step { op, was }) in (start_op..).zip(steps) {
            let id = OpId { counter, actor: self.who.actor };
            self.renamed.extend(was.map(|was| (was, id)));
            base.replaced.insert(op.key.clone(), op.pred.iter().copied().collect());
            ops.push(op);
        }
        let change = Change {
            actor: self.who.actor,
            seq: self.own.map_or(0, |own| own.seq) + 1,
            start_op,
            time_ms: self.who.time_ms,
            message: None,
            deps,
            ops,
        };
        let encoded = commit(&mut self.state, &mut self.own, change)?;
        self.changes.push((encoded, base));
        Ok(())
    }
}
