//! Digests: how two sides find out cheaply that they hold the same.

use sha2::{Digest as _, Sha256};

use super::frame::Digest;
use crate::{
    crdt::State,
    ids::{ChangeHash, DocumentId},
};

fn short(hash: Sha256) -> Digest {
    let full: [u8; 32] = hash.finalize().into();
    let mut digest = [0; 16];
    for (to, from) in digest.iter_mut().zip(full) {
        *to = from;
    }
    digest
}

/// The digest of one document: its name, its generation, its heads.
#[must_use]
pub fn of_document(id: &DocumentId, generation: u32, heads: &[ChangeHash]) -> Digest {
    let mut hash = Sha256::new();
    hash.update(id.record.as_bytes());
    hash.update(id.part.as_str().as_bytes());
    hash.update(generation.to_be_bytes());
    for head in heads {
        hash.update(head.0);
    }
    short(hash)
}

/// The digest of a flat document.
#[must_use]
pub fn of_state(id: &DocumentId, state: &State) -> Digest {
    of_document(id, state.generation, &state.head_hashes())
}

/// Adds a document to a set's digest, or takes it away: the order does not matter.
pub fn toggle(set: &mut Digest, document: &Digest) {
    for (to, from) in set.iter_mut().zip(document) {
        *to ^= from;
    }
}

/// The feed's digest after one more position: a chain, so that it names everything before.
#[must_use]
pub fn chain(previous: &Digest, position: u64, hashes: &[ChangeHash]) -> Digest {
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update(position.to_be_bytes());
    for change in hashes {
        hash.update(change.0);
    }
    short(hash)
}
