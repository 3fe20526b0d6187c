//! Looking at the office as somebody else: read-only, said on every page, noted in the audit.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use uuid::Uuid;

use super::{devices::check_role, failure::Failure, form::Submission};
use crate::{
    accounts::{AccountError, manage::see_as},
    state::AppState,
    storage::accounts::SeenAs,
};

/// `POST /see-as`: begins, as the person of an account or of a user's record.
pub(super) async fn begin(
    State(state): State<AppState>,
    Submission { session, fields }: Submission,
) -> Result<Response, Failure> {
    check_role(&session)?;
    let account = fields.get("account").parse::<Uuid>().ok().map(SeenAs::Account);
    let user = fields.get("user").trim().parse().ok().map(SeenAs::User);
    let target = account.or(user).ok_or(Failure::BadQuery)?;
    let (by, hash, now_ms) = (session.account, session.token_hash, state.now_ms());
    let begun = state.run(move |storage| match see_as(storage, by, &hash, Some(target), now_ms) {
        Ok(()) => Ok(true),
        Err(AccountError::Wrong) => Ok(false),
        Err(error) => Err(error),
    });
    if !begun.await? {
        return Err(Failure::NotFound);
    }
    tracing::info!(account.id = %by, "looks at the office as somebody else");
    Ok(Redirect::to("/").into_response())
}

/// `POST /see-as/stop`: looks as oneself again.
pub(super) async fn stop(
    State(state): State<AppState>,
    Submission { session, .. }: Submission,
) -> Result<Response, Failure> {
    let (by, hash, now_ms) = (session.account, session.token_hash, state.now_ms());
    if session.seen_as.is_some() {
        state.run(move |storage| see_as(storage, by, &hash, None, now_ms)).await?;
    }
    Ok(Redirect::to("/accounts").into_response())
}
