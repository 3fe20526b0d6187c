//! The write transaction.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    sync::MutexGuard,
};

use outrider_core::{
    ids::{ActorId, ChangeHash, DeviceId, DocumentId, RecordId},
    points,
    schema::Schema,
    store::{imports::Notes, index::Changed},
    time::TimestampMs,
};
use rusqlite::Connection;
use tokio::sync::watch;

use super::{
    Doing, audit, change, device, document, feed,
    heal::{self, Healed},
    ledger,
    read::Connected,
    rows,
    stream::StreamChanges,
};
use crate::{
    ledger::{Entry, Ledger},
    storage::{
        AuditLine, Content, Device, EnrolmentCode, NewChange, StorageError, StoredRefusal, Write,
        audit::AuditTip,
    },
};

/// The write transaction, which holds the one write connection; rolled back when dropped.
pub(super) struct SqliteWrite<'s> {
    conn: MutexGuard<'s, Connection>,
    /// The position that a commit takes. Known from the start: nobody else can take it meanwhile.
    next_position: u64,
    /// Records whose rows were written: what they are found by follows with the commit.
    changed: Changed,
    /// Whether a commit takes a position.
    is_changed: bool,
    /// What it does to the digests of streams; written before anything reads them.
    streams: RefCell<StreamChanges>,
    /// The changes that were added, in order, for the feed's chain.
    added: Vec<ChangeHash>,
    /// How many of each device; written once, at the end.
    counts: BTreeMap<DeviceId, u64>,
    /// Where the audit ends, once a line was added: nobody else adds one meanwhile.
    audit_tip: Option<AuditTip>,
    /// When it began.
    now_ms: TimestampMs,
    /// Documents that were found damaged: before the commit they are put aside.
    damaged: RefCell<BTreeSet<DocumentId>>,
    /// What goes into the ledger before the commit.
    noted: Vec<Entry>,
    ledger: &'s Ledger,
    /// Told of the position that a commit takes.
    news: &'s watch::Sender<u64>,
}

impl<'s> SqliteWrite<'s> {
    /// Begins on `conn`.
    pub(super) fn begin(
        conn: MutexGuard<'s, Connection>,
        ledger: &'s Ledger,
        news: &'s watch::Sender<u64>,
        now_ms: TimestampMs,
    ) -> Result<Self, StorageError> {
        const DOING: &str = "beginning to write";
        // Left open only by a transaction whose rollback failed; it must not become part of this.
        if !conn.is_autocommit() {
            conn.execute_batch("ROLLBACK").doing(DOING)?;
        }
        conn.execute_batch("BEGIN IMMEDIATE").doing(DOING)?;
        let streams = RefCell::default();
        let mut write = Self {
            conn,
            next_position: 0,
            changed: Changed::default(),
            is_changed: false,
            streams,
            added: Vec::new(),
            counts: BTreeMap::new(),
            audit_tip: None,
            now_ms,
            damaged: RefCell::default(),
            noted: Vec::new(),
            ledger,
            news,
        };
        if ledger.is_ahead() {
            ledger::follow(&write.conn, ledger)?;
            write.conn.execute_batch("COMMIT; BEGIN IMMEDIATE").doing(DOING)?;
            ledger.set_ahead(false);
            news.send_replace(feed::position(&write.conn)?);
        }
        write.next_position = feed::position(&write.conn)? + 1;
        Ok(write)
    }
}

impl SqliteWrite<'_> {
    /// The device showed this code: the ledger says so with its enrolment.
    pub(super) fn note_code(&mut self, id: DeviceId, code_hash: &[u8; 32]) {
        for entry in &mut self.noted {
            if let Entry::Enrolled(enrolled) = entry
                && enrolled.device == id
            {
                enrolled.code_hash = Some(*code_hash);
            }
        }
    }

    /// Removes a document, with its place in the feed and in the digests.
    pub(super) fn remove_document(&mut self, id: &DocumentId) -> Result<(), StorageError> {
        self.is_changed = true;
        document::remove(&self.conn, self.streams.get_mut(), id)
    }
}

impl Drop for SqliteWrite<'_> {
    fn drop(&mut self) {
        if !self.conn.is_autocommit() {
            // If this fails too, the next transaction rolls back before it begins.
            let _ = self.conn.execute_batch("ROLLBACK");
        }
    }
}

