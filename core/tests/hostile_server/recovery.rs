//! A server that was put back, whose recovery is over: what the device fetches of it, and when it writes
//! anew.

use minicbor::bytes::ByteVec;
use outrider_core::{
    access::{Grant, Scope},
    crdt::{self, Action, Clock, Edit, State, TextDocument},
    ids::{ActorId, DocumentId, Part, RecordId},
    replica::{DATABASE_FILE, session::Session},
    store::{document as stored, meta},
    sync::{
        codec::{MESSAGE_BYTES_MAX, pack, unpack},
        digest,
        frame::{
            Answer, Body, CheckResponse, Digest, DocumentDigest, DocumentName, FeedPoint,
            FetchRequest, Hello, Outcome, PullFrame, PullRequest, PushRequest, PushResponse,
            Recovery,
        },
    },
};
use serde_json::json;

use crate::world::{
    World, document, document_of, end, fields, greeting, hello, notes, other_digest, put,
    stream_of, world, write,
};

/// What a server says whose recovery is over.
fn told() -> Hello {
    Hello { recovery: Some(Recovery { number: 1, is_closed: true }), ..greeting() }
}

impl World {
    /// A conversation in which the server lists these digests, part by part; it has come to fetching.
    fn compared(&mut self, parts: Vec<(Part, Vec<(RecordId, Digest)>)>) -> Session {
        let streams = parts.iter().map(|(part, _)| other_digest(part.clone())).collect();
        let mut session = self.pull(vec![PullFrame::Hello(told()), end(streams)]).unwrap();
        for (_, listed) in parts {
            let request = session.next(&mut self.replica).unwrap().unwrap();
            assert_eq!(request.path, "/v1/check");
            let listed = listed.into_iter();
            let documents = listed.map(|(record, digest)| DocumentDigest { record, digest });
            let page = CheckResponse { backed_up: None, documents: documents.collect() };
            session.receive(&mut self.replica, &mut pack(&page).unwrap().as_slice()).unwrap();
        }
        session
    }

    /// Which documents are fetched now; the server answers with these frames.
    fn fetched(&mut self, session: &mut Session, frames: Vec<PullFrame>) -> Vec<DocumentName> {
        let request = session.next(&mut self.replica).unwrap().unwrap();
        assert_eq!(request.path, "/v1/fetch");
        let asked: FetchRequest = unpack(&request.body, MESSAGE_BYTES_MAX).unwrap();
        let frames = [frames, vec![end(Vec::new())]].concat();
        session.receive(&mut self.replica, &mut stream_of(&frames).as_slice()).unwrap();
        asked.documents
    }

    /// The rest of a conversation in which the server has nothing more to say: what is asked for.
    fn finish(&mut self, mut session: Session) -> Vec<&'static str> {
        let mut paths = Vec::new();
        while let Some(request) = session.next(&mut self.replica).unwrap() {
            paths.push(request.path);
            let answer = match request.path {
                "/v1/pull" => stream_of(&[PullFrame::Hello(told()), end(Vec::new())]),
                "/v1/fetch" => stream_of(&[end(Vec::new())]),
                _ => pack(&PushResponse::new(Vec::new())).unwrap(),
            };
            session.receive(&mut self.replica, &mut answer.as_slice()).unwrap();
        }
        paths
    }

    fn name(&self) -> DocumentName {
        DocumentName { record: self.record, part: Part::Main }
    }

    fn shown(&self, record: RecordId, field: &str) -> serde_json::Value {
        self.replica.get(record).unwrap().unwrap()[field].clone()
    }
}

/// What began anew at the server is not overwritten with what it was before.
#[test]
fn of_a_record_that_began_anew_nothing_is_written_anew() {
    let mut world = world();
    let record = world.record;
    let mut anew = State { generation: 1, ..State::default() };
    write(&mut anew, 2, vec![put("company_name", "Anew")]);
    let mut session = world.compared(vec![(Part::Main, vec![(record, [9; 16])])]);
    let frames = vec![document(record, Body::State(anew.to_bytes()))];
    assert_eq!(world.fetched(&mut session, frames), [world.name()]);
    assert_eq!(world.shown(record, "company_name"), "Anew");
    assert_eq!(world.finish(session), ["/v1/pull"], "there is nothing to send");
    assert_eq!(world.replica.recovered().unwrap(), 1);
}

