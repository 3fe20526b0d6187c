//! Single records: created, read, changed, archived, linked.

use serde_json::json;

use crate::support::Device;

#[test]
fn a_record_is_created_read_and_changed() {
    let device = Device::new();
    let id = device.create(&[
        "customer",
        "company_name=Acme Pumps",
        "annual_revenue=12000.50 CNY",
        "tags=vip,export",
        "employees=250",
        "founded_year=1987",
    ]);
    let mut record = device.json(&["get", &id]);
    let fields = record.as_object_mut().unwrap();
    fields.remove("created_at").expect("it is set by the device");
    fields.retain(|name, _| !name.ends_with("_count") && name != "potential_score");
    assert_eq!(
        record,
        json!({
            "id": id,
            "entity": "customer",
            "company_name": "Acme Pumps",
            "annual_revenue": {"currency": "CNY", "minor": 1_200_050, "amount": "12000.50"},
            "tags": ["export", "vip"],
            "employees": 250,
            "founded_year": 1987,
        })
    );
    let edit = ["edit", &id, "tags+=key", "tags-=vip", "visits+=2", "visits-=-1", "employees="];
    assert_eq!(device.json(&edit), json!({ "record": id, "changed": true }));
    assert_eq!(device.field(&id, "tags"), json!(["export", "key"]));
    assert_eq!(device.field(&id, "visits"), json!(3));
    assert!(device.field(&id, "employees").is_null());
    assert_eq!(device.json(&["edit", &id, "company_name=Acme Pumps"])["changed"], json!(false));
}

#[test]
fn chinese_values_and_labels_come_back_as_they_were_typed() {
    let device = Device::new();
    let id = device.create(&[
        "customer",
        "company_name=上海远行科技有限公司",
        "notes=第一行\n第二行",
        "lifecycle=活跃",
        "tags=重点，华东",
    ]);
    let record = device.json(&["get", &id]);
    assert_eq!(record["company_name"], "上海远行科技有限公司");
    assert_eq!(record["notes"], "第一行\n第二行");
    assert_eq!(record["lifecycle"], "active");
    assert_eq!(record["tags"], json!(["华东", "重点"]));

    let words = device.run(&["--language", "zh", "get", &id]).stdout;
    assert!(words.contains("公司名称 (company_name): 上海远行科技有限公司"), "{words}");
    assert!(words.contains("客户状态 (lifecycle): 活跃"), "{words}");
    let words = device.run(&["get", &id]).stdout;
    assert!(words.contains("Lifecycle (lifecycle): Active"), "{words}");

    let found = device.json(&["list", "customer", "--contains", "company_name=远行"]);
    assert_eq!(found["records"][0]["id"], json!(id));
}

#[test]
fn records_are_named_by_id_by_prefix_and_by_external_id() {
    let device = Device::new();
    let fields = r#"{"id": "0199b2c4-0000-7000-8000-000000000001", "company_name": "One"}"#;
    let done = device.feed(&["--json", "create", "customer", "--from-json", "-"], fields);
    assert_eq!(done.json(), json!({ "record": "0199b2c4-0000-7000-8000-000000000001" }));
    let fields = r#"{"id": "0199b2c4-0000-7000-8000-100000000002", "company_name": "Two",
                     "external_id": "erp:10042"}"#;
    device.feed(&["create", "customer", "--from-json", "-"], fields);

    let name = |reference: &str| device.field(reference, "company_name");
    assert_eq!(name("0199b2c4-0000-7000-8000-000000000001"), "One");
    assert_eq!(name("0199b2c40000700080000"), "One");
    assert_eq!(name("0199B2C4-0000-7000-8000-1"), "Two");
    assert_eq!(name("customer:erp:10042"), "Two");
    assert_eq!(device.fail(&["get", "0199b2c4"]), (2, "ambiguous_record".to_owned()));
    assert_eq!(device.fail(&["get", "0199b2c5"]), (3, "unknown_record".to_owned()));
    assert_eq!(device.fail(&["get", "customer:erp:1"]), (3, "unknown_record".to_owned()));
    assert_eq!(device.fail(&["get", "0199b2"]), (2, "bad_reference".to_owned()));

    let same = r#"{"id": "0199b2c4-0000-7000-8000-000000000001", "company_name": "Again"}"#;
    let done = device.feed(&["--json", "create", "customer", "--from-json", "-"], same);
    assert_eq!(done.failure(), (6, "exists".to_owned()));
}

