//! What a device sends, and what the answers do to it.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "support/pair.rs"]
mod pair;

use outrider_core::{
    crdt::{self, Action, Edit, EncodedChange, OpId, Stamp, State, TextDocument},
    ids::{ActorId, ChangeHash, Part, RecordId},
    replica::{
        Replica, ReplicaError, Writer,
        push::{PUSH_BYTES_MAX, PushBatch, PushEffect},
    },
    sync::frame::{
        Answer, Body, DocumentFrame, FeedPoint, Outcome, PUSH_CHANGES_MAX, PullFrame, PushChange,
        PushResponse,
    },
};
use pair::{enrolled, fields};
use serde_json::json;

fn waiting(replica: &Replica) -> Vec<ChangeHash> {
    replica.outbox(1_000).unwrap().into_iter().map(|one| one.hash).collect()
}

/// The server takes everything that waits; returns what that was.
fn acknowledge(replica: &mut Replica) -> Vec<ChangeHash> {
    let sent = waiting(replica);
    let answers = sent.iter().map(|hash| Answer { hash: *hash, outcome: Outcome::Applied });
    let reached = Some(FeedPoint { position: 1, digest: [3; 16] });
    let response = PushResponse { reached, ..PushResponse::new(answers.collect()) };
    replica.take_push_response(&response).unwrap();
    sent
}

fn hash_of(change: &PushChange) -> ChangeHash {
    crdt::header(&change.bytes).unwrap().hash
}

fn hashes(batch: &PushBatch) -> Vec<ChangeHash> {
    batch.request.groups.iter().flat_map(|group| &group.changes).map(hash_of).collect()
}

#[test]
fn what_waits_goes_up_in_messages_of_a_bounded_size_and_each_tap_in_one() {
    const PER_TAP: usize = 60;
    let (_folder, mut replica) = enrolled(7, "Anna");
    let wish = json!({ "about_entity": "customer", "about_record": RecordId::new(1, [1; 10]),
                       "proposed": { "values": "x".repeat(16_000) } });
    for _ in 0..6 {
        let tap = replica.transaction(|writer| {
            writer.group(|writer| {
                (0..PER_TAP).try_for_each(|_| {
                    writer.create("proposal", None, &fields(wish.clone())).map(drop)
                })
            })
        });
        tap.unwrap();
    }
    let (mut after, mut sent, mut messages) = (0, Vec::new(), 0);
    while let Some(batch) = replica.next_push(after).unwrap() {
        let groups = &batch.request.groups;
        assert!(groups.iter().all(|group| group.changes.len() == PER_TAP), "no tap is cut");
        let changes = groups.iter().flat_map(|group| &group.changes);
        let bytes: usize = changes.map(|change| change.bytes.len()).sum();
        assert!(bytes <= PUSH_BYTES_MAX, "{bytes}");
        sent.extend(hashes(&batch));
        (after, messages) = (batch.last_id, messages + 1);
    }
    assert_eq!(messages, 2);
    assert_eq!(sent, waiting(&replica), "everything once, in the order of writing");
}

/// At the limit of one message nothing is left out, and beyond it what was written in one tap waits whole.
#[test]
fn a_message_has_as_many_changes_as_it_may_and_no_part_of_a_tap() {
    const TAP: usize = 3;
    let (_folder, mut replica) = enrolled(7, "Anna");
    let create = |writer: &mut Writer<'_>| {
        writer.create("customer", None, &fields(json!({ "company_name": "Acme" }))).map(drop)
    };
    type Next = fn(&Replica, i64) -> Result<Option<PushBatch>, ReplicaError>;
    let counts_of = |replica: &Replica, next: Next| {
        let (mut after, mut counts) = (0, Vec::new());
        while let Some(batch) = next(replica, after).unwrap() {
            assert_eq!(hashes(&batch).len(), batch.count);
            counts.push(batch.count);
            after = batch.last_id;
        }
        counts
    };
    let counts = |replica: &Replica| counts_of(replica, Replica::next_push);
    let singles = |writer: &mut Writer<'_>| (1..PUSH_CHANGES_MAX).try_for_each(|_| create(writer));
    replica.transaction(singles).unwrap();
    assert_eq!(counts(&replica), [PUSH_CHANGES_MAX - 1]);
    let tap =
        |writer: &mut Writer<'_>| writer.group(|writer| (0..TAP).try_for_each(|_| create(writer)));
    replica.transaction(tap).unwrap();
    assert_eq!(counts(&replica), [PUSH_CHANGES_MAX - 1, TAP]);
    while !acknowledge(&mut replica).is_empty() {}
    let again = counts_of(&replica, Replica::next_resend);
    assert_eq!(again, [PUSH_CHANGES_MAX - 1, TAP], "what is sent again goes the same way");
    let (_folder, mut replica) = enrolled(8, "Ben");
    replica.transaction(|writer| singles(writer).and_then(|()| create(writer))).unwrap();
    assert_eq!(counts(&replica), [PUSH_CHANGES_MAX]);
    replica.transaction(create).unwrap();
    assert_eq!(counts(&replica), [PUSH_CHANGES_MAX, 1]);
}

