//! Devices and the server: enrolling, syncing, conflicts, exports.

use std::fs;

use serde_json::json;

use crate::support::{Device, Server};

#[test]
fn two_devices_meet_at_the_server_and_settle_a_conflict() {
    let server = Server::start();
    let (anna, bo) = (server.device("anna"), server.device("bo"));
    assert_eq!(anna.json(&["status"])["user"], "anna");
    let id = anna.create(&["customer", "company_name=远行", "phone=021-5555"]);
    assert_eq!(anna.json(&["outbox"]).as_array().unwrap().len(), 1);
    assert_eq!(anna.json(&["sync"])["applied"], 1);
    assert_eq!(anna.json(&["outbox"]), json!([]));
    bo.json(&["sync"]);
    assert_eq!(bo.field(&id, "company_name"), "远行");

    anna.json(&["edit", &id, "company_name=远行科技", "notes=from anna"]);
    bo.json(&["edit", &id, "company_name=远行电子", "visits+=1"]);
    for device in [&anna, &bo, &anna] {
        device.json(&["sync"]);
    }
    let conflicts = anna.json(&["conflicts"]);
    assert_eq!(conflicts[0]["key"], "company_name");
    assert_eq!(conflicts[0]["must_settle"], true);
    let mut writers: Vec<&str> = conflicts[0]["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["by"].as_str().unwrap())
        .collect();
    writers.sort_unstable();
    assert_eq!(writers, ["anna", "bo"]);
    let words = anna.run(&["conflicts", &id]).stdout;
    assert!(words.contains("1. ") && words.contains("2. ") && words.contains("  bo  "), "{words}");

    assert_eq!(anna.fail(&["settle", &id, "company_name", "--choose", "3"]).0, 2);
    let chosen = conflicts[0]["values"][0]["value"].clone();
    anna.json(&["settle", &id, "company_name", "--choose", "1"]);
    anna.json(&["sync"]);
    bo.json(&["sync"]);
    for device in [&anna, &bo] {
        assert_eq!(device.field(&id, "company_name"), chosen);
        assert_eq!(device.json(&["conflicts"]), json!([]));
        assert_eq!(device.field(&id, "notes"), "from anna");
        assert_eq!(device.field(&id, "visits"), json!(1));
        assert_eq!(device.json(&["check"])["differing"], 0);
    }
    let words = bo.run(&["sync"]);
    assert!(words.stdout.contains("sent 0 changes, received 0 documents"), "{words:?}");
    assert_eq!(words.stderr, "");
}

#[test]
fn a_device_is_enrolled_by_a_good_code_and_not_twice_by_accident() {
    let server = Server::start();
    let device = Device::new();
    let before = device.create(&["customer", "company_name=Written before"]);
    let wrong = device.fail(&["enroll", &server.url, "AAAA-AAAA-AAAA"]);
    assert_eq!(wrong.0, 6, "{wrong:?}");
    device.json(&["enroll", &server.url, &server.code("anna")]);
    let again = ["enroll", &server.url, "any"];
    assert_eq!(device.fail(&again), (6, "still_waiting".to_owned()));
    assert_eq!(device.json(&["sync"])["applied"], 1);
    assert_eq!(device.fail(&again), (6, "already_enrolled".to_owned()));
    device.json(&["enroll", "--again", &server.url, &server.code("anna")]);
    device.json(&["edit", &before, "short_name=after"]);
    assert_eq!(device.json(&["sync"])["applied"], 1);
    let other = server.device("bo");
    other.json(&["sync"]);
    assert_eq!(other.field(&before, "short_name"), "after");
}

#[test]
fn a_server_that_is_away_or_forgot_the_device_has_codes_of_their_own() {
    let server = Server::start();
    let device = server.device("anna");
    device.create(&["customer", "company_name=Kept"]);
    let url = server.url.clone();
    drop(server);
    assert_eq!(device.fail(&["sync"]), (5, "unreachable".to_owned()));
    assert_eq!(device.fail(&["enroll", "--again", &url, "code"]), (5, "unreachable".to_owned()));
    assert_eq!(device.json(&["status"])["waiting"], 1);

    // Another server at the same place does not know the token.
    let _other = Server::start_at(url.strip_prefix("http://").unwrap());
    assert_eq!(device.fail(&["sync"]), (4, "token_refused".to_owned()));
    assert_eq!(device.json(&["status"])["waiting"], 1);
}

#[test]
fn a_history_is_exported_from_the_server_or_the_values_from_here() {
    let server = Server::start();
    let device = server.device("anna");
    let id = device.create(&["customer", "company_name=Acme", "notes=one"]);
    let file = device.home.path().join("out.automerge");
    let file = file.to_str().unwrap();
    let export = |args: &[&str]| {
        device.json(&[&["export", &id, "--automerge", file], args].concat())["bytes"]
            .as_u64()
            .unwrap()
    };
    assert!(export(&["--offline"]) > 50);
    let missing = device.fail(&["export", &id, "--automerge", file]);
    assert_eq!(missing, (3, "not_found".to_owned()));

    device.json(&["edit", &id, "notes=one and two", "phone=021-1111"]);
    device.json(&["edit", &id, "phone=021-2222"]);
    device.json(&["sync"]);
    for part in ["main", "notes"] {
        assert!(export(&["--part", part]) > 50);
        assert!(fs::read(file).unwrap().starts_with(&[0x85, 0x6f, 0x4a, 0x83]), "{part}");
        assert!(export(&["--part", part, "--offline"]) > 50);
    }
    let wrong = ["export", &id, "--automerge", file, "--part", "nothing"];
    assert_eq!(device.fail(&wrong), (2, "usage".to_owned()));
    let lonely = Device::new();
    let id = lonely.create(&["customer", "company_name=Acme"]);
    let done = lonely.run(&["export", &id, "--automerge", file]);
    assert_eq!(done.code, 4);
    assert!(done.stderr.contains("--offline"), "{}", done.stderr);
}

#[test]
fn batches_sync_too() {
    let server = Server::start();
    let device = server.device("anna");
    let create = json!({"do": "create", "entity": "customer", "fields": {"company_name": "A"}});
    let input = format!("{create}\n{}\n", json!({"do": "sync"}));
    let done = device.feed(&["batch"], &input);
    assert_eq!(done.code, 0);
    let last: serde_json::Value =
        serde_json::from_str(done.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["summary"]["applied"], 1);
}
