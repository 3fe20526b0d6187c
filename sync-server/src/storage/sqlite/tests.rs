//! What is particular to SQLite; the contract is in `conformance`.

use std::{path::Path, sync::Mutex};

use outrider_core::{
    ids::{DocumentId, Part, RecordId},
    schema::Schema,
    sync::frame::Digest,
};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{DATABASE_FILE, SqliteStorage, audit, migrate};
use crate::storage::{Content, SCOPE_ALL, Storage, StorageError, TextContent, conformance};

fn check_with(synchronous_off: bool) {
    // Folders live as long as the suite, which opens one storage for each case.
    let folders: Mutex<Vec<TempDir>> = Mutex::default();
    conformance::check(|| {
        let folder = TempDir::new().unwrap();
        let storage = SqliteStorage::open_for_test(folder.path(), synchronous_off).unwrap();
        folders.lock().unwrap().push(folder);
        Box::new(storage)
    });
}

#[test]
fn keeps_the_contract_of_storage() {
    check_with(true);
}

#[test]
fn keeps_the_contract_with_synced_commits() {
    check_with(false);
}

fn put_note(storage: &dyn Storage, text: &str) {
    let id =
        DocumentId { record: RecordId::from_bytes([1; 16]), part: Part::Text("notes".to_owned()) };
    let content = Content::Text(TextContent {
        generation: 0,
        saved: vec![1],
        heads: Vec::new(),
        text: text.to_owned(),
    });
    let mut write = storage.write().unwrap();
    write.put_document(&id, "customer", id.record, &content).unwrap();
    write.commit().unwrap();
}

fn note_in_rows(folder: &Path) -> String {
    let conn = Connection::open(folder.join(DATABASE_FILE)).unwrap();
    conn.query_row("SELECT notes FROM customer", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_store_opened_again_is_the_same() {
    let folder = TempDir::new().unwrap();
    let open = || SqliteStorage::open(folder.path()).unwrap();
    let storage = open();
    put_note(&storage, "first visit");
    let seen = |storage: &SqliteStorage| {
        let read = storage.read().unwrap();
        let digest: Option<Digest> = read.feed_digest(1).unwrap();
        (read.instance().unwrap(), digest, read.stream_digests(SCOPE_ALL).unwrap())
    };
    let before = seen(&storage);
    drop(storage);
    assert_eq!(seen(&open()), before);
    assert_eq!(note_in_rows(folder.path()), "first visit");
}

#[test]
fn rows_are_built_anew_when_the_schema_changed() {
    let folder = TempDir::new().unwrap();
    put_note(&SqliteStorage::open(folder.path()).unwrap(), "first visit");
    let conn = Connection::open(folder.path().join(DATABASE_FILE)).unwrap();
    conn.execute_batch("UPDATE customer SET notes = 'stale'; UPDATE meta SET schema_version = 0")
        .unwrap();
    SqliteStorage::open(folder.path()).unwrap();
    assert_eq!(note_in_rows(folder.path()), "first visit");
}

#[test]
fn a_newer_database_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    drop(SqliteStorage::open(folder.path()).unwrap());
    let newer = migrate::known_version() + 1;
    let conn = Connection::open(folder.path().join(DATABASE_FILE)).unwrap();
    conn.pragma_update(None, "user_version", newer).unwrap();
    let error = SqliteStorage::open(folder.path()).unwrap_err();
    assert!(matches!(error, StorageError::TooNew { found, .. } if found == newer), "{error}");
    let found: u32 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(found, newer);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let error = SqliteStorage::open(&file.join("data")).unwrap_err();
    assert!(error.to_string().contains("file/data"), "{error}");
}

#[test]
fn no_entity_has_the_name_of_a_table_of_ours() {
    let conn = Connection::open_in_memory().unwrap();
    conn.execute_batch(include_str!("migrations/0001_first.sql")).unwrap();
    let mut query = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let names: Vec<String> =
        query.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    assert!(names.contains(&"document".to_owned()));
    for entity in Schema::current().entities() {
        assert!(!names.contains(&entity.name), "{} is a table of the server", entity.name);
    }
}

/// How SQLite would find what a statement asks for.
fn plan(conn: &Connection, sql: &str) -> String {
    let mut query = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    // No parameter is bound: a plan must not depend on them.
    let mut rows = query.raw_query();
    let mut lines = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        lines.push(row.get::<_, String>(3).unwrap());
    }
    lines.join("\n")
}

fn opened() -> (TempDir, Connection) {
    let folder = TempDir::new().unwrap();
    drop(SqliteStorage::open(folder.path()).unwrap());
    let conn = Connection::open(folder.path().join(DATABASE_FILE)).unwrap();
    (folder, conn)
}

#[test]
fn the_feed_is_read_along_its_indexes() {
    let (_folder, conn) = opened();
    let plan = plan(
        &conn,
        "SELECT 1 FROM family_feed f CROSS JOIN record_feed r ON r.family = f.family
         WHERE f.scope = 'all' AND f.position > 5 AND r.position > 5
           AND (f.position, f.family) >= (7, x'01')
           AND (f.position, f.family, r.record, r.part) > (7, x'01', x'02', 'main')
         ORDER BY f.position, f.family, r.record, r.part LIMIT 10",
    );
    assert!(plan.contains("family_feed_by_position (scope=? AND (position,family)>"), "{plan}");
    assert!(!plan.contains("TEMP B-TREE"), "{plan}");
}

