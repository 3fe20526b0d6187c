//! What can be typed.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use outrider_core::schema::Language;

use crate::{context::standard_language, demo::DemoArgs};

mod doctor;
mod export;
mod find;
mod merge;
mod replica;
mod taps;

pub(crate) use doctor::{BundleArgs, DoctorArgs};
pub(crate) use export::{ExportArgs, HeadersArg};
pub(crate) use find::{
    ConditionArgs, FilterCommand, FilterSaveArgs, NearArgs, SearchArgs, WatchArgs,
};
pub(crate) use merge::{DistinctArgs, DuplicatesArgs, MergeArgs};
pub(crate) use replica::{HistoryArgs, NoteArgs, StoreCommand, TimelineArgs, UndoArgs};
pub(crate) use taps::{CheckInArgs, CheckOutArgs, CompleteArgs, UsePartArgs};

const EXIT_CODES: &str = "\
Records are named by their full id, by at least 8 digits that only one id begins with, or by \
ENTITY:EXTERNAL_ID, such as customer:erp:10042.

Exit codes:
  0  done
  1  failed
  2  wrong usage: an option, a field or a value that does not fit
  3  not found: a record, a conflict, a refusal, or the replica itself
  4  not enrolled, not approved yet, or not any more
  5  the server cannot be reached, or the connection was cut; run again to go on
  6  refused: by the office, by --strict, by the lease, or because something would be lost";

/// A device in the shell: records are written here at once, and exchanged with the office when
/// there is a connection.
#[derive(Debug, Parser)]
#[command(name = "outrider", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The folder of the replica; by default the system's place for programs' data
    #[arg(long, global = true, env = "OUTRIDER_HOME", value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// File with the key of an encrypted replica, made with the replica; "plain" for one that is not
    /// encrypted. Programs built with encryption keep it with the system's settings by default
    #[arg(long, global = true, env = "OUTRIDER_KEY_FILE", value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Answer in JSON; errors come as {"error": {"code", "message"}} on stderr
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Language of labels and messages: en or zh; by default that of LANG
    #[arg(long, global = true, env = "OUTRIDER_LANG", value_name = "LANGUAGE", value_parser = language)]
    pub(crate) language: Option<Language>,
}

impl Global {
    /// The language that was asked for.
    pub(crate) fn language(&self) -> Language {
        self.language.unwrap_or_else(standard_language)
    }
}

