//! Files beside the databases, cut off: what a disk that was full, or lost its power, leaves.
//!
//! They are written by the standard library, so nothing fails below them; what a failed write would have
//! left is put there instead.

use std::{collections::BTreeSet, fs};

use outrider_core::replica::{INSTANCE_FILE, KEY_FILE};
use outrider_sync_server::{devices, ledger::LEDGER_FILE, storage::sqlite::verify};
use tempfile::TempDir;

use super::town::{COLLEAGUE, EDITOR, NEWCOMER, Town, copy_tree, fields};

/// Bytes between two cuts of the ledger.
const STEP_BYTES: usize = 11;

fn town() -> (TempDir, Town) {
    let folder = tempfile::tempdir().unwrap();
    let town = Town::build(folder.path().join("base"), 1).unwrap();
    (folder, town)
}

/// The power fails while a line is appended, before the database commits: whatever of the line is there,
/// the server opens, and what was interrupted can be done again.
#[test]
fn a_ledger_with_half_a_line_opens() {
    let (folder, base) = town();
    let mut later = base.copy_to(folder.path().join("later")).unwrap();
    let known = later.facts.known[NEWCOMER].clone().unwrap();
    devices::standing::revoke(later.storage().unwrap(), known.id, 1).unwrap();
    later.close();
    let before = fs::read(base.data().join(LEDGER_FILE)).unwrap();
    let after = fs::read(later.data().join(LEDGER_FILE)).unwrap();
    assert!(after.starts_with(&before) && after.len() > before.len() + 100);
    // The ledger's own tests cut at every byte; here a whole server opens each time.
    for length in (before.len()..=after.len()).step_by(STEP_BYTES) {
        let home = folder.path().join(format!("cut-{length}"));
        let mut town = base.copy_to(home.clone()).unwrap();
        fs::write(town.data().join(LEDGER_FILE), &after[..length]).unwrap();
        devices::standing::revoke(town.storage().unwrap(), known.id, 2).unwrap();
        town.close();
        let ledger = town.data().join(LEDGER_FILE);
        let found =
            verify::verify(&town.data(), Some(ledger.as_path()), &mut |_, _, _| ()).unwrap();
        assert_eq!(found.problem_count, 0, "{length}: {:?}", found.problems);
        fs::remove_dir_all(home).unwrap();
    }
}

/// A key that is half there is told, and no other one is drawn: the server would not know it.
#[test]
fn half_a_device_key_is_told() {
    let (folder, base) = town();
    let key = fs::read(base.phone_folder(EDITOR).join(KEY_FILE)).unwrap();
    for length in 0..key.len() {
        let home = folder.path().join(format!("cut-{length}"));
        let mut town = base.copy_to(home).unwrap();
        let path = town.phone_folder(EDITOR).join(KEY_FILE);
        fs::write(&path, &key[..length]).unwrap();
        let error = town.replica(EDITOR).unwrap_err().to_string();
        assert!(error.contains("not a device key"), "{length}: {error}");
        assert_eq!(fs::read(path).unwrap(), &key[..length], "{length}");
    }
}

/// The token tells copies apart: with half of it the phone goes on under new actors, and what waited there
/// reaches the office.
#[test]
fn half_a_token_loses_nothing() {
    let (folder, mut base) = town();
    let customer = base.facts.customer;
    let change = serde_json::json!({ "industry": "retail" });
    base.replica(EDITOR).unwrap().update(customer, &fields(&change)).unwrap();
    base.close();
    let token = fs::read(base.phone_folder(EDITOR).join(INSTANCE_FILE)).unwrap();
    for length in 0..token.len() {
        let home = folder.path().join(format!("cut-{length}"));
        let mut town = base.copy_to(home).unwrap();
        fs::write(town.phone_folder(EDITOR).join(INSTANCE_FILE), &token[..length]).unwrap();
        let change = serde_json::json!({ "tags": { "add": ["after"] } });
        town.replica(EDITOR).unwrap().update(customer, &fields(&change)).unwrap();
        town.settle(&BTreeSet::from([EDITOR, COLLEAGUE])).unwrap();
        let shown = town.replica(COLLEAGUE).unwrap().get(customer).unwrap().unwrap();
        assert_eq!(shown["industry"], "retail", "{length}");
        assert_eq!(shown["tags"], serde_json::json!(["after"]), "{length}");
    }
}

/// Folders are copied whole: a case would otherwise begin with half an office.
#[test]
fn a_copy_has_everything() {
    let (folder, base) = town();
    let to = folder.path().join("copy");
    copy_tree(&base.home, &to).unwrap();
    assert_eq!(fs::read_dir(&base.home).unwrap().count(), fs::read_dir(&to).unwrap().count());
    assert!(to.join("server").join(LEDGER_FILE).exists());
}
