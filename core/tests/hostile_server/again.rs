//! A server that lost what it had acknowledged: what is sent again in one conversation, and what follows.

use std::collections::BTreeSet;

use minicbor::bytes::ByteVec;
use outrider_core::{
    crdt::{self, TextDocument, text},
    ids::{ActorId, ChangeHash, DocumentId, Part},
    replica::{
        DATABASE_FILE, Replica,
        session::{Session, Summary},
    },
    store::meta,
    sync::{
        codec::{MESSAGE_BYTES_MAX, pack, unpack},
        digest,
        frame::{
            Answer, Body, CheckResponse, Digest, DocumentDigest, Hello, Outcome, PullFrame,
            PushRequest, PushResponse, Recovery, StreamDigest,
        },
    },
};
use serde_json::json;

use crate::world::{
    World, document, end, fields, greeting, hello, put, stream, stream_of, world, write,
};

/// A push: whether its changes were acknowledged before, and which they are.
type Pushed = (bool, Vec<ChangeHash>);

impl World {
    /// The digest of what the server has of the record.
    fn digest(&self) -> Digest {
        digest::of_state(&DocumentId { record: self.record, part: Part::Main }, &self.state)
    }

    /// What the server says of its customers.
    fn stream(&self) -> StreamDigest {
        let mut all = Digest::default();
        digest::toggle(&mut all, &self.digest());
        StreamDigest { stream: stream(Part::Main), digest: all, count: 1 }
    }

    /// The device's database, as another program sees it.
    fn disk(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.replica.folder().join(DATABASE_FILE)).unwrap()
    }

    /// Sends an acknowledged change again and is told that another one has its number; of how many documents
    /// something is to be sent anew.
    fn forked(&mut self, hash: ChangeHash) -> u64 {
        let answers = vec![Answer { hash, outcome: Outcome::Forked }];
        self.replica.take_resent(&PushResponse::new(answers)).unwrap()
    }

    /// Somebody else has begun a note of the record: what they have of it, and how it arrives.
    fn their_note(&mut self) -> (TextDocument, PullFrame) {
        let mut text = TextDocument::new().unwrap();
        let typed = text.edit(ActorId([2; 16]), 5, "Theirs.").unwrap().unwrap();
        let note = document(self.record, Body::Text(vec![ByteVec::from(typed.bytes)]));
        self.pull(vec![hello(), note.clone(), end(Vec::new())]).unwrap();
        (text, note)
    }

    /// What the device stores of the record has rotted, and somebody looks at it.
    fn rot(&mut self) {
        self.disk().execute_batch("UPDATE document SET state = zeroblob(length(state))").unwrap();
        assert!(self.replica.get(self.record).is_err(), "it waits");
    }

    /// Writes and sends one change that the server acknowledges.
    fn acknowledged(&mut self, fields_of: serde_json::Value) -> ChangeHash {
        self.replica.update(self.record, &fields(fields_of)).unwrap();
        let hash = self.replica.outbox(10).unwrap().pop().unwrap().hash;
        let applied = vec![Answer { hash, outcome: Outcome::Applied }];
        self.replica.take_push_response(&PushResponse::new(applied)).unwrap();
        hash
    }

    /// A conversation to its end: pulls are answered with these hellos and then with the usual one, fetches
    /// with what the server has of the record, and each change as `answer` says.
    fn converse(
        &mut self,
        hellos: Vec<Hello>,
        mut answer: impl FnMut(&Pushed, ChangeHash) -> Outcome,
    ) -> (Vec<Pushed>, Summary) {
        let mut session = Session::new();
        let (mut pushes, mut hellos) = (Vec::new(), hellos.into_iter());
        while let Some(request) = session.next(&mut self.replica).unwrap() {
            let answer = if request.path == "/v1/pull" {
                let begin = hellos.next().map_or_else(hello, PullFrame::Hello);
                stream_of(&[begin, end(vec![self.stream()])])
            } else if request.path == "/v1/check" {
                let documents = vec![DocumentDigest { record: self.record, digest: self.digest() }];
                pack(&CheckResponse { backed_up: None, documents }).unwrap()
            } else if request.path == "/v1/fetch" {
                stream_of(&[
                    document(self.record, Body::State(self.state.to_bytes())),
                    end(Vec::new()),
                ])
            } else {
                assert_eq!(request.path, "/v1/push");
                let asked: PushRequest = unpack(&request.body, MESSAGE_BYTES_MAX).unwrap();
                let changes = asked.groups.iter().flat_map(|group| &group.changes);
                let changes: Vec<_> =
                    changes.map(|change| crdt::decode(&change.bytes).unwrap()).collect();
                let hashes = changes.iter().map(|change| change.hash).collect();
                let pushed = (asked.is_again == Some(true), hashes);
                let mut answers = Vec::new();
                for change in changes {
                    let outcome = answer(&pushed, change.hash);
                    if outcome == Outcome::Applied {
                        self.state.apply(&change);
                    }
                    answers.push(Answer { hash: change.hash, outcome });
                }
                let response = pack(&PushResponse::new(answers)).unwrap();
                pushes.push(pushed);
                response
            };
            session.receive(&mut self.replica, &mut answer.as_slice()).unwrap();
        }
        (pushes, session.summary().clone())
    }
}

