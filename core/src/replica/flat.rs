//! Flat documents of a replica: written here, confirmed by answers, joined with what arrives.
//!
//! While edits wait there are two states: the *confirmed* one, which holds what the server is
//! known to hold, and the one that people see, which holds the waiting edits too. When nothing
//! waits there is one.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::{ReplicaError, Writer, draw_suffix};
use crate::{
    crdt::{
        self, Action, Delta, DeltaOutcome, Edit, EncodedChange, Own, Stamp, State,
        base::{Base, Pending, rewrite},
        next_actor,
    },
    ids::{ActorId, DocumentId},
    schema::{Entity, Key},
    store::{
        StoreError,
        document::{self, StoredDocument, decode_state},
        inbox, index, meta,
        outbox::{self, NewOwnChange, OwnChange},
        rows,
        undo::Before,
    },
    sync::{digest, frame::Digest},
};

/// A flat document as the replica works on it.
#[derive(Debug, Clone)]
pub(super) struct FlatDocument {
    pub(super) id: DocumentId,
    pub(super) entity: String,
    /// What people see.
    pub(super) state: State,
    /// The bytes of the state as it was loaded; none of a new document.
    stored: Vec<u8>,
    /// What the server holds, while edits wait.
    pub(super) confirmed: Option<State>,
    pub(super) own: Option<Own>,
    pub(super) digest: Option<Digest>,
}

impl FlatDocument {
    /// A document of which nothing is known yet.
    fn new(id: &DocumentId, entity: &str) -> Self {
        Self {
            id: id.clone(),
            entity: entity.to_owned(),
            state: State::default(),
            stored: Vec::new(),
            confirmed: None,
            own: None,
            digest: None,
        }
    }

    pub(super) fn decode(id: &DocumentId, stored: StoredDocument) -> Result<Self, StoreError> {
        Ok(Self {
            id: id.clone(),
            entity: stored.entity,
            state: decode_state(id, &stored.state)?,
            stored: stored.state,
            confirmed: stored.confirmed.map(|bytes| decode_state(id, &bytes)).transpose()?,
            own: stored.own,
            digest: stored.digest,
        })
    }

    /// The last confirmed state.
    pub(super) fn confirmed(&self) -> &State {
        self.confirmed.as_ref().unwrap_or(&self.state)
    }
}

/// Whether a state that arrived could be joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merged {
    /// It was.
    Joined,
    /// The whole state must be fetched.
    NeedsWhole,
    /// The server has another change by the name of one that is here: the whole state must be fetched, and
    /// what it lacks written anew.
    Parted,
}

