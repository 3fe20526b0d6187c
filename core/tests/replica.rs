//! The replica as front ends use it, without a server.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{fs, path::Path, sync::Arc};

use outrider_core::schema::Type;
use outrider_core::{
    ids::{ActorPrefix, ChangeHash, DeviceId, Part},
    replica::{INSTANCE_FILE, Options, Replica, ReplicaError},
    store::{
        meta::Enrolment,
        query::{Compare, Filter, Query},
    },
    sync::frame::{Answer, GROUP_CHANGES_MAX, Outcome, PushResponse},
    time::ManualClock,
};
use serde_json::{Map, Value as Json, json};

fn options(seed: u64) -> Options {
    Options {
        clock: Arc::new(ManualClock::at(1_780_000_000_000)),
        seed: Some(seed),
        ..Options::default()
    }
}

fn fields(json: Json) -> Map<String, Json> {
    json.as_object().unwrap().clone()
}

fn open() -> (tempfile::TempDir, Replica) {
    let folder = tempfile::tempdir().unwrap();
    let replica = Replica::open(folder.path(), options(1)).unwrap();
    (folder, replica)
}

#[test]
fn a_record_is_created_read_changed_and_survives_reopening() {
    let (folder, mut replica) = open();
    let id = replica
        .create("customer", &fields(json!({
            "company_name": "三川实业有限公司", "industry": "manufacturing", "tags": ["VIP", "vip "],
            "annual_revenue": "1200000 CNY", "notes": "第一次拜访",
        })))
        .unwrap();
    let changed =
        replica.update(id, &fields(json!({"industry": "energy", "visits": {"add": 2}}))).unwrap();
    assert!(changed);
    assert!(!replica.update(id, &fields(json!({"industry": "energy"}))).unwrap());
    drop(replica);
    let replica = Replica::open(folder.path(), options(2)).unwrap();
    let record = replica.get(id).unwrap().unwrap();
    assert_eq!(record["company_name"], "三川实业有限公司");
    assert_eq!(record["industry"], "energy");
    assert_eq!(record["visits"], 2);
    assert_eq!(record["tags"], json!(["vip"]));
    assert_eq!(record["notes"], "第一次拜访");
    assert_eq!(record["annual_revenue"]["minor"], 120_000_000);
    assert_eq!(replica.status().unwrap().waiting, 3);
}

#[test]
fn what_does_not_fit_is_refused_with_a_sentence_and_nothing_is_written() {
    let (_folder, mut replica) = open();
    let error = replica.create("customer", &fields(json!({"company_nam": "x"}))).unwrap_err();
    assert_eq!(error.to_string(), "customer has no field `company_nam`");
    let error = replica.create("customer", &fields(json!({}))).unwrap_err();
    assert_eq!(error.to_string(), "`company_name` is required");
    let error = replica
        .create("customer", &fields(json!({"company_name": "x", "employees": "many"})))
        .unwrap_err();
    assert!(error.to_string().starts_with("`employees`"), "{error}");
    assert!(matches!(
        replica.create("planet", &Map::new()),
        Err(ReplicaError::UnknownEntity { .. })
    ));
    assert_eq!(replica.status().unwrap().waiting, 0);
    assert!(replica.list("customer", &Query::default()).unwrap().records.is_empty());
    let id = replica.create("customer", &fields(json!({"company_name": "Acme"}))).unwrap();
    let error = replica.update(id, &fields(json!({"company_name": null}))).unwrap_err();
    assert_eq!(error.to_string(), "`company_name` is required");
    let error = replica.update(id, &fields(json!({"archived": "x"}))).unwrap_err();
    assert_eq!(error.to_string(), "`archived` is written by the program; use archive and restore");
    assert_eq!(replica.status().unwrap().waiting, 1);
}

#[test]
fn an_archived_record_leaves_the_lists_and_comes_back() {
    let (_folder, mut replica) = open();
    let id = replica.create("product", &fields(json!({"name": "GTX Pro"}))).unwrap();
    replica.archive(id).unwrap();
    assert!(replica.list("product", &Query::default()).unwrap().records.is_empty());
    assert_eq!(replica.get(id).unwrap().unwrap()["is_archived"], true);
    let all = Query { with_archived: true, ..Query::default() };
    assert_eq!(replica.list("product", &all).unwrap().records.len(), 1);
    replica.restore(id).unwrap();
    assert_eq!(replica.list("product", &Query::default()).unwrap().records.len(), 1);
}

