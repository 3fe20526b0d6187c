//! Why a text cannot be read, edited, or take a change.

use super::{TEXT_BYTES_MAX, TEXT_CHANGES_MAX, TEXT_OPS_MAX};
use crate::{
    crdt::{codec::ChangeError, op::TEXT_CHANGE_OPS_MAX},
    ids::ChangeHash,
};

/// Why a text cannot be read, edited, or take a change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// The bytes are not a change that may be shown to Automerge.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The stored text does not load.
    #[error("the stored text cannot be read: {0}")]
    Unreadable(String),
    /// The document does not begin with the constant first change.
    #[error("the document is not a text that begins with the constant first change")]
    NotAText,
    /// Automerge did not make or take a change.
    #[error("the text engine refused: {0}")]
    Engine(String),
    /// Automerge panicked; nothing was kept of what it did.
    #[error("the text engine stopped")]
    Panicked,
    /// No thread could be started to try a change in.
    #[error("no thread could be started for the text")]
    NoThread,
    /// The text is too long, or would be.
    #[error("a text has at most {} bytes", TEXT_BYTES_MAX)]
    TextTooLong,
    /// The text has had too many changes.
    #[error("a text has at most {} changes", TEXT_CHANGES_MAX)]
    TooManyChanges,
    /// The text has had too many operations.
    #[error("a text has at most {} operations", TEXT_OPS_MAX)]
    TooManyOps,
    /// The edit takes too many operations for one change.
    #[error("an edit puts in and takes out at most {} characters", TEXT_CHANGE_OPS_MAX)]
    EditTooLarge,
    /// A place that is not within the text.
    #[error("the edit reaches past the end of the text")]
    OutOfBounds,
    /// The actor of the constant first change writes nothing else.
    #[error("the actor of zeros writes only the first change")]
    ActorZero,
    /// Another change of this actor has the same number.
    #[error("the actor has written another change {seq}")]
    Forked {
        /// The number that both have.
        seq: u64,
    },
    /// Changes of this actor are missing.
    #[error("change {found} of an actor came where change {expected} was expected")]
    SeqGap {
        /// The number that comes next.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// The change follows changes that are not here.
    #[error("the change follows {} changes that are not here", .0.len())]
    MissingDeps(Vec<ChangeHash>),
    /// The change does not follow the first change, or the author's own previous one.
    #[error("the change does not follow its author's previous one")]
    PreviousNotFollowed,
    /// The counter of the first operation is not the next after all that the change follows.
    #[error("the change counts from {found} where {expected} was expected")]
    WrongStartOp {
        /// The counter that comes next.
        expected: u64,
        /// The counter that the change has.
        found: u64,
    },
    /// An operation in another object than the text.
    #[error("an operation is not in the text")]
    ForeignObject,
    /// An operation that neither inserts one character nor deletes one.
    #[error("an operation neither inserts nor deletes a character")]
    OpNotAllowed,
    /// An operation at a character that its author cannot have seen.
    #[error("an operation is at a character that its author cannot have seen")]
    UnknownCharacter,
    /// What was saved did not read back as the same.
    #[error("the text did not read back as it was saved")]
    NotReadBack,
}

impl TextError {
    /// The stable name of the reason, as it goes over the wire.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Change(change) => change.code(),
            Self::Unreadable(_) => "text_unreadable",
            Self::NotAText => "not_a_text",
            Self::Engine(_) => "text_engine",
            Self::Panicked => "text_panicked",
            Self::NoThread => "text_no_thread",
            Self::TextTooLong => "text_too_long",
            Self::TooManyChanges => "text_too_many_changes",
            Self::TooManyOps => "text_too_many_ops",
            Self::EditTooLarge => "text_edit_too_large",
            Self::OutOfBounds => "text_out_of_bounds",
            Self::ActorZero => "actor_zero",
            Self::Forked { .. } => "forked",
            Self::SeqGap { .. } => "seq_gap",
            Self::MissingDeps(_) => "missing_deps",
            Self::PreviousNotFollowed => "previous_not_followed",
            Self::WrongStartOp { .. } => "wrong_start_op",
            Self::ForeignObject => "foreign_object",
            Self::OpNotAllowed => "text_op_not_allowed",
            Self::UnknownCharacter => "unknown_character",
            Self::NotReadBack => "not_read_back",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_error_has_a_code_of_its_own() {
        let errors = [
            TextError::Change(ChangeError::NotCanonical),
            TextError::Unreadable(String::new()),
            TextError::NotAText,
            TextError::Engine(String::new()),
            TextError::Panicked,
            TextError::NoThread,
            TextError::TextTooLong,
            TextError::TooManyChanges,
            TextError::TooManyOps,
            TextError::EditTooLarge,
            TextError::OutOfBounds,
            TextError::ActorZero,
            TextError::Forked { seq: 1 },
            TextError::SeqGap { expected: 1, found: 3 },
            TextError::MissingDeps(Vec::new()),
            TextError::PreviousNotFollowed,
            TextError::WrongStartOp { expected: 1, found: 2 },
            TextError::ForeignObject,
            TextError::OpNotAllowed,
            TextError::UnknownCharacter,
            TextError::NotReadBack,
        ];
        let codes: BTreeSet<&str> = errors.iter().map(TextError::code).collect();
        assert_eq!(codes.len(), errors.len());
    }
}
