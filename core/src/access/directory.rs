//! Who is who: users, teams and territories, as their records say.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{ids::RecordId, time::TimestampMs};

/// Levels of teams and territories within one another that are followed, at most; deeper ones, and
/// rings, end there.
pub const DEPTH_MAX: usize = 16;

/// A user, as far as access depends on it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Names of the user's roles.
    pub roles: BTreeSet<String>,
    /// Teams that the user's own record names.
    pub teams: BTreeSet<RecordId>,
    /// Territories that the user's own record names.
    pub territories: BTreeSet<RecordId>,
    /// Who stands in for the user.
    pub delegate: Option<RecordId>,
    /// During which time: from, and until (not included); always if there is no bound.
    pub delegated: (Option<TimestampMs>, Option<TimestampMs>),
    /// Whether the user may do nothing any more.
    pub is_inactive: bool,
    /// The user's own limit of a discount in percent, which counts before the roles'.
    pub discount_limit: Option<rust_decimal::Decimal>,
}

/// A team.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// Who leads it: its teams within it too.
    pub manager: Option<RecordId>,
    /// Its members.
    pub members: BTreeSet<RecordId>,
    /// The team that it is part of.
    pub parent: Option<RecordId>,
}

/// A territory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Territory {
    /// Who leads it.
    pub manager: Option<RecordId>,
    /// Its members.
    pub members: BTreeSet<RecordId>,
    /// The territory that it is part of.
    pub parent: Option<RecordId>,
}

/// Users, teams and territories.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    /// Users.
    pub users: BTreeMap<RecordId, User>,
    /// Teams.
    pub teams: BTreeMap<RecordId, Team>,
    /// Territories.
    pub territories: BTreeMap<RecordId, Territory>,
}

impl Directory {
    /// The users whose records `user` may treat as own at `now_ms`: the user, and those for whom
    /// the user stands in. Standing in is not handed on.
    #[must_use]
    pub fn selves(&self, user: RecordId, now_ms: TimestampMs) -> BTreeSet<RecordId> {
        let stands_in = |(id, other): (&RecordId, &User)| {
            let (from, until) = other.delegated;
            let is_time =
                from.is_none_or(|from| from <= now_ms) && until.is_none_or(|until| now_ms < until);
            (other.delegate == Some(user) && is_time).then_some(*id)
        };
        self.users.iter().filter_map(stands_in).chain([user]).collect()
    }

    /// The teams of a user: those that the user is in, and those that the user leads with all teams
    /// within them.
    #[must_use]
    pub fn teams_of(&self, user: RecordId) -> BTreeSet<RecordId> {
        let named = self.users.get(&user).map(|user| user.teams.clone()).unwrap_or_default();
        let has = |team: &Team| team.members.contains(&user);
        let mut teams: BTreeSet<RecordId> =
            self.teams.iter().filter(|(_, team)| has(team)).map(|(id, _)| *id).collect();
        teams.extend(named);
        let led = self.teams.iter().filter(|(_, team)| team.manager == Some(user));
        let led = led.map(|(id, _)| *id).collect();
        let parents = self.teams.iter().map(|(id, team)| (*id, team.parent)).collect();
        teams.extend(within(&parents, led));
        teams
    }

    /// The members of teams, with those who lead them.
    #[must_use]
    pub fn members_of(&self, teams: &BTreeSet<RecordId>) -> BTreeSet<RecordId> {
        let mut members = BTreeSet::new();
        for team in teams.iter().filter_map(|id| self.teams.get(id)) {
            members.extend(team.members.iter().copied().chain(team.manager));
        }
        let named = self.users.iter().filter(|(_, user)| !user.teams.is_disjoint(teams));
        members.extend(named.map(|(id, _)| *id));
        members
    }

    /// The territories of a user, with all territories within them.
    #[must_use]
    pub fn territories_of(&self, user: RecordId) -> BTreeSet<RecordId> {
        let named = self.users.get(&user).map(|user| user.territories.clone()).unwrap_or_default();
        let is_of = |territory: &Territory| {
            territory.manager == Some(user) || territory.members.contains(&user)
        };
        let of = self.territories.iter().filter(|(_, territory)| is_of(territory));
        let begin: BTreeSet<RecordId> = of.map(|(id, _)| *id).chain(named).collect();
        let parents = self.territories.iter().map(|(id, one)| (*id, one.parent)).collect();
        within(&parents, begin)
    }
}

/// Everything within `begin`, with itself, down to [`DEPTH_MAX`] levels.
fn within(
    parents: &BTreeMap<RecordId, Option<RecordId>>,
    begin: BTreeSet<RecordId>,
) -> BTreeSet<RecordId> {
    if begin.is_empty() {
        return begin;
    }
    let mut children: BTreeMap<RecordId, Vec<RecordId>> = BTreeMap::new();
    for (id, parent) in parents {
        if let Some(parent) = parent {
            children.entry(*parent).or_default().push(*id);
        }
    }
    let mut all = begin.clone();
    let mut level: Vec<RecordId> = begin.into_iter().collect();
    for _ in 0..DEPTH_MAX {
        let below = level.iter().filter_map(|id| children.get(id)).flatten().copied();
        level = below.filter(|id| all.insert(*id)).collect::<Vec<_>>();
        if level.is_empty() {
            break;
        }
    }
    all
}
