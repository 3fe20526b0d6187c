//! Edits that wait and whose bytes are damaged: written anew from what the record says beyond the
//! confirmed state, on that state.

use std::collections::{BTreeMap, BTreeSet};

use super::{Replica, ReplicaError, Writer, flat::decode_own};
use crate::{
    crdt::{
        self, Action, Change, Op, OpId, State, TextDocument,
        base::{Base, Pending, rewrite},
        state::covers_op,
    },
    ids::{ActorId, ChangeHash, DocumentId},
    store::{
        StoreError,
        document::{self, StoredDocument, decode_state},
        outbox::{self, NewOwnChange, OwnChange},
    },
    time::TimestampMs,
};

impl Replica {
    /// Looks at every edit that waits, and writes anew what cannot be sent because its bytes are
    /// damaged. Returns how many documents that were.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn mend_outbox(&mut self) -> Result<u64, ReplicaError> {
        let found = outbox::damaged_waiting(self.store.conn())?;
        if found.is_empty() {
            return Ok(0);
        }
        self.exchange(|writer| {
            let mut mended = 0;
            for (number, document) in &found {
                match document {
                    Some(id) if writer.mend_waiting(id)? => mended += 1,
                    Some(_) => {}
                    None => outbox::set_aside(writer.tx, *number, writer.now_ms)?,
                }
            }
            Ok(mended)
        })
    }
}

impl Writer<'_> {
    /// The edits of a document that wait; damaged ones are written anew first.
    pub(super) fn waiting_of(&mut self, id: &DocumentId) -> Result<Vec<OwnChange>, ReplicaError> {
        match outbox::waiting_of(self.tx, id) {
            Err(StoreError::DamagedChange { .. }) => {
                self.mend_waiting(id)?;
                Ok(outbox::waiting_of(self.tx, id)?)
            }
            loaded => Ok(loaded?),
        }
    }

    /// Writes the waiting edits of a document anew, of which at least one cannot be sent as it is.
    /// Whether they wait again; if not, nothing could be made of them, and they are kept aside.
    fn mend_waiting(&mut self, id: &DocumentId) -> Result<bool, ReplicaError> {
        let damaged: BTreeSet<i64> = outbox::damaged_of(self.tx, id)?.into_iter().collect();
        if damaged.is_empty() {
            return Ok(false);
        }
        let stored = self.stored(id)?;
        let confirmed = stored.as_ref().and_then(|stored| stored.confirmed.clone());
        let (Some(stored), Some(confirmed), false) = (stored, confirmed, self.is_awaited(id)?)
        else {
            for number in damaged {
                outbox::set_aside(self.tx, number, self.now_ms)?;
            }
            return Ok(false);
        };
        if id.part.is_flat() {
            self.mend_flat(id, stored, &confirmed, &damaged)?;
        } else {
            self.mend_text(&stored, &confirmed, &damaged)?;
        }
        Ok(true)
    }

    /// What the record says beyond the confirmed state, as one change on that state.
    fn mend_flat(
        &mut self,
        id: &DocumentId,
        mut stored: StoredDocument,
        confirmed: &[u8],
        damaged: &BTreeSet<i64>,
    ) -> Result<(), ReplicaError> {
        let state = decode_state(id, &stored.state)?;
        let confirmed = decode_state(id, confirmed)?;
        let rows = outbox::waiting_rows(self.tx, id)?;
        let pending: Vec<Pending> = difference(&confirmed, &state, self.now_ms)
            .into_iter()
            .map(|(change, base)| Pending {
                encoded: crdt::encode(change),
                base,
                dropped: BTreeSet::new(),
            })
            .collect();
        let actor = self.fresh_actor(&[&state, &confirmed]);
        let rewritten = rewrite(&confirmed, &pending, actor)?;
        for number in damaged {
            outbox::keep_aside(self.tx, *number, self.now_ms)?;
        }
        let mut left = Vec::new();
        let mut changes = rewritten
            .changes
            .into_iter()
            .zip(&pending)
            .filter_map(|(change, from)| Some((change?, from)));
        for number in rows {
            match changes.next() {
                Some((change, from)) => {
                    outbox::replace(self.tx, number, Some((change.hash, change.bytes.as_slice())))?;
                    outbox::set_base(self.tx, number, &from.base)?;
                    outbox::forget_undo(self.tx, number)?;
                }
                None => outbox::replace(self.tx, number, None)?,
            }
        }
        left.extend(changes.map(|(change, from)| (change, from.base.clone())));
        for (change, base) in &left {
            self.add_anew(
                id,
                &stored.entity,
                state.generation,
                (change.hash, &change.bytes),
                base,
            )?;
        }
        let is_waiting = !outbox::waiting_rows(self.tx, id)?.is_empty();
        stored.own = rewritten.own;
        stored.state = rewritten.state.to_bytes();
        stored.confirmed = is_waiting.then(|| confirmed.to_bytes());
        self.redraw_actor();
        document::save(self.tx, id, &stored)?;
        self.project_known(self.schema.entity(&stored.entity), id, &rewritten.state)
    }

    /// Puts a change that the outbox lost into it again.
    fn add_anew(
        &mut self,
        id: &DocumentId,
        entity: &str,
        generation: u32,
        (hash, bytes): (ChangeHash, &[u8]),
        base: &Base,
    ) -> Result<(), ReplicaError> {
        self.begin_tap();
        let group_id = self.group_id(bytes.len())?;
        let new = NewOwnChange {
            group_id,
            document: id,
            entity,
            generation,
            hash,
            bytes,
            base,
            made_at: self.now_ms,
            before: None,
        };
        Ok(outbox::add(self.tx, &new)?)
    }

    /// Lets edits wait again that a document says and the outbox has lost, if the document has all that
    /// the outbox still has; whether it did.
    pub(crate) fn queue_lost(&mut self, id: &DocumentId) -> Result<bool, ReplicaError> {
        let Some(stored) = self.stored(id)? else { return Ok(false) };
        let Some(confirmed) = stored.confirmed.clone() else { return Ok(false) };
        let waiting = self.waiting_of(id)?;
        if !id.part.is_flat() {
            let heads = TextDocument::load(&confirmed)?.heads();
            let text = TextDocument::load(&stored.state)?;
            let known: BTreeSet<ChangeHash> = waiting.iter().map(|own| own.hash).collect();
            if !known.iter().all(|hash| text.contains(*hash)) {
                return Ok(false);
            }
            for change in text.changes_since(&heads)? {
                if !known.contains(&change.hash) {
                    let named = (change.hash, change.bytes.as_slice());
                    self.add_anew(id, &stored.entity, 0, named, &Base::default())?;
                }
            }
            return Ok(true);
        }
        let state = decode_state(id, &stored.state)?;
        for own in &waiting {
            if !state.has_seen(&decode_own(own)?.change) {
                return Ok(false);
            }
        }
        self.mend_flat(id, stored, &confirmed, &BTreeSet::new())?;
        Ok(true)
    }

    /// A text holds its changes: what the outbox lost is taken from there.
    fn mend_text(
        &mut self,
        stored: &StoredDocument,
        confirmed: &[u8],
        damaged: &BTreeSet<i64>,
    ) -> Result<(), ReplicaError> {
        let heads = TextDocument::load(confirmed)?.heads();
        let changes = TextDocument::load(&stored.state)?.changes_since(&heads)?;
        for number in damaged {
            outbox::keep_aside(self.tx, *number, self.now_ms)?;
            let hash = outbox::hash_of(self.tx, *number)?;
            match changes.iter().find(|change| Some(change.hash) == hash) {
                Some(change) => {
                    outbox::replace(
                        self.tx,
                        *number,
                        Some((change.hash, change.bytes.as_slice())),
                    )?;
                    outbox::set_base(self.tx, *number, &Base::default())?;
                }
                None => outbox::replace(self.tx, *number, None)?,
            }
        }
        Ok(())
    }
}

