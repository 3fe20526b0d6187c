//! Keeping a list as a filter.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};

use outrider_core::store::saved::SAVED_FILTER;

use super::{
    edit::{author_of, entity_of},
    failure::Failure,
    form::Submission,
    list::filter_of,
};
use crate::{
    office::{self, OfficeError},
    state::AppState,
};

/// `POST /records/{entity}/filters`: keeps the search, the conditions and the order of a list.
pub(super) async fn save_filter(
    State(state): State<AppState>,
    Path(entity): Path<String>,
    Submission { session, fields }: Submission,
) -> Result<Response, Failure> {
    let entity = entity_of(&entity)?;
    if fields.get("name").trim().is_empty() {
        return Err(Failure::BadQuery);
    }
    let (policy, now_ms) = (state.policy()?, state.now_ms());
    let saved = state.run_as(session.eyes(), move |storage| {
        let author = author_of(storage, &policy, &session.user, session.user_record, now_ms)?;
        let mut fields = filter_of(&*storage.read()?, &fields)?.fields(entity);
        // Whose it is: others see it only if it is for everybody.
        if let Some(user) = author.device.user_record {
            fields.insert("owner_id".to_owned(), user.to_string().into());
        }
        let id = office::create(storage, &policy, &author, SAVED_FILTER, &fields, now_ms)?;
        Ok::<_, OfficeError>(id)
    });
    let id = saved.await?;
    Ok(Redirect::to(&format!("/records/{}?saved={id}", entity.name)).into_response())
}
