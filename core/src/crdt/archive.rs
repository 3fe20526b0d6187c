//! Archiving: out of the lists, never out of the data.
//!
//! The key `archived` holds who, when, and the clock of what the archiver had seen. Anything
//! written outside that clock brings the record back, flagged: without the clock nobody could
//! tell an edit made before from one made beside it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::state::{Clock, State};
use crate::{
    ids::{ActorId, RecordId},
    time::TimestampMs,
    value::Value,
};

/// The key under which an archiving stands.
pub const ARCHIVED: &str = "archived";

/// An archiving as it is stored (canonical JSON).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archived {
    /// The user who archived.
    pub by: Option<RecordId>,
    /// When, by that user's clock.
    pub at: TimestampMs,
    /// For each actor the last operation that the archiver had seen.
    pub saw: BTreeMap<ActorId, u64>,
}

/// Where a record stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Archival {
    /// In use.
    Active,
    /// Archived, and nothing was written outside what the archiver saw.
    Archived(Archived),
    /// Archived by one while another wrote: in use, to be looked at.
    Revived(Archived),
}

impl Archived {
    /// What to put under [`ARCHIVED`] on top of `state`.
    #[must_use]
    pub fn new(state: &State, by: Option<RecordId>, at: TimestampMs) -> Self {
        Self { by, at, saw: state.clock.iter().map(|(actor, seen)| (*actor, seen.op)).collect() }
    }

    /// The canonical encoding.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Text(serde_json::to_string(self).unwrap_or_default())
    }

    /// Reads an encoding; `None` for anything else.
    #[must_use]
    pub fn from_value(value: &Value) -> Option<Self> {
        serde_json::from_str(value.as_text()?).ok()
    }
}

impl State {
    /// Whether the record is archived, or was and came back.
    #[must_use]
    pub fn archival(&self) -> Archival {
        let mut covered: BTreeMap<ActorId, u64> = BTreeMap::new();
        let mut latest = None;
        for op in self.survivors(ARCHIVED) {
            let Some(archived) = Archived::from_value(&op.value) else { continue };
            let own = (op.id.actor, op.id.counter);
            for (actor, counter) in archived.saw.iter().map(|(a, c)| (*a, *c)).chain([own]) {
                let seen = covered.entry(actor).or_default();
                *seen = counter.max(*seen);
            }
            latest = Some(archived);
        }
        match latest {
            None => Archival::Active,
            Some(archived) if is_within(&self.clock, &covered) => Archival::Archived(archived),
            Some(archived) => Archival::Revived(archived),
        }
    }
}

fn is_within(clock: &Clock, covered: &BTreeMap<ActorId, u64>) -> bool {
    clock.iter().all(|(actor, seen)| covered.get(actor).is_some_and(|op| *op >= seen.op))
}
