//! Changes of long texts: tried on a copy, in a guarded thread.

use outrider_core::{
    crdt::{Clock, TextError, gate::FOREIGN_ACTOR, text::TextGate},
    ids::{ChangeHash, DocumentId},
    schema::{Entity, Type},
    sync::frame::{Outcome, PushChange},
};

use super::{
    Desk, Judged, TEXT_CHANGES_MAX,
    access::Written,
    entity_name,
    staged::{Held, Staged},
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
        let refuse = |code: &str| StoredRefusal { hash, code: code.to_owned(), keys: Vec::new() };
        // What the history has it has, whoever sends it again; and it costs no trial.
        if self.tx.change_hash(id, name.0, name.1)? == Some(hash) {
            return Ok((hash, Judged::Answered(Outcome::Duplicate)));
        }
        if header.actor.prefix() != self.device.prefix {
            return self.refuse(id, name, refuse(FOREIGN_ACTOR));
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
        let held = staged.documents.get(id).or_else(|| self.documents.get(id));
        let mut held = held.cloned().unwrap_or_else(|| Held::new(id));
        let Content::Text(content) = &mut held.content else {
            return Err(StorageError::Damaged(format!("{id} is no text")));
        };
        let written = Written {
            id,
            entity,
            after: None,
            keys: Vec::new(),
            hash,
            made_at: header.time_ms,
            bytes: &header.bytes,
        };
        let open =
            self.text_gate.take().filter(|(of, gate)| of == id && gate.is_at(&content.saved));
        let mut gate = open.map_or_else(|| TextGate::new(content.saved.clone()), |(_, gate)| gate);
        let accepted = gate.accept(&change.bytes);
        self.spent.note_text(gate.ops());
        self.text_gate = Some((id.clone(), gate));
        let accepted = match accepted {
            Ok(accepted) => accepted,
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
            Err(error) => return self.refuse(id, name, refuse(error.code())),
        };
        if !accepted.applied {
            return Ok((hash, Judged::Answered(Outcome::Duplicate)));
        }
        let field = entity.field(id.part.as_str());
        if let Some(Type::Text { max }) = field.map(|field| &field.ty)
            && accepted.text.chars().count() > *max
        {
            return self.refuse(id, name, refuse("too_long"));
        }
        if let Some(refusal) = self.judge_access(&written, staged)? {
            return self.refuse(id, name, refuse(refusal.code));
        }
        let generation = content.generation;
        *content = TextContent {
            generation,
            saved: accepted.saved,
            heads: accepted.heads,
            text: accepted.text,
        };
        held.entity = entity_name(entity);
        staged.documents.insert(id.clone(), held);
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
}
