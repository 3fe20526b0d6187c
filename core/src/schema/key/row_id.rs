//! Ids of rows and of entries of a log.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::schema::types::ValueError;

/// Length of the id of a row.
const ROW_ID_CHARS: usize = 10;
const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// The id of a row, or of an entry of a log: 10 characters of `0-9a-z`, drawn by the device.
///
/// Unique within one field of one record, where 36^10 values leave no room for chance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId([u8; ROW_ID_CHARS]);

impl RowId {
    /// Makes an id from random bytes.
    #[must_use]
    pub fn new(random: [u8; ROW_ID_CHARS]) -> Self {
        Self(random.map(|byte| DIGITS.get(usize::from(byte % 36)).copied().unwrap_or(b'0')))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RowId {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let malformed = ValueError::Malformed("the id of a row");
        let bytes: [u8; ROW_ID_CHARS] =
            text.as_bytes().try_into().map_err(|_| malformed.clone())?;
        if bytes.iter().all(|byte| DIGITS.contains(byte)) {
            Ok(Self(bytes))
        } else {
            Err(malformed)
        }
    }
}

impl Serialize for RowId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for RowId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
