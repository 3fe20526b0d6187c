//! The conversation with devices: push, pull, check, fetch.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use minicbor::Encode;
use outrider_core::{
    access::Policy,
    crdt::plain_bytes,
    points,
    sync::{
        codec::{self, MESSAGE_BYTES_MAX},
        frame::{
            CheckRequest, FETCH_DOCUMENTS_MAX, FetchRequest, GROUP_CHANGES_MAX, PROTOCOL_VERSION,
            PUSH_CHANGES_MAX, PUSH_PLAIN_BYTES_MAX, PullRequest, PushRequest,
        },
        sealed::{SealError, SealedPush},
        sign,
    },
    time::TimestampMs,
};

use crate::{
    accept,
    access::{Issuer, Policies},
    audit::{heads, pulls::Watch},
    auth::{Caller, CallerOrRevoked, CallerOrWiping},
    body::{CONTENT_TYPE, Message, QUESTION_BYTES_MAX},
    devices::review,
    error::AppError,
    feed,
    keys::ServerKey,
    state::AppState,
    storage::{AuditLine, Device},
    stream::stream,
};

/// `POST /v1/push`: takes changes, answers each.
pub(crate) async fn push_changes(
    State(state): State<AppState>,
    CallerOrWiping(device): CallerOrWiping,
    message: Message,
) -> Result<Response, AppError> {
    let now_ms = state.now_ms();
    let policies = Arc::clone(&state.policies);
    let answer = state.run(move |storage| {
        let request: PushRequest = message.unpack(MESSAGE_BYTES_MAX)?;
        check_push(&device, &request)?;
        let policy = policies.current(&*storage.read()?)?;
        let response = accept::push(storage, &policy, &device, &request, now_ms)?;
        tracing::info!(groups = request.groups.len(), answers = response.answers.len(), "push");
        points::reach("server.push.before_answer");
        Ok::<_, AppError>(respond(&response))
    });
    answer.await?
}

/// `POST /v1/review`: keeps the changes of a device that may not write any more, for the office to
/// decide on; answers each.
pub(crate) async fn review_changes(
    State(state): State<AppState>,
    CallerOrRevoked { device, .. }: CallerOrRevoked,
    message: Message,
) -> Result<Response, AppError> {
    let (now_ms, key) = (state.now_ms(), Arc::clone(&state.key));
    let answer = state.run(move |storage| {
        let sealed: SealedPush = message.unpack(MESSAGE_BYTES_MAX)?;
        check_version(sealed.version)?;
        let not_ours = |error: SealError| AppError::bad_request("not_sealed", error.to_string());
        if sealed.device != device.id {
            return Err(not_ours(SealError::Sealed));
        }
        let opened = key.open_key().open(&sealed).map_err(not_ours)?;
        let request: PushRequest = codec::unpack(&opened, MESSAGE_BYTES_MAX)
            .map_err(|_| AppError::bad_request("body_malformed", "no push was sealed"))?;
        check_push(&device, &request)?;
        let response = review::keep(storage, &device, &request, now_ms)?;
        tracing::info!(answers = response.answers.len(), "kept for review");
        Ok::<_, AppError>(respond(&response))
    });
    answer.await?
}

/// `POST /v1/pull`: streams what changed since the device's cursor.
pub(crate) async fn pull_changes(
    State(state): State<AppState>,
    Caller(device): Caller,
    message: Message,
) -> Result<Response, AppError> {
    let mut request: PullRequest = message.unpack(QUESTION_BYTES_MAX)?;
    drop(message);
    check_version(request.version)?;
    request.budget_bytes = request.budget_bytes.min(state.config.limits.pull_bytes_max);
    let asked = Asked::of(&state);
    let (now_ms, desk) = (asked.now_ms, Arc::clone(&state.audit));
    stream(&state, move |storage, frames| {
        let policy = asked.policies.current(&*storage.read()?)?;
        if let Some(head) = &request.audit_head {
            heads::check_reported(storage, &asked.key, device.id, head, now_ms)?;
        }
        let head = heads::newest_head(storage, &asked.key, now_ms)?;
        let line = AuditLine::new(now_ms, "pulled").device(device.id);
        let mut watch = Watch::new(storage, &desk, line, head);
        let emit = &mut |frame| frames.write(&watch.see(frame)?);
        let answer = feed::pull(storage, asked.issuer(&policy), &device, &request, emit);
        watch.end(answer)
    })
    .await
}