/// A part of what was written into a record, taken out of it, would leave the rest without what it
/// follows.
#[test]
fn a_record_of_which_the_office_keeps_a_part_for_review_waits_on_whole() {
    let (_folder, mut replica) = enrolled(7, "Anna");
    let record = replica.create("customer", &fields(json!({ "company_name": "Acme" }))).unwrap();
    replica.update(record, &fields(json!({ "industry": "energy" }))).unwrap();
    let other = replica.create("customer", &fields(json!({ "company_name": "Beta" }))).unwrap();
    let [first, second, third] = waiting(&replica).try_into().unwrap();
    let kept = |hash| Answer { hash, outcome: Outcome::Refused("in_review".into(), Vec::new()) };
    let no_room = Answer { hash: second, outcome: Outcome::Retry(60_000) };
    assert_eq!(replica.take_reviewed(&[kept(first), no_room, kept(third)]).unwrap(), 1);
    assert_eq!(waiting(&replica), [first, second]);
    assert_eq!(replica.get(record).unwrap().unwrap()["industry"], "energy");
    assert!(replica.get(other).unwrap().is_none(), "all of this one is at the office");
    assert_eq!(replica.take_reviewed(&[kept(first), kept(second)]).unwrap(), 2);
    assert_eq!(waiting(&replica), []);
    assert!(replica.get(record).unwrap().is_none());
    assert_eq!(replica.inbox(10).unwrap().len(), 3);
}

/// A copy of the device wrote under the same numbers, and the server has the copy's changes.
#[test]
fn what_a_copy_has_the_number_of_is_written_anew_only_where_it_still_stands() {
    let (_folder, mut replica) = enrolled(7, "Anna");
    let record = replica.create("customer", &fields(json!({ "company_name": "Acme" }))).unwrap();
    let early = acknowledge(&mut replica);
    let forked = |hash| PushResponse::new(vec![Answer { hash, outcome: Outcome::Forked }]);
    assert_eq!(replica.take_resent(&forked(ChangeHash([5; 32]))).unwrap(), 0, "nobody's");
    let mut theirs = State { generation: 1, ..State::default() };
    let mut take = |replica: &mut Replica, key: &str, text: &str| {
        let actor = ActorId([key.len() as u8; 16]);
        let stamp = Stamp { actor, time_ms: 0, message: None };
        let edit = Edit { key: key.to_owned(), action: Action::Put(text.into()) };
        crdt::write(&mut theirs, &mut None, stamp, vec![edit]).unwrap();
        replica.take_frames(&[whole(record, &theirs)], true).unwrap();
    };
    take(&mut replica, "company_name", "Anew");
    assert_eq!(replica.take_resent(&forked(early[0])).unwrap(), 0, "it went with the rest");
    assert_eq!(replica.get(record).unwrap().unwrap()["company_name"], "Anew");
    replica.update(record, &fields(json!({ "industry": "energy" }))).unwrap();
    let late = acknowledge(&mut replica);
    assert_eq!(replica.take_resent(&forked(late[0])).unwrap(), 1);
    let anew = replica.outbox(10).unwrap();
    assert_eq!((anew.len(), &anew[0].keys[..]), (1, &["industry".to_owned()][..]));
    assert_ne!(anew[0].hash, late[0]);
    let known = replica.next_resend(0).unwrap().unwrap();
    assert_eq!(hashes(&known), early, "it stays as it was");
    // The server's copy comes, and what was written anew stands on it.
    take(&mut replica, "short_name", "A");
    let shown = replica.get(record).unwrap().unwrap();
    assert_eq!((&shown["short_name"], &shown["industry"]), (&json!("A"), &json!("energy")));
}

