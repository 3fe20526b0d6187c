//! Limits of frames, states and questions: what reaches one is taken, one more is refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::io::Read as _;

use minicbor::bytes::ByteVec;
use outrider_core::{
    crdt::{
        Head, OpId, Seen, State, Survivor,
        state::{ACTORS_MAX, DOCUMENT_BYTES_MAX, DOCUMENT_KEYS_MAX, HEADS_MAX, SURVIVORS_MAX},
        wire::STATE_BYTES_MAX,
    },
    ids::{ActorId, ChangeHash},
    replica::{Options, Replica},
    store::query::{Compare, FILTERS_MAX, Filter, PAGE_MAX, Query},
    sync::codec::{
        CodecError, FRAME_BYTES_MAX, FrameReader, FrameWriter, MESSAGE_BYTES_MAX, WINDOW_LOG_MAX,
        to_cbor, unpack,
    },
    value::Value,
};

/// A byte string that takes `count` bytes as CBOR.
fn of_bytes(count: usize) -> ByteVec {
    ByteVec::from(vec![0; count - 5])
}

fn zstd(plain: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(plain, 1).unwrap()
}

#[test]
fn bytes_of_a_frame() {
    let written = |count: usize| {
        let mut writer = FrameWriter::new(Vec::new()).unwrap();
        writer.write(&of_bytes(count)).map(|()| writer.finish().unwrap())
    };
    let largest = written(FRAME_BYTES_MAX).unwrap();
    let mut reader = FrameReader::new(largest.as_slice()).unwrap();
    assert_eq!(reader.read::<ByteVec>().unwrap().len(), FRAME_BYTES_MAX - 5);
    assert_eq!(reader.frame_bytes(), FRAME_BYTES_MAX);
    assert!(matches!(written(FRAME_BYTES_MAX + 1), Err(CodecError::TooLarge { .. })));
    let beyond = u32::try_from(FRAME_BYTES_MAX + 1).unwrap().to_be_bytes();
    for length in [beyond, [0xff; 4]] {
        let stream = zstd(&length);
        let mut reader = FrameReader::new(stream.as_slice()).unwrap();
        assert!(matches!(reader.read::<ByteVec>(), Err(CodecError::TooLarge { .. })));
    }
}

#[test]
fn bytes_of_a_message() {
    for limit in [100_000, MESSAGE_BYTES_MAX] {
        let message = |count: usize| unpack::<ByteVec>(&zstd(&to_cbor(&of_bytes(count))), limit);
        assert!(message(limit).is_ok());
        assert!(matches!(message(limit + 1), Err(CodecError::TooLarge { .. })));
    }
}

#[test]
fn window_of_the_compression() {
    let packed = |log: u32| {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(log).unwrap();
        std::io::copy(&mut std::io::repeat(7).take(1 << 20), &mut encoder).unwrap();
        encoder.finish().unwrap()
    };
    let mut reader = FrameReader::new(std::io::Cursor::new(packed(WINDOW_LOG_MAX))).unwrap();
    // What comes is no frame, but it is unpacked.
    assert!(!matches!(reader.read::<ByteVec>(), Err(CodecError::Io(_))));
    let mut reader = FrameReader::new(std::io::Cursor::new(packed(WINDOW_LOG_MAX + 1))).unwrap();
    assert!(matches!(reader.read::<ByteVec>(), Err(CodecError::Io(_))));
}

fn actor(number: usize) -> ActorId {
    ActorId([number as u64, number as u64].map(u64::to_be_bytes).concat().try_into().unwrap())
}

/// A state with so many actors, each with a head.
fn of_actors(actors: usize, heads: usize) -> State {
    let clock = (0..actors).map(|n| (actor(n), Seen { seq: 1, op: 1 })).collect();
    let head = |n: usize| {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&(n as u64).to_be_bytes());
        Head { hash: ChangeHash(hash), actor: actor(n), seq: 1 }
    };
    State { clock, heads: (0..heads).map(head).collect(), max_op: 1, ..State::default() }
}

