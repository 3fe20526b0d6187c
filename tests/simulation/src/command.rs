//! The command line.

use std::{
    collections::BTreeSet,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Args, Parser, Subcommand};

use crate::{
    Bound, Event, Kind, Outcome, Report, Settings, Steps,
    access::{ask_many, run_many_phones},
    output,
    report::{run_each, run_many},
    shrink::{Limits, shrink},
    world::run,
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
    /// Lets records, people and roles change hands under phones, and looks at what each holds
    Reassign(RunArgs),
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
    }
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
