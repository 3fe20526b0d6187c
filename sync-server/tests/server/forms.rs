//! The forms of the office pages: every entity's, with rows; and what is refused.

use std::collections::BTreeMap;

use outrider_core::{
    ids::RecordId,
    schema::{Entity, Field, Kind, Schema, sample},
};
use serde_json::{Map, Value, json};

use crate::{
    browser::{Browser, Pairs},
    pages::{create, json_of, position},
    world::Office,
};

/// A record of every entity with every field that a person or the office enters.
fn filled(office: &Office, entity: &Entity, seed: u32) -> RecordId {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let mut draw = |bound: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % bound.max(1)
    };
    let mut fields = sample::record(entity, &mut draw);
    for field in entity.fields.iter().filter(|field| field.kind == Kind::Office) {
        fields.insert(field.name.clone(), sample::value(field, &mut draw));
    }
    create(office, &entity.name, &fields)
}

/// The form of a record as one for a new record: rows, members and links are new ones.
fn as_new(entity: &Entity, form: &Pairs, json: &Map<String, Value>) -> Pairs {
    let mut new = Pairs::new();
    let mut rows: BTreeMap<String, usize> = BTreeMap::new();
    for (name, value) in form.iter().filter(|(name, _)| name != "seen") {
        let mut path = name.split('.');
        let field = path.nth(1).and_then(|field| entity.field(field));
        let Some((field, row)) = field.zip(path.next()) else {
            new.push((name.clone(), value.clone()));
            continue;
        };
        let is_list = matches!(field.kind, Kind::Rows | Kind::Log | Kind::Set);
        if !is_list || row == "set" || row.starts_with('+') || name.ends_with(".-") {
            new.push((name.clone(), value.clone()));
            continue;
        }
        let next = rows.len() + 10;
        let at = *rows.entry(format!("{}.{row}", field.name)).or_insert(next);
        let is_link = field.ty.name() == "link" && field.kind == Kind::Set;
        if is_link {
            new.push((format!("f.{}.+{at}.member", field.name), row.to_owned()));
        } else if field.kind == Kind::Set {
            new.push((name.clone(), value.clone()));
        } else {
            let rest = name.splitn(4, '.').nth(3).unwrap_or_default();
            new.push((format!("f.{}.+{at}.{rest}", field.name), value.clone()));
        }
    }
    // What a form cannot change afterwards is there on creation alone.
    for field in &entity.fields {
        let Some(value) = json.get(&field.name) else { continue };
        let name = format!("f.{}", field.name);
        let is_asked = !field.by_program && !["created_at", "created_by"].contains(&&*field.name);
        match field.kind {
            Kind::Once if is_asked => put(&mut new, &name, field, value),
            Kind::Counter => {
                new.retain(|(found, _)| *found != name);
                new.push((name, value.to_string()));
            }
            Kind::Log if is_asked => {
                for (at, entry) in value.as_array().unwrap().iter().enumerate() {
                    for column in &field.columns {
                        if let Some(value) = entry.get(&column.name) {
                            put(
                                &mut new,
                                &format!("{name}.+{}.{}", at + 500, column.name),
                                column,
                                value,
                            );
                        }
                    }
                }
            }
            Kind::Once
            | Kind::Log
            | Kind::Register
            | Kind::Office
            | Kind::Set
            | Kind::Rows
            | Kind::Text => {}
        }
    }
    new
}

/// Enters a value into the inputs of a form.
fn put(form: &mut Pairs, name: &str, field: &Field, value: &Value) {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match value.as_object().filter(|_| field.ty.name() != "json") {
        Some(members) => {
            for (member, value) in members {
                form.push((format!("{name}.{member}"), minutes(&text(value))));
            }
        }
        None => form.push((name.to_owned(), minutes(&text(value)))),
    }
}

/// A moment as a form has it; other texts as they are.
fn minutes(text: &str) -> String {
    let is_moment = text.len() == 24 && text.ends_with('Z') && text.get(10..11) == Some("T");
    if is_moment { text.chars().take(16).collect() } else { text.to_owned() }
}

/// A value without what is a record's own: ids of rows, what is finer than a form has.
fn comparable(value: &Value) -> Value {
    if let Some(text) = value.as_str() {
        return minutes(text).into();
    }
    if let Some(members) = value.as_object() {
        let members = members.iter().filter(|(name, _)| *name != "id");
        return members.map(|(name, value)| (name.clone(), comparable(value))).collect();
    }
    let Some(items) = value.as_array() else { return value.clone() };
    let mut items: Vec<Value> = items.iter().map(comparable).collect();
    items.sort_by_key(Value::to_string);
    items.into()
}

#[test]
fn every_entitys_form_changes_nothing_when_nothing_was_typed() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    for entity in Schema::current().entities() {
        let id = filled(&office, entity, 7);
        let path = format!("/records/{}/{id}/edit", entity.name);
        let before = (position(&office), json_of(&office, id));
        let form = browser.get(&path).fields();
        assert!(form.len() > 3, "{}", entity.name);
        let seen = browser.send(&path, &form);
        assert!(seen.location().ends_with("?done=same"), "{}: {:?}", entity.name, seen.headers);
        assert_eq!((position(&office), json_of(&office, id)), before, "{}", entity.name);
        let page = browser.get(seen.location());
        assert!(page.text.contains("Nothing was changed"));
    }
}

