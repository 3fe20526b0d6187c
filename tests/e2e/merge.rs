//! Two devices and an office: what merges, what conflicts, what the second session costs.

use serde_json::{Value as Json, json};

use crate::world::Office;

#[test]
fn edits_of_two_devices_meet_at_the_office() {
    let office = Office::start();
    let (anna, ben) = (office.device("anna"), office.device("ben"));
    let made = anna.batch(&[json!({"do": "create", "entity": "customer", "fields": {
        "company_name": "三川实业有限公司", "phone": "+86 21 5555 0001", "tags": ["old"],
        "notes": "first visit",
    }})]);
    let id = made[0]["record"].as_str().unwrap().to_owned();
    anna.sync();
    ben.sync();
    let edit = |fields: Json| json!({"do": "edit", "record": id, "fields": fields});
    anna.batch(&[edit(json!({
        "phone": "+86 21 6000 1111", "short_name": "三川", "tags": {"add": ["vip"]},
        "visits": {"add": 1}, "notes": "first visit, then a call",
    }))]);
    ben.batch(&[edit(json!({
        "phone": "+86 21 6000 2222", "website": "https://example.com", "tags": {"remove": ["old"]},
        "visits": {"add": 2}, "notes": "Our first visit",
    }))]);
    anna.sync();
    ben.sync();
    anna.sync();
    let record = anna.json(&["get", &id]);
    assert_eq!(record, ben.json(&["get", &id]));
    assert_eq!(record["short_name"], "三川");
    assert_eq!(record["website"], "https://example.com");
    assert_eq!(record["tags"], json!(["vip"]));
    assert_eq!(record["visits"], 3);
    assert_eq!(record["notes"], "Our first visit, then a call");
    let conflicts = ben.json(&["conflicts", &id]);
    let values = conflicts[0]["values"].as_array().unwrap();
    assert_eq!(conflicts[0]["key"], "phone");
    let by: Vec<&str> = values.iter().map(|value| value["by"].as_str().unwrap()).collect();
    assert!(by.contains(&"anna") && by.contains(&"ben"), "{by:?}");
    assert!(values.iter().all(|value| !value["at"].is_null()), "{values:?}");

    ben.json(&["settle", &id, "phone", "--value", "+86 21 6000 1111"]);
    ben.sync();
    anna.sync();
    assert_eq!(anna.json(&["conflicts"]), json!([]));
    assert_eq!(anna.rows(), ben.rows());

    let idle = anna.sync();
    assert_eq!(idle["requests"], 1, "{idle}");
    assert_eq!(idle["pulled"], 0, "{idle}");
    let bytes = idle["bytes_up"].as_u64().unwrap() + idle["bytes_down"].as_u64().unwrap();
    assert!(bytes <= 2_048, "an idle session took {bytes} bytes");
}

#[test]
fn what_was_written_before_enrolment_comes_along() {
    let office = Office::start();
    let early = crate::world::Device { home: office.folder.path().join("early") };
    early.json(&["init"]);
    let made = early.batch(&[
        json!({"do": "create", "entity": "customer", "fields": {"company_name": "Acme"}}),
        json!({"do": "create", "entity": "product", "fields": {"name": "Pump"}}),
    ]);
    let id = made[0]["record"].as_str().unwrap().to_owned();
    early.batch(&[json!({"do": "edit", "record": id, "fields": {
        "visits": {"add": 4}, "notes": "typed long ago",
    }})]);
    let output = early.attempt(&["sync"]);
    assert_eq!(output.status.code(), Some(4), "not enrolled yet");
    let other = office.device("other");
    let code = std::process::Command::new(env!("CARGO_BIN_EXE_outrider"))
        .args(["code", "--json", "--user", "early", "--data"])
        .arg(office.folder.path().join("server"))
        .output()
        .unwrap();
    let code: Json = serde_json::from_slice(&code.stdout).unwrap();
    early.json(&["enroll", &office.url, code["code"].as_str().unwrap()]);
    let summary = early.sync();
    assert_eq!(summary["refused"], 0, "{summary}");
    other.sync();
    let record = other.json(&["get", &id]);
    assert_eq!((&record["visits"], &record["notes"]), (&json!(4), &json!("typed long ago")));
    assert_eq!(early.rows(), other.rows());
}
