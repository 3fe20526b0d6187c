//! Drop means rollback, commit means all, readers see one moment.

use super::{Case, world::*};
use crate::storage::{Content, SCOPE_ALL, Storage, TextContent};
use outrider_core::ids::{ChangeHash, DocumentId, Part};

pub(super) const CASES: &[Case] = &[
    ("a dropped transaction leaves nothing", dropped),
    ("a panic while writing leaves nothing and locks nothing", panicked),
    ("positions count commits that changed something", positions),
    ("a commit that takes a position is news, after it is readable", news),
    ("a read transaction sees one moment", consistent),
    ("a write transaction reads what it wrote", own_writes),
    ("the store's id stays", instance),
    ("flat documents and texts come back as they were put", contents),
];

fn dropped(storage: &dyn Storage) {
    let mut write = storage.write().unwrap();
    edit(write.as_mut(), &main_of(1), record(1), actor(1), "lost");
    write.add_device(&device(1)).unwrap();
    drop(write);

    let read = storage.read().unwrap();
    assert_eq!(read.document(&main_of(1)).unwrap(), None);
    assert_eq!(read.device(device(1).id).unwrap(), None);
    assert_eq!(read.counts().unwrap(), Default::default());
    assert_eq!(read.position().unwrap(), 0);
    assert!(walk(read.as_ref(), 0, 10).is_empty());
    assert!(read.stream_digests(SCOPE_ALL).unwrap().is_empty());
    drop(read);
    assert_eq!(commit_edit(storage, &main_of(1), record(1), "kept"), 1);
}

fn panicked(storage: &dyn Storage) {
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut write = storage.write().unwrap();
        edit(write.as_mut(), &main_of(1), record(1), actor(1), "lost");
        panic!("while writing");
    }));
    assert!(result.is_err());
    assert_eq!(commit_edit(storage, &main_of(2), record(2), "kept"), 1);
    assert_eq!(storage.read().unwrap().counts().unwrap().documents, 1);
}

fn positions(storage: &dyn Storage) {
    assert_eq!(commit_edit(storage, &main_of(1), record(1), "a"), 1);
    assert_eq!(commit_edit(storage, &main_of(2), record(2), "b"), 2);
    // Neither a code nor an empty transaction is news.
    assert_eq!(storage.write().unwrap().commit().unwrap(), 2);
    let mut write = storage.write().unwrap();
    write.add_device(&device(1)).unwrap();
    assert_eq!(write.commit().unwrap(), 3);

    let mut write = storage.write().unwrap();
    edit(write.as_mut(), &main_of(1), record(1), actor(1), "c");
    edit(write.as_mut(), &main_of(3), record(3), actor(1), "d");
    assert_eq!(write.position().unwrap(), 3, "not taken before the commit");
    assert_eq!(write.commit().unwrap(), 4);
    let read = storage.read().unwrap();
    for id in [main_of(1), main_of(3)] {
        assert_eq!(read.document(&id).unwrap().unwrap().position, 4, "one commit, one position");
    }
    assert_eq!(read.position().unwrap(), 4);
}

fn news(storage: &dyn Storage) {
    let mut news = storage.news();
    assert_eq!(*news.borrow_and_update(), 0);
    let mut dropped = storage.write().unwrap();
    edit(dropped.as_mut(), &main_of(1), record(1), actor(1), "lost");
    drop(dropped);
    storage.write().unwrap().commit().unwrap();
    assert!(!news.has_changed().unwrap(), "nothing was committed that anybody could fetch");
    for n in 1..=3 {
        commit_edit(storage, &main_of(n), record(n), "kept");
    }
    assert!(news.has_changed().unwrap());
    let position = *news.borrow_and_update();
    assert_eq!(position, 3, "the newest alone");
    assert_eq!(storage.read().unwrap().position().unwrap(), position);
    assert!(!news.has_changed().unwrap());
}

fn consistent(storage: &dyn Storage) {
    commit_edit(storage, &main_of(1), record(1), "before");
    let before = storage.read().unwrap();
    let mut write = storage.write().unwrap();
    edit(write.as_mut(), &main_of(1), record(1), actor(1), "after");
    edit(write.as_mut(), &main_of(2), record(2), actor(1), "new");

    // A second reader beside the open transaction is not kept waiting.
    let beside = storage.read().unwrap();
    assert_eq!(beside.position().unwrap(), 1);
    write.commit().unwrap();
    for read in [&before, &beside] {
        assert_eq!(read.position().unwrap(), 1);
        assert_eq!(read.document(&main_of(2)).unwrap(), None);
        assert_eq!(read.document(&main_of(1)).unwrap().unwrap().position, 1);
        assert_eq!(read.feed_digest(2).unwrap(), None);
    }
    drop((before, beside));
    assert_eq!(storage.read().unwrap().position().unwrap(), 2);
}

fn own_writes(storage: &dyn Storage) {
    let mut write = storage.write().unwrap();
    let hash = edit(write.as_mut(), &main_of(1), record(1), actor(1), "a");
    assert!(write.change(&main_of(1), hash).unwrap().is_some());
    assert_eq!(write.document(&main_of(1)).unwrap().unwrap().position, 1);
    edit(write.as_mut(), &main_of(1), record(1), actor(1), "bb");
    write.commit().unwrap();
    let read = storage.read().unwrap();
    assert_eq!(state_of(read.as_ref(), &main_of(1)).max_op, 6);
    assert_eq!(read.counts().unwrap().changes, 2);
}

fn instance(storage: &dyn Storage) {
    let first = storage.read().unwrap().instance().unwrap();
    assert_ne!(first, [0; 16]);
    commit_edit(storage, &main_of(1), record(1), "a");
    assert_eq!(storage.read().unwrap().instance().unwrap(), first);
}

fn contents(storage: &dyn Storage) {
    let id = DocumentId { record: record(1), part: Part::Text("notes".to_owned()) };
    let text = Content::Text(TextContent {
        generation: 2,
        saved: vec![1, 2, 3],
        heads: vec![ChangeHash([1; 32]), ChangeHash([2; 32])],
        text: "拜访记录".to_owned(),
    });
    let mut write = storage.write().unwrap();
    write.put_document(&id, ENTITY, record(7), &text).unwrap();
    edit(write.as_mut(), &main_of(1), record(7), actor(1), "flat");
    write.commit().unwrap();

    let read = storage.read().unwrap();
    let stored = read.document(&id).unwrap().unwrap();
    assert_eq!((stored.entity.as_str(), stored.family), (ENTITY, record(7)));
    assert_eq!(stored.content, text);
    assert_eq!(state_of(read.as_ref(), &main_of(1)).keys.len(), 3);
}
