//! Hostile devices, servers and strangers against the real program: what is refused, what it costs,
//! and that honest devices are answered meanwhile.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

#[cfg(test)]
mod changes;
#[cfg(test)]
mod clerk;
#[cfg(test)]
#[allow(dead_code, reason = "the tests of the codec use what is not used here")]
#[path = "../../../core/tests/codec/raw.rs"]
mod raw;
#[cfg(test)]
mod world;

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod cost;
#[cfg(test)]
mod floods;
