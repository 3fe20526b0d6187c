//! Documents, changes and devices for the cases.

use outrider_core::{
    crdt::{Action, Change, Clock, EncodedChange, Op, State},
    ids::{ActorId, ActorPrefix, ChangeHash, DeviceId, DocumentId, Part, RecordId},
    value::Value,
};
use uuid::Uuid;

use crate::storage::{
    Content, Device, FeedCursor, FeedQuery, NewChange, Read, SCOPE_ALL, Storage, Write,
};

/// The entity of all records here.
pub(super) const ENTITY: &str = "customer";
/// When everything happens.
pub(super) const NOW: i64 = 1_700_000_000_000;

/// The n-th record.
pub(super) fn record(n: u8) -> RecordId {
    RecordId::from_bytes([n; 16])
}

/// The main document of the n-th record.
pub(super) fn main_of(n: u8) -> DocumentId {
    DocumentId { record: record(n), part: Part::Main }
}

/// An actor of the n-th device.
pub(super) fn actor(n: u8) -> ActorId {
    ActorId([n; 16])
}

/// The n-th device.
pub(super) fn device(n: u8) -> Device {
    Device {
        id: DeviceId(Uuid::from_bytes([n; 16])),
        name: format!("phone {n}"),
        user: "Wang".to_owned(),
        user_record: None,
        prefix: ActorPrefix([n; 12]),
        public_key: vec![n; 33],
        token_hash: [n; 32],
        enrolled_at: NOW,
        is_office: false,
    }
}

/// A change that puts `value` under `name`, and two more keys, after everything in `state`.
pub(super) fn next_change(state: &State, by: ActorId, value: &str) -> EncodedChange {
    let seq = state.clock.get(&by).map_or(1, |seen| seen.seq + 1);
    let op = |key: &str, text: &str| Op {
        key: key.to_owned(),
        action: Action::Put(Value::Text(text.to_owned())),
        pred: state.survivor_ids(key),
    };
    let change = Change {
        actor: by,
        seq,
        start_op: state.max_op + 1,
        time_ms: NOW,
        message: None,
        deps: state.head_hashes(),
        ops: vec![op("company_name", value), op("short_name", value), op("address", value)],
    };
    let mut hash = [by.0[0]; 32];
    hash[..8].copy_from_slice(&change.start_op.to_be_bytes());
    hash[8..24].copy_from_slice(&[u8::try_from(value.len() % 251).unwrap(); 16]);
    EncodedChange { change, hash: ChangeHash(hash), bytes: value.as_bytes().to_vec() }
}

/// The state of a stored document; empty if there is none.
pub(super) fn state_of(read: &dyn Read, id: &DocumentId) -> State {
    match read.document(id).unwrap().map(|stored| stored.content) {
        Some(Content::Flat(state)) => state,
        Some(Content::Text(_)) => panic!("{id} is a text"),
        None => State::default(),
    }
}

/// Writes an edit of `id` into an open transaction; returns the change's hash.
pub(super) fn edit(
    write: &mut dyn Write,
    id: &DocumentId,
    family: RecordId,
    by: ActorId,
    value: &str,
) -> ChangeHash {
    // `dyn Write` is not `dyn Read` for a function that takes one; read what is needed here.
    let mut state = match write.document(id).unwrap().map(|stored| stored.content) {
        Some(Content::Flat(state)) => state,
        Some(Content::Text(_)) => panic!("{id} is a text"),
        None => State::default(),
    };
    let encoded = next_change(&state, by, value);
    state.apply(&encoded);
    let clock: Clock = state.clock.clone();
    let change = NewChange::flat(&encoded, clock, device(by.0[0]).id);
    write.add_change(id, &change, NOW + 1).unwrap();
    write.put_document(id, ENTITY, family, &Content::Flat(state)).unwrap();
    encoded.hash
}

/// Edits `id` in a transaction of its own; returns the position.
pub(super) fn commit_edit(
    storage: &dyn Storage,
    id: &DocumentId,
    family: RecordId,
    value: &str,
) -> u64 {
    let mut write = storage.write().unwrap();
    edit(write.as_mut(), id, family, actor(9), value);
    write.commit().unwrap()
}

/// The documents that the feed names from `base` on, by pages of `limit`.
pub(super) fn walk(read: &dyn Read, base: u64, limit: usize) -> Vec<(u64, RecordId, DocumentId)> {
    let mut named = Vec::new();
    let mut after: Option<FeedCursor> = None;
    loop {
        let query = FeedQuery { scope: SCOPE_ALL, base, after: after.as_ref(), limit };
        let page = read.feed_page(&query).unwrap();
        assert!(page.len() <= limit);
        let Some(last) = page.last() else { return named };
        after = Some(last.cursor.clone());
        named.extend(page.into_iter().map(|row| {
            let id = DocumentId { record: row.cursor.record, part: row.cursor.part };
            (row.cursor.family_position, row.cursor.family, id)
        }));
    }
}