/// Of a part of which nothing is left there is nothing to write anew.
#[test]
fn a_part_that_was_emptied_and_lost_is_nowhere() {
    let mut world = world();
    let record = world.record;
    let mut emptied = State::default();
    write(&mut emptied, 2, vec![put("credit_limit", "100 CNY")]);
    let removed = Edit { key: "credit_limit".to_owned(), action: Action::Delete };
    write(&mut emptied, 3, vec![removed]);
    let body = Body::State(emptied.to_bytes());
    let frames = vec![hello(), document_of(record, Part::Restricted, body), end(Vec::new())];
    world.pull(frames).unwrap();
    let parts = |world: &World| world.replica.documents(record).unwrap().unwrap().1.flat.len();
    assert_eq!(parts(&world), 2);
    let held = digest::of_state(&DocumentId { record, part: Part::Main }, &world.state);
    let main = (Part::Main, vec![(record, held)]);
    let session = world.compared(vec![main, (Part::Restricted, Vec::new())]);
    assert_eq!(world.finish(session), ["/v1/pull"], "there is nothing to send");
    assert_eq!(parts(&world), 1);
    world.check();
}

#[test]
fn what_the_device_never_had_is_taken_as_the_server_has_it() {
    let mut world = world();
    let (record, other) = (world.record, RecordId::new(2, [2; 10]));
    let mut theirs = State::default();
    write(&mut theirs, 2, vec![put("company_name", "Beta")]);
    let mut text = TextDocument::new().unwrap();
    let typed = text.edit(ActorId([2; 16]), 5, "Typed.").unwrap().unwrap();
    let held = digest::of_state(&DocumentId { record, part: Part::Main }, &world.state);
    let main = (Part::Main, vec![(record, held), (other, [9; 16])]);
    let mut session = world.compared(vec![main, (notes(), vec![(other, [9; 16])])]);
    let frames = vec![
        document(other, Body::State(theirs.to_bytes())),
        document(other, Body::Text(vec![ByteVec::from(typed.bytes)])),
    ];
    let asked = world.fetched(&mut session, frames);
    let names = [Part::Main, notes()].map(|part| DocumentName { record: other, part });
    assert_eq!(asked, names);
    assert_eq!(world.shown(other, "company_name"), "Beta");
    assert_eq!(world.shown(other, "notes"), "Typed.");
    assert_eq!(world.finish(session), ["/v1/pull"], "there is nothing to send");
    world.check();
}

/// A note of which the device holds one passage more than the server, in as many pieces as it has changes.
fn note_in_pieces(world: &mut World, changes: usize) -> (Vec<PullFrame>, String) {
    let mut text = TextDocument::new().unwrap();
    let mut typed = String::new();
    let mut pieces = Vec::with_capacity(changes);
    for number in 0..changes {
        typed.push_str(&format!("{number} "));
        let change = text.edit(ActorId([2; 16]), 5, &typed).unwrap().unwrap();
        pieces.push(ByteVec::from(change.bytes));
    }
    typed.push_str("lost");
    let lost = text.edit(ActorId([2; 16]), 5, &typed).unwrap().unwrap();
    let all = [pieces.clone(), vec![ByteVec::from(lost.bytes)]].concat();
    let frames = vec![hello(), document(world.record, Body::Text(all)), end(Vec::new())];
    world.pull(frames).unwrap();
    let frame = |piece| document(world.record, Body::Text(vec![piece]));
    (pieces.into_iter().map(frame).collect(), typed)
}

/// A conversation in which the server's note is another one, and its record the same.
fn compared_notes(world: &mut World) -> Session {
    let record = world.record;
    let held = digest::of_state(&DocumentId { record, part: Part::Main }, &world.state);
    world.compared(vec![(Part::Main, vec![(record, held)]), (notes(), vec![(record, [9; 16])])])
}

/// More pieces than one transaction takes in.
const PIECES: usize = 520;