/// What follows such a number goes with it; what came before stays, and what waits goes on from both.
#[test]
fn what_follows_a_number_that_a_copy_has_is_written_anew_with_it() {
    let (_folder, mut replica) = enrolled(7, "Anna");
    let record = replica.create("customer", &fields(json!({ "company_name": "Acme" }))).unwrap();
    let mut theirs = State::default();
    for change in replica.next_push(0).unwrap().unwrap().request.groups.remove(0).changes {
        theirs.apply(&crdt::decode(&change.bytes).unwrap());
    }
    let early = acknowledge(&mut replica);
    replica.update(record, &fields(json!({ "short_name": "A" }))).unwrap();
    let pushed = replica.next_push(0).unwrap().unwrap().request.groups.remove(0).changes.remove(0);
    let mut copys = crdt::decode(&pushed.bytes).unwrap().change;
    copys.ops[0].action = Action::Put("Theirs".into());
    let parted = acknowledge(&mut replica);
    replica.update(record, &fields(json!({ "industry": "energy" }))).unwrap();
    let followed = acknowledge(&mut replica);
    replica.update(record, &fields(json!({ "short_name": "B" }))).unwrap();
    let waited = waiting(&replica);
    let forked = Answer { hash: parted[0], outcome: Outcome::Forked };
    assert_eq!(replica.take_resent(&PushResponse::new(vec![forked])).unwrap(), 1);
    let resent = replica.next_resend(0).unwrap().unwrap();
    assert_eq!(hashes(&resent), early, "it came before");
    let shows = |replica: &Replica| {
        let shown = replica.get(record).unwrap().unwrap();
        ["company_name", "industry", "short_name"].map(|field| shown[field].clone())
    };
    assert_eq!(shows(&replica), ["Acme", "energy", "B"], "until the server's copy comes");
    let actor = copys.actor;
    theirs.apply(&crdt::encode(copys));
    replica.take_frames(&[whole(record, &theirs)], true).unwrap();
    let anew = replica.next_push(0).unwrap().unwrap().request.groups;
    let anew = anew.iter().flat_map(|group| &group.changes);
    let anew: Vec<_> = anew.map(|change| crdt::decode(&change.bytes).unwrap()).collect();
    let keys: Vec<_> = anew.iter().map(|one| one.change.ops[0].key.as_str()).collect();
    assert_eq!(keys, ["short_name", "industry", "short_name"]);
    let old = [parted, followed, waited].concat();
    for EncodedChange { change, hash, .. } in &anew {
        assert!(!old.contains(hash) && change.actor != actor);
        assert!(change.deps.iter().all(|dep| !old.contains(dep)), "the server has none of these");
    }
    let first = OpId { counter: anew[0].change.start_op, actor: anew[0].change.actor };
    assert_eq!(anew[0].change.ops[0].pred, [], "its author never saw the copy's");
    assert_eq!(anew[2].change.ops[0].pred, [first]);
    assert_eq!(shows(&replica), ["Acme", "energy", "B"]);
    let [conflict] = replica.conflicts(Some(record)).unwrap().try_into().unwrap();
    let values = conflict.values.into_iter().map(|one| one.value).collect::<Vec<_>>();
    assert_eq!((conflict.key.as_str(), values), ("short_name", vec![json!("Theirs"), json!("B")]));
}

/// Where the device stands may be forgotten; what it holds stays, and so does its digest.
#[test]
fn a_cursor_that_is_forgotten_leaves_the_digest_of_what_is_held() {
    type Forget = fn(&mut Replica) -> Result<(), ReplicaError>;
    for forget in [Replica::reset_cursor as Forget, Replica::forget_cursor] {
        let (_folder, mut replica) = enrolled(7, "Anna");
        let mut theirs = State::default();
        let stamp = Stamp { actor: ActorId([2; 16]), time_ms: 0, message: None };
        let edit = Edit { key: "company_name".to_owned(), action: Action::Put("Acme".into()) };
        crdt::write(&mut theirs, &mut None, stamp, vec![edit]).unwrap();
        replica.take_frames(&[whole(RecordId::new(1, [1; 10]), &theirs)], true).unwrap();
        let before = replica.pull_request(1).unwrap();
        forget(&mut replica).unwrap();
        let after = replica.pull_request(1).unwrap();
        assert_ne!(before.held, [0; 16]);
        assert_eq!(
            (after.held, after.position, after.is_cursor_lost),
            (before.held, 0, Some(true))
        );
        assert!(replica.next_resend(0).unwrap().is_none(), "nothing was acknowledged");
    }
}

