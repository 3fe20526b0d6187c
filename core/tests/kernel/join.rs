//! Joins and bytes of states: laws, limits, and bytes that nobody wrote.

use std::cell::Cell;

use outrider_core::{
    crdt::{
        Delta, DeltaOutcome, OpId, State,
        op::VALUE_BYTES_MAX,
        state::{DOCUMENT_KEYS_MAX, Seen, Survivor},
        wire::{StateError, clock_from_bytes, clock_to_bytes},
    },
    value::Value,
};

use super::{
    dice::{Dice, cases},
    world::{Peer, actor, check_invariants, put, random_edits},
};

/// States of peers that wrote and met at random.
fn states(dice: &mut Dice) -> Vec<State> {
    let mut peers: Vec<Peer> = (0..5).map(|n| Peer::new(actor(n, 0))).collect();
    for _ in 0..25 {
        let (one, two) = (dice.below(5), dice.below(5));
        if dice.percent(60) {
            let edits = random_edits(dice, &peers[one].state, peers[one].actor);
            peers[one].write(edits);
        } else {
            let other = peers[two].state.clone();
            peers[one].state.join(&other);
        }
    }
    peers.into_iter().map(|peer| peer.state).collect()
}

fn joined(one: &State, two: &State) -> State {
    let mut state = one.clone();
    state.join(two);
    state
}

#[test]
fn joins_are_commutative_associative_and_idempotent() {
    cases(4_000, |dice| {
        let states = states(dice);
        let [a, b, c] = [0; 3].map(|_| dice.pick(&states).clone());
        assert_eq!(joined(&a, &b), joined(&b, &a));
        assert_eq!(joined(&joined(&a, &b), &c), joined(&a, &joined(&b, &c)));
        assert_eq!(joined(&a, &a), a);
        assert_eq!(joined(&joined(&a, &b), &b), joined(&a, &b));
        check_invariants(&joined(&a, &b));
        assert!(!a.is_parted(&b) && !b.is_parted(&a), "nobody wrote a number twice");
    });
}

#[test]
fn a_delta_needs_its_base() {
    let mut writer = Peer::new(actor(1, 0));
    writer.write(vec![put("name", "Ada"), put("priority", 1)]);
    let base = writer.state.clone();
    writer.write(vec![put("name", "Bob")]);
    let delta = writer.state.delta(base.clock.clone(), ["name"]);
    let mut stranger = Peer::new(actor(2, 0)).state;
    assert_eq!(stranger.join_delta(&delta), DeltaOutcome::NeedsWhole);
    assert_eq!(stranger, State::default());
    let mut reader = base;
    assert_eq!(reader.join_delta(&delta), DeltaOutcome::Joined);
    assert_eq!(reader.join_delta(&delta), DeltaOutcome::Joined);
    assert_eq!(reader, writer.state);
}

/// What a server says of an actor's last operation is where its next change begins, less one: behind
/// operations of others that it had seen. Devices fetched every such record whole.
#[test]
fn a_base_says_what_an_operation_was_at_most() {
    let mut writer = Peer::new(actor(1, 0));
    writer.write(vec![put("name", "Ada")]);
    let reader = writer.state.clone();
    let mut base = reader.clock.clone();
    writer.write(vec![put("name", "Bob")]);
    let last = base.get_mut(&actor(1, 0)).unwrap();
    last.op += 7;
    let delta = writer.state.delta(base.clone(), ["name"]);
    assert_eq!(reader.clone().join_delta(&delta), DeltaOutcome::Joined);
    // A copy of this device wrote more under this number.
    base.get_mut(&actor(1, 0)).unwrap().op -= 8;
    let delta = writer.state.delta(base, ["name"]);
    assert_eq!(reader.clone().join_delta(&delta), DeltaOutcome::NeedsWhole);
}

