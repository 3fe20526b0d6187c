//! Streamed answers: whole, or visibly broken.

use std::{io::Read, time::Duration};

use minicbor::bytes::ByteVec;
use outrider_core::{
    ids::{ActorId, ChangeHash, DeviceId, DocumentId, Part, RecordId},
    sync::{
        codec::{self, FrameReader},
        frame::{PROTOCOL_VERSION, PullFrame, PullRequest},
    },
};
use outrider_sync_server::storage::{Content, NewChange, Storage, TextContent};

use crate::world::{NOW, Office, send};

const TYPE: &str = "application/vnd.outrider.v1";

#[test]
fn a_pull_begins_with_hello_and_ends_with_the_end() {
    let office = Office::open(&[]);
    let (token, _) = office.enrolled();
    let request = PullRequest {
        version: PROTOCOL_VERSION,
        position: 0,
        digest: [0; 16],
        grant: [0; 16],
        progress: None,
        budget_bytes: u64::MAX,
        held: [0; 16],
        erased: None,
        recovered: None,
        has_tried: None,
        is_cursor_lost: None,
        audit_head: None,
        pushed: None,
    };
    let answer = office.post("/v1/pull", &token, TYPE, &codec::pack(&request).unwrap());
    assert_eq!((answer.status, answer.content_type.as_str()), (200, TYPE));
    let mut reader = FrameReader::new(answer.body.as_slice()).unwrap();
    let PullFrame::Hello(hello) = reader.read().unwrap() else { panic!("no hello") };
    assert!(hello.is_cursor_known);
    assert_eq!(hello.now_ms, NOW);
    loop {
        if let PullFrame::End(end) = reader.read().unwrap() {
            assert!(!end.is_more);
            break;
        }
    }
}

/// A text with `count` changes of `size_bytes` that no compression makes smaller.
pub(crate) fn fill(office: &Office, count: u64, size_bytes: usize) -> DocumentId {
    let id = DocumentId { record: RecordId::new(1, [1; 10]), part: Part::Text("notes".to_owned()) };
    let mut write = office.storage.write().unwrap();
    let mut noise = 1_u64;
    for seq in 1..=count {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&seq.to_be_bytes());
        let bytes = std::iter::repeat_with(|| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            u8::try_from(noise >> 56).unwrap()
        });
        let change = NewChange {
            hash: ChangeHash(hash),
            actor: ActorId([1; 16]),
            seq,
            start_op: seq,
            max_op: seq,
            clock: Default::default(),
            bytes: bytes.take(size_bytes).collect(),
            keys: Vec::new(),
            device: DeviceId(uuid::Uuid::nil()),
            made_at: NOW,
        };
        write.add_change(&id, &change, NOW).unwrap();
    }
    let content = Content::Text(TextContent {
        generation: 0,
        saved: Vec::new(),
        heads: Vec::new(),
        text: String::new(),
    });
    write.put_document(&id, "customer", id.record, &content).unwrap();
    write.commit().unwrap();
    id
}

pub(crate) fn history_path(id: &DocumentId) -> String {
    format!("/v1/records/{}/{}/history", id.record, id.part)
}

#[test]
fn a_history_comes_whole_and_in_order() {
    let office = Office::open(&[]);
    let (token, _) = office.enrolled();
    // More changes at one position than a page holds.
    let id = fill(&office, 150, 2_000);
    let answer = office.get(&history_path(&id), &token);
    assert_eq!(answer.status, 200);
    let mut reader = FrameReader::new(answer.body.as_slice()).unwrap();
    let read = office.storage.read().unwrap();
    for change in read.changes_since(&id, 0, 1_000).unwrap() {
        let frame: ByteVec = reader.read().unwrap();
        assert!(*frame == *change.bytes, "change {}", change.seq);
    }
    assert!(reader.read::<ByteVec>().is_err(), "nothing follows");
}

/// Reads an answer from a bare connection after `wait`; the number of bytes that came.
fn read_late(office: &Office, path: &str, token: &str, wait: Duration) -> usize {
    let mut stream = office.connect();
    let proof = office.proof(("GET", path), token, b"");
    send(
        &mut stream,
        &format!(
            "GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\noutrider-proof: {proof}\r\nconnection: close\r\n\r\n"
        ),
    );
    std::thread::sleep(wait);
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    assert!(bytes.starts_with(b"HTTP/1.1 200"));
    // A whole chunked answer ends with an empty chunk.
    if bytes.ends_with(b"\r\n0\r\n\r\n") { bytes.len() } else { 0 }
}

#[test]
fn a_reader_that_stops_reading_is_let_go() {
    let office = Office::open(&["--reader-pause-ms", "300"]);
    let (token, _) = office.enrolled();
    let id = fill(&office, 160, 200_000);
    let path = history_path(&id);
    assert!(read_late(&office, &path, &token, Duration::ZERO) > 160 * 200_000);
    let late = read_late(&office, &path, &token, Duration::from_millis(1_500));
    assert_eq!(late, 0, "the answer broke off");
    assert_eq!(office.get("/ready", "").status, 200);
}

#[test]
fn an_answer_that_takes_too_long_breaks_off() {
    let office = Office::open(&["--answer-timeout-ms", "200"]);
    let (token, _) = office.enrolled();
    let id = fill(&office, 160, 200_000);
    assert_eq!(read_late(&office, &history_path(&id), &token, Duration::from_secs(1)), 0);
}

#[test]
fn requests_beyond_the_streams_are_told_to_come_back() {
    let office = Office::open(&["--streams-max", "1", "--turn-timeout-ms", "100"]);
    let (token, _) = office.enrolled();
    let id = fill(&office, 160, 200_000);
    let mut slow = office.connect();
    let path = history_path(&id);
    let proof = office.proof(("GET", &path), &token, b"");
    send(
        &mut slow,
        &format!(
            "GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\noutrider-proof: {proof}\r\n\r\n"
        ),
    );
    let mut begun = [0; 12];
    slow.read_exact(&mut begun).unwrap();
    let answer = office.get(&history_path(&id), &token);
    assert_eq!(answer.error(), (503, "busy".to_owned()));
    assert_eq!(answer.retry_after, "5");
    assert_eq!(office.get("/v1/status", &token).status, 200, "short jobs go on");
}
