//! What people write stays, whoever writes and in whatever order it comes.

use outrider_core::{
    crdt::{
        ChangeError, TextDocument, TextError,
        op::TIME_MS_MAX,
        text::{accept, first_change},
    },
    ids::{ActorId, ChangeHash},
};

use super::dice::Dice;
use super::sly::{ADA, BEN, Sly, edit, empty, visit};

#[test]
fn the_first_change_is_the_same_for_ever() {
    assert_eq!(first_change().hash.to_string(), FIRST_HASH);
    assert_eq!(outrider_core::ids::to_hex(&first_change().bytes), FIRST_BYTES);
    assert_eq!(outrider_core::crdt::header(&first_change().bytes).as_ref(), Ok(first_change()));
}

#[test]
fn two_first_writers_share_one_object_and_both_texts_survive() {
    let (mut ada, mut ben) = (empty(), empty());
    let from_ada = edit(&mut ada, ADA, "Gate is at the back. ");
    let from_ben = edit(&mut ben, BEN, "Ask for Mr Li. ");
    let one = accept(&accept(&[], &from_ada.bytes).unwrap().saved, &from_ben.bytes).unwrap();
    let other = accept(&accept(&[], &from_ben.bytes).unwrap().saved, &from_ada.bytes).unwrap();
    assert_eq!((&one.text, &one.heads), (&other.text, &other.heads));
    assert!(one.text.contains("Gate is at the back."));
    assert!(one.text.contains("Ask for Mr Li."));
}

#[test]
fn concurrent_edits_merge() {
    let (saved, _) = visit();
    let (mut ada, mut ben) =
        (TextDocument::load(&saved).unwrap(), TextDocument::load(&saved).unwrap());
    let from_ada = edit(&mut ada, ADA, "Visited the old mill. They buy.");
    let from_ben = edit(&mut ben, BEN, "Visited the old mill in 北京.");
    let merged = accept(&accept(&saved, &from_ben.bytes).unwrap().saved, &from_ada.bytes).unwrap();
    assert_eq!(merged.heads.len(), 2);
    assert!(merged.text.contains("in 北京"), "{}", merged.text);
    assert!(merged.text.contains("They buy."), "{}", merged.text);
    let mut both = TextDocument::load(&merged.saved).unwrap();
    let next = edit(&mut both, BEN, "Done.");
    assert_eq!(next.deps, merged.heads);
    assert_eq!(next.seq, 2);
    assert_eq!(accept(&merged.saved, &next.bytes).unwrap().text, "Done.");
}

#[test]
fn many_writers_in_any_order_end_with_one_text() {
    let mut replicas = [empty(), empty(), empty()];
    let mut saved = Vec::new();
    for round in 0..30_usize {
        let at = round % 3;
        let actor = ActorId([at as u8 + 1; 16]);
        let length = replicas[at].text().unwrap().chars().count();
        let place = (round * 7) % (length + 1);
        let delete = (round % 4).min(length - place);
        let change = replicas[at].splice(actor, 1, place, delete, "é城z").unwrap().unwrap();
        let accepted = accept(&saved, &change.bytes).unwrap();
        assert!(accepted.applied);
        saved = accepted.saved;
        if round % 5 == 4 {
            replicas[at] = TextDocument::load(&saved).unwrap();
        }
    }
    let server = TextDocument::load(&saved).unwrap();
    let mut changes = server.changes_since(&[]).unwrap();
    assert_eq!(changes.len(), 31);
    changes.reverse();
    let bytes: Vec<_> = changes.iter().map(|change| &change.bytes).collect();
    let again = TextDocument::from_changes(&bytes).unwrap();
    assert_eq!(again.text(), server.text());
    assert_eq!(again.heads(), server.heads());
    assert_eq!(again.clock(), server.clock());
    let lacking = &bytes[..bytes.len() - 5];
    assert!(matches!(TextDocument::from_changes(lacking), Err(TextError::MissingDeps(_))));
}

#[test]
fn an_edit_that_changes_nothing_is_no_change() {
    let (saved, _) = visit();
    let mut document = TextDocument::load(&saved).unwrap();
    assert_eq!(document.edit(ADA, 5, "Visited the old mill."), Ok(None));
    assert_eq!(document.splice(ADA, 5, 3, 0, ""), Ok(None));
    assert_eq!(document.save(), saved);
}

