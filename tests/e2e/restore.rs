//! A server that was put back to an earlier state gets back from its devices what it lost.

use std::{fs, path::Path};

use serde_json::{Value as Json, json};

use crate::world::Office;

fn customer(name: &str) -> Json {
    json!({"do": "create", "entity": "customer", "fields": {"company_name": name, "notes": name}})
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_server_restored_from_a_backup_gets_back_what_it_lost() {
    let mut office = Office::start();
    let (anna, ben) = (office.device("anna"), office.device("ben"));
    let made = anna.batch(&[customer("before the backup")]);
    let id = made[0]["record"].as_str().unwrap().to_owned();
    anna.sync();
    ben.sync();

    office.stop();
    let (data, backup) = (office.folder.path().join("server"), office.folder.path().join("backup"));
    copy(&data, &backup);
    office.start_again();
    anna.batch(&[
        customer("after the backup"),
        json!({"do": "edit", "record": id, "fields": {"visits": {"add": 3}, "short_name": "A"}}),
    ]);
    anna.sync();
    ben.sync();

    office.stop();
    fs::remove_dir_all(&data).unwrap();
    copy(&backup, &data);
    office.start_again();
    // Ben is first, with news of his own on top of what the server lost.
    ben.batch(&[json!({"do": "edit", "record": id, "fields": {"visits": {"add": 4}}})]);
    let summary = ben.sync();
    assert_eq!(summary["is_server_restored"], true, "{summary}");
    let summary = anna.sync();
    assert_eq!(summary["is_server_restored"], true, "{summary}");
    for device in [&ben, &anna, &ben] {
        device.sync();
    }
    let record = ben.json(&["get", &id]);
    assert_eq!((&record["visits"], &record["short_name"]), (&json!(7), &json!("A")));
    assert_eq!(anna.rows(), ben.rows());
    assert!(anna.rows().iter().any(|row| row.contains("after the backup")));
    let idle = ben.sync();
    assert_eq!((&idle["requests"], &idle["waiting"]), (&json!(1), &json!(0)), "{idle}");
}
