//! Erasing a person who is on a device that is away, and in yesterday's backup.

use std::{fs, path::Path};

use outrider_sync_server::person_keys::{PersonKeys, beside_ledger};
use serde_json::{Value as Json, json};

use crate::world::{Device, Office};

/// Of the person; in files as small letters.
const CANARY: &str = "zzyzxcanary";

/// How many files below a folder have the canary.
fn files_with(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path));
        } else {
            let bytes = fs::read(&path).unwrap().to_ascii_lowercase();
            if bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

fn create(device: &Device, entity: &str, fields: Json) -> String {
    let made = device.batch(&[json!({"do": "create", "entity": entity, "fields": fields})]);
    made[0]["record"].as_str().unwrap().to_owned()
}

fn names(devices: &Json) -> Vec<&str> {
    devices.as_array().unwrap().iter().map(|one| one["user"].as_str().unwrap()).collect()
}

#[test]
fn a_person_is_erased_while_a_device_is_away_and_a_backup_of_yesterday_is_put_back() {
    let mut office = Office::start();
    let (anna, ben) = (office.device("anna"), office.device("ben"));
    let customer = create(&anna, "customer", json!({"company_name": "Acme"}));
    let person = json!({"name": "Zzyzxcanary Li", "customer_id": customer, "notes": "zzyzxcanary"});
    let contact = create(&anna, "contact", person);
    anna.sync();
    ben.sync();
    let key = office.folder.path().join("backup.key");
    let key = key.to_str().unwrap();
    let made = office.command(&["backup-key", "--json", "--out", key]);
    let to = office.folder.path().join("backups");
    let recipient = made["public_key"].as_str().unwrap();
    let order = ["backup", "--json", "--recipient", recipient, "--to", to.to_str().unwrap()];
    let backup = office.command(&order)["file"].as_str().unwrap().to_owned();
    // Ben goes on without a network, and Anna hears of nothing yet.
    ben.json(&["edit", &contact, "job_title=Zzyzxcanary"]);

    let asked = office.command(&["erasure", "erase", &contact]);
    assert_eq!(asked["erased"], false, "{asked}");
    let erased = office.command(&["erasure", "erase", &contact, "--yes"]);
    assert_eq!((&erased["erased"], &erased["is_overwritten"]), (&json!(true), &json!(true)));
    assert_eq!(files_with(&office.data()), Vec::<String>::new());
    assert_eq!(office.command(&["verify", "--json"])["problem_count"], 0);
    let certificate = |office: &Office| {
        let signed = office.command(&["erasure", "certificate", &contact]);
        serde_json::from_str::<Json>(signed["body"].as_str().unwrap()).unwrap()
    };
    assert_eq!(names(&certificate(&office)["outstanding"]), ["anna", "ben"]);

    // The late device hands in what it typed, is told `erased`, and erases.
    ben.attempt(&["sync"]);
    assert_eq!(ben.sync()["waiting"], 0, "no queue is stuck");
    assert_eq!(files_with(&ben.home), Vec::<String>::new());
    ben.sync();
    let said = certificate(&office);
    assert_eq!(
        (names(&said["confirmed"]), names(&said["outstanding"])),
        (vec!["ben"], vec!["anna"])
    );

    // Yesterday's backup is put back: it still has the person, and nobody sees it.
    office.stop();
    let put = office.command(&["restore", &backup, "--identity", key, "--replace", "--json"]);
    assert_eq!(put["persons_lost"], 1, "the key of the person is gone: {put}");
    let aside = put["aside"].as_str().unwrap();
    fs::remove_dir_all(aside).unwrap();
    assert_eq!(files_with(&office.data()), Vec::<String>::new());
    let found = office.command(&["verify", "--json"]);
    assert_eq!(found["problem_count"], 0, "{found}");
    office.start_again();
    // Anna's device wrote the person and never heard of it: it sends everything again.
    for _ in 0..3 {
        anna.attempt(&["sync"]);
        ben.attempt(&["sync"]);
    }
    for folder in [&office.data(), &anna.home, &ben.home] {
        assert_eq!(files_with(folder), Vec::<String>::new());
    }
    assert_eq!(anna.json(&["get", &customer])["company_name"], "Acme");
    let said = certificate(&office);
    assert_eq!(names(&said["outstanding"]), Vec::<&str>::new(), "{said}");

    // Once more, on a machine that lost the file of keys: those of yesterday have the person's.
    office.stop();
    let keys = beside_ledger(&office.data().join("ledger"));
    let person = contact.parse().unwrap();
    assert!(!PersonKeys::read(&keys).unwrap().unwrap().has(person));
    fs::remove_file(&keys).unwrap();
    let put = office.command(&["restore", &backup, "--identity", key, "--replace", "--json"]);
    assert_eq!(put["persons_lost"], 0, "{put}");
    assert!(!PersonKeys::read(&keys).unwrap().unwrap().has(person), "and are not put back");
}
