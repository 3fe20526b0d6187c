//! How far a permission reaches, for what, in which part of a record.

use serde::{Deserialize, Serialize};

use crate::ids::Part;

/// How far a permission reaches; each level includes those before it.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// To nothing.
    #[default]
    None,
    /// To records of the user, and of whoever the user stands in for.
    Own,
    /// To records of the user's teams and of their members.
    Team,
    /// To records of the user's territories and of all territories within them.
    Territory,
    /// To every record.
    All,
}

impl Level {
    /// All levels, ascending.
    pub const ALL: [Self; 5] = [Self::None, Self::Own, Self::Team, Self::Territory, Self::All];
}

/// What is done with records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// To see a record, to find it, to hold it on a device.
    Read,
    /// To begin a record.
    Create,
    /// To change fields of a record.
    Edit,
    /// To archive a record, and to bring it back.
    Archive,
    /// To take records out as a file.
    Export,
    /// To bring records in from a file.
    Import,
    /// To change whose a record is: its owner or team.
    Assign,
    /// To decide on what others may not do by themselves.
    Approve,
    /// To make two records one.
    Merge,
}

impl Operation {
    /// All operations.
    pub const ALL: [Self; 9] = [
        Self::Read,
        Self::Create,
        Self::Edit,
        Self::Archive,
        Self::Export,
        Self::Import,
        Self::Assign,
        Self::Approve,
        Self::Merge,
    ];
}

/// The parts of a record that permissions tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartKind {
    /// The fields that every reader of the record sees.
    Main,
    /// The fields that only some readers see.
    Restricted,
    /// Long texts.
    Texts,
}

impl PartKind {
    /// All parts.
    pub const ALL: [Self; 3] = [Self::Main, Self::Restricted, Self::Texts];

    /// The kind of a part.
    #[must_use]
    pub fn of(part: &Part) -> Self {
        match part {
            Part::Main => Self::Main,
            Part::Restricted => Self::Restricted,
            Part::Text(_) => Self::Texts,
        }
    }
}
