//! Accepting changes: gate, access policy, apply, one transaction with everything that follows.
//!
//! A push is one transaction and one position of the feed. Its groups are judged one after the
//! other, each whole; a refused one leaves no trace but its answer, which is remembered, and never
//! holds back another. State, row, history, feed and audit line become durable together, before
//! the answer is sent.

use std::collections::BTreeMap;

use outrider_core::{
    access::{Grant, Policy},
    crdt::{self, ChangeError, Clock, EncodedChange, gate::FOREIGN_ACTOR, text},
    ids::{ChangeHash, DocumentId},
    points,
    schema::{Entity, Schema},
    sync::frame::{Answer, FeedPoint, Outcome, PushChange, PushGroup, PushRequest, PushResponse},
    time::TimestampMs,
};

use crate::{
    office::{self, EraseError},
    storage::{AuditLine, Content, Device, NewChange, Storage, StorageError, StoredRefusal, Write},
};

pub mod access;
mod family;
mod flat;
mod long_text;
mod spent;
mod staged;

use spent::Spent;
pub use spent::{HELD_BYTES_MAX, TEXT_OP_BYTES, WORK_BYTES_MAX, WRITE_WEIGHT};
pub use staged::PAST_BYTES_MAX;
use staged::{Held, Staged};

/// Changes of long texts in one push, at most: each is tried on a copy, and nobody else writes
/// meanwhile. The others are answered [`Outcome::Retry`] and sent again at once.
pub const TEXT_CHANGES_MAX: u32 = 32;

/// Milliseconds after which a change may come again that needs something damaged.
pub const DAMAGED_RETRY_MS: u64 = 60_000;

/// What the judgement of one change found.
#[derive(Debug)]
pub(crate) enum Judged {
    /// It fits; it is staged.
    Fits,
    /// It is answered without being applied.
    Answered(Outcome),
}

/// Judges and applies everything in a push; every change gets one answer.
///
/// # Errors
///
/// Returns [`StorageError`] when the storage fails; nothing of the push counts then.
pub fn push(
    storage: &dyn Storage,
    policy: &Policy,
    device: &Device,
    request: &PushRequest,
    now_ms: TimestampMs,
) -> Result<PushResponse, StorageError> {
    let mut desk = Desk::open(storage, policy, device, now_ms)?;
    if let Some(held) = &request.held {
        desk.note_held(held)?;
    }
    let is_pushed_known = request.pushed.map(|pushed| desk.tx.has_place(pushed)).transpose()?;
    desk.spent = Spent::bounded();
    let mut answers = Vec::new();
    for group in &request.groups {
        answers.extend(desk.take_group(group)?);
        desk.make_room()?;
    }
    let is_applied = answers.iter().any(|answer| answer.outcome == Outcome::Applied);
    if request.is_again == Some(true) && is_applied {
        desk.tx.note_moved()?;
    }
    let (position, is_erasure_due) = desk.conclude()?;
    if is_erasure_due {
        office::replay_erasures(storage, now_ms).map_err(EraseError::into_storage)?;
    }
    let digest = storage.read()?.feed_digest(position)?;
    let reached = digest.map(|digest| FeedPoint { position, digest });
    Ok(PushResponse { answers, reached, is_pushed_known })
}

/// A flat change that was taken over.
#[derive(Debug)]
pub(crate) struct Applied {
    /// The document.
    pub(crate) id: DocumentId,
    /// The change.
    pub(crate) change: EncodedChange,
    /// The clock of its past with itself.
    pub(crate) clock: Clock,
}

/// One push, or one edit of the office, on its way through.
pub(crate) struct Desk<'a> {
    pub(crate) tx: Box<dyn Write + 'a>,
    /// What who writes may do.
    grant: Grant,
    /// Who writes: the device, or who stands for its user when an edit goes on to another record.
    device: Device,
    now_ms: TimestampMs,
    /// Flat changes that were taken over and not yet looked at for going on to another record.
    applied: Vec<Applied>,
    /// Documents met so far, as they stand.
    documents: BTreeMap<DocumentId, Held>,
    /// Changes of long texts that were tried so far.
    texts: u32,
    /// What judging has cost.
    spent: Spent,
    /// The long text that a change was tried on last.
    text_gate: Option<(DocumentId, text::TextGate)>,
    /// Whether something came that has to be erased.
    is_erasure_due: bool,
    /// Whether an edit goes on to another record: if its author may not write there, it waits for
    /// somebody to decide.
    is_forwarding: bool,
}

