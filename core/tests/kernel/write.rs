//! Writing and applying: whatever is written can be read again by the server, numbers are used
//! once, and the bases of waiting changes follow what was acknowledged.

use std::collections::BTreeSet;

use outrider_core::{
    crdt::{
        EncodedChange, Own, State, WriteError,
        archive::{ARCHIVED, Archival},
        base::{Base, Pending, rewrite},
        decode, next_actor,
        op::{
            CHANGE_DEPS_MAX, CHANGE_OPS_MAX, MESSAGE_BYTES_MAX, OP_COUNTER_MAX, TIME_MS_MAX,
            TIME_MS_MIN, VALUE_BYTES_MAX,
        },
        state::Head,
        write,
    },
    ids::{ActorId, ChangeHash},
};

use super::{
    device::Device,
    world::{Peer, Server, actor, archived, put, stamp},
};

#[test]
fn a_clock_set_wrong_keeps_no_change_from_being_taken() {
    for (time_ms, expected) in [(i64::MAX, TIME_MS_MAX), (i64::MIN, TIME_MS_MIN), (5, 5)] {
        let at = stamp(actor(1, 0), time_ms);
        let encoded = write(&mut State::default(), &mut None, at, vec![put("name", "x")]).unwrap();
        assert_eq!(decode(&encoded.bytes).unwrap().change.time_ms, expected);
    }
}

#[test]
fn what_no_server_takes_is_not_written() {
    let mut state = State::default();
    let mut own = None;
    let mut long = stamp(actor(1, 0), 1);
    long.message = Some("x".repeat(MESSAGE_BYTES_MAX + 1));
    let mut refused = |stamp, edits| write(&mut state, &mut own, stamp, edits).unwrap_err();
    let by = || stamp(actor(1, 0), 1);
    assert_eq!(
        refused(long, vec![put("name", "x")]),
        WriteError::TooLarge { key: "message".into() }
    );
    assert_eq!(refused(by(), Vec::new()), WriteError::Empty);
    let twice = vec![put("name", "x"), put("name", "y")];
    assert_eq!(refused(by(), twice), WriteError::DuplicateKey("name".into()));
    let large = vec![put("name", "x".repeat(VALUE_BYTES_MAX + 1))];
    assert_eq!(refused(by(), large), WriteError::TooLarge { key: "name".into() });
    let full = (0..5).map(|n| put(format!("k{n}"), "x".repeat(VALUE_BYTES_MAX))).collect();
    assert_eq!(refused(by(), full), WriteError::DocumentFull);
    let many = (0..=CHANGE_OPS_MAX).map(|n| put(format!("k{n}"), 1)).collect();
    assert_eq!(refused(by(), many), WriteError::TooManyEdits { count: CHANGE_OPS_MAX + 1 });
    assert_eq!((state, own), (State::default(), None));
    // Numbers of operations, and what a change would have to follow.
    let at = |max_op| State { max_op, ..State::default() };
    let write_one = |mut state: State| {
        let written = write(&mut state, &mut None, by(), vec![put("name", "x")]);
        written.map(|encoded| encoded.change.start_op)
    };
    assert_eq!(write_one(at(OP_COUNTER_MAX - 2)), Ok(OP_COUNTER_MAX - 1));
    assert_eq!(write_one(at(OP_COUNTER_MAX - 1)), Err(WriteError::DocumentFull));
    let heads = (0..=CHANGE_DEPS_MAX).map(|n| {
        let hash = ChangeHash([&n.to_be_bytes()[..], &[0; 24]].concat().try_into().unwrap());
        Head { actor: actor(9, 0), seq: n as u64 + 1, hash }
    });
    let heads: Vec<Head> = heads.collect();
    let follows = |count: usize| State { heads: heads[..count].to_vec(), ..at(9) };
    assert_eq!(write_one(follows(CHANGE_DEPS_MAX + 1)), Err(WriteError::DocumentFull));
}

#[test]
fn every_reason_not_to_write_has_a_code_of_its_own() {
    let reasons = [
        WriteError::Empty,
        WriteError::DuplicateKey(String::new()),
        WriteError::TooManyEdits { count: 0 },
        WriteError::TooLarge { key: String::new() },
        WriteError::DocumentFull,
        WriteError::UnknownOwn(actor(1, 0)),
    ];
    let codes: BTreeSet<&str> = reasons.iter().map(WriteError::code).collect();
    assert_eq!(codes.len(), reasons.len());
}

#[test]
fn a_change_applied_twice_changes_nothing() {
    let mut one = Peer::new(actor(1, 0));
    let first = one.write(vec![put("name", "Ada")]);
    one.write(vec![put("name", "Bob")]);
    let before = one.state.clone();
    one.state.apply(&first);
    assert_eq!(one.state, before);
}

#[test]
fn numbers_are_used_once_after_a_restore() {
    let mut one = Peer::new(actor(1, 0));
    one.write(vec![put("name", "Ada")]);
    let backup = one.own;
    one.write(vec![put("name", "Bob")]);
    // The backup knows the first change as its last; the server sent the second back.
    let mut own: Option<Own> = backup;
    let again = write(&mut one.state, &mut own, stamp(one.actor, 1), vec![put("name", "x")]);
    assert_eq!(again, Err(WriteError::UnknownOwn(one.actor)));
    let fresh = next_actor(&one.state, own.as_ref(), one.actor, || [0, 0, 0, 7]);
    assert_eq!(fresh, actor(1, 7));
    write(&mut one.state, &mut own, stamp(fresh, 1), vec![put("name", "x")]).unwrap();
    assert_eq!(next_actor(&one.state, own.as_ref(), one.actor, || panic!("drawn")), fresh);
}

