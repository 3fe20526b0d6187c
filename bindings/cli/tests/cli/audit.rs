//! Devices as witnesses of the server's audit: real processes, a real file, a real attacker.

use std::{fs, path::PathBuf};

use serde_json::{Value as Json, json};

use crate::support::{Device, Done, Server, finish, program};

/// Runs `audit` with arguments on the server's data.
fn audit(server: &Server, args: &[&str]) -> Done {
    let data = server.data.path().to_str().unwrap();
    let args = [&["audit"], args, &["--data", data]].concat();
    finish(program(server.data.path()).args(args), "")
}

fn check(server: &Server, head: &str) -> (i32, Json) {
    let done = audit(server, &["verify", "--json", "--head", head]);
    (done.code, done.json())
}

fn problems(report: &Json) -> Vec<&str> {
    let problems = report["problems"].as_array().unwrap().iter();
    problems.map(|problem| problem["code"].as_str().unwrap()).collect()
}

fn tamper(server: &Server, sql: &str) {
    let conn = rusqlite::Connection::open(server.data.path().join("outrider.db")).unwrap();
    conn.execute_batch(sql).unwrap();
}

/// What a device remembers, as a file.
fn remembered(device: &Device) -> PathBuf {
    let path = device.home.path().join("heads.json");
    fs::write(&path, device.run(&["audit-head"]).stdout).unwrap();
    path
}

#[test]
fn a_device_notices_what_the_server_alone_could_hide() {
    let server = Server::start();
    let device = server.device("anna");
    assert_eq!(device.json(&["audit-head"]), json!({ "heads": [] }));
    device.create(&["customer", "company_name=Acme"]);
    device.json(&["sync"]);
    device.json(&["sync"]);
    let file = remembered(&device);
    let heads: Json = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(heads["heads"].as_array().unwrap().len(), 1, "{heads}");
    let head = file.to_str().unwrap();

    let (code, report) = check(&server, head);
    assert_eq!((code, &report["ok"], &report["device_heads"]), (0, &json!(true), &json!(1)));
    assert!(report["lines"].as_u64().unwrap() >= 5, "{report}");
    let words = audit(&server, &["verify"]);
    assert!(words.code == 0 && words.stdout.contains("all fit"), "{words:?}");

    // Whoever holds the server takes everything back to the beginning.
    tamper(&server, "DELETE FROM audit; DELETE FROM audit_head");
    assert_eq!(audit(&server, &["verify"]).code, 0, "the server by itself looks fine");
    let (code, report) = check(&server, head);
    assert_eq!((code, problems(&report)), (1, vec!["device_head_beyond_the_end"]));
    let words = audit(&server, &["verify", "--head", head]);
    assert!(words.code == 1 && words.stdout.contains("BROKEN at line"), "{words:?}");

    // The next time that the device comes, the server notices too.
    device.json(&["sync"]);
    let conn = rusqlite::Connection::open(server.data.path().join("outrider.db")).unwrap();
    let sql = "SELECT code FROM audit WHERE action = 'audit_rewritten'";
    let found: String = conn.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(found, "cut");
}

#[test]
fn a_changed_line_is_told_with_its_number_and_old_lines_can_go() {
    let server = Server::start();
    let device = server.device("anna");
    device.create(&["customer", "company_name=Acme"]);
    device.json(&["sync"]);
    let done = audit(&server, &["prune", "--json", "--keep-days", "1"]);
    assert_eq!((done.code, done.json()), (0, json!({ "removed": 0 })));
    let done = audit(&server, &["prune", "--json", "--before", "2100-01-01"]);
    let removed = done.json()["removed"].as_u64().unwrap();
    assert!(done.code == 0 && removed >= 5, "{done:?}");
    let file = remembered(&device);
    let (code, report) = check(&server, file.to_str().unwrap());
    assert_eq!((code, &report["first"]), (0, &json!(removed + 1)), "{report}");
    device.create(&["customer", "company_name=Bolts"]);
    device.json(&["sync"]);
    tamper(&server, &format!("UPDATE audit SET action = 'x' WHERE id = {}", removed + 2));
    let done = audit(&server, &["verify"]);
    let told = format!("BROKEN at line {}: line_changed", removed + 2);
    assert!(done.code == 1 && done.stdout.contains(&told), "{done:?}");
    assert_eq!(audit(&server, &["prune"]).code, 2, "it must be said what goes");
    fs::write(&file, "{}").unwrap();
    assert_eq!(audit(&server, &["verify", "--head", file.to_str().unwrap()]).code, 1);
}
