//! `erasure` and `disclose`: erasing a person and telling a person's data from the command line,
//! whether the server runs or not. Whoever may read the data folder may do it.

use std::{
    error::Error,
    io::{self, Write as _},
};

use clap::{Args, Subcommand};
use outrider_core::{
    ids::RecordId,
    time::{Clock as _, SystemClock},
};
use serde_json::{Value as Json, json};

use crate::{
    access::policy_of,
    command::open,
    config::StorageConfig,
    keys::ServerKey,
    office::{self, Asker, SYSTEM_USER},
    storage::Storage as _,
};

/// What `erasure` can be told.
#[derive(Debug, Clone, Args)]
pub struct ErasureArgs {
    #[command(subcommand)]
    command: ErasureCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum ErasureCommand {
    /// Say what would go and where else the person may be named; with --yes erase for good
    Erase {
        #[command(flatten)]
        storage: StorageConfig,
        /// The person's record
        record: RecordId,
        /// Erase it; nobody can take it back
        #[arg(long)]
        yes: bool,
    },
    /// Print who confirmed an erasure and what is outstanding, signed by the server
    Certificate {
        #[command(flatten)]
        storage: StorageConfig,
        /// The erased record
        record: RecordId,
    },
}

/// What `disclose` can be told.
#[derive(Debug, Clone, Args)]
pub struct DiscloseArgs {
    /// Where the data is.
    #[command(flatten)]
    pub storage: StorageConfig,
    /// The person's record
    pub record: RecordId,
}

/// Erases, or prints a certificate.
///
/// # Errors
///
/// Fails when the data cannot be opened or the record cannot be erased.
pub fn run(args: &ErasureArgs) -> Result<(), Box<dyn Error>> {
    let now_ms = SystemClock.now_ms();
    match &args.command {
        ErasureCommand::Erase { storage, record, yes } => {
            let opened = open(storage)?;
            let read = opened.read()?;
            let policy = policy_of(&*read)?;
            let found = office::namings(&*read, &[*record])?;
            drop(read);
            let naming: Vec<_> = found.saying().collect();
            if !*yes {
                return say(&json!({ "erased": false, "may_still_name": naming }));
            }
            let author = office::author_for(&opened, SYSTEM_USER, None, now_ms)?;
            let erased = office::erase(&opened, &policy, &author, *record, now_ms)?;
            let records: Vec<_> = erased
                .erasures
                .iter()
                .map(|one| json!({ "record": one.record, "number": one.number, "counts": one.counts }))
                .collect();
            say(&json!({
                "erased": true,
                "records": records,
                "is_overwritten": erased.is_swept,
                "may_still_name": naming,
            }))
        }
        ErasureCommand::Certificate { storage, record } => {
            let opened = open(storage)?;
            let found = office::certificate(&*opened.read()?, *record, now_ms)?;
            let certificate =
                found.ok_or_else(|| format!("record {record} was not erased at this server"))?;
            let key = ServerKey::load_or_create(&storage.data)?;
            say(&json!(certificate.sign(&key)))
        }
    }
}

/// Prints everything that is known of a person.
///
/// # Errors
///
/// Fails when the data cannot be opened, or the record is no person.
pub fn disclose(args: &DiscloseArgs) -> Result<(), Box<dyn Error>> {
    let opened = open(&args.storage)?;
    let now_ms = SystemClock.now_ms();
    say(&office::disclose(&opened, args.record, Asker::default(), now_ms)?)
}

fn say(json: &Json) -> Result<(), Box<dyn Error>> {
    let mut stdout = io::stdout();
    serde_json::to_writer_pretty(&mut stdout, json)?;
    writeln!(stdout)?;
    Ok(())
}
