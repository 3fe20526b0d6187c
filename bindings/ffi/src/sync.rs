//! Exchange with the office: all of it, or within a budget in the background.
//!
//! What waits here goes first, because it is nowhere else; then what is new comes, in pieces that each count
//! when they are here. A sync that ends early goes on from there.

use std::{
    sync::{Arc, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use outrider_client::{
    ClientError,
    access::{self, Http},
    converse::{self, End, Limits, Stoppable},
};
use outrider_core::{
    keys::NoKeys,
    replica::{self as core, session::Summary},
};

use crate::{
    error::CrmError,
    long::{Cancel, Teller as Tell},
    platform::{Network, PlatformError, Power},
    replica::Replica,
    values::moment,
};

/// How long one enrolment or one claim may take.
const ASK_TIMEOUT: Duration = Duration::from_secs(120);
/// Bytes that a background sync may use on a network that costs, unless its budget says another number.
const METERED_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Between two words about progress.
const TOLD_EVERY: Duration = Duration::from_millis(100);

/// What a background sync may cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, uniffi::Record)]
pub struct SyncBudget {
    /// Milliseconds, until it has ended: what the system gives the app, less what the app needs itself.
    #[uniffi(default = None)]
    pub time_ms: Option<u64>,
    /// Bytes, up and down; on a network that costs 8 MiB if nothing is said.
    #[uniffi(default = None)]
    pub bytes: Option<u64>,
    /// Whether only what waits here is sent.
    #[uniffi(default = false)]
    pub is_push_only: bool,
}

/// How a sync ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum SyncEnd {
    /// Everything is exchanged.
    Complete,
    /// Everything that waited here was sent, as was wished or because the phone saves its power.
    Pushed,
    /// The time was over: go on next time.
    OutOfTime,
    /// The bytes were used up: go on next time.
    OutOfBytes,
    /// There is no network: it was not tried.
    NoNetwork,
}

/// What a sync does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum SyncPhase {
    /// Sending what waits.
    Sending,
    /// Fetching what is new.
    Receiving,
}

/// How far a sync is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct SyncProgress {
    /// What it does.
    pub phase: SyncPhase,
    /// Changes that were sent.
    pub sent: u64,
    /// Documents that arrived.
    pub received: u64,
    /// Documents that the office will send.
    pub expected: u64,
    /// Bytes sent.
    pub bytes_up: u64,
    /// Bytes received.
    pub bytes_down: u64,
    /// Seconds that it still takes at this pace, once that can be told.
    pub seconds_left: Option<u32>,
}

/// What a sync did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct SyncReport {
    /// How it ended.
    pub end: SyncEnd,
    /// Changes that were sent.
    pub sent: u64,
    /// Changes that the office has now.
    pub applied: u64,
    /// Changes that the office refused: see the inbox.
    pub refused: u64,
    /// Changes that still wait.
    pub waiting: u64,
    /// Documents that arrived.
    pub received: u64,
    /// Records that left this device.
    pub left: u64,
    /// Records that were erased by law.
    pub erased: u64,
    /// Documents that differed and were fetched again.
    pub repaired: u64,
    /// Requests.
    pub requests: u64,
    /// Bytes sent.
    pub bytes_up: u64,
    /// Bytes received.
    pub bytes_down: u64,
}

/// Where this device stands with the office.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct SyncState {
    /// Whether a sync runs.
    pub is_running: bool,
    /// How far it is.
    pub progress: Option<SyncProgress>,
    /// When the last one ended well.
    pub last_sync: Option<SystemTime>,
    /// How the last one ended in this process.
    pub last_end: Option<SyncEnd>,
    /// Why the last one failed in this process, if it did.
    pub last_error: Option<String>,
    /// Changes that wait to be sent.
    pub waiting: u64,
    /// Until when this device may go on without its office; for ever if nothing is said.
    pub lease_until: Option<SystemTime>,
}

/// Hears how far a sync is, in a thread of its own; the newest counts.
#[uniffi::export(foreign)]
pub trait SyncListener: Send + Sync {
    /// It is so far.
    ///
    /// # Errors
    ///
    /// Nothing follows from a failure.
    fn on_progress(&self, progress: SyncProgress) -> Result<(), PlatformError>;
}

/// What is known of the syncs of this process.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    running: u32,
    progress: Option<SyncProgress>,
    last_end: Option<SyncEnd>,
    last_error: Option<String>,
}

