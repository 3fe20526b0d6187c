//! How well duplicates are told: on records that the project draws itself, and on two public sets
//! where they are found beside the project.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests, which print what they measure"
)]

mod companies;
mod measure;
mod persons;
mod real;
