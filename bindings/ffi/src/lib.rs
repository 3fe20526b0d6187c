//! The offline CRM for Kotlin, Swift and Python.
//!
//! Open a [`Replica`], and read and write typed records; let it [`sync`](Replica::sync) when there is a
//! network. Calls are short and may be made from any thread; those that may take long take a [`Cancel`], tell
//! their progress, and work on a connection of their own, so that no screen waits for them. Every call returns
//! a result: nothing panics across the border.
//!
//! In reading order: [`values`] and [`records`] are what crosses the border (typed records come from the
//! schema by `build.rs`), [`platform`] is what a phone brings, [`error`] and `words` what people are told,
//! `replica` opens and closes; then a file for each thing that one does with it.

mod care;
mod edit;
mod enrol;
pub mod error;
mod inbox;
mod listen;
mod live;
mod long;
mod merge;
pub mod platform;
mod query;
pub mod records;
mod replica;
mod report;
mod schema;
mod sync;
mod taps;
#[cfg(test)]
mod tests;
mod text;
mod transfer;
pub mod values;
mod words;

pub use error::CrmError;
pub use long::Cancel;
pub use replica::Replica;

uniffi::setup_scaffolding!("outrider");

/// The version of this library.
#[uniffi::export]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
