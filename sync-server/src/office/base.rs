//! A record as a form showed it: what an edit of the office is written on.
//!
//! The history says what stood there at a position. An edit that is written on it has its
//! dependencies, counters and predecessors from then, as a device's edit has, so what came
//! meanwhile is concurrent.

use std::collections::BTreeMap;

use outrider_core::{
    crdt::{self, Own, State, TextDocument},
    domain::{edit::Actors, record::Documents},
    ids::{ActorId, DocumentId, Part, RecordId},
    schema::{Entity, Schema},
};

use super::{Author, OfficeError};
use crate::storage::{Content, Read, StorageError, StoredChange, StoredDocument};

/// Changes read at once.
const HISTORY_PAGE: usize = 256;

/// A flat document as it is written on.
#[derive(Debug)]
pub(super) struct FlatBase {
    pub(super) state: State,
    /// Under which actor it goes on.
    pub(super) actor: ActorId,
    /// That actor's last change here.
    pub(super) own: Option<Own>,
}

/// A record as it is written on.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) entity: &'static Entity,
    /// Flat parts as people saw them; texts are read when they are written.
    pub(super) documents: Documents,
    pub(super) flat: BTreeMap<Part, FlatBase>,
}

impl Actors for Base {
    fn actor(&self, part: &Part) -> ActorId {
        self.flat.get(part).map_or(ActorId::ZERO, |base| base.actor)
    }
}

impl Base {
    /// The base of a record that is not there yet.
    pub(super) fn of_new(entity: &'static Entity, record: RecordId, author: &Author) -> Self {
        let parts = entity.parts().into_iter().filter(Part::is_flat);
        let flat = parts.map(|part| {
            let id = DocumentId { record, part };
            let actor = author.actor(&id, 0);
            (id.part, FlatBase { state: State::default(), actor, own: None })
        });
        Self { entity, documents: Documents::default(), flat: flat.collect() }
    }

    /// The record as it was at position `seen`, or as it is.
    pub(super) fn load(
        read: &dyn Read,
        record: RecordId,
        seen: Option<u64>,
        author: &Author,
    ) -> Result<Self, OfficeError> {
        check_position(read, seen)?;
        let unknown = || OfficeError::UnknownRecord(record);
        let main = DocumentId { record, part: Part::Main };
        let stored = read.document(&main)?.ok_or_else(unknown)?;
        let entity = Schema::current()
            .entity(&stored.entity)
            .ok_or_else(|| OfficeError::UnknownEntity(stored.entity.clone()))?;
        let mut base = Self::of_new(entity, record, author);
        for (part, flat) in &mut base.flat {
            let id = DocumentId { record, part: part.clone() };
            let Some(stored) = read.document(&id)? else { continue };
            let now = flat_of(&id, stored)?;
            flat.state = state_at(read, &id, &now, seen)?;
            (flat.actor, flat.own) = writer(read, &id, &flat.state, &now, author)?;
            base.documents.flat.insert(part.clone(), flat.state.clone());
        }
        if base.documents.flat.get(&Part::Main).is_none_or(State::is_empty) {
            return Err(unknown());
        }
        Ok(base)
    }
}

/// Refuses a position that the server has not reached: its page is of another time.
pub(super) fn check_position(read: &dyn Read, seen: Option<u64>) -> Result<(), OfficeError> {
    match seen {
        Some(seen) if seen > read.position()? => Err(OfficeError::UnknownPosition(seen)),
        Some(_) | None => Ok(()),
    }
}

/// A flat document as it was at position `seen`, or as it is; `None` if there is none.
pub(super) fn flat_at(
    read: &dyn Read,
    id: &DocumentId,
    seen: Option<u64>,
) -> Result<Option<State>, OfficeError> {
    let Some(stored) = read.document(id)? else { return Ok(None) };
    let now = flat_of(id, stored)?;
    state_at(read, id, &now, seen).map(Some)
}

fn flat_of(id: &DocumentId, stored: StoredDocument) -> Result<State, StorageError> {
    match stored.content {
        Content::Flat(state) => Ok(state),
        Content::Text(_) => Err(StorageError::Damaged(format!("{id} is no flat document"))),
    }
}

