//! Single requests: health, sizes, types, what a push must be.

use outrider_core::{
    ids::{DeviceId, Part, RecordId},
    sync::{
        codec,
        frame::{
            CheckRequest, CheckResponse, DocumentName, FETCH_DOCUMENTS_MAX, FetchRequest,
            GROUP_CHANGES_MAX, PROTOCOL_VERSION, PUSH_CHANGES_MAX, PUSH_PLAIN_BYTES_MAX,
            PushChange, PushGroup, PushRequest, PushResponse, Stream,
        },
        sign,
    },
};
use outrider_sync_server::body::QUESTION_BYTES_MAX;
use serde_json::{Value, json};

use crate::world::{Answer, Office, signing_key};

const TYPE: &str = "application/vnd.outrider.v1";

#[test]
fn a_running_server_says_so() {
    let office = Office::open(&[]);
    for path in ["/health", "/ready"] {
        let answer = office.get(path, "");
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["status"], "ok");
        assert_eq!(answer.request_id.len(), 36);
    }
}

#[test]
fn what_is_not_there_is_answered_in_the_same_form() {
    let office = Office::open(&[]);
    let (token, _) = office.enrolled();
    assert_eq!(office.get("/nothing", "").error(), (404, "not_found".to_owned()));
    assert_eq!(office.get("/v1/push", "").error(), (405, "method_not_allowed".to_owned()));
    for document in ["x/main", "00000000-0000-7000-8000-000000000000/main", "../../etc/passwd/x"] {
        let answer = office.get(&format!("/v1/records/{document}/history"), &token);
        assert_eq!(answer.error(), (404, "not_found".to_owned()), "{document}");
    }
}

#[test]
fn a_record_is_asked_for_with_its_past() {
    let office = Office::open(&[]);
    let (token, _) = office.enrolled();
    let record = office.customer("Acme", "110");
    let path = format!("/v1/records/{record}");
    let now = office.get(&path, &token).json();
    assert_eq!((&now["title"], &now["record"]["phone"]), (&json!("Acme"), &json!("110")));
    let position = now["position"].as_u64().unwrap();
    let then = office.get(&format!("{path}?at={position}"), &token).json();
    for field in ["id", "entity", "company_name", "phone", "created_at"] {
        assert_eq!(then["record"][field], now["record"][field], "{field}");
    }
    // What other records add up to is that of now, and no part of the record as it was.
    assert_eq!(now["record"]["contact_count"], json!(0));
    assert_eq!(then["record"].get("contact_count"), None);
    let changes = office.get(&format!("{path}/changes?field=phone&limit=1"), &token).json();
    let entry = &changes["entries"][0];
    assert_eq!((&entry["new"], &entry["user"]), (&json!("110"), &json!("wang")));
    assert_eq!(changes["next"], Value::Null);
    let file = office.get(&format!("{path}/main/automerge"), &token);
    assert_eq!((file.status, file.content_type.as_str()), (200, "application/vnd.automerge"));
    assert!(automerge::AutoCommit::load(&file.body).is_ok());

    let late = position + 100;
    for (wrong, expected) in [
        (format!("{path}?at={late}"), (409, "unknown_position")),
        (format!("{path}?at=x"), (400, "bad_query")),
        (format!("{path}?at=0"), (404, "not_found")),
        (format!("{path}/changes?limit=-1"), (400, "bad_query")),
        (format!("{path}/changes?after=x"), (400, "bad_query")),
        (format!("{path}/changes?field=cat"), (400, "bad_query")),
        (format!("{path}/nothing/automerge"), (404, "not_found")),
        ("/v1/records/x".to_owned(), (404, "not_found")),
        ("/v1/records/x/changes".to_owned(), (404, "not_found")),
    ] {
        let (status, code) = office.get(&wrong, &token).error();
        assert_eq!((status, code.as_str()), expected, "{wrong}");
    }
    assert_eq!(office.get(&path, "").error().0, 401);
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    let office = Office::open(&["--body-bytes-max", "65536"]);
    let (token, _) = office.enrolled();
    let answer = office.post("/v1/push", &token, TYPE, &vec![0; 65_537]);
    assert_eq!(answer.error(), (413, "body_too_large".to_owned()));
    let enrolment = office.post("/v1/enroll", "", "application/json", &vec![b' '; 17_000]);
    assert_eq!(enrolment.error(), (413, "body_too_large".to_owned()));
}

