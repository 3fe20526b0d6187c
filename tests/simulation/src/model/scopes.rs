//! The bounds of the searches. All of them together are what is claimed.

use outrider_model::{
    bounds::{Bounds, DEVICES_MAX, Last},
    change::Kind,
    event::EventKind,
};

use super::report::Reach;

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
pub(super) fn scopes(reach: Reach, devices: usize, operations: u8) -> Vec<Bounds> {
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
    let few = operations.saturating_sub(if long { 1 } else { 2 });
    vec![
        base.clone(),
        Bounds { name: "refusals", kinds: ALL_KINDS, operations: few, edits: few, ..base.clone() },
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
            kinds: TWO_KINDS,
            accidents: COPIES,
            accidents_max: 2,
            ..base.clone()
        },
        Bounds {
            name: "minds",
            operations: few,
            kinds: ALL_KINDS,
            accidents: MINDS,
            accidents_max: 2,
            ..base
        },
    ]
}
