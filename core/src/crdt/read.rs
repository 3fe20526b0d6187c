//! Reading what concurrent writers left under a key.
//!
//! A function of the surviving values alone, so every replica that has the same survivors shows
//! the same value, in whatever order they arrived.

use super::state::{State, Survivor};
use crate::{schema::Settle, value::Value};

/// What shows for a key, and what stands beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading<'a> {
    /// The operation whose value shows.
    pub shown: &'a Survivor,
    /// Other values that a person should look at; empty when a rule settles them or all agree.
    pub beside: Vec<&'a Survivor>,
    /// Whether a person must choose before anything acts on the value.
    pub must_settle: bool,
}

/// Chooses among the survivors of one key by the field's rule.
///
/// `rank` orders the values of ranked fields (priorities, stages); `None` ranks below all.
/// Returns `None` when nothing survives.
pub fn settle<'a>(
    rule: Settle,
    ops: &'a [Survivor],
    rank: impl Fn(&Value) -> Option<i64>,
) -> Option<Reading<'a>> {
    let last = ops.last()?;
    let shown = match rule {
        Settle::Winner | Settle::Person => last,
        Settle::OptOut | Settle::Done => {
            ops.iter().rev().find(|op| op.value == Value::Bool(true)).unwrap_or(last)
        }
        Settle::Higher | Settle::StageRank => {
            ops.iter().max_by_key(|op| (rank(&op.value), op.id)).unwrap_or(last)
        }
    };
    let beside: Vec<&Survivor> = match rule {
        Settle::Winner | Settle::Person => {
            ops.iter().filter(|op| op.value != shown.value).collect()
        }
        Settle::OptOut | Settle::Done | Settle::Higher | Settle::StageRank => Vec::new(),
    };
    let must_settle = rule == Settle::Person && !beside.is_empty();
    Some(Reading { shown, beside, must_settle })
}

/// Whether several values stand under the key, whatever the rule says of them.
#[must_use]
pub fn is_concurrent(ops: &[Survivor]) -> bool {
    ops.split_first().is_some_and(|(first, rest)| rest.iter().any(|op| op.value != first.value))
}

impl State {
    /// The value written first: of a field that is written once the lowest operation counts.
    #[must_use]
    pub fn once(&self, key: &str) -> Option<&Survivor> {
        self.survivors(key).first()
    }

    /// The sum of what each actor counted under `field`.
    #[must_use]
    pub fn counter(&self, field: &str) -> i64 {
        let prefix = [field, "/"].concat();
        self.under(&prefix)
            .filter_map(|(_, ops)| ops.last()?.value.as_int())
            .fold(0, i64::saturating_add)
    }

    /// What `actor` alone counted under `key`.
    #[must_use]
    pub fn own_count(&self, key: &str) -> i64 {
        self.register(key).and_then(|register| register.winner.value.as_int()).unwrap_or(0)
    }

    /// The members of the set `field`, escaped as in their keys, ascending.
    #[must_use]
    pub fn members(&self, field: &str) -> Vec<&str> {
        let prefix = [field, "/"].concat();
        self.keys
            .range(prefix.clone()..)
            .map_while(|(key, _)| key.strip_prefix(prefix.as_str()))
            .collect()
    }

    /// The entries of the log `field`, by operation id: the order in which they were written.
    #[must_use]
    pub fn entries(&self, field: &str) -> Vec<(&str, &Survivor)> {
        let prefix = [field, "/"].concat();
        let mut entries: Vec<(&str, &Survivor)> = self
            .keys
            .range(prefix.clone()..)
            .map_while(|(key, ops)| Some((key.strip_prefix(prefix.as_str())?, ops.first()?)))
            .collect();
        entries.sort_by_key(|(_, op)| op.id);
        entries
    }
}
