//! Writes a change with Automerge's own builder.

use std::num::NonZeroU64;

use automerge::{ExpandedChange, ObjType, ScalarValue, legacy};

use crate::{
    crdt::op::{Action, Change, EncodedChange, Op, OpId},
    ids::{ActorId, ChangeHash},
    value::Value,
};

/// Writes a change of a flat document as Automerge would, byte for byte.
///
/// Dependencies and predecessors are sorted, and an empty message is none. A `start_op` of 0,
/// which no document has, is written as 1.
#[must_use]
pub fn encode(mut change: Change) -> EncodedChange {
    change.start_op = change.start_op.max(1);
    change.message = change.message.filter(|message| !message.is_empty());
    change.deps.sort_unstable();
    change.deps.dedup();
    for op in &mut change.ops {
        op.pred.sort_unstable();
        op.pred.dedup();
    }
    let (hash, bytes) = build(&change, change.ops.iter().map(flat_op).collect());
    EncodedChange { change, hash, bytes }
}

/// Writes the change that makes the Text object under `key`, with the head of `change`.
pub(in crate::crdt) fn encode_text_start(change: &Change, key: &str) -> (ChangeHash, Vec<u8>) {
    let make = legacy::Op {
        action: legacy::OpType::Make(ObjType::Text),
        obj: legacy::ObjectId::Root,
        key: legacy::Key::Map(key.into()),
        pred: Vec::new().into(),
        insert: false,
    };
    build(change, vec![make])
}

fn build(change: &Change, operations: Vec<legacy::Op>) -> (ChangeHash, Vec<u8>) {
    let built = automerge::Change::from(ExpandedChange {
        operations,
        actor_id: actor(change.actor),
        hash: None,
        seq: change.seq,
        start_op: NonZeroU64::new(change.start_op).unwrap_or(NonZeroU64::MIN),
        time: change.time_ms,
        message: change.message.clone(),
        deps: change.deps.iter().map(|dep| automerge::ChangeHash(dep.0)).collect(),
        extra_bytes: Vec::new(),
        author: None,
    });
    (ChangeHash(built.hash().0), built.raw_bytes().to_vec())
}

fn flat_op(op: &Op) -> legacy::Op {
    legacy::Op {
        action: match &op.action {
            Action::Put(value) => legacy::OpType::Put(scalar(value)),
            Action::Delete => legacy::OpType::Delete,
        },
        obj: legacy::ObjectId::Root,
        key: legacy::Key::Map(op.key.as_str().into()),
        pred: op.pred.iter().map(op_id).collect(),
        insert: false,
    }
}

fn scalar(value: &Value) -> ScalarValue {
    match value {
        Value::Null => ScalarValue::Null,
        Value::Bool(flag) => ScalarValue::Boolean(*flag),
        Value::Int(number) => ScalarValue::Int(*number),
        Value::Text(text) => ScalarValue::Str(text.as_str().into()),
        Value::Bytes(bytes) => ScalarValue::Bytes(bytes.clone()),
    }
}

fn op_id(id: &OpId) -> legacy::OpId {
    legacy::OpId::new(id.counter, &actor(id.actor))
}

fn actor(id: ActorId) -> automerge::ActorId {
    automerge::ActorId::from(id.0)
}
