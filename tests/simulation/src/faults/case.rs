//! One case: a path on a disk that fails at one place in one way, and what must hold afterwards.

use std::{
    any::Any,
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use outrider_core::{
    replica::DATABASE_FILE,
    schema::Schema,
    store::{outbox, rows},
};
use outrider_disk::{Disk, Keep, Mode, Plan, disk::Done};
use outrider_sync_server::{ledger::LEDGER_FILE, storage::sqlite::verify};

use super::{
    dump::{Dump, damage, fingerprint},
    paths::{Begins, Side, Steps, StoragePath},
    town::{COLLEAGUE, EDITOR, Facts, NEWCOMER, Town},
};
use crate::Failure;

/// Words that a failing disk must not be told with: they send people after the wrong thing.
const MISLEADING: [&str; 6] =
    ["damaged", "no device's store", "encrypted", "belongs to", "newer", "malformed"];

/// Tables from which everything else is made anew.
const TRUTH: [&str; 12] = [
    "document",
    "own_change",
    "inbox",
    "provenance",
    "change",
    "device",
    "account",
    "audit",
    "erasure",
    "review",
    "rules",
    "feed",
];

/// How the names of files begin that are kept on purpose, with the time.
const KEPT: [&str; 2] = ["outrider.db.torn-", "replaced-"];

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// What was acknowledged is gone.
    Lost,
    /// What is stored cannot be read, or does not fit together.
    Corrupt,
    /// It panicked.
    Panic,
    /// A success that was none, a half of a change, an error that misleads, something that stays.
    Wrong,
}

/// Which operation goes wrong, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) mode: Mode,
    pub(super) at: u64,
    pub(super) is_lasting: bool,
}

/// What came of one case.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) faults: u64,
    pub(super) found: Vec<(Kind, String)>,
    /// What the path said when it failed.
    pub(super) error: Option<String>,
    /// Whether the disk lost what it had said to have: a sync that lied.
    pub(super) is_lied: bool,
    /// Whether another case had left the same, and all went well after that.
    pub(super) is_known: bool,
}

impl Judged {
    fn add(&mut self, kind: Kind, what: impl Into<String>) {
        self.found.push((kind, what.into()));
    }
}

/// A path that is ready to be walked, and what it comes to when nothing fails.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) path: &'static StoragePath,
    home: PathBuf,
    facts: Facts,
    pub(super) operations: Vec<Done>,
    before: Dump,
    after: Dump,
    answer: String,
    files: BTreeSet<String>,
    /// What was left by cases after which all went well: others that leave the same go on as they did.
    ends: Mutex<BTreeSet<u64>>,
}

impl Prepared {
    /// Prepares a path in `home`, and walks it twice undisturbed.
    pub(super) fn new(
        path: &'static StoragePath,
        base: &Town,
        home: &Path,
    ) -> Result<Self, Failure> {
        let mut town = base.copy_to(home.join("prepared"))?;
        (path.prepare)(&mut town)?;
        town.close();
        let Town { home: from, facts, .. } = town;
        let walk = |to: &str, looks| {
            let town = Town::copied_by_need(&from, &facts, home.join(to))?;
            undisturbed(path, town, looks)
        };
        let (operations, ..) = walk("first", false)?;
        let (again, before, after, answer, files) = walk("second", true)?;
        if path.steps != Steps::Drawn && again.len() != operations.len() {
            return Err(format!(
                "{}: {} operations, then {}",
                path.name,
                operations.len(),
                again.len()
            )
            .into());
        }
        let ends = Mutex::default();
        Ok(Self { path, home: from, facts, operations, before, after, answer, files, ends })
    }

    /// Runs one case in `home`; what ends it before it can be judged is found too.
    pub(super) fn run_or_say(&self, case: Case, seed: u64, home: &Path) -> Judged {
        self.run(case, seed, home).unwrap_or_else(|error| {
            let mut judged = Judged::default();
            judged.add(Kind::Corrupt, format!("it cannot be judged: {}", chain(&*error)));
            judged
        })
    }

