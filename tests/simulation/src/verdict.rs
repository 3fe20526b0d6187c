//! What must hold when everything has come to rest.
//!
//! * [`excused`]: what a lost disk took for good, and what is known not to hold yet.
//! * [`durable`]: what was acknowledged is at the server.
//! * [`converged`]: every device holds what the server holds, and knows it.
//! * [`queue`]: nothing waits for ever, and nothing waits on somebody else.
//! * [`shown`]: what devices showed when a server was put back is there by its value.
//! * [`accounted`], [`letters`]: every edit is where its author was promised it would be.
//! * [`sound`]: everything reloads. * [`audited`]: the audit is whole and names what was taken.

use std::collections::{BTreeMap, BTreeSet};

use outrider_core::{
    ids::{ChangeHash, DocumentId, RecordId},
    sync::{digest, frame::Digest},
};
use outrider_sync_server::storage::{Read, SCOPE_ALL, StoredDocument};
use rusqlite::{Connection, OpenFlags};

use crate::{
    Failure,
    plan::Check,
    server::Server,
    world::{QUIET_ROUNDS_MAX, World},
};

mod excused;

mod durable;

mod converged;
mod queue;

mod accounted;
mod letters;
pub(crate) mod shown;

mod audited;
mod sound;

use excused::Excused;

/// Changes, each with its document.
pub(crate) type Changes = BTreeSet<(DocumentId, ChangeHash)>;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    found: Vec<(Check, String)>,
}

impl Verdict {
    fn add(&mut self, check: Check, what: impl Into<String>) {
        self.found.push((check, what.into()));
    }

    fn extend(&mut self, check: Check, found: impl IntoIterator<Item = String>) {
        self.found.extend(found.into_iter().map(|what| (check, what)));
    }
}

/// All documents of the server, and all changes.
pub(super) struct Office {
    documents: BTreeMap<DocumentId, StoredDocument>,
    /// The digest over all of them.
    digest: Digest,
    history: Changes,
}

impl Office {
    fn read(server: &Server) -> Result<Self, Failure> {
        let tx = &*server.storage().read()?;
        let (documents, digest) = documents_of(tx)?;
        Ok(Self { documents, digest, history: history_of(server)? })
    }
}

fn documents_of(tx: &dyn Read) -> Result<(BTreeMap<DocumentId, StoredDocument>, Digest), Failure> {
    let (mut documents, mut all) = (BTreeMap::new(), Digest::default());
    for stream in tx.stream_digests(SCOPE_ALL)? {
        let mut sum = Digest::default();
        for one in tx.document_digests(&stream.stream, None, usize::MAX)? {
            digest::toggle(&mut sum, &one.digest);
            let part = stream.stream.part.clone();
            let id = DocumentId { record: one.record, part };
            let stored = tx.document(&id)?.ok_or("a digest without a document")?;
            documents.insert(id, stored);
        }
        if sum != stream.digest {
            let words = format!("the digest of {:?} is not its documents'", stream.stream);
            return Err(words.into());
        }
        digest::toggle(&mut all, &stream.digest);
    }
    Ok((documents, all))
}

/// The changes that a server has.
pub(crate) fn history_of(server: &Server) -> Result<Changes, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(server.database(), flags)?;
    let mut query = conn.prepare("SELECT record, part, hash FROM change")?;
    let mut rows = query.query([])?;
    let mut history = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let part: String = row.get(1)?;
        let id = DocumentId { record: RecordId::from_bytes(row.get(0)?), part: part.parse()? };
        history.insert((id, ChangeHash(row.get(2)?)));
    }
    Ok(history)
}

/// Judges a world that has come to rest, or in which something still `moves`.
pub(crate) fn judge(world: &mut World, moves: bool) -> Result<(), Failure> {
    let mut verdict = Verdict::default();
    let office = Office::read(world.server()?)?;
    let mut excused = Excused::find(world, &office)?;
    let mut apart = excused.of_agreement(is_recovering(world)?);
    if moves && apart.is_empty() {
        let words = format!("after {QUIET_ROUNDS_MAX} rounds something still moves");
        verdict.add(Check::Alive, words);
    }
    world.sabotage_devices()?;
    converged::judge(world, &office, &apart, &mut verdict)?;
    durable::judge(world, &office, &excused, &mut verdict);
    world.sabotage_queues()?;
    queue::judge(world, &office, &mut apart, &mut verdict)?;
    world.sabotage_data()?;
    for device in &world.devices {
        world.ledger.note_inbox(device.replica()?)?;
    }
    {
        let tx = world.server()?.storage().read()?;
        accounted::judge(&*tx, world, &office, &excused, &mut verdict)?;
        shown::judge(world, &office, &mut verdict)?;
        letters::judge(&*tx, world, &office, &mut excused, &mut verdict)?;
        audited::judge(&*tx, world, &office, &mut verdict)?;
    }
    sound::judge(world, &mut verdict)?;
    for (check, what) in verdict.found {
        world.out.add(check, what);
    }
    for (excuse, count) in excused.counts().into_iter().chain(apart.counts()) {
        world.out.excuse(excuse, count);
    }
    Ok(())
}

/// Whether the server still waits for what devices may bring after its data was put back.
fn is_recovering(world: &World) -> Result<bool, Failure> {
    let last = world.server()?.storage().read()?.recovery()?;
    Ok(last.is_some_and(|last| last.is_open()))
}
