//! What happened, and undoing it; lists that stay; notes; the store as a whole.

use std::{
    io::{BufRead as _, BufReader, Lines},
    process::{Child, ChildStdout},
};

use serde_json::{Value as Json, json};

use crate::support::{Device, Server, finish, program};

#[test]
fn a_timeline_tells_what_happened_in_words_and_json() {
    let device = Device::new();
    let acme = device.create(&["customer", "company_name=Acme"]);
    let customer = format!("customer_id={acme}");
    let deal = device.create(&["opportunity", "name=Pumps", "sales_stage=proposal", &customer]);
    let call = ["interaction", "subject=Call", "channel=call", "occurred_at=2020-05-04T08:00:00Z"];
    device.create(&[&call[..], &[&customer]].concat());
    device.json(&["edit", &deal, "sales_stage=won"]);
    let page = device.json(&["timeline", &acme]);
    let kinds: Vec<_> = page["entries"].as_array().unwrap().iter().map(|e| &e["kind"]).collect();
    assert_eq!(
        kinds,
        [
            &json!("opportunity.stages"),
            &json!("opportunity.stages"),
            &json!("opportunity"),
            &json!("customer"),
            &json!("interaction"),
        ]
    );
    let words = device.run(&["timeline", &acme, "--kind", "opportunity.stages"]).stdout;
    assert!(words.contains("Stage history  Pumps  From: Proposal; To: "), "{words}");
    let words = device.run(&["--language", "zh", "timeline", &acme, "--to", "2021-01-01"]).stdout;
    assert_eq!(words.lines().count(), 1, "{words}");
    assert!(words.starts_with("2020-05-04T08:00:00.000Z  交互记录  Call"), "{words}");
    let first = device.json(&["timeline", &acme, "--limit", "2"]);
    let next = first["next"].as_str().unwrap();
    let rest = device.json(&["timeline", &acme, "--after", next]);
    assert_eq!(rest["entries"].as_array().unwrap().len(), 3);
    assert_eq!(device.fail(&["timeline", &acme, "--kind", "planet"]), (2, "bad_query".to_owned()));
    assert_eq!(device.fail(&["timeline", &acme, "--from", "soon"]).0, 2);
}

#[test]
fn a_watched_list_tells_what_another_process_writes() {
    let device = Device::new();
    let first = device.create(&["customer", "company_name=Beta"]);
    let args = ["list", "customer", "--sort", "company_name", "--watch"];
    let mut lines = Watch::new(&device, &[&["--json"], &args[..]].concat());
    assert_eq!(lines.json()["records"].as_array().unwrap().len(), 1);
    let mut words = Watch::new(&device, &args);
    assert!(words.next().starts_with(&format!("= 1  {first}  Beta")));
    device.create(&["customer", "company_name=Acme"]);
    let diff = lines.json();
    assert_eq!(diff["inserted"][0]["index"], 0);
    assert_eq!(diff["inserted"][0]["record"]["company_name"], "Acme");
    assert!(words.next().starts_with("+ 1  "));
    device.json(&["edit", &first, "company_name=Aaa"]);
    let diff = lines.json();
    assert_eq!(diff["moved"].as_array().unwrap().len(), 1);
    assert_eq!(diff["changed"][0]["record"]["company_name"], "Aaa");
    assert!(words.next().starts_with("> "));
    assert!(words.next().starts_with("~ 1  "));
    device.json(&["archive", &first]);
    assert_eq!(lines.json()["removed"], json!([0]));
    assert!(words.next().starts_with(&format!("- 1  {first}  Aaa")));
    let too_many = ["list", "customer", "--watch", "--limit", "501"];
    assert_eq!(device.fail(&too_many), (2, "live_window".to_owned()));
}

#[test]
fn a_watched_search_tells_what_another_process_writes() {
    let device = Device::new();
    let first = device.create(&["customer", "company_name=Acme"]);
    let mut lines = Watch::new(&device, &["--json", "watch", "--search", "acme"]);
    assert_eq!(lines.json()["hits"][0]["record"], first);
    let mut words = Watch::new(&device, &["watch", "customer", "--sort", "company_name"]);
    assert!(words.next().starts_with("= 1  "));
    let second = device.create(&["customer", "company_name=Acme Two"]);
    assert_eq!(lines.json()["inserted"][0]["record"], second);
    assert!(words.next().starts_with("+ 2  "));
    device.json(&["archive", &first]);
    assert_eq!(lines.json()["removed"], json!([first]));
}

