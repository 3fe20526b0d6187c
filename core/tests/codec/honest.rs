//! What honest devices write comes back as it was, and is what Automerge writes.

use std::collections::BTreeSet;

use automerge::{
    Automerge, ROOT, ReadDoc as _,
    transaction::{CommitOptions, Transactable as _},
};
use outrider_core::{
    crdt::{
        Action, Change, Op, OpId, decode, encode,
        op::{OP_COUNTER_MAX, TIME_MS_MAX, TIME_MS_MIN},
    },
    ids::{ActorId, ChangeHash},
    value::Value,
};

use super::dice::Dice;

const TEXTS: [&str; 6] = ["", "Ada", "北京", "a\u{0}b", "Überlingen", "long "];

fn value(dice: &mut Dice) -> Value {
    match dice.below(6) {
        0 => Value::Null,
        1 => Value::Bool(dice.below(2) == 0),
        2 => Value::Int(dice.next() as i64 >> dice.below(64)),
        3 => Value::Bytes(vec![dice.next() as u8; dice.below(40)]),
        _ => Value::Text(TEXTS[dice.below(6)].repeat(1 + dice.below(4))),
    }
}

fn actors() -> [ActorId; 4] {
    [[0; 16], [1; 16], [0xfe; 16], *b"0123456789abcdef"].map(ActorId)
}

/// A change that an honest device could have written.
pub(crate) fn change(dice: &mut Dice) -> Change {
    let start_op = match dice.below(4) {
        0 => 1,
        1 => 1 + dice.next() % 300,
        2 => 1 + dice.next() % 100_000,
        _ => OP_COUNTER_MAX - 100 - dice.next() % 1_000_000,
    };
    let keys: BTreeSet<usize> = (0..=dice.below(12)).map(|_| dice.below(40)).collect();
    let ops = keys
        .into_iter()
        .map(|key| {
            let mut pred = BTreeSet::new();
            if start_op > 1 {
                for _ in 0..[0, 1, 1, 3][dice.below(4)] {
                    let counter = 1 + dice.next() % (start_op - 1);
                    pred.insert(OpId { counter, actor: actors()[dice.below(4)] });
                }
            }
            let delete = !pred.is_empty() && dice.below(3) == 0;
            let action = if delete { Action::Delete } else { Action::Put(value(dice)) };
            Op { key: format!("field_{key}"), action, pred: pred.into_iter().collect() }
        })
        .collect();
    let deps: BTreeSet<ChangeHash> =
        (0..dice.below(4)).map(|_| ChangeHash([dice.next() as u8; 32])).collect();
    Change {
        actor: actors()[dice.below(4)],
        seq: 1 + dice.next() % 500,
        start_op,
        time_ms: (dice.next() as i64 >> dice.below(64)).clamp(TIME_MS_MIN, TIME_MS_MAX),
        message: (dice.below(5) == 0).then(|| "entered for Ada".to_owned()),
        deps: deps.into_iter().collect(),
        ops,
    }
}

#[test]
fn twenty_thousand_random_changes_come_back_as_they_were() {
    let mut dice = Dice::new();
    for _ in 0..20_000 {
        let change = change(&mut dice);
        let written = encode(change.clone());
        let read = decode(&written.bytes).unwrap();
        assert_eq!(read, written);
        assert_eq!(read.change, change);
    }
}

#[test]
fn changes_that_automerge_makes_come_back_as_they_were() {
    let mut dice = Dice::new();
    let mut seen = 0;
    for _ in 0..60 {
        let mut replicas: Vec<Automerge> = actors()
            .into_iter()
            .map(|actor| Automerge::new().with_actor(automerge::ActorId::from(actor.0)))
            .collect();
        for step in 0..40 {
            let at = dice.below(replicas.len());
            if dice.below(4) == 0 {
                let mut other = replicas[dice.below(4)].clone();
                replicas[at].merge(&mut other).unwrap();
            } else {
                write(&mut replicas[at], &mut dice, step);
            }
        }
        for replica in &replicas {
            for mut change in replica.get_changes(&[]) {
                let read = decode(change.raw_bytes()).unwrap();
                assert_eq!(read.bytes, change.raw_bytes());
                assert_eq!(read.hash.0, change.hash().0);
                assert_eq!(read.change.max_op(), change.max_op());
                assert_eq!(encode(read.change.clone()), read);
                assert_eq!(decode(&change.bytes()).unwrap(), read, "compressed or not");
                seen += 1;
            }
        }
    }
    assert!(seen > 3_000);
}

/// Puts and deletes some keys, each once.
fn write(doc: &mut Automerge, dice: &mut Dice, step: i64) {
    let mut transaction = doc.transaction();
    let keys: BTreeSet<usize> = (0..=dice.below(8)).map(|_| dice.below(20)).collect();
    for key in keys {
        let key = format!("field_{key}");
        let present = transaction.get(ROOT, &key).unwrap().is_some();
        match value(dice) {
            _ if present && dice.below(3) == 0 => transaction.delete(ROOT, key),
            Value::Null => transaction.put(ROOT, key, ()),
            Value::Bool(flag) => transaction.put(ROOT, key, flag),
            Value::Int(number) => transaction.put(ROOT, key, number),
            Value::Text(text) => transaction.put(ROOT, key, text.repeat(20)),
            Value::Bytes(bytes) => transaction.put(ROOT, key, bytes),
        }
        .unwrap();
    }
    transaction.commit_with(CommitOptions::default().with_time(step));
}

#[test]
fn unsorted_lists_are_sorted_and_an_empty_message_is_none() {
    let [first, second, ..] = actors();
    let pred = vec![OpId { counter: 2, actor: second }, OpId { counter: 2, actor: first }];
    let written = encode(Change {
        actor: first,
        seq: 1,
        start_op: 9,
        time_ms: 0,
        message: Some(String::new()),
        deps: vec![ChangeHash([2; 32]), ChangeHash([1; 32])],
        ops: vec![Op { key: "name".to_owned(), action: Action::Delete, pred }],
    });
    assert_eq!(decode(&written.bytes).unwrap(), written);
    assert_eq!(written.change.deps, [ChangeHash([1; 32]), ChangeHash([2; 32])]);
    assert_eq!(written.change.message, None);
}
