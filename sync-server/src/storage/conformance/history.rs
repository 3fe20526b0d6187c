//! The history: by hash, by number, by operation, by position; and refusals.

use outrider_core::crdt::OpId;

use super::{Case, world::*};
use crate::storage::{Storage, StoredRefusal};

pub(super) const CASES: &[Case] = &[
    ("a change comes back whole, under each of its names", lookups),
    ("an operation is found in the change that holds it", operations),
    ("changes come by position, then by order of arrival", since),
    ("a change is written once", once),
    ("a refusal is remembered, the first under a number", refusals),
];

fn lookups(storage: &dyn Storage) {
    let mut write = storage.write().unwrap();
    let hash = edit(write.as_mut(), &main_of(1), record(1), actor(1), "a");
    write.commit().unwrap();
    let read = storage.read().unwrap();
    let change = read.change(&main_of(1), hash).unwrap().unwrap();
    assert_eq!((change.hash, change.actor, change.seq), (hash, actor(1), 1));
    assert_eq!((change.start_op, change.max_op, change.position), (1, 3, 1));
    assert_eq!(change.bytes, b"a");
    assert_eq!(change.keys, ["company_name", "short_name", "address"]);
    assert_eq!(change.device, device(1).id);
    assert_eq!((change.made_at, change.received_at), (NOW, NOW + 1));
    assert_eq!(change.clock[&actor(1)].op, 3);
    assert_eq!(read.change_hash(&main_of(1), actor(1), 1).unwrap(), Some(hash));
    assert_eq!(read.change_hash(&main_of(1), actor(1), 2).unwrap(), None);
    assert_eq!(read.change_hash(&main_of(1), actor(2), 1).unwrap(), None);
    assert_eq!(read.change(&main_of(2), hash).unwrap(), None, "of another document");
}

fn operations(storage: &dyn Storage) {
    let id = main_of(1);
    for (by, value) in [(1, "a"), (2, "bb"), (1, "ccc")] {
        let mut write = storage.write().unwrap();
        edit(write.as_mut(), &id, record(1), actor(by), value);
        write.commit().unwrap();
    }
    let read = storage.read().unwrap();
    let op = |by: u8, counter: u64| OpId { counter, actor: actor(by) };
    let seq_with = |op: OpId| read.change_with_op(&id, op).unwrap().map(|change| change.seq);
    assert_eq!(seq_with(op(1, 1)), Some(1));
    assert_eq!(seq_with(op(1, 3)), Some(1));
    assert_eq!(seq_with(op(1, 4)), None, "it is the other actor's");
    assert_eq!(seq_with(op(2, 6)), Some(1));
    assert_eq!(seq_with(op(1, 7)), Some(2));
    assert_eq!(seq_with(op(1, 10)), None);
    assert_eq!(seq_with(op(1, 0)), None);
    assert_eq!(seq_with(op(1, u64::MAX)), None);

    let known = read.provenance(&id, &[op(2, 5), op(1, 4), op(1, 9)]).unwrap();
    let named: Vec<OpId> =
        known.iter().map(|one| OpId { counter: one.counter, actor: one.actor }).collect();
    assert_eq!(named, [op(2, 5), op(1, 9)]);
    assert!(known.iter().all(|one| one.made_at == NOW));
}

fn since(storage: &dyn Storage) {
    let id = main_of(1);
    commit_edit(storage, &id, record(1), "a");
    let mut write = storage.write().unwrap();
    // The higher actor first: the order is that of arrival.
    edit(write.as_mut(), &id, record(1), actor(8), "bb");
    edit(write.as_mut(), &id, record(1), actor(2), "ccc");
    write.commit().unwrap();
    let read = storage.read().unwrap();
    let bytes_since = |position: u64, limit: usize| -> Vec<Vec<u8>> {
        let found = read.changes_since(&id, position, limit).unwrap();
        found.into_iter().map(|change| change.bytes).collect()
    };
    assert_eq!(bytes_since(0, 10), [b"a".to_vec(), b"bb".to_vec(), b"ccc".to_vec()]);
    assert_eq!(bytes_since(1, 10), [b"bb".to_vec(), b"ccc".to_vec()]);
    assert_eq!(bytes_since(0, 2), [b"a".to_vec(), b"bb".to_vec()]);
    assert!(bytes_since(2, 10).is_empty());
}

fn once(storage: &dyn Storage) {
    commit_edit(storage, &main_of(1), record(1), "a");
    let change = {
        let read = storage.read().unwrap();
        let hash = read.change_hash(&main_of(1), actor(9), 1).unwrap().unwrap();
        let stored = read.change(&main_of(1), hash).unwrap().unwrap();
        crate::storage::NewChange {
            hash: stored.hash,
            actor: stored.actor,
            seq: stored.seq,
            start_op: stored.start_op,
            max_op: stored.max_op,
            clock: stored.clock,
            bytes: stored.bytes,
            keys: stored.keys,
            device: stored.device,
            made_at: stored.made_at,
        }
    };
    let mut write = storage.write().unwrap();
    assert!(write.add_change(&main_of(1), &change, NOW).is_err(), "its hash is there");
    let other = crate::storage::NewChange {
        hash: outrider_core::ids::ChangeHash([77; 32]),
        ..change.clone()
    };
    assert!(write.add_change(&main_of(1), &other, NOW).is_err(), "its number is there");
    write.add_change(&main_of(2), &change, NOW).expect("another document is another history");
}

fn refusals(storage: &dyn Storage) {
    let refusal = |n: u8| StoredRefusal {
        hash: outrider_core::ids::ChangeHash([n; 32]),
        code: "field_not_permitted".to_owned(),
        keys: vec!["credit_limit".to_owned()],
    };
    let mut write = storage.write().unwrap();
    write.add_refusal(&main_of(1), actor(1), 4, &refusal(1)).unwrap();
    write.add_refusal(&main_of(1), actor(1), 4, &refusal(2)).unwrap();
    assert_eq!(write.commit().unwrap(), 0, "a refusal is no news");
    let read = storage.read().unwrap();
    assert_eq!(read.refusal(&main_of(1), actor(1), 4).unwrap(), Some(refusal(1)));
    assert_eq!(read.refusal(&main_of(1), actor(1), 5).unwrap(), None);
    assert_eq!(read.refusal(&main_of(2), actor(1), 4).unwrap(), None);
}
