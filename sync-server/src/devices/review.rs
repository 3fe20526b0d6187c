//! What a device sends that may not write any more: kept as it was written, for somebody at the
//! office to decide on (`office::decide`). Nothing of it is in any record before that.

use outrider_core::{
    crdt::{self, gate::FOREIGN_ACTOR},
    ids::{ChangeHash, DocumentId},
    points,
    schema::Schema,
    sync::frame::{Answer, Outcome, PushChange, PushRequest, PushResponse},
    time::TimestampMs,
};

use crate::{
    accept::{access::IN_REVIEW, name_of, refused},
    office::{EraseError, PROPOSAL, about_record, is_about_erased, replay_erasures},
    storage::{
        AuditLine, Content, Device, Storage, StorageError, StoredRefusal, Write,
        access::{Review, ReviewState},
    },
};

/// Why such an edit waits.
pub const ENDED: &str = "ended";
/// Edits of one device that wait, at most.
pub const REVIEWS_MAX: u64 = 10_000;
/// Bytes of the edits of one device that wait, at most.
pub const REVIEW_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// When a device may try again for which there is no room: somebody has to decide first.
const RETRY_MS: u64 = 60 * 60 * 1_000;

/// What of a device waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// Edits.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Waiting {
    /// With one edit more, if there is room for it.
    fn with(self, bytes: usize) -> Option<Self> {
        let more = Self { count: self.count + 1, bytes: self.bytes + bytes as u64 };
        (more.count <= REVIEWS_MAX && more.bytes <= REVIEW_BYTES_MAX).then_some(more)
    }
}

/// Keeps every change of a push for review; each gets one answer.
///
/// # Errors
///
/// Returns [`StorageError`] when the storage fails; nothing of the push is kept then.
pub fn keep(
    storage: &dyn Storage,
    device: &Device,
    request: &PushRequest,
    now_ms: TimestampMs,
) -> Result<PushResponse, StorageError> {
    let mut write = storage.write()?;
    let mut waiting = write.waiting_of(device.id)?;
    let (mut answers, mut is_due) = (Vec::new(), false);
    for change in request.groups.iter().flat_map(|group| &group.changes) {
        let room = (&mut waiting, &mut is_due);
        let (hash, outcome) = keep_one(&mut *write, device, change, room, now_ms)?;
        answers.push(Answer { hash, outcome });
    }
    points::reach("server.review.before_commit");
    write.commit()?;
    points::reach("server.review.after_commit");
    if is_due {
        replay_erasures(storage, now_ms).map_err(EraseError::into_storage)?;
    }
    Ok(PushResponse::new(answers))
}

fn keep_one(
    write: &mut dyn Write,
    device: &Device,
    change: &PushChange,
    (waiting, is_due): (&mut Waiting, &mut bool),
    now_ms: TimestampMs,
) -> Result<(ChangeHash, Outcome), StorageError> {
    let id = DocumentId { record: change.record, part: change.part.clone() };
    let no = |code: &str| Ok((name_of(&change.bytes), refused(code, Vec::new())));
    let Some(entity) = Schema::current().entity(&change.entity) else {
        return no("unknown_entity");
    };
    if !entity.parts().contains(&id.part) {
        return no("unknown_part");
    }
    if write.erasure_of(id.record)?.is_some() {
        return Ok((name_of(&change.bytes), Outcome::Erased));
    }
    // What cannot be read nobody can decide on.
    let header = match crdt::header(&change.bytes) {
        Ok(header) => header,
        Err(error) => return no(error.code()),
    };
    if id.part.is_flat()
        && let Err(error) = crdt::decode(&change.bytes)
    {
        return no(error.code());
    }
    if entity.name == PROPOSAL
        && let Some(about) = about_record(&change.bytes)
        && is_about_erased(write, about, id.record, now_ms)?
    {
        *is_due = true;
        return Ok((header.hash, Outcome::Erased));
    }
    let (hash, name) = (header.hash, (header.actor, header.seq));
    if write.change_hash(&id, name.0, name.1)? == Some(hash) {
        return Ok((hash, Outcome::Duplicate));
    }
    if header.actor.prefix() != device.prefix {
        return no(FOREIGN_ACTOR);
    }
    let stored = write.document(&id)?;
    let generation = stored.as_ref().map_or(0, |stored| match &stored.content {
        Content::Flat(state) => state.generation,
        Content::Text(text) => text.generation,
    });
    if change.generation < generation {
        return Ok((hash, Outcome::Erased));
    }
    if change.generation > generation {
        return no("unknown_generation");
    }
    if stored.is_some_and(|stored| stored.entity != entity.name) {
        return no("other_entity");
    }
    if let Some(known) = write.review_of(&id, hash)? {
        let code = if known.state == ReviewState::Kept { known.code.as_str() } else { IN_REVIEW };
        return Ok((hash, refused(code, known.keys)));
    }
    let Some(more) = waiting.with(header.bytes.len()) else {
        return Ok((hash, Outcome::Retry(RETRY_MS)));
    };
    *waiting = more;
    write.add_review(&Review {
        id: 0,
        state: ReviewState::Open,
        reason: ENDED.to_owned(),
        device: device.id,
        user: device.user_record,
        document: id.clone(),
        entity: entity.name.clone(),
        hash,
        code: outrider_core::access::change::NOT_PERMITTED.to_owned(),
        keys: Vec::new(),
        bytes: header.bytes,
        made_at: header.time_ms,
        received_at: now_ms,
        decided_at: None,
        decided_by: String::new(),
        proposal: None,
    })?;
    // Who is let in again and sends it again is told the same.
    let refusal = StoredRefusal { hash, code: IN_REVIEW.to_owned(), keys: Vec::new() };
    write.add_refusal(&id, name.0, name.1, &refusal)?;
    let line = AuditLine::new(now_ms, "review_kept").device(device.id).document(id);
    write.add_audit(&line.hash(hash).code(ENDED))?;
    Ok((hash, refused(IN_REVIEW, Vec::new())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_so_many_edits_and_bytes_and_not_for_one_more() {
        let last = Waiting { count: REVIEWS_MAX - 1, bytes: REVIEW_BYTES_MAX - 10 };
        assert!(last.with(10).is_some());
        assert_eq!(last.with(11), None);
        assert_eq!(Waiting { count: REVIEWS_MAX, bytes: 0 }.with(1), None);
    }
}
