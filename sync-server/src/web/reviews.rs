//! Edits that wait for a decision: what somebody wrote and may not, or may not any more.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use outrider_core::{
    access::words::sentence,
    crdt::{self, Action},
    schema::{Entity, Key, Language, Schema},
};

use super::{
    edit::author_of,
    failure::Failure,
    form::Submission,
    page::{Page, When, respond},
    session::Session,
    words::Words,
};
use crate::{
    audit::reading::showing,
    office::{self, Decision, OfficeError},
    state::AppState,
    storage::{Storage, access::Review},
};

/// Edits on one page, the oldest first.
const REVIEWS_MAX: usize = 50;

/// A value that somebody wants to write.
struct Wanted {
    field: String,
    value: String,
}

struct Waiting {
    id: u64,
    /// Address and name of the record.
    href: String,
    title: String,
    entity: String,
    user: String,
    why: String,
    reason: String,
    made: When,
    wanted: Vec<Wanted>,
}

#[derive(Template)]
#[template(path = "reviews.html")]
struct ReviewsPage {
    page: Page,
    waiting: Vec<Waiting>,
    problem: Option<String>,
}

/// `GET /reviews`: what waits and the reader may decide on.
pub(super) async fn show_reviews(
    State(state): State<AppState>,
    session: Session,
) -> Result<Response, Failure> {
    show(&state, &session, None).await
}

async fn show(
    state: &AppState,
    session: &Session,
    problem: Option<String>,
) -> Result<Response, Failure> {
    let language = session.language;
    let (policies, eyes) = (std::sync::Arc::clone(&state.policies), session.eyes());
    let now_ms = state.now_ms();
    let found = state.run(move |storage| {
        let seen = policies.seen(storage, &eyes, now_ms)?;
        let reviews = office::open_reviews(storage, seen.grant(), REVIEWS_MAX)?;
        let waiting = reviews.iter().map(|review| describe(storage, review, language));
        waiting.collect::<Result<Vec<_>, OfficeError>>()
    });
    let waiting = found.await?;
    let words = Words(language);
    let mut page = Page::new(session, words.t("nav-reviews"), "/reviews");
    if waiting.is_empty() && problem.is_none() {
        page.notice = Some(words.t("reviews-none"));
    }
    let count = waiting.len();
    Ok(showing(respond(&ReviewsPage { page, waiting, problem }), count))
}

fn describe(
    storage: &dyn Storage,
    review: &Review,
    language: Language,
) -> Result<Waiting, OfficeError> {
    let read = storage.read()?;
    let record = review.document.record;
    let names = office::titles(&*read, review.user.into_iter().chain([record]))?;
    let name = |id| names.get(&id).map(|(_, name): &(String, String)| name.clone());
    let entity = Schema::current().entity(&review.entity);
    Ok(Waiting {
        id: review.id,
        href: format!("/records/{}/{record}", review.entity),
        title: name(record).unwrap_or_else(|| record.to_string()),
        entity: entity.map_or_else(String::new, |entity| entity.label.get(language).to_owned()),
        user: review.user.and_then(name).unwrap_or_default(),
        why: sentence(&review.code, language).unwrap_or(&review.code).to_owned(),
        reason: Words(language).t(match review.reason.as_str() {
            "late" => "reviews-late",
            "asked" => "reviews-asked",
            _ => "reviews-ended",
        }),
        made: When::at(review.made_at),
        wanted: entity.map_or_else(Vec::new, |entity| wanted(entity, review, language)),
    })
}

fn wanted(entity: &Entity, review: &Review, language: Language) -> Vec<Wanted> {
    let Ok(change) = crdt::decode(&review.bytes) else {
        let field = entity.field(review.document.part.as_str());
        let field = field.map_or_else(String::new, |field| field.label.get(language).to_owned());
        return vec![Wanted { field, value: Words(language).t("reviews-text") }];
    };
    let is_refused = |key: &str| review.keys.is_empty() || review.keys.iter().any(|k| k == key);
    let ops = change.change.ops.iter().filter(|op| is_refused(&op.key));
    ops.map(|op| {
        let key = entity.parse_key(&review.document.part, &op.key).ok();
        let field = match &key {
            Some(Key::Cell { field, column, .. }) => {
                format!("{}: {}", field.label.get(language), column.label.get(language))
            }
            Some(key) => key.field().label.get(language).to_owned(),
            None => op.key.clone(),
        };
        let value = match (&op.action, &key) {
            (Action::Delete, _) => String::new(),
            (Action::Put(value), Some(Key::Register(field))) => field.ty.display(value, language),
            (Action::Put(value), Some(Key::Cell { column, .. })) => {
                column.ty.display(value, language)
            }
            (Action::Put(value), _) => value.as_text().unwrap_or_default().to_owned(),
        };
        Wanted { field, value }
    })
    .collect()
}

/// `POST /reviews/{id}`: grants an edit, or declines it.
pub(super) async fn decide_review(
    State(state): State<AppState>,
    Path(id): Path<u64>,
    Submission { session, fields }: Submission,
) -> Result<Response, Failure> {
    let decision = match fields.get("decision") {
        "grant" => Decision::Grant,
        "decline" => Decision::Decline,
        _ => return Err(Failure::BadQuery),
    };
    let reason = fields.get("reason").trim().chars().take(1_000).collect::<String>();
    let (policy, now_ms) = (state.policy()?, state.now_ms());
    let (user, user_record) = (session.user.clone(), session.user_record);
    let done = state.run(move |storage| {
        let approver = author_of(storage, &policy, &user, user_record, now_ms)?;
        match office::decide(storage, &policy, &approver, id, decision, &reason, now_ms) {
            Ok(()) => Ok(None),
            Err(OfficeError::NoReview(_)) => Ok(Some("reviews-gone")),
            Err(OfficeError::NotEntered(_)) => Ok(Some("reviews-not-entered")),
            Err(OfficeError::Refused { .. }) => Ok(Some("reviews-not-yours")),
            Err(error) => Err(error),
        }
    });
    match done.await? {
        None => Ok(Redirect::to("/reviews").into_response()),
        Some(problem) => {
            let problem = Words(session.language).t(problem);
            show(&state, &session, Some(problem)).await
        }
    }
}
