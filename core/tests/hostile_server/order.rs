//! Answers out of turn, and conversations without an end.

use outrider_core::{
    crdt::{OpId, State, op::VALUE_BYTES_MAX},
    ids::{ActorId, DocumentId, Part, RecordId},
    replica::{
        pull::FRAMES_PER_TRANSACTION,
        session::{REQUESTS_MAX, ROUNDS_MAX, Session, Summary, TRANSACTION_BYTES_MAX},
    },
    store::{document as stored, meta},
    sync::{
        codec::{MESSAGE_BYTES_MAX, pack, unpack},
        frame::{
            Answer, Body, End, Hello, Outcome, PROTOCOL_VERSION, Provenance, PullFrame,
            PullRequest, PushResponse, StreamDigest,
        },
    },
};
use serde_json::json;

use crate::world::{
    document, document_of, end, greeting, hello, notes, other_digest, put, stream, stream_of,
    world, write,
};

#[test]
fn an_answer_to_nothing_is_not_read_and_the_conversation_goes_on() {
    let mut world = world();
    let mut session = Session::default();
    let answer = stream_of(&[hello(), end(Vec::new())]);
    let error = session.receive(&mut world.replica, &mut answer.as_slice()).unwrap_err();
    assert!(error.to_string().contains("nothing was asked"), "{error}");
    assert_eq!(session.summary().bytes_down, 0);
    let request = session.next(&mut world.replica).unwrap().unwrap();
    let asked: PullRequest = unpack(&request.body, MESSAGE_BYTES_MAX).unwrap();
    assert_eq!((request.path, asked.budget_bytes), ("/v1/pull", 256 << 20));
    session.receive(&mut world.replica, &mut answer.as_slice()).unwrap();
    let again = session.receive(&mut world.replica, &mut answer.as_slice()).unwrap_err();
    assert!(again.to_string().contains("nothing was asked"), "{again}");
    world.check();
}

#[test]
fn an_answer_that_does_not_begin_with_a_hello_is_left_alone() {
    let mut world = world();
    let other = RecordId::new(2, [2; 10]);
    let body = Body::State(world.state.to_bytes());
    let words = world.refused(vec![document(other, body), hello(), end(Vec::new())]);
    assert!(words.contains("without a hello"), "{words}");
    assert!(world.replica.get(other).unwrap().is_none());
}

#[test]
fn an_answer_of_a_newer_protocol_says_that_a_newer_app_is_needed() {
    let mut world = world();
    let newer = Hello { version: PROTOCOL_VERSION + 1, backed_up: Some(3), ..greeting() };
    let words = world.refused(vec![PullFrame::Hello(newer), end(Vec::new())]);
    let expected = format!("version {} needs a newer app", PROTOCOL_VERSION + 1);
    assert!(words.contains(&expected), "{words}");
    assert_eq!(world.replica.status().unwrap().backed_up, None, "nothing of it counts");
}

#[test]
fn a_body_that_does_not_fit_its_part_is_refused() {
    for part in [Part::Main, notes()] {
        let mut world = world();
        let state = Body::State(world.state.to_bytes());
        let body = if part.is_flat() { Body::Text(Vec::new()) } else { state };
        let frame = document_of(world.record, part, body);
        let words = world.refused(vec![hello(), frame, end(Vec::new())]);
        assert!(words.contains("does not fit"), "{words}");
    }
}

