//! Serving the feed: what changed since a device's cursor, as states, deltas and texts.
//!
//! The answer is made page by page, each page in a read transaction of its own, so a slow reader
//! holds nothing back. Families are walked in the order of their positions; one that changes while
//! the answer is under way moves to the end and is met again there, so nothing is missed.

use std::collections::BTreeSet;

use outrider_core::{
    ids::DocumentId,
    schema::Schema,
    sync::{
        digest,
        frame::{
            CHECK_PAGE, CheckRequest, CheckResponse, Digest, DocumentFrame, End,
            FETCH_DOCUMENTS_MAX, FetchRequest, Hello, PROTOCOL_VERSION, Progress, PullFrame,
            PullRequest, Stream, StreamDigest,
        },
    },
    time::TimestampMs,
};

use crate::storage::{Device, FeedCursor, FeedQuery, Read, SCOPE_ALL, Storage, StorageError};

mod body;

/// Documents per page, and so per read transaction.
const PAGE: usize = 200;
/// Uncompressed bytes of one answer, at most, whatever the request says.
const BUDGET_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Uncompressed bytes of one answer, at least: a request cannot ask for endless small ones.
const BUDGET_BYTES_MIN: u64 = 16 * 1024;

/// The reader went away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the reader went away")]
pub struct Stopped;

/// Where frames go.
pub type Emit<'a> = dyn FnMut(PullFrame) -> Result<(), Stopped> + 'a;

/// Why an answer ended early.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The reader went away.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// The streams that a device may hold: for now every part of every entity.
#[must_use]
pub fn streams_of(_device: &Device) -> Vec<Stream> {
    let mut streams: Vec<Stream> = Schema::current()
        .entities()
        .flat_map(|entity| {
            entity.parts().into_iter().map(|part| Stream {
                scope: SCOPE_ALL.to_owned(),
                entity: entity.name.clone(),
                part,
            })
        })
        .collect();
    streams.sort();
    streams
}

/// Answers a pull.
///
/// # Errors
///
/// Returns [`FeedError`] when the storage fails or the reader goes away.
pub fn pull(
    storage: &dyn Storage,
    device: &Device,
    request: &PullRequest,
    now_ms: TimestampMs,
    emit: &mut Emit<'_>,
) -> Result<(), FeedError> {
    let allowed = streams_of(device);
    let held: BTreeSet<&Stream> = request.streams.iter().collect();
    let (live, filling): (BTreeSet<Stream>, BTreeSet<Stream>) =
        allowed.iter().cloned().partition(|stream| held.contains(stream));
    {
        let tx = storage.read()?;
        let is_cursor_known =
            request.position == 0 || tx.feed_digest(request.position)? == Some(request.digest);
        let base = if live.is_empty() { 0 } else { request.position };
        emit(PullFrame::Hello(Hello {
            version: PROTOCOL_VERSION,
            instance: tx.instance()?,
            is_cursor_known,
            streams: allowed,
            now_ms,
            expected: tx.feed_count(SCOPE_ALL, base)?,
        }))?;
        if !is_cursor_known {
            return Ok(());
        }
        for author in tx.authors_since(request.position)? {
            emit(PullFrame::Author(author))?;
        }
    }
    let mut walk = Walk {
        storage,
        device,
        budget: request.budget_bytes.clamp(BUDGET_BYTES_MIN, BUDGET_BYTES_MAX),
        emit,
    };
    walk.run(request, &live, &filling)
}

/// One answer under way.
struct Walk<'a, 'e> {
    storage: &'a dyn Storage,
    device: &'a Device,
    /// Bytes that may still be sent.
    budget: u64,
    emit: &'a mut Emit<'e>,
}

/// Where one pass of an answer ended.
enum Pass {
    /// Everything up to the position was sent; digests of all streams there.
    Complete { position: u64, feed: Digest, streams: Vec<StreamDigest> },
    /// The budget ended it.
    OutOfBudget,
}

impl Walk<'_, '_> {
    fn run(
        &mut self,
        request: &PullRequest,
        live: &BTreeSet<Stream>,
        filling: &BTreeSet<Stream>,
    ) -> Result<(), FeedError> {
        let progress = request.progress.as_ref();
        let mut reached = progress.and_then(|progress| progress.reached);
        let mut last = None;
        if !live.is_empty() && progress.is_none_or(|progress| progress.pass == 0) {
            match self.pass(0, request.position, progress, live)? {
                Pass::OutOfBudget => return self.end_early(reached),
                Pass::Complete { position, feed, streams } => {
                    reached = Some(position);
                    last = Some((position, feed, streams));
                }
            }
        }
        let is_filling = !filling.is_empty();
        if is_filling {
            let progress = progress.filter(|progress| progress.pass == 1);
            match self.pass(1, 0, progress, filling)? {
                Pass::OutOfBudget => return self.end_early(reached),
                Pass::Complete { position, feed, streams } if live.is_empty() => {
                    last = Some((position, feed, streams));
                }
                // Streams that were held before must not skip what changed while others were
                // filled: everybody goes on from where the first pass ended.
                Pass::Complete { .. } => {
                    let position = reached.unwrap_or(request.position);
                    let feed = self.storage.read()?.feed_digest(position)?.unwrap_or_default();
                    last = Some((position, feed, Vec::new()));
                }
            }
        }
        let Some((position, digest, streams)) = last else {
            let tx = self.storage.read()?;
            let position = request.position;
            let digest = tx.feed_digest(position)?.unwrap_or_default();
            let end = End {
                is_more: false,
                position,
                digest,
                streams: Vec::new(),
                reached,
                audit_head: None,
            };
            return Ok((self.emit)(PullFrame::End(end))?);
        };
        let streams = self.differing(request, live, is_filling, streams);
        let end = End { is_more: false, position, digest, streams, reached, audit_head: None };
        Ok((self.emit)(PullFrame::End(end))?)
    }

