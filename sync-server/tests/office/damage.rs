//! Bits that flip in the server's database: read past at once, put aside, made anew from history; and
//! how far devices are told that backups reach.

use outrider_core::{
    ids::{DocumentId, Part, RecordId},
    replica::session::Session,
    store::query::Query,
};
use outrider_sync_server::{
    office,
    storage::{
        Content, Storage as _,
        sqlite::{
            SqliteStorage,
            repair::{Repair, repair},
            snapshot::note_backup,
            verify::{Findings, verify},
        },
    },
};
use rusqlite::{Connection, params};
use serde_json::json;

use crate::world::{NOW, Phone, World, fields};

fn disk(world: &World) -> Connection {
    let conn = Connection::open(world.folder.path().join("server/outrider.db")).unwrap();
    conn.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    conn
}

fn document(record: RecordId, part: Part) -> DocumentId {
    DocumentId { record, part }
}

fn bytes_of(conn: &Connection, id: &DocumentId, column: &str) -> Vec<u8> {
    let sql =
        format!("SELECT CAST({column} AS BLOB) FROM document WHERE record = ?1 AND part = ?2");
    conn.query_row(&sql, params![id.record.as_bytes(), id.part.as_str()], |row| row.get(0)).unwrap()
}

fn put(conn: &Connection, id: &DocumentId, column: &str, bytes: &[u8]) {
    let cast =
        if matches!(column, "content" | "heads" | "digest") { "?3" } else { "CAST(?3 AS TEXT)" };
    let sql = format!("UPDATE document SET {column} = {cast} WHERE record = ?1 AND part = ?2");
    let count = conn.execute(&sql, params![id.record.as_bytes(), id.part.as_str(), bytes]).unwrap();
    assert_eq!(count, 1);
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[at] ^= 1 << (at % 8);
    flipped
}

