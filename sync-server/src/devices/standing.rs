//! Letting in and turning away: approval, revocation, wiping, users who left.
//!
//! All of it counts from the commit on: every request asks the storage, and channels and streams
//! that are open end within a second or two (`guard`).

use outrider_core::{ids::DeviceId, points, time::TimestampMs};

use super::tokens::unclaimed;
use crate::{
    enrol::draw_device,
    keys::ServerKey,
    ledger::Entry,
    office::find_user,
    storage::{
        AuditLine, Device, Storage, StorageError, Write,
        standing::{DeviceStanding, EnrolmentRequest, Standing},
    },
};

/// Why a device that is who it says is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bar {
    /// The office turned it away.
    Revoked,
    /// The office turned its user away.
    UserDisabled,
    /// The office ordered it to be wiped: it may send what waits first.
    Wipe,
    /// It must be approved again.
    Suspended,
}

impl Bar {
    /// What stands between a device and everything; `None` if nothing does.
    #[must_use]
    pub fn of(standing: &DeviceStanding) -> Option<Self> {
        match standing.standing {
            Standing::Revoked => Some(Self::Revoked),
            _ if standing.is_user_disabled => Some(Self::UserDisabled),
            _ if standing.wipe_ordered_at > 0 => Some(Self::Wipe),
            Standing::Suspended => Some(Self::Suspended),
            Standing::Active => None,
        }
    }

    /// For programs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Revoked => "device_revoked",
            Self::UserDisabled => "user_disabled",
            Self::Wipe => "wipe_ordered",
            Self::Suspended => "device_suspended",
        }
    }

    /// For people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Revoked => {
                "the office turned this device away; what waits on it can be sent for review"
            }
            Self::UserDisabled => {
                "the office turned this user away; what waits can be sent for review"
            }
            Self::Wipe => "the office ordered this device to be wiped, after sending what waits",
            Self::Suspended => "the office must approve this device again",
        }
    }
}

