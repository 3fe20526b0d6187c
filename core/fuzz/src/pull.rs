//! A server that lies to a device: whatever it answers, the device keeps its records readable, its
//! rows are still a cache of its documents, and people go on writing.

use std::{fs, path::Path, sync::Arc};

use outrider_core::{
    ids::{ActorPrefix, DeviceId, RecordId},
    replica::{Options, Replica, ReplicaError, session::Session},
    store::{Durability, meta::Enrolment, query::Query},
    sync::{
        codec::{FrameReader, to_cbor},
        frame::{Answer, Body, Outcome, PullFrame, PushResponse},
    },
    time::ManualClock,
};
use serde_json::{Map, Value as Json, json};
use tempfile::TempDir;

use crate::frames;

/// Requests that are answered, at most.
const ANSWERS_MAX: usize = 16;
/// Sessions, at most.
const SESSIONS_MAX: usize = 4;
/// Uncompressed bytes that a pull asks for.
const BUDGET_BYTES: u64 = 1 << 20;

/// The records of the device: one that the office has, one that waits.
const KNOWN: RecordId = RecordId(uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001));
const WAITING: RecordId =
    RecordId(uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0002));

/// The input is the server's answers: for each a byte that says how it is packed, two bytes of
/// length, and the answer.
pub fn run(data: &[u8]) {
    let folder = TempDir::new().unwrap();
    template(|from| copy(from, folder.path()));
    let mut replica = open(folder.path());
    let mut answers = split(data).into_iter();
    'sessions: for _ in 0..SESSIONS_MAX {
        let mut session = Session::with_budget(BUDGET_BYTES);
        loop {
            let request = match session.next(&mut replica) {
                Ok(Some(request)) => request,
                Ok(None) => break,
                Err(error) => {
                    check_error(&error);
                    break;
                }
            };
            let Some((kind, bytes)) = answers.next() else { break 'sessions };
            let is_stream = matches!(request.path, "/v1/pull" | "/v1/fetch");
            let body = pack(kind, &bytes, is_stream);
            if let Err(error) = session.receive(&mut replica, &mut body.as_slice()) {
                check_error(&error);
                break;
            }
        }
    }
    check(&mut replica);
}

/// A device may say that it was lied to, not that it is broken.
fn check_error(error: &ReplicaError) {
    let is_damage = matches!(error, ReplicaError::Store(_));
    assert!(!is_damage, "{error:?}");
}

fn split(data: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut answers = Vec::new();
    let mut rest = data;
    while let [kind, high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (bytes, later) = after.split_at(length);
        answers.push((*kind, bytes.to_vec()));
        rest = later;
        if answers.len() >= ANSWERS_MAX {
            break;
        }
    }
    answers
}

fn pack(kind: u8, bytes: &[u8], is_stream: bool) -> Vec<u8> {
    if kind & 1 == 1 {
        return bytes.to_vec();
    }
    if is_stream && kind & 2 == 2 {
        // Frames without lengths: each is one that can be read, or the rest.
        let mut frames = Vec::new();
        let mut decoder = minicbor::Decoder::new(bytes);
        while let Ok(frame) = decoder.decode::<PullFrame>() {
            frames.push(frame);
        }
        return zstd::bulk::compress(&frames::plain_stream(&frames), 1).unwrap();
    }
    zstd::bulk::compress(bytes, 1).unwrap()
}

fn check(replica: &mut Replica) {
    // What is read works.
    replica.status().unwrap();
    for entity in ["customer", "contact", "opportunity"] {
        replica.list(entity, &Query::default()).unwrap();
    }
    replica.conflicts(None).unwrap();
    for record in [KNOWN, WAITING] {
        replica.get(record).unwrap();
        if let Err(error) = replica.history(record, None) {
            check_error(&error);
        }
    }
    // Rows are a cache.
    let before = replica.dump_rows().unwrap();
    replica.rebuild_rows().unwrap();
    assert_eq!(before, replica.dump_rows().unwrap(), "rows are what documents say");
    // What is written works, unless a rule says why not.
    let fields = fields(json!({ "company_name": "After all" }));
    for record in [KNOWN, WAITING] {
        if let Err(error) = replica.update(record, &fields) {
            check_error(&error);
        }
    }
    match replica.create("customer", &fields) {
        Ok(record) => {
            assert_eq!(replica.get(record).unwrap().unwrap()["company_name"], "After all")
        }
        Err(error) => assert!(
            matches!(
                error,
                ReplicaError::NotPermitted { .. }
                    | ReplicaError::Wiped
                    | ReplicaError::Locked { .. }
            ),
            "{error:?}"
        ),
    }
    // And the next conversation can begin.
    Session::new().next(replica).unwrap();
}

