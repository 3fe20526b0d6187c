//! Links by key and by name, in any order, empty, missing and ambiguous.

use outrider_core::ids::RecordId;
use serde_json::json;

use crate::world::{World, counts};

const COMPANIES: &str = r#"
entity = "customer"
source = "erp"
key = "no"
[fields]
company_name = { column = "name" }
parent_id = { column = "parent", ref = { entity = "customer", by = "company_name" } }
"#;

const DEALS: &str = r#"
entity = "opportunity"
source = "erp"
key = "no"
[fields]
name = { column = "name" }
sales_stage = { const = "prospecting" }
customer_id = { column = "customer", ref = { by = "key" }, allow_empty = true }
product_id = { column = "product", ref = { by = "name", missing = "reject" } }
"#;

fn id(key: &str) -> String {
    RecordId::external("customer", "erp", key).to_string()
}

#[test]
fn parents_may_come_later_in_the_file_and_in_later_files() {
    let mut world = World::new();
    let csv = "no,name,parent\n1,Leaf,Branch\n2,Branch,Root\n3,Root,\n4,Lone,Nobody\n";
    let report = world.import(COMPANIES, csv);
    assert_eq!(counts(&report), [4, 0, 0, 0]);
    assert_eq!(report.empty_references["parent_id"], 1);
    assert_eq!(report.missing_references["parent_id"], 1);
    assert_eq!(world.get("customer", "1")["parent_id"], id("2"));
    assert_eq!(world.get("customer", "2")["parent_id"], id("3"));
    assert!(world.get("customer", "4").get("parent_id").is_none());

    let again = world.import(COMPANIES, csv);
    assert_eq!(counts(&again), [0, 0, 4, 0]);
    assert_eq!(again.missing_references["parent_id"], 1);

    let report = world.import(COMPANIES, &format!("{csv}5,Nobody,\n"));
    assert_eq!(counts(&report), [1, 1, 3, 0]);
    assert!(report.missing_references.is_empty(), "{report}");
    assert_eq!(world.get("customer", "4")["parent_id"], id("5"));
}

#[test]
fn a_parent_that_a_person_chose_stays() {
    let mut world = World::new();
    world.import(COMPANIES, "no,name,parent\n1,Leaf,Later\n2,Other,\n");
    world.edit("customer", "1", json!({ "parent_id": id("2") }));
    let report = world.import(COMPANIES, "no,name,parent\n1,Leaf,Later\n3,Later,\n");
    assert_eq!(counts(&report), [1, 0, 1, 0]);
    assert_eq!(world.get("customer", "1")["parent_id"], id("2"));
}

#[test]
fn a_dry_run_finds_parents_that_come_later() {
    let mut world = World::new();
    let csv = "no,name,parent\n1,Leaf,Root\n2,Root,\n";
    let report = world.try_import(COMPANIES, csv.as_bytes(), true).unwrap();
    assert_eq!(counts(&report), [2, 0, 0, 0]);
    assert!(report.missing_references.is_empty(), "{report}");
}

#[test]
fn names_that_several_records_have_name_none() {
    let mut world = World::new();
    let csv = "no,name,parent\n1,Twin,\n2,Twin,\n3,Leaf,Twin\n";
    let report = world.import(COMPANIES, csv);
    assert_eq!(report.ambiguous_references["parent_id"], 1);
    assert!(world.get("customer", "3").get("parent_id").is_none());
}

#[test]
fn links_by_key_and_by_name_empty_missing_and_rejected() {
    let mut world = World::new();
    world.import(COMPANIES, "no,name,parent\n1,Acme,\n");
    let product = json!({ "name": "GTX Pro" });
    world.replica.create("product", &crate::world::map(product)).unwrap();
    let csv = "no,name,customer,product
1,One,1,GTX Pro
2,Two,,GTX Pro
3,Three,99,GTX Pro
4,Four,1,GTXPro
5,Five,1,
";
    let report = world.import(DEALS, csv);
    assert_eq!(counts(&report), [4, 0, 0, 1]);
    assert_eq!(report.empty_references["customer_id"], 1);
    assert_eq!(report.empty_references["product_id"], 1);
    assert_eq!(report.missing_references["customer_id"], 1);
    assert_eq!(report.errors[0].reason, "`product_id`: there is no such product");
    assert_eq!(world.get("opportunity", "1")["customer_id"], id("1"));

    // The customer arrives, and every row that waits for it is told.
    let report = world.import(COMPANIES, "no,name,parent\n99,Late,\n");
    assert_eq!(report.linked_earlier, 1);
    assert_eq!(world.get("opportunity", "3")["customer_id"], id("99"));
    assert_eq!(counts(&world.import(DEALS, csv)), [0, 0, 4, 1]);
    assert_eq!(world.get("opportunity", "3")["customer_id"], id("99"));
}

#[test]
fn a_required_link_without_its_record_rejects_the_row() {
    let mut world = World::new();
    let mapping = r#"
entity = "interaction"
source = "erp"
key = "no"
[fields]
channel = { const = "visit" }
occurred_at = { column = "at" }
customer_id = { column = "customer", ref = { by = "key" } }
"#;
    let csv = "no,at,customer\n1,2026-03-05,99\n2,2026-03-05,\n";
    let report = world.import(mapping, csv);
    assert_eq!(counts(&report), [0, 0, 0, 2]);
    assert_eq!(report.errors[0].reason, "`customer_id`: there is no such customer");
    assert_eq!(report.errors[1].reason, "`customer_id` is required");

    // Where the mapping allows it, the link may stay empty.
    let lenient = mapping.replace("\"key\" } }", "\"key\" }, allow_empty = true }");
    assert_eq!(counts(&world.import(&lenient, csv)), [2, 0, 0, 0]);
}
