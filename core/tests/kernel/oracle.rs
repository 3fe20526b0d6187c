//! Automerge as the oracle: the same values, winners, conflicts, heads and bytes.

use outrider_core::crdt::{Delta, State, decode};

use super::{
    dice::{Dice, cases},
    world::{Peer, Server, actor, check_against, random_edits},
};

const PEERS: usize = 5;

/// Peers write and join at random; each step is compared with Automerge.
fn random_history(dice: &mut Dice, steps: usize) -> (Vec<Peer>, Server) {
    let mut peers: Vec<Peer> =
        (0..PEERS).map(|n| Peer::new(actor(dice.below(99) as u8, n as u32))).collect();
    let mut server = Server::default();
    let mut is_split = false;
    for _ in 0..steps {
        let (one, two) = (dice.below(PEERS), dice.below(PEERS));
        if dice.percent(10) {
            is_split = !is_split;
        }
        if dice.percent(60) {
            let edits = random_edits(dice, &peers[one].state, peers[one].actor);
            let (ours, theirs) = peers[one].write_both(edits);
            if let Some(theirs) = theirs {
                assert_eq!(ours.bytes, theirs, "the bytes that Automerge writes");
            }
            assert_eq!(decode(&ours.bytes).unwrap(), ours);
            server.accept(&ours);
        } else if !is_split || one % 2 == two % 2 {
            let other = peers[two].clone();
            peers[one].join(&other);
        }
        peers[one].check();
        let bytes = peers[one].state.to_bytes();
        assert_eq!(State::from_bytes(&bytes).unwrap(), peers[one].state);
        assert_eq!(State::from_bytes(&bytes).unwrap().to_bytes(), bytes);
    }
    (peers, server)
}

#[test]
fn three_thousand_histories_are_as_automerge_has_them() {
    cases(3_000, |dice| {
        let steps = 5 + dice.below(30);
        let (peers, server) = random_history(dice, steps);
        server.check();
        let mut all = State::default();
        peers.iter().for_each(|peer| all.join(&peer.state));
        assert_eq!(all, server.state, "the join of all is what applying all changes gives");
    });
}

#[test]
fn changes_in_another_order_give_the_same_document() {
    cases(500, |dice| {
        let (_, server) = random_history(dice, 20);
        let mut waiting = server.log.clone();
        let mut other = Server::default();
        while !waiting.is_empty() {
            // Some come before what they follow: these wait, and come again.
            let next = waiting.remove(dice.below(waiting.len()));
            let is_ready =
                next.change.deps.iter().all(|dep| other.log.iter().any(|known| known.hash == *dep));
            match other.push(&next) {
                outrider_core::crdt::gate::Verdict::Fits(_) => assert!(is_ready),
                outrider_core::crdt::gate::Verdict::Pending(missing) => {
                    assert!(!is_ready && missing.iter().all(|dep| next.change.deps.contains(dep)));
                    waiting.push(next);
                }
                verdict => panic!("{verdict:?}"),
            }
        }
        assert_eq!(other.state, server.state);
        check_against(&other.state, &server.exported());
    });
}

#[test]
fn deltas_bring_what_whole_states_bring() {
    cases(1_500, |dice| {
        let (peers, server) = random_history(dice, 20);
        let from = dice.below(server.log.len() + 1);
        let delta = server.delta_since(from);
        assert_eq!(Delta::from_bytes(&delta.to_bytes()).unwrap(), delta);
        for peer in peers {
            let (mut by_delta, mut by_whole) = (peer.state.clone(), peer.state.clone());
            by_whole.join(&server.state);
            match by_delta.join_delta(&delta) {
                outrider_core::crdt::DeltaOutcome::Joined => assert_eq!(by_delta, by_whole),
                outrider_core::crdt::DeltaOutcome::NeedsWhole => assert_eq!(by_delta, peer.state),
            }
            let covers = outrider_core::crdt::state::covers_clock(&peer.state.clock, &delta.base);
            assert_eq!(covers, by_delta == by_whole || by_delta != peer.state);
        }
    });
}
