//! `outrider demo`: a company, three devices without a network, and what becomes of their edits.
//!
//! Everything is real: a server process, one process per command of each device, HTTP between
//! them through a link that can be cut. In reading order: [`story`] tells it, [`sample`] invents
//! the company, [`edits`] and [`field`] what people do offline, [`device`] runs the commands, [`link`] is the
//! network, [`verify`] looks whether anything was lost,
//! [`rules`] is the last chapter: who may see and do what.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use crate::cli::Global;

mod device;
mod dice;
mod edits;
mod field;
mod link;
mod names;
mod rules;
mod sample;
mod say;
mod server;
mod story;
mod verify;

/// What `demo` can be told.
#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    /// Folder for everything that the demo makes; a fresh one under the system's temporary
    /// folder if not given
    #[arg(long, value_name = "FOLDER")]
    pub(crate) dir: Option<PathBuf>,
    /// What chance begins with: the same seed tells the same story
    #[arg(long, default_value_t = 42)]
    pub(crate) seed: u64,
    /// Random edits of each device while it is offline, beside those of the story
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(0..=2_000))]
    pub(crate) edits: u32,
    /// End when the story ends, instead of serving on
    #[arg(long)]
    pub(crate) no_serve: bool,
}

/// Runs the demo; success only if all replicas agree and nothing was lost.
pub(crate) fn run(global: &Global, args: &DemoArgs) -> ExitCode {
    let voice = say::Voice::new(global);
    match story::tell(&voice, args) {
        Ok(outcome) if outcome.converged && outcome.lost == 0 && outcome.is_ruled => {
            ExitCode::SUCCESS
        }
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            voice.error(&error);
            ExitCode::FAILURE
        }
    }
}
