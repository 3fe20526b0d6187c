//! Damage that is found while reading, and what is done about it at once.
//!
//! Disks flip bits. A stored document that is not as it was stored is put aside whole
//! ([`quarantine`]), then made anew from what is left: from the confirmed state and the edits that
//! wait, or from this device's own changes if nobody else ever wrote there. Where that is not enough
//! the document *waits*: its edits are sent as they were written, and the session fetches the
//! server's copy, onto which they are laid again. Nothing else stops meanwhile. Edits whose bytes are
//! damaged are mended by [`mend`](super::mend).

use std::collections::BTreeSet;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::{Replica, ReplicaError, Writer, flat::decode_own, rebuild::project_stored};
use crate::{
    crdt::{
        self, State, TextDocument,
        text::{accept, first_change},
    },
    ids::{DocumentId, RecordId},
    schema::Schema,
    store::{
        StoreError,
        document::{self, Pieces, StoredDocument, decode_state},
        index::{self, Changed},
        meta,
        outbox::{self, OwnChange},
        quarantine::{self, Piece, Quarantined},
    },
    sync::{
        digest,
        frame::{Digest, DocumentName},
    },
    time::TimestampMs,
};

/// Damaged parts of one record that are made anew in one reading, at most.
const PARTS_MAX: usize = 64;

/// What became of a damaged document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Healed {
    /// It is whole again.
    Rebuilt,
    /// It waits for the server's copy.
    Awaited,
}

/// Puts a damaged document aside and makes it anew as far as that is possible here.
pub(crate) fn heal(
    conn: &Connection,
    schema: &Schema,
    id: &DocumentId,
    why: &str,
    now_ms: TimestampMs,
) -> Result<Healed, StoreError> {
    let names = schema.entities().map(|entity| entity.name.as_str());
    let Some(pieces) = document::take_apart(conn, id, names)? else { return Ok(Healed::Rebuilt) };
    let entry = put_aside(conn, id, &pieces, why, now_ms)?;
    let (acknowledged, waiting) = own_changes(conn, id)?;
    let confirmed = confirmed_of(id, &pieces, &acknowledged, &waiting);
    let rebuilt = confirmed.and_then(|confirmed| rebuild(id, confirmed, &waiting));
    let Some((state, confirmed)) = rebuilt else {
        wait(conn, id, &pieces, &waiting)?;
        quarantine::open(conn, entry)?;
        return Ok(Healed::Awaited);
    };
    let digest = pieces.digest.and_then(|_| digest_of(id, &confirmed));
    let confirmed = (!waiting.is_empty()).then_some(confirmed);
    let entity = pieces.entity.clone();
    replace_digest(conn, pieces.digest, digest)?;
    let stored = StoredDocument { entity, state, confirmed, own: None, digest };
    document::save(conn, id, &stored)?;
    project(conn, schema, id, &stored)?;
    Ok(Healed::Rebuilt)
}

/// Keeps the damaged pieces; returns the number of the last one.
fn put_aside(
    conn: &Connection,
    id: &DocumentId,
    pieces: &Pieces,
    why: &str,
    now_ms: TimestampMs,
) -> Result<i64, StoreError> {
    let mut damaged = Vec::new();
    if let Some((bytes, false)) = &pieces.confirmed {
        damaged.push((Piece::Confirmed, bytes.as_slice()));
    }
    if !pieces.is_state_whole || damaged.is_empty() {
        damaged.push((Piece::State, pieces.state.as_slice()));
    }
    let mut last = 0;
    for piece in damaged {
        last = quarantine::keep(conn, id, &pieces.entity, piece, why, now_ms)?;
    }
    Ok(last)
}

/// This device's changes of a document that can be read: the acknowledged ones, and those that wait.
fn own_changes(
    conn: &Connection,
    id: &DocumentId,
) -> Result<(Vec<OwnChange>, Vec<OwnChange>), StoreError> {
    let mut known = (Vec::new(), Vec::new());
    for (own, is_acknowledged) in outbox::readable_of(conn, id)? {
        if is_acknowledged { known.0.push(own) } else { known.1.push(own) }
    }
    Ok(known)
}

