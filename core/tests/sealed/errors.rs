//! Four ways not to get in, and what is said of each.

use std::{fs, sync::Arc};

use outrider_core::{
    keys::{KeyStoreError, StoreKey},
    store::SealError,
};

use crate::{CAN_ENCRYPT, Home, Locked, seal_error, write_canaries};

fn sealed() -> Option<Home> {
    if !CAN_ENCRYPT {
        return None;
    }
    let home = Home::new();
    write_canaries(&mut home.open().unwrap(), 30);
    Some(home)
}

#[test]
fn a_locked_key_store_says_to_unlock() {
    let Some(home) = sealed() else { return };
    let before = home.files();
    let error = seal_error(home.open_with(Some(Arc::new(Locked))));
    assert!(matches!(error, SealError::Key(KeyStoreError::Locked { .. })), "{error:?}");
    assert!(error.to_string().contains("unlock the device and try again"), "{error}");
    assert_eq!(home.files(), before);
    // Nor is a store begun that could not be opened again.
    let fresh = Home::new();
    let error = seal_error(fresh.open_with(Some(Arc::new(Locked))));
    assert!(matches!(error, SealError::Key(KeyStoreError::Locked { .. })), "{error:?}");
    assert!(!fresh.database().exists());
}

#[test]
fn a_missing_key_says_where_it_should_be() {
    let Some(home) = sealed() else { return };
    let key = fs::read(home.key_file()).unwrap();
    fs::remove_file(home.key_file()).unwrap();
    let before = home.files();
    let error = home.error();
    assert!(matches!(error, SealError::NoKey { .. }), "{error:?}");
    let words = error.to_string();
    assert!(words.contains(home.key_file().to_str().unwrap()), "{words}");
    assert!(words.contains("put the key there") && words.contains("enroll"), "{words}");
    assert_eq!(home.files(), before);
    assert!(!home.key_file().exists(), "no new key takes its place");
    fs::write(home.key_file(), key).unwrap();
    assert_eq!(home.open().unwrap().status().unwrap().records.len(), 1);
}

#[test]
fn a_wrong_key_is_not_taken_for_damage() {
    let Some(home) = sealed() else { return };
    let key = fs::read(home.key_file()).unwrap();
    fs::write(home.key_file(), outrider_core::ids::to_hex(StoreKey::new([7; 32]).bytes())).unwrap();
    let before = home.files();
    let error = home.error();
    assert!(matches!(error, SealError::WrongKey { .. }), "{error:?}");
    assert!(error.to_string().contains("name the place of its own key"), "{error}");
    assert_eq!(home.files(), before);
    fs::write(home.key_file(), "garbage").unwrap();
    let error = home.error();
    assert!(matches!(error, SealError::Key(KeyStoreError::Damaged { .. })), "{error:?}");
    fs::write(home.key_file(), key).unwrap();
    home.open().unwrap();
}

#[test]
fn damage_is_told_from_a_wrong_key_wherever_it_is() {
    let Some(home) = sealed() else { return };
    let whole = fs::read(home.database()).unwrap();
    // On the first page, behind the salt.
    let mut damaged = whole.clone();
    damaged[100] ^= 1;
    fs::write(home.database(), &damaged).unwrap();
    let error = home.error();
    assert!(matches!(error, SealError::Corrupt { .. }), "{error:?}");
    let words = error.to_string();
    assert!(words.contains("the right one") && words.contains("keep a copy"), "{words}");
    assert_eq!(fs::read(home.database()).unwrap(), damaged, "nothing is written to it");
    // In the salt alone: it is made from the key, so nothing is lost.
    let mut damaged = whole.clone();
    damaged[3] ^= 1;
    fs::write(home.database(), &damaged).unwrap();
    assert_eq!(home.open().unwrap().status().unwrap().records.len(), 1);
    // On any other page: never other values, always an error.
    let pages = whole.len() / 4096;
    let (mut told, mut unread) = (0, 0);
    for page in (1..pages).step_by(5) {
        let mut damaged = whole.clone();
        damaged[page * 4096 + 2000] ^= 0x10;
        fs::write(home.database(), &damaged).unwrap();
        let read = home.open().and_then(|replica| {
            replica.status()?;
            let rows = replica.dump_rows()?;
            assert_eq!(rows.len(), 30, "page {page}");
            Ok(())
        });
        if read.is_err() { told += 1 } else { unread += 1 }
    }
    assert!(told > 3, "{told} told, {unread} not read");
    fs::write(home.database(), &whole).unwrap();
    home.open().unwrap();
}
