//! Who writes at the office.
//!
//! Each user has a row among the devices with a prefix of its own: authors are told from prefixes,
//! so devices learn who wrote from the row alone. Nobody can sign in with it: it has no key, and
//! its token's hash is drawn, not made of a token.
//!
//! Suffixes are drawn anew by each process, one for each document. A server that was restored
//! from a backup must not go on under an actor whose last changes it has forgotten, and it cannot
//! tell; a process can, because it forgets nothing.

use std::sync::OnceLock;

use outrider_core::{
    ids::{ActorId, ActorPrefix, DeviceId, DocumentId, RecordId},
    time::TimestampMs,
};
use sha2::{Digest as _, Sha256};

use super::OfficeError;
use crate::storage::{AuditLine, Device, Storage};

/// The user in whose name the server writes by itself.
pub const SYSTEM_USER: &str = "office";
/// What devices show beside the user's name.
const DEVICE_NAME: &str = "Office";

/// What this process draws suffixes from.
static SEED: OnceLock<[u8; 16]> = OnceLock::new();

/// A user who writes at the office.
#[derive(Debug, Clone)]
pub struct Author {
    /// The row that stands for the user among the devices.
    pub device: Device,
    seed: [u8; 16],
}

impl Author {
    /// The n-th actor under which the user may write in a document, in this process.
    ///
    /// Each document has suffixes of its own: equal records made at the same moment must not be
    /// the same change, byte for byte.
    pub(super) fn actor(&self, id: &DocumentId, n: u32) -> ActorId {
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(id.record.as_bytes());
        hash.update(n.to_be_bytes());
        hash.update(id.part.as_str());
        let mut suffix = [0; 4];
        for (to, from) in suffix.iter_mut().zip(hash.finalize()) {
            *to = from;
        }
        ActorId::new(self.device.prefix, suffix)
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
    let draw = Draw::new(seed()?)?;
    author_with(storage, user, user_record, now_ms, &draw)
}

/// As [`author_for`], with what may have to be drawn.
pub(super) fn author_with(
    storage: &dyn Storage,
    user: &str,
    user_record: Option<RecordId>,
    now_ms: TimestampMs,
    draw: &Draw,
) -> Result<Author, OfficeError> {
    let seed = draw.seed;
    let is_known = |device: &Device| user_record.is_none() || device.user_record == user_record;
    if let Some(device) = storage.read()?.office_device(user)?.filter(is_known) {
        return Ok(Author { device, seed });
    }
    let mut write = storage.write()?;
    let device = match write.office_device(user)? {
        Some(mut device) => {
            if let Some(record) = user_record {
                write.set_user_record(device.id, record)?;
                device.user_record = Some(record);
            }
            device
        }
        None => {
            let device = draw.device(user, user_record, now_ms);
            write.add_device(&device)?;
            write.add_audit(&AuditLine {
                at: now_ms,
                device: Some(device.id),
                action: "author_added",
                document: None,
                hash: None,
                code: String::new(),
            })?;
            device
        }
    };
    write.commit()?;
    Ok(Author { device, seed })
}

/// Fresh random bytes for one author.
pub(super) struct Draw {
    id: [u8; 10],
    prefix: [u8; 12],
    token_hash: [u8; 32],
    seed: [u8; 16],
}

impl Draw {
    /// Draws from the system's generator.
    fn new(seed: [u8; 16]) -> Result<Self, getrandom::Error> {
        let mut draw = Self { id: [0; 10], prefix: [0; 12], token_hash: [0; 32], seed };
        getrandom::fill(&mut draw.id)?;
        getrandom::fill(&mut draw.prefix)?;
        getrandom::fill(&mut draw.token_hash)?;
        Ok(draw)
    }

    /// Makes everything of 128 random bits that were drawn for one call: its actors are its own.
    pub(super) fn of(random: u128) -> Self {
        fn take<const N: usize>(random: u128, what: &str) -> [u8; N] {
            let hash = Sha256::new().chain_update(what).chain_update(random.to_be_bytes());
            let mut bytes = [0; N];
            for (to, from) in bytes.iter_mut().zip(hash.finalize()) {
                *to = from;
            }
            bytes
        }
        Self {
            id: take(random, "author id"),
            prefix: take(random, "author prefix"),
            token_hash: take(random, "author token"),
            seed: take(random, "author seed"),
        }
    }

    fn device(&self, user: &str, user_record: Option<RecordId>, now_ms: TimestampMs) -> Device {
        let unix_ms = u64::try_from(now_ms).unwrap_or_default();
        let id = uuid::Builder::from_unix_timestamp_millis(unix_ms, &self.id).into_uuid();
        Device {
            id: DeviceId(id),
            name: DEVICE_NAME.to_owned(),
            user: user.to_owned(),
            user_record,
            prefix: ActorPrefix(self.prefix),
            public_key: Vec::new(),
            token_hash: self.token_hash,
            enrolled_at: now_ms,
            is_office: true,
        }
    }
}

fn seed() -> Result<[u8; 16], getrandom::Error> {
    if let Some(seed) = SEED.get() {
        return Ok(*seed);
    }
    let mut drawn = [0; 16];
    getrandom::fill(&mut drawn)?;
    // Another thread may have been faster: the first one counts.
    Ok(*SEED.get_or_init(|| drawn))
}
