//! What is wrong, in sentences of both languages; repairs; and what support may see.

use std::fs;

use outrider_core::{bundle::Structure, replica::DATABASE_FILE};
use rusqlite::Connection;
use serde_json::json;

use crate::support::{Device, Server, finish, program};

fn disk(device: &Device) -> Connection {
    Connection::open(device.home.path().join(DATABASE_FILE)).unwrap()
}

#[test]
fn a_healthy_device_hears_that_nothing_is_wrong() {
    let device = Device::new();
    device.create(&["customer", "company_name=Acme"]);
    assert_eq!(device.json(&["doctor"]), json!({ "found": [], "fixed": [] }));
    assert_eq!(device.run(&["doctor"]).stdout.trim(), "nothing is wrong");
    assert_eq!(device.run(&["--language", "zh", "doctor"]).stdout.trim(), "没有发现问题");
    assert_eq!(device.fail(&["doctor", "--fix", "everything"]).0, 2);
    assert_eq!(Device::bare().fail(&["doctor"]).0, 3);
}

#[test]
fn damage_is_explained_in_both_languages_and_repaired_by_name() {
    let device = Device::new();
    let record = device.create(&["customer", "company_name=Acme", "notes=long words"]);
    let conn = disk(&device);
    conn.execute("UPDATE customer SET company_name = 'Acne'", []).unwrap();
    conn.execute("UPDATE document SET state = zeroblob(length(state))", []).unwrap();
    let told = device.run(&["doctor"]);
    assert_eq!(told.code, 1);
    assert!(told.stdout.contains("2 documents are damaged"), "{told:?}");
    assert!(told.stdout.contains("--fix documents"), "{told:?}");
    let told = device.run(&["--language", "zh", "doctor"]);
    assert!(told.stdout.contains("2 份文档已损坏"), "{told:?}");
    let done = device.run(&["--json", "doctor", "--fix", "all-safe", "--yes"]);
    assert_eq!(done.code, 0, "{done:?}");
    // Documents are looked at first; what their rows lack is seen afterwards.
    let done = device.run(&["--json", "doctor", "--fix", "rows", "--yes"]);
    assert_eq!(done.code, 0, "{done:?}");
    let again = device.json(&["doctor"]);
    assert_eq!(again["found"][0]["kind"], "quarantine");
    assert_eq!(again["found"][0]["level"], "notice");
    assert_eq!(device.field(&record, "company_name"), "Acme");
    assert_eq!(device.field(&record, "notes"), "long words");
    assert!(device.run(&["status"]).stdout.contains("damaged: "));
    assert!(device.run(&["--language", "zh", "status"]).stdout.contains("损坏: "));
}

/// Makes so many customers that they fill many pages.
fn create_many(device: &Device) {
    let lines: String = (0..300)
        .map(|number| {
            let fields = json!({ "company_name": format!("Acme {number}") });
            format!("{}\n", json!({ "do": "create", "entity": "customer", "fields": fields }))
        })
        .collect();
    assert_eq!(device.feed(&["batch"], &lines).code, 0);
}

#[test]
fn a_torn_file_is_said_to_be_one_and_salvaged() {
    let device = Device::new();
    create_many(&device);
    disk(&device).pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())).unwrap();
    let path = device.home.path().join(DATABASE_FILE);
    let mut bytes = fs::read(&path).unwrap();
    let pages = bytes.len() / 4_096;
    for page in [pages / 3, pages / 2, pages / 3 * 2] {
        bytes[page * 4_096..page * 4_096 + 64].fill(0xff);
    }
    fs::write(&path, &bytes).unwrap();
    let told = device.run(&["doctor"]);
    assert_eq!(told.code, 1, "{told:?}");
    assert!(told.stdout.contains("--fix salvage"), "{told:?}");
    let done = device.run(&["--json", "doctor", "--fix", "salvage", "--yes"]);
    let kept = done.json()["fixed"][0]["kept_in"].as_str().unwrap().to_owned();
    let kept = fs::read(kept).unwrap();
    let torn = pages / 2 * 4_096;
    let is_kept = kept[torn..torn + 64] == bytes[torn..torn + 64] && kept.len() >= bytes.len();
    assert!(is_kept, "the old file lies beside it, torn as it was");
    let listed = device.json(&["list", "customer", "--limit", "1000"]);
    assert!(listed["records"].as_array().unwrap().len() > 100);
}

