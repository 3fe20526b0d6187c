//! The data belongs to its owner: a record edited on two devices, opened by Automerge itself.

use automerge::{Automerge, ROOT, ReadDoc as _};
use serde_json::json;

use crate::world::Office;

#[test]
fn a_record_of_two_devices_opens_in_automerge_with_the_same_values() {
    let office = Office::start();
    let (anna, ben) = (office.device("anna"), office.device("ben"));
    let made = anna.batch(&[json!({"do": "create", "entity": "customer", "fields": {
        "company_name": "三川实业有限公司", "employees": 120, "tags": ["vip"],
    }})]);
    let id = made[0]["record"].as_str().unwrap().to_owned();
    anna.sync();
    ben.sync();
    for (device, phone) in [(&anna, "+86 1"), (&ben, "+86 2")] {
        let fields = json!({"phone": phone, "employees": 121, "notes": format!("by {phone}; ")});
        device.batch(&[json!({"do": "edit", "record": id, "fields": fields})]);
    }
    anna.sync();
    ben.sync();
    anna.sync();

    let export = |device: &crate::world::Device, args: &[&str]| {
        let file = office.folder.path().join("record.automerge");
        let path = file.to_str().unwrap();
        device.json(&[&["export", &id, "--automerge", path], args].concat());
        Automerge::load(&std::fs::read(&file).unwrap()).unwrap()
    };
    let document = export(&anna, &[]);
    let record = ben.json(&["get", &id]);
    let text = |key: &str| {
        let (value, _) = document.get(ROOT, key).unwrap().unwrap();
        value.as_str().unwrap().to_owned()
    };
    assert_eq!(text("company_name"), record["company_name"]);
    assert_eq!(text("phone"), record["phone"]);
    assert_eq!(document.get_all(ROOT, "phone").unwrap().len(), 2, "the conflict is there too");
    assert_eq!(document.get(ROOT, "employees").unwrap().unwrap().0.as_i64(), Some(121));
    assert_eq!(document.get(ROOT, "tags/vip").unwrap().unwrap().0.as_bool(), Some(true));

    let notes = export(&anna, &["--part", "notes"]);
    let (_, object) = notes.get(ROOT, "text").unwrap().unwrap();
    assert_eq!(notes.text(object).unwrap(), record["notes"].as_str().unwrap());
    assert!(record["notes"].as_str().unwrap().contains("by +86 1"));
    assert!(record["notes"].as_str().unwrap().contains("by +86 2"));

    let offline = export(&ben, &["--offline"]);
    let (value, _) = offline.get(ROOT, "phone").unwrap().unwrap();
    assert_eq!(value.as_str(), record["phone"].as_str());
}
