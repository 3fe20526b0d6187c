//! The feed, its pages, its chain of digests, and the digests of streams.

use outrider_core::{
    ids::{DocumentId, Part},
    sync::{
        digest,
        frame::{Digest, Stream, StreamDigest},
    },
};

use super::{Case, world::*};
use crate::storage::{Content, FeedCursor, FeedQuery, SCOPE_ALL, Storage};

pub(super) const CASES: &[Case] = &[
    ("the feed names families in order, of each what changed", order),
    ("a page resumes after any row", resume),
    ("a family that changes between pages comes again", moves_behind),
    ("a record leaves the family that it was in", changes_family),
    ("the chain names everything before", chain),
    ("digests of streams are those of their documents", stream_digests),
    ("another scope has nothing", scopes),
];

fn restricted(n: u8) -> DocumentId {
    DocumentId { record: record(n), part: Part::Restricted }
}

/// Families 10 (records 1, 2) and 20 (record 3), and 4 by itself.
fn fill(storage: &dyn Storage) {
    commit_edit(storage, &main_of(2), record(10), "a"); // 1
    commit_edit(storage, &main_of(3), record(20), "b"); // 2
    commit_edit(storage, &main_of(4), record(4), "c"); // 3
    commit_edit(storage, &main_of(1), record(10), "d"); // 4: family 10 moves behind
    commit_edit(storage, &restricted(1), record(10), "e"); // 5
}

fn order(storage: &dyn Storage) {
    fill(storage);
    let read = storage.read().unwrap();
    let all = [
        (2, record(20), main_of(3)),
        (3, record(4), main_of(4)),
        (5, record(10), main_of(1)),
        (5, record(10), restricted(1)),
        (5, record(10), main_of(2)),
    ];
    assert_eq!(walk(read.as_ref(), 0, 100), all);
    assert_eq!(read.feed_count(SCOPE_ALL, 0).unwrap(), 5);
    // Of a family that changed, only the documents that changed.
    assert_eq!(walk(read.as_ref(), 3, 100), all[2..4]);
    assert_eq!(read.feed_count(SCOPE_ALL, 3).unwrap(), 2);
    assert!(walk(read.as_ref(), 5, 100).is_empty());
    let query = FeedQuery { scope: SCOPE_ALL, base: 0, after: None, limit: 1 };
    let first = read.feed_page(&query).unwrap().remove(0);
    assert_eq!((first.entity.as_str(), first.position), (ENTITY, 2));
}

fn resume(storage: &dyn Storage) {
    fill(storage);
    let read = storage.read().unwrap();
    let all = walk(read.as_ref(), 0, 100);
    for limit in 1..=all.len() {
        assert_eq!(walk(read.as_ref(), 0, limit), all, "pages of {limit}");
    }
}

fn moves_behind(storage: &dyn Storage) {
    fill(storage);
    let page = |after: Option<&FeedCursor>, limit: usize| {
        let query = FeedQuery { scope: SCOPE_ALL, base: 0, after, limit };
        storage.read().unwrap().feed_page(&query).unwrap()
    };
    let begun = page(None, 3);
    let cursor = begun[2].cursor.clone();
    assert_eq!(cursor.family, record(10), "the page ends within family 10");
    commit_edit(storage, &main_of(2), record(10), "f"); // 6
    let rest = page(Some(&cursor), 100);
    let named: Vec<_> = rest
        .iter()
        .map(|row| (row.cursor.family_position, row.cursor.record, row.cursor.part.clone()))
        .collect();
    assert_eq!(
        named,
        [(6, record(1), Part::Main), (6, record(1), Part::Restricted), (6, record(2), Part::Main)]
    );
}

fn changes_family(storage: &dyn Storage) {
    fill(storage);
    commit_edit(storage, &main_of(1), record(20), "moved"); // 6
    let read = storage.read().unwrap();
    assert_eq!(
        walk(read.as_ref(), 0, 100),
        [
            (3, record(4), main_of(4)),
            // The old family is news too: its readers are told that a record is no longer of it.
            (6, record(10), main_of(2)),
            (6, record(20), main_of(1)),
            (6, record(20), restricted(1)),
            (6, record(20), main_of(3)),
        ]
    );
    let other = read.document(&restricted(1)).unwrap().unwrap();
    assert_eq!((other.family, other.position), (record(20), 5), "moved, not changed");
    assert_eq!(read.counts().unwrap().documents, 5);
}

fn chain(storage: &dyn Storage) {
    let mut hashes = Vec::new();
    let mut write = storage.write().unwrap();
    hashes.push(edit(write.as_mut(), &main_of(2), record(2), actor(1), "a"));
    hashes.push(edit(write.as_mut(), &main_of(1), record(1), actor(1), "bb"));
    write.commit().unwrap();
    let mut write = storage.write().unwrap();
    write.add_device(&device(1)).unwrap();
    write.commit().unwrap();

    let read = storage.read().unwrap();
    let zero = Digest::default();
    assert_eq!(read.feed_digest(0).unwrap(), Some(zero));
    let first = digest::chain(&zero, 1, &hashes);
    assert_eq!(read.feed_digest(1).unwrap(), Some(first));
    assert_eq!(read.feed_digest(2).unwrap(), Some(digest::chain(&first, 2, &[])));
    assert_eq!(read.feed_digest(3).unwrap(), None);
    assert_eq!(read.feed_digest(u64::MAX).unwrap(), None);
}

fn stream_digests(storage: &dyn Storage) {
    fill(storage);
    commit_edit(storage, &main_of(2), record(20), "moved and changed");
    let read = storage.read().unwrap();
    let stream =
        |part: Part| Stream { scope: SCOPE_ALL.to_owned(), entity: ENTITY.to_owned(), part };
    let recomputed = |ids: &[DocumentId], part: Part| {
        let mut set = Digest::default();
        for id in ids {
            let Content::Flat(state) = read.document(id).unwrap().unwrap().content else {
                panic!("{id} is flat")
            };
            digest::toggle(&mut set, &digest::of_state(id, &state));
        }
        StreamDigest { stream: stream(part), digest: set, count: ids.len() as u64 }
    };
    let mains = [main_of(1), main_of(2), main_of(3), main_of(4)];
    assert_eq!(
        read.stream_digests(SCOPE_ALL).unwrap(),
        [recomputed(&mains, Part::Main), recomputed(&[restricted(1)], Part::Restricted)]
    );

    let first = read.document_digests(&stream(Part::Main), None, 3).unwrap();
    let rest = read.document_digests(&stream(Part::Main), Some(first[2].record), 3).unwrap();
    let both: Vec<_> = first.iter().chain(&rest).collect();
    assert_eq!((first.len(), rest.len()), (3, 1));
    for (one, id) in both.into_iter().zip(&mains) {
        let state = state_of(read.as_ref(), id);
        assert_eq!((one.record, one.digest), (id.record, digest::of_state(id, &state)));
    }
}

fn scopes(storage: &dyn Storage) {
    fill(storage);
    let read = storage.read().unwrap();
    let query = FeedQuery { scope: "team/north", base: 0, after: None, limit: 10 };
    assert!(read.feed_page(&query).unwrap().is_empty());
    assert_eq!(read.feed_count("team/north", 0).unwrap(), 0);
    assert!(read.stream_digests("team/north").unwrap().is_empty());
    let stream =
        Stream { scope: "team/north".to_owned(), entity: ENTITY.to_owned(), part: Part::Main };
    assert!(read.document_digests(&stream, None, 10).unwrap().is_empty());
}
