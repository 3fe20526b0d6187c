//! Who is asking: tokens and proofs, and the devices behind them.
//!
//! A token is 32 bytes in hexadecimal, known to its device alone; the storage has its SHA-256.
//! Looking that up takes the same time however close a guess is. A token alone is not enough: the
//! request must be signed by the device's key ([`proof`](outrider_core::sync::proof)), freshly, and
//! not twice. Devices that still have the endless token of an older server need no proof until they
//! have exchanged it.
//!
//! [`Caller`] is a device that may do everything; [`CallerOrWiping`] may also be one that is to be
//! wiped, and sends what waits first; [`CallerOrRevoked`] any device that is who it says.

use std::str::FromStr as _;

use axum::{
    extract::{FromRequestParts, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use outrider_core::{
    ids::{DeviceId, from_hex},
    sync::proof::{Asked, PROOF_HEADER, Proof, body_digest},
    time::TimestampMs,
};
use sha2::{Digest as _, Sha256};

use crate::{
    audit::reading::{Asker, Who},
    devices::Bar,
    error::AppError,
    guard::DeviceSlot,
    replays::{Claim, Replays},
    state::AppState,
    storage::{Device, Read, Storage, StorageError},
};

/// Bytes of a token.
pub const TOKEN_BYTES: usize = 32;

/// The device whose token came with the request, and who may do everything.
#[derive(Debug, Clone)]
pub struct Caller(pub Device);

/// As [`Caller`], or a device that is to be wiped and sends what waits.
#[derive(Debug, Clone)]
pub struct CallerOrWiping(pub Device);

/// A device that is who it says, whether or not it is let in.
#[derive(Debug, Clone)]
pub struct CallerOrRevoked {
    /// The device.
    pub device: Device,
    /// Why it is not let in.
    pub bar: Option<Bar>,
}

/// What the request's body must be, according to its proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SignedBody(pub(crate) [u8; 32]);

impl FromRequestParts<AppState> for Caller {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, AppError> {
        match identify(parts, state).await? {
            CallerOrRevoked { device, bar: None } => Ok(Self(device)),
            CallerOrRevoked { bar: Some(bar), .. } => Err(barred(bar)),
        }
    }
}

impl FromRequestParts<AppState> for CallerOrWiping {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, AppError> {
        match identify(parts, state).await? {
            CallerOrRevoked { device, bar: None | Some(Bar::Wipe) } => Ok(Self(device)),
            CallerOrRevoked { bar: Some(bar), .. } => Err(barred(bar)),
        }
    }
}

impl FromRequestParts<AppState> for CallerOrRevoked {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, AppError> {
        identify(parts, state).await
    }
}

/// What a device that is not let in is told.
pub(crate) fn barred(bar: Bar) -> AppError {
    AppError::refused(StatusCode::FORBIDDEN, bar.code(), bar.words())
}

fn unproven(code: &'static str, words: &'static str) -> AppError {
    AppError::refused(StatusCode::UNAUTHORIZED, code, words)
}

/// How a device says who it is.
enum Name {
    Token {
        text: String,
        bytes: [u8; TOKEN_BYTES],
    },
    /// By its id alone: its key must say the rest.
    Id(DeviceId),
}

impl Name {
    /// What does not even look like one costs no look-up.
    fn read(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, text) = value.split_once(' ')?;
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self::Token { text: text.to_owned(), bytes: from_hex(text)? });
        }
        if scheme.eq_ignore_ascii_case("device") {
            return uuid::Uuid::from_str(text).ok().map(|id| Self::Id(DeviceId(id)));
        }
        None
    }

    fn token(&self) -> &str {
        match self {
            Self::Token { text, .. } => text,
            Self::Id(_) => "",
        }
    }
}

/// A device, and how its request must be proven.
struct Found {
    device: Device,
    bar: Option<Bar>,
    /// Whether the token is that of an older server, which asked for no proof.
    is_endless: bool,
    is_expired: bool,
    /// Whether nobody had used these tokens yet.
    is_first_use: bool,
}

fn find(read: &dyn Read, name: &Name, now_ms: TimestampMs) -> Result<Option<Found>, StorageError> {
    let (mut is_endless, mut is_expired, mut is_first_use) = (false, false, false);
    let device = match name {
        Name::Id(id) => read.device(*id)?,
        Name::Token { bytes, .. } => {
            let hash = hash_token(bytes);
            if let Some(tokens) = read.tokens_by_access(&hash)? {
                let is_last = tokens.access_hash == hash;
                is_first_use = is_last && !tokens.is_used;
                let until =
                    if is_last { tokens.access_expires_at } else { tokens.previous_expires_at };
                is_expired = now_ms > until;
                read.device(tokens.device)?
            } else {
                is_endless = true;
                read.device_by_token(&hash)?
            }
        }
    };
    let Some(device) = device.filter(|device| !device.is_office) else { return Ok(None) };
    let bar = read.standing(device.id)?.and_then(|standing| Bar::of(&standing));
    // By its id alone a device is heard where it is not let in, and nowhere else.
    if matches!(name, Name::Id(_)) && bar.is_none() {
        return Ok(None);
    }
    Ok(Some(Found { device, bar, is_endless, is_expired, is_first_use }))
}

