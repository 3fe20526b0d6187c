//! Decisions at their edges: what one role alone does not allow, and what is written beside what is limited.

use rust_decimal::Decimal;
use serde_json::json;

use super::{change, id, judge, judge_by, of, policy, refusal, user};
use crate::{
    access::{
        Grant, Level, Operation, PartKind, Policy, Role, Scope, Standing, Target,
        change::{NOT_ARCHIVABLE, NOT_MERGEABLE, NOT_PERMITTED},
        grant::Question,
    },
    crdt::archive::ARCHIVED,
    ids::Part,
    schema::Schema,
    value::Value,
};

/// The grant of a user who has these roles.
fn grant(roles: Vec<serde_json::Value>) -> Grant {
    let mut policy: Policy = policy();
    let mut entry = user(&[]);
    for (number, json) in roles.into_iter().enumerate() {
        let mut json = json;
        let name = format!("role{number}");
        json["name"] = json!(name);
        json["label"] = json!({ "en": "Odd", "zh": "特殊" });
        let role: Role = serde_json::from_value(json).unwrap();
        policy.rules.roles.insert(name.clone(), role);
        entry.roles.insert(name);
    }
    policy.directory.users.insert(id(5), entry);
    policy.grant(Some(id(5)), 0)
}

fn rule(operations: &[&str], level: &str) -> serde_json::Value {
    json!({ "entities": ["*"], "operations": operations, "level": level })
}

#[test]
fn of_an_entity_that_is_not_among_the_roles_modules_nothing_is_seen() {
    let grant = grant(vec![json!({ "modules": ["customer"], "rules": [rule(&["read"], "all")] })]);
    let nowhere = Standing::new();
    assert!(grant.reads("customer", PartKind::Main, &nowhere));
    assert!(!grant.reads("contract", PartKind::Main, &nowhere));
}

/// What is read alone does not open a field that every role that edits keeps closed.
#[test]
fn a_field_is_read_only_by_the_roles_that_edit() {
    let editor = json!({ "modules": ["*"], "rules": [rule(&["read", "edit"], "all")],
                         "read_only": { "customer": ["industry"] } });
    let reader = json!({ "modules": ["*"], "rules": [rule(&["read"], "all")] });
    let is_read_only = |grant: Grant| grant.is_read_only("customer", "industry", PartKind::Main);
    assert!(is_read_only(grant(vec![editor.clone()])));
    assert!(is_read_only(grant(vec![editor.clone(), reader.clone()])));
    assert!(!is_read_only(grant(vec![reader])), "nothing is edited: another reason counts");
    let free = json!({ "modules": ["*"], "rules": [rule(&["read", "edit"], "own")] });
    assert!(!is_read_only(grant(vec![editor, free])));
}

#[test]
fn the_highest_limit_of_several_roles_counts_and_none_is_no_limit() {
    let role = |limit: Option<&str>| {
        let mut role = json!({ "modules": ["*"], "rules": [] });
        if let Some(limit) = limit {
            role["approval_limit"] = json!(limit);
        }
        role
    };
    let limit = |roles| grant(roles).approval_limit();
    assert_eq!(limit(vec![role(Some("100")), role(Some("250"))]), Some(Decimal::from(250)));
    assert_eq!(limit(vec![role(Some("100")), role(None)]), None);
    assert_eq!(Grant::open().approval_limit(), None);
    assert_eq!(Grant::open().discount_limit(), None);
}

/// Each needs its own permission, and no other one.
#[test]
fn archiving_and_merging_are_no_editing() {
    let judged = |operation: &str, key: &str| {
        let rules = [rule(&["read", operation], "all")];
        let grant = grant(vec![json!({ "modules": ["*"], "rules": rules })]);
        judge_by(&grant, "customer", (false, &of(1), &of(1)), &[(key, Value::from("x"))])
    };
    for (operation, key, code) in [
        ("edit", "phone", None),
        ("edit", ARCHIVED, Some(NOT_ARCHIVABLE)),
        ("edit", "redirect_to", Some(NOT_MERGEABLE)),
        ("archive", "phone", Some(NOT_PERMITTED)),
        ("archive", ARCHIVED, None),
        ("archive", "redirect_to", Some(NOT_PERMITTED)),
        ("merge", "phone", Some(NOT_PERMITTED)),
        ("merge", ARCHIVED, Some(NOT_PERMITTED)),
        ("merge", "redirect_to", None),
    ] {
        let expected = code.and_then(|code| refusal(code, &[key]));
        assert_eq!(judged(operation, key), expected, "{operation}, {key}");
    }
}

