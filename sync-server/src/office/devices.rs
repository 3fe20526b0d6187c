//! Who is out there: devices with their last contact, and what came from them.

use std::collections::{BTreeMap, BTreeSet};

use outrider_core::{
    ids::{DeviceId, RecordId},
    time::TimestampMs,
};
use serde::Serialize;

use super::{OfficeError, titles};
use crate::storage::{ArrivedChange, DeviceContact, Read};

/// Changes that are looked through for what arrived, at most.
pub const ARRIVAL_CHANGES_MAX: usize = 5_000;

/// What one push brought to one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Arrival {
    /// The record.
    pub record: RecordId,
    /// Name of its entity.
    pub entity: String,
    /// Its name for people.
    pub title: String,
    /// Who wrote.
    pub user: String,
    /// On which device.
    pub device_name: String,
    /// Whether it was written at the office.
    pub is_office: bool,
    /// When it arrived.
    pub received_at: TimestampMs,
    /// When the last of it was written, by the author's clock.
    pub made_at: TimestampMs,
    /// The fields that were written.
    pub fields: Vec<String>,
    /// The position of the push.
    pub position: u64,
}

/// All devices, those that stand for users at the office among them.
///
/// # Errors
///
/// Fails when the storage does.
pub fn devices(read: &dyn Read) -> Result<Vec<DeviceContact>, OfficeError> {
    Ok(read.devices()?)
}

/// What arrived at `since_ms` or later, the latest first: one entry for each record of each push,
/// at most `limit`, from the last [`ARRIVAL_CHANGES_MAX`] changes.
///
/// # Errors
///
/// Fails when the storage does.
pub fn arrivals(
    read: &dyn Read,
    since_ms: TimestampMs,
    limit: usize,
) -> Result<Vec<Arrival>, OfficeError> {
    let mut order: Vec<(u64, RecordId)> = Vec::new();
    let mut groups: BTreeMap<(u64, RecordId), Group> = BTreeMap::new();
    for change in read.arrivals(since_ms, ARRIVAL_CHANGES_MAX)? {
        let name = (change.position, change.document.record);
        if !groups.contains_key(&name) {
            if order.len() >= limit {
                continue;
            }
            order.push(name);
        }
        groups.entry(name).or_insert_with(|| Group::new(&change)).add(&change);
    }
    let names = titles(read, order.iter().map(|(_, record)| *record))?;
    let mut authors: BTreeMap<DeviceId, (String, String, bool)> = BTreeMap::new();
    let mut found = Vec::with_capacity(order.len());
    for name in order {
        let Some(group) = groups.remove(&name) else { continue };
        if let std::collections::btree_map::Entry::Vacant(entry) = authors.entry(group.device) {
            let author = read.device(group.device)?;
            let author = author.map(|device| (device.user, device.name, device.is_office));
            entry.insert(author.unwrap_or_default());
        }
        let (user, device_name, is_office) =
            authors.get(&group.device).cloned().unwrap_or_default();
        let (position, record) = name;
        let title = names.get(&record).map(|(_, title)| title.clone());
        found.push(Arrival {
            record,
            entity: group.entity,
            title: title.unwrap_or_else(|| record.to_string()),
            user,
            device_name,
            is_office,
            received_at: group.received_at,
            made_at: group.made_at,
            fields: group.fields.into_iter().collect(),
            position,
        });
    }
    Ok(found)
}

/// The changes of one record in one push.
struct Group {
    entity: String,
    device: DeviceId,
    received_at: TimestampMs,
    made_at: TimestampMs,
    fields: BTreeSet<String>,
}

impl Group {
    fn new(change: &ArrivedChange) -> Self {
        Self {
            entity: change.entity.clone(),
            device: change.device,
            received_at: change.received_at,
            made_at: change.made_at,
            fields: BTreeSet::new(),
        }
    }

    fn add(&mut self, change: &ArrivedChange) {
        self.made_at = self.made_at.max(change.made_at);
        if change.document.part.is_flat() {
            let keys = change.keys.iter();
            let names = keys.filter_map(|key| key.split('/').next());
            self.fields.extend(names.map(str::to_owned));
        } else {
            self.fields.insert(change.document.part.as_str().to_owned());
        }
    }
}
