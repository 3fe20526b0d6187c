//! Joining states: what a device does with what the server sends.
//!
//! A value stays if both sides have it, or if the side without it has never seen it. The join is
//! commutative, associative and idempotent, and gives what applying all changes gives.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use super::state::{Clock, Head, Seen, State, Survivor, covers_clock, covers_op, merge_clock};
use crate::{crdt::OpId, ids::ActorId};

/// What changed in a document since a clock that the receiver is known to cover.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delta {
    /// What the receiver must have seen; the last operation of an actor is that or an earlier one, for its
    /// next change begins behind what it had seen of others.
    pub base: Clock,
    /// Generation, heads, clock and highest counter of the sender; of its keys only those that
    /// changed since `base`, an empty list for one that holds nothing any more.
    pub state: State,
}

/// What came of joining a delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeltaOutcome {
    /// The state holds everything that the sender holds.
    Joined,
    /// The receiver has not seen the base: ask for the whole state.
    NeedsWhole,
}

/// Actors whose last change has another number of operations in one clock than in the other.
fn parted_clocks<'a>(mine: &'a Clock, theirs: &'a Clock) -> impl Iterator<Item = ActorId> + 'a {
    let is_other = move |(actor, seen): &(&ActorId, &Seen)| {
        mine.get(*actor).is_some_and(|own| own.seq == seen.seq && own.op != seen.op)
    };
    theirs.iter().filter(is_other).map(|(actor, _)| *actor)
}

impl State {
    /// Actors of whom one number is two different changes in the two: a copied device wrote it twice,
    /// and a server that was put back has the other one. Joined, each would take the other's for what it
    /// has seen, and they would stay apart for good.
    ///
    /// What shows in neither clocks, heads nor operations, because others followed both changes and
    /// replaced what one of them wrote, is not told.
    #[must_use]
    pub fn parted_actors(&self, other: &Self) -> BTreeSet<ActorId> {
        if self.generation != other.generation {
            return BTreeSet::new();
        }
        let has_other_head = |head: &Head| {
            let own = self.heads.iter().find(|own| own.actor == head.actor && own.seq == head.seq);
            own.is_some_and(|own| own.hash != head.hash)
        };
        let by_head = other.heads.iter().filter(|head| has_other_head(head)).map(|head| head.actor);
        let means_another = |id: &OpId| self.keys.values().flatten().any(|own| own.id == *id);
        let by_op = self.replaced_of(other).filter(means_another).map(|id| id.actor);
        parted_clocks(&self.clock, &other.clock).chain(by_head).chain(by_op).collect()
    }

    /// Operations of `other` that this state has seen and does not hold as they are there.
    fn replaced_of<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = OpId> + 'a {
        other.keys.iter().flat_map(move |(key, theirs)| {
            let mine = self.survivors(key);
            let is_replaced =
                move |op: &&Survivor| covers_op(&self.clock, op.id) && !mine.contains(op);
            theirs.iter().filter(is_replaced).map(|op| op.id)
        })
    }

    /// Whether the two can never be joined to one: there are such actors, or `other`, which has seen all
    /// that this state has, holds what was replaced here.
    #[must_use]
    pub fn is_parted(&self, other: &Self) -> bool {
        let is_behind =
            self.generation == other.generation && covers_clock(&other.clock, &self.clock);
        (is_behind && self.replaced_of(other).next().is_some())
            || !self.parted_actors(other).is_empty()
    }

    /// Joins `other` into this state.
    pub fn join(&mut self, other: &Self) {
        match self.generation.cmp(&other.generation) {
            Ordering::Greater => return,
            Ordering::Less => {
                self.clone_from(other);
                return;
            }
            Ordering::Equal => {}
        }
        for (key, theirs) in &other.keys {
            self.join_key(key, theirs, &other.clock);
        }
        self.keys.retain(|key, mine| {
            if !other.keys.contains_key(key) {
                mine.retain(|op| !covers_op(&other.clock, op.id));
            }
            !mine.is_empty()
        });
        self.join_frame(other);
    }

    /// Joins what changed since a clock that this state covers.
    pub fn join_delta(&mut self, delta: &Delta) -> DeltaOutcome {
        match self.generation.cmp(&delta.state.generation) {
            Ordering::Greater => return DeltaOutcome::Joined,
            Ordering::Less => return DeltaOutcome::NeedsWhole,
            Ordering::Equal => {}
        }
        let is_longer = |(actor, base): (&ActorId, &Seen)| {
            self.clock.get(actor).is_some_and(|own| own.seq == base.seq && own.op > base.op)
        };
        if delta.base.iter().any(is_longer)
            || self.is_parted(&delta.state)
            || !covers_clock(&self.clock, &delta.base)
        {
            return DeltaOutcome::NeedsWhole;
        }
        for (key, theirs) in &delta.state.keys {
            self.join_key(key, theirs, &delta.state.clock);
        }
        self.keys.retain(|_, ops| !ops.is_empty());
        self.join_frame(&delta.state);
        DeltaOutcome::Joined
    }

    /// The delta that brings a replica at `base` to this state, given the keys changed since.
    #[must_use]
    pub fn delta<'a>(&self, base: Clock, keys: impl IntoIterator<Item = &'a str>) -> Delta {
        let named: BTreeMap<String, Vec<Survivor>> =
            keys.into_iter().map(|key| (key.to_owned(), self.survivors(key).to_vec())).collect();
        let state = Self {
            generation: self.generation,
            heads: self.heads.clone(),
            clock: self.clock.clone(),
            max_op: self.max_op,
            keys: named,
        };
        Delta { base, state }
    }

    fn join_key(&mut self, key: &str, theirs: &[Survivor], their_clock: &Clock) {
        let mine = self.keys.get(key).map_or(&[] as &[Survivor], Vec::as_slice);
        let mut joined: Vec<Survivor> = mine
            .iter()
            .filter(|op| {
                !covers_op(their_clock, op.id) || theirs.iter().any(|their| their.id == op.id)
            })
            .cloned()
            .collect();
        for op in theirs {
            if !covers_op(&self.clock, op.id) {
                joined.push(op.clone());
            }
        }
        joined.sort_by_key(|op| op.id);
        self.keys.insert(key.to_owned(), joined);
    }

    fn join_frame(&mut self, other: &Self) {
        let covered = |clock: &Clock, head: &Head| {
            clock.get(&head.actor).is_some_and(|seen| seen.seq >= head.seq)
        };
        let mut heads: Vec<Head> = self
            .heads
            .iter()
            .filter(|head| other.heads.contains(head) || !covered(&other.clock, head))
            .copied()
            .collect();
        heads.extend(other.heads.iter().filter(|head| !covered(&self.clock, head)));
        if heads.is_empty() {
            // Only states that contradict each other come here; a document without heads could
            // not be read again.
            heads.extend(self.heads.iter().chain(&other.heads));
        }
        heads.sort_unstable();
        heads.dedup();
        self.heads = heads;
        merge_clock(&mut self.clock, &other.clock);
        self.max_op = self.max_op.max(other.max_op);
    }
}
