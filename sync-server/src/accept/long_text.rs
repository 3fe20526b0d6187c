//! Changes of long texts: those of a group are tried together, on a copy, in a guarded thread.

use outrider_core::{
    crdt::{
        Clock, TextError,
        gate::FOREIGN_ACTOR,
        text::{TextGate, TriedText},
    },
    ids::{ChangeHash, DocumentId},
    schema::{Entity, Type},
    sync::frame::{Outcome, PushChange},
};

use super::{
    Desk, Judged, TEXT_CHANGES_MAX,
    access::Written,
    empty_content, entity_name,
    staged::{Held, Staged, TriedGate},
};
use crate::storage::{Content, NewChange, StorageError, StoredRefusal, TextContent};

impl Desk<'_> {
    pub(super) fn judge_text(
        &mut self,
        id: &DocumentId,
        entity: &Entity,
        change: &PushChange,
        staged: &mut Staged,
    ) -> Result<(ChangeHash, Judged), StorageError> {
        let header = match outrider_core::crdt::header(&change.bytes) {
            Ok(header) => header,
            Err(error) => return self.refuse_change(id, change, error),
        };
        let hash = header.hash;
        let name = (header.actor, header.seq);
        // What the history has it has, whoever sends it again; and it costs no trial.
        if self.tx.change_hash(id, name.0, name.1)? == Some(hash) {
            return Ok((hash, Judged::Answered(Outcome::Duplicate)));
        }
        if header.actor.prefix() != self.device.prefix {
            return self.refuse(id, name, refusal_of(hash, FOREIGN_ACTOR));
        }
        if let Some(known) = self.tx.refusal(id, name.0, name.1)?
            && known.hash == hash
        {
            return Ok((hash, Judged::Answered(super::refused(&known.code, known.keys))));
        }
        if self.texts >= TEXT_CHANGES_MAX {
            return Ok((hash, self.spent.cut()));
        }
        self.texts += 1;
        let mut tried = match staged.texts.remove(id) {
            Some(tried) => tried,
            None => self.open_text(id, entity, staged)?,
        };
        let taken = tried.gate.take(&change.bytes);
        if tried.last.is_none() {
            // Loading, saving and reading back, whatever comes after this change.
            self.spent.note_text(tried.gate.ops());
        }
        tried.last = Some((hash, name));
        staged.texts.insert(id.clone(), tried);
        let written = Written {
            id,
            entity,
            after: None,
            keys: Vec::new(),
            hash,
            made_at: header.time_ms,
            bytes: &header.bytes,
        };
        match taken {
            Ok(true) => {}
            Ok(false) => return Ok((hash, Judged::Answered(Outcome::Duplicate))),
            Err(TextError::Forked { .. }) => {
                self.audit("forked", id, hash, "")?;
                return Ok((hash, Judged::Answered(Outcome::Forked)));
            }
            Err(TextError::MissingDeps(missing)) => {
                return Ok((hash, Judged::Answered(Outcome::Pending(missing))));
            }
            Err(TextError::SeqGap { .. }) => {
                return match self.keep_after(&written, name)? {
                    Some(refusal) => self.refuse(id, name, refusal),
                    None => Ok((hash, Judged::Answered(Outcome::Pending(header.deps)))),
                };
            }
            Err(error) => return self.refuse(id, name, refusal_of(hash, error.code())),
        }
        if let Some(refusal) = self.judge_access(&written, staged)? {
            return self.refuse(id, name, refusal_of(hash, refusal.code));
        }
        if !staged.documents.contains_key(id) {
            let mut held = self.documents.get(id).cloned().unwrap_or_else(|| Held::new(id));
            held.entity = entity_name(entity);
            staged.documents.insert(id.clone(), held);
        }
        staged.changes.push((
            id.clone(),
            NewChange {
                hash,
                actor: header.actor,
                seq: header.seq,
                start_op: header.start_op,
                max_op: header.max_op(),
                clock: Clock::new(),
                bytes: header.bytes,
                keys: Vec::new(),
                device: self.device.id,
                made_at: header.time_ms,
            },
        ));
        Ok((hash, Judged::Fits))
    }

    /// The text as it stands, for the changes of a group.
    fn open_text(
        &mut self,
        id: &DocumentId,
        entity: &Entity,
        staged: &Staged,
    ) -> Result<TriedGate, StorageError> {
        let held = staged.documents.get(id).or_else(|| self.documents.get(id));
        let fresh = empty_content(id);
        let Content::Text(content) = held.map_or(&fresh, |held| &held.content) else {
            return Err(StorageError::Damaged(format!("{id} is no text")));
        };
        let saved = content.saved.clone();
        let open = self.text_gate.take().filter(|(of, gate)| of == id && gate.is_at(&saved));
        let gate = open.map_or_else(|| TextGate::new(saved), |(_, gate)| gate);
        let ty = entity.field(id.part.as_str()).map(|field| &field.ty);
        let chars_max = if let Some(Type::Text { max }) = ty { Some(*max) } else { None };
        Ok(TriedGate { gate, chars_max, last: None })
    }

    /// Tries what a group changes about long texts, all of each at once. What comes out wrong is refused with
    /// the last change of its text.
    pub(super) fn settle_texts(
        &mut self,
        staged: &mut Staged,
    ) -> Result<Option<(ChangeHash, Judged)>, StorageError> {
        for (id, TriedGate { mut gate, chars_max, last }) in std::mem::take(&mut staged.texts) {
            // Where nothing but duplicates came, it stays as it is stored.
            let (Some((hash, name)), true) = (last, staged.documents.contains_key(&id)) else {
                continue;
            };
            let tried = match gate.settle() {
                Ok(tried) => tried,
                Err(error) => {
                    return self.refuse(&id, name, refusal_of(hash, error.code())).map(Some);
                }
            };
            if chars_max.is_some_and(|max| tried.text.chars().count() > max) {
                return self.refuse(&id, name, refusal_of(hash, "too_long")).map(Some);
            }
            if let Some(Held { content: Content::Text(content), .. }) =
                staged.documents.get_mut(&id)
            {
                let TriedText { saved, heads, text } = tried;
                *content = TextContent { generation: content.generation, saved, heads, text };
            }
            self.text_gate = Some((id, gate));
        }
        Ok(None)
    }
}

fn refusal_of(hash: ChangeHash, code: &str) -> StoredRefusal {
    StoredRefusal { hash, code: code.to_owned(), keys: Vec::new() }
}
