//! The office at work: what its people enter and see, and what the server does by itself.
//!
//! An edit of the office is a change like any other: it is judged by the same gate and goes with
//! state, row, history, feed and audit into one transaction. Its author has a row of its own
//! among the devices, so that everybody learns who wrote. What was entered into a form is written
//! on what the form showed: a colleague's newer value stays beside it and does not vanish.
//!
//! All functions here block; handlers call them in turns.

mod author;
mod base;
mod certificate;
mod disclose;
mod edit;
mod erase;
mod forward;
mod merge;
mod naming;

mod devices;
mod files;
mod history;
mod holders;
mod import;
mod list;
mod review;
mod search;
mod users;
mod view;

pub use author::{Author, Draws, SYSTEM_USER, author_for, author_with};
pub use certificate::{CERTIFICATE_KIND, Certificate, DeviceLine, SignedCertificate, certificate};
pub use devices::{ARRIVAL_CHANGES_MAX, Arrival, arrivals, devices};
pub use disclose::{Asker, DISCLOSURE_FORMAT, LINKED_MAX, disclose};
pub use edit::{Settlement, archive, create, restore, settle, update};
pub use erase::{
    EraseError, Erased, PERSONS, erase, replay_erasure, replay_erasures, replay_erasures_with,
};
pub use files::{FileOptions, Selection, write_file};
pub(crate) use forward::forward;
pub use history::{
    HISTORY_PAGE_MAX, HistoryEntry, HistoryPage, HistoryQuery, Place, as_of, export_automerge,
    history,
};
pub use holders::{Holder, holders};
pub use import::OfficePlace;
pub use list::{
    ListPage, OpenConflicts, RELATED_MAX, Related, list, open_conflicts, pipeline, related,
    timeline,
};
pub use merge::{merge, plan_merge, tell_apart, unmerge};
pub use naming::{NAMED_MAX, Naming, Namings, namings};
pub use review::{Decision, decide, open_reviews};
pub(crate) use review::{PROPOSAL, about_record, is_about_erased, note_requests};
pub use search::{SAVED_MAX, list_found, near, saved_filter, saved_filters, search};
pub use users::{ensure_user, ensure_user_with, find_user, restore_users, restore_users_with};
pub use view::{ConflictValue, ConflictView, RecordView, documents, titles, view};

use outrider_core::{
    crdt::{TextError, WriteError, export::ExportError},
    domain::{edit::EditError, merge::MergeError},
    ids::RecordId,
};

use crate::storage::StorageError;

/// Why the office could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum OfficeError {
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// No such entity.
    #[error("there is no entity `{0}`")]
    UnknownEntity(String),
    /// No such record, or not yet at that position.
    #[error("there is no record {0}")]
    UnknownRecord(RecordId),
    /// A part of a record cannot be entered without the record.
    #[error("record {0} itself was not entered; decide on that first, or decline")]
    NotEntered(RecordId),
    /// The server has not been where the form says that it was: it was restored since.
    #[error("the page is of another time than the server's data; load it again")]
    UnknownPosition(u64),
    /// What was entered does not fit.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// Two records that cannot be merged, or a merge that cannot be taken back.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// The edits do not fit into the record.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The text cannot be written.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The history cannot be written as a file.
    #[error("the history cannot be exported")]
    Export(#[from] ExportError),
    /// Records cannot be written as a file.
    #[error(transparent)]
    File(#[from] outrider_core::transfer::export::ExportError),
    /// Nothing is to be settled there.
    #[error("`{key}` of {record} has only one value")]
    NoConflict {
        /// The record.
        record: RecordId,
        /// The key.
        key: String,
    },
    /// More than one edit may change at once.
    #[error("this changes too much at once; save in smaller steps")]
    TooLarge,
    /// The gate or the policy refused the change.
    #[error("refused: {code}")]
    Refused {
        /// Why, for programs.
        code: String,
        /// The keys that caused it; none if it is the change as a whole.
        keys: Vec<String>,
    },
    /// No edit of this number waits for a decision.
    #[error("no edit {0} waits for a decision; it may have been decided meanwhile")]
    NoReview(u64),
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Random(#[from] getrandom::Error),
}
