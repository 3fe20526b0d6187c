//! Enrolling a device.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{
    Json,
    extract::{ConnectInfo, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use outrider_core::{
    ids::{DeviceId, to_hex},
    sync::{
        certificate::{CERTIFICATE, Certificate, SignedCertificate},
        frame::PROTOCOL_VERSION,
        proof::NONCE_BYTES,
        sign::fingerprint,
        tokens::{ClaimRequest, EnrolAnswer, EnrolRequest, EnrolStatus, Grant},
    },
};
use p256::ecdsa::VerifyingKey;

use super::devices::read_json;
use crate::{
    auth::{Unnamed, barred},
    devices::{
        Bar, Terms,
        tokens::{Asking, claim},
    },
    enrol::{Applicant, Applied, Draw, EnrolError, apply, check, note_failure},
    error::AppError,
    limits::network_of,
    state::AppState,
    storage::{Device, Storage},
};

/// Bytes of a request to enrol, at most.
pub(crate) const ENROLMENT_BYTES_MAX: u32 = 16 * 1024;

/// `POST /v1/enroll`: makes a device of whoever has a one-time code and a key, or notes that it
/// waits for the office.
pub(crate) async fn enrol_device(
    State(state): State<AppState>,
    request: Request,
) -> Result<Json<EnrolAnswer>, AppError> {
    let address = address_of(&request);
    let now_ms = state.now_ms();
    if let Some(retry_after_s) = state.tries.wait_s(address, now_ms) {
        return Err(AppError::TooMany { retry_after_s });
    }
    let answered = try_to_enrol(&state, request).await;
    if let Err(error) = &answered
        && matches!(error.status(), StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED)
        && error.code() != "proof_time"
        && !state.tries.fail(address, now_ms)
    {
        return Err(AppError::Busy);
    }
    answered
}

async fn try_to_enrol(state: &AppState, request: Request) -> Result<Json<EnrolAnswer>, AppError> {
    let unnamed = Unnamed::new(&request)?;
    let expected = "expected JSON with code, device_name, public_key and protocol";
    let (request, body) = read_json::<EnrolRequest>(request, state, expected).await?;
    let public_key = bytes_of(&request.public_key).ok_or_else(|| {
        AppError::bad_request("invalid", "public_key must be SEC1 bytes in hexadecimal")
    })?;
    let applicant = Applicant {
        code: request.code,
        device_name: request.device_name,
        public_key,
        protocol: request.protocol,
    };
    let nonce = nonce_of(&request.nonce)?;
    let now_ms = state.now_ms();
    let draw = Draw::new().map_err(|_| AppError::Internal("the system gave no randomness"))?;
    let shared = state.clone();
    let answer = state.run(move |storage: &dyn Storage| {
        check(&applicant)?;
        let key = &applicant.public_key;
        if let Err(error) = unnamed.check(key, &body, None, (&shared.replays, now_ms)) {
            // Somebody has the code and not the key: that may not be tried for long.
            if error.code() != "proof_time" {
                note_failure(storage, &applicant.code)?;
            }
            return Err(error);
        }
        match apply(storage, &applicant, &draw, now_ms)? {
            Applied::Enrolled(device) => {
                grant(&shared, storage, &device, &Asking { device: device.id, nonce, now_ms })
            }
            Applied::Waits(request) => {
                let key = &request.public_key;
                pending(&shared, storage, (request.device, request.user.clone(), key))
            }
        }
    });
    let answer = answer.await?;
    tracing::info!(device.id = %answer.device, status = ?answer.status, "enrolled a device");
    Ok(Json(answer))
}

/// `POST /v1/enroll/status`: whether the office has approved a device, and then all that it gets.
pub(crate) async fn claim_enrolment(
    State(state): State<AppState>,
    request: Request,
) -> Result<Json<EnrolAnswer>, AppError> {
    let unnamed = Unnamed::new(&request)?;
    let expected = "expected JSON with device and nonce";
    let (asked, body) = read_json::<ClaimRequest>(request, &state, expected).await?;
    let nonce = nonce_of(&asked.nonce)?;
    let now_ms = state.now_ms();
    let shared = state.clone();
    let answer = state.run(move |storage: &dyn Storage| {
        let read = storage.read()?;
        let by = (shared.replays.as_ref(), now_ms);
        if let Some(request) = read.enrolment_request(asked.device)? {
            unnamed.check(&request.public_key, &body, Some(asked.device), by)?;
            drop(read);
            if request.declined_at > 0 {
                let words = "the office declined this device; ask it for another code";
                return Err(refuse("enrolment_declined", words));
            }
            let key = &request.public_key;
            return pending(&shared, storage, (request.device, request.user.clone(), key));
        }
        let unknown = || refuse("enrolment_unknown", "no such device waits; ask for a new code");
        let device = read.device(asked.device)?.ok_or_else(unknown)?;
        unnamed.check(&device.public_key, &body, Some(device.id), by)?;
        let standing = read.standing(device.id)?.ok_or_else(unknown)?;
        drop(read);
        match Bar::of(&standing) {
            Some(Bar::Suspended) => {
                pending(&shared, storage, (device.id, device.user, &device.public_key))
            }
            Some(bar) => Err(barred(bar)),
            None => grant(&shared, storage, &device, &Asking { device: device.id, nonce, now_ms }),
        }
    });
    answer.await.map(Json)
}

fn refuse(code: &'static str, words: &'static str) -> AppError {
    AppError::refused(StatusCode::FORBIDDEN, code, words)
}

/// What a device is told that waits for the office.
fn pending(
    state: &AppState,
    storage: &dyn Storage,
    (device, user, public_key): (DeviceId, String, &[u8]),
) -> Result<EnrolAnswer, AppError> {
    Ok(EnrolAnswer {
        status: EnrolStatus::Pending,
        device,
        user,
        fingerprint: fingerprint(public_key).unwrap_or_default(),
        instance: to_hex(&storage.read()?.instance()?),
        protocol: PROTOCOL_VERSION,
        now_ms: state.now_ms(),
        grant: None,
    })
}

/// What an enrolled device gets: shown as long as it has used none of it.
fn grant(
    state: &AppState,
    storage: &dyn Storage,
    device: &Device,
    asking: &Asking,
) -> Result<EnrolAnswer, AppError> {
    let terms = Terms::from(&state.config.devices);
    let tokens = claim(storage, &state.key, &terms, asking)?;
    let mut answer = pending(state, storage, (device.id, device.user.clone(), &device.public_key))?;
    let document = serde_json::to_string(&Certificate {
        instance: answer.instance.clone(),
        device: device.id,
        user: device.user.clone(),
        user_record: device.user_record,
        prefix: device.prefix,
        public_key: to_hex(&uncompressed(&device.public_key)),
        issued_at: asking.now_ms,
    })
    .map_err(|_| AppError::Internal("a certificate could not be written"))?;
    let certificate = SignedCertificate {
        signature: to_hex(&state.key.sign(CERTIFICATE, document.as_bytes())),
        server_key: to_hex(&state.key.public_key()),
        document,
    };
    let Device { prefix, user_record, .. } = *device;
    answer.status = EnrolStatus::Active;
    answer.grant = Some(Grant { prefix, user_record, tokens, certificate });
    Ok(answer)
}

/// A key as certificates write it, however the device did.
fn uncompressed(public_key: &[u8]) -> Vec<u8> {
    VerifyingKey::from_sec1_bytes(public_key)
        .map_or_else(|_| Vec::new(), |key| key.to_sec1_point(false).as_bytes().to_vec())
}

/// A nonce in hexadecimal; zeros for a client that sends none.
pub(super) fn nonce_of(text: &str) -> Result<[u8; NONCE_BYTES], AppError> {
    if text.is_empty() {
        return Ok([0; NONCE_BYTES]);
    }
    let wrong = || AppError::bad_request("invalid", "nonce must be 16 bytes in hexadecimal");
    outrider_core::ids::from_hex(text).ok_or_else(wrong)
}

fn address_of(request: &Request) -> IpAddr {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    network_of(peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip()))
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
            EnrolError::Waits => "enrolment_pending",
            EnrolError::Full => return Self::Busy,
            EnrolError::Invalid(_) => return Self::bad_request("invalid", error.to_string()),
            EnrolError::Protocol => return Self::bad_request("protocol", error.to_string()),
            EnrolError::Storage(error) => return Self::Storage(error),
            EnrolError::User(error) => return error.into(),
        };
        tracing::warn!(code, "refused to enrol a device");
        Self::refused(StatusCode::FORBIDDEN, code, error.to_string())
    }
}
