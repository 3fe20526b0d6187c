//! Exports: whole histories in any order, nothing else.

use automerge::{Automerge, ROOT, ReadDoc as _};
use outrider_core::crdt::{
    EncodedChange,
    export::{ExportError, export},
};

use super::{
    dice::cases,
    world::{Peer, actor, check_against, put, random_edits},
};

/// A peer and every change of its history, its own and another's.
fn history() -> (Peer, Vec<EncodedChange>) {
    let (mut one, mut two) = (Peer::new(actor(1, 0)), Peer::new(actor(2, 0)));
    let mut log = vec![one.write(vec![put("name", "Ada")])];
    two.state.join(&one.state);
    log.push(two.write(vec![put("name", "Bob")]));
    log.push(one.write(vec![put("name", "Cleo"), put("amount", "CNY 5")]));
    one.state.join(&two.state);
    log.push(one.write(vec![put("priority", 2)]));
    (one, log)
}

fn exported(log: &[EncodedChange]) -> Result<Vec<u8>, ExportError> {
    export(log.iter().map(|encoded| encoded.bytes.as_slice()))
}

#[test]
fn an_export_opens_in_automerge_with_the_same_values() {
    let (peer, mut log) = history();
    for _ in 0..log.len() {
        log.rotate_left(1);
        check_against(&peer.state, &Automerge::load(&exported(&log).unwrap()).unwrap());
    }
}

#[test]
fn random_histories_are_exported_in_any_order() {
    cases(300, |dice| {
        let mut peer = Peer::new(actor(1, 0));
        let mut log = Vec::new();
        for _ in 0..10 {
            let edits = random_edits(dice, &peer.state, peer.actor);
            log.insert(dice.below(log.len() + 1), peer.write(edits));
        }
        check_against(&peer.state, &Automerge::load(&exported(&log).unwrap()).unwrap());
    });
}

#[test]
fn an_incomplete_history_is_refused() {
    let (_, log) = history();
    for missing in 0..log.len() - 1 {
        let mut log = log.clone();
        log.remove(missing);
        assert!(matches!(exported(&log), Err(ExportError::Incomplete { .. })), "{missing}");
    }
}

#[test]
fn a_damaged_change_is_refused() {
    let (_, log) = history();
    for at in 0..log.len() {
        for place in 0..log[at].bytes.len() {
            let mut log = log.clone();
            log[at].bytes[place] ^= 1;
            assert!(matches!(exported(&log), Err(ExportError::Damaged(_))), "{at} {place}");
        }
    }
}

#[test]
fn a_change_given_twice_counts_once() {
    let (peer, mut log) = history();
    log.push(log[0].clone());
    check_against(&peer.state, &Automerge::load(&exported(&log).unwrap()).unwrap());
}

#[test]
fn an_empty_history_is_an_empty_document() {
    let doc = Automerge::load(&exported(&[]).unwrap()).unwrap();
    assert_eq!(doc.keys(ROOT).count(), 0);
}