#[test]
fn what_a_form_shows_can_be_entered_into_a_new_one() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    for entity in Schema::current().entities() {
        let id = filled(&office, entity, 11);
        let json = json_of(&office, id);
        let form = browser.get(&format!("/records/{}/{id}/edit", entity.name)).fields();
        let mut new = as_new(entity, &form, &json);
        // It is the same, and that is asked about.
        new.push(("anyway".to_owned(), "1".to_owned()));
        let seen = browser.send(&format!("/records/{}/new", entity.name), &new);
        let problems = seen.text.split("id=\"problems\"").nth(1).unwrap_or_default();
        let problems = problems.split("</ul>").next();
        assert_eq!(seen.status, 303, "{}: {problems:?}", entity.name);
        let made: RecordId = seen.location().split(['/', '?']).nth(3).unwrap().parse().unwrap();
        let mut made = json_of(&office, made);
        assert!(made.contains_key("created_by"), "{} says who made it", entity.name);
        if !json.contains_key("owner_id") {
            made.remove("owner_id");
        }
        let names: std::collections::BTreeSet<String> =
            made.keys().chain(json.keys()).cloned().collect();
        for name in names.into_iter().filter(|name| entity.field(name).is_some()) {
            if ["created_at", "created_by"].contains(&name.as_str())
                || entity.field(&name).is_some_and(|field| field.by_program)
            {
                continue;
            }
            let of = |json: &Map<String, Value>| json.get(&name).map(comparable);
            assert_eq!(of(&made), of(&json), "{}.{name}", entity.name);
        }
    }
}

#[test]
fn rows_are_added_changed_and_removed() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    let lines = json!([{ "name": "first", "qty": "1" }, { "name": "second", "qty": "2" }]);
    let customer = uuid::Uuid::from_u128(5).to_string();
    let order = json!({ "customer_id": customer, "status": "draft", "lines": lines });
    let id = create(&office, "sales_order", order.as_object().unwrap());
    let path = format!("/records/sales_order/{id}/edit");
    let mut form = browser.get(&path).fields();
    let row = |name: &str| {
        let json = json_of(&office, id);
        let rows = json["lines"].as_array().unwrap();
        let row = rows.iter().find(|row| row["name"] == name).unwrap();
        row["id"].as_str().unwrap().to_owned()
    };
    let (first, second) = (row("first"), row("second"));
    for (name, value) in &mut form {
        if *name == format!("f.lines.{first}.qty") {
            "10".clone_into(value);
        }
    }
    form.push((format!("f.lines.{second}.-"), "1".to_owned()));
    form.push(("f.lines.+7.name".to_owned(), "third".to_owned()));
    form.push(("f.lines.+7.qty".to_owned(), "3".to_owned()));
    assert!(browser.send(&path, &form).location().ends_with("?done=saved"));
    let json = json_of(&office, id);
    let mut rows: Vec<(String, String)> = json["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (row["name"].as_str().unwrap().to_owned(), row["qty"].as_str().unwrap().to_owned())
        })
        .collect();
    rows.sort();
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(rows, [pair("first", "10"), pair("third", "3")]);
    // A new row without what it must have comes back as it was typed.
    let mut form = browser.get(&path).fields();
    form.push(("f.lines.+7.name".to_owned(), "no quantity".to_owned()));
    let seen = browser.send(&path, &form);
    assert_eq!(seen.status, 422);
    assert!(seen.text.contains("no quantity") && seen.text.contains("f.lines.+7.qty.problem"));
}

#[test]
fn a_form_that_is_refused_comes_back_with_what_to_do() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    let mut form = browser.get("/records/customer/new").fields();
    let wrong = [
        ("f.company_name", ""),
        ("f.email", "no address"),
        ("f.employees", "many"),
        ("f.annual_revenue.amount", "1.005"),
        ("f.website", "javascript:alert(1)"),
        ("f.notes", "kept"),
        ("f.parent_id", "nobody has this name"),
        ("f.visits", "x"),
    ];
    for (name, value) in &mut form {
        if let Some((_, wrong)) = wrong.iter().find(|(found, _)| found == name) {
            (*wrong).clone_into(value);
        }
    }
    let before = position(&office);
    let seen = browser.send("/records/customer/new", &form);
    assert_eq!((seen.status, position(&office)), (422, before));
    let again = seen.fields();
    for (name, value) in wrong {
        assert!(again.contains(&(name.to_owned(), value.to_owned())), "{name} is kept");
        if name != "f.notes" {
            let field = name.trim_end_matches(".amount");
            assert!(seen.text.contains(&format!("id=\"{field}.problem\"")), "{field} is told");
        }
    }
}