/// What is exported is what exporting is permitted for, not what is read.
#[test]
fn a_grant_that_is_narrowed_reads_what_the_operation_reaches() {
    let role =
        json!({ "modules": ["*"], "rules": [rule(&["read"], "all"), rule(&["export"], "own")] });
    let whole = grant(vec![role]);
    let narrow = whole.narrowed_to(Operation::Export, Schema::builtin());
    let (mine, theirs): (Standing, _) = ([Scope::User(id(5))].into(), of(1));
    assert!(whole.reads("customer", PartKind::Main, &theirs));
    assert!(narrow.reads("customer", PartKind::Main, &mine));
    assert!(!narrow.reads("customer", PartKind::Main, &theirs));
    let may = |operation| {
        let (entity, part, standing) = ("customer", PartKind::Main, &mine);
        narrow.allows(&Question { operation, entity, part, standing })
    };
    assert!(!may(Operation::Export) && !may(Operation::Edit), "it is for reading alone");
    assert_eq!(Grant::open().narrowed_to(Operation::Export, Schema::builtin()), Grant::open());
}

/// Who begins a record fills in its other parts if they can be edited at all.
#[test]
fn a_new_record_is_filled_in_by_who_edits_such_parts_somewhere() {
    let entity = Schema::builtin().entity("customer").unwrap();
    let writes = |level: &str, part: &Part| {
        let rules = vec![rule(&["create", "read"], "all"), rule(&["edit"], level)];
        let grant = grant(vec![json!({ "modules": ["*"], "rules": rules })]);
        let (before, after) = (&Standing::new(), &of(1));
        grant.writes(Target { record: id(900), entity, part, is_new: true, before, after })
    };
    for part in [Part::Restricted, Part::Text("notes".to_owned())] {
        assert!(writes("own", &part) && !writes("none", &part), "{part}");
        assert!(writes("all", &part));
    }
    assert!(writes("none", &Part::Main), "beginning it is creating");
}

#[test]
fn without_rules_everything_is_written_but_what_the_office_withholds() {
    let entity = Schema::builtin().entity("customer").unwrap();
    let edits = [("phone", Value::from("1")), ("industry", Value::from("x"))];
    let judged = |grant: &Grant| {
        let (before, after) = (&of(2), &of(2));
        let target =
            Target { record: id(900), entity, part: &Part::Main, is_new: false, before, after };
        grant.judge(target, &["phone", "industry"], &change(&edits))
    };
    assert_eq!(judged(&Grant::open()), None);
    let mut withholding = Grant::open();
    withholding.withheld.insert("customer".to_owned(), ["industry".to_owned()].into());
    assert_eq!(judged(&withholding), refusal(NOT_PERMITTED, &["industry"]));
    // Under rules it comes first, and alone.
    let mut rep = policy().grant(Some(id(1)), 0);
    rep.withheld.clone_from(&withholding.withheld);
    assert_eq!(judged(&rep), refusal(NOT_PERMITTED, &["industry"]));
}

#[test]
fn nobody_puts_a_record_into_a_family_in_which_they_could_not_write_it() {
    let edits = [("customer_id", Value::from("x")), ("phone", Value::from("1"))];
    let judged = |is_new, before: &Standing, after: &Standing| {
        judge(1, "contact", (is_new, before, after), &edits)
    };
    assert_eq!(judged(false, &of(1), &of(1)), None);
    assert_eq!(judged(false, &of(1), &of(2)), refusal(NOT_PERMITTED, &["customer_id"]));
    // Whoever may create everywhere begins it wherever it belongs.
    let rules = vec![rule(&["create"], "all"), rule(&["read", "edit"], "own")];
    let grant = grant(vec![json!({ "modules": ["*"], "rules": rules })]);
    let (entity, before, after) =
        (Schema::builtin().entity("contact").unwrap(), Standing::new(), of(2));
    let (before, after) = (&before, &after);
    let target = Target { record: id(900), entity, part: &Part::Main, is_new: true, before, after };
    assert_eq!(grant.judge(target, &["customer_id", "phone"], &change(&edits)), None);
    assert_eq!(grant.level("contact", Operation::Edit, PartKind::Main), Level::Own);
}

/// A discount that somebody else gave is refused to nobody who writes something else.
#[test]
fn what_is_written_beside_a_high_discount_is_not_about_it() {
    let entity = Schema::builtin().entity("contract").unwrap();
    let percent = entity.field("discount_percent").unwrap().ty.from_json(&json!("50")).unwrap();
    let state = change(&[("discount_percent", percent), ("name", Value::from("Pumps"))]);
    let (before, after) = (&of(1), &of(1));
    let target =
        Target { record: id(900), entity, part: &Part::Main, is_new: false, before, after };
    let rep = policy().grant(Some(id(1)), 0);
    assert_eq!(rep.judge(target, &["name"], &state), None);
    assert!(rep.judge(target, &["discount_percent"], &state).is_some());
}
