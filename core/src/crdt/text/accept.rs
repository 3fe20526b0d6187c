//! The gate for changes of a text, on a copy.
//!
//! A text is too much for rules alone, so changes that keep them are also tried: applied to a
//! copy, saved, read back and compared, in a thread where a panic costs nothing. The rules come
//! first all the same. What a change refers to must be within its past, or it would work here and
//! fail on a replica where changes arrive in another order; and only single characters are put in
//! and taken out, so that nobody hides an object or a mark in a text.
//!
//! Loading, saving and reading back takes as long as the text has operations, whatever the change: so the
//! changes of a group are looked at one by one, and tried together.

use automerge::{Automerge, ExpandedChange, ScalarValue, legacy};

use super::{
    TEXT_BYTES_MAX, TEXT_CHANGES_MAX, TEXT_OPS_MAX, TextChange, TextError,
    document::{TextDocument, engine, engine_change, first_change},
    guard::guarded,
    history::{History, Past},
};
use crate::{
    crdt::{
        codec::{self, ChangeError},
        op::OpId,
    },
    ids::{ActorId, ChangeHash},
};

/// A text after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedText {
    /// Whether the change is new; otherwise it was part of the text already.
    pub applied: bool,
    /// The change itself, uncompressed.
    pub change: TextChange,
    /// The text's bytes to keep.
    pub saved: Vec<u8>,
    /// The changes that no other change follows, ascending.
    pub heads: Vec<ChangeHash>,
    /// The text as people read it.
    pub text: String,
}

/// Takes a change of somebody else's into a text, or says why not; the text itself stays as it is.
///
/// No bytes of a text yet (`saved` is empty) stand for a text with the first change alone.
///
/// # Errors
///
/// The first rule that the change breaks, or [`TextError::Panicked`].
pub fn accept(saved: &[u8], change: &[u8]) -> Result<AcceptedText, TextError> {
    let mut gate = TextGate::new(saved.to_vec());
    let applied = gate.take(change)?;
    let TriedText { saved, heads, text } = gate.settle()?;
    Ok(AcceptedText { applied, change: codec::header(change)?, saved, heads, text })
}

/// A text after the changes that were tried on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriedText {
    /// The text's bytes to keep.
    pub saved: Vec<u8>,
    /// The changes that no other change follows, ascending.
    pub heads: Vec<ChangeHash>,
    /// The text as people read it.
    pub text: String,
}

/// A text into which changes are taken one after the other, and tried together.
#[derive(Debug)]
pub struct TextGate {
    saved: Vec<u8>,
    /// `None` before the first change, and after a panic.
    open: Option<Open>,
    /// How many changes were taken and not tried yet.
    taken: usize,
}

/// The text in memory.
#[derive(Debug)]
struct Open {
    document: TextDocument,
    /// Of the document, and of what was taken.
    history: History,
    taken: Vec<automerge::Change>,
}

impl TextGate {
    /// Begins with a text's bytes; see [`accept`].
    #[must_use]
    pub fn new(saved: Vec<u8>) -> Self {
        Self { saved, open: None, taken: 0 }
    }

    /// Whether the text is as these bytes say, without what was taken since.
    #[must_use]
    pub fn is_at(&self, saved: &[u8]) -> bool {
        self.saved == saved
    }

    /// Operations of the text with what was taken: what trying costs is in proportion.
    #[must_use]
    pub fn ops(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.history.ops)
    }

    /// Takes a change that keeps the rules; whether it is new. It is not tried yet.
    ///
    /// # Errors
    ///
    /// The first rule that the change breaks; it is not taken then. Or [`TextError::Panicked`]: what was
    /// taken before is forgotten then.
    pub fn take(&mut self, change: &[u8]) -> Result<bool, TextError> {
        let change = codec::header(change)?;
        let (open, saved) = (self.open.take(), self.saved.as_slice());
        let (open, is_new) = guarded(|| {
            let mut open = open.map_or_else(|| Open::load(saved), Ok)?;
            let is_new = open.check(&change);
            Ok((open, is_new))
        })?;
        self.open = Some(open);
        let is_new = is_new?;
        self.taken += usize::from(is_new);
        Ok(is_new)
    }

    /// Tries what was taken: applies it, saves, and reads back.
    ///
    /// # Errors
    ///
    /// If the text is too long then, or does not read back as it was; the changes are forgotten then.
    pub fn settle(&mut self) -> Result<TriedText, TextError> {
        let (open, saved) = (self.open.take(), self.saved.as_slice());
        let taken = std::mem::take(&mut self.taken);
        let (open, tried) = guarded(|| {
            let open = open.map_or_else(|| Open::load(saved), Ok)?;
            // A panic took them.
            if open.taken.len() == taken { open.settle() } else { Err(TextError::Panicked) }
        })?;
        self.open = Some(open);
        self.saved.clone_from(&tried.saved);
        Ok(tried)
    }
}

impl Open {
    fn load(saved: &[u8]) -> Result<Self, TextError> {
        let is_new = saved.is_empty();
        Self::around(if is_new { TextDocument::new()? } else { TextDocument::load_here(saved)? })
    }

    fn around(document: TextDocument) -> Result<Self, TextError> {
        let history = History::of(&document.doc)?;
        Ok(Self { document, history, taken: Vec::new() })
    }

