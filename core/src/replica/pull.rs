//! Downwards: states, deltas and texts, joined in transactions of a bounded size.

use std::collections::{BTreeMap, BTreeSet};

use super::{Replica, ReplicaError, Writer, flat::Merged};
use crate::{
    crdt::{Delta, State},
    ids::{DocumentId, RecordId},
    points,
    store::{
        StoreError, document, erased,
        meta::{self, Cursor},
        outbox, standing, witness,
    },
    sync::{
        digest,
        frame::{
            Body, Digest, DocumentFrame, DocumentName, End, PROTOCOL_VERSION, Progress, PullFrame,
            PullRequest, Stream, StreamDigest,
        },
    },
};

/// Frames in one transaction.
pub const FRAMES_PER_TRANSACTION: usize = 500;

/// Acknowledged changes that one pull lets go, at most, when backups cover them.
pub const FORGOTTEN_MAX: usize = 10_000;

/// What frames did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PullEffect {
    /// Documents that arrived.
    pub documents: u64,
    /// Documents that must be fetched whole.
    pub needs_whole: Vec<DocumentName>,
    /// Those of them of which something must be written anew.
    pub parted: Vec<DocumentName>,
    /// Documents of which something was written anew.
    pub recovered: u64,
    /// The server's last word, if it was among them.
    pub end: Option<End>,
    /// Records that left.
    pub left: u64,
    /// Records that were erased, and typed values that went with them before the office had them.
    pub erased: (u64, u64),
    /// Documents of entities that this app does not know; they are kept without rows.
    pub unknown: u64,
}

