//! Bits that flip in a device's file: found when they are read, put aside, made anew, and nothing else
//! stops meanwhile.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "support/pair.rs"]
mod pair;

use std::{path::Path, sync::Arc};

use outrider_core::{
    doctor::{Fix, Kind, salvage::copy_tables},
    ids::{ActorPrefix, DeviceId, DocumentId, Part, RecordId},
    replica::{DATABASE_FILE, Options, Replica, ReplicaError},
    store::{document, meta::Enrolment, query::Query},
    sync::frame::{Answer, DocumentName, FeedPoint, Outcome, PushResponse},
    time::ManualClock,
};
use rusqlite::{Connection, params};
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

fn enrolled(folder: &Path) -> Replica {
    let mut replica = Replica::open(folder, options(1)).unwrap();
    replica
        .enroll(&Enrolment {
            url: "http://office".to_owned(),
            device: DeviceId(uuid::Uuid::from_u128(9)),
            user: "anna".to_owned(),
            prefix: ActorPrefix([7; 12]),
            token: "token".to_owned(),
            user_record: None,
            ca: None,
        })
        .unwrap();
    replica
}

/// The server takes everything that waits.
fn acknowledge(replica: &mut Replica, position: u64) {
    let waiting = replica.outbox(1_000).unwrap();
    let answers = waiting.iter().map(|one| Answer { hash: one.hash, outcome: Outcome::Applied });
    let reached = Some(FeedPoint { position, digest: [3; 16] });
    let response = PushResponse { reached, ..PushResponse::new(answers.collect()) };
    replica.take_push_response(&response).unwrap();
}

fn main_of(record: RecordId) -> DocumentId {
    DocumentId { record, part: Part::Main }
}

/// Another process's connection, which changes bytes as a disk would.
fn disk(folder: &Path) -> Connection {
    Connection::open(folder.join(DATABASE_FILE)).unwrap()
}

fn bytes_of(conn: &Connection, id: &DocumentId, column: &str) -> Vec<u8> {
    let sql = format!("SELECT {column} FROM document WHERE record = ?1 AND part = ?2");
    conn.query_row(&sql, params![id.record.as_bytes(), id.part.as_str()], |row| row.get(0)).unwrap()
}

fn put(conn: &Connection, id: &DocumentId, column: &str, bytes: &[u8]) {
    let sql = format!("UPDATE document SET {column} = ?3 WHERE record = ?1 AND part = ?2");
    let count = conn.execute(&sql, params![id.record.as_bytes(), id.part.as_str(), bytes]).unwrap();
    assert_eq!(count, 1);
}

fn kinds(replica: &Replica) -> Vec<Kind> {
    replica.examine().unwrap().into_iter().map(|found| found.kind).collect()
}

/// Every byte of a stored state, one flipped bit each: version, heads, clock, counters, keys, values.
/// A flip in a value is still a state: before there were sums it was shown, sent on as what the
/// next edit replaced, and nobody ever knew.
#[test]
fn a_bit_that_flips_anywhere_in_a_document_is_noticed_and_made_good() {
    let folder = tempfile::tempdir().unwrap();
    let mut replica = enrolled(folder.path());
    let acme = json!({ "company_name": "Acme", "employees": 12, "tags": ["vip"] });
    let record = replica.create("customer", &fields(acme)).unwrap();
    acknowledge(&mut replica, 1);
    // Edits on top that wait.
    replica.update(record, &fields(json!({ "employees": 13 }))).unwrap();
    let shown = replica.get(record).unwrap().unwrap();
    let id = main_of(record);
    let conn = disk(folder.path());
    let whole = bytes_of(&conn, &id, "state");
    let mut flipped_count = 0;
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        put(&conn, &id, "state", &flipped);
        assert_eq!(replica.get(record).unwrap().unwrap(), shown, "byte {at}");
        flipped_count += 1;
        assert_eq!(replica.quarantined().unwrap().kept, flipped_count, "byte {at}");
    }
    assert_eq!(bytes_of(&conn, &id, "state"), whole, "what was made anew is what was there");
    assert_eq!(replica.quarantined().unwrap().awaited, 0);
    assert_eq!(replica.outbox(10).unwrap().len(), 1, "what waits still waits");
    assert_eq!(kinds(&replica), [Kind::Quarantine], "nothing else is wrong");
}

