//! What must hold when everything has come to rest.
//!
//! * [`converged`]: every device holds what the server holds, and knows it.
//! * [`accounted`]: every edit is where its author was promised it would be.

use std::collections::BTreeMap;

use outrider_core::{
    ids::DocumentId,
    sync::{digest, frame::Digest},
};
use outrider_sync_server::storage::{Read, SCOPE_ALL, StoredDocument};

use crate::{Failure, world::World};

mod accounted;
mod converged;
mod letters;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) diverged: Vec<String>,
    pub(crate) lost: Vec<String>,
    pub(crate) stuck: Vec<String>,
}

/// All documents of the server.
pub(super) struct Office {
    documents: BTreeMap<DocumentId, StoredDocument>,
    /// The digest over all of them.
    digest: Digest,
}

impl Office {
    fn read(tx: &dyn Read) -> Result<Self, Failure> {
        let mut office = Self { documents: BTreeMap::new(), digest: Digest::default() };
        for stream in tx.stream_digests(SCOPE_ALL)? {
            let mut sum = Digest::default();
            for one in tx.document_digests(&stream.stream, None, usize::MAX)? {
                digest::toggle(&mut sum, &one.digest);
                let part = stream.stream.part.clone();
                let id = DocumentId { record: one.record, part };
                let stored = tx.document(&id)?.ok_or("a digest without a document")?;
                office.documents.insert(id, stored);
            }
            if sum != stream.digest {
                return Err(
                    format!("the digest of {:?} is not its documents'", stream.stream).into()
                );
            }
            digest::toggle(&mut office.digest, &stream.digest);
        }
        Ok(office)
    }
}

/// Judges a world that has come to rest.
pub(crate) fn judge(world: &mut World, verdict: &mut Verdict) -> Result<(), Failure> {
    let office = {
        let tx = world.server()?.storage().read()?;
        Office::read(&*tx)?
    };
    converged::judge(world, &office, verdict)?;
    for device in &world.devices {
        world.ledger.note_inbox(device.replica()?)?;
    }
    let tx = world.server()?.storage().read()?;
    accounted::judge(&*tx, &office, &world.ledger, verdict)?;
    letters::judge(&*tx, &office, &world.ledger, verdict)
}
