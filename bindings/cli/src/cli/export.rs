//! What can be typed after `export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use outrider_core::{
    schema::Language,
    transfer::export::{Format, Headers},
};

use super::ConditionArgs;

const EXAMPLES: &str = "\
The ending of FILE says the format: csv, xlsx, json, jsonl, vcf, ics; --format where there is none.

Examples:
  outrider export customer customers.xlsx --headers zh
  outrider export opportunity open.csv --where sales_stage=proposal --from expected_close_date=2026-01-01
  outrider export contact contacts.vcf          # for address books
  outrider export activity activities.ics       # for calendars
  outrider export --all backup.json             # everything in one file
  outrider export --all FOLDER --format csv     # a file for each entity
  outrider export ID record.vcf                 # one record
  outrider export ID --automerge record.automerge

`outrider import FILE --exported` takes CSV, JSON and XLSX files back. See docs/EXPORT.md.";

/// What stands at the head of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HeadersArg {
    /// Names of fields, which stay the same
    Names,
    /// Labels in English
    En,
    /// Labels in Chinese
    Zh,
}

impl From<HeadersArg> for Headers {
    fn from(headers: HeadersArg) -> Self {
        match headers {
            HeadersArg::Names => Self::Names,
            HeadersArg::En => Self::Labels(Language::En),
            HeadersArg::Zh => Self::Labels(Language::Zh),
        }
    }
}

fn format(text: &str) -> Result<Format, String> {
    Format::named(text).ok_or_else(|| "there are csv, xlsx, json, jsonl, vcf and ics".to_owned())
}

/// Arguments of `export`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExportArgs {
    /// The entity, or a record; with --all the file or folder
    #[arg(value_name = "ENTITY|ID")]
    pub(crate) what: String,
    /// The file to write; - writes to stdout
    #[arg(conflicts_with_all = ["automerge", "all"])]
    pub(crate) file: Option<PathBuf>,
    /// Every entity: in one file, or in a folder with a file for each
    #[arg(long, conflicts_with_all = ["automerge", "is", "from", "to", "contains", "sort"])]
    pub(crate) all: bool,
    /// The format, where the file's ending does not say it
    #[arg(long, value_name = "FORMAT", value_parser = format, conflicts_with = "automerge")]
    pub(crate) format: Option<Format>,
    /// What stands at the head of tables; labels name choices and linked records too
    #[arg(long, value_enum, default_value_t = HeadersArg::Names)]
    pub(crate) headers: HeadersArg,
    /// JSON with a record on each line
    #[arg(long)]
    pub(crate) lines: bool,
    /// vCard 3.0, for older telephones
    #[arg(long)]
    pub(crate) vcard3: bool,
    #[command(flatten)]
    pub(crate) conditions: ConditionArgs,
    /// Write over a file that is there
    #[arg(long)]
    pub(crate) force: bool,
    /// Write the history of a record as a standard Automerge file; - writes to stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) automerge: Option<PathBuf>,
    /// Which document of the record: main, restricted, or the name of a long text
    #[arg(long, value_name = "PART", default_value = "main", requires = "automerge")]
    pub(crate) part: String,
    /// Write the values that this device has, without asking the server for the history
    #[arg(long, requires = "automerge")]
    pub(crate) offline: bool,
}
