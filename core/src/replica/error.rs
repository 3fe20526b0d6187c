//! What can go wrong with a replica, in words that say what to do.

use std::path::PathBuf;

use super::copy::CopyError;
use crate::{
    crdt::{TextError, WriteError},
    domain::{edit::EditError, merge::MergeError, taps::TapError},
    ids::RecordId,
    store::{StoreError, is_denied},
    sync::{codec::CodecError, key::KeyError},
};

/// What to do about a file that the system keeps from this user.
const DENIED: &str = "; it belongs to another user, or is read-only: give it to the user who runs this \
                      program, or run it as its owner";

/// What follows the words of a failure with a file, for people; empty if nothing is known.
#[must_use]
pub fn advice_for(error: &std::io::Error) -> &'static str {
    if is_denied(error) { DENIED } else { "" }
}

/// Why a replica could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    /// The folder or a file in it cannot be used.
    #[error("cannot use {path}: {source}{advice}", advice = advice_for(source))]
    Folder {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such entity.
    #[error("there is no entity `{name}`; there are {known}")]
    UnknownEntity {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The record is not on this device.
    #[error("record {0} is not on this device")]
    UnknownRecord(RecordId),
    /// A record of this id exists.
    #[error("record {0} exists already")]
    Exists(RecordId),
    /// The edit does not fit the record.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// A tap that does nothing.
    #[error(transparent)]
    Tap(#[from] TapError),
    /// Two records that cannot be merged, or a merge that cannot be taken back.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// The document cannot take the edit.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The long text cannot take the edit.
    #[error(transparent)]
    Text(#[from] TextError),
    /// There is nothing to settle under this key.
    #[error("record {record} has no conflict under `{key}`")]
    NoConflict {
        /// The record.
        record: RecordId,
        /// The key.
        key: String,
    },
    /// The group holds more changes than one may.
    #[error("one group holds at most {max} changes and 4 MiB; save in smaller steps")]
    GroupTooLarge {
        /// The limit.
        max: usize,
    },
    /// The whole store cannot be copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// Wiping was begun here and did not come to its end.
    #[error("{0} is being wiped; wipe it again to end that, or name another folder")]
    BeingWiped(PathBuf),
    /// There is no such tap to take back.
    #[error("there is no edit {0} that can be undone; `outrider undo --list` shows those that can")]
    NoTap(i64),
    /// As many live queries are open as there may be.
    #[error("{max} live queries are open; close one first")]
    TooManyLive {
        /// The limit.
        max: usize,
    },
    /// The window of a live query is too large.
    #[error("a live query shows at most {max} records; ask for fewer")]
    LiveWindow {
        /// The limit.
        max: usize,
    },
    /// The device has not reached its server for too long.
    #[error(
        "locked: lease: this device has not reached its office for {days} days; run `outrider sync` where there is a connection, nothing is lost"
    )]
    Locked {
        /// For how many days.
        days: i64,
    },
    /// The office had this device wiped.
    #[error("the office ordered this device to be wiped; ask it for a code to begin anew")]
    Wiped,
    /// The store belongs to another user.
    #[error(
        "this store is {user}'s, and what waits in it is sent as {user}'s; run `outrider user switch NAME` first, and enroll there"
    )]
    OtherUser {
        /// Whose it is.
        user: String,
    },
    /// The device's key does not sign.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The user may not do this.
    #[error("you may not do this ({code}): {}; ask for it, or leave it out", keys.join(", "))]
    NotPermitted {
        /// The record.
        record: RecordId,
        /// Why, as the office would say it.
        code: &'static str,
        /// The keys that may not be written so.
        keys: Vec<String>,
    },
    /// The record was erased for good.
    #[error("record {0} was erased; nothing can be written into it again")]
    Erased(RecordId),
    /// There is nothing refused of this number that could be asked for.
    #[error("there is no refusal {0} that could be asked for; `outrider inbox` lists them")]
    NoRefusal(i64),
    /// The device is not enrolled.
    #[error("this device is not enrolled; run `outrider enroll URL CODE` first")]
    NotEnrolled,
    /// The server's answer cannot be read.
    #[error("the server's answer cannot be read: {0}")]
    Answer(#[from] CodecError),
    /// The server's answer breaks the protocol.
    #[error("the server's answer breaks the protocol: {0}")]
    Protocol(String),
}
