//! What a server says that it has, and what the device makes of it.

use outrider_core::{
    ids::{DocumentId, Part, RecordId},
    replica::session::Session,
    sync::{
        codec::pack,
        digest,
        frame::{
            Answer, Body, CHECK_PAGE, CheckResponse, DocumentDigest, DocumentName, Outcome,
            PushResponse,
        },
    },
};
use serde_json::json;

use crate::world::{World, document, end, fields, hello, other_digest, stream, stream_of, world};

/// The same page for ever kept a device asking, and its memory growing with every answer.
#[test]
fn pages_of_digests_go_on() {
    let mut world = world();
    let streams = vec![other_digest(Part::Main); 3];
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
    let mut session = world.pull(vec![hello(), end(vec![other_digest(Part::Main)])]).unwrap();
    session.next(&mut world.replica).unwrap();
    let mut too_long = page(0, CHECK_PAGE + 1);
    too_long.shrink_to_fit();
    let error = session.receive(&mut world.replica, &mut too_long.as_slice()).unwrap_err();
    assert!(error.to_string().contains("too long"), "{error}");
    world.check();
}

/// Otherwise a device would write anew, or let go, what the server names on its next page.
#[test]
fn a_page_of_digests_says_nothing_of_records_behind_it() {
    let world = world();
    let before = RecordId::new(0, [0; 10]);
    assert!(before < world.record);
    let page = [DocumentDigest { record: before, digest: [1; 16] }];
    let name = |record| DocumentName { record, part: Part::Main };
    let compared =
        |is_last| world.replica.compare_page(&stream(Part::Main), None, &page, is_last).unwrap();
    assert_eq!(compared(false), (vec![name(before)], Vec::new()));
    assert_eq!(compared(true), (vec![name(before)], vec![name(world.record)]));
    // The last record of a page is on it.
    let held = DocumentId { record: world.record, part: Part::Main };
    let held = digest::of_state(&held, &world.state);
    let page = [DocumentDigest { record: world.record, digest: held }];
    let compared = world.replica.compare_page(&stream(Part::Main), None, &page, false).unwrap();
    assert_eq!(compared, (Vec::new(), Vec::new()), "they agree");
}

/// Whatever comes of it: what differs for good must not be compared for ever.
#[test]
fn a_conversation_compares_what_differs_once() {
    let mut world = world();
    world.replica.create("customer", &fields(json!({ "company_name": "Mine" }))).unwrap();
    let sent = world.replica.outbox(10).unwrap().remove(0).hash;
    let applied = vec![Answer { hash: sent, outcome: Outcome::Applied }];
    world.replica.take_push_response(&PushResponse::new(applied)).unwrap();
    let mut session = Session::new();
    let mut paths = Vec::new();
    while let Some(request) = session.next(&mut world.replica).unwrap() {
        paths.push(request.path);
        let answer = match request.path {
            "/v1/pull" => stream_of(&[hello(), end(vec![other_digest(Part::Main)])]),
            "/v1/check" => {
                let documents = vec![DocumentDigest { record: world.record, digest: [9; 16] }];
                pack(&CheckResponse { backed_up: None, documents }).unwrap()
            }
            "/v1/fetch" => stream_of(&[
                document(world.record, Body::State(world.state.to_bytes())),
                end(Vec::new()),
            ]),
            _ => pack(&PushResponse::new(Vec::new())).unwrap(),
        };
        session.receive(&mut world.replica, &mut answer.as_slice()).unwrap();
    }
    assert_eq!(paths, ["/v1/pull", "/v1/check", "/v1/fetch", "/v1/push", "/v1/pull"]);
}