/// What waits stays with its record, and the server counts nothing any more among what is held here.
#[test]
fn who_is_turned_away_keeps_what_waits_and_counts_as_holding_nothing() {
    let (_folder, mut replica) = enrolled(7, "Anna");
    let mut theirs = State::default();
    let stamp = Stamp { actor: ActorId([2; 16]), time_ms: 0, message: None };
    let edit = Edit { key: "company_name".to_owned(), action: Action::Put("Acme".into()) };
    crdt::write(&mut theirs, &mut None, stamp, vec![edit]).unwrap();
    let (kept, gone) = (RecordId::new(1, [1; 10]), RecordId::new(1, [2; 10]));
    replica.take_frames(&[whole(kept, &theirs), whole(gone, &theirs)], true).unwrap();
    replica.update(kept, &fields(json!({ "industry": "energy" }))).unwrap();
    assert_eq!(replica.let_go().unwrap(), 1);
    assert!(replica.get(gone).unwrap().is_none());
    assert_eq!(replica.get(kept).unwrap().unwrap()["industry"], "energy");
    let asked = replica.pull_request(1).unwrap();
    assert_eq!((asked.held, asked.position), ([0; 16], 0));
}

#[test]
fn what_was_erased_while_its_author_was_turned_away_waits_no_longer() {
    let (_folder, mut replica) = enrolled(7, "Anna");
    let record = replica.create("customer", &fields(json!({ "company_name": "Acme" }))).unwrap();
    let [hash] = waiting(&replica).try_into().unwrap();
    assert_eq!(replica.take_reviewed(&[Answer { hash, outcome: Outcome::Erased }]).unwrap(), 1);
    assert_eq!(waiting(&replica), []);
    assert!(replica.get(record).unwrap().is_none());
    assert_eq!(replica.inbox(10).unwrap()[0].code, "erased");
}

/// Each answer is counted once as what it is; who is asked to come back at once does.
#[test]
fn what_answers_did_is_counted() {
    let (_folder, mut replica) = enrolled(7, "Anna");
    for number in 0..9 {
        let named = json!({ "company_name": format!("Acme {number}") });
        replica.create("customer", &fields(named)).unwrap();
    }
    let outcomes = [
        Outcome::Applied,
        Outcome::Duplicate,
        Outcome::Erased,
        Outcome::Erased,
        Outcome::Pending(Vec::new()),
        Outcome::Pending(Vec::new()),
        Outcome::Retry(60_000),
        Outcome::Forked,
        Outcome::Refused("not_permitted".into(), Vec::new()),
    ];
    let sent = waiting(&replica);
    let mut take = |hashes: &[ChangeHash], outcomes: &[Outcome]| {
        let answers = hashes.iter().zip(outcomes);
        let answers =
            answers.map(|(hash, outcome)| Answer { hash: *hash, outcome: outcome.clone() });
        let response = PushResponse::new(answers.collect());
        replica.take_push_response(&response).unwrap().0
    };
    let quiet =
        PushEffect { applied: 1, duplicates: 1, refused: 2, waiting: 3, ..PushEffect::default() };
    assert_eq!(take(&sent[..7], &outcomes[..7]), quiet);
    let anew = PushEffect { refused: 1, forked: 1, is_round_needed: true, ..PushEffect::default() };
    assert_eq!(take(&sent[7..], &outcomes[7..]), anew);
    let nothing_moved = PushEffect { waiting: 2, ..PushEffect::default() };
    assert_eq!(take(&sent[4..6], &[Outcome::Retry(0), Outcome::Retry(60_000)]), nothing_moved);
    let later = PushEffect { waiting: 1, applied: 1, ..PushEffect::default() };
    assert_eq!(take(&sent[5..7], &[Outcome::Retry(60_000), Outcome::Applied]), later);
    assert_eq!(waiting(&replica).len(), 3, "two that wait, and one that was written anew");
}

