//! The sync server within this program, so that one file is enough for a demo.

use std::{ffi::OsString, process::ExitCode};

/// Hands the rest of the command line to the server's own `command`.
pub(crate) fn run(command: &str, is_json: bool, rest: Vec<OsString>) -> ExitCode {
    let json = (is_json && command != "serve").then(|| "--json".into());
    let head = ["outrider".into(), command.into()];
    outrider_sync_server::command::main_with_args(head.into_iter().chain(json).chain(rest))
}

/// Hands the whole command line to the server.
pub(crate) fn run_any(rest: Vec<OsString>) -> ExitCode {
    let program: OsString = "outrider server".into();
    outrider_sync_server::command::main_with_args([program].into_iter().chain(rest))
}