fn fields(json: Json) -> Map<String, Json> {
    let Json::Object(fields) = json else { panic!("{json} has no fields") };
    fields
}

fn open(folder: &Path) -> Replica {
    let clock = Arc::new(ManualClock::at(1_700_000_000_000));
    let options = Options { clock, seed: Some(1), durability: Durability::None, keys: None };
    Replica::open(folder, options).unwrap()
}

/// Shows the folder of an enrolled device with a few records, made once for each thread.
fn template(use_it: impl FnOnce(&Path)) {
    thread_local! {
        static TEMPLATE: TempDir = make();
    }
    TEMPLATE.with(|folder| use_it(folder.path()));
}

fn make() -> TempDir {
    let folder = TempDir::new().unwrap();
    let mut replica = open(folder.path());
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
    let known = json!({ "company_name": "Known", "notes": "Typed.", "tags": ["vip"] });
    replica.transaction(|writer| writer.create("customer", Some(KNOWN), &fields(known))).unwrap();
    let batch = replica.next_push(0).unwrap().unwrap();
    let changes = batch.request.groups.iter().flat_map(|group| &group.changes);
    let answers = changes.map(|change| Answer {
        hash: outrider_core::crdt::header(&change.bytes).unwrap().hash,
        outcome: Outcome::Applied,
    });
    replica.take_push_response(&PushResponse::new(answers.collect())).unwrap();
    let waiting = json!({ "company_name": "Waiting", "notes": "Not sent yet." });
    replica
        .transaction(|writer| writer.create("customer", Some(WAITING), &fields(waiting)))
        .unwrap();
    replica.update(KNOWN, &fields(json!({ "company_name": "Known better" }))).unwrap();
    drop(replica);
    folder
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Answers: an honest conversation, frames about the records that are here, refusals.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let answer =
        |kind: u8, bytes: &[u8]| [&[kind], &(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
    let push = |outcome: fn(usize) -> Outcome| {
        // The names of what the device sends are found by asking it.
        let folder = TempDir::new().unwrap();
        template(|from| copy(from, folder.path()));
        let mut replica = open(folder.path());
        let batch = replica.next_push(0).unwrap().unwrap();
        Session::new().next(&mut replica).unwrap();
        let changes = batch.request.groups.iter().flat_map(|group| &group.changes);
        let hashes = changes.map(|change| outrider_core::crdt::header(&change.bytes).unwrap().hash);
        let answers = hashes.enumerate().map(|(n, hash)| Answer { hash, outcome: outcome(n) });
        to_cbor(&PushResponse::new(answers.collect()))
    };
    let applied = push(|_| Outcome::Applied);
    let refused = push(|n| match n % 4 {
        0 => Outcome::Refused("start_op".to_owned(), Vec::new()),
        1 => Outcome::Forked,
        2 => Outcome::Refused("too_long".to_owned(), vec!["company_name".to_owned()]),
        _ => Outcome::Pending(vec![outrider_core::ids::ChangeHash([1; 32])]),
    });
    let frames = frames::some_frames();
    let about_known = |body: Body| {
        let mut frames = frames.clone();
        frames.retain(|frame| !matches!(frame, PullFrame::Hello(_)));
        let PullFrame::Hello(hello) = &frames::some_frames()[0] else { unreachable!() };
        let mut hello = hello.clone();
        hello.grant = None;
        frames.insert(0, PullFrame::Hello(hello));
        for frame in &mut frames {
            if let PullFrame::Document(document) = frame
                && document.part.is_flat()
            {
                document.record = KNOWN;
                document.family = KNOWN;
                document.body = body.clone();
            }
        }
        let cbor: Vec<u8> = frames.iter().flat_map(to_cbor).collect();
        answer(2, &cbor)
    };
    let state = about_known(Body::State(crate::states::some_states().remove(3)));
    let delta = about_known(Body::Delta(crate::states::some_delta()));
    let erase = to_cbor(&PullFrame::Erase(1, KNOWN));
    let hello = to_cbor(&frames[0]);
    let mut seeds = vec![
        [answer(0, &applied), state.clone(), state.clone()].concat(),
        [answer(0, &refused), answer(0, &refused), delta].concat(),
        [answer(0, &applied), answer(2, &[hello, erase].concat())].concat(),
        [answer(0, &[0x81, 0x80]), answer(0, &frames::plain_stream(&frames))].concat(),
    ];
    let stream = zstd::bulk::compress(&frames::plain_stream(&frames), 1).unwrap();
    assert!(FrameReader::new(stream.as_slice()).unwrap().read::<PullFrame>().is_ok());
    seeds.push([answer(0, &applied), answer(1, &stream)].concat());
    seeds
}
