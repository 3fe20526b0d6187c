//! One's own account: language, password, second factor, where one is signed in.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    response::{IntoResponse, Redirect, Response},
};

use super::{
    devices::draw as draw_picture,
    failure::Failure,
    form::Submission,
    page::{Page, When, respond},
    session::Session,
    sign_in::{draw, note_refusal},
    words::Words,
};
use crate::{
    accounts::{
        AccountError, check_password,
        factor::{self, FactorDraw, RECOVERY_CODES, Setup},
        manage,
    },
    config::millis,
    error::AppError,
    state::AppState,
    storage::Storage,
};

/// Milliseconds that a page waits for its turn to hash.
const HASH_PATIENCE_MS: u64 = 5_000;

struct Line {
    browser: String,
    since: When,
    seen: When,
    is_this: bool,
}

#[derive(Template)]
#[template(path = "me.html")]
struct MePage {
    page: Page,
    login: String,
    /// A problem, and with which form.
    problem: Option<(&'static str, String)>,
    has_factor: bool,
    recovery: u64,
    lines: Vec<Line>,
}

#[derive(Template)]
#[template(path = "factor.html")]
struct FactorPage {
    page: Page,
    secret: String,
    link: String,
    picture: String,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "recovery.html")]
struct RecoveryPage {
    page: Page,
    codes: Vec<String>,
}

/// `GET /me`: one's own account.
pub(super) async fn show_me(
    State(state): State<AppState>,
    session: Session,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let done = query.and_then(|query| query.strip_prefix("done=").map(str::to_owned));
    show(&state, &session, None, done.as_deref()).await
}

async fn show(
    state: &AppState,
    session: &Session,
    problem: Option<(&'static str, &str)>,
    done: Option<&str>,
) -> Result<Response, Failure> {
    let account = session.account;
    let found = state.run(move |storage| {
        let read = storage.read()?;
        let factor = read.second_factor(account)?.is_some_and(|factor| factor.is_confirmed);
        let recovery = read.recovery_code_count(account)?;
        Ok::<_, AccountError>((factor, recovery, read.sessions_of(account)?))
    });
    let (has_factor, recovery, sessions) = found.await?;
    let words = Words(session.language);
    let mut page = Page::new(session, words.t("nav-me"), "/me");
    page.notice = match done {
        Some("password") => Some(words.t("me-password-done")),
        Some("sessions") => Some(words.t("me-sessions-done")),
        Some("removed") => Some(words.t("me-factor-removed")),
        Some(_) | None => None,
    };
    Ok(respond(&MePage {
        page,
        login: session.login.clone(),
        problem: problem.map(|(form, key)| (form, words.t(key))),
        has_factor,
        recovery,
        lines: sessions
            .into_iter()
            .map(|one| Line {
                browser: match one.browser.as_str() {
                    "" => words.t("me-browser-unknown"),
                    known => known.to_owned(),
                },
                since: When::at(one.created_at),
                seen: When::at(one.seen_at),
                is_this: one.token_hash == session.token_hash,
            })
            .collect(),
    }))
}

/// Runs what hashes a password, when it is its turn and the login may try.
async fn with_password<T: Send + 'static>(
    state: &AppState,
    session: &Session,
    job: impl FnOnce(&dyn Storage) -> Result<T, AccountError> + Send + 'static,
) -> Result<Result<T, &'static str>, Failure> {
    if !state.door.may_try(&session.login) {
        return Ok(Err("sign-in-too-many"));
    }
    let place = tokio::time::timeout(millis(HASH_PATIENCE_MS), state.door.hashes.acquire());
    let Ok(Ok(place)) = place.await else { return Err(AppError::Busy.into()) };
    let done = state.run(move |storage| {
        Ok::<_, AccountError>(match job(storage) {
            Ok(done) => Ok(done),
            Err(AccountError::Wrong) => Err("me-password-wrong"),
            Err(AccountError::Invalid(_)) => Err("me-password-short"),
            Err(AccountError::Taken) => Err("me-factor-there"),
            Err(error) => return Err(error),
        })
    });
    let done = done.await?;
    drop(place);
    if done.as_ref().is_err_and(|problem| *problem == "me-password-wrong") {
        note_refusal(state, &session.login, "password").await?;
    }
    Ok(done)
}

