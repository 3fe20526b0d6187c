//! What can happen.

use crate::change::{DocumentName, Kind, Slot};

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// Somebody types.
    Write {
        /// Where.
        slot: Slot,
        /// Into what.
        document: DocumentName,
        /// What.
        kind: Kind,
    },
    /// Somebody types while the answer to a pull is on its way; the conversation ends with it.
    WriteDuring {
        /// Where.
        slot: Slot,
        /// Into what.
        document: DocumentName,
        /// What.
        kind: Kind,
    },
    /// A device talks to the server until it has nothing more to say.
    Sync {
        /// Which.
        slot: Slot,
    },
    /// A conversation is cut after so many answers.
    Cut {
        /// Of which device.
        slot: Slot,
        /// After how many.
        after: u8,
    },
    /// A conversation is cut: a request, counted from 1, arrives, and its answer does not.
    Lost {
        /// Of which device.
        slot: Slot,
        /// Which request.
        at: u8,
    },
    /// A push is on its way for long.
    Late {
        /// Of which device.
        slot: Slot,
    },
    /// The push that was on its way arrives.
    Arrive,
    /// The server is backed up.
    BackUp,
    /// The server is put back to its backup.
    Restore {
        /// Whether by its own command, which marks it.
        is_marked: bool,
    },
    /// A device is copied.
    Snapshot {
        /// Which.
        slot: Slot,
    },
    /// A device goes on as it was when it was copied.
    RollBack {
        /// Whether the token that tells copies apart was copied, too.
        has_token: bool,
    },
    /// The copy goes on in the empty place, beside the device that was copied.
    Clone {
        /// As above.
        has_token: bool,
    },
    /// The device that wrote before it was enrolled is enrolled.
    Enrol {
        /// Which.
        slot: Slot,
    },
    /// The office turns a device away, for good.
    Revoke {
        /// Which.
        slot: Slot,
    },
    /// The office erases a record.
    Erase {
        /// Which.
        document: DocumentName,
    },
    /// The office withholds no longer what it withheld, or the other way round.
    Toggle,
}

/// The kinds of events, as traces are chosen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is an event, with what tells it from others of its name")]
pub enum EventKind {
    WritePlain,
    WriteRefused,
    WriteMixed,
    WriteDuring,
    Sync,
    Cut,
    Lost,
    Late,
    Arrive,
    BackUp,
    Restore,
    RestoreMarked,
    Snapshot,
    RollBack,
    RollBackWithToken,
    Clone,
    CloneWithToken,
    Enrol,
    Revoke,
    Erase,
    Toggle,
}

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::WritePlain,
        Self::WriteRefused,
        Self::WriteMixed,
        Self::WriteDuring,
        Self::Sync,
        Self::Cut,
        Self::Lost,
        Self::Late,
        Self::Arrive,
        Self::BackUp,
        Self::Restore,
        Self::RestoreMarked,
        Self::Snapshot,
        Self::RollBack,
        Self::RollBackWithToken,
        Self::Clone,
        Self::CloneWithToken,
        Self::Enrol,
        Self::Revoke,
        Self::Erase,
        Self::Toggle,
    ];

    /// The bits of all.
    #[must_use]
    pub fn all_bits() -> u32 {
        Self::ALL.iter().fold(0, |bits, kind| bits | kind.bit())
    }

    /// Its bit.
    #[must_use]
    pub fn bit(self) -> u32 {
        1 << (self as u32)
    }
}

impl Event {
    /// Its kind.
    #[must_use]
    pub fn kind(self) -> EventKind {
        match self {
            Self::Write { kind: Kind::Plain, .. } => EventKind::WritePlain,
            Self::Write { kind: Kind::Refused, .. } => EventKind::WriteRefused,
            Self::Write { kind: Kind::Mixed, .. } => EventKind::WriteMixed,
            Self::WriteDuring { .. } => EventKind::WriteDuring,
            Self::Sync { .. } => EventKind::Sync,
            Self::Cut { .. } => EventKind::Cut,
            Self::Lost { .. } => EventKind::Lost,
            Self::Late { .. } => EventKind::Late,
            Self::Arrive => EventKind::Arrive,
            Self::BackUp => EventKind::BackUp,
            Self::Restore { is_marked: false } => EventKind::Restore,
            Self::Restore { is_marked: true } => EventKind::RestoreMarked,
            Self::Snapshot { .. } => EventKind::Snapshot,
            Self::RollBack { has_token: false } => EventKind::RollBack,
            Self::RollBack { has_token: true } => EventKind::RollBackWithToken,
            Self::Clone { has_token: false } => EventKind::Clone,
            Self::Clone { has_token: true } => EventKind::CloneWithToken,
            Self::Enrol { .. } => EventKind::Enrol,
            Self::Revoke { .. } => EventKind::Revoke,
            Self::Erase { .. } => EventKind::Erase,
            Self::Toggle => EventKind::Toggle,
        }
    }
}
