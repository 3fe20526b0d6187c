//! The gate for changes of a text, on a copy.
//!
//! A text is too much for rules alone, so a change that keeps them is also tried: applied to a
//! copy, saved, read back and compared, in a thread where a panic costs nothing. The rules come
//! first all the same. What a change refers to must be within its past, or it would work here and
//! fail on a replica where changes arrive in another order; and only single characters are put in
//! and taken out, so that nobody hides an object or a mark in a text.

use automerge::{ExpandedChange, ScalarValue, legacy};

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
    TextGate::new(saved.to_vec()).accept(change)
}

/// A text into which changes are taken one after the other: it is loaded once for each, not twice.
#[derive(Debug)]
pub struct TextGate {
    saved: Vec<u8>,
    loaded: Option<TextDocument>,
    ops: u64,
}

impl TextGate {
    /// Begins with a text's bytes; see [`accept`].
    #[must_use]
    pub fn new(saved: Vec<u8>) -> Self {
        Self { saved, loaded: None, ops: 0 }
    }

    /// Whether the text is as these bytes say.
    #[must_use]
    pub fn is_at(&self, saved: &[u8]) -> bool {
        self.saved == saved
    }

    /// Operations of the text before the last change that came; what looking at that cost is in proportion.
    #[must_use]
    pub fn ops(&self) -> u64 {
        self.ops
    }

    /// As [`accept`]; the next change is taken into what comes of it.
    ///
    /// # Errors
    ///
    /// As [`accept`]; the text is as it was then.
    pub fn accept(&mut self, change: &[u8]) -> Result<AcceptedText, TextError> {
        let change = codec::header(change)?;
        // After a panic it is loaded again.
        let accepted = guarded(|| self.accept_here(change))?;
        self.saved.clone_from(&accepted.saved);
        Ok(accepted)
    }

    fn accept_here(&mut self, change: TextChange) -> Result<AcceptedText, TextError> {
        let mut document = match self.loaded.take() {
            Some(document) => document,
            None if self.saved.is_empty() => TextDocument::new()?,
            None => TextDocument::load_here(&self.saved)?,
        };
        let checked = self.check(&document, &change);
        let Ok(Some(parsed)) = checked else {
            let known = checked.and_then(|_| {
                let (saved, heads, text) = (document.save(), document.heads(), document.text()?);
                Ok(AcceptedText { applied: false, change, saved, heads, text })
            });
            self.loaded = Some(document);
            return known;
        };
        document.doc.apply_changes([parsed]).map_err(engine)?;
        let text = document.text()?;
        if text.len() > TEXT_BYTES_MAX {
            return Err(TextError::TextTooLong);
        }
        let (saved, heads) = (document.save(), document.heads());
        let again = TextDocument::load_here(&saved)?;
        if !again.contains(change.hash) || again.heads() != heads || again.text()? != text {
            return Err(TextError::NotReadBack);
        }
        self.loaded = Some(again);
        Ok(AcceptedText { applied: true, change, saved, heads, text })
    }

    /// The change as the engine reads it; none that the text has.
    fn check(
        &mut self,
        document: &TextDocument,
        change: &TextChange,
    ) -> Result<Option<automerge::Change>, TextError> {
        let mut history = History::of(&document.doc)?;
        self.ops = history.ops;
        if history.contains(change.hash) {
            return Ok(None);
        }
        let past = check_place(&history, change)?;
        let parsed = engine_change(&change.bytes)?;
        check_ops(&mut history, &past, change, parsed.decode())?;
        Ok(Some(parsed))
    }
}

/// Checks that the change is its author's next, and counts on from what it follows.
fn check_place(history: &History<'_>, change: &TextChange) -> Result<Past, TextError> {
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

/// Checks that each operation puts in or takes out one character that its author can know.
fn check_ops(
    history: &mut History<'_>,
    past: &Past,
    change: &TextChange,
    expanded: ExpandedChange,
) -> Result<(), TextError> {
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
                None => history.is_insert(id, past),
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
    Ok(())
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
