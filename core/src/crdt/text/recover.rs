//! What a server lost of a text for good, written anew.

use std::collections::BTreeSet;

use super::{TextChange, TextDocument, TextError, guard::guarded};
use crate::{
    ids::{ActorId, ChangeHash},
    time::TimestampMs,
};

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
/// somebody wrote there meanwhile stays. What another device wrote anew already is not written
/// twice, unless both hold more than one passage that the other lacks.
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
        let confirmed = server.save();
        let is_lost = here != before && here != there;
        let changes = if !is_lost || (is_longer(&before, &here) && is_longer(&here, &there)) {
            Vec::new()
        } else if is_longer(&before, &there) && is_longer(&there, &here) {
            // Another device wrote a part of it anew.
            server.edit_in_steps(actor, time_ms, &here)?
        } else {
            fork.edit_in_steps(actor, time_ms, &here)?
        };
        server.merge(&changes)?;
        Ok(RecoveredText { confirmed, text: server, changes })
    })
}

/// Whether `longer` is `shorter` with one passage put in.
fn is_longer(shorter: &str, longer: &str) -> bool {
    let alike = shorter.chars().zip(longer.chars()).take_while(|(one, other)| one == other);
    let begin: usize = alike.map(|(one, _)| one.len_utf8()).sum();
    let rests = (shorter.get(begin..), longer.get(begin..));
    matches!(rests, (Some(rest), Some(with)) if with.len() > rest.len() && with.ends_with(rest))
}
