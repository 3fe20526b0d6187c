//! What the ready roles come to, and the rules of deciding.

mod edges;
mod records;

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use serde_json::json;

use super::{
    Directory, Grant, Level, Operation, PartKind, Policy, Refusal, Role, Rules, Scope, Standing,
    Target,
    change::{NOT_ASSIGNABLE, NOT_PERMITTED, OVER_DISCOUNT_LIMIT, READ_ONLY},
    directory::{Team, Territory, User},
    ready::ready_roles,
};
use crate::{
    crdt::{self, Action, Edit, State},
    ids::{ActorId, Part, RecordId},
    schema::Schema,
    value::Value,
};

fn id(number: u128) -> RecordId {
    RecordId(uuid::Uuid::from_u128(number))
}

fn user(roles: &[&str]) -> User {
    User { roles: roles.iter().map(|role| (*role).to_owned()).collect(), ..User::default() }
}

/// Li (1) and Wang (2) are reps in team 20, which Zhao (3) leads; territory 31 is within 30, which
/// is Zhao's.
fn policy() -> Policy {
    let mut directory = Directory::default();
    directory.users.insert(id(1), user(&["sales_rep"]));
    directory.users.insert(id(2), user(&["sales_rep"]));
    directory.users.insert(id(3), user(&["sales_manager"]));
    let members = [id(1), id(2)].into();
    directory.teams.insert(id(20), Team { manager: Some(id(3)), members, parent: None });
    let whole = Territory { manager: Some(id(3)), ..Territory::default() };
    directory.territories.insert(id(30), whole);
    let within = Territory { parent: Some(id(30)), ..Territory::default() };
    directory.territories.insert(id(31), within);
    Policy { rules: Rules { is_on: true, ..Rules::default() }, directory }
}

fn of(user: u128) -> Standing {
    [Scope::User(id(user))].into()
}

#[test]
fn every_ready_role_names_entities_and_fields_that_there_are() {
    let roles = ready_roles();
    assert_eq!(roles.len(), 10);
    let schema = Schema::builtin();
    for role in roles.values() {
        let Role { modules, rules, denials, read_only, .. } = role;
        let entities = rules.iter().flat_map(|rule| &rule.entities);
        let denied = denials.iter().flat_map(|denial| &denial.entities);
        for name in modules.iter().chain(entities).chain(denied).filter(|name| *name != "*") {
            assert!(schema.entity(name).is_some(), "{}: {name}", role.name);
        }
        for (entity, fields) in read_only {
            for field in fields {
                assert!(schema.entity(entity).unwrap().field(field).is_some(), "{field}");
            }
        }
    }
}

#[test]
fn levels_reach_own_team_territory_and_all() {
    let policy = policy();
    let rep = policy.grant(Some(id(1)), 0);
    let manager = policy.grant(Some(id(3)), 0);
    let reads =
        |grant: &Grant, standing: &Standing| grant.reads("customer", PartKind::Main, standing);
    assert!(reads(&rep, &of(1)));
    assert!(!reads(&rep, &of(2)), "a colleague's customer");
    assert!(reads(&manager, &of(2)), "of a member of the team");
    assert!(reads(&manager, &[Scope::Territory(id(31))].into()), "within the territory");
    assert!(!reads(&manager, &of(9)));
    assert!(!reads(&manager, &Standing::new()));
    assert!(!rep.reads("customer", PartKind::Restricted, &of(1)));
    assert!(rep.reads("product", PartKind::Main, &Standing::new()), "everybody's catalogue");
    assert!(!policy.grant(None, 0).reads("product", PartKind::Main, &Standing::new()));
}

#[test]
fn territories_are_those_of_who_leads_them_or_is_named_with_all_within() {
    let mut directory = policy().directory;
    assert_eq!(directory.territories_of(id(3)), [id(30), id(31)].into());
    assert_eq!(directory.territories_of(id(1)), [].into());
    directory.territories.get_mut(&id(31)).unwrap().members.insert(id(1));
    assert_eq!(directory.territories_of(id(1)), [id(31)].into());
    directory.users.get_mut(&id(2)).unwrap().territories.insert(id(30));
    assert_eq!(directory.territories_of(id(2)), [id(30), id(31)].into());
}

