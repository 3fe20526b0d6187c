//! Accounts, for administrators: made, switched off and on, given a new password, linked to a user.

use askama::Template;
use axum::{
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Redirect, Response},
};
use outrider_core::{ids::RecordId, schema::Schema, store::query::Query};
use uuid::Uuid;

use super::{
    devices::check_role,
    failure::Failure,
    form::Submission,
    page::{Page, When, respond},
    session::Session,
    sign_in::draw,
    words::Words,
};
use crate::{
    accounts::{
        AccountError, factor,
        manage::{self, NewAccount},
        show_password,
    },
    office::{self, OfficeError},
    state::AppState,
    storage::{
        Read, Storage,
        accounts::{Account, Role},
    },
};

/// Users that the page offers to link, at most.
const USERS_MAX: usize = 500;

struct Line {
    id: Uuid,
    login: String,
    user: String,
    is_administrator: bool,
    is_disabled: bool,
    is_own: bool,
    has_factor: bool,
    sessions: usize,
    created: When,
    /// The user's record: address and name.
    linked: Option<(String, String)>,
}

#[derive(Template)]
#[template(path = "accounts.html")]
struct AccountsPage {
    page: Page,
    lines: Vec<Line>,
    users: Vec<(RecordId, String)>,
    problem: Option<String>,
    /// What was typed for a new account.
    login: String,
    user: String,
}

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage {
    page: Page,
    login: String,
    password: String,
}

/// `GET /accounts`: all accounts, and the form for a new one.
pub(super) async fn show_accounts(
    State(state): State<AppState>,
    session: Session,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let is_done = query.is_some_and(|query| query == "done");
    show(&state, &session, None, (String::new(), String::new()), is_done).await
}

/// Everything about accounts that the page shows.
fn lines(read: &dyn Read, own: Uuid) -> Result<Vec<Line>, OfficeError> {
    let accounts = read.accounts()?;
    let names = office::titles(read, accounts.iter().filter_map(|account| account.user_record))?;
    let line = |account: Account| {
        let linked = account.user_record.map(|id| {
            let name = names.get(&id).map_or_else(|| id.to_string(), |(_, name)| name.clone());
            (format!("/records/user/{id}"), name)
        });
        Ok(Line {
            has_factor: read.second_factor(account.id)?.is_some_and(|factor| factor.is_confirmed),
            sessions: read.sessions_of(account.id)?.len(),
            id: account.id,
            login: account.login,
            user: account.user,
            is_administrator: account.role == Role::Administrator,
            is_disabled: account.is_disabled,
            is_own: account.id == own,
            created: When::at(account.created_at),
            linked,
        })
    };
    accounts.into_iter().map(line).collect()
}

fn users(read: &dyn Read) -> Result<Vec<(RecordId, String)>, OfficeError> {
    let Some(entity) = Schema::current().entity("user") else { return Ok(Vec::new()) };
    let page = office::list(read, entity, &Query { limit: USERS_MAX, ..Query::default() })?;
    let mut users: Vec<_> = page.records.into_iter().map(|user| (user.id, user.title)).collect();
    users.sort_by(|a, b| a.1.cmp(&b.1));
    Ok(users)
}

async fn show(
    state: &AppState,
    session: &Session,
    problem: Option<&str>,
    (login, user): (String, String),
    is_done: bool,
) -> Result<Response, Failure> {
    check_role(session)?;
    let own = session.account;
    let found = state.run(move |storage| {
        let read = storage.read()?;
        Ok::<_, OfficeError>((lines(&*read, own)?, users(&*read)?))
    });
    let (lines, users) = found.await?;
    let words = Words(session.language);
    let mut page = Page::new(session, words.t("nav-accounts"), "/accounts");
    page.notice = is_done.then(|| words.t("account-done"));
    let problem = problem.map(|key| words.t(key));
    Ok(respond(&AccountsPage { page, lines, users, problem, login, user }))
}

/// Does something with an account; the page again if it may not be done.
async fn work(
    state: &AppState,
    session: &Session,
    job: impl FnOnce(&dyn Storage) -> Result<(), AccountError> + Send + 'static,
) -> Result<Option<&'static str>, Failure> {
    let done = state.run(move |storage| match job(storage) {
        Ok(()) => Ok(None),
        Err(AccountError::Taken) => Ok(Some("account-taken")),
        Err(AccountError::Invalid(_)) => Ok(Some("account-invalid")),
        Err(AccountError::LastAdministrator) => Ok(Some("account-last")),
        Err(AccountError::Wrong) => Ok(Some("account-unknown")),
        Err(error) => Err(error),
    });
    let done = done.await?;
    tracing::info!(account.id = %session.account, is_done = done.is_none(), "worked on an account");
    Ok(done)
}

async fn answer(
    state: &AppState,
    session: &Session,
    problem: Option<&'static str>,
) -> Result<Response, Failure> {
    match problem {
        None => Ok(Redirect::to("/accounts?done").into_response()),
        Some(_) => show(state, session, problem, (String::new(), String::new()), false).await,
    }
}

