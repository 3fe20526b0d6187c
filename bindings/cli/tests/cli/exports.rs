//! Files of records: every format, what is refused, and taking them back.

use std::fs;

use crate::support::Device;

fn filled() -> Device {
    let device = Device::new();
    device.json(&["create", "customer", "company_name==cmd|' /C calc'!A0", "phone=+86 110"]);
    device.json(&["create", "customer", "company_name=三川", "tags=vip,上海"]);
    let id = device.json(&["create", "customer", "company_name=Gone"])["record"].clone();
    device.json(&["archive", id.as_str().unwrap()]);
    device
}

#[test]
fn the_ending_of_the_file_says_the_format() {
    let device = filled();
    for ending in ["csv", "xlsx", "json", "jsonl", "vcf"] {
        let file = device.home.path().join(format!("out.{ending}"));
        let file = file.to_str().unwrap();
        let answer = device.json(&["export", "customer", file]);
        assert_eq!(answer["records"], 2, "{answer}");
        let bytes = fs::read(file).unwrap();
        assert_eq!(answer["bytes"], bytes.len(), "{answer}");
        let again = device.run(&["export", "customer", file, "--json"]);
        assert_eq!(again.failure(), (6, "file_exists".to_owned()));
        device.json(&["export", "customer", file, "--force"]);
    }
    let drafts = fs::read_dir(device.home.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(!drafts.into_iter().any(|name| name.to_string_lossy().contains(".part")));
}

#[test]
fn stdout_takes_a_file_and_conditions_choose() {
    let device = filled();
    let all = device.run(&["export", "customer", "-", "--format", "csv"]);
    assert_eq!((all.code, all.stdout.lines().count()), (0, 3), "{all:?}");
    assert!(all.stdout.contains("'=cmd|") && all.stdout.contains("'+86 110"), "{all:?}");
    let args = ["export", "customer", "-", "--format", "jsonl", "--contains", "company_name=三"];
    assert_eq!(device.run(&args).stdout.lines().count(), 2);
    let archived = ["export", "customer", "-", "--format", "csv", "--with-archived"];
    assert_eq!(device.run(&archived).stdout.lines().count(), 4);
    let chinese = device.run(&["export", "customer", "-", "--format", "csv", "--headers", "zh"]);
    assert!(chinese.stdout.starts_with("\u{feff}客户"), "{chinese:?}");
}

#[test]
fn what_was_exported_is_taken_back_on_another_device() {
    let device = filled();
    let other = Device::new();
    let file = device.home.path().join("all.json");
    let file = file.to_str().unwrap();
    device.json(&["export", "--all", file, "--with-archived"]);
    let report = other.json(&["import", file, "--exported"]);
    assert_eq!((&report["created"], &report["rejected"]), (&3.into(), &0.into()), "{report}");
    let list =
        |device: &Device| device.json(&["list", "customer", "--archived"])["records"].clone();
    assert_eq!(list(&device), list(&other));
    let again = other.json(&["import", file, "--exported"]);
    assert_eq!(again["existing"], 3, "{again}");
    let folder = device.home.path().join("folder");
    device.json(&["export", "--all", folder.to_str().unwrap()]);
    let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["customer.csv"]);
}

#[test]
fn what_cannot_be_exported_is_said_before_anything_is_written() {
    let device = filled();
    let failure = |args: &[&str]| device.run(&[args, &["--json"]].concat()).failure();
    let path = |name: &str| device.home.path().join(name).to_str().unwrap().to_owned();
    let usage = || (2, "usage".to_owned());
    assert_eq!(failure(&["export", "customer"]), usage());
    assert_eq!(failure(&["export", "customer", &path("x.doc")]), usage());
    assert_eq!(failure(&["export", "custmer", &path("x.csv")]), (2, "unknown_entity".to_owned()));
    assert_eq!(failure(&["export", "product", &path("x.ics")]), (2, "export".to_owned()));
    assert_eq!(failure(&["export", "--all", &path("x.csv")]), (2, "export".to_owned()));
    assert_eq!(failure(&["export", "customer", &path("no/x.csv")]), (1, "file".to_owned()));
    let where_ = ["export", "customer", &path("x.csv"), "--where", "castle=1"];
    assert_eq!(failure(&where_), (2, "unknown_field".to_owned()));
    assert!(!device.home.path().join("x.csv").exists());
}

#[test]
fn one_record_is_exported_by_its_id() {
    let device = filled();
    let list = device.json(&["list", "customer", "--contains", "company_name=三川"]);
    let id = list["records"][0]["id"].as_str().unwrap();
    let card = device.run(&["export", id, "-", "--format", "vcf"]);
    assert_eq!(card.stdout.matches("BEGIN:VCARD").count(), 1, "{card:?}");
    assert!(card.stdout.contains("FN:三川\r\n") && card.stdout.contains(&format!("urn:uuid:{id}")));
    assert!(card.stdout.contains("CATEGORIES:vip,上海\r\n") || card.stdout.contains("上海,vip"));
}
