//! Answers that are too much, or cannot be what they say.

use minicbor::bytes::ByteVec;
use outrider_core::{
    crdt::{self, Stamp, State, TextDocument, state::DOCUMENT_KEYS_MAX},
    ids::{ActorId, ActorPrefix, DeviceId},
    replica::{
        ReplicaError,
        session::{OVER_BUDGET_BYTES_MAX, Session},
    },
    sync::{
        codec::{FrameReader, MESSAGE_BYTES_MAX, pack, unpack},
        frame::{
            Answer, Author, Body, FeedPoint, Outcome, PullFrame, PushChange, PushRequest,
            PushResponse, SignedGrant,
        },
    },
};
use serde_json::json;

use crate::{
    raw::{self, Raw, framed},
    world::{document, end, fields, hello, put, stream_of, world},
};

/// Each of the states could be read; joined they were stored as one that could not, and the record
/// was lost to the device.
#[test]
fn states_that_are_too_large_together_leave_the_record_as_it_is() {
    let mut world = world();
    let large = |actor: u8, mark: char| {
        let mut state = State::default();
        for half in 0..2 {
            let keys = (0..DOCUMENT_KEYS_MAX / 2).map(|n| put(&format!("{mark}{half}{n}"), "x"));
            let stamp = Stamp { actor: ActorId([actor + half; 16]), time_ms: 0, message: None };
            crdt::write(&mut state, &mut None, stamp, keys.collect()).unwrap();
        }
        document(world.record, Body::State(state.to_bytes()))
    };
    let frames = ['a', 'c', 'e'].map(|mark| large(mark as u8, mark));
    let words = world.refused([vec![hello()], frames.to_vec(), vec![end(Vec::new())]].concat());
    assert!(words.contains("too large"), "{words}");
}

/// It was kept unread, and stood in the way of everything that was written from then on.
#[test]
fn a_grant_that_cannot_be_read_is_not_kept() {
    let mut world = world();
    let PullFrame::Hello(mut begin) = hello() else { unreachable!() };
    begin.grant = Some(SignedGrant { body: b"{".to_vec(), signature: vec![0; 64] });
    let words = world.refused(vec![PullFrame::Hello(begin)]);
    assert!(words.contains("grant"), "{words}");
}

/// Frames without end would fill the device.
#[test]
fn an_answer_that_never_ends_is_left_alone() {
    let mut world = world();
    let author = |n: usize| {
        PullFrame::Author(Author {
            prefix: ActorPrefix([n as u8; 12]),
            device: DeviceId(uuid::Uuid::nil()),
            user: "x".repeat(1_000_000),
            device_name: String::new(),
        })
    };
    let most = 2 + OVER_BUDGET_BYTES_MAX as usize / 1_000_000;
    let frames =
        [vec![hello()], (0..most + 2).map(author).collect(), vec![end(Vec::new())]].concat();
    let words = world.refused(frames.clone());
    assert!(words.contains("never ends"), "{words}");
    // As much as it may be, to the byte.
    let packed = stream_of(&frames);
    let mut reader = FrameReader::new(packed.as_slice()).unwrap();
    let mut bytes = 0;
    for _ in &frames {
        reader.read::<PullFrame>().unwrap();
        bytes += reader.frame_bytes() as u64;
    }
    for (less, is_taken) in [(0, true), (1, false)] {
        let mut world = crate::world::world();
        let mut session = Session::with_budget(bytes - OVER_BUDGET_BYTES_MAX - less);
        session.next(&mut world.replica).unwrap();
        let taken = session.receive(&mut world.replica, &mut packed.as_slice());
        assert_eq!(taken.is_ok(), is_taken, "{taken:?}");
    }
}

/// Compressed bytes that never become any others.
#[test]
fn an_answer_of_nothing_is_left_alone() {
    struct Skipped(u64);
    impl std::io::Read for Skipped {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            // Frames that every decompressor skips: their magic, and that they are empty.
            let frame = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];
            for (at, byte) in buffer.iter_mut().enumerate() {
                *byte = frame[(self.0 as usize + at) % frame.len()];
            }
            self.0 += buffer.len() as u64;
            Ok(buffer.len())
        }
    }
    let mut world = world();
    let mut session = Session::with_budget(1 << 20);
    session.next(&mut world.replica).unwrap();
    let error = session.receive(&mut world.replica, &mut Skipped(0)).unwrap_err();
    assert!(matches!(error, ReplicaError::Answer(_)), "{error:?}");
    world.check();
}

