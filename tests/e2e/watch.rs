//! Devices that watch get what others write, and send what other processes of theirs write.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command},
    sync::mpsc::{self, Receiver},
    time::{Duration, Instant},
};

use serde_json::Value as Json;

use crate::world::{Device, Office};

/// The longest that a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that watches; it ends with the test.
pub(crate) struct Watching {
    child: Child,
    lines: Receiver<Json>,
}

impl Watching {
    pub(crate) fn start(device: &Device) -> Self {
        let mut child = device.start(&["sync", "--watch"]);
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (to, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
                if to.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// The next line for which something holds.
    fn until(&self, what: &str, holds: impl Fn(&Json) -> bool) -> Json {
        let begun = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(begun.elapsed());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("in vain: {what}"));
            if holds(&line) {
                return line;
            }
        }
    }

    pub(crate) fn synced(&self, what: &str, holds: impl Fn(&Json) -> bool) {
        self.until(what, |line| line["event"] == "sync" && holds(&line["summary"]));
    }

    /// Asks the process to end, as a service manager does.
    pub(crate) fn stop(mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success(), "SIGTERM ends it in good order");
        assert!(self.lines.iter().all(|line| line["event"] == "sync"), "nothing else was wrong");
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn created(device: &Device, name: &str) -> String {
    let made = device.json(&["create", "customer", &format!("company_name={name}")]);
    made["record"].as_str().unwrap().to_owned()
}

#[test]
fn what_one_device_sends_another_gets_without_asking() {
    let office = Office::start();
    let (anna, ben) = (office.device("anna"), office.device("ben"));
    let watching = Watching::start(&ben);
    watching.synced("the first exchange", |_| true);
    for name in ["Acme", "Brown"] {
        let record = created(&anna, name);
        anna.sync();
        watching.synced(name, |summary| summary["pulled"].as_u64() > Some(0));
        assert_eq!(ben.json(&["get", &record])["company_name"], name);
    }
    // What another process of Ben's writes goes out by itself.
    let record = created(&ben, "Chen");
    watching.synced("Ben's own edit", |summary| summary["applied"] == 1);
    anna.sync();
    assert_eq!(anna.json(&["get", &record])["company_name"], "Chen");
    watching.stop();
}

#[test]
fn a_server_that_comes_back_is_found_again() {
    let mut office = Office::start();
    let (anna, ben) = (office.device("anna"), office.device("ben"));
    let watching = Watching::start(&ben);
    watching.synced("the first exchange", |_| true);
    office.stop();
    // Written with no server there; kept.
    let waiting = created(&ben, "Acme");
    let offline = watching.until("the outage", |line| line["event"] == "offline");
    assert_eq!(offline["code"], "unreachable");
    office.start_again();
    watching.synced("what waited", |summary| summary["applied"] == 1);
    anna.sync();
    assert_eq!(anna.json(&["get", &waiting])["company_name"], "Acme");
    let record = created(&anna, "Brown");
    anna.sync();
    watching.synced("news of the server that came back", |summary| {
        summary["pulled"].as_u64() > Some(0)
    });
    assert_eq!(ben.json(&["get", &record])["company_name"], "Brown");
    watching.stop();
}

#[test]
fn a_device_without_enrolment_does_not_watch() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device { home: folder.path().join("alone") };
    device.json(&["init"]);
    let output = device.attempt(&["sync", "--watch"]);
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
}
