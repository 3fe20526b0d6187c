//! Accounts and sessions.

use outrider_core::schema::Language;
use uuid::Uuid;

use super::{Case, world::*};
use crate::storage::{
    Storage,
    accounts::{Account, Role, StoredSession},
};

pub(super) const CASES: &[Case] = &[
    ("an account is found by login and id, and replaced", replaced),
    ("a session lives until it is ended", sessions),
    ("an account keeps its newest sessions", newest_stay),
    ("old sessions end", old_end),
    ("accounts and sessions take no position", no_position),
];

fn account(n: u8) -> Account {
    Account {
        id: Uuid::from_bytes([n; 16]),
        login: format!("user{n}"),
        user: format!("User {n}"),
        user_record: None,
        role: Role::Office,
        password_hash: "$argon2id$".to_owned(),
        language: None,
        created_at: NOW,
    }
}

fn session(n: u8, of: u8, at: i64) -> StoredSession {
    StoredSession {
        token_hash: [n; 32],
        account: Uuid::from_bytes([of; 16]),
        created_at: at,
        seen_at: at,
    }
}

fn begin(storage: &dyn Storage, sessions: &[StoredSession], keep: usize) {
    let mut write = storage.write().unwrap();
    for session in sessions {
        write.add_session(session, keep).unwrap();
    }
    write.commit().unwrap();
}

fn put(storage: &dyn Storage, account: &Account) {
    let mut write = storage.write().unwrap();
    write.put_account(account).unwrap();
    write.commit().unwrap();
}

fn live(storage: &dyn Storage) -> Vec<u8> {
    let read = storage.read().unwrap();
    (0..=20).filter(|n| read.session(&[*n; 32]).unwrap().is_some()).collect()
}

fn replaced(storage: &dyn Storage) {
    assert_eq!(storage.read().unwrap().account_count().unwrap(), 0);
    put(storage, &account(1));
    let changed = Account {
        role: Role::Administrator,
        user_record: Some(record(7)),
        language: Some(Language::Zh),
        password_hash: "other".to_owned(),
        ..account(1)
    };
    put(storage, &changed);
    put(storage, &account(2));
    let read = storage.read().unwrap();
    assert_eq!(read.account_by_login("user1").unwrap(), Some(changed.clone()));
    assert_eq!(read.account(changed.id).unwrap(), Some(changed));
    assert_eq!(read.account_by_login("USER1").unwrap(), None);
    assert_eq!(read.account_count().unwrap(), 2);
    drop(read);
    let mut write = storage.write().unwrap();
    let twin = Account { login: "user1".to_owned(), ..account(3) };
    assert!(write.put_account(&twin).is_err(), "a login belongs to one account");
}

fn sessions(storage: &dyn Storage) {
    put(storage, &account(1));
    begin(storage, &[session(1, 1, NOW), session(2, 1, NOW)], 10);
    let mut write = storage.write().unwrap();
    write.touch_session(&[1; 32], NOW + 5).unwrap();
    write.touch_session(&[1; 32], NOW + 2).unwrap();
    write.remove_session(&[2; 32]).unwrap();
    write.commit().unwrap();
    assert_eq!(live(storage), [1]);
    let seen = storage.read().unwrap().session(&[1; 32]).unwrap().unwrap();
    assert_eq!((seen.created_at, seen.seen_at), (NOW, NOW + 5));
    let mut write = storage.write().unwrap();
    write.remove_sessions_of(account(1).id).unwrap();
    write.commit().unwrap();
    assert_eq!(live(storage), [0_u8; 0]);
}

fn newest_stay(storage: &dyn Storage) {
    put(storage, &account(1));
    put(storage, &account(2));
    let mut all = vec![session(9, 2, NOW - 100)];
    all.extend((1..=5).map(|n| session(n, 1, NOW + i64::from(n))));
    begin(storage, &all, 3);
    assert_eq!(live(storage), [3, 4, 5, 9]);
}

fn old_end(storage: &dyn Storage) {
    put(storage, &account(1));
    let used = StoredSession { seen_at: NOW + 90, ..session(3, 1, NOW + 10) };
    begin(storage, &[session(1, 1, NOW), session(2, 1, NOW + 20), used], 10);
    let mut write = storage.write().unwrap();
    write.remove_old_sessions(NOW + 5, NOW + 50).unwrap();
    write.commit().unwrap();
    assert_eq!(live(storage), [3]);
}

fn no_position(storage: &dyn Storage) {
    put(storage, &account(1));
    begin(storage, &[session(1, 1, NOW)], 1);
    assert_eq!(storage.read().unwrap().position().unwrap(), 0);
}
