//! The kernel beside Automerge: states, joins, rewriting, rules, the gate.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

mod dice;
mod world;

mod base;
mod gate;
mod oracle;
