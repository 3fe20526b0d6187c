//! Changes of flat documents.

use std::cell::Cell;

use outrider_core::{
    crdt::{
        self,
        gate::{Context, Verdict, judge},
        history::clock_with,
    },
    ids::{ChangeHash, DocumentId},
    schema::Entity,
    sync::frame::{Outcome, PushChange},
};

use super::{
    Desk, Judged,
    access::Written,
    entity_name,
    staged::{Held, Staged, StagedHistory},
};
use crate::storage::{Content, Device, NewChange, StorageError, StoredRefusal};

impl Desk<'_> {
    pub(super) fn judge_flat(
        &mut self,
        id: &DocumentId,
        entity: &Entity,
        change: &PushChange,
        staged: &mut Staged,
    ) -> Result<(ChangeHash, Judged), StorageError> {
        let encoded = match crdt::decode(&change.bytes) {
            Ok(encoded) => encoded,
            Err(error) => return self.refuse_change(id, change, error),
        };
        let hash = encoded.hash;
        let name = (encoded.change.actor, encoded.change.seq);
        let held = staged.documents.get(id).or_else(|| self.documents.get(id));
        let mut held = held.cloned().unwrap_or_else(|| Held::new(id));
        let Content::Flat(state) = &mut held.content else {
            return Err(StorageError::Damaged(format!("{id} is no flat document")));
        };
        if let Some(known) = self.tx.refusal(id, name.0, name.1)?
            && known.hash == hash
        {
            return Ok((hash, Judged::Answered(super::refused(&known.code, known.keys))));
        }
        let Device { prefix, is_office, .. } = self.device;
        let context = Context { entity, part: &id.part, prefix, is_office };
        let history = StagedHistory { id, stored: &*self.tx, staged, read_bytes: Cell::new(0) };
        let verdict = judge(state, &history, &encoded, context)?;
        self.spent.note_work(history.read_bytes.get());
        let past = match verdict {
            Verdict::Fits(past) => past,
            Verdict::Duplicate => return Ok((hash, Judged::Answered(Outcome::Duplicate))),
            Verdict::Pending(missing) => {
                return Ok((hash, Judged::Answered(Outcome::Pending(missing))));
            }
            Verdict::Forked => {
                self.audit("forked", id, hash, "")?;
                return Ok((hash, Judged::Answered(Outcome::Forked)));
            }
            Verdict::Refused(refusal) => {
                let refusal = StoredRefusal { hash, code: refusal.code, keys: refusal.keys };
                return self.refuse(id, name, refusal);
            }
        };
        state.apply(&encoded);
        let written = Written {
            id,
            entity,
            after: Some(state),
            keys: encoded.change.ops.iter().map(|op| op.key.as_str()).collect(),
            hash,
            made_at: encoded.change.time_ms,
            bytes: &encoded.bytes,
        };
        if let Some(refusal) = self.judge_access(&written, staged)? {
            let refusal = StoredRefusal { hash, code: refusal.code.to_owned(), keys: refusal.keys };
            return self.refuse(id, name, refusal);
        }
        held.entity = entity_name(entity);
        staged.documents.insert(id.clone(), held);
        let clock = clock_with(&past, &encoded);
        let new = NewChange::flat(&encoded, clock.clone(), self.device.id);
        staged.changes.push((id.clone(), new));
        staged.flat.push((id.clone(), encoded, clock));
        Ok((hash, Judged::Fits))
    }
}