#[test]
fn what_was_confirmed_is_made_anew_where_nobody_else_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let mut replica = enrolled(folder.path());
    let record = replica.create("customer", &fields(json!({ "company_name": "Acme" }))).unwrap();
    acknowledge(&mut replica, 1);
    replica.update(record, &fields(json!({ "employees": 13 }))).unwrap();
    let shown = replica.get(record).unwrap().unwrap();
    let (id, conn) = (main_of(record), disk(folder.path()));
    for column in ["confirmed", "state"] {
        let mut flipped = bytes_of(&conn, &id, column);
        let last = flipped.len() - 1;
        flipped[last] ^= 4;
        put(&conn, &id, column, &flipped);
    }
    assert_eq!(replica.get(record).unwrap().unwrap(), shown);
    assert_eq!(replica.quarantined().unwrap().awaited, 0);
    assert!(replica.update(record, &fields(json!({ "employees": 14 }))).unwrap());
    assert_eq!(replica.outbox(10).unwrap().len(), 2);
}

/// One damaged record ended every list that it was in, and every sync.
/// The digest names the last changes alone: where ours was the last one, what others wrote before it was taken
/// for nothing, and never came back.
#[test]
fn what_was_written_on_top_of_others_is_not_taken_for_all_there_is() {
    for part in [Part::Main, "notes".parse().unwrap()] {
        let (_folder, mut ben) = pair::enrolled(5, "Ben");
        let theirs = json!({ "company_name": "Acme", "industry": "energy", "notes": "Theirs." });
        let record = ben.create("customer", &fields(theirs)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut replica = enrolled(folder.path());
        pair::bring(&ben, (5, "Ben"), &mut replica, record);
        let mine = json!({ "employees": 12, "notes": "Theirs. Mine." });
        replica.update(record, &fields(mine)).unwrap();
        acknowledge(&mut replica, 1);
        let (id, conn) = (DocumentId { record, part }, disk(folder.path()));
        let mut flipped = bytes_of(&conn, &id, "state");
        let last = flipped.len() - 1;
        flipped[last] ^= 4;
        put(&conn, &id, "state", &flipped);
        assert!(replica.get(record).is_ok());
        assert_eq!(replica.quarantined().unwrap().awaited, 1, "{id}: the server has all of it");
        assert_eq!(replica.awaited().unwrap(), [DocumentName::from(&id)]);
    }
}

#[test]
fn others_are_listed_while_one_waits_for_the_servers_copy() {
    let folder = tempfile::tempdir().unwrap();
    let mut replica = enrolled(folder.path());
    let [first, second] = ["Acme", "Beta"]
        .map(|name| replica.create("customer", &fields(json!({ "company_name": name }))).unwrap());
    acknowledge(&mut replica, 1);
    let (id, conn) = (main_of(first), disk(folder.path()));
    // Nothing is left of which it could be made anew.
    conn.execute("DELETE FROM own_change", []).unwrap();
    let mut flipped = bytes_of(&conn, &id, "state");
    flipped[0] ^= 0x80;
    put(&conn, &id, "state", &flipped);
    let page = replica.list("customer", &Query::default()).unwrap();
    assert_eq!(page.records.len(), 1);
    assert_eq!(page.records[0]["id"], second.to_string());
    assert!(matches!(replica.get(first), Err(ReplicaError::Store(error)) if error.is_damage()));
    let status = replica.status().unwrap();
    assert_eq!((status.damaged.kept, status.damaged.awaited), (1, 1));
    assert_eq!(replica.awaited().unwrap().len(), 1);
    let kept: Vec<u8> =
        conn.query_row("SELECT bytes FROM quarantine", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, flipped, "what was found is kept as it was found");
    replica.rebuild_rows().unwrap();
}

/// The bytes of an edit that waits are what is sent: damaged, it could never be, and those behind it
/// in its document neither.
#[test]
fn an_edit_whose_bytes_are_damaged_is_written_anew_from_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let mut replica = enrolled(folder.path());
    let acme = json!({ "company_name": "Acme", "employees": 12, "visits": 2, "notes": "first" });
    let record = replica.create("customer", &fields(acme)).unwrap();
    acknowledge(&mut replica, 1);
    let edit = json!({ "employees": 13, "visits": { "add": 3 }, "phone": "021 5555" });
    replica.update(record, &fields(edit)).unwrap();
    replica.update(record, &fields(json!({ "industry": "energy", "notes": "second" }))).unwrap();
    let shown = replica.get(record).unwrap().unwrap();
    let conn = disk(folder.path());
    let rows: Vec<(i64, Vec<u8>)> = conn
        .prepare("SELECT id, bytes FROM own_change WHERE acknowledged_at IS NULL ORDER BY id")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(rows.len(), 3);
    for (number, mut bytes) in rows {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        conn.execute("UPDATE own_change SET bytes = ?2 WHERE id = ?1", params![number, bytes])
            .unwrap();
    }
    assert!(kinds(&replica).contains(&Kind::Outbox));
    assert_eq!(replica.mend_outbox().unwrap(), 2, "the record, and its text");
    assert_eq!(replica.get(record).unwrap().unwrap(), shown);
    let keys: Vec<String> =
        replica.outbox(10).unwrap().into_iter().flat_map(|waiting| waiting.keys).collect();
    for key in ["employees", "phone", "industry", "notes"] {
        assert!(keys.iter().any(|known| known == key), "{key} in {keys:?}");
    }
    assert!(replica.next_push(0).unwrap().is_some());
    acknowledge(&mut replica, 2);
    assert_eq!(replica.get(record).unwrap().unwrap(), shown);
    assert_eq!(replica.status().unwrap().waiting, 0);
    let found = kinds(&replica);
    assert!(found.iter().all(|kind| *kind == Kind::Quarantine), "{found:?}");
}

