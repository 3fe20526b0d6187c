//! A server that lies to a device: whatever it answers, the device keeps its records, says what is
//! wrong, and people go on writing.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

#[allow(dead_code, reason = "the tests of the codec use what is not used here")]
#[path = "codec/raw.rs"]
mod raw;

use std::sync::Arc;

use minicbor::bytes::ByteVec;
use outrider_core::{
    crdt::{self, Action, Edit, Stamp, State, TextDocument, state::DOCUMENT_KEYS_MAX},
    ids::{ActorId, ActorPrefix, DeviceId, Part, RecordId},
    replica::{
        Options, Replica, ReplicaError,
        session::{OVER_BUDGET_BYTES_MAX, Session},
    },
    store::{Durability, meta::Enrolment},
    sync::{
        codec::{FrameWriter, MESSAGE_BYTES_MAX, pack, unpack},
        frame::{
            Answer, Author, Body, CHECK_PAGE, CheckResponse, DocumentDigest, DocumentFrame, End,
            FeedPoint, Hello, Outcome, PROTOCOL_VERSION, PullFrame, PushChange, PushRequest,
            PushResponse, SignedGrant, Stream, StreamDigest,
        },
    },
    time::ManualClock,
};
use raw::{Raw, framed};
use serde_json::{Map, Value as Json, json};
use tempfile::TempDir;

struct World {
    _folder: TempDir,
    replica: Replica,
    record: RecordId,
}

fn fields(json: Json) -> Map<String, Json> {
    let Json::Object(fields) = json else { panic!("{json} has no fields") };
    fields
}

/// An enrolled device that has sent what it has, and holds one customer of the server's.
fn world() -> World {
    let folder = TempDir::new().unwrap();
    let clock = Arc::new(ManualClock::at(1_700_000_000_000));
    let options = Options { clock, seed: Some(1), durability: Durability::None, keys: None };
    let mut replica = Replica::open(folder.path(), options).unwrap();
    let enrolment = Enrolment {
        url: String::new(),
        device: DeviceId(uuid::Uuid::from_u128(9)),
        user: "Wang Wei".to_owned(),
        user_record: None,
        ca: None,
        prefix: ActorPrefix([9; 12]),
        token: String::new(),
    };
    replica.enroll(&enrolment).unwrap();
    let record = RecordId::new(1, [1; 10]);
    let mut world = World { _folder: folder, replica, record };
    let mut state = State::default();
    write(&mut state, 1, vec![put("company_name", "Acme")]);
    world
        .pull(vec![hello(), document(record, Body::State(state.to_bytes())), end(Vec::new())])
        .unwrap();
    world
}

fn put(key: &str, value: &str) -> Edit {
    Edit { key: key.to_owned(), action: Action::Put(value.into()) }
}

fn write(state: &mut State, actor: u8, edits: Vec<Edit>) {
    let stamp = Stamp { actor: ActorId([actor; 16]), time_ms: 0, message: None };
    crdt::write(state, &mut None, stamp, edits).unwrap();
}

fn hello() -> PullFrame {
    PullFrame::Hello(Hello {
        backed_up: None,
        recovery: None,
        version: PROTOCOL_VERSION,
        instance: [1; 16],
        is_cursor_known: true,
        now_ms: 1_700_000_000_000,
        expected: 0,
        grant: None,
        position: Some(5),
    })
}

fn end(streams: Vec<StreamDigest>) -> PullFrame {
    PullFrame::End(End {
        is_held_right: None,
        is_more: false,
        position: 5,
        digest: [1; 16],
        streams,
        reached: None,
        audit_head: None,
    })
}

fn document(record: RecordId, body: Body) -> PullFrame {
    let part =
        if matches!(body, Body::Text(_)) { Part::Text("notes".to_owned()) } else { Part::Main };
    PullFrame::Document(Box::new(DocumentFrame {
        record,
        part,
        entity: "customer".to_owned(),
        family: record,
        family_position: 5,
        pass: 1,
        body,
        provenance: Vec::new(),
        unit: None,
    }))
}

