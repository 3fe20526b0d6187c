//! Roles: what their users may do.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Level, Operation, PartKind};
use crate::schema::Label;

/// Stands for every entity.
pub const ANY: &str = "*";

/// What the users of a role may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Its name in a user's record.
    pub name: String,
    /// Its name for people.
    pub label: Label,
    /// The entities that its users see at all; `*` for every one.
    pub modules: BTreeSet<String>,
    /// What it permits; of several that fit the highest level counts.
    pub rules: Vec<Rule>,
    /// What it forbids, whatever this and other roles permit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denials: Vec<Denial>,
    /// Fields that its users see and may not change, by entity.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub read_only: BTreeMap<String, BTreeSet<String>>,
    /// The highest discount, in percent, that its users may give; no limit if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discount_limit: Option<Decimal>,
    /// The highest amount, in any currency, that its users may approve; no limit if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_limit: Option<Decimal>,
}

/// One permission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// For which entities; `*` for every one.
    pub entities: BTreeSet<String>,
    /// For which operations.
    pub operations: BTreeSet<Operation>,
    /// In which parts; in all if none is named.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub parts: BTreeSet<PartKind>,
    /// How far.
    pub level: Level,
}

/// One prohibition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Denial {
    /// For which entities; `*` for every one.
    pub entities: BTreeSet<String>,
    /// For which operations.
    pub operations: BTreeSet<Operation>,
    /// In which parts; in all if none is named.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub parts: BTreeSet<PartKind>,
}

fn covers(entities: &BTreeSet<String>, entity: &str) -> bool {
    entities.contains(ANY) || entities.contains(entity)
}

fn is_in(parts: &BTreeSet<PartKind>, part: PartKind) -> bool {
    parts.is_empty() || parts.contains(&part)
}

impl Role {
    /// Whether the users of the role see an entity at all.
    #[must_use]
    pub fn has_module(&self, entity: &str) -> bool {
        covers(&self.modules, entity)
    }

    /// How far the role alone permits an operation.
    #[must_use]
    pub fn level(&self, entity: &str, operation: Operation, part: PartKind) -> Level {
        if !self.has_module(entity) {
            return Level::None;
        }
        self.rules
            .iter()
            .filter(|rule| rule.operations.contains(&operation))
            .filter(|rule| covers(&rule.entities, entity) && is_in(&rule.parts, part))
            .map(|rule| rule.level)
            .max()
            .unwrap_or_default()
    }

    /// Whether the role forbids an operation, whatever others permit.
    #[must_use]
    pub fn denies(&self, entity: &str, operation: Operation, part: PartKind) -> bool {
        self.denials.iter().any(|denial| {
            denial.operations.contains(&operation)
                && covers(&denial.entities, entity)
                && is_in(&denial.parts, part)
        })
    }

    /// Whether the users of the role may see a field but not change it.
    #[must_use]
    pub fn is_read_only(&self, entity: &str, field: &str) -> bool {
        [entity, ANY]
            .into_iter()
            .filter_map(|name| self.read_only.get(name))
            .any(|fields| fields.contains(field))
    }
}
