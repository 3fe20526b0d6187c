//! Plain stores become encrypted ones, wherever the power fails; copies are plain by name alone.

use std::fs;

use outrider_core::{
    replica::{Options, Replica, ReplicaError, copy::CopyError},
    store::{SealError, StoreError},
};
use rusqlite::Connection;

use crate::{CAN_ENCRYPT, CANARY, Home, count, seal_error, write_canaries};

/// What a mark of the file says when its encrypted copy counts.
const MOVED: i32 = 0x4f52_6d76;

fn plain() -> (Home, Vec<String>) {
    let home = Home::new();
    let mut replica = home.plain();
    write_canaries(&mut replica, 25);
    let held = held(&mut replica);
    (home, held)
}

/// Everything that the replica says of itself.
fn held(replica: &mut Replica) -> Vec<String> {
    let mut held = replica.dump_rows().unwrap();
    held.push(serde_json::to_string(&replica.outbox(1_000).unwrap()).unwrap());
    held.push(serde_json::to_string(&replica.status().unwrap()).unwrap());
    held.push(format!("{:?}", replica.undoable(100).unwrap()));
    held.push(crate::found(replica).to_string());
    held
}

fn is_found(home: &Home) -> bool {
    home.files().iter().any(|(_, bytes)| count(bytes, CANARY) > 0)
}

#[test]
fn a_plain_store_is_encrypted_and_holds_everything() {
    let (home, before) = plain();
    if !CAN_ENCRYPT {
        assert!(matches!(home.error(), SealError::NoCipher));
        assert_eq!(held(&mut home.plain()), before);
        return;
    }
    assert!(is_found(&home));
    let mut replica = home.open().unwrap();
    assert_eq!(held(&mut replica), before);
    assert!(!is_found(&home));
    // It goes on as any other: edits, undo, search.
    write_canaries(&mut replica, 1);
    replica.rebuild_rows().unwrap();
    drop(replica);
    let names: Vec<_> = home.files().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["device.key", "instance", "outrider.db"]);
}

#[test]
fn a_store_in_use_is_left_alone() {
    if !CAN_ENCRYPT {
        return;
    }
    let (home, before) = plain();
    let mut open = home.plain();
    let error = home.open().unwrap_err();
    assert!(matches!(error, ReplicaError::Store(StoreError::InUse(_))), "{error:?}");
    assert!(error.to_string().contains("end that program"), "{error}");
    write_canaries(&mut open, 1);
    assert_ne!(held(&mut open), before);
    drop(open);
    home.open().unwrap();
}

#[test]
fn a_migration_that_broke_off_goes_on() {
    if !CAN_ENCRYPT {
        return;
    }
    let (home, before) = plain();
    let whole = fs::read(home.database()).unwrap();
    let draft = home.folder().join("outrider.db.sealing");
    // While the copy was written: it is begun anew.
    fs::write(&draft, &whole[..5_000]).unwrap();
    fs::write(home.folder().join("outrider.db.sealing-journal"), b"x").unwrap();
    let mut replica = home.open().unwrap();
    assert_eq!(held(&mut replica), before);
    drop(replica);
    assert!(!draft.exists() && !is_found(&home));
    let sealed = fs::read(home.database()).unwrap();

    // After the copy was proven and the plain file marked: the copy counts.
    let moved = || {
        fs::write(home.database(), &whole).unwrap();
        let conn = Connection::open(home.database()).unwrap();
        conn.pragma_update(None, "application_id", MOVED).unwrap();
        drop(conn);
        fs::write(&draft, &sealed).unwrap();
        // What a journal is when its transaction is over: no head, and the pages still there.
        let over = [&[0; 512][..], CANARY.as_bytes()].concat();
        fs::write(home.folder().join("outrider.db-journal"), over).unwrap();
    };
    moved();
    let error = seal_error(home.open_with(None));
    assert!(matches!(error, SealError::Sealed(_)), "nobody writes into the old file: {error}");
    let mut replica = home.open().unwrap();
    assert_eq!(held(&mut replica), before);
    drop(replica);
    assert!(!draft.exists() && !is_found(&home));

    // The same with another key in the key store: nothing takes the place of anything.
    moved();
    let key = fs::read(home.key_file()).unwrap();
    fs::write(home.key_file(), "11".repeat(32)).unwrap();
    let error = home.error();
    assert!(matches!(error, SealError::WrongKey { .. }), "{error:?}");
    assert!(draft.exists() && is_found(&home));
    // And without the copy the plain file is still there.
    fs::write(home.key_file(), key).unwrap();
    let kept = fs::read(&draft).unwrap();
    fs::remove_file(&draft).unwrap();
    let error = home.open().unwrap_err();
    assert!(matches!(error, ReplicaError::Store(StoreError::Damaged(_))), "{error}");
    fs::write(&draft, kept).unwrap();
    assert_eq!(held(&mut home.open().unwrap()), before);
}

#[test]
fn a_servers_data_is_not_encrypted_by_mistake() {
    if !CAN_ENCRYPT {
        return;
    }
    let home = Home::new();
    fs::create_dir(home.folder()).unwrap();
    let conn = Connection::open(home.database()).unwrap();
    conn.execute_batch("CREATE TABLE other (a); PRAGMA application_id = 7").unwrap();
    drop(conn);
    let before = fs::read(home.database()).unwrap();
    let error = home.open().unwrap_err();
    assert!(matches!(error, ReplicaError::Store(StoreError::Foreign(_))), "{error}");
    assert_eq!(fs::read(home.database()).unwrap(), before);
}

#[test]
fn a_copy_of_an_encrypted_store_is_plain_by_name_alone() {
    let home = Home::new();
    let file = home.root.path().join("copy");
    if !CAN_ENCRYPT {
        let mut replica = home.plain();
        assert!(!replica.export_store(&file).unwrap().was_encrypted);
        return;
    }
    let mut replica = home.open().unwrap();
    write_canaries(&mut replica, 3);
    let error = replica.export_store(&file).unwrap_err();
    assert!(matches!(error, ReplicaError::Copy(CopyError::Plain(_))), "{error}");
    assert!(error.to_string().contains("can read everything"), "{error}");
    assert_eq!(fs::read_dir(home.root.path()).unwrap().count(), 2, "no draft is left");
    let manifest = replica.export_store_plain(&file).unwrap();
    assert!(manifest.was_encrypted && manifest.holding.records == 3);
    assert_eq!(fs::read_dir(home.root.path()).unwrap().count(), 3);
    // Others may go on meanwhile, and what comes of the file is encrypted again.
    write_canaries(&mut replica, 1);
    let other = Home::new();
    let keys: std::sync::Arc<dyn outrider_core::keys::KeyStore> = std::sync::Arc::new(other.keys());
    let options = Options { keys: Some(keys), ..Options::default() };
    let (copy, _) = Replica::import_store(&file, &other.folder(), options).unwrap();
    assert_eq!(copy.status().unwrap().records, vec![("customer".to_owned(), 3)]);
    drop(copy);
    assert!(!is_found(&other));
}
