//! Rows become records once; what people edit stays; bad rows are told apart.

use serde_json::json;

use crate::world::{CUSTOMERS, World, counts};

const FILE: &str = "no,name,industry,employees,remark
1,Acme,technolgy,120,x
2,Bolt,retail,,y
";

#[test]
fn rows_become_records_that_name_their_origin() {
    let mut world = World::new();
    let report = world.import(CUSTOMERS, FILE);
    assert_eq!(counts(&report), [2, 0, 0, 0]);
    let acme = world.get("customer", "1");
    assert_eq!(acme["company_name"], "Acme");
    assert_eq!(acme["industry"], "technology");
    assert_eq!(acme["employees"], 120);
    assert_eq!(acme["external_id"], "erp:1");
    assert!(world.get("customer", "2").get("employees").is_none());
    assert_eq!(report.mapped_values["industry"]["technolgy"], 1);
    assert_eq!(report.unused_columns, ["remark"]);
}

#[test]
fn the_same_file_again_changes_nothing_even_after_edits() {
    let mut world = World::new();
    world.import(CUSTOMERS, FILE);
    world.edit("customer", "1", json!({ "company_name": "Acme Group" }));
    let waiting = world.waiting();
    assert_eq!(counts(&world.import(CUSTOMERS, FILE)), [0, 0, 2, 0]);
    assert_eq!(world.get("customer", "1")["company_name"], "Acme Group");
    assert_eq!(world.waiting(), waiting);
}

#[test]
fn only_what_the_file_changed_is_written() {
    let mut world = World::new();
    world.import(CUSTOMERS, FILE);
    world.edit("customer", "1", json!({ "company_name": "Acme Group" }));
    let later = FILE.replace("120", "150");
    assert_eq!(counts(&world.import(CUSTOMERS, &later)), [0, 1, 1, 0]);
    let acme = world.get("customer", "1");
    assert_eq!(acme["company_name"], "Acme Group");
    assert_eq!(acme["employees"], 150);

    let emptied = FILE.replace("120", "");
    assert_eq!(counts(&world.import(CUSTOMERS, &emptied)), [0, 1, 1, 0]);
    assert!(world.get("customer", "1").get("employees").is_none());
}

#[test]
fn a_map_that_grows_leaves_other_fields_alone() {
    let mut world = World::new();
    world.import(CUSTOMERS, FILE);
    world.edit("customer", "1", json!({ "industry": "software" }));
    let mapping = CUSTOMERS.replace("technolgy =", "shop = \"retail\", technolgy =");
    assert_eq!(counts(&world.import(&mapping, FILE)), [0, 0, 2, 0]);
    assert_eq!(world.get("customer", "1")["industry"], "software");
}

#[test]
fn a_record_from_elsewhere_is_only_completed() {
    let mut world = World::new();
    let id = outrider_core::ids::RecordId::external("customer", "erp", "1");
    let fields = crate::world::map(json!({ "company_name": "Acme Group" }));
    world.replica.transaction(|writer| writer.create("customer", Some(id), &fields)).unwrap();
    let report = world.import(CUSTOMERS, FILE);
    assert_eq!(counts(&report), [1, 1, 0, 0]);
    assert_eq!(report.adopted, 1);
    let acme = world.get("customer", "1");
    assert_eq!(acme["company_name"], "Acme Group");
    assert_eq!(acme["employees"], 120);
}

#[test]
fn bad_rows_are_told_apart_and_the_rest_is_imported() {
    let mut world = World::new();
    let report = world.import(
        CUSTOMERS,
        "no,name,industry,employees
1,Acme,retail,1
2,Bolt,retail
3,Cork,spaceships,3
4,,retail,4
1,Again,retail,5
,Nobody,retail,6
7,Dune,retail,many
8,Echo,retail,8
",
    );
    assert_eq!(counts(&report), [2, 0, 0, 6]);
    let told: Vec<String> = report
        .errors
        .iter()
        .map(|error| format!("{}|{}|{}", error.row, error.column, error.reason))
        .collect();
    assert_eq!(
        told,
        [
            "3||the row has 3 cells, the header 4",
            "4|industry|`industry`: the list industry has no such choice",
            "5|name|`company_name` is required",
            "6|no|row 2 has the same key",
            "7|no|the key is empty",
            "8|employees|`employees`: this is not a decimal number",
        ]
    );
    let written = world.error_file();
    assert!(written.starts_with("row,column,reason,no,name,industry,employees\n"), "{written}");
    assert!(written.contains("\n3,,\"the row has 3 cells, the header 4\",2,Bolt,retail\n"));
    assert!(written.contains("\n4,industry,"), "{written}");
    assert_eq!(written.lines().count(), 7);
}