/// The server says which change it lacks; all that it acknowledged of that document goes up once, and then what
/// waited for it.
#[test]
fn what_the_server_lacks_of_a_document_is_sent_again_in_the_same_conversation() {
    let mut world = world();
    let first = world.acknowledged(json!({ "short_name": "A" }));
    let second = world.acknowledged(json!({ "short_name": "B" }));
    world.replica.update(world.record, &fields(json!({ "short_name": "C" }))).unwrap();
    let third = world.replica.outbox(10).unwrap()[0].hash;
    let mut has_lost = true;
    let (pushes, summary) = world.converse(Vec::new(), |(is_again, _), _| {
        has_lost &= !is_again;
        if has_lost { Outcome::Pending(vec![second]) } else { Outcome::Applied }
    });
    let again = (true, vec![first, second]);
    assert_eq!(pushes, [(false, vec![third]), again, (false, vec![third])]);
    assert_eq!((summary.waiting, summary.applied, summary.requests), (1, 1, 4));
    assert!(!summary.is_server_restored, "it lacks one document, not its memory");
    assert_eq!(world.replica.status().unwrap().waiting, 0);
}

/// A server that does not know where the device stands was put back: everything goes up again, and what another
/// change has the number of is written anew; then the device begins from nothing.
#[test]
fn a_server_that_does_not_know_the_cursor_is_sent_everything_again() {
    let mut world = world();
    let first = world.acknowledged(json!({ "short_name": "A" }));
    let unknown = Hello { is_cursor_known: false, expected: 7, ..greeting() };
    let (pushes, summary) =
        world.converse(
            vec![unknown],
            |(is_again, _), _| {
                if *is_again { Outcome::Forked } else { Outcome::Applied }
            },
        );
    assert_eq!(pushes[0], (true, vec![first]));
    let [_, (false, anew)] = &pushes[..] else { panic!("{pushes:?}") };
    assert!(anew.len() == 1 && anew[0] != first);
    assert!(summary.is_server_restored);
    assert_eq!((summary.forked, summary.applied, summary.requests), (1, 1, 5));
    assert_eq!(summary.expected, 0, "what follows such a hello is not read");
    assert_eq!(world.replica.status().unwrap().waiting, 0);
    assert_eq!(world.replica.get(world.record).unwrap().unwrap()["short_name"], "A");
}

/// A tunnel in the middle of it.
#[test]
fn who_is_cut_off_while_sending_again_goes_on_where_they_were() {
    let mut world = world();
    let first = world.acknowledged(json!({ "short_name": "A" }));
    let next = |session: &mut Session, replica: &mut Replica| {
        let request = session.next(replica).unwrap().unwrap();
        let is_again = request.path == "/v1/push"
            && unpack::<PushRequest>(&request.body, MESSAGE_BYTES_MAX).unwrap().is_again
                == Some(true);
        (request.path, is_again)
    };
    assert_eq!(next(&mut Session::new(), &mut world.replica), ("/v1/pull", false), "all is there");
    world.replica.reset_cursor().unwrap();
    for _ in 0..2 {
        // The answer is lost.
        assert_eq!(next(&mut Session::new(), &mut world.replica), ("/v1/push", true));
    }
    let mut session = Session::new();
    next(&mut session, &mut world.replica);
    let answer = vec![Answer { hash: first, outcome: Outcome::Duplicate }];
    let answer = pack(&PushResponse::new(answer)).unwrap();
    session.receive(&mut world.replica, &mut answer.as_slice()).unwrap();
    assert_eq!(next(&mut Session::new(), &mut world.replica), ("/v1/pull", false), "all was sent");
}