/// The inputs that hurt Automerge, as changes of a text on their way down. The names of the rows are
/// in the server's tests of the same attacks.
#[test]
fn attacks_on_texts_are_refused_on_the_way_down() {
    let mut text = TextDocument::new().unwrap();
    let honest = text.edit(ActorId([3; 16]), 5, "Honest.").unwrap().unwrap();
    let next = text.edit(ActorId([3; 16]), 5, "Honest, and more.").unwrap().unwrap();
    let bomb = {
        use std::io::Write as _;
        let best = flate2::Compression::best();
        let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), best);
        (0..64).for_each(|_| deflate.write_all(&vec![0; 1 << 20]).unwrap());
        framed(2, &[0; 4], &deflate.finish().unwrap())
    };
    let put = || Raw::put("name");
    let attacks: Vec<Vec<u8>> = vec![
        bomb,
        put().rows(5_000_000).bytes(),
        put().rows(i64::MAX).bytes(),
        Raw { seq: raw::unsigned(5), ..put() }.bytes(),
        Raw { start_op: u64::from(u32::MAX) - 1, ..put() }.bytes(),
        Raw { actor: Vec::new(), ..put() }.bytes(),
        Raw { actor: vec![7; 200_000], ..put() }.bytes(),
        Raw { time_ms: i64::MAX, ..put() }.bytes(),
        put().bytes(),
        automerge::Automerge::new().save(),
        Vec::new(),
    ];
    for attack in attacks {
        let mut world = world();
        let changes = vec![ByteVec::from(honest.bytes.clone()), ByteVec::from(attack.clone())];
        let answer =
            world.pull(vec![hello(), document(world.record, Body::Text(changes)), end(Vec::new())]);
        if let Err(error) = answer {
            assert!(!matches!(error, ReplicaError::Store(_)), "{error:?}");
        }
        world.check();
        // And the honest text arrives all the same.
        let changes = vec![ByteVec::from(honest.bytes.clone()), ByteVec::from(next.bytes.clone())];
        let mut session = Session::with_budget(1 << 20);
        while let Some(request) = session.next(&mut world.replica).unwrap() {
            if request.path == "/v1/pull" {
                let frames =
                    [hello(), document(world.record, Body::Text(changes)), end(Vec::new())];
                session.receive(&mut world.replica, &mut stream_of(&frames).as_slice()).unwrap();
                break;
            }
            let none = pack(&PushResponse::new(Vec::new())).unwrap();
            session.receive(&mut world.replica, &mut none.as_slice()).unwrap();
        }
        let notes = world.replica.get(world.record).unwrap().unwrap()["notes"].clone();
        assert_eq!(notes, "Honest, and more.");
    }
}

/// A server that denies with every answer what it acknowledged: everything is sent once more, not for ever.
#[test]
fn a_server_that_denies_for_ever_is_sent_everything_once() {
    let mut world = world();
    for name in ["one", "two", "three"] {
        world.replica.update(world.record, &fields(json!({ "company_name": name }))).unwrap();
    }
    let mut session = Session::with_budget(1 << 20);
    let mut paths = Vec::new();
    while let Some(request) = session.next(&mut world.replica).unwrap() {
        paths.push(request.path);
        let answer = if request.path == "/v1/pull" {
            stream_of(&[hello(), end(Vec::new())])
        } else {
            let push: PushRequest = unpack(&request.body, MESSAGE_BYTES_MAX).unwrap();
            let changes = push.groups.into_iter().flat_map(|group| group.changes);
            let applied = |change: PushChange| Answer {
                hash: crdt::header(&change.bytes).unwrap().hash,
                outcome: Outcome::Applied,
            };
            let answers = PushResponse::new(changes.map(applied).collect());
            let reached = Some(FeedPoint { position: 9, digest: [9; 16] });
            pack(&PushResponse { reached, is_pushed_known: Some(false), ..answers }).unwrap()
        };
        session.receive(&mut world.replica, &mut answer.as_slice()).unwrap();
    }
    assert_eq!(paths, ["/v1/push", "/v1/push", "/v1/pull"]);
    assert!(session.summary().is_server_restored);
}