#[test]
fn a_body_that_grows_too_large_when_unpacked_is_refused() {
    let office = Office::open(&[]);
    let (token, _) = office.enrolled();
    // 32 MiB of zeros in a few KiB.
    let bomb = codec::pack(&minicbor::bytes::ByteVec::from(vec![0; 32 << 20])).unwrap();
    assert!(bomb.len() < 16_384);
    for path in ["/v1/push", "/v1/review", "/v1/pull", "/v1/check", "/v1/fetch"] {
        let answer = office.post(path, &token, TYPE, &bomb);
        assert_eq!(answer.error(), (413, "message_too_large".to_owned()), "{path}");
    }
}

#[test]
fn a_body_that_is_no_message_is_refused() {
    let office = Office::open(&[]);
    let (token, _) = office.enrolled();
    for path in ["/v1/push", "/v1/review", "/v1/pull", "/v1/check", "/v1/fetch"] {
        let answer = office.post(path, &token, TYPE, b"\x28\xb5\x2f\xfd nonsense");
        assert_eq!(answer.error(), (400, "message_malformed".to_owned()), "{path}");
        let answer = office.post(path, &token, "application/json", b"{}");
        assert_eq!(answer.error(), (415, "content_type".to_owned()), "{path}");
    }
}

fn push(office: &Office, token: &str, request: &PushRequest) -> Answer {
    office.post("/v1/push", token, TYPE, &codec::pack(request).unwrap())
}

pub(crate) fn signed(device: DeviceId, groups: Vec<PushGroup>) -> PushRequest {
    let signature = sign::sign(&signing_key(), device, &groups).unwrap();
    PushRequest::new(device, groups, signature)
}

fn group(changes: usize) -> PushGroup {
    let change = PushChange {
        record: RecordId::new(1, [1; 10]),
        part: Part::Main,
        entity: "customer".to_owned(),
        generation: 0,
        bytes: vec![1],
    };
    PushGroup { changes: vec![change; changes] }
}

#[test]
fn a_push_must_be_its_devices_own_and_within_limits() {
    let office = Office::open(&[]);
    let (token, device) = office.enrolled();
    let device: DeviceId = device.parse().unwrap();
    let empty = push(&office, &token, &signed(device, Vec::new()));
    assert_eq!((empty.status, empty.content_type.as_str()), (200, TYPE));
    let response: PushResponse = codec::unpack(&empty.body, 1_000).unwrap();
    assert!(response.answers.is_empty());

    let mut unsigned = signed(device, vec![group(1)]);
    unsigned.groups.push(group(1));
    let mut newer = signed(device, Vec::new());
    newer.version = PROTOCOL_VERSION + 1;
    let other = signed(DeviceId(uuid::Uuid::nil()), Vec::new());
    let full = PUSH_CHANGES_MAX.div_ceil(GROUP_CHANGES_MAX);
    for (request, expected) in [
        (unsigned, (403, "signature")),
        (newer, (400, "protocol")),
        (other, (403, "other_device")),
        (signed(device, vec![group(GROUP_CHANGES_MAX + 1)]), (400, "group_too_large")),
        (signed(device, vec![group(GROUP_CHANGES_MAX); full]), (413, "too_many_changes")),
        (signed(device, vec![group(0); PUSH_CHANGES_MAX + 1]), (413, "too_many_changes")),
    ] {
        let answer = push(&office, &token, &request);
        assert_eq!(answer.error(), (expected.0, expected.1.to_owned()));
    }
}

