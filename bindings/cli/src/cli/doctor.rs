//! What can be typed about the health of the store.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Repair this, as it is named beside what was found, or all-safe for everything but exchanging the
    /// whole file; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) fix: Vec<String>,
    /// Do not ask before a repair
    #[arg(long)]
    pub(crate) yes: bool,
}

/// Arguments of `bundle`.
#[derive(Debug, Args)]
pub(crate) struct BundleArgs {
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// A log of sessions to put in, with names and numbers replaced
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// Write it without asking
    #[arg(long)]
    pub(crate) yes: bool,
}