/// A base tells on what an edit is written anew after a refusal; a wrong one replaces unseen.
#[test]
fn a_damaged_base_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let mut replica = enrolled(folder.path());
    let record = replica.create("customer", &fields(json!({ "company_name": "Acme" }))).unwrap();
    acknowledge(&mut replica, 1);
    replica.update(record, &fields(json!({ "company_name": "Beta" }))).unwrap();
    let conn = disk(folder.path());
    let base: Vec<u8> = conn
        .query_row("SELECT base FROM own_change WHERE acknowledged_at IS NULL", [], |row| {
            row.get(0)
        })
        .unwrap();
    for bit in 0..base.len() * 8 {
        let mut flipped = base.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        conn.execute("UPDATE own_change SET base = ?1 WHERE acknowledged_at IS NULL", [flipped])
            .unwrap();
        assert_eq!(replica.mend_outbox().unwrap(), 1, "bit {bit}");
        assert_eq!(replica.outbox(10).unwrap().len(), 1, "bit {bit}");
    }
    assert_eq!(replica.get(record).unwrap().unwrap()["company_name"], "Beta");
}

#[test]
fn the_doctor_finds_and_repairs_and_finds_nothing_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let mut replica = enrolled(folder.path());
    assert_eq!(replica.examine().unwrap(), []);
    let record = replica.create("customer", &fields(json!({ "company_name": "Acme" }))).unwrap();
    acknowledge(&mut replica, 1);
    let conn = disk(folder.path());
    conn.execute("UPDATE customer SET company_name = 'Acne'", []).unwrap();
    conn.execute("UPDATE document SET digest = zeroblob(16)", []).unwrap();
    conn.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('progress', x'ff00')", [])
        .unwrap();
    let mut found = kinds(&replica);
    found.sort();
    assert_eq!(found, [Kind::Digests, Kind::Rows, Kind::Cursor]);
    for found in replica.examine().unwrap() {
        let fixed = replica.repair(found.fix.unwrap()).unwrap();
        assert!(fixed.repaired > 0, "{fixed:?}");
    }
    assert_eq!(kinds(&replica), [Kind::Quarantine], "the row that was wrong is kept aside");
    assert_eq!(replica.list("customer", &Query::default()).unwrap().records.len(), 1);
    assert_eq!(replica.get(record).unwrap().unwrap()["company_name"], "Acme");
    for fix in Fix::ALL {
        // Whatever is repaired again stays as it is.
        replica.repair(fix).unwrap();
    }
    assert_eq!(kinds(&replica), [Kind::Quarantine]);
}