#[test]
fn the_servers_doctor_finds_and_repairs() {
    let server = Server::start();
    let device = server.device("anna");
    device.create(&["customer", "company_name=Acme"]);
    device.json(&["sync"]);
    let data = server.data.path().to_str().unwrap().to_owned();
    let doctor = |more: &[&str]| {
        let args = [&["server", "doctor", "--data", &data] as &[&str], more].concat();
        finish(program(server.data.path()).args(args), "")
    };
    assert_eq!(doctor(&[]).code, 0, "{:?}", doctor(&[]));
    let conn = Connection::open(server.data.path().join("outrider.db")).unwrap();
    conn.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    conn.execute("UPDATE customer SET company_name = 'Acne'", []).unwrap();
    let told = doctor(&["--language", "zh"]);
    assert_eq!(told.code, 1);
    assert!(told.stdout.contains("列表行与文档不符"), "{told:?}");
    assert!(doctor(&["--fix", "rows", "--yes"]).stderr.contains("another server"));
    let data = server.data.path().to_owned();
    let copy = tempfile::tempdir().unwrap();
    conn.pragma_update_and_check(None, "wal_checkpoint", "TRUNCATE", |_| Ok(())).unwrap();
    for file in ["outrider.db", "ledger"] {
        fs::copy(data.join(file), copy.path().join(file)).unwrap();
    }
    let place = copy.path().to_str().unwrap();
    for fix in ["all-safe", "salvage"] {
        let args = ["server", "doctor", "--json", "--yes", "--fix", fix, "--data", place];
        let done = finish(program(copy.path()).args(args), "");
        assert!(done.json()["fixed"][0]["repaired"].as_u64().unwrap() > 0, "{done:?}");
    }
}

#[test]
fn a_bundle_is_shown_written_once_and_can_be_read_again() {
    let device = Device::new();
    device.create(&["customer", "company_name=Kanarienvogel"]);
    let file = device.home.path().join("bundle.zip");
    let place = file.to_str().unwrap();
    let told = device.run(&["bundle", "--out", place]);
    assert_eq!(told.code, 0, "{told:?}");
    assert!(told.stderr.contains("structure.json"), "{told:?}");
    let structure = Structure::read(&file).unwrap();
    assert_eq!(structure.taps.len(), 1);
    assert!(!format!("{structure:?}").contains("Kanarienvogel"));
    assert_eq!(device.fail(&["bundle", "--out", place]).1, "file_exists");
}

/// Pages of the server's file are torn: it serves what it can read, says what to do, and after that has
/// everything again, from its own pages and from the devices.
#[test]
fn a_torn_file_of_a_server_is_served_as_far_as_it_can_be_read_and_salvaged() {
    const PAGE: usize = 4_096;
    let server = Server::start();
    let device = server.device("anna");
    create_many(&device);
    device.json(&["sync"]);
    let data = server.data.path().to_owned();
    let copy = tempfile::tempdir().unwrap();
    let conn = Connection::open(data.join("outrider.db")).unwrap();
    conn.pragma_update_and_check(None, "wal_checkpoint", "TRUNCATE", |_| Ok(())).unwrap();
    // Pages of the documents, not those that say what the tables are.
    let pages: Vec<u32> = conn
        .prepare("SELECT pageno FROM dbstat WHERE name = 'document' AND pagetype = 'leaf'")
        .and_then(|mut query| query.query_map([], |row| row.get(0))?.collect())
        .unwrap();
    drop(conn);
    for entry in fs::read_dir(&data).unwrap().flatten() {
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let file = copy.path().join("outrider.db");
    let mut bytes = fs::read(&file).unwrap();
    for page in pages.iter().skip(2).step_by(5) {
        let at = usize::try_from(page - 1).unwrap() * PAGE;
        bytes[at..at + 64].fill(0xff);
    }
    fs::write(&file, &bytes).unwrap();
    let place = copy.path().to_str().unwrap().to_owned();
    let doctor = |more: &[&str]| {
        let args = [&["server", "doctor", "--data", &place] as &[&str], more].concat();
        finish(program(copy.path()).args(args), "")
    };
    let told = doctor(&[]);
    assert!(told.code == 1 && told.stdout.contains("--fix salvage"), "{told:?}");
    let told = doctor(&["--language", "zh"]);
    assert!(told.code == 1 && told.stdout.contains("损坏"), "{told:?}");
    let done = doctor(&["--fix", "salvage", "--fix", "documents", "--yes"]);
    assert!(done.stdout.contains("are in the new file"), "{done:?}");
    let kept = fs::read_dir(copy.path()).unwrap().flatten();
    let kept = kept.filter(|entry| entry.file_name().to_string_lossy().contains(".torn-")).count();
    assert_eq!(kept, 1);
    assert_eq!(doctor(&[]).code, 0, "{:?}", doctor(&[]));
}