fn language(text: &str) -> Result<Language, String> {
    match text.get(..2) {
        Some("en") => Ok(Language::En),
        Some("zh") => Ok(Language::Zh),
        Some(_) | None => Err("there are en and zh".to_owned()),
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the replica in its folder
    Init,
    /// Enroll this device with a server, by a code from the office; without arguments go on waiting
    /// for its approval
    Enroll(EnrollArgs),
    /// Say whose turn it is on a device of several users, each with a store of their own
    #[command(subcommand)]
    User(UserCommand),
    /// Send what waits to the office and fetch what is new; run again after a broken connection
    Sync(SyncArgs),
    /// Say where this device stands
    Status,
    /// Write what this device remembers of the server's audit, for `audit verify --head FILE`
    AuditHead,

    /// List records of an entity
    #[command(visible_alias = "ls")]
    List(ListArgs),
    /// Search all records: names, numbers, addresses, notes
    Search(SearchArgs),
    /// List records near a place, nearest first
    Near(NearArgs),
    /// Stay with a list or a search, and tell what becomes of it until Ctrl-C
    Watch(WatchArgs),
    /// Keep lists as filters, and list them
    #[command(subcommand)]
    Filter(FilterCommand),
    /// Show a record
    #[command(visible_alias = "show")]
    Get {
        /// The record
        record: String,
    },
    /// Create a record; prints its id
    Create(CreateArgs),
    /// Change fields of a record
    Edit(EditArgs),
    /// Archive a record; it stays and can be brought back
    Archive {
        /// The record
        record: String,
    },
    /// Bring an archived record back
    Restore {
        /// The record
        record: String,
    },
    /// Show which records a record links to, and which link to it
    Links {
        /// The record
        record: String,
    },
    /// Tell what happened with a customer and all that belongs to it, newest first
    Timeline(TimelineArgs),
    /// Say who changed what in a record: the server's history, or what this device knows
    History(HistoryArgs),
    /// Undo the last edit, or the one with this number, where nobody has written since; undoing
    /// an undo does it again. Imports are not undone
    Undo(UndoArgs),
    /// Show a long text of a record, or write in it
    Note(NoteArgs),

    /// Make a lead a customer with a contact and an opportunity; doing it again changes nothing
    Convert {
        /// The lead
        lead: String,
    },
    /// Mark an activity as held, and tell what happened as an interaction
    Complete(CompleteArgs),
    /// Come to a visit, pause it, or go on
    CheckIn(CheckInArgs),
    /// Leave a visit
    CheckOut(CheckOutArgs),
    /// Use a part on a visit, and take it from stock
    UsePart(UsePartArgs),

    /// Find records that may be the same, in the store or in a file
    Duplicates(DuplicatesArgs),
    /// Make a record lead to another one that is the same; both halves stay
    Merge(MergeArgs),
    /// Take a merge back
    Unmerge {
        /// The record that was merged into another
        record: String,
    },
    /// Remember that two records look the same and are not
    Distinct(DistinctArgs),

    /// Show fields that several people changed at once, with who wrote what and when
    Conflicts {
        /// Of this record alone
        record: Option<String>,
    },
    /// Choose one of several values of a field
    Settle(SettleArgs),
    /// Show changes that wait to be sent
    Outbox(LimitArgs),
    /// Show what the office refused, and why
    Inbox(LimitArgs),
    /// Ask the office for something that it refused
    Ask {
        /// Its number in the inbox
        id: i64,
        /// Why it should be allowed
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Put a refusal away
    Dismiss {
        /// Its number in the inbox
        id: i64,
    },

    /// Import files (CSV, XLSX, vCard, JSON) by mappings, given or proposed; running it again
    /// changes only what the files changed
    #[command(after_help = IMPORT_HELP)]
    Import(ImportArgs),
    /// Show the imports of this device
    Imports(LimitArgs),
    /// Take an import back: what it made is archived, what it changed is as before, where nobody
    /// has written since
    UndoImport {
        /// Its number, as `imports` shows it
        id: i64,
    },
    /// Show what the records add up to
    #[command(subcommand)]
    Report(Report),
    /// Write records to a CSV, XLSX, JSON, vCard or iCalendar file, or one record's history
    Export(ExportArgs),
    /// Run commands from stdin, one JSON object per line; each answer line comes after its
    /// command is safely on disk
    #[command(after_help = BATCH_HELP)]
    Batch,

    /// Show the entities, or the fields of one
    Schema {
        /// The entity
        entity: Option<String>,
    },
    /// Make the lists anew from the documents
    Rebuild,
    /// Check that the lists say what the documents say; changes nothing
    Check,
    /// Say what is wrong with this device's store, explain it, and repair it; nothing is destroyed.
    /// Exit code 1 while something is wrong
    Doctor(DoctorArgs),
    /// Write a file for support: versions, sizes, findings, and the structure of the store with
    /// every word replaced
    Bundle(BundleArgs),
    /// Say what takes how much on this device
    Storage,
    /// Export or import the whole store, for support
    #[command(subcommand)]
    Store(StoreCommand),

    /// Show a company with three devices that lose their network, and what merges afterwards
    Demo(DemoArgs),
    /// Run the sync server; `outrider serve --help` lists its settings
    #[command(disable_help_flag = true)]
    Serve {
        /// What the server is told
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "SETTINGS")]
        rest: Vec<OsString>,
    },
    /// Create a one-time code at the server that lets a device in: --user NAME --data DIR
    #[command(disable_help_flag = true)]
    Code {
        /// What the server is told
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "SETTINGS")]
        rest: Vec<OsString>,
    },
    /// At the server: list devices, let them in, turn them away, have them wiped
    #[command(disable_help_flag = true)]
    Device {
        /// What the server is told
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "SETTINGS")]
        rest: Vec<OsString>,
    },
    /// Any command of the server: backup-key, backup, restore, verify, doctor, ledger, tenant; --help lists
    /// them
    #[command(disable_help_flag = true)]
    Server {
        /// What the server is told
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
        rest: Vec<OsString>,
    },
    /// Set a new password for the server's pages: --user LOGIN --data DIR
    #[command(disable_help_flag = true)]
    Password {
        /// What the server is told
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "SETTINGS")]
        rest: Vec<OsString>,
    },
    /// Check the server's audit, or take old lines away: verify or prune, --data DIR
    #[command(disable_help_flag = true)]
    Audit {
        /// What the server is told
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "SETTINGS")]
        rest: Vec<OsString>,
    },
}

