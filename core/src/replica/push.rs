//! Upwards: what waits, in signed batches, and what the server's answers do.

use std::collections::{BTreeMap, BTreeSet};

use super::{Replica, ReplicaError, Writer};
use crate::{
    crdt::{State, header},
    ids::{ChangeHash, DocumentId, bytes_from_hex},
    points,
    store::{
        StoreError, credentials, document, inbox,
        meta::{self, Cursor},
        outbox::{self, OwnChange},
    },
    sync::{
        codec,
        frame::{
            Answer, Digest, HeldView, Outcome, PROTOCOL_VERSION, PUSH_CHANGES_MAX, PushChange,
            PushGroup, PushRequest, PushResponse,
        },
        sealed::{SealError, SealedPush, SignedSealKey},
        sign::sign,
    },
};

/// Bytes of changes in one push, about.
pub const PUSH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A batch on its way up.
#[derive(Debug, Clone)]
pub struct PushBatch {
    /// The message.
    pub request: PushRequest,
    /// The place of its last change in the order of writing.
    pub last_id: i64,
    /// How many changes it has.
    pub count: usize,
}

/// What answers did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PushEffect {
    /// Changes that are in the history now.
    pub applied: u64,
    /// Changes that were there already.
    pub duplicates: u64,
    /// Changes that the office will not have.
    pub refused: u64,
    /// Changes whose number was taken.
    pub forked: u64,
    /// Changes that stay in the outbox until later.
    pub waiting: u64,
    /// Whether sending again at once may do more.
    pub is_round_needed: bool,
}

impl Replica {
    /// The next batch of waiting changes after a place in the order of writing.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError::NotEnrolled`] before enrolment, or fails when the store does.
    pub fn next_push(&self, after: i64) -> Result<Option<PushBatch>, ReplicaError> {
        let waiting = outbox::waiting(self.store.conn(), after, PUSH_CHANGES_MAX + 1)?;
        self.batch(waiting, false)
    }

    /// The next batch of acknowledged changes: for a server that lost them.
    ///
    /// # Errors
    ///
    /// As [`Self::next_push`].
    pub fn next_resend(&self, after: i64) -> Result<Option<PushBatch>, ReplicaError> {
        let known = outbox::acknowledged_after(self.store.conn(), after, PUSH_CHANGES_MAX + 1)?;
        self.batch(known, true)
    }

    /// A batch of the acknowledged changes of these names.
    ///
    /// # Errors
    ///
    /// As [`Self::next_push`].
    pub fn resend_of(
        &self,
        hashes: &BTreeSet<ChangeHash>,
    ) -> Result<Option<PushBatch>, ReplicaError> {
        let mut known = Vec::new();
        for hash in hashes.iter().take(PUSH_CHANGES_MAX) {
            known.extend(outbox::acknowledged(self.store.conn(), *hash)?);
        }
        known.sort_by_key(|own| own.id);
        self.batch(known, true)
    }

    /// Puts changes together, whole groups only, within the limits of one push.
    fn batch(
        &self,
        changes: Vec<OwnChange>,
        is_again: bool,
    ) -> Result<Option<PushBatch>, ReplicaError> {
        let enrolment = meta::enrolment(self.store.conn())?.ok_or(ReplicaError::NotEnrolled)?;
        let is_cut = changes.len() > PUSH_CHANGES_MAX;
        let last_group = changes.last().map(|own| own.group_id);
        let mut groups: Vec<(i64, PushGroup)> = Vec::new();
        let (mut bytes, mut count, mut last_id) = (0, 0, 0);
        let mut sizes: BTreeMap<i64, usize> = BTreeMap::new();
        for own in &changes {
            *sizes.entry(own.group_id).or_default() += own.bytes.len();
        }
        let group_bytes = |group_id: i64| sizes.get(&group_id).copied().unwrap_or(0);
        for own in changes {
            if is_cut && Some(own.group_id) == last_group && count > 0 {
                break;
            }
            let is_new_group = groups.last().is_none_or(|(id, _)| *id != own.group_id);
            if is_new_group && bytes + group_bytes(own.group_id) > PUSH_BYTES_MAX && count > 0 {
                break;
            }
            bytes += own.bytes.len();
            count += 1;
            last_id = own.id;
            let change = PushChange {
                record: own.document.record,
                part: own.document.part,
                entity: own.entity,
                generation: own.generation,
                bytes: own.bytes,
            };
            match groups.last_mut() {
                Some((id, group)) if *id == own.group_id => group.changes.push(change),
                _ => groups.push((own.group_id, PushGroup { changes: vec![change] })),
            }
        }
        if groups.is_empty() {
            return Ok(None);
        }
        let groups: Vec<PushGroup> = groups.into_iter().map(|(_, group)| group).collect();
        let signature = sign(self.key.as_ref(), enrolment.device, &groups)?;
        let device = enrolment.device;
        let held = self.held_view()?;
        let (version, is_again) = (PROTOCOL_VERSION, is_again.then_some(true));
        // The answer replaces it: a server that was put back meanwhile would never hear of it.
        let pushed = meta::pushed(self.store.conn())?;
        let request = PushRequest { version, groups, device, signature, held, is_again, pushed };
        Ok(Some(PushBatch { request, last_id, count }))
    }