/// `POST /v1/check`: digests of a stream's documents.
pub(crate) async fn check_stream(
    State(state): State<AppState>,
    Caller(device): Caller,
    message: Message,
) -> Result<Response, AppError> {
    let request: CheckRequest = message.unpack(QUESTION_BYTES_MAX)?;
    let asked = Asked::of(&state);
    let response = state.run(move |storage| {
        let policy = asked.policies.current(&*storage.read()?)?;
        feed::check(storage, asked.issuer(&policy), &device, &request)
    });
    respond(&response.await?)
}

/// `POST /v1/fetch`: streams the documents that are asked for.
pub(crate) async fn fetch_documents(
    State(state): State<AppState>,
    Caller(device): Caller,
    message: Message,
) -> Result<Response, AppError> {
    let request: FetchRequest = message.unpack(QUESTION_BYTES_MAX)?;
    drop(message);
    if request.documents.len() > FETCH_DOCUMENTS_MAX {
        return Err(AppError::too_large(
            "too_many_documents",
            format!("one request may name {FETCH_DOCUMENTS_MAX} documents"),
        ));
    }
    let asked = Asked::of(&state);
    let (now_ms, desk) = (asked.now_ms, Arc::clone(&state.audit));
    stream(&state, move |storage, frames| {
        let policy = asked.policies.current(&*storage.read()?)?;
        let line = AuditLine::new(now_ms, "fetched").device(device.id);
        let mut watch = Watch::new(storage, &desk, line, None);
        let emit = &mut |frame| frames.write(&watch.see(frame)?);
        let answer = feed::fetch(storage, asked.issuer(&policy), &device, &request, emit);
        watch.end(answer)
    })
    .await
}

/// What a job needs to answer with a user's eyes.
struct Asked {
    policies: Arc<Policies>,
    key: Arc<ServerKey>,
    now_ms: TimestampMs,
}

impl Asked {
    fn of(state: &AppState) -> Self {
        let (policies, key) = (Arc::clone(&state.policies), Arc::clone(&state.key));
        Self { policies, key, now_ms: state.now_ms() }
    }

    fn issuer<'a>(&'a self, policy: &'a Policy) -> Issuer<'a> {
        Issuer { policy, key: &self.key, now_ms: self.now_ms }
    }
}

fn respond<T: Encode<()>>(message: &T) -> Result<Response, AppError> {
    let bytes = codec::pack(message)
        .map_err(|_| AppError::Internal("an answer could not be compressed"))?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], bytes).into_response())
}

fn check_version(version: u8) -> Result<(), AppError> {
    if version != PROTOCOL_VERSION {
        return Err(AppError::bad_request(
            "protocol",
            format!("this server speaks protocol {PROTOCOL_VERSION}; update the app or the server"),
        ));
    }
    Ok(())
}

/// What must hold for the batch as a whole, before any change of it is looked at.
fn check_push(device: &Device, request: &PushRequest) -> Result<(), AppError> {
    check_version(request.version)?;
    let groups = &request.groups;
    let changes: usize = groups.iter().map(|group| group.changes.len()).sum();
    if changes.max(groups.len()) > PUSH_CHANGES_MAX {
        return Err(AppError::too_large(
            "too_many_changes",
            format!("one push may have {PUSH_CHANGES_MAX} changes"),
        ));
    }
    if groups.iter().any(|group| group.changes.len() > GROUP_CHANGES_MAX) {
        return Err(AppError::bad_request(
            "group_too_large",
            format!("one group may have {GROUP_CHANGES_MAX} changes"),
        ));
    }
    let mut plain = 0;
    for change in groups.iter().flat_map(|group| &group.changes) {
        plain += plain_bytes(&change.bytes);
        if plain > PUSH_PLAIN_BYTES_MAX {
            return Err(AppError::too_large(
                "changes_too_large",
                format!(
                    "the changes of one push may have {PUSH_PLAIN_BYTES_MAX} bytes uncompressed"
                ),
            ));
        }
    }
    if request.device != device.id {
        let words = "a device may push only what it wrote itself";
        return Err(AppError::refused(StatusCode::FORBIDDEN, "other_device", words));
    }
    if !sign::is_signed(&device.public_key, device.id, groups, &request.signature) {
        let words = "the signature is not that of the device over these changes";
        return Err(AppError::refused(StatusCode::FORBIDDEN, "signature", words));
    }
    Ok(())
}
