//! What is decoded at all has limits, and older members stay readable.

use super::bounded::{FRAME_CHANGES_DECODED_MAX, PUSH_DECODED_MAX, REFUSED_KEYS_DECODED_MAX};
use super::*;
use crate::sync::codec::{from_cbor, to_cbor};

fn push(groups: usize) -> PushRequest {
    let groups = vec![PushGroup { changes: Vec::new() }; groups];
    PushRequest::new(DeviceId(uuid::Uuid::nil()), groups, Vec::new())
}

fn change() -> PushChange {
    PushChange {
        record: RecordId::new(1, [1; 10]),
        part: Part::Main,
        entity: String::new(),
        generation: 0,
        bytes: Vec::new(),
    }
}

/// What a server before [`FeedPoint`] answered, and a device before it reads.
#[derive(Debug, PartialEq, Encode, Decode)]
struct OlderResponse {
    #[n(0)]
    answers: Vec<Answer>,
}

/// A hello without what backups cover.
#[derive(Debug, PartialEq, Encode, Decode)]
struct OlderHello {
    #[n(0)]
    version: u8,
    #[cbor(n(1), with = "minicbor::bytes")]
    instance: [u8; 16],
    #[n(2)]
    is_cursor_known: bool,
    #[n(4)]
    now_ms: i64,
    #[n(5)]
    expected: u64,
    #[n(6)]
    grant: Option<SignedGrant>,
    #[n(7)]
    position: Option<u64>,
}

#[test]
fn older_apps_and_servers_read_the_frames_that_say_what_backups_cover() {
    let answers = vec![Answer { hash: ChangeHash([7; 32]), outcome: Outcome::Applied }];
    let reached = Some(FeedPoint { position: 9, digest: [3; 16] });
    let response = PushResponse { reached, ..PushResponse::new(answers.clone()) };
    let older = OlderResponse { answers };
    assert_eq!(from_cbor::<OlderResponse>(&to_cbor(&response)).unwrap(), older);
    let read: PushResponse = from_cbor(&to_cbor(&older)).unwrap();
    assert_eq!((read.answers, read.reached), (older.answers, None));
    let older = OlderHello {
        version: PROTOCOL_VERSION,
        instance: [1; 16],
        is_cursor_known: true,
        now_ms: 5,
        expected: 6,
        grant: None,
        position: Some(7),
    };
    let read: Hello = from_cbor(&to_cbor(&older)).unwrap();
    assert_eq!((read.position, read.backed_up), (Some(7), None));
    let newer = Hello { backed_up: Some(4), ..read };
    assert_eq!(from_cbor::<OlderHello>(&to_cbor(&newer)).unwrap(), older);
}

#[test]
fn a_push_of_empty_groups_is_not_decoded_beyond_its_limit() {
    assert!(from_cbor::<PushRequest>(&to_cbor(&push(PUSH_DECODED_MAX))).is_ok());
    assert!(from_cbor::<PushRequest>(&to_cbor(&push(PUSH_DECODED_MAX + 1))).is_err());
}

/// 16 MiB of changes of thirty bytes were 670,000 changes of a hundred bytes in memory before
/// anybody counted them.
#[test]
fn a_push_of_empty_changes_is_not_decoded_beyond_its_limit() {
    let whole = |changes: usize| {
        let groups = vec![PushGroup { changes: vec![change(); changes] }];
        PushRequest { groups, ..push(0) }
    };
    assert!(from_cbor::<PushRequest>(&to_cbor(&whole(PUSH_DECODED_MAX))).is_ok());
    assert!(from_cbor::<PushRequest>(&to_cbor(&whole(PUSH_DECODED_MAX + 1))).is_err());
    let spread = |groups: usize| {
        let groups = vec![PushGroup { changes: vec![change(); PUSH_CHANGES_MAX] }; groups];
        PushRequest { groups, ..push(0) }
    };
    assert!(from_cbor::<PushRequest>(&to_cbor(&spread(10))).is_ok());
    assert!(from_cbor::<PushRequest>(&to_cbor(&spread(11))).is_err());
}

/// 16 MiB of empty keys were 400 MB in a device's memory.
#[test]
fn a_refusal_of_empty_keys_is_not_decoded_beyond_its_limit() {
    let refused = |keys: usize| {
        let outcome = Outcome::Refused("x".to_owned(), vec![String::new(); keys]);
        from_cbor::<Outcome>(&to_cbor(&outcome))
    };
    assert!(refused(REFUSED_KEYS_DECODED_MAX).is_ok());
    assert!(refused(REFUSED_KEYS_DECODED_MAX + 1).is_err());
}

/// A frame of empty changes took 24 times its bytes.
#[test]
fn a_text_of_empty_changes_is_not_decoded_beyond_its_limit() {
    let text = |changes: usize| {
        let body = Body::Text(vec![minicbor::bytes::ByteVec::from(Vec::new()); changes]);
        from_cbor::<Body>(&to_cbor(&body))
    };
    assert!(text(FRAME_CHANGES_DECODED_MAX).is_ok());
    assert!(text(FRAME_CHANGES_DECODED_MAX + 1).is_err());
}
