//! Messages of the protocol: what is read comes out of its bytes again, and nothing panics.

use std::fmt::Debug;

use minicbor::{Decode, Encode};
use outrider_core::{
    ids::{ActorPrefix, ChangeHash, DeviceId, Part, RecordId},
    sync::{
        codec::{FrameReader, FrameWriter, MESSAGE_BYTES_MAX, from_cbor, pack, to_cbor, unpack},
        frame::{
            Answer, AuditHead, Author, Body, CheckRequest, CheckResponse, DocumentDigest,
            DocumentFrame, DocumentName, End, FeedPoint, FetchRequest, HeldView, Hello, Outcome,
            PROTOCOL_VERSION, Progress, Provenance, PullFrame, PullRequest, PushChange, PushGroup,
            PushRequest, PushResponse, SignedGrant, Stream, StreamDigest,
        },
        sealed::SealedPush,
        sign::batch_digest,
    },
};

/// Frames of one stream that are read, at most.
const FRAMES_MAX: usize = 200;

/// The first byte says what the rest is: which message, and whether it is compressed.
pub fn run(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let packed = kind & 0x80 != 0;
    match kind & 0x0f {
        0 => message::<PushRequest>(rest, packed, |push| {
            // What is signed is the same after a journey.
            let again: PushRequest = from_cbor(&to_cbor(push)).unwrap();
            let digest = |push: &PushRequest| batch_digest(push.device, &push.groups);
            assert_eq!(digest(push), digest(&again));
        }),
        1 => message::<PushResponse>(rest, packed, |_| {}),
        2 => message::<PullRequest>(rest, packed, |_| {}),
        3 => message::<CheckRequest>(rest, packed, |_| {}),
        4 => message::<CheckResponse>(rest, packed, |_| {}),
        5 => message::<FetchRequest>(rest, packed, |_| {}),
        6 => message::<SealedPush>(rest, packed, |_| {}),
        7 => message::<PullFrame>(rest, packed, |_| {}),
        8 => stream(rest),
        _ => stream(&zstd::bulk::compress(rest, 1).unwrap()),
    }
}

fn message<T>(bytes: &[u8], packed: bool, check: impl FnOnce(&T))
where
    T: Encode<()> + for<'b> Decode<'b, ()> + PartialEq + Debug,
{
    let read = if packed { unpack(bytes, MESSAGE_BYTES_MAX) } else { from_cbor::<T>(bytes) };
    let Ok(message) = read else { return };
    assert_eq!(from_cbor::<T>(&to_cbor(&message)).unwrap(), message);
    assert_eq!(unpack::<T>(&pack(&message).unwrap(), MESSAGE_BYTES_MAX).unwrap(), message);
    check(&message);
}

fn stream(bytes: &[u8]) {
    let mut reader = FrameReader::new(bytes).unwrap();
    let mut frames: Vec<PullFrame> = Vec::new();
    while let Ok(frame) = reader.read() {
        frames.push(frame);
        if frames.len() >= FRAMES_MAX {
            break;
        }
    }
    let mut writer = FrameWriter::new(Vec::new()).unwrap();
    for frame in &frames {
        writer.write(frame).unwrap();
    }
    let written = writer.finish().unwrap();
    let mut again = FrameReader::new(written.as_slice()).unwrap();
    for frame in &frames {
        assert_eq!(&again.read::<PullFrame>().unwrap(), frame);
    }
}

fn record(number: u8) -> RecordId {
    RecordId::new(1, [number; 10])
}

/// A frame of every kind.
#[must_use]
pub fn some_frames() -> Vec<PullFrame> {
    let head = AuditHead { number: 3, hash: [1; 32], at: 5, signature: vec![2; 64] };
    let stream =
        Stream { scope: "all".to_owned(), entity: "customer".to_owned(), part: Part::Main };
    let document = DocumentFrame {
        record: record(1),
        part: Part::Main,
        entity: "customer".to_owned(),
        family: record(1),
        family_position: 7,
        pass: 1,
        body: Body::State(crate::states::some_states().remove(0)),
        provenance: vec![Provenance {
            actor: outrider_core::ids::ActorId([1; 16]),
            counter: 2,
            made_at: 3,
        }],
        unit: None,
    };
    let text = Body::Text(vec![crate::texts::some_changes().remove(0).into()]);
    vec![
        PullFrame::Hello(Hello {
            backed_up: None,
            recovery: None,
            version: PROTOCOL_VERSION,
            instance: [1; 16],
            is_cursor_known: true,
            now_ms: 1_700_000_000_000,
            expected: 2,
            grant: Some(SignedGrant { body: b"{}".to_vec(), signature: vec![0; 64] }),
            position: Some(9),
        }),
        PullFrame::Author(Author {
            prefix: ActorPrefix([1; 12]),
            device: DeviceId(uuid::Uuid::from_u128(1)),
            user: "Wang Wei".to_owned(),
            device_name: "Phone".to_owned(),
        }),
        PullFrame::Enter(record(1), "all".to_owned()),
        PullFrame::Document(Box::new(document.clone())),
        PullFrame::Document(Box::new(DocumentFrame {
            part: Part::Text("notes".to_owned()),
            body: text,
            ..document
        })),
        PullFrame::Depart(record(1), record(2)),
        PullFrame::Leave(record(3), "all".to_owned()),
        PullFrame::Erase(1, record(4)),
        PullFrame::End(End {
            is_held_right: None,
            is_more: false,
            position: 9,
            digest: [3; 16],
            streams: vec![StreamDigest { stream, digest: [4; 16], count: 1 }],
            reached: None,
            audit_head: Some(head),
        }),
    ]
}