#[test]
fn lists_filter_sort_and_page_without_gaps_or_repetitions() {
    let (_folder, mut replica) = open();
    for n in 0..25 {
        let employees = if n % 5 == 0 { Json::Null } else { json!(n % 4) };
        let name = format!("Company {n:02}");
        replica
            .create("customer", &fields(json!({"company_name": name, "employees": employees})))
            .unwrap();
    }
    for descending in [false, true] {
        let mut query =
            Query { sort: Some("employees".to_owned()), descending, limit: 4, ..Query::default() };
        let mut seen = Vec::new();
        loop {
            let page = replica.list("customer", &query).unwrap();
            seen.extend(page.records.iter().map(|record| {
                let employees = record.get("employees").and_then(Json::as_i64).unwrap_or(-1);
                (employees, record["id"].as_str().unwrap().to_owned())
            }));
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        let mut sorted = seen.clone();
        sorted.sort();
        if descending {
            sorted.reverse();
        }
        assert_eq!(seen, sorted);
        sorted.dedup();
        assert_eq!(sorted.len(), 25);
    }
    let filter = |column: &str, compare, value: &str| Filter {
        column: column.to_owned(),
        compare,
        value: value.to_owned(),
    };
    let count = |filters| {
        let query = Query { filters, ..Query::default() };
        replica.list("customer", &query).unwrap().records.len()
    };
    assert_eq!(count(vec![filter("employees", Compare::Is, "")]), 5);
    assert_eq!(count(vec![filter("employees", Compare::From, "2")]), 10);
    assert_eq!(count(vec![filter("company_name", Compare::Contains, "ANY 1")]), 10);
    let wrong = Query { sort: Some("id; DROP TABLE customer".to_owned()), ..Query::default() };
    assert!(replica.list("customer", &wrong).is_err());
}

#[test]
fn links_go_both_ways_and_may_dangle() {
    let (_folder, mut replica) = open();
    let customer = replica.create("customer", &fields(json!({"company_name": "Acme"}))).unwrap();
    let contact = replica
        .create("contact", &fields(json!({"name": "王小明", "customer_id": customer.to_string()})))
        .unwrap();
    let links = replica.links(contact).unwrap();
    assert_eq!(links.to[0].title.as_deref(), Some("Acme"));
    let links = replica.links(customer).unwrap();
    assert_eq!((links.from.len(), links.from[0].record), (1, contact));
    let ghost = "018f0000-0000-7000-8000-000000000001";
    replica.update(contact, &fields(json!({"customer_id": ghost}))).unwrap();
    let links = replica.links(contact).unwrap();
    assert_eq!(links.to[0].title, None);
}

#[test]
fn order_lines_are_rows_and_the_amount_is_derived() {
    let (_folder, mut replica) = open();
    let customer = replica.create("customer", &fields(json!({"company_name": "Acme"}))).unwrap();
    let order = replica
        .create("sales_order", &fields(json!({
            "customer_id": customer.to_string(), "status": "draft",
            "lines": [
                {"name": "Pump", "qty": "2", "unit_price": "19.99 EUR"},
                {"name": "Hose", "qty": "1.5", "unit_price": "10.00 EUR", "discount_percent": "10"},
            ],
        })))
        .unwrap();
    let record = replica.get(order).unwrap().unwrap();
    assert_eq!(record["amount"]["amount"], "53.48");
    let row = record["lines"][0]["id"].as_str().unwrap().to_owned();
    replica
        .update(order, &fields(json!({"lines": {"edit": {row.clone(): {"qty": "3"}}}})))
        .unwrap();
    replica.update(order, &fields(json!({"lines": {"remove": [row]}}))).unwrap();
    let record = replica.get(order).unwrap().unwrap();
    assert_eq!(record["lines"].as_array().unwrap().len(), 1);
}

#[test]
fn every_move_of_the_stage_is_kept() {
    let (_folder, mut replica) = open();
    let customer = replica.create("customer", &fields(json!({"company_name": "Acme"}))).unwrap();
    let deal = replica
        .create(
            "opportunity",
            &fields(json!({
                "name": "Pumps", "customer_id": customer.to_string(), "sales_stage": "prospecting",
            })),
        )
        .unwrap();
    replica.update(deal, &fields(json!({"sales_stage": "proposal"}))).unwrap();
    replica.update(deal, &fields(json!({"sales_stage": "won"}))).unwrap();
    let record = replica.get(deal).unwrap().unwrap();
    let moves: Vec<&str> = record["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["to_stage"].as_str().unwrap())
        .collect();
    assert_eq!(moves, ["prospecting", "proposal", "won"]);
}

#[test]
fn rows_are_a_cache_of_the_documents() {
    let (_folder, mut replica) = open();
    let customer = replica
        .create(
            "customer",
            &fields(json!({"company_name": "Acme", "notes": "long", "credit_limit": "5 USD"})),
        )
        .unwrap();
    replica
        .update(customer, &fields(json!({"tags": {"add": ["a", "b"]}, "company_name": "ACME"})))
        .unwrap();
    replica.archive(customer).unwrap();
    let before = replica.dump_rows().unwrap();
    assert!(before[0].contains("ACME") && before[0].contains("long"), "{before:?}");
    replica.rebuild_rows().unwrap();
    assert_eq!(replica.dump_rows().unwrap(), before);
}

#[test]
fn a_copied_store_goes_on_under_another_actor() {
    let (folder, mut replica) = open();
    let id = replica.create("customer", &fields(json!({"company_name": "Acme"}))).unwrap();
    drop(replica);
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        // A backup of the database does not carry the token beside it.
        if entry.file_name() != INSTANCE_FILE {
            fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
    }
    let actors = |folder: &Path, seed| {
        let mut replica = Replica::open(folder, options(seed)).unwrap();
        replica.update(id, &fields(json!({"company_name": format!("Acme {seed}")}))).unwrap();
        let (_, documents) = replica.documents(id).unwrap().unwrap();
        let state = documents.flat.values().next().unwrap();
        state.clock.keys().copied().collect::<Vec<_>>()
    };
    let original = actors(folder.path(), 7);
    let copied = actors(copy.path(), 8);
    assert_eq!(original.len(), 1, "the original goes on as it was");
    assert_eq!(copied.len(), 2, "the copy took an actor of its own");
}

/// An enrolled replica, and the server's answer that refuses one of its waiting changes whole.
fn refuse(replica: &mut Replica, part: &str, code: &str) {
    let waiting = replica.outbox(10).unwrap();
    let change = waiting.iter().find(|waiting| waiting.part == part).unwrap();
    let outcome = Outcome::Refused(code.to_owned(), change.keys.clone());
    let response = PushResponse::new(vec![Answer { hash: change.hash, outcome }]);
    replica.take_push_response(&response).unwrap();
}

/// Seed 5029 of the simulator: an edit was answered to wait and came to the server late, by the network alone;
/// the next edit, sent after it, was taken. What the first had said went from the screen, and a text could
/// not be synced any more.
#[test]
fn what_came_late_is_confirmed_with_what_follows_it() {
    let (_folder, mut replica) = open();
    let new = fields(json!({"company_name": "Acme", "notes": "One."}));
    let id = replica.create("customer", &new).unwrap();
    let answer = |replica: &mut Replica, hash, outcome| {
        replica.take_push_response(&PushResponse::new(vec![Answer { hash, outcome }])).unwrap();
    };
    for waiting in replica.outbox(10).unwrap() {
        answer(&mut replica, waiting.hash, Outcome::Applied);
    }
    for edit in [json!({"industry": "retail"}), json!({"short_name": "A"})] {
        replica.update(id, &fields(edit)).unwrap();
    }
    for notes in ["One. Two.", "One. Two. Three."] {
        replica.update(id, &fields(json!({ "notes": notes }))).unwrap();
    }
    let waiting = replica.outbox(10).unwrap();
    assert_eq!(waiting.len(), 4);
    for pair in waiting.chunks(2) {
        answer(&mut replica, pair[0].hash, Outcome::Pending(vec![ChangeHash([7; 32])]));
        answer(&mut replica, pair[1].hash, Outcome::Applied);
        answer(&mut replica, pair[0].hash, Outcome::Duplicate);
    }
    assert_eq!(replica.outbox(10).unwrap(), []);
    let shown = replica.get(id).unwrap().unwrap();
    assert_eq!((&shown["industry"], &shown["short_name"]), (&json!("retail"), &json!("A")));
    assert_eq!(shown["notes"], "One. Two. Three.");
}

/// Seed 2 of the simulator: a refusal of all that the restricted part held took the record's
/// whole row out of the lists.
#[test]
fn a_refused_part_leaves_the_rest_of_the_row_as_it_is() {
    let (_folder, mut replica) = open();
    let limited = fields(json!({"company_name": "Acme", "credit_limit": "5 USD", "notes": "long"}));
    let id = replica.create("customer", &limited).unwrap();
    for part in ["restricted", "notes"] {
        refuse(&mut replica, part, "not_permitted");
        let before = replica.dump_rows().unwrap();
        assert!(before[0].contains("Acme") && !before[0].contains("USD"), "{before:?}");
        replica.rebuild_rows().unwrap();
        assert_eq!(replica.dump_rows().unwrap(), before);
    }
    assert_eq!(replica.get(id).unwrap().unwrap()["company_name"], "Acme");
    assert_eq!(replica.inbox(10).unwrap().len(), 2);
}

/// Seed 2 of the simulator: after a refusal the next change had the number of the refused one.
#[test]
fn the_number_of_a_refused_change_is_never_used_again() {
    let (folder, mut replica) = open();
    let id = replica
        .create("customer", &fields(json!({"company_name": "Acme", "credit_limit": "5 USD"})))
        .unwrap();
    let actors = |replica: &Replica| {
        let (_, documents) = replica.documents(id).unwrap().unwrap();
        documents.flat.get(&Part::Restricted).map(|state| state.clock.clone())
    };
    let refused = actors(&replica).unwrap();
    refuse(&mut replica, "restricted", "not_permitted");
    assert_eq!(actors(&replica), None);
    drop(replica);
    let mut replica = Replica::open(folder.path(), options(2)).unwrap();
    replica.update(id, &fields(json!({"credit_limit": "6 USD"}))).unwrap();
    let fresh = actors(&replica).unwrap();
    assert!(fresh.keys().all(|actor| !refused.contains_key(actor)), "{fresh:?}");
}

/// What was written in many long texts before the first contact with an office is no group.
#[test]
fn many_texts_written_before_enrolment_go_along() {
    let (_folder, mut replica) = open();
    let count = GROUP_CHANGES_MAX + 1;
    for number in 0..count {
        let notes = format!("note {number}");
        replica
            .create("customer", &fields(json!({"company_name": "Acme", "notes": notes})))
            .unwrap();
    }
    replica
        .enroll(&Enrolment {
            url: "http://office".to_owned(),
            device: DeviceId(id_of(1)),
            user: "Ada".to_owned(),
            prefix: ActorPrefix([9; 12]),
            token: "token".to_owned(),
            user_record: None,
            ca: None,
        })
        .unwrap();
    assert_eq!(replica.status().unwrap().waiting, 2 * count as u64);
}

/// An app enrols the device while its extension has the records open: the extension goes on as that device.
#[test]
fn who_has_the_records_open_while_the_device_is_enrolled_writes_as_that_device() {
    let (folder, mut app) = open();
    let mut extension = Replica::open(folder.path(), options(2)).unwrap();
    let prefix = ActorPrefix([9; 12]);
    app.enroll(&Enrolment {
        url: "http://office".to_owned(),
        device: DeviceId(id_of(1)),
        user: "Ada".to_owned(),
        prefix,
        token: "token".to_owned(),
        user_record: None,
        ca: None,
    })
    .unwrap();
    let id = extension.create("customer", &fields(json!({"company_name": "Acme"}))).unwrap();
    let (_, documents) = extension.documents(id).unwrap().unwrap();
    let written: Vec<_> = documents.flat[&Part::Main].clock.keys().collect();
    assert!(!written.is_empty());
    assert!(written.iter().all(|actor| actor.prefix() == prefix), "{written:?}");
}

fn id_of(number: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(number)
}

#[test]
fn equal_records_made_at_the_same_moment_are_two() {
    let (_folder, mut replica) = open();
    let twin = fields(json!({"company_name": "Acme", "notes": "the same"}));
    let (first, second) = replica
        .transaction(|writer| {
            Ok((writer.create("customer", None, &twin)?, writer.create("customer", None, &twin)?))
        })
        .unwrap();
    assert_ne!(first, second);
    assert_eq!(replica.status().unwrap().waiting, 4);
}

#[test]
fn processes_that_open_a_new_folder_together_share_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let keys: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let open =
            |seed| scope.spawn(move || Replica::open(path, options(seed)).unwrap().public_key());
        let threads: Vec<_> = (0..8).map(open).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(keys.iter().all(|key| *key == keys[0]));
}

/// What a server sends to a user who may not read anything any more.
fn nothing_is_allowed() -> Vec<outrider_core::sync::frame::PullFrame> {
    use outrider_core::{
        access::Grant,
        sync::frame::{End, Hello, PROTOCOL_VERSION, PullFrame, SignedGrant},
    };
    let grant = SignedGrant { body: Grant::default().to_bytes(), signature: Vec::new() };
    let hello = Hello {
        version: PROTOCOL_VERSION,
        instance: [0; 16],
        is_cursor_known: true,
        now_ms: 0,
        expected: 0,
        grant: Some(grant),
        position: None,
        recovery: None,
        backed_up: None,
    };
    let (digest, streams) = ([0; 16], Vec::new());
    let end = End {
        is_held_right: None,
        is_more: false,
        position: 1,
        digest,
        streams,
        reached: None,
        audit_head: None,
    };
    vec![PullFrame::Hello(hello), PullFrame::End(end)]
}

#[test]
fn records_of_an_entity_that_only_a_newer_app_knows_are_kept_and_counted() {
    use outrider_core::{
        crdt::{self, Action, Edit, Stamp, State},
        ids::{ActorId, DocumentId, Part, RecordId},
        store::{document, meta},
        sync::{
            digest,
            frame::{Body, DocumentFrame, PullFrame},
        },
    };
    let (_folder, mut replica) = open();
    let mut state = State::default();
    let stamp = Stamp { actor: ActorId([9; 16]), time_ms: 0, message: None };
    let edits = vec![Edit { key: "warp".to_owned(), action: Action::Put(7_i64.into()) }];
    crdt::write(&mut state, &mut None, stamp, edits).unwrap();
    let record = RecordId::new(1, [1; 10]);
    let id = DocumentId { record, part: Part::Main };
    let frame = PullFrame::Document(Box::new(DocumentFrame {
        record,
        part: Part::Main,
        entity: "spaceship".to_owned(),
        family: record,
        family_position: 1,
        pass: 1,
        body: Body::State(state.to_bytes()),
        provenance: Vec::new(),
        unit: None,
    }));
    let effect = replica.take_frames(std::slice::from_ref(&frame), false).unwrap();
    assert_eq!((effect.documents, effect.unknown), (1, 1));
    let conn = replica.store().conn();
    let stored = document::load(conn, &id).unwrap().unwrap();
    assert_eq!(stored.entity, "spaceship");
    assert_eq!(State::from_bytes(&stored.state).unwrap(), state);
    assert_eq!(meta::cursor(conn).unwrap().held, digest::of_state(&id, &state));
    let effect = replica.take_frames(&nothing_is_allowed(), false).unwrap();
    assert_eq!(effect.left, 1);
    assert_eq!(document::load(replica.store().conn(), &id).unwrap(), None);
    assert_eq!(meta::cursor(replica.store().conn()).unwrap().held, [0; 16]);
}

#[test]
fn a_record_with_waiting_edits_stays_when_its_last_scope_goes() {
    use outrider_core::ids::RecordId;
    let (_folder, mut replica) = open();
    let id: RecordId =
        replica.create("customer", &fields(json!({"company_name": "Acme"}))).unwrap();
    let effect = replica.take_frames(&nothing_is_allowed(), false).unwrap();
    assert_eq!(effect.left, 0, "it is nobody's but its author's");
    assert!(replica.get(id).unwrap().is_some());
}

#[test]
fn a_long_text_keeps_to_the_limit_of_its_field() {
    let (_folder, mut replica) = open();
    let Type::Text { max } = replica.entity("customer").unwrap().field("notes").unwrap().ty else {
        panic!("notes are a text")
    };
    let notes = |count: usize| fields(json!({"company_name": "Acme", "notes": "记".repeat(count)}));
    let error = replica.create("customer", &notes(max + 1)).unwrap_err();
    assert_eq!(error.to_string(), format!("`notes`: longer than {max} characters"));
}

/// Others who have an account on the same computer read no customers.
#[cfg(unix)]
#[test]
fn nobody_else_may_read_what_is_stored() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let mut replica = Replica::open(&home, Options::default()).unwrap();
    replica.create("customer", &fields(json!({"company_name": "Acme"}))).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o077;
    assert_eq!(mode(&home), 0);
    let files: Vec<_> = fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0, "{}", file.display());
    }
}

