//! All paths, all operations, all modes.

use std::{
    collections::BTreeMap,
    fs,
    num::NonZero,
    path::Path,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use outrider_disk::{Mode, Operation, disk::Done};
use serde::Serialize;
use tempfile::TempDir;

use super::{
    case::{Case, Judged, Kind, Prepared, place},
    paths::{self, StoragePath},
    town::Town,
};
use crate::Failure;

/// How much is walked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultSettings {
    /// The town's seed, and that of the sectors that a power cut leaves.
    pub seed: u64,
    /// Names of paths; all if empty.
    pub paths: Vec<String>,
    /// Every how many operations one fails.
    pub every: u64,
    /// The first operation that fails; all if none.
    pub min_index: Option<u64>,
    /// The last operation that fails; all if none.
    pub max_index: Option<u64>,
    /// About how many operations of each path fail, in place of `every`.
    pub points: Option<u64>,
    /// Where operations of one kind on one file follow one another, the first two of them fail, the last
    /// two, and of the others every so many one.
    pub within_runs: Option<u64>,
    /// Only this mode.
    pub mode: Option<Mode>,
    /// Only this operation.
    pub at: Option<u64>,
    /// Only lasting faults, or only those that happen once.
    pub is_lasting: Option<bool>,
}

impl FaultSettings {
    /// Everything.
    #[must_use]
    pub fn all(seed: u64) -> Self {
        Self {
            seed,
            paths: Vec::new(),
            every: 1,
            min_index: None,
            max_index: None,
            points: None,
            within_runs: None,
            mode: None,
            at: None,
            is_lasting: None,
        }
    }
}

/// A case in which a promise was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The path.
    pub path: &'static str,
    /// How its disk failed.
    pub mode: Mode,
    /// At which operation, and what it was.
    pub at: u64,
    /// What that operation was.
    pub operation: String,
    /// Whether it went on failing.
    pub is_lasting: bool,
    /// What was broken.
    pub what: Vec<String>,
}

/// What came of it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Swept {
    /// Paths that were walked.
    pub paths: u64,
    /// Operations at which the disk failed.
    pub points: u64,
    /// Walks on a disk that failed.
    pub cases: u64,
    /// Operations that failed.
    pub faults: u64,
    /// Cases in which something acknowledged was gone.
    pub lost: u64,
    /// Cases in which something stored could not be read, or did not fit together.
    pub corrupt: u64,
    /// Cases that panicked.
    pub panics: u64,
    /// Cases with a success that was none, half a change, or an error that misleads.
    pub wrong: u64,
    /// Cases in which the disk had said to have synced, and then lost it: not ours to prevent.
    pub lied: u64,
    /// Cases that left what an earlier case had left, byte for byte of every row: of those one was gone on
    /// with.
    pub known: u64,
    /// The seed.
    pub seed: u64,
    /// What was told when something failed, and how often.
    #[serde(skip)]
    pub errors: BTreeMap<String, u64>,
}

impl Swept {
    /// Whether all that must hold held.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.lost == 0 && self.corrupt == 0 && self.panics == 0 && self.wrong == 0
    }

    fn add(&mut self, judged: &Judged) {
        self.cases += 1;
        self.faults += judged.faults;
        self.lied += u64::from(judged.is_lied);
        self.known += u64::from(judged.is_known);
        let count = |kind: Kind| u64::from(judged.found.iter().any(|(found, _)| *found == kind));
        self.lost += count(Kind::Lost);
        self.corrupt += count(Kind::Corrupt);
        self.panics += count(Kind::Panic);
        self.wrong += count(Kind::Wrong);
        if let Some(error) = &judged.error {
            *self.errors.entry(error.clone()).or_default() += 1;
        }
    }
}

/// How far a path was walked.
#[derive(Debug, Clone, Copy)]
pub struct Walked {
    /// The path.
    pub path: &'static str,
    /// What it asks of the disk when nothing fails.
    pub operations: usize,
    /// How often it is walked.
    pub cases: usize,
    /// How often it was; 0 when it begins.
    pub done: usize,
}

/// The names of all paths.
#[must_use]
pub fn path_names() -> Vec<&'static str> {
    paths::all().map(|path| path.name).collect()
}

/// Walks them. `tell` hears of each path and of each case that is over, `each` of those in which a
/// promise was broken.
///
/// # Errors
///
/// Fails when a town cannot be built or a path does not end well undisturbed.
pub fn sweep(
    settings: &FaultSettings,
    tell: &mut dyn FnMut(Walked),
    each: &mut dyn FnMut(&Found),
) -> Result<Swept, Failure> {
    let folder = tempfile::Builder::new().prefix("outrider-faults").tempdir()?;
    let base = Town::build(folder.path().join("base"), settings.seed)?;
    let mut swept = Swept { seed: settings.seed, ..Swept::default() };
    for path in paths::all() {
        if settings.paths.is_empty() || settings.paths.iter().any(|name| name == path.name) {
            walk(settings, path, &base, &folder, &mut swept, (&mut *tell, &mut *each))?;
        }
    }
    Ok(swept)
}