    fn held_view(&self) -> Result<Option<HeldView>, ReplicaError> {
        let cursor = meta::cursor(self.store.conn())?;
        let grant = meta::held_grant(self.store.conn())?;
        let view = HeldView { position: cursor.position, digest: cursor.digest, grant };
        Ok((cursor.position > 0).then_some(view))
    }

    /// Does what the server's answers say, in one transaction. Returns what happened, and which
    /// of this device's acknowledged changes the server asks for again.
    ///
    /// # Errors
    ///
    /// Fails when the store does; nothing of the response counts then, and asking again gives the
    /// same answers.
    pub fn take_push_response(
        &mut self,
        response: &PushResponse,
    ) -> Result<(PushEffect, BTreeSet<ChangeHash>), ReplicaError> {
        let taken = self.exchange(|writer| {
            let mut effect = PushEffect::default();
            let (mut asked, mut is_put_off) = (BTreeSet::new(), false);
            for answer in &response.answers {
                let Some(own) = outbox::by_hash(writer.tx, answer.hash)? else {
                    // An acknowledged change sent again, or one that was written anew meanwhile.
                    continue;
                };
                writer.take_answer(&own, &answer.outcome, &mut effect, &mut asked)?;
                is_put_off |= answer.outcome == Outcome::Retry(0);
            }
            // Where nothing moved all would be answered the same once more.
            let moved = effect.applied + effect.duplicates + effect.refused;
            effect.is_round_needed |= is_put_off && moved > 0;
            writer.note_places(response)?;
            points::reach("device.answers.before_commit");
            Ok((effect, asked))
        })?;
        points::reach("device.answers.after_commit");
        Ok(taken)
    }
}

impl Replica {
    /// Seals a batch to the server that this device was enrolled with, for its review.
    ///
    /// # Errors
    ///
    /// [`ReplicaError::Protocol`] for a key that the server did not sign; fails when the store does.
    pub fn seal_for_review(
        &self,
        batch: &PushBatch,
        key: &SignedSealKey,
    ) -> Result<SealedPush, ReplicaError> {
        let words = |error: SealError| ReplicaError::Protocol(error.to_string());
        let certificate = credentials::certificate(self.store.conn())?;
        let server_key = certificate.and_then(|signed| bytes_from_hex(&signed.server_key));
        let key = key.checked(&server_key.unwrap_or_default()).map_err(words)?;
        key.seal(batch.request.device, &codec::pack(&batch.request)?).map_err(words)
    }

    /// Takes off every record of which nothing waits: the office turned this device away, and has
    /// what was typed here. Whoever is let in again gets everything anew. Returns how many went.
    ///
    /// # Errors
    ///
    /// Fails when the store does; nothing is taken off then.
    pub fn let_go(&mut self) -> Result<u64, ReplicaError> {
        let gone = self.exchange(|writer| {
            let held = meta::cursor(writer.tx)?.held;
            meta::set_cursor(writer.tx, &Cursor { held, ..Cursor::default() })?;
            meta::set_held_grant(writer.tx, &Digest::default())?;
            meta::set_held_grant_bytes(writer.tx, &[])?;
            let gone = writer.let_go()?;
            points::reach("device.leave.before_commit");
            Ok(gone)
        })?;
        points::reach("device.leave.after_commit");
        Ok(gone)
    }

    /// Takes the answers to everything that was sent for review: what the office keeps goes into the
    /// inbox and is sent no more. A document of which an edit was not answered waits on as it is.
    /// Returns how many edits went into the inbox.
    ///
    /// # Errors
    ///
    /// Fails when the store does; nothing is taken then.
    pub fn take_reviewed(&mut self, answers: &[Answer]) -> Result<u64, ReplicaError> {
        let outcomes: BTreeMap<ChangeHash, &Outcome> =
            answers.iter().map(|answer| (answer.hash, &answer.outcome)).collect();
        let taken = self.exchange(|writer| {
            let mut documents: BTreeMap<DocumentId, &str> = BTreeMap::new();
            // In the order in which they were written: a change of a text follows the one before.
            let mut answered = Vec::new();
            for (hash, outcome) in &outcomes {
                answered.extend(outbox::by_hash(writer.tx, *hash)?.map(|own| (own, *outcome)));
            }
            answered.sort_by_key(|(own, _)| own.id);
            for (own, outcome) in answered {
                match outcome {
                    Outcome::Duplicate | Outcome::Applied => writer.confirm(&own)?,
                    Outcome::Refused(code, _) => {
                        documents.insert(own.document, code);
                    }
                    Outcome::Erased => {
                        documents.insert(own.document, "erased");
                    }
                    Outcome::Pending(_) | Outcome::Forked | Outcome::Retry(_) => {}
                }
            }
            let mut taken = 0;
            for (id, code) in documents {
                let waiting = writer.waiting_of(&id)?;
                let is_kept = |own: &OwnChange| {
                    let outcome = outcomes.get(&own.hash);
                    matches!(outcome, Some(Outcome::Refused(..) | Outcome::Erased))
                };
                if waiting.iter().all(is_kept) {
                    taken += waiting.len() as u64;
                    writer.take_back(&id, code)?;
                }
            }
            points::reach("device.review.before_commit");
            Ok(taken)
        })?;
        points::reach("device.review.after_commit");
        Ok(taken)
    }
}

