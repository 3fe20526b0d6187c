//! `audit verify` and `audit prune`, whether the server runs or not.

use std::{
    error::Error,
    fs,
    io::{self, Write as _},
    path::PathBuf,
};

use chrono::NaiveDate;
use clap::{Args, Subcommand};
use outrider_core::{
    sync::head::HeadsFile,
    time::{Clock as _, DAY_MS, SystemClock, TimestampMs},
};
use serde_json::json;

use super::{prune::prune, verify::verify};
use crate::{command::open, config::StorageConfig, keys::ServerKey, storage::Storage as _};

/// Bytes of a file with heads, at most.
const HEADS_BYTES_MAX: u64 = 1024 * 1024;

/// What `audit` can be told.
#[derive(Debug, Clone, Args)]
pub struct AuditArgs {
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum AuditCommand {
    /// Check that nobody changed, took away or put in a line; exit code 1 if somebody did
    Verify {
        #[command(flatten)]
        storage: StorageConfig,
        /// What `outrider audit-head` printed on a device; may be given several times
        #[arg(long, value_name = "FILE")]
        head: Vec<PathBuf>,
    },
    /// Take old lines away; what stays can still be checked
    #[command(group = clap::ArgGroup::new("until").required(true))]
    Prune {
        #[command(flatten)]
        storage: StorageConfig,
        /// Lines from before this day (UTC), such as 2026-01-31
        #[arg(long, value_name = "DATE", group = "until")]
        before: Option<NaiveDate>,
        /// Lines that are older than so many days
        #[arg(long, value_name = "DAYS", group = "until", value_parser = clap::value_parser!(u32).range(1..))]
        keep_days: Option<u32>,
    },
}

/// Checks or prunes; whether all is well.
///
/// # Errors
///
/// Fails when the data or a file cannot be read.
pub fn run(args: &AuditArgs) -> Result<bool, Box<dyn Error>> {
    match &args.command {
        AuditCommand::Verify { storage, head } => check(storage, head, args.json),
        AuditCommand::Prune { storage, before, keep_days } => {
            let now_ms = SystemClock.now_ms();
            let day = |day: &NaiveDate| day.and_time(chrono::NaiveTime::MIN).and_utc();
            let before: TimestampMs = match (before, keep_days) {
                (Some(before), _) => day(before).timestamp_millis(),
                (None, days) => now_ms - i64::from(days.unwrap_or(u32::MAX)) * DAY_MS,
            };
            let key = ServerKey::load_or_create(&storage.data)?;
            let count = prune(&open(storage)?, &key, before.min(now_ms), now_ms)?;
            let text = format!("took {count} lines away");
            say(args.json, &json!({ "removed": count }), &text)?;
            Ok(true)
        }
    }
}

fn check(
    storage: &StorageConfig,
    files: &[PathBuf],
    is_json: bool,
) -> Result<bool, Box<dyn Error>> {
    let mut heads = Vec::new();
    for path in files {
        let wrong = || format!("{} is no file of `outrider audit-head`", path.display());
        if fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?.len()
            > HEADS_BYTES_MAX
        {
            return Err(wrong().into());
        }
        let file: HeadsFile =
            serde_json::from_str(&fs::read_to_string(path)?).map_err(|_| wrong())?;
        heads.extend(file.heads().ok_or_else(wrong)?);
    }
    let opened = open(storage)?;
    let key = ServerKey::load_or_create(&storage.data)?;
    let report = verify(&*opened.read()?, &key.public_key(), &heads)?;
    let mut text = format!(
        "{} lines, {} to {}; {} signed heads, {} of devices{}",
        report.lines,
        report.first,
        report.last,
        report.heads,
        report.device_heads,
        if report.ok { ": all fit" } else { "" },
    );
    for problem in &report.problems {
        text.push_str(&format!("\nBROKEN at line {}: {}", problem.number, problem.code));
    }
    say(is_json, &json!(report), &text)?;
    Ok(report.ok)
}

fn say(is_json: bool, value: &serde_json::Value, text: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    if is_json { writeln!(stdout, "{value}") } else { writeln!(stdout, "{text}") }
}
