//! Two records side by side, and making them one.

use std::collections::BTreeSet;

use askama::Template;
use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use outrider_core::{
    domain::merge::{Side, Taken},
    ids::RecordId,
};
use serde_json::{Map, Value as Json};

use super::{
    edit::{author_of, record_of, titles_in, view_of},
    failure::Failure,
    form::{Fields, Submission},
    page::{Page, name_of, respond},
    session::Session,
    show::{Shown, show},
    words::Words,
};
use crate::{
    office::{self, OfficeError},
    state::AppState,
};

/// A field of both records.
struct Line {
    field: String,
    label: String,
    loser: Shown,
    survivor: Shown,
    is_choice: bool,
    is_loser: bool,
    outcome: &'static str,
}

#[derive(Template)]
#[template(path = "merge.html")]
struct MergePage {
    page: Page,
    action: String,
    turned: String,
    loser: (String, String),
    survivor: (String, String),
    lines: Vec<Line>,
}

/// `GET /records/{entity}/{id}/merge/{other}`: `id` would be merged into `other`.
pub(super) async fn show_merge(
    State(state): State<AppState>,
    session: Session,
    Path((entity, id, other)): Path<(String, String, String)>,
) -> Result<Response, Failure> {
    let (entity, loser) = record_of(&entity, &id)?;
    let survivor: RecordId = other.parse().map_err(|_| Failure::NotFound)?;
    let words = Words(session.language);
    let found = state.run_as(session.eyes(), move |storage| {
        let read = storage.read()?;
        let views = [view_of(&*read, entity, loser)?, view_of(&*read, entity, survivor)?];
        let plan = office::plan_merge(&*read, loser, survivor, &BTreeSet::new())?;
        let mut all = Map::new();
        for (at, side) in plan.sides.iter().enumerate() {
            all.insert(format!("{at}.loser"), side.loser.clone());
            all.insert(format!("{at}.survivor"), side.survivor.clone());
        }
        let titles = titles_in(&*read, &all, &Fields::default())?;
        Ok::<_, OfficeError>((views.map(|view| view.title), plan.sides, titles))
    });
    let ([loser_title, survivor_title], sides, titles) = found.await?;
    let path = |id: RecordId| format!("/records/{}/{id}", entity.name);
    let line = |Side { field, loser, survivor, taken, is_choice }: Side| {
        let known = entity.field(&field)?;
        let shown = |json: &Json| show(&known.ty, json, words.0, &titles);
        let outcome = match taken {
            Taken::Same => return None,
            Taken::Survivor | Taken::Loser => "",
            Taken::Both => "merge-both",
            Taken::Apart => "merge-apart",
        };
        let label = known.label.get(words.0).to_owned();
        let (loser, survivor) = (shown(&loser), shown(&survivor));
        let is_loser = taken == Taken::Loser;
        Some(Line { field, label, loser, survivor, is_choice, is_loser, outcome })
    };
    let name = |title: &str, id| name_of(title, id, &entity.name, words.0);
    Ok(respond(&MergePage {
        page: Page::new(
            &session,
            words.t("merge-title"),
            &format!("{}/merge/{survivor}", path(loser)),
        ),
        action: format!("{}/merge/{survivor}", path(loser)),
        turned: format!("{}/merge/{loser}", path(survivor)),
        loser: (path(loser), name(&loser_title, loser)),
        survivor: (path(survivor), name(&survivor_title, survivor)),
        lines: sides.into_iter().filter_map(line).collect(),
    }))
}

/// `POST /records/{entity}/{id}/merge/{other}`: makes `id` lead to `other`.
pub(super) async fn merge(
    State(state): State<AppState>,
    Path((entity, id, other)): Path<(String, String, String)>,
    Submission { session, fields }: Submission,
) -> Result<Response, Failure> {
    let (entity, loser) = record_of(&entity, &id)?;
    let survivor: RecordId = other.parse().map_err(|_| Failure::NotFound)?;
    let chosen = fields.0.iter().filter(|(_, value)| value == "loser");
    let take: BTreeSet<String> =
        chosen.filter_map(|(name, _)| Some(name.strip_prefix("take.")?.to_owned())).collect();
    let (policy, now_ms) = (state.policy()?, state.now_ms());
    let done = state.run_as(session.eyes(), move |storage| {
        let read = storage.read()?;
        view_of(&*read, entity, loser)?;
        view_of(&*read, entity, survivor)?;
        drop(read);
        let author = author_of(storage, &policy, &session.user, session.user_record, now_ms)?;
        office::merge(storage, &policy, &author, (loser, survivor), &take, now_ms)
    });
    done.await?;
    Ok(Redirect::to(&format!("/records/{}/{survivor}?done=merged", entity.name)).into_response())
}

/// `POST /records/{entity}/{id}/unmerge`: takes a merge back.
pub(super) async fn unmerge(
    State(state): State<AppState>,
    Path((entity, id)): Path<(String, String)>,
    Submission { session, .. }: Submission,
) -> Result<Response, Failure> {
    let (entity, id) = record_of(&entity, &id)?;
    let (policy, now_ms) = (state.policy()?, state.now_ms());
    let done = state.run_as(session.eyes(), move |storage| {
        let read = storage.read()?;
        let merged = view_of(&*read, entity, id)?;
        let survivor = merged.json.get("redirect_to").and_then(serde_json::Value::as_str);
        if let Some(survivor) = survivor.and_then(|id| id.parse().ok()) {
            view_of(&*read, entity, survivor)?;
        }
        drop(read);
        let author = author_of(storage, &policy, &session.user, session.user_record, now_ms)?;
        office::unmerge(storage, &policy, &author, id, now_ms)
    });
    done.await?;
    Ok(Redirect::to(&format!("/records/{}/{id}?done=unmerged", entity.name)).into_response())
}
