//! The whole store as a file: nothing is lost, nothing secret goes along, damage is refused.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "support/pair.rs"]
mod pair;

use std::fs;

use outrider_core::{
    replica::{KEY_FILE, Options, Replica, ReplicaError, copy::CopyError},
    store::{document, meta},
};
use pair::{acknowledge, enrolled, fields};
use serde_json::json;

struct World {
    device: (tempfile::TempDir, Replica),
    _folder: tempfile::TempDir,
    file: std::path::PathBuf,
    home: std::path::PathBuf,
}

fn world() -> World {
    let mut device = enrolled(1, "Ada");
    let make = json!({"company_name": "Acme", "notes": "hello", "visits": 2});
    let id = device.1.create("customer", &fields(make)).unwrap();
    acknowledge(&mut device.1);
    device.1.update(id, &fields(json!({"short_name": "A", "notes": "hello you"}))).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (file, home) = (folder.path().join("store.outrider"), folder.path().join("home"));
    World { device, _folder: folder, file, home }
}

fn take(world: &World) -> Result<Replica, ReplicaError> {
    Ok(Replica::import_store(&world.file, &world.home, Options::default())?.0)
}

#[test]
fn a_copy_holds_everything_and_is_another_device() {
    let mut world = world();
    let manifest = world.device.1.export_store(&world.file).unwrap();
    assert_eq!((manifest.holding.records, manifest.holding.waiting), (1, 2));
    let mut copy = take(&world).unwrap();
    let (folder, device) = &world.device;
    assert_eq!(copy.dump_rows().unwrap(), device.dump_rows().unwrap());
    assert_eq!(copy.outbox(100).unwrap(), device.outbox(100).unwrap());
    assert_eq!(copy.undoable(9).unwrap(), device.undoable(9).unwrap());
    // Another device: enrolled with nobody, with a key and actors of its own.
    assert_eq!(copy.enrolment().unwrap(), None);
    assert!(matches!(copy.next_push(0), Err(ReplicaError::NotEnrolled)));
    assert_ne!(copy.public_key(), device.public_key());
    let actor = |replica: &Replica| meta::actor(replica.store().conn()).unwrap().unwrap();
    assert_ne!(actor(&copy), actor(device));
    let instance = |replica: &Replica| meta::instance(replica.store().conn()).unwrap();
    assert_ne!(instance(&copy), instance(device));
    document::for_each(copy.store().conn(), |id, _, _| {
        let stored = document::load(copy.store().conn(), id)?.unwrap();
        assert_eq!(stored.own, None);
        Ok(())
    })
    .unwrap();
    // It works: what waited goes up once it is enrolled itself.
    let enrolment = enrolled(3, "Eve").1.enrolment().unwrap().unwrap();
    copy.enroll(&enrolment).unwrap();
    acknowledge(&mut copy);
    assert_eq!(copy.status().unwrap().waiting, 0);
    assert!(folder.path().join(KEY_FILE).exists());
}

#[test]
fn neither_token_nor_key_are_in_the_file() {
    let mut world = world();
    let (folder, device) = &mut world.device;
    device.export_store(&world.file).unwrap();
    let key = fs::read_to_string(folder.path().join(KEY_FILE)).unwrap();
    let take = take(&world).unwrap();
    drop(take);
    let file = fs::read(&world.file).unwrap();
    let start = file.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1).unwrap().0 + 1;
    let database = zstd::stream::decode_all(&file[start..]).unwrap();
    let contains = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).any(|w| w == what);
    assert!(contains(&database, b"Acme"));
    for secret in [b"the secret token".as_slice(), key.trim().as_bytes()] {
        assert!(!contains(&database, secret) && !contains(&file, secret));
    }
}

#[test]
fn a_damaged_file_is_refused_and_nothing_changes() {
    let mut world = world();
    world.device.1.export_store(&world.file).unwrap();
    let whole = fs::read(&world.file).unwrap();
    let middle = whole.len() / 2;
    let mut flipped = whole.clone();
    flipped[middle] ^= 1;
    let text = String::from_utf8_lossy(&whole[..200]).into_owned();
    let claimed = text.find("\"waiting\":2").unwrap() + 10;
    let mut other = whole.clone();
    other[claimed] = b'3';
    let damaged = [
        flipped,
        other,
        whole[..middle].to_vec(),
        whole[..whole.len() - 1].to_vec(),
        [&whole[..20], b"\n"].concat(),
    ];
    for bytes in damaged {
        fs::write(&world.file, &bytes).unwrap();
        let error = take(&world).unwrap_err();
        let is_told = matches!(error, ReplicaError::Copy(CopyError::Damaged { .. }));
        assert!(is_told, "{error}");
        assert!(error.to_string().contains("nothing was imported"), "{error}");
        assert!(!world.home.exists());
    }
    for bytes in [&b""[..], b"outrider-store 9\n{}", b"SQLite format 3"] {
        fs::write(&world.file, bytes).unwrap();
        let error = take(&world).unwrap_err();
        assert!(matches!(error, ReplicaError::Copy(CopyError::NotACopy(_))), "{error}");
    }
    // An empty folder that was there stays, and is empty.
    fs::create_dir(&world.home).unwrap();
    take(&world).unwrap_err();
    assert_eq!(fs::read_dir(&world.home).unwrap().count(), 0);
    fs::write(&world.file, &whole).unwrap();
    take(&world).unwrap();
}

#[test]
fn a_used_home_and_a_file_that_is_there_are_left_alone() {
    let mut world = world();
    world.device.1.export_store(&world.file).unwrap();
    let again = world.device.1.export_store(&world.file).unwrap_err();
    assert!(matches!(again, ReplicaError::Copy(CopyError::Exists(_))), "{again}");
    let home = world.device.0.path();
    let before = world.device.1.dump_rows().unwrap();
    let used = Replica::import_store(&world.file, home, Options::default()).unwrap_err();
    assert!(matches!(used, ReplicaError::Copy(CopyError::Used(_))), "{used}");
    assert_eq!(world.device.1.dump_rows().unwrap(), before);
    // Nothing but the file itself is left beside it.
    assert_eq!(fs::read_dir(world.file.parent().unwrap()).unwrap().count(), 1);
}
