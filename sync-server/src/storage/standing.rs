//! What devices may still do, and the tokens that name them.
//!
//! Parts of the [`Read`](super::Read) and [`Write`](super::Write) contracts. None of this takes a
//! position of the feed: who is turned away is nobody else's news.

use std::collections::BTreeSet;

use outrider_core::{ids::DeviceId, sync::proof::NONCE_BYTES, time::TimestampMs};

use super::{Device, StorageError};
use crate::devices::review::Waiting;

/// Whether the office lets a device in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Active,
    /// Not until it is approved again: its tokens ended, or one was used twice.
    Suspended,
    /// It does not any more.
    Revoked,
}

impl Standing {
    /// Its name in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
        }
    }

    /// The standing of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Suspended, Self::Revoked]
            .into_iter()
            .find(|standing| standing.as_str() == name)
    }
}

/// How the office stands to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceStanding {
    /// Whether it is let in.
    pub standing: Standing,
    /// Why, as a code.
    pub reason: String,
    /// Since when; 0 for ever.
    pub since: TimestampMs,
    /// When it was ordered to be wiped; 0 if it was not.
    pub wipe_ordered_at: TimestampMs,
    /// When it confirmed that; 0 if it did not.
    pub wiped_at: TimestampMs,
    /// Whether its user is turned away, with all devices.
    pub is_user_disabled: bool,
}

/// The family of a device's tokens, as far as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFamily {
    /// Whose.
    pub device: DeviceId,
    /// Counts the families of the device.
    pub family: u32,
    /// Counts the pairs of tokens of the family; 0 before the first one.
    pub generation: u64,
    /// When the family began.
    pub began_at: TimestampMs,
    /// When the last pair was made.
    pub made_at: TimestampMs,
    /// Of the request for it.
    pub nonce: [u8; NONCE_BYTES],
    /// Whether the last pair was used.
    pub is_used: bool,
    /// SHA-256 of the token for requests.
    pub access_hash: [u8; 32],
    /// Until when it is good.
    pub access_expires_at: TimestampMs,
    /// SHA-256 of the one before it.
    pub previous_hash: [u8; 32],
    /// Until when that is good.
    pub previous_expires_at: TimestampMs,
    /// SHA-256 of the token for the next pair.
    pub refresh_hash: [u8; 32],
}

/// A device that waits for the office.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentRequest {
    /// The id that it will have.
    pub device: DeviceId,
    /// What its user called it.
    pub name: String,
    /// The user whose device it will be.
    pub user: String,
    /// SEC1 bytes of its P-256 key.
    pub public_key: Vec<u8>,
    /// SHA-256 of the code that it showed.
    pub code_hash: [u8; 32],
    /// When it asked.
    pub asked_at: TimestampMs,
    /// When the office said no; 0 if it did not.
    pub declined_at: TimestampMs,
}

/// Looking up what devices may do.
#[expect(clippy::missing_errors_doc, reason = "as all methods of `Read`: said there")]
pub trait ReadStandings {
    /// How the office stands to a device.
    fn standing(&self, id: DeviceId) -> Result<Option<DeviceStanding>, StorageError>;
    /// The devices that are not let in, or are to be wiped, or whose users are turned away.
    fn barred(&self) -> Result<BTreeSet<DeviceId>, StorageError>;
    /// The tokens of a device.
    fn tokens(&self, id: DeviceId) -> Result<Option<TokenFamily>, StorageError>;
    /// The tokens among which this one is, the last one for requests or the one before.
    fn tokens_by_access(&self, hash: &[u8; 32]) -> Result<Option<TokenFamily>, StorageError>;
    /// The device that was enrolled with a code.
    fn device_by_code(&self, code_hash: &[u8; 32]) -> Result<Option<Device>, StorageError>;
    /// A request to be enrolled.
    fn enrolment_request(&self, id: DeviceId) -> Result<Option<EnrolmentRequest>, StorageError>;
    /// The request that was made with a code.
    fn request_by_code(&self, hash: &[u8; 32]) -> Result<Option<EnrolmentRequest>, StorageError>;
    /// All requests that wait, the oldest first.
    fn enrolment_requests(&self) -> Result<Vec<EnrolmentRequest>, StorageError>;
    /// What waits for review of a device that may not write any more.
    fn waiting_of(&self, id: DeviceId) -> Result<Waiting, StorageError>;
    /// Users who are turned away, with when, by name.
    fn disabled_users(&self) -> Result<Vec<(String, TimestampMs)>, StorageError>;
}

/// Changing what devices may do.
#[expect(clippy::missing_errors_doc, reason = "as all methods of `Write`: said there")]
pub trait WriteStandings {
    /// Says how the office stands to a device (but for its user).
    fn set_standing(&mut self, id: DeviceId, standing: &DeviceStanding)
    -> Result<(), StorageError>;
    /// Stores a device's tokens in place of those before.
    fn put_tokens(&mut self, tokens: &TokenFamily) -> Result<(), StorageError>;
    /// Notes that a device's last tokens were used.
    fn use_tokens(&mut self, id: DeviceId) -> Result<(), StorageError>;
    /// Replaces the hash of the endless token of a device.
    fn set_token_hash(&mut self, id: DeviceId, hash: &[u8; 32]) -> Result<(), StorageError>;
    /// Notes which code a device was enrolled with.
    fn set_code_hash(&mut self, id: DeviceId, hash: &[u8; 32]) -> Result<(), StorageError>;
    /// Counts a failure of a code; at `most` of them the code is gone.
    fn count_code_failure(&mut self, hash: &[u8; 32], most: u32) -> Result<(), StorageError>;
    /// Adds a request to be enrolled.
    fn add_request(&mut self, request: &EnrolmentRequest) -> Result<(), StorageError>;
    /// Notes that a request was declined.
    fn decline_request(&mut self, id: DeviceId, at: TimestampMs) -> Result<(), StorageError>;
    /// Takes a request out.
    fn remove_request(&mut self, id: DeviceId) -> Result<(), StorageError>;
    /// Forgets requests that were made before a time.
    fn remove_old_requests(&mut self, before: TimestampMs) -> Result<(), StorageError>;
    /// Turns a user away, or lets the user in again.
    fn set_user_disabled(
        &mut self,
        user: &str,
        since: Option<TimestampMs>,
    ) -> Result<(), StorageError>;
}