/// A flat document as it was at a position; `now` is how it is.
fn state_at(
    read: &dyn Read,
    id: &DocumentId,
    now: &State,
    seen: Option<u64>,
) -> Result<State, OfficeError> {
    let Some(seen) = older(read, id, seen)? else { return Ok(now.clone()) };
    let mut state = State { generation: now.generation, ..State::default() };
    each_change_until(read, id, seen, |change| {
        let encoded = crdt::decode(&change.bytes)
            .map_err(|error| StorageError::Damaged(format!("{id}: {error}")))?;
        state.apply(&encoded);
        Ok(())
    })?;
    Ok(state)
}

/// The position, if the document changed after it.
fn older(read: &dyn Read, id: &DocumentId, seen: Option<u64>) -> Result<Option<u64>, StorageError> {
    let Some(seen) = seen else { return Ok(None) };
    let newer = read.changes_since(id, seen, 1)?;
    Ok((!newer.is_empty()).then_some(seen))
}

/// Hands every change of a document up to a position to `take`, in order of arrival.
pub(super) fn each_change_until(
    read: &dyn Read,
    id: &DocumentId,
    until: u64,
    mut take: impl FnMut(StoredChange) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    let mut position = 0;
    loop {
        let page = crate::storage::whole_positions(read, id, position, HISTORY_PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        position = last.position;
        for change in page {
            if change.position > until {
                return Ok(());
            }
            take(change)?;
        }
    }
}

/// Under which actor a document goes on after `base`: one that has not written since, because
/// its numbers after that are used up.
fn writer(
    read: &dyn Read,
    id: &DocumentId,
    base: &State,
    now: &State,
    author: &Author,
) -> Result<(ActorId, Option<Own>), StorageError> {
    let seq_in = |state: &State, actor| state.clock.get(&actor).map_or(0, |seen| seen.seq);
    let is_free = |actor: &ActorId| seq_in(base, *actor) == seq_in(now, *actor);
    let mut actors = (0..=u32::MAX).map(|n| author.actor(id, n));
    let damaged = || StorageError::Damaged(format!("{id}: an own change is not in the history"));
    let actor = actors.find(is_free).ok_or_else(damaged)?;
    let own = match seq_in(base, actor) {
        0 => None,
        seq => {
            let hash = read.change_hash(id, actor, seq)?.ok_or_else(damaged)?;
            Some(Own { actor, seq, hash })
        }
    };
    Ok((actor, own))
}

/// A long text as it was at position `seen`, or as it is; empty if there is none.
pub(super) fn text_at(
    read: &dyn Read,
    id: &DocumentId,
    seen: Option<u64>,
) -> Result<TextDocument, OfficeError> {
    let Some(seen) = older(read, id, seen)? else {
        return match read.document(id)?.map(|stored| stored.content) {
            Some(Content::Text(text)) if !text.saved.is_empty() => {
                Ok(TextDocument::load(&text.saved)?)
            }
            Some(Content::Text(_)) | None => Ok(TextDocument::new()?),
            Some(Content::Flat(_)) => Err(StorageError::Damaged(format!("{id} is no text")).into()),
        };
    };
    let mut chunks: Vec<Vec<u8>> = Vec::new();
    each_change_until(read, id, seen, |change| {
        chunks.push(change.bytes);
        Ok(())
    })?;
    Ok(TextDocument::from_changes(&chunks)?)
}

/// A long text as it was at position `seen`, or as it is, and under which actor it goes on.
pub(super) fn text_base(
    read: &dyn Read,
    id: &DocumentId,
    seen: Option<u64>,
    author: &Author,
) -> Result<(TextDocument, ActorId), OfficeError> {
    let base = text_at(read, id, seen)?;
    let now = match seen {
        Some(_) => text_at(read, id, None)?,
        None => base.clone(),
    };
    let (base_clock, now_clock) = (base.clock(), now.clock());
    let is_free = |actor: &ActorId| base_clock.get(actor) == now_clock.get(actor);
    let actor = (0..=u32::MAX).map(|n| author.actor(id, n)).find(is_free);
    Ok((base, actor.ok_or(OfficeError::TooLarge)?))
}
