//! What goes wrong, and when.

/// What SQLite asks of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Opening one, or creating it.
    Open,
    /// Reading a piece.
    Read,
    /// Writing a piece.
    Write,
    /// Cutting it to a length.
    Truncate,
    /// Making what was written durable.
    Sync,
    /// Asking for its length.
    Size,
    /// Removing it.
    Delete,
    /// Asking whether it is there.
    Access,
    /// Locking it, or asking whether it is locked.
    Lock,
    /// Mapping a piece of the memory that processes share.
    ShmMap,
    /// Locking a place of that memory.
    ShmLock,
}

/// How an operation goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    /// It fails and did nothing: an I/O error.
    Error,
    /// There is no room for what is written.
    Full,
    /// Half of what is written arrives, then it fails.
    Short,
    /// The sync fails, and what was to be synced is given up, as Linux does: a later sync that succeeds
    /// does not bring it.
    SyncFails,
    /// The sync says that all is well, and did nothing.
    SyncLies,
    /// Nothing works any more, and what was not synced by then is gone when [`cut`](crate::Disk::cut_power).
    Power,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Error, Self::Full, Self::Short, Self::SyncFails, Self::SyncLies, Self::Power];

    /// Whether an operation can go wrong in this way.
    #[must_use]
    pub fn fits(self, operation: Operation) -> bool {
        match self {
            Self::Error | Self::Power => true,
            Self::Full => matches!(operation, Operation::Write | Operation::ShmMap),
            Self::Short => operation == Operation::Write,
            Self::SyncFails | Self::SyncLies => operation == Operation::Sync,
        }
    }

    /// Its name on a command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Full => "full",
            Self::Short => "short",
            Self::SyncFails => "sync-fails",
            Self::SyncLies => "sync-lies",
            Self::Power => "power",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// Which operation goes wrong, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// How.
    pub mode: Mode,
    /// From which operation on, from 1: the first one there or later that the mode fits.
    pub at: u64,
    /// Whether all later ones go wrong too, until the disk is healed.
    pub is_lasting: bool,
}

impl Plan {
    /// Whether the operation with this number goes wrong, after so many others did.
    pub(crate) fn hits(&self, number: u64, operation: Operation, before: u64) -> bool {
        let is_open = self.is_lasting || self.mode == Mode::Power || before == 0;
        is_open && number >= self.at && self.mode.fits(operation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_hits_once_or_from_then_on() {
        let once = Plan { mode: Mode::Full, at: 3, is_lasting: false };
        assert!(!once.hits(2, Operation::Write, 0));
        assert!(!once.hits(3, Operation::Read, 0));
        assert!(once.hits(4, Operation::Write, 0));
        assert!(!once.hits(5, Operation::Write, 1));
        let lasting = Plan { is_lasting: true, ..once };
        assert!(lasting.hits(9, Operation::Write, 4));
    }

    #[test]
    fn modes_have_names() {
        for mode in Mode::ALL {
            assert_eq!(Mode::named(mode.name()), Some(mode));
        }
        assert_eq!(Mode::named("earthquake"), None);
    }
}
