//! Bytes to changes and back: honest changes, changes of the `automerge` crate, mutations, and
//! every attack on a change's bytes that is known.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

mod attacks;
#[path = "../support/dice.rs"]
mod dice;
mod honest;
mod limits;
mod mutations;
mod raw;
