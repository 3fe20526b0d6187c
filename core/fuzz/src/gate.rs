//! The gate: bytes choose who writes what on top of what, and what is wrong with it; whatever is let
//! through loads in Automerge, in any order of arrival, and goes on living.

use automerge::Automerge;
use outrider_core::crdt::{Delta, EncodedChange, State, decode, gate::Verdict};

use crate::lies;

mod dice {
    pub(crate) use crate::choices::Dice;
}
/// The peers and the server of the kernel's own tests.
#[allow(
    dead_code,
    clippy::wildcard_enum_match_arm,
    reason = "the tests use what is not used here, and match as tests may"
)]
#[path = "../../tests/kernel/world.rs"]
mod world;

use dice::Dice;
use world::{Peer, Server, actor, automerge_change, check_against, put, random_edits};

/// Changes that are written, at most.
const STEPS_MAX: usize = 40;
/// Peers.
const PEERS: usize = 4;

/// Plays the choices.
pub fn run(data: &[u8]) {
    let mut dice = Dice::of(data);
    let mut peers: Vec<Peer> = (0..PEERS as u8).map(|n| Peer::new(actor(n, 0))).collect();
    let mut server = Server::default();
    for _ in 0..STEPS_MAX {
        if dice.is_empty() {
            break;
        }
        meet(&mut dice, &mut peers, &server);
        let at = dice.below(PEERS);
        let Some((encoded, after)) = honest(&mut dice, &peers[at]) else { continue };
        let Some(arrived) = lies::spoil(&mut dice, &encoded, &server.log) else { continue };
        let Ok(decoded) = decode(&arrived) else { continue };
        let verdict = server.push(&decoded);
        let seen = server.state.clock.get(&encoded.change.actor).map_or(0, |seen| seen.seq);
        if arrived == encoded.bytes && seen + 1 == encoded.change.seq {
            check_honest(&verdict);
        }
        if matches!(verdict, Verdict::Fits(_)) && decoded == encoded {
            peers[at] = after;
        }
    }
    check(&mut dice, &server, &peers);
}

/// What the kernel wrote in its turn may say what may not be said, but its place is right.
fn check_honest(verdict: &Verdict) {
    let Verdict::Refused(refusal) = verdict else {
        panic!("{verdict:?}");
    };
    let said = ["entry_is_final", "written_once", "document_full", "office_owned"];
    assert!(said.contains(&refusal.code.as_str()), "{refusal:?}");
}

/// Some peers learn of others, and of the server.
fn meet(dice: &mut Dice, peers: &mut [Peer], server: &Server) {
    match dice.below(4) {
        0 => {
            let (at, from) = (dice.below(PEERS), dice.below(PEERS));
            let other = peers[from].state.clone();
            peers[at].state.join(&other);
        }
        1 => peers[dice.below(PEERS)].state.join(&server.state),
        _ => {}
    }
}

/// What a peer writes next, and the peer after it; none if something else is there in its name.
fn honest(dice: &mut Dice, peer: &Peer) -> Option<(EncodedChange, Peer)> {
    let mut after = peer.clone();
    let known = after.state.clock.get(&after.actor).map(|seen| seen.seq);
    if known != after.own.map(|own| own.seq) {
        return None;
    }
    let edits = random_edits(dice, &after.state, after.actor);
    let encoded = after.write(edits);
    Some((encoded, after))
}

/// Saves and reloads what passed, in this order and in another, goes on writing in it, and compares.
fn check(dice: &mut Dice, server: &Server, peers: &[Peer]) {
    server.check();
    let mut waiting = server.log.clone();
    let mut one_by_one = Automerge::new();
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
    check_join(server, peers);
}

/// What devices hold joins in any order, and survives a journey.
fn check_join(server: &Server, peers: &[Peer]) {
    let mut forth = server.state.clone();
    peers.iter().for_each(|peer| forth.join(&peer.state));
    let mut back = State::default();
    peers.iter().rev().for_each(|peer| back.join(&peer.state));
    back.join(&server.state);
    assert_eq!(forth, back, "joins in another order");
    assert_eq!(State::from_bytes(&forth.to_bytes()).unwrap(), forth);
    let delta = server.delta_since(server.log.len() / 2);
    assert_eq!(Delta::from_bytes(&delta.to_bytes()).unwrap(), delta);
}

/// Choices of several kinds: honest ones, lies, damage.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut noise = 7_u64;
    let mut bytes = |count: usize| -> Vec<u8> {
        std::iter::repeat_with(|| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (noise >> 56) as u8
        })
        .take(count)
        .collect()
    };
    [40, 200, 400, 800].into_iter().map(&mut bytes).collect()
}
