//! Export: a document's history as a standard `.automerge` file.
//!
//! The data belongs to its owner: anyone's Automerge library opens the file.

use std::collections::BTreeSet;

use automerge::{Automerge, Change, ReadDoc};

use super::codec::{self, ChangeError};

/// Changes that one export may hold.
pub const EXPORT_CHANGES_MAX: usize = 1_000_000;

/// Why a history cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A stored change is damaged.
    #[error("a stored change is damaged")]
    Damaged(#[from] ChangeError),
    /// A stored change is not one.
    #[error("a stored change cannot be read")]
    Change(#[from] automerge::LoadChangeError),
    /// Automerge refuses the history.
    #[error("the history cannot be put together")]
    Apply(#[from] automerge::AutomergeError),
    /// A change follows one that is not there.
    #[error("the history is incomplete: {missing} changes are missing")]
    Incomplete {
        /// How many hashes are unknown.
        missing: usize,
    },
    /// More changes than an export may hold.
    #[error("the history has more than {EXPORT_CHANGES_MAX} changes")]
    TooMany,
}

/// Puts change chunks together into one saved Automerge document.
///
/// The order does not matter, a change given twice counts once; the history must be complete.
///
/// # Errors
///
/// Returns [`ExportError`] when a chunk is damaged or one is missing.
pub fn export<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, ExportError> {
    export_at_most(EXPORT_CHANGES_MAX, chunks)
}

fn export_at_most<'a>(
    most: usize,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, ExportError> {
    let mut changes = Vec::new();
    for chunk in chunks {
        if changes.len() >= most {
            return Err(ExportError::TooMany);
        }
        // Automerge does not look at the checksum of a single change.
        codec::header(chunk)?;
        changes.push(Change::try_from(chunk)?);
    }
    let count = changes.iter().map(Change::hash).collect::<BTreeSet<_>>().len();
    let mut document = Automerge::new();
    document.apply_changes(changes)?;
    let missing = document.get_missing_deps(&[]).len();
    if missing > 0 || document.get_changes(&[]).len() < count {
        return Err(ExportError::Incomplete { missing });
    }
    Ok(document.save())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crdt::text::first_change;

    #[test]
    fn the_number_of_changes_is_limited() {
        let chunk = first_change().bytes.as_slice();
        let of = |count: usize| export_at_most(3, std::iter::repeat_n(chunk, count));
        assert!(of(3).is_ok());
        assert!(matches!(of(4), Err(ExportError::TooMany)));
    }
}
