//! Backups, checks and the ledger as an operator meets them: exit codes, JSON, words.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use outrider_core::access::Policy;
use outrider_sync_server::{
    office,
    storage::sqlite::{DATABASE_FILE, SqliteStorage},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::world::NOW;

struct World {
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let world = Self { folder };
        let storage = SqliteStorage::open(&world.data()).unwrap();
        let author = office::author_for(&storage, "wang", None, NOW).unwrap();
        let fields = json!({ "company_name": "CANARY", "notes": "CANARY" });
        let fields = fields.as_object().unwrap();
        office::create(&storage, &Policy::open(), &author, "customer", fields, NOW).unwrap();
        world
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn at(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_outrider-sync-server"))
            .env("OUTRIDER_DATA", self.data())
            .args(args)
            .output()
            .unwrap()
    }

    /// Exit code, standard output as JSON, standard error.
    fn json(&self, args: &[&str]) -> (Option<i32>, Value, String) {
        let output = self.run(args);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default(), words)
    }

    fn backup(&self) -> String {
        let (_, key, _) = self.json(&["backup-key", "--json", "--out", &self.at("key")]);
        let key = key["public_key"].as_str().unwrap();
        let to = self.at("backups");
        let args = ["backup", "--json", "--recipient", key, "--to", &to];
        let (code, made, words) = self.json(&args);
        assert_eq!(code, Some(0), "{words}");
        made["file"].as_str().unwrap().to_owned()
    }
}

#[test]
fn verify_says_with_its_exit_code_whether_anything_is_wrong() {
    let world = World::new();
    let (code, found, words) = world.json(&["verify", "--json"]);
    assert_eq!((code, &found["problem_count"]), (Some(0), &json!(0)), "{found} {words}");
    assert!(found["changes"].as_u64().unwrap() >= 2 && found["ledger_entries"] == 1, "{found}");
    let conn = rusqlite::Connection::open(world.data().join(DATABASE_FILE)).unwrap();
    conn.execute_batch("UPDATE customer SET company_name = 'CANARY2'").unwrap();
    drop(conn);
    let (code, found, _) = world.json(&["verify", "--json"]);
    assert_eq!((code, &found["problem_count"]), (Some(1), &json!(1)), "{found}");
    assert_eq!(found["problems"][0]["subject"], "row");
    assert!(found["problems"][0]["found"].as_str().unwrap().contains("company_name"));
    let output = world.run(&["verify"]);
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(words.contains("1 problems in") && !words.contains("CANARY"), "{words}");
    let (code, _, words) = world.json(&["verify", "--data", &world.at("nowhere")]);
    assert_eq!(code, Some(1));
    assert!(words.contains("error:"), "{words}");
}

#[test]
fn a_backup_is_checked_without_a_key_by_its_file_and_with_one_by_what_is_in_it() {
    let world = World::new();
    let backup = world.backup();
    let (code, _, words) = world.json(&["verify", &backup, "--json"]);
    assert_eq!(code, Some(0), "{words}");
    let (code, found, words) =
        world.json(&["verify", &backup, "--identity", &world.at("key"), "--json"]);
    assert_eq!((code, &found["problem_count"]), (Some(0), &json!(0)), "{found} {words}");
    let mut bytes = fs::read(&backup).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&backup, &bytes).unwrap();
    let (code, _, words) = world.json(&["verify", &backup]);
    assert_eq!(code, Some(1));
    assert!(words.contains("damaged or cut short"), "{words}");
    let other = world.at("other-key");
    world.json(&["backup-key", "--out", &other]);
    fs::remove_file(Path::new(&backup).with_extension("age.json")).unwrap();
    bytes[middle] ^= 1;
    fs::write(&backup, &bytes).unwrap();
    let (code, _, words) = world.json(&["verify", &backup, "--identity", &other]);
    assert_eq!(code, Some(1));
    assert!(words.contains("another public key"), "{words}");
    // Without a key and with nothing beside it there is nothing to compare with.
    let (code, _, words) = world.json(&["verify", &backup]);
    assert_eq!(code, Some(1));
    assert!(words.contains("--identity"), "{words}");
}

#[test]
fn a_ledger_that_was_changed_or_lost_keeps_the_server_closed_until_somebody_decides() {
    let world = World::new();
    let path = world.data().join("ledger");
    let (code, checked, _) = world.json(&["ledger", "check", "--json"]);
    assert_eq!((code, &checked["entries"]), (Some(0), &json!(1)));
    let ledger = fs::read_to_string(&path).unwrap();
    fs::write(&path, ledger.replacen("wang", "want", 1)).unwrap();
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let (code, _, words) = world.json(&serve);
    assert_eq!(code, Some(1));
    assert!(words.contains("line 2 of the ledger"), "{words}");
    fs::remove_file(&path).unwrap();
    let (code, _, words) = world.json(&serve);
    assert_eq!(code, Some(1));
    assert!(words.contains("--ledger") && words.contains("ledger renew"), "{words}");
    let (code, renewed, words) = world.json(&["ledger", "renew", "--json"]);
    assert_eq!((code, &renewed["entries"]), (Some(0), &json!(1)), "{words}");
    let (code, found, _) = world.json(&["verify", "--json"]);
    assert_eq!((code, &found["problem_count"]), (Some(0), &json!(0)), "{found}");
}

#[test]
fn the_private_key_is_its_owners_alone_and_is_never_written_over() {
    let world = World::new();
    let key = world.at("key");
    let (_, made, _) = world.json(&["backup-key", "--json", "--out", &key]);
    assert!(made["public_key"].as_str().unwrap().starts_with("age1"));
    let text = fs::read_to_string(&key).unwrap();
    assert!(text.contains("AGE-SECRET-KEY-1") && !made.to_string().contains("SECRET"), "{made}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let (code, _, words) = world.json(&["backup-key", "--out", &key]);
    assert_eq!(code, Some(1));
    assert!(words.contains("not written over"), "{words}");
    assert_eq!(fs::read_to_string(&key).unwrap(), text);
    let (code, _, words) = world.json(&[
        "backup",
        "--recipient",
        text.lines().nth(1).unwrap(),
        "--to",
        &world.at("b"),
    ]);
    assert_eq!(code, Some(1));
    assert!(!words.contains("AGE-SECRET"), "{words}");
}

#[test]
fn the_ledger_lies_where_it_is_told_to() {
    let world = World::new();
    let ledger = world.at("elsewhere");
    fs::rename(world.data().join("ledger"), &ledger).unwrap();
    let code = ["code", "--user", "Li Na", "--json"];
    let (failed, _, words) = world.json(&code);
    assert_eq!(failed, Some(1));
    assert!(words.contains("--ledger"), "{words}");
    let (made, _, words) = world.json(&[&code[..], &["--ledger", &ledger]].concat());
    assert_eq!(made, Some(0), "{words}");
    assert!(!world.data().join("ledger").exists());
    let (code, found, _) = world.json(&["verify", "--json", "--ledger", &ledger]);
    assert_eq!((code, &found["problem_count"]), (Some(0), &json!(0)), "{found}");
    let (code, found, _) = world.json(&["verify", "--json"]);
    assert_eq!((code, &found["problems"][0]["subject"]), (Some(1), &json!("ledger")), "{found}");
}