#[test]
fn a_list_of_records_is_created_whole_or_not_at_all() {
    let device = Device::new();
    let two = r#"[{"company_name": "One"}, {"company_name": "Two"}]"#;
    let done = device.feed(&["--json", "create", "customer", "tags=new", "--from-json", "-"], two);
    assert_eq!(done.json()["records"].as_array().unwrap().len(), 2);
    let wrong = r#"[{"company_name": "Three"}, {"company_name": "Four", "employees": "many"}]"#;
    let done = device.feed(&["--json", "create", "customer", "--from-json", "-"], wrong);
    assert_eq!(done.failure(), (2, "bad_value".to_owned()));
    let all = device.json(&["list", "customer", "--columns", "company_name"]);
    assert_eq!(all["records"].as_array().unwrap().len(), 2);
}

#[test]
fn two_equal_records_may_be_created_at_once() {
    let device = Device::new();
    let two =
        r#"[{"company_name": "One", "notes": "same"}, {"company_name": "One", "notes": "same"}]"#;
    let done = device.feed(&["--json", "create", "customer", "--from-json", "-"], two);
    assert_eq!(done.json()["records"].as_array().unwrap().len(), 2);
}

#[test]
fn rows_are_written_as_json() {
    let device = Device::new();
    let customer = device.create(&["customer", "company_name=Acme"]);
    let link = format!("customer_id={customer}");
    let deal = device.create(&[
        "opportunity",
        "name=Pumps",
        "sales_stage=prospecting",
        &link,
        r#"lines=[{"name": "Pump", "qty": "2", "unit_price": "10 CNY"}]"#,
    ]);
    let row = device.field(&deal, "lines")[0]["id"].as_str().unwrap().to_owned();
    let edit = json!({ "lines": { "edit": { row: { "qty": "3" } } } }).to_string();
    device.feed(&["edit", &deal, "--from-json", "-"], &edit);
    assert_eq!(device.field(&deal, "lines")[0]["qty"], "3");
    let words = device.run(&["get", &deal]).stdout;
    assert!(words.contains("Customer (customer_id): Acme"), "{words}");
}

#[test]
fn archived_records_are_listed_only_when_asked_for() {
    let device = Device::new();
    let id = device.create(&["customer", "company_name=Acme"]);
    device.json(&["archive", &id]);
    let count = |args: &[&str]| device.json(args)["records"].as_array().unwrap().len();
    assert_eq!(count(&["list", "customer"]), 0);
    assert_eq!(count(&["list", "customer", "--archived"]), 1);
    device.json(&["restore", &id]);
    assert_eq!(count(&["list", "customer"]), 1);
}

#[test]
fn links_are_shown_both_ways_and_may_be_typed_in_any_form() {
    let device = Device::new();
    let customer = device.create(&["customer", "company_name=Acme", "external_id=erp:7"]);
    let contact = device.create(&["contact", "name=Wang Fang", "customer_id=customer:erp:7"]);
    device.json(&["edit", &customer, &format!("primary_contact_id={contact}")]);
    let links = device.json(&["links", &customer]);
    assert_eq!(links["to"][0]["record"], json!(contact));
    assert_eq!(links["from"][0]["record"], json!(contact));
    assert_eq!(links["from"][0]["field"], "customer_id");
    let words = device.run(&["links", "customer:erp:7"]).stdout;
    assert!(words.contains("Wang Fang"), "{words}");
    let by_link = ["list", "contact", "--where", "customer_id=customer:erp:7"];
    assert_eq!(device.json(&by_link)["records"][0]["id"], json!(contact));
}
