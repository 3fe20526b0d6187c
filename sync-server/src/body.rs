//! Request bodies: bounded in size and in time, and in memory together.

use axum::{
    body::{Bytes, HttpBody},
    extract::{FromRequest, Request, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
};
use minicbor::Decode;
use outrider_core::{
    ids::DeviceId,
    sync::codec::{self, CodecError},
};

use crate::{
    auth::{SignedBody, check_body},
    error::AppError,
    guard::DeviceSlot,
    places::Place,
    state::{AppState, Turn},
};

/// The content type of the sync protocol, both ways.
pub const CONTENT_TYPE: &str = "application/vnd.outrider.v1";
/// Bytes of a request that asks for something, decompressed, at most.
pub const QUESTION_BYTES_MAX: usize = 1024 * 1024;

/// A body of the sync protocol.
#[derive(Debug)]
pub(crate) struct Message {
    bytes: Bytes,
    /// Room for it among all bodies, held while it is used.
    _room: Turn,
    /// Its place among the bodies of the device that sends it.
    _place: Option<Place<DeviceId>>,
}

impl Message {
    /// Decompresses and decodes the message.
    pub(crate) fn unpack<T: for<'b> Decode<'b, ()>>(&self, limit: usize) -> Result<T, AppError> {
        codec::unpack(&self.bytes, limit).map_err(|error| match error {
            CodecError::TooLarge { limit } => AppError::too_large(
                "message_too_large",
                format!("a message may have {limit} bytes when decompressed"),
            ),
            CodecError::Malformed(_) | CodecError::Io(_) => {
                AppError::bad_request("message_malformed", "the message cannot be read")
            }
        })
    }
}

impl FromRequest<AppState> for Message {
    type Rejection = AppError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, AppError> {
        check_type(request.headers(), CONTENT_TYPE)?;
        let most = state.config.limits.body_bytes_max;
        let signed = request.extensions().get::<SignedBody>().copied();
        let sender =
            request.extensions().get::<DeviceSlot>().and_then(|slot| slot.0.get().copied());
        let place = sender.map(|device| state.body_of(device)).transpose()?;
        let (bytes, room) = receive(request, state, most).await?;
        if let Some(SignedBody(digest)) = signed {
            check_body(&bytes, digest)?;
        }
        Ok(Self { bytes, _room: room, _place: place })
    }
}

/// Checks that the body is said to be of `expected` type.
pub(crate) fn check_type(headers: &HeaderMap, expected: &str) -> Result<(), AppError> {
    let found = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = found.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(expected) {
        return Err(AppError::refused(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content_type",
            format!("the content type must be {expected}"),
        ));
    }
    Ok(())
}

/// Receives the whole body, of at most `most` bytes; the router's layers bound the time.
///
/// A body that does not announce its size takes room for `most`: where strangers may send one,
/// that must be little.
pub(crate) async fn receive(
    request: Request,
    state: &AppState,
    most: u32,
) -> Result<(Bytes, Turn), AppError> {
    let most = u64::from(most);
    let announced = request.body().size_hint();
    if announced.lower() > most {
        return Err(too_large());
    }
    let room = state.room_for_body(announced.upper().unwrap_or(most).min(most)).await?;
    let bytes = Bytes::from_request(request, state).await.map_err(refuse)?;
    Ok((bytes, room))
}

fn too_large() -> AppError {
    AppError::too_large("body_too_large", "the request's body is too large")
}

fn refuse(rejection: BytesRejection) -> AppError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return too_large();
    }
    AppError::refused(
        StatusCode::REQUEST_TIMEOUT,
        "body_incomplete",
        "the request's body did not arrive whole, or too slowly",
    )
}
