//! Which traces are replayed: together they have every kind of event, every pair of kinds that
//! follow one another anywhere in the search, and everything that a conversation can do.

use std::collections::BTreeMap;

use crate::{
    event::{Event, EventKind},
    pool::QuickMap,
    session::Said,
};

/// What a conversation can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Deed {
    /// A change was applied.
    Applied,
    /// A change was there.
    Duplicate,
    /// A change was refused.
    Refused,
    /// A number was taken.
    Forked,
    /// A change waits.
    Waiting,
    /// The server turned out to be restored.
    Restored,
    /// Something was erased.
    Erased,
    /// Acknowledged changes went up again.
    Resent,
    /// Digests were compared.
    Checked,
    /// Documents were fetched whole.
    Fetched,
}

/// The deeds of a conversation.
#[must_use]
pub fn deeds(said: &Said) -> Vec<Deed> {
    let effect = said.effect;
    let all = [
        (Deed::Applied, effect.applied > 0),
        (Deed::Duplicate, effect.duplicates > 0),
        (Deed::Refused, effect.refused > 0),
        (Deed::Forked, effect.forked > 0),
        (Deed::Waiting, effect.waiting > 0),
        (Deed::Restored, said.is_restored),
        (Deed::Erased, said.erased > 0),
        (Deed::Resent, said.is_resent),
        (Deed::Checked, said.is_checked),
        (Deed::Fetched, said.fetched > 0),
    ];
    all.into_iter().filter(|(_, is_done)| *is_done).map(|(deed, _)| deed).collect()
}

/// Something that a trace is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Goal {
    /// One kind right after another one.
    Pair(EventKind, EventKind),
    /// A conversation, whole or cut, that does this.
    Deed(EventKind, Deed),
}

/// How a goal is reached: from a state by one or two events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// The number of the state.
    pub from: u32,
    /// The events after it.
    pub events: [Option<Event>; 2],
}

/// The goals that were met, each with the first way to it.
#[derive(Debug, Default)]
pub struct Cover {
    /// By goal the way.
    pub ways: BTreeMap<Goal, Way>,
    /// By first kind the second kinds that were met after it, as bits.
    met: BTreeMap<EventKind, u32>,
    /// By state that was not looked at yet and kind: another way in than the one by which it was
    /// found.
    others: QuickMap<u32, Vec<(EventKind, u32, Event)>>,
}

impl Cover {
    fn lacks(&self, first: EventKind, seconds: u32) -> bool {
        seconds & !self.met.get(&first).copied().unwrap_or(0) != 0
    }

    /// Takes note of what follows a state that was reached from `from` by `by`.
    pub fn note_out(&mut self, (from, by): (u32, Event), out: &[Event], kinds: u32) {
        if !self.lacks(by.kind(), kinds) {
            return;
        }
        for event in out {
            let goal = Goal::Pair(by.kind(), event.kind());
            let way = Way { from, events: [Some(by), Some(*event)] };
            self.ways.entry(goal).or_insert(way);
        }
        *self.met.entry(by.kind()).or_default() |= kinds;
    }

    /// Takes note of another way into a state; `kinds` follow it, if that is known.
    pub fn note_in(&mut self, (from, by): (u32, Event), state: u32, kinds: Option<u32>) -> bool {
        match kinds {
            Some(kinds) => self.lacks(by.kind(), kinds),
            None => {
                if self.lacks(by.kind(), EventKind::all_bits()) {
                    let others = self.others.entry(state).or_default();
                    if others.iter().all(|(kind, ..)| *kind != by.kind()) {
                        others.push((by.kind(), from, by));
                    }
                }
                false
            }
        }
    }

    /// A state is looked at: its other ways in.
    pub fn take_others(&mut self, state: u32) -> Vec<(u32, Event)> {
        let others = self.others.remove(&state).unwrap_or_default();
        others.into_iter().map(|(_, from, by)| (from, by)).collect()
    }

    /// Takes note of what a conversation did.
    pub fn note_deeds(&mut self, from: u32, event: Event, said: &Said) {
        for deed in deeds(said) {
            let way = Way { from, events: [Some(event), None] };
            self.ways.entry(Goal::Deed(event.kind(), deed)).or_insert(way);
        }
    }

    /// How many pairs of kinds were met.
    #[must_use]
    pub fn pairs(&self) -> usize {
        self.ways.keys().filter(|goal| matches!(goal, Goal::Pair(..))).count()
    }
}
