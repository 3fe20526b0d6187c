//! Import of files: every row accounted for, nothing of people's work overwritten.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

mod exported;
mod files;
mod formats;
mod mappings;
mod pipeline;
mod proposals;
mod references;
mod rows;
mod runs;
mod world;
