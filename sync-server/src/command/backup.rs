//! The commands about backups: `backup-key`, `backup`, `restore`, `verify`.

use std::{
    error::Error,
    fs::File,
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::Args;
use outrider_core::time::{Clock as _, SystemClock, to_rfc3339};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::{DataArgs, DataPlace, say};
use crate::{
    backup::{
        BackupOrder, KeySource, PERSON_KEYS_DAYS, RestoreOrder, check_file, create,
        create_key_file, open_into, open_persons_of, parse_recipient, read_identities, restore,
    },
    ledger::LEDGER_FILE,
    storage::sqlite::{
        snapshot::{BACKUPS_KEPT, bring_up_to_date, note_backup},
        verify::{Findings, verify},
    },
    tenants,
};

/// Between two lines that tell how far the work is.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// What `backup-key` can be told.
#[derive(Debug, Clone, Args)]
pub struct KeyArgs {
    /// New file for the private key; keep it away from the server and its backups
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What `backup` can be told.
#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    /// Whose data.
    #[command(flatten)]
    pub data: DataArgs,
    /// Folder of the backups; best on another machine
    #[arg(long, env = "OUTRIDER_BACKUPS", value_name = "FOLDER")]
    pub to: PathBuf,
    /// Public key to encrypt to; more than one may be given, each private key opens the backup
    #[arg(
        long,
        env = "OUTRIDER_BACKUP_RECIPIENT",
        value_name = "KEY",
        value_delimiter = ',',
        required = true
    )]
    pub recipient: Vec<String>,
    /// Days after which copies of the persons' keys are removed from the folder: as long as an
    /// erased person may still be in backups
    #[arg(
        long,
        env = "OUTRIDER_PERSON_KEYS_DAYS",
        value_name = "DAYS",
        default_value_t = PERSON_KEYS_DAYS
    )]
    pub person_keys_days: u32,
    /// How many of the newest backups are kept, any of which may be put back one day: devices keep what
    /// they wrote until it is in all of them
    #[arg(
        long,
        env = "OUTRIDER_BACKUPS_KEPT",
        value_name = "COUNT",
        default_value_t = BACKUPS_KEPT,
        value_parser = clap::value_parser!(u32).range(1..=1_000)
    )]
    pub kept: u32,
    /// Make one of the first company and one of each tenant
    #[arg(long, conflicts_with = "tenant")]
    pub all: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What `restore` can be told.
#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    /// Whose data.
    #[command(flatten)]
    pub data: DataArgs,
    /// The backup
    #[arg(value_name = "BACKUP")]
    pub backup: PathBuf,
    /// File with the private key
    #[arg(long, value_name = "FILE")]
    pub identity: PathBuf,
    /// Copy of the persons' keys (….keys.age); the newest one beside the backup unless given, or the
    /// keys beside the ledger
    #[arg(long, value_name = "FILE")]
    pub person_keys: Option<PathBuf>,
    /// Go on without persons whose keys are lost: their records are left out
    #[arg(long)]
    pub without_persons: bool,
    /// Replace the data that is there; it is kept aside
    #[arg(long)]
    pub replace: bool,
    /// Go on although the ledger is lost or left out: who was enrolled or shut out after the backup
    /// is forgotten
    #[arg(long)]
    pub without_ledger: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What `verify` can be told.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// Whose data.
    #[command(flatten)]
    pub data: DataArgs,
    /// Check a backup instead of a data folder
    #[arg(value_name = "BACKUP")]
    pub backup: Option<PathBuf>,
    /// File with the private key; without it only the backup's file is checked, not what is in it
    #[arg(long, value_name = "FILE", requires = "backup")]
    pub identity: Option<PathBuf>,
    /// Copy of the persons' keys (….keys.age); the newest one beside the backup unless given
    #[arg(long, value_name = "FILE", requires = "backup")]
    pub person_keys: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Makes a pair of keys and prints the public half.
///
/// # Errors
///
/// Fails when the file is there, or cannot be written.
pub fn make_key(args: &KeyArgs) -> Result<(), Box<dyn Error>> {
    let recipient = create_key_file(&args.out)?.to_string();
    let file = args.out.display();
    let words = format!(
        "{recipient}\nis the public key: `backup` takes it. {file} is the private one: without it no \
         backup can be read"
    );
    say(args.json, &json!({ "public_key": recipient, "private_key_file": args.out }), &words)
}

/// Makes a backup, or one of each company.
///
/// # Errors
///
/// Fails when one cannot be made.
pub fn make_backup(args: &BackupArgs) -> Result<(), Box<dyn Error>> {
    let recipients = args.recipient.iter().map(|text| parse_recipient(text));
    let recipients = recipients.collect::<Result<Vec<_>, _>>()?;
    let first = args.data.place()?;
    let name = args.data.tenant.as_ref().map_or(String::new(), ToString::to_string);
    let mut folders = vec![(name, first.clone())];
    if args.all {
        let others = tenants::list(&first.data)?.into_iter();
        folders.extend(others.map(|tenant| {
            let ledger = tenants::ledger_of(first.ledger.as_deref(), &tenant.name);
            (tenant.name.to_string(), DataPlace { data: tenant.folder, ledger })
        }));
    }
    let mut made = Vec::new();
    for (tenant, place) in &folders {
        let order = BackupOrder {
            data: &place.data,
            ledger: place.ledger.as_deref(),
            person_keys_days: args.person_keys_days,
            to: &args.to,
            recipients: &recipients,
            tenant,
            now_ms: SystemClock.now_ms(),
        };
        let backup = create(&order, &mut telling(args.json))?;
        let manifest = &backup.sealed.manifest;
        note_backup(&place.data, manifest.position, manifest.created_at, args.kept)?;
        let words = format!(
            "{}\nof position {}, {} bytes of data in {} bytes; {} persons, whose keys are in\n{}",
            backup.path.display(),
            manifest.position,
            manifest.database_bytes,
            backup.sealed.file_bytes,
            manifest.persons,
            backup.person_keys.display()
        );
        let mut known = serde_json::to_value(&backup.sealed)?;
        if let Some(known) = known.as_object_mut() {
            known.insert("file".to_owned(), json!(backup.path));
            known.insert("person_keys_file".to_owned(), json!(backup.person_keys));
            known.insert("person_keys_removed".to_owned(), json!(backup.expired));
        }
        if args.all {
            made.push(known);
        } else {
            say(args.json, &known, &words)?;
            continue;
        }
        if !args.json {
            say(false, &Json::Null, &words)?;
        }
    }
    if args.all && args.json {
        say(true, &Json::Array(made), "")?;
    }
    Ok(())
}