#[test]
fn a_conversation_that_never_ends_is_ended() {
    let mut world = world();
    let mut session = world.pull(vec![hello(), end(vec![other_digest(Part::Main)])]).unwrap();
    let error = loop {
        match session.next(&mut world.replica) {
            Ok(request) => assert_eq!(request.unwrap().path, "/v1/check"),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("never ends"), "{error}");
    assert_eq!(session.summary().requests, REQUESTS_MAX);
    world.check();
}

/// What it does not take goes on waiting, and the rest of the conversation is not kept back for it: so often while
/// something moves, and once where nothing does.
#[test]
fn a_server_that_asks_to_come_back_at_once_is_believed_so_often() {
    for (moves, expected) in [(true, ROUNDS_MAX + 1), (false, 1)] {
        let mut world = world();
        let count = ROUNDS_MAX as usize + 10;
        for number in 0..count {
            let named = json!({ "company_name": format!("Waiting {number}") });
            world.replica.create("customer", named.as_object().unwrap()).unwrap();
        }
        let mut session = Session::new();
        let mut pushes = 0;
        while session.next(&mut world.replica).unwrap().unwrap().path == "/v1/push" {
            let waiting = world.replica.outbox(count).unwrap();
            let outcome = |at: usize| match at {
                0 if moves => Outcome::Applied,
                _ => Outcome::Retry(0),
            };
            let answers = waiting.iter().enumerate();
            let answers = answers.map(|(at, own)| Answer { hash: own.hash, outcome: outcome(at) });
            let answer = pack(&PushResponse::new(answers.collect())).unwrap();
            session.receive(&mut world.replica, &mut answer.as_slice()).unwrap();
            pushes += 1;
        }
        assert_eq!(pushes, expected);
        let left = count - if moves { expected as usize } else { 0 };
        assert_eq!(world.replica.status().unwrap().waiting, left as u64);
    }
}

/// What a person is told at the end is what happened, over all rounds.
#[test]
fn a_conversation_sums_up_what_its_answers_did() {
    let mut world = world();
    for name in ["A", "B", "C", "D", "E"] {
        let named = json!({ "company_name": name });
        world.replica.create("customer", named.as_object().unwrap()).unwrap();
    }
    let hashes: Vec<_> = world.replica.outbox(5).unwrap().iter().map(|own| own.hash).collect();
    let refused = Outcome::Refused("not_permitted".to_owned(), Vec::new());
    let pending = Outcome::Pending(Vec::new());
    let first = [Outcome::Applied, Outcome::Duplicate, refused, pending, Outcome::Forked];
    let rounds = [
        hashes.iter().copied().zip(first).collect::<Vec<_>>(),
        vec![(hashes[3], Outcome::Applied)],
    ];
    let mut session = Session::new();
    for mut answers in rounds {
        assert_eq!(session.next(&mut world.replica).unwrap().unwrap().path, "/v1/push");
        // What is forked is written anew, under another name.
        let waiting = world.replica.outbox(5).unwrap();
        let anew = waiting.iter().filter(|own| !hashes.contains(&own.hash));
        answers.extend(anew.map(|own| (own.hash, Outcome::Applied)));
        let answers = answers.into_iter().map(|(hash, outcome)| Answer { hash, outcome });
        let answer = pack(&PushResponse::new(answers.collect())).unwrap();
        session.receive(&mut world.replica, &mut answer.as_slice()).unwrap();
    }
    assert_eq!(session.next(&mut world.replica).unwrap().unwrap().path, "/v1/pull");
    let Summary { pushed, applied, duplicates, refused, forked, waiting, requests, .. } =
        session.summary().clone();
    assert_eq!((pushed, requests), (7, 3));
    assert_eq!((applied, duplicates, refused, forked, waiting), (3, 1, 1, 1, 1));
}

/// Of what it never had to say a device says nothing.
#[test]
fn a_pull_asks_for_no_erasures_and_recoveries_before_there_were_any() {
    let world = world();
    let request = world.replica.pull_request(1).unwrap();
    assert_eq!((request.erased, request.recovered, request.is_cursor_lost), (None, None, None));
}

/// When concurrent values were written only the server knows of those of others.
#[test]
fn when_values_were_written_arrives_with_them_and_is_kept_until_it_is_told_anew() {
    let mut world = world();
    let id = DocumentId { record: world.record, part: Part::Main };
    let op = OpId { actor: ActorId([1; 16]), counter: 1 };
    let mut arrive = |provenance: Vec<Provenance>| {
        let state = document(world.record, Body::State(world.state.to_bytes()));
        let PullFrame::Document(mut frame) = state else { panic!("no document") };
        frame.provenance = provenance;
        world.pull(vec![hello(), PullFrame::Document(frame), end(Vec::new())]).unwrap();
        meta::made_at(world.replica.store().conn(), &id, op).unwrap()
    };
    let told = |made_at| vec![Provenance { actor: op.actor, counter: op.counter, made_at }];
    assert_eq!(arrive(told(7)), Some(7));
    assert_eq!(arrive(Vec::new()), Some(7));
    assert_eq!(arrive(told(8)), Some(8));
}

/// An answer whose end never came is gone on with: what began before it counts from where it began, and what
/// had ended before stays so.
#[test]
fn an_answer_that_breaks_off_is_gone_on_with_from_where_it_was() {
    let mut world = world();
    world.replica.reset_cursor().unwrap();
    let other = RecordId::new(2, [2; 10]);
    for (pass, begun, reached) in [(0, 5, None), (1, 5, Some(5)), (1, 9, Some(5))] {
        let begin = PullFrame::Hello(Hello { position: Some(begun), ..greeting() });
        let PullFrame::Document(mut frame) = document(other, Body::State(world.state.to_bytes()))
        else {
            panic!("no document")
        };
        frame.pass = pass;
        world.replica.take_frames(&[begin, PullFrame::Document(frame)], false).unwrap();
        let progress = world.replica.pull_request(1).unwrap().progress.unwrap();
        assert_eq!((progress.pass, progress.record, progress.reached), (pass, other, reached));
    }
}

/// An answer that says that there is more ends a part of a pull: where the next one begins is noted, and no
/// further.
#[test]
fn a_part_of_a_pull_moves_no_cursor() {
    let mut world = world();
    let other = RecordId::new(2, [2; 10]);
    let before = world.replica.pull_request(1).unwrap();
    let PullFrame::End(whole) = end(Vec::new()) else { panic!("no end") };
    let more = PullFrame::End(End { is_more: true, position: 9, reached: Some(7), ..whole });
    let begin = PullFrame::Hello(Hello { position: Some(9), ..greeting() });
    let state = document(other, Body::State(world.state.to_bytes()));
    world.replica.take_frames(&[begin, state, more], false).unwrap();
    let after = world.replica.pull_request(1).unwrap();
    assert_eq!((after.position, after.digest), (before.position, before.digest));
    let progress = after.progress.unwrap();
    assert_eq!((progress.record, progress.reached), (other, Some(7)));
    assert!(before.progress.is_none());
}

/// Which of so many records of one state are here when something that breaks a rule follows them.
fn kept_before_a_broken_frame(state: &State, count: u64) -> Vec<bool> {
    let mut world = world();
    let state = Body::State(state.to_bytes());
    let records: Vec<_> = (0..count).map(|n| RecordId::new(n + 2, [2; 10])).collect();
    let mut frames = vec![hello()];
    frames.extend(records.iter().map(|record| document(*record, state.clone())));
    frames.push(document_of(world.record, notes(), state));
    let error = world.pull(frames).map(drop).unwrap_err();
    assert!(error.to_string().contains("does not fit"), "{error}");
    records.iter().map(|record| world.replica.get(*record).unwrap().is_some()).collect()
}

/// A first pull is long: what came before something that breaks a rule is kept, as far as whole transactions go.
#[test]
fn what_came_long_before_a_broken_frame_is_kept() {
    let count = FRAMES_PER_TRANSACTION;
    let kept = kept_before_a_broken_frame(&world().state, count as u64 + 1);
    // With the hello that is one transaction.
    assert!(kept[0] && kept[count - 2]);
    assert!(!kept[count]);
}

/// Of large records fewer are one transaction.
#[test]
fn what_came_many_bytes_before_a_broken_frame_is_kept() {
    let mut large = State::default();
    let value = "x".repeat(VALUE_BYTES_MAX - 1024);
    let keys = ["company_name", "short_name", "phone"];
    write(&mut large, 1, keys.map(|key| put(key, &value)).into());
    let of_one = TRANSACTION_BYTES_MAX / large.size_bytes();
    let kept = kept_before_a_broken_frame(&large, of_one as u64 + 3);
    assert!(kept.len() < FRAMES_PER_TRANSACTION);
    assert!(kept[0] && kept[of_one - 1]);
    assert!(!kept[kept.len() - 1]);
}

/// What an erasure took that the office never had is counted.
#[test]
fn an_erasure_says_how_much_went_that_was_not_sent() {
    let mut world = world();
    let typed = json!({ "company_name": "Brown", "industry": "retail" });
    world.replica.update(world.record, typed.as_object().unwrap()).unwrap();
    let frames = [hello(), PullFrame::Erase(1, world.record), end(Vec::new())];
    let mut session = Session::new();
    for answer in [pack(&PushResponse::new(Vec::new())).unwrap(), stream_of(&frames)] {
        session.next(&mut world.replica).unwrap();
        session.receive(&mut world.replica, &mut answer.as_slice()).unwrap();
    }
    let summary = session.summary();
    assert_eq!((summary.erased, summary.erased_values, summary.pulled), (1, 2, 0));
}

/// It is kept for a newer app, and said.
#[test]
fn a_record_of_an_entity_that_this_app_does_not_know_is_counted() {
    let mut world = world();
    let frame = |entity: &str, record| {
        let PullFrame::Document(mut frame) = document(record, Body::State(world.state.to_bytes()))
        else {
            panic!("no document")
        };
        frame.entity = entity.to_owned();
        PullFrame::Document(frame)
    };
    let (known, unknown) = (RecordId::new(2, [2; 10]), RecordId::new(2, [3; 10]));
    let frames = [hello(), frame("customer", known), frame("rocket", unknown), end(Vec::new())];
    let effect = world.replica.take_frames(&frames, false).unwrap();
    assert_eq!((effect.documents, effect.unknown), (2, 1));
    let kept = stored::load_all(world.replica.store().conn(), unknown).unwrap();
    assert_eq!(kept.len(), 1, "it is kept");
}

/// Of a stream it is told whether it differs, however the server counts, and once.
#[test]
fn a_stream_differs_by_its_digest_or_by_its_count() {
    let world = world();
    let held = stream(Part::Main);
    let same = StreamDigest {
        stream: held.clone(),
        digest: world.replica.pull_request(1).unwrap().held,
        count: 1,
    };
    let differing = |theirs: Vec<StreamDigest>| world.replica.differing_streams(&theirs).unwrap();
    assert_eq!(differing(vec![same.clone()]), []);
    assert_eq!(
        differing(vec![StreamDigest { count: 2, ..same.clone() }]),
        std::slice::from_ref(&held)
    );
    assert_eq!(
        differing(vec![StreamDigest { digest: [9; 16], ..same.clone() }]),
        std::slice::from_ref(&held)
    );
    assert_eq!(differing(vec![same, other_digest(Part::Main)]), [], "once is enough");
    assert_eq!(differing(Vec::new()), [held], "the server lost it");
}
