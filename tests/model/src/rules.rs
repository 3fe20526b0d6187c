//! The rules that the promises rest on, each of which can be broken on purpose.
//!
//! A search that finds nothing proves little unless it finds something when a rule is broken. Each
//! of these is a mistake that a program could make; a test asserts that the search finds what is
//! lost by it.

/// A rule that is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Broken {
    /// All rules are kept.
    Nothing,
    /// A copied device goes on under the actors of the one that it was copied from, although the
    /// token tells them apart.
    TokenIgnored,
    /// Waiting changes are written anew under the actor that had its change refused.
    SuffixReused,
    /// What is written anew replaces what stands today, and not what its author had seen.
    TodaysPreds,
    /// Refused values are dropped.
    RefusedDropped,
    /// The server forgets what it refused.
    RefusalsForgotten,
    /// A restored server does not carry out its ledger.
    LedgerIgnored,
    /// An erased record is open to changes of its new generation and of its old one.
    ErasedOpen,
    /// A server that does not know the cursor, or has other digests, is not sent back what it lacks.
    NothingSentAgain,
    /// A change whose number is taken is said to be there already.
    ForkConfirmed,
    /// What another device wrote is never asked for when digests differ, and a cursor always fits.
    CursorBelieved,
    /// What waits for a lost change is thrown away.
    PendingDropped,
}

impl Broken {
    /// All that can be broken.
    pub const ALL: [Self; 11] = [
        Self::TokenIgnored,
        Self::SuffixReused,
        Self::TodaysPreds,
        Self::RefusedDropped,
        Self::RefusalsForgotten,
        Self::LedgerIgnored,
        Self::ErasedOpen,
        Self::NothingSentAgain,
        Self::ForkConfirmed,
        Self::CursorBelieved,
        Self::PendingDropped,
    ];
}