#[uniffi::export]
impl Replica {
    /// Exchanges everything with the office, because a person wants it now.
    ///
    /// # Errors
    ///
    /// `Offline`: everything is kept, try again. `NotEnrolled`, `WaitsForApproval`, `Barred`, `Wiped`,
    /// `Untrusted`, `Cancelled`.
    #[uniffi::method(default(listener = None, cancel = None))]
    pub fn sync(
        &self,
        listener: Option<Arc<dyn SyncListener>>,
        cancel: Option<Arc<Cancel>>,
    ) -> Result<SyncReport, CrmError> {
        self.exchange(Limits::default(), listener, cancel.as_deref())
    }

    /// Exchanges within a budget, in the background (`WorkManager`, `BGTaskScheduler`): it ends in time, sends
    /// what waits first, and goes on next time where it stopped. Without a network nothing is tried; while
    /// the phone saves its power only what waits is sent; a network that costs gets few bytes.
    ///
    /// # Errors
    ///
    /// As [`sync`](Self::sync).
    #[uniffi::method(default(listener = None, cancel = None))]
    pub fn sync_for(
        &self,
        budget: SyncBudget,
        listener: Option<Arc<dyn SyncListener>>,
        cancel: Option<Arc<Cancel>>,
    ) -> Result<SyncReport, CrmError> {
        let begun = Instant::now();
        let SyncBudget { time_ms, bytes, is_push_only } = budget;
        let bytes_max = match (self.platform.network(), bytes) {
            (Network::Offline, _) => {
                let report = report_of(&Summary::default(), SyncEnd::NoNetwork);
                self.note(|standing| standing.last_end = Some(SyncEnd::NoNetwork));
                let waiting = self.with(|replica| Ok(replica.status()?.waiting))?;
                return Ok(SyncReport { waiting, ..report });
            }
            (Network::Metered, bytes) => Some(bytes.unwrap_or(METERED_BYTES_MAX)),
            (Network::Unmetered, bytes) => bytes,
        };
        let is_push_only = is_push_only || self.platform.power() == Power::Saver;
        let deadline =
            time_ms.and_then(|time_ms| begun.checked_add(Duration::from_millis(time_ms)));
        let limits = Limits { deadline, bytes_max, is_push_only, ..Limits::default() };
        self.exchange(limits, listener, cancel.as_deref())
    }

    /// Where this device stands with the office.
    ///
    /// # Errors
    ///
    /// `Closed`, `Damaged`.
    pub fn sync_state(&self) -> Result<SyncState, CrmError> {
        let (status, lease) = self.with(|replica| Ok((replica.status()?, replica.lease()?)))?;
        let standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let lease = lease.filter(|lease| lease.lease_ms > 0);
        Ok(SyncState {
            is_running: standing.running > 0,
            progress: standing.progress,
            last_sync: status.last_sync.map(moment),
            last_end: standing.last_end,
            last_error: standing.last_error.clone(),
            waiting: status.waiting,
            lease_until: lease.map(|lease| moment(lease.contact_ms.saturating_add(lease.lease_ms))),
        })
    }
}

