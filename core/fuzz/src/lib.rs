//! Hostile bytes against the core: what each fuzz target does with its input.
//!
//! A target is a function of bytes that panics when a promise is broken: not only when the code under
//! it panics, but also when what was let through cannot be read back, when both orders of a join
//! differ, or when a device is of no use after what a server said. libFuzzer drives the targets
//! (`tests/fuzz/run`), and `cargo test` feeds each of them its seeds and everything that ever broke
//! one.
//!
//! Changes and texts are fuzzed behind their checksums, which are made right first: a mutation would
//! otherwise end at the first check. Where bytes alone find nothing (the gate), they are choices: which
//! device writes what, what it has seen, and what is wrong with it ([`choices`]).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a target panics when something is wrong"
)]

pub mod choices;
pub mod chunk;
pub mod feed;
pub mod lies;

pub mod codec;
pub mod frames;
pub mod gate;
pub mod states;
pub mod texts;

pub mod tokens;

pub mod pull;

pub mod definitions;
pub mod imports;
pub mod queries;

use std::path::Path;

pub use feed::{Target, feed_all, feed_damaged, write_seeds};

/// Every target of the core.
pub const TARGETS: &[Target] = &[
    Target { name: "frames", run: frames::run, seeds: frames::seeds },
    Target { name: "codec", run: codec::run, seeds: codec::seeds },
    Target { name: "gate", run: gate::run, seeds: gate::seeds },
    Target { name: "states", run: states::run, seeds: states::seeds },
    Target { name: "texts", run: texts::run, seeds: texts::seeds },
    Target { name: "pull", run: pull::run, seeds: pull::seeds },
    Target { name: "imports", run: imports::run, seeds: imports::seeds },
    Target { name: "queries", run: queries::run, seeds: queries::seeds },
    Target { name: "tokens", run: tokens::run, seeds: tokens::seeds },
    Target { name: "definitions", run: definitions::run, seeds: definitions::seeds },
];

/// Where the seeds and crashers of the core's targets are.
#[must_use]
pub fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