/// The bytes of what the server confirmed, if they can be had here.
fn confirmed_of(
    id: &DocumentId,
    pieces: &Pieces,
    acknowledged: &[OwnChange],
    waiting: &[OwnChange],
) -> Option<Vec<u8>> {
    match &pieces.confirmed {
        Some((bytes, true)) => return Some(bytes.clone()),
        None if !pieces.had_confirmed && pieces.is_state_whole && waiting.is_empty() => {
            return Some(pieces.state.clone());
        }
        Some(_) | None => {}
    }
    // Perhaps nobody else ever wrote here: then nothing of it follows what is not ours, and the digest, which
    // is of the last changes, says that these are ours.
    let own = follow_each_other(acknowledged).then(|| replay(id, acknowledged)).flatten()?;
    let is_known = match pieces.digest {
        Some(digest) => digest_of(id, &own) == Some(digest),
        None => acknowledged.is_empty() && pieces.had_confirmed && !waiting.is_empty(),
    };
    is_known.then_some(own)
}

/// Whether changes follow nothing but one another.
fn follow_each_other(changes: &[OwnChange]) -> bool {
    let mut known = BTreeSet::from([first_change().hash]);
    changes.iter().all(|own| {
        let Ok(header) = crdt::header(&own.bytes) else { return false };
        known.insert(header.hash);
        header.deps.iter().all(|dep| known.contains(dep))
    })
}

/// What changes alone come to.
fn replay(id: &DocumentId, changes: &[OwnChange]) -> Option<Vec<u8>> {
    if !id.part.is_flat() {
        let bytes: Vec<&[u8]> = changes.iter().map(|own| own.bytes.as_slice()).collect();
        return TextDocument::from_changes(&bytes).ok().map(|text| text.save());
    }
    let generation = changes.last().map_or(0, |own| own.generation);
    let mut state = State { generation, ..State::default() };
    for own in changes.iter().filter(|own| own.generation == generation) {
        state.apply(&decode_own(own).ok()?);
    }
    Some(state.to_bytes())
}

/// A document with the edits that wait on top; `None` if they do not fit there.
fn rebuild(
    id: &DocumentId,
    confirmed: Vec<u8>,
    waiting: &[OwnChange],
) -> Option<(Vec<u8>, Vec<u8>)> {
    let state = if id.part.is_flat() {
        let mut state = decode_state(id, &confirmed).ok()?;
        let generation = state.generation;
        for own in waiting.iter().filter(|own| own.generation == generation) {
            state.apply(&decode_own(own).ok()?);
        }
        state.to_bytes()
    } else {
        let mut saved = confirmed.clone();
        for own in waiting {
            saved = accept(&saved, &own.bytes).ok()?.saved;
        }
        saved
    };
    Some((state, confirmed))
}

/// What is left of a document until the server's copy comes: its waiting edits, and whatever of it is
/// whole.
fn wait(
    conn: &Connection,
    id: &DocumentId,
    pieces: &Pieces,
    waiting: &[OwnChange],
) -> Result<(), StoreError> {
    replace_digest(conn, pieces.digest, None)?;
    if waiting.is_empty() {
        return document::remove(conn, id);
    }
    let generation = waiting.last().map_or(0, |own| own.generation);
    let nothing = if id.part.is_flat() {
        State { generation, ..State::default() }.to_bytes()
    } else {
        TextDocument::new().map(|text| text.save()).map_err(|e| StoreError::damaged("a text", e))?
    };
    let state = if pieces.is_state_whole {
        pieces.state.clone()
    } else {
        // Edits of a text say nothing without the text that they are made in.
        rebuild(id, nothing.clone(), waiting).map_or_else(|| nothing.clone(), |(state, _)| state)
    };
    let entity = waiting.last().map_or_else(|| pieces.entity.clone(), |own| own.entity.clone());
    let stored =
        StoredDocument { entity, state, confirmed: Some(nothing), own: None, digest: None };
    document::save(conn, id, &stored)
}

/// The digest of confirmed bytes; none of what the server has nothing of.
pub(crate) fn digest_of(id: &DocumentId, confirmed: &[u8]) -> Option<Digest> {
    if id.part.is_flat() {
        let state = decode_state(id, confirmed).ok()?;
        return (!state.is_empty()).then(|| digest::of_state(id, &state));
    }
    let heads = TextDocument::load(confirmed).ok()?.heads();
    (heads != [first_change().hash]).then(|| digest::of_document(id, 0, &heads))
}

