//! The office pages: every entity's forms, conflicts, histories, both languages.

use std::collections::BTreeMap;

use outrider_core::{
    ids::RecordId,
    schema::{Entity, Field, Kind, Schema, sample},
};
use outrider_sync_server::{
    office::{self, Author},
    storage::Storage,
};
use serde_json::{Map, Value, json};

use crate::{
    browser::{Browser, Pairs, Seen},
    world::{NOW, Office, public_key},
};

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' \
                      data:; connect-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

fn author(office: &Office, user: &str) -> Author {
    office::author_for(office.storage.as_ref(), user, None, NOW).unwrap()
}

pub(crate) fn create(office: &Office, entity: &str, fields: &Map<String, Value>) -> RecordId {
    let policy = outrider_core::access::Policy::open();
    let author = author(office, "Li Na");
    office::create(office.storage.as_ref(), &policy, &author, entity, fields, NOW).unwrap()
}

fn update(office: &Office, id: RecordId, fields: Value) {
    let policy = outrider_core::access::Policy::open();
    let (author, fields) = (author(office, "Li Na"), fields.as_object().unwrap().clone());
    office::update(office.storage.as_ref(), &policy, &author, id, &fields, None, NOW).unwrap();
}

pub(crate) fn json_of(office: &Office, id: RecordId) -> Map<String, Value> {
    office::view(&*office.storage.read().unwrap(), id).unwrap().unwrap().json
}

fn position(office: &Office) -> u64 {
    office.storage.read().unwrap().position().unwrap()
}

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

#[test]
fn a_link_is_found_by_its_name_or_chosen() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    let customer = |name: &str| {
        create(&office, "customer", json!({ "company_name": name }).as_object().unwrap())
    };
    let one = customer("三川实业有限公司");
    let (twin, other) = (customer("Twin"), customer("Twin"));
    let mut contact = |name: &str, pick: Option<RecordId>| -> Seen {
        let mut form = vec![
            ("f.name.full".to_owned(), "Wang Wei".to_owned()),
            ("f.customer_id".to_owned(), name.to_owned()),
        ];
        form.extend(pick.map(|pick| ("f.customer_id.pick".to_owned(), pick.to_string())));
        form.push(("_csrf".to_owned(), browser.csrf()));
        browser.send("/records/contact/new", &form)
    };
    let made = |seen: &Seen| -> RecordId {
        seen.location().split(['/', '?']).nth(3).unwrap().parse().unwrap()
    };
    let seen = contact("三川实业有限公司", None);
    assert_eq!(json_of(&office, made(&seen))["customer_id"], one.to_string());
    let seen = contact("twin", None);
    assert_eq!(seen.status, 422);
    for id in [twin, other] {
        assert!(
            seen.text.contains(&format!("<option value=\"{id}\">Twin</option>")),
            "{}",
            seen.text
        );
    }
    let seen = contact("twin", Some(other));
    assert_eq!(json_of(&office, made(&seen))["customer_id"], other.to_string());
    let found: Value =
        serde_json::from_str(&browser.get("/suggest/customer?q=%E4%B8%89%E5%B7%9D").text).unwrap();
    assert_eq!(found, json!([{ "id": one.to_string(), "title": "三川实业有限公司" }]));
    let twins = browser.get("/suggest/customer?q=win").text;
    assert!(twins.contains("Twin · "), "two of one name are told apart: {twins}");
    let people: Value =
        serde_json::from_str(&browser.get("/suggest/contact?q=wei+wang").text).unwrap();
    assert_eq!(people.as_array().unwrap().len(), 2, "words of a name in any order");
}