#[test]
fn a_delta_carries_keys_that_are_empty_now() {
    let mut writer = Peer::new(actor(1, 0));
    writer.write(vec![put("tags/vip", true)]);
    let mut reader = writer.state.clone();
    let base = writer.state.clock.clone();
    writer.write(vec![super::world::delete("tags/vip")]);
    let delta = writer.state.delta(base, ["tags/vip"]);
    let delta = Delta::from_bytes(&delta.to_bytes()).unwrap();
    assert_eq!(reader.join_delta(&delta), DeltaOutcome::Joined);
    assert_eq!(reader, writer.state);
    assert!(State::from_bytes(&delta.to_bytes()).is_err());
    assert!(Delta::from_bytes(&writer.state.to_bytes()).is_err());
}

#[test]
fn two_full_documents_joined_can_be_read_again() {
    let full = |enrolment: u8| {
        let mut peer = Peer::new(actor(enrolment, 0));
        let edits = (0..DOCUMENT_KEYS_MAX).map(|n| put(format!("stages/{enrolment}{n:09}"), "{}"));
        peer.write(edits.collect());
        peer.state
    };
    let state = joined(&full(1), &full(2));
    assert_eq!(State::from_bytes(&state.to_bytes()).unwrap(), state);
    let over = joined(&state, &full(3));
    assert!(State::from_bytes(&over.to_bytes()).is_err());
}

#[test]
fn a_later_version_is_named() {
    let mut bytes = State::default().to_bytes();
    bytes[1] = 2;
    assert_eq!(State::from_bytes(&bytes), Err(StateError::Version(2)));
}

#[test]
fn what_no_state_has_is_not_read() {
    let survivor = |value: Value| Survivor { id: OpId { counter: 1, actor: actor(1, 0) }, value };
    let mut one = Peer::new(actor(1, 0));
    one.write(vec![put("name", "Ada")]);
    let read = |ops: Vec<Survivor>| {
        let keys = [("name".to_owned(), ops)].into();
        let state = State { keys, ..one.state.clone() };
        State::from_bytes(&state.to_bytes()).map(drop)
    };
    let largest = "x".repeat(VALUE_BYTES_MAX);
    assert_eq!(read(vec![survivor(largest.as_str().into())]), Ok(()));
    let broken = |why| Err(StateError::Broken(why));
    assert_eq!(
        read(vec![survivor(format!("{largest}x").as_str().into())]),
        broken("size of a value")
    );
    assert_eq!(read(Vec::new()), broken("a key without values"));
}

/// A document that begins anew has nothing in common with what it was: numbers are used again.
#[test]
fn generations_are_not_parted() {
    let mut one = Peer::new(actor(1, 0));
    let mut twin = one.clone();
    one.write(vec![put("name", "one")]);
    twin.write(vec![put("name", "two")]);
    assert_eq!(one.state.parted_actors(&twin.state).into_iter().collect::<Vec<_>>(), [one.actor]);
    twin.state.generation += 1;
    assert!(one.state.parted_actors(&twin.state).is_empty());
}

/// Simulated (`sync --seed 60001022 --steps 400`): a device that was rolled back, and a server that was put back,
/// had another change under one number, and others followed both.
#[test]
fn a_number_that_is_two_changes_shows_by_its_operations() {
    let mut one = Peer::new(actor(1, 0));
    let mut twin = one.clone();
    one.write(vec![put("name", "one")]);
    twin.write(vec![put("priority", 2)]);
    for (peer, follower) in [(&mut one, 2), (&mut twin, 3)] {
        let mut other = Peer::new(actor(follower, 0));
        other.join(peer);
        other.write(vec![put("industry", "retail")]);
        peer.join(&other);
    }
    for (mine, theirs) in [(&one, &twin), (&twin, &one)] {
        let parted = mine.state.parted_actors(&theirs.state);
        assert_eq!(parted.into_iter().collect::<Vec<_>>(), [one.actor]);
        assert!(mine.state.is_parted(&theirs.state));
    }
}

