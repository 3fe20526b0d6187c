//! Enrolling a device.

use axum::{
    Json,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use outrider_core::{
    ids::{ActorPrefix, DeviceId, RecordId, to_hex},
    sync::frame::PROTOCOL_VERSION,
    time::TimestampMs,
};
use serde::{Deserialize, Serialize};

use crate::{
    auth::show_token,
    body::{check_type, receive},
    enrol::{Applicant, Draw, EnrolError, enrol},
    error::AppError,
    state::AppState,
};

/// Bytes of a request to enrol, at most.
pub(crate) const ENROLMENT_BYTES_MAX: u32 = 16 * 1024;

/// What a device sends to be enrolled.
#[derive(Deserialize)]
struct EnrolRequest {
    code: String,
    device_name: String,
    /// SEC1 bytes in hexadecimal.
    public_key: String,
    protocol: u8,
}

/// What an enrolled device gets; the token is shown here once and never again.
#[derive(Serialize)]
pub(crate) struct EnrolResponse {
    device: DeviceId,
    user: String,
    prefix: ActorPrefix,
    /// The user's record, once the user is one.
    user_record: Option<RecordId>,
    token: String,
    instance: String,
    protocol: u8,
    now_ms: TimestampMs,
}

/// `POST /v1/enroll`: makes a device of whoever has a one-time code.
pub(crate) async fn enrol_device(
    State(state): State<AppState>,
    request: Request,
) -> Result<Json<EnrolResponse>, AppError> {
    check_type(request.headers(), "application/json")?;
    let (bytes, _room) = receive(request, &state, ENROLMENT_BYTES_MAX).await?;
    let request: EnrolRequest = serde_json::from_slice(&bytes).map_err(|_| {
        let words = "expected JSON with code, device_name, public_key and protocol";
        AppError::bad_request("body_malformed", words)
    })?;
    let public_key = bytes_of(&request.public_key).ok_or_else(|| {
        AppError::bad_request("invalid", "public_key must be SEC1 bytes in hexadecimal")
    })?;
    let applicant = Applicant {
        code: request.code,
        device_name: request.device_name,
        public_key,
        protocol: request.protocol,
    };
    let now_ms = state.now_ms();
    let draw = Draw::new().map_err(|_| AppError::Internal("the system gave no randomness"))?;
    let token = show_token(&draw.token);
    let enrolled = state.run(move |storage| {
        let device = enrol(storage, &applicant, &draw, now_ms)?;
        Ok::<_, EnrolError>((device, storage.read()?.instance()?))
    });
    let (device, instance) = enrolled.await?;
    tracing::info!(device.id = %device.id, "enrolled a device");
    Ok(Json(EnrolResponse {
        device: device.id,
        user: device.user,
        prefix: device.prefix,
        user_record: device.user_record,
        token,
        instance: to_hex(&instance),
        protocol: PROTOCOL_VERSION,
        now_ms,
    }))
}

/// `GET /v1/ca`: the certificate (DER) of the authority that devices are to trust alone. Whoever asks
/// compares it with a fingerprint that came by another way.
pub(crate) async fn show_authority(State(state): State<AppState>) -> Result<Response, AppError> {
    let Some(ca) = &state.ca else {
        let words = "this server's certificate comes from an authority that everybody knows, or it \
                     has none; leave the fingerprint out";
        return Err(AppError::refused(StatusCode::NOT_FOUND, "no_authority", words));
    };
    Ok(([(header::CONTENT_TYPE, "application/pkix-cert")], ca.der().to_vec()).into_response())
}

/// Hexadecimal of a compressed or an uncompressed point.
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    use outrider_core::ids::from_hex;
    from_hex::<33>(text).map(Vec::from).or_else(|| from_hex::<65>(text).map(Vec::from))
}

impl From<EnrolError> for AppError {
    fn from(error: EnrolError) -> Self {
        let code = match error {
            EnrolError::Unknown => "code_unknown",
            EnrolError::Expired => "code_expired",
            EnrolError::Invalid(_) => return Self::bad_request("invalid", error.to_string()),
            EnrolError::Protocol => return Self::bad_request("protocol", error.to_string()),
            EnrolError::Storage(error) => return Self::Storage(error),
            EnrolError::User(error) => return error.into(),
        };
        tracing::warn!(code, "refused to enrol a device");
        Self::refused(StatusCode::FORBIDDEN, code, error.to_string())
    }
}
