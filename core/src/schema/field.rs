//! Fields: what a record holds, and how concurrent edits of it merge.

use serde::{Deserialize, Serialize};

use crate::{
    ids::Part,
    schema::{entity::Label, types::Type},
};

/// How a field is laid out in its document, which decides how concurrent edits merge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One value under the field's name.
    #[default]
    Register,
    /// A sum, each actor counting under a key of its own.
    Counter,
    /// A set of values, one key each; adding beats a concurrent removal.
    Set,
    /// Rows of cells, one key per cell.
    Rows,
    /// Entries that are never edited, one key each.
    Log,
    /// One value that cannot be changed once it is there.
    Once,
    /// One value that only the office writes.
    Office,
    /// A long text that several people edit, a document of its own.
    Text,
}

impl Kind {
    /// Whether the field holds one value under its own name.
    #[must_use]
    pub fn is_single(self) -> bool {
        match self {
            Self::Register | Self::Once | Self::Office => true,
            Self::Counter | Self::Set | Self::Rows | Self::Log | Self::Text => false,
        }
    }

    /// Its name in definitions.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Counter => "counter",
            Self::Set => "set",
            Self::Rows => "rows",
            Self::Log => "log",
            Self::Once => "once",
            Self::Office => "office",
            Self::Text => "text",
        }
    }
}

/// Which of several concurrent values counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settle {
    /// The one with the highest operation id; the others stay visible as a conflict.
    #[default]
    Winner,
    /// None until a person has chosen; automation leaves the record alone meanwhile.
    Person,
    /// Yes beats no: who opted out anywhere has opted out.
    OptOut,
    /// Yes beats no: what is done anywhere is done.
    Done,
    /// The higher number, or the choice with the higher rank.
    Higher,
    /// The stage with the higher rank.
    StageRank,
}

impl Settle {
    /// Its name in definitions.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Winner => "winner",
            Self::Person => "person",
            Self::OptOut => "opt_out",
            Self::Done => "done",
            Self::Higher => "higher",
            Self::StageRank => "stage_rank",
        }
    }
}

/// One field of an entity, or one column of its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name in the API, in SQL and in keys.
    pub name: String,
    /// Its name for people.
    pub label: Label,
    /// How it is laid out and merges.
    pub kind: Kind,
    /// What its values, members or counts look like.
    pub ty: Type,
    /// The document that holds it.
    pub part: Part,
    /// Whether a form asks for it; a merge or an import may still leave it empty.
    pub required: bool,
    /// Which of several concurrent values counts.
    pub settle: Settle,
    /// The cells of a row, or the members of a log's entry.
    pub columns: Vec<Self>,
    /// Whether other systems name the record by it, so that an import can match records.
    pub external_key: bool,
    /// What to enter, for people.
    pub help: Option<Label>,
    /// Whether queries look records up by it.
    pub indexed: bool,
    /// Whether the program alone writes it, as an effect of what people do.
    pub by_program: bool,
}

impl Field {
    /// Whether the program notes something for itself there, which no person settles.
    #[must_use]
    pub fn is_note(&self) -> bool {
        self.by_program && matches!(self.ty, Type::Json { .. })
    }

    /// The column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Self> {
        self.columns.iter().find(|column| column.name == name)
    }
}