/// What is put off is sent again at once where something moved, which leaves room for it; where nothing did it would be
/// put off again.
#[test]
fn what_is_put_off_is_sent_again_where_something_moved() {
    for (moved, is_round_needed) in [
        (Outcome::Applied, true),
        (Outcome::Duplicate, true),
        (Outcome::Erased, true),
        (Outcome::Retry(60_000), false),
        (Outcome::Pending(Vec::new()), false),
    ] {
        let (_folder, mut replica) = enrolled(7, "Anna");
        for _ in 0..2 {
            replica.create("customer", &fields(json!({ "company_name": "Acme" }))).unwrap();
        }
        let sent = waiting(&replica);
        let answers = sent.into_iter().zip([moved.clone(), Outcome::Retry(0)]);
        let answers = answers.map(|(hash, outcome)| Answer { hash, outcome }).collect();
        let effect = replica.take_push_response(&PushResponse::new(answers)).unwrap().0;
        assert_eq!(effect.is_round_needed, is_round_needed, "{moved:?}");
    }
}

/// It came late by the network, somebody wrote on after it, and what follows both is answered as applied.
#[test]
fn what_the_author_wrote_before_is_confirmed_with_what_follows_others() {
    let (_folder, mut replica) = enrolled(7, "Anna");
    let record = replica.create("customer", &fields(json!({ "company_name": "Acme" }))).unwrap();
    let mut theirs = State::default();
    for change in replica.next_push(0).unwrap().unwrap().request.groups.remove(0).changes {
        theirs.apply(&crdt::decode(&change.bytes).unwrap());
    }
    let stamp = Stamp { actor: ActorId([2; 16]), time_ms: 0, message: None };
    let edit = Edit { key: "short_name".to_owned(), action: Action::Put("A".into()) };
    crdt::write(&mut theirs, &mut None, stamp, vec![edit]).unwrap();
    replica.take_frames(&[whole(record, &theirs)], true).unwrap();
    replica.update(record, &fields(json!({ "industry": "energy" }))).unwrap();
    let sent = waiting(&replica);
    assert_eq!(sent.len(), 2, "the first one was never answered");
    let applied = Answer { hash: sent[1], outcome: Outcome::Applied };
    replica.take_push_response(&PushResponse::new(vec![applied])).unwrap();
    assert_eq!(waiting(&replica), []);
    let shown = replica.get(record).unwrap().unwrap();
    let shown = ["company_name", "short_name", "industry"].map(|field| shown[field].clone());
    assert_eq!(shown, ["Acme", "A", "energy"]);
}

/// As above, of a text.
#[test]
fn what_the_author_typed_before_is_confirmed_with_what_follows_others() {
    let (_folder, mut replica) = enrolled(7, "Anna");
    let named = json!({ "company_name": "Acme" });
    let record = replica.create("customer", &fields(named)).unwrap();
    acknowledge(&mut replica);
    let type_in = |replica: &mut Replica, notes: &str| {
        replica.update(record, &fields(json!({ "notes": notes }))).unwrap();
        let mut group = replica.next_push(0).unwrap().unwrap().request.groups.pop().unwrap();
        group.changes.pop().unwrap().bytes
    };
    let first = type_in(&mut replica, "Mine.");
    let mut theirs = TextDocument::from_changes(&[&first]).unwrap();
    let second = theirs.edit(ActorId([2; 16]), 5, "Mine. Theirs.").unwrap().unwrap().bytes;
    let body = Body::Text(vec![first.into(), second.into()]);
    replica.take_frames(&[frame(record, "notes".parse().unwrap(), body)], true).unwrap();
    type_in(&mut replica, "Mine. Theirs. More.");
    let sent = waiting(&replica);
    assert_eq!(sent.len(), 2, "the first one was never answered");
    let applied = Answer { hash: sent[1], outcome: Outcome::Applied };
    replica.take_push_response(&PushResponse::new(vec![applied])).unwrap();
    assert_eq!(waiting(&replica), []);
    assert_eq!(replica.get(record).unwrap().unwrap()["notes"], "Mine. Theirs. More.");
}

/// The server's copy of a record.
fn whole(record: RecordId, state: &State) -> PullFrame {
    frame(record, Part::Main, Body::State(state.to_bytes()))
}

/// The server's copy of a part of a record.
fn frame(record: RecordId, part: Part, body: Body) -> PullFrame {
    PullFrame::Document(Box::new(DocumentFrame {
        record,
        part,
        entity: "customer".to_owned(),
        family: record,
        family_position: 1,
        pass: 1,
        body,
        provenance: Vec::new(),
        unit: None,
    }))
}
