//! Wiping: the key first, everything of the replica, nothing else, and again after a crash.

use std::{fs, sync::Arc};

use outrider_core::{
    keys::{KeyStore, NoKeys},
    replica::{ReplicaError, WipeError, wipe},
};

use crate::{CAN_ENCRYPT, CANARY, Home, Locked, count, write_canaries};

fn written() -> (Home, Arc<dyn KeyStore>) {
    let home = Home::new();
    if CAN_ENCRYPT {
        write_canaries(&mut home.open().unwrap(), 3);
        let keys = Arc::new(home.keys());
        return (home, keys);
    }
    write_canaries(&mut home.plain(), 3);
    (home, Arc::new(NoKeys))
}

#[test]
fn nothing_is_left_and_what_went_is_told() {
    let (home, keys) = written();
    fs::write(home.folder().join("outrider.db-wal"), CANARY).unwrap();
    fs::write(home.folder().join("device.0011223344556677"), "a draft").unwrap();
    let bytes: u64 = home.files().iter().map(|(_, content)| content.len() as u64).sum();
    let wiped = wipe(&home.folder(), keys.as_ref()).unwrap();
    assert_eq!(wiped.key, CAN_ENCRYPT);
    assert_eq!(wiped.bytes, bytes);
    assert_eq!(wiped.files.len(), 5, "{:?}", wiped.files);
    assert!(wiped.files[0].starts_with("device."), "{:?}", wiped.files);
    assert!(wiped.folder && !home.folder().exists() && !home.key_file().exists());
    // Nothing to wipe is no error.
    let again = wipe(&home.folder(), keys.as_ref()).unwrap();
    assert_eq!((again.key, again.files.len(), again.folder), (false, 0, false));
    // The folder can be used again, by another device.
    let replica = home.open_with(CAN_ENCRYPT.then_some(keys)).unwrap();
    assert!(replica.status().unwrap().records.is_empty());
}

#[test]
fn what_is_no_file_of_the_replica_stays() {
    let (home, keys) = written();
    let letter = home.folder().join("letter.txt");
    fs::write(&letter, "mine").unwrap();
    fs::create_dir(home.folder().join("instance.d")).unwrap();
    let wiped = wipe(&home.folder(), keys.as_ref()).unwrap();
    assert!(!wiped.folder);
    assert_eq!(fs::read(&letter).unwrap(), b"mine");
    let left: Vec<_> = home.files().into_iter().map(|(name, _)| name).collect();
    assert_eq!(left, ["letter.txt"]);
}

#[test]
fn a_wipe_that_broke_off_is_gone_on_with() {
    let (home, keys) = written();
    // The power failed after the key went: noise is left, and nothing opens it or begins anew.
    fs::write(home.folder().join("wiping"), "").unwrap();
    keys.destroy().unwrap();
    for opened in [home.open(), home.open_with(None)] {
        let error = opened.unwrap_err();
        assert!(matches!(error, ReplicaError::BeingWiped(_)), "{error}");
        assert!(error.to_string().contains("wipe it again"), "{error}");
    }
    if CAN_ENCRYPT {
        assert!(!home.files().iter().any(|(_, bytes)| count(bytes, CANARY) > 0));
    }
    // Or after some of the files.
    fs::remove_file(home.folder().join("device.key")).unwrap();
    let wiped = wipe(&home.folder(), keys.as_ref()).unwrap();
    assert!(!wiped.key && wiped.folder);
    assert_eq!(wiped.files, ["outrider.db", "instance"]);
}

#[test]
fn files_go_even_if_the_key_store_fails() {
    let (home, keys) = written();
    let error = wipe(&home.folder(), &Locked).unwrap_err();
    let WipeError::Key { wiped, .. } = error else { panic!("{error}") };
    assert_eq!(wiped.files.len(), 3);
    assert!(matches!(home.open().unwrap_err(), ReplicaError::BeingWiped(_)));
    let wiped = wipe(&home.folder(), keys.as_ref()).unwrap();
    assert_eq!((wiped.key, wiped.folder), (CAN_ENCRYPT, true));
}