/// Acknowledged edits were kept for ever: a phone that imported a list kept it twice.
#[test]
fn own_changes_go_when_the_backups_of_the_office_cover_them() {
    use outrider_core::sync::frame::{End, Hello, PROTOCOL_VERSION, PullFrame};
    let folder = tempfile::tempdir().unwrap();
    let mut replica = enrolled(folder.path());
    for position in 1..=300_u64 {
        let name = fields(json!({ "company_name": format!("Acme {position}") }));
        replica.create("customer", &name).unwrap();
        acknowledge(&mut replica, position);
    }
    let pull = |replica: &mut Replica, backed_up: Option<u64>| {
        let hello = Hello {
            recovery: None,
            version: PROTOCOL_VERSION,
            instance: [0; 16],
            is_cursor_known: true,
            now_ms: 0,
            expected: 0,
            grant: None,
            position: Some(300),
            backed_up,
        };
        let (digest, streams) = ([0; 16], Vec::new());
        let end = End {
            is_held_right: None,
            is_more: false,
            position: 300,
            digest,
            streams,
            reached: None,
            audit_head: None,
        };
        replica.take_frames(&[PullFrame::Hello(hello), PullFrame::End(end)], false).unwrap();
        replica.status().unwrap().kept
    };
    // As if they had been written long ago.
    let conn = disk(folder.path());
    conn.execute("UPDATE own_change SET undo = x'' WHERE id < 250", []).unwrap();
    assert_eq!(pull(&mut replica, None), 300, "never backed up: everything is kept");
    assert_eq!(pull(&mut replica, Some(100)), 200);
    assert_eq!(pull(&mut replica, Some(100)), 200);
    let kept = pull(&mut replica, Some(300));
    assert_eq!(kept, 51, "those that can be undone stay");
    assert_eq!(replica.pull_request(0).unwrap().pushed.unwrap().position, 300);
    replica.reset_cursor().unwrap();
    assert_eq!(replica.pull_request(0).unwrap().pushed, None, "another feed");
    assert_eq!(pull(&mut replica, Some(300)), kept, "whose positions say nothing of the old one");
    assert!(document::counts(replica.store().conn()).unwrap()[0].1 == 300);
}

