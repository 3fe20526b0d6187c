//! After a server was put back to a backup and its recovery is over: what came back from nobody is
//! written anew by whoever still holds it.
//!
//! While a recovery is open everything is kept, also what the server does not name any more. When
//! the server says that it is over, documents that still differ after all acknowledged changes were
//! sent again are recovered: [`recover`](mod@crate::crdt::recover) writes the difference as changes of this device,
//! which are judged like any other. What waited in such a document is part of the difference.

use std::collections::BTreeSet;

use super::{Replica, ReplicaError, Writer, flat::FlatDocument};
use crate::{
    crdt::{
        Own, Recovering, State,
        base::Base,
        recover,
        state::covers_clock,
        text::{TextDocument, accept, recover_text},
    },
    ids::DocumentId,
    schema::Entity,
    store::{
        StoreError,
        document::StoredDocument,
        erased, meta,
        outbox::{self, NewOwnChange},
        quarantine, standing,
    },
    sync::frame::{Digest, DocumentName, Recovery},
};

/// Documents that one transaction recovers.
const PER_TRANSACTION: usize = 100;

impl Replica {
    /// The number of the last recovery of the server after which this device wrote anew what was
    /// lost; 0 if there was none.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn recovered(&self) -> Result<u32, ReplicaError> {
        Ok(meta::recovered(self.store.conn())?)
    }

    /// Notes that nothing is left to write anew after a recovery of the server.
    pub(super) fn note_recovered(&mut self, number: u32) -> Result<(), ReplicaError> {
        let tx = self.store.begin()?;
        meta::set_recovered(&tx, number)?;
        tx.commit().map_err(StoreError::from)?;
        Ok(())
    }

    /// Writes documents anew that the server does not have at all; says of how many something was left to write.
    /// Of an erased record nothing is: what is left of it goes.
    pub(super) fn recover_whole(
        &mut self,
        names: &BTreeSet<DocumentName>,
    ) -> Result<u64, ReplicaError> {
        let mut anew = 0;
        let names: Vec<&DocumentName> = names.iter().collect();
        for page in names.chunks(PER_TRANSACTION) {
            anew += self.exchange(|writer| {
                let mut anew = 0;
                for name in page {
                    let id = name.id();
                    let Some(stored) = writer.stored(&id)? else { continue };
                    let entity = stored.entity;
                    if erased::is_erased(writer.tx, id.record)? {
                        // What erasing left of a record that was made after the backup.
                        let entity = writer.schema.entity(&entity);
                        writer.drop_lost(&id, entity, stored.digest)?;
                        continue;
                    }
                    anew += u64::from(if id.part.is_flat() {
                        writer.recover_flat(&id, &entity, State::default())?
                    } else {
                        writer.recover_text(&id, &entity, &[])?
                    });
                }
                Ok(anew)
            })?;
        }
        Ok(anew)
    }
}