#[test]
fn a_denial_of_one_role_beats_what_another_permits() {
    let mut policy = policy();
    policy.directory.users.insert(id(4), user(&["administrator"]));
    let all = policy.grant(Some(id(4)), 0);
    assert_eq!(all.level("customer", Operation::Edit, PartKind::Main), Level::All);
    policy.directory.users.insert(id(4), user(&["administrator", "auditor"]));
    let both = policy.grant(Some(id(4)), 0);
    assert_eq!(both.level("customer", Operation::Edit, PartKind::Main), Level::None);
    assert_eq!(both.level("customer", Operation::Read, PartKind::Restricted), Level::All);
}

#[test]
fn who_does_not_read_a_part_changes_nothing_in_it() {
    let mut policy = policy();
    let rules = json!({
        "name": "odd", "label": { "en": "Odd", "zh": "特殊" }, "modules": ["customer"],
        "rules": [
            { "entities": ["customer"], "operations": ["read"], "parts": ["main"], "level": "own" },
            { "entities": ["customer"], "operations": ["read"], "parts": ["restricted"], "level": "all" },
            { "entities": ["customer"], "operations": ["edit"], "level": "all" },
        ],
    });
    let role: Role = serde_json::from_value(rules).unwrap();
    policy.rules.roles.insert(role.name.clone(), role);
    policy.directory.users.insert(id(5), user(&["odd"]));
    let grant = policy.grant(Some(id(5)), 0);
    assert_eq!(grant.level("customer", Operation::Read, PartKind::Restricted), Level::Own);
    assert_eq!(grant.level("customer", Operation::Edit, PartKind::Restricted), Level::Own);
    assert_eq!(grant.level("customer", Operation::Edit, PartKind::Texts), Level::None);
}

#[test]
fn whoever_stands_in_has_the_records_as_own_during_the_time() {
    let mut policy = policy();
    let absent = policy.directory.users.get_mut(&id(2)).unwrap();
    absent.delegate = Some(id(1));
    absent.delegated = (Some(100), Some(200));
    for (at, reads) in [(99, false), (100, true), (199, true), (200, false)] {
        let grant = policy.grant(Some(id(1)), at);
        assert_eq!(grant.reads("customer", PartKind::Main, &of(2)), reads, "{at}");
    }
}

#[test]
fn rings_of_teams_and_territories_end() {
    let mut directory = policy().directory;
    directory.territories.get_mut(&id(30)).unwrap().parent = Some(id(31));
    assert_eq!(directory.territories_of(id(3)), BTreeSet::from([id(30), id(31)]));
    directory.teams.get_mut(&id(20)).unwrap().parent = Some(id(20));
    assert_eq!(directory.teams_of(id(3)), BTreeSet::from([id(20)]));
}

#[test]
fn a_signed_grant_comes_back_as_it_was_and_its_digest_ignores_the_number() {
    let mut policy = policy();
    let grant = policy.grant(Some(id(3)), 0);
    assert_eq!(Grant::from_bytes(&grant.to_bytes()).unwrap(), grant);
    policy.rules.number += 1;
    assert_eq!(policy.grant(Some(id(3)), 0).digest(), grant.digest());
    assert_ne!(policy.grant(Some(id(1)), 0).digest(), grant.digest());
}

/// An empty document with edits.
fn change(edits: &[(&str, Value)]) -> State {
    let mut state = State::default();
    let stamp = crdt::Stamp { actor: ActorId([1; 16]), time_ms: 0, message: None };
    let edits = edits
        .iter()
        .map(|(key, value)| Edit { key: (*key).to_owned(), action: Action::Put(value.clone()) });
    crdt::write(&mut state, &mut None, stamp, edits.collect()).unwrap();
    state
}

fn judge(
    user: u128,
    entity: &str,
    places: (bool, &Standing, &Standing),
    edits: &[(&str, Value)],
) -> Option<Refusal> {
    judge_by(&policy().grant(Some(id(user)), 0), entity, places, edits)
}