#[test]
fn a_lost_passage_is_written_anew_once_however_many_pieces_its_note_has() {
    let mut world = world();
    let (pieces, typed) = note_in_pieces(&mut world, PIECES);
    let mut session = compared_notes(&mut world);
    // Another document says that this one is over.
    let other = document(RecordId::new(2, [2; 10]), Body::State(world.state.to_bytes()));
    world.fetched(&mut session, [pieces, vec![other]].concat());
    assert_eq!(session.summary().recovered, 1);
    assert_eq!(world.shown(world.record, "notes"), typed);
    assert_eq!(world.replica.status().unwrap().waiting, 1, "one passage");
    let text = |bytes: &[u8]| TextDocument::load(bytes).unwrap();
    let held = stored::load_all(world.replica.store().conn(), world.record).unwrap();
    let held = held.into_iter().find(|(part, _)| *part == notes()).unwrap().1;
    let confirmed = text(&held.confirmed.unwrap());
    assert_eq!(confirmed.text().unwrap(), typed.strip_suffix("lost").unwrap(), "the server's");
    let anew = text(&held.state).changes_since(&confirmed.heads()).unwrap();
    assert_eq!(held.own.map(|own| own.hash), anew.last().map(|last| last.hash));
    let push = world.replica.next_push(0).unwrap().unwrap().request;
    let sent = push.groups.iter().flat_map(|group| &group.changes).map(|change| &change.bytes);
    assert!(anew.iter().map(|change| &change.bytes).eq(sent), "it stands on the server's");
    world.check();
}

#[test]
fn a_note_that_breaks_off_while_it_is_fetched_is_left_as_it_is() {
    let mut world = world();
    let (pieces, typed) = note_in_pieces(&mut world, 6);
    let mut session = compared_notes(&mut world);
    session.next(&mut world.replica).unwrap().unwrap();
    // The frames of another record and of three pieces, and no end.
    let other = RecordId::new(2, [2; 10]);
    let whole = document(other, Body::State(world.state.to_bytes()));
    let answer = stream_of(&[vec![whole], pieces[..3].to_vec()].concat());
    session.receive(&mut world.replica, &mut answer.as_slice()).unwrap_err();
    assert_eq!(world.shown(other, "company_name"), "Acme", "what came before counts");
    assert_eq!(world.shown(world.record, "notes"), typed);
    assert_eq!(world.replica.status().unwrap().waiting, 0, "nobody knows yet what is lost");
    let mut session = compared_notes(&mut world);
    let other = document(RecordId::new(3, [3; 10]), Body::State(world.state.to_bytes()));
    world.fetched(&mut session, [pieces, vec![other]].concat());
    assert_eq!(session.summary().recovered, 1);
    assert_eq!(world.shown(world.record, "notes"), typed);
    assert_eq!(world.replica.status().unwrap().waiting, 1);
}

/// It broke off every conversation after a server was put back, for ever.
#[test]
fn a_note_that_is_damaged_does_not_stop_a_recovery() {
    for is_there in [true, false] {
        let mut world = world();
        let record = world.record;
        let (pieces, typed) = note_in_pieces(&mut world, 2);
        let disk = world.replica.folder().join(DATABASE_FILE);
        let rot = "UPDATE document SET state = zeroblob(length(state)) WHERE part = 'notes'";
        rusqlite::Connection::open(disk).unwrap().execute_batch(rot).unwrap();
        let theirs = pieces[..usize::from(is_there)].to_vec();
        let frames = [vec![PullFrame::Hello(told())], theirs, vec![end(Vec::new())]].concat();
        world.pull(frames).unwrap();
        let mut session = compared_notes(&mut world);
        let pieces = if is_there { pieces } else { Vec::new() };
        world.fetched(&mut session, pieces);
        world.finish(session);
        let left = typed.strip_suffix("lost").unwrap();
        let expected = if is_there { json!(left) } else { json!(null) };
        assert_eq!(world.shown(record, "notes"), expected, "what can be had");
        assert_eq!(world.replica.quarantined().unwrap().awaited, 0);
        world.check();
    }
}

/// A part of a record does not say what the server lacks of it.
#[test]
fn a_record_that_was_to_be_fetched_whole_and_came_in_part_is_fetched_again() {
    let mut world = world();
    let mut theirs = world.state.clone();
    write(&mut theirs, 2, vec![put("industry", "energy")]);
    let part = theirs.delta(Clock::new(), ["industry"]);
    let mut session = world.compared(vec![(Part::Main, vec![(world.record, [9; 16])])]);
    let frames = vec![document(world.record, Body::Delta(part.to_bytes()))];
    assert_eq!(world.fetched(&mut session, frames), [world.name()]);
    let frames = vec![document(world.record, Body::State(theirs.to_bytes()))];
    assert_eq!(world.fetched(&mut session, frames), [world.name()], "once more");
    assert_eq!(world.shown(world.record, "industry"), "energy");
    world.finish(session);
    world.check();
}

