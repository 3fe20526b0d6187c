//! What devices ask about themselves: tokens, how they stand, a wipe that is done.

use axum::{
    Json,
    extract::{Query, Request, State, rejection::QueryRejection},
    http::StatusCode,
};
use outrider_core::{
    ids::{DeviceId, from_hex, to_hex},
    sync::tokens::{
        DeviceAnswer, ERASED_MAX, ErasedAnswer, TokenRequest, Tokens, WipeAnswer, WipedRequest,
    },
    time::TimestampMs,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::enrolment::{ENROLMENT_BYTES_MAX, nonce_of};
use crate::{
    auth::{CallerOrRevoked, Unnamed, barred},
    body::{check_type, receive},
    devices::{
        DeviceError, Terms, TokenError,
        standing::{confirm_purge, confirm_wipe, wipe_receipt},
        tokens::{Asking, exchange},
    },
    error::AppError,
    state::AppState,
    storage::{Storage, StorageError},
};

/// Reads a small JSON body; returns its bytes too, for the proof.
pub(super) async fn read_json<T: DeserializeOwned>(
    request: Request,
    state: &AppState,
    expected: &'static str,
) -> Result<(T, Vec<u8>), AppError> {
    check_type(request.headers(), "application/json")?;
    let (bytes, _room) = receive(request, state, ENROLMENT_BYTES_MAX).await?;
    let read = serde_json::from_slice(&bytes)
        .map_err(|_| AppError::bad_request("body_malformed", expected))?;
    Ok((read, bytes.to_vec()))
}

/// `POST /v1/token`: the next tokens for a device.
pub(crate) async fn exchange_token(
    State(state): State<AppState>,
    request: Request,
) -> Result<Json<Tokens>, AppError> {
    let unnamed = Unnamed::new(&request)?;
    let expected = "expected JSON with device, refresh_token and nonce";
    let (asked, body) = read_json::<TokenRequest>(request, &state, expected).await?;
    let nonce = nonce_of(&asked.nonce)?;
    let now_ms = state.now_ms();
    let shared = state.clone();
    let tokens = state.run(move |storage: &dyn Storage| {
        let device = storage.read()?.device(asked.device)?.ok_or(AppError::Unauthorised)?;
        let (key, id) = (&device.public_key, device.id);
        unnamed.check(key, &body, Some(id), (&shared.replays, now_ms))?;
        let asking = Asking { device: id, nonce, now_ms };
        let terms = Terms::from(&shared.config.devices);
        Ok::<_, AppError>(exchange(storage, &shared.key, &terms, &asking, &asked.refresh_token)?)
    });
    tokens.await.map(Json)
}

/// What a device says of itself when it asks.
#[derive(Debug, Deserialize)]
pub(crate) struct AskedDevice {
    /// The number up to which it carried erasures out.
    #[serde(default)]
    erased: u64,
}

/// `GET /v1/device`: how the device stands, whether or not it is let in.
pub(crate) async fn show_device(
    State(state): State<AppState>,
    CallerOrRevoked { device, bar }: CallerOrRevoked,
    query: Result<Query<AskedDevice>, QueryRejection>,
) -> Result<Json<DeviceAnswer>, AppError> {
    let Query(AskedDevice { erased: done }) =
        query.map_err(|_| AppError::bad_request("bad_query", "`erased` must be a whole number"))?;
    let (id, now_ms) = (device.id, state.now_ms());
    let is_barred = bar.is_some();
    let looked = state.run(move |storage| {
        let standing = storage.read()?.standing(id)?;
        let erased = if is_barred { erased_after(storage, id, done, now_ms)? } else { Vec::new() };
        Ok::<_, StorageError>((standing, erased))
    });
    let (standing, erased) = looked.await?;
    let wipe = standing.filter(|standing| standing.wipe_ordered_at > 0).map(|standing| {
        let receipt = to_hex(&wipe_receipt(&state.key, id, standing.wipe_ordered_at));
        WipeAnswer { ordered_at: standing.wipe_ordered_at, receipt }
    });
    let standing = bar.map_or("active", |bar| bar.code()).to_owned();
    let seal_key = state.key.seal_key();
    Ok(Json(DeviceAnswer { device: id, standing, wipe, erased, seal_key, now_ms }))
}

/// Notes up to where a device carried erasures out, and says which come after.
fn erased_after(
    storage: &dyn Storage,
    device: DeviceId,
    done: u64,
    now_ms: TimestampMs,
) -> Result<Vec<ErasedAnswer>, StorageError> {
    let read = storage.read()?;
    let known = read.erasures_done(device)?;
    let mut erased = read.erasures_after(done)?;
    drop(read);
    if done > known {
        let mut write = storage.write()?;
        write.note_erasures(device, done, now_ms)?;
        write.commit()?;
    }
    erased.truncate(ERASED_MAX);
    let told = erased.into_iter();
    Ok(told.map(|one| ErasedAnswer { number: one.number, record: one.record }).collect())
}

/// `POST /v1/purged`: a device that was turned away has taken off every record.
pub(crate) async fn confirm_purged(
    State(state): State<AppState>,
    CallerOrRevoked { device, bar }: CallerOrRevoked,
) -> Result<Json<Value>, AppError> {
    if bar.is_none() {
        let words = "this device is let in: what it holds it says when it pulls";
        return Err(AppError::refused(StatusCode::CONFLICT, "device_active", words));
    }
    let (id, now_ms) = (device.id, state.now_ms());
    state.run(move |storage| confirm_purge(storage, id, now_ms)).await?;
    tracing::info!(device.id = %id, "a device took off every record");
    Ok(Json(json!({ "status": "purged" })))
}

/// `POST /v1/wiped`: a device has wiped itself. Its key is gone; the receipt speaks for it.
pub(crate) async fn confirm_wiped(
    State(state): State<AppState>,
    request: Request,
) -> Result<Json<Value>, AppError> {
    let expected = "expected JSON with device and receipt";
    let (asked, _) = read_json::<WipedRequest>(request, &state, expected).await?;
    let receipt = from_hex::<32>(&asked.receipt).ok_or(DeviceError::NoWipe)?;
    let (now_ms, keys) = (state.now_ms(), std::sync::Arc::clone(&state.key));
    let (id, done) = (asked.device, json!({ "status": "wiped" }));
    state.run(move |storage| confirm_wipe(storage, &keys, id, &receipt, now_ms)).await?;
    tracing::info!(device.id = %id, "a device was wiped");
    Ok(Json(done))
}

impl From<TokenError> for AppError {
    fn from(error: TokenError) -> Self {
        let words = error.to_string();
        let code = match error {
            TokenError::Unknown => return Self::Unauthorised,
            TokenError::Storage(error) => return Self::Storage(error),
            TokenError::Barred(bar) => return barred(bar),
            TokenError::Claimed => {
                return Self::refused(StatusCode::CONFLICT, "tokens_claimed", words);
            }
            TokenError::Unclaimed => {
                return Self::refused(StatusCode::FORBIDDEN, "tokens_unclaimed", words);
            }
            TokenError::Reused => "token_reused",
            TokenError::Ended => "token_ended",
        };
        tracing::warn!(code, "suspended a device");
        Self::refused(StatusCode::FORBIDDEN, code, words)
    }
}

impl From<DeviceError> for AppError {
    fn from(error: DeviceError) -> Self {
        let words = error.to_string();
        match error {
            DeviceError::Storage(error) => Self::Storage(error),
            DeviceError::Random(_) => Self::Internal("the system gave no randomness"),
            DeviceError::Unknown(_) => Self::refused(StatusCode::NOT_FOUND, "not_found", words),
            DeviceError::Office | DeviceError::NotWaiting => {
                Self::refused(StatusCode::CONFLICT, "not_waiting", words)
            }
            DeviceError::NoWipe => Self::refused(StatusCode::FORBIDDEN, "no_wipe", words),
        }
    }
}
