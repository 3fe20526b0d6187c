//! Re-rooting: the new generation replaces the old one, and nothing of the old comes back.

use automerge::Automerge;
use outrider_core::{
    crdt::{
        Delta, DeltaOutcome, EncodedChange, State, WriteError,
        archive::{ARCHIVED, Archival},
        decode,
        gate::{Refusal, Verdict},
        next_actor,
        reroot::{Rerooted, reroot, reroot_with},
        state::DOCUMENT_BYTES_MAX,
        write,
    },
    ids::ActorId,
};

use super::{
    dice::cases,
    world::{
        Peer, Server, actor, archived, automerge_change, check_against, delete, put, random_edits,
        stamp,
    },
};

const OFFICE: u8 = 200;

fn office() -> ActorId {
    actor(OFFICE, 0)
}

fn rerooted(state: &State) -> Rerooted {
    reroot(state, stamp(office(), 77), |_| true).unwrap()
}

fn opened(encoded: &EncodedChange) -> Automerge {
    let mut doc = Automerge::new();
    doc.apply_changes([automerge_change(encoded)]).unwrap();
    Automerge::load(&doc.save()).unwrap()
}

/// What only a newer app can read is kept as it is, by rerooting and by writing anew.
#[test]
fn an_archiving_that_is_not_understood_stays() {
    let mut one = Peer::new(actor(1, 0));
    one.write(vec![put(ARCHIVED, "later")]);
    let shown = |state: &State| state.register(ARCHIVED).unwrap().winner.value.clone();
    assert_eq!(shown(&rerooted(&one.state).state), "later".into());
}

#[test]
fn the_new_generation_replaces_the_old_one_in_any_order() {
    cases(500, |dice| {
        let mut peers: Vec<Peer> = (1..4).map(|n| Peer::new(actor(n, 0))).collect();
        for _ in 0..12 {
            let (one, two) = (dice.below(3), dice.below(3));
            let edits = random_edits(dice, &peers[one].state, peers[one].actor);
            peers[one].write(edits);
            let other = peers[two].state.clone();
            peers[one].state.join(&other);
        }
        let Rerooted { state: new, change, own } = rerooted(&peers[0].state);
        let Some(change) = change else { return assert!(new.keys.is_empty()) };
        assert_eq!(decode(&change.bytes).unwrap(), change);
        assert!(change.change.deps.is_empty());
        assert_eq!(own.unwrap().hash, change.hash);
        check_against(&new, &opened(&change));
        // The same shows, one value for each key.
        for (key, ops) in &new.keys {
            let old = peers[0].state.register(key).unwrap().winner;
            assert_eq!(ops.len(), 1);
            assert!(ops[0].value == old.value || key == ARCHIVED, "{key}");
        }
        let rows =
            |state: &State| state.rows("lines").iter().map(|r| r.id.to_owned()).collect::<Vec<_>>();
        assert_eq!(rows(&new), rows(&peers[0].state));
        assert_eq!(kind(&new), kind(&peers[0].state));
        for (first, second, third) in [(0, 1, 2), (2, 0, 1), (1, 2, 0)] {
            let states = [&peers[1].state, &peers[2].state, &new];
            let mut end = states[first].clone();
            end.join(states[second]);
            end.join(states[third]);
            assert_eq!(end, new);
        }
    });
}

fn kind(state: &State) -> u8 {
    match state.archival() {
        Archival::Active => 0,
        Archival::Archived(_) => 1,
        Archival::Revived(_) => 2,
    }
}

#[test]
fn an_archived_record_stays_archived_until_somebody_writes() {
    let mut peer = Peer::new(actor(1, 0));
    peer.write(vec![put("name", "Ada"), put("priority", 1)]);
    let value = archived(&peer.state).to_value();
    peer.write(vec![put(ARCHIVED, value)]);
    let Rerooted { mut state, .. } = rerooted(&peer.state);
    assert_eq!(kind(&state), 1);
    // An actor of the old generation counts from low numbers again.
    write(&mut state, &mut None, stamp(actor(1, 1), 1), vec![put("name", "Bob")]).unwrap();
    assert_eq!(kind(&state), 2);
}

