//! What a doctor can find, and what can be done about it.

use std::{fmt, str::FromStr};

use serde::Serialize;

/// Names of what was found that are told one by one; all are counted.
pub const NAMES_MAX: usize = 20;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Worth knowing; nothing is wrong with the store.
    Notice,
    /// Something is damaged or missing.
    Problem,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The store cannot be opened.
    Unopenable,
    /// The file that holds the device's private key is missing or unreadable.
    Key,
    /// The token that tells copies of a store apart is missing or another one.
    Instance,
    /// Others may read the private key.
    Permissions,
    /// The disk is nearly full.
    DiskSpace,
    /// Pages or indexes are not what SQLite wrote.
    Pages,
    /// Documents are not as they were stored.
    Documents,
    /// Documents say something else than what is confirmed and what waits.
    Follow,
    /// Digests are not those of their documents.
    Digests,
    /// Documents wait for the server's copy.
    Awaited,
    /// Damaged pieces are kept aside.
    Quarantine,
    /// Rows of lists say something else than their documents.
    Rows,
    /// Edits that wait are not as they were stored.
    Outbox,
    /// Edits wait whose document is not here.
    Strays,
    /// Edits that the office has are not as they were stored, and could not be given back to it.
    OwnChanges,
    /// The cursor cannot be read.
    Cursor,
    /// The clock is far off.
    Clock,
    /// Another process writes into the store just now.
    OtherProcess,
    /// Edits have waited for long.
    Waiting,
    /// Refusals wait for a person.
    Inbox,
}

impl Kind {
    /// Its name, for programs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Unopenable => "unopenable",
            Self::Key => "key",
            Self::Instance => "instance",
            Self::Permissions => "permissions",
            Self::DiskSpace => "disk_space",
            Self::Pages => "pages",
            Self::Documents => "documents",
            Self::Follow => "follow",
            Self::Digests => "digests",
            Self::Awaited => "awaited",
            Self::Quarantine => "quarantine",
            Self::Rows => "rows",
            Self::Outbox => "outbox",
            Self::Strays => "strays",
            Self::OwnChanges => "own_changes",
            Self::Cursor => "cursor",
            Self::Clock => "clock",
            Self::OtherProcess => "other_process",
            Self::Waiting => "waiting",
            Self::Inbox => "inbox",
        }
    }
}

/// Why edits have waited for long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The device is enrolled with nobody.
    NotEnrolled,
    /// There was no session since.
    NoContact,
    /// There were sessions, and the office put them off.
    PutOff,
}

/// A repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fix {
    /// Puts damaged documents aside, and makes them anew from what is left or has them fetched.
    Documents,
    /// Writes damaged waiting edits anew; what nothing can be made of is put aside.
    Outbox,
    /// Counts digests anew.
    Digests,
    /// Makes the rows of lists anew from the documents.
    Rows,
    /// Forgets where the device stands with the server: the next session compares everything.
    ForgetCursor,
    /// Takes the private key away from others.
    Permissions,
    /// Copies what can be read into a new file; the old one is kept.
    Salvage,
}

impl Fix {
    /// All of them, in the order in which they are done.
    pub const ALL: [Self; 7] = [
        Self::Salvage,
        Self::Permissions,
        Self::Documents,
        Self::Outbox,
        Self::Digests,
        Self::Rows,
        Self::ForgetCursor,
    ];

    /// Whether it may be done with others, without a look at each: all but exchanging the whole file.
    #[must_use]
    pub fn is_safe(self) -> bool {
        self != Self::Salvage
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Documents => "documents",
            Self::Outbox => "outbox",
            Self::Digests => "digests",
            Self::Rows => "rows",
            Self::ForgetCursor => "forget-cursor",
            Self::Permissions => "permissions",
            Self::Salvage => "salvage",
        }
    }
}

impl fmt::Display for Fix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no such repair.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no fix `{0}`; there are documents, outbox, digests, rows, forget-cursor, permissions, salvage"
)]
pub struct UnknownFix(String);

impl FromStr for Fix {
    type Err = UnknownFix;

    fn from_str(name: &str) -> Result<Self, UnknownFix> {
        let found = Self::ALL.into_iter().find(|fix| fix.name() == name);
        found.ok_or_else(|| UnknownFix(name.chars().take(80).collect()))
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// How bad it is.
    pub level: Level,
    /// How many there are.
    pub count: u64,
    /// Some of them: ids, numbers, lines of SQLite; never values.
    pub names: Vec<String>,
    /// Why, where there are reasons to tell apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What repairs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
}

impl Finding {
    /// A problem.
    #[must_use]
    pub fn problem(kind: Kind, fix: Option<Fix>) -> Self {
        Self { kind, level: Level::Problem, count: 0, names: Vec::new(), reason: None, fix }
    }

    /// Something worth knowing.
    #[must_use]
    pub fn notice(kind: Kind) -> Self {
        Self { level: Level::Notice, ..Self::problem(kind, None) }
    }

    /// With one more of them.
    pub fn add(&mut self, name: impl fmt::Display) {
        self.count += 1;
        if self.names.len() < NAMES_MAX {
            self.names.push(name.to_string());
        }
    }

    /// With so many of them.
    #[must_use]
    pub fn counted(self, count: u64) -> Self {
        Self { count, ..self }
    }

    /// With the name of the one there is.
    #[must_use]
    pub fn named(mut self, name: impl fmt::Display) -> Self {
        self.add(name);
        self
    }
}

/// What a repair did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fixed {
    /// Which one.
    pub fix: Fix,
    /// How many it repaired.
    pub repaired: u64,
    /// Where what it replaced is kept, if that is a file; else the table `quarantine`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_in: Option<std::path::PathBuf>,
}
