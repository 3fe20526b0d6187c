//! Signing in and out, and choosing a language.
//!
//! A form that was sent after its session had ended is kept in the page that asks to sign in, and
//! is there again, filled in, afterwards.

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use outrider_core::schema::Language;

use super::{
    edit,
    failure::{Failure, Pair},
    form::{Fields, OpenForm, Submission},
    page::{Page, respond},
    session::{self, language_cookie, language_of, session_cookie, token_of},
    words::Words,
};
use crate::{
    accounts::{self, AccountError, TOKEN_BYTES},
    config::millis,
    error::AppError,
    state::AppState,
};

/// What the name of a field of an interrupted form begins with in the page to sign in.
const KEPT: &str = "kept.";
/// Milliseconds that signing in waits for its turn to hash.
const HASH_PATIENCE_MS: u64 = 5_000;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    page: Page,
    next: String,
    login: String,
    problem: Option<String>,
    kept: Vec<Pair>,
}

#[derive(Template)]
#[template(path = "send_again.html")]
struct SendAgainPage {
    page: Page,
    next: String,
    kept: Vec<Pair>,
}

/// The page that asks to sign in.
pub(super) fn sign_in_page(
    words: Words,
    next: &str,
    login: &str,
    problem: Option<&str>,
    kept: Vec<Pair>,
) -> Response {
    respond(&SignInPage {
        page: Page::for_nobody(words, words.t("sign-in-title")),
        next: local(next),
        login: login.to_owned(),
        problem: problem.map(|key| words.t(key)),
        kept,
    })
}

/// The page that shows that a form came from an earlier session.
pub(super) fn send_again_page(words: Words, next: &str, kept: Vec<Pair>) -> Response {
    respond(&SendAgainPage {
        page: Page::for_nobody(words, words.t("send-again-title")),
        next: local(next),
        kept,
    })
}

/// `GET /sign-in`: asks for login and password.
pub(super) async fn show_sign_in(RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let query = query.unwrap_or_default();
    let next = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "next");
    let next = next.map_or_else(|| "/".to_owned(), |(_, next)| next.into_owned());
    sign_in_page(Words(language_of(&headers)), &next, "", None, Vec::new())
}

/// `POST /sign-in`: begins a session under a fresh token.
pub(super) async fn sign_in(
    State(state): State<AppState>,
    headers: HeaderMap,
    OpenForm(fields): OpenForm,
) -> Result<Response, Failure> {
    let words = Words(language_of(&headers));
    let (next, kept) = (local(fields.get("next")), kept_of(&fields));
    let login = fields.get("login").to_owned();
    let refuse = |status: StatusCode, problem: &str| {
        let page = sign_in_page(words, &next, &login, Some(problem), kept.clone());
        Ok((status, page).into_response())
    };
    if !state.door.may_try(&login) {
        tracing::warn!("too many attempts to sign in with one login");
        return refuse(StatusCode::TOO_MANY_REQUESTS, "sign-in-too-many");
    }
    let password = fields.get("password").to_owned();
    let mut token = [0; TOKEN_BYTES];
    getrandom::fill(&mut token).map_err(|_| AppError::Internal("the system gave no randomness"))?;
    let (before, now_ms) = (token_of(&headers), state.now_ms());
    let typed = login.clone();
    let place = tokio::time::timeout(millis(HASH_PATIENCE_MS), state.door.hashes.acquire());
    let Ok(Ok(_place)) = place.await else { return Err(AppError::Busy.into()) };
    let account = state
        .run(move |storage| {
            let account = match accounts::check_password(storage, &typed, &password) {
                Ok(account) => account,
                Err(AccountError::Wrong) => return Ok(None),
                Err(error) => return Err(error),
            };
            accounts::begin_session(storage, account.id, &token, before.as_ref(), now_ms)?;
            Ok(Some(account))
        })
        .await?;
    let Some(account) = account else {
        tracing::warn!("refused to sign somebody in");
        return refuse(StatusCode::UNAUTHORIZED, "sign-in-wrong");
    };
    tracing::info!(account.id = %account.id, "signed in");
    let cookie = session_cookie(Some(&token), &state.config);
    if kept.is_empty() {
        return Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&next)).into_response());
    }
    let mut signed_in = headers.clone();
    signed_in.insert(header::COOKIE, cookie.clone());
    let session = session::find(&signed_in, &state).await?.ok_or(Failure::Forbidden)?;
    let page = edit::show_again(&state, &session, &next, Fields(kept)).await?;
    Ok(([(header::SET_COOKIE, cookie)], page).into_response())
}

/// The interrupted form that the page to sign in kept.
fn kept_of(fields: &Fields) -> Vec<Pair> {
    let kept = fields.0.iter().filter_map(|(name, value)| {
        name.strip_prefix(KEPT).map(|name| (name.to_owned(), value.clone()))
    });
    kept.collect()
}

/// `POST /send-again`: shows a form of an earlier session again, filled in.
pub(super) async fn send_again(
    State(state): State<AppState>,
    session: session::Session,
    OpenForm(fields): OpenForm,
) -> Result<Response, Failure> {
    let next = local(fields.get("next"));
    edit::show_again(&state, &session, &next, Fields(kept_of(&fields))).await
}

/// `POST /sign-out`: ends the session.
pub(super) async fn sign_out(
    State(state): State<AppState>,
    headers: HeaderMap,
    _submission: Submission,
) -> Result<Response, Failure> {
    if let Some(token) = token_of(&headers) {
        state.run(move |storage| accounts::end_session(storage, &token)).await?;
    }
    let cookie = session_cookie(None, &state.config);
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/sign-in")).into_response())
}

/// `POST /language`: reads in another language from now on.
pub(super) async fn choose_language(
    State(state): State<AppState>,
    headers: HeaderMap,
    OpenForm(fields): OpenForm,
) -> Result<Response, Failure> {
    let language = match fields.get("language") {
        "zh" => Language::Zh,
        "en" => Language::En,
        _ => return Err(Failure::BadQuery),
    };
    if let Some(session) = session::find(&headers, &state).await? {
        let chosen = move |storage: &dyn crate::storage::Storage| {
            let mut write = storage.write()?;
            if let Some(account) = write.account(session.account)? {
                write.put_account(&crate::storage::accounts::Account {
                    language: Some(language),
                    ..account
                })?;
                write.commit()?;
            }
            Ok::<_, crate::storage::StorageError>(())
        };
        state.run(chosen).await?;
    }
    let cookie = language_cookie(language, &state.config);
    let next = Redirect::to(&local(fields.get("next")));
    Ok(([(header::SET_COOKIE, cookie)], next).into_response())
}

/// A path of this site, whatever was asked for.
pub(super) fn local(next: &str) -> String {
    let is_local = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && next.is_ascii()
        && !next.contains(|c: char| c.is_ascii_control() || c == ' ');
    if is_local { next.to_owned() } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site() {
        for away in [
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/a\r\nset-cookie: x=y",
            "",
        ] {
            assert_eq!(local(away), "/", "{away}");
        }
        assert_eq!(local("/records/customer?q=%E4%B8%89"), "/records/customer?q=%E4%B8%89");
    }
}