impl SqliteWrite<'_> {
    /// Last of all, so that what failed before leaves nothing in the ledger.
    fn note_and_commit(&self) -> Result<(), StorageError> {
        if !self.noted.is_empty() {
            // What it took counts, also when its author is told that it failed.
            self.ledger.set_ahead(true);
            ledger::append(&self.conn, self.ledger, &self.noted)?;
        }
        points::reach("server.write.before_commit");
        self.conn.execute_batch("COMMIT").doing("committing")?;
        self.ledger.set_ahead(false);
        Ok(())
    }

    /// Puts a damaged document aside and makes it anew; a line in the audit says so.
    fn mend_one(&mut self, id: &DocumentId) -> Result<bool, StorageError> {
        let (action, why) = match heal::heal(&self.conn, id, self.now_ms) {
            Ok(Healed::Whole | Healed::Known) => return Ok(false),
            Ok(Healed::Rebuilt(why)) => ("rebuilt", why),
            Ok(Healed::Lost(why)) => ("damaged", why),
            // Torn pages are no reason not to write elsewhere.
            Err(error) if error.is_damage() => {
                tracing::error!(document = %id, error = %error, "a document cannot be made anew");
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        tracing::error!(document = %id, why, action, "a stored document was damaged");
        let line = AuditLine::new(self.now_ms, action).document(id.clone()).code("damage");
        self.add_audit(&line)?;
        Ok(action == "rebuilt")
    }
}

impl Connected for SqliteWrite<'_> {
    fn note_damage(&self, id: &DocumentId) {
        self.damaged.borrow_mut().insert(id.clone());
    }

    fn conn(&self) -> Result<&Connection, StorageError> {
        Ok(&self.conn)
    }

    fn settle_streams(&self) -> Result<(), StorageError> {
        self.streams.borrow_mut().write(&self.conn)
    }
}

impl Write for SqliteWrite<'_> {
    fn put_document(
        &mut self,
        id: &DocumentId,
        entity: &str,
        family: RecordId,
        content: &Content,
    ) -> Result<(), StorageError> {
        self.is_changed = true;
        if self.damaged.borrow_mut().remove(id) {
            // What was found is kept before it is written over.
            self.mend_one(id)?;
        }
        if let Some(entity) = Schema::current().entity(entity) {
            self.changed.note(entity, id.record);
        }
        let streams = self.streams.get_mut();
        document::put(&self.conn, streams, id, (entity, family), content, self.next_position)
    }

    fn add_change(
        &mut self,
        id: &DocumentId,
        change: &NewChange,
        received_at: TimestampMs,
    ) -> Result<(), StorageError> {
        self.is_changed = true;
        change::add(&self.conn, id, change, received_at, self.next_position)?;
        self.added.push(change.hash);
        *self.counts.entry(change.device).or_default() += 1;
        Ok(())
    }

    fn add_refusal(
        &mut self,
        id: &DocumentId,
        actor: ActorId,
        seq: u64,
        refusal: &StoredRefusal,
    ) -> Result<(), StorageError> {
        change::add_refusal(&self.conn, id, actor, seq, refusal)
    }

    fn remove_refusal(
        &mut self,
        id: &DocumentId,
        actor: ActorId,
        seq: u64,
    ) -> Result<(), StorageError> {
        change::remove_refusal(&self.conn, id, actor, seq)
    }

    fn add_audit(&mut self, line: &AuditLine) -> Result<(), StorageError> {
        let tip = match self.audit_tip {
            Some(tip) => tip,
            None => audit::tip(&self.conn)?,
        };
        self.audit_tip = Some(audit::add(&self.conn, &tip, line)?);
        Ok(())
    }

    fn add_code(&mut self, code: &EnrolmentCode) -> Result<(), StorageError> {
        device::add_code(&self.conn, code)
    }

    fn take_code(&mut self, code_hash: &[u8; 32]) -> Result<Option<EnrolmentCode>, StorageError> {
        device::take_code(&self.conn, code_hash)
    }

    fn add_device(&mut self, device: &Device) -> Result<(), StorageError> {
        self.is_changed = true;
        device::add(&self.conn, device, self.next_position)?;
        self.note(Entry::Enrolled(ledger::enrolled(device)));
        Ok(())
    }

    fn note(&mut self, entry: Entry) {
        self.noted.push(entry);
    }

    fn set_user_record(&mut self, id: DeviceId, record: RecordId) -> Result<(), StorageError> {
        device::set_user_record(&self.conn, id, record)
    }

    fn import_notes(&self) -> &dyn Notes {
        &*self.conn
    }

    fn mend(&mut self, ids: &[DocumentId]) -> Result<u64, StorageError> {
        let mut rebuilt = 0;
        for id in ids {
            self.damaged.borrow_mut().remove(id);
            rebuilt += u64::from(self.mend_one(id)?);
        }
        Ok(rebuilt)
    }

    fn set_last_contact(&mut self, id: DeviceId, at: TimestampMs) -> Result<(), StorageError> {
        device::set_last_contact(&self.conn, id, at)
    }

    fn commit(mut self: Box<Self>) -> Result<u64, StorageError> {
        let damaged: Vec<DocumentId> = self.damaged.take().into_iter().collect();
        self.mend(&damaged)?;
        if !self.noted.is_empty() {
            self.is_changed |= ledger::catch_up(&self.conn, self.ledger, self.next_position)?;
        }
        let position = if self.is_changed {
            self.settle_streams()?;
            rows::index(&self.conn, &self.changed)?;
            for (device, count) in &self.counts {
                device::count_changes(&self.conn, *device, *count)?;
            }
            feed::advance(&self.conn, self.next_position, &self.added)?;
            self.next_position
        } else {
            self.next_position - 1
        };
        self.note_and_commit()?;
        points::reach("server.write.after_commit");
        if self.is_changed {
            // Before the connection is given back: positions are told in their order.
            self.news.send_replace(position);
        }
        Ok(position)
    }
}
