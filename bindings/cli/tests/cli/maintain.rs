//! Care, schema, imports, reports.

use std::fs;

use serde_json::json;

use crate::support::Device;

const MAPPING: &str = r#"
entity = "customer"
source = "erp"
key = "no"

[fields]
company_name = { column = "name" }
employees = { column = "staff" }
"#;

#[test]
fn rows_agree_with_documents_and_can_be_made_anew() {
    let device = Device::new();
    device.create(&["customer", "company_name=Acme", "notes=long words"]);
    assert_eq!(device.json(&["check"]), json!({ "rows": 1, "differing": 0 }));
    assert_eq!(device.json(&["rebuild"]), json!({ "rows": 1 }));
    assert_eq!(device.json(&["check"]), json!({ "rows": 1, "differing": 0 }));
}

#[test]
fn the_schema_tells_fields_and_choices() {
    let device = Device::bare();
    let schema = device.json(&["schema", "customer"]);
    let fields = schema["fields"].as_array().unwrap();
    let tier = fields.iter().find(|field| field["name"] == "tier").unwrap();
    assert_eq!(tier["label"], json!({ "en": "Tier", "zh": "客户等级" }));
    assert_eq!(tier["choices"][0]["id"], "key_account");
    let all = device.json(&["schema"]);
    assert!(all["entities"].as_array().unwrap().len() > 5);
    assert!(device.run(&["--language", "zh", "schema"]).stdout.contains("客户信息表"));
    assert!(device.run(&["schema", "customer"]).stdout.contains("picklist tier"));
}

#[test]
fn files_are_imported_and_imported_again() {
    let device = Device::new();
    let place = |name: &str| device.home.path().join(name).to_str().unwrap().to_owned();
    let (file, mapping, errors) = (place("c.csv"), place("m.toml"), place("e.csv"));
    fs::write(&mapping, MAPPING).unwrap();
    fs::write(&file, "no,name,staff\n1,Acme,10\n2,远行,20\n3,Wrong,many\n").unwrap();
    let import = ["import", &file, "--mapping", &mapping, "--errors", &errors];
    let dry = device.json(&[&import as &[&str], &["--dry-run"]].concat());
    assert_eq!((&dry["created"], &dry["rejected"]), (&json!(2), &json!(1)));
    assert_eq!(device.json(&["list", "customer"])["records"], json!([]));
    assert_eq!(device.json(&import)["created"], 2);
    assert!(fs::read_to_string(&errors).unwrap().contains("Wrong"));
    assert_eq!(device.json(&import)["unchanged"], 2);
    let strict = device.run(&[&["--json"], &import as &[&str], &["--strict"]].concat());
    assert_eq!(strict.failure(), (6, "rejected".to_owned()));
    assert_eq!(strict.json()["rejected"], 1);
    assert_eq!(device.fail(&["import", &file, "--mapping", &errors]), (2, "usage".to_owned()));
    assert_eq!(
        device.fail(&["import", "nowhere", "--mapping", &mapping]),
        (1, "import".to_owned())
    );
}

#[test]
fn the_pipeline_adds_up_what_is_open() {
    let device = Device::new();
    let amount = "expected_amount=100 CNY";
    device.create(&["opportunity", "name=Pumps", "sales_stage=prospecting", amount]);
    let report = device.json(&["report", "pipeline"]);
    assert_eq!(report["currency"], "CNY");
    assert_eq!(report["open"]["value"], 100);
    assert!(device.run(&["report", "pipeline"]).stdout.contains("销售漏斗 (CNY)"));
}