impl Writer<'_> {
    /// Loads a flat document, if it is here.
    pub(super) fn load_flat(&self, id: &DocumentId) -> Result<Option<FlatDocument>, StoreError> {
        self.stored(id)?.map(|stored| FlatDocument::decode(id, stored)).transpose()
    }

    /// The actor under which the next change of a document will be written.
    pub(super) fn actor_for(&mut self, document: Option<&FlatDocument>) -> ActorId {
        match document {
            // A suffix of its own for every document: equal records made at the same moment
            // would otherwise be the same change, byte for byte.
            None => ActorId::new(self.actor.prefix(), draw_suffix(self.rng)),
            Some(document) => {
                let rng = &mut *self.rng;
                next_actor(&document.state, document.own.as_ref(), self.actor, || draw_suffix(rng))
            }
        }
    }

    /// Writes edits as one change under `actor`: state, row and outbox.
    pub(super) fn write_flat(
        &mut self,
        id: &DocumentId,
        entity: &Entity,
        document: Option<FlatDocument>,
        actor: ActorId,
        edits: Vec<Edit>,
    ) -> Result<(), ReplicaError> {
        self.check_not_erased(id.record)?;
        let is_new = document.is_none();
        let mut document = document.unwrap_or_else(|| FlatDocument::new(id, &entity.name));
        // Before the first waiting edit what people see is what is confirmed. Of that the base
        // needs the edited keys, and the store the bytes that it has.
        let (confirmed, confirmed_bytes) = match document.confirmed.take() {
            Some(confirmed) => {
                let bytes = confirmed.to_bytes();
                (confirmed, bytes)
            }
            None if is_new => (State::default(), State::default().to_bytes()),
            None => {
                let keys = edits.iter().map(|edit| edit.key.as_str());
                (document.state.narrowed_to(keys), std::mem::take(&mut document.stored))
            }
        };
        let touched: BTreeSet<String> = edits.iter().map(|edit| field_of(&edit.key)).collect();
        let before = self.before(entity, &id.part, &document.state, &edits);
        let unedited = (!is_new && self.needs_check()?).then(|| document.state.clone());
        let stamp = Stamp { actor, time_ms: self.now_ms, message: None };
        let change = crdt::write(&mut document.state, &mut document.own, stamp, edits)?;
        let keys: Vec<&str> = change.change.ops.iter().map(|op| op.key.as_str()).collect();
        self.check_access(entity, id, unedited.as_ref(), Some(&document.state), &keys)?;
        let base = Base::new(&confirmed, &change.change);
        let state = document.state.to_bytes();
        if is_new {
            self.save(&document, state, Some(confirmed_bytes))?;
        } else {
            let own = document.own.as_ref();
            document::save_edited(self.tx, (id, &entity.name), &state, &confirmed_bytes, own)?;
        }
        self.queue(&document, &change, &base, before.as_ref())?;
        let touched = if is_new { None } else { Some(&touched) };
        self.project(entity, id, &document.state, touched)?;
        Ok(())
    }

    pub(super) fn queue(
        &mut self,
        document: &FlatDocument,
        change: &EncodedChange,
        base: &Base,
        before: Option<&Before>,
    ) -> Result<(), ReplicaError> {
        let group_id = self.group_id(change.bytes.len())?;
        outbox::add(
            self.tx,
            &NewOwnChange {
                group_id,
                document: &document.id,
                entity: &document.entity,
                generation: document.state.generation,
                hash: change.hash,
                bytes: &change.bytes,
                base,
                made_at: self.now_ms,
                before,
            },
        )?;
        Ok(())
    }

    /// Writes what a document says into its record's row; what it is found by follows.
    pub(super) fn project(
        &mut self,
        entity: &Entity,
        id: &DocumentId,
        state: &State,
        touched: Option<&BTreeSet<String>>,
    ) -> Result<(), StoreError> {
        rows::project_fields(self.tx, entity, id.record, &id.part, state, touched)?;
        if touched.is_none_or(|touched| index::depends_on(entity, touched)) {
            self.changed.note(entity, id.record);
        }
        Ok(())
    }

    pub(super) fn save_flat(&self, document: &FlatDocument) -> Result<(), StoreError> {
        let confirmed = document.confirmed.as_ref().map(State::to_bytes);
        self.save(document, document.state.to_bytes(), confirmed)
    }

    fn save(
        &self,
        document: &FlatDocument,
        state: Vec<u8>,
        confirmed: Option<Vec<u8>>,
    ) -> Result<(), StoreError> {
        let stored = StoredDocument {
            entity: document.entity.clone(),
            state,
            confirmed,
            own: document.own,
            digest: document.digest,
        };
        document::save(self.tx, &document.id, &stored)
    }

    /// Sets the digest of the confirmed content, in the document and in the sum of all.
    pub(super) fn update_digest(&mut self, document: &mut FlatDocument) {
        let confirmed = document.confirmed();
        let fresh = (!confirmed.is_empty()).then(|| digest::of_state(&document.id, confirmed));
        self.replace_digest(document.digest, fresh);
        document.digest = fresh;
    }

    /// The server has the change durably.
    pub(super) fn confirm_flat(&mut self, own: &OwnChange) -> Result<(), ReplicaError> {
        outbox::acknowledge(self.tx, own, self.now_ms)?;
        // Before the document is loaded: what is damaged is written anew in both.
        let waiting = self.waiting_of(&own.document)?;
        let Some(mut document) = self.load_flat(&own.document)? else { return Ok(()) };
        if own.generation != document.state.generation {
            return Ok(());
        }
        let encoded = decode_own(own)?;
        let mut confirmed = match document.confirmed.take() {
            Some(confirmed) => confirmed,
            None => document.state.clone(),
        };
        let seen = confirmed.clock.get(&encoded.change.actor).map_or(0, |seen| seen.seq);
        if seen < encoded.change.seq {
            confirmed.apply(&encoded);
        }
        for mut later in waiting.iter().cloned() {
            later.base.advance(&encoded);
            outbox::set_base(self.tx, later.id, &later.base)?;
        }
        // Of one that waits for the server's copy the confirmed state is known in part only.
        if waiting.is_empty() && !self.is_awaited(&own.document)? {
            document.state = confirmed;
        } else {
            document.confirmed = Some(confirmed);
        }
        self.update_digest(&mut document);
        self.save_flat(&document)?;
        self.note_place(&document)?;
        Ok(())
    }

    /// Joins a whole state that the server sent.
    pub(super) fn merge_state(
        &mut self,
        id: &DocumentId,
        entity: &str,
        arrived: State,
        bytes: &[u8],
    ) -> Result<(), ReplicaError> {
        let known = self.load_flat(id)?;
        if self.is_awaited(id)? {
            let mut document = known.unwrap_or_else(|| FlatDocument::new(id, entity));
            let arrived = self.with_acknowledged(id, arrived)?;
            let (state, is_waiting) = self.lay_waiting_on(id, &arrived)?;
            document.confirmed = is_waiting.then_some(arrived);
            (document.state, document.own) = (state, None);
            self.redraw_actor();
            return self.store_merged(entity, document, None);
        }
        let Some(mut document) = known else {
            // There is nothing to join it with: it is stored as it came.
            let document = FlatDocument { state: arrived, ..FlatDocument::new(id, entity) };
            return self.store_merged(entity, document, Some(bytes));
        };
        if document.confirmed().is_parted(&arrived) {
            // While a recovery is open everything waits; what differs is looked at when it is over.
            let is_open = meta::recovery_told(self.tx)? > meta::recovered(self.tx)?;
            return if is_open { Ok(()) } else { self.recover_flat(id, entity, arrived).map(drop) };
        }
        if arrived.generation > document.state.generation {
            document.own = None;
            self.redraw_actor();
        }
        if let Some(confirmed) = &mut document.confirmed {
            confirmed.join(&arrived);
        }
        document.state.join(&arrived);
        self.store_merged(entity, document, None)
    }

    /// Joins what changed since the cursor.
    pub(super) fn merge_delta(
        &mut self,
        id: &DocumentId,
        entity: &str,
        delta: &Delta,
    ) -> Result<Merged, ReplicaError> {
        let Some(mut document) = self.load_flat(id)? else { return Ok(Merged::NeedsWhole) };
        if let Some(confirmed) = &mut document.confirmed
            && confirmed.join_delta(delta) == DeltaOutcome::NeedsWhole
        {
            return Ok(Merged::NeedsWhole);
        }
        if document.state.join_delta(delta) == DeltaOutcome::NeedsWhole {
            return Ok(Merged::NeedsWhole);
        }
        self.store_merged(entity, document, None)?;
        Ok(Merged::Joined)
    }

    fn store_merged(
        &mut self,
        entity: &str,
        mut document: FlatDocument,
        bytes: Option<&[u8]>,
    ) -> Result<(), ReplicaError> {
        // Only what was joined can have outgrown what a state may be.
        let mut joined = std::iter::once(&document.state).chain(&document.confirmed);
        if bytes.is_none() && !joined.all(State::is_readable) {
            let words = format!("{}: what arrived and what is here are too large", document.id);
            return Err(ReplicaError::Protocol(words));
        }
        self.update_digest(&mut document);
        match bytes {
            Some(bytes) => self.save(&document, bytes.to_vec(), None)?,
            None => self.save_flat(&document)?,
        }
        let id = &document.id;
        self.project_known(self.schema.entity(entity), id, &document.state)
    }

    /// Writes all that a document says into its record's row. An entity that only a newer app knows is kept
    /// without one.
    pub(super) fn project_known(
        &mut self,
        entity: Option<&Entity>,
        id: &DocumentId,
        state: &State,
    ) -> Result<(), ReplicaError> {
        match entity {
            Some(entity) => Ok(self.project(entity, id, state, None)?),
            None => Ok(()),
        }
    }

    /// Writes all waiting changes of a document anew, leaving out the refused keys of one.
    ///
    /// `refused` names the change, the code and the keys (all of the change if there are none);
    /// without it everything is kept.
    pub(super) fn rewrite_flat(
        &mut self,
        id: &DocumentId,
        refused: Option<(&OwnChange, &str, &[String])>,
    ) -> Result<(), ReplicaError> {
        let waiting = self.waiting_of(id)?;
        let Some(mut document) = self.load_flat(id)? else { return Ok(()) };
        let entity = self.schema.entity(&document.entity);
        let confirmed = document.confirmed().clone();
        let mut pending = Vec::with_capacity(waiting.len());
        // What was refused as a whole when nothing of the record is confirmed takes with it what
        // was written on top: there is no record to write it into.
        let mut takes_all = false;
        for own in &waiting {
            let encoded = decode_own(own)?;
            let mut dropped: BTreeSet<String> = BTreeSet::new();
            let all = || encoded.change.ops.iter().map(|op| op.key.clone());
            if let Some((culprit, code, keys)) = refused {
                if culprit.id == own.id {
                    dropped = if keys.is_empty() {
                        all().collect()
                    } else {
                        keys.iter().cloned().collect()
                    };
                    takes_all = keys.is_empty() && confirmed.is_empty();
                    self.keep_refused(own, entity, &encoded, code, &dropped)?;
                } else if takes_all {
                    dropped = all().collect();
                    self.keep_refused(own, entity, &encoded, code, &dropped)?;
                }
            }
            pending.push(Pending { encoded, base: own.base.clone(), dropped });
        }
        let actor = self.fresh_actor(&[&document.state, &confirmed]);
        let rewritten = match rewrite(&confirmed, &pending, actor) {
            Ok(rewritten) => rewritten,
            // What no longer fits on what others wrote meanwhile goes to its author, and holds
            // back nothing else.
            Err(error) => {
                for (own, waiting) in waiting.iter().zip(&mut pending) {
                    let ops = waiting.encoded.change.ops.iter().map(|op| op.key.clone());
                    let left: BTreeSet<String> =
                        ops.filter(|key| !waiting.dropped.contains(key)).collect();
                    let encoded = waiting.encoded.clone();
                    self.keep_refused(own, entity, &encoded, error.code(), &left)?;
                    waiting.dropped.extend(left);
                }
                rewrite(&confirmed, &pending, actor)?
            }
        };
        let mut left = 0;
        for (own, successor) in waiting.iter().zip(&rewritten.changes) {
            let successor = successor.as_ref().map(|change| (change.hash, change.bytes.as_slice()));
            left += usize::from(successor.is_some());
            outbox::replace(self.tx, own.id, successor)?;
        }
        document.own = rewritten.own;
        document.state = rewritten.state;
        document.confirmed = (left > 0).then_some(confirmed);
        // The old actor's numbers are used up, also where nothing is left to tell so.
        self.redraw_actor();
        if document.state.is_empty() {
            return Ok(self.drop_document(id, entity)?);
        }
        self.save_flat(&document)?;
        self.project_known(entity, id, &document.state)
    }

    pub(super) fn fresh_actor(&mut self, states: &[&State]) -> ActorId {
        loop {
            let actor = ActorId::new(self.actor.prefix(), draw_suffix(self.rng));
            if states.iter().all(|state| !state.clock.contains_key(&actor)) {
                return actor;
            }
        }
    }

    fn keep_refused(
        &self,
        own: &OwnChange,
        entity: Option<&Entity>,
        encoded: &EncodedChange,
        code: &str,
        keys: &BTreeSet<String>,
    ) -> Result<(), StoreError> {
        let mut values = Map::new();
        for op in encoded.change.ops.iter().filter(|op| keys.contains(&op.key)) {
            values.insert(op.key.clone(), value_json(entity, own, &op.key, &op.action));
        }
        if values.is_empty() {
            return Ok(());
        }
        let times = (own.made_at, self.now_ms);
        inbox::add(
            self.tx,
            &own.document,
            &own.entity,
            (code, own.hash),
            &Json::Object(values),
            times,
        )
    }
}

