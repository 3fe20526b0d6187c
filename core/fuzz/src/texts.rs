//! Long texts: whatever change is taken, the text loads from its changes in another order and takes
//! further edits; and Automerge never panics before the rules have seen what is wrong.

use std::sync::OnceLock;

use automerge::legacy;
use outrider_core::{
    crdt::{
        TextDocument, TextError, header,
        text::{accept, replay},
    },
    ids::ActorId,
};

use crate::{
    choices::Dice,
    chunk::{body_of, framed},
};

/// A writer who makes changes by hand, of the tests of texts.
#[allow(dead_code, reason = "the tests use what is not used here")]
#[path = "../../tests/text/sly.rs"]
mod sly;

use sly::{Sly, edit};

/// Changes made by hand on one text, at most.
const STEPS_MAX: usize = 12;

/// The first byte chooses a text, and whether the rest is the body of a change or choices of how to
/// make one.
pub fn run(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let bases = bases();
    let saved = &bases[usize::from(*kind & 0x0f) % bases.len()];
    if kind & 0x80 == 0 {
        take(saved, &framed(1, rest));
    } else {
        by_hand(saved.clone(), &mut Dice::of(rest));
    }
}

fn take(saved: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
    match accept(saved, bytes) {
        Ok(accepted) => {
            check_alive(&accepted.saved);
            Some(accepted.saved)
        }
        Err(error) => {
            assert_ne!(error, TextError::Panicked, "before the rules see it");
            assert_ne!(error, TextError::NotReadBack, "before the rules see it");
            None
        }
    }
}

fn by_hand(mut saved: Vec<u8>, dice: &mut Dice) {
    for _ in 0..STEPS_MAX {
        if dice.is_empty() {
            return;
        }
        let document =
            if saved.is_empty() { TextDocument::new() } else { TextDocument::load(&saved) };
        let mut sly = Sly::after(&document.unwrap(), writer(dice));
        match dice.below(8) {
            0 => sly.seq = 1 + dice.below(5) as u64,
            1 => sly.start_op = 1 + dice.below(60) as u64,
            2 => drop(sly.deps.pop()),
            _ => {}
        }
        for _ in 0..=dice.below(4) {
            let counter = 1 + dice.below(64) as u64 % (sly.start_op + 8);
            let element = legacy::OpId::new(counter, &automerge::ActorId::from(writer(dice).0));
            match dice.below(5) {
                0 => {
                    let texts: [&str; 5] = ["x", "城", "xy", "", "\u{0}"];
                    sly.insert(texts[dice.below(texts.len())]);
                }
                1 => sly.delete(element.clone(), vec![element]),
                2 => {
                    let put = legacy::OpType::Put("y".into());
                    sly.op(legacy::ElementId::Id(element), put, true, Vec::new());
                }
                3 => {
                    let make = legacy::OpType::Make(automerge::ObjType::Map);
                    sly.op(legacy::ElementId::Id(element), make, dice.percent(50), Vec::new());
                }
                _ => {
                    let put = legacy::OpType::Put(7.into());
                    sly.op(legacy::ElementId::Head, put, dice.percent(50), vec![element]);
                }
            }
        }
        let bytes = sly.bytes();
        saved = take(&saved, &bytes).unwrap_or(saved);
    }
}

fn writer(dice: &mut Dice) -> ActorId {
    ActorId([dice.below(4) as u8; 16])
}

/// Checks that a text loads from its changes in another order, can be shown at each step, and takes
/// an edit.
fn check_alive(saved: &[u8]) {
    let mut document = TextDocument::load(saved).unwrap();
    let mut changes = document.changes_since(&[]).unwrap();
    let bytes: Vec<_> = changes.iter().map(|change| change.bytes.clone()).collect();
    let mut last = String::new();
    replay(&bytes, 0, |_, after| after.clone_into(&mut last)).unwrap();
    assert_eq!(last, document.text().unwrap());
    changes.reverse();
    let bytes: Vec<_> = changes.iter().map(|change| &change.bytes).collect();
    let again = TextDocument::from_changes(&bytes).unwrap();
    assert_eq!(again.text(), document.text());
    assert_eq!(again.heads(), document.heads());
    let change = edit(&mut document, ActorId([8; 16]), "and on it goes");
    assert_eq!(accept(saved, &change.bytes).unwrap().text, "and on it goes");
}

/// No text yet, one by a single writer, one by two who did not know of each other.
fn bases() -> &'static [Vec<u8>; 3] {
    static BASES: OnceLock<[Vec<u8>; 3]> = OnceLock::new();
    BASES.get_or_init(|| {
        let (visit, _) = sly::visit();
        let mut one = TextDocument::load(&visit).unwrap();
        let mut two = one.clone();
        let ours = edit(&mut one, sly::ADA, "Visited the very old mill.");
        let theirs = edit(&mut two, sly::BEN, "Visited the 城.");
        let both = accept(&accept(&visit, &ours.bytes).unwrap().saved, &theirs.bytes).unwrap();
        [Vec::new(), visit, both.saved]
    })
}

/// Honest changes: of the text by a single writer, and what may come next.
#[must_use]
pub fn some_changes() -> Vec<Vec<u8>> {
    let (saved, changes) = sly::visit();
    let mut changes: Vec<Vec<u8>> = changes.into_iter().map(|change| change.bytes).collect();
    let mut document = TextDocument::load(&saved).unwrap();
    changes.push(edit(&mut document, sly::BEN, "Visited a mill 👩‍🌾.").bytes);
    assert!(changes.iter().all(|bytes| header(bytes).is_ok()));
    changes
}

/// Changes on each text, and choices.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let changes = some_changes();
    let mut seeds = vec![[&[0], body_of(&changes[0])].concat()];
    seeds.push([&[1], body_of(&changes[1])].concat());
    seeds.push([&[1], body_of(&changes[2])].concat());
    seeds.push([&[2], body_of(&changes[2])].concat());
    for base in [0x80, 0x81, 0x82] {
        seeds.push([&[base], &[3, 7, 2, 5, 0, 1, 9, 1, 2, 4, 3, 6, 0][..]].concat());
    }
    seeds
}
