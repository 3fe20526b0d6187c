//! Bytes to changes: what is read is canonical, and Automerge reads the same.

use outrider_core::{
    crdt::{Action, Edit, Own, Stamp, State, decode, header, write},
    ids::ActorId,
    value::Value,
};

use crate::chunk::{body_of, claimed_deflated, deflated, framed};

/// The first byte says how the rest becomes a chunk; mostly it is the body of a change whose
/// checksum is made right.
pub fn run(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    match kind % 8 {
        0 => check(rest),
        1 => check(&claimed_deflated(rest)),
        2 => check(&framed(*kind / 8, rest)),
        _ => {
            let bytes = framed(1, rest);
            check(&bytes);
            // The same content, compressed, is the same change.
            let compressed = deflated(rest);
            assert_eq!(decode(&compressed), decode(&bytes));
            assert_eq!(header(&compressed), header(&bytes));
        }
    }
}

fn check(bytes: &[u8]) {
    let head = header(bytes);
    let Ok(read) = decode(bytes) else { return };
    let head = head.expect("what is read whole has a head");
    let change = &read.change;
    assert_eq!((head.actor, head.seq, head.start_op), (change.actor, change.seq, change.start_op));
    assert_eq!((&head.deps, head.op_count), (&change.deps, change.ops.len()));
    assert_eq!((head.hash, &head.bytes), (read.hash, &read.bytes));
    assert_eq!(decode(&read.bytes).as_ref(), Ok(&read), "reading what was written");
    let theirs = automerge::Change::from_bytes(read.bytes.clone()).unwrap();
    assert_eq!((theirs.hash().0, theirs.len()), (read.hash.0, change.ops.len()));
}

/// Honest changes of the kernel's own writer.
#[must_use]
pub fn some_changes() -> Vec<Vec<u8>> {
    let edit = |key: &str, value: Value| Edit { key: key.to_owned(), action: Action::Put(value) };
    let mut rounds = vec![
        vec![edit("company_name", "Acme".into())],
        vec![
            edit("company_name", "Acme 城".into()),
            edit("visits/x", Value::Int(-3)),
            edit("tags/vip", true.into()),
            edit("blob", Value::Bytes(vec![1, 2, 3])),
            edit("none", Value::Null),
        ],
        vec![Edit { key: "tags/vip".to_owned(), action: Action::Delete }],
    ];
    let (mut state, mut own): (State, Option<Own>) = (State::default(), None);
    let mut beside = State::default();
    let mut changes = Vec::new();
    for (time, edits) in (1_700_000_000_000..).zip(rounds.drain(..)) {
        let stamp =
            Stamp { actor: ActorId([1; 16]), time_ms: time, message: Some("by hand".to_owned()) };
        changes.push(write(&mut state, &mut own, stamp, edits).unwrap().bytes);
    }
    let stamp = Stamp { actor: ActorId([2; 16]), time_ms: -5, message: None };
    let rival = write(&mut beside, &mut None, stamp, vec![edit("company_name", "B".into())]);
    changes.push(rival.unwrap().bytes);
    state.join(&beside);
    let stamp = Stamp { actor: ActorId([1; 16]), time_ms: 0, message: None };
    let both = write(&mut state, &mut own, stamp, vec![edit("company_name", "C".into())]);
    changes.push(both.unwrap().bytes);
    changes
}

/// Honest changes as bodies, whole and compressed, and a bomb.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let changes = some_changes();
    let mut seeds: Vec<Vec<u8>> =
        changes.iter().map(|bytes| [&[3], body_of(bytes)].concat()).collect();
    seeds.push([&[0], changes[1].as_slice()].concat());
    seeds.push([&[0], deflated(body_of(&changes[1])).as_slice()].concat());
    let bomb = deflated(&vec![0; 1 << 20]);
    seeds.push([&[1], body_of(&bomb)].concat());
    seeds
}
