//! Who may see and do what, with real processes: a refusal that is asked for and granted, and five
//! hundred customers that are given away while their owner works without a network.

use outrider_core::{
    ids::RecordId,
    replica::{Options, Replica},
    time::{Clock as _, SystemClock},
};
use outrider_sync_server::{
    access::policy_of,
    office::{self, Decision},
    storage::{Storage as _, access::ReviewState, sqlite::SqliteStorage},
};
use serde_json::{Value as Json, json};

use crate::world::{Device, Office};

/// Customers that change hands.
const CUSTOMERS: usize = 500;
/// Commands of one process.
const BATCH: usize = 250;

fn role(office: &Office, device: &Device, user: &str, role: &str) -> RecordId {
    office.command(&["role", "--json", "--user", user, "--role", role]);
    let enrolment = Replica::open(&device.home, Options::default()).unwrap().enrolment().unwrap();
    enrolment.unwrap().user_record.unwrap()
}

fn switch_on(office: &Office) {
    let output = office.attempt(&["rules", "on"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn has(device: &Device, record: &str) -> bool {
    device.attempt(&["get", record]).status.success()
}

/// A sync in which something is refused, after which nothing waits.
fn sync_refused(device: &Device) {
    let output = device.attempt(&["sync"]);
    assert!(!output.status.success(), "the command says that something was refused");
    assert_eq!(device.json(&["status"])["waiting"], 0, "no queue is stuck");
}

fn codes(device: &Device) -> Vec<String> {
    let inbox = device.json(&["inbox", "--limit", "1000"]);
    let inbox = inbox.as_array().unwrap().iter();
    inbox.map(|one| one["code"].as_str().unwrap().to_owned()).collect()
}

/// Decides on everything that waits, as the office's pages do, beside the running server.
fn grant_all(office: &Office, approver: &str, record: RecordId) -> usize {
    let storage = SqliteStorage::open(&office.data()).unwrap();
    let now_ms = SystemClock.now_ms();
    let policy = policy_of(&*storage.read().unwrap()).unwrap();
    let author = office::author_for(&storage, approver, Some(record), now_ms).unwrap();
    let open = storage.read().unwrap().reviews(ReviewState::Open, 0, 10_000).unwrap();
    for review in &open {
        office::decide(&storage, &policy, &author, review.id, Decision::Grant, "", now_ms).unwrap();
    }
    open.len()
}

#[test]
fn a_refused_edit_is_asked_for_and_granted() {
    let office = Office::start();
    let (li, zhao) = (office.device("li"), office.device("zhao"));
    role(&office, &li, "li", "sales_rep");
    let boss = role(&office, &zhao, "zhao", "administrator");
    switch_on(&office);
    li.sync();
    let made = li.json(&["create", "customer", "company_name=Acme"]);
    let id = made["record"].as_str().unwrap().to_owned();
    li.sync();
    let away = format!("owner_id={boss}");
    let refused = li.attempt(&["edit", &id, &away]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("not_assignable"));
    li.json(&["edit", "--anyway", &id, &away, "short_name=kept"]);
    sync_refused(&li);
    assert_eq!(codes(&li), ["not_assignable"]);
    assert_eq!(li.json(&["get", &id])["short_name"], "kept");
    let inbox = li.json(&["inbox"]);
    let number = inbox[0]["id"].to_string();
    li.json(&["ask", &number, "--reason", "moves to another region"]);
    li.sync();
    assert_eq!(grant_all(&office, "zhao", boss), 1);
    zhao.sync();
    assert_eq!(zhao.json(&["get", &id])["owner_id"], json!(boss.to_string()));
    assert_eq!(zhao.json(&["get", &id])["short_name"], "kept");
    li.sync();
    assert!(!has(&li, &id), "what was given away leaves");
}

#[test]
fn five_hundred_customers_change_hands_while_their_owner_is_offline() {
    let office = Office::start();
    let (li, wang) = (office.device("li"), office.device("wang"));
    let zhao = office.device("zhao");
    role(&office, &li, "li", "sales_rep");
    let heir = role(&office, &wang, "wang", "sales_rep");
    role(&office, &zhao, "zhao", "administrator");
    switch_on(&office);
    li.sync();
    let create = |n: usize| json!({"do": "create", "entity": "customer", "fields": {"company_name": format!("Customer {n}")}});
    let mut ids = Vec::new();
    for begin in (0..CUSTOMERS).step_by(BATCH) {
        let commands: Vec<Json> = (begin..begin + BATCH).map(create).collect();
        let made = li.batch(&commands);
        ids.extend(made.iter().map(|made| made["record"].as_str().unwrap().to_owned()));
    }
    li.sync();
    zhao.sync();
    let edit = |fields: fn(usize, RecordId) -> Json| {
        let of = |(n, id): (usize, &String)| json!({"do": "edit", "record": id, "fields": fields(n, heir)});
        ids.iter().enumerate().map(of).collect::<Vec<_>>()
    };
    // The owner works without a network; meanwhile all is given to somebody else.
    for commands in edit(|n, _| json!({"short_name": format!("late {n}")})).chunks(BATCH) {
        li.batch(commands);
    }
    for commands in edit(|_, heir| json!({"owner_id": heir.to_string()})).chunks(BATCH) {
        zhao.batch(commands);
    }
    zhao.sync();
    sync_refused(&li);
    assert_eq!(codes(&li), vec!["in_review"; CUSTOMERS]);
    let left = Replica::open(&li.home, Options::default()).unwrap();
    let customers = left.status().unwrap().records;
    assert!(!customers.iter().any(|(entity, _)| entity == "customer"), "{customers:?}");
    drop(left);
    let boss = Replica::open(&zhao.home, Options::default()).unwrap().enrolment().unwrap();
    assert_eq!(grant_all(&office, "zhao", boss.unwrap().user_record.unwrap()), CUSTOMERS);
    wang.sync();
    for n in [0, CUSTOMERS / 2, CUSTOMERS - 1] {
        assert_eq!(wang.json(&["get", &ids[n]])["short_name"], json!(format!("late {n}")));
    }
}
