//! What a server lost of a text for good, written anew.

use std::collections::BTreeSet;

use super::{TextChange, TextDocument, TextError, guard::guarded};
use crate::{
    ids::{ActorId, ChangeHash},
    time::TimestampMs,
};

/// Characters of a passage that is recognised: shorter ones stand in many texts by chance.
const PASSAGE_CHARS_MIN: usize = 4;

/// A text whose lost passages were written anew.
#[derive(Debug, Clone)]
pub struct RecoveredText {
    /// The text as the server has it, to keep.
    pub confirmed: Vec<u8>,
    /// The same with the new changes.
    pub text: TextDocument,
    /// What was written; none if the server lacks nothing.
    pub changes: Vec<TextChange>,
}

/// Writes what `mine` has and `theirs` lacks into `theirs`, where both still knew the same.
///
/// `theirs` is what [`accept`](super::accept) let pass, or a text without any change. What
/// somebody wrote there meanwhile stays. If it is the same passage, it was written anew by another
/// device, and is not written twice.
///
/// # Errors
///
/// [`TextError`] if one of them cannot be read, or gets too long.
pub fn recover_text(
    theirs: &[u8],
    mine: &[u8],
    actor: ActorId,
    time_ms: TimestampMs,
) -> Result<RecoveredText, TextError> {
    guarded(|| {
        let mut server = TextDocument::load_here(theirs)?;
        let device = TextDocument::load_here(mine)?;
        let mut common: BTreeSet<ChangeHash> = BTreeSet::new();
        for change in server.changes_since(&[])? {
            if device.contains(change.hash) {
                for dep in &change.deps {
                    common.remove(dep);
                }
                common.insert(change.hash);
            }
        }
        let common: Vec<ChangeHash> = common.into_iter().collect();
        let mut fork = server.fork_at(&common)?;
        let (before, here, there) = (fork.text()?, device.text()?, server.text()?);
        let is_lost = here != before && here != there && !is_same_edit(&before, &here, &there);
        let changes = if is_lost { fork.edit_in_steps(actor, time_ms, &here)? } else { Vec::new() };
        let confirmed = server.save();
        server.merge(&changes)?;
        Ok(RecoveredText { confirmed, text: server, changes })
    })
}

/// Whether `here` came of `before` by putting in one passage that `there` has too.
fn is_same_edit(before: &str, here: &str, there: &str) -> bool {
    let alike = before.chars().zip(here.chars()).take_while(|(a, b)| a == b);
    let begin: usize = alike.map(|(a, _)| a.len_utf8()).sum();
    let (Some(old), Some(new)) = (before.get(begin..), here.get(begin..)) else { return false };
    // A passage was put in if all that stood behind it still does.
    new.strip_suffix(old)
        .is_some_and(|put_in| put_in.chars().count() >= PASSAGE_CHARS_MIN && there.contains(put_in))
}