impl Replica {
    /// What this device asks for: everything since its cursor.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn pull_request(&self, budget_bytes: u64) -> Result<PullRequest, ReplicaError> {
        let conn = self.store.conn();
        let cursor = meta::cursor(conn)?;
        Ok(PullRequest {
            version: PROTOCOL_VERSION,
            position: cursor.position,
            digest: cursor.digest,
            progress: cursor.progress,
            budget_bytes,
            held: cursor.held,
            grant: meta::held_grant(conn)?,
            erased: Some(erased::reached(conn)?).filter(|number| *number > 0),
            audit_head: witness::last(conn)?,
            recovered: Some(meta::recovered(conn)?).filter(|number| *number > 0),
            pushed: meta::pushed(conn)?,
            has_tried: Some(false),
            is_cursor_lost: Some(meta::is_cursor_lost(conn)?).filter(|is_lost| *is_lost),
        })
    }

    /// Forgets the cursor, so that the next pull brings everything again, and notes that all
    /// acknowledged changes must go up again: what a device does when the server does not know
    /// its cursor. Nothing that is held is touched. Erasures are told again too: a server that was put
    /// back may number them otherwise, and have nothing of a record of which this device still has
    /// what erasing left.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn reset_cursor(&mut self) -> Result<(), ReplicaError> {
        let tx = self.store.begin()?;
        let held = meta::cursor(&tx)?.held;
        meta::set_cursor(&tx, &Cursor { held, ..Cursor::default() })?;
        meta::set_held_grant(&tx, &Digest::default())?;
        standing::mark_stale(&tx)?;
        forget_feed(&tx)?;
        meta::set_resend_after(&tx, Some(0))?;
        meta::set_cursor_lost(&tx, true)?;
        erased::forget_numbers(&tx)?;
        points::reach("device.cursor.before_commit");
        tx.commit().map_err(StoreError::from)?;
        points::reach("device.cursor.after_commit");
        Ok(())
    }

    /// Forgets where this device stands with its server, also where that cannot be read: the next pull
    /// brings everything again, and all acknowledged changes go up again.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn forget_cursor(&mut self) -> Result<(), ReplicaError> {
        let tx = self.store.begin()?;
        let held = meta::held(&tx).unwrap_or_default();
        meta::set_cursor(&tx, &Cursor { held, ..Cursor::default() })?;
        tx.commit().map_err(StoreError::from)?;
        self.reset_cursor()
    }

    /// After which acknowledged change to go on sending them again; none if that is not needed.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn resend_after(&self) -> Result<Option<i64>, ReplicaError> {
        Ok(meta::resend_after(self.store.conn())?)
    }

    /// Notes how far acknowledged changes were sent again, so that a session that is cut off is
    /// gone on with by the next one; `None` when all were.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn note_resent(&mut self, after: Option<i64>) -> Result<(), ReplicaError> {
        let tx = self.store.begin()?;
        meta::set_resend_after(&tx, after)?;
        points::reach("device.resend.before_commit");
        tx.commit().map_err(StoreError::from)?;
        points::reach("device.resend.after_commit");
        Ok(())
    }

    /// Joins frames in one transaction and notes how far the pull has come.
    ///
    /// `is_fetch` tells that the frames answer a fetch, which moves no cursor.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] for frames that break a rule, or when the store fails; nothing of
    /// these frames counts then.
    pub fn take_frames(
        &mut self,
        frames: &[PullFrame],
        is_fetch: bool,
    ) -> Result<PullEffect, ReplicaError> {
        self.take_frames_and(frames, is_fetch, &BTreeSet::new())
    }

    /// As [`take_frames`](Self::take_frames); what the server lacks of the documents `lost` is
    /// written anew.
    pub(super) fn take_frames_and(
        &mut self,
        frames: &[PullFrame],
        is_fetch: bool,
        lost: &BTreeSet<DocumentName>,
    ) -> Result<PullEffect, ReplicaError> {
        let now_ms = self.clock.now_ms();
        let effect = self.exchange(|writer| {
            let mut effect = PullEffect::default();
            let (mut progress, mut begun, mut is_recovering) = (None, None, None);
            let mut lost = Lost { names: lost, text: None };
            for frame in frames {
                match frame {
                    PullFrame::Hello(hello) => {
                        begun = hello.position;
                        writer.take_recovery(hello.recovery.as_ref())?;
                        if !is_fetch {
                            meta::set_backed_up(writer.tx, hello.backed_up)?;
                        }
                        match &hello.grant {
                            Some(grant) => writer.take_grant(grant)?,
                            None => writer.return_to_held_grant()?,
                        }
                    }
                    PullFrame::Author(author) => meta::set_author(writer.tx, author)?,
                    PullFrame::Document(document) => {
                        let is_held_back = match is_recovering {
                            Some(known) => known,
                            None => !is_fetch && writer.is_recovering()?,
                        };
                        is_recovering = Some(is_held_back);
                        writer.take_document(document, is_held_back, &mut lost, &mut effect)?;
                        progress = Some(progress_of(document));
                    }
                    PullFrame::Enter(unit, scope) => standing::enter(writer.tx, *unit, scope)?,
                    PullFrame::Leave(unit, scope) => standing::leave(writer.tx, *unit, scope)?,
                    PullFrame::Depart(unit, record) => {
                        standing::depart(writer.tx, *unit, *record)?;
                    }
                    PullFrame::Erase(number, record) => {
                        effect.erased.0 += 1;
                        effect.erased.1 += writer.erase(*number, *record)?;
                    }
                    PullFrame::End(end) => {
                        if let Some(head) = &end.audit_head {
                            witness::remember(writer.tx, head)?;
                        }
                        effect.end = Some(end.clone());
                    }
                }
            }
            effect.recovered += writer.recover_pieces(lost.text.take())?;
            if is_fetch {
                return Ok(effect);
            }
            if effect.end.as_ref().is_some_and(|end| !end.is_more) {
                points::reach("device.pull.before_purge");
                effect.left = writer.purge()?;
            }
            let mut cursor = meta::cursor(writer.tx)?;
            cursor.held = writer.write_held()?;
            if let Some(mut progress) = progress {
                progress.reached = cursor.progress.as_ref().and_then(|before| before.reached);
                // An answer that is cut off before its end does not say how far its first pass
                // came: what is gone on with behind that pass counts from where the answer began.
                if progress.pass > 0 && progress.reached.is_none() {
                    progress.reached = begun;
                }
                cursor.progress = Some(progress);
            }
            match &effect.end {
                Some(end) if end.is_more => {
                    if let Some(progress) = &mut cursor.progress {
                        progress.reached = end.reached;
                    }
                }
                Some(end) => {
                    cursor.position = end.position;
                    cursor.digest = end.digest;
                    cursor.progress = None;
                    meta::set_last_sync(writer.tx, now_ms)?;
                    if let Some(backed_up) = meta::backed_up(writer.tx)? {
                        outbox::forget_covered(writer.tx, backed_up, FORGOTTEN_MAX)?;
                    }
                }
                None => {}
            }
            meta::set_cursor(writer.tx, &cursor)?;
            points::reach("device.pull.before_commit");
            Ok(effect)
        })?;
        points::reach("device.pull.after_commit");
        Ok(effect)
    }

    /// Digests of what is held, by stream, as far as `theirs` differ: what must be checked.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn differing_streams(&self, theirs: &[StreamDigest]) -> Result<Vec<Stream>, ReplicaError> {
        let mut differing = Vec::new();
        let mut compared = BTreeSet::new();
        for their in theirs {
            // Once is enough, however often a server names the same records.
            if !compared.insert((&their.stream.entity, &their.stream.part)) {
                continue;
            }
            let mut mine: Digest = Digest::default();
            let mut count = 0;
            let Stream { entity, part, .. } = &their.stream;
            for one in document::digests(self.store.conn(), entity, part, None, usize::MAX)? {
                digest::toggle(&mut mine, &one.digest);
                count += 1;
            }
            if mine != their.digest || count != their.count {
                differing.push(their.stream.clone());
            }
        }
        // A restored server names no stream of which it has nothing any more.
        for mine in document::streams(self.store.conn())? {
            if !theirs.iter().any(|their| their.stream == mine) {
                differing.push(mine);
            }
        }
        Ok(differing)
    }

    /// Compares a page of the server's digests with what is held after `after`: the documents that
    /// differ or are missing here, and those that only this device has.
    ///
    /// `is_last` tells that the server has nothing beyond the page.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn compare_page(
        &self,
        stream: &Stream,
        after: Option<RecordId>,
        theirs: &[crate::sync::frame::DocumentDigest],
        is_last: bool,
    ) -> Result<(Vec<DocumentName>, Vec<DocumentName>), ReplicaError> {
        let until = if is_last { None } else { theirs.last().map(|last| last.record) };
        let conn = self.store.conn();
        let mut mine: BTreeMap<RecordId, Digest> = BTreeMap::new();
        for one in document::digests(conn, &stream.entity, &stream.part, after, usize::MAX)? {
            if until.is_some_and(|until| one.record > until) {
                break;
            }
            mine.insert(one.record, one.digest);
        }
        let name = |record| DocumentName { record, part: stream.part.clone() };
        let mut differing = Vec::new();
        for their in theirs {
            if mine.remove(&their.record) != Some(their.digest) {
                differing.push(name(their.record));
            }
        }
        Ok((differing, mine.into_keys().map(name).collect()))
    }

    /// The names of this device's acknowledged changes of a document.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn acknowledged_of(
        &self,
        name: &DocumentName,
    ) -> Result<Vec<crate::ids::ChangeHash>, ReplicaError> {
        let id = name.id();
        Ok(outbox::acknowledged_of(self.store.conn(), &id)?)
    }
}