impl<'a> Desk<'a> {
    /// Begins a transaction for what `device` wrote.
    pub(crate) fn open(
        storage: &'a dyn Storage,
        policy: &Policy,
        device: &Device,
        now_ms: TimestampMs,
    ) -> Result<Self, StorageError> {
        let tx = storage.write()?;
        let grant = grant_of(policy, device, now_ms);
        let (device, documents, applied) = (device.clone(), BTreeMap::new(), Vec::new());
        let (is_erasure_due, is_forwarding) = (false, false);
        let texts = 0;
        Ok(Self {
            tx,
            grant,
            device,
            now_ms,
            applied,
            documents,
            texts,
            spent: Spent::default(),
            text_gate: None,
            is_erasure_due,
            is_forwarding,
        })
    }

    /// Who writes.
    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// What who writes may do.
    pub(crate) fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The time now.
    pub(crate) fn now_ms(&self) -> TimestampMs {
        self.now_ms
    }

    /// The flat changes that were taken over since it was last asked.
    pub(crate) fn take_applied(&mut self) -> Vec<Applied> {
        std::mem::take(&mut self.applied)
    }

    /// Does in another's name what follows from a decision that was made before: nobody is asked
    /// again whether it is allowed.
    pub(crate) fn as_device<T>(
        &mut self,
        device: Device,
        work: impl FnOnce(&mut Self) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let grant = std::mem::replace(&mut self.grant, Grant::open());
        let done = self.in_name_of(device, work);
        self.grant = grant;
        done
    }

    /// Writes in the name of who stands for the author of an edit what goes on to another record; the
    /// author must be permitted to write there.
    pub(crate) fn forward_as<T>(
        &mut self,
        device: Device,
        work: impl FnOnce(&mut Self) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        self.is_forwarding = true;
        let done = self.in_name_of(device, work);
        self.is_forwarding = false;
        done
    }

    fn in_name_of<T>(&mut self, device: Device, work: impl FnOnce(&mut Self) -> T) -> T {
        let own = std::mem::replace(&mut self.device, device);
        let done = work(self);
        self.device = own;
        done
    }

    /// Judges a group whole. If one member is refused, the others may be sent again at once.
    pub(crate) fn take_group(&mut self, group: &PushGroup) -> Result<Vec<Answer>, StorageError> {
        self.spent.begin_group();
        let mut staged = Staged::default();
        let mut answers: Vec<Answer> = Vec::with_capacity(group.changes.len());
        let mut is_whole = true;
        for change in &group.changes {
            let (hash, judged) = match self.judge(change, &mut staged) {
                Err(error) if error.is_damage() => return self.put_off(group, &error),
                judged => judged?,
            };
            let outcome = match judged {
                Judged::Fits => Outcome::Applied,
                Judged::Answered(outcome) => {
                    is_whole &= outcome == Outcome::Duplicate;
                    outcome
                }
            };
            answers.push(Answer { hash, outcome });
        }
        if is_whole
            && let Some((hash, Judged::Answered(outcome))) = self.settle_texts(&mut staged)?
        {
            is_whole = false;
            for answer in answers.iter_mut().filter(|answer| answer.hash == hash) {
                answer.outcome = outcome.clone();
            }
        }
        if is_whole {
            self.write(staged)?;
        } else {
            for answer in &mut answers {
                if answer.outcome == Outcome::Applied {
                    answer.outcome = Outcome::Retry(0);
                }
                // Alone in a push it would be too much again.
                let is_alone = self.spent.is_first_group() && self.spent.is_cut();
                if is_alone && answer.outcome == Outcome::Retry(0) {
                    answer.outcome = refused("group_too_costly", Vec::new());
                }
            }
        }
        Ok(answers)
    }

    /// Answers a group that needs something damaged: it stays with its author until that is made anew.
    fn put_off(
        &mut self,
        group: &PushGroup,
        error: &StorageError,
    ) -> Result<Vec<Answer>, StorageError> {
        tracing::error!(error = %error, "a group cannot be judged");
        let mut answers = Vec::with_capacity(group.changes.len());
        for change in &group.changes {
            let hash = name_of(&change.bytes);
            let id = DocumentId { record: change.record, part: change.part.clone() };
            self.audit("put_off", &id, hash, "damage")?;
            answers.push(Answer { hash, outcome: Outcome::Retry(DAMAGED_RETRY_MS) });
        }
        Ok(answers)
    }