/// A file with torn pages could not be opened at all, and what waited in it was lost with it.
#[test]
fn what_can_be_read_of_a_torn_file_is_copied_into_a_new_one() {
    const PAGE: usize = 4_096;
    for seed in 0..6_u64 {
        let folder = tempfile::tempdir().unwrap();
        let mut replica = enrolled(folder.path());
        let mut ids = Vec::new();
        for number in 0..400 {
            let name = fields(json!({ "company_name": format!("Acme {number}") }));
            ids.push(replica.create("customer", &name).unwrap());
        }
        drop(replica);
        {
            let conn = disk(folder.path());
            conn.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())).unwrap();
        }
        let path = folder.path().join(DATABASE_FILE);
        let mut bytes = std::fs::read(&path).unwrap();
        let pages = bytes.len() / PAGE;
        for torn in 0..4_u64 {
            // Any page but the first, which says what the tables are.
            let drawn = (seed * 7_919 + torn * 104_729 + 13) % (pages as u64 - 1) + 1;
            let at = usize::try_from(drawn).unwrap() * PAGE;
            bytes[at..at + 512].fill(0xa5);
        }
        std::fs::write(&path, &bytes).unwrap();
        let saved = outrider_core::doctor::salvage(folder.path(), &options(2), 1_780_000_000_001);
        let saved = saved.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let kept = std::fs::read(&saved.kept_in).unwrap();
        assert_eq!(kept[100..], bytes[100..], "the old file is kept, but for its mark");
        let replica = Replica::open(folder.path(), options(3)).unwrap();
        let here = ids.iter().filter(|id| replica.get(**id).is_ok_and(|found| found.is_some()));
        let here = here.count();
        assert!(here > 200, "seed {seed}: {here} of 400, {:?}", saved.tables);
        let listed = replica.list("customer", &Query { limit: 1_000, ..Query::default() }).unwrap();
        assert_eq!(listed.records.len(), here, "seed {seed}");
        drop(replica);
        let mut replica = Replica::open(folder.path(), options(4)).unwrap();
        // Edits whose place in the outbox was torn away wait again.
        replica.repair(Fix::Documents).unwrap();
        let found = kinds(&replica);
        assert!(found.iter().all(|kind| *kind == Kind::Strays), "seed {seed}: {found:?}");
        let waiting: std::collections::BTreeSet<RecordId> =
            replica.outbox(10_000).unwrap().into_iter().map(|waiting| waiting.record).collect();
        let are_waiting = ids
            .iter()
            .filter(|id| replica.get(**id).is_ok_and(|found| found.is_some()))
            .all(|id| waiting.contains(id));
        assert!(are_waiting, "seed {seed}");
    }
}

/// Rows for which the new file had no room were left out, and it took the old one's place all the same.
#[test]
fn a_copy_that_finds_no_room_is_none_and_a_row_that_breaks_a_rule_is_left_out() {
    let made = |rows: u32| {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE said (name TEXT, what BLOB NOT NULL)").unwrap();
        for number in 0..rows {
            let row = params![number.to_string(), vec![7_u8; 2_000]];
            conn.execute("INSERT INTO said VALUES (?1, ?2)", row).unwrap();
        }
        conn
    };
    let (old, new) = (made(100), made(0));
    new.execute_batch(
        "CREATE TRIGGER odd BEFORE INSERT ON said WHEN new.name = '7'
        BEGIN SELECT raise(ABORT, 'a rule'); END",
    )
    .unwrap();
    let saved = copy_tables(&old, &new).unwrap();
    assert_eq!((saved[0].rows, saved[0].is_torn), (99, false));
    let full = made(0);
    full.pragma_update(None, "max_page_count", 20).unwrap();
    let error = copy_tables(&old, &full).unwrap_err();
    assert!(error.to_string().contains("full"), "{error}");
}