fn count(conn: &Connection, sql: &str) -> i64 {
    conn.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn customer(phone: &mut Phone, name: &str) -> RecordId {
    let all =
        json!({ "company_name": name, "employees": 12, "tags": ["vip"], "notes": "long words" });
    phone.replica.create("customer", &fields(all)).unwrap()
}

fn check(world: &World) -> Findings {
    verify(&world.folder.path().join("server"), None, &mut |_, _, _| ()).unwrap()
}

/// Every byte of a state and of a text, and of the columns beside. A flip within a value is still a
/// state: it went to every device as what somebody had typed.
#[test]
fn a_bit_that_flips_anywhere_in_a_document_is_read_past_and_made_good() {
    let world = World::open();
    let mut anna = world.phone("anna");
    let record = customer(&mut anna, "Acme");
    world.sync(&mut anna);
    let conn = disk(&world);
    let mut flips = 0;
    for (part, columns) in
        [("main", &["content", "entity"] as &[&str]), ("notes", &["content", "heads", "text"])]
    {
        let id = document(record, part.parse().unwrap());
        let stored = world.storage.read().unwrap().document(&id).unwrap().unwrap();
        for column in columns {
            let whole = bytes_of(&conn, &id, column);
            for at in 0..whole.len() {
                // A byte that is no letter any more is one that SQLite itself minds.
                put(&conn, &id, column, &flipped(&whole, at));
                let found = world.storage.read().unwrap().document(&id).unwrap().unwrap();
                assert_eq!(found, stored, "{part} {column} {at}");
                assert_eq!(bytes_of(&conn, &id, column), whole, "{part} {column} {at}");
                flips += 1;
            }
        }
    }
    let kept = count(&conn, "SELECT count(DISTINCT id) FROM quarantine WHERE what = 'content'");
    assert_eq!(kept, flips);
    assert_eq!(count(&conn, "SELECT count(*) FROM audit WHERE action = 'rebuilt'"), flips);
    assert_eq!(check(&world).problems, []);
}

/// As where the disk is full: what was read past is not forgotten, and nobody who writes elsewhere waits for it.
#[test]
fn what_could_not_be_made_anew_at_once_is_by_who_writes_next() {
    let world = World::open();
    let mut anna = world.phone("anna");
    let record = customer(&mut anna, "Acme");
    world.sync(&mut anna);
    let (conn, id) = (disk(&world), document(record, Part::Main));
    let whole = bytes_of(&conn, &id, "content");
    put(&conn, &id, "content", &flipped(&whole, 0));
    conn.execute_batch(
        "CREATE TRIGGER no_room BEFORE INSERT ON quarantine BEGIN SELECT RAISE (ABORT, 'full'); END",
    )
    .unwrap();
    assert!(world.storage.read().unwrap().document(&id).unwrap().is_some());
    customer(&mut anna, "Beta");
    world.sync(&mut anna);
    assert_eq!(anna.replica.status().unwrap().waiting, 0);
    assert_eq!(bytes_of(&conn, &id, "content"), flipped(&whole, 0));
    conn.execute_batch("DROP TRIGGER no_room").unwrap();
    customer(&mut anna, "Gamma");
    world.sync(&mut anna);
    assert_eq!(bytes_of(&conn, &id, "content"), whole);
    assert_eq!(count(&conn, "SELECT count(*) FROM audit WHERE action = 'rebuilt'"), 1);
    assert_eq!(check(&world).problems, []);
}

#[test]
fn a_document_that_cannot_be_made_anew_stops_nothing_else() {
    let world = World::open();
    let (mut anna, mut ben) = (world.phone("anna"), world.phone("ben"));
    let acme = fields(json!({ "company_name": "Acme" }));
    let bad = anna.replica.create("customer", &acme).unwrap();
    let good = customer(&mut anna, "Beta");
    world.sync(&mut anna);
    let conn = disk(&world);
    let id = document(bad, Part::Main);
    put(&conn, &id, "content", &flipped(&bytes_of(&conn, &id, "content"), 0));
    // Its history is damaged too.
    conn.execute(
        "UPDATE change SET bytes = zeroblob(length(bytes)) WHERE record = ?1 AND part = 'main'",
        params![bad.as_bytes()],
    )
    .unwrap();
    // A pull, a list, titles, a page.
    world.sync(&mut ben);
    assert!(ben.replica.get(good).unwrap().is_some());
    assert!(ben.replica.get(bad).unwrap().is_none());
    let read = world.storage.read().unwrap();
    let entity = outrider_core::schema::Schema::current().entity("customer").unwrap();
    let page = office::list(&*read, entity, &Query { limit: 10, ..Query::default() }).unwrap();
    assert_eq!(page.records.iter().map(|view| view.id).collect::<Vec<_>>(), [good]);
    assert_eq!(office::titles(&*read, [bad, good]).unwrap().len(), 1);
    assert!(office::view(&*read, good).unwrap().is_some());
    assert!(office::view(&*read, bad).is_err());
    drop(read);
    // A push: what needs the damaged one stays with its author, the rest is taken.
    anna.replica.update(bad, &fields(json!({ "employees": 13 }))).unwrap();
    anna.replica.update(good, &fields(json!({ "employees": 14 }))).unwrap();
    world.sync(&mut anna);
    assert_eq!(anna.replica.status().unwrap().waiting, 1);
    world.sync(&mut ben);
    assert_eq!(ben.replica.get(good).unwrap().unwrap()["employees"], 14);
    assert_eq!(count(&conn, "SELECT count(*) FROM audit WHERE action = 'damaged'"), 1);
    assert!(count(&conn, "SELECT count(*) FROM audit WHERE action = 'put_off'") >= 1);
    assert!(count(&conn, "SELECT count(*) FROM quarantine WHERE healed_at IS NULL") >= 1);
}

#[test]
fn columns_rows_digests_and_places_are_made_anew_by_the_doctor() {
    let world = World::open();
    let mut anna = world.phone("anna");
    for name in ["Acme", "Beta"] {
        customer(&mut anna, name);
    }
    world.sync(&mut anna);
    let conn = disk(&world);
    conn.execute_batch(
        "UPDATE change SET clock = x'ff', keys = '[', seq = seq + 7 WHERE part = 'main';
         UPDATE customer SET company_name = 'Acne';
         DELETE FROM record_feed WHERE part = 'notes';
         UPDATE stream_digest SET digest = zeroblob(16);
         UPDATE document SET digest = zeroblob(16) WHERE part = 'main' AND entity = 'customer';",
    )
    .unwrap();
    let data = world.folder.path().join("server");
    for _ in 0..2 {
        for what in
            [Repair::History, Repair::Documents, Repair::Feed, Repair::Streams, Repair::Rows]
        {
            repair(&data, what, &check(&world), NOW).unwrap();
        }
        assert_eq!(check(&world).problems, []);
    }
    let mut ben = world.phone("ben");
    world.sync(&mut ben);
    assert_eq!(ben.replica.list("customer", &Query::default()).unwrap().records.len(), 2);
}

/// The state says what it must; only what pulls read beside it is damaged.
#[test]
fn a_damaged_history_ends_no_pull() {
    let world = World::open();
    let (mut anna, mut ben) = (world.phone("anna"), world.phone("ben"));
    let record = customer(&mut anna, "Acme");
    world.sync(&mut anna);
    world.sync(&mut ben);
    anna.replica
        .update(record, &fields(json!({ "employees": 13, "notes": "other words" })))
        .unwrap();
    world.sync(&mut anna);
    disk(&world).execute("UPDATE change SET clock = x'ff', keys = '['", []).unwrap();
    world.sync(&mut ben);
    let shown = ben.replica.get(record).unwrap().unwrap();
    assert_eq!((&shown["employees"], &shown["notes"]), (&json!(13), &json!("other words")));
}

/// Devices let go of what they wrote when every backup that may be put back has it; a server that goes
/// back to one gets the rest again.
#[test]
fn a_restored_server_gets_back_what_no_kept_backup_has() {
    let mut world = World::open();
    let mut anna = world.phone("anna");
    let data = world.folder.path().join("server");
    let position = |world: &World| world.storage.read().unwrap().position().unwrap();
    let told = |world: &World, phone: &mut Phone| {
        world.sync(phone);
        phone.replica.status().unwrap().backed_up
    };
    let acme = customer(&mut anna, "Acme");
    assert_eq!(told(&world, &mut anna), None, "never backed up");
    let first = position(&world);
    note_backup(&data, first, NOW, 2).unwrap();
    // The first backup is the one that will be put back.
    let old = world.folder.path().join("old");
    std::fs::create_dir(&old).unwrap();
    disk(&world).pragma_update_and_check(None, "wal_checkpoint", "TRUNCATE", |_| Ok(())).unwrap();
    for file in ["outrider.db", "ledger"] {
        std::fs::copy(data.join(file), old.join(file)).unwrap();
    }
    assert_eq!(told(&world, &mut anna), None, "one backup, and two are kept");
    let beta = customer(&mut anna, "Beta");
    world.sync(&mut anna);
    note_backup(&data, position(&world), NOW, 2).unwrap();
    let all = anna.replica.status().unwrap().kept;
    let conn = Connection::open(world.folder.path().join("anna/outrider.db")).unwrap();
    // As if they had been written long ago.
    conn.execute("UPDATE own_change SET undo = x''", []).unwrap();
    assert_eq!(told(&world, &mut anna), Some(first));
    assert!(anna.replica.status().unwrap().kept < all, "those of Acme went");
    world.storage = SqliteStorage::open_for_test(&old, true).unwrap();
    let id = document(beta, Part::Main);
    assert!(world.storage.read().unwrap().document(&id).unwrap().is_none());
    world.sync(&mut anna);
    world.sync(&mut anna);
    for record in [acme, beta] {
        let id = document(record, Part::Main);
        assert!(world.storage.read().unwrap().document(&id).unwrap().is_some());
    }
    let mut ben = world.phone("ben");
    world.sync(&mut ben);
    assert_eq!(ben.replica.get(beta).unwrap(), anna.replica.get(beta).unwrap());
}

/// An acknowledged change of a device whose cursor stood before the backup: the restored server knew
/// the cursor, and noticed nothing until digests were compared.
#[test]
fn a_push_that_was_lost_is_noticed_by_the_next_question() {
    let world = World::open();
    let mut anna = world.phone("anna");
    customer(&mut anna, "Acme");
    world.sync(&mut anna);
    let record = customer(&mut anna, "Beta");
    // Pushed and acknowledged; the connection is cut before the pull.
    let mut session = Session::new();
    let request = session.next(&mut anna.replica).unwrap().unwrap();
    assert_eq!(request.path, "/v1/push");
    let answer = world.answer(&anna.device, request.path, &request.body);
    session.receive(&mut anna.replica, &mut answer.as_slice()).unwrap();
    let mut asked = anna.replica.pull_request(1 << 20).unwrap();
    let mut pushed = asked.pushed.take().unwrap();
    pushed.digest = [1; 16];
    asked.pushed = Some(pushed);
    let key = outrider_sync_server::keys::ServerKey::from_bytes(&[7; 32]).unwrap();
    let policy = world.policy();
    let issuer =
        outrider_sync_server::access::Issuer { policy: &policy, key: &key, now_ms: world.now() };
    let mut is_known = None;
    let emit = &mut |frame| {
        if let outrider_core::sync::frame::PullFrame::Hello(hello) = frame {
            is_known = Some(hello.is_cursor_known);
        }
        Ok(())
    };
    outrider_sync_server::feed::pull(&world.storage, issuer, &anna.device, &asked, emit).unwrap();
    assert_eq!(is_known, Some(false), "the feed is another one than that of the answer");
    world.sync(&mut anna);
    let id = document(record, Part::Main);
    let stored = world.storage.read().unwrap().document(&id).unwrap().unwrap();
    assert!(matches!(stored.content, Content::Flat(_)));
}

/// A phone with damage, its edits waiting, and an office that has the rest.
#[test]
fn a_damaged_phone_gets_its_record_back_with_its_edits_on_top() {
    let world = World::open();
    let (mut anna, mut ben) = (world.phone("anna"), world.phone("ben"));
    let record = customer(&mut anna, "Acme");
    world.sync(&mut anna);
    world.sync(&mut ben);
    ben.replica.update(record, &fields(json!({ "employees": 13, "notes": "mine" }))).unwrap();
    anna.replica
        .update(record, &fields(json!({ "industry": "energy", "phone": "021 5555" })))
        .unwrap();
    world.sync(&mut anna);
    let conn = Connection::open(world.folder.path().join("ben/outrider.db")).unwrap();
    // Both states of both documents: nothing is left but the edits that wait.
    conn.execute_batch(
        "UPDATE document SET state = zeroblob(length(state)), confirmed = zeroblob(length(confirmed))
         WHERE confirmed IS NOT NULL",
    )
    .unwrap();
    let mut rounds = 0;
    while ben.replica.status().unwrap().waiting > 0 || rounds < 2 {
        world.sync(&mut ben);
        rounds += 1;
        assert!(rounds < 4, "it comes to rest");
    }
    world.sync(&mut anna);
    let [annas, bens] = [&anna, &ben].map(|phone| phone.replica.get(record).unwrap().unwrap());
    assert_eq!(annas, bens);
    let expected =
        [("employees", json!(13)), ("industry", json!("energy")), ("notes", json!("mine"))];
    for (field, value) in expected {
        assert_eq!(bens[field], value, "{field}");
    }
    assert_eq!(bens.get("conflicts"), None, "{bens}");
    assert_eq!(ben.replica.status().unwrap().damaged.awaited, 0);
    let held = ben.replica.pull_request(0).unwrap().held;
    assert_eq!(held, anna.replica.pull_request(0).unwrap().held);
}

/// The pages of documents were torn, those of their history were not: they were lost for good.
#[test]
fn documents_that_are_gone_come_back_from_their_history() {
    let world = World::open();
    let mut anna = world.phone("anna");
    let [first, second] = ["Acme", "Brown"].map(|name| customer(&mut anna, name));
    world.sync(&mut anna);
    anna.replica.update(first, &fields(json!({ "employees": 13 }))).unwrap();
    world.sync(&mut anna);
    let conn = disk(&world);
    let all = "SELECT group_concat(one) FROM (
        SELECT hex(content) || hex(digest) || position || hex(family) || entity AS one
        FROM document ORDER BY record, part)";
    let before: String = conn.query_row(all, [], |row| row.get(0)).unwrap();
    let documents = count(&conn, "SELECT count(*) FROM document");
    for record in [first, second] {
        conn.execute("DELETE FROM document WHERE record = ?1", [record.as_bytes()]).unwrap();
        conn.execute("DELETE FROM customer WHERE id = ?1", [record.as_bytes()]).unwrap();
    }
    assert!(count(&conn, "SELECT count(*) FROM document") < documents);
    let found = check(&world);
    assert!(found.problem_count >= 4, "{:?}", found.problems);
    let data = world.folder.path().join("server");
    let done = repair(&data, Repair::Documents, &found, NOW).unwrap();
    assert_eq!((done.repaired, done.lost), (4, 0));
    let after: String = conn.query_row(all, [], |row| row.get(0)).unwrap();
    assert_eq!(after, before);
    assert_eq!(check(&world).problem_count, 0, "{:?}", check(&world).problems);
    let mut ben = world.phone("ben");
    world.sync(&mut ben);
    assert_eq!(ben.replica.get(first).unwrap(), anna.replica.get(first).unwrap());
    assert_eq!(
        ben.replica.text(second, "notes").unwrap(),
        anna.replica.text(second, "notes").unwrap()
    );
}