    fn judge(
        &mut self,
        change: &PushChange,
        staged: &mut Staged,
    ) -> Result<(ChangeHash, Judged), StorageError> {
        let id = DocumentId { record: change.record, part: change.part.clone() };
        if self.spent.is_over() {
            return Ok((name_of(&change.bytes), self.spent.cut()));
        }
        let Some(entity) = Schema::current().entity(&change.entity) else {
            return self.refuse_bytes(&id, change, "unknown_entity");
        };
        if !entity.parts().contains(&id.part) {
            return self.refuse_bytes(&id, change, "unknown_part");
        }
        if self.tx.erasure_of(id.record)?.is_some() {
            // An erased record is closed, for changes of every generation.
            return Ok((name_of(&change.bytes), Judged::Answered(Outcome::Erased)));
        }
        self.load(&id)?;
        if self.is_of_other_entity(&id, entity, staged)? {
            return self.refuse_bytes(&id, change, "other_entity");
        }
        let known = staged.documents.get(&id).or_else(|| self.documents.get(&id));
        let generation = known.map_or(0, |held| held.generation());
        // Judging copies a flat document; a text is opened once for a group.
        let copied = known.filter(|_| id.part.is_flat()).map_or(0, Held::size_bytes);
        self.spent.note_work(copied + change.bytes.len());
        if change.generation != generation {
            let hash = name_of(&change.bytes);
            let is_old = change.generation < generation;
            let outcome =
                if is_old { Outcome::Erased } else { refused("unknown_generation", Vec::new()) };
            return Ok((hash, Judged::Answered(outcome)));
        }
        if id.part.is_flat() {
            self.judge_flat(&id, entity, change, staged)
        } else {
            self.judge_text(&id, entity, change, staged)
        }
    }

