//! The program as people and scripts run it: the real binary, real files, a real server.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

mod support;

mod records;

mod lists;

mod usage;

mod batch;

mod processes;

mod office;

mod audit;

mod doctor;

mod maintain;

mod find;

mod folders;

mod past;

mod exports;

mod imports;

mod merges;

mod sealed;

#[cfg(unix)]
mod owners;
