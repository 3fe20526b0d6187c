//! Devices of real people: let in by the office, turned away, lost, shared, left in a drawer.

use std::{
    io::Read as _,
    process::Output,
    time::{Duration, Instant},
};

use outrider_core::{
    access::{Grant, Policy},
    replica::{DATABASE_FILE, INSTANCE_FILE, KEY_FILE},
    time::{Clock as _, SystemClock},
};
use outrider_sync_server::{
    office::{self, Decision},
    storage::sqlite::SqliteStorage,
};
use serde_json::Value as Json;

use crate::world::{Device, Office};

/// How soon everything ends for a device that was turned away.
const SOON: Duration = Duration::from_secs(5);

/// The exit code and the code of the error.
fn failure(output: &Output) -> (Option<i32>, String) {
    let words = String::from_utf8_lossy(&output.stderr);
    let error: Json = serde_json::from_str(words.trim()).unwrap_or_else(|_| panic!("{words}"));
    (output.status.code(), error["error"]["code"].as_str().unwrap().to_owned())
}

fn failed(code: i32, name: &str) -> (Option<i32>, String) {
    (Some(code), name.to_owned())
}

fn created(device: &Device, name: &str) -> String {
    let made = device.json(&["create", "customer", &format!("company_name={name}")]);
    made["record"].as_str().unwrap().to_owned()
}

/// A device that showed a code and waits.
fn waiting(office: &Office, user: &str) -> (Device, Json) {
    let device = Device { home: office.folder.path().join(user) };
    device.json(&["init"]);
    let code = office.at_server("code", &["--user", user, "--approve"]);
    let code = code["code"].as_str().unwrap();
    let told = device.json(&["enroll", &office.url, code, "--name", user, "--no-wait"]);
    (device, told)
}

#[test]
fn a_device_is_let_in_when_the_office_has_seen_its_fingerprint() {
    let office = Office::start();
    let (anna, told) = waiting(&office, "anna");
    assert_eq!(told["status"], "pending");
    let seen = office.standing("anna");
    assert_eq!(
        (&seen["standing"], &seen["fingerprint"]),
        (&"pending".into(), &told["fingerprint"])
    );
    assert_eq!(failure(&anna.attempt(&["sync"])), failed(4, "enrolment_pending"));
    let record = created(&anna, "Acme");
    office.at_server("device", &["approve", told["device"].as_str().unwrap()]);
    assert_eq!(anna.sync()["applied"], 1);
    assert_eq!(anna.json(&["get", &record])["company_name"], "Acme");
    assert_eq!(office.standing("anna")["standing"], "active");

    // One that waits is told as soon as the office has decided.
    let (ben, told) = waiting(&office, "ben");
    let mut enrolling = ben.start(&["enroll"]);
    std::thread::sleep(Duration::from_millis(300));
    office.at_server("device", &["approve", told["device"].as_str().unwrap()]);
    assert!(enrolling.wait().unwrap().success());
    assert_eq!(ben.sync()["pulled"].as_u64().map(|pulled| pulled > 0), Some(true));

    let (cai, told) = waiting(&office, "cai");
    office.at_server("device", &["decline", told["device"].as_str().unwrap()]);
    assert_eq!(failure(&cai.attempt(&["enroll"])), failed(6, "enrolment_declined"));
    assert_eq!(failure(&cai.attempt(&["sync"])), failed(4, "not_enrolled"));
}

/// Somebody at the office grants everything that waits.
fn grant_all(office: &Office) {
    let storage = SqliteStorage::open(&office.data()).unwrap();
    let (policy, now_ms) = (Policy::open(), SystemClock.now_ms());
    let boss = office::author_for(&storage, "Zhao", None, now_ms).unwrap();
    let open = office::open_reviews(&storage, &Grant::open(), 100).unwrap();
    assert!(!open.is_empty(), "nothing waits");
    for review in open {
        office::decide(&storage, &policy, &boss, review.id, Decision::Grant, "", now_ms).unwrap();
    }
}

