//! What can be typed about what happened and about the store: timelines, histories, undo, notes,
//! copies.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Arguments of `timeline`.
#[derive(Debug, Args)]
pub(crate) struct TimelineArgs {
    /// The customer, or any other record
    pub(crate) record: String,
    /// Only these, with commas: entities such as interaction, or logs such as opportunity.stages
    #[arg(long = "kind", value_name = "KINDS", value_delimiter = ',')]
    pub(crate) kinds: Vec<String>,
    /// Only from this day or moment on
    #[arg(long, value_name = "WHEN")]
    pub(crate) from: Option<String>,
    /// Only before this day or moment
    #[arg(long, value_name = "WHEN")]
    pub(crate) to: Option<String>,
    /// Only what this user answers for or created
    #[arg(long, value_name = "USER")]
    pub(crate) by: Option<String>,
    /// Entries on the page, at most 200
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
    pub(crate) limit: u16,
    /// Go on where an earlier page ended
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<String>,
}

/// Arguments of `undo`.
#[derive(Debug, Args)]
pub(crate) struct UndoArgs {
    /// The number of the edit; the last one that stands if not given
    pub(crate) edit: Option<i64>,
    /// Show the last edits, with their numbers, and change nothing
    #[arg(long, conflicts_with = "edit")]
    pub(crate) list: bool,
    /// With --list: at most so many; 100 are kept
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) limit: u16,
}

/// Arguments of `history`.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// The record
    pub(crate) record: String,
    /// Of this field alone
    #[arg(long, value_name = "FIELD")]
    pub(crate) field: Option<String>,
    /// Entries, at most 200
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
    pub(crate) limit: u16,
    /// Go on where an earlier page of the server ended
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<String>,
    /// Say what this device knows, without asking the server
    #[arg(long)]
    pub(crate) offline: bool,
}

/// Arguments of `note`.
#[derive(Debug, Args)]
pub(crate) struct NoteArgs {
    /// The record
    pub(crate) record: String,
    /// The long text; the first one of the entity if not given
    #[arg(long, value_name = "FIELD")]
    pub(crate) field: Option<String>,
    /// Add this on a line of its own
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["edit", "text"])]
    pub(crate) append: Option<String>,
    /// Open the text in the editor of VISUAL or EDITOR; what others type meanwhile is merged
    #[arg(long, conflicts_with = "text")]
    pub(crate) edit: bool,
    /// Make it this; - reads stdin
    #[arg(long, value_name = "TEXT")]
    pub(crate) text: Option<String>,
}

/// What is done with the whole store.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Write everything that this device holds into one file, for support. It is as confidential
    /// as the device; the enrolment and the private key are left out
    Export {
        /// The file to write
        file: PathBuf,
        /// Write it although this replica is encrypted: the file is not
        #[arg(long)]
        plain: bool,
    },
    /// Make a replica from such a file in an empty folder (--home): a copy, which is another
    /// device, enrolled with nobody
    Import {
        /// The file
        file: PathBuf,
    },
}
