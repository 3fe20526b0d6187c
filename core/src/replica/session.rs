//! A conversation with the server, without any network of its own.
//!
//! Ask [`Session::next`] for a request, send it, hand the answer's body to [`Session::receive`],
//! until there is no next. Push comes before pull; on a mismatch streams are compared, then
//! records, then the differing ones fetched. A session that is cut off is simply dropped: all
//! that was received counts, and a new one goes on from there.

mod answer;
mod compare;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, VecDeque},
    io::Read,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::Serialize;

use self::answer::{Counted, read_message};
use super::{Replica, ReplicaError, pull::FRAMES_PER_TRANSACTION};
use crate::{
    ids::{ChangeHash, RecordId},
    store::outbox,
    sync::{
        codec::{FrameReader, pack},
        frame::{
            DocumentName, End, Hello, Outcome, PROTOCOL_VERSION, PUSH_CHANGES_MAX, PullFrame,
            PullRequest, PushResponse, Stream,
        },
    },
};

/// How often one session sends its outbox again: after refusals, and when the server took only a
/// part of many long texts.
pub const ROUNDS_MAX: u32 = 64;
/// Requests of one session, at most: a server that never ends its answers is left alone.
pub const REQUESTS_MAX: u64 = 100_000;
/// Bytes of frames in one transaction, about.
pub const TRANSACTION_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Uncompressed bytes that one answer to a pull may have.
pub const PULL_BUDGET_BYTES: u64 = 256 * 1024 * 1024;
/// How much more than was asked for an answer may have before it is left alone: a server that never
/// ends would fill the device.
pub const OVER_BUDGET_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Documents that one session fetches whole, at most.
pub const FETCHED_MAX: usize = 1_000_000;

/// A request to send: POST `body` to `path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The path under the server's address.
    pub path: &'static str,
    /// The compressed message.
    pub body: Vec<u8>,
}

/// What a session did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    /// Documents whose waiting edits were damaged and were written anew.
    pub mended: u64,
    /// Changes that were sent.
    pub pushed: u64,
    /// Changes that are in the history now.
    pub applied: u64,
    /// Changes that were there already.
    pub duplicates: u64,
    /// Changes that the office refused.
    pub refused: u64,
    /// Changes that were written anew because their number was taken.
    pub forked: u64,
    /// Changes that wait for another time.
    pub waiting: u64,
    /// Documents that arrived.
    pub pulled: u64,
    /// Documents that the server expects to send, for showing progress.
    pub expected: u64,
    /// Records that left this device.
    pub left: u64,
    /// Records that were erased by law, and went with everything of them.
    pub erased: u64,
    /// Typed values that went with them before the office had them.
    pub erased_values: u64,
    /// Documents that differed and were fetched again.
    pub repaired: u64,
    /// Whether this store is a copy of a device's, or was put back: it goes on under a name of its own.
    pub is_copy: bool,
    /// Whether the server turned out to be restored from a backup.
    pub is_server_restored: bool,
    /// Documents of which something was written anew because the server had lost it for good.
    pub recovered: u64,
    /// Requests.
    pub requests: u64,
    /// Compressed bytes sent.
    pub bytes_up: u64,
    /// Compressed bytes received.
    pub bytes_down: u64,
}

/// Where a session stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// Sending what waits, after this place in the order of writing.
    Push {
        after: i64,
    },
    /// Sending acknowledged changes that the server lost.
    Resend {
        after: i64,
    },
    /// Sending the acknowledged changes that the server asked for.
    ResendAsked,
    Pull,
    /// Comparing the digests of a stream's documents.
    Check {
        after: Option<RecordId>,
    },
    Fetch,
    Done,
}

/// What the answer that is awaited belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Awaited {
    Nothing,
    Push,
    Resend,
    Pull,
    Check,
    Fetch,
}

/// One conversation with the server.
#[derive(Debug)]
pub struct Session {
    phase: Phase,
    /// Whether it was looked at whether an earlier session was cut off while sending again.
    is_begun: bool,
    awaited: Awaited,
    rounds: u32,
    is_round_needed: bool,
    asked: BTreeSet<ChangeHash>,
    was_asked: BTreeSet<ChangeHash>,
    hello: Option<Hello>,
    to_check: VecDeque<Stream>,
    to_fetch: Vec<DocumentName>,
    /// Documents that wait for the server's copy, and that no answer has brought yet.
    missed: BTreeSet<DocumentName>,
    /// How often streams were compared.
    checks: u8,
    /// The recovery of the server that is over, after which nothing was written anew yet.
    recovery: Option<u32>,
    /// Documents of which the server will not get back what it lacks.
    lost: BTreeSet<DocumentName>,
    /// Whether everything that was acknowledged, and that the server may lack, was sent again.
    has_tried: bool,
    budget_bytes: u64,
    summary: Summary,
    seen: Seen,
}

