//! The whole chain with real processes: a server, devices in the shell, HTTP, SQLite, signals.
//!
//! [`world`] starts and drives the processes; the other files are the stories.

#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on panics, and says what it measured"
)]

mod access;
mod backup;
mod crash;
mod devices;
mod erasure;
mod export;
mod maven;
mod merge;
mod restore;
mod taps;
mod tls;
mod watch;
mod world;