/// Puts a backup back.
///
/// # Errors
///
/// Fails when it cannot be read, or must not replace what is there.
pub fn put_back(args: &RestoreArgs) -> Result<(), Box<dyn Error>> {
    let place = args.data.place()?;
    let identities = read_identities(&args.identity)?;
    let order = RestoreOrder {
        backup: &args.backup,
        identities: &identities,
        data: &place.data,
        ledger: place.ledger.as_deref(),
        person_keys: args.person_keys.as_deref(),
        without_persons: args.without_persons,
        replace: args.replace,
        without_ledger: args.without_ledger,
        now_ms: SystemClock.now_ms(),
    };
    let restored = restore(&order, &mut telling(args.json))?;
    let manifest = &restored.manifest;
    let mut words = format!(
        "restored {} as it was {} (position {}); the ledger brought {} devices back. Devices send \
         what they hold when they sync next",
        place.data.display(),
        to_rfc3339(manifest.created_at),
        manifest.position,
        restored.devices_from_ledger
    );
    if restored.persons_lost > 0 {
        words.push_str(&format!(
            ". {} persons are left out, because their keys are gone",
            restored.persons_lost
        ));
    }
    if let Some(aside) = &restored.aside {
        words.push_str(&format!(". What was there before is in {}", aside.display()));
    }
    let known = json!({
        "position": manifest.position,
        "created_at": manifest.created_at,
        "tenant": manifest.tenant,
        "devices_from_ledger": restored.devices_from_ledger,
        "persons_lost": restored.persons_lost,
        "aside": restored.aside,
    });
    say(args.json, &known, &words)
}

/// Checks a data folder or a backup; whether nothing was found.
///
/// # Errors
///
/// Fails when there is nothing that could be checked.
pub fn check(args: &VerifyArgs) -> Result<bool, Box<dyn Error>> {
    let mut tell = telling(args.json);
    let findings = match (&args.backup, &args.identity) {
        (None, _) => {
            let place = args.data.place()?;
            place.must_have_data()?;
            let ledger = place.ledger.clone().unwrap_or_else(|| place.data.join(LEDGER_FILE));
            verify(&place.data, Some(&ledger), &mut tell)?
        }
        (Some(backup), Some(identity)) => {
            let identities = read_identities(identity)?;
            let folder = TempDir::new()?;
            let manifest = open_into(backup, &identities, folder.path(), &mut tell)?;
            let source =
                KeySource { named: args.person_keys.as_deref(), ledger: None, without: false };
            open_persons_of(folder.path(), backup, &manifest, &identities, &source)?;
            // It may be an older server's.
            bring_up_to_date(folder.path())?;
            verify(folder.path(), None, &mut tell)?
        }
        (Some(backup), None) => return check_without_key(args, backup),
    };
    say(args.json, &serde_json::to_value(&findings)?, &in_words(&findings))?;
    Ok(findings.problem_count == 0)
}

fn check_without_key(args: &VerifyArgs, backup: &PathBuf) -> Result<bool, Box<dyn Error>> {
    File::open(backup).map_err(|error| format!("{} cannot be used: {error}", backup.display()))?;
    let Some(sealed) = check_file(backup, &mut telling(args.json))? else {
        let words = format!(
            "{} has nothing beside it to compare it with; give the private key with --identity",
            backup.display()
        );
        return Err(words.into());
    };
    let words = "the file is the one that was written; what is in it was not looked at: that takes \
                 the private key (--identity)";
    say(args.json, &json!({ "problem_count": 0, "file_sha256": sealed.file_sha256 }), words)?;
    Ok(true)
}

fn in_words(findings: &Findings) -> String {
    let mut words: String =
        findings.problems.iter().map(|problem| format!("{problem}\n")).collect();
    words.push_str(&format!(
        "{} problems in {} documents, {} changes, {} rows, {} devices, up to position {}",
        findings.problem_count,
        findings.documents,
        findings.changes,
        findings.rows,
        findings.devices,
        findings.position
    ));
    words
}

/// Tells on standard error how far the work is, now and then, where a person may be looking.
fn telling(is_json: bool) -> impl FnMut(&'static str, u64, u64) {
    let is_told = !is_json && io::stderr().is_terminal();
    let mut last: Option<(&'static str, Instant)> = None;
    move |what, done, total| {
        let is_due = last.is_none_or(|(before, at)| before != what || at.elapsed() > TELL_EVERY);
        if is_told && is_due {
            last = Some((what, Instant::now()));
            let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100);
            let _ = writeln!(io::stderr(), "{what} {percent} %");
        }
    }
}