/// What a grant says of edits of the main part of a record.
fn judge_by(
    grant: &Grant,
    entity: &str,
    (is_new, before, after): (bool, &Standing, &Standing),
    edits: &[(&str, Value)],
) -> Option<Refusal> {
    let entity = Schema::builtin().entity(entity).unwrap();
    let state = change(edits);
    let keys: Vec<&str> = edits.iter().map(|(key, _)| *key).collect();
    let target = Target { record: id(900), entity, part: &Part::Main, is_new, before, after };
    grant.judge(target, &keys, &state)
}

fn refusal(code: &'static str, keys: &[&str]) -> Option<Refusal> {
    Some(Refusal { code, keys: keys.iter().map(|key| (*key).to_owned()).collect() })
}

#[test]
fn a_rep_changes_own_customers_and_gives_none_away() {
    let text = |text: &str| Value::from(text);
    let edit = |keys: &[(&str, Value)], before: &Standing| {
        judge(1, "customer", (false, before, before), keys)
    };
    assert_eq!(edit(&[("phone", text("1"))], &of(1)), None);
    assert_eq!(edit(&[("phone", text("1"))], &of(2)), refusal(NOT_PERMITTED, &["phone"]));
    let both = [("owner_id", text("x")), ("phone", text("1"))];
    assert_eq!(edit(&both, &of(1)), refusal(NOT_ASSIGNABLE, &["owner_id"]));
    let own = [("owner_id", text("x"))];
    assert_eq!(judge(1, "customer", (true, &Standing::new(), &of(1)), &own), None);
    let other = judge(1, "customer", (true, &Standing::new(), &of(2)), &own);
    assert_eq!(other, refusal(NOT_PERMITTED, &["owner_id"]), "a new customer of a colleague");
    assert_eq!(judge(3, "customer", (false, &of(2), &of(9)), &own), None, "a manager hands over");
}

#[test]
fn people_change_their_own_profile_but_not_their_rights() {
    let edits = [("phone", Value::from("1")), ("role", Value::from("administrator"))];
    let own = judge(1, "user", (false, &of(1), &of(1)), &edits);
    assert_eq!(own, refusal(READ_ONLY, &["role"]));
    let other = judge(1, "user", (false, &of(2), &of(2)), &edits);
    assert_eq!(other, refusal(NOT_PERMITTED, &["phone", "role"]));
}

/// Whoever stands in for a week would prolong it.
#[test]
fn who_stands_in_says_only_the_absent_person_and_whoever_edits_all_users() {
    let mut policy = policy();
    policy.directory.users.get_mut(&id(1)).unwrap().delegate = Some(id(2));
    policy.directory.users.insert(id(9), user(&["administrator"]));
    let judged = |user: u128, key: &str| {
        let grant = policy.grant(Some(id(user)), 0);
        let entity = Schema::builtin().entity("user").unwrap();
        let state = change(&[(key, Value::from("x"))]);
        let of = of(1);
        let (before, after) = (&of, &of);
        let target =
            Target { record: id(1), entity, part: &Part::Main, is_new: false, before, after };
        grant.judge(target, &[key], &state)
    };
    assert_eq!(judged(2, "phone"), None, "the profile is the stand-in's too");
    for key in ["delegate_id", "delegated"] {
        assert_eq!(judged(2, key), refusal(READ_ONLY, &[key]));
        assert_eq!(judged(1, key), None);
        assert_eq!(judged(9, key), None);
    }
}

#[test]
fn a_scope_is_read_as_it_is_written_and_nothing_else_is() {
    for scope in [Scope::User(id(1)), Scope::Team(id(2)), Scope::Territory(id(3))] {
        assert_eq!(scope.to_string().parse::<Scope>().unwrap(), scope);
    }
    for text in ["", "u", "u:", "x:00000000-0000-0000-0000-000000000001"] {
        assert!(text.parse::<Scope>().is_err(), "{text}");
    }
    assert!(format!("x:{}", id(1)).parse::<Scope>().is_err());
}

