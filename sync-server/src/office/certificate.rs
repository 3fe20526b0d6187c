//! What is known of an erasure: who confirmed it, whose confirmation is outstanding, and what
//! cannot be reached. The server signs it, as a document of the kind `erasure`.

use outrider_core::{
    ids::{DeviceId, RecordId, to_hex},
    time::{TimestampMs, to_rfc3339},
};
use serde::Serialize;

use super::OfficeError;
use crate::{
    keys::ServerKey,
    storage::{
        DeviceContact, Read,
        erasure::{ErasedCounts, Erasure},
    },
};

/// The kind of document as which it is signed.
pub const CERTIFICATE_KIND: &str = "erasure";

/// A device, and what it confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceLine {
    /// The device.
    pub device: DeviceId,
    /// Its user.
    pub user: String,
    /// What its user calls it.
    pub name: String,
    /// When it confirmed, or when it was last heard of before.
    pub at: String,
}

/// What is known of an erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// The record.
    pub record: RecordId,
    /// Its entity.
    pub entity: String,
    /// The number of the erasure.
    pub number: u64,
    /// When it was erased at the office.
    pub erased_at: String,
    /// Who erased it; empty if it was carried out again from the ledger.
    pub erased_by: String,
    /// How much went at the office.
    pub counts: ErasedCounts,
    /// Whether it is overwritten in the office's files.
    pub is_overwritten: bool,
    /// Devices that confirmed.
    pub confirmed: Vec<DeviceLine>,
    /// Devices that were there before and have not confirmed.
    pub outstanding: Vec<DeviceLine>,
    /// Files with records of this entity that people exported, as far as the audit goes: nobody
    /// can reach those.
    pub exported_files: u64,
    /// When this was written.
    pub written_at: String,
}

/// A certificate as it is handed out: the bytes that are signed, and the signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignedCertificate {
    /// JSON of the certificate, to be checked as it is.
    pub body: String,
    /// P-256 signature of the server over it, in hexadecimal.
    pub signature: String,
    /// The server's public key, uncompressed, in hexadecimal.
    pub public_key: String,
}

impl Certificate {
    /// The certificate, signed.
    #[must_use]
    pub fn sign(&self, key: &ServerKey) -> SignedCertificate {
        let body = serde_json::to_string(self).unwrap_or_default();
        let signature = to_hex(&key.sign(CERTIFICATE_KIND, body.as_bytes()));
        SignedCertificate { body, signature, public_key: to_hex(&key.public_key()) }
    }
}

/// What is known of the erasure of a record; `None` if it was not erased.
///
/// # Errors
///
/// Fails when the storage does.
pub fn certificate(
    read: &dyn Read,
    record: RecordId,
    now_ms: TimestampMs,
) -> Result<Option<Certificate>, OfficeError> {
    let Some(erasure) = read.erasure_of(record)? else { return Ok(None) };
    let done = read.erasure_confirmed(erasure.number)?;
    let (mut confirmed, mut outstanding) = (Vec::new(), Vec::new());
    for contact in read.devices()?.into_iter().filter(|contact| !contact.device.is_office) {
        match done.iter().find(|(device, _)| *device == contact.device.id) {
            Some((_, at)) => confirmed.push(line(&contact, *at)),
            // A device that was let in later never held the record.
            None if contact.device.enrolled_at <= erasure.at => {
                outstanding.push(line(&contact, contact.last_contact_at));
            }
            None => {}
        }
    }
    let erased_by = match erasure.by {
        Some(by) => read.device(by)?.map_or_else(|| by.to_string(), |device| device.user),
        None => String::new(),
    };
    Ok(Some(Certificate {
        record,
        number: erasure.number,
        erased_at: to_rfc3339(erasure.at),
        erased_by,
        counts: erasure.counts,
        is_overwritten: erasure.is_swept,
        confirmed,
        outstanding,
        exported_files: read.exports_since(record, &erasure.entity, created(&erasure))?,
        entity: erasure.entity,
        written_at: to_rfc3339(now_ms),
    }))
}

fn line(contact: &DeviceContact, at: TimestampMs) -> DeviceLine {
    let device = &contact.device;
    let (user, name) = (device.user.clone(), device.name.clone());
    DeviceLine { device: device.id, user, name, at: to_rfc3339(at) }
}

/// When a record was made, if its id says so: files from before cannot have it.
fn created(erasure: &Erasure) -> TimestampMs {
    let id = uuid::Uuid::from_bytes(*erasure.record.as_bytes());
    let [a, b, c, d, e, f, ..] = *id.as_bytes();
    match id.get_version_num() {
        7 => i64::from_be_bytes([0, 0, a, b, c, d, e, f]),
        _ => 0,
    }
}
