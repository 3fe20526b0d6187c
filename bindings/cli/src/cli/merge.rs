//! What can be typed about records that are the same.

use std::path::PathBuf;

use clap::Args;

pub(crate) const DUPLICATES_HELP: &str = "\
Each pair has a score in bits: what speaks for the same, less what speaks against. From 9 on a \
person should look (possible), from 15 on it is as good as sure; docs/DUPLICATES.md has the weights.

Examples:
  outrider duplicates customer
  outrider duplicates contact --threshold sure --json
  outrider duplicates customer --file list.csv --map company_name=Firma --map phone=Telefon
  outrider duplicates contact --answer-key external_id --key-pattern 'rec-*-'

Go on with `outrider merge LOSER SURVIVOR`, or `outrider distinct A B` if they are not the same.";

/// Arguments of `duplicates`.
#[derive(Debug, Args)]
#[command(after_help = DUPLICATES_HELP)]
pub(crate) struct DuplicatesArgs {
    /// The entity, such as customer; all that are compared if not given
    pub(crate) entity: Option<String>,
    /// Show pairs from this score on: possible, sure, or a number of bits from 9 on
    #[arg(long, value_name = "SCORE", default_value = "possible")]
    pub(crate) threshold: String,
    /// Pairs to show, the likeliest first
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) limit: u16,
    /// Compare the rows of a CSV file with each other and with the store, and write nothing
    #[arg(long, value_name = "FILE.csv", requires = "entity")]
    pub(crate) file: Option<PathBuf>,
    /// Which column of the file is which field: field=COLUMN, name.family=COLUMN, several columns
    /// with +; columns that are called like fields need none
    #[arg(long, value_name = "FIELD=COLUMN", requires = "file")]
    pub(crate) map: Vec<String>,
    /// Measure against a field (or column) that says who is who: precision, recall, F1
    #[arg(long, value_name = "FIELD", requires = "entity")]
    pub(crate) answer_key: Option<String>,
    /// Which part of the answer key counts: the text in place of *, such as 'rec-*-'
    #[arg(long, value_name = "PATTERN", requires = "answer_key")]
    pub(crate) key_pattern: Option<String>,
}

pub(crate) const MERGE_HELP: &str = "\
The survivor takes over what it has not, the members and rows that the other has alone, and the \
fields named with --take. Nothing of either is lost: `outrider unmerge` gives everything back where \
nobody has written since, and what is written of the other later goes to the survivor.

Examples:
  outrider merge 01890a5d 01890b77 --dry-run
  outrider merge 01890a5d 01890b77 --take phone --take address=loser";

/// Arguments of `merge`.
#[derive(Debug, Args)]
#[command(after_help = MERGE_HELP)]
pub(crate) struct MergeArgs {
    /// The record that goes
    pub(crate) loser: String,
    /// The record that goes on
    pub(crate) survivor: String,
    /// Take this field from the record that goes: FIELD or FIELD=loser
    #[arg(long, value_name = "FIELD")]
    pub(crate) take: Vec<String>,
    /// Show both side by side, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Arguments of `distinct`.
#[derive(Debug, Args)]
pub(crate) struct DistinctArgs {
    /// One record
    pub(crate) one: String,
    /// The other
    pub(crate) other: String,
}
