//! Many runs, in numbers.

use std::{
    collections::BTreeMap,
    num::NonZero,
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::{
    plan::{Check, Outcome, Settings},
    world::run,
};

/// How many runs are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// So many.
    Runs(u64),
    /// As many as begin within this time.
    Time(Duration),
}

/// What came of many runs.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Runs that were made.
    pub runs: u64,
    /// Sessions that were begun.
    pub sessions: u64,
    /// Requests that were sent.
    pub requests: u64,
    /// Things that went wrong on purpose.
    pub faults: u64,
    /// The same, by kind.
    pub faults_by: BTreeMap<&'static str, u64>,
    /// Ways in which replicas did not agree.
    pub diverged: usize,
    /// What devices held that their users may not see.
    pub leaked: usize,
    /// Edits that could not be accounted for.
    pub lost: usize,
    /// What did not come to rest.
    pub stuck: usize,
    /// Edits that people made.
    pub edits: u64,
    /// How often a server was restored from a backup.
    pub restores: u64,
    /// Hours that passed, by the clocks of all devices together.
    pub device_hours: u64,
    /// How much each check found.
    pub checks: BTreeMap<&'static str, u64>,
    /// What is known not to hold yet, and how often it did not.
    pub excused: BTreeMap<&'static str, u64>,
    /// Runs that came out otherwise when they were made again; none were if that was not asked for.
    pub unrepeatable: u64,
    /// Sessions in a second.
    pub sessions_per_second: f64,
    /// Faults in a second.
    pub faults_per_second: f64,
    /// The first seed.
    pub seed: u64,
    /// A digest of all that happened.
    pub trace: String,
}

impl Report {
    /// Whether all that must hold held.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let Self { diverged, leaked, lost, stuck, .. } = self;
        [diverged, leaked, lost, stuck].into_iter().all(|count| *count == 0)
            && self.unrepeatable == 0
    }

    /// How much came about in a second.
    pub(crate) fn note_time(&mut self, took: Duration) {
        let per_second = |count: u64| count as f64 / took.as_secs_f64().max(0.001);
        self.sessions_per_second = per_second(self.sessions).round();
        self.faults_per_second = per_second(self.faults).round();
    }

    fn add(&mut self, outcome: &Outcome, hash: &mut u64) {
        self.unrepeatable += u64::from(outcome.is_unrepeatable);
        self.runs += 1;
        self.sessions += outcome.sessions;
        self.requests += outcome.requests;
        self.faults += outcome.faults;
        self.diverged += outcome.diverged.len();
        self.leaked += outcome.leaked.len();
        self.lost += outcome.lost.len();
        self.stuck += outcome.stuck.len();
        self.edits += outcome.edits;
        self.restores += outcome.restores;
        self.device_hours += outcome.device_hours;
        for check in Check::ALL {
            let found = outcome.found.get(&check).copied().unwrap_or_default();
            *self.checks.entry(check.name()).or_default() += found;
        }
        for (excuse, count) in &outcome.excused {
            *self.excused.entry(excuse).or_default() += count;
        }
        for (fault, count) in &outcome.faults_by {
            *self.faults_by.entry(fault).or_default() += count;
        }
        *hash = hash.rotate_left(5) ^ outcome.trace;
        self.trace = format!("{hash:016x}");
    }
}

/// Makes runs from `seed` on, as many at once as the machine has cores; `each` sees the outcome of
/// every one, in the order of their seeds.
pub fn run_many(
    seed: u64,
    bound: Bound,
    settings: &Settings,
    each: impl FnMut(&Outcome),
) -> Report {
    run_each(seed, bound, |seed| run(seed, settings), each)
}

/// The same, of runs of any kind.
pub(crate) fn run_each(
    seed: u64,
    bound: Bound,
    run: impl Fn(u64) -> Outcome + Sync,
    mut each: impl FnMut(&Outcome),
) -> Report {
    let begun = Instant::now();
    let mut report = Report { seed, ..Report::default() };
    let mut hash = 0;
    let next = AtomicU64::new(0);
    let (sender, receiver) = mpsc::channel();
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    let is_over = |number: u64| match bound {
        Bound::Runs(runs) => number >= runs,
        Bound::Time(time) => begun.elapsed() >= time,
    };
    thread::scope(|scope| {
        for _ in 0..workers {
            let (sender, next, run, is_over) = (sender.clone(), &next, &run, &is_over);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if is_over(number) {
                        break;
                    }
                    let outcome = run(seed.wrapping_add(number));
                    if sender.send((number, outcome)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut early: BTreeMap<u64, Outcome> = BTreeMap::new();
        for (number, outcome) in receiver {
            early.insert(number, outcome);
            while let Some(outcome) = early.remove(&report.runs) {
                report.add(&outcome, &mut hash);
                each(&outcome);
            }
        }
        // Of the last ones of a bound time one may be missing: what came after it counts too.
        for outcome in early.into_values() {
            report.add(&outcome, &mut hash);
            each(&outcome);
        }
    });
    report.note_time(begun.elapsed());
    report
}
