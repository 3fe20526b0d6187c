//! Writers, honest ones and one that makes changes by hand with Automerge's builder.

use automerge::{ExpandedChange, legacy};
use outrider_core::{
    crdt::{TextChange, TextDocument},
    ids::{ActorId, ChangeHash},
};

pub(crate) const ADA: ActorId = ActorId([1; 16]);
pub(crate) const BEN: ActorId = ActorId([2; 16]);

pub(crate) fn empty() -> TextDocument {
    TextDocument::new().unwrap()
}

pub(crate) fn edit(document: &mut TextDocument, actor: ActorId, text: &str) -> TextChange {
    document.edit(actor, 5, text).unwrap().unwrap()
}

/// A text by Ada: its bytes and its changes.
pub(crate) fn visit() -> (Vec<u8>, Vec<TextChange>) {
    let mut document = empty();
    let changes = vec![
        edit(&mut document, ADA, "Visited the mill."),
        edit(&mut document, ADA, "Visited the old mill."),
    ];
    (document.save(), changes)
}

/// A change made by hand with Automerge's builder.
pub(crate) struct Sly {
    pub(crate) actor: ActorId,
    pub(crate) seq: u64,
    pub(crate) start_op: u64,
    pub(crate) deps: Vec<ChangeHash>,
    pub(crate) ops: Vec<legacy::Op>,
}

impl Sly {
    pub(crate) fn new(actor: ActorId, seq: u64, start_op: u64, deps: Vec<ChangeHash>) -> Self {
        Self { actor, seq, start_op, deps, ops: Vec::new() }
    }

    /// The next change that `actor` would write.
    pub(crate) fn after(document: &TextDocument, actor: ActorId) -> Self {
        let clock = document.clock();
        let seq = clock.get(&actor).map_or(1, |(seq, _)| seq + 1);
        let highest = clock.values().map(|(_, max_op)| *max_op).max().unwrap();
        Self::new(actor, seq, highest + 1, document.heads())
    }

    fn object() -> legacy::ObjectId {
        legacy::ObjectId::Id(id(1, ActorId::ZERO))
    }

    pub(crate) fn insert(&mut self, text: &str) {
        self.op(legacy::ElementId::Head, legacy::OpType::Put(text.into()), true, Vec::new());
    }

    pub(crate) fn delete(&mut self, element: legacy::OpId, pred: Vec<legacy::OpId>) {
        self.op(legacy::ElementId::Id(element), legacy::OpType::Delete, false, pred);
    }

    pub(crate) fn op(
        &mut self,
        element: legacy::ElementId,
        action: legacy::OpType,
        insert: bool,
        pred: Vec<legacy::OpId>,
    ) {
        self.ops.push(legacy::Op {
            action,
            obj: Self::object(),
            key: legacy::Key::Seq(element),
            pred: pred.into(),
            insert,
        });
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let change = automerge::Change::from(ExpandedChange {
            operations: self.ops.clone(),
            actor_id: automerge::ActorId::from(self.actor.0),
            hash: None,
            seq: self.seq,
            start_op: self.start_op.try_into().unwrap(),
            time: 0,
            message: None,
            deps: self.deps.iter().map(|dep| automerge::ChangeHash(dep.0)).collect(),
            extra_bytes: Vec::new(),
            author: None,
        });
        change.raw_bytes().to_vec()
    }
}

pub(crate) fn id(counter: u64, actor: ActorId) -> legacy::OpId {
    legacy::OpId::new(counter, &automerge::ActorId::from(actor.0))
}
