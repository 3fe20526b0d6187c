//! Hostile devices, requests and settings against the server: what each fuzz target does with its
//! input. The core's targets and how they are driven are in `outrider-core-fuzz`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a target panics when something is wrong"
)]

pub mod push;
pub mod requests;
pub mod settings;

use std::path::Path;

use outrider_core_fuzz::Target;

/// Every target of the server.
pub const TARGETS: &[Target] = &[
    Target { name: "push", run: push::run, seeds: push::seeds },
    Target { name: "requests", run: requests::run, seeds: requests::seeds },
    Target { name: "settings", run: settings::run, seeds: settings::seeds },
];

/// Where the seeds and crashers of the server's targets are.
#[must_use]
pub fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
