//! The buttons on a record's page: archiving, bringing back, settling.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use serde_json::Value as Json;

use super::{
    edit::{author_of, record_of, view_of},
    failure::Failure,
    form::Submission,
};
use crate::{
    office::{self, OfficeError},
    state::AppState,
};

/// What a button on a record's page does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Archive,
    Restore,
    Settle,
}

/// `POST /records/{entity}/{id}/archive`: puts a record away.
pub(super) async fn archive(
    state: State<AppState>,
    path: Path<(String, String)>,
    submission: Submission,
) -> Result<Response, Failure> {
    act(state, path, submission, Act::Archive).await
}

/// `POST /records/{entity}/{id}/restore`: brings a record back.
pub(super) async fn restore(
    state: State<AppState>,
    path: Path<(String, String)>,
    submission: Submission,
) -> Result<Response, Failure> {
    act(state, path, submission, Act::Restore).await
}

/// `POST /records/{entity}/{id}/settle`: chooses one of several values.
pub(super) async fn settle(
    state: State<AppState>,
    path: Path<(String, String)>,
    submission: Submission,
) -> Result<Response, Failure> {
    act(state, path, submission, Act::Settle).await
}

async fn act(
    State(state): State<AppState>,
    Path((entity, id)): Path<(String, String)>,
    Submission { session, fields }: Submission,
    act: Act,
) -> Result<Response, Failure> {
    let (entity, id) = record_of(&entity, &id)?;
    let (policy, now_ms) = (state.policy()?, state.now_ms());
    let seen: Option<u64> = fields.get("seen").parse().ok();
    let value: Json = match act {
        Act::Settle => serde_json::from_str(fields.get("value")).map_err(|_| Failure::BadQuery)?,
        Act::Archive | Act::Restore => Json::Null,
    };
    let done = state.run_as(session.eyes(), move |storage| {
        view_of(&*storage.read()?, entity, id)?;
        let author = author_of(storage, &policy, &session.user, session.user_record, now_ms)?;
        match act {
            Act::Archive => {
                office::archive(storage, &policy, &author, id, seen, now_ms)?;
                Ok("archived")
            }
            Act::Restore => {
                office::restore(storage, &policy, &author, id, seen, now_ms)?;
                Ok("restored")
            }
            Act::Settle => {
                let chosen = office::Settlement { key: fields.get("key"), value: &value, seen };
                match office::settle(storage, &policy, &author, id, chosen, now_ms) {
                    Ok(()) => Ok("settled"),
                    // A colleague was faster; the page shows how it stands.
                    Err(OfficeError::NoConflict { .. }) => Ok("same"),
                    Err(error) => Err(error),
                }
            }
        }
    });
    let done = done.await?;
    Ok(Redirect::to(&format!("/records/{}/{id}?done={done}", entity.name)).into_response())
}
