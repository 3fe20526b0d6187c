//! The command line.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Args, Parser, Subcommand, builder::RangedU64ValueParser};

use outrider_core::bundle::Structure;
use outrider_disk::Mode;

use crate::{
    Bound, Event, FaultSettings, Kind, Outcome, Report, Settings, Steps,
    access::{ask_many, run_many_phones},
    kill::{KillOrder, Victims, run_kills},
    model::{Reach, run_model},
    output, path_names,
    report::{run_each, run_many},
    shrink::{Limits, shrink},
    sweep,
    world::{replay, run},
};

/// Failing runs that are made smaller, at most: the others mostly fail for the same reason.
const SHRUNK_MAX: usize = 2;
/// Runs that are tried to make a failing one smaller, at most.
const TRIES_MAX: usize = 250;
/// Runs unless another bound is named.
const RUNS: u64 = 20;
/// Steps of a run of phones in a town, unless another number is named.
const STEPS_OF_PHONES: usize = 400;

/// Devices and server in one process, on a virtual clock and a hostile virtual network.
#[derive(Debug, Parser)]
#[command(name = "outrider-sim", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Syncs devices with a server over a network that fails, and looks for what got lost
    Sync(WorldArgs),
    /// Puts servers and phones back to what they were, with much going on in between
    Restore(WorldArgs),
    /// Asks server and a separate model who may do what, and looks for words that leaked
    Access(AccessArgs),
    /// Lives through a bundle that a device wrote for support
    Replay(ReplayArgs),
    /// Lets records, people and roles change hands under phones, and looks at what each holds
    Reassign(RunArgs),
    /// Tries everything that can happen within bounds, and plays a sample of it on the real code
    Model(ModelArgs),
    /// Fails the disk below SQLite at every operation of every storage path, in every way
    Faults(FaultsArgs),
    /// Kills real processes of server and devices, and looks at what is left
    Kill(KillArgs),
}

