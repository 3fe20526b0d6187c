//! The bounds of a search, each with a name: beyond them nothing is claimed.

use crate::{change::Kind, event::EventKind};

/// Devices, at most: the places of a world.
pub const DEVICES_MAX: usize = 4;

/// What the last device is at the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    /// A device like the others.
    Enrolled,
    /// One that may write before it is enrolled.
    Stranger,
    /// Nothing: a copy of another one may begin there.
    Empty,
}

/// How far a search goes.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// What the search is about.
    pub name: &'static str,
    /// Places for devices.
    pub devices: usize,
    /// What the last one is.
    pub last: Last,
    /// Documents.
    pub documents: usize,
    /// Operations: edits and accidents together, at most.
    pub operations: u8,
    /// Edits among them, at most.
    pub edits: u8,
    /// Kinds of edits.
    pub kinds: &'static [Kind],
    /// Accidents that happen at most once each: `BackUp` stands for a restore, `Snapshot` for a
    /// device that is rolled back or cloned.
    pub accidents: &'static [EventKind],
    /// Accidents among the operations, at most.
    pub accidents_max: u8,
    /// Conversations that are cut, at most; they count beside the operations.
    pub cuts: u8,
    /// States, at most. A search that comes here says so and has not proven anything.
    pub states_max: usize,
}
