//! A server that lies to a device: whatever it answers, the device keeps its records, says what is
//! wrong, and people go on writing.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

#[cfg(test)]
#[allow(dead_code, reason = "the tests of the codec use what is not used here")]
#[path = "../codec/raw.rs"]
mod raw;
#[cfg(test)]
mod world;

#[cfg(test)]
mod again;
#[cfg(test)]
mod answers;
#[cfg(test)]
mod digests;
#[cfg(test)]
mod order;
#[cfg(test)]
mod recovery;