/// A command that stays, and the lines that it says; it ends with this.
struct Watch {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watch {
    fn new(device: &Device, args: &[&str]) -> Self {
        let mut child = program(device.home.path()).args(args).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn next(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    fn json(&mut self) -> Json {
        serde_json::from_str(&self.next()).unwrap()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_last_edit_is_undone_and_done_again() {
    let device = Device::new();
    let id = device.create(&["customer", "company_name=Acme", "tags=vip"]);
    device.json(&["edit", &id, "company_name=Acme Ltd", "tags-=vip"]);
    device.json(&["edit", &id, "employees=7"]);
    let words = device.run(&["undo", "--list"]).stdout;
    assert!(
        words.contains("Customer Acme Ltd  changed  Company name (company_name): Acme → Acme Ltd"),
        "{words}"
    );
    assert_eq!(words.matches("waiting").count(), 3, "{words}");
    let undone = device.json(&["undo"]);
    assert_eq!(undone["items"][0]["key"], "employees");
    device.json(&["undo"]);
    assert_eq!(device.field(&id, "company_name"), json!("Acme"));
    assert_eq!(device.field(&id, "tags"), json!(["vip"]));
    let again = device.json(&["undo", "--list"]);
    device.json(&["undo", &again[0]["group"].to_string()]);
    assert_eq!(device.field(&id, "company_name"), json!("Acme Ltd"));
    let words = device.run(&["--language", "zh", "undo", &again[0]["undoes"].to_string()]).stdout;
    assert!(words.contains("公司名称") || words.contains("company_name"), "{words}");
    device.json(&["undo"]);
    assert_eq!(device.field(&id, "is_archived"), json!(true));
    assert_eq!(device.fail(&["undo"]), (3, "nothing_to_undo".to_owned()));
    assert_eq!(device.fail(&["undo", "999"]), (3, "no_tap".to_owned()));
}

#[test]
fn who_changed_what_comes_from_the_server_and_offline_from_the_device() {
    let server = Server::start();
    let device = server.device("Ann");
    let id = device.create(&["customer", "company_name=Acme"]);
    device.json(&["edit", &id, "company_name=Acme Ltd"]);
    // The server does not know the record yet.
    let history = device.json(&["history", &id]);
    assert_eq!(history["source"], "device");
    assert_eq!(history["entries"][0]["progress"], "waiting");
    device.json(&["sync"]);
    let history = device.json(&["history", &id, "--field", "company_name"]);
    assert_eq!(history["source"], "server");
    assert_eq!(history["entries"][0]["new"], "Acme Ltd");
    assert_eq!(history["entries"][0]["user"], "Ann");
    assert_eq!(history["entries"].as_array().unwrap().len(), 2);
    let words = device.run(&["history", &id, "--field", "company_name"]).stdout;
    assert!(
        words.contains("Ann (test)  changed  Company name (company_name): Acme → Acme Ltd"),
        "{words}"
    );
    let first = device.json(&["history", &id, "--limit", "1"]);
    let next = first["next"].as_str().unwrap();
    assert!(!device.json(&["history", &id, "--after", next])["entries"][0].is_null());
    drop(server);
    let done = device.run(&["history", &id]);
    assert_eq!(done.code, 0);
    assert!(
        done.stdout.contains("Ann  changed  Company name (company_name): Acme → Acme Ltd"),
        "{done:?}"
    );
    assert!(done.stderr.contains("this is what this device knows"), "{done:?}");
    let words = device.run(&["--language", "zh", "history", &id, "--offline"]).stdout;
    assert!(words.contains("修改  公司名称 (company_name): Acme → Acme Ltd"), "{words}");
    assert_eq!(device.fail(&["history", &id, "--field", "warp"]).0, 2);
}

#[test]
fn notes_are_added_to_and_edited_while_others_type() {
    let device = Device::new();
    let id = device.create(&["customer", "company_name=Acme"]);
    assert_eq!(device.json(&["note", &id, "--append", "one two"])["changed"], json!(true));
    device.json(&["note", &id, "--append", "three"]);
    assert_eq!(device.run(&["note", &id]).stdout, "one two\nthree\n");
    // An editor during which another process writes into the same note.
    let editor = device.home.path().join("editor.sh");
    let script = format!(
        "#!/bin/sh\n'{}' note {id} --append four >/dev/null\nsed -i s/two/TWO/ \"$1\"\n",
        env!("CARGO_BIN_EXE_outrider")
    );
    std::fs::write(&editor, script).unwrap();
    let with = |name: &str| {
        let mut command = program(device.home.path());
        command.args(["note", &id, "--edit"]).env_remove("VISUAL").env("EDITOR", name);
        finish(&mut command, "")
    };
    assert_eq!(with(&format!("sh {}", editor.display())).code, 0);
    assert_eq!(device.run(&["note", &id]).stdout, "one TWO\nthree\nfour\n");
    assert_eq!(with("false").code, 2);
    assert_eq!(with("").code, 2);
    let done = device.feed(&["--json", "note", &id, "--text", "-"], "new text");
    assert_eq!(done.json()["changed"], json!(true));
    assert_eq!(device.json(&["note", &id, "--field", "notes"])["text"], "new text");
    assert_eq!(device.fail(&["note", &id, "--field", "company_name"]).0, 2);
}

#[test]
fn the_store_is_measured_and_copied() {
    let device = Device::new();
    device.create(&["customer", "company_name=Acme", "notes=hello"]);
    let storage = device.json(&["storage"]);
    assert_eq!(storage["entities"][0]["records"], 1);
    let words = device.run(&["storage"]).stdout;
    assert!(words.contains("customer") && words.contains("on disk: "), "{words}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.outrider");
    let file = file.to_str().unwrap();
    assert_eq!(device.json(&["store", "export", file])["holds"]["waiting"], 2);
    assert_eq!(device.fail(&["store", "export", file]), (6, "exists".to_owned()));
    assert_eq!(device.fail(&["store", "import", file]), (6, "used".to_owned()));
    let copy = Device::bare();
    let done = copy.run(&["store", "import", file]);
    assert!(done.code == 0 && done.stderr.contains("enrolled with nobody"), "{done:?}");
    assert_eq!(copy.json(&["status"])["waiting"], 2);
    copy.json(&["check"]);
    std::fs::write(file, "something else").unwrap();
    assert_eq!(Device::bare().fail(&["store", "import", file]), (1, "not_a_copy".to_owned()));
}