/// Frames as they stand in a stream before it is compressed.
#[must_use]
pub fn plain_stream(frames: &[PullFrame]) -> Vec<u8> {
    let framed = |frame| {
        let bytes = to_cbor(frame);
        [&(bytes.len() as u32).to_be_bytes()[..], &bytes].concat()
    };
    frames.iter().flat_map(framed).collect()
}

/// These bytes, compressed as messages are.
///
/// # Panics
///
/// If the compressor fails.
#[must_use]
pub fn compressed(plain: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(plain, 1).unwrap()
}

/// A message of every kind, compressed and not.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let change = PushChange {
        record: record(1),
        part: Part::Main,
        entity: "customer".to_owned(),
        generation: 0,
        bytes: crate::codec::some_changes().remove(0),
    };
    let device = DeviceId(uuid::Uuid::from_u128(1));
    let held = HeldView { position: 3, digest: [1; 16], grant: [2; 16] };
    let push = PushRequest {
        version: PROTOCOL_VERSION,
        groups: vec![PushGroup { changes: vec![change.clone()] }, PushGroup { changes: vec![] }],
        device,
        signature: vec![1; 64],
        held: Some(held),
        is_again: Some(true),
        pushed: Some(FeedPoint { position: 4, digest: [3; 16] }),
    };
    let outcomes = [
        Outcome::Applied,
        Outcome::Duplicate,
        Outcome::Pending(vec![ChangeHash([1; 32])]),
        Outcome::Refused("start_op".to_owned(), vec!["name".to_owned()]),
        Outcome::Forked,
        Outcome::Retry(5),
        Outcome::Erased,
    ];
    let answers = outcomes.map(|outcome| Answer { hash: ChangeHash([2; 32]), outcome });
    let progress = Progress {
        pass: 1,
        family_position: 2,
        family: record(1),
        record: record(2),
        part: Part::Restricted,
        reached: Some(3),
    };
    let pull = PullRequest {
        pushed: None,
        recovered: None,
        has_tried: None,
        is_cursor_lost: None,
        version: PROTOCOL_VERSION,
        position: 4,
        digest: [1; 16],
        progress: Some(progress),
        budget_bytes: 1 << 20,
        held: [2; 16],
        grant: [3; 16],
        erased: Some(1),
        audit_head: None,
    };
    let stream =
        Stream { scope: "all".to_owned(), entity: "customer".to_owned(), part: Part::Main };
    let digest = DocumentDigest { record: record(1), digest: [5; 16] };
    let name = DocumentName { record: record(1), part: Part::Main };
    let sealed = SealedPush {
        version: PROTOCOL_VERSION,
        device,
        encapped: vec![4; 65],
        ciphertext: vec![5; 40],
    };
    let frames = some_frames();
    let messages = [
        to_cbor(&push),
        to_cbor(&PushResponse::new(answers.to_vec())),
        to_cbor(&pull),
        to_cbor(&CheckRequest { stream, after: Some(record(1)) }),
        to_cbor(&CheckResponse { backed_up: None, documents: vec![digest; 3] }),
        to_cbor(&FetchRequest { documents: vec![name; 3] }),
        to_cbor(&sealed),
        to_cbor(&frames[3]),
        zstd::bulk::compress(&plain_stream(&frames), 1).unwrap(),
        plain_stream(&frames),
    ];
    let mut seeds: Vec<Vec<u8>> =
        (0..).zip(&messages).map(|(kind, bytes)| [&[kind], bytes.as_slice()].concat()).collect();
    let packed = zstd::bulk::compress(&messages[0], 1).unwrap();
    seeds.push([&[0x80], packed.as_slice()].concat());
    seeds
}
