//! Enrolling a device: a one-time code in, an identity out.
//!
//! A code has 128 random bits in letters and digits that people do not confuse; whoever has it
//! becomes a device of its user, once, within minutes: at once, or when the office has approved it.
//! The storage has its SHA-256 alone.
//!
//! **How often one may try.** Nobody guesses 128 bits, so a wrong code says nothing about a right
//! one; what is counted is who guesses: after five failures an address waits for ten minutes
//! (`tries`). A right code shown by somebody who cannot prove to have the key that it is shown with
//! was overheard or copied: after [`CODE_TRIES_MAX`] of those it is gone. A device that is merely not
//! described well keeps its code.
//!
//! **An answer that was lost** is given again for the same code and the same key, until the device
//! has used what it got.

use outrider_core::{
    access::Policy,
    ids::{ActorPrefix, DeviceId},
    points,
    sync::frame::PROTOCOL_VERSION,
    time::TimestampMs,
};
use p256::ecdsa::VerifyingKey;
use sha2::{Digest as _, Sha256};

use crate::{
    auth::{TOKEN_BYTES, hash_token},
    devices::tokens::unclaimed,
    office::{OfficeError, ensure_user_with, find_user},
    storage::{
        AuditLine, Device, EnrolmentCode, Storage, StorageError, Write, standing::EnrolmentRequest,
    },
};

/// Characters of a device's name, at most.
pub const DEVICE_NAME_CHARS_MAX: usize = 100;
/// Characters of a user's name, at most.
pub const USER_NAME_CHARS_MAX: usize = 100;
/// Crockford's base 32: no I, L, O, U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of a code between two dashes.
const GROUP_CHARS: usize = 5;
const MS_PER_MINUTE: i64 = 60_000;
/// How often a code may be shown by somebody who does not have the key, before it is gone.
pub const CODE_TRIES_MAX: u32 = 5;
/// Devices that wait for the office, at most.
pub const REQUESTS_MAX: usize = 1_000;
/// For how long a device waits for the office before it is forgotten.
pub const REQUEST_DAYS_MAX: i64 = 7;

/// Why a device was not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The code was never given out, or was used.
    #[error("this enrolment code is not known or was used already; ask the office for a new one")]
    Unknown,
    /// The code came too late.
    #[error("this enrolment code has expired; ask the office for a new one")]
    Expired,
    /// The code lets nobody in without the office.
    #[error("the office must approve this device first")]
    Waits,
    /// Too many devices wait.
    #[error("too many devices wait for the office; ask it to look at them")]
    Full,
    /// The request is not what it should be.
    #[error("{0}")]
    Invalid(&'static str),
    /// The app speaks another version of the protocol.
    #[error("this server speaks protocol {PROTOCOL_VERSION}; update the app or the server")]
    Protocol,
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The user's record could not be made.
    #[error("the user's record could not be made: {0}")]
    User(#[source] OfficeError),
}

impl From<OfficeError> for EnrolError {
    fn from(error: OfficeError) -> Self {
        if let OfficeError::Storage(error) = error {
            Self::Storage(error)
        } else {
            Self::User(error)
        }
    }
}

/// What a device says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applicant {
    /// The code as it was typed.
    pub code: String,
    /// What the user calls the device.
    pub device_name: String,
    /// SEC1 bytes of its P-256 key.
    pub public_key: Vec<u8>,
    /// The protocol that it speaks.
    pub protocol: u8,
}

/// Fresh random bytes for one enrolment.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct Draw {
    /// For the device's id.
    pub id: [u8; 10],
    /// What the ids of its actors begin with.
    pub prefix: [u8; 12],
    /// Its token.
    pub token: [u8; TOKEN_BYTES],
}

impl Draw {
    /// Draws from the system's generator.
    ///
    /// # Errors
    ///
    /// Fails when the system has no randomness to give.
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut draw = Self { id: [0; 10], prefix: [0; 12], token: [0; TOKEN_BYTES] };
        getrandom::fill(&mut draw.id)?;
        getrandom::fill(&mut draw.prefix)?;
        getrandom::fill(&mut draw.token)?;
        Ok(draw)
    }
}

/// What became of an applicant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// It is a device.
    Enrolled(Device),
    /// The office must approve it.
    Waits(EnrolmentRequest),
}