#[derive(Debug, Args)]
struct ModelArgs {
    /// How many devices there are: 2 to 4
    #[arg(long, default_value_t = 3, value_parser = RangedU64ValueParser::<usize>::new().range(2..=4))]
    devices: usize,
    /// How many operations the widest search has: edits and accidents together
    #[arg(long, default_value_t = 6)]
    operations: u8,
    /// How many drawn traces are replayed beside those that cover everything
    #[arg(long, default_value_t = 60)]
    replay: u64,
    /// What those traces are drawn with
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Go farther than a minute allows
    #[arg(long)]
    long: bool,
    /// Write one line of JSON instead of a report for people
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct FaultsArgs {
    /// Seed of the office and of what a power cut leaves
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only these paths, with commas between them
    #[arg(long, value_delimiter = ',')]
    paths: Vec<String>,
    /// Fail every so many operations one
    #[arg(long, default_value_t = 1)]
    every: u64,
    /// Fail about so many operations of each path, in place of every so many
    #[arg(long)]
    points: Option<u64>,
    /// Where operations of one kind on one file follow one another, fail the first two of them, the last
    /// two, and of the others every so many one
    #[arg(long, value_name = "N")]
    within_runs: Option<u64>,
    /// The first operation of a path that fails
    #[arg(long)]
    min_index: Option<u64>,
    /// The last operation of a path that fails
    #[arg(long)]
    max_index: Option<u64>,
    /// Only this way of failing: error, full, short, sync-fails, sync-lies, power
    #[arg(long, value_parser = mode_of)]
    mode: Option<Mode>,
    /// Only this operation
    #[arg(long)]
    at: Option<u64>,
    /// Only faults that last until the disk is healed, or only those that do not
    #[arg(long)]
    lasting: Option<bool>,
    /// Write one line of JSON instead of a report for people
    #[arg(long)]
    json: bool,
    /// Write what was told when something failed, and how often, to standard error
    #[arg(long)]
    errors: bool,
}

fn mode_of(name: &str) -> Result<Mode, String> {
    Mode::named(name).ok_or_else(|| {
        let names: Vec<&str> = Mode::ALL.into_iter().map(Mode::name).collect();
        format!("there are {}", names.join(", "))
    })
}

#[derive(Debug, Args)]
struct AccessArgs {
    /// How many questions to ask
    #[arg(long, default_value_t = 20_000)]
    questions: u64,
    /// Seed of the first world; the next ones follow it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write one line of JSON instead of a report for people
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ReplayArgs {
    /// The bundle
    file: PathBuf,
    /// Seed of what is made up
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write one line of JSON instead of a report for people
    #[arg(long)]
    json: bool,
    /// Write the events to standard error
    #[arg(long)]
    trace: bool,
}

#[derive(Debug, Args)]
struct KillArgs {
    /// Where chance begins; moments of real processes cannot be repeated
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many rounds: in each the server is killed once, and two devices are
    #[arg(long, default_value_t = 50)]
    rounds: u64,
    /// Kill the server alone
    #[arg(long, conflicts_with = "device")]
    server: bool,
    /// Kill devices alone
    #[arg(long)]
    device: bool,
    /// Leave out the points that ordinary work does not reach
    #[arg(long)]
    no_points: bool,
    /// How often a point in a loop is tried: at the first step, the second, and so on
    #[arg(long, default_value_t = 20)]
    times: usize,
    /// The program `outrider`, built without `--release`, which has no points [default: beside this
    /// program]
    #[arg(long, value_name = "PATH")]
    outrider: Option<PathBuf>,
    /// Write one line of JSON instead of a report for people
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Seed of the first run; the next ones follow it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many runs to make [default: 20]
    #[arg(long, conflicts_with = "minutes")]
    runs: Option<u64>,
    /// Make runs for so many minutes
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    minutes: Option<u64>,
    /// How many devices each run has [default: 2 to 5, by dice]
    #[arg(long)]
    devices: Option<usize>,
    /// How many steps each run has before the network heals [default: of its kind]
    #[arg(long)]
    steps: Option<usize>,
    /// Write one line of JSON instead of a report for people
    #[arg(long)]
    json: bool,
    /// Write the events of runs that fail (with one run: of that run) to standard error
    #[arg(long)]
    trace: bool,
}

#[derive(Debug, Args)]
struct WorldArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Make these steps only, as 1-20,33,40-41
    #[arg(long)]
    only: Option<Steps>,
    /// Events that do not happen, by name, with commas between
    #[arg(long, value_delimiter = ',', value_parser = event)]
    without: Vec<Event>,
    /// Make every run twice, and compare what happened
    #[arg(long)]
    twice: bool,
    /// Seconds for making a failing run smaller; 0 leaves it as it is
    #[arg(long, default_value_t = 60)]
    shrink_seconds: u64,
}

fn event(name: &str) -> Result<Event, String> {
    Event::from_name(name).ok_or_else(|| {
        let all: Vec<&str> = Event::all().map(Event::name).collect();
        format!("there is no such event; there are {}", all.join(", "))
    })
}

impl RunArgs {
    fn bound(&self) -> Bound {
        match self.minutes {
            Some(minutes) => Bound::Time(Duration::from_secs(minutes * 60)),
            None => Bound::Runs(self.runs.unwrap_or(RUNS)),
        }
    }
}

impl WorldArgs {
    fn settings(&self, kind: Kind) -> Settings {
        let usual = Settings::of(kind);
        Settings {
            devices: self.run.devices,
            steps: self.run.steps.unwrap_or(usual.steps),
            only: self.only.clone(),
            without: self.without.iter().copied().collect(),
            keeps_trace: self.run.trace,
            ..usual
        }
    }
}

/// Does what the arguments say; fails when a promise was broken.
#[must_use]
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Sync(args) => simulate(&args, Kind::Sync, "sync"),
        Command::Restore(args) => simulate(&args, Kind::Restore, "restore"),
        Command::Access(args) => ask(&args),
        Command::Reassign(args) => reassign(&args),
        Command::Model(args) => model(&args),
        Command::Faults(args) => fail_disks(&args),
        Command::Kill(args) => kill(args),
        Command::Replay(args) => relive(&args),
    }
}

