//! Batches: what was answered is on disk.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    thread,
};

use serde_json::{Value as Json, json};

use crate::support::{Device, program};

#[test]
fn each_line_is_answered_in_order() {
    let device = Device::new();
    let id = "0199b2c4-0000-7000-8000-000000000001";
    let lines = [
        json!({"do": "create", "entity": "customer", "id": id, "fields": {"company_name": "A"}}),
        json!({"do": "edit", "record": id, "fields": {"tags": {"add": ["vip"]}}}),
        json!({"do": "edit", "record": id, "fields": {"colour": "red"}}),
        json!({"do": "archive", "record": id}),
        json!({"do": "restore", "record": id}),
        json!({"do": "sync"}),
        json!({"do": "dance"}),
        json!({"do": "get", "record": id}),
    ];
    let input: String = lines.iter().map(|line| format!("{line}\n\n")).collect();
    let done = device.feed(&["--json", "batch"], &input);
    assert_eq!(done.failure(), (1, "batch_failed".to_owned()));
    let answers: Vec<Json> =
        done.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let oks: Vec<bool> = answers.iter().map(|answer| answer["ok"].as_bool().unwrap()).collect();
    assert_eq!(oks, [true, true, false, true, true, false, false, true]);
    assert_eq!(answers[0], json!({ "ok": true, "record": id }));
    assert_eq!(answers[1], json!({ "ok": true, "record": id, "changed": true }));
    assert_eq!(answers[2]["error"]["code"], "unknown_field");
    assert_eq!(answers[5]["error"]["code"], "not_enrolled");
    assert_eq!(answers[6]["error"]["code"], "bad_json");
    assert_eq!(answers[7]["value"]["tags"], json!(["vip"]));
}

#[test]
fn a_batch_that_is_killed_keeps_every_line_it_answered() {
    for lines_before_death in [1, 7, 40] {
        let device = Device::new();
        let mut child = program(device.home.path()).arg("batch").spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writer = thread::spawn(move || {
            for number in 0..10_000 {
                let name = format!("customer {number}");
                let notes = format!("words about {number}");
                let fields = json!({ "company_name": name, "notes": notes });
                let line = json!({ "do": "create", "entity": "customer", "fields": fields });
                if writeln!(stdin, "{line}").is_err() {
                    break;
                }
            }
        });
        let answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let answered: Vec<String> = answers.take(lines_before_death).map(Result::unwrap).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        writer.join().unwrap();
        assert_eq!(answered.len(), lines_before_death);
        for (number, line) in answered.iter().enumerate() {
            let answer: Json = serde_json::from_str(line).unwrap();
            assert_eq!(answer["ok"], true, "{answer}");
            let name = device.field(answer["record"].as_str().unwrap(), "company_name");
            assert_eq!(name, json!(format!("customer {number}")));
        }
        assert_eq!(device.json(&["check"])["differing"], 0);
    }
}