impl Writer<'_> {
    /// Of a server that does not say where its feed stands, nothing is known to be backed up.
    pub(super) fn note_places(&self, response: &PushResponse) -> Result<(), ReplicaError> {
        let Some(reached) = response.reached else { return Ok(()) };
        for answer in &response.answers {
            if matches!(answer.outcome, Outcome::Applied | Outcome::Duplicate) {
                outbox::set_position(self.tx, answer.hash, reached.position)?;
            }
        }
        meta::set_pushed(self.tx, Some(reached))?;
        Ok(())
    }

    fn take_answer(
        &mut self,
        own: &OwnChange,
        outcome: &Outcome,
        effect: &mut PushEffect,
        asked: &mut BTreeSet<ChangeHash>,
    ) -> Result<(), ReplicaError> {
        match outcome {
            Outcome::Applied => {
                effect.applied += 1;
                self.confirm(own)?;
            }
            Outcome::Duplicate => {
                effect.duplicates += 1;
                self.confirm(own)?;
            }
            Outcome::Refused(code, keys) => {
                effect.refused += 1;
                effect.is_round_needed = true;
                if own.document.part.is_flat() {
                    self.rewrite_flat(&own.document, Some((own, code, keys)))?;
                } else {
                    self.rewrite_text(&own.document, Some(code))?;
                }
            }
            Outcome::Forked => {
                effect.forked += 1;
                effect.is_round_needed = true;
                if own.document.part.is_flat() {
                    self.rewrite_flat(&own.document, None)?;
                } else {
                    self.rewrite_text(&own.document, None)?;
                }
            }
            Outcome::Erased => {
                effect.refused += 1;
                self.take_back(&own.document, "erased")?;
            }
            Outcome::Pending(missing) => {
                effect.waiting += 1;
                for hash in missing {
                    if outbox::acknowledged(self.tx, *hash)?.is_some() {
                        // What the server lost of a document it mostly lost more of.
                        asked.extend(outbox::acknowledged_of(self.tx, &own.document)?);
                    }
                }
            }
            Outcome::Retry(_) => effect.waiting += 1,
        }
        Ok(())
    }

    /// The server has a change, and with it all that it follows: what of that waits here came late, after it
    /// was answered to wait.
    fn confirm(&mut self, own: &OwnChange) -> Result<(), ReplicaError> {
        for earlier in self.followed_by(own)? {
            self.confirm_one(&earlier)?;
        }
        self.confirm_one(own)
    }

    fn confirm_one(&mut self, own: &OwnChange) -> Result<(), ReplicaError> {
        if own.document.part.is_flat() { self.confirm_flat(own) } else { self.confirm_text(own) }
    }

    /// The waiting changes that one follows, in the order of writing.
    fn followed_by(&self, own: &OwnChange) -> Result<Vec<OwnChange>, ReplicaError> {
        let read = |own: &OwnChange| {
            header(&own.bytes).map_err(|error| StoreError::damaged("a waiting change", error))
        };
        // An author's last change is named too, whatever followed it meanwhile.
        let mut followed: BTreeSet<ChangeHash> = read(own)?.deps.into_iter().collect();
        let mut found = Vec::new();
        for earlier in outbox::waiting_before(self.tx, own)? {
            let change = read(&earlier)?;
            if followed.contains(&change.hash) {
                followed.extend(change.deps);
                found.push(earlier);
            }
        }
        found.reverse();
        Ok(found)
    }

    /// Moves every waiting edit of an erased document into the inbox.
    fn take_back(&mut self, id: &DocumentId, code: &str) -> Result<(), ReplicaError> {
        let waiting = self.waiting_of(id)?;
        if !id.part.is_flat() {
            return self.rewrite_text(id, Some(code));
        }
        let Some(mut stored) = self.stored(id)? else { return Ok(()) };
        let entity = self.schema.entity(&stored.entity);
        for own in &waiting {
            let values = super::flat::refused_values(entity, own)?;
            let times = (own.made_at, self.now_ms);
            inbox::add(self.tx, id, &stored.entity, (code, own.hash), &values, times)?;
            outbox::replace(self.tx, own.id, None)?;
        }
        if let Some(confirmed) = stored.confirmed.take() {
            stored.state = confirmed;
            stored.own = None;
        }
        let state = document::decode_state(id, &stored.state)?;
        self.redraw_actor();
        if state == State::default() {
            self.drop_document(id, entity)?;
        } else {
            document::save(self.tx, id, &stored)?;
            self.project_known(entity, id, &state)?;
        }
        Ok(())
    }
}
