//! What a device shows to its server: tokens, its certificate, and what it knows of the server's
//! clock. Rows of `meta`, none of which leaves the device with a copy.

use rusqlite::Connection;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    StoreError,
    meta::{get, set},
};
use crate::{
    ids::DeviceId,
    sync::{certificate::SignedCertificate, proof::NONCE_BYTES, tokens::Tokens},
};

/// Names of the rows.
pub(super) const ROWS: [&str; 5] =
    ["tokens", "token_nonce", "certificate", "pending_enrolment", "clock_offset"];

/// An enrolment that the office has not approved yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingEnrolment {
    /// Where the server is.
    pub url: String,
    /// The device's id there.
    pub device: DeviceId,
    /// Name of the user whose device it will be.
    pub user: String,
    /// The authority (DER, in hexadecimal) that alone says who the server is, if there is one.
    #[serde(default)]
    pub ca: Option<String>,
}

fn read<T: DeserializeOwned>(
    conn: &Connection,
    key: &'static str,
) -> Result<Option<T>, StoreError> {
    match get::<Vec<u8>>(conn, key)? {
        Some(bytes) if !bytes.is_empty() => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| StoreError::damaged("what names this device", error)),
        _ => Ok(None),
    }
}

fn write<T: Serialize>(
    conn: &Connection,
    key: &'static str,
    value: Option<&T>,
) -> Result<(), StoreError> {
    let bytes = match value {
        Some(value) => serde_json::to_vec(value)
            .map_err(|error| StoreError::damaged("what names this device", error))?,
        None => Vec::new(),
    };
    set(conn, key, &bytes)
}

/// The tokens; none before enrolment, and for devices of older servers.
///
/// # Errors
///
/// Fails when the database does, or what is stored is damaged. So do all functions here.
pub fn tokens(conn: &Connection) -> Result<Option<Tokens>, StoreError> {
    read(conn, "tokens")
}

/// Stores tokens in place of those before.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_tokens(conn: &Connection, tokens: Option<&Tokens>) -> Result<(), StoreError> {
    write(conn, "tokens", tokens)
}

/// The nonce of an exchange for tokens whose answer is not here yet.
///
/// # Errors
///
/// Fails when the database does.
pub fn nonce(conn: &Connection) -> Result<Option<[u8; NONCE_BYTES]>, StoreError> {
    let kept = get::<Vec<u8>>(conn, "token_nonce")?.unwrap_or_default();
    Ok(kept.as_slice().try_into().ok())
}

/// Stores the nonce, before the exchange begins; or forgets it, when its answer is stored.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_nonce(conn: &Connection, nonce: Option<[u8; NONCE_BYTES]>) -> Result<(), StoreError> {
    set(conn, "token_nonce", nonce.as_ref().map_or(&[], |nonce| nonce.as_slice()))
}

/// The certificate.
///
/// # Errors
///
/// Fails when the database does, or what is stored is damaged.
pub fn certificate(conn: &Connection) -> Result<Option<SignedCertificate>, StoreError> {
    read(conn, "certificate")
}

/// Stores the certificate.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_certificate(
    conn: &Connection,
    certificate: Option<&SignedCertificate>,
) -> Result<(), StoreError> {
    write(conn, "certificate", certificate)
}

/// The enrolment that waits for the office.
///
/// # Errors
///
/// Fails when the database does, or what is stored is damaged.
pub fn pending(conn: &Connection) -> Result<Option<PendingEnrolment>, StoreError> {
    read(conn, "pending_enrolment")
}

/// Stores the enrolment that waits for the office.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_pending(
    conn: &Connection,
    pending: Option<&PendingEnrolment>,
) -> Result<(), StoreError> {
    write(conn, "pending_enrolment", pending)
}

/// What to add to this device's clock to get the server's, in milliseconds.
///
/// # Errors
///
/// Fails when the database does.
pub fn clock_offset(conn: &Connection) -> Result<i64, StoreError> {
    Ok(get::<[u8; 8]>(conn, "clock_offset")?.map_or(0, i64::from_be_bytes))
}

/// Stores what to add to this device's clock.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_clock_offset(conn: &Connection, offset_ms: i64) -> Result<(), StoreError> {
    set(conn, "clock_offset", &offset_ms.to_be_bytes())
}