/// What a person is shown while it lasts, and at the end.
#[test]
fn a_conversation_says_how_much_it_expects_and_how_much_it_repaired() {
    let mut world = world();
    // The server has more than it told of.
    write(&mut world.state, 2, vec![put("short_name", "A")]);
    let begin = Hello { expected: 7, ..greeting() };
    let (_, summary) = world.converse(vec![begin], |_, _| panic!("nothing is sent"));
    assert_eq!((summary.expected, summary.repaired, summary.pulled), (7, 1, 0));
}

/// All that one actor wrote after it the server cannot have either, also where what lies between has rotted.
#[test]
fn what_follows_a_number_that_another_change_has_is_written_anew_too() {
    let mut world = world();
    let first = world.acknowledged(json!({ "short_name": "A" }));
    let between = world.acknowledged(json!({ "industry": "energy" }));
    world.acknowledged(json!({ "phone": "+86 10 8888 6666" }));
    let rot = "UPDATE own_change SET bytes = zeroblob(length(bytes)) WHERE hash = ?1";
    assert_eq!(world.disk().execute(rot, [between.0]).unwrap(), 1);
    assert_eq!(world.forked(first), 1);
    let groups = world.replica.next_push(0).unwrap().unwrap().request.groups;
    let anew = groups.iter().flat_map(|group| &group.changes);
    let keys: BTreeSet<String> = anew
        .flat_map(|change| crdt::decode(&change.bytes).unwrap().change.ops)
        .map(|op| op.key)
        .collect();
    assert_eq!(keys.into_iter().collect::<Vec<_>>(), ["phone", "short_name"]);
}

/// The same of a note; what others wrote in it stays as it is.
#[test]
fn a_note_whose_number_another_change_has_is_written_anew_with_what_follows() {
    let mut world = world();
    let (theirs, _) = world.their_note();
    let all = ["Theirs. One.", "Theirs. One. Two."];
    let [first, second] = all.map(|notes| world.acknowledged(json!({ "notes": notes })));
    assert_eq!(world.forked(first), 1);
    let once_more = [first, second].map(|hash| world.forked(hash));
    assert_eq!(once_more, [0, 0], "they are acknowledged no longer");
    assert_eq!(world.replica.get(world.record).unwrap().unwrap()["notes"], all[1]);
    let groups = world.replica.next_push(0).unwrap().unwrap().request.groups;
    let mut saved = theirs.save();
    for change in groups.iter().flat_map(|group| &group.changes) {
        saved = text::accept(&saved, &change.bytes).unwrap().saved;
    }
    assert_eq!(TextDocument::load(&saved).unwrap().text().unwrap(), all[1]);
}

/// Simulated (`sync --seed 1001621 --steps 400`): what one tap wrote goes up as one, but for what follows a change
/// that nobody brings back. The rest waited with it until the recovery was over, and what others had written on top was
/// written anew.
#[test]
fn what_fits_of_a_group_that_was_acknowledged_goes_up_without_what_does_not() {
    let mut world = world();
    let record = world.record;
    let tap = world.replica.transaction(|writer| {
        writer.group(|writer| {
            writer.update(record, &fields(json!({ "short_name": "A" })))?;
            writer.create("customer", None, &fields(json!({ "company_name": "B" })))
        })
    });
    tap.unwrap();
    let [follows, made]: [ChangeHash; 2] =
        world.replica.outbox(10).unwrap().iter().map(|own| own.hash).collect::<Vec<_>>()[..]
            .try_into()
            .unwrap();
    let applied = [follows, made].map(|hash| Answer { hash, outcome: Outcome::Applied });
    world.replica.take_push_response(&PushResponse::new(applied.to_vec())).unwrap();
    let unknown = Hello { is_cursor_known: false, ..greeting() };
    let (pushes, _) = world.converse(vec![unknown], |(_, hashes), hash| match hash {
        _ if hash == follows => Outcome::Pending(vec![ChangeHash([7; 32])]),
        _ if hashes.contains(&follows) => Outcome::Retry(0),
        _ => Outcome::Applied,
    });
    assert_eq!(pushes[..2], [(true, vec![follows, made]), (true, vec![made])]);
}

