//! Serving the feed: what changed since a device's cursor, as far as its user may see it.
//!
//! The answer is made page by page, each page in a read transaction of its own, so a slow reader
//! holds nothing back. Units (families, and records alone) are walked in the order of their
//! positions; one that changes while the answer is under way moves to the end and is met again
//! there, so nothing is missed.
//!
//! A pull has up to four passes ([`Pass`]): what changed in what the device sees already; then,
//! if what it may see has grown, configuration, the user's open visits with their customers, and the
//! rest. What left is told at the end.
//!
//! In reading order: `view` says what a device sees now and saw before, `walk` goes through the
//! units, `visits` finds what is needed first, `body` chooses between state and delta.

use outrider_core::{
    access::Grant,
    sync::{
        digest,
        frame::{
            CHECK_PAGE, CheckRequest, CheckResponse, Digest, End, FETCH_DOCUMENTS_MAX, FeedPoint,
            FetchRequest, Hello, PROTOCOL_VERSION, PullFrame, PullRequest, SCOPE_MINE,
            StreamDigest,
        },
    },
    time::TimestampMs,
};

use crate::{
    access::{Issuer, sign_grant},
    recovery,
    storage::{Device, Read, SCOPE_ALL, Storage, StorageError, recovery::StoredRecovery},
};

mod body;
mod view;
mod visits;
mod walk;

use view::View;
use walk::Walk;

/// Uncompressed bytes of one answer, at most, whatever the request says.
const BUDGET_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Uncompressed bytes of one answer, at least: a request cannot ask for endless small ones.
pub(crate) const BUDGET_BYTES_MIN: u64 = 16 * 1024;
/// Milliseconds between two notes of what a device holds, while neither grant nor position differ
/// much: an idle question need not write.
const VIEW_NOTE_MS: i64 = 60 * 60 * 1_000;

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

/// The passes of a pull, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pass {
    /// What changed in what the device sees already.
    Changes,
    /// Users, products and the like, of which the device sees all.
    Configuration,
    /// The user's open visits and their customers.
    Visits,
    /// All that the device did not see before.
    Rest,
}

impl Pass {
    /// Its number on the wire.
    fn number(self) -> u8 {
        match self {
            Self::Changes => 0,
            Self::Configuration => 1,
            Self::Visits => 2,
            Self::Rest => 3,
        }
    }
}

/// Answers a pull, and notes what the device held when it asked.
///
/// # Errors
///
/// Returns [`FeedError`] when the storage fails or the reader goes away.
pub fn pull(
    storage: &dyn Storage,
    issuer: Issuer<'_>,
    device: &Device,
    request: &PullRequest,
    emit: &mut Emit<'_>,
) -> Result<(), FeedError> {
    let grant = issuer.policy.grant(device.user_record, issuer.now_ms);
    let digest = grant.digest();
    note_view(storage, device, request, (&grant, &digest), issuer.now_ms)?;
    note_erasures(storage, device, request, issuer.now_ms)?;
    let is_cursor_known = knows(&*storage.read()?, request)?;
    if !is_cursor_known || request.is_cursor_lost == Some(true) {
        recovery::note_unknown(storage, device.id, request, issuer.now_ms)?;
    }
    if is_cursor_known && request.position > 0 && request.has_tried.unwrap_or(true) {
        // Apps from before there was such a member are taken at their first word.
        recovery::note_returned(storage, device.id, issuer.now_ms)?;
    }
    let view = {
        let tx = storage.read()?;
        let view = View::new(&*tx, grant, request)?;
        let scopes = view.scopes();
        let base = if view.has_grown() { 0 } else { request.position };
        emit(PullFrame::Hello(Hello {
            version: PROTOCOL_VERSION,
            instance: tx.instance()?,
            is_cursor_known,
            now_ms: issuer.now_ms,
            expected: tx.count_units(&scopes, base)?,
            grant: (request.grant != digest).then(|| sign_grant(issuer.key, view.grant())),
            position: Some(tx.position()?),
            recovery: tx.recovery()?.as_ref().map(StoredRecovery::told),
            backed_up: tx.backed_up()?,
        }))?;
        if !is_cursor_known {
            return Ok(());
        }
        for author in tx.authors_since(request.position)? {
            emit(PullFrame::Author(author))?;
        }
        for erasure in tx.erasures_after(request.erased.unwrap_or(0))? {
            emit(PullFrame::Erase(erasure.number, erasure.record))?;
        }
        view
    };
    let budget = request.budget_bytes.clamp(BUDGET_BYTES_MIN, BUDGET_BYTES_MAX);
    let mut walk = Walk { storage, device, view: &view, base: request.position, budget, emit };
    match walk.run(request)? {
        walk::Reached::OutOfBudget(reached) => Ok(emit(PullFrame::End(end_at(true, 0, reached)))?),
        walk::Reached::All(position) => {
            let end = finish(storage, &view, request, position)?;
            if end.is_held_right == Some(true) {
                recovery::note_returned(storage, device.id, issuer.now_ms)?;
            }
            Ok(emit(PullFrame::End(end))?)
        }
    }
}

/// Whether the feed is the one that the device followed, as far as it holds it and was told that its
/// own changes are in it.
fn knows(tx: &dyn Read, request: &PullRequest) -> Result<bool, StorageError> {
    // What was acknowledged after the cursor must be there too.
    let is_pushed_known = match request.pushed {
        Some(pushed) => tx.has_place(pushed)?,
        None => true,
    };
    let PullRequest { position, digest, .. } = *request;
    Ok(is_pushed_known && tx.has_place(FeedPoint { position, digest })?)
}

