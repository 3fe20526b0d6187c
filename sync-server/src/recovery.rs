//! After the data was put back to a backup: who came back, and when nothing more is expected.
//!
//! A recovery begins when the operator puts a backup back, or, unannounced, when a device shows a
//! cursor that the feed never had. While it is open, changes that follow others that are not here
//! wait, and devices keep what the server does not name any more. It ends by itself when every
//! device came back that may still write and was heard of lately, or when the operator ends it. How
//! long a device was away is counted in days on which others were heard of: clocks jump. Then
//! devices write anew what came back from nobody, as changes of their own.

use outrider_core::{ids::DeviceId, sync::frame::PullRequest, time::TimestampMs};

use crate::{
    devices::Bar,
    storage::{
        AuditLine, Device, DeviceContact, Read, Storage, StorageError, Write,
        recovery::StoredRecovery,
    },
};

/// Days on which other devices were heard of, after which one that was not is waited for no more.
pub const RETURN_DAYS_MAX: u32 = 90;

/// How a recovery stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Which.
    pub recovery: StoredRecovery,
    /// Devices that came back.
    pub returned: Vec<DeviceContact>,
    /// Devices that are waited for.
    pub expected: Vec<DeviceContact>,
}

/// Why a recovery was not ended.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// There is none that is open.
    #[error("no recovery is open: nothing is expected from any device")]
    NoneOpen,
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Takes note of what a pull tells: that the data was put back (`is_known` says whether the feed is
/// the one that the device followed), or that a device came back.
///
/// # Errors
///
/// Fails when the storage does.
pub(crate) fn note_pull(
    storage: &dyn Storage,
    device: &Device,
    request: &PullRequest,
    is_known: bool,
    now_ms: TimestampMs,
) -> Result<(), StorageError> {
    if is_known && request.position == 0 {
        return Ok(());
    }
    let (last, is_noted) = {
        let read = storage.read()?;
        let last = read.recovery()?;
        let open = last.filter(StoredRecovery::is_open);
        let is_noted = match open {
            Some(open) => read.returned(open.number)?.contains(&device.id),
            None => true,
        };
        (last, is_noted)
    };
    match last {
        Some(open) if open.is_open() => {
            if is_known && !is_noted {
                come_back(storage, &open, device.id, now_ms)?;
            }
        }
        last if !is_known => {
            let number = last.map_or(0, |last| last.number);
            // Who was away during the last one comes back from before it, and tells of no other.
            let is_late = number > request.recovered.unwrap_or(0);
            if !is_late {
                open(storage, number.max(request.recovered.unwrap_or(0)), now_ms)?;
            }
        }
        Some(_) | None => {}
    }
    Ok(())
}

/// Begins one that a device told of.
fn open(storage: &dyn Storage, last: u32, now_ms: TimestampMs) -> Result<(), StorageError> {
    let mut write = storage.write()?;
    let position = write.position()?;
    let number = last.saturating_add(1);
    let recovery =
        StoredRecovery { number, position, opened_at: now_ms, is_announced: false, closed_at: 0 };
    write.put_recovery(&recovery)?;
    write.add_audit(&AuditLine::new(now_ms, "recovery_opened").code("unannounced"))?;
    write.commit()?;
    Ok(())
}

fn come_back(
    storage: &dyn Storage,
    open: &StoredRecovery,
    device: DeviceId,
    now_ms: TimestampMs,
) -> Result<(), StorageError> {
    let mut write = storage.write()?;
    write.note_returned(open.number, device, now_ms)?;
    if expected(&*write, open)?.1.is_empty() {
        end(&mut *write, open, "all_returned", now_ms)?;
    }
    write.commit()?;
    Ok(())
}

fn end(
    write: &mut dyn Write,
    open: &StoredRecovery,
    why: &str,
    now_ms: TimestampMs,
) -> Result<(), StorageError> {
    write.put_recovery(&StoredRecovery { closed_at: now_ms.max(1), ..*open })?;
    write.add_audit(&AuditLine::new(now_ms, "recovery_closed").code(why))
}

/// Devices that came back, and those that are waited for.
fn expected<R: Read + ?Sized>(
    read: &R,
    open: &StoredRecovery,
) -> Result<(Vec<DeviceContact>, Vec<DeviceContact>), StorageError> {
    let returned = read.returned(open.number)?;
    let since = read.last_contact_day(RETURN_DAYS_MAX)?.unwrap_or(TimestampMs::MIN);
    let (mut back, mut away) = (Vec::new(), Vec::new());
    for one in read.devices()?.into_iter().filter(|one| !one.device.is_office) {
        let id = one.device.id;
        if returned.contains(&id) {
            back.push(one);
            continue;
        }
        let is_barred = read.standing(id)?.is_some_and(|standing| Bar::of(&standing).is_some());
        let last = one.last_contact_at.max(one.device.enrolled_at);
        if !is_barred && last >= since {
            away.push(one);
        }
    }
    Ok((back, away))
}

/// How the last recovery stands; none if there was none.
///
/// # Errors
///
/// Fails when the storage does.
pub fn progress(storage: &dyn Storage) -> Result<Option<Progress>, StorageError> {
    let read = storage.read()?;
    let Some(recovery) = read.recovery()? else { return Ok(None) };
    let (returned, expected) = expected(&*read, &recovery)?;
    Ok(Some(Progress { recovery, returned, expected }))
}

/// Ends the recovery that is open: nothing is expected from anybody any more.
///
/// # Errors
///
/// [`RecoveryError::NoneOpen`] if there is none.
pub fn close(storage: &dyn Storage, now_ms: TimestampMs) -> Result<StoredRecovery, RecoveryError> {
    let mut write = storage.write()?;
    let open = write.recovery()?.filter(StoredRecovery::is_open);
    let open = open.ok_or(RecoveryError::NoneOpen)?;
    end(&mut *write, &open, "operator", now_ms)?;
    write.commit()?;
    Ok(open)
}