#[test]
fn a_colleagues_newer_value_stays_and_is_settled() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    let id = create(
        &office,
        "customer",
        json!({ "company_name": "Nordlicht", "phone": "+49 1" }).as_object().unwrap(),
    );
    let path = format!("/records/customer/{id}");
    let created = position(&office);
    let mut form = browser.get(&format!("{path}/edit")).fields();
    update(&office, id, json!({ "company_name": "Nordlicht GmbH", "short_name": "NL" }));
    for (name, value) in &mut form {
        if name == "f.company_name" {
            "Nordlicht AG".clone_into(value);
        }
    }
    let saved = browser.send(&format!("{path}/edit"), &form).location().to_owned();
    let page = browser.get(&saved);
    assert!(page.text.contains("Nordlicht AG") && page.text.contains("Nordlicht GmbH"));
    assert!(page.text.contains("id=\"conflicts\"") && page.text.contains("must be settled"));
    assert_eq!(json_of(&office, id)["short_name"], "NL", "what was not touched was not written");
    assert!(browser.get("/").text.contains(&format!("{path}#conflicts")));

    let csrf = browser.csrf();
    let settle = [
        ("_csrf", csrf.as_str()),
        ("seen", &position(&office).to_string()),
        ("key", "company_name"),
        ("value", "\"Nordlicht GmbH\""),
    ];
    assert_eq!(
        browser.send(&format!("{path}/settle"), &settle).location(),
        format!("{path}?done=settled")
    );
    assert_eq!(json_of(&office, id)["company_name"], "Nordlicht GmbH");
    assert!(!browser.get(&path).text.contains("id=\"conflicts\""));
    let now = position(&office).to_string();
    let again = [settle[0], ("seen", &now), settle[2], settle[3]];
    let seen = browser.send(&format!("{path}/settle"), &again);
    assert_eq!(seen.location(), format!("{path}?done=same"), "nothing is left to settle");
    let mut wrong = settle;
    wrong[3].1 = "no json";
    assert_eq!(browser.send(&format!("{path}/settle"), &wrong).status, 400);

    let history = browser.get(&format!("{path}/history")).text;
    for word in ["Nordlicht AG", "Nordlicht GmbH", "Li Na", "Administrator", "settled"] {
        assert!(history.contains(word), "{word}");
    }
    let phones = browser.get(&format!("{path}/history?field=phone")).text;
    assert!(phones.contains("+49 1") && !phones.contains("Nordlicht AG"));
    let first = browser.get(&format!("{path}/at/{created}")).text;
    assert!(first.contains("+49 1") && !first.contains("GmbH</dd>"));
    assert_eq!(browser.get(&format!("{path}/at/999")).status, 409);
    let file = browser.get(&format!("{path}/main.automerge"));
    assert_eq!(file.header("content-type"), "application/vnd.automerge");
    assert_eq!(browser.get(&format!("{path}/nothing.automerge")).status, 404);
    assert!(browser.get(&format!("{path}/record.json")).text.contains("\"Nordlicht GmbH\""));
}

#[test]
fn a_record_is_archived_and_brought_back() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    let id =
        create(&office, "customer", json!({ "company_name": "Nordlicht" }).as_object().unwrap());
    let path = format!("/records/customer/{id}");
    let seen = position(&office).to_string();
    assert_eq!(browser.post(&format!("{path}/archive"), &[("seen", &seen)]).status, 303);
    assert!(browser.get(&path).text.contains("Archived"));
    assert!(!browser.get("/records/customer").text.contains("Nordlicht"));
    assert!(browser.get("/records/customer?archived=yes").text.contains("Nordlicht"));
    let seen = position(&office).to_string();
    assert_eq!(browser.post(&format!("{path}/restore"), &[("seen", &seen)]).status, 303);
    assert!(browser.get("/records/customer").text.contains("Nordlicht"));
    assert_eq!(browser.get(&path.replace("customer", "product")).status, 404, "another entity's");
}

#[test]
fn a_record_shows_what_others_add_up_to_and_what_is_late() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    let fields = |json: Value| json.as_object().unwrap().clone();
    let place = create(&office, "stock_location", &fields(json!({ "name": "Van 3" })));
    let part = create(&office, "product", &fields(json!({ "name": "Seal" })));
    let moved = json!({
        "product_id": part.to_string(), "location_id": place.to_string(), "qty": "7",
        "move_kind": "receipt",
    });
    create(&office, "stock_move", &fields(moved));
    let page = browser.get(&format!("/records/product/{part}"));
    for shown in ["Stock quantity", "Stock by location", "Van 3", "7"] {
        assert!(page.text.contains(shown), "{shown}");
    }
    let late = json!({
        "subject": "Repair", "status": "scheduled",
        "scheduled": { "start": "2001-01-01T08:00:00Z", "end": "2001-01-01T09:00:00Z" },
    });
    let visit = create(&office, "visit", &fields(late));
    assert!(browser.get(&format!("/records/visit/{visit}")).text.contains("Overdue"));
}

