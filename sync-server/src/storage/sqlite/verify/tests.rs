//! Damage of every kind is found and named.

use std::path::Path;

use outrider_core::{
    crdt::{Action, Edit, Stamp, State, TextDocument, write},
    ids::{ActorId, ActorPrefix, DeviceId, DocumentId, Part, RecordId},
    value::Value,
};
use rusqlite::Connection;
use tempfile::TempDir;
use uuid::Uuid;

use super::{Findings, Subject, verify};
use crate::{
    ledger::LEDGER_FILE,
    storage::{
        Content, Device, NewChange, Storage, TextContent,
        sqlite::{DATABASE_FILE, SqliteStorage, snapshot::mark_restored},
    },
};

const PREFIX: ActorPrefix = ActorPrefix([1; 12]);
const DEVICE: DeviceId = DeviceId(Uuid::from_u128(1));

/// A folder with customers that were edited, and one with a text.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let storage = SqliteStorage::open_for_test(folder.path(), true).unwrap();
    let mut tx = storage.write().unwrap();
    tx.add_device(&Device {
        id: DEVICE,
        name: "Phone".to_owned(),
        user: "Li Na".to_owned(),
        user_record: None,
        prefix: PREFIX,
        public_key: vec![1; 33],
        token_hash: [1; 32],
        enrolled_at: 1,
        is_office: false,
    })
    .unwrap();
    tx.commit().unwrap();
    for n in 1..=3 {
        put_customer(&storage, n);
    }
    put_text(&storage, 1);
    drop(storage);
    folder
}

fn main_of(n: u8) -> DocumentId {
    DocumentId { record: RecordId::from_bytes([n; 16]), part: Part::Main }
}

fn put_customer(storage: &SqliteStorage, n: u8) {
    let id = main_of(n);
    let (mut state, mut own) = (State::default(), None);
    for round in 0..3_i64 {
        let edit =
            |key: &str, value: Value| Edit { key: key.to_owned(), action: Action::Put(value) };
        let edits = vec![
            edit("company_name", Value::Text(format!("Company {n} {round}"))),
            edit("short_name", Value::Text("Wuhan".to_owned())),
        ];
        let stamp = Stamp { actor: ActorId::new(PREFIX, [n; 4]), time_ms: round, message: None };
        let encoded = write(&mut state, &mut own, stamp, edits).unwrap();
        let change = NewChange::flat(&encoded, state.clock.clone(), DEVICE);
        let mut tx = storage.write().unwrap();
        tx.put_document(&id, "customer", id.record, &Content::Flat(state.clone())).unwrap();
        tx.add_change(&id, &change, round).unwrap();
        tx.commit().unwrap();
    }
}

fn put_text(storage: &SqliteStorage, n: u8) {
    let id =
        DocumentId { record: RecordId::from_bytes([n; 16]), part: Part::Text("notes".to_owned()) };
    let mut document = TextDocument::new().unwrap();
    let actor = ActorId::new(PREFIX, [9; 4]);
    for text in ["Seen on Monday", "Seen on Monday and on Friday"] {
        let change = document.edit(actor, 1, text).unwrap().unwrap();
        let content = TextContent {
            generation: 0,
            saved: document.save(),
            heads: document.heads(),
            text: text.to_owned(),
        };
        let new = NewChange {
            hash: change.hash,
            actor,
            seq: change.seq,
            start_op: change.start_op,
            max_op: change.max_op(),
            clock: Default::default(),
            bytes: change.bytes,
            keys: Vec::new(),
            device: DEVICE,
            made_at: change.time_ms,
        };
        let mut tx = storage.write().unwrap();
        tx.put_document(&id, "customer", id.record, &Content::Text(content)).unwrap();
        tx.add_change(&id, &new, 1).unwrap();
        tx.commit().unwrap();
    }
}

fn check(folder: &Path) -> Findings {
    verify(folder, Some(&folder.join(LEDGER_FILE)), &mut |_, _, _| ()).unwrap()
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    let folder = folder();
    let findings = check(folder.path());
    assert_eq!(findings.problems, []);
    assert_eq!((findings.documents, findings.changes, findings.rows), (4, 11, 3));
    assert_eq!((findings.devices, findings.ledger_entries, findings.position), (1, Some(1), 12));
    mark_restored(folder.path(), 5).unwrap();
    let findings = check(folder.path());
    assert_eq!((findings.problems, findings.position), (Vec::new(), 13));
}

