//! What the records of users, teams and territories say.

use serde_json::json;

use super::{change, id, policy};
use crate::{
    access::{
        Scope, Standing,
        directory::Team,
        records::{Names, team_of, territory_of, user_of},
        scope::scopes_of,
    },
    crdt::State,
    ids::RecordId,
    schema::{Schema, member_key},
    time::DAY_MS,
    value::Value,
};

/// The first of January 2026, UTC.
const NEW_YEAR_MS: i64 = 1_767_225_600_000;

fn text(key: &str, value: &str) -> (String, Value) {
    (key.to_owned(), value.into())
}

fn link(key: &str, to: RecordId) -> (String, Value) {
    text(key, &to.to_string())
}

fn member(field: &str, value: &str) -> (String, Value) {
    let field = Schema::builtin().entity("user").unwrap().field(field).unwrap();
    (member_key(field, value).unwrap(), Value::Bool(true))
}

fn state(edits: &[(String, Value)]) -> State {
    let edits: Vec<_> = edits.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    change(&edits)
}

#[test]
fn a_user_has_the_roles_and_teams_that_the_record_names() {
    let mut names = Names::default();
    names.add_role(id(71), &state(&[text("name", "auditor")]));
    names.add_team(id(20), &state(&[text("name", "North / East 50%")]));
    let main = state(&[
        text("role", "sales_rep"),
        member("roles", &id(71).to_string()),
        member("roles", &id(72).to_string()),
        member("teams", "north / EAST 50%"),
        member("teams", &id(21).to_string()),
        member("teams", "nobody's"),
        member("territories", &id(30).to_string()),
        link("delegate_id", id(2)),
    ]);
    let user = user_of(&main, &names);
    assert_eq!(user.roles, ["auditor".to_owned(), "sales_rep".to_owned()].into());
    assert_eq!(user.teams, [id(20), id(21)].into());
    assert_eq!(user.territories, [id(30)].into());
    assert_eq!(user.delegate, Some(id(2)));
    assert_eq!(
        (user.delegated, user.is_inactive, user.discount_limit),
        ((None, None), false, None)
    );
}

#[test]
fn a_user_has_a_limit_and_may_be_inactive() {
    let ty = &Schema::builtin().entity("user").unwrap().field("discount_limit").unwrap().ty;
    let limit = ty.from_json(&json!("12.5")).unwrap();
    let main =
        state(&[("discount_limit".to_owned(), limit), ("inactive".to_owned(), Value::Bool(true))]);
    let user = user_of(&main, &Names::default());
    assert_eq!(user.discount_limit, Some("12.5".parse().unwrap()));
    assert!(user.is_inactive);
    let active = state(&[("inactive".to_owned(), Value::Bool(false))]);
    assert!(!user_of(&active, &Names::default()).is_inactive);
}

/// Days count by UTC, and somebody who is away until a day is away on that day too.
#[test]
fn somebody_stands_in_from_the_first_day_to_the_end_of_the_last() {
    let of =
        |period: &str| user_of(&state(&[text("delegated", period)]), &Names::default()).delegated;
    let from = Some(NEW_YEAR_MS);
    assert_eq!(of("2026-01-01/2026-01-01"), (from, Some(NEW_YEAR_MS + DAY_MS)));
    assert_eq!(of("2026-01-01/2026-01-03"), (from, Some(NEW_YEAR_MS + 3 * DAY_MS)));
    assert_eq!(of("2026-01-01/"), (from, None));
    assert_eq!(of("2026-01-01"), (from, None));
    assert_eq!(of("/2026-01-01"), (None, Some(NEW_YEAR_MS + DAY_MS)));
    assert_eq!(of("soon/later"), (None, None));
}

#[test]
fn a_team_and_a_territory_have_a_manager_members_and_what_they_are_part_of() {
    let main = state(&[
        link("manager_id", id(3)),
        (format!("members/{}", id(1)), Value::Bool(true)),
        (format!("members/{}", id(2)), Value::Bool(true)),
        link("parent_id", id(40)),
    ]);
    let (manager, parent) = (Some(id(3)), Some(id(40)));
    assert_eq!(team_of(&main), Team { manager, members: [id(1), id(2)].into(), parent });
    let territory = territory_of(&main);
    assert_eq!((territory.manager, territory.parent), (manager, parent));
    assert_eq!(territory.members, [id(1), id(2)].into());
}

#[test]
fn a_record_is_in_the_scopes_that_it_names_and_those_of_people_in_their_own() {
    let main =
        state(&[link("owner_id", id(1)), link("team_id", id(20)), link("territory_id", id(30))]);
    let of = |entity: &str, main: &State| {
        scopes_of(Schema::builtin().entity(entity).unwrap(), id(900), main)
    };
    let named = [Scope::User(id(1)), Scope::Team(id(20)), Scope::Territory(id(30))];
    assert_eq!(of("customer", &main), Standing::from(named));
    let none = State::default();
    assert_eq!(of("customer", &none), Standing::new());
    assert_eq!(of("user", &none), [Scope::User(id(900))].into());
    assert_eq!(of("team", &none), [Scope::Team(id(900))].into());
    assert_eq!(of("territory", &none), [Scope::Territory(id(900))].into());
}

#[test]
fn an_administrator_has_the_role_and_is_active() {
    let mut policy = policy();
    assert!(!policy.is_administrator(id(1)), "a rep");
    assert!(!policy.is_administrator(id(99)), "nobody");
    let user = policy.directory.users.get_mut(&id(1)).unwrap();
    user.roles.insert("administrator".to_owned());
    assert!(policy.is_administrator(id(1)));
    policy.directory.users.get_mut(&id(1)).unwrap().is_inactive = true;
    assert!(!policy.is_administrator(id(1)), "who left");
}
