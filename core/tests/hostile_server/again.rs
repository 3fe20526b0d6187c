//! A server that lost what it had acknowledged: what is sent again in one conversation, and what follows.

use outrider_core::{
    crdt,
    ids::ChangeHash,
    replica::session::{Session, Summary},
    sync::{
        codec::{MESSAGE_BYTES_MAX, pack, unpack},
        frame::{Answer, Body, Hello, Outcome, PullFrame, PushRequest, PushResponse},
    },
};
use serde_json::json;

use crate::world::{World, document, end, fields, greeting, hello, stream_of, world};

/// A push: whether its changes were acknowledged before, and which they are.
type Pushed = (bool, Vec<ChangeHash>);

impl World {
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
                stream_of(&[begin, end(Vec::new())])
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
