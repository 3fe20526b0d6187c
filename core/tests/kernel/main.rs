//! The kernel beside Automerge: states, joins, rewriting, rules, the gate.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests"
)]

mod dice;
mod world;

mod oracle;

mod join;
mod rules;
mod write;

mod device;
mod model;

mod base;

mod gate;
mod limits;
mod mutations;

mod export;
mod history;
mod recover;
mod reroot;
