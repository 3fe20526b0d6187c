//! What is not a writer's edit is refused, and harms nothing.

use automerge::{ObjType, ScalarValue, legacy};
use outrider_core::{
    crdt::{
        ChangeError, TextDocument, TextError,
        text::{TextGate, accept, first_change},
    },
    ids::{ActorId, ChangeHash},
};

use super::sly::{ADA, BEN, Sly, edit, id, visit};

/// Checks that a change after Ada's visit, spoilt by `spoil`, is refused for `reason`.
fn refused(spoil: impl FnOnce(&mut Sly), reason: TextError) {
    let (saved, _) = visit();
    let mut sly = Sly::after(&TextDocument::load(&saved).unwrap(), ADA);
    spoil(&mut sly);
    assert_eq!(accept(&saved, &sly.bytes()), Err(reason));
}

#[test]
fn a_change_made_by_hand_is_taken_when_it_keeps_the_rules() {
    let (saved, _) = visit();
    let mut sly = Sly::after(&TextDocument::load(&saved).unwrap(), BEN);
    sly.insert("!");
    sly.delete(id(2, ADA), vec![id(2, ADA)]);
    assert_eq!(accept(&saved, &sly.bytes()).unwrap().text, "!isited the old mill.");
}

#[test]
fn sequence_numbers_have_no_gap_and_are_used_once() {
    refused(
        |sly| {
            sly.seq += 1;
            sly.insert("x");
        },
        TextError::SeqGap { expected: 3, found: 4 },
    );
    refused(
        |sly| {
            sly.seq = 2;
            sly.insert("x");
        },
        TextError::Forked { seq: 2 },
    );
    refused(
        |sly| {
            sly.actor = BEN;
            sly.seq = 5;
            sly.insert("x");
        },
        TextError::SeqGap { expected: 1, found: 5 },
    );
}

#[test]
fn counters_go_on_from_what_the_change_follows() {
    let (_, changes) = visit();
    let expected = changes[1].max_op() + 1;
    for found in [1, expected - 1, expected + 1, 1 << 30] {
        refused(
            |sly| {
                sly.start_op = found;
                sly.insert("x");
            },
            TextError::WrongStartOp { expected, found },
        );
    }
    refused(
        |sly| {
            sly.start_op = u64::from(u32::MAX) - 1;
            sly.insert("x");
        },
        TextError::Change(ChangeError::CounterTooHigh),
    );
}

#[test]
fn a_change_follows_known_changes_and_its_own_author() {
    let unknown = ChangeHash([9; 32]);
    refused(
        |sly| {
            sly.deps.push(unknown);
            sly.insert("x");
        },
        TextError::MissingDeps(vec![unknown]),
    );
    let (_, changes) = visit();
    for deps in [vec![], vec![first_change().hash], vec![changes[0].hash]] {
        refused(
            |sly| {
                sly.deps = deps;
                sly.insert("x");
            },
            TextError::PreviousNotFollowed,
        );
    }
    refused(
        |sly| {
            sly.actor = BEN;
            sly.seq = 1;
            sly.deps = vec![];
            sly.insert("x");
        },
        TextError::PreviousNotFollowed,
    );
}

#[test]
fn operations_in_other_objects_are_refused() {
    for obj in
        [legacy::ObjectId::Root, legacy::ObjectId::Id(id(2, ADA)), legacy::ObjectId::Id(id(1, ADA))]
    {
        refused(
            |sly| {
                sly.insert("x");
                sly.ops[0].obj = obj;
            },
            TextError::ForeignObject,
        );
    }
    refused(
        |sly| {
            sly.insert("x");
            sly.ops[0].obj = legacy::ObjectId::Root;
            sly.ops[0].key = legacy::Key::Map("text".into());
            sly.ops[0].insert = false;
        },
        TextError::ForeignObject,
    );
}

#[test]
fn only_single_characters_go_in_and_out() {
    let head = || legacy::ElementId::Head;
    let element = || legacy::ElementId::Id(id(2, ADA));
    let put = |value: ScalarValue| legacy::OpType::Put(value);
    let cases = [
        (head(), put("two".into()), true, vec![]),
        (head(), put("".into()), true, vec![]),
        (head(), put(ScalarValue::Int(1)), true, vec![]),
        (head(), put(ScalarValue::counter(1)), true, vec![]),
        (head(), legacy::OpType::Make(ObjType::Map), true, vec![]),
        (head(), legacy::OpType::Make(ObjType::Text), true, vec![]),
        (head(), put("x".into()), true, vec![id(2, ADA)]),
        (element(), put("x".into()), false, vec![id(2, ADA)]),
        (element(), legacy::OpType::Increment(1), false, vec![id(2, ADA)]),
        (element(), legacy::OpType::MarkEnd(false), true, vec![]),
        (element(), legacy::OpType::Delete, false, vec![]),
        (element(), legacy::OpType::Delete, false, vec![id(3, ADA)]),
        (element(), legacy::OpType::Delete, false, vec![id(2, ADA), id(3, ADA)]),
        (head(), legacy::OpType::Delete, false, vec![]),
    ];
    for (element, action, insert, pred) in cases {
        refused(|sly| sly.op(element, action, insert, pred), TextError::OpNotAllowed);
    }
    refused(
        |sly| {
            sly.insert("x");
            sly.ops[0].key = legacy::Key::Map("text".into());
        },
        TextError::OpNotAllowed,
    );
}

