//! Many runs, in numbers.

use std::{
    collections::BTreeMap,
    num::NonZero,
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use serde::Serialize;

use crate::world::{Outcome, Settings, run};

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
    /// The first seed.
    pub seed: u64,
    /// A digest of all that happened.
    pub trace: String,
}

impl Report {
    /// Whether all that must hold held.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.diverged == 0 && self.leaked == 0 && self.lost == 0 && self.stuck == 0
    }

    fn add(&mut self, outcome: &Outcome, hash: &mut u64) {
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
        *hash = hash.rotate_left(5) ^ outcome.trace;
        self.trace = format!("{hash:016x}");
    }
}

/// Makes `runs` runs from `seed` on, as many at once as the machine has cores; `each` sees the
/// outcome of every one, in the order of their seeds.
pub fn run_many(seed: u64, runs: u64, settings: &Settings, each: impl FnMut(&Outcome)) -> Report {
    run_each(seed, runs, |seed| run(seed, settings), each)
}

/// The same, of runs of any kind.
pub(crate) fn run_each(
    seed: u64,
    runs: u64,
    run: impl Fn(u64) -> Outcome + Sync,
    mut each: impl FnMut(&Outcome),
) -> Report {
    let mut report = Report { seed, ..Report::default() };
    let mut hash = 0;
    let next = AtomicU64::new(0);
    let (sender, receiver) = mpsc::channel();
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..workers {
            let (sender, next, run) = (sender.clone(), &next, &run);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= runs {
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
    });
    report
}
