//! How well duplicates are told: on records that the project draws itself, and on two public sets
//! where they are found beside the project.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

mod companies;
mod measure;
mod persons;
mod real;
