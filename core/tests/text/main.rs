//! Long texts: what people write stays, whoever writes; what is not a writer's edit is refused.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

#[path = "../support/dice.rs"]
mod dice;
mod gate;
mod limits;
mod mutations;
mod sly;
mod writing;
