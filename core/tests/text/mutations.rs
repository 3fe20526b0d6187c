//! Random writers and random damage: whatever is taken loads in any order and goes on living.

use automerge::legacy;
use outrider_core::{
    crdt::{TextDocument, TextError, header, text::accept},
    ids::ActorId,
};
use sha2::{Digest as _, Sha256};

use super::{
    dice::Dice,
    sly::{Sly, edit},
};

const ROUNDS: usize = 4_000;

/// Three writers who edit apart and meet now and then; the server's text of it.
fn history(dice: &mut Dice, steps: usize) -> TextDocument {
    let mut server = Vec::new();
    let mut replicas = vec![TextDocument::new().unwrap(); 3];
    for _ in 0..steps {
        let at = dice.below(3);
        let length = replicas[at].text().unwrap().chars().count();
        let place = dice.below(length + 1);
        let delete = dice.below(4).min(length - place);
        let insert = ["", "a", "城", "one two", "👩‍🌾"][dice.below(5)];
        let actor = ActorId([at as u8 + 1; 16]);
        if let Some(change) = replicas[at].splice(actor, 9, place, delete, insert).unwrap() {
            server = accept(&server, &change.bytes).unwrap().saved;
        }
        if dice.below(3) == 0 && !server.is_empty() {
            replicas[at] = TextDocument::load(&server).unwrap();
        }
    }
    if server.is_empty() {
        TextDocument::new().unwrap()
    } else {
        TextDocument::load(&server).unwrap()
    }
}

/// Checks that a text loads from its changes in another order, and takes an edit.
fn check_alive(saved: &[u8]) {
    let mut document = TextDocument::load(saved).unwrap();
    let mut changes = document.changes_since(&[]).unwrap();
    changes.reverse();
    let bytes: Vec<_> = changes.iter().map(|change| &change.bytes).collect();
    let again = TextDocument::from_changes(&bytes).unwrap();
    assert_eq!(again.text(), document.text());
    assert_eq!(again.heads(), document.heads());
    let change = edit(&mut document, ActorId([8; 16]), "and on it goes");
    assert_eq!(accept(saved, &change.bytes).unwrap().text, "and on it goes");
}

#[test]
fn random_writers_end_with_texts_that_load_in_any_order() {
    let mut dice = Dice::new();
    for _ in 0..30 {
        check_alive(&history(&mut dice, 25).save());
    }
}

#[test]
fn damaged_changes_never_panic_and_what_is_taken_lives_on() {
    let mut dice = Dice::new();
    let (mut taken, mut tried) = (0, 0);
    for _ in 0..20 {
        let mut document = history(&mut dice, 12);
        let saved = document.save();
        let text = document.text().unwrap();
        let honest = edit(&mut document, ActorId([2; 16]), &format!("so {text}!"));
        for _ in 0..ROUNDS / 20 {
            let mut bytes = honest.bytes.clone();
            for _ in 0..=dice.below(2) {
                let at = 11 + dice.below(bytes.len() - 11);
                match dice.below(3) {
                    0 => bytes[at] ^= 1 << dice.below(8),
                    1 => bytes[at] = [0, 1, 2, 3, 0x7f][dice.below(5)],
                    _ => bytes[at] = bytes[at].wrapping_add(1),
                }
            }
            let hash = Sha256::digest(&bytes[8..]);
            bytes[4..8].copy_from_slice(&hash[..4]);
            tried += usize::from(header(&bytes).is_ok());
            match accept(&saved, &bytes) {
                Ok(accepted) => {
                    taken += 1;
                    check_alive(&accepted.saved);
                }
                Err(error) => assert_ne!(error, TextError::Panicked, "before the rules see it"),
            }
        }
    }
    eprintln!("{tried} had a right head, {taken} were taken");
    assert!(taken > 20);
}

#[test]
fn random_inserts_and_deletes_made_by_hand_live_on_when_taken() {
    let mut dice = Dice::new();
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..40 {
        let document = history(&mut dice, 10);
        let mut saved = document.save();
        for _ in 0..15 {
            let document = TextDocument::load(&saved).unwrap();
            let mut sly = Sly::after(&document, ActorId([1 + dice.below(3) as u8; 16]));
            for _ in 0..=dice.below(3) {
                let counter = 2 + dice.next() % sly.start_op;
                let actor = automerge::ActorId::from([1 + dice.below(3) as u8; 16]);
                let element = legacy::OpId::new(counter, &actor);
                match dice.below(3) {
                    0 => sly.insert("x"),
                    1 => sly.delete(element.clone(), vec![element]),
                    _ => {
                        let put = legacy::OpType::Put("y".into());
                        sly.op(legacy::ElementId::Id(element), put, true, Vec::new());
                    }
                }
            }
            match accept(&saved, &sly.bytes()) {
                Ok(accepted) => {
                    taken += 1;
                    saved = accepted.saved;
                    check_alive(&saved);
                }
                Err(error) => {
                    assert_ne!(error, TextError::Panicked, "before the rules see it");
                    refused += 1;
                }
            }
        }
    }
    eprintln!("{taken} were taken, {refused} refused");
    assert!(taken > 50 && refused > 50);
}