#[test]
fn a_list_is_searched_sorted_and_paged() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    for n in 0..51 {
        let fields = json!({ "company_name": format!("Company {n:02}") });
        create(&office, "customer", fields.as_object().unwrap());
    }
    let names = |text: &str| -> Vec<String> {
        let rows = text.split("<th scope=\"row\">").skip(1);
        rows.map(|row| row.split(['>', '<']).nth(2).unwrap().to_owned()).collect()
    };
    let page = browser.get("/records/customer?sort=company_name").text;
    assert!(page.contains("51 records") && page.contains("aria-sort=\"ascending\""));
    assert_eq!((names(&page).len(), names(&page)[0].as_str()), (50, "Company 00"));
    let next = page.split("rel=\"next\"").next().unwrap().rsplit("href=\"").next().unwrap();
    let next = next.split('"').next().unwrap().replace("&#38;", "&");
    let last = browser.get(&next).text;
    assert_eq!(names(&last), ["Company 50"]);
    let down = browser.get("/records/customer?sort=company_name&dir=down").text;
    assert_eq!(names(&down)[0], "Company 50");
    assert_eq!(names(&browser.get("/records/customer?q=company+07").text), ["Company 07"]);
    for wrong in ["sort=nothing", "after=%00", "by=nothing&of=x", "sort=id;drop"] {
        let seen = browser.get(&format!("/records/customer?{wrong}"));
        assert_eq!(seen.status, 400, "{wrong}");
        assert!(seen.text.contains("<h1>"), "in words");
    }
}

#[test]
fn no_page_lets_what_people_typed_become_markup() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    let bad = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    let id = create(
        &office,
        "customer",
        json!({ "company_name": bad, "short_name": bad, "notes": bad, "tags": [bad.chars().take(60).collect::<String>()] }).as_object().unwrap(),
    );
    let contact =
        json!({ "name": { "full": bad }, "customer_id": id.to_string(), "job_title": bad });
    create(&office, "contact", contact.as_object().unwrap());
    update(&office, id, json!({ "short_name": "x" }));
    let query: String = form_urlencoded::Serializer::new(String::new())
        .append_pair("q", bad)
        .append_pair("next", bad)
        .finish();
    let path = format!("/records/customer/{id}");
    for page in [
        "/".to_owned(),
        "/records/customer".to_owned(),
        format!("/records/customer?{query}"),
        path.clone(),
        format!("{path}/edit"),
        format!("{path}/history"),
        format!("{path}/at/{}", position(&office)),
        "/records/contact".to_owned(),
        format!("/records/contact/new?customer_id={id}"),
        format!("/sign-in?{query}"),
        "/devices".to_owned(),
    ] {
        let seen = browser.get(&page);
        assert_eq!(seen.status, 200, "{page}");
        assert!(
            !seen.text.contains("<script>alert") && !seen.text.contains("<img src=x"),
            "{page}"
        );
        assert!(!seen.text.contains(" style=") && !seen.text.contains("<style"), "{page}");
    }
    let seen =
        browser.send("/sign-in", &[("login", bad), ("kept.\"><script>alert(1)</script>", bad)]);
    assert!(!seen.text.contains("<script>alert"), "{}", seen.text);
    let suggestions = browser.get("/suggest/customer?q=alert");
    assert_eq!(suggestions.header("content-type"), "application/json");
}

#[test]
fn every_page_has_the_policy_and_both_languages() {
    let office = Office::open(&[]);
    let mut stranger = Browser::new(&office);
    let mut browser = Browser::signed_in(&office);
    let id =
        create(&office, "customer", json!({ "company_name": "Nordlicht" }).as_object().unwrap());
    let mut pages: Vec<String> =
        ["/", "/devices", "/reports/pipeline", "/sign-in", "/nothing-here", "/records/nothing"]
            .iter()
            .map(|page| (*page).to_owned())
            .collect();
    for entity in Schema::current().entities() {
        pages.push(format!("/records/{}", entity.name));
        pages.push(format!("/records/{}/new", entity.name));
    }
    for rest in ["", "/edit", "/history"] {
        pages.push(format!("/records/customer/{id}{rest}"));
    }
    for (language, tag) in [("en", "lang=\"en\""), ("zh", "lang=\"zh-CN\"")] {
        let chosen = browser.send("/language", &[("language", language), ("next", "/devices")]);
        assert_eq!(chosen.location(), "/devices");
        for page in &pages {
            browser.headers.insert("accept", "text/html".to_owned());
            let seen = browser.get(page);
            assert_eq!(seen.header("content-security-policy"), POLICY, "{page}");
            assert_eq!(seen.header("x-content-type-options"), "nosniff", "{page}");
            assert_eq!(seen.header("referrer-policy"), "same-origin", "{page}");
            assert_eq!(seen.header("cache-control"), "no-store", "{page}");
            let html = seen.text.split("<html ").nth(1).unwrap_or_default();
            assert!(html.starts_with(tag), "{page}: {}", seen.text);
            assert_eq!(seen.text.matches("<h1").count(), 1, "{page} has one heading");
            let inputs = seen.text.matches("<input ").count();
            assert!(inputs > 0, "{page} lets one change the language");
        }
        browser.headers.clear();
    }
    let list = browser.get("/records/customer").text;
    assert!(list.contains("客户信息表") && !list.contains("Search by name"));
    // Chosen by the account: another browser reads Chinese as well, after signing in.
    let mut other = Browser::new(&office);
    other.sign_in();
    assert!(other.get("/records/customer").text.contains("客户信息表"));
    stranger.headers.insert("accept-language", "zh-CN,zh;q=0.9".to_owned());
    assert!(stranger.get("/sign-in").text.contains("登录"));
    assert_eq!(browser.send("/language", &[("language", "xx")]).status, 400);
}

