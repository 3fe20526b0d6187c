//! What enrolment and the exchange of tokens say, as JSON.
//!
//! A device has two tokens: one that names it in every request and is good for minutes, and one
//! that is good once, for the next two. Both are opaque to it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{certificate::SignedCertificate, sealed::SignedSealKey};
use crate::{
    ids::{ActorPrefix, DeviceId, RecordId},
    time::TimestampMs,
};

/// What a device sends to be enrolled, signed with its key.
#[derive(Clone, Serialize, Deserialize)]
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct EnrolRequest {
    /// The one-time code, as it was typed.
    pub code: String,
    /// What the user calls the device.
    pub device_name: String,
    /// SEC1 bytes of its public key in hexadecimal.
    pub public_key: String,
    /// The protocol that it speaks.
    pub protocol: u8,
    /// Drawn for this exchange, and kept until its answer is: 16 bytes in hexadecimal.
    #[serde(default)]
    pub nonce: String,
}

/// What a device asks that waits for the office, or that must be approved again; signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRequest {
    /// The device.
    pub device: DeviceId,
    /// As in [`EnrolRequest`].
    #[serde(default)]
    pub nonce: String,
}

/// What a device sends for new tokens, signed.
#[derive(Clone, Serialize, Deserialize)]
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct TokenRequest {
    /// The device.
    pub device: DeviceId,
    /// The token for this, or the endless one that older servers gave.
    pub refresh_token: String,
    /// As in [`EnrolRequest`].
    #[serde(default)]
    pub nonce: String,
}

/// A device's tokens.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Names the device in every request.
    pub token: String,
    /// Until when, by the server's clock.
    pub token_expires_at: TimestampMs,
    /// Good once, for the next tokens.
    pub refresh_token: String,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("token_expires_at", &self.token_expires_at).finish()
    }
}

/// Where an enrolment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EnrolStatus {
    /// The office has not decided yet.
    Pending,
    /// The device is one of its user's.
    Active,
}

/// The server's answer to [`EnrolRequest`] and [`ClaimRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolAnswer {
    /// Where the enrolment stands.
    pub status: EnrolStatus,
    /// The device.
    pub device: DeviceId,
    /// Name of the user whose device it is or will be.
    pub user: String,
    /// What the office sees of the device's key, for comparing.
    pub fingerprint: String,
    /// The server's store, in hexadecimal.
    pub instance: String,
    /// The protocol of the server.
    pub protocol: u8,
    /// The server's clock.
    pub now_ms: TimestampMs,
    /// What an active device gets.
    #[serde(flatten)]
    pub grant: Option<Grant>,
}

/// What makes a device one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// What the ids of its actors begin with.
    pub prefix: ActorPrefix,
    /// The user's record, once the user is one.
    pub user_record: Option<RecordId>,
    /// Its tokens.
    #[serde(flatten)]
    pub tokens: Tokens,
    /// Its certificate.
    pub certificate: SignedCertificate,
}

/// What the server says of a device that asks about itself, whatever it may still do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceAnswer {
    /// The device.
    pub device: DeviceId,
    /// `active`, or the code with which other requests are refused.
    pub standing: String,
    /// The order to wipe everything, if there is one.
    pub wipe: Option<WipeAnswer>,
    /// Erasures that the device did not carry out yet, by their numbers, at most [`ERASED_MAX`]: told
    /// to those alone that were turned away, because they do not pull.
    #[serde(default)]
    pub erased: Vec<ErasedAnswer>,
    /// What edits are sealed to that are sent for review.
    pub seal_key: SignedSealKey,
    /// The server's clock.
    pub now_ms: TimestampMs,
}

/// Erasures in one answer, at most; the device asks again.
pub const ERASED_MAX: usize = 1_000;

/// A record that was erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedAnswer {
    /// The number of the erasure.
    pub number: u64,
    /// The record.
    pub record: RecordId,
}

/// An order to wipe a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WipeAnswer {
    /// When the office ordered it.
    pub ordered_at: TimestampMs,
    /// Says later, when the key is gone, that it was done: hexadecimal.
    pub receipt: String,
}

/// What a device says that wiped itself. It has no key any more: the receipt speaks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WipedRequest {
    /// The device.
    pub device: DeviceId,
    /// From the order.
    pub receipt: String,
}
