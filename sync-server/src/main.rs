//! The sync server as a program.

use std::process::ExitCode;

fn main() -> ExitCode {
    outrider_sync_server::command::main_with_args(std::env::args_os())
}
