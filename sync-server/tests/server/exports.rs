//! Files of records: for programs by token, for people from the list that they see.

use outrider_core::{
    replica::{Options, Replica},
    transfer::own::take_back,
};
use serde_json::Value;

use crate::{browser::Browser, world::Office};

#[test]
fn a_device_exports_what_it_asks_for() {
    let office = Office::open(&[]);
    let (token, device) = office.enrolled();
    office.customer("Acme", "110");
    office.customer("=cmd|' /C calc'!A0", "120");
    let csv = office.get("/v1/export/customer?format=csv", &token);
    assert_eq!(csv.status, 200);
    let text = String::from_utf8(csv.body).unwrap();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.starts_with("id,entity,company_name"), "{text}");
    assert!(text.contains("'=cmd|"), "a formula is defused");
    let some = office.get("/v1/export/customer?format=jsonl&where=company_name%3DAcme", &token);
    let lines: Vec<Value> = std::str::from_utf8(&some.body)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["company_name"], "Acme");
    let xlsx = office.get("/v1/export/customer?format=xlsx&headers=zh", &token);
    assert_eq!(&xlsx.body[..2], b"PK");
    let cards = office.get("/v1/export/customer?format=vcf", &token);
    assert_eq!(std::str::from_utf8(&cards.body).unwrap().matches("BEGIN:VCARD").count(), 2);
    // Every export leaves a line, with ids and counts and nothing of the records.
    let lines = office.audit("exported");
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(lines[0], (Some(device), "customer csv".to_owned()));
}

#[test]
fn an_export_that_cannot_be_says_why() {
    let office = Office::open(&[]);
    let (token, _) = office.enrolled();
    let error = |path: &str, token: &str| office.get(path, token).error();
    let wrong = |code: &str| (400, code.to_owned());
    assert_eq!(error("/v1/export/customer?format=csv", "").0, 401);
    assert_eq!(error("/v1/export/castle?format=csv", &token).0, 404);
    assert_eq!(error("/v1/export/customer?format=doc", &token), wrong("bad_query"));
    assert_eq!(error("/v1/export/customer?where=x", &token), wrong("bad_query"));
    assert_eq!(error("/v1/export/customer?where=castle%3D1", &token), wrong("bad_query"));
    // A file that begins with a head was an answer of 200 that broke off.
    for format in ["csv", "xlsx", "json", "jsonl", "vcf"] {
        let path = format!("/v1/export/customer?where=castle%3D1&format={format}");
        assert_eq!(error(&path, &token), wrong("bad_query"), "{format}");
    }
    assert_eq!(error("/v1/export/product?format=ics", &token), wrong("bad_format"));
    let many = "where=phone%3D1&".repeat(40);
    assert_eq!(error(&format!("/v1/export/customer?{many}"), &token), wrong("bad_query"));
}

#[test]
fn what_the_server_exports_a_device_takes_back() {
    let office = Office::open(&[]);
    let (token, _) = office.enrolled();
    let id = office.customer("'=三川", "+86 1\u{202e}10");
    let folder = tempfile::tempdir().unwrap();
    let mut replica = Replica::open(&folder.path().join("r"), Options::default()).unwrap();
    let file = folder.path().join("file");
    let body = office.get("/v1/export/customer?format=csv&headers=zh", &token).body;
    std::fs::write(&file, body).unwrap();
    let report = take_back(&mut replica, &file, &mut |_| {}).unwrap();
    assert_eq!(report.created, 1, "{report}");
    let here = replica.get(id).unwrap().unwrap();
    let there = office.get(&format!("/v1/records/{id}"), &token).json();
    for field in ["company_name", "phone", "created_at", "created_by"] {
        assert_eq!(here[field], there["record"][field], "{field}");
    }
}

#[test]
fn a_list_is_exported_as_it_is_seen() {
    let office = Office::open(&[]);
    office.customer("Acme", "110");
    let pump = office.customer("Pumps", "120");
    let mut browser = Browser::signed_in(&office);
    let list = browser.get("/records/customer?q=Pump&sort=company_name");
    let address = "/records/customer/export/csv?q=Pump&sort=company_name";
    assert!(list.text.contains(&address.replace('&', "&#38;")) || list.text.contains(address));
    let file = browser.get(address);
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8; header=present");
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"customer.csv\"");
    assert!(file.text.starts_with('\u{feff}'), "Excel is told that it is UTF-8");
    assert!(file.text.contains("Pumps") && !file.text.contains("Acme"), "{}", file.text);
    let record = browser.get(&format!("/records/customer/{pump}"));
    assert!(record.text.contains(&format!("/records/customer/{pump}/export/vcf")));
    let card = browser.get(&format!("/records/customer/{pump}/export/vcf"));
    assert!(card.text.contains("FN:Pumps\r\n"), "{}", card.text);
    assert_eq!(browser.get("/records/product/export/ics").status, 404);
    assert_eq!(browser.get("/records/customer/export/doc").status, 404);
    let mut stranger = Browser::new(&office);
    assert_ne!(stranger.get(address).status, 200, "only who is signed in exports");
    assert_eq!(office.audit("exported").len(), 2);
}