const BATCH_HELP: &str = "\
Commands:
  {\"do\": \"create\", \"entity\": \"customer\", \"fields\": {\"company_name\": \"Acme\"}, \"id\": optional}
  {\"do\": \"edit\", \"record\": ID, \"fields\": {\"phone\": \"021-5555\", \"tags\": {\"add\": [\"vip\"]}}}
  {\"do\": \"archive\", \"record\": ID}    {\"do\": \"restore\", \"record\": ID}
  {\"do\": \"get\", \"record\": ID}        {\"do\": \"sync\"}

Answers: {\"ok\": true, \"record\": ID, …} or {\"ok\": false, \"error\": {\"code\", \"message\"}}. \
A failed command does not stop the ones after it; the exit code is 1 then.";

/// Arguments of `sync`.
#[derive(Debug, Args)]
pub(crate) struct SyncArgs {
    /// Stay and sync whenever the office has news or edits wait; ends with SIGINT or SIGTERM
    #[arg(long)]
    pub(crate) watch: bool,
}

/// Arguments of `enroll`.
#[derive(Debug, Args)]
pub(crate) struct EnrollArgs {
    /// Where the server is, such as `https://crm.example.com`
    #[arg(requires = "code")]
    pub(crate) url: Option<String>,
    /// The code that the office gave
    pub(crate) code: Option<String>,
    /// Fingerprint of the server's own authority, as it stands beside the code: this device trusts
    /// that authority alone from then on. Without it the authorities count that everybody knows
    #[arg(long, value_name = "FINGERPRINT")]
    pub(crate) ca_fingerprint: Option<String>,
    /// What to call this device
    #[arg(long, value_name = "DEVICE")]
    pub(crate) name: Option<String>,
    /// Enroll anew although this device is enrolled; what waits is sent under the new enrolment
    #[arg(long)]
    pub(crate) again: bool,
    /// Do not wait until the office has approved this device; `enroll` or `sync` goes on later
    #[arg(long)]
    pub(crate) no_wait: bool,
}

/// What `user` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Go on in the store of this user, which is made if it is not there; without a name in the
    /// device's first one
    Switch {
        /// Whose
        name: Option<String>,
    },
    /// List the stores of this device
    List,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// The entity, such as customer or opportunity
    pub(crate) entity: String,
    #[command(flatten)]
    pub(crate) conditions: ConditionArgs,
    /// Only what this search finds, the best hits first unless sorted
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
    /// Take a saved filter: its conditions, search and order, with what is given besides
    #[arg(long, value_name = "NAME")]
    pub(crate) saved: Option<String>,
    /// Records on the page, at most 1000
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) limit: u16,
    /// Go on where an earlier page ended
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<String>,
    /// Fields to show, with commas
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    pub(crate) columns: Vec<String>,
    /// Stay, and tell what is inserted, moved, changed and removed, until Ctrl-C; at most 500
    /// records. With --json one object per line: first the list, then what became of it
    #[arg(long, conflicts_with_all = ["search", "saved"])]
    pub(crate) watch: bool,
}

/// Arguments of `create`.
#[derive(Debug, Args)]
#[command(after_help = FIELDS_HELP)]
pub(crate) struct CreateArgs {
    /// The entity, such as customer or opportunity
    pub(crate) entity: String,
    /// Fields and their values
    #[arg(value_name = "FIELD=VALUE")]
    pub(crate) fields: Vec<String>,
    /// Take fields from a JSON object, or several records from a list of them; - reads stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) from_json: Option<PathBuf>,
}

/// Arguments of `edit`.
#[derive(Debug, Args)]
#[command(after_help = FIELDS_HELP)]
pub(crate) struct EditArgs {
    /// The record
    pub(crate) record: String,
    /// Fields and what becomes of them
    #[arg(value_name = "FIELD=VALUE", allow_hyphen_values = true)]
    pub(crate) fields: Vec<String>,
    /// Take fields from a JSON object; - reads stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) from_json: Option<PathBuf>,
    /// Write it although your role does not allow it: the office decides
    #[arg(long)]
    pub(crate) anyway: bool,
}

const FIELDS_HELP: &str = "\
field=value   sets a value; a list with commas for a set
field=        clears it
tags+=vip     adds to a set; tags-=vip takes away
visits+=1     counts up; visits-=1 counts down
lines={…}     rows take JSON: {\"add\": [{…}], \"edit\": {ROW: {…}}, \"remove\": [ROW]}

Amounts name their currency (12000 CNY), dates begin with the year (2026-11-23), choices are \
given by id or by label in either language, linked records like records everywhere.";

/// Arguments of `settle`.
#[derive(Debug, Args)]
pub(crate) struct SettleArgs {
    /// The record
    pub(crate) record: String,
    /// The field, or the cell as `outrider conflicts` shows it
    pub(crate) key: String,
    /// Take the value with this number of `outrider conflicts`
    #[arg(long, value_name = "N", required_unless_present = "value", conflicts_with = "value")]
    pub(crate) choose: Option<usize>,
    /// Take another value
    #[arg(long, value_name = "TEXT")]
    pub(crate) value: Option<String>,
}

/// Arguments of lists that only have a length.
#[derive(Debug, Args)]
pub(crate) struct LimitArgs {
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) limit: usize,
}

/// Examples below the help of `import`.
const IMPORT_HELP: &str = "Examples:
  outrider import customers.xlsx --propose            what would become of which column
  outrider import customers.xlsx --yes --region CN    import by what is proposed
  outrider import customers.csv --save-mapping customers.toml --propose
  outrider import customers.csv --mapping customers.toml --dry-run
  outrider import customers.csv deals.csv --mapping customers.toml --mapping deals.toml
  outrider imports; outrider undo-import 3";

/// Arguments of `import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The files; those of one run may name each other's records in any order
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Which column becomes which field, as TOML: one for each file, in their order. Without it a
    /// mapping is proposed from the file
    #[arg(long, value_name = "MAP.toml")]
    pub(crate) mapping: Vec<PathBuf>,
    /// Show the proposed mappings, and import nothing
    #[arg(long, conflicts_with = "mapping")]
    pub(crate) propose: bool,
    /// Import by the proposed mapping without asking
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Write the proposed mapping here, to change it and use it again; for one file
    #[arg(long, value_name = "MAP.toml")]
    pub(crate) save_mapping: Option<PathBuf>,
    /// The entity that a proposed mapping is for; found out if not given
    #[arg(long)]
    pub(crate) entity: Option<String>,
    /// Name of the system that the file comes from, for a proposed mapping
    #[arg(long)]
    pub(crate) source: Option<String>,
    /// ISO code of the currency of amounts that name none, for a proposed mapping
    #[arg(long)]
    pub(crate) currency: Option<String>,
    /// Country (such as CN) of phone numbers without a country's code, for a proposed mapping
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// The files are what `outrider export` wrote (CSV, XLSX or JSON): records come back under their
    /// own ids, and those that are here already are left alone
    #[arg(long, conflicts_with_all = ["mapping", "propose", "dry_run", "errors"])]
    pub(crate) exported: bool,
    /// Check and count everything, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Write the rejected rows here, with the reasons, and the references that stayed empty; for
    /// several files it is a folder
    #[arg(long, value_name = "FILE")]
    pub(crate) errors: Option<PathBuf>,
    /// Exit with 6 if a row was rejected; the other rows are imported all the same
    #[arg(long)]
    pub(crate) strict: bool,
}

/// The reports.
#[derive(Debug, Subcommand)]
pub(crate) enum Report {
    /// Where the sales stand: open by stage, won and lost, by region and by agent
    Pipeline,
}