    fn run(&self, case: Case, seed: u64, home: &Path) -> Result<Judged, Failure> {
        let mut town = Town::copied_by_need(&self.home, &self.facts, home.to_owned())?;
        let folder = self.path.side.folder(&town);
        town.bring(&folder)?;
        let database = folder.join(DATABASE_FILE);
        let disk = Disk::over(&folder)?;
        open_subject(self.path, &mut town)?;
        let mut judged = Judged::default();
        let Case { mode, at, is_lasting } = case;
        disk.begin(Some(Plan { mode, at, is_lasting }));
        let acted = self.act(&mut town, &mut judged);
        judged.faults = disk.faults();
        let sectors = Keep::Sectors(seed.wrapping_mul(1_000_003).wrapping_add(at));
        let state = match (mode, is_lasting) {
            (Mode::Power | Mode::SyncLies, _) => {
                let keep = if is_lasting { sectors } else { Keep::Nothing };
                cut(&disk, &mut town, keep)?;
                Dump::read(&database)
            }
            (_, true) => {
                town.close();
                disk.heal();
                Dump::read(&database)
            }
            (_, false) => {
                disk.heal();
                let state = Dump::read(&database);
                self.go_on(&acted, &disk, &mut town, sectors, &mut judged)?;
                state
            }
        };
        let lies = mode == Mode::SyncLies;
        match &state {
            Ok(state) => self.compare(state, acted.is_ok(), lies, &mut judged),
            Err(_) if lies => judged.is_lied = true,
            Err(error) => {
                judged.add(Kind::Corrupt, format!("the database cannot be read: {error}"))
            }
        }
        match damage(&database) {
            Ok(found) if found.is_empty() => {}
            Ok(_) | Err(_) if lies => judged.is_lied = true,
            Ok(found) => judged.add(Kind::Corrupt, found.join("; ")),
            Err(error) => {
                judged.add(Kind::Corrupt, format!("the pages cannot be checked: {error}"))
            }
        }
        // A disk that lied may have lost anything; that it says so is all that can be asked.
        if !judged.is_lied && judged.found.is_empty() {
            let mut town = town.reopened();
            let end = fingerprint(&town.home)?;
            judged.is_known = self.ends().contains(&end);
            if judged.is_known {
                return Ok(judged);
            }
            if let Err(error) = self.go_home(&mut town, &mut judged) {
                judged.add(Kind::Wrong, format!("afterwards: {}", chain(&*error)));
            }
            if judged.found.is_empty() {
                self.ends().insert(end);
            }
        }
        Ok(judged)
    }