fn stream_of(frames: &[PullFrame]) -> Vec<u8> {
    let mut writer = FrameWriter::new(Vec::new()).unwrap();
    frames.iter().for_each(|frame| writer.write(frame).unwrap());
    writer.finish().unwrap()
}

impl World {
    /// One conversation in which the server answers a pull with these frames, and nothing else.
    fn pull(&mut self, frames: Vec<PullFrame>) -> Result<Session, ReplicaError> {
        let mut session = Session::with_budget(1 << 20);
        let request = session.next(&mut self.replica)?.unwrap();
        assert_eq!(request.path, "/v1/pull");
        session.receive(&mut self.replica, &mut stream_of(&frames).as_slice())?;
        Ok(session)
    }

    /// Checks that the device goes on: it reads, writes and asks again.
    fn check(&mut self) {
        let name = |world: &Self| {
            world.replica.get(world.record).unwrap().unwrap()["company_name"].clone()
        };
        assert_eq!(name(self), "Acme");
        self.replica.update(self.record, &fields(json!({ "company_name": "Acme 2" }))).unwrap();
        assert_eq!(name(self), "Acme 2");
        let other = self.replica.create("customer", &fields(json!({ "company_name": "B" })));
        assert!(self.replica.get(other.unwrap()).unwrap().is_some());
        let rows = self.replica.dump_rows().unwrap();
        self.replica.rebuild_rows().unwrap();
        assert_eq!(self.replica.dump_rows().unwrap(), rows);
        assert!(Session::new().next(&mut self.replica).unwrap().is_some());
    }

    fn refused(&mut self, frames: Vec<PullFrame>) -> String {
        let error = self.pull(frames).map(drop).unwrap_err();
        let is_damage = matches!(error, ReplicaError::Store(_));
        assert!(!is_damage, "{error:?}");
        self.check();
        error.to_string()
    }
}

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

/// The same page for ever kept a device asking, and its memory growing with every answer.
#[test]
fn pages_of_digests_go_on() {
    let mut world = world();
    let stream =
        Stream { scope: "all".to_owned(), entity: "customer".to_owned(), part: Part::Main };
    let streams = vec![StreamDigest { stream, digest: [9; 16], count: 9 }; 3];
    let page = |from: usize, count: usize| {
        let digest = |n: usize| {
            let bytes = [&[0xcc, 0xcc][..], &(n as u64).to_be_bytes()].concat();
            DocumentDigest { record: RecordId::new(7, bytes.try_into().unwrap()), digest: [1; 16] }
        };
        pack(&CheckResponse {
            backed_up: None,
            documents: (from..from + count).map(digest).collect(),
        })
        .unwrap()
    };
    let mut session = world.pull(vec![hello(), end(streams)]).unwrap();
    let mut answer = |world: &mut World, page: Vec<u8>| {
        let request = session.next(&mut world.replica).unwrap().unwrap();
        assert_eq!(request.path, "/v1/check", "one stream is compared once");
        session.receive(&mut world.replica, &mut page.as_slice())
    };
    answer(&mut world, page(0, CHECK_PAGE)).unwrap();
    let error = answer(&mut world, page(0, CHECK_PAGE)).unwrap_err();
    assert!(error.to_string().contains("goes back"), "{error}");
    let streams = vec![StreamDigest {
        stream: Stream { scope: "all".to_owned(), entity: "customer".to_owned(), part: Part::Main },
        digest: [9; 16],
        count: 9,
    }];
    let mut session = world.pull(vec![hello(), end(streams)]).unwrap();
    session.next(&mut world.replica).unwrap();
    let mut too_long = page(0, CHECK_PAGE + 1);
    too_long.shrink_to_fit();
    let error = session.receive(&mut world.replica, &mut too_long.as_slice()).unwrap_err();
    assert!(error.to_string().contains("too long"), "{error}");
    world.check();
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
    let words = world.refused(frames);
    assert!(words.contains("never ends"), "{words}");
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
