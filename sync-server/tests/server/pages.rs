//! The office pages: links, conflicts, lists, both languages.

use outrider_core::{ids::RecordId, schema::Schema};
use outrider_sync_server::{
    office::{self, Author},
    storage::Storage,
};
use serde_json::{Map, Value, json};

use crate::{
    browser::{Browser, Seen},
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

pub(crate) fn position(office: &Office) -> u64 {
    office.storage.read().unwrap().position().unwrap()
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
