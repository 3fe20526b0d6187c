//! Who is asking: bearer tokens and the devices behind them.
//!
//! A token is 32 random bytes in hexadecimal, known to its device alone; the storage has its
//! SHA-256. Looking that up takes the same time however close a guess is.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use outrider_core::ids::{from_hex, to_hex};
use sha2::{Digest as _, Sha256};

use crate::{
    audit::reading::{Asker, Who},
    error::AppError,
    state::AppState,
    storage::Device,
};

/// Bytes of a token.
pub const TOKEN_BYTES: usize = 32;

/// The device whose token came with the request.
#[derive(Debug, Clone)]
pub struct Caller(pub Device);

impl FromRequestParts<AppState> for Caller {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, AppError> {
        // What does not even look like a token costs no look-up.
        let token = token_of(&parts.headers).ok_or(AppError::Unauthorised)?;
        let hash = hash_token(&token);
        let device = state.run(move |storage| storage.read()?.device_by_token(&hash)).await?;
        let device = device.ok_or(AppError::Unauthorised)?;
        state.note_contact(device.id);
        Asker::tell(parts, Who { device: Some(device.id), account: None, subject: None });
        tracing::Span::current().record("device", tracing::field::display(device.id));
        Ok(Self(device))
    }
}

fn token_of(headers: &HeaderMap) -> Option<[u8; TOKEN_BYTES]> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    from_hex(token)
}

/// What the storage keeps of a token.
#[must_use]
pub fn hash_token(token: &[u8; TOKEN_BYTES]) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// The token as the device sends it.
#[must_use]
pub fn show_token(token: &[u8; TOKEN_BYTES]) -> String {
    to_hex(token)
}
