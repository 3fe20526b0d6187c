//! The pages of records that are the same, as a browser without a script sees them.

use outrider_core::ids::RecordId;
use serde_json::{Value, json};

use crate::{
    browser::Browser,
    pages::{create, json_of},
    world::Office,
};

fn customer(office: &Office, fields: &Value) -> RecordId {
    create(office, "customer", fields.as_object().unwrap())
}

#[test]
fn a_new_record_that_may_be_here_is_asked_about_once() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    let old = customer(&office, &json!({ "company_name": "Acme Pumps", "phone": "021 5555 1234" }));
    let mut form = browser.get("/records/customer/new").fields();
    for (name, value) in &mut form {
        match name.as_str() {
            "f.company_name" => "ACME Pumps Ltd".clone_into(value),
            "f.phone" => "+86 21 5555 1234".clone_into(value),
            _ => {}
        }
    }
    let seen = browser.send("/records/customer/new", &form);
    assert_eq!(seen.status, 422);
    assert!(seen.text.contains(&old.to_string()) && seen.text.contains("name=\"anyway\""));
    let mut again = seen.fields();
    again.push(("anyway".to_owned(), "1".to_owned()));
    assert_eq!(browser.send("/records/customer/new", &again).status, 303);
    let typed = "/likely/customer?f.company_name=acme+pumps&f.phone=55551234";
    let hints: Value = serde_json::from_str(&browser.get(typed).text).unwrap();
    assert_eq!(hints.as_array().unwrap().len(), 2);
}

#[test]
fn pairs_are_merged_parted_and_told_apart() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    let one = customer(
        &office,
        &json!({ "company_name": "Acme Pumps Ltd", "phone": "021 5555 1234", "website": "https://acme.example" }),
    );
    let other =
        customer(&office, &json!({ "company_name": "Acme Pumps", "phone": "021 5555 1234" }));
    let seen = browser.get("/duplicates").text;
    assert!(seen.contains(&one.to_string()) && seen.contains(&other.to_string()), "{seen}");
    let path = format!("/records/customer/{one}/merge/{other}");
    let seen = browser.get(&path);
    assert!(seen.text.contains("name=\"take.company_name\""), "{}", seen.text);
    let csrf = browser.csrf();
    let form =
        [("_csrf", csrf.as_str()), ("take.company_name", "loser"), ("take.website", "loser")];
    assert_eq!(browser.send(&path, &form).status, 303);
    assert_eq!(json_of(&office, other)["company_name"], "Acme Pumps Ltd");
    assert_eq!(json_of(&office, other)["website"], "https://acme.example");
    let merged = browser.get(&format!("/records/customer/{one}")).text;
    assert!(merged.contains("/unmerge") && merged.contains(&other.to_string()));
    assert!(browser.get(&format!("/records/customer/{other}")).text.contains(&one.to_string()));
    assert_eq!(browser.get(&path).status, 409);
    let unmerge = format!("/records/customer/{one}/unmerge");
    assert_eq!(browser.send(&unmerge, &[("_csrf", csrf.as_str())]).status, 303);
    assert_eq!(json_of(&office, other)["company_name"], "Acme Pumps");
    let distinct = format!("/records/customer/{one}/distinct");
    let other = other.to_string();
    let form = [("_csrf", csrf.as_str()), ("other", other.as_str())];
    assert_eq!(browser.send(&distinct, &form).status, 303);
    assert!(!browser.get("/duplicates").text.contains(&other));
    let product = create(&office, "product", json!({ "name": "Pump" }).as_object().unwrap());
    for stranger in [product, one] {
        let stranger = stranger.to_string();
        let form = [("_csrf", csrf.as_str()), ("other", stranger.as_str())];
        assert_eq!(browser.send(&distinct, &form).status, 409, "{stranger}");
    }
}
