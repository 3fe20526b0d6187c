//! The simulator as a program; see the library for what it does.

use std::process::ExitCode;

fn main() -> ExitCode {
    outrider_sim::command::main()
}
