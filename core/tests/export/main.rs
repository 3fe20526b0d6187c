//! Export then import is the identity, for every entity, whatever people typed.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what these tests do not look at fails them or is passed over"
)]
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "../support/dice.rs"]
mod dice;

mod cards;
mod identity;
mod limits;
mod sheets;
mod world;
