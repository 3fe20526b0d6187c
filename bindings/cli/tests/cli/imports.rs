//! Files imported in the shell: proposed, agreed with, listed, taken back.

use std::fs;

use crate::support::Device;

const CUSTOMERS: &str =
    "编号,公司名称,所属行业,联系电话\n1,三川实业,制造业,13812345678\n2,四海,零售,\n3,,零售,\n";

#[test]
fn a_file_without_a_mapping_is_proposed_for_imported_and_taken_back() {
    let device = Device::new();
    let file = device.home.path().join("customers.csv");
    fs::write(&file, CUSTOMERS).unwrap();
    let file = file.to_str().unwrap();

    let proposal = device.json(&["import", file, "--propose", "--region", "CN"]);
    assert_eq!(proposal["entity"], "customer");
    assert_eq!(proposal["columns"][1]["field"], "company_name");
    assert_eq!(proposal["columns"][2]["replaced"]["制造业"], "manufacturing");
    assert!(device.json(&["list", "customer"])["records"].as_array().unwrap().is_empty());
    // Nobody is here to agree.
    let done = device.run(&["import", file]);
    let words = done.stderr;
    assert_eq!(done.code, 2, "{words}");
    assert!(words.contains("--propose") && words.contains("--yes"), "{words}");

    let mapping = device.home.path().join("customers.toml");
    let mapping = mapping.to_str().unwrap();
    let saved = device.json(&["import", file, "--propose", "--save-mapping", mapping]);
    assert_eq!(fs::read_to_string(mapping).unwrap(), saved["mapping"].as_str().unwrap());

    let errors = device.home.path().join("errors.csv");
    let errors = errors.to_str().unwrap();
    let report = device.json(&["import", file, "--yes", "--region", "CN", "--errors", errors]);
    assert_eq!((&report["created"], &report["rejected"]), (&2.into(), &1.into()), "{report}");
    assert!(fs::read_to_string(errors).unwrap().starts_with("row,column,reason,编号"));
    let listed = device.json(&["imports"]);
    assert_eq!((&listed[0]["file"], &listed[0]["created"]), (&"customers.csv".into(), &2.into()));
    let number = listed[0]["id"].to_string();
    let undone = device.json(&["undo-import", &number]);
    assert_eq!((&undone["archived"], &undone["kept"]), (&2.into(), &0.into()));
    assert!(device.json(&["list", "customer"])["records"].as_array().unwrap().is_empty());
    assert_ne!(device.fail(&["undo-import", "77"]).0, 0);
}

#[test]
fn several_files_need_as_many_mappings() {
    let device = Device::new();
    let folder = device.home.path();
    fs::write(folder.join("a.csv"), "no,name\n1,Acme\n").unwrap();
    fs::write(folder.join("a.toml"), "entity = \"product\"\nsource = \"x\"\nkey = \"no\"\n[fields]\nname = { column = \"name\" }\n").unwrap();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (csv, toml) = (path("a.csv"), path("a.toml"));
    let done = device.run(&["import", &csv, &csv, "--mapping", &toml]);
    let words = done.stderr;
    assert_eq!(done.code, 2, "{words}");
    assert!(words.contains("2 files and 1 mappings"), "{words}");
    let words = device.run(&["import", &path("a.csv"), "--mapping", &path("a.toml")]).stdout;
    assert!(words.contains("undo-import 1"), "{words}");
}

#[test]
fn proposed_files_of_one_run_name_each_other_in_any_order() {
    let device = Device::new();
    let folder = device.home.path();
    fs::write(folder.join("customers.csv"), "customer_id,company name\nK1,Acme\nK2,Bolt\n")
        .unwrap();
    fs::write(
        folder.join("deals.csv"),
        "opportunity_id,opportunity name,sales stage,customer_id\n1,One,prospecting,K2\n",
    )
    .unwrap();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let done = device.run(&["import", &path("deals.csv"), &path("customers.csv"), "--yes"]);
    assert_eq!(done.code, 0, "{done:?}");
    let deals = device.json(&["list", "opportunity"]);
    assert!(deals["records"][0]["customer_id"].is_string(), "{deals} {done:?}");
}
