//! Cells as our exports write them, imported by a mapping: defused texts, rows, awkward members.

use serde_json::json;

use crate::world::{World, counts};

const CONTACTS: &str = r#"
entity = "contact"
source = "erp"
key = "no"

[fields]
name = { column = "name" }
customer_id = { const = "018f0000-0000-7000-8000-000000000001" }
phones = { column = "phones" }
tags = { column = "tags", split = ";" }
"#;

#[test]
fn a_defused_cell_is_itself_again_and_others_keep_their_apostrophes() {
    let mut world = World::new();
    let csv = "no,name,phones,tags\n1,'=SUM(A1),,\n2,'s-Hertogenbosch,,\n3,''-x,,\n";
    assert_eq!(counts(&world.import(CONTACTS, csv)), [3, 0, 0, 0]);
    for (key, name) in [("1", "=SUM(A1)"), ("2", "'s-Hertogenbosch"), ("3", "'-x")] {
        assert_eq!(world.get("contact", key)["name"], json!({ "full": name }), "{key}");
    }
}

#[test]
fn rows_and_members_are_read_from_json() {
    let mut world = World::new();
    let id = "0000000001";
    let row =
        |number: &str| format!("\"[{{\"\"id\"\":\"\"{id}\"\",\"\"number\"\":\"\"{number}\"\"}}]\"");
    let csv =
        |cell: &str| format!("no,name,phones,tags\n1,王,{cell},\"[\"\"a;b\"\",\"\"c\"\"]\"\n");
    assert_eq!(counts(&world.import(CONTACTS, &csv(&row("110")))), [1, 0, 0, 0]);
    let record = world.get("contact", "1");
    assert_eq!(record["phones"][0]["number"], "110");
    assert_eq!(record["tags"], json!(["a;b", "c"]));
    // People add a row; the file changes its own.
    world.edit("contact", "1", json!({ "phones": {"add": [{"number": "999"}]} }));
    assert_eq!(counts(&world.import(CONTACTS, &csv(&row("120")))), [0, 1, 0, 0]);
    let mut numbers: Vec<String> = world.get("contact", "1")["phones"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["number"].as_str().unwrap().to_owned())
        .collect();
    numbers.sort();
    assert_eq!(numbers, ["120", "999"]);
    assert_eq!(counts(&world.import(CONTACTS, &csv(&row("120")))), [0, 0, 1, 0]);
    for wrong in ["x", "\"[{\"\"number\"\":\"\"1\"\"}]\"", "\"[{\"\"id\"\":\"\"1\"\"}]\""] {
        assert_eq!(counts(&world.import(CONTACTS, &csv(wrong)))[3], 1, "{wrong}");
    }
}
