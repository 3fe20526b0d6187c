//! Signing in and out, and choosing a language.
//!
//! A form that was sent after its session had ended is kept in the page that asks to sign in, and
//! is there again, filled in, afterwards.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use outrider_core::{
    ids::{from_hex, to_hex},
    schema::Language,
};
use uuid::Uuid;

use super::{
    edit,
    failure::{Failure, Pair},
    form::{Fields, OpenForm, Submission},
    page::{Page, respond},
    session::{self, language_cookie, language_of, session_cookie, token_of},
    words::Words,
};
use crate::{
    accounts::{self, AccountError, Token, factor},
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
#[template(path = "sign_in_code.html")]
struct CodePage {
    page: Page,
    next: String,
    ticket: String,
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

/// The page that asks for the code of a second factor.
fn code_page(
    words: Words,
    ticket: &str,
    next: &str,
    problem: Option<&str>,
    kept: Vec<Pair>,
) -> Response {
    respond(&CodePage {
        page: Page::for_nobody(words, words.t("code-factor-title")),
        next: local(next),
        ticket: ticket.to_owned(),
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
    let typed = login.clone();
    let place = tokio::time::timeout(millis(HASH_PATIENCE_MS), state.door.hashes.acquire());
    let Ok(Ok(place)) = place.await else { return Err(AppError::Busy.into()) };
    let account = state
        .run(move |storage| {
            let account = match accounts::check_password(storage, &typed, &password) {
                Ok(account) => account,
                Err(AccountError::Wrong) => return Ok(None),
                Err(error) => return Err(error),
            };
            let factor = storage.read()?.second_factor(account.id)?;
            Ok(Some((account, factor.is_some_and(|factor| factor.is_confirmed))))
        })
        .await?;
    drop(place);
    let Some((account, has_factor)) = account else {
        tracing::warn!("refused to sign somebody in");
        note_refusal(&state, &login, "password").await?;
        return refuse(StatusCode::UNAUTHORIZED, "sign-in-wrong");
    };
    if has_factor {
        let ticket = draw()?;
        state.door.pending.begin(ticket, account.id, state.now_ms());
        return Ok(code_page(words, &to_hex(&ticket), &next, None, kept));
    }
    enter(&state, &headers, account.id, &next, kept).await
}

/// `POST /sign-in/code`: the code of a second factor, after the password was right.
pub(super) async fn enter_code(
    State(state): State<AppState>,
    headers: HeaderMap,
    OpenForm(fields): OpenForm,
) -> Result<Response, Failure> {
    let words = Words(language_of(&headers));
    let (next, kept) = (local(fields.get("next")), kept_of(&fields));
    let now_ms = state.now_ms();
    let anew = |problem: &str| {
        let page = sign_in_page(words, &next, "", Some(problem), kept.clone());
        Ok((StatusCode::UNAUTHORIZED, page).into_response())
    };
    let Some(ticket) = from_hex(fields.get("ticket")) else { return anew("code-again") };
    let account = state.door.pending.try_code(&ticket, now_ms);
    let Some(account) = account else { return anew("code-again") };
    if !state.door.may_try_code(account) {
        tracing::warn!(account.id = %account, "too many codes of a second factor");
        state.door.pending.end(&ticket);
        return anew("code-too-many");
    }
    let (key, code) = (Arc::clone(&state.key), fields.get("code").to_owned());
    let checked = state.run(move |storage| {
        let login = storage.read()?.account(account)?.filter(|account| !account.is_disabled);
        let Some(login) = login.map(|account| account.login) else { return Ok(None) };
        match factor::check(storage, &key, account, &code, now_ms) {
            Ok(passed) => Ok(Some((login, Ok(passed)))),
            Err(error @ (AccountError::WrongCode | AccountError::Sealed)) => {
                Ok(Some((login, Err(error))))
            }
            Err(error) => Err(error),
        }
    });
    let Some((login, checked)) = checked.await? else { return anew("code-again") };
    if let Err(error) = checked {
        tracing::warn!(account.id = %account, "refused a code of a second factor");
        note_refusal(&state, &login, "second_factor").await?;
        let is_sealed = matches!(error, AccountError::Sealed);
        let problem = if is_sealed { "code-sealed" } else { "code-wrong" };
        let page = code_page(words, fields.get("ticket"), &next, Some(problem), kept);
        return Ok((StatusCode::UNAUTHORIZED, page).into_response());
    }
    state.door.pending.end(&ticket);
    enter(&state, &headers, account, &next, kept).await
}

/// Begins a session under a fresh token, and goes where somebody wanted to go.
async fn enter(
    state: &AppState,
    headers: &HeaderMap,
    account: Uuid,
    next: &str,
    kept: Vec<Pair>,
) -> Result<Response, Failure> {
    let token: Token = draw()?;
    let (before, now_ms) = (token_of(headers, &state.config), state.now_ms());
    let browser = browser_of(headers);
    let begun = state.run(move |storage| {
        accounts::begin_session(storage, account, &token, before.as_ref(), browser, now_ms)
    });
    begun.await?;
    tracing::info!(account.id = %account, "signed in");
    let cookie = session_cookie(Some(&token), &state.config);
    if kept.is_empty() {
        return Ok(([(header::SET_COOKIE, cookie)], Redirect::to(next)).into_response());
    }
    let mut signed_in = headers.clone();
    signed_in.insert(header::COOKIE, cookie.clone());
    let session = session::find(&signed_in, state).await?.ok_or(Failure::Forbidden)?;
    let page = edit::show_again(state, &session, next, Fields(kept)).await?;
    Ok(([(header::SET_COOKIE, cookie)], page).into_response())
}

/// Notes in the audit that somebody was refused, if the rate of such lines allows it.
pub(super) async fn note_refusal(
    state: &AppState,
    login: &str,
    code: &'static str,
) -> Result<(), Failure> {
    let Some(more) = state.door.note_refusal() else { return Ok(()) };
    let (key, login, now_ms) = (Arc::clone(&state.key), login.to_owned(), state.now_ms());
    let noted = state
        .run(move |storage| accounts::note_refusal(storage, &key, &login, (code, more), now_ms));
    Ok(noted.await?)
}

/// Fresh random bytes.
pub(super) fn draw<const N: usize>() -> Result<[u8; N], AppError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| AppError::Internal("the system gave no randomness"))?;
    Ok(bytes)
}

/// What sort of browser it says to be, for people to tell theirs apart: a word of ours, nothing
/// that came over the wire.
fn browser_of(headers: &HeaderMap) -> &'static str {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let agent = agent.unwrap_or_default();
    // The order matters: Edge says that it is Chrome, Chrome that it is Safari.
    let known = [
        ("Edg/", "Windows", "Edge, Windows"),
        ("Edg/", "Mac OS X", "Edge, macOS"),
        ("Edg/", "", "Edge"),
        ("Firefox/", "Windows", "Firefox, Windows"),
        ("Firefox/", "Mac OS X", "Firefox, macOS"),
        ("Firefox/", "Android", "Firefox, Android"),
        ("Firefox/", "Linux", "Firefox, Linux"),
        ("Firefox/", "", "Firefox"),
        ("Chrome/", "Android", "Chrome, Android"),
        ("Chrome/", "Windows", "Chrome, Windows"),
        ("Chrome/", "Mac OS X", "Chrome, macOS"),
        ("Chrome/", "Linux", "Chrome, Linux"),
        ("Chrome/", "", "Chrome"),
        ("Safari/", "iPhone", "Safari, iPhone"),
        ("Safari/", "iPad", "Safari, iPad"),
        ("Safari/", "Mac OS X", "Safari, macOS"),
        ("Safari/", "", "Safari"),
    ];
    let found = known.iter().find(|(name, on, _)| agent.contains(name) && agent.contains(on));
    found.map_or("", |(_, _, words)| words)
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
    if let Some(token) = token_of(&headers, &state.config) {
        let now_ms = state.now_ms();
        state.run(move |storage| accounts::end_session(storage, &token, now_ms)).await?;
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
    fn a_browser_is_named_by_a_word_of_ours() {
        let of = |agent: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::USER_AGENT, header::HeaderValue::from_static(agent));
            browser_of(&headers)
        };
        let chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like \
                      Gecko) Chrome/130.0 Safari/537.36";
        assert_eq!(of(chrome), "Chrome, Windows");
        assert_eq!(of("Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Firefox/130.0"), "Firefox, Linux");
        assert_eq!(of("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) Safari/604.1"), "Safari, iPhone");
        assert_eq!(of("<script>alert(1)</script>"), "");
        assert_eq!(browser_of(&HeaderMap::new()), "");
    }

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