#[test]
fn everything_ends_for_a_device_that_is_turned_away() {
    let office = Office::start();
    let (anna, ben) = (office.device("anna"), office.device("ben"));
    let mut watching = anna.start(&["sync", "--watch"]);
    // It listens when it has told of its first exchange.
    let mut first = [0; 1];
    watching.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    std::thread::sleep(Duration::from_millis(700));
    let id = office.standing("anna")["device"].as_str().unwrap().to_owned();
    let begun = Instant::now();
    office.at_server("device", &["revoke", &id]);
    let status = watching.wait().unwrap();
    let took = begun.elapsed();
    assert_eq!(status.code(), Some(4));
    assert!(took < SOON, "{took:?}");
    println!("a watching device ended {took:?} after it was turned away");
    assert_eq!(failure(&anna.attempt(&["sync"])), failed(4, "device_revoked"));
    // What is written now is kept for the office to decide on, here and there.
    let record = created(&anna, "Acme");
    assert_eq!(failure(&anna.attempt(&["sync"])), failed(4, "device_revoked"));
    assert_eq!(anna.json(&["status"])["waiting"], 0);
    // The office has it: only then the records go.
    assert_eq!(failure(&anna.attempt(&["get", &record])), failed(3, "unknown_record"));
    assert_eq!(anna.rows(), Vec::<String>::new());
    let inbox = anna.json(&["inbox"]).to_string();
    assert!(inbox.contains("in_review") && inbox.contains("Acme"), "{inbox}");
    ben.sync();
    assert_eq!(ben.attempt(&["get", &record]).status.code(), Some(3), "in no record before");
    grant_all(&office);
    ben.sync();
    assert_eq!(ben.json(&["get", &record])["company_name"], "Acme");
    office.at_server("device", &["disable-user", "ben"]);
    assert_eq!(failure(&ben.attempt(&["sync"])), failed(4, "user_disabled"));
    assert_eq!(ben.rows(), Vec::<String>::new());
    office.at_server("device", &["enable-user", "ben"]);
    ben.sync();
    assert_eq!(ben.json(&["get", &record])["company_name"], "Acme", "it comes anew");
}

#[test]
fn a_lost_device_sends_what_waits_and_wipes_itself() {
    let mut office = Office::start();
    let (anna, ben) = (office.device("anna"), office.device("ben"));
    anna.sync();
    let record = created(&anna, "Acme");
    let id = office.standing("anna")["device"].as_str().unwrap().to_owned();
    office.at_server("device", &["wipe", &id]);
    assert_eq!(failure(&anna.attempt(&["sync"])), failed(4, "wiped"));
    for name in [KEY_FILE, DATABASE_FILE, INSTANCE_FILE, "wiping", "outrider.db-wal"] {
        assert!(!anna.home.join(name).exists(), "{name}");
    }
    let seen = office.standing("anna");
    assert_eq!((&seen["standing"], &seen["reason"]), (&"device_revoked".into(), &"wiped".into()));
    assert!(seen["wiped"].is_string(), "{seen}");
    ben.sync();
    assert_eq!(ben.json(&["get", &record])["company_name"], "Acme", "what waited came first");
    assert_eq!(failure(&anna.attempt(&["list", "customer"])), failed(3, "not_initialised"));

    // The connection goes before the wipe is confirmed: it is confirmed by the next start.
    let order = outrider_core::replica::wipe::WipeOrder {
        url: office.url.clone(),
        device: office.standing("ben")["device"]
            .as_str()
            .unwrap()
            .parse()
            .map(outrider_core::ids::DeviceId)
            .unwrap(),
        receipt: "00".repeat(32),
        ca: None,
    };
    outrider_core::replica::wipe::begin(&ben.home, &order).unwrap();
    office.stop();
    assert_eq!(failure(&ben.attempt(&["list", "customer"])), failed(5, "unreachable"));
    assert!(!ben.home.join(KEY_FILE).exists() && ben.home.join("wiping").exists());
    office.start_again();
    assert_eq!(
        failure(&ben.attempt(&["list", "customer"])),
        failed(6, "no_wipe"),
        "not its receipt"
    );
}

