use std::fs;

use outrider_core::{
    ids::{ActorPrefix, DeviceId},
    sync::frame::PROTOCOL_VERSION,
};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{
    enrol::{Applicant, Draw, create_code, enrol},
    ledger::{Entry, LEDGER_FILE, Ledger, LedgerError},
    storage::{
        Device, Storage, StorageError,
        accounts::{Account, Role, StoredSession},
        sqlite::{DATABASE_FILE, SqliteStorage},
    },
};

fn device(n: u8, is_office: bool) -> Device {
    Device {
        id: DeviceId(Uuid::from_bytes([n; 16])),
        name: "Phone".to_owned(),
        user: format!("user {n}"),
        user_record: None,
        prefix: ActorPrefix([n; 12]),
        public_key: if is_office { Vec::new() } else { vec![n; 33] },
        token_hash: [n; 32],
        enrolled_at: 1,
        is_office,
    }
}

fn add(storage: &SqliteStorage, n: u8) {
    let mut write = storage.write().unwrap();
    write.add_device(&device(n, n.is_multiple_of(2))).unwrap();
    write.commit().unwrap();
}

fn prefixes(storage: &SqliteStorage) -> Vec<u8> {
    let read = storage.read().unwrap();
    let devices = read.devices().unwrap();
    devices.iter().map(|contact| contact.device.prefix.0[0]).collect()
}

fn phones(storage: &SqliteStorage) -> Vec<u8> {
    let devices = storage.read().unwrap().devices().unwrap().into_iter();
    let phones = devices.filter(|contact| !contact.device.is_office);
    phones.map(|contact| contact.device.prefix.0[0]).collect()
}

/// A folder whose database was put back to the first of three enrolments.
fn put_back() -> TempDir {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join(DATABASE_FILE);
    add(&open(&folder), 1);
    let earlier = fs::read(&file).unwrap();
    let storage = open(&folder);
    add(&storage, 2);
    add(&storage, 3);
    drop(storage);
    fs::write(&file, earlier).unwrap();
    folder
}

fn open(folder: &TempDir) -> SqliteStorage {
    attempt(folder).unwrap()
}

fn attempt(folder: &TempDir) -> Result<SqliteStorage, StorageError> {
    SqliteStorage::open_for_test(folder.path(), true)
}