#[test]
fn characters_that_the_author_cannot_have_seen_are_refused() {
    for unknown in [id(900, ADA), id(2, BEN), id(1, ActorId::ZERO), id(23, ADA)] {
        refused(|sly| sly.delete(unknown.clone(), vec![unknown]), TextError::UnknownCharacter);
    }
    refused(
        |sly| {
            sly.delete(id(2, ADA), vec![id(2, ADA)]);
            sly.delete(id(23, ADA), vec![id(23, ADA)]);
        },
        TextError::UnknownCharacter,
    );
    // Ben does not follow Ada's second change, which is here.
    let (saved, changes) = visit();
    let mut sly = Sly::new(BEN, 1, changes[0].max_op() + 1, vec![changes[0].hash]);
    let later = id(changes[1].start_op, ADA);
    sly.delete(later.clone(), vec![later]);
    assert_eq!(accept(&saved, &sly.bytes()), Err(TextError::UnknownCharacter));
}

#[test]
fn what_makes_automerge_panic_is_contained() {
    // A reused counter that got into a document behind the gate's back: it does not load.
    let (saved, changes) = visit();
    let mut doc = automerge::Automerge::load(&saved).unwrap();
    let mut sly = Sly::after(&TextDocument::load(&saved).unwrap(), ADA);
    sly.start_op = changes[0].start_op;
    sly.insert("x");
    doc.apply_changes([automerge::Change::from_bytes(sly.bytes()).unwrap()]).unwrap();
    let broken = doc.save_nocompress();
    let result = accept(&broken, &changes[0].bytes);
    assert!(matches!(result, Err(TextError::Panicked | TextError::Unreadable(_))), "{result:?}");
    assert!(TextDocument::load(&broken).is_err());
    assert!(TextDocument::load(b"").is_err());
    assert!(matches!(accept(b"not a text", &changes[0].bytes), Err(TextError::Unreadable(_))));
}

#[test]
fn a_document_that_began_otherwise_is_not_a_text() {
    use automerge::transaction::Transactable as _;
    let mut doc = automerge::Automerge::new();
    let mut transaction = doc.transaction();
    transaction.put_object(automerge::ROOT, "text", ObjType::Text).unwrap();
    transaction.commit();
    assert_eq!(TextDocument::load(&doc.save()).map(|_| ()), Err(TextError::NotAText));
}

/// A paste comes in several changes: they are tried together, and each must still keep the rules.
#[test]
fn changes_taken_together_come_to_what_they_come_to_one_by_one() {
    let (saved, _) = visit();
    let mut ada = TextDocument::load(&saved).unwrap();
    let steps: Vec<_> = ["one", "one two", "two", "two 三"]
        .into_iter()
        .map(|text| edit(&mut ada, ADA, text))
        .collect();
    let mut one_by_one = saved.clone();
    for step in &steps {
        one_by_one = accept(&one_by_one, &step.bytes).unwrap().saved;
    }
    let mut gate = TextGate::new(saved.clone());
    // The second one before the first one, and one that takes out what is not there.
    assert!(matches!(gate.take(&steps[1].bytes), Err(TextError::SeqGap { .. })));
    assert_eq!(gate.take(&steps[0].bytes), Ok(true));
    let mut sly = Sly::after(&ada, BEN);
    sly.insert("x");
    assert!(matches!(gate.take(&sly.bytes()), Err(TextError::MissingDeps(_))));
    for step in &steps[1..] {
        assert_eq!(gate.take(&step.bytes), Ok(true));
        assert_eq!(gate.take(&step.bytes), Ok(false), "it is there");
    }
    assert!(gate.is_at(&saved), "nothing was tried yet");
    let tried = gate.settle().unwrap();
    assert_eq!((tried.text.as_str(), &tried.saved), ("two 三", &one_by_one));
    assert_eq!(tried.heads, ada.heads());
    assert!(gate.is_at(&tried.saved));
    assert_eq!(
        gate.ops(),
        steps.iter().map(|step| step.op_count as u64).sum::<u64>() + ops_of(&saved)
    );
    // It goes on from there.
    let next = edit(&mut ada, ADA, "two 三 four");
    assert_eq!(gate.take(&next.bytes), Ok(true));
    assert_eq!(gate.settle().unwrap().text, "two 三 four");
}

/// Operations of a text.
fn ops_of(saved: &[u8]) -> u64 {
    TextDocument::load(saved).unwrap().clock().values().map(|(_, op)| *op).max().unwrap()
}