/// Whoever had the old file open went on writing into it, and nobody read that any more.
#[test]
fn what_somebody_has_open_is_not_replaced_and_what_was_replaced_is_not_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(DATABASE_FILE);
    let salvage = || outrider_core::doctor::salvage(folder.path(), &options(2), 1_780_000_000_001);
    let mut replica = enrolled(folder.path());
    let create = |replica: &mut Replica, name: &str| {
        replica.create("customer", &fields(json!({ "company_name": name }))).unwrap()
    };
    let acme = create(&mut replica, "Acme");
    let error = salvage().unwrap_err();
    assert!(error.to_string().contains("end that program"), "{error}");
    let brown = create(&mut replica, "Brown");
    drop(replica);
    let saved = salvage().unwrap();
    let mut replica = Replica::open(folder.path(), options(3)).unwrap();
    for record in [acme, brown] {
        assert!(replica.get(record).unwrap().is_some());
    }
    create(&mut replica, "Cole");
    drop(replica);
    // As somebody who opened the file before and waited for it.
    let other = tempfile::tempdir().unwrap();
    let here = other.path().join(DATABASE_FILE);
    std::fs::copy(&saved.kept_in, &here).unwrap();
    let kept = std::fs::read(&here).unwrap();
    let error = Replica::open(other.path(), options(4)).unwrap_err();
    assert!(error.to_string().contains("try again"), "{error}");
    assert_eq!(std::fs::read(&here).unwrap(), kept);
    // What is no database any more has a log that says what it was: SQLite would take that away.
    std::fs::write(&path, b"torn").unwrap();
    let log = folder.path().join(format!("{DATABASE_FILE}-wal"));
    std::fs::write(&log, b"log").unwrap();
    assert!(salvage().is_err());
    assert_eq!(std::fs::read(&log).unwrap(), b"log");
}

/// Words, names, numbers, addresses, tokens, keys: nothing of it is in a file for support.
#[test]
fn a_bundle_holds_no_word_that_anybody_typed() {
    use outrider_core::{bundle::Structure, replica::KEY_FILE};
    let folder = tempfile::tempdir().unwrap();
    let mut replica = enrolled(folder.path());
    let all = json!({
        "company_name": "Kanarienvogel 金丝雀 GmbH", "phone": "+86 138 1234 5678",
        "email": "kanari@vogelhaus.example", "website": "https://vogelhaus.example/kanari",
        "employees": 98_765, "tags": ["gelbgefiedert"], "notes": "Der Kanarienvogel singt 唱歌",
        "annual_revenue": "7654321 CNY",
    });
    let known = replica.entity("customer").unwrap();
    let all = fields(all).into_iter().filter(|(name, _)| known.field(name).is_some()).collect();
    let record = replica.create("customer", &all).unwrap();
    acknowledge(&mut replica, 1);
    let edit = json!({ "company_name": "Zeisig 黄雀", "tags": { "add": ["buntgefiedert"] } });
    replica.update(record, &fields(edit)).unwrap();
    let log = "push to https://vogelhaus.example for Kanarienvogel with token 0123456789abcdef";
    let bundle = replica.bundle([5; 32], &replica.examine().unwrap(), Some(log)).unwrap();
    let file = folder.path().join("bundle.zip");
    bundle.write(&file).unwrap();
    let key = std::fs::read_to_string(folder.path().join(KEY_FILE)).unwrap();
    let id = record.to_string();
    let canaries = [
        "Kanarienvogel",
        "kanari",
        "金丝雀",
        "金丝",
        "138 1234",
        "5678",
        "vogelhaus",
        "98765",
        "gelbgefiedert",
        "singt",
        "唱歌",
        "Zeisig",
        "黄雀",
        "buntgefiedert",
        "http://office",
        "0123456789abcdef",
        key.trim(),
        id.as_str(),
        "7654321",
        "anna",
    ];
    for part in &bundle.parts {
        let text = String::from_utf8(bundle.content(part.name).unwrap().to_vec()).unwrap();
        for canary in canaries {
            assert!(!text.to_lowercase().contains(&canary.to_lowercase()), "{canary} in {text}");
        }
    }
    let structure = Structure::read(&file).unwrap();
    assert_eq!((structure.records.len(), structure.taps.len()), (1, 1));
    let name = structure.records[0].fields["company_name"].as_str().unwrap();
    assert_eq!(name.chars().count(), "Kanarienvogel 金丝雀 GmbH".chars().count());
    let edits = &structure.taps[0].edits;
    assert_eq!(edits[0].fields["company_name"].as_str().unwrap().chars().count(), 9);
    assert!(edits[0].fields["tags"]["add"].is_array());
    assert!(bundle.write(&file).is_err(), "nothing is written over");
}