/// Notes what the device says that it holds, if that is a grant which it was given: what its
/// user's late edits are measured by. The grant that it is given now is kept, so that the next
/// pull can name it.
fn note_view(
    storage: &dyn Storage,
    device: &Device,
    request: &PullRequest,
    (grant, digest): (&Grant, &Digest),
    now_ms: TimestampMs,
) -> Result<(), StorageError> {
    let (is_given, is_kept, is_noted) = {
        let read = storage.read()?;
        let is_given = request.position > 0 && read.sent_grant(&request.grant)?.is_some();
        let noted = read.device_view(device.id)?;
        let is_noted = noted.is_some_and(|view| {
            view.position == request.position
                && view.at > now_ms - VIEW_NOTE_MS
                && Grant::from_bytes(&view.grant).is_ok_and(|g| g.digest() == request.grant)
        });
        (is_given, read.sent_grant(digest)?.is_some(), is_noted)
    };
    if is_kept && (is_noted || !is_given) {
        return Ok(());
    }
    let mut write = storage.write()?;
    write.keep_grant(digest, &grant.to_bytes())?;
    if is_given {
        write.note_view(device.id, &request.grant, request.position, now_ms)?;
    }
    write.commit()?;
    Ok(())
}

/// Notes which erasures the device says that it carried out.
fn note_erasures(
    storage: &dyn Storage,
    device: &Device,
    request: &PullRequest,
    now_ms: TimestampMs,
) -> Result<(), StorageError> {
    let number = request.erased.unwrap_or(0);
    if number == 0 || storage.read()?.erasures_done(device.id)? >= number {
        return Ok(());
    }
    let mut write = storage.write()?;
    write.note_erasures(device.id, number, now_ms)?;
    write.commit()?;
    Ok(())
}

/// The server's last word: the new cursor, and digests if they can be given and differ.
fn finish(
    storage: &dyn Storage,
    view: &View,
    request: &PullRequest,
    position: u64,
) -> Result<End, StorageError> {
    let tx = storage.read_as(view.grant())?;
    let digest = tx.feed_digest(position)?.unwrap_or_default();
    let mut end = End { digest, ..end_at(false, position, None) };
    // Digests are those of now: what changed since the cursor would seem to be missing.
    if tx.position()? != position {
        return Ok(end);
    }
    let streams = streams_of(&*tx, view.grant())?;
    let mut all = Digest::default();
    for stream in &streams {
        digest::toggle(&mut all, &stream.digest);
    }
    let is_same = !view.has_grown() && request.position > 0 && all == request.held;
    end.is_held_right = Some(is_same);
    if !is_same {
        end.streams = streams;
    }
    Ok(end)
}

/// Digests of everything that a grant lets its user read.
fn streams_of(tx: &dyn Read, grant: &Grant) -> Result<Vec<StreamDigest>, StorageError> {
    if view::is_by_entity(grant) {
        let streams = tx.stream_digests(SCOPE_ALL)?.into_iter();
        return Ok(streams.filter(|found| view::reads_all(grant, &found.stream)).collect());
    }
    tx.seen_digests()
}

fn end_at(is_more: bool, position: u64, reached: Option<u64>) -> End {
    End {
        is_more,
        position,
        digest: Digest::default(),
        streams: Vec::new(),
        reached,
        is_held_right: None,
        audit_head: None,
    }
}

/// Answers a question for the digests of a stream's documents.
///
/// # Errors
///
/// Returns [`StorageError`] when the storage fails.
pub fn check(
    storage: &dyn Storage,
    issuer: Issuer<'_>,
    device: &Device,
    request: &CheckRequest,
) -> Result<CheckResponse, StorageError> {
    if request.stream.scope != SCOPE_MINE {
        return Ok(CheckResponse { documents: Vec::new(), backed_up: None });
    }
    let grant = issuer.policy.grant(device.user_record, issuer.now_ms);
    let tx = storage.read_as(&grant)?;
    let documents = tx.document_digests(&request.stream, request.after, CHECK_PAGE)?;
    Ok(CheckResponse { documents, backed_up: tx.backed_up()? })
}

/// Sends whole documents.
///
/// # Errors
///
/// Returns [`FeedError`] when the storage fails or the reader goes away.
pub fn fetch(
    storage: &dyn Storage,
    issuer: Issuer<'_>,
    device: &Device,
    request: &FetchRequest,
    emit: &mut Emit<'_>,
) -> Result<(), FeedError> {
    let grant = issuer.policy.grant(device.user_record, issuer.now_ms);
    for name in request.documents.iter().take(FETCH_DOCUMENTS_MAX) {
        // With the user's eyes: what may not be read is not there.
        let tx = storage.read_as(&grant)?;
        let id = name.id();
        let Some(stored) = walk::readable(&*tx, &id)? else { continue };
        for scope in view::scopes_for(&*tx, &grant, id.record)? {
            emit(PullFrame::Enter(scope.0, scope.1))?;
        }
        let frames = match walk::frames(&*tx, &id, &stored, 0, None, (0, 0)) {
            Err(error) if error.is_damage() => {
                tracing::error!(document = %id, error = %error, "left out of an answer");
                continue;
            }
            frames => frames?,
        };
        for frame in frames {
            emit(PullFrame::Document(Box::new(frame)))?;
        }
    }
    Ok(emit(PullFrame::End(end_at(false, 0, None)))?)
}
