//! Keys of a flat document: which field, and which piece of it, a key names.
//!
//! | kind | key | value |
//! |---|---|---|
//! | register, once, office | `company_name` | of the field's type |
//! | counter | `visits/<actor>` | the actor's own count, an integer |
//! | set | `tags/<member>` | true |
//! | rows | `lines/<row>/qty`, and `lines/<row>/-` for a removal | of the column's type; text |
//! | log | `stages/<entry>` | text, canonical JSON |
//!
//! Each key has one spelling: what [`Entity::parse_key`] accepts, the constructors write.

mod member;
mod row_id;
mod value;

use std::fmt;

use crate::{
    ids::{ActorId, Part},
    schema::{
        entity::Entity,
        field::{Field, Kind},
        types::ValueError,
    },
};

pub use member::{MEMBER_CHARS_MAX, member_key};
pub use row_id::RowId;
pub use value::{ENTRY_BYTES_MAX, VALUE_BYTES_MAX};

/// Bytes of a key, at most.
pub const KEY_BYTES_MAX: usize = 256;
/// What stands in a column's place where a row was removed.
pub const ROW_GONE: &str = "-";

/// What a key of a flat document names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key<'a> {
    /// The one value of a field.
    Register(&'a Field),
    /// What one actor counted.
    Counter {
        /// The counter.
        field: &'a Field,
        /// Who counts under this key.
        actor: ActorId,
    },
    /// One member of a set.
    Member {
        /// The set.
        field: &'a Field,
        /// The member, normalised.
        value: String,
    },
    /// One cell of a row.
    Cell {
        /// The rows.
        field: &'a Field,
        /// The cell's column.
        column: &'a Field,
        /// The row.
        row: RowId,
    },
    /// The removal of a row.
    RowGone {
        /// The rows.
        field: &'a Field,
        /// The row.
        row: RowId,
    },
    /// One entry of a log.
    Entry {
        /// The log.
        field: &'a Field,
        /// The entry.
        entry: RowId,
    },
}

/// Why a key or what is under it is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No field has this name.
    #[error("there is no field `{0}`")]
    UnknownField(String),
    /// The rows have no such column.
    #[error("the rows `{field}` have no column `{column}`")]
    UnknownColumn {
        /// The rows.
        field: String,
        /// The name that was given, shortened.
        column: String,
    },
    /// The field is in another part of the record.
    #[error("the field `{field}` is in the part `{part}`")]
    WrongPart {
        /// The field.
        field: String,
        /// Where it is.
        part: String,
    },
    /// Not a key of the field's kind.
    #[error("not a key of the field `{field}`, which is a {kind}")]
    Malformed {
        /// The field.
        field: String,
        /// Its kind.
        kind: &'static str,
    },
    /// The member of a set has no letters.
    #[error("a member of `{0}` cannot be empty")]
    EmptyMember(String),
    /// The member of a set, or the key, is too long.
    #[error("a member of `{0}` is too long")]
    MemberTooLong(String),
    /// The value under the key is wrong.
    #[error("the field `{field}`: {source}")]
    Value {
        /// The field.
        field: String,
        /// What is wrong.
        source: ValueError,
    },
}

impl KeyError {
    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownField(_) => "unknown_field",
            Self::UnknownColumn { .. } => "unknown_column",
            Self::WrongPart { .. } => "wrong_part",
            Self::Malformed { .. } => "malformed_key",
            Self::EmptyMember(_) => "empty_member",
            Self::MemberTooLong(_) => "member_too_long",
            Self::Value { source, .. } => source.code(),
        }
    }

    /// The field that it is about.
    #[must_use]
    pub fn field(&self) -> &str {
        match self {
            Self::UnknownField(field)
            | Self::UnknownColumn { field, .. }
            | Self::WrongPart { field, .. }
            | Self::Malformed { field, .. }
            | Self::EmptyMember(field)
            | Self::MemberTooLong(field)
            | Self::Value { field, .. } => field,
        }
    }
}

/// The key of a field with one value.
#[must_use]
pub fn register_key(field: &Field) -> String {
    field.name.clone()
}

/// The key under which an actor counts.
#[must_use]
pub fn counter_key(field: &Field, actor: ActorId) -> String {
    format!("{}/{actor}", field.name)
}