/// `POST /me/password`: another password; everything else that is signed in is signed out.
pub(super) async fn change_password(
    State(state): State<AppState>,
    Submission { session, fields }: Submission,
) -> Result<Response, Failure> {
    let (old, new) = (fields.get("password").to_owned(), fields.get("new").to_owned());
    if new != fields.get("again") {
        return show(&state, &session, Some(("password", "me-password-twice")), None).await;
    }
    let (login, hash, salt) = (session.login.clone(), session.token_hash, draw()?);
    let now_ms = state.now_ms();
    let done = with_password(&state, &session, move |storage| {
        manage::change_password(storage, &login, (&old, &new), &salt, &hash, now_ms)
    });
    match done.await? {
        Ok(()) => Ok(Redirect::to("/me?done=password").into_response()),
        Err(problem) => show(&state, &session, Some(("password", problem)), None).await,
    }
}

/// `POST /me/sessions/end`: signs out everywhere else.
pub(super) async fn end_sessions(
    State(state): State<AppState>,
    Submission { session, .. }: Submission,
) -> Result<Response, Failure> {
    let (account, hash, now_ms) = (session.account, session.token_hash, state.now_ms());
    let ended =
        state.run(move |storage| manage::sign_out_elsewhere(storage, account, &hash, now_ms));
    ended.await?;
    Ok(Redirect::to("/me?done=sessions").into_response())
}

/// `POST /me/second-factor`: begins a second factor; the password once more.
pub(super) async fn begin_factor(
    State(state): State<AppState>,
    Submission { session, fields }: Submission,
) -> Result<Response, Failure> {
    let (login, password) = (session.login.clone(), fields.get("password").to_owned());
    let fresh = FactorDraw { secret: draw()?, nonce: draw()? };
    let (key, now_ms) = (Arc::clone(&state.key), state.now_ms());
    let begun = with_password(&state, &session, move |storage| {
        let account = check_password(storage, &login, &password)?;
        factor::begin(storage, &key, &account, &fresh, now_ms)
    });
    match begun.await? {
        Ok(setup) => show_setup(&session, setup),
        Err(problem) => show(&state, &session, Some(("factor", problem)), None).await,
    }
}

fn show_setup(session: &Session, Setup { secret, link }: Setup) -> Result<Response, Failure> {
    let words = Words(session.language);
    let picture = draw_picture(&link)?;
    let page = Page::new(session, words.t("factor-title"), "/me");
    Ok(respond(&FactorPage { page, secret, link, picture, problem: None }))
}

/// `POST /me/second-factor/confirm`: the first code; shows recovery codes, once.
pub(super) async fn confirm_factor(
    State(state): State<AppState>,
    Submission { session, fields }: Submission,
) -> Result<Response, Failure> {
    if !state.door.may_try_code(session.account) {
        return show(&state, &session, Some(("factor", "code-too-many")), None).await;
    }
    let mut random = [0; RECOVERY_CODES];
    for one in &mut random {
        *one = u128::from_be_bytes(draw()?);
    }
    let (account, code, now_ms) = (session.account, fields.get("code").to_owned(), state.now_ms());
    let key = Arc::clone(&state.key);
    let confirmed = state.run(move |storage| {
        match factor::confirm(storage, &key, account, &code, &random, now_ms) {
            Ok(codes) => Ok(Some(codes)),
            Err(AccountError::WrongCode | AccountError::Sealed) => Ok(None),
            Err(error) => Err(error),
        }
    });
    let Some(codes) = confirmed.await? else {
        return show(&state, &session, Some(("factor", "factor-not-confirmed")), None).await;
    };
    let words = Words(session.language);
    let page = Page::new(&session, words.t("recovery-title"), "/me");
    Ok(respond(&RecoveryPage { page, codes }))
}

/// `POST /me/second-factor/remove`: signs in with the password alone from now on.
pub(super) async fn remove_factor(
    State(state): State<AppState>,
    Submission { session, fields }: Submission,
) -> Result<Response, Failure> {
    let (login, password) = (session.login.clone(), fields.get("password").to_owned());
    let (account, now_ms) = (session.account, state.now_ms());
    let removed = with_password(&state, &session, move |storage| {
        check_password(storage, &login, &password)?;
        factor::remove(storage, account, Some(account), now_ms)
    });
    match removed.await? {
        Ok(_) => Ok(Redirect::to("/me?done=removed").into_response()),
        Err(problem) => show(&state, &session, Some(("factor", problem)), None).await,
    }
}
