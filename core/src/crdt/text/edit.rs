//! Editing a text: the least that makes it another one, or characters at a place.

use automerge::{
    ObjId, ReadDoc as _,
    transaction::{CommitOptions, Transactable as _, Transaction},
};

use super::{
    TEXT_BYTES_MAX, TEXT_CHANGES_MAX, TEXT_OPS_MAX, TextChange, TextDocument, TextError,
    document::{engine, engine_actor},
};
use crate::{
    crdt::{
        codec::{self, ChangeError},
        op::{TEXT_CHANGE_OPS_MAX, TIME_MS_MAX, TIME_MS_MIN},
    },
    ids::ActorId,
    time::TimestampMs,
};

/// Differences are looked for while old times new characters, without what both begin and end
/// with, are at most this many; beyond it the differing stretch is replaced whole. (Automerge's
/// search takes time by that product.)
const DIFF_PRODUCT_MAX: usize = 1_000_000;

impl TextDocument {
    /// Makes the text `new_text` with as few operations as can be found; `None` if it is so.
    ///
    /// # Errors
    ///
    /// If the text or its history gets too long, or the edit is too large for one change:
    /// [`Self::edit_in_steps`] takes several.
    pub fn edit(
        &mut self,
        actor: ActorId,
        time_ms: TimestampMs,
        new_text: &str,
    ) -> Result<Option<TextChange>, TextError> {
        let old: Vec<char> = self.text()?.chars().collect();
        let new: Vec<char> = new_text.chars().collect();
        let stretch = Stretch::between(&old, &new);
        let product = stretch.old.len().saturating_mul(stretch.new.len());
        self.write(actor, time_ms, new_text.len(), |transaction, object| {
            if product <= DIFF_PRODUCT_MAX {
                transaction.update_text(object, new_text)
            } else {
                let inserted: String = stretch.new.iter().collect();
                splice_text(transaction, object, stretch.at, stretch.old.len(), &inserted)
            }
        })
    }

    /// Makes the text `new_text` like [`Self::edit`], in as many changes as it takes.
    ///
    /// # Errors
    ///
    /// If the text or its history gets too long; the changes made until then stay.
    pub fn edit_in_steps(
        &mut self,
        actor: ActorId,
        time_ms: TimestampMs,
        new_text: &str,
    ) -> Result<Vec<TextChange>, TextError> {
        if new_text.len() > TEXT_BYTES_MAX {
            return Err(TextError::TextTooLong);
        }
        match self.edit(actor, time_ms, new_text) {
            Err(TextError::EditTooLarge) => {}
            done => return Ok(done?.into_iter().collect()),
        }
        let old: Vec<char> = self.text()?.chars().collect();
        let new: Vec<char> = new_text.chars().collect();
        let stretch = Stretch::between(&old, &new);
        let mut changes = Vec::new();
        for piece in stretch.old.chunks(TEXT_CHANGE_OPS_MAX) {
            changes.extend(self.splice(actor, time_ms, stretch.at, piece.len(), "")?);
        }
        for (step, piece) in stretch.new.chunks(TEXT_CHANGE_OPS_MAX).enumerate() {
            let at = stretch.at + step * TEXT_CHANGE_OPS_MAX;
            let piece: String = piece.iter().collect();
            changes.extend(self.splice(actor, time_ms, at, 0, &piece)?);
        }
        Ok(changes)
    }

    /// Takes out `delete` characters (Unicode code points) at `at` and puts `insert` there.
    ///
    /// # Errors
    ///
    /// As [`Self::edit`], and if the place is not within the text.
    pub fn splice(
        &mut self,
        actor: ActorId,
        time_ms: TimestampMs,
        at: usize,
        delete: usize,
        insert: &str,
    ) -> Result<Option<TextChange>, TextError> {
        let text = self.text()?;
        let end = at.checked_add(delete).ok_or(TextError::OutOfBounds)?;
        if end > text.chars().count() {
            return Err(TextError::OutOfBounds);
        }
        let removed: usize = text.chars().skip(at).take(delete).map(char::len_utf8).sum();
        let size_bytes = text.len() - removed + insert.len();
        self.write(actor, time_ms, size_bytes, |transaction, object| {
            splice_text(transaction, object, at, delete, insert)
        })
    }

    /// Writes one change with what `edit` does, or nothing at all.
    fn write(
        &mut self,
        actor: ActorId,
        time_ms: TimestampMs,
        size_bytes: usize,
        edit: impl FnOnce(&mut Transaction<'_>, &ObjId) -> Result<(), automerge::AutomergeError>,
    ) -> Result<Option<TextChange>, TextError> {
        if actor == ActorId::ZERO {
            return Err(TextError::ActorZero);
        }
        if size_bytes > TEXT_BYTES_MAX {
            return Err(TextError::TextTooLong);
        }
        if !(TIME_MS_MIN..=TIME_MS_MAX).contains(&time_ms) {
            return Err(ChangeError::TimeOutOfRange.into());
        }
        let metas = self.doc.get_changes_meta(&[]);
        let changes = metas.len();
        let ops: u64 =
            metas.iter().map(|meta| (meta.max_op + 1).saturating_sub(meta.start_op)).sum();
        drop(metas);
        self.doc.set_actor(engine_actor(actor));
        let mut transaction = self.doc.transaction();
        if let Err(error) = edit(&mut transaction, &self.object) {
            transaction.rollback();
            return Err(engine(error));
        }
        let added = transaction.pending_ops();
        let refused = match () {
            () if added == 0 => None,
            () if added > TEXT_CHANGE_OPS_MAX => Some(TextError::EditTooLarge),
            () if ops + added as u64 > TEXT_OPS_MAX => Some(TextError::TooManyOps),
            () if changes >= TEXT_CHANGES_MAX => Some(TextError::TooManyChanges),
            () => None,
        };
        if added == 0 || refused.is_some() {
            transaction.rollback();
            return refused.map_or(Ok(None), Err);
        }
        let (hash, _) = transaction.commit_with(CommitOptions::default().with_time(time_ms));
        let change = hash.and_then(|hash| self.doc.get_change_by_hash(&hash));
        let change = change.ok_or_else(|| TextError::Engine("no change was made".to_owned()))?;
        Ok(Some(codec::header(change.raw_bytes())?))
    }
}

/// Where two texts differ: what both begin with and end with is left out.
struct Stretch<'a> {
    at: usize,
    old: &'a [char],
    new: &'a [char],
}

impl<'a> Stretch<'a> {
    fn between(old: &'a [char], new: &'a [char]) -> Self {
        let at = old.iter().zip(new).take_while(|(old, new)| old == new).count();
        let old = old.get(at..).unwrap_or_default();
        let new = new.get(at..).unwrap_or_default();
        let end =
            old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
        Self {
            at,
            old: old.get(..old.len() - end).unwrap_or_default(),
            new: new.get(..new.len() - end).unwrap_or_default(),
        }
    }
}

fn splice_text(
    transaction: &mut Transaction<'_>,
    object: &ObjId,
    at: usize,
    delete: usize,
    insert: &str,
) -> Result<(), automerge::AutomergeError> {
    // A length in memory always fits.
    transaction.splice_text(object, at, isize::try_from(delete).unwrap_or(isize::MAX), insert)
}