#[test]
fn a_device_that_was_turned_away_and_is_to_be_wiped_hands_in_what_waits_first() {
    let office = Office::start();
    let (anna, ben) = (office.device("anna"), office.device("ben"));
    anna.sync();
    let record = created(&anna, "Acme");
    let id = office.standing("anna")["device"].as_str().unwrap().to_owned();
    office.at_server("device", &["revoke", &id]);
    office.at_server("device", &["wipe", &id]);
    assert_eq!(failure(&anna.attempt(&["sync"])), failed(4, "wiped"));
    for name in [KEY_FILE, DATABASE_FILE, INSTANCE_FILE, "wiping", "token.lock"] {
        assert!(!anna.home.join(name).exists(), "{name}");
    }
    assert!(office.standing("anna")["wiped"].is_string());
    grant_all(&office);
    ben.sync();
    assert_eq!(ben.json(&["get", &record])["company_name"], "Acme");
}

#[test]
fn a_device_without_contact_locks_and_a_contact_opens_it() {
    let office = Office::start_with(&["--lease-ms", "1500"]);
    let anna = office.device("anna");
    let record = created(&anna, "Acme");
    anna.sync();
    assert_eq!(anna.json(&["get", &record])["company_name"], "Acme");
    std::thread::sleep(Duration::from_millis(1_700));
    for args in [
        &["get", record.as_str()] as &[&str],
        &["list", "customer"],
        &["search", "Acme"],
        &["edit", &record, "phone=1"],
        &["create", "customer", "company_name=Brown"],
        &["store", "export", "copy"],
        &["export", "customer", "-", "--format", "csv"],
        &["timeline", &record],
        &["outbox"],
        &["check"],
    ] {
        assert_eq!(failure(&anna.attempt(args)), failed(6, "locked"), "{args:?}");
    }
    assert_eq!(anna.json(&["status"])["waiting"], 0, "where it stands it still says");
    anna.sync();
    assert_eq!(anna.json(&["get", &record])["company_name"], "Acme");
}

#[test]
fn tokens_are_exchanged_by_many_processes_and_killed_ones() {
    // Every command finds its token at its end.
    let office = Office::start_with(&["--token-ms", "1000"]);
    let anna = office.device("anna");
    for round in 0..4 {
        created(&anna, &format!("Customer {round}"));
        let mut syncing: Vec<_> = (0..4).map(|_| anna.start(&["sync"])).collect();
        for sync in &mut syncing {
            assert!(sync.wait().unwrap().success(), "round {round}");
        }
    }
    for wait_ms in (0..60).step_by(3) {
        let mut sync = anna.start(&["sync"]);
        std::thread::sleep(Duration::from_millis(wait_ms));
        let _ = sync.kill();
        let _ = sync.wait();
    }
    anna.sync();
    assert_eq!(office.standing("anna")["standing"], "active");
}

#[test]
fn users_of_one_device_have_stores_of_their_own() {
    let office = Office::start();
    let device = office.device("anna");
    let hers = created(&device, "Anna's customer");
    let switched = device.json(&["user", "switch", "Ben Müller"]);
    assert_eq!(switched["created"], true);
    assert_eq!(failure(&device.attempt(&["get", &hers])), failed(3, "unknown_record"));
    let code = |user: &str| {
        office.at_server("code", &["--user", user])["code"].as_str().unwrap().to_owned()
    };
    device.json(&["enroll", &office.url, &code("ben"), "--name", "shared"]);
    let his = created(&device, "Ben's customer");
    assert_eq!(device.sync()["pushed"], 1, "his alone");

    device.json(&["user", "switch"]);
    assert_eq!(device.json(&["status"])["user"], "anna");
    assert_eq!(device.json(&["status"])["waiting"], 1);
    // A code of somebody else does not make her store, and what waits in it, his.
    let again = ["enroll", "--again", &office.url, &code("ben")];
    assert_eq!(failure(&device.attempt(&again)), failed(6, "other_user"));
    assert_eq!(device.sync()["pushed"], 1);
    let author = |record: &str| device.json(&["history", record])["entries"][0]["user"].clone();
    assert_eq!((author(&hers), author(&his)), ("anna".into(), "ben".into()));
    let users = device.json(&["user", "list"]);
    assert_eq!(users.as_array().unwrap().len(), 2, "{users}");
    assert_eq!(users[1]["user"], "Ben Müller");
}
