//! What can be typed about what happened: timelines, histories, undo.

use clap::Args;

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
