//! What happened: timelines, lists that stay.

use std::{
    io::{BufRead as _, BufReader, Lines},
    process::{Child, ChildStdout},
};

use serde_json::{Value as Json, json};

use crate::support::{Device, program};

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