    /// Whether any part of the record, stored or staged, belongs to another entity.
    fn is_of_other_entity(
        &mut self,
        id: &DocumentId,
        entity: &Entity,
        staged: &Staged,
    ) -> Result<bool, StorageError> {
        for part in entity.parts() {
            let other = DocumentId { record: id.record, part };
            self.load(&other)?;
            let held = staged.documents.get(&other).or_else(|| self.documents.get(&other));
            let name = held.and_then(|held| held.entity.as_deref());
            if name.is_some_and(|name| name != entity.name) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Answers what cannot even be read.
    fn refuse_bytes(
        &mut self,
        id: &DocumentId,
        change: &PushChange,
        code: &str,
    ) -> Result<(ChangeHash, Judged), StorageError> {
        let hash = name_of(&change.bytes);
        self.audit("refused", id, hash, code)?;
        Ok((hash, Judged::Answered(refused(code, Vec::new()))))
    }

    fn refuse_change(
        &mut self,
        id: &DocumentId,
        change: &PushChange,
        error: ChangeError,
    ) -> Result<(ChangeHash, Judged), StorageError> {
        self.refuse_bytes(id, change, error.code())
    }

    /// Remembers a refusal, so that the same change gets the same answer again.
    fn refuse(
        &mut self,
        id: &DocumentId,
        (actor, seq): (outrider_core::ids::ActorId, u64),
        refusal: StoredRefusal,
    ) -> Result<(ChangeHash, Judged), StorageError> {
        if refusal.code != FOREIGN_ACTOR {
            self.tx.add_refusal(id, actor, seq, &refusal)?;
        }
        self.audit("refused", id, refusal.hash, &refusal.code)?;
        let outcome = refused(&refusal.code, refusal.keys);
        Ok((refusal.hash, Judged::Answered(outcome)))
    }

    fn audit(
        &mut self,
        action: &'static str,
        id: &DocumentId,
        hash: ChangeHash,
        code: &str,
    ) -> Result<(), StorageError> {
        let line = AuditLine::new(self.now_ms, action).device(self.device.id);
        self.tx.add_audit(&line.document(id.clone()).hash(hash).code(code))
    }

    /// Makes sure that a document is among those met.
    fn load(&mut self, id: &DocumentId) -> Result<(), StorageError> {
        if !self.documents.contains_key(id) {
            let held = match self.tx.document(id)? {
                Some(stored) => Held::stored(stored),
                None => Held::new(id),
            };
            self.spent.note_loaded(held.size_bytes());
            self.documents.insert(id.clone(), held);
        }
        Ok(())
    }

    /// Takes over what a group staged: history and audit now, documents when the push ends.
    fn write(&mut self, staged: Staged) -> Result<(), StorageError> {
        for (id, change) in &staged.changes {
            self.tx.add_change(id, change, self.now_ms)?;
            self.audit("applied", id, change.hash, "")?;
        }
        let changes = staged.flat.iter().map(|(_, change, _)| staged::change_bytes(change));
        let documents = staged.documents.values().map(Held::size_bytes);
        self.spent.note_held(changes.chain(documents).sum());
        let applied = staged.flat.into_iter();
        self.applied.extend(applied.map(|(id, change, clock)| Applied { id, change, clock }));
        for (id, mut held) in staged.documents {
            // Written once, when the push ends or room is made, with its row and what it is found by.
            if self.documents.get(&id).is_none_or(|known| !known.is_changed) {
                self.spent.note_work(held.size_bytes().saturating_mul(WRITE_WEIGHT));
            }
            held.is_changed = true;
            self.documents.insert(id, held);
        }
        Ok(())
    }

    /// Writes the changed documents, so that the transaction's own reads find them.
    pub(crate) fn flush(&mut self) -> Result<(), StorageError> {
        let moved = self.find_families()?;
        for (id, held) in self.documents.iter_mut().filter(|(_, held)| held.is_changed) {
            let Some(entity) = held.entity.as_deref() else { continue };
            self.tx.put_document(id, entity, held.family, &held.content)?;
            held.stored_family = Some(held.family);
            held.is_changed = false;
        }
        for (id, family) in moved {
            if let Some(stored) = self.tx.document(&id)? {
                self.tx.put_document(&id, &stored.entity, family, &stored.content)?;
            }
        }
        Ok(())
    }

    /// Writes what changed and forgets what was met, if that is much: a push may touch a thousand
    /// large documents.
    fn make_room(&mut self) -> Result<(), StorageError> {
        if self.spent.is_room_needed() {
            self.settle()?;
            self.documents.clear();
            self.spent.forget_loaded();
        }
        Ok(())
    }

    /// Writes what is left, and hands on what was written in records that were merged away: whatever the
    /// push has cost, because nobody would send that again.
    fn settle(&mut self) -> Result<(), StorageError> {
        let spent = std::mem::take(&mut self.spent);
        let settled = self.settle_unbounded();
        self.spent = spent;
        settled
    }

    fn settle_unbounded(&mut self) -> Result<(), StorageError> {
        self.flush()?;
        let applied = std::mem::take(&mut self.applied);
        self.is_erasure_due |= office::note_requests(self, &applied)?;
        self.applied = applied;
        office::forward(self)?;
        self.flush()
    }

    /// Writes what is left and forgets which documents it met, and how many texts it tried: many
    /// groups follow in one transaction.
    pub(crate) fn begin_anew(&mut self) -> Result<(), StorageError> {
        self.settle()?;
        self.documents.clear();
        self.texts = 0;
        Ok(())
    }

    /// Writes the changed documents and makes everything durable; returns the position reached.
    pub(crate) fn finish(mut self) -> Result<u64, StorageError> {
        self.settle()?;
        points::reach("server.office.before_commit");
        let position = self.tx.commit()?;
        points::reach("server.office.after_commit");
        Ok(position)
    }

    /// As [`finish`](Self::finish), with whether something came that has to be erased now.
    fn conclude(mut self) -> Result<(u64, bool), StorageError> {
        self.settle()?;
        points::reach("server.push.before_commit");
        let position = self.tx.commit()?;
        points::reach("server.push.after_commit");
        Ok((position, self.is_erasure_due))
    }
}

/// What a device, or who stands for a user at the office, may do at a time.
///
/// The server itself may do everything; what is withheld from devices is not from the office.
#[must_use]
pub fn grant_of(policy: &Policy, device: &Device, now_ms: TimestampMs) -> Grant {
    if device.is_office && device.user == office::SYSTEM_USER {
        return Grant::open();
    }
    let mut grant = policy.grant(device.user_record, now_ms);
    if device.is_office {
        grant.withheld.clear();
    }
    grant
}

/// A refusal as an outcome.
pub(crate) fn refused(code: &str, keys: Vec<String>) -> Outcome {
    Outcome::Refused(code.to_owned(), keys)
}

/// The name under which bytes are answered that are no change: what a device that wrote them
/// would call them, if they have at least the form of a chunk.
pub(crate) fn name_of(bytes: &[u8]) -> ChangeHash {
    use sha2::{Digest as _, Sha256};
    match crdt::header(bytes) {
        Ok(header) => header.hash,
        Err(_) => ChangeHash(Sha256::digest(bytes).into()),
    }
}

/// The empty content of a part.
fn empty_content(id: &DocumentId) -> Content {
    if id.part.is_flat() {
        Content::Flat(crdt::State::default())
    } else {
        Content::Text(crate::storage::TextContent {
            generation: 0,
            saved: Vec::new(),
            heads: vec![text::first_change().hash],
            text: String::new(),
        })
    }
}

/// The entity's name, for documents that begin now.
fn entity_name(entity: &Entity) -> Option<String> {
    Some(entity.name.clone())
}

/// Shorthand used by both kinds of documents.
type NewChanges = Vec<(DocumentId, NewChange)>;