/// Breaks a fresh folder and says what is found: the subjects, and all of it as text.
fn found_after(sql: &str) -> (Vec<Subject>, String) {
    let folder = folder();
    let conn = Connection::open(folder.path().join(DATABASE_FILE)).unwrap();
    let changed = conn.execute(sql, []).unwrap();
    assert!(changed > 0, "{sql} changes nothing");
    drop(conn);
    let findings = check(folder.path());
    let text = findings.problems.iter().map(|problem| format!("{problem}\n")).collect();
    let mut subjects: Vec<_> = findings.problems.iter().map(|problem| problem.subject).collect();
    subjects.dedup();
    (subjects, text)
}

#[test]
fn each_kind_of_damage_is_found_and_named() {
    let first = "record = x'01010101010101010101010101010101' AND part = 'main'";
    let second = Uuid::from_bytes([2; 16]).to_string();
    let record = Uuid::from_bytes([1; 16]).to_string();
    let hex = "01010101010101010101010101010101";
    // What is broken, what is found, what it is called.
    let cases: Vec<(String, Subject, &str)> = vec![
        // Documents.
        (
            format!(
                "UPDATE document SET content = (SELECT content FROM document WHERE record = x'{}' AND part = 'main') WHERE {first}",
                "02".repeat(16)
            ),
            Subject::Document,
            &record,
        ),
        (format!("UPDATE document SET content = x'00' WHERE {first}"), Subject::Document, &record),
        (
            format!("UPDATE document SET digest = randomblob(16) WHERE {first}"),
            Subject::Document,
            &record,
        ),
        (format!("UPDATE document SET generation = 1 WHERE {first}"), Subject::Document, &record),
        (
            "UPDATE document SET text = 'Seen on Sunday' WHERE part = 'notes'".to_owned(),
            Subject::Document,
            "notes",
        ),
        (
            "UPDATE document SET content = substr(content, 1, 40) WHERE part = 'notes'".to_owned(),
            Subject::Document,
            "notes",
        ),
        (format!("DELETE FROM document WHERE {first}"), Subject::Document, &record),
        // Histories.
        (
            format!(
                "UPDATE change SET bytes = CAST(substr(bytes, 1, length(bytes) - 1) || x'00' AS BLOB) WHERE {first} AND seq = 2"
            ),
            Subject::History,
            &record,
        ),
        (
            format!("UPDATE change SET hash = randomblob(32) WHERE {first} AND seq = 2"),
            Subject::History,
            &record,
        ),
        (
            format!(
                "UPDATE change SET clock = (SELECT clock FROM change WHERE {first} AND seq = 1) WHERE {first} AND seq = 2"
            ),
            Subject::History,
            &record,
        ),
        (
            format!("UPDATE change SET keys = '[\"short_name\"]' WHERE {first} AND seq = 2"),
            Subject::History,
            &record,
        ),
        (
            format!("UPDATE change SET made_at = 99 WHERE {first} AND seq = 2"),
            Subject::History,
            &record,
        ),
        (format!("DELETE FROM change WHERE {first} AND seq = 2"), Subject::History, &record),
        (
            "DELETE FROM change WHERE part = 'notes' AND seq = 1".to_owned(),
            Subject::Document,
            "notes",
        ),
        ("UPDATE counter SET changes = changes + 1".to_owned(), Subject::History, "counter"),
        // Who may see it.
        (
            format!(
                "INSERT INTO family_feed (scope, family, position, since, first)
                 VALUES ('u:{second}', x'{hex}', 1, 1, 1)"
            ),
            Subject::Scope,
            &record,
        ),
        (
            format!(
                "INSERT INTO reader (record, user, because) VALUES (x'{hex}', x'{hex}', x'{hex}')"
            ),
            Subject::Scope,
            &record,
        ),
        // Rows and indexes.
        (
            format!("UPDATE customer SET short_name = 'Beijing' WHERE id = x'{hex}'"),
            Subject::Row,
            hex,
        ),
        (format!("DELETE FROM customer WHERE id = x'{hex}'"), Subject::Row, hex),
        (
            "INSERT INTO customer (id) VALUES (x'09090909090909090909090909090909')".to_owned(),
            Subject::Row,
            "0909",
        ),
        (
            format!("UPDATE search_record SET title = 'x' WHERE record = x'{hex}'"),
            Subject::Index,
            hex,
        ),
        (format!("DELETE FROM search_record WHERE record = x'{hex}'"), Subject::Index, hex),
        (
            format!("DELETE FROM match_record WHERE record = x'{hex}'"),
            Subject::Index,
            "match_record",
        ),
        // The feed.
        (
            format!("UPDATE record_feed SET position = 1 WHERE record = x'{}'", "02".repeat(16)),
            Subject::Feed,
            &second,
        ),
        (
            format!(
                "UPDATE document SET position = position + 1 WHERE record = x'{}'",
                "02".repeat(16)
            ),
            Subject::Feed,
            &second,
        ),
        (
            format!("DELETE FROM record_feed WHERE record = x'{}'", "02".repeat(16)),
            Subject::Feed,
            &second,
        ),
        (
            format!("DELETE FROM family_feed WHERE family = x'{}'", "02".repeat(16)),
            Subject::Feed,
            &second,
        ),
        (
            format!("UPDATE family_feed SET position = -1 WHERE family = x'{}'", "02".repeat(16)),
            Subject::Feed,
            &second,
        ),
        (
            format!("UPDATE record_feed SET gone = 1 WHERE record = x'{}'", "02".repeat(16)),
            Subject::Feed,
            &second,
        ),
        (
            format!(
                "UPDATE document SET alone = randomblob(16) WHERE record = x'{}'",
                "02".repeat(16)
            ),
            Subject::Feed,
            "feed of the record alone",
        ),
        (
            format!(
                "INSERT INTO record_feed SELECT randomblob(16), record, part, entity, position, 0
                 FROM record_feed WHERE record = x'{}'",
                "02".repeat(16)
            ),
            Subject::Feed,
            "no such document in that family",
        ),
        (
            "UPDATE stream_digest SET digest = randomblob(16) WHERE part = 'main'".to_owned(),
            Subject::Stream,
            "customer/main",
        ),
        (
            "UPDATE stream_digest SET count = count + 1 WHERE part = 'notes'".to_owned(),
            Subject::Stream,
            "customer/notes",
        ),
        (
            "UPDATE feed SET digest = randomblob(16) WHERE position = 5".to_owned(),
            Subject::Chain,
            "position 5",
        ),
        ("DELETE FROM feed WHERE position = 5".to_owned(), Subject::Chain, "position 5"),
        (
            "UPDATE change SET position = 6 WHERE position = 5".to_owned(),
            Subject::Chain,
            "position 5",
        ),
        (
            "INSERT INTO feed (position, digest) VALUES (99, randomblob(16))".to_owned(),
            Subject::Chain,
            "beyond",
        ),
        // Devices and ledger.
        (
            "UPDATE device SET prefix = randomblob(12)".to_owned(),
            Subject::Device,
            "an actor that is not its own",
        ),
        ("UPDATE device SET id = randomblob(16)".to_owned(), Subject::Device, "not known"),
        ("UPDATE ledger SET hash = randomblob(32)".to_owned(), Subject::Ledger, "lacks entries"),
    ];
    for (sql, subject, name) in &cases {
        let (subjects, text) = found_after(sql);
        assert!(subjects.contains(subject), "{sql} → {text}");
        assert!(text.contains(name), "{sql} → {text}");
        for value in ["Company", "Wuhan", "Beijing", "Seen on", "Li Na"] {
            assert!(!text.contains(value), "{sql} → {text}");
        }
    }
}

#[test]
fn a_flipped_byte_of_the_file_is_found() {
    let folder = folder();
    let file = folder.path().join(DATABASE_FILE);
    let whole = std::fs::read(&file).unwrap();
    // Where the first customer's city stands: in documents, changes, rows and entries.
    let places: Vec<usize> = whole
        .windows(5)
        .enumerate()
        .filter(|(_, bytes)| bytes == b"Wuhan")
        .map(|(at, _)| at)
        .collect();
    assert!(places.len() > 10, "{places:?}");
    let mut unseen = 0;
    for at in &places {
        let mut bytes = whole.clone();
        bytes[*at] ^= 1;
        std::fs::write(&file, &bytes).unwrap();
        unseen += usize::from(check(folder.path()).problem_count == 0);
    }
    // Pages hold what was there before, too: nothing reads that any more.
    assert!(unseen < places.len() / 2, "{unseen} of {} flips were not seen", places.len());
}
