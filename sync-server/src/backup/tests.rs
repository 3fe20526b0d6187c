//! Backups of small databases; with running servers and devices they are tested end to end.

use std::{fs, path::PathBuf};

use outrider_core::ids::{ActorPrefix, DeviceId};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::{
    person_keys::PersonKeys,
    storage::{
        Device, Storage,
        accounts::{Account, Role, StoredSession},
        sqlite::{DATABASE_FILE, SqliteStorage},
    },
};

const NOW: i64 = 1_700_000_000_000;

fn enrol(storage: &SqliteStorage, n: u8) {
    let mut write = storage.write().unwrap();
    let device = Device {
        id: DeviceId(Uuid::from_bytes([n; 16])),
        name: "CANARY".to_owned(),
        user: "Li Na".to_owned(),
        user_record: None,
        prefix: ActorPrefix([n; 12]),
        public_key: vec![n; 33],
        token_hash: [n; 32],
        enrolled_at: 1,
        is_office: false,
    };
    write.add_device(&device).unwrap();
    write.commit().unwrap();
}

struct World {
    folder: TempDir,
    backup: PathBuf,
    key: PathBuf,
    ledger: PathBuf,
}

impl World {
    /// A data folder with one device, its backup, and a device that came afterwards.
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        let storage = SqliteStorage::open(&at("data")).unwrap();
        enrol(&storage, 1);
        let mut write = storage.write().unwrap();
        let account = Account {
            id: Uuid::from_u128(1),
            login: "li".to_owned(),
            user: "Li Na".to_owned(),
            user_record: None,
            role: Role::Office,
            password_hash: "hash".to_owned(),
            language: None,
            created_at: 1,
            is_disabled: false,
        };
        write.put_account(&account).unwrap();
        let session = StoredSession {
            token_hash: [9; 32],
            account: account.id,
            created_at: 1,
            seen_at: 1,
            seen_as: None,
            browser: String::new(),
        };
        write.add_session(&session, 9).unwrap();
        write.commit().unwrap();
        let key = at("key");
        let recipient = create_key_file(&key).unwrap();
        let order = BackupOrder {
            data: &at("data"),
            to: &at("backups"),
            recipients: &[recipient],
            ledger: None,
            person_keys_days: PERSON_KEYS_DAYS,
            tenant: "",
            now_ms: NOW,
        };
        // The storage is open, as a server has it.
        let created = create(&order, &mut |_, _, _| ()).unwrap();
        enrol(&storage, 2);
        drop(storage);
        Self { backup: created.path, key, ledger: at("data").join("ledger"), folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn restore<'a>(
        &'a self,
        to: &str,
        change: impl FnOnce(&mut RestoreOrder<'a>),
    ) -> Result<Restored, BackupError> {
        let identities: &'static Identities = Box::leak(Box::new(read_identities(&self.key)?));
        let data: &'static PathBuf = Box::leak(Box::new(self.at(to)));
        let mut order = RestoreOrder {
            backup: &self.backup,
            identities,
            data,
            ledger: None,
            person_keys: None,
            without_persons: false,
            replace: false,
            without_ledger: false,
            now_ms: NOW + 1,
        };
        change(&mut order);
        restore(&order, &mut |_, _, _| ())
    }

    /// All files of a folder with their bytes.
    fn files(&self, name: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let entries = fs::read_dir(self.at(name)).unwrap();
        let mut files: Vec<_> = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| !path.ends_with("server.lock"))
            .map(|path| (path.clone(), fs::read(path).unwrap_or_default()))
            .collect();
        files.sort();
        files
    }
}

fn devices(folder: &std::path::Path) -> usize {
    SqliteStorage::open(folder).unwrap().read().unwrap().devices().unwrap().len()
}

#[test]
fn a_backup_is_named_described_and_shows_nothing() {
    let world = World::new();
    let name = world.backup.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("outrider-20231114T22132") && name.ends_with(".age"), "{name}");
    assert!(name.contains("-p1-"), "{name}");
    let sealed = check_file(&world.backup, &mut |_, _, _| ()).unwrap().unwrap();
    assert_eq!((sealed.manifest.position, sealed.manifest.ledger_entries), (1, 1));
    assert_eq!(sealed.manifest.created_at, NOW);
    let bytes = fs::read(&world.backup).unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/v1\n"), "any age tool opens it");
    let all = world.files("backups");
    assert_eq!(all.len(), 3, "the backup, what is known of it, the persons' keys: {all:?}");
    for (path, bytes) in all {
        let shows = bytes.windows(6).any(|bytes| bytes == b"CANARY");
        assert!(!shows, "{}", path.display());
    }
    let left = world.files("data").into_iter().filter(|(path, _)| path.is_dir()).count();
    assert_eq!(left, 0, "the copy that was not encrypted is gone");
}