#[test]
fn an_edit_always_ends_with_the_text_that_was_asked_for() {
    const WORDS: [&str; 9] =
        ["a", "e\u{301}", "城", "\n", "👩‍🌾", "🇨🇳", "\u{200d}", "one two ", "\u{fffc}"];
    let mut dice = Dice::new();
    let mut document = empty();
    let mut saved = document.save();
    for round in 0..100_usize {
        let mut words: Vec<_> = (0..dice.below(40)).map(|_| WORDS[dice.below(9)]).collect();
        if round >= 98 {
            // Too much to look for the least difference in.
            words = words.repeat(60);
        }
        let text = words.concat();
        if let Some(change) = document.edit(ADA, 5, &text).unwrap() {
            let accepted = accept(&saved, &change.bytes).unwrap();
            assert_eq!(accepted.text, text);
            saved = accepted.saved;
        }
        assert_eq!(document.text().unwrap(), text);
    }
}

#[test]
fn places_are_counted_in_code_points() {
    let mut document = empty();
    edit(&mut document, ADA, "👩‍🌾北京é");
    let change = document.splice(ADA, 5, 3, 1, "X").unwrap().unwrap();
    assert_eq!(document.text().unwrap(), "👩‍🌾X京é");
    assert_eq!((change.seq, change.op_count, change.time_ms), (2, 2, 5));
    assert_eq!(document.splice(ADA, 5, 0, 7, ""), Err(TextError::OutOfBounds));
    assert_eq!(document.splice(ADA, 5, 7, 0, "x"), Err(TextError::OutOfBounds));
    assert_eq!(document.splice(ADA, 5, 1, usize::MAX, "x"), Err(TextError::OutOfBounds));
}

#[test]
fn what_one_lacks_is_what_the_other_sends() {
    let (saved, changes) = visit();
    let document = TextDocument::load(&saved).unwrap();
    assert_eq!(document.changes_since(&[changes[0].hash]).unwrap(), changes[1..]);
    assert_eq!(document.changes_since(&document.heads()).unwrap(), []);
    assert_eq!(document.changes_since(&[ChangeHash([9; 32])]).unwrap().len(), 3);
    assert_eq!(document.clock()[&ADA], (2, changes[1].max_op()));
}

/// A version that is not here can neither be shown nor built upon.
#[test]
fn what_follows_changes_that_are_not_here_is_not_taken() {
    let mut ada = empty();
    let mut behind = empty();
    let first = edit(&mut ada, ADA, "Visited");
    let second = edit(&mut ada, ADA, "Visited the mill");
    let missing = Err(TextError::MissingDeps(vec![first.hash]));
    assert_eq!(behind.text_at(&[first.hash]), missing);
    assert_eq!(behind.fork_at(&[first.hash]).map(drop), missing.map(drop));
    let lacks = Err(TextError::MissingDeps(vec![first.hash]));
    assert_eq!(behind.merge(std::slice::from_ref(&second)), lacks);
    behind.merge(&[second, first.clone()]).unwrap();
    assert_eq!(behind.text_at(&[first.hash]).unwrap(), "Visited");
    assert_eq!(behind.text().unwrap(), "Visited the mill");
}

#[test]
fn a_change_that_comes_again_changes_nothing() {
    let (saved, changes) = visit();
    for change in changes.iter().chain([first_change()]) {
        let again = accept(&saved, &change.bytes).unwrap();
        assert!(!again.applied);
        assert_eq!(again.saved, saved);
    }
}

#[test]
fn only_people_write_and_only_at_possible_times() {
    let mut document = empty();
    assert_eq!(document.edit(ActorId::ZERO, 5, "x"), Err(TextError::ActorZero));
    let late = document.edit(ADA, TIME_MS_MAX + 1, "x");
    assert_eq!(late, Err(TextError::Change(ChangeError::TimeOutOfRange)));
    assert_eq!(document.text().unwrap(), "");
    let mut sly = Sly::after(&document, ActorId::ZERO);
    sly.insert("x");
    assert_eq!(accept(&[], &sly.bytes()), Err(TextError::ActorZero));
}

const FIRST_HASH: &str = "d7776c7c30d635c598d653f66d70e450be4ef3cee792255b58e8a7e4cc0fe88f";
const FIRST_BYTES: &str = "856f4a83d7776c7c012f00100000000000000000000000000000000001010000000515063401420256027002\
    7f0474657874017f047f007f00";
