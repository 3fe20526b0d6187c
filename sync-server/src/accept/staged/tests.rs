//! What documents, changes and their past count, and the history of a group that is not stored yet.

use outrider_core::{
    crdt::{self, Action, Edit, Own, Stamp, State, TextDocument},
    ids::{DeviceId, Part},
};

use super::*;
use crate::storage::{NewChange, Storage as _, TextContent, sqlite::SqliteStorage};

fn actor(number: u8) -> ActorId {
    ActorId([number; 16])
}

fn write(state: &mut State, own: &mut Option<Own>, by: u8, key: &str) -> EncodedChange {
    let stamp = Stamp { actor: actor(by), time_ms: 0, message: None };
    let edit = Edit { key: key.to_owned(), action: Action::Put("value".into()) };
    crdt::write(state, own, stamp, vec![edit]).unwrap()
}

fn main_part() -> DocumentId {
    DocumentId { record: RecordId::new(1, [7; 10]), part: Part::Main }
}

fn held(content: Content) -> Held {
    Held { content, ..Held::new(&main_part()) }
}

#[test]
fn a_document_counts_its_values_keys_and_authors() {
    let mut state = State::default();
    for (by, key) in [(1, "company_name"), (2, "phone"), (3, "phone")] {
        write(&mut state, &mut None, by, key);
    }
    let expected = state.size_bytes() + 2 * KEY_OVERHEAD_BYTES + 3 * CLOCK_ENTRY_BYTES;
    assert_eq!(held(Content::Flat(state)).size_bytes(), expected);
    let text = TextDocument::new().unwrap();
    let text = TextContent {
        generation: 0,
        saved: text.save(),
        heads: text.heads(),
        text: "characters".to_owned(),
    };
    let expected = text.saved.len() + 10;
    assert_eq!(held(Content::Text(text)).size_bytes(), expected);
}

#[test]
fn a_change_counts_its_bytes_keys_and_predecessors() {
    let mut state = State::default();
    let first = write(&mut state, &mut None, 1, "phone");
    assert_eq!(change_bytes(&first), first.bytes.len() + OP_OVERHEAD_BYTES + 5);
    let second = write(&mut state, &mut None, 2, "phone");
    assert_eq!(change_bytes(&second), second.bytes.len() + OP_OVERHEAD_BYTES + 5 + PRED_BYTES);
}

/// A store in whose history changes stand with their clocks, and its folder.
fn stored(changes: &[(&EncodedChange, Clock)]) -> (tempfile::TempDir, SqliteStorage) {
    let folder = tempfile::tempdir().unwrap();
    let storage = SqliteStorage::open_for_test(folder.path(), true).unwrap();
    let mut tx = storage.write().unwrap();
    for (encoded, clock) in changes {
        let change = NewChange::flat(encoded, clock.clone(), DeviceId(uuid::Uuid::nil()));
        tx.add_change(&main_part(), &change, 0).unwrap();
    }
    tx.commit().unwrap();
    (folder, storage)
}

#[test]
fn what_is_read_of_the_past_counts_its_bytes_and_whom_it_has_seen() {
    let mut state = State::default();
    write(&mut state, &mut None, 1, "phone");
    let second = write(&mut state, &mut None, 2, "phone");
    let (_folder, storage) = stored(&[(&second, state.clock.clone())]);
    let (read, staged, id) = (storage.read().unwrap(), Staged::default(), main_part());
    let history =
        StagedHistory { id: &id, stored: &*read, staged: &staged, read_bytes: Cell::new(0) };
    let each = second.bytes.len() + 2 * CLOCK_ENTRY_BYTES;
    assert_eq!(history.change(second.hash).unwrap().unwrap().clock, state.clock);
    assert_eq!(history.read_bytes.get(), each);
    let (op, _) = second.change.ops_with_ids().next().unwrap();
    assert!(history.op(op).unwrap().is_some());
    assert_eq!(history.read_bytes.get(), 2 * each);
}

/// Two wrote beside each other, under the same counters.
#[test]
fn what_several_wrote_is_found_at_once() {
    let (mut one, mut other) = (State::default(), State::default());
    let beside = [write(&mut one, &mut None, 1, "phone"), write(&mut other, &mut None, 2, "phone")];
    let (_folder, storage) =
        stored(&[(&beside[0], one.clock.clone()), (&beside[1], other.clock.clone())]);
    let (read, staged, id) = (storage.read().unwrap(), Staged::default(), main_part());
    let history =
        StagedHistory { id: &id, stored: &*read, staged: &staged, read_bytes: Cell::new(0) };
    let ops = beside.iter().flat_map(|change| change.change.ops_with_ids().map(|(id, _)| id));
    let ops: BTreeSet<OpId> = ops.collect();
    let found = history.ops(&ops).unwrap().unwrap();
    assert_eq!(found.into_keys().collect::<BTreeSet<_>>(), ops);
}