/// What is just within the limits of a push and of a question is looked at, one more is not.
#[test]
fn requests_at_their_limits_are_read() {
    let office = Office::open(&[]);
    let (token, device) = office.enrolled();
    let device: DeviceId = device.parse().unwrap();
    let mut groups = vec![group(GROUP_CHANGES_MAX); PUSH_CHANGES_MAX / GROUP_CHANGES_MAX];
    groups.push(group(PUSH_CHANGES_MAX % GROUP_CHANGES_MAX));
    let answer = push(&office, &token, &signed(device, groups.clone()));
    assert_eq!(answer.status, 200);
    let answers: PushResponse = codec::unpack(&answer.body, 1 << 20).unwrap();
    assert_eq!(answers.answers.len(), PUSH_CHANGES_MAX);
    groups.push(group(1));
    let answer = push(&office, &token, &signed(device, groups));
    assert_eq!(answer.error(), (413, "too_many_changes".to_owned()));

    // Bytes in CBOR have a head of five.
    let question =
        |bytes: usize| codec::pack(&minicbor::bytes::ByteVec::from(vec![0; bytes - 5])).unwrap();
    for path in ["/v1/pull", "/v1/check", "/v1/fetch"] {
        let within = office.post(path, &token, TYPE, &question(QUESTION_BYTES_MAX));
        assert_eq!(within.error(), (400, "message_malformed".to_owned()), "{path}");
        let beyond = office.post(path, &token, TYPE, &question(QUESTION_BYTES_MAX + 1));
        assert_eq!(beyond.error(), (413, "message_too_large".to_owned()), "{path}");
    }
}

/// A thousand compressed changes of a few hundred bytes each were 300 MB once the server had read
/// them, and stayed in its memory until the commit.
#[test]
fn the_changes_of_a_push_have_a_limit_uncompressed() {
    use std::io::Write as _;

    let office = Office::open(&[]);
    let (token, device) = office.enrolled();
    let device: DeviceId = device.parse().unwrap();
    let of = |bytes: Vec<u8>| {
        let mut group = group(1);
        group.changes[0].bytes = bytes;
        group
    };
    let plain = |last: usize| {
        let mut groups = vec![of(vec![0; 65_536]); PUSH_PLAIN_BYTES_MAX / 65_536 - 1];
        groups.push(of(vec![0; last]));
        push(&office, &token, &signed(device, groups))
    };
    assert_eq!(plain(65_536).status, 200);
    assert_eq!(plain(65_537).error(), (413, "changes_too_large".to_owned()));

    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    deflate.write_all(&[0; 65_536]).unwrap();
    let content = deflate.finish().unwrap();
    let length = u8::try_from(content.len()).unwrap();
    assert!(length < 0x80, "one byte is enough for the length");
    let bomb = [&[0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 2, length][..], &content].concat();
    let packed =
        |count: usize| push(&office, &token, &signed(device, vec![of(bomb.clone()); count]));
    let most = PUSH_PLAIN_BYTES_MAX / 65_536;
    assert_eq!(packed(most).status, 200);
    assert_eq!(packed(most + 1).error(), (413, "changes_too_large".to_owned()));
}

#[test]
fn a_check_and_a_fetch_are_answered() {
    let office = Office::open(&[]);
    let (token, _) = office.enrolled();
    let stream =
        Stream { scope: "all".to_owned(), entity: "customer".to_owned(), part: Part::Main };
    let request = codec::pack(&CheckRequest { stream, after: None }).unwrap();
    let answer = office.post("/v1/check", &token, TYPE, &request);
    let response: CheckResponse = codec::unpack(&answer.body, 1_000).unwrap();
    assert!(response.documents.is_empty());

    let name = DocumentName { record: RecordId::new(1, [1; 10]), part: Part::Main };
    let request =
        |count: usize| codec::pack(&FetchRequest { documents: vec![name.clone(); count] }).unwrap();
    for count in [1, FETCH_DOCUMENTS_MAX] {
        assert_eq!(office.post("/v1/fetch", &token, TYPE, &request(count)).status, 200);
    }
    let answer = office.post("/v1/fetch", &token, TYPE, &request(FETCH_DOCUMENTS_MAX + 1));
    assert_eq!(answer.error(), (413, "too_many_documents".to_owned()));
}

#[test]
fn one_address_cannot_ask_without_end() {
    let office = Office::open(&["--requests-burst", "5", "--requests-per-second", "1"]);
    let answers: Vec<u16> = (0..7).map(|_| office.get("/sign-in", "").status).collect();
    assert_eq!(answers[..5], [200; 5]);
    assert!(answers.contains(&429), "{answers:?}");
    assert_eq!(office.get("/health", "").status, 200, "watchers are not counted");
}
