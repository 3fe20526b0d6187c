//! The command line.

use std::{process::ExitCode, time::Instant};

use clap::{Args, Parser, Subcommand};

use outrider_core::bundle::Structure;

use crate::{
    Outcome, Report,
    access::{ask_many, run_many_phones},
    output,
    report::run_many,
    world::{Settings, replay},
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
    /// Lives through a bundle that a device wrote for support
    Replay(ReplayArgs),
    /// Lets records, people and roles change hands under phones, and looks at what each holds
    Reassign(SyncArgs),
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
    file: std::path::PathBuf,
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
        Command::Replay(args) => relive(&args),
        Command::Reassign(args) => simulate(&args, "reassign", |each| {
            run_many_phones(args.seed, args.runs, args.steps, args.trace, each)
        }),
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
