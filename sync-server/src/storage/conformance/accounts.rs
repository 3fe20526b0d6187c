//! Accounts and sessions.

use outrider_core::schema::Language;
use uuid::Uuid;

use super::{Case, world::*};
use crate::storage::{
    Storage,
    accounts::{Account, Role, SecondFactor, SeenAs, StoredSession},
};

pub(super) const CASES: &[Case] = &[
    ("an account is found by login and id, and replaced", replaced),
    ("a session lives until it is ended", sessions),
    ("an account keeps its newest sessions", newest_stay),
    ("old sessions end", old_end),
    ("accounts and sessions take no position", no_position),
    ("a session says as whom it looks", seen_as),
    ("a time step is taken once, and a recovery code too", second_factor),
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
        is_disabled: false,
    }
}

fn session(n: u8, of: u8, at: i64) -> StoredSession {
    StoredSession {
        token_hash: [n; 32],
        account: Uuid::from_bytes([of; 16]),
        created_at: at,
        seen_at: at,
        seen_as: None,
        browser: String::new(),
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

fn seen_as(storage: &dyn Storage) {
    put(storage, &account(1));
    put(storage, &Account { is_disabled: true, ..account(2) });
    assert!(storage.read().unwrap().account(account(2).id).unwrap().unwrap().is_disabled);
    let own = StoredSession { browser: "Firefox, Linux".to_owned(), ..session(1, 1, NOW) };
    begin(storage, std::slice::from_ref(&own), 10);
    for seen_as in [Some(SeenAs::Account(account(2).id)), Some(SeenAs::User(record(3))), None] {
        let mut write = storage.write().unwrap();
        write.set_seen_as(&own.token_hash, seen_as).unwrap();
        write.commit().unwrap();
        let read = storage.read().unwrap();
        let found = read.session(&own.token_hash).unwrap();
        assert_eq!(found, Some(StoredSession { seen_as, ..own.clone() }));
        assert_eq!(read.sessions_of(own.account).unwrap(), found.into_iter().collect::<Vec<_>>());
    }
    let logins: Vec<String> =
        storage.read().unwrap().accounts().unwrap().into_iter().map(|a| a.login).collect();
    assert_eq!(logins, ["user1", "user2"]);
}

fn second_factor(storage: &dyn Storage) {
    put(storage, &account(1));
    let id = account(1).id;
    let factor = SecondFactor {
        account: id,
        secret: vec![1; 60],
        is_confirmed: false,
        last_step: 0,
        created_at: NOW,
    };
    let mut write = storage.write().unwrap();
    assert!(!write.take_step(id, 5).unwrap(), "there is no factor");
    write.put_second_factor(&factor).unwrap();
    write.put_second_factor(&SecondFactor { is_confirmed: true, ..factor.clone() }).unwrap();
    write.set_recovery_codes(id, &[[1; 32], [2; 32]]).unwrap();
    let steps = [5, 5, 4, 6].map(|step| write.take_step(id, step).unwrap());
    assert_eq!(steps, [true, false, false, true]);
    let codes = [[1; 32], [1; 32], [9; 32]].map(|c| write.take_recovery_code(id, &c).unwrap());
    assert_eq!(codes, [true, false, false]);
    assert_eq!(write.recovery_code_count(id).unwrap(), 1);
    write.commit().unwrap();
    let kept = storage.read().unwrap().second_factor(id).unwrap().unwrap();
    assert!(kept == SecondFactor { is_confirmed: true, last_step: 6, ..factor });
    let mut write = storage.write().unwrap();
    assert!(write.remove_second_factor(id).unwrap());
    assert!(!write.remove_second_factor(id).unwrap());
    assert_eq!(write.recovery_code_count(id).unwrap(), 0);
}
