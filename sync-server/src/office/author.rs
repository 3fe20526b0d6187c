//! Who writes at the office.
//!
//! Each user has a row among the devices with a prefix of its own: authors are told from prefixes,
//! so devices learn who wrote from the row alone. Nobody can sign in with it: it has no key, and
//! its token's hash is drawn, not made of a token.
//!
//! Suffixes are drawn anew by each process, one for each document. A server that was restored
//! from a backup must not go on under an actor whose last changes it has forgotten, and it cannot
//! tell; a process can, because it forgets nothing.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use outrider_core::{
    ids::{ActorId, ActorPrefix, DeviceId, DocumentId, RecordId},
    time::TimestampMs,
};
use sha2::{Digest as _, Sha256};

use super::OfficeError;
use crate::storage::{AuditLine, Device, Storage, Write};

/// The user in whose name the server writes by itself.
pub const SYSTEM_USER: &str = "office";
/// What devices show beside the user's name.
const DEVICE_NAME: &str = "Office";

/// What this process draws from.
static DRAWS: OnceLock<Arc<Draws>> = OnceLock::new();

/// Where the office's random bytes come from: a secret seed and how often it was asked.
#[derive(Debug)]
pub struct Draws {
    seed: [u8; 16],
    count: AtomicU64,
}

impl Draws {
    /// Draws that follow from `seed`: a process draws its own from the system, a simulation gives
    /// one that can be repeated.
    #[must_use]
    pub fn from_seed(seed: [u8; 16]) -> Self {
        Self { seed, count: AtomicU64::new(0) }
    }

    /// Fresh bytes, at most 32.
    fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(b"draw");
        hash.update(self.count.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let mut bytes = [0; N];
        for (to, from) in bytes.iter_mut().zip(hash.finalize()) {
            *to = from;
        }
        bytes
    }
}

/// A user who writes at the office.
#[derive(Debug, Clone)]
pub struct Author {
    /// The row that stands for the user among the devices.
    pub device: Device,
    draws: Arc<Draws>,
}

impl Author {
    /// The user of this row, with draws of one's own.
    pub(super) fn with_draws(device: Device, draws: Arc<Draws>) -> Self {
        Self { device, draws }
    }

    /// The n-th actor under which the user may write in a document, in this process.
    ///
    /// Each document has suffixes of its own: equal records made at the same moment must not be
    /// the same change, byte for byte.
    pub(super) fn actor(&self, id: &DocumentId, n: u32) -> ActorId {
        let mut hash = Sha256::new();
        hash.update(self.draws.seed);
        hash.update(id.record.as_bytes());
        hash.update(n.to_be_bytes());
        hash.update(id.part.as_str());
        let mut suffix = [0; 4];
        for (to, from) in suffix.iter_mut().zip(hash.finalize()) {
            *to = from;
        }
        ActorId::new(self.device.prefix, suffix)
    }

    /// Draws bytes for a new id, at most 32.
    pub(super) fn draw<const N: usize>(&self) -> [u8; N] {
        self.draws.bytes()
    }
}

/// Finds what stands for `user` at the office, or makes it.
///
/// `user_record` is noted with it when it was not known yet, or is another one.
///
/// # Errors
///
/// Fails when the storage does, or the system has no randomness to give.
pub fn author_for(
    storage: &dyn Storage,
    user: &str,
    user_record: Option<RecordId>,
    now_ms: TimestampMs,
) -> Result<Author, OfficeError> {
    author_with(storage, user, user_record, &process_draws()?, now_ms)
}

/// As [`author_for`], with other draws than the process's: for simulations.
///
/// # Errors
///
/// Fails when the storage does.
pub fn author_with(
    storage: &dyn Storage,
    user: &str,
    user_record: Option<RecordId>,
    draws: &Arc<Draws>,
    now_ms: TimestampMs,
) -> Result<Author, OfficeError> {
    let draws = Arc::clone(draws);
    let is_known = |device: &Device| user_record.is_none() || device.user_record == user_record;
    if let Some(device) = storage.read()?.office_device(user)?.filter(is_known) {
        return Ok(Author { device, draws });
    }
    let mut write = storage.write()?;
    let author = author_in(&mut *write, user, user_record, draws, now_ms)?;
    write.commit()?;
    Ok(author)
}

/// As [`author_with`], within a transaction.
pub(super) fn author_in(
    write: &mut dyn Write,
    user: &str,
    user_record: Option<RecordId>,
    draws: Arc<Draws>,
    now_ms: TimestampMs,
) -> Result<Author, OfficeError> {
    let device = match write.office_device(user)? {
        Some(mut device) => {
            if let Some(record) = user_record {
                write.set_user_record(device.id, record)?;
                device.user_record = Some(record);
            }
            device
        }
        None => {
            let device = draw(user, user_record, &draws, now_ms);
            write.add_device(&device)?;
            write.add_audit(&AuditLine::new(now_ms, "author_added").device(device.id))?;
            device
        }
    };
    Ok(Author { device, draws })
}

fn draw(user: &str, user_record: Option<RecordId>, draws: &Draws, now_ms: TimestampMs) -> Device {
    let unix_ms = u64::try_from(now_ms).unwrap_or_default();
    Device {
        id: DeviceId(
            uuid::Builder::from_unix_timestamp_millis(unix_ms, &draws.bytes()).into_uuid(),
        ),
        name: DEVICE_NAME.to_owned(),
        user: user.to_owned(),
        user_record,
        prefix: ActorPrefix(draws.bytes()),
        public_key: Vec::new(),
        token_hash: draws.bytes(),
        enrolled_at: now_ms,
        is_office: true,
    }
}

fn process_draws() -> Result<Arc<Draws>, getrandom::Error> {
    if let Some(draws) = DRAWS.get() {
        return Ok(Arc::clone(draws));
    }
    let mut seed = [0; 16];
    getrandom::fill(&mut seed)?;
    // Another thread may have been faster: the first one counts.
    Ok(Arc::clone(DRAWS.get_or_init(|| Arc::new(Draws::from_seed(seed)))))
}