fn fail_disks(args: &FaultsArgs) -> ExitCode {
    let FaultsArgs { seed, paths, every, points, within_runs, .. } = args;
    let FaultsArgs { min_index, max_index, mode, at, lasting, .. } = args;
    let known = path_names();
    if let Some(name) = paths.iter().find(|name| !known.contains(&name.as_str())) {
        output::show_broken(&format!("there is no path {name}; there are {}", known.join(", ")));
        return ExitCode::FAILURE;
    }
    let settings = FaultSettings {
        seed: *seed,
        paths: paths.clone(),
        every: *every,
        min_index: *min_index,
        max_index: *max_index,
        points: *points,
        within_runs: *within_runs,
        mode: *mode,
        at: *at,
        is_lasting: *lasting,
    };
    let begun = Instant::now();
    let swept =
        sweep(&settings, &mut output::show_walk(), &mut |found| output::show_found(*seed, found));
    let swept = match swept {
        Ok(swept) => swept,
        Err(error) => {
            output::show_broken(&error.to_string());
            return ExitCode::FAILURE;
        }
    };
    if swept.cases == 0 {
        output::show_broken(
            "no operation is within these bounds; leave out --min-index, --max-index or --at",
        );
        return ExitCode::FAILURE;
    }
    if args.errors {
        output::show_errors(&swept);
    }
    output::show_swept(&swept, begun.elapsed(), args.json);
    if swept.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn ask(args: &AccessArgs) -> ExitCode {
    let asked = ask_many(args.seed, args.questions, |seed, asked| {
        if !asked.is_good() {
            output::show_differences(seed, asked);
        }
    });
    output::show_asked(&asked, args.json);
    if asked.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn relive(args: &ReplayArgs) -> ExitCode {
    let structure = match Structure::read(&args.file) {
        Ok(structure) => structure,
        Err(error) => {
            output::show_error(&error);
            return ExitCode::FAILURE;
        }
    };
    let replayed = replay(&structure, args.seed, args.trace);
    if args.trace {
        output::show_trace(&replayed.outcome);
    }
    output::show_replayed(&replayed, args.json);
    if replayed.outcome.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn kill(args: KillArgs) -> ExitCode {
    let beside = std::env::current_exe().unwrap_or_default().with_file_name("outrider");
    let victims = match (args.server, args.device) {
        (true, _) => Victims::Server,
        (_, true) => Victims::Devices,
        (false, false) => Victims::Both,
    };
    let order = KillOrder {
        outrider: args.outrider.unwrap_or(beside),
        seed: args.seed,
        rounds: args.rounds,
        victims,
        with_points: !args.no_points,
        times_max: args.times,
    };
    match run_kills(&order, &mut output::show_words) {
        Ok(killed) => {
            output::show_killed(&killed, args.json);
            if killed.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            output::show_words(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn simulate(args: &WorldArgs, kind: Kind, mode: &str) -> ExitCode {
    let settings = args.settings(kind);
    let mut shrunk = 0;
    let mut after_failure = |outcome: &Outcome| {
        if shrunk >= SHRUNK_MAX || args.shrink_seconds == 0 || outcome.is_unrepeatable {
            return;
        }
        shrunk += 1;
        let quiet = Settings { keeps_trace: false, ..settings.clone() };
        let time = Duration::from_secs(args.shrink_seconds);
        let limits = Limits { tries: TRIES_MAX, time };
        let smaller = shrink(&quiet, outcome, limits, &|tried| run(outcome.seed, tried));
        if let Some(smaller) = smaller {
            output::show_shrunk(&smaller, &repeat(mode, outcome.seed, &smaller.settings));
        }
    };
    let shown = |seed| repeat(mode, seed, &settings);
    work(&args.run, shown, &mut after_failure, |each| {
        let (seed, bound) = (args.run.seed, args.run.bound());
        if !args.twice {
            return run_many(seed, bound, &settings, each);
        }
        run_each(
            seed,
            bound,
            |seed| {
                let (first, second) = (run(seed, &settings), run(seed, &settings));
                Outcome { is_unrepeatable: first != second, ..first }
            },
            each,
        )
    })
}

fn model(args: &ModelArgs) -> ExitCode {
    let reach = if args.long { Reach::Long } else { Reach::Short };
    let size = (args.devices, args.operations);
    let tell = &mut |words: &str| {
        if !args.json {
            output::show_line(words);
        }
    };
    let report = run_model(reach, size, args.replay, args.seed, tell);
    output::show_model(&report, args.json);
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn reassign(args: &RunArgs) -> ExitCode {
    let steps = args.steps.unwrap_or(STEPS_OF_PHONES);
    let shown = |seed| format!("reassign --seed {seed} --runs 1 --steps {steps} --trace");
    work(args, shown, &mut |_| (), |each| {
        run_many_phones(args.seed, args.bound(), steps, args.trace, each)
    })
}

/// Makes runs, shows how far they are and what failed, and the report.
fn work(
    args: &RunArgs,
    repeat: impl Fn(u64) -> String,
    after_failure: &mut dyn FnMut(&Outcome),
    run: impl FnOnce(&mut dyn FnMut(&Outcome)) -> Report,
) -> ExitCode {
    let begun = Instant::now();
    let mut progress = output::Progress::new(begun);
    let report = run(&mut |outcome| {
        if args.trace && (args.runs == Some(1) || !outcome.is_good()) {
            output::show_trace(outcome);
        }
        if !outcome.is_good() {
            output::show_failure(outcome, &repeat(outcome.seed));
            after_failure(outcome);
        }
        progress.add(outcome);
    });
    progress.end();
    if args.json {
        output::show_json(&report);
    } else {
        output::show(&report, begun.elapsed());
    }
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The arguments that repeat one run.
fn repeat(mode: &str, seed: u64, settings: &Settings) -> String {
    let Settings { kind: _, devices, steps, only, without, keeps_trace: _, sabotage: _ } = settings;
    let mut words = format!("{mode} --seed {seed} --runs 1 --steps {steps}");
    if let Some(devices) = devices {
        words.push_str(&format!(" --devices {devices}"));
    }
    if let Some(only) = only {
        words.push_str(&format!(" --only {only}"));
    }
    if !without.is_empty() {
        let names: BTreeSet<&str> = without.iter().map(|event| event.name()).collect();
        let names: Vec<&str> = names.into_iter().collect();
        words.push_str(&format!(" --without {}", names.join(",")));
    }
    words.push_str(" --trace");
    words
}