/// Where backups stand is said when a pull begins: a device forgets what they cover.
#[test]
fn what_is_fetched_says_nothing_of_backups() {
    let mut world = world();
    let mut session = world.compared(vec![(Part::Main, vec![(world.record, [9; 16])])]);
    let boast = PullFrame::Hello(Hello { backed_up: Some(99), ..told() });
    let frames = vec![boast, document(world.record, Body::State(world.state.to_bytes()))];
    assert_eq!(world.fetched(&mut session, frames), [world.name()]);
    assert_eq!(world.replica.status().unwrap().backed_up, None);
    world.check();
}

/// Joined at once, what another device wrote anew of it would stand there twice.
#[test]
fn what_a_pull_brings_of_a_record_that_lost_something_waits_until_that_is_written_anew() {
    let mut theirs = State::default();
    write(&mut theirs, 2, vec![put("short_name", "Theirs")]);
    let mut text = TextDocument::new().unwrap();
    let typed = text.edit(ActorId([2; 16]), 5, "Typed.").unwrap().unwrap();
    let part = theirs.delta(Clock::new(), ["short_name"]);
    let bodies = [Body::State(theirs.to_bytes()), Body::Delta(part.to_bytes())];
    for body in bodies {
        let mut world = world();
        let record = world.record;
        let frames = vec![PullFrame::Hello(told()), document(record, body), end(Vec::new())];
        world.pull(frames).unwrap();
        assert_eq!(world.shown(record, "short_name"), json!(null), "it waits");
        let mut session = world.compared(vec![(Part::Main, vec![(record, [8; 16])])]);
        let whole = document(record, Body::State(theirs.to_bytes()));
        assert_eq!(world.fetched(&mut session, vec![whole]), [world.name()]);
        assert_eq!(world.shown(record, "short_name"), "Theirs");
        assert_eq!(world.shown(record, "company_name"), "Acme", "written anew");
        assert_eq!(world.replica.status().unwrap().waiting, 1);
        world.check();
    }
    let mut world = world();
    let record = world.record;
    let (pieces, held) = note_in_pieces(&mut world, 2);
    let theirs = document(record, Body::Text(vec![ByteVec::from(typed.bytes)]));
    world.pull(vec![PullFrame::Hello(told()), theirs, end(Vec::new())]).unwrap();
    assert_eq!(world.shown(record, "notes"), held, "it waits");
    let mut session = compared_notes(&mut world);
    world.fetched(&mut session, pieces);
    assert_eq!(world.shown(record, "notes"), held);
    assert_eq!(world.replica.status().unwrap().waiting, 1, "the passage that was lost");
    world.check();
}

/// The record was made and erased after the backup: the ledger says that it is erased, and nothing is left of it.
#[test]
fn what_erasing_left_of_a_record_that_the_server_lacks_is_let_go() {
    let mut world = world();
    let record = RecordId::new(2, [2; 10]);
    let mut left = State { generation: 1, ..State::default() };
    write(&mut left, 2, vec![put("owner_id", &world.record.to_string())]);
    let whole = document(record, Body::State(left.to_bytes()));
    let frames = vec![hello(), PullFrame::Erase(1, record), whole, end(Vec::new())];
    world.pull(frames).unwrap();
    let parts = |world: &World| world.replica.documents(record).unwrap().is_some();
    assert!(parts(&world));
    let held =
        digest::of_state(&DocumentId { record: world.record, part: Part::Main }, &world.state);
    let session = world.compared(vec![(Part::Main, vec![(world.record, held)])]);
    assert_eq!(world.finish(session), ["/v1/pull"], "there is nothing to send");
    assert!(!parts(&world));
    let only = world.replica.pull_request(1).unwrap().held;
    assert_eq!(only, held, "what is held is what the server has");
    world.check();
}

/// A server that was put back may not know yet where a record stands: while it waits for what devices bring, that is
/// as it was.
#[test]
fn where_a_record_stands_is_forgotten_by_a_whole_pull_but_not_while_a_recovery_is_open() {
    let open = Some(Recovery { number: 1, is_closed: false });
    for (recovery, left) in [(open, 1), (None, 0)] {
        let mut world = world();
        let grant = Grant { own: [Scope::User(world.record)].into(), ..Grant::open() };
        meta::set_grant(world.replica.store().conn(), &grant.to_bytes()).unwrap();
        world.pull(vec![hello(), end(Vec::new())]).unwrap();
        let enter = PullFrame::Enter(world.record, Scope::User(world.record).to_string());
        world.pull(vec![hello(), enter, end(Vec::new())]).unwrap();
        let scopes = |world: &World| -> u32 {
            let conn = world.replica.store().conn();
            conn.query_row("SELECT count(*) FROM unit_scope", [], |row| row.get(0)).unwrap()
        };
        assert_eq!(scopes(&world), 1);
        world.replica.reset_cursor().unwrap();
        let begin = PullFrame::Hello(Hello { recovery, ..greeting() });
        world.replica.take_frames(&[begin, end(Vec::new())], false).unwrap();
        assert_eq!(scopes(&world), left, "{recovery:?}");
    }
}