fn refused(folder: &TempDir) -> LedgerError {
    match attempt(folder) {
        Err(StorageError::Ledger(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_database_that_was_put_back_knows_who_was_enrolled_since() {
    let folder = put_back();
    let storage = open(&folder);
    assert_eq!(prefixes(&storage), [1, 2, 3]);
    let read = storage.read().unwrap();
    assert_eq!(read.device_by_token(&[3; 32]).unwrap(), Some(device(3, false)));
    assert_eq!(read.office_device("user 2").unwrap(), Some(device(2, true)));
    assert_eq!(read.position().unwrap(), 2, "both came with one position");
    assert_eq!(read.authors_since(1).unwrap().len(), 2, "devices learn who they are");
    drop(read);
    add(&storage, 4);
    drop(storage);
    assert_eq!(prefixes(&open(&folder)), [1, 2, 3, 4]);
}

#[test]
fn what_was_shut_out_since_stays_shut_out() {
    let folder = TempDir::new().unwrap();
    let storage = open(&folder);
    add(&storage, 1);
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
    let session = StoredSession {
        token_hash: [9; 32],
        account: account.id,
        created_at: 1,
        seen_at: 1,
        seen_as: None,
        browser: String::new(),
    };
    let mut write = storage.write().unwrap();
    write.put_account(&account).unwrap();
    write.add_session(&session, 10).unwrap();
    write.commit().unwrap();
    let (ledger, _) = Ledger::open(storage.ledger().path(), true).unwrap().unwrap();
    let shut_out = Entry::Revoked { device: device(1, false).id, at: 2 };
    ledger.append(&[shut_out, Entry::AccountDisabled { login: "li".to_owned(), at: 2 }]).unwrap();
    drop(storage);
    let storage = open(&folder);
    let read = storage.read().unwrap();
    assert_eq!(read.device_by_token(&[1; 32]).unwrap(), None);
    assert_eq!(read.device_by_prefix(ActorPrefix([1; 12])).unwrap().unwrap().name, "Phone");
    assert_eq!(read.session(&[9; 32]).unwrap(), None);
    assert_eq!(read.account_by_login("li").unwrap().unwrap().password_hash, "");
}

#[test]
fn a_database_that_was_put_back_knows_who_was_turned_away_since() {
    use crate::{
        devices::standing::{order_wipe, revoke, set_user_disabled},
        storage::standing::Standing,
    };
    let folder = TempDir::new().unwrap();
    let file = folder.path().join(DATABASE_FILE);
    let storage = open(&folder);
    for n in [1, 3, 5, 7] {
        add(&storage, n);
    }
    let id = |n| device(n, false).id;
    drop(storage);
    let earlier = fs::read(&file).unwrap();
    let storage = open(&folder);
    revoke(&storage, id(1), 20).unwrap();
    order_wipe(&storage, id(3), 30).unwrap();
    set_user_disabled(&storage, "user 5", true, 40).unwrap();
    set_user_disabled(&storage, "user 7", true, 50).unwrap();
    set_user_disabled(&storage, "user 7", false, 60).unwrap();
    add(&storage, 9);
    let check = |storage: &SqliteStorage| {
        let read = storage.read().unwrap();
        let standing = |n| read.standing(id(n)).unwrap().unwrap();
        assert_eq!((standing(1).standing, standing(1).since), (Standing::Revoked, 20));
        assert_eq!((standing(3).standing, standing(3).wipe_ordered_at), (Standing::Active, 30));
        assert!(standing(5).is_user_disabled && !standing(7).is_user_disabled);
        assert_eq!(read.barred().unwrap().len(), 3);
    };
    check(&storage);
    drop(storage);
    fs::write(&file, earlier).unwrap();
    let storage = open(&folder);
    check(&storage);
    let tokens = storage.read().unwrap().tokens(id(9)).unwrap().unwrap();
    assert_eq!((tokens.family, tokens.generation), (1, 0), "it goes on with those that it has");
    drop(storage);
    // A ledger that begins anew says so too.
    fs::remove_file(folder.path().join(LEDGER_FILE)).unwrap();
    let conn = rusqlite::Connection::open(&file).unwrap();
    conn.execute("UPDATE ledger SET id = x'', entries = 0, hash = zeroblob(32)", []).unwrap();
    drop(conn);
    drop(open(&folder));
    let (_, entries) = Ledger::open(&folder.path().join(LEDGER_FILE), true).unwrap().unwrap();
    let has = |entry: &Entry| entries.iter().any(|noted| noted.entry == *entry);
    assert!(has(&Entry::Revoked { device: id(1), at: 20 }));
    assert!(has(&Entry::WipeOrdered { device: id(3), at: 30 }));
    assert!(has(&Entry::UserDisabled { user: "user 5".to_owned(), at: 40 }));
}

#[test]
fn an_erasure_that_the_database_forgot_is_due() {
    let folder = TempDir::new().unwrap();
    let storage = open(&folder);
    let record = outrider_core::ids::RecordId::from_bytes([1; 16]);
    storage.ledger().append(&[Entry::Erased { record, at: 1 }]).unwrap();
    drop(storage);
    let storage = open(&folder);
    assert_eq!(storage.read().unwrap().erasures_due().unwrap(), [record]);
}

#[test]
fn a_ledger_that_is_not_the_databases_is_refused() {
    let folder = put_back();
    let path = folder.path().join(LEDGER_FILE);
    let ledger = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(matches!(refused(&folder), LedgerError::Missing { .. }));
    Ledger::begin(&path, [7; 16], &[], true).unwrap();
    assert!(matches!(refused(&folder), LedgerError::Foreign { .. }));
    let shorter: String = ledger.split_inclusive('\n').take(1).collect();
    fs::write(&path, shorter).unwrap();
    assert!(matches!(refused(&folder), LedgerError::Behind { found: 0, known: 1, .. }));
    fs::write(&path, ledger.replacen("user 2", "user 9", 1)).unwrap();
    assert!(matches!(refused(&folder), LedgerError::Changed { line: 3, .. }));
    fs::write(&path, ledger).unwrap();
    assert_eq!(prefixes(&open(&folder)), [1, 2, 3]);
}

#[test]
fn a_database_of_before_there_were_ledgers_begins_one_with_all_it_knows() {
    let folder = put_back();
    let path = folder.path().join(LEDGER_FILE);
    let forget = || {
        let conn = rusqlite::Connection::open(folder.path().join(DATABASE_FILE)).unwrap();
        conn.execute_batch("UPDATE ledger SET id = x'', entries = 0, hash = x''").unwrap();
    };
    forget();
    // The ledger is there: an earlier try to begin one, or another database went on with it.
    assert_eq!(prefixes(&open(&folder)), [1, 2, 3]);
    forget();
    fs::remove_file(&path).unwrap();
    let storage = open(&folder);
    assert_eq!(storage.ledger().reached().entries, 3);
    drop(storage);
    // A ledger that was begun, and does not have everybody.
    forget();
    Ledger::begin(&path, [7; 16], &[], true).unwrap();
    assert_eq!(open(&folder).ledger().reached().entries, 3);
}

#[test]
fn what_fails_before_the_commit_leaves_nothing_in_the_ledger() {
    let folder = TempDir::new().unwrap();
    let storage = open(&folder);
    let mut write = storage.write().unwrap();
    write.add_device(&device(1, false)).unwrap();
    drop(write);
    assert_eq!(storage.ledger().reached().entries, 0);
    let conn = rusqlite::Connection::open(folder.path().join(DATABASE_FILE)).unwrap();
    conn.execute_batch(
        "CREATE TRIGGER broken BEFORE UPDATE ON counter BEGIN SELECT raise(ABORT, 'full'); END",
    )
    .unwrap();
    let mut write = storage.write().unwrap();
    write.add_device(&device(1, false)).unwrap();
    assert!(write.commit().is_err());
    assert_eq!(storage.ledger().reached().entries, 0);
}

/// Its user was told that it failed, or nothing at all, and tries again with the same code.
#[test]
fn an_enrolment_whose_commit_failed_is_one_device_when_it_is_tried_again() {
    let folder = TempDir::new().unwrap();
    let storage = open(&folder);
    let (code, _) = create_code(&storage, "Li Na", 60, 7, 1).unwrap();
    let conn = rusqlite::Connection::open(folder.path().join(DATABASE_FILE)).unwrap();
    conn.execute_batch(
        "CREATE TABLE nobody (id INTEGER PRIMARY KEY);
         CREATE TABLE broken (of INTEGER REFERENCES nobody DEFERRABLE INITIALLY DEFERRED);
         CREATE TRIGGER breaking AFTER INSERT ON device BEGIN INSERT INTO broken VALUES (1); END",
    )
    .unwrap();
    let public_key = p256::ecdsa::SigningKey::from_slice(&[1; 32]).unwrap();
    let applicant = |device_name: &str| Applicant {
        code: code.clone(),
        device_name: device_name.to_owned(),
        public_key: public_key.verifying_key().to_sec1_point(true).as_bytes().to_vec(),
        protocol: PROTOCOL_VERSION,
    };
    let draw = |n: u8| Draw { id: [n; 10], prefix: [n; 12], token: [n; 32] };
    let begun = storage.ledger().reached().entries;
    enrol(&storage, &applicant("Phone"), &draw(1), 2).unwrap_err();
    assert_eq!(storage.ledger().reached().entries, begun + 1);
    conn.execute_batch("DROP TRIGGER breaking").unwrap();
    assert_eq!(phones(&storage), [0; 0]);
    let device = enrol(&storage, &applicant("Phone"), &draw(2), 3).unwrap();
    assert_eq!(device.prefix, ActorPrefix([1; 12]));
    assert_eq!(phones(&storage), [1]);
    // And so it is when the process ended meanwhile, and nobody else can show the code.
    drop(storage);
    let storage = open(&folder);
    let other = Applicant { public_key: vec![2; 33], ..applicant("Phone") };
    assert!(enrol(&storage, &other, &draw(3), 4).is_err());
    assert_eq!(phones(&storage), [1]);
}