fn value_json(entity: Option<&Entity>, own: &OwnChange, key: &str, action: &Action) -> Json {
    let Action::Put(value) = action else { return Json::Null };
    match entity.and_then(|entity| entity.parse_key(&own.document.part, key).ok()) {
        Some(Key::Register(field)) => field.ty.to_json(value),
        Some(Key::Cell { column, .. }) => column.ty.to_json(value),
        Some(
            Key::Counter { .. } | Key::Member { .. } | Key::RowGone { .. } | Key::Entry { .. },
        )
        | None => serde_json::to_value(value).unwrap_or(Json::Null),
    }
}

/// All values of a waiting change, as the inbox keeps them.
pub(super) fn refused_values(entity: Option<&Entity>, own: &OwnChange) -> Result<Json, StoreError> {
    let encoded = decode_own(own)?;
    let values = encoded.change.ops.iter();
    Ok(Json::Object(
        values.map(|op| (op.key.clone(), value_json(entity, own, &op.key, &op.action))).collect(),
    ))
}

/// Reads a change that this device wrote.
pub(crate) fn decode_own(own: &OwnChange) -> Result<EncodedChange, StoreError> {
    crdt::decode(&own.bytes).map_err(|error| StoreError::damaged("a waiting change", error))
}

/// The field that a key belongs to.
fn field_of(key: &str) -> String {
    key.split('/').next().unwrap_or_default().to_owned()
}