    fn ends(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Walks the path; a panic and a misleading error are noted, and so is a wrong answer.
    fn act(&self, town: &mut Town, judged: &mut Judged) -> Result<(), ()> {
        match catch_unwind(AssertUnwindSafe(|| (self.path.act)(town))) {
            Ok(Ok(answer)) => {
                if answer != self.answer && self.path.steps != Steps::Drawn {
                    judged.add(Kind::Wrong, format!("it answers {answer}, not {}", self.answer));
                }
                Ok(())
            }
            Ok(Err(error)) => {
                let text = chain(&*error).replace(&*town.home.to_string_lossy(), "…");
                if let Some(word) = MISLEADING.iter().find(|word| text.contains(**word)) {
                    judged.add(Kind::Wrong, format!("the error says `{word}`: {text}"));
                }
                judged.error = Some(text);
                Err(())
            }
            Err(panic) => {
                judged.add(Kind::Panic, said(&*panic));
                Err(())
            }
        }
    }

    /// The disk works again and the process goes on: what failed succeeds, and survives the power.
    fn go_on(
        &self,
        acted: &Result<(), ()>,
        disk: &Disk,
        town: &mut Town,
        keep: Keep,
        judged: &mut Judged,
    ) -> Result<(), Failure> {
        if acted.is_err()
            && let Err(error) = (self.path.act)(town)
        {
            judged.add(Kind::Wrong, format!("again in the same process: {}", chain(&*error)));
        }
        let database = self.path.side.folder(town).join(DATABASE_FILE);
        let live = Dump::read(&database)?;
        cut(disk, town, keep)?;
        match Dump::read(&database) {
            Ok(left) if left == live => {}
            Ok(left) => judged.add(
                Kind::Lost,
                format!("the power failed later, and took: {}", left.difference(&live).join(", ")),
            ),
            Err(error) => judged.add(Kind::Corrupt, format!("after the power failed: {error}")),
        }
        Ok(())
    }

    /// What must be found, and may not.
    fn compare(&self, state: &Dump, is_ok: bool, lies: bool, judged: &mut Judged) {
        let of: Option<&[&str]> = self.path.leaves_rows.then_some(&TRUTH);
        let missing = state.missing(&self.before, &self.after, of);
        if !missing.is_empty() {
            if lies {
                judged.is_lied = true;
            } else {
                judged.add(Kind::Lost, format!("of what was there before: {}", missing.join(", ")));
            }
        }
        let is_after = *state == self.after;
        match self.path.steps {
            Steps::One | Steps::Several if is_ok && !is_after && lies => judged.is_lied = true,
            Steps::One | Steps::Several if is_ok && !is_after => judged.add(
                Kind::Lost,
                format!("it succeeded, and: {}", state.difference(&self.after).join(", ")),
            ),
            Steps::One if !is_ok && !is_after && *state != self.before => judged.add(
                Kind::Wrong,
                format!("a part of it happened: {}", state.difference(&self.before).join(", ")),
            ),
            Steps::One | Steps::Several | Steps::Drawn => {}
        }
    }

    /// A new process opens everything, does it again, and all come to the same.
    fn go_home(&self, town: &mut Town, judged: &mut Judged) -> Result<(), Failure> {
        open_subject_always(self.path, town)
            .map_err(|error| format!("it does not open: {}", chain(&*error)))?;
        if let Side::Phone(at) = self.path.side {
            let replica = town.replica(at)?;
            let found = replica.dump_rows()?;
            replica.rebuild_rows()?;
            if found != replica.dump_rows()? {
                judged.add(Kind::Corrupt, "rows are not what documents say");
            }
        }
        (self.path.act)(town).map_err(|error| format!("doing it again: {}", chain(&*error)))?;
        let known = |at: &usize| town.facts.known.get(*at).is_some_and(Option::is_some);
        let mut phones: BTreeSet<usize> = [EDITOR, COLLEAGUE].into_iter().filter(known).collect();
        if self.path.side == Side::Phone(NEWCOMER) {
            phones.insert(NEWCOMER);
        }
        town.facts.withheld = None;
        town.settle(&phones)?;
        self.converge(town, &phones, judged)?;
        town.close();
        let data = town.data();
        let found =
            verify::verify(&data, Some(data.join(LEDGER_FILE).as_path()), &mut |_, _, _| ())?;
        if found.problem_count > 0 {
            judged.add(Kind::Corrupt, format!("the server: {:?}", found.problems));
        }
        let left = names(&self.path.side.folder(town))?;
        let is_kept = |name: &&String| KEPT.iter().any(|begin| name.starts_with(begin));
        let strange: Vec<_> =
            left.difference(&self.files).filter(|name| !is_kept(name)).cloned().collect();
        if !strange.is_empty() {
            judged.add(Kind::Wrong, format!("files that stay: {}", strange.join(", ")));
        }
        Ok(())
    }

    fn converge(
        &self,
        town: &mut Town,
        phones: &BTreeSet<usize>,
        judged: &mut Judged,
    ) -> Result<(), Failure> {
        let mut all = Vec::new();
        if self.path.is_seen_by_all {
            town.storage()?;
            let conn = rusqlite::Connection::open(town.data().join(DATABASE_FILE))?;
            all.push(("the server".to_owned(), rows::dump(&conn, Schema::current())?));
        }
        for at in phones {
            let replica = town.replica(*at)?;
            if outbox::count_waiting(replica.store().conn())? > 0 {
                judged.add(Kind::Wrong, format!("phone {at} has changes that wait for ever"));
            }
            all.push((format!("phone {at}"), replica.dump_rows()?));
        }
        for pair in all.windows(2) {
            if let [(one, here), (other, there)] = pair
                && here != there
            {
                judged.add(Kind::Wrong, format!("{one} and {other} do not agree"));
            }
        }
        Ok(())
    }
}

/// The power fails: nothing that happens from now on reaches the disk.
fn cut(disk: &Disk, town: &mut Town, keep: Keep) -> Result<(), Failure> {
    disk.begin(Some(Plan { mode: Mode::Power, at: 1, is_lasting: true }));
    town.close();
    disk.heal();
    Ok(disk.cut_power(keep)?)
}

type Walked = (Vec<Done>, Dump, Dump, String, BTreeSet<String>);

/// Walks a path on a disk that works.
fn undisturbed(path: &'static StoragePath, mut town: Town, looks: bool) -> Result<Walked, Failure> {
    let folder = path.side.folder(&town);
    town.bring(&folder)?;
    let database = folder.join(DATABASE_FILE);
    let disk = Disk::over(&folder)?;
    open_subject(path, &mut town)?;
    let before = if looks { Dump::read(&database)? } else { Dump::default() };
    disk.begin(None);
    let answer =
        (path.act)(&mut town).map_err(|error| format!("{}: {}", path.name, chain(&*error)))?;
    let operations = disk.done();
    let after = if looks { Dump::read(&database)? } else { Dump::default() };
    let mut files = names(&folder)?;
    town.close();
    files.extend(names(&folder)?);
    Ok((operations, before, after, answer, files))
}

/// Opens whose disk fails, if the path begins so.
fn open_subject(path: &StoragePath, town: &mut Town) -> Result<(), Failure> {
    match path.begins {
        Begins::Closed => Ok(()),
        Begins::Open => open_subject_always(path, town),
    }
}

fn open_subject_always(path: &StoragePath, town: &mut Town) -> Result<(), Failure> {
    match path.side {
        Side::Phone(at) => town.replica(at).map(drop),
        Side::Server => town.storage().map(drop),
    }
}

/// Names of files in a folder.
fn names(folder: &Path) -> Result<BTreeSet<String>, Failure> {
    let entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    Ok(entries.into_iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

/// An error with its causes.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text = [text.as_str(), ": ", &more].concat();
        }
        cause = next.source();
    }
    text
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}

/// A place for a case.
pub(super) fn place(home: &Path, number: usize) -> PathBuf {
    home.join(format!("case-{number}"))
}