#[test]
fn a_backup_is_put_back_and_the_ledger_brings_what_came_after_it() {
    let world = World::new();
    let data = world.at("data");
    let before = SqliteStorage::open(&data).unwrap().read().unwrap().instance().unwrap();
    let refused = world.restore("data", |_| ()).unwrap_err();
    assert!(matches!(refused, BackupError::NotEmpty { .. }), "{refused}");
    let restored = world.restore("data", |order| order.replace = true).unwrap();
    assert_eq!(restored.devices_from_ledger, 1);
    let aside = restored.aside.unwrap();
    assert!(aside.join(DATABASE_FILE).exists(), "what was there is kept");
    assert_eq!(devices(&data), 2);
    let storage = SqliteStorage::open(&data).unwrap();
    let read = storage.read().unwrap();
    assert_ne!(read.instance().unwrap(), before, "it is another store");
    assert_eq!(read.session(&[9; 32]).unwrap(), None, "who was signed in is not any more");
    assert!(read.account_by_login("li").unwrap().is_some());
    let findings = crate::storage::sqlite::verify::verify(&data, None, &mut |_, _, _| ()).unwrap();
    assert_eq!(findings.problems, []);
}

#[test]
fn elsewhere_it_takes_the_ledger_or_the_word_that_there_is_none() {
    let world = World::new();
    let refused = world.restore("other", |_| ()).unwrap_err();
    assert!(matches!(refused, BackupError::NoLedger { .. }), "{refused}");
    assert!(!world.at("other").join(DATABASE_FILE).exists());
    let restored = world.restore("other", |order| order.ledger = Some(&world.ledger)).unwrap();
    assert_eq!((restored.devices_from_ledger, restored.aside), (1, None));
    let restored = world.restore("third", |order| order.without_ledger = true).unwrap();
    assert_eq!(restored.devices_from_ledger, 0);
    assert_eq!(devices(&world.at("third")), 1);
    // The old ledger is kept when a new one begins.
    let restored = world
        .restore("third", |order| {
            order.without_ledger = true;
            order.replace = true;
        })
        .unwrap();
    assert!(restored.aside.unwrap().join("ledger").exists());
}

#[test]
fn a_running_server_keeps_its_data() {
    let world = World::new();
    let lock = crate::lock::lock(&world.at("data")).unwrap();
    let refused = world.restore("data", |order| order.replace = true).unwrap_err();
    assert!(refused.to_string().contains("another server uses"), "{refused}");
    drop(lock);
    // A command that has it open, without being a server.
    let storage = SqliteStorage::open(&world.at("data")).unwrap();
    let refused = world.restore("data", |order| order.replace = true).unwrap_err();
    assert!(refused.to_string().contains("another command does"), "{refused}");
    assert_eq!(storage.read().unwrap().devices().unwrap().len(), 2);
    drop(storage);
    assert!(world.restore("data", |order| order.replace = true).is_ok());
}

#[test]
fn another_key_is_told_from_a_damaged_file() {
    let mut world = World::new();
    world.key = world.at("other-key");
    create_key_file(&world.key).unwrap();
    let refused = world.restore("other", |_| ()).unwrap_err();
    assert!(matches!(refused, BackupError::WrongKey), "{refused}");
    fs::write(&world.key, "no key").unwrap();
    let refused = world.restore("other", |_| ()).unwrap_err();
    assert!(matches!(refused, BackupError::NoIdentity { .. }), "{refused}");
    let again = create_key_file(&world.key).unwrap_err();
    assert!(matches!(again, BackupError::Exists { .. }), "{again}");
    for wrong in ["", "age1xyz", "ssh-ed25519 AAAA"] {
        assert!(matches!(parse_recipient(wrong), Err(BackupError::Recipient(_))), "{wrong}");
    }
    let secret = "AGE-SECRET-KEY-1CANARY";
    assert!(!parse_recipient(secret).unwrap_err().to_string().contains("CANARY"));
}

