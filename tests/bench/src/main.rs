//! Measures device and server beside a floor: plain SQLite doing the same rows, with the same
//! columns, indexes and transactions, alternating with it in the same run.
//!
//! ```text
//! cargo run --release -p outrider-bench -- [names] [--records N] [--quick] [--json]
//! ```
//!
//! * [`figure`]: what comes out. * [`measure`]: clocks, medians, alternation.
//! * [`input`]: the records, the same in every run. * [`floor`]: plain SQLite.
//! * [`office`]: a server without a network, and devices of it. * [`http`]: the real server.
//! * [`runs`]: what is measured.

mod figure;
mod measure;

mod input;

mod floor;

mod office;

mod http;

mod runs;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use crate::{
    figure::{Figure, print_json, print_table},
    runs::{Setting, World},
};

/// What goes wrong is shown to whoever runs it; nothing here recovers.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Records of a run unless told otherwise.
const RECORDS: usize = 10_000;
/// Records of a quick run.
const RECORDS_QUICK: usize = 2_000;
/// How often each side is measured.
const REPETITIONS: usize = 5;
/// How often each side is measured in a quick run.
const REPETITIONS_QUICK: usize = 3;

/// Measures Outrider beside plain SQLite.
#[derive(Debug, Parser)]
#[command(name = "outrider-bench")]
struct Args {
    /// What to measure; everything if none is named
    #[arg(value_enum)]
    names: Vec<Name>,
    /// Records of the world that is measured
    #[arg(long)]
    records: Option<usize>,
    /// Fewer records and repetitions: to see that it works
    #[arg(long)]
    quick: bool,
    /// One line of JSON for each figure
    #[arg(long)]
    json: bool,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Name {
    /// New records, 1,000 in a transaction
    Import,
    /// A CSV file of customers, and the same file again
    ImportFile,
    /// Records into files, and our own files taken back
    Export,
    /// One field of one record, in a transaction of its own
    Edit,
    /// Everything from the server into a new device
    FirstSync,
    /// Changes that the server takes
    Accept,
    /// What policy and signatures add to a push
    Access,
    /// A customer with its family that is given to somebody else
    Handover,
    /// A device that comes back when nothing happened
    NothingNew,
    /// Who may be the same: while somebody types, and in the whole store
    Likeness,
    /// Bytes on disk and on the wire
    Size,
    /// What people type, among all records
    Search,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(figures) => {
            if !args.json {
                print_table(&figures);
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("outrider-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Outcome<Vec<Figure>> {
    let (records, repetitions) =
        if args.quick { (RECORDS_QUICK, REPETITIONS_QUICK) } else { (RECORDS, REPETITIONS) };
    let setting = Setting { records: args.records.unwrap_or(records).max(1), repetitions };
    let names = if args.names.is_empty() { Name::value_variants() } else { &args.names };
    let mut world = World::new(setting)?;
    let mut figures = Vec::new();
    for name in names {
        let mut found = match name {
            Name::Import => runs::import::run(&setting),
            Name::ImportFile => runs::import_file::run(&setting),
            Name::Export => runs::export::run(&setting),
            Name::Edit => runs::edit::run(world.synced()?),
            Name::FirstSync => runs::first_sync::run(world.synced()?),
            Name::Accept => runs::accept::run(world.synced()?),
            Name::Access => runs::access::run(world.synced()?),
            Name::Handover => runs::handover::run(&setting),
            Name::NothingNew => runs::nothing_new::run(world.synced()?),
            Name::Likeness => runs::likeness::run(world.synced()?),
            Name::Size => runs::size::run(world.synced()?),
            Name::Search => runs::search::run(&setting),
        }?;
        if args.json {
            print_json(&found)?;
        }
        figures.append(&mut found);
    }
    let peak = Figure::new("peak_memory", setting.records, measure::peak_memory_mb(), "MB");
    if args.json {
        print_json(std::slice::from_ref(&peak))?;
    }
    figures.push(peak);
    Ok(figures)
}
