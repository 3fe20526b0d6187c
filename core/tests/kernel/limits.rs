//! Documents at their limits: what fits, what is one too much, and that devices go on working.

use outrider_core::crdt::{
    Edit, EncodedChange, decode, encode,
    gate::{PAST_OPS_MAX, Refusal, Verdict},
    op::CHANGE_OPS_MAX,
    state::{ACTORS_MAX, DOCUMENT_BYTES_MAX, DOCUMENT_KEYS_MAX, HEADS_MAX, SURVIVORS_MAX},
};

use super::world::{Peer, Server, actor, put};

/// Changes that know nothing of each other, each by an actor of its own.
fn strangers(edits: impl Fn(usize) -> Vec<Edit>) -> impl Iterator<Item = EncodedChange> {
    (0..).map(move |n| Peer::new(actor(7, n as u32)).write(edits(n)))
}

fn full(verdict: &Verdict) -> Vec<String> {
    let Verdict::Refused(Refusal { code, keys }) = verdict else { panic!("{verdict:?}") };
    assert_eq!(code, "document_full");
    keys.clone()
}

#[test]
fn concurrent_values_at_the_limit() {
    let mut server = Server::default();
    let mut rivals = strangers(|n| vec![put("name", n.to_string())]);
    rivals.by_ref().take(SURVIVORS_MAX).for_each(|encoded| server.accept(&encoded));
    assert_eq!(full(&server.push(&rivals.next().unwrap())), ["name"]);
    // A device with a value of its own beside them can read its state, and choose among them all.
    let mut device = Peer::new(actor(8, 1));
    let own = device.write(vec![put("name", "own"), put("priority", 1)]);
    device.state.join(&server.state);
    let bytes = device.state.to_bytes();
    assert_eq!(outrider_core::crdt::State::from_bytes(&bytes).unwrap(), device.state);
    let chosen = device.write(vec![put("name", "chosen")]);
    assert_eq!(chosen.change.ops[0].pred.len(), SURVIVORS_MAX + 1);
    assert_eq!(decode(&chosen.bytes).unwrap(), chosen);
    assert_eq!(full(&server.push(&own)), ["name"]);
}

#[test]
fn heads_at_the_limit() {
    let mut server = Server::default();
    let mut rivals = strangers(|n| vec![put(format!("stages/e{n:09}"), "{}")]);
    rivals.by_ref().take(HEADS_MAX).for_each(|encoded| server.accept(&encoded));
    assert!(full(&server.push(&rivals.next().unwrap())).is_empty());
    let mut device = Peer::new(actor(8, 1));
    device.write(vec![put("name", "own")]);
    device.state.join(&server.state);
    let merge = device.write(vec![put("name", "merged")]);
    assert_eq!(merge.change.deps.len(), HEADS_MAX + 1);
    assert_eq!(decode(&merge.bytes).unwrap(), merge);
    let mut reader = Peer::new(actor(8, 2));
    reader.state.join(&server.state);
    server.accept(&reader.write(vec![put("name", "read")]));
    assert_eq!(server.state.heads.len(), 1);
}

#[test]
fn keys_at_the_limit() {
    let mut one = Peer::new(actor(1, 1));
    let mut server = Server::default();
    let keys = |from: usize, to: usize| {
        (from..to).map(|n| put(format!("stages/e{n:09}"), "{}")).collect::<Vec<_>>()
    };
    server.accept(&one.write(keys(0, DOCUMENT_KEYS_MAX)));
    let mut two = Peer::new(actor(2, 1));
    let more = two.write(keys(DOCUMENT_KEYS_MAX, DOCUMENT_KEYS_MAX + 1));
    assert!(full(&server.push(&more)).is_empty());
}

#[test]
fn bytes_at_the_limit() {
    let row = |n: usize, bytes: usize| put(format!("lines/{n:010}/note"), "x".repeat(bytes));
    let mut one = Peer::new(actor(1, 1));
    let mut server = Server::default();
    let around = "lines/0000000000/note".len() + 8;
    let rows = (DOCUMENT_BYTES_MAX / (around + 200)) - 1;
    server.accept(&one.write((0..rows).map(|n| row(n, 200)).collect()));
    let exact = DOCUMENT_BYTES_MAX - server.state.size_bytes() - "name".len() - 8;
    let mut two = Peer::new(actor(2, 1));
    let over = two.write(vec![put("name", "x".repeat(exact + 1))]);
    full(&server.push(&over));
    let mut three = Peer::new(actor(3, 1));
    server.accept(&three.write(vec![put("name", "x".repeat(exact))]));
    assert_eq!(server.state.size_bytes(), DOCUMENT_BYTES_MAX);
}

#[test]
fn actors_at_the_limit() {
    let mut server = Server::default();
    let mut state = outrider_core::crdt::State::default();
    for n in 0..ACTORS_MAX as u32 {
        let mut peer = Peer::new(actor(3, n));
        peer.state = std::mem::take(&mut state);
        server.accept(&peer.write(vec![put("priority", 1)]));
        state = peer.state;
    }
    let bytes = server.state.to_bytes();
    assert_eq!(outrider_core::crdt::State::from_bytes(&bytes).unwrap(), server.state);
    let late = Peer::new(actor(4, 1)).write(vec![put("name", "x")]);
    full(&server.push(&late));
}

/// A change may name what was replaced since its author saw it; 130,000 of them, each looked for by
/// itself, held the server's only writer for minutes.
#[test]
fn replaced_predecessors_at_the_limit() {
    const KEYS: usize = CHANGE_OPS_MAX;
    const WRITERS: usize = PAST_OPS_MAX / KEYS + 2;
    let mut server = Server::default();
    let mut state = outrider_core::crdt::State::default();
    let tags = || (0..KEYS).map(|n| put(format!("tags/{n}"), true)).collect::<Vec<_>>();
    for n in 0..WRITERS as u32 {
        let mut peer = Peer::new(actor(5, n));
        peer.state = std::mem::take(&mut state);
        server.accept(&peer.write(tags()));
        state = peer.state;
    }
    let last = server.log.last().unwrap();
    let naming = |count: usize| {
        let mut change = Peer::new(actor(6, 1)).write(tags()).change;
        change.deps = vec![last.hash];
        change.start_op = last.change.max_op() + 1;
        let past =
            server.log.iter().take(WRITERS - 1).flat_map(|known| known.change.ops_with_ids());
        for (id, op) in past.take(count) {
            let same = change.ops.iter_mut().find(|mine| mine.key == op.key).unwrap();
            same.pred.push(id);
        }
        change.ops.iter_mut().for_each(|op| op.pred.sort_unstable());
        encode(change)
    };
    assert!(matches!(server.judge(&naming(PAST_OPS_MAX)), Verdict::Fits(_)));
    let Verdict::Refused(refusal) = server.judge(&naming(PAST_OPS_MAX + 1)) else {
        panic!("it fits")
    };
    assert_eq!(refusal.code, "too_many_preds");
}
