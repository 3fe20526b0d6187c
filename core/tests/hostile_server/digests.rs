//! What a server says that it has, and what the device makes of it.

use outrider_core::{
    ids::{Part, RecordId},
    sync::{
        codec::pack,
        frame::{CHECK_PAGE, CheckResponse, DocumentDigest, DocumentName},
    },
};

use crate::world::{World, end, hello, other_digest, stream, world};

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
}
