//! Repairs of an open replica. Each may be run again, and keeps what it replaces.

use rusqlite::Connection;

use super::{
    Fix, Fixed, before,
    checks::{differing_rows, follows},
};
use crate::{
    ids::{DocumentId, Part, RecordId},
    replica::{
        Replica, ReplicaError,
        heal::{digest_of, heal},
    },
    store::{
        StoreError, document, meta, outbox,
        quarantine::{self, Piece},
    },
    sync::{digest, frame::Digest},
};

/// Rows that are kept aside before they are made anew, at most.
const ROWS_KEPT_MAX: usize = 10_000;

impl Replica {
    /// Repairs one kind of damage. [`Fix::Salvage`] is not done here: it exchanges the file, which
    /// nobody may have open ([`salvage`](super::salvage::salvage)).
    ///
    /// # Errors
    ///
    /// Fails when the store does; nothing of this repair counts then.
    pub fn repair(&mut self, fix: Fix) -> Result<Fixed, ReplicaError> {
        let repaired = match fix {
            Fix::Documents => self.repair_documents()?,
            Fix::Outbox => self.mend_outbox()? + self.put_own_aside()?,
            Fix::Digests => self.count_digests()?,
            Fix::Rows => self.repair_rows()?,
            Fix::ForgetCursor => {
                self.forget_cursor()?;
                1
            }
            Fix::Permissions => self.close_secrets()?,
            Fix::Salvage => 0,
        };
        Ok(Fixed { fix, repaired, kept_in: None })
    }

    fn repair_documents(&mut self) -> Result<u64, ReplicaError> {
        let now_ms = self.clock_ms();
        let schema = self.schema();
        self.exchange(|writer| {
            let mut repaired = 0;
            for id in document::ids(writer.conn())? {
                let Some(why) = wrong_with(writer.conn(), &id)? else { continue };
                // Edits that the outbox lost are in the record still: they wait again.
                let is_readable = document::load(writer.conn(), &id).is_ok();
                if !is_readable || !writer.queue_lost(&id)? {
                    heal(writer.conn(), schema, &id, &why, now_ms)?;
                }
                repaired += 1;
            }
            Ok(repaired)
        })
    }

    /// Acknowledged edits whose bytes are damaged cannot be given back to anybody.
    fn put_own_aside(&mut self) -> Result<u64, ReplicaError> {
        let now_ms = self.clock_ms();
        self.exchange(|writer| {
            let damaged = outbox::damaged_acknowledged(writer.conn())?;
            for number in &damaged {
                outbox::set_aside(writer.conn(), *number, now_ms)?;
            }
            Ok(damaged.len() as u64)
        })
    }

    fn count_digests(&mut self) -> Result<u64, ReplicaError> {
        self.exchange(|writer| {
            let tx = writer.conn();
            let (mut held, mut repaired) = (Digest::default(), 0);
            for id in document::ids(tx)? {
                let Some(mut stored) = document::load(tx, &id).ok().flatten() else { continue };
                let confirmed = stored.confirmed.as_ref().unwrap_or(&stored.state);
                let is_awaited = quarantine::is_awaited(tx, &id)?;
                let fresh = digest_of(&id, confirmed);
                if stored.digest.is_some() && stored.digest != fresh && !is_awaited {
                    stored.digest = fresh;
                    document::save(tx, &id, &stored)?;
                    repaired += 1;
                }
                if let Some(digest) = &stored.digest {
                    digest::toggle(&mut held, digest);
                }
            }
            if meta::held(tx)? != held {
                meta::set_held(tx, &held)?;
                repaired += 1;
            }
            Ok(repaired)
        })
    }

    fn repair_rows(&mut self) -> Result<u64, ReplicaError> {
        let now_ms = self.clock_ms();
        let differing = differing_rows(self)?;
        self.exchange(|writer| {
            for line in differing.iter().take(ROWS_KEPT_MAX) {
                let mut words = line.split(' ');
                let (entity, id) = (words.next().unwrap_or_default(), words.next());
                let record = id.and_then(|hex| uuid::Uuid::parse_str(hex).ok()).map(RecordId);
                let Some(record) = record else { continue };
                let id = DocumentId { record, part: Part::Main };
                let why = "the row was not what its documents say";
                quarantine::keep(
                    writer.conn(),
                    &id,
                    entity,
                    (Piece::Row, line.as_bytes()),
                    why,
                    now_ms,
                )?;
            }
            Ok(())
        })?;
        self.rebuild_rows()?;
        Ok(differing.len() as u64)
    }

    fn close_secrets(&self) -> Result<u64, ReplicaError> {
        let mut closed = 0;
        for path in before::secrets(self.folder()) {
            let failed = |source| ReplicaError::Folder { path: path.clone(), source };
            if before::is_open_to_others(&path).map_err(failed)? {
                before::close_to_others(&path).map_err(failed)?;
                closed += 1;
            }
        }
        Ok(closed)
    }
}

/// Why a document must be made anew, if it must.
fn wrong_with(conn: &Connection, id: &DocumentId) -> Result<Option<String>, ReplicaError> {
    let stored = match document::load(conn, id) {
        Err(StoreError::DamagedDocument { why, .. }) => return Ok(Some(why)),
        stored => stored?,
    };
    let Some(stored) = stored else { return Ok(None) };
    let is_well = quarantine::is_awaited(conn, id)? || follows(conn, id, &stored)?;
    Ok((!is_well).then(|| "it is not what is confirmed with what waits".to_owned()))
}
