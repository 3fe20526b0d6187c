//! The policy: numbered rules, and the directory that they apply to.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    Directory, Grant, Role, Scope,
    ready::{ADMINISTRATOR, ready_roles},
};
use crate::{ids::RecordId, time::TimestampMs};

/// Roles in one set of rules, at most.
pub const ROLES_MAX: usize = 200;

/// What the office decided about roles; each decision has the next number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// The number of the decision.
    pub number: u64,
    /// Whether the rules count. Until they do everybody may do everything.
    pub is_on: bool,
    /// The roles by name.
    pub roles: BTreeMap<String, Role>,
    /// Fields that nobody outside the office writes, whatever the roles say, by entity.
    #[serde(default)]
    pub withheld: BTreeMap<String, BTreeSet<String>>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { number: 0, is_on: false, roles: ready_roles(), withheld: BTreeMap::new() }
    }
}

/// Rules with the directory to which they apply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// What roles may do.
    pub rules: Rules,
    /// Who has them.
    pub directory: Directory,
}

impl Policy {
    /// A policy under which everybody may do everything: the state before anybody decided.
    #[must_use]
    pub fn open() -> Self {
        Self::default()
    }

    /// The same policy that also withholds a field from all who are not at the office.
    #[must_use]
    pub fn withholding(mut self, entity: &str, field: &str) -> Self {
        self.rules.withheld.entry(entity.to_owned()).or_default().insert(field.to_owned());
        self
    }

    /// What a user may do at `now_ms`; nothing, if the user is nobody or inactive.
    #[must_use]
    pub fn grant(&self, user: Option<RecordId>, now_ms: TimestampMs) -> Grant {
        let Rules { number, is_on, roles, withheld } = &self.rules;
        let mut grant = Grant {
            number: *number,
            is_open: !is_on,
            user,
            withheld: withheld.clone(),
            ..Grant::default()
        };
        if !is_on {
            return grant;
        }
        let Some(user) = user else { return grant };
        let Some(entry) = self.directory.users.get(&user) else { return grant };
        if entry.is_inactive {
            return grant;
        }
        grant.roles = entry.roles.iter().filter_map(|name| roles.get(name)).cloned().collect();
        grant.discount_limit = entry.discount_limit;
        grant.own = self.directory.selves(user, now_ms).into_iter().map(Scope::User).collect();
        let teams = self.directory.teams_of(user);
        let members = self.directory.members_of(&teams).into_iter().map(Scope::User);
        grant.team = teams.into_iter().map(Scope::Team).chain(members).collect();
        let territories = self.directory.territories_of(user);
        grant.territory = territories.into_iter().map(Scope::Territory).collect();
        grant
    }

    /// Whether a user is an administrator, who decides on rules and users.
    #[must_use]
    pub fn is_administrator(&self, user: RecordId) -> bool {
        let entry = self.directory.users.get(&user).filter(|entry| !entry.is_inactive);
        entry.is_some_and(|entry| entry.roles.contains(ADMINISTRATOR))
    }
}