#[test]
fn deltas_of_an_old_generation_change_nothing() {
    let mut peer = Peer::new(actor(1, 0));
    peer.write(vec![put("name", "Ada")]);
    let Rerooted { state: new, .. } = rerooted(&peer.state);
    let base = peer.state.clock.clone();
    peer.write(vec![put("name", "Bob")]);
    let delta = peer.state.delta(base, ["name"]);
    let mut state = new.clone();
    assert_eq!(state.join_delta(&delta), DeltaOutcome::Joined);
    assert_eq!(state, new);
    let later = Delta { base: Default::default(), state: new };
    assert_eq!(peer.state.clone().join_delta(&later), DeltaOutcome::NeedsWhole);
}

#[test]
fn the_beginning_of_an_erased_past_does_not_come_back() {
    let mut peer = Peer::new(actor(1, 0));
    let first = peer.write(vec![put("name", "Ada")]);
    let Rerooted { state, change, .. } =
        reroot(&peer.state, stamp(office(), 1), |key| key != "name").unwrap();
    assert!(change.is_none() && state.keys.is_empty() && state.generation == 1);
    let mut server = Server { state, ..Server::default() };
    let erased = Verdict::Refused(Refusal::whole("erased"));
    assert_eq!(server.push(&first), erased);
    peer.write(vec![put("priority", 1)]);
    server.state = rerooted(&peer.state).state;
    assert_eq!(server.push(&first), erased);
}

#[test]
fn nobody_uses_his_numbers_again_in_the_new_generation() {
    let mut peer = Peer::new(actor(1, 0));
    peer.write(vec![put("name", "Ada"), put(format!("visits/{}", peer.actor), 3)]);
    let Rerooted { state: new, change, .. } = rerooted(&peer.state);
    let mut server = Server::default();
    server.state.generation = 1;
    server.history.insert(change.unwrap(), &Default::default());
    server.state = new.clone();
    peer.state.join(&new);
    let refused =
        write(&mut peer.state, &mut peer.own, stamp(peer.actor, 1), vec![put("name", "x")]);
    assert_eq!(refused, Err(WriteError::UnknownOwn(peer.actor)));
    peer.actor = next_actor(&peer.state, peer.own.as_ref(), peer.actor, || [0, 0, 0, 9]);
    assert_eq!(peer.actor, actor(1, 9));
    let key = format!("visits/{}", peer.actor);
    server.accept(&peer.write(vec![put(key, 1), put("name", "Bob")]));
    assert_eq!(server.state.counter("visits"), 4);
}

#[test]
fn where_another_value_shows_that_one_remains() {
    let (mut one, mut two) = (Peer::new(actor(1, 0)), Peer::new(actor(2, 0)));
    one.write(vec![put("signed_by", "early"), put("name", "a")]);
    two.write(vec![put("signed_by", "late"), put("name", "b")]);
    one.state.join(&two.state);
    let choose = |key: &str| key == "signed_by";
    let new = reroot_with(&one.state, stamp(office(), 1), |key, ops| {
        if choose(key) { ops.first() } else { ops.last() }
    });
    let state = new.unwrap().state;
    assert_eq!(state.once("signed_by").unwrap().value, "early".into());
    assert_eq!(state.register("name").unwrap().winner.value, "b".into());
}

#[test]
fn a_full_document_can_begin_again() {
    let mut peer = Peer::new(actor(1, 0));
    let mut n = 0;
    while peer.state.size_bytes() + 300 < DOCUMENT_BYTES_MAX {
        let many = (0..40).map(|at| put(format!("lines/{:010}/qty", n + at), "x".repeat(120)));
        let edits: Vec<_> = many.collect();
        if write(&mut peer.state, &mut peer.own, stamp(peer.actor, 1), edits).is_err() {
            break;
        }
        n += 40;
    }
    assert!(peer.state.size_bytes() + 40 * 148 > DOCUMENT_BYTES_MAX);
    let change = rerooted(&peer.state).change.unwrap();
    assert_eq!(decode(&change.bytes).unwrap(), change);
}

#[test]
fn a_deleted_row_is_gone_for_good() {
    let mut peer = Peer::new(actor(1, 0));
    peer.write(vec![put("lines/row0000000/qty", "1"), put("lines/row1111111/qty", "2")]);
    let gone = peer.state.delete_row("lines", "row0000000").unwrap();
    peer.write(vec![gone, put("tags/vip", true)]);
    peer.write(vec![delete("tags/vip")]);
    let keys: Vec<String> = rerooted(&peer.state).state.keys.into_keys().collect();
    assert_eq!(keys, ["lines/row1111111/qty"]);
}
