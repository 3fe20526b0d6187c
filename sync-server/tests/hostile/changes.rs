//! What liars send: genuine changes of the kernel's writer, large or many, and changes made with
//! Automerge's builder that no honest writer makes.

use automerge::{ExpandedChange, legacy};
use outrider_core::{
    crdt::{self, Action, Edit, EncodedChange, Own, Stamp, State},
    ids::{ActorId, ChangeHash, Part, RecordId},
    sync::frame::{PushChange, PushGroup},
    value::Value,
};

/// A record of this number.
pub(crate) fn record(number: u64) -> RecordId {
    let bytes = [&[0xbb, 0xbb][..], &number.to_be_bytes()].concat();
    RecordId::new(1_700_000_000_000, bytes.try_into().unwrap())
}

/// A change of a customer.
pub(crate) fn of_customer(record: RecordId, part: Part, bytes: Vec<u8>) -> PushChange {
    PushChange { record, part, entity: "customer".to_owned(), generation: 0, bytes }
}

/// Groups of one change each.
pub(crate) fn apart(changes: impl IntoIterator<Item = PushChange>) -> Vec<PushGroup> {
    changes.into_iter().map(|change| PushGroup { changes: vec![change] }).collect()
}

pub(crate) fn put(key: impl Into<String>, value: impl Into<Value>) -> Edit {
    Edit { key: key.into(), action: Action::Put(value.into()) }
}

/// Writes edits with the kernel.
pub(crate) fn write(
    state: &mut State,
    own: &mut Option<Own>,
    actor: ActorId,
    edits: Vec<Edit>,
) -> EncodedChange {
    let stamp = Stamp { actor, time_ms: 1_700_000_000_000, message: None };
    crdt::write(state, own, stamp, edits).unwrap()
}

/// Tags that fill a document nearly: `count` of them, each of the longest.
pub(crate) fn many_tags(count: usize) -> Vec<Edit> {
    (0..count).map(|n| put(format!("tags/{n:0>64}"), true)).collect()
}

/// A change made by hand with Automerge's builder, with `ops` on the root map.
pub(crate) struct ByHand {
    pub(crate) actor: Vec<u8>,
    pub(crate) seq: u64,
    pub(crate) start_op: u64,
    pub(crate) time: i64,
    pub(crate) deps: Vec<ChangeHash>,
    pub(crate) ops: Vec<legacy::Op>,
}

impl ByHand {
    /// Puts a name into a customer.
    pub(crate) fn named(actor: ActorId, name: &str) -> Self {
        let op = legacy::Op {
            action: legacy::OpType::Put(name.into()),
            obj: legacy::ObjectId::Root,
            key: legacy::Key::Map("company_name".into()),
            pred: Vec::new().into(),
            insert: false,
        };
        let actor = actor.0.to_vec();
        Self { actor, seq: 1, start_op: 1, time: 0, deps: Vec::new(), ops: vec![op] }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let change = automerge::Change::from(ExpandedChange {
            operations: self.ops.clone(),
            actor_id: automerge::ActorId::from(self.actor.clone()),
            hash: None,
            seq: self.seq,
            start_op: self.start_op.try_into().unwrap(),
            time: self.time,
            message: None,
            deps: self.deps.iter().map(|dep| automerge::ChangeHash(dep.0)).collect(),
            extra_bytes: Vec::new(),
            author: None,
        });
        change.raw_bytes().to_vec()
    }
}

/// Bytes that nothing makes smaller.
pub(crate) fn noise(count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
    .take(count)
    .collect()
}