fn role_of(text: &str) -> Result<Role, Failure> {
    Role::from_name(text).ok_or(Failure::BadQuery)
}

/// `POST /accounts`: a new account; its password is shown once.
pub(super) async fn create(
    State(state): State<AppState>,
    Submission { session, fields }: Submission,
) -> Result<Response, Failure> {
    check_role(&session)?;
    let login = fields.get("login").trim().to_owned();
    let user = match fields.get("user").trim() {
        "" => login.clone(),
        user => user.to_owned(),
    };
    let id = Uuid::now_v7();
    let new = NewAccount {
        id,
        login: login.clone(),
        user: user.clone(),
        role: role_of(fields.get("role"))?,
    };
    let password = show_password(u128::from_be_bytes(draw()?));
    let (by, salt, now_ms, secret) = (session.account, draw()?, state.now_ms(), password.clone());
    let problem = work(&state, &session, move |storage| {
        manage::create_account(storage, by, new, (&secret, &salt), now_ms)
    });
    match problem.await? {
        None => Ok(show_new(&session, login, password)),
        Some(problem) => show(&state, &session, Some(problem), (login, user), false).await,
    }
}

fn show_new(session: &Session, login: String, password: String) -> Response {
    let words = Words(session.language);
    let page = Page::new(session, words.t("account-password"), "/accounts");
    respond(&PasswordPage { page, login, password })
}

/// `POST /accounts/{id}/disable`: nobody signs in with it, and who has is signed out at once.
pub(super) async fn disable(
    state: State<AppState>,
    path: Path<Uuid>,
    submission: Submission,
) -> Result<Response, Failure> {
    switch(state, path, submission, true).await
}

/// `POST /accounts/{id}/enable`: it may be used again.
pub(super) async fn enable(
    state: State<AppState>,
    path: Path<Uuid>,
    submission: Submission,
) -> Result<Response, Failure> {
    switch(state, path, submission, false).await
}

async fn switch(
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
    Submission { session, .. }: Submission,
    is_off: bool,
) -> Result<Response, Failure> {
    check_role(&session)?;
    let (by, now_ms) = (session.account, state.now_ms());
    let done = work(&state, &session, move |storage| {
        manage::set_disabled(storage, by, id, is_off, now_ms)
    });
    let problem = done.await?;
    answer(&state, &session, problem).await
}

/// `POST /accounts/{id}/password`: a new password, shown once; it is signed out everywhere.
pub(super) async fn reset_password(
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
    Submission { session, .. }: Submission,
) -> Result<Response, Failure> {
    check_role(&session)?;
    let password = show_password(u128::from_be_bytes(draw()?));
    let (by, salt, now_ms, secret) = (session.account, draw()?, state.now_ms(), password.clone());
    let done = work(&state, &session, move |storage| {
        manage::reset_password(storage, by, id, (&secret, &salt), now_ms)
    });
    if let Some(problem) = done.await? {
        return answer(&state, &session, Some(problem)).await;
    }
    let account = state.run(move |storage| storage.read()?.account(id)).await?;
    let login = account.map(|account| account.login).unwrap_or_default();
    Ok(show_new(&session, login, password))
}

/// `POST /accounts/{id}/second-factor`: it signs in with its password alone until it sets up another.
pub(super) async fn reset_factor(
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
    Submission { session, .. }: Submission,
) -> Result<Response, Failure> {
    check_role(&session)?;
    let (by, now_ms) = (session.account, state.now_ms());
    let done = work(&state, &session, move |storage| {
        factor::remove(storage, id, Some(by), now_ms).map(drop)
    });
    let problem = done.await?;
    answer(&state, &session, problem).await
}

/// `POST /accounts/{id}/role`: what it may do.
pub(super) async fn set_role(
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
    Submission { session, fields }: Submission,
) -> Result<Response, Failure> {
    check_role(&session)?;
    let (by, role, now_ms) = (session.account, role_of(fields.get("role"))?, state.now_ms());
    let done =
        work(&state, &session, move |storage| manage::set_role(storage, by, id, role, now_ms));
    let problem = done.await?;
    answer(&state, &session, problem).await
}

/// `POST /accounts/{id}/user`: which record its user is.
pub(super) async fn link_user(
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
    Submission { session, fields }: Submission,
) -> Result<Response, Failure> {
    check_role(&session)?;
    let record: Option<RecordId> = match fields.get("record") {
        "" => None,
        text => Some(text.parse().map_err(|_| Failure::BadQuery)?),
    };
    let (by, now_ms) = (session.account, state.now_ms());
    let done = work(&state, &session, move |storage| {
        if let Some(record) = record {
            let known = office::titles(&*storage.read()?, [record]).unwrap_or_default();
            if known.get(&record).is_none_or(|(entity, _)| entity != "user") {
                return Err(AccountError::Wrong);
            }
        }
        manage::link_user(storage, by, id, record, now_ms)
    });
    let problem = done.await?;
    answer(&state, &session, problem).await
}
