//! A text as it was after each of its changes.

use automerge::ReadDoc as _;

use super::{
    TextDocument, TextError,
    document::{engine, engine_change, ours},
    guard::guarded,
};
use crate::crdt::codec;

/// Applies `changes` one after the other, and from number `first` on shows the text before and
/// after each. The constant first change may be left out.
///
/// # Errors
///
/// If a change cannot be read, or follows one that is not among those before it.
pub fn replay<B: AsRef<[u8]> + Sync>(
    changes: &[B],
    first: usize,
    mut visit: impl FnMut(&str, &str) + Send,
) -> Result<(), TextError> {
    guarded(|| {
        let mut document = TextDocument::new()?;
        let (past, steps) = changes.split_at_checked(first).unwrap_or((changes, &[]));
        apply(&mut document, past)?;
        let mut before = document.text()?;
        for step in steps {
            apply(&mut document, std::slice::from_ref(step))?;
            let after = document.text()?;
            visit(&before, &after);
            before = after;
        }
        Ok(())
    })
}

fn apply<B: AsRef<[u8]>>(document: &mut TextDocument, changes: &[B]) -> Result<(), TextError> {
    let mut parsed = Vec::with_capacity(changes.len());
    let mut hashes = Vec::with_capacity(changes.len());
    for change in changes {
        let change = codec::header(change.as_ref())?;
        hashes.push(change.hash);
        parsed.push(engine_change(&change.bytes)?);
    }
    document.doc.apply_changes(parsed).map_err(engine)?;
    if hashes.iter().all(|hash| document.contains(*hash)) {
        Ok(())
    } else {
        Err(TextError::MissingDeps(ours(document.doc.get_missing_deps(&[]))))
    }
}