/// Replaces a document's digest in the digest over all of them.
fn replace_digest(
    conn: &Connection,
    old: Option<Digest>,
    new: Option<Digest>,
) -> Result<(), StoreError> {
    if old == new {
        return Ok(());
    }
    let mut held = meta::held(conn)?;
    old.iter().chain(&new).for_each(|changed| digest::toggle(&mut held, changed));
    meta::set_held(conn, &held)
}

fn project(
    conn: &Connection,
    schema: &Schema,
    id: &DocumentId,
    stored: &StoredDocument,
) -> Result<(), StoreError> {
    let Some(entity) = schema.entity(&stored.entity) else { return Ok(()) };
    project_stored(conn, entity, id, &stored.state)?;
    let mut changed = Changed::default();
    changed.note(entity, id.record);
    index::follow(conn, schema, &changed)
}

impl Replica {
    /// A stored document; a damaged one is made anew first.
    pub(super) fn stored(&self, id: &DocumentId) -> Result<Option<StoredDocument>, ReplicaError> {
        let conn = self.conn()?;
        match document::load(conn, id) {
            Err(StoreError::DamagedDocument { id, why }) => {
                self.heal_now(&id, &why)?;
                Ok(document::load(conn, &id)?)
            }
            loaded => Ok(loaded?),
        }
    }

    /// The stored documents of a record; damaged ones are made anew first. One of which nothing is
    /// left here until the server's copy comes is missing among them.
    pub(super) fn stored_all(
        &self,
        record: RecordId,
    ) -> Result<Vec<(crate::ids::Part, StoredDocument)>, ReplicaError> {
        let conn = self.conn()?;
        for _ in 0..PARTS_MAX {
            match document::load_all(conn, record) {
                Err(StoreError::DamagedDocument { id, why }) => self.heal_now(&id, &why)?,
                loaded => return Ok(loaded?),
            }
        }
        Ok(document::load_all(conn, record)?)
    }

    /// Heals in a transaction of its own. Within a moment of reading nothing can be written: then it
    /// fails, and the next who reads heals.
    fn heal_now(&self, id: &DocumentId, why: &str) -> Result<(), ReplicaError> {
        let conn = self.store.conn();
        let damaged = || StoreError::damaged_document(id, why);
        if !conn.is_autocommit() {
            return Err(damaged().into());
        }
        let tx = Transaction::new_unchecked(conn, TransactionBehavior::Immediate)
            .map_err(StoreError::from)?;
        // Another process may have healed it meanwhile.
        if document::load(&tx, id).is_err_and(|error| error.is_damage()) {
            heal(&tx, self.schema, id, why, self.clock.now_ms())?;
        }
        tx.commit().map_err(StoreError::from)?;
        self.signal.ring();
        Ok(())
    }

    /// Waits no longer for documents that the server turned out not to have, or not to show to this device, and
    /// of which nothing is left here but what was put aside.
    pub(super) fn await_no_longer(
        &mut self,
        missed: &BTreeSet<DocumentName>,
    ) -> Result<(), ReplicaError> {
        if missed.is_empty() {
            return Ok(());
        }
        self.exchange(|writer| {
            for name in missed {
                let id = name.id();
                if document::load(writer.tx, &id)?.is_none() {
                    let entity = quarantine::entity_of(writer.tx, &id)?;
                    quarantine::close(writer.tx, &id, writer.now_ms)?;
                    // Its row showed what there had been.
                    let entity = entity.and_then(|name| writer.schema.entity(&name));
                    writer.drop_document(&id, entity)?;
                }
            }
            writer.has_awaited.set(None);
            Ok(())
        })
    }

    /// How much was found damaged, and how much of it waits for the server's copy.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn quarantined(&self) -> Result<Quarantined, ReplicaError> {
        Ok(quarantine::count(self.store.conn())?)
    }

    /// The documents that wait for the server's copy.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn awaited(&self) -> Result<Vec<DocumentName>, ReplicaError> {
        let ids = quarantine::awaited(self.store.conn())?;
        Ok(ids.iter().map(DocumentName::from).collect())
    }
}

