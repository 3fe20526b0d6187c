//! The command line.

use std::{process::ExitCode, time::Instant};

use clap::{Args, Parser, Subcommand};

use outrider_disk::Mode;

use crate::{
    FaultSettings, Outcome, Report,
    access::{ask_many, run_many_phones},
    output, path_names,
    report::run_many,
    sweep,
    world::Settings,
};

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
    Sync(SyncArgs),
    /// Asks server and a separate model who may do what, and looks for words that leaked
    Access(AccessArgs),
    /// Lets records, people and roles change hands under phones, and looks at what each holds
    Reassign(SyncArgs),
    /// Fails the disk below SQLite at every operation of every storage path, in every way
    Faults(FaultsArgs),
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
struct SyncArgs {
    /// Seed of the first run; the next ones follow it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many runs to make
    #[arg(long, default_value_t = 20)]
    runs: u64,
    /// How many devices each run has [default: 2 to 5, by dice]
    #[arg(long)]
    devices: Option<usize>,
    /// How many steps each run has before the network heals
    #[arg(long, default_value_t = Settings::default().steps)]
    steps: usize,
    /// Write one line of JSON instead of a report for people
    #[arg(long)]
    json: bool,
    /// Write the events of runs that fail (with one run: of that run) to standard error
    #[arg(long)]
    trace: bool,
}

/// Does what the arguments say; fails when a promise was broken.
#[must_use]
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Sync(args) => sync(&args),
        Command::Access(args) => ask(&args),
        Command::Reassign(args) => simulate(&args, "reassign", |each| {
            run_many_phones(args.seed, args.runs, args.steps, args.trace, each)
        }),
        Command::Faults(args) => fail_disks(&args),
    }
}

fn fail_disks(args: &FaultsArgs) -> ExitCode {
    let FaultsArgs { seed, paths, every, max_index, points, mode, at, lasting, .. } = args;
    let known = path_names();
    if let Some(name) = paths.iter().find(|name| !known.contains(&name.as_str())) {
        output::show_broken(&format!("there is no path {name}; there are {}", known.join(", ")));
        return ExitCode::FAILURE;
    }
    let settings = FaultSettings {
        seed: *seed,
        paths: paths.clone(),
        every: *every,
        max_index: *max_index,
        points: *points,
        mode: *mode,
        at: *at,
        is_lasting: *lasting,
    };
    let begun = Instant::now();
    let swept =
        sweep(&settings, &mut output::show_path, &mut |found| output::show_found(*seed, found));
    let swept = match swept {
        Ok(swept) => swept,
        Err(error) => {
            output::show_broken(&error.to_string());
            return ExitCode::FAILURE;
        }
    };
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

fn sync(args: &SyncArgs) -> ExitCode {
    let settings = Settings { devices: args.devices, steps: args.steps, keeps_trace: args.trace };
    simulate(args, "sync", |each| run_many(args.seed, args.runs, &settings, each))
}

fn simulate(
    args: &SyncArgs,
    mode: &str,
    run: impl FnOnce(&mut dyn FnMut(&Outcome)) -> Report,
) -> ExitCode {
    let begun = Instant::now();
    let mut done = 0;
    let report = run(&mut |outcome| {
        done += 1;
        if args.trace && (args.runs == 1 || !outcome.is_good()) {
            output::show_trace(outcome);
        }
        if !outcome.is_good() {
            output::show_failure(outcome, &repeat(args, mode, outcome.seed));
        } else if !args.json {
            output::show_progress(done, args.runs);
        }
    });
    if args.json {
        output::show_json(&report);
    } else {
        output::show(&report, begun.elapsed());
    }
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The arguments that repeat one run.
fn repeat(args: &SyncArgs, mode: &str, seed: u64) -> String {
    let devices = args.devices.map_or_else(String::new, |count| format!(" --devices {count}"));
    format!("{mode} --seed {seed} --runs 1 --steps {}{devices} --trace", args.steps)
}
