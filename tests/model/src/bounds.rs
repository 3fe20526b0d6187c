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
    /// Whether a server may be restored in a world in which a device was copied with its token.
    ///
    /// Left out because a number is two changes' then until both have talked: both copies write under
    /// one actor until the server tells them apart, and a server that forgot which of them was first
    /// takes the other one's change for that number.
    pub takes_both: bool,
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
///
/// Each operation makes ten to twenty-five times as many states; so the more a search is about,
/// the fewer operations it has.
#[must_use]
pub fn scopes(reach: Reach, devices: usize, operations: u8) -> Vec<Bounds> {
    let base = Bounds {
        name: "edits",
        devices: devices.clamp(2, DEVICES_MAX),
        last: Last::Enrolled,
        documents: 1,
        operations,
        edits: operations,
        kinds: PLAIN,
        accidents: &[],
        accidents_max: 0,
        cuts: 0,
        takes_both: false,
        states_max: STATES_MAX,
    };
    let mut all = short(&base);
    if reach == Reach::Long {
        all.extend(long(&base));
    }
    all
}

/// `base` with so many operations fewer, and a conversation that may be cut.
fn with(name: &'static str, fewer: u8, base: &Bounds) -> Bounds {
    let operations = base.operations.saturating_sub(fewer);
    Bounds { name, operations, edits: operations, cuts: 1, ..base.clone() }
}

fn short(base: &Bounds) -> Vec<Bounds> {
    vec![
        base.clone(),
        Bounds { kinds: ALL_KINDS, ..with("refusals", 3, base) },
        Bounds { documents: 2, ..with("documents", 2, base) },
        Bounds {
            last: Last::Stranger,
            kinds: TWO_KINDS,
            accidents: ACCIDENTS,
            accidents_max: 2,
            ..with("accidents", 2, base)
        },
        Bounds {
            last: Last::Empty,
            accidents: COPIES,
            accidents_max: 2,
            ..with("copies", 2, base)
        },
        Bounds { kinds: ALL_KINDS, accidents: MINDS, accidents_max: 2, ..with("minds", 3, base) },
    ]
}

fn long(base: &Bounds) -> Vec<Bounds> {
    vec![
        with("edits that are cut", 0, base),
        Bounds { kinds: ALL_KINDS, ..with("more refusals", 2, base) },
        Bounds { documents: 2, ..with("more documents", 1, base) },
        Bounds {
            last: Last::Stranger,
            accidents: ACCIDENTS,
            accidents_max: 3,
            cuts: 0,
            ..with("more accidents", 1, base)
        },
        Bounds {
            last: Last::Empty,
            kinds: TWO_KINDS,
            accidents: COPIES,
            accidents_max: 3,
            ..with("more copies", 2, base)
        },
        Bounds {
            kinds: TWO_KINDS,
            accidents: MINDS,
            accidents_max: 3,
            ..with("more minds", 2, base)
        },
    ]
}
