//! The bounds of searches, each with a name: beyond them nothing is claimed.

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

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// As far as a minute allows.
    Short,
    /// Farther.
    Long,
}

/// States of one search, at most: beyond this it says that it is not whole.
const STATES_MAX: usize = 12_000_000;

const PLAIN: &[Kind] = &[Kind::Plain];
const ALL_KINDS: &[Kind] = &[Kind::Plain, Kind::Refused, Kind::Mixed];
const TWO_KINDS: &[Kind] = &[Kind::Plain, Kind::Mixed];

/// Everything that goes wrong but copies.
const ACCIDENTS: &[EventKind] =
    &[EventKind::BackUp, EventKind::Erase, EventKind::Revoke, EventKind::Late, EventKind::Enrol];
/// What goes wrong with copies.
const COPIES: &[EventKind] =
    &[EventKind::BackUp, EventKind::Snapshot, EventKind::Erase, EventKind::Late];
/// What the office changes its mind about.
const MINDS: &[EventKind] = &[EventKind::Toggle, EventKind::Late, EventKind::Erase];

/// The searches of one reach.
#[must_use]
pub fn scopes(reach: Reach, devices: usize, operations: u8) -> Vec<Bounds> {
    let long = reach == Reach::Long;
    let devices = devices.clamp(2, DEVICES_MAX);
    let base = Bounds {
        name: "edits",
        devices,
        last: Last::Enrolled,
        documents: 1,
        operations,
        edits: operations,
        kinds: PLAIN,
        accidents: &[],
        accidents_max: 0,
        cuts: 1,
        states_max: STATES_MAX,
    };
    // Each operation makes about thirteen times as many states; several kinds of edits more.
    let few = operations.saturating_sub(if long { 1 } else { 2 });
    let fewer = operations.saturating_sub(if long { 2 } else { 3 });
    vec![
        Bounds { cuts: u8::from(long), ..base.clone() },
        Bounds {
            name: "refusals",
            kinds: ALL_KINDS,
            operations: fewer,
            edits: fewer,
            ..base.clone()
        },
        Bounds { name: "documents", documents: 2, operations: few, edits: few, ..base.clone() },
        Bounds {
            name: "accidents",
            last: Last::Stranger,
            operations: few,
            kinds: TWO_KINDS,
            accidents: ACCIDENTS,
            accidents_max: 2,
            ..base.clone()
        },
        Bounds {
            name: "copies",
            last: Last::Empty,
            operations: few,
            kinds: if long { TWO_KINDS } else { PLAIN },
            accidents: COPIES,
            accidents_max: 2,
            ..base.clone()
        },
        Bounds {
            name: "minds",
            operations: fewer,
            kinds: ALL_KINDS,
            accidents: MINDS,
            accidents_max: 2,
            ..base
        },
    ]
}