/// A server that waits for what devices bring is told that there is nothing.
#[test]
fn who_has_nothing_to_bring_back_says_so() {
    let mut world = world();
    let recovery = Some(Recovery { number: 1, is_closed: false });
    let open = PullFrame::Hello(Hello { recovery, ..greeting() });
    let mut session = world.pull(vec![open.clone(), end(vec![other_digest(Part::Main)])]).unwrap();
    assert_eq!(session.next(&mut world.replica).unwrap().unwrap().path, "/v1/check");
    let held =
        digest::of_state(&DocumentId { record: world.record, part: Part::Main }, &world.state);
    let documents = vec![DocumentDigest { record: world.record, digest: held }];
    let page = pack(&CheckResponse { backed_up: None, documents }).unwrap();
    session.receive(&mut world.replica, &mut page.as_slice()).unwrap();
    let request = session.next(&mut world.replica).unwrap().unwrap();
    assert_eq!(request.path, "/v1/pull");
    let asked: PullRequest = unpack(&request.body, MESSAGE_BYTES_MAX).unwrap();
    assert_eq!(asked.has_tried, Some(true));
    let answer = stream_of(&[open, end(Vec::new())]);
    session.receive(&mut world.replica, &mut answer.as_slice()).unwrap();
    assert!(session.next(&mut world.replica).unwrap().is_none(), "once");
}

#[test]
fn what_the_server_lacks_whole_is_written_anew() {
    let mut world = world();
    let mut session = world.compared(vec![(Part::Main, Vec::new())]);
    let request = session.next(&mut world.replica).unwrap().unwrap();
    assert_eq!(request.path, "/v1/push");
    assert_eq!(session.summary().recovered, 1);
    assert_eq!(world.shown(world.record, "company_name"), "Acme");
    assert_eq!(world.replica.status().unwrap().waiting, 1);
    assert_eq!(world.replica.recovered().unwrap(), 1);
    // It is over: what is told of it once more changes nothing.
    world.replica.reset_cursor().unwrap();
    world.replica.take_frames(&[PullFrame::Hello(told())], false).unwrap();
    let asked = |world: &World| world.replica.pull_request(1).unwrap().is_cursor_lost;
    assert_eq!(asked(&world), Some(true), "for another reason than that recovery");
    let next = Some(Recovery { number: 2, is_closed: false });
    let next = PullFrame::Hello(Hello { recovery: next, ..greeting() });
    world.replica.take_frames(&[next], false).unwrap();
    assert_ne!(asked(&world), Some(true), "the server knows");
}

/// What lacks nothing of what is held, and what is not held at all, waits for nothing.
#[test]
fn what_a_pull_brings_of_what_lost_nothing_is_there_at_once() {
    let mut world = world();
    let (record, other) = (world.record, RecordId::new(2, [2; 10]));
    let mut theirs = world.state.clone();
    write(&mut theirs, 2, vec![put("short_name", "Theirs")]);
    let state = |record| document(record, Body::State(theirs.to_bytes()));
    let frames = vec![PullFrame::Hello(told()), state(record), state(other), end(Vec::new())];
    world.pull(frames).unwrap();
    for record in [record, other] {
        assert_eq!(world.shown(record, "short_name"), "Theirs");
    }
}