    /// Digests to send along: none when the device already holds exactly what the server does.
    fn differing(
        &self,
        request: &PullRequest,
        live: &BTreeSet<Stream>,
        is_filling: bool,
        streams: Vec<StreamDigest>,
    ) -> Vec<StreamDigest> {
        let mut all = Digest::default();
        for stream in &streams {
            digest::toggle(&mut all, &stream.digest);
        }
        let is_same = !is_filling && !live.is_empty() && all == request.held;
        if is_same { Vec::new() } else { streams }
    }

    fn end_early(&mut self, reached: Option<u64>) -> Result<(), FeedError> {
        let end = End {
            is_more: true,
            position: 0,
            digest: Digest::default(),
            streams: Vec::new(),
            reached,
            audit_head: None,
        };
        Ok((self.emit)(PullFrame::End(end))?)
    }

    /// Sends the documents of `streams` that changed after `base`, from where `progress` ended.
    fn pass(
        &mut self,
        pass: u8,
        base: u64,
        progress: Option<&Progress>,
        streams: &BTreeSet<Stream>,
    ) -> Result<Pass, FeedError> {
        let mut after = progress.map(|progress| FeedCursor {
            family_position: progress.family_position,
            family: progress.family,
            record: progress.record,
            part: progress.part.clone(),
        });
        loop {
            let tx = self.storage.read()?;
            let query = FeedQuery { scope: SCOPE_ALL, base, after: after.as_ref(), limit: PAGE };
            let rows = tx.feed_page(&query)?;
            if rows.is_empty() {
                let position = tx.position()?;
                let feed = tx.feed_digest(position)?.unwrap_or_default();
                let streams = tx.stream_digests(SCOPE_ALL)?;
                return Ok(Pass::Complete { position, feed, streams });
            }
            for row in rows {
                let stream = Stream {
                    scope: SCOPE_ALL.to_owned(),
                    entity: row.entity.clone(),
                    part: row.cursor.part.clone(),
                };
                if streams.contains(&stream) {
                    let id = DocumentId { record: row.cursor.record, part: stream.part };
                    for frame in self.frames(&*tx, &id, base, (pass, &row.cursor))? {
                        self.send(frame)?;
                    }
                }
                after = Some(row.cursor);
                if self.budget == 0 {
                    return Ok(Pass::OutOfBudget);
                }
            }
        }
    }

    fn send(&mut self, frame: DocumentFrame) -> Result<(), Stopped> {
        let size = body::size_of(&frame.body) as u64;
        self.budget = self.budget.saturating_sub(size);
        (self.emit)(PullFrame::Document(Box::new(frame)))
    }

    /// The frames of one document: none if the device wrote everything new in it itself.
    fn frames(
        &self,
        tx: &dyn Read,
        id: &DocumentId,
        base: u64,
        place: (u8, &FeedCursor),
    ) -> Result<Vec<DocumentFrame>, StorageError> {
        let Some(stored) = tx.document(id)? else { return Ok(Vec::new()) };
        let bodies = body::bodies(tx, id, &stored, base, Some(self.device))?;
        let provenance = body::provenance(tx, id, &stored)?;
        Ok(bodies
            .into_iter()
            .map(|body| DocumentFrame {
                record: id.record,
                part: id.part.clone(),
                entity: stored.entity.clone(),
                scope: SCOPE_ALL.to_owned(),
                family: stored.family,
                family_position: place.1.family_position,
                pass: place.0,
                body,
                provenance: provenance.clone(),
            })
            .collect())
    }
}

/// Answers a question for the digests of a stream's documents.
///
/// # Errors
///
/// Returns [`StorageError`] when the storage fails.
pub fn check(
    storage: &dyn Storage,
    device: &Device,
    request: &CheckRequest,
) -> Result<CheckResponse, StorageError> {
    if !streams_of(device).contains(&request.stream) {
        return Ok(CheckResponse { documents: Vec::new() });
    }
    let tx = storage.read()?;
    let documents = tx.document_digests(&request.stream, request.after, CHECK_PAGE)?;
    Ok(CheckResponse { documents })
}

/// Sends whole documents.
///
/// # Errors
///
/// Returns [`FeedError`] when the storage fails or the reader goes away.
pub fn fetch(
    storage: &dyn Storage,
    device: &Device,
    request: &FetchRequest,
    emit: &mut Emit<'_>,
) -> Result<(), FeedError> {
    let allowed = streams_of(device);
    for name in request.documents.iter().take(FETCH_DOCUMENTS_MAX) {
        let tx = storage.read()?;
        let id = DocumentId { record: name.record, part: name.part.clone() };
        let Some(stored) = tx.document(&id)? else { continue };
        let stream = Stream {
            scope: SCOPE_ALL.to_owned(),
            entity: stored.entity.clone(),
            part: id.part.clone(),
        };
        if !allowed.contains(&stream) {
            continue;
        }
        let provenance = body::provenance(&*tx, &id, &stored)?;
        for body in body::bodies(&*tx, &id, &stored, 0, None)? {
            emit(PullFrame::Document(Box::new(DocumentFrame {
                record: id.record,
                part: id.part.clone(),
                entity: stored.entity.clone(),
                scope: SCOPE_ALL.to_owned(),
                family: stored.family,
                family_position: 0,
                pass: 0,
                body,
                provenance: provenance.clone(),
            })))?;
        }
    }
    let end = End {
        is_more: false,
        position: 0,
        digest: Digest::default(),
        streams: Vec::new(),
        reached: None,
        audit_head: None,
    };
    Ok(emit(PullFrame::End(end))?)
}
