//! Which devices hold a record, since when, and whether they still may: what a purge is measured
//! by.
//!
//! A device says at each pull up to where it has everything, and under which grant. What left its
//! scopes up to there it has taken off; what left them later it still holds until it comes again.

use outrider_core::{
    access::{Grant, PartKind, Standing},
    ids::{DeviceId, DocumentId, Part, RecordId},
    time::TimestampMs,
};
use serde::Serialize;

use super::OfficeError;
use crate::{
    accept::grant_of,
    access::policy_of,
    devices::Bar,
    storage::{Device, Read, access::UnitScope},
};

/// A device with a record on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// The device.
    pub device: DeviceId,
    /// Its name.
    pub name: String,
    /// Its user.
    pub user: String,
    /// When it last said what it holds.
    pub said_at: TimestampMs,
    /// Whether its user may read the record, and it may come.
    pub may_hold: bool,
    /// Since when the record should go, if it should and the time is known: its next contact takes
    /// it off.
    pub since: Option<TimestampMs>,
}

/// The devices that hold a record, as far as they said, those that should not first.
///
/// # Errors
///
/// [`OfficeError::UnknownRecord`]; fails when the storage does.
pub fn holders(
    read: &dyn Read,
    record: RecordId,
    now_ms: TimestampMs,
) -> Result<Vec<Holder>, OfficeError> {
    let main = DocumentId { record, part: Part::Main };
    let stored = read.document(&main)?.ok_or(OfficeError::UnknownRecord(record))?;
    let (family, alone) = read.place_of(record)?.ok_or(OfficeError::UnknownRecord(record))?;
    let scopes = read.scopes_of(family, alone)?;
    let policy = policy_of(read)?;
    let live: Standing = scopes.iter().filter(|one| one.left.is_none()).map(|s| s.scope).collect();
    let mut holders = Vec::new();
    for contact in read.devices()? {
        let device = contact.device;
        let Some(standing) = read.standing(device.id)?.filter(|_| !device.is_office) else {
            continue;
        };
        let Some(view) = read.device_view(device.id)?.filter(|_| standing.wiped_at == 0) else {
            continue;
        };
        let Ok(held) = Grant::from_bytes(&view.grant) else { continue };
        let was_in = |scope: &&UnitScope| {
            scope.first <= view.position && scope.left.is_none_or(|left| left > view.position)
        };
        let then: Standing = scopes.iter().filter(was_in).map(|one| one.scope).collect();
        if !held.reads(&stored.entity, PartKind::Main, &then) {
            continue;
        }
        let bar = Bar::of(&standing);
        let reads = grant_of(&policy, &device, now_ms).reads(&stored.entity, PartKind::Main, &live);
        let may_hold = reads && bar.is_none();
        let since = match (may_hold, bar) {
            (true, _) => None,
            (false, Some(_)) if standing.since > 0 => Some(standing.since),
            (false, _) => left_at(read, family, &scopes, view.position)?,
        };
        let Device { id, name, user, .. } = device;
        holders.push(Holder { device: id, name, user, said_at: view.at, may_hold, since });
    }
    holders.sort_by(|one, other| {
        (one.may_hold, &one.user, &one.name).cmp(&(other.may_hold, &other.user, &other.name))
    });
    Ok(holders)
}

/// When a family first left a scope after a position.
fn left_at(
    read: &dyn Read,
    family: RecordId,
    scopes: &[UnitScope],
    after: u64,
) -> Result<Option<TimestampMs>, OfficeError> {
    let left = scopes.iter().filter_map(|one| one.left).filter(|left| *left > after).min();
    let Some(left) = left else { return Ok(None) };
    let head = DocumentId { record: family, part: Part::Main };
    let changes = read.changes_since(&head, left.saturating_sub(1), 1)?;
    Ok(changes.first().filter(|change| change.position == left).map(|change| change.received_at))
}