#[test]
fn a_discount_above_the_limit_is_refused_in_percent_and_as_an_amount() {
    let entity = Schema::builtin().entity("sales_order").unwrap();
    let field = |name: &str| &entity.field("lines").unwrap().column(name).unwrap().ty;
    let key = |column: &str| ["lines/0123456789/", column].concat();
    let value = |column: &str, json: serde_json::Value| field(column).from_json(&json).unwrap();
    let line = |column: &str, discount: serde_json::Value| {
        let discount_value = value(column, discount);
        let edits = [
            (key("qty"), value("qty", json!("2"))),
            (
                key("unit_price"),
                value("unit_price", json!({ "amount": "50.00", "currency": "CNY" })),
            ),
            (key(column), discount_value),
        ];
        let edits: Vec<(&str, Value)> =
            edits.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
        judge(1, "sales_order", (false, &of(1), &of(1)), &edits)
    };
    let over = |refused: Option<Refusal>| refused.map(|refusal| refusal.code);
    assert_eq!(over(line("discount_percent", json!("10"))), None, "at the limit");
    assert_eq!(over(line("discount_percent", json!("10.0001"))), Some(OVER_DISCOUNT_LIMIT));
    let amount = |amount: &str| json!({ "amount": amount, "currency": "CNY" });
    assert_eq!(over(line("discount_amount", amount("10.00"))), None);
    assert_eq!(over(line("discount_amount", amount("10.01"))), Some(OVER_DISCOUNT_LIMIT));
    let alone = [(key("discount_amount"), value("discount_amount", amount("0.01")))];
    let alone: Vec<(&str, Value)> =
        alone.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    let alone = judge(1, "sales_order", (false, &of(1), &of(1)), &alone);
    assert_eq!(over(alone), Some(OVER_DISCOUNT_LIMIT), "off what has no price");
    let whole = |percent: &str| {
        let ty =
            &Schema::builtin().entity("contract").unwrap().field("discount_percent").unwrap().ty;
        let edits = [("discount_percent", ty.from_json(&json!(percent)).unwrap())];
        judge(1, "contract", (false, &of(1), &of(1)), &edits)
    };
    assert_eq!(over(whole("10")), None);
    assert_eq!(over(whole("10.0001")), Some(OVER_DISCOUNT_LIMIT));
    let grant = policy().grant(Some(id(1)), 0);
    assert_eq!(grant.discount_limit(), Some(Decimal::TEN));
    let mut policy = policy();
    policy.directory.users.get_mut(&id(1)).unwrap().discount_limit = Some(Decimal::ONE);
    assert_eq!(policy.grant(Some(id(1)), 0).discount_limit(), Some(Decimal::ONE), "the user's own");
}

#[test]
fn a_discount_off_a_whole_order_counts_by_its_share_of_all_lines() {
    let entity = Schema::builtin().entity("sales_order").unwrap();
    let column = |name: &str| &entity.field("lines").unwrap().column(name).unwrap().ty;
    let money = |amount: &str| json!({ "amount": amount, "currency": "CNY" });
    let over = |discount: &str| {
        let mut edits = Vec::new();
        for (row, qty, price) in [("0123456789", "2", "30.00"), ("9876543210", "1", "40.00")] {
            let cells = [("qty", json!(qty)), ("unit_price", money(price))];
            edits.extend(cells.map(|(name, json)| {
                (format!("lines/{row}/{name}"), column(name).from_json(&json).unwrap())
            }));
        }
        let ty = &entity.field("discount_amount").unwrap().ty;
        edits.push(("discount_amount".to_owned(), ty.from_json(&money(discount)).unwrap()));
        let edits: Vec<(&str, Value)> =
            edits.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
        judge(1, "sales_order", (false, &of(1), &of(1)), &edits)
    };
    assert_eq!(over("10.00"), None, "at the limit");
    assert_eq!(over("10.01"), refusal(OVER_DISCOUNT_LIMIT, &["discount_amount"]));
}

#[test]
fn a_grant_says_of_which_rules_it_is_and_what_is_withheld() {
    for mut policy in [policy(), Policy::open()] {
        policy.rules.number = 7;
        let grant = policy.withholding("customer", "phone").grant(Some(id(1)), 0);
        assert_eq!(grant.number, 7);
        assert!(grant.is_withheld("customer", "phone") && !grant.is_withheld("customer", "fax"));
        let own = (false, &of(1), &of(1));
        let judged = judge_by(&grant, "customer", own, &[("phone", Value::from("1"))]);
        assert_eq!(judged, refusal(NOT_PERMITTED, &["phone"]));
    }
}