/// How many documents have arrived, for whoever shows it while an answer is being read.
#[derive(Debug, Clone, Default)]
pub struct Seen(Arc<[AtomicU64; 2]>);

impl Seen {
    /// Documents that arrived, and those that the server expects to send.
    #[must_use]
    pub fn documents(&self) -> (u64, u64) {
        let [pulled, expected] = &*self.0;
        (pulled.load(Ordering::Relaxed), expected.load(Ordering::Relaxed))
    }

    fn note(&self, summary: &Summary) {
        let [pulled, expected] = &*self.0;
        pulled.store(summary.pulled, Ordering::Relaxed);
        expected.store(summary.expected, Ordering::Relaxed);
    }
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    /// A conversation that has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self::with_budget(PULL_BUDGET_BYTES)
    }

    /// A conversation in which one answer has about `budget_bytes`, at most.
    #[must_use]
    pub fn with_budget(budget_bytes: u64) -> Self {
        Self {
            phase: Phase::Push { after: 0 },
            is_begun: false,
            awaited: Awaited::Nothing,
            rounds: 0,
            is_round_needed: false,
            asked: BTreeSet::new(),
            was_asked: BTreeSet::new(),
            hello: None,
            to_check: VecDeque::new(),
            to_fetch: Vec::new(),
            missed: BTreeSet::new(),
            checks: 0,
            recovery: None,
            lost: BTreeSet::new(),
            has_tried: false,
            budget_bytes,
            summary: Summary::default(),
            seen: Seen::default(),
        }
    }

    /// How far it is, also while it takes an answer.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.seen.clone()
    }

    /// What the session did so far.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The next request, or `None` when the conversation has ended.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError::NotEnrolled`] before enrolment, or fails when the store does.
    pub fn next(&mut self, replica: &mut Replica) -> Result<Option<Request>, ReplicaError> {
        if self.summary.requests >= REQUESTS_MAX {
            return Err(ReplicaError::Protocol("the conversation never ends".to_owned()));
        }
        if !self.is_begun {
            self.is_begun = true;
            self.summary.is_copy = replica.is_copy()?;
            self.summary.mended = replica.mend_outbox()?;
            if let Some(after) = replica.resend_after()? {
                self.phase = Phase::Resend { after };
            }
        }
        loop {
            let request = match self.phase.clone() {
                Phase::Push { after } => self.push(replica, after)?,
                Phase::Resend { after } => self.resend(replica, after)?,
                Phase::ResendAsked => self.resend_asked(replica)?,
                Phase::Pull => {
                    self.awaited = Awaited::Pull;
                    // What an earlier process was killed before it overwrote.
                    replica.sweep_erased()?;
                    let has_tried = Some(self.has_tried);
                    let request = replica.pull_request(self.budget_bytes)?;
                    let request = PullRequest { has_tried, ..request };
                    Some(Request { path: "/v1/pull", body: pack(&request)? })
                }
                Phase::Check { after } => self.check(after)?,
                Phase::Fetch => self.fetch(replica)?,
                Phase::Done => {
                    if self.summary.is_copy {
                        replica.forget_copy()?;
                    }
                    return Ok(None);
                }
            };
            if let Some(request) = request {
                self.summary.requests += 1;
                self.summary.bytes_up += request.body.len() as u64;
                return Ok(Some(request));
            }
        }
    }

    /// Takes the answer to the last request.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] when the answer is cut off or breaks the protocol. What arrived
    /// before counts; drop the session and begin another one.
    pub fn receive(
        &mut self,
        replica: &mut Replica,
        body: &mut dyn Read,
    ) -> Result<(), ReplicaError> {
        let bytes_max = self.answer_bytes_max();
        let mut counted = Counted { inner: body, bytes: 0, bytes_max };
        let awaited = std::mem::replace(&mut self.awaited, Awaited::Nothing);
        let received = match awaited {
            Awaited::Nothing => Err(ReplicaError::Protocol("nothing was asked".to_owned())),
            Awaited::Push => self.receive_push(replica, &mut counted),
            Awaited::Resend => self.receive_resend(replica, &mut counted),
            Awaited::Pull => self.receive_frames(replica, &mut counted, false),
            Awaited::Check => self.receive_check(replica, &mut counted),
            Awaited::Fetch => self.receive_frames(replica, &mut counted, true),
        };
        self.summary.bytes_down += counted.bytes;
        received
    }

    fn push(&mut self, replica: &Replica, after: i64) -> Result<Option<Request>, ReplicaError> {
        if let Some(batch) = replica.next_push(after)? {
            self.phase = Phase::Push { after: batch.last_id };
            self.awaited = Awaited::Push;
            self.summary.pushed += batch.count as u64;
            return Ok(Some(Request { path: "/v1/push", body: pack(&batch.request)? }));
        }
        self.phase = if !self.asked.is_empty() {
            Phase::ResendAsked
        } else if self.is_round_needed && self.rounds < ROUNDS_MAX {
            self.rounds += 1;
            self.is_round_needed = false;
            Phase::Push { after: 0 }
        } else {
            Phase::Pull
        };
        Ok(None)
    }

    fn receive_push(
        &mut self,
        replica: &mut Replica,
        body: &mut dyn Read,
    ) -> Result<(), ReplicaError> {
        let response: PushResponse = read_message(body)?;
        let (effect, asked) = replica.take_push_response(&response)?;
        self.summary.applied += effect.applied;
        self.summary.duplicates += effect.duplicates;
        self.summary.refused += effect.refused;
        self.summary.forked += effect.forked;
        self.summary.waiting += effect.waiting;
        self.is_round_needed |= effect.is_round_needed;
        self.asked.extend(asked.difference(&self.was_asked).copied());
        self.take_known(replica, response.is_pushed_known)
    }

    fn resend_asked(&mut self, replica: &Replica) -> Result<Option<Request>, ReplicaError> {
        let asked: BTreeSet<ChangeHash> =
            self.asked.iter().take(PUSH_CHANGES_MAX).copied().collect();
        self.asked.retain(|hash| !asked.contains(hash));
        self.was_asked.extend(asked.iter().copied());
        self.is_round_needed = true;
        if self.asked.is_empty() {
            self.has_tried = true;
            // Nothing waits after the last place: the next step decides on another round.
            self.phase = Phase::Push { after: i64::MAX };
        }
        let Some(batch) = replica.resend_of(&asked)? else { return Ok(None) };
        self.awaited = Awaited::Resend;
        Ok(Some(Request { path: "/v1/push", body: pack(&batch.request)? }))
    }

    fn receive_resend(
        &mut self,
        replica: &mut Replica,
        body: &mut dyn Read,
    ) -> Result<(), ReplicaError> {
        // What comes of each the digests tell, unless another has its number.
        let response: PushResponse = read_message(body)?;
        // What waits is sent in any case when all of these went.
        self.summary.forked += replica.take_resent(&response)?;
        // What fits, and was held up by a member of its group that does not, goes once more without it: that may
        // follow what nobody brings back. Of ours alone: a server could name others for ever.
        for answer in response.answers.iter().filter(|one| one.outcome == Outcome::Retry(0)) {
            let is_ours = outbox::acknowledged(replica.store.conn(), answer.hash)?.is_some();
            if is_ours && !self.was_asked.contains(&answer.hash) {
                self.asked.insert(answer.hash);
            }
        }
        if let Phase::Resend { after } = self.phase {
            replica.note_resent(Some(after))?;
        }
        self.take_known(replica, response.is_pushed_known)
    }

    fn resend(
        &mut self,
        replica: &mut Replica,
        after: i64,
    ) -> Result<Option<Request>, ReplicaError> {
        match replica.next_resend(after)? {
            Some(batch) => {
                self.phase = Phase::Resend { after: batch.last_id };
                self.awaited = Awaited::Resend;
                Ok(Some(Request { path: "/v1/push", body: pack(&batch.request)? }))
            }
            None => {
                replica.note_resent(None)?;
                self.phase = Phase::Push { after: 0 };
                Ok(None)
            }
        }
    }

    fn receive_frames(
        &mut self,
        replica: &mut Replica,
        body: &mut dyn Read,
        is_fetch: bool,
    ) -> Result<(), ReplicaError> {
        let mut reader = FrameReader::new(body)?;
        let mut frames: Vec<PullFrame> = Vec::new();
        let (mut bytes, mut bytes_all) = (0, 0);
        loop {
            let frame = match reader.read::<PullFrame>() {
                Ok(frame) => frame,
                Err(error) => {
                    // What arrived whole counts, although the rest did not.
                    self.drop_unfinished(&mut frames);
                    self.take(replica, &frames, is_fetch)?;
                    return Err(error.into());
                }
            };
            // What follows a text may be its next piece: what is written anew must know all of it.
            let is_much = frames.len() >= FRAMES_PER_TRANSACTION || bytes >= TRANSACTION_BYTES_MAX;
            if is_much && !frames.last().is_some_and(|last| is_same_text(last, &frame)) {
                self.take(replica, &frames, is_fetch)?;
                frames.clear();
                bytes = 0;
            }
            if let PullFrame::Hello(hello) = &frame {
                if !self.take_hello(replica, hello, is_fetch)? {
                    return Ok(());
                }
            } else if self.hello.is_none() && !is_fetch {
                return Err(ReplicaError::Protocol("an answer without a hello".to_owned()));
            }
            bytes += reader.frame_bytes();
            bytes_all += reader.frame_bytes() as u64;
            if bytes_all > self.answer_bytes_max() {
                return Err(ReplicaError::Protocol("an answer never ends".to_owned()));
            }
            let is_end = matches!(frame, PullFrame::End(_));
            frames.push(frame);
            if is_end {
                let end = self.take(replica, &frames, is_fetch)?;
                return self.after_frames(replica, end, is_fetch);
            }
        }
    }

    /// Takes note of whether the server still has what it acknowledged before; once, or a server could have
    /// everything sent for ever.
    fn take_known(
        &mut self,
        replica: &mut Replica,
        is_known: Option<bool>,
    ) -> Result<(), ReplicaError> {
        if is_known == Some(false) && !self.summary.is_server_restored {
            self.begin_again(replica)?;
        }
        Ok(())
    }

    /// The server was restored: keep everything, send back what it lacks, begin again.
    fn begin_again(&mut self, replica: &mut Replica) -> Result<(), ReplicaError> {
        self.summary.is_server_restored = true;
        replica.reset_cursor()?;
        self.phase = Phase::Resend { after: 0 };
        Ok(())
    }

    /// Returns whether the answer may be read on.
    fn take_hello(
        &mut self,
        replica: &mut Replica,
        hello: &Hello,
        is_fetch: bool,
    ) -> Result<bool, ReplicaError> {
        if hello.version != PROTOCOL_VERSION {
            let version = hello.version;
            return Err(ReplicaError::Protocol(format!("version {version} needs a newer app")));
        }
        if !is_fetch && !hello.is_cursor_known {
            self.begin_again(replica)?;
            return Ok(false);
        }
        if let Some(told) = hello.recovery.filter(|told| told.is_closed && !is_fetch) {
            self.recovery = (told.number > replica.recovered()?).then_some(told.number);
        }
        self.summary.expected += hello.expected;
        self.seen.note(&self.summary);
        self.hello = Some(hello.clone());
        Ok(true)
    }

    fn take(
        &mut self,
        replica: &mut Replica,
        frames: &[PullFrame],
        is_fetch: bool,
    ) -> Result<Option<End>, ReplicaError> {
        if frames.is_empty() {
            return Ok(None);
        }
        let effect = if is_fetch {
            replica.take_frames_and(frames, true, &self.lost)?
        } else {
            replica.take_frames(frames, false)?
        };
        for frame in frames {
            if let PullFrame::Document(document) = frame {
                let name = DocumentName { record: document.record, part: document.part.clone() };
                if !effect.needs_whole.contains(&name) {
                    self.lost.remove(&name);
                    self.missed.remove(&name);
                }
            }
        }
        self.lost.extend(effect.parted);
        self.summary.recovered += effect.recovered;
        self.summary.left += effect.left;
        self.summary.erased += effect.erased.0;
        self.summary.erased_values += effect.erased.1;
        replica.sweep_erased()?;
        if is_fetch {
            self.summary.repaired += effect.documents;
        } else {
            self.summary.pulled += effect.documents;
            self.seen.note(&self.summary);
        }
        self.fetch_too(effect.needs_whole)?;
        Ok(effect.end)
    }

    /// Notes documents that must be fetched whole.
    fn fetch_too(&mut self, names: Vec<DocumentName>) -> Result<(), ReplicaError> {
        if self.to_fetch.len() + names.len() > FETCHED_MAX {
            return Err(ReplicaError::Protocol(
                "more is to be fetched than there can be".to_owned(),
            ));
        }
        self.to_fetch.extend(names);
        Ok(())
    }

    /// Takes out a lost text with which an answer breaks off: more of it may have been on its way, and what is
    /// written anew must know all of it.
    fn drop_unfinished(&self, frames: &mut Vec<PullFrame>) {
        let Some(last @ PullFrame::Document(document)) = frames.last() else { return };
        let name = DocumentName { record: document.record, part: document.part.clone() };
        if name.part.is_flat() || !self.lost.contains(&name) {
            return;
        }
        let kept = frames.iter().rposition(|frame| !is_same_text(frame, last));
        let kept = kept.map_or(0, |at| at + 1);
        frames.truncate(kept);
    }

    /// Bytes that an answer may have, before compression or behind it.
    fn answer_bytes_max(&self) -> u64 {
        self.budget_bytes.saturating_add(OVER_BUDGET_BYTES_MAX)
    }
}

/// Whether two frames are pieces of one long text.
fn is_same_text(one: &PullFrame, other: &PullFrame) -> bool {
    let (PullFrame::Document(one), PullFrame::Document(other)) = (one, other) else { return false };
    !one.part.is_flat() && (one.record, &one.part) == (other.record, &other.part)
}
