//! What can be found on the disk.

use outrider_core::{keys::KeyStore as _, store::imports::scratch::Scratch};

use crate::{CAN_ENCRYPT, CANARY, Home, count, seal_error, write_canaries};

/// Hits in every file of the folder, with a name for those that have some.
fn hits(home: &Home, text: &str) -> (usize, Vec<String>) {
    let found: Vec<_> = home
        .files()
        .into_iter()
        .map(|(name, bytes)| (name, count(&bytes, text)))
        .filter(|(_, hits)| *hits > 0)
        .collect();
    (found.iter().map(|(_, hits)| hits).sum(), found.into_iter().map(|(name, _)| name).collect())
}

#[test]
fn the_search_finds_canaries_in_a_plain_store() {
    let home = Home::new();
    let mut replica = home.plain();
    write_canaries(&mut replica, 20);
    let (while_open, names) = hits(&home, CANARY);
    assert!(while_open > 20, "{while_open} in {names:?}");
    assert!(names.contains(&"outrider.db-wal".to_owned()), "{names:?}");
    drop(replica);
    let (closed, names) = hits(&home, CANARY);
    assert!(closed > 20, "{closed} in {names:?}");
    assert_eq!(names, ["outrider.db"]);
}

#[test]
fn nothing_of_an_encrypted_store_is_found() {
    let home = Home::new();
    if !CAN_ENCRYPT {
        assert!(matches!(home.error(), crate::SealError::NoCipher));
        assert!(!home.database().exists() && !home.key_file().exists());
        return;
    }
    let mut replica = home.open().unwrap();
    assert!(replica.store().is_sealed());
    write_canaries(&mut replica, 20);
    let key = home.keys().load().unwrap().unwrap();
    let hex = outrider_core::ids::to_hex(key.bytes());
    let texts = [CANARY, "company_name", "CREATE TABLE", "SQLite format", &hex];
    for text in texts {
        assert_eq!(hits(&home, text), (0, Vec::new()), "{text}, while it is open");
    }
    let bytes = |file: &(String, Vec<u8>)| file.1.windows(32).any(|window| window == key.bytes());
    assert!(!home.files().iter().any(bytes), "the key is beside what it encrypts");
    let names: Vec<_> = home.files().into_iter().map(|(name, _)| name).collect();
    assert!(names.contains(&"outrider.db-wal".to_owned()), "{names:?}");
    drop(replica);
    for text in texts {
        assert_eq!(hits(&home, text), (0, Vec::new()), "{text}, when it is closed");
    }
    // It is all there for whoever has the key.
    let replica = home.open().unwrap();
    assert_eq!(replica.status().unwrap().records, vec![("customer".to_owned(), 20)]);
    assert_eq!(crate::found(&replica), 20);
}

#[test]
fn two_connections_work_on_one_encrypted_store() {
    if !CAN_ENCRYPT {
        return;
    }
    let home = Home::new();
    let mut one = home.open().unwrap();
    let mut other = home.open().unwrap();
    write_canaries(&mut one, 2);
    write_canaries(&mut other, 3);
    assert_eq!(one.dump_rows().unwrap(), other.dump_rows().unwrap());
    drop(one);
    assert_eq!(home.open().unwrap().dump_rows().unwrap(), other.dump_rows().unwrap());
    // Without the key it is no database, and stays what it is.
    let before = home.files();
    let error = seal_error(home.open_with(None));
    assert!(matches!(error, crate::SealError::Sealed(_)), "{error}");
    assert_eq!(home.files(), before);
}

/// What an import remembers while it runs: in a file that is gone already, or in memory.
#[test]
#[cfg(target_os = "linux")]
fn the_notes_of_an_import_reach_no_disk_where_stores_are_encrypted() {
    let scratch = Scratch::new().unwrap();
    let mut rng = 1_u128;
    // More than SQLite keeps in memory before it writes a temporary file.
    for number in 0..120_000_u64 {
        rng = rng.wrapping_mul(0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645).wrapping_add(1);
        let record = outrider_core::ids::RecordId(uuid_of(rng));
        scratch.note_seen(record, number).unwrap();
    }
    let open: Vec<_> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        // SQLite's temporary files have no name (`#` and a number), or one that begins so.
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with('#') || name.starts_with("etilqs")
        })
        .collect();
    assert_eq!(open.is_empty(), CAN_ENCRYPT, "{open:?}");
}

#[cfg(target_os = "linux")]
fn uuid_of(bits: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(bits)
}

/// SQLCipher says the size of a page as a text: what a store takes could not be told, nor a bundle written.
#[test]
fn an_encrypted_store_is_measured_like_a_plain_one() {
    let home = Home::new();
    let mut replica = if CAN_ENCRYPT { home.open().unwrap() } else { home.plain() };
    write_canaries(&mut replica, 20);
    let storage = replica.storage().unwrap();
    assert!(storage.database_bytes >= 4_096 && storage.file_bytes > 0, "{storage:?}");
    assert!(replica.bundle([7; 32], &[], None).unwrap().parts.len() > 2);
}
