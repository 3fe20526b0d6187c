//! Users, teams and territories as their records say.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::{
    directory::{Team, Territory, User},
    scope::linked,
};
use crate::{
    crdt::State,
    ids::RecordId,
    schema::{Schema, member_key},
    time::{DAY_MS, TimestampMs},
    value::Value,
};

/// Names by which users' records name roles and teams.
#[derive(Debug, Default)]
pub struct Names {
    roles: BTreeMap<RecordId, String>,
    teams: BTreeMap<String, RecordId>,
}

impl Names {
    /// Takes in a role's record.
    pub fn add_role(&mut self, id: RecordId, main: &State) {
        if let Some(name) = text(main, "name") {
            self.roles.insert(id, name);
        }
    }

    /// Takes in a team's record.
    pub fn add_team(&mut self, id: RecordId, main: &State) {
        // As a set keeps it: folded and escaped.
        let field = Schema::current().entity("user").and_then(|user| user.field("teams"));
        let key = field.zip(text(main, "name")).map(|(field, name)| member_key(field, &name));
        if let Some(Ok(key)) = key
            && let Some((_, member)) = key.split_once('/')
        {
            self.teams.insert(member.to_owned(), id);
        }
    }
}

/// A team, from the main part of its record.
#[must_use]
pub fn team_of(main: &State) -> Team {
    Team {
        manager: linked(main, "manager_id"),
        members: members(main, "members"),
        parent: linked(main, "parent_id"),
    }
}

/// A territory, from the main part of its record.
#[must_use]
pub fn territory_of(main: &State) -> Territory {
    Territory {
        manager: linked(main, "manager_id"),
        members: members(main, "members"),
        parent: linked(main, "parent_id"),
    }
}

/// A user, from the main part of its record.
///
/// A user's teams are named by their ids or by their names; roles by the register `role` and by
/// links to records of roles, whose names count.
#[must_use]
pub fn user_of(main: &State, names: &Names) -> User {
    let linked_roles = members(main, "roles");
    let linked_roles = linked_roles.iter().filter_map(|id| names.roles.get(id).cloned());
    let teams = main.members("teams").into_iter();
    let teams =
        teams.filter_map(|team| team.parse().ok().or_else(|| names.teams.get(team).copied()));
    User {
        roles: linked_roles.chain(text(main, "role")).collect(),
        teams: teams.collect(),
        territories: members(main, "territories"),
        delegate: linked(main, "delegate_id"),
        delegated: period(main),
        is_inactive: shown(main, "inactive").is_some_and(|value| *value == Value::Bool(true)),
        discount_limit: decimal(main, "discount_limit"),
    }
}

fn shown<'a>(main: &'a State, field: &str) -> Option<&'a Value> {
    Some(&main.register(field)?.winner.value)
}

fn text(main: &State, field: &str) -> Option<String> {
    shown(main, field)?.as_text().map(str::to_owned)
}

fn members(main: &State, field: &str) -> BTreeSet<RecordId> {
    main.members(field).into_iter().filter_map(|member| member.parse().ok()).collect()
}

fn decimal(main: &State, field: &str) -> Option<Decimal> {
    let ty = &Schema::current().entity("user")?.field(field)?.ty;
    let json = ty.to_json(shown(main, field)?);
    json.as_str().map_or_else(|| json.to_string(), str::to_owned).parse().ok()
}

/// From when until when (not included) somebody stands in; days count by UTC, the last one too.
fn period(main: &State) -> (Option<TimestampMs>, Option<TimestampMs>) {
    let Some(period) = text(main, "delegated") else { return (None, None) };
    let day = |text: &str| {
        let date: NaiveDate = text.parse().ok()?;
        Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis())
    };
    let (from, until) = period.split_once('/').unwrap_or((period.as_str(), ""));
    (day(from), day(until).map(|until| until + DAY_MS))
}