/// One device, its server, and two waiting changes of the same edits.
struct Desk {
    server: Server,
    confirmed: State,
    waiting: Vec<Pending>,
}

impl Desk {
    fn new(key: impl Fn(ActorId) -> String) -> Self {
        let mut peer = Peer::new(actor(1, 0));
        let key = key(peer.actor);
        let pending = |encoded: EncodedChange| {
            let mut base = Base::new(&State::default(), &encoded.change);
            // A store keeps no empty sets.
            base.replaced.clear();
            Pending { encoded, base, dropped: Default::default() }
        };
        let waiting = (1..=2).map(|n| pending(peer.write(vec![put(key.clone(), n)]))).collect();
        Self { server: Server::default(), confirmed: State::default(), waiting }
    }

    fn acknowledge(&mut self) {
        let first = self.waiting.remove(0);
        self.server.accept(&first.encoded);
        self.confirmed.apply(&first.encoded);
        self.waiting.iter_mut().for_each(|later| later.base.advance(&first.encoded));
    }

    fn refuse(&mut self, by: ActorId) {
        let rewritten = rewrite(&self.confirmed, &self.waiting, by).unwrap();
        for (waiting, new) in self.waiting.iter_mut().zip(rewritten.changes) {
            waiting.encoded = new.unwrap();
        }
    }
}

#[test]
fn a_value_acknowledged_before_a_refusal_is_replaced_and_no_conflict() {
    let mut desk = Desk::new(|_| "priority".to_owned());
    desk.acknowledge();
    desk.refuse(actor(1, 1));
    desk.acknowledge();
    assert_eq!(desk.server.state.survivors("priority").len(), 1);
}

#[test]
fn a_count_acknowledged_between_two_refusals_counts_once() {
    let mut desk = Desk::new(|by| format!("visits/{by}"));
    desk.refuse(actor(1, 1));
    desk.acknowledge();
    desk.refuse(actor(1, 2));
    desk.acknowledge();
    assert_eq!(desk.server.state.counter("visits"), 2);
}

/// A device that was rolled back uses a number again, and archives what it wrote by it: the first change by that
/// number, which the server has, the archiver had not seen.
#[test]
fn who_archives_by_a_number_that_is_two_changes_has_not_seen_the_other_one() {
    let mut server = Server::default();
    server.accept(&Peer::new(actor(9, 0)).write(vec![put("name", "Ada")]));
    let mut device = Device::new(1);
    device.pull(&server);
    let backup = device.clone();
    server.accept(
        &device.write(vec![put("name", "Bob"), put("priority", 3), put("amount", "CNY 1")], vec![]),
    );
    device = backup;
    let again = device.write(vec![put("priority", 4)], vec![]);
    let archiving = archived(&device.state).to_value();
    device.write(vec![put(ARCHIVED, archiving)], vec![]);
    assert!(server.state.clock.contains_key(&again.change.actor), "two changes by one number");
    // Device and server parted: the document is fetched whole, and what waits is written anew.
    device.confirmed = server.state.clone();
    device.refuse(BTreeSet::new());
    for (waiting, _) in &device.waiting {
        server.accept(&waiting.encoded);
    }
    assert!(
        matches!(server.state.archival(), Archival::Revived(_)),
        "the first change was not seen"
    );
    assert_eq!(device.state.keys, server.state.keys);
}

/// The same with the removal of a row, of which what was refused is not there any more.
#[test]
fn who_removes_by_a_number_that_is_two_changes_removes_nothing_of_the_other_one() {
    let mut server = Server::default();
    let note = |text: &str| put("lines/row0000000/note", text);
    server.accept(&Peer::new(actor(9, 0)).write(vec![put("name", "Ada"), note("old")]));
    let mut device = Device::new(1);
    device.pull(&server);
    let backup = device.clone();
    server.accept(&device.write(vec![put("lines/row0000000/qty", "7")], vec![]));
    device = backup;
    device.write(vec![note("refused"), put("priority", 4)], vec![]);
    let removal = device.state.delete_row("lines", "row0000000").unwrap();
    device.write(vec![removal], vec![]);
    device.confirmed = server.state.clone();
    device.refuse(["lines/row0000000/note".to_owned()].into());
    for (waiting, _) in &device.waiting {
        server.accept(&waiting.encoded);
    }
    let rows = server.state.rows("lines");
    assert_eq!(rows.len(), 1, "what the other change wrote there was not seen: {rows:?}");
    assert_eq!(device.state.keys, server.state.keys);
}

#[test]
fn nothing_is_written_anew_under_an_actor_that_has_written() {
    let mut desk = Desk::new(|_| "priority".to_owned());
    let used = rewrite(&desk.confirmed, &desk.waiting, actor(1, 0));
    assert_eq!(used, Err(WriteError::UnknownOwn(actor(1, 0))));
    desk.acknowledge();
    desk.refuse(actor(1, 1));
    let used = rewrite(&desk.confirmed, &desk.waiting, actor(1, 0));
    assert_eq!(used, Err(WriteError::UnknownOwn(actor(1, 0))));
}
