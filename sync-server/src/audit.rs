//! The audit: who read, changed, exported, signed in, failed; and how it is known that nobody
//! rewrote it.
//!
//! What is written carries its lines in its own transaction. What is read has none: [`Desk`] writes
//! its line before the answer goes out, and lines of requests that come together share a
//! transaction. [`storage::audit`](crate::storage::audit) has the form of the chain.
//!
//! * [`heads`]: the server signs where the chain stands, devices remember it and say it back.
//! * [`verify`]: the whole chain and all heads, and where it breaks.
//! * [`prune`]: old lines go, the chain stays checkable.
//! * `reading`: what an answer to a route shows. * `pulls`: what devices took along.
//! * `command`: `audit verify`, `audit prune`.

pub mod heads;
pub mod prune;
pub mod verify;

mod desk;
pub(crate) mod pulls;
pub(crate) mod reading;

pub mod command;

pub use desk::Desk;