#[test]
fn pages_that_people_open_often_walk_indexes() {
    let (_folder, conn) = opened();
    let walks = [
        ("SELECT id, NULL FROM customer WHERE 1 AND is_archived = 0 ORDER BY id DESC LIMIT 51",
         "customer_in_use"),
        ("SELECT id, NULL FROM customer WHERE 1 AND is_archived = 0 AND id > ?1
          ORDER BY id ASC LIMIT 51", "customer_in_use (id>?)"),
        ("SELECT count(*) FROM customer WHERE 1 AND is_archived = 0", "COVERING INDEX customer_in_use"),
        ("SELECT id, company_name FROM customer WHERE 1 AND is_archived = 0
          ORDER BY company_name ASC, id ASC LIMIT 51", "customer_in_use_by_title"),
        ("SELECT id, company_name FROM customer WHERE 1 AND is_archived = 0
          AND (company_name > ?1 OR (company_name = ?1 AND id > ?2))
          ORDER BY company_name ASC, id ASC LIMIT 51", "customer_in_use_by_title"),
        ("SELECT count(*) FROM contact WHERE 1 AND is_archived = 0 AND customer_id = ?1",
         "contact_by_customer_id (customer_id=?)"),
        ("SELECT id, NULL FROM contact WHERE 1 AND is_archived = 0 AND customer_id = ?1
          ORDER BY id DESC LIMIT 51", "contact_by_customer_id (customer_id=?)"),
        ("SELECT c.record FROM change c JOIN document d ON d.record = c.record AND d.part = c.part
          WHERE c.id > (SELECT max(id) FROM change) - ?2 AND c.received_at >= ?1
          ORDER BY c.id DESC", "INTEGER PRIMARY KEY (rowid>?)"),
        ("SELECT id FROM device WHERE prefix = ?1", "(prefix=?)"),
        ("SELECT id FROM device WHERE user = ?1 AND is_office = 1", "device_of_office (user=?)"),
    ];
    for (sql, expected) in walks {
        let plan = plan(&conn, sql);
        assert!(plan.contains(expected), "{sql}\n{plan}");
        let is_sorted = plan.contains("TEMP B-TREE") && !sql.contains("customer_id =");
        assert!(!is_sorted, "{sql}\n{plan}");
    }
}

#[test]
fn lines_from_before_the_chain_become_one() {
    let folder = TempDir::new().unwrap();
    drop(SqliteStorage::open(folder.path()).unwrap());
    let conn = Connection::open(folder.path().join(DATABASE_FILE)).unwrap();
    // As a version before left it: with gaps, without hashes.
    let old =
        "INSERT INTO audit (id, at, action, code) VALUES (3, 5, 'enrolled', ''), (9, 6, 'x', 'y')";
    conn.execute_batch(old).unwrap();
    audit::chain_old_lines(&conn).unwrap();
    drop(conn);
    let storage = SqliteStorage::open(folder.path()).unwrap();
    let read = storage.read().unwrap();
    let lines = read.audit_lines(0, 10).unwrap();
    assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), [1, 2]);
    let report = crate::audit::verify::verify(&*read, &[], &[]).unwrap();
    assert!(report.ok && report.lines == 2, "{report:?}");
}

/// `cargo test --workspace what_a_line_costs -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn what_a_line_of_the_audit_costs() {
    let folder = TempDir::new().unwrap();
    let storage = SqliteStorage::open_for_test(folder.path(), true).unwrap();
    let line = crate::storage::AuditLine::new(1, "applied")
        .device(outrider_core::ids::DeviceId(uuid::Uuid::from_u128(1)))
        .hash(outrider_core::ids::ChangeHash([7; 32]));
    for _ in 0..5 {
        let begun = std::time::Instant::now();
        let mut write = storage.write().unwrap();
        for _ in 0..10_000 {
            write.add_audit(&line).unwrap();
        }
        write.commit().unwrap();
        let line_us = begun.elapsed().as_secs_f64() * 1e6 / 10_000.0;
        let read = storage.read().unwrap();
        let begun = std::time::Instant::now();
        let report = crate::audit::verify::verify(&*read, &[], &[]).unwrap();
        let check_us = begun.elapsed().as_secs_f64() * 1e6 / report.lines as f64;
        eprintln!("{line_us:.2} µs to write a line, {check_us:.2} µs to check one");
        let filter = crate::storage::audit::AuditFilter {
            user: Some("nobody".to_owned()),
            limit: 100,
            ..Default::default()
        };
        let begun = std::time::Instant::now();
        assert!(read.audit_page(&filter).unwrap().lines.is_empty());
        let page_ms = begun.elapsed().as_secs_f64() * 1e3;
        eprintln!("{page_ms:.1} ms to look through {} lines in vain", report.lines);
    }
    let conn = Connection::open(folder.path().join(DATABASE_FILE)).unwrap();
    conn.execute_batch("CREATE TABLE plain AS SELECT * FROM audit WHERE 0; BEGIN").unwrap();
    let begun = std::time::Instant::now();
    for n in 0..10_000 {
        conn.prepare_cached(
            "INSERT INTO plain (id, at, device, action, record, part, hash, code)
             VALUES (?1, 1, ?2, 'applied', NULL, NULL, ?3, '')",
        )
        .unwrap()
        .execute((n, [1_u8; 16], [7_u8; 32]))
        .unwrap();
    }
    let plain_us = begun.elapsed().as_secs_f64() * 1e6 / 10_000.0;
    eprintln!("{plain_us:.2} µs for a line of before, without a chain");
}