async fn identify(parts: &mut Parts, state: &AppState) -> Result<CallerOrRevoked, AppError> {
    let name = Name::read(&parts.headers).ok_or(AppError::Unauthorised)?;
    let proof = read_proof(&parts.headers)?;
    let method = parts.method.as_str().to_owned();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let (now_ms, replays) = (state.now_ms(), std::sync::Arc::clone(&state.replays));
    let signed = proof.as_ref().map(|proof| SignedBody(proof.body));
    let found = state.run(move |storage: &dyn Storage| {
        let found = find(&*storage.read()?, &name, now_ms)?.ok_or(AppError::Unauthorised)?;
        match &proof {
            Some(proof) => {
                let asked = Asked { method: &method, path: &path, token: name.token() };
                check(&found.device.public_key, proof, &asked, &replays, now_ms)?;
                claim(&replays, found.device.id, proof, now_ms)?;
            }
            None if found.is_endless => {}
            None => {
                return Err(unproven("proof_missing", "the request is not signed by the device"));
            }
        }
        if found.is_expired && found.bar.is_none() {
            let words = "the token has expired; exchange it for the next one";
            return Err(unproven("token_expired", words));
        }
        if found.is_first_use {
            note_use(storage, found.device.id)?;
        }
        Ok::<_, AppError>(found)
    });
    let Found { device, bar, .. } = found.await?;
    state.note_contact(device.id);
    Asker::tell(parts, Who { device: Some(device.id), account: None, subject: None });
    tracing::Span::current().record("device", tracing::field::display(device.id));
    if let Some(signed) = signed {
        parts.extensions.insert(signed);
    }
    if bar.is_none()
        && let Some(slot) = parts.extensions.get::<DeviceSlot>()
    {
        let _ = slot.0.set(device.id);
    }
    Ok(CallerOrRevoked { device, bar })
}

/// From here on the answer that brought these tokens has arrived, and what they replaced is over.
fn note_use(storage: &dyn Storage, id: DeviceId) -> Result<(), StorageError> {
    let mut write = storage.write()?;
    if let Some(tokens) = write.tokens(id)?
        && tokens.generation == 1
    {
        // The hash of a hash: nobody has a token of it, and it is this device's alone.
        write.set_token_hash(id, &Sha256::digest(tokens.access_hash).into())?;
    }
    write.use_tokens(id)?;
    write.commit()?;
    Ok(())
}

fn read_proof(headers: &HeaderMap) -> Result<Option<Proof>, AppError> {
    let Some(value) = headers.get(PROOF_HEADER) else { return Ok(None) };
    let proof = value.to_str().ok().and_then(Proof::parse);
    let malformed = || unproven("proof_malformed", "the request's proof cannot be read");
    proof.map(Some).ok_or_else(malformed)
}

/// Checks time and signature of a proof.
fn check(
    public_key: &[u8],
    proof: &Proof,
    asked: &Asked<'_>,
    replays: &Replays,
    now_ms: TimestampMs,
) -> Result<(), AppError> {
    if !replays.is_timely(proof.time_ms, now_ms) {
        let words = "the request was signed too long ago, or by a clock that is off; sign it with the time of this answer";
        return Err(unproven("proof_time", words));
    }
    if !proof.is_signed(public_key, asked) {
        let words = "the request is not signed by the key of the device";
        return Err(unproven("proof_signature", words));
    }
    Ok(())
}

/// Takes the nonce of a proof that is good.
fn claim(
    replays: &Replays,
    device: DeviceId,
    proof: &Proof,
    now_ms: TimestampMs,
) -> Result<(), AppError> {
    match replays.claim(device, proof.time_ms, proof.nonce, now_ms) {
        Claim::Taken => Ok(()),
        Claim::Replayed => Err(unproven("proof_replayed", "this request was answered before")),
        Claim::Full => Err(AppError::Busy),
    }
}

/// A request whose sender is named in its body.
#[derive(Debug)]
pub(crate) struct Unnamed {
    proof: Option<Proof>,
    path: String,
}

impl Unnamed {
    /// What must be kept of a request before its body is read.
    pub(crate) fn new(request: &Request) -> Result<Self, AppError> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { proof: read_proof(request.headers())?, path })
    }

    /// Checks that the holder of `public_key` posted `body`; `device` is none before enrolment.
    pub(crate) fn check(
        &self,
        public_key: &[u8],
        body: &[u8],
        device: Option<DeviceId>,
        (replays, now_ms): (&Replays, TimestampMs),
    ) -> Result<(), AppError> {
        let missing = || unproven("proof_missing", "the request is not signed by the device");
        let proof = self.proof.as_ref().ok_or_else(missing)?;
        check_body(body, proof.body)?;
        let asked = Asked { method: "POST", path: &self.path, token: "" };
        check(public_key, proof, &asked, replays, now_ms)?;
        match device {
            Some(device) => claim(replays, device, proof, now_ms),
            None => Ok(()),
        }
    }
}

/// Checks that a body is the one that was signed.
pub(crate) fn check_body(body: &[u8], signed: [u8; 32]) -> Result<(), AppError> {
    if body_digest(body) == signed {
        return Ok(());
    }
    Err(unproven("proof_body", "the request's body is not the one that was signed"))
}

/// What the storage keeps of a token.
#[must_use]
pub fn hash_token(token: &[u8; TOKEN_BYTES]) -> [u8; 32] {
    Sha256::digest(token).into()
}