impl Writer<'_> {
    /// A stored document; a damaged one is made anew first.
    pub(super) fn stored(&self, id: &DocumentId) -> Result<Option<StoredDocument>, StoreError> {
        match document::load(self.tx, id) {
            Err(StoreError::DamagedDocument { id, why }) => {
                self.heal(&id, &why)?;
                document::load(self.tx, &id)
            }
            loaded => loaded,
        }
    }

    /// The stored documents of a record; damaged ones are made anew first.
    pub(super) fn stored_all(
        &self,
        record: RecordId,
    ) -> Result<Vec<(crate::ids::Part, StoredDocument)>, StoreError> {
        for _ in 0..PARTS_MAX {
            match document::load_all(self.tx, record) {
                Err(StoreError::DamagedDocument { id, why }) => self.heal(&id, &why)?,
                loaded => return loaded,
            }
        }
        document::load_all(self.tx, record)
    }

    /// Whether a document waits for the server's copy.
    pub(super) fn is_awaited(&self, id: &DocumentId) -> Result<bool, StoreError> {
        let has_awaited = match self.has_awaited.get() {
            Some(has_awaited) => has_awaited,
            // Asked once: of a hundred thousand documents that arrive none waited.
            None => quarantine::count(self.tx)?.awaited > 0,
        };
        self.has_awaited.set(Some(has_awaited));
        Ok(has_awaited && quarantine::is_awaited(self.tx, id)?)
    }

    /// Lets a document wait for the server's copy, because its state is not what the server means by its
    /// numbers. What stands here is shown meanwhile, and kept aside.
    pub(super) fn await_copy(&self, id: &DocumentId, why: &str) -> Result<(), StoreError> {
        let Some(stored) = document::load(self.tx, id)? else { return Ok(()) };
        let piece = (Piece::State, stored.state.as_slice());
        let entry = quarantine::keep(self.tx, id, &stored.entity, piece, why, self.now_ms)?;
        replace_digest(self.tx, stored.digest, None)?;
        let waiting = outbox::waiting_of(self.tx, id)?;
        let generation = waiting.last().map_or(0, |own| own.generation);
        let nothing = State { generation, ..State::default() }.to_bytes();
        let fresh = StoredDocument { confirmed: Some(nothing), digest: None, ..stored };
        document::save(self.tx, id, &fresh)?;
        quarantine::open(self.tx, entry)?;
        self.has_awaited.set(None);
        Ok(())
    }

    fn heal(&self, id: &DocumentId, why: &str) -> Result<(), StoreError> {
        self.has_awaited.set(None);
        heal(self.tx, self.schema, id, why, self.now_ms).map(drop)
    }

    /// What this device has acknowledged of a document that waited for the server's copy. While the server is
    /// being recovered its copy may lack it, and nobody else would know: the device that wrote it compares it and sends it again,
    /// as of any other document.
    pub(super) fn to_bring_back(&self, id: &DocumentId) -> Result<Vec<OwnChange>, StoreError> {
        if meta::recovery_told(self.tx)? <= meta::recovered(self.tx)? {
            return Ok(Vec::new());
        }
        Ok(own_changes(self.tx, id)?.0)
    }

    /// The server's copy of such a document with that on top.
    pub(super) fn with_acknowledged(
        &self,
        id: &DocumentId,
        mut arrived: State,
    ) -> Result<State, ReplicaError> {
        let generation = arrived.generation;
        for own in self.to_bring_back(id)?.iter().filter(|own| own.generation == generation) {
            let own = decode_own(own)?;
            let seen = arrived.clock.get(&own.change.actor).map_or(0, |seen| seen.seq);
            // What came before the first that is kept here, the server had in its backups.
            if own.change.seq == seen + 1 {
                arrived.apply(&own);
            }
        }
        Ok(arrived)
    }

    /// The state of a document that waited, now that the server's copy is here, with the edits that
    /// still wait on top.
    pub(super) fn lay_waiting_on(
        &mut self,
        id: &DocumentId,
        arrived: &State,
    ) -> Result<(State, bool), ReplicaError> {
        let mut state = arrived.clone();
        let waiting = self.waiting_of(id)?;
        let generation = state.generation;
        for own in waiting.iter().filter(|own| own.generation == generation) {
            state.apply(&decode_own(own)?);
        }
        quarantine::close(self.tx, id, self.now_ms)?;
        Ok((state, !waiting.is_empty()))
    }
}
