//! What is particular to SQLite; the contract is in `conformance`.

use std::{path::Path, sync::Mutex};

use outrider_core::{
    ids::{DocumentId, Part, RecordId},
    schema::Schema,
    sync::frame::Digest,
};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{DATABASE_FILE, SqliteStorage, migrate};
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

#[test]
fn the_feed_is_read_along_its_indexes() {
    let folder = TempDir::new().unwrap();
    drop(SqliteStorage::open(folder.path()).unwrap());
    let conn = Connection::open(folder.path().join(DATABASE_FILE)).unwrap();
    let plan = |sql: &str| -> String {
        let mut query = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let lines = query.query_map([], |row| row.get::<_, String>(3)).unwrap();
        lines.map(Result::unwrap).collect::<Vec<_>>().join("\n")
    };
    let plan = plan(
        "SELECT 1 FROM family_feed f CROSS JOIN record_feed r ON r.family = f.family
         WHERE f.scope = 'all' AND f.position > 5 AND r.position > 5
           AND (f.position, f.family) >= (7, x'01')
           AND (f.position, f.family, r.record, r.part) > (7, x'01', x'02', 'main')
         ORDER BY f.position, f.family, r.record, r.part LIMIT 10",
    );
    assert!(plan.contains("family_feed_by_position (scope=? AND (position,family)>"), "{plan}");
    assert!(!plan.contains("TEMP B-TREE"), "{plan}");
}
