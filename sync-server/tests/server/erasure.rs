//! Erasing a person on the office pages and from the command line.

use outrider_core::{ids::RecordId, sync::sign::is_document_signed};
use serde_json::{Value as Json, json};

use crate::{browser::Browser, pages::create, world::Office};

/// A contact, and what its page is called.
fn person(office: &Office) -> (RecordId, String) {
    let customer = json!({ "company_name": "Nordlicht" });
    let customer = create(office, "customer", customer.as_object().unwrap());
    let contact = json!({ "name": "Anna Quillfeather", "customer_id": customer.to_string() });
    let contact = create(office, "contact", contact.as_object().unwrap());
    let naming = json!({ "name": "Pump for Anna Quillfeather", "sales_stage": "commit",
                         "customer_id": customer.to_string() });
    create(office, "opportunity", naming.as_object().unwrap());
    (contact, format!("/records/contact/{contact}"))
}

#[test]
fn an_administrator_erases_a_person_and_gets_a_certificate() {
    let office = Office::open(&[]);
    let mut admin = Browser::signed_in(&office);
    let (contact, path) = person(&office);
    assert!(admin.get(&path).text.contains(&format!("{path}/erase")));
    let page = admin.get(&format!("{path}/erase"));
    assert!(page.text.contains("Pump for Anna Quillfeather"), "{}", page.text);
    assert_eq!(admin.get(&format!("{path}/erasure.json")).status, 404);

    let disclosed: Json =
        serde_json::from_str(&admin.get(&format!("{path}/disclosure.json")).text).unwrap();
    assert_eq!(disclosed["records"][0]["title"], "Anna Quillfeather");
    assert_eq!(office.audit("disclosed").len(), 1);

    let wrong = admin.post(&format!("{path}/erase"), &[("confirm", "yes")]);
    assert!(wrong.text.contains("Nothing was erased"), "{}", wrong.text);
    let typed = contact.to_string();
    let done = admin.post(&format!("{path}/erase"), &[("confirm", &typed)]);
    assert_eq!(done.location(), format!("{path}/erase"));
    let page = admin.get(&format!("{path}/erase")).text;
    assert!(page.contains("id=\"certificate\"") && page.contains("One file"), "{page}");
    assert!(!page.contains("Quillfeather"));
    assert!(!admin.get(&path).text.contains("Quillfeather"));
    assert!(!admin.get(&format!("{path}/history")).text.contains("Quillfeather"));
    assert_eq!(admin.get(&format!("{path}/disclosure.json")).status, 404);
    assert_eq!(office.audit("erased").len(), 1);
    assert!(admin.get("/audit").text.contains("person erased"));

    let signed: Json =
        serde_json::from_str(&admin.get(&format!("{path}/erasure.json")).text).unwrap();
    check_signed(&signed, contact);
    // The command line says the same.
    let data = office.data().to_str().unwrap();
    let run = |command: &[&str]| {
        let program = env!("CARGO_BIN_EXE_outrider-sync-server");
        std::process::Command::new(program).args(command).args(["--data", data]).output().unwrap()
    };
    let output = run(&["erasure", "certificate", &typed]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    check_signed(&serde_json::from_slice(&output.stdout).unwrap(), contact);
    let output = run(&["erasure", "erase", "--yes", &typed]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("erased before"));
    let output = run(&["disclose", &typed]);
    assert!(!output.status.success());
}

fn check_signed(signed: &Json, record: RecordId) {
    let text = |name: &str| signed[name].as_str().unwrap().to_owned();
    let key: [u8; 65] = outrider_core::ids::from_hex(&text("public_key")).unwrap();
    let signature: [u8; 64] = outrider_core::ids::from_hex(&text("signature")).unwrap();
    assert!(is_document_signed(&key, "erasure", text("body").as_bytes(), &signature));
    let body: Json = serde_json::from_str(&text("body")).unwrap();
    assert_eq!((&body["record"], &body["is_overwritten"]), (&json!(record), &json!(true)));
}

#[test]
fn the_page_speaks_chinese_and_is_for_administrators_alone() {
    let office = Office::open(&["--sign-ins-per-minute", "1000"]);
    let mut admin = Browser::signed_in(&office);
    let (contact, path) = person(&office);
    admin.post("/language", &[("language", "zh"), ("next", "/")]);
    let page = admin.get(&format!("{path}/erase")).text;
    assert!(page.contains("删除个人信息") && !page.contains(">erase-"), "{page}");
    let mut clerk = Browser::clerk(&office, "li");
    assert!(!clerk.get(&path).text.contains(&format!("{path}/erase")));
    for file in ["erase", "erasure.json", "disclosure.json"] {
        assert_eq!(clerk.get(&format!("{path}/{file}")).status, 403, "{file}");
    }
    let typed = contact.to_string();
    assert_eq!(clerk.post(&format!("{path}/erase"), &[("confirm", &typed)]).status, 403);
    assert!(office.audit("erased").is_empty() && office.audit("disclosed").is_empty());
}
