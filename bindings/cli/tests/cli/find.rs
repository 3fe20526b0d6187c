//! Searching, places, saved filters, lists that stay.

use serde_json::{Value as Json, json};

use crate::support::Device;

fn sample() -> (Device, String) {
    let device = Device::new();
    let one = device.create(&[
        "customer",
        "company_name=三川实业",
        "phone=028 8555 1234",
        r#"geo={"lat":"31.23","lon":"121.47"}"#,
    ]);
    device.create(&[
        "customer",
        "company_name=Müller GmbH",
        "employees=7",
        r#"geo={"lat":"48.1","lon":"11.5"}"#,
    ]);
    device.create(&["customer", "company_name=Miller Inc", "employees=9"]);
    (device, one)
}

fn titles(page: &Json, of: &str, title: &str) -> Vec<String> {
    let items = page[of].as_array().unwrap();
    items.iter().map(|item| item[title].as_str().unwrap().to_owned()).collect()
}

#[test]
fn records_are_found_by_what_is_typed() {
    let (device, one) = sample();
    let found =
        |args: &[&str]| titles(&device.json(&[&["search"], args].concat()), "hits", "title");
    assert_eq!(found(&["scsy"]), ["三川实业"]);
    assert_eq!(found(&["8555", "12"]), ["三川实业"]);
    assert_eq!(found(&["mul"]), ["Müller GmbH"]);
    assert_eq!(found(&["m", "--entity", "customer"]).len(), 2);
    assert_eq!(found(&["m", "--limit", "1", "--page", "2"]).len(), 1);
    assert!(found(&["\"; --"]).is_empty());
    let words = device.run(&["search", "85551"]).stdout;
    assert!(words.starts_with(&format!("{one}  Customer  三川实业  Phone number: 028 8555 1234")));
    assert_eq!(device.fail(&["search", "x", "--entity", "nothing"]).0, 2);
}

#[test]
fn what_is_near_is_listed() {
    let (device, one) = sample();
    let near =
        |args: &[&str]| titles(&device.json(&[&["near"], args].concat()), "records", "title");
    assert_eq!(near(&["31.2,121.4"]), ["三川实业", "Müller GmbH"]);
    assert_eq!(near(&["31.2,121.4", "--within", "10km"]), ["三川实业"]);
    assert_eq!(near(&["-31.2,-121.4", "--limit", "1"]).len(), 1);
    assert_eq!(near(&[&one])[0], "三川实业");
    assert_eq!(device.fail(&["near", "north"]).0, 2);
    assert_eq!(device.fail(&["near", "99,0"]).0, 2);
    assert_eq!(device.fail(&["near", "1,1", "--within", "far"]).0, 2);
}

#[test]
fn lists_are_kept_and_taken() {
    let (device, _) = sample();
    let save = [
        "filter",
        "save",
        "M",
        "--entity",
        "customer",
        "--search",
        "m",
        "--sort",
        "employees",
        "--desc",
    ];
    let first = device.json(&save)["record"].clone();
    let list = |args: &[&str]| {
        titles(&device.json(&[&["list", "customer"], args].concat()), "records", "company_name")
    };
    assert_eq!(list(&["--saved", "M"]), ["Miller Inc", "Müller GmbH"]);
    assert_eq!(list(&["--saved", "M", "--where", "employees=7"]), ["Müller GmbH"]);
    assert_eq!(list(&["--search", "gmbh"]), ["Müller GmbH"]);
    let again = ["filter", "save", "M", "--entity", "customer", "--where", "employees=9"];
    assert_eq!(device.json(&again)["record"], first, "the same one, changed");
    assert_eq!(list(&["--saved", "M"]), ["Miller Inc"]);
    let filters = device.json(&["filter", "list"]);
    assert_eq!(filters["filters"][0]["query"]["filters"][0]["column"], json!("employees"));
    assert_eq!(device.fail(&["list", "customer", "--saved", "N"]).0, 2);
}
