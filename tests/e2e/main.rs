//! The whole chain with real processes: a server, devices in the shell, HTTP, SQLite, signals.
//!
//! [`world`] starts and drives the processes; the other files are the stories.

mod crash;
mod export;
mod maven;
mod merge;
mod world;
