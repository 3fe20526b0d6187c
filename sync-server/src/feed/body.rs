//! The content of a document on its way to a device: whole, as a delta, or as changes of a text.

use std::collections::BTreeSet;

use minicbor::bytes::ByteVec;
use outrider_core::{
    crdt::{Clock, OpId, Seen, State, TextDocument},
    ids::{ActorPrefix, DocumentId},
    sync::{
        codec::FRAME_BYTES_MAX,
        frame::{Body, Provenance},
    },
};

use crate::storage::{Content, Device, Read, StorageError, StoredChange, StoredDocument};

/// Changes since the device's cursor beyond which the whole state is sent.
const DELTA_CHANGES_MAX: usize = 64;
/// Bytes of text changes in one frame.
const TEXT_FRAME_BYTES: usize = FRAME_BYTES_MAX / 4;

/// What to send of a document to a device that holds everything up to `base`.
///
/// Nothing is sent back to its author: a device whose own changes are all that is new has them.
/// (If it lost them, its digest tells, and it fetches the document whole, without `device`.)
pub(super) fn bodies(
    tx: &dyn Read,
    id: &DocumentId,
    stored: &StoredDocument,
    base: u64,
    device: Option<&Device>,
) -> Result<Vec<Body>, StorageError> {
    match &stored.content {
        Content::Flat(state) => flat(tx, id, state, base, device),
        Content::Text(content) => match text(tx, id, base, device) {
            Err(error) if error.is_damage() => text_itself(id, &content.saved),
            bodies => bodies,
        },
    }
}

fn flat(
    tx: &dyn Read,
    id: &DocumentId,
    state: &State,
    base: u64,
    device: Option<&Device>,
) -> Result<Vec<Body>, StorageError> {
    let prefix = device.map(|device| device.prefix);
    let is_own = |actor_prefix: ActorPrefix| Some(actor_prefix) == prefix;
    if state.clock.keys().all(|actor| is_own(actor.prefix())) {
        return Ok(Vec::new());
    }
    let whole = || vec![Body::State(state.to_bytes())];
    if base == 0 {
        return Ok(whole());
    }
    let changes = match tx.changes_since(id, base, DELTA_CHANGES_MAX + 1) {
        // What changed since is not known: all of it is.
        Err(error) if error.is_damage() => return Ok(whole()),
        changes => changes?,
    };
    if changes.is_empty() || changes.len() > DELTA_CHANGES_MAX {
        // Nothing new in the document itself: it moved to another family, or was re-rooted.
        return Ok(whole());
    }
    if changes.iter().all(|change| is_own(change.actor.prefix())) {
        return Ok(Vec::new());
    }
    let keys: BTreeSet<&str> =
        changes.iter().flat_map(|change| change.keys.iter().map(String::as_str)).collect();
    if keys.len() * 2 >= state.keys.len() {
        return Ok(whole());
    }
    Ok(vec![Body::Delta(state.delta(base_clock(state, &changes), keys).to_bytes())])
}

/// The document's clock before `changes`; what an actor's last operation was is known as "before that" alone.
fn base_clock(state: &State, changes: &[StoredChange]) -> Clock {
    let mut clock = state.clock.clone();
    for change in changes {
        let before = Seen { seq: change.seq - 1, op: change.start_op - 1 };
        match clock.get_mut(&change.actor) {
            Some(_) if before.seq == 0 => {
                clock.remove(&change.actor);
            }
            Some(seen) if seen.seq > before.seq => *seen = before,
            Some(_) | None => {}
        }
    }
    clock
}

fn text(
    tx: &dyn Read,
    id: &DocumentId,
    base: u64,
    device: Option<&Device>,
) -> Result<Vec<Body>, StorageError> {
    let changes = tx.changes_since(id, base, usize::MAX)?;
    let prefix = device.map(|device| device.prefix);
    if changes.iter().all(|change| Some(change.actor.prefix()) == prefix) {
        return Ok(Vec::new());
    }
    Ok(in_frames(changes.into_iter().map(|change| change.bytes)))
}

/// The changes that a text itself holds, where its history cannot be read.
fn text_itself(id: &DocumentId, saved: &[u8]) -> Result<Vec<Body>, StorageError> {
    let changes = TextDocument::load(saved).and_then(|text| text.changes_since(&[]));
    let changes = changes.map_err(|error| StorageError::DamagedDocument {
        id: id.clone(),
        why: error.to_string(),
    })?;
    Ok(in_frames(changes.into_iter().map(|change| change.bytes)))
}

fn in_frames(changes: impl Iterator<Item = Vec<u8>>) -> Vec<Body> {
    let mut bodies = Vec::new();
    let mut frame: Vec<ByteVec> = Vec::new();
    let mut bytes = 0;
    for change in changes {
        if bytes + change.len() > TEXT_FRAME_BYTES && !frame.is_empty() {
            bodies.push(Body::Text(std::mem::take(&mut frame)));
            bytes = 0;
        }
        bytes += change.len();
        frame.push(change.into());
    }
    bodies.push(Body::Text(frame));
    bodies
}

/// Who wrote each of several values under one key, and when.
pub(super) fn provenance(
    tx: &dyn Read,
    id: &DocumentId,
    stored: &StoredDocument,
) -> Result<Vec<Provenance>, StorageError> {
    let Content::Flat(state) = &stored.content else { return Ok(Vec::new()) };
    let ops: Vec<OpId> = state
        .keys
        .values()
        .filter(|ops| ops.len() > 1)
        .flat_map(|ops| ops.iter().map(|op| op.id))
        .collect();
    if ops.is_empty() { Ok(Vec::new()) } else { tx.provenance(id, &ops) }
}

/// Bytes of a body, about.
pub(super) fn size_of(body: &Body) -> usize {
    let content = match body {
        Body::State(bytes) | Body::Delta(bytes) => bytes.len(),
        Body::Text(changes) => changes.iter().map(|change| change.len()).sum(),
    };
    content + 100
}