#[test]
fn a_damaged_or_short_backup_replaces_nothing() {
    let world = World::new();
    let whole = fs::read(&world.backup).unwrap();
    let known = fs::read(world.backup.with_extension("age.json")).unwrap();
    let before = world.files("data");
    let step = (whole.len() / 40).max(1);
    for with_manifest in [true, false] {
        for at in (0..whole.len()).step_by(step).chain([whole.len() - 1]) {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x40;
            for bytes in [&flipped[..], &whole[..at]] {
                fs::write(&world.backup, bytes).unwrap();
                let beside = world.backup.with_extension("age.json");
                if with_manifest {
                    fs::write(beside, &known).unwrap();
                } else {
                    let _ = fs::remove_file(beside);
                }
                let refused = world.restore("data", |order| order.replace = true).unwrap_err();
                // The header names the key by a tag that a flip changes.
                let is_other_key = matches!(refused, BackupError::WrongKey);
                let is_told = matches!(refused, BackupError::Damaged(_))
                    || (is_other_key && !with_manifest && at < 200);
                assert!(is_told, "byte {at}: {refused}");
            }
        }
    }
    assert!(before == world.files("data"), "something in the data folder changed");
}

#[test]
fn what_comes_from_a_newer_server_is_told() {
    let world = World::new();
    let json = r#"{"format":3,"what":"ever"}"#;
    let recipient: age::x25519::Recipient = {
        let text = fs::read_to_string(&world.key).unwrap();
        text.lines().next().unwrap().strip_prefix("# public key: ").unwrap().parse().unwrap()
    };
    let mut plain = seal::MAGIC.to_vec();
    plain.extend(u32::try_from(json.len()).unwrap().to_be_bytes());
    plain.extend(json.as_bytes());
    fs::remove_file(world.backup.with_extension("age.json")).unwrap();
    fs::write(&world.backup, age::encrypt(&recipient, &plain).unwrap()).unwrap();
    assert!(matches!(world.restore("other", |_| ()), Err(BackupError::TooNew(3))));
    fs::write(&world.backup, age::encrypt(&recipient, b"something else entirely").unwrap())
        .unwrap();
    assert!(matches!(world.restore("other", |_| ()), Err(BackupError::Damaged(_))));
}

#[test]
fn a_database_that_is_damaged_is_replaced_and_kept_as_it_is() {
    let world = World::new();
    let database = world.at("data").join(DATABASE_FILE);
    fs::write(&database, b"no database any more").unwrap();
    fs::write(world.at("data").join("outrider.db-wal"), b"nor a log").unwrap();
    let restored = world.restore("data", |order| order.replace = true).unwrap();
    let aside = restored.aside.unwrap();
    assert_eq!(fs::read(aside.join(DATABASE_FILE)).unwrap(), b"no database any more");
    assert_eq!(fs::read(aside.join("outrider.db-wal")).unwrap(), b"nor a log");
    assert_eq!(devices(&world.at("data")), 2);
}

/// A process that was killed when the key had its name left it a second one, which the next process of
/// the same number took for its draft, and emptied: with it went the only key to older backups.
#[test]
fn what_a_killed_process_left_of_a_key_is_never_written_over() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("backup.key");
    create_key_file(&path).unwrap();
    let before = fs::read(&path).unwrap();
    let left = folder.path().join(format!("backup.key.{}.part", std::process::id()));
    fs::hard_link(&path, &left).unwrap();
    assert!(matches!(create_key_file(&path), Err(BackupError::Exists { .. })));
    assert!(fs::read(&path).unwrap() == before, "the key is what it was");
    assert!(!left.exists());
}

/// A backup that was killed between making the file of keys and its first bytes, or a restoration that
/// was, left an empty file: no backup could be put back after that, until somebody removed it.
#[test]
fn keys_of_persons_that_were_begun_and_never_used_stand_in_nobodys_way() {
    let folder = TempDir::new().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let person = outrider_core::ids::RecordId::from_bytes([1; 16]);
    let keys = PersonKeys::with(&one, &[person]).unwrap();
    fs::write(&two, b"").unwrap();
    assert!(PersonKeys::read(&two).unwrap().is_none());
    keys.write_new(&two).unwrap();
    assert!(PersonKeys::read(&two).unwrap().as_ref() == Some(&keys));
    // Those that are used stay.
    PersonKeys::with(&one, &[]).unwrap().without(&[person]).write_new(&two).unwrap();
    assert!(PersonKeys::read(&two).unwrap().as_ref() == Some(&keys));
}