impl Writer<'_> {
    /// Takes note of what the server says of its last recovery.
    pub(super) fn take_recovery(&mut self, told: Option<&Recovery>) -> Result<(), ReplicaError> {
        let Some(told) = told else { return Ok(()) };
        meta::set_recovery_told(self.tx, told.number)?;
        if told.is_closed {
            meta::set_recovery_over(self.tx, told.number)?;
        }
        if told.number > meta::recovered(self.tx)? && meta::is_cursor_lost(self.tx)? {
            meta::set_cursor_lost(self.tx, false)?;
        }
        // Whoever holds nothing has nothing to give back; of what is damaged there may be changes.
        let is_nothing_held = meta::held(self.tx)? == Digest::default();
        if is_nothing_held && quarantine::count(self.tx)?.awaited == 0 {
            meta::set_recovered(self.tx, told.number)?;
        }
        Ok(())
    }

    /// Takes units out of scopes that a whole pull did not name, unless they may be missing because
    /// the server lost them.
    pub(super) fn drop_stale_scopes(&mut self) -> Result<(), ReplicaError> {
        if meta::recovery_told(self.tx)? <= meta::recovered(self.tx)? {
            standing::drop_stale(self.tx)?;
        }
        Ok(())
    }

    /// Whether a recovery of the server is over, and what was lost not written anew yet.
    pub(super) fn is_recovering(&self) -> Result<bool, ReplicaError> {
        Ok(meta::recovery_over(self.tx)? > meta::recovered(self.tx)?)
    }

    /// Whether a document that a pull brings waits until what the server lacks of it was written anew:
    /// joined before, what another device wrote anew would stand there twice.
    pub(super) fn is_held_back(
        &self,
        id: &DocumentId,
        arrived: &State,
    ) -> Result<bool, ReplicaError> {
        if !id.part.is_flat() {
            return Ok(self.stored(id)?.is_some());
        }
        let known = self.load_flat(id)?;
        let confirmed = known.map(|known| known.confirmed.unwrap_or(known.state));
        Ok(confirmed.is_some_and(|confirmed| {
            !covers_clock(&arrived.clock, &confirmed.clock) || confirmed.is_parted(arrived)
        }))
    }

    /// Makes a flat document what the server has, with what it lacks written anew on that; says whether it lacked
    /// anything.
    pub(super) fn recover_flat(
        &mut self,
        id: &DocumentId,
        entity: &str,
        theirs: State,
    ) -> Result<bool, ReplicaError> {
        let known = self.load_flat(id)?;
        let is_same = |known: &FlatDocument| known.state.generation == theirs.generation;
        let Some(mut document) = known.filter(is_same) else {
            let bytes = theirs.to_bytes();
            self.merge_state(id, entity, theirs, &bytes)?;
            return Ok(false);
        };
        // What only a newer app knows is written anew all the same: nobody else may hold it.
        let entity = self.schema.entity(entity);
        let actor = self.fresh_actor(&[&document.state, &theirs]);
        let who = Recovering { entity, part: &id.part, actor, time_ms: self.now_ms };
        let recovered = recover(&theirs, &document.state, who)?;
        self.take_out_waiting(id)?;
        let is_anew = !recovered.changes.is_empty();
        if !is_anew && theirs.is_empty() {
            self.drop_lost(id, entity, document.digest)?;
            return Ok(false);
        }
        document.state = recovered.state;
        document.confirmed = is_anew.then_some(theirs);
        document.own = recovered.own;
        self.redraw_actor();
        self.update_digest(&mut document);
        self.save_flat(&document)?;
        self.begin_tap();
        for (change, base) in &recovered.changes {
            self.queue(&document, change, base, None)?;
        }
        self.begin_tap();
        self.project_known(entity, id, &document.state)?;
        Ok(is_anew)
    }

    /// Makes a text what the server has, with the passages that it lacks written anew; says whether it lacked any.
    pub(super) fn recover_text(
        &mut self,
        id: &DocumentId,
        entity: &str,
        changes: &[&[u8]],
    ) -> Result<bool, ReplicaError> {
        let stored = self.stored(id)?;
        let Some(stored) = stored else {
            self.merge_text(id, entity, changes)?;
            return Ok(false);
        };
        let mut theirs = TextDocument::new()?.save();
        for change in changes {
            theirs = accept(&theirs, change)?.saved;
        }
        let used = TextDocument::load(&stored.state)?;
        let actor = self.text_actor(&used, None);
        let recovered = recover_text(&theirs, &stored.state, actor, self.now_ms)?;
        self.take_out_waiting(id)?;
        if recovered.changes.is_empty() && changes.is_empty() {
            self.drop_lost(id, self.schema.entity(entity), stored.digest)?;
            return Ok(false);
        }
        let text = recovered.text.text()?;
        let last = recovered.changes.last();
        let fresh = StoredDocument {
            state: recovered.text.save(),
            confirmed: last.map(|_| recovered.confirmed),
            own: last.map(|last| Own { actor: last.actor, seq: last.seq, hash: last.hash }),
            ..stored
        };
        self.redraw_actor();
        self.save_text(id, fresh)?;
        self.begin_tap();
        for change in &recovered.changes {
            let group_id = self.group_id(change.bytes.len())?;
            let new = NewOwnChange {
                group_id,
                document: id,
                entity,
                generation: 0,
                hash: change.hash,
                bytes: &change.bytes,
                base: &Base::default(),
                made_at: self.now_ms,
                before: None,
            };
            outbox::add(self.tx, &new)?;
            // Many changes of one text make no group.
            self.begin_tap();
        }
        self.project_text(id, self.schema.entity(entity), &text)?;
        Ok(last.is_some())
    }

    /// The server has nothing of a document, and nothing here is worth writing anew: a text that was
    /// emptied, say. Kept here, it would be here alone.
    fn drop_lost(
        &mut self,
        id: &DocumentId,
        entity: Option<&Entity>,
        digest: Option<Digest>,
    ) -> Result<(), StoreError> {
        self.replace_digest(digest, None);
        self.drop_document(id, entity)
    }

    /// What waited in a document is written anew with the rest.
    fn take_out_waiting(&self, id: &DocumentId) -> Result<(), StoreError> {
        for own in outbox::waiting_of(self.tx, id)? {
            outbox::replace(self.tx, own.id, None)?;
        }
        Ok(())
    }
}