/// Enrols a device with a one-time code that needs nobody's approval.
///
/// # Errors
///
/// Returns [`EnrolError`] for a code that is not good, or a device that is not described well.
pub fn enrol(
    storage: &dyn Storage,
    applicant: &Applicant,
    draw: &Draw,
    now_ms: TimestampMs,
) -> Result<Device, EnrolError> {
    match apply(storage, applicant, draw, now_ms)? {
        Applied::Enrolled(device) => Ok(device),
        Applied::Waits(_) => Err(EnrolError::Waits),
    }
}

/// Takes a one-time code: the applicant is a device then, or waits for the office.
///
/// # Errors
///
/// Returns [`EnrolError`] for a code that is not good, or a device that is not described well.
pub fn apply(
    storage: &dyn Storage,
    applicant: &Applicant,
    draw: &Draw,
    now_ms: TimestampMs,
) -> Result<Applied, EnrolError> {
    check(applicant)?;
    let code_hash = hash_code(&applicant.code);
    let mut write = storage.write()?;
    // Dropped without a commit, and without an audit line: strangers cannot fill the disk.
    let Some(code) = write.take_code(&code_hash)? else {
        return asked_again(&*write, applicant, &code_hash)?.ok_or(EnrolError::Unknown);
    };
    if code.expires_at < now_ms {
        let line = AuditLine::new(now_ms, "enrolment_refused").code("code_expired");
        write.add_audit(&line)?;
        write.commit()?;
        return Err(EnrolError::Expired);
    }
    let unix_ms = u64::try_from(now_ms).unwrap_or_default();
    let id = DeviceId(uuid::Builder::from_unix_timestamp_millis(unix_ms, &draw.id).into_uuid());
    if !code.approves {
        write.remove_old_requests(
            now_ms.saturating_sub(REQUEST_DAYS_MAX * 24 * 60 * MS_PER_MINUTE),
        )?;
        if write.enrolment_requests()?.len() >= REQUESTS_MAX {
            return Err(EnrolError::Full);
        }
        let request = EnrolmentRequest {
            device: id,
            name: applicant.device_name.clone(),
            user: code.user,
            public_key: applicant.public_key.clone(),
            code_hash,
            asked_at: now_ms,
            declined_at: 0,
        };
        write.add_request(&request)?;
        write.add_audit(&AuditLine::new(now_ms, "enrolment_asked").device(id))?;
        write.commit()?;
        return Ok(Applied::Waits(request));
    }
    let device = Device {
        id,
        name: applicant.device_name.clone(),
        user_record: find_user(&*write, &code.user)?,
        user: code.user,
        prefix: ActorPrefix(draw.prefix),
        public_key: applicant.public_key.clone(),
        token_hash: hash_token(&draw.token),
        enrolled_at: now_ms,
        is_office: false,
    };
    write.add_device(&device)?;
    write.set_code_hash(id, &code_hash)?;
    write.put_tokens(&unclaimed(id, 1, now_ms))?;
    write.add_audit(&AuditLine::new(now_ms, "enrolled").device(device.id))?;
    points::reach("server.enrol.before_commit");
    write.commit()?;
    points::reach("server.enrol.after_commit");
    Ok(Applied::Enrolled(device))
}

/// What a code had brought to whoever has this key, if the answer may have been lost.
fn asked_again(
    write: &dyn Write,
    applicant: &Applicant,
    code_hash: &[u8; 32],
) -> Result<Option<Applied>, EnrolError> {
    if let Some(request) = write.request_by_code(code_hash)? {
        let is_same = request.public_key == applicant.public_key && request.declined_at == 0;
        return Ok(is_same.then_some(Applied::Waits(request)));
    }
    let Some(device) = write.device_by_code(code_hash)? else { return Ok(None) };
    let is_used = write.tokens(device.id)?.is_none_or(|tokens| tokens.is_used);
    let is_same = device.public_key == applicant.public_key && !is_used;
    Ok(is_same.then_some(Applied::Enrolled(device)))
}

/// Counts that a code was shown by somebody who does not have the key.
///
/// # Errors
///
/// Fails when the storage does.
pub fn note_failure(storage: &dyn Storage, code: &str) -> Result<(), StorageError> {
    let mut write = storage.write()?;
    write.count_code_failure(&hash_code(code), CODE_TRIES_MAX)?;
    write.commit()?;
    Ok(())
}

/// A device that the office approved.
pub(crate) fn draw_device(
    id: DeviceId,
    (name, user, public_key): (String, String, Vec<u8>),
    user_record: Option<outrider_core::ids::RecordId>,
    random: &[[u8; 32]; 2],
    now_ms: TimestampMs,
) -> Device {
    let [prefix, token_hash] = random;
    Device {
        id,
        name,
        user,
        user_record,
        prefix: ActorPrefix(*prefix.first_chunk().unwrap_or(&[0; 12])),
        public_key,
        // It never had an endless token; nobody has one of this hash.
        token_hash: *token_hash,
        enrolled_at: now_ms,
        is_office: false,
    }
}

