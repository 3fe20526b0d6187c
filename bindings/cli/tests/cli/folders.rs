//! Folders that are not what a command takes them for.

use std::{
    fs,
    io::{BufRead as _, BufReader},
};

use outrider_sync_server::storage::sqlite::SqliteStorage;

use crate::support::{Device, Server, finish, program};

#[test]
fn a_device_leaves_the_data_of_a_server_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(SqliteStorage::open(folder.path()).unwrap());
    let before = fs::read(folder.path().join("outrider.db")).unwrap();
    let done = finish(program(folder.path()).arg("status"), "");
    assert_eq!(done.code, 1);
    assert!(done.stderr.contains("no device's store"), "{done:?}");
    assert_eq!(fs::read(folder.path().join("outrider.db")).unwrap(), before);
    assert!(!folder.path().join("device.key").exists());
    SqliteStorage::open(folder.path()).unwrap();
}

#[test]
fn a_server_leaves_the_store_of_a_device_alone() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(finish(program(folder.path()).arg("init"), "").code, 0);
    let error = SqliteStorage::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("no server's data"), "{error}");
    assert_eq!(finish(program(folder.path()).arg("status"), "").code, 0);
}

#[test]
fn a_code_is_never_made_for_a_server_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let done = finish(program(folder.path()).args(["code", "--user", "anna", "--data", data]), "");
    assert_eq!(done.code, 1);
    assert!(done.stderr.contains("no server's data"), "{done:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn two_servers_never_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap().to_owned();
    let args = ["serve", "--listen", "127.0.0.1:0", "--stop-with-input", "--data", &data];
    let mut first = program(folder.path()).args(args).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(first.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("listening on http://"), "{line}");
    let second = finish(program(folder.path()).args(args), "");
    assert_eq!(second.code, 1);
    assert!(second.stderr.contains("another server uses"), "{second:?}");
    drop(first.stdin.take());
    assert!(first.wait().unwrap().success(), "the end of its input ends the server");
}

/// A newer server that was started beside an older one brought the tables of the running one up to date
/// before it was refused.
#[test]
fn a_server_that_is_refused_has_not_touched_the_data() {
    let folder = tempfile::tempdir().unwrap();
    drop(SqliteStorage::open(folder.path()).unwrap());
    let database = folder.path().join("outrider.db");
    let conn = rusqlite::Connection::open(&database).unwrap();
    // What the next start would build anew.
    conn.execute_batch("PRAGMA journal_mode = DELETE; UPDATE meta SET schema_version = 0").unwrap();
    drop(conn);
    let before = fs::read(&database).unwrap();
    let running = fs::File::create(folder.path().join("server.lock")).unwrap();
    running.lock().unwrap();
    let data = folder.path().to_str().unwrap();
    let args = ["serve", "--listen", "127.0.0.1:0", "--stop-with-input", "--data", data];
    let second = finish(program(folder.path()).args(args), "");
    assert_eq!(second.code, 1);
    assert!(second.stderr.contains("another server uses"), "{second:?}");
    assert!(fs::read(&database).unwrap() == before, "it is as it was");
}

/// Whoever puts a phone back from a copy, or goes on with a second one, is told once.
#[test]
fn who_goes_on_from_a_copy_is_told_so_once_and_both_go_on() {
    let server = Server::start();
    let device = server.device("anna");
    let record = device.create(&["customer", "company_name=Acme"]);
    device.json(&["sync"]);
    let copies = [("en", "is a copy or was put back"), ("zh", "副本")].map(|(language, words)| {
        let copy = Device::bare();
        for entry in fs::read_dir(device.home.path()).unwrap().flatten() {
            if entry.file_name() != "instance" {
                fs::copy(entry.path(), copy.home.path().join(entry.file_name())).unwrap();
            }
        }
        let set = ["edit", &record, &format!("wechat=from-{language}")];
        assert_eq!(copy.run(&set).code, 0, "{:?}", copy.run(&set));
        let said = copy.run(&["--language", language, "sync"]);
        assert!(said.code == 0 && said.stdout.contains(words), "{said:?}");
        let again = copy.run(&["--language", language, "sync"]);
        assert!(again.code == 0 && !again.stdout.contains(words), "{again:?}");
        copy
    });
    device.json(&["sync"]);
    let conflicts = device.run(&["conflicts"]).stdout;
    assert!(conflicts.contains("from-en") && conflicts.contains("from-zh"), "{conflicts}");
    drop(copies);
}

/// Rows are compared with those of a database that is in memory alone; a file of its name was left wherever
/// somebody looked.
#[test]
fn looking_at_a_store_leaves_no_file_where_one_stands() {
    let device = Device::new();
    device.create(&["customer", "company_name=Acme"]);
    let here = tempfile::tempdir().unwrap();
    for args in [&["doctor"] as &[&str], &["check"]] {
        let done = finish(program(device.home.path()).current_dir(&here).args(args), "");
        assert_eq!(done.code, 0, "{done:?}");
        assert_eq!(fs::read_dir(&here).unwrap().count(), 0, "{args:?}");
    }
}