impl Replica {
    fn note(&self, change: impl FnOnce(&mut Standing)) {
        change(&mut self.standing.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn exchange(
        &self,
        limits: Limits,
        listener: Option<Arc<dyn SyncListener>>,
        cancel: Option<&Cancel>,
    ) -> Result<SyncReport, CrmError> {
        let run = self.running.begin(cancel);
        let limits = Limits { stop: run.stop.clone(), ..limits };
        let told =
            Tell::to(listener.map(|listener| {
                move |progress: SyncProgress| drop(listener.on_progress(progress))
            }));
        let mut replica = self.open_beside()?;
        self.note(|standing| standing.running += 1);
        let mut pace = Pace::default();
        let observe = &mut |summary: &Summary, bytes: u64| {
            if let Some(progress) = pace.progress(summary, bytes, Instant::now()) {
                self.note(|standing| standing.progress = Some(progress));
                told.tell(progress);
            }
        };
        let (summary, done) = converse::run(&self.platform.http(), &mut replica, &limits, observe);
        drop(replica);
        let done = self.ended(&summary, done);
        self.note(|standing| {
            standing.running -= 1;
            standing.progress = None;
            standing.last_end = done.as_ref().ok().map(|report| report.end);
            standing.last_error = done.as_ref().err().map(CrmError::to_string);
        });
        done
    }

    fn ended(
        &self,
        summary: &Summary,
        done: Result<End, ClientError>,
    ) -> Result<SyncReport, CrmError> {
        let end = match done {
            Ok(End::Complete) => SyncEnd::Complete,
            Ok(End::Pushed) => SyncEnd::Pushed,
            Ok(End::OutOfTime) => SyncEnd::OutOfTime,
            Ok(End::OutOfBytes) => SyncEnd::OutOfBytes,
            Ok(End::Stopped) => return Err(self.teller().cancelled()),
            Err(ClientError::Wiped) => return Err(self.carry_out_wipe()),
            Err(error) => return Err(self.teller().client(error)),
        };
        let waiting = self.with(|replica| Ok(replica.status()?.waiting))?;
        Ok(SyncReport { waiting, ..report_of(summary, end) })
    }

    /// The office ordered it, and it has what waited: everything goes.
    fn carry_out_wipe(&self) -> CrmError {
        let locked = self.lock();
        let keys = self.keys().map(|keys| keys.unwrap_or_else(|| Arc::new(NoKeys)));
        let wiped = locked.and(keys).and_then(|keys| {
            let wiped = access::carry_out_wipe(&self.platform.http(), self.folder(), keys.as_ref());
            wiped.map_err(|error| self.teller().client(error))
        });
        match wiped {
            // Without a connection the office learns it at the next start.
            Ok(_) | Err(CrmError::Offline { .. }) => self.teller().client(ClientError::Wiped),
            Err(failed) => failed,
        }
    }

    /// Asks the office something short, which can be cancelled.
    pub(crate) fn ask_office<T>(
        &self,
        cancel: Option<&Cancel>,
        ask: impl FnOnce(&Http, &mut core::Replica) -> Result<T, ClientError>,
    ) -> Result<T, CrmError> {
        let run = self.running.begin(cancel);
        let deadline = Instant::now().checked_add(ASK_TIMEOUT);
        let http = Stoppable::over(&self.platform.http(), run.stop.clone(), deadline);
        let mut replica = self.open_beside()?;
        let asked = ask(&http, &mut replica);
        asked.map_err(|error| {
            if run.stop.is_stopped() {
                self.teller().cancelled()
            } else {
                self.teller().client(error)
            }
        })
    }
}

fn report_of(summary: &Summary, end: SyncEnd) -> SyncReport {
    SyncReport {
        end,
        sent: summary.pushed,
        applied: summary.applied,
        refused: summary.refused,
        waiting: summary.waiting,
        received: summary.pulled,
        left: summary.left,
        erased: summary.erased,
        repaired: summary.repaired,
        requests: summary.requests,
        bytes_up: summary.bytes_up,
        bytes_down: summary.bytes_down,
    }
}

/// How fast documents arrive.
#[derive(Debug, Default)]
struct Pace {
    /// When the first were expected, and how many had arrived.
    begun: Option<(Instant, u64)>,
    told: Option<Instant>,
}

impl Pace {
    /// The progress of now, unless there was a word about it a moment ago.
    fn progress(&mut self, summary: &Summary, bytes: u64, now: Instant) -> Option<SyncProgress> {
        if self.told.is_some_and(|told| now.saturating_duration_since(told) < TOLD_EVERY) {
            return None;
        }
        self.told = Some(now);
        let (received, expected) = (summary.pulled, summary.expected);
        let is_receiving = expected > 0 || received > 0 || (bytes > 0 && summary.requests > 1);
        if self.begun.is_none() && expected > 0 {
            self.begun = Some((now, received));
        }
        let seconds_left = self.begun.and_then(|(begun, first)| {
            let (took, came) =
                (now.saturating_duration_since(begun), received.saturating_sub(first));
            if came == 0 {
                return None;
            }
            let left = expected.saturating_sub(received) as f64 / came as f64 * took.as_secs_f64();
            // Beyond a day nobody waits for it.
            (left < 86_400.0).then_some(left.ceil() as u32)
        });
        Some(SyncProgress {
            phase: if is_receiving { SyncPhase::Receiving } else { SyncPhase::Sending },
            sent: summary.pushed,
            received,
            expected,
            bytes_up: summary.bytes_up,
            bytes_down: summary.bytes_down.saturating_add(bytes),
            seconds_left,
        })
    }
}