/// Simulated (`sync --seed 2000726 --steps 400`): a device that was rolled back used a number twice, and the server that was
/// put back had the other change by it. What came on top of that, as what had changed, was joined with the first.
#[test]
fn what_changed_on_top_of_another_change_by_the_same_number_is_not_joined() {
    let mut world = world();
    let record = world.record;
    let number = |state: &mut State, key: &str| {
        write(state, 3, vec![put(key, "Theirs")]);
    };
    let (mut known, mut theirs) = (world.state.clone(), world.state.clone());
    number(&mut known, "short_name");
    number(&mut theirs, "industry");
    let first = document(record, Body::State(known.to_bytes()));
    world.pull(vec![hello(), first, end(Vec::new())]).unwrap();
    let before = theirs.clone();
    write(&mut theirs, 4, vec![put("phone", "1")]);
    let delta = Body::Delta(theirs.delta(before.clock, ["phone"]).to_bytes());
    let mut session = {
        let frames = vec![
            PullFrame::Hello(told()),
            document(record, delta),
            end(vec![other_digest(Part::Main)]),
        ];
        let mut session = world.pull(frames).unwrap();
        let listed = DocumentId { record, part: Part::Main };
        let listed = digest::of_state(&listed, &theirs);
        assert_eq!(session.next(&mut world.replica).unwrap().unwrap().path, "/v1/check");
        let documents = vec![DocumentDigest { record, digest: listed }];
        let page = pack(&CheckResponse { backed_up: None, documents }).unwrap();
        session.receive(&mut world.replica, &mut page.as_slice()).unwrap();
        session
    };
    let frames = vec![document(record, Body::State(theirs.to_bytes()))];
    assert_eq!(world.fetched(&mut session, frames), [world.name()]);
    assert_eq!(world.shown(record, "industry"), "Theirs");
    assert_eq!(world.shown(record, "phone"), "1");
    assert_eq!(world.shown(record, "short_name"), "Theirs", "it is written anew");
}

/// A device asked for it in every conversation, for ever.
#[test]
fn what_is_damaged_here_and_lost_there_is_awaited_until_the_recovery_is_over() {
    let mut world = world();
    let (record, folder) = (world.record, world.replica.folder().to_owned());
    let disk = rusqlite::Connection::open(folder.join(DATABASE_FILE)).unwrap();
    disk.execute_batch("UPDATE document SET state = zeroblob(length(state))").unwrap();
    assert!(world.replica.get(record).is_err(), "it waits");
    let open = Hello { recovery: Some(Recovery { number: 1, is_closed: false }), ..greeting() };
    for (hello, awaited) in [(open, 1), (told(), 0)] {
        let frames = vec![PullFrame::Hello(hello), end(Vec::new())];
        let mut session = world.pull(frames).unwrap();
        assert_eq!(world.fetched(&mut session, Vec::new()), [world.name()]);
        world.finish(session);
        assert_eq!(world.replica.quarantined().unwrap().awaited, awaited);
    }
    assert!(world.replica.get(record).unwrap().is_none());
    let session = world.pull(vec![hello(), end(Vec::new())]).unwrap();
    assert_eq!(world.finish(session), [""; 0], "there is nothing to ask for");
    assert_eq!(world.replica.quarantined().unwrap().kept, 1, "what was found is kept aside");
    // It comes from somebody after all.
    let whole = document(record, Body::State(world.state.to_bytes()));
    world.pull(vec![hello(), whole, end(Vec::new())]).unwrap();
    world.check();
}

/// It goes up once more as it was, and is not written anew.
#[test]
fn what_a_device_wrote_itself_and_the_server_lacks_is_sent_again() {
    let mut world = world();
    let made = world.replica.create("customer", &fields(json!({ "company_name": "Mine" })));
    let made = made.unwrap();
    let sent = world.replica.outbox(10).unwrap().remove(0).hash;
    let applied = Answer { hash: sent, outcome: Outcome::Applied };
    let reached = Some(FeedPoint { position: 5, digest: [1; 16] });
    let response = PushResponse { reached, ..PushResponse::new(vec![applied]) };
    world.replica.take_push_response(&response).unwrap();
    let held =
        digest::of_state(&DocumentId { record: world.record, part: Part::Main }, &world.state);
    let mut session = world.compared(vec![(Part::Main, vec![(world.record, held)])]);
    let request = session.next(&mut world.replica).unwrap().unwrap();
    assert_eq!(request.path, "/v1/push");
    let asked: PushRequest = unpack(&request.body, MESSAGE_BYTES_MAX).unwrap();
    assert_eq!(asked.is_again, Some(true));
    let seen = asked.held.map(|held| (held.position, held.digest));
    assert_eq!(seen, Some((5, [1; 16])), "what its author had before their eyes");
    let changes = asked.groups.iter().flat_map(|group| &group.changes);
    let again: Vec<_> = changes.map(|change| crdt::header(&change.bytes).unwrap().hash).collect();
    assert_eq!(again, [sent]);
    let duplicate = Answer { hash: sent, outcome: Outcome::Duplicate };
    let answer = pack(&PushResponse::new(vec![duplicate])).unwrap();
    session.receive(&mut world.replica, &mut answer.as_slice()).unwrap();
    assert_eq!(world.shown(made, "company_name"), "Mine");
    assert_eq!(world.replica.status().unwrap().waiting, 0, "nothing is written anew");
}
