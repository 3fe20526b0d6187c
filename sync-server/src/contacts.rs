//! When devices were last heard of: kept to the minute, and written beside requests.
//!
//! A device that asks ten times a second costs one write in a minute. While one write waits for
//! the disk, the contacts of other devices gather and go into the next one together.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use outrider_core::{ids::DeviceId, time::TimestampMs};

use crate::{
    state::AppState,
    storage::{Storage, StorageError},
};

/// How exactly the last contact is kept.
pub(crate) const CONTACT_EVERY_MS: TimestampMs = 60_000;

/// What was heard of devices since this process began. One entry for each enrolled device.
#[derive(Debug, Default)]
pub(crate) struct Contacts(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// The last contact that was written, or is about to be.
    noted: BTreeMap<DeviceId, TimestampMs>,
    waiting: BTreeMap<DeviceId, TimestampMs>,
    is_writing: bool,
}

impl Contacts {
    fn known(&self) -> MutexGuard<'_, Known> {
        // The maps are whole at every moment, whatever a holder of the lock died of.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a contact; returns whether somebody must begin to write.
    fn note(&self, id: DeviceId, now_ms: TimestampMs) -> bool {
        let mut known = self.known();
        let last = known.noted.get(&id);
        if last.is_some_and(|last| now_ms < last.saturating_add(CONTACT_EVERY_MS)) {
            return false;
        }
        known.noted.insert(id, now_ms);
        known.waiting.insert(id, now_ms);
        !std::mem::replace(&mut known.is_writing, true)
    }

    /// What is to be written; `None` ends the writing.
    fn next(&self) -> Option<BTreeMap<DeviceId, TimestampMs>> {
        let mut known = self.known();
        if known.waiting.is_empty() {
            known.is_writing = false;
            return None;
        }
        Some(std::mem::take(&mut known.waiting))
    }
}

impl AppState {
    /// Notes that a device was heard of, without keeping its request waiting.
    pub(crate) fn note_contact(&self, id: DeviceId) {
        if self.contacts.note(id, self.now_ms()) {
            let state = self.clone();
            tokio::spawn(async move {
                while let Some(heard) = state.contacts.next() {
                    // What failed is said in the log, and the next contact is a minute away.
                    if let Err(error) = state.run(|storage| write(storage, heard)).await {
                        error.log();
                    }
                }
            });
        }
    }
}

fn write(
    storage: &dyn Storage,
    heard: BTreeMap<DeviceId, TimestampMs>,
) -> Result<(), StorageError> {
    let mut tx = storage.write()?;
    for (id, at) in heard {
        tx.set_last_contact(id, at)?;
    }
    tx.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u128) -> DeviceId {
        DeviceId(uuid::Uuid::from_u128(n))
    }

    #[test]
    fn a_device_is_written_once_in_a_minute_and_others_join_the_writing() {
        let contacts = Contacts::default();
        assert!(contacts.note(id(1), 1_000), "somebody must write");
        assert!(!contacts.note(id(1), 1_001), "the same minute");
        assert!(!contacts.note(id(2), 1_002), "the writer is at work");
        assert_eq!(contacts.next(), Some(BTreeMap::from([(id(1), 1_000), (id(2), 1_002)])));
        assert!(!contacts.note(id(3), 1_003));
        assert_eq!(contacts.next(), Some(BTreeMap::from([(id(3), 1_003)])));
        assert_eq!(contacts.next(), None);
        assert!(!contacts.note(id(1), 1_000 + CONTACT_EVERY_MS - 1));
        assert!(contacts.note(id(1), 1_000 + CONTACT_EVERY_MS));
    }
}