/// Checks that an applicant is described well.
///
/// # Errors
///
/// Returns [`EnrolError::Invalid`] or [`EnrolError::Protocol`] for one that is not.
pub fn check(applicant: &Applicant) -> Result<(), EnrolError> {
    if applicant.protocol != PROTOCOL_VERSION {
        return Err(EnrolError::Protocol);
    }
    if !is_name(&applicant.device_name, DEVICE_NAME_CHARS_MAX) {
        return Err(EnrolError::Invalid("device_name must have 1 to 100 characters"));
    }
    if VerifyingKey::from_sec1_bytes(&applicant.public_key).is_err() {
        return Err(EnrolError::Invalid("public_key must be a P-256 key, SEC1 in hexadecimal"));
    }
    Ok(())
}

fn is_name(name: &str, chars_max: usize) -> bool {
    let name_chars = name.chars().count();
    !name.trim().is_empty() && name_chars <= chars_max && !name.chars().any(char::is_control)
}

/// Who decides whether a device that shows a code is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    /// Whoever made the code did: it was handed over personally.
    AtOnce,
    /// The office, when it sees the device.
    ByOffice,
}

/// Creates a one-time code for `user` from 128 random bits, which lets a device in at once.
///
/// # Errors
///
/// As [`create_code_with`].
pub fn create_code(
    storage: &dyn Storage,
    user: &str,
    minutes: u32,
    random: u128,
    now_ms: TimestampMs,
) -> Result<(String, TimestampMs), EnrolError> {
    create_code_with(storage, (user, Approval::AtOnce), minutes, random, None, now_ms)
}

/// As [`create_code`], by an account, and for a device that the office approves or that needs nobody.
///
/// # Errors
///
/// As [`create_code`].
pub fn create_code_with(
    storage: &dyn Storage,
    (user, approval): (&str, Approval),
    minutes: u32,
    random: u128,
    by: Option<uuid::Uuid>,
    now_ms: TimestampMs,
) -> Result<(String, TimestampMs), EnrolError> {
    if !is_name(user, USER_NAME_CHARS_MAX) {
        return Err(EnrolError::Invalid("the user's name must have 1 to 100 characters"));
    }
    ensure_user_with(storage, &Policy::open(), user, random, now_ms)?;
    let text = show_code(random);
    let expires_at = now_ms.saturating_add(i64::from(minutes) * MS_PER_MINUTE);
    let mut write = storage.write()?;
    write.add_code(&EnrolmentCode {
        code_hash: hash_code(&text),
        user: user.to_owned(),
        expires_at,
        approves: approval == Approval::AtOnce,
    })?;
    write.add_audit(&AuditLine::new(now_ms, "code_created").account(by))?;
    write.commit()?;
    Ok((text, expires_at))
}

/// 128 bits as 26 characters, in groups.
pub(crate) fn show_code(random: u128) -> String {
    let mut text = String::new();
    for at in 0..26_usize {
        if at > 0 && at % GROUP_CHARS == 0 && at < 25 {
            text.push('-');
        }
        // 5 bits at a time from the top; the last character carries the remaining 3.
        let shift = u32::try_from(at * 5).unwrap_or_default();
        let five = (random.checked_shl(shift).unwrap_or_default() >> 123) & 31;
        let letter = usize::try_from(five).ok().and_then(|five| ALPHABET.get(five));
        text.push(letter.copied().map_or('0', char::from));
    }
    text
}

/// What the storage keeps of a code, however it was typed.
fn hash_code(text: &str) -> [u8; 32] {
    let typed = text.chars().filter(|c| !c.is_whitespace() && *c != '-');
    let plain: String = typed
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect();
    Sha256::digest(plain.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_all_their_bits_and_can_be_typed() {
        assert_eq!(show_code(0), "00000-00000-00000-00000-000000");
        assert_eq!(show_code(u128::MAX), "ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZW");
        for bit in 0..128 {
            assert_ne!(show_code(1 << bit), show_code(0), "bit {bit}");
        }
        let code = show_code(0x1234_5678_9abc_def0_0fed_cba9_8765_4321);
        assert_eq!(hash_code(&code), hash_code(&code.to_lowercase().replace('-', " ")));
        assert_eq!(hash_code("O1L"), hash_code("011"));
    }
}