    /// Takes a change, unless the text has it.
    fn check(&mut self, change: &TextChange) -> Result<bool, TextError> {
        if self.history.contains(change.hash) {
            return Ok(false);
        }
        let past = check_place(&self.history, change)?;
        let parsed = engine_change(&change.bytes)?;
        let (history, doc) = (&mut self.history, &self.document.doc);
        let inserts = check_ops(history, doc, &past, change, parsed.decode())?;
        self.history.add(change, inserts);
        self.taken.push(parsed);
        Ok(true)
    }

    fn settle(mut self) -> Result<(Self, TriedText), TextError> {
        if self.taken.is_empty() {
            let document = &self.document;
            let (saved, heads) = (document.save(), document.heads());
            let text = document.text()?;
            return Ok((self, TriedText { saved, heads, text }));
        }
        let names: Vec<ChangeHash> =
            self.taken.iter().map(|change| ChangeHash(change.hash().0)).collect();
        self.document.doc.apply_changes(self.taken).map_err(engine)?;
        let text = self.document.text()?;
        if text.len() > TEXT_BYTES_MAX {
            return Err(TextError::TextTooLong);
        }
        let (saved, heads) = (self.document.save(), self.document.heads());
        let again = TextDocument::load_here(&saved)?;
        let is_whole = names.iter().all(|hash| again.contains(*hash));
        if !is_whole || again.heads() != heads || again.text()? != text {
            return Err(TextError::NotReadBack);
        }
        Ok((Self::around(again)?, TriedText { saved, heads, text }))
    }
}

/// Checks that the change is its author's next, and counts on from what it follows.
fn check_place(history: &History, change: &TextChange) -> Result<Past, TextError> {
    if change.actor == ActorId::ZERO {
        return Err(TextError::ActorZero);
    }
    if history.len() >= TEXT_CHANGES_MAX {
        return Err(TextError::TooManyChanges);
    }
    if history.ops + change.op_count as u64 > TEXT_OPS_MAX {
        return Err(TextError::TooManyOps);
    }
    let last = history.last_seq(change.actor);
    if change.seq <= last {
        return Err(TextError::Forked { seq: change.seq });
    }
    if change.seq > last + 1 {
        return Err(TextError::SeqGap { expected: last + 1, found: change.seq });
    }
    let missing: Vec<_> =
        change.deps.iter().filter(|dep| !history.contains(**dep)).copied().collect();
    if !missing.is_empty() {
        return Err(TextError::MissingDeps(missing));
    }
    let past = history.past(&change.deps);
    let own = past.seqs.get(&change.actor).copied().unwrap_or(0);
    if own != last || !past.contains(first_change().hash) {
        return Err(TextError::PreviousNotFollowed);
    }
    let expected = past.max_op + 1;
    if change.start_op != expected {
        return Err(TextError::WrongStartOp { expected, found: change.start_op });
    }
    Ok(past)
}

/// Checks that each operation puts in or takes out one character that its author can know; which of them
/// put one in.
fn check_ops(
    history: &mut History,
    doc: &Automerge,
    past: &Past,
    change: &TextChange,
    expanded: ExpandedChange,
) -> Result<Vec<bool>, TextError> {
    let mut inserted = Vec::with_capacity(expanded.operations.len());
    for op in &expanded.operations {
        if !is_text_object(&op.obj) {
            return Err(TextError::ForeignObject);
        }
        let legacy::Key::Seq(element) = &op.key else {
            return Err(TextError::OpNotAllowed);
        };
        let id = match element {
            legacy::ElementId::Head => None,
            legacy::ElementId::Id(id) => Some(id),
        };
        let allowed = match &op.action {
            legacy::OpType::Put(ScalarValue::Str(text)) if op.insert => {
                text.chars().count() == 1 && op.pred.is_empty()
            }
            // A character has no operations but its insertion and its deletions.
            legacy::OpType::Delete if !op.insert => {
                op.pred.len() == 1 && id.is_some() && op.pred.get(0) == id
            }
            legacy::OpType::Put(_)
            | legacy::OpType::Delete
            | legacy::OpType::Make(_)
            | legacy::OpType::Increment(_)
            | legacy::OpType::MarkBegin(_)
            | legacy::OpType::MarkEnd(_) => false,
        };
        if !allowed {
            return Err(TextError::OpNotAllowed);
        }
        if let Some(id) = id {
            let id = our_id(id).ok_or(TextError::UnknownCharacter)?;
            let own_index = id.counter.checked_sub(change.start_op);
            let known = match own_index.filter(|_| id.actor == change.actor) {
                Some(index) => usize::try_from(index)
                    .is_ok_and(|index| inserted.get(index).copied().unwrap_or(false)),
                None => history.is_insert(doc, id, past),
            };
            if !known {
                return Err(TextError::UnknownCharacter);
            }
        }
        inserted.push(op.insert);
    }
    let written = automerge::Change::from(expanded);
    if written.raw_bytes() != change.bytes {
        return Err(ChangeError::NotCanonical.into());
    }
    Ok(inserted)
}

/// The Text object is made by the first operation of the first change.
fn is_text_object(object: &legacy::ObjectId) -> bool {
    match object {
        legacy::ObjectId::Root => false,
        legacy::ObjectId::Id(id) => our_id(id) == Some(OpId { counter: 1, actor: ActorId::ZERO }),
    }
}

fn our_id(id: &legacy::OpId) -> Option<OpId> {
    let actor = ActorId::try_from(id.actor().to_bytes()).ok()?;
    Some(OpId { counter: id.counter(), actor })
}
