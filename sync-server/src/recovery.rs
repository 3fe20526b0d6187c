//! After the data was put back to a backup: who came back, and when nothing more is expected.
//!
//! A recovery begins when the operator puts a backup back, or, unannounced, when a device shows a
//! cursor that the feed never had. While it is open, changes that follow others that are not here
//! wait, and devices keep what the server does not name any more. It ends by itself when every
//! device came back that may still write and was heard of lately, and none brings anything more: what
//! one brings lets another bring what follows it, so each has to send everything again after the last
//! change that came back. Or the operator ends it. How long a device was away is counted in days on
//! which others were heard of, because clocks jump. Then
//! devices write anew what came back from nobody, as changes of their own.

use outrider_core::{ids::DeviceId, sync::frame::PullRequest, time::TimestampMs};

use crate::{
    devices::Bar,
    storage::{
        AuditLine, DeviceContact, Read, Storage, StorageError, Write, recovery::StoredRecovery,
    },
};

/// Days on which other devices were heard of, after which one that was not is waited for no more.
pub const RETURN_DAYS_MAX: u32 = 90;

/// How a recovery stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Which.
    pub recovery: StoredRecovery,
    /// Devices that came back, and have nothing more to bring.
    pub returned: Vec<DeviceContact>,
    /// Devices that came back, and may bring more with their next sync: others came back since.
    pub again: Vec<DeviceContact>,
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

/// Takes note of a pull by a device that has lost its cursor because the feed never had it: the data was
/// put back.
///
/// # Errors
///
/// Fails when the storage does.
pub(crate) fn note_unknown(
    storage: &dyn Storage,
    device: DeviceId,
    request: &PullRequest,
    now_ms: TimestampMs,
) -> Result<(), StorageError> {
    let read = storage.read()?;
    let last = read.recovery()?;
    let number = last.map_or(0, |last| last.number);
    let recovered = request.recovered.unwrap_or(0);
    // Who had come back in the last one had a cursor of this feed then: the data was put back once more.
    let is_put_back_again = read.returned(number)?.contains_key(&device);
    drop(read);
    // Who was away during the last one comes back from before it, and tells of no other.
    if number > recovered && !is_put_back_again {
        return Ok(());
    }
    let known = number.max(recovered);
    match last.filter(StoredRecovery::is_open) {
        Some(open) => renumber(storage, &open, known, now_ms),
        None => open(storage, known, now_ms),
    }
}

/// Gives a recovery a number that no device knows as that of another one: data that was put back to
/// before the last one counts from there again.
fn renumber(
    storage: &dyn Storage,
    open: &StoredRecovery,
    known: u32,
    now_ms: TimestampMs,
) -> Result<(), StorageError> {
    let mut write = storage.write()?;
    write.put_recovery(&StoredRecovery { closed_at: now_ms.max(1), ..*open })?;
    write.put_recovery(&StoredRecovery { number: known.saturating_add(1), ..*open })?;
    write.commit()?;
    Ok(())
}

/// Takes note of a device that came back and has sent everything again, or lacks nothing.
///
/// # Errors
///
/// Fails when the storage does.
pub(crate) fn note_returned(
    storage: &dyn Storage,
    device: DeviceId,
    now_ms: TimestampMs,
) -> Result<(), StorageError> {
    let open = {
        let read = storage.read()?;
        let Some(open) = read.recovery()?.filter(StoredRecovery::is_open) else { return Ok(()) };
        if read.returned(open.number)?.get(&device).is_some_and(|at| *at >= open.moved) {
            return Ok(());
        }
        open
    };
    let mut write = storage.write()?;
    write.note_returned(open.number, device, now_ms)?;
    let Progress { again, expected, .. } = stand(&*write, open)?;
    if again.is_empty() && expected.is_empty() {
        end(&mut *write, &open, "all_returned", now_ms)?;
    }
    write.commit()?;
    Ok(())
}

/// Begins one that a device told of.
fn open(storage: &dyn Storage, last: u32, now_ms: TimestampMs) -> Result<(), StorageError> {
    let mut write = storage.write()?;
    let position = write.position()?;
    let number = last.saturating_add(1);
    let (opened_at, is_announced, closed_at, moved) = (now_ms, false, 0, 0);
    write.put_recovery(&StoredRecovery {
        number,
        position,
        opened_at,
        is_announced,
        closed_at,
        moved,
    })?;
    write.add_audit(&AuditLine::new(now_ms, "recovery_opened").code("unannounced"))?;
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
fn stand<R: Read + ?Sized>(read: &R, recovery: StoredRecovery) -> Result<Progress, StorageError> {
    let came = read.returned(recovery.number)?;
    let since = read.last_contact_day(RETURN_DAYS_MAX)?.unwrap_or(TimestampMs::MIN);
    let (mut returned, mut again, mut expected) = (Vec::new(), Vec::new(), Vec::new());
    for one in read.devices()?.into_iter().filter(|one| !one.device.is_office) {
        let id = one.device.id;
        let is_barred = read.standing(id)?.is_some_and(|standing| Bar::of(&standing).is_some());
        let last = one.last_contact_at.max(one.device.enrolled_at);
        match came.get(&id) {
            Some(position) if *position >= recovery.moved || is_barred => returned.push(one),
            Some(_) => again.push(one),
            None if !is_barred && last >= since => expected.push(one),
            None => {}
        }
    }
    Ok(Progress { recovery, returned, again, expected })
}

/// How the last recovery stands; none if there was none.
///
/// # Errors
///
/// Fails when the storage does.
pub fn progress(storage: &dyn Storage) -> Result<Option<Progress>, StorageError> {
    let read = storage.read()?;
    let Some(recovery) = read.recovery()? else { return Ok(None) };
    Ok(Some(stand(&*read, recovery)?))
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
