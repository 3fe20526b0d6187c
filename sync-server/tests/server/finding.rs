//! Search, what is near, saved filters: on the pages and for programs.

use outrider_core::ids::RecordId;
use outrider_sync_server::office;
use serde_json::{Value, json};

use crate::{
    browser::Browser,
    world::{NOW, Office},
};

fn create(office: &Office, entity: &str, fields: Value) -> RecordId {
    let policy = outrider_core::access::Policy::open();
    let author = office::author_for(office.storage.as_ref(), "Li Na", None, NOW).unwrap();
    let fields = fields.as_object().unwrap();
    office::create(office.storage.as_ref(), &policy, &author, entity, fields, NOW).unwrap()
}

#[test]
fn the_box_on_every_page_finds_everything() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    let one = create(
        &office,
        "customer",
        json!({ "company_name": "三川实业<b>", "phone": "028 8555 1234", "geo": { "lat": "31.2", "lon": "121.4" } }),
    );
    create(
        &office,
        "contact",
        json!({ "name": { "family": "王", "given": "三川" }, "customer_id": one.to_string() }),
    );
    for page in ["/", "/records/customer", "/search", "/reports/pipeline", "/devices"] {
        let seen = browser.get(page);
        assert!(seen.text.contains("<input id=\"find\" name=\"q\""), "{page}");
    }
    let seen = browser.get("/search?q=sanchuan");
    assert_eq!(seen.status, 200);
    assert!(seen.text.contains("<mark>三川</mark>实业&#60;b&#62;</a>"), "{}", seen.text);
    assert!(seen.text.contains("2 records") && seen.text.contains("Customer 1"));
    let seen = browser.get("/search?q=sanchuan&entity=contact");
    assert!(seen.text.contains("1 record<") && seen.text.contains("Customer 1"));
    let seen = browser.get("/search?q=8555+12");
    assert!(seen.text.contains("Phone number: 028 <mark>8555 12</mark>34"), "{}", seen.text);
    assert!(browser.get("/search?q=%22%27%3C%00AND").text.contains("Nothing was found"));
    assert_eq!(browser.get("/search?q=x&entity=no_such").status, 400);
    assert_eq!(browser.get("/search?q=x&after=y").status, 400);

    let record = browser.get(&format!("/records/customer/{one}")).text;
    assert!(record.contains("/near?at=31.2%2C121.4"), "{record}");
    let near = browser.get("/near?at=31.2%2C121.4&entity=customer");
    assert!(near.text.contains("三川实业") && near.text.contains("0 m"), "{}", near.text);
    assert_eq!(browser.get("/near?at=north").status, 400);
    assert_eq!(browser.get("/near?at=99,0").status, 400);
}

#[test]
fn a_list_is_kept_as_a_filter_and_taken_again() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    for name in ["Alpha Foods", "Beta Foods", "Gamma Tools"] {
        create(&office, "customer", json!({ "company_name": name }));
    }
    let list = browser.get("/records/customer?q=foods&sort=company_name&dir=down");
    let at = |text: &str, name: &str| text.find(name).unwrap_or(usize::MAX);
    assert!(at(&list.text, "Beta Foods") < at(&list.text, "Alpha Foods"));
    let mut form = list.fields();
    for (name, value) in &mut form {
        if name == "name" {
            *value = "Foods, backwards".to_owned();
        }
    }
    let keep = ["_csrf", "list", "name"];
    let form: Vec<(&str, &str)> = form
        .iter()
        .filter(|(name, _)| keep.contains(&name.as_str()))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let saved = browser.post("/records/customer/filters", &form);
    let taken = browser.get(saved.location());
    assert!(taken.text.contains("2 records") && taken.text.contains("Foods, backwards"));
    assert!(at(&taken.text, "Beta Foods") < at(&taken.text, "Alpha Foods"));
    assert!(
        browser.get("/records/customer").text.contains("Foods, backwards"),
        "offered above lists"
    );
}

#[test]
fn programs_search_too() {
    let office = Office::open(&[]);
    let (token, _) = office.enrolled();
    let geo = json!({ "lat": "1", "lon": "2" });
    let one = create(&office, "customer", json!({ "company_name": "Müller GmbH", "geo": geo }));
    let page = office.get("/v1/search?q=mull", &token).json();
    assert_eq!(page["hits"][0]["record"], one.to_string());
    assert_eq!(page["hits"][0]["title_marks"], json!([{ "start": 0, "end": 5 }]));
    assert_eq!((&page["total"], &page["is_cut"]), (&json!(1), &json!(false)));
    let none = office.get("/v1/search?q=mull&entity=contact,lead", &token).json();
    assert_eq!(none["hits"], json!([]));
    assert_eq!(office.get("/v1/search?q=mull", "").status, 401);
    assert_eq!(office.get("/v1/search?q=mull&limit=x", &token).status, 400);
    let near = office.get("/v1/near?lat=1&lon=2.001&entity=customer", &token).json();
    assert_eq!(near["records"][0]["title"], "Müller GmbH");
    assert_eq!(near["records"][0]["distance_m"], 111);
    assert_eq!(office.get("/v1/near?lat=x&lon=2", &token).status, 400);
}