/// Forgets where in a server's feed our changes are: it is another feed now.
pub(super) fn forget_feed(conn: &rusqlite::Connection) -> Result<(), StoreError> {
    meta::set_pushed(conn, None)?;
    meta::set_backed_up(conn, None)?;
    outbox::forget_positions(conn)
}

fn progress_of(document: &DocumentFrame) -> Progress {
    Progress {
        pass: document.pass,
        family_position: document.family_position,
        family: document.unit.unwrap_or(document.family),
        record: document.record,
        part: document.part.clone(),
        reached: None,
    }
}

/// Documents of which something is to be written anew.
struct Lost<'a> {
    names: &'a BTreeSet<DocumentName>,
    /// A long text comes in several pieces; it is looked at when all are here.
    text: Option<Pieces<'a>>,
}

/// A text as far as it came.
struct Pieces<'a> {
    id: DocumentId,
    entity: &'a str,
    changes: Vec<&'a [u8]>,
}

impl Writer<'_> {
    /// How many texts, one or none, lacked something.
    fn recover_pieces(&mut self, text: Option<Pieces<'_>>) -> Result<u64, ReplicaError> {
        let Some(Pieces { id, entity, changes }) = text else { return Ok(0) };
        Ok(self.recover_text(&id, entity, &changes)?.into())
    }

    fn take_document<'a>(
        &mut self,
        frame: &'a DocumentFrame,
        is_held_back: bool,
        lost: &mut Lost<'a>,
        effect: &mut PullEffect,
    ) -> Result<(), ReplicaError> {
        effect.documents += 1;
        // What a newer app wrote is kept like everything else; only a row it cannot have here.
        effect.unknown += u64::from(self.schema.entity(&frame.entity).is_none());
        let id = DocumentId { record: frame.record, part: frame.part.clone() };
        if matches!(frame.body, Body::Text(_)) == id.part.is_flat() {
            return Err(ReplicaError::Protocol(format!("a body that does not fit {id}")));
        }
        let name = DocumentName::from(&id);
        if is_held_back && self.waits_for_recovery(&id, &frame.body)? {
            return Ok(());
        }
        if lost.text.as_ref().is_some_and(|text| text.id != id) {
            effect.recovered += self.recover_pieces(lost.text.take())?;
        }
        let merged = if lost.names.contains(&name) {
            self.recover_body(&id, frame, lost, effect)?
        } else {
            self.take_body(&id, &frame.entity, &frame.body)?
        };
        match merged {
            Merged::Joined => {}
            Merged::NeedsWhole | Merged::Parted => {
                if merged == Merged::Parted {
                    effect.parted.push(name.clone());
                }
                effect.needs_whole.push(name);
                return Ok(());
            }
        }
        standing::set_place(self.tx, id.record, frame.family)?;
        if !frame.provenance.is_empty() {
            meta::set_provenance(self.tx, &id, &frame.provenance)?;
        }
        Ok(())
    }

    fn recover_body<'a>(
        &mut self,
        id: &DocumentId,
        frame: &'a DocumentFrame,
        lost: &mut Lost<'a>,
        effect: &mut PullEffect,
    ) -> Result<Merged, ReplicaError> {
        let entity = frame.entity.as_str();
        match &frame.body {
            Body::State(bytes) => {
                let state = State::from_bytes(bytes)
                    .map_err(|error| ReplicaError::Protocol(format!("{id}: {error}")))?;
                effect.recovered += u64::from(self.recover_flat(id, entity, state)?);
            }
            Body::Text(changes) => {
                let begun = || Pieces { id: id.clone(), entity, changes: Vec::new() };
                let pieces = lost.text.get_or_insert_with(begun);
                pieces.changes.extend(changes.iter().map(|change| change.as_slice()));
            }
            Body::Delta(_) => return Ok(Merged::NeedsWhole),
        }
        Ok(Merged::Joined)
    }

    /// Whether what a pull brings of a document has to wait until what was lost of it is written anew.
    fn waits_for_recovery(&self, id: &DocumentId, body: &Body) -> Result<bool, ReplicaError> {
        let broken = |error| ReplicaError::Protocol(format!("{id}: {error}"));
        match body {
            Body::State(bytes) => self.is_held_back(id, &State::from_bytes(bytes).map_err(broken)?),
            // What changed says nothing of what stands here beside it: by the same numbers it may be another.
            Body::Delta(_) => Ok(self.load_flat(id)?.is_some()),
            Body::Text(_) => self.is_held_back(id, &State::default()),
        }
    }

    fn take_body(
        &mut self,
        id: &DocumentId,
        entity: &str,
        body: &Body,
    ) -> Result<Merged, ReplicaError> {
        let broken = |error| ReplicaError::Protocol(format!("{id}: {error}"));
        match body {
            Body::State(bytes) => {
                let state = State::from_bytes(bytes).map_err(broken)?;
                self.merge_state(id, entity, state, bytes)?;
            }
            Body::Delta(bytes) => {
                let delta = Delta::from_bytes(bytes).map_err(broken)?;
                return self.merge_delta(id, entity, &delta);
            }
            Body::Text(changes) => {
                let changes: Vec<&[u8]> = changes.iter().map(|change| change.as_slice()).collect();
                return self.merge_text(id, entity, &changes);
            }
        }
        Ok(Merged::Joined)
    }
}
