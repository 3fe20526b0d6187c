//! Several processes on one replica.

use std::thread;

use serde_json::json;

use crate::support::Device;

const EDITS: usize = 25;

#[test]
fn two_processes_at_once_lose_no_edit() {
    let device = Device::new();
    let id = device.create(&["customer", "company_name=Acme"]);
    let batch = |name: &str| -> String {
        let line = |number| {
            let member = format!("{name}{number}");
            let fields = json!({ "visits": {"add": 1}, "tags": {"add": [member]} });
            format!("{}\n", json!({ "do": "edit", "record": id, "fields": fields }))
        };
        (0..EDITS).map(line).collect()
    };
    thread::scope(|scope| {
        for name in ["a", "b"] {
            let (device, input) = (&device, batch(name));
            scope.spawn(move || assert_eq!(device.feed(&["batch"], &input).code, 0));
        }
    });
    assert_eq!(device.field(&id, "visits"), json!(2 * EDITS));
    assert_eq!(device.field(&id, "tags").as_array().unwrap().len(), 2 * EDITS);
    assert_eq!(device.json(&["conflicts"]), json!([]));
    assert_eq!(device.json(&["status"])["waiting"], json!(2 * EDITS + 1));
    assert_eq!(device.json(&["check"])["differing"], 0);
}

#[test]
fn many_processes_may_begin_a_replica_together() {
    let device = Device::bare();
    thread::scope(|scope| {
        for number in 0..4 {
            let device = &device;
            scope.spawn(move || {
                device.json(&["init"]);
                device.create(&["customer", &format!("company_name=Customer {number}")]);
            });
        }
    });
    let all = device.json(&["list", "customer"]);
    assert_eq!(all["records"].as_array().unwrap().len(), 4);
}