/// The key of a cell.
#[must_use]
pub fn cell_key(field: &Field, row: RowId, column: &Field) -> String {
    format!("{}/{row}/{}", field.name, column.name)
}

/// The key of a row's removal.
#[must_use]
pub fn row_gone_key(field: &Field, row: RowId) -> String {
    format!("{}/{row}/{ROW_GONE}", field.name)
}

/// The key of an entry of a log.
#[must_use]
pub fn entry_key(field: &Field, entry: RowId) -> String {
    format!("{}/{entry}", field.name)
}

impl Entity {
    /// Reads a key of the document that holds `part` of a record.
    ///
    /// # Errors
    ///
    /// The key names no field of this part, or not in the way of the field's kind.
    pub fn parse_key(&self, part: &Part, key: &str) -> Result<Key<'_>, KeyError> {
        let (name, rest) = match key.split_once('/') {
            Some((name, rest)) => (name, Some(rest)),
            None => (key, None),
        };
        let field = self.field(name).ok_or_else(|| KeyError::UnknownField(shorten(name)))?;
        if field.part != *part {
            let part = field.part.to_string();
            return Err(KeyError::WrongPart { field: field.name.clone(), part });
        }
        if key.len() > KEY_BYTES_MAX {
            return Err(malformed(field));
        }
        match (field.kind, rest) {
            (Kind::Register | Kind::Once | Kind::Office, None) => Ok(Key::Register(field)),
            (Kind::Counter, Some(rest)) => parse_counter(field, rest),
            (Kind::Set, Some(rest)) => member::parse_member(field, rest),
            (Kind::Rows, Some(rest)) => parse_cell(field, rest),
            (Kind::Log, Some(rest)) => {
                let entry = rest.parse().map_err(|_| malformed(field))?;
                Ok(Key::Entry { field, entry })
            }
            (Kind::Register | Kind::Once | Kind::Office, Some(_))
            | (Kind::Counter | Kind::Set | Kind::Rows | Kind::Log, None)
            | (Kind::Text, _) => Err(malformed(field)),
        }
    }
}

impl<'a> Key<'a> {
    /// The field that the key belongs to.
    #[must_use]
    pub fn field(&self) -> &'a Field {
        match self {
            Self::Register(field)
            | Self::Counter { field, .. }
            | Self::Member { field, .. }
            | Self::Cell { field, .. }
            | Self::RowGone { field, .. }
            | Self::Entry { field, .. } => field,
        }
    }
}

/// The key as it stands in the document.
impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Register(field) => f.write_str(&register_key(field)),
            Self::Counter { field, actor } => f.write_str(&counter_key(field, *actor)),
            Self::Member { field, value } => {
                write!(f, "{}/{}", field.name, member::escape(value))
            }
            Self::Cell { field, column, row } => f.write_str(&cell_key(field, *row, column)),
            Self::RowGone { field, row } => f.write_str(&row_gone_key(field, *row)),
            Self::Entry { field, entry } => f.write_str(&entry_key(field, *entry)),
        }
    }
}

fn parse_counter<'a>(field: &'a Field, rest: &str) -> Result<Key<'a>, KeyError> {
    let actor: ActorId = rest.parse().map_err(|_| malformed(field))?;
    // Upper-case digits would make a second key of the same actor.
    if actor.to_string() == rest {
        Ok(Key::Counter { field, actor })
    } else {
        Err(malformed(field))
    }
}

fn parse_cell<'a>(field: &'a Field, rest: &str) -> Result<Key<'a>, KeyError> {
    let (row, column) = rest.split_once('/').ok_or_else(|| malformed(field))?;
    let row: RowId = row.parse().map_err(|_| malformed(field))?;
    if column == ROW_GONE {
        return Ok(Key::RowGone { field, row });
    }
    let column = field.column(column).ok_or_else(|| KeyError::UnknownColumn {
        field: field.name.clone(),
        column: shorten(column),
    })?;
    Ok(Key::Cell { field, column, row })
}

fn malformed(field: &Field) -> KeyError {
    KeyError::Malformed { field: field.name.clone(), kind: field.kind.name() }
}

fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}
