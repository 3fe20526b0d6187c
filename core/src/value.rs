//! The scalars that a flat document holds.
//!
//! Five kinds, each an Automerge scalar of its own: what a field means (a date, an amount of
//! money, a link) is the schema's business; its canonical encoding is one of these.

pub mod compound;
pub mod geo;
pub mod money;
pub mod time_span;

use serde::{Deserialize, Serialize};

pub use compound::{Address, PersonName};
pub use geo::Geo;
pub use money::Money;
pub use time_span::TimeSpan;

/// One scalar under one key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// No value: what a person cleared. It takes part in conflicts like any other.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number, also times in milliseconds.
    Int(i64),
    /// UTF-8 text; also dates, money and identifiers in their canonical form.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Value {
    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The whole number, if it is one.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        if let Self::Int(number) = self { Some(*number) } else { None }
    }

    /// Bytes that the value takes, without overhead.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) => 1,
            Self::Int(_) => 8,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}
