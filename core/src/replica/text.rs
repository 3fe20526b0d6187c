//! Long texts of a replica.
//!
//! A text is an Automerge document; its changes travel both ways. As with flat documents there
//! is a confirmed copy while edits wait.

use serde_json::json;

use super::{ReplicaError, Writer, draw_suffix, flat::Merged};
use crate::{
    crdt::{
        Own, State, TextChange, TextDocument, TextError,
        base::Base,
        text::{accept, first_change},
    },
    ids::{ActorId, DocumentId},
    schema::Entity,
    store::{
        StoreError,
        document::{self, StoredDocument},
        inbox, meta,
        outbox::{self, NewOwnChange, OwnChange},
        quarantine, rows,
    },
    sync::digest,
};

impl Writer<'_> {
    /// Makes the text of a record `new_text`.
    pub(super) fn write_text(
        &mut self,
        id: &DocumentId,
        entity: &Entity,
        new_text: &str,
    ) -> Result<bool, ReplicaError> {
        let stored = self.stored(id)?;
        if stored.is_none() && new_text.is_empty() {
            return Ok(false);
        }
        let mut text = match &stored {
            Some(stored) => TextDocument::load(&stored.state)?,
            None => TextDocument::new()?,
        };
        let own = stored.as_ref().and_then(|stored| stored.own);
        let actor = self.text_actor(&text, own.as_ref());
        let changes = text.edit_in_steps(actor, self.now_ms, new_text)?;
        self.queue_text(id, entity, stored, &text, &changes)
    }

    /// Keeps a text with its new changes: document, row and outbox.
    pub(super) fn queue_text(
        &mut self,
        id: &DocumentId,
        entity: &Entity,
        stored: Option<StoredDocument>,
        text: &TextDocument,
        changes: &[TextChange],
    ) -> Result<bool, ReplicaError> {
        let Some(last) = changes.last() else { return Ok(false) };
        self.check_not_erased(id.record)?;
        self.check_access(entity, id, None, None, &[])?;
        let mut stored = match stored {
            Some(stored) => stored,
            None => StoredDocument {
                entity: entity.name.clone(),
                state: TextDocument::new()?.save(),
                confirmed: None,
                own: None,
                digest: None,
            },
        };
        stored.own = Some(Own { actor: last.actor, seq: last.seq, hash: last.hash });
        let before = std::mem::replace(&mut stored.state, text.save());
        stored.confirmed.get_or_insert(before);
        document::save(self.tx, id, &stored)?;
        // The text remembers what stood there.
        let before = self.before(entity, &id.part, &State::default(), &[]);
        for change in changes {
            let group_id = self.group_id(change.bytes.len())?;
            let new = NewOwnChange {
                group_id,
                document: id,
                entity: &entity.name,
                generation: 0,
                hash: change.hash,
                bytes: &change.bytes,
                base: &Base::default(),
                made_at: self.now_ms,
                before: before.as_ref(),
            };
            outbox::add(self.tx, &new)?;
        }
        self.project_text(id, Some(entity), &text.text()?)?;
        Ok(true)
    }

    pub(super) fn text_actor(&mut self, text: &TextDocument, own: Option<&Own>) -> ActorId {
        if let Some(own) = own {
            return own.actor;
        }
        // Equal texts begun at the same moment must not be the same change.
        let clock = text.clock();
        loop {
            let actor = ActorId::new(self.actor.prefix(), draw_suffix(self.rng));
            if !clock.contains_key(&actor) {
                return actor;
            }
        }
    }

    pub(super) fn project_text(
        &mut self,
        id: &DocumentId,
        entity: Option<&Entity>,
        text: &str,
    ) -> Result<(), StoreError> {
        // An entity that only a newer app knows is kept without a row.
        let Some(entity) = entity else { return Ok(()) };
        self.changed.note(entity, id.record);
        Ok(rows::project_text(self.tx, entity, id.record, id.part.as_str(), text)?)
    }

    pub(super) fn save_text(
        &mut self,
        id: &DocumentId,
        mut stored: StoredDocument,
    ) -> Result<(), ReplicaError> {
        let confirmed = stored.confirmed.as_ref().unwrap_or(&stored.state);
        let heads = TextDocument::load(confirmed)?.heads();
        // A text that holds the constant first change alone is not at the server yet.
        let is_there = heads != [first_change().hash];
        let fresh = is_there.then(|| digest::of_document(id, 0, &heads));
        self.replace_digest(stored.digest, fresh);
        stored.digest = fresh;
        document::save(self.tx, id, &stored)?;
        Ok(())
    }

    /// The server has the change durably.
    pub(super) fn confirm_text(&mut self, own: &OwnChange) -> Result<(), ReplicaError> {
        outbox::acknowledge(self.tx, own, self.now_ms)?;
        let Some(mut stored) = self.stored(&own.document)? else { return Ok(()) };
        if self.is_awaited(&own.document)? {
            // Its bytes come with the server's copy.
            return Ok(());
        }
        let confirmed = stored.confirmed.take().unwrap_or_else(|| stored.state.clone());
        let confirmed = accept(&confirmed, &own.bytes)?.saved;
        if self.waiting_of(&own.document)?.is_empty() {
            stored.state = confirmed;
        } else {
            stored.confirmed = Some(confirmed);
        }
        self.save_text(&own.document, stored)
    }

    /// Takes in changes that the server sent.
    pub(super) fn merge_text(
        &mut self,
        id: &DocumentId,
        entity: &str,
        changes: &[impl AsRef<[u8]>],
    ) -> Result<Merged, ReplicaError> {
        let is_forked = |merged: &Result<Merged, ReplicaError>| {
            matches!(merged, Err(ReplicaError::Text(TextError::Forked { .. })))
        };
        let merged = self.try_to_merge_text(id, entity, changes);
        if !is_forked(&merged) {
            return merged;
        }
        // The server has another change by the name of one that waits here: the device was rolled back, or
        // copied. What waits is written anew, as when it is answered so.
        self.rewrite_text(id, None)?;
        let merged = self.try_to_merge_text(id, entity, changes);
        if !is_forked(&merged) {
            return merged;
        }
        // Given out, or acknowledged, before the server was put back. While a recovery is open everything
        // waits; what differs is looked at when it is over.
        let is_open = meta::recovery_told(self.tx)? > meta::recovered(self.tx)?;
        Ok(if is_open { Merged::Joined } else { Merged::Parted })
    }

    fn try_to_merge_text(
        &mut self,
        id: &DocumentId,
        entity: &str,
        changes: &[impl AsRef<[u8]>],
    ) -> Result<Merged, ReplicaError> {
        let mut stored = match self.stored(id)? {
            Some(stored) => stored,
            None => StoredDocument {
                entity: entity.to_owned(),
                state: TextDocument::new()?.save(),
                confirmed: None,
                own: None,
                digest: None,
            },
        };
        if self.is_awaited(id)? {
            return self.merge_awaited_text(id, entity, stored, changes);
        }
        let mut text = TextDocument::load(&stored.state)?.text()?;
        let mut misfit = None;
        for change in changes {
            if let Some(confirmed) = &mut stored.confirmed {
                match accept(confirmed, change.as_ref()) {
                    Ok(accepted) => *confirmed = accepted.saved,
                    Err(error) if is_incomplete(&error) => return Ok(Merged::NeedsWhole),
                    Err(error) => return Err(error.into()),
                }
            }
            match accept(&stored.state, change.as_ref()) {
                Ok(accepted) => {
                    stored.state = accepted.saved;
                    text = accepted.text;
                }
                Err(error) if is_incomplete(&error) => return Ok(Merged::NeedsWhole),
                Err(error @ TextError::Forked { .. }) => return Err(error.into()),
                // It fits what is confirmed, but not together with what waits here.
                Err(error) if stored.confirmed.is_some() => misfit = Some(error.code()),
                Err(error) => return Err(error.into()),
            }
        }
        self.save_text(id, stored)?;
        self.project_text(id, self.schema.entity(entity), &text)?;
        if let Some(code) = misfit {
            self.rewrite_text(id, Some(code))?;
        }
        Ok(Merged::Joined)
    }

    /// Takes in the server's copy of a text that waited for it; the edits that still wait are laid on
    /// top. A long one comes in several pieces: it waits until all of them fit.
    fn merge_awaited_text(
        &mut self,
        id: &DocumentId,
        entity: &str,
        mut stored: StoredDocument,
        changes: &[impl AsRef<[u8]>],
    ) -> Result<Merged, ReplicaError> {
        let waiting = self.waiting_of(id)?;
        let mut confirmed = match stored.confirmed.take() {
            Some(confirmed) => confirmed,
            None => TextDocument::new()?.save(),
        };
        for change in changes {
            match accept(&confirmed, change.as_ref()) {
                Ok(accepted) => confirmed = accepted.saved,
                Err(error) if is_incomplete(&error) => return Ok(Merged::NeedsWhole),
                Err(error) => return Err(error.into()),
            }
        }
        for own in self.to_bring_back(id)? {
            // What does not fit yet follows what somebody else may still bring.
            if let Ok(accepted) = accept(&confirmed, &own.bytes) {
                confirmed = accepted.saved;
            }
        }
        let mut state = confirmed.clone();
        let mut is_whole = true;
        for own in &waiting {
            match accept(&state, &own.bytes) {
                Ok(accepted) => state = accepted.saved,
                Err(_) => is_whole = false,
            }
        }
        let text = TextDocument::load(&state)?.text()?;
        (stored.state, stored.own) = (state, None);
        stored.confirmed = (!waiting.is_empty() || !is_whole).then_some(confirmed);
        if is_whole {
            quarantine::close(self.tx, id, self.now_ms)?;
        }
        self.save_text(id, stored)?;
        self.project_text(id, self.schema.entity(entity), &text)?;
        Ok(Merged::Joined)
    }

    /// Takes the waiting edits of a text out after a refusal (`code`), or, without one, writes
    /// them anew under an actor that has not written there.
    pub(super) fn rewrite_text(
        &mut self,
        id: &DocumentId,
        code: Option<&str>,
    ) -> Result<(), ReplicaError> {
        let waiting = self.waiting_of(id)?;
        let Some(mut stored) = self.stored(id)? else { return Ok(()) };
        let (Some(first), Some(confirmed)) = (waiting.first(), stored.confirmed.take()) else {
            return Ok(());
        };
        let entity = self.schema.entity(&stored.entity);
        let written = TextDocument::load(&stored.state)?.text()?;
        for own in &waiting {
            outbox::replace(self.tx, own.id, None)?;
        }
        stored.own = None;
        stored.state.clone_from(&confirmed);
        let confirmed_text = TextDocument::load(&confirmed)?.text()?;
        let is_empty = stored.digest.is_none() && confirmed_text.is_empty();
        // The old actor is what could not be used, or its numbers are used up.
        self.redraw_actor();
        if is_empty {
            self.drop_document(id, entity)?;
        } else {
            document::save(self.tx, id, &stored)?;
            self.project_text(id, entity, &confirmed_text)?;
        }
        match (code, entity) {
            // A text that only a newer app knows nobody types here.
            (Some(_), _) | (None, None) => {
                let code = code.unwrap_or("forked");
                let refused = json!({ id.part.as_str(): written });
                let times = (first.made_at, self.now_ms);
                inbox::add(self.tx, id, &stored.entity, (code, first.hash), &refused, times)?;
            }
            (None, Some(entity)) => {
                // By itself: many texts written anew make no group.
                self.begin_tap();
                // It was written when it was allowed: whether it is now, the office says.
                let insisted = std::mem::replace(&mut self.is_insisting, true);
                let written = self.write_text(id, entity, &written);
                self.is_insisting = insisted;
                written?;
            }
        }
        Ok(())
    }
}

/// Whether a change could not be taken because others must come first.
fn is_incomplete(error: &TextError) -> bool {
    matches!(error, TextError::MissingDeps(_) | TextError::SeqGap { .. })
}

/// The text of a stored document, for reading.
///
/// # Errors
///
/// Fails when the document does not load.
pub(super) fn text_of(stored: &StoredDocument) -> Result<String, TextError> {
    TextDocument::load(&stored.state)?.text()
}
