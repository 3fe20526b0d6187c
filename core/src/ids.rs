//! Identifiers: records, documents, actors, changes, devices.
//!
//! A record's id is a UUIDv7 made on the device; ids that several devices must make alike are
//! UUIDv5, derived from what caused them. A document is named by (record, part). An actor is the
//! writer of changes in one document: 12 bytes given by the server per enrolment, 4 bytes drawn
//! by the device.

use std::{fmt, str::FromStr};

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Length of an actor id in bytes.
pub const ACTOR_BYTES: usize = 16;
/// Length of the part of an actor id that the server hands out.
pub const ACTOR_PREFIX_BYTES: usize = 12;
/// Length of a change hash (SHA-256).
pub const HASH_BYTES: usize = 32;
/// Longest name of a part, in bytes.
pub const PART_BYTES_MAX: usize = 64;

/// Namespace of every id that Outrider derives (UUIDv5).
const NAMESPACE: Uuid = Uuid::from_u128(0x6f75_7472_6964_4572_a001_0000_0000_0001);

/// A text that is not the identifier it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {kind}")]
pub struct InvalidId {
    /// What was expected, in words.
    pub kind: &'static str,
    /// What was found, shortened.
    pub text: String,
}

impl InvalidId {
    fn new(kind: &'static str, text: &str) -> Self {
        Self { kind, text: text.chars().take(80).collect() }
    }
}

/// The id of a record, the same on every replica for ever.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordId(pub Uuid);

impl RecordId {
    /// Makes an id from the time in milliseconds and 10 random bytes (UUIDv7).
    #[must_use]
    pub fn new(now_ms: u64, random: [u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(now_ms, &random).into_uuid())
    }

    /// Derives the id that every device makes for `name` of `cause` (UUIDv5).
    #[must_use]
    pub fn derived(cause: Self, name: &str) -> Self {
        let mut seed = cause.0.as_bytes().to_vec();
        seed.extend_from_slice(name.as_bytes());
        Self(Uuid::new_v5(&NAMESPACE, &seed))
    }

    /// Derives the id of the record that `key` names in another system's list of `entity`.
    #[must_use]
    pub fn external(entity: &str, source: &str, key: &str) -> Self {
        let seed = [entity, source, key].join("\u{1f}");
        Self(Uuid::new_v5(&NAMESPACE, seed.as_bytes()))
    }

    /// The 16 bytes of the id.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Reads an id from its 16 bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RecordId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map(Self).map_err(|_| InvalidId::new("record id (a UUID)", text))
    }
}

/// The name of one document of a record.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Part {
    /// The fields that every reader of the record may see.
    Main,
    /// The fields that only some readers may see.
    Restricted,
    /// One long text, named by its field.
    Text(String),
}

impl Part {
    /// The name on disk, on the wire and in the API.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Main => "main",
            Self::Restricted => "restricted",
            Self::Text(field) => field,
        }
    }

    /// Whether the document is a flat map of scalars, not a text.
    #[must_use]
    pub fn is_flat(&self) -> bool {
        match self {
            Self::Main | Self::Restricted => true,
            Self::Text(_) => false,
        }
    }
}

fn is_part_letter(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Part {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text {
            "main" => Ok(Self::Main),
            "restricted" => Ok(Self::Restricted),
            field
                if !field.is_empty()
                    && field.len() <= PART_BYTES_MAX
                    && field.bytes().all(is_part_letter) =>
            {
                Ok(Self::Text(field.to_owned()))
            }
            other => Err(InvalidId::new("part", other)),
        }
    }
}

/// The name of a document.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DocumentId {
    /// The record it belongs to.
    pub record: RecordId,
    /// Which part of the record it is.
    pub part: Part,
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.record, self.part)
    }
}

impl FromStr for DocumentId {
    type Err = String;

    /// Reads what [`Display`](fmt::Display) wrote.
    fn from_str(text: &str) -> Result<Self, String> {
        let words = || "a document is named by its record, a slash and its part".to_owned();
        let (record, part) = text.split_once('/').ok_or_else(words)?;
        let record = record.parse().map_err(|_| words())?;
        Ok(Self { record, part: part.parse().map_err(|_| words())? })
    }
}

/// The writer of changes in one document.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorId(pub [u8; ACTOR_BYTES]);

impl ActorId {
    /// The actor of the constant first change of every text.
    pub const ZERO: Self = Self([0; ACTOR_BYTES]);