#[test]
fn more_errors_than_are_kept_are_all_in_the_file() {
    let mut world = World::new();
    let mut csv = String::from("no,name,industry,employees\n");
    for row in 0..2_500 {
        csv.push_str(&format!("{row},,retail,1\n"));
    }
    let report = world.import(CUSTOMERS, &csv);
    assert_eq!(counts(&report), [0, 0, 0, 2_500]);
    assert_eq!(report.errors.len(), outrider_core::transfer::report::ERRORS_KEPT_MAX);
    assert_eq!(world.error_file().lines().count(), 2_501);
    assert!(report.to_string().contains("and 2400 more rejected rows"));
}

#[test]
fn keys_of_several_columns_and_of_several_rows() {
    let mut world = World::new();
    let mapping = r#"
entity = "product"
source = "erp"
key = ["a", "b"]
key_occurrence = true
[fields]
name = { column = "name" }
"#;
    let csv = "a,b,name\nx,y,One\nx/y,,Two\nx,y,Three\n";
    assert_eq!(counts(&world.import(mapping, csv)), [3, 0, 0, 0]);
    assert_eq!(world.get("product", "x/y")["name"], "One");
    assert_eq!(world.get("product", "x%2Fy/")["name"], "Two");
    assert_eq!(world.get("product", "x/y#2")["name"], "Three");
    assert_eq!(counts(&world.import(mapping, csv)), [0, 0, 3, 0]);
}

#[test]
fn a_dry_run_counts_and_writes_nothing() {
    let mut world = World::new();
    let report = world.try_import(CUSTOMERS, FILE.as_bytes(), true).unwrap();
    assert_eq!(counts(&report), [2, 0, 0, 0]);
    assert!(report.is_dry_run && report.to_string().contains("dry run"));
    assert_eq!(world.waiting(), 0);
    assert_eq!(counts(&world.import(CUSTOMERS, FILE)), [2, 0, 0, 0]);
}

#[test]
fn sets_parts_and_texts_come_from_files_too() {
    let mut world = World::new();
    let mapping = r#"
entity = "customer"
source = "erp"
key = "no"
[fields]
company_name = { template = "{name} ({city})" }
tags = { column = "tags", split = ";" }
"address.country" = { const = "中国" }
"address.city" = { column = "city" }
notes = { column = "notes" }
annual_revenue = { column = "revenue", times = 1_000_000, currency = "USD" }
"#;
    let csv = "no,name,city,tags,notes,revenue\n1,Acme,上海,big; loud ,Long story,1.5\n";
    assert_eq!(counts(&world.import(mapping, csv)), [1, 0, 0, 0]);
    let acme = world.get("customer", "1");
    assert_eq!(acme["company_name"], "Acme (上海)");
    assert_eq!(acme["tags"], json!(["big", "loud"]));
    assert_eq!(acme["address"], json!({ "country": "中国", "city": "上海" }));
    assert_eq!(acme["notes"], "Long story");
    assert_eq!(acme["annual_revenue"]["amount"], "1500000.00");

    let street = json!({ "country": "中国", "city": "上海", "street": "南京路1号" });
    world.edit("customer", "1", json!({ "address": street, "tags": { "add": ["mine"] } }));
    let moved = csv.replace("上海", "北京").replace("big; loud ", "loud");
    assert_eq!(counts(&world.import(mapping, &moved)), [0, 1, 0, 0]);
    let acme = world.get("customer", "1");
    assert_eq!(acme["address"]["city"], "北京");
    assert_eq!(acme["address"]["street"], "南京路1号");
    assert!(acme["tags"].as_array().unwrap().contains(&json!("mine")));
}