#[test]
fn files_of_pages_are_kept_for_ever_and_others_are_not_there() {
    let office = Office::open(&[]);
    let mut browser = Browser::new(&office);
    let page = browser.get("/sign-in").text;
    for name in ["office.css", "office.js", "icon.svg"] {
        let path = page.split('"').find(|part| part.ends_with(name)).unwrap().to_owned();
        let seen = browser.get(&path);
        assert_eq!(
            (seen.status, seen.header("cache-control")),
            (200, "public, max-age=31536000, immutable")
        );
        assert!(seen.text.len() > 100);
    }
    for path in ["/static/0000000000000000/office.css", "/static/x/../../etc/passwd", "/static/x/y"]
    {
        assert_eq!(browser.get(path).status, 404, "{path}");
    }
}

#[test]
fn a_code_from_a_page_enrols_a_device() {
    let office = Office::open(&["--public-url", "https://crm.example.com"]);
    let mut browser = Browser::signed_in(&office);
    assert_eq!(browser.post("/devices/codes", &[("user", " "), ("minutes", "10")]).status, 200);
    assert!(
        browser
            .post("/devices/codes", &[("user", "Wang Wei"), ("minutes", "0")])
            .text
            .contains("role=\"alert\"")
    );
    let at_once = [("user", "Wang Wei"), ("minutes", "10"), ("at_once", "yes")];
    let page = browser.post("/devices/codes", &at_once).text;
    let code = page.split("id=\"code\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert!(page.contains(&format!("outrider enroll https://crm.example.com {code}")));
    assert!(page.contains("<svg") && page.contains("outrider://enroll?server="));
    let answer = office.enrol(&code);
    assert_eq!(answer.json()["user"], "Wang Wei");
    let devices = browser.get("/devices").text;
    assert!(devices.contains("Phone") && devices.contains("Wang Wei"));
    assert_eq!(public_key().len(), 33);
}

#[test]
fn pages_are_told_of_news() {
    let office = Office::open(&["--live-duration-ms", "300"]);
    let mut stranger = Browser::new(&office);
    assert_eq!(stranger.get("/live").status, 303);
    let mut browser = Browser::signed_in(&office);
    create(&office, "customer", json!({ "company_name": "Nordlicht" }).as_object().unwrap());
    let seen = browser.get("/live");
    assert_eq!(seen.header("content-type"), "text/event-stream");
    assert!(seen.text.contains(&format!("data: {}", position(&office))), "{}", seen.text);
    let page = browser.get("/").text;
    assert!(page.contains(&format!("data-position=\"{}\"", position(&office))));
}

#[test]
fn today_tells_who_sent_what_and_where_sales_stand() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    assert!(browser.get("/").text.contains("Nothing has arrived today"));
    let customer = create(
        &office,
        "customer",
        json!({ "company_name": "Nordlicht", "phone": "+49 1" }).as_object().unwrap(),
    );
    let deal = json!({
        "name": "Pump station", "customer_id": customer.to_string(), "sales_stage": "proposal",
        "expected_amount": { "currency": "CNY", "amount": "120000.00" },
    });
    create(&office, "opportunity", deal.as_object().unwrap());
    let today = browser.get("/").text;
    for words in
        ["Li Na", "Nordlicht", "Pump station", "Phone number", "120,000.00", "No conflicts"]
    {
        assert!(today.contains(words), "{words}: {today}");
    }
    let report = browser.get("/reports/pipeline").text;
    let table = report.split("<tbody>").nth(1).unwrap();
    let row = table.split("<tr").find(|row| row.contains(">Proposal<")).unwrap();
    assert!(
        row.contains(">1<") && row.contains(">120,000.00<") && row.contains(">60,000.00<"),
        "{row}"
    );
    let chart =
        report.split("<svg class=\"chart\"").nth(1).unwrap().split("</svg>").next().unwrap();
    assert!(chart.contains("<title ") && chart.contains("Proposal: 1, 120,000.00"), "{chart}");
    office.clock.advance(24 * 60 * 60 * 1_000);
    browser.sign_in();
    assert!(browser.get("/").text.contains("Nothing has arrived today"), "that was yesterday");
    let family = browser.get(&format!("/records/customer/{customer}")).text;
    assert!(family.contains("id=\"timeline\"") && family.contains("Pump station"));
}