/// SQLite says the same of a disk that fails.
#[test]
fn what_cannot_be_opened_is_not_said_to_be_anothers() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("outrider.db")).unwrap();
    let error = Replica::open(folder.path(), options(1)).unwrap_err().to_string();
    assert!(error.contains("cannot open") && !error.contains("belongs to"), "{error}");
}

/// An empty box of a form is no name.
#[test]
fn an_empty_text_is_no_value_of_a_required_field() {
    let (_folder, mut replica) = open();
    for blank in [json!(""), json!("  "), json!(null)] {
        let name = fields(json!({ "company_name": blank }));
        let error = replica.create("customer", &name).unwrap_err().to_string();
        assert!(error.contains("required"), "{blank}: {error}");
        let id = replica.create("customer", &fields(json!({"company_name": "Acme"}))).unwrap();
        let error = replica.update(id, &name).unwrap_err().to_string();
        assert!(error.contains("required"), "{blank}: {error}");
        assert_eq!(replica.get(id).unwrap().unwrap()["company_name"], "Acme");
    }
}

#[test]
fn a_list_is_of_one_record_by_its_id_and_of_moments_within_a_value() {
    let (_folder, mut replica) = open();
    let mut visit = |subject: &str, start: &str| {
        let fields =
            json!({ "subject": subject, "status": "new", "scheduled": { "start": start } });
        let Json::Object(fields) = fields else { panic!() };
        replica.create("visit", &fields).unwrap()
    };
    let first = visit("first", "2026-11-30T09:00:00Z");
    let second = visit("second", "2026-12-01T09:00:00Z");
    let listed = |column: &str, compare, value: &str| {
        let filter = Filter { column: column.to_owned(), compare, value: value.to_owned() };
        let query = Query { filters: vec![filter], ..Query::default() };
        let page = replica.list("visit", &query)?;
        let subject = |visit: &Json| visit["subject"].as_str().unwrap().to_owned();
        Ok::<_, ReplicaError>(page.records.iter().map(subject).collect::<Vec<_>>())
    };
    assert_eq!(listed("id", Compare::Is, &first.to_string()).unwrap(), ["first"]);
    assert_eq!(listed("id", Compare::IsNot, &first.to_string()).unwrap(), ["second"]);
    assert!(
        listed("id", Compare::Is, "x").is_err()
            && listed("id", Compare::From, &second.to_string()).is_err()
    );
    let from = "2026-12-01T08:00:00+08:00";
    assert_eq!(listed("scheduled_start", Compare::From, from).unwrap(), ["second"]);
    assert_eq!(listed("scheduled_start", Compare::To, from).unwrap(), ["first"]);
    assert!(
        listed("scheduled_start", Compare::To, "tomorrow").is_err(),
        "and not silently nothing"
    );
}