/// A server that was put back.
fn recovering(is_closed: bool) -> Hello {
    Hello { recovery: Some(Recovery { number: 1, is_closed }), ..greeting() }
}

/// The copy of a damaged record came from a server that had lost what this device wrote there, and could not take
/// it again yet. From then on they agreed, and it was never sent again.
#[test]
fn what_was_acknowledged_of_a_damaged_record_and_lost_there_is_sent_until_it_is_taken() {
    let mut world = world();
    let first = world.acknowledged(json!({ "short_name": "A" }));
    let second = world.acknowledged(json!({ "industry": "energy" }));
    world.rot();
    let before = ChangeHash([7; 32]);
    let (mut is_there, again) = (false, (true, vec![first, second]));
    for _ in 0..2 {
        let (pushes, _) = world.converse(vec![recovering(false)], |_, _| {
            if is_there { Outcome::Applied } else { Outcome::Pending(vec![before]) }
        });
        assert_eq!(pushes, std::slice::from_ref(&again));
        let shown = world.replica.get(world.record).unwrap().unwrap();
        let shown = ["company_name", "short_name", "industry"].map(|field| shown[field].clone());
        assert_eq!(shown, ["Acme", "A", "energy"]);
        // Somebody else comes back.
        is_there = true;
    }
    assert_eq!(world.replica.quarantined().unwrap().awaited, 0);
    assert_eq!(world.converse(vec![recovering(false)], |_, _| Outcome::Applied).0, []);
    world.check();
}

/// As above; when the recovery is over, and nobody brought what it follows, it is written anew.
#[test]
fn what_was_acknowledged_of_a_damaged_record_and_never_comes_back_is_written_anew() {
    let mut world = world();
    let first = world.acknowledged(json!({ "short_name": "A" }));
    world.rot();
    let before = ChangeHash([7; 32]);
    let mut sent = Vec::new();
    for hello in [recovering(false), recovering(true)] {
        let (pushes, _) = world.converse(vec![hello.clone(), hello], |(_, hashes), _| {
            if hashes.contains(&first) { Outcome::Pending(vec![before]) } else { Outcome::Applied }
        });
        sent.extend(pushes);
    }
    let (last, again) = sent.split_last().unwrap();
    assert!(again.iter().all(|pushed| *pushed == (true, vec![first])), "{again:?}");
    assert!(!last.0 && last.1 != [first], "{last:?}");
    assert_eq!(world.state.survivors("short_name").len(), 1);
    assert_eq!(world.replica.get(world.record).unwrap().unwrap()["short_name"], "A");
}

/// As above, of a long text.
#[test]
fn what_was_acknowledged_of_a_damaged_note_and_lost_there_stays() {
    let mut world = world();
    let (_, note) = world.their_note();
    world.acknowledged(json!({ "notes": "Theirs. Mine." }));
    world.acknowledged(json!({ "notes": "Theirs. Mine, twice." }));
    world.rot();
    let whole = document(world.record, Body::State(world.state.to_bytes()));
    let frames = [PullFrame::Hello(recovering(false)), whole, note];
    world.replica.take_frames(&frames, true).unwrap();
    let shown = world.replica.get(world.record).unwrap().unwrap();
    assert_eq!(shown["notes"], "Theirs. Mine, twice.");
    assert_eq!(world.replica.quarantined().unwrap().awaited, 0);
    assert_eq!(world.replica.status().unwrap().waiting, 0, "it was acknowledged");
}

/// When a recovery is over the server's copy is right: what it lacks was written anew, and counted, under
/// another name.
#[test]
fn the_copy_of_a_damaged_record_is_taken_as_it_is_where_nothing_is_recovered() {
    let mut world = world();
    let first = world.acknowledged(json!({ "short_name": "A" }));
    world.replica.take_frames(&[PullFrame::Hello(recovering(true))], false).unwrap();
    meta::set_recovered(world.replica.store().conn(), 1).unwrap();
    world.rot();
    let mut converse = || {
        world.converse(vec![recovering(true)], |_, _| Outcome::Pending(vec![ChangeHash([7; 32])])).0
    };
    assert_eq!(converse(), [(true, vec![first])]);
    assert_eq!(converse(), []);
    let shown = world.replica.get(world.record).unwrap().unwrap();
    assert_eq!(shown["short_name"], serde_json::Value::Null);
}
