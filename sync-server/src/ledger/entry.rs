//! What a line of the ledger says.

use outrider_core::{
    ids::{ActorPrefix, DeviceId, RecordId, from_hex, to_hex},
    time::TimestampMs,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Version of the form of lines.
pub(super) const VERSION: u8 = 1;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// The first one.
    Begun {
        /// Version of the form.
        ledger: u8,
        /// Drawn when the ledger was begun.
        #[serde(serialize_with = "hex", deserialize_with = "unhex")]
        id: [u8; 16],
    },
    /// All others.
    Entry(Entry),
}

/// What must outlive a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// A device was let in, or a user of the office got a prefix to write under.
    Enrolled(EnrolledDevice),
    /// A device was shut out.
    Revoked {
        /// Which device.
        device: DeviceId,
        /// When.
        at: TimestampMs,
    },
    /// A device is to be wiped, and does nothing else any more.
    WipeOrdered {
        /// Which device.
        device: DeviceId,
        /// When: the device's receipt follows from it.
        at: TimestampMs,
    },
    /// All devices of a user are shut out.
    UserDisabled {
        /// Name of the user.
        user: String,
        /// When.
        at: TimestampMs,
    },
    /// The devices of a user are let in again.
    UserEnabled {
        /// Name of the user.
        user: String,
        /// When.
        at: TimestampMs,
    },
    /// A record was erased.
    Erased {
        /// Which record.
        record: RecordId,
        /// When.
        at: TimestampMs,
    },
    /// Nobody may sign in with an account any more.
    AccountDisabled {
        /// Its login.
        login: String,
        /// When.
        at: TimestampMs,
    },
}

impl Entry {
    /// The device that it lets in.
    #[must_use]
    pub fn enrolled(&self) -> Option<&EnrolledDevice> {
        match self {
            Self::Enrolled(device) => Some(device),
            Self::Revoked { .. }
            | Self::WipeOrdered { .. }
            | Self::UserDisabled { .. }
            | Self::UserEnabled { .. }
            | Self::Erased { .. }
            | Self::AccountDisabled { .. } => None,
        }
    }
}

/// Everything by which an enrolled device is known again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolledDevice {
    /// Its id.
    pub device: DeviceId,
    /// What its user called it.
    pub name: String,
    /// Name of its user.
    pub user: String,
    /// The user's record, if there was one.
    pub user_record: Option<RecordId>,
    /// What the ids of its actors begin with: never given out again.
    pub prefix: ActorPrefix,
    /// SEC1 bytes of its key.
    #[serde(serialize_with = "hex_all", deserialize_with = "unhex_all")]
    pub public_key: Vec<u8>,
    /// SHA-256 of its token.
    #[serde(serialize_with = "hex", deserialize_with = "unhex")]
    pub token_hash: [u8; 32],
    /// When it was enrolled.
    pub enrolled_at: TimestampMs,
    /// Whether it stands for a user of the office.
    pub is_office: bool,
    /// SHA-256 of the code that it showed: whoever shows that again, with this key, is this device.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_hex")]
    pub code_hash: Option<[u8; 32]>,
}

/// Bytes in hexadecimal, where there are any.
mod optional_hex {
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        bytes: &Option<[u8; 32]>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => super::hex(bytes, to),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<[u8; 32]>, D::Error> {
        super::unhex(from).map(Some)
    }
}

fn hex<const N: usize, S: Serializer>(bytes: &[u8; N], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&to_hex(bytes))
}

fn unhex<'de, const N: usize, D: Deserializer<'de>>(from: D) -> Result<[u8; N], D::Error> {
    let text = String::deserialize(from)?;
    from_hex(&text).ok_or_else(|| D::Error::custom("not hexadecimal of this length"))
}

fn hex_all<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&to_hex(bytes))
}

/// A compressed or an uncompressed point, or nothing.
fn unhex_all<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(from)?;
    let read = |text: &str| {
        if text.is_empty() {
            return Some(Vec::new());
        }
        from_hex::<33>(text).map(Vec::from).or_else(|| from_hex::<65>(text).map(Vec::from))
    };
    read(&text).ok_or_else(|| D::Error::custom("not a key in hexadecimal"))
}
