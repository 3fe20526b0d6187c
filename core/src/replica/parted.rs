//! A copy of this device wrote under the same numbers, and the server knows the copy's changes.
//!
//! Somebody copied the whole folder with its token, both copies wrote, and a server that was put back
//! to a backup heard the other copy first. What this device had acknowledged is then answered
//! `forked` when it is sent again. It is written anew under a fresh actor, with everything of the
//! document that follows it; and since what the server means by those numbers is unknown here, a
//! flat document waits for the server's copy.

use std::collections::{BTreeMap, BTreeSet};

use super::{Replica, ReplicaError, Writer, flat::decode_own};
use crate::{
    crdt::{EncodedChange, OpId, base::Base, text::TextDocument},
    ids::{ActorId, ChangeHash},
    points,
    store::outbox::{self, OwnChange},
    sync::frame::{Outcome, PushResponse},
};

/// Why such a document is put aside.
const WHY: &str = "a copy of this device wrote under the same numbers";

impl Replica {
    /// Takes the answers to acknowledged changes that were sent again. Returns how many documents have
    /// something to send anew.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn take_resent(&mut self, response: &PushResponse) -> Result<u64, ReplicaError> {
        let parted = self.exchange(|writer| {
            writer.note_places(response)?;
            let mut parted = 0;
            for answer in &response.answers {
                if answer.outcome != Outcome::Forked {
                    continue;
                }
                if let Some(own) = outbox::acknowledged(writer.tx, answer.hash)? {
                    parted += u64::from(writer.part(&own)?);
                }
            }
            points::reach("device.resent.before_commit");
            Ok(parted)
        })?;
        points::reach("device.resent.after_commit");
        Ok(parted)
    }
}

impl Writer<'_> {
    /// Writes an acknowledged change anew whose number the server knows as another's.
    fn part(&mut self, own: &OwnChange) -> Result<bool, ReplicaError> {
        if own.document.part.is_flat() { self.part_flat(own) } else { self.part_text(own) }
    }

    fn part_flat(&mut self, parted: &OwnChange) -> Result<bool, ReplicaError> {
        let id = &parted.document;
        // What waits is made whole first.
        self.waiting_of(id)?;
        let generation = self.load_flat(id)?.map(|document| document.state.generation);
        if generation != Some(parted.generation) {
            return Ok(false);
        }
        let mut taken = Taken::default();
        for (own, is_acknowledged) in outbox::readable_of(self.tx, id)? {
            if own.generation != parted.generation {
                continue;
            }
            let encoded = decode_own(&own)?;
            let is_parted = own.hash == parted.hash || taken.is_followed_by(&encoded);
            if is_parted {
                taken.take(&encoded);
            }
            if is_parted || !is_acknowledged {
                let base = if is_acknowledged {
                    Base::of_change(&encoded.change, own.base.counts)
                } else {
                    own.base
                };
                outbox::wait_again(self.tx, own.id, &taken.leave_out(base))?;
            }
        }
        self.rewrite_flat(id, None)?;
        let Some(mut document) = self.load_flat(id)? else { return Ok(true) };
        // What the copy wrote under these numbers is not what stands here.
        document.state.keys.values_mut().for_each(|ops| ops.retain(|op| !taken.has(op.id)));
        document.state.keys.retain(|_, ops| !ops.is_empty());
        self.save_flat(&document)?;
        self.await_copy(id, WHY)?;
        self.project_known(self.schema.entity(&document.entity), id, &document.state)?;
        Ok(true)
    }

    /// A text has its history: what the server cannot have is left out of it, and its passages are
    /// written anew.
    fn part_text(&mut self, parted: &OwnChange) -> Result<bool, ReplicaError> {
        let id = &parted.document;
        let Some(stored) = self.stored(id)? else { return Ok(false) };
        let mut gone = BTreeSet::from([parted.hash]);
        let mut kept = Vec::new();
        for change in TextDocument::load(&stored.state)?.changes_since(&[])? {
            if gone.contains(&change.hash) || change.deps.iter().any(|dep| gone.contains(dep)) {
                gone.insert(change.hash);
            } else {
                kept.push(change.bytes);
            }
        }
        for hash in &gone {
            if let Some(own) = outbox::acknowledged(self.tx, *hash)? {
                outbox::replace(self.tx, own.id, None)?;
            }
        }
        let kept: Vec<&[u8]> = kept.iter().map(Vec::as_slice).collect();
        self.recover_text(id, &stored.entity, &kept)?;
        Ok(true)
    }
}

/// Changes that the server cannot have under their names.
#[derive(Default)]
struct Taken {
    hashes: BTreeSet<ChangeHash>,
    ops: BTreeMap<ActorId, u64>,
}

impl Taken {
    /// Whether a change needs one of these before it.
    fn is_followed_by(&self, encoded: &EncodedChange) -> bool {
        let change = &encoded.change;
        let is_later = self.ops.get(&change.actor).is_some_and(|first| change.start_op >= *first);
        is_later || change.deps.iter().any(|dep| self.hashes.contains(dep))
    }

    fn take(&mut self, encoded: &EncodedChange) {
        self.hashes.insert(encoded.hash);
        self.ops.entry(encoded.change.actor).or_insert(encoded.change.start_op);
    }

    fn has(&self, id: OpId) -> bool {
        self.ops.get(&id.actor).is_some_and(|first| id.counter >= *first)
    }

    /// What was seen without these.
    fn leave_out(&self, mut base: Base) -> Base {
        base.heads.retain(|head| !self.hashes.contains(head));
        base.replaced.values_mut().for_each(|ids| ids.retain(|id| !self.has(*id)));
        base
    }
}