fn survivor(number: usize, value: Value) -> Survivor {
    Survivor { id: OpId { counter: 1, actor: actor(number) }, value }
}

/// What a device holds is what the server holds with what waits: twice the limits of a document.
#[test]
fn states() {
    let check = |what: &str, at_limit: &State, beyond: &State| {
        assert!(at_limit.is_readable() && !beyond.is_readable(), "{what}");
        assert_eq!(State::from_bytes(&at_limit.to_bytes()).as_ref(), Ok(at_limit), "{what}");
        assert!(State::from_bytes(&beyond.to_bytes()).is_err(), "{what}");
    };
    check("actors", &of_actors(2 * ACTORS_MAX, 1), &of_actors(2 * ACTORS_MAX + 1, 1));
    let heads = |count: usize| of_actors(count, count);
    check("heads", &heads(2 * HEADS_MAX), &heads(2 * HEADS_MAX + 1));
    let keys = |count: usize| {
        let keys = (0..count).map(|n| (format!("{n:05}"), vec![survivor(0, Value::Null)]));
        State { keys: keys.collect(), ..of_actors(1, 1) }
    };
    check("keys", &keys(2 * DOCUMENT_KEYS_MAX), &keys(2 * DOCUMENT_KEYS_MAX + 1));
    let survivors = |count: usize| {
        let ops = (0..count).map(|n| survivor(n, Value::Null)).collect();
        State { keys: [("k".to_owned(), ops)].into(), ..of_actors(count, 1) }
    };
    check("survivors", &survivors(2 * SURVIVORS_MAX), &survivors(2 * SURVIVORS_MAX + 1));
    let bytes = |count: usize| {
        let mut keys: Vec<(String, Vec<Survivor>)> = Vec::new();
        let mut left = count;
        while left > 0 {
            let take = left.min(60_000);
            let text = "x".repeat(take - 4 - 8);
            keys.push((format!("{:04}", keys.len()), vec![survivor(0, text.into())]));
            left -= take;
        }
        State { keys: keys.into_iter().collect(), ..of_actors(1, 1) }
    };
    check("bytes", &bytes(2 * DOCUMENT_BYTES_MAX), &bytes(2 * DOCUMENT_BYTES_MAX + 1));
    assert_eq!(bytes(2 * DOCUMENT_BYTES_MAX).size_bytes(), 2 * DOCUMENT_BYTES_MAX);
    let mut padded = State::default().to_bytes();
    padded.resize(STATE_BYTES_MAX + 1, 0);
    assert_eq!(
        State::from_bytes(&padded).unwrap_err().to_string(),
        "a document state breaks the rule: too many bytes"
    );
    padded.pop();
    assert_ne!(
        State::from_bytes(&padded).unwrap_err().to_string(),
        "a document state breaks the rule: too many bytes"
    );
}

#[test]
fn conditions_cursors_and_pages_of_a_list() {
    let folder = tempfile::tempdir().unwrap();
    let replica = Replica::open(folder.path(), Options::default()).unwrap();
    let filter = Filter {
        column: "company_name".to_owned(),
        compare: Compare::Contains,
        value: "a".to_owned(),
    };
    let filtered = |count: usize| {
        let query = Query { filters: vec![filter.clone(); count], ..Query::default() };
        replica.list("customer", &query).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(filtered(FILTERS_MAX), Ok(()));
    let words = filtered(FILTERS_MAX + 1).unwrap_err();
    assert!(words.contains(&format!("at most {FILTERS_MAX} filters")), "{words}");
    for limit in [0, PAGE_MAX, usize::MAX] {
        let query = Query { limit, ..Query::default() };
        assert!(replica.list("customer", &query).is_ok(), "{limit}");
    }
    let after =
        |text: String| replica.list("customer", &Query { after: Some(text), ..Query::default() });
    for text in ["", "00", &"ab".repeat(2_048), &"ab".repeat(2_049), &"[".repeat(10_000)] {
        assert!(after(text.to_owned()).is_err());
    }
}