    /// Joins the server's prefix and the device's suffix.
    #[must_use]
    pub fn new(prefix: ActorPrefix, suffix: [u8; 4]) -> Self {
        let mut bytes = [0; ACTOR_BYTES];
        let (head, tail) = bytes.split_at_mut(ACTOR_PREFIX_BYTES);
        head.copy_from_slice(&prefix.0);
        tail.copy_from_slice(&suffix);
        Self(bytes)
    }

    /// The part that the server gave out.
    #[must_use]
    pub fn prefix(&self) -> ActorPrefix {
        let mut prefix = [0; ACTOR_PREFIX_BYTES];
        for (to, from) in prefix.iter_mut().zip(self.0) {
            *to = from;
        }
        ActorPrefix(prefix)
    }
}

/// What the server gives per (device, user, enrolment).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorPrefix(pub [u8; ACTOR_PREFIX_BYTES]);

/// The SHA-256 of a change, which names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeHash(pub [u8; HASH_BYTES]);

/// The id of an enrolled device, given by the server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeviceId(pub Uuid);

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for DeviceId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map(Self).map_err(|_| InvalidId::new("device id (a UUID)", text))
    }
}

/// Writes bytes as lower-case hexadecimal.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads exactly `N` bytes of hexadecimal.
#[must_use]
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != N * 2 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// Reads hexadecimal of any even length.
#[must_use]
pub fn bytes_from_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || !text.is_ascii() {
        return None;
    }
    let read = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.iter().map(read).collect()
}

/// Gives a byte-array id its hexadecimal text, CBOR bytes and serde string.
macro_rules! byte_id {
    ($name:ident, $bytes:expr, $kind:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&to_hex(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&to_hex(&self.0))
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                from_hex::<{ $bytes }>(text).map(Self).ok_or_else(|| InvalidId::new($kind, text))
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = InvalidId;

            fn try_from(bytes: &[u8]) -> Result<Self, InvalidId> {
                <[u8; $bytes]>::try_from(bytes)
                    .map(Self)
                    .map_err(|_| InvalidId::new($kind, &to_hex(bytes)))
            }
        }

        impl<C> Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.bytes(&self.0)?.ok()
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(
                d: &mut minicbor::Decoder<'b>,
                _: &mut C,
            ) -> Result<Self, minicbor::decode::Error> {
                Self::try_from(d.bytes()?).map_err(minicbor::decode::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

byte_id!(ActorId, ACTOR_BYTES, "actor id");
byte_id!(ActorPrefix, ACTOR_PREFIX_BYTES, "actor prefix");
byte_id!(ChangeHash, HASH_BYTES, "change hash");

/// Gives a UUID newtype its CBOR bytes.
macro_rules! uuid_cbor {
    ($name:ident) => {
        impl<C> Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.bytes(self.0.as_bytes())?.ok()
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(
                d: &mut minicbor::Decoder<'b>,
                _: &mut C,
            ) -> Result<Self, minicbor::decode::Error> {
                Uuid::from_slice(d.bytes()?).map(Self).map_err(minicbor::decode::Error::custom)
            }
        }
    };
}

uuid_cbor!(RecordId);
uuid_cbor!(DeviceId);

impl<C> Encode<C> for Part {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(self.as_str())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Part {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        d.str()?.parse().map_err(minicbor::decode::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_are_equal_on_every_device() {
        let lead = RecordId::new(1, [7; 10]);
        assert_eq!(RecordId::derived(lead, "customer"), RecordId::derived(lead, "customer"));
        assert_ne!(RecordId::derived(lead, "customer"), RecordId::derived(lead, "contact"));
    }

    #[test]
    fn ids_of_later_times_sort_later() {
        assert!(RecordId::new(1_000, [255; 10]) < RecordId::new(1_001, [0; 10]));
    }

    #[test]
    fn hexadecimal_round_trips_and_refuses_other_lengths() {
        let actor = ActorId([0xab; ACTOR_BYTES]);
        assert_eq!(actor.to_string().parse::<ActorId>().unwrap(), actor);
        assert!("ab".parse::<ActorId>().is_err());
        assert!("é".repeat(16).parse::<ActorId>().is_err());
    }

    #[test]
    fn parts_keep_their_names() {
        for name in ["main", "restricted", "notes"] {
            assert_eq!(name.parse::<Part>().unwrap().as_str(), name);
        }
        assert!("".parse::<Part>().is_err());
        assert!("../x".parse::<Part>().is_err());
        assert!("a".repeat(PART_BYTES_MAX + 1).parse::<Part>().is_err());
    }
}