/// What a state says beyond another one, as changes of the actors that wrote it, at most one each.
fn difference(confirmed: &State, state: &State, time_ms: TimestampMs) -> Vec<(Change, Base)> {
    let mut written: BTreeMap<ActorId, Vec<Op>> = BTreeMap::new();
    let mut deleted = Vec::new();
    let keys: BTreeSet<&String> = confirmed.keys.keys().chain(state.keys.keys()).collect();
    for key in keys {
        let stand: BTreeSet<OpId> = state.survivor_ids(key).into_iter().collect();
        let pred: Vec<OpId> =
            confirmed.survivor_ids(key).into_iter().filter(|id| !stand.contains(id)).collect();
        let fresh = state.survivors(key).iter().rfind(|op| !covers_op(&confirmed.clock, op.id));
        match fresh {
            Some(op) => written.entry(op.id.actor).or_default().push(Op {
                key: key.clone(),
                action: Action::Put(op.value.clone()),
                pred,
            }),
            None if !pred.is_empty() => {
                deleted.push(Op { key: key.clone(), action: Action::Delete, pred });
            }
            None => {}
        }
    }
    // What was taken away tells nobody's name; it goes with whoever wrote last.
    let author = written.keys().next_back().copied().or_else(|| {
        state
            .clock
            .iter()
            .find(|(actor, seen)| {
                confirmed.clock.get(actor).is_none_or(|known| known.seq < seen.seq)
            })
            .map(|(actor, _)| *actor)
    });
    if let (Some(author), false) = (author, deleted.is_empty()) {
        written.entry(author).or_default().extend(deleted);
    }
    let heads: Vec<_> = confirmed.head_hashes();
    written
        .into_iter()
        .map(|(actor, ops)| {
            let change = Change {
                actor,
                seq: confirmed.clock.get(&actor).map_or(0, |seen| seen.seq) + 1,
                start_op: confirmed.max_op + 1,
                time_ms,
                message: None,
                deps: heads.clone(),
                ops,
            };
            let mut base = Base::new(confirmed, &change);
            // What came beside these edits their author has not seen.
            for op in &change.ops {
                base.replaced.insert(op.key.clone(), op.pred.iter().copied().collect());
            }
            (change, base)
        })
        .collect()
}
