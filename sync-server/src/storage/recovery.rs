//! That the data was put back to a backup, and who came back since, as it is stored.
//!
//! Parts of the [`Read`](super::Read) and [`Write`](super::Write) contracts.

use std::collections::BTreeMap;

use outrider_core::{ids::DeviceId, sync::frame::Recovery, time::TimestampMs};

use super::StorageError;

/// One time that the data was put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredRecovery {
    /// Counts them, from 1.
    pub number: u32,
    /// Where the feed stood.
    pub position: u64,
    /// When that was, or was found out.
    pub opened_at: TimestampMs,
    /// Whether the operator said so; devices did otherwise.
    pub is_announced: bool,
    /// Since when nothing is expected from anybody; 0 while it is.
    pub closed_at: TimestampMs,
    /// Where the feed stood when the last change came back.
    pub moved: u64,
}

impl StoredRecovery {
    /// Whether something may still come back.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.closed_at == 0
    }

    /// What devices are told.
    #[must_use]
    pub fn told(&self) -> Recovery {
        Recovery { number: self.number, is_closed: !self.is_open() }
    }
}

/// Looking up recoveries.
#[expect(clippy::missing_errors_doc, reason = "as all methods of `Read`: said there")]
pub trait ReadRecovery {
    /// The last one.
    fn recovery(&self) -> Result<Option<StoredRecovery>, StorageError>;
    /// Devices that came back since it began, each with where the feed stood when it had last sent
    /// everything again.
    fn returned(&self, number: u32) -> Result<BTreeMap<DeviceId, u64>, StorageError>;
    /// When the `nth` last day began on which some device was heard of, counted from 1; none if there
    /// were not so many. Days that nobody lived through, because a clock jumped, are not among them.
    fn last_contact_day(&self, nth: u32) -> Result<Option<TimestampMs>, StorageError>;
}

/// Beginning and ending recoveries.
#[expect(clippy::missing_errors_doc, reason = "as all methods of `Write`: said there")]
pub trait WriteRecovery {
    /// Notes that changes come back with what is being written, if a recovery is open.
    fn note_moved(&mut self) -> Result<(), StorageError>;
    /// Stores one, in place of one with its number.
    fn put_recovery(&mut self, recovery: &StoredRecovery) -> Result<(), StorageError>;
    /// Notes that a device came back, and has sent everything again as the feed stands now.
    fn note_returned(
        &mut self,
        number: u32,
        device: DeviceId,
        at: TimestampMs,
    ) -> Result<(), StorageError>;
}
