//! The kernel beside Automerge: states, joins, rewriting, rules, the gate.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests"
)]

mod dice;
mod world;

mod write;

mod base;
mod export;
mod gate;
mod join;
mod oracle;
mod reroot;
mod rules;