/// Why nothing was done to a device.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// There is none of this id.
    #[error("there is no device {0}; `device list` shows them")]
    Unknown(String),
    /// It stands for a user at the office.
    #[error("this is no device but stands for a user at the office; disable the user instead")]
    Office,
    /// Nothing waits under this id.
    #[error("this device does not wait for approval any more")]
    NotWaiting,
    /// A wipe that was not ordered, or another receipt.
    #[error("no such wipe was ordered")]
    NoWipe,
    /// The system gives no random bytes.
    #[error("the system gave no randomness")]
    Random(#[from] getrandom::Error),
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Writes a line of the audit about a device.
pub(super) fn audit(
    write: &mut dyn Write,
    device: DeviceId,
    action: &'static str,
    code: &str,
    now_ms: TimestampMs,
) -> Result<(), StorageError> {
    write.add_audit(&AuditLine::new(now_ms, action).device(device).code(code))
}

/// A device that can be turned away, and how it stands.
fn known(write: &dyn Write, id: DeviceId) -> Result<(Device, DeviceStanding), DeviceError> {
    let unknown = || DeviceError::Unknown(id.to_string());
    let device = write.device(id)?.ok_or_else(unknown)?;
    if device.is_office {
        return Err(DeviceError::Office);
    }
    let standing = write.standing(id)?.ok_or_else(unknown)?;
    Ok((device, standing))
}

/// Turns a device away for good. Doing it again changes nothing.
///
/// # Errors
///
/// Returns [`DeviceError`] when there is no such device, or the storage fails.
pub fn revoke(storage: &dyn Storage, id: DeviceId, now_ms: TimestampMs) -> Result<(), DeviceError> {
    let mut write = storage.write()?;
    let (_, mut standing) = known(&*write, id)?;
    if standing.standing != Standing::Revoked {
        (standing.standing, standing.since) = (Standing::Revoked, now_ms);
        standing.reason = "office".to_owned();
        write.set_standing(id, &standing)?;
        audit(write.as_mut(), id, "revoked", "", now_ms)?;
        write.note(Entry::Revoked { device: id, at: now_ms });
        points::reach("server.revoke.before_commit");
        write.commit()?;
        points::reach("server.revoke.after_commit");
    }
    Ok(())
}

/// Orders a device to wipe itself at its next contact. Doing it again changes nothing.
///
/// # Errors
///
/// As [`revoke`].
pub fn order_wipe(
    storage: &dyn Storage,
    id: DeviceId,
    now_ms: TimestampMs,
) -> Result<(), DeviceError> {
    let mut write = storage.write()?;
    let (_, mut standing) = known(&*write, id)?;
    if standing.wipe_ordered_at == 0 {
        standing.wipe_ordered_at = now_ms;
        write.set_standing(id, &standing)?;
        audit(write.as_mut(), id, "wipe_ordered", "", now_ms)?;
        write.note(Entry::WipeOrdered { device: id, at: now_ms });
        write.commit()?;
    }
    Ok(())
}

/// Notes that a device that was turned away has taken off every record. Doing it again changes
/// nothing.
///
/// # Errors
///
/// Returns [`DeviceError`] when the storage fails.
pub fn confirm_purge(
    storage: &dyn Storage,
    id: DeviceId,
    now_ms: TimestampMs,
) -> Result<(), DeviceError> {
    let mut write = storage.write()?;
    if write.device_view(id)?.is_some() {
        write.forget_view(id)?;
        audit(write.as_mut(), id, "purged", "", now_ms)?;
        write.commit()?;
    }
    Ok(())
}

/// What a device says when it has wiped itself and has no key any more.
#[must_use]
pub fn wipe_receipt(keys: &ServerKey, id: DeviceId, ordered_at: TimestampMs) -> [u8; 32] {
    keys.secret("wipe", &[id.0.as_bytes().as_slice(), &ordered_at.to_be_bytes()].concat())
}

/// Notes that a device has wiped itself; it is revoked from then on.
///
/// # Errors
///
/// Returns [`DeviceError::NoWipe`] for another receipt than that of the order.
pub fn confirm_wipe(
    storage: &dyn Storage,
    keys: &ServerKey,
    id: DeviceId,
    receipt: &[u8; 32],
    now_ms: TimestampMs,
) -> Result<(), DeviceError> {
    let mut write = storage.write()?;
    let mut standing = write.standing(id)?.ok_or(DeviceError::NoWipe)?;
    let expected = wipe_receipt(keys, id, standing.wipe_ordered_at);
    let is_same = crate::auth::hash_token(&expected) == crate::auth::hash_token(receipt);
    if standing.wipe_ordered_at == 0 || !is_same {
        return Err(DeviceError::NoWipe);
    }
    if standing.wiped_at == 0 {
        standing.wiped_at = now_ms;
        if standing.standing != Standing::Revoked {
            (standing.standing, standing.since) = (Standing::Revoked, now_ms);
            standing.reason = "wiped".to_owned();
            write.note(Entry::Revoked { device: id, at: now_ms });
        }
        write.set_standing(id, &standing)?;
        write.forget_view(id)?;
        audit(write.as_mut(), id, "wiped", "", now_ms)?;
        write.commit()?;
    }
    Ok(())
}

/// Lets in a device that waits: one that showed a code, or one that must be approved again.
///
/// # Errors
///
/// Returns [`DeviceError::NotWaiting`] when it does not wait.
pub fn approve(
    storage: &dyn Storage,
    id: DeviceId,
    now_ms: TimestampMs,
) -> Result<(), DeviceError> {
    let mut random = [[0; 32]; 2];
    for bytes in &mut random {
        getrandom::fill(bytes)?;
    }
    let mut write = storage.write()?;
    if let Some(request) = write.enrolment_request(id)? {
        if request.declined_at > 0 {
            return Err(DeviceError::NotWaiting);
        }
        let user_record = find_user(&*write, &request.user)?;
        let EnrolmentRequest { device, name, user, public_key, code_hash, .. } = request;
        let applicant = (name, user, public_key);
        let device = draw_device(device, applicant, user_record, &random, now_ms);
        write.add_device(&device)?;
        write.set_code_hash(id, &code_hash)?;
        write.put_tokens(&unclaimed(id, 1, now_ms))?;
        write.remove_request(id)?;
        audit(write.as_mut(), id, "enrolled", "approved", now_ms)?;
        write.commit()?;
        return Ok(());
    }
    let (_, mut standing) = known(&*write, id)?;
    if standing.standing != Standing::Suspended {
        return Err(DeviceError::NotWaiting);
    }
    (standing.standing, standing.since) = (Standing::Active, now_ms);
    standing.reason = "approved".to_owned();
    write.set_standing(id, &standing)?;
    let family = write.tokens(id)?.map_or(1, |tokens| tokens.family.saturating_add(1));
    write.put_tokens(&unclaimed(id, family, now_ms))?;
    audit(write.as_mut(), id, "approved_again", "", now_ms)?;
    write.commit()?;
    Ok(())
}

/// Says no to a device that waits. One that must be approved again is revoked.
///
/// # Errors
///
/// Returns [`DeviceError::NotWaiting`] when it does not wait.
pub fn decline(
    storage: &dyn Storage,
    id: DeviceId,
    now_ms: TimestampMs,
) -> Result<(), DeviceError> {
    let mut write = storage.write()?;
    if write.enrolment_request(id)?.is_some_and(|request| request.declined_at == 0) {
        write.decline_request(id, now_ms)?;
        audit(write.as_mut(), id, "enrolment_declined", "", now_ms)?;
        write.commit()?;
        return Ok(());
    }
    let (_, standing) = known(&*write, id)?;
    drop(write);
    if standing.standing != Standing::Suspended {
        return Err(DeviceError::NotWaiting);
    }
    revoke(storage, id, now_ms)
}

/// Turns a user away with all devices, or lets the user in again.
///
/// # Errors
///
/// Fails when the storage does.
pub fn set_user_disabled(
    storage: &dyn Storage,
    user: &str,
    is_disabled: bool,
    now_ms: TimestampMs,
) -> Result<(), StorageError> {
    let mut write = storage.write()?;
    write.set_user_disabled(user, is_disabled.then_some(now_ms))?;
    let action = if is_disabled { "user_disabled" } else { "user_enabled" };
    write.add_audit(&AuditLine::new(now_ms, action))?;
    let (user, at) = (user.to_owned(), now_ms);
    write.note(if is_disabled {
        Entry::UserDisabled { user, at }
    } else {
        Entry::UserEnabled { user, at }
    });
    write.commit()?;
    Ok(())
}
