//! Honest changes with one thing changed: whatever the gate lets through is sound.

use std::{cell::Cell, collections::BTreeSet};

use automerge::Automerge;
use outrider_core::crdt::{Action, Change, EncodedChange, OpId, decode, encode, gate::Verdict};

use super::{
    dice::{Dice, cases},
    world::{Peer, Server, actor, automerge_change, check_against, put, random_edits},
};

/// A change that is honest but for one thing.
fn mutate(dice: &mut Dice, change: &mut Change, server: &Server) {
    let known = |dice: &mut Dice| dice.pick(&server.log).clone();
    let op_at = dice.below(change.ops.len());
    match dice.below(12) {
        0 => change.seq = 1 + dice.below(6) as u64,
        1 => change.start_op = 1 + dice.below(60) as u64,
        2 => change.actor = known(dice).change.actor,
        3 => change.deps.push(known(dice).hash),
        4 if !change.deps.is_empty() => drop(change.deps.remove(dice.below(change.deps.len()))),
        5 => change.deps = vec![known(dice).hash],
        6 => {
            let past = known(dice).change;
            let ids: Vec<OpId> = past.ops_with_ids().map(|(id, _)| id).collect();
            change.ops[op_at].pred.push(*dice.pick(&ids));
        }
        7 => {
            // Any operation of the same key, also a replaced one.
            let key = change.ops[op_at].key.clone();
            let changes = server.log.iter().flat_map(|encoded| encoded.change.ops_with_ids());
            let same: Vec<OpId> =
                changes.filter(|(_, op)| op.key == key).map(|(id, _)| id).collect();
            if !same.is_empty() {
                change.ops[op_at].pred.push(*dice.pick(&same));
            }
        }
        8 => change.ops[op_at].pred.clear(),
        9 => change.ops[op_at].key = known(dice).change.ops[0].key.clone(),
        10 => change.ops[op_at].action = Action::Delete,
        _ => {
            let past = known(dice);
            change.deps = past.change.deps;
            change.start_op = past.change.start_op;
            change.seq = past.change.seq;
        }
    }
}

#[test]
fn what_passes_out_of_seventy_thousand_mutated_changes_is_sound() {
    let (tried, passed) = (Cell::new(0), Cell::new(0));
    cases(2_500, |dice| {
        let mut peers: Vec<Peer> = (0..5).map(|n| Peer::new(actor(n, 0))).collect();
        let mut server = Server::default();
        for _ in 0..30 {
            tried.set(tried.get() + 1);
            let (at, from) = (dice.below(5), dice.below(5));
            let other = peers[from].state.clone();
            peers[at].state.join(&other);
            if dice.percent(25) {
                peers[at].state.join(&server.state);
            }
            let Some((mut encoded, after)) = honest(dice, &peers[at]) else { continue };
            let mut keys = BTreeSet::new();
            if dice.percent(70) && !server.log.is_empty() {
                for _ in 0..=dice.below(2) {
                    mutate(dice, &mut encoded.change, &server);
                }
                encoded = encode(encoded.change);
            }
            let is_new = encoded.change.ops.iter().all(|op| keys.insert(op.key.clone()));
            let Ok(decoded) = decode(&encoded.bytes) else { continue };
            assert!(is_new, "the decoder lets no key through twice");
            if matches!(server.push(&decoded), Verdict::Fits(_)) {
                passed.set(passed.get() + 1);
                if decoded == after.1 {
                    peers[at] = after.0;
                }
            }
        }
        check_everywhere(dice, &server);
    });
    let (tried, passed) = (tried.get(), passed.get());
    assert!(passed > tried / 4, "only {passed} of {tried} passed");
}

/// What a peer writes next, and the peer after it; none if its last change was not let through.
fn honest(dice: &mut Dice, peer: &Peer) -> Option<(EncodedChange, (Peer, EncodedChange))> {
    let mut after = peer.clone();
    let known = after.state.clock.get(&after.actor).map(|seen| seen.seq);
    if known != after.own.map(|own| own.seq) {
        // A mutated change was let through under this actor: it cannot go on.
        return None;
    }
    let edits = random_edits(dice, &after.state, after.actor);
    let encoded = after.write(edits);
    Some((encoded.clone(), (after, encoded)))
}

/// Saves and reloads what passed, in this order and in another that respects dependencies, goes
/// on writing in it, and compares.
fn check_everywhere(dice: &mut Dice, server: &Server) {
    server.check();
    let mut one_by_one = Automerge::new();
    let mut waiting = server.log.clone();
    while !waiting.is_empty() {
        let next = waiting.remove(dice.below(waiting.len()));
        one_by_one.apply_changes([automerge_change(&next)]).unwrap();
    }
    check_against(&server.state, &one_by_one);
    let mut device = Peer::new(actor(99, 0));
    device.state.join(&server.state);
    device.doc = Automerge::load(&one_by_one.save()).unwrap();
    device.doc.set_actor(automerge::ActorId::from(device.actor.0));
    device.write_both(vec![put("name", "after all")]);
    device.check();
}