/// What one of the two wrote is replaced: which actor it was does not show, but that they will not meet does.
#[test]
fn who_has_seen_everything_and_holds_what_was_replaced_here_parted() {
    let mut one = Peer::new(actor(1, 0));
    let mut twin = one.clone();
    one.write(vec![put("name", "one")]);
    twin.write(vec![put("priority", 2)]);
    let mut other = Peer::new(actor(2, 0));
    other.join(&one);
    let replacing = other.write(vec![put("name", "other")]);
    one.join(&other);
    twin.state.apply(&replacing);
    assert_eq!(one.state.clock, twin.state.clock);
    assert!(one.state.parted_actors(&twin.state).is_empty());
    assert!(one.state.is_parted(&twin.state));
    let unaware = Peer::new(actor(3, 0));
    assert!(
        !one.state.is_parted(&unaware.state),
        "who has not seen all may hold what was replaced"
    );
}

#[test]
fn clocks_come_back_and_bad_ones_do_not() {
    let clock = [(actor(1, 0), Seen { seq: 2, op: 9 })].into();
    let mut bytes = clock_to_bytes(&clock);
    assert_eq!(clock_from_bytes(&bytes).unwrap(), clock);
    bytes.push(0);
    assert!(clock_from_bytes(&bytes).is_err());
    for seen in [Seen { seq: 0, op: 1 }, Seen { seq: 2, op: 1 }] {
        assert!(clock_from_bytes(&clock_to_bytes(&[(actor(1, 0), seen)].into())).is_err());
    }
}

/// Changes a few bytes: flips, cuts, repeats, numbers of CBOR.
fn damage(dice: &mut Dice, bytes: &mut Vec<u8>) {
    for _ in 0..=dice.below(3) {
        let at = dice.below(bytes.len());
        match dice.below(6) {
            0 => bytes[at] ^= 1 << dice.below(8),
            1 => bytes[at] = dice.next() as u8,
            2 => bytes.truncate(at + 1),
            3 => bytes.insert(at, dice.next() as u8),
            4 => bytes[at] = bytes[at].wrapping_add(1),
            _ => drop(bytes.remove(at)),
        }
        if bytes.is_empty() {
            bytes.push(0);
        }
    }
}

#[test]
fn damaged_bytes_do_not_panic_and_what_is_read_is_a_state() {
    let (tried, read) = (Cell::new(0), Cell::new(0));
    cases(1_000, |dice| {
        let states = states(dice);
        for _ in 0..100 {
            tried.set(tried.get() + 1);
            let mut bytes = dice.pick(&states).to_bytes();
            damage(dice, &mut bytes);
            let Ok(mut state) = State::from_bytes(&bytes) else { continue };
            read.set(read.get() + 1);
            check_invariants(&state);
            assert_eq!(State::from_bytes(&state.to_bytes()).unwrap(), state);
            // Joined with what is true it can still be read and shown.
            state.join(dice.pick(&states));
            check_invariants(&state);
            assert!(State::from_bytes(&state.to_bytes()).is_ok());
            let _ = (state.rows("lines"), state.archival(), state.counter("visits"));
        }
    });
    let (tried, read) = (tried.get(), read.get());
    assert!(read > tried / 100, "only {read} of {tried} were read");
}

#[test]
fn damaged_deltas_do_not_panic() {
    cases(500, |dice| {
        let states = states(dice);
        let (from, to) = (dice.pick(&states).clone(), dice.pick(&states).clone());
        let keys: Vec<&str> = to.keys.keys().map(String::as_str).collect();
        let delta = to.delta(from.clock.clone(), keys);
        for _ in 0..50 {
            let mut bytes = delta.to_bytes();
            damage(dice, &mut bytes);
            let Ok(delta) = Delta::from_bytes(&bytes) else { continue };
            let mut state = from.clone();
            state.join_delta(&delta);
            check_invariants(&state);
        }
    });
}