type Told<'t> = (&'t mut dyn FnMut(Walked), &'t mut dyn FnMut(&Found));

fn walk(
    settings: &FaultSettings,
    path: &'static StoragePath,
    base: &Town,
    folder: &TempDir,
    swept: &mut Swept,
    (tell, each): Told<'_>,
) -> Result<(), Failure> {
    let home = folder.path().join(path.name);
    let prepared = Prepared::new(path, base, &home)?;
    let (cases, points) = cases_of(settings, &prepared.operations);
    let walked = Walked {
        path: path.name,
        operations: prepared.operations.len(),
        cases: cases.len(),
        done: 0,
    };
    tell(walked);
    swept.paths += 1;
    swept.points += points;
    for (case, judged) in run_all(&prepared, &cases, settings.seed, &home, &mut |done| {
        tell(Walked { done, ..walked })
    }) {
        swept.add(&judged);
        if !judged.found.is_empty() {
            let operation = usize::try_from(case.at)
                .ok()
                .and_then(|at| prepared.operations.get(at.checked_sub(1)?));
            each(&Found {
                path: path.name,
                mode: case.mode,
                at: case.at,
                operation: operation.map_or_else(
                    || "the end".to_owned(),
                    |done| format!("{:?} {}", done.operation, done.file),
                ),
                is_lasting: case.is_lasting,
                what: judged.found.iter().map(|(kind, what)| format!("{kind:?}: {what}")).collect(),
            });
        }
    }
    Ok(fs::remove_dir_all(&home)?)
}

/// The cases of a path, and how many operations they are about.
fn cases_of(settings: &FaultSettings, operations: &[Done]) -> (Vec<Case>, u64) {
    let numbered = (1..).zip(operations.iter().map(|done| Some(done.operation)));
    // The power fails when it is all over, too.
    let end = operations.len() as u64 + 1;
    let numbered = numbered.chain([(end, None)]);
    let wanted = settings.min_index.unwrap_or(0)..=settings.max_index.unwrap_or(u64::MAX);
    let every = settings.points.map_or(settings.every, |points| end / points.max(1)).max(1);
    let edges = to_edges(operations);
    let is_within = |at: u64| {
        let edge = usize::try_from(at).ok().and_then(|at| edges.get(at.checked_sub(1)?));
        let every = settings.within_runs.filter(|_| edge.is_some_and(|edge| *edge > 1));
        every.is_some_and(|every| !at.is_multiple_of(every.max(1)))
    };
    let is_wanted = |at: u64| match settings.at {
        Some(only) => at == only,
        None => wanted.contains(&at) && (at.is_multiple_of(every) || at == end) && !is_within(at),
    };
    let mut points = 0;
    let mut cases = Vec::new();
    for (at, operation) in numbered.filter(|(at, _)| is_wanted(*at)) {
        points += 1;
        for mode in
            Mode::ALL.into_iter().filter(|mode| settings.mode.is_none_or(|only| only == *mode))
        {
            if operation.map_or(mode == Mode::Power, |operation| is_worth_it(mode, operation)) {
                let lasting = [false, true].into_iter();
                let lasting =
                    lasting.filter(|one| settings.is_lasting.is_none_or(|only| only == *one));
                cases.extend(lasting.map(|is_lasting| Case { mode, at, is_lasting }));
            }
        }
    }
    (cases, points)
}

/// How far each operation is from the first or last one of its run: of those of its kind on its file that
/// follow one another.
fn to_edges(operations: &[Done]) -> Vec<usize> {
    let runs = operations.chunk_by(PartialEq::eq);
    runs.flat_map(|run| (0..run.len()).map(|at| at.min(run.len() - 1 - at))).collect()
}

/// A power cut before an operation that changes nothing is one before the next that does.
fn is_worth_it(mode: Mode, operation: Operation) -> bool {
    let changes = matches!(
        operation,
        Operation::Write | Operation::Truncate | Operation::Sync | Operation::Delete
    );
    mode.fits(operation) && (mode != Mode::Power || changes)
}

/// Runs cases, as many at once as the machine has cores; in order of the cases. `tell` hears how
/// many are over.
fn run_all(
    prepared: &Prepared,
    cases: &[Case],
    seed: u64,
    home: &Path,
    tell: &mut dyn FnMut(usize),
) -> Vec<(Case, Judged)> {
    let next = &AtomicUsize::new(0);
    let (judging, judged) = mpsc::channel();
    let mut done = BTreeMap::new();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            let judging = judging.clone();
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(number) else { break };
                    let place = place(home, number);
                    let judged = prepared.run_or_say(*case, seed, &place);
                    let _ = fs::remove_dir_all(&place);
                    if judging.send((number, judged)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(judging);
        for (number, judged) in judged {
            done.insert(number, judged);
            tell(done.len());
        }
    });
    cases.iter().copied().zip(done.into_values()).collect()
}
