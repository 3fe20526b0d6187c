//! Erasing a person and telling a person's data, for administrators: what would go, where else the
//! person may be named, and, once it is done, who confirmed it.

use askama::Template;
use axum::{
    Json as JsonBody,
    extract::{Path, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
};
use outrider_core::{ids::RecordId, schema::Schema};
use serde::Serialize;

use super::{
    devices::check_role,
    edit::{author_of, record_of, view_of},
    failure::Failure,
    form::Submission,
    page::{Page, name_of, respond},
    session::Session,
    words::Words,
};
use crate::{
    error::AppError,
    office::{self, Asker, Certificate, EraseError, Naming, OfficeError},
    state::AppState,
};

/// Records that may name the person and that the page lists, at most.
const NAMING_SHOWN_MAX: usize = 200;

/// A record that may name the person.
struct Line {
    href: String,
    title: String,
    kind: String,
    fields: String,
}

#[derive(Template)]
#[template(path = "erase.html")]
struct ErasePage {
    page: Page,
    title: String,
    path: String,
    id: RecordId,
    problem: Option<String>,
    certificate: Option<Certificate>,
    exported: u64,
    /// All records of the person: address and name.
    records: Vec<(String, String)>,
    naming: Vec<Line>,
}

/// `GET /records/{entity}/{id}/erase`: what would go, or who confirmed that it went.
pub(super) async fn show_erase(
    State(state): State<AppState>,
    session: Session,
    Path((entity, id)): Path<(String, String)>,
) -> Result<Response, Failure> {
    check_role(&session)?;
    show(&state, &session, (&entity, &id), None).await
}

async fn show(
    state: &AppState,
    session: &Session,
    (entity, id): (&str, &str),
    problem: Option<String>,
) -> Result<Response, Failure> {
    let (entity, id) = record_of(entity, id)?;
    let now_ms = state.now_ms();
    let (view, certificate, names, found) = state
        .run(move |storage| {
            let read = storage.read()?;
            let view = view_of(&*read, entity, id)?;
            let certificate = office::certificate(&*read, id, now_ms)?;
            if certificate.is_some() {
                return Ok((view, certificate, Vec::new(), None));
            }
            let mut records = read.halves(entity, read.heir(entity, id)?)?;
            records.push(read.heir(entity, id)?);
            let names = office::titles(&*read, records.iter().copied())?;
            let names = names.into_iter().map(|(id, (_, title))| (id, title)).collect();
            let found = office::namings(&*read, &records)?;
            Ok::<_, OfficeError>((view, certificate, names, Some(found)))
        })
        .await?;
    let words = Words(session.language);
    let path = format!("/records/{}/{id}", entity.name);
    let address = format!("{path}/erase");
    let named = |(id, title): (RecordId, String)| {
        let title = name_of(&title, id, &entity.name, words.0);
        (format!("/records/{}/{id}", entity.name), title)
    };
    let found = found.unwrap_or_default();
    Ok(respond(&ErasePage {
        page: Page::new(session, words.t("erase-title"), &address).at(view.position),
        title: name_of(&view.title, id, &entity.name, words.0),
        path,
        id,
        problem,
        exported: certificate.as_ref().map_or(0, |certificate| certificate.exported_files),
        certificate,
        records: names.into_iter().map(named).collect(),
        naming: found.saying().take(NAMING_SHOWN_MAX).map(|one| line(one, words)).collect(),
    }))
}

fn line(naming: &Naming, words: Words) -> Line {
    let entity = Schema::current().entity(&naming.entity);
    let label = |name: &String| {
        let field = entity.and_then(|entity| entity.field(name));
        field.map_or_else(|| name.clone(), |field| field.label.get(words.0).to_owned())
    };
    let fields: Vec<String> = naming.says.iter().map(label).collect();
    Line {
        href: format!("/records/{}/{}", naming.entity, naming.record),
        title: name_of(&naming.title, naming.record, &naming.entity, words.0),
        kind: entity.map_or_else(String::new, |entity| entity.label.get(words.0).to_owned()),
        fields: fields.join(", "),
    }
}

/// `POST /records/{entity}/{id}/erase`: erases, if the record's id was typed.
pub(super) async fn erase(
    State(state): State<AppState>,
    Path((entity, id)): Path<(String, String)>,
    Submission { session, fields }: Submission,
) -> Result<Response, Failure> {
    check_role(&session)?;
    let (known, record) = record_of(&entity, &id)?;
    let words = Words(session.language);
    if fields.get("confirm").trim() != record.to_string() {
        let problem = words.t("erase-not-confirmed");
        return show(&state, &session, (&entity, &id), Some(problem)).await;
    }
    let (policy, now_ms) = (state.policy()?, state.now_ms());
    let (user, user_record) = (session.user.clone(), session.user_record);
    let done = state
        .run(move |storage| {
            view_of(&*storage.read()?, known, record)?;
            let author = author_of(storage, &policy, &user, user_record, now_ms)?;
            Ok::<_, OfficeError>(office::erase(storage, &policy, &author, record, now_ms))
        })
        .await?;
    match done {
        Ok(_) => {
            let path = format!("/records/{}/{record}/erase", known.name);
            Ok(Redirect::to(&path).into_response())
        }
        Err(error) => {
            let problem = words.t(key_of(error)?);
            show(&state, &session, (&entity, &id), Some(problem)).await
        }
    }
}

/// The words for an error that a person can do something about.
fn key_of(error: EraseError) -> Result<&'static str, Failure> {
    Ok(match error {
        EraseError::NotPermitted => return Err(Failure::Forbidden),
        EraseError::UnknownRecord(_) => return Err(Failure::NotFound),
        EraseError::Already(_) => "erase-already",
        EraseError::NotAPerson(_) => "erase-no-person",
        EraseError::LegalHold(_) => "erase-legal-hold",
        EraseError::Office(error) => return Err(error.into()),
    })
}

/// `GET /records/{entity}/{id}/erasure.json`: the certificate, signed.
pub(super) async fn download_certificate(
    State(state): State<AppState>,
    session: Session,
    Path((entity, id)): Path<(String, String)>,
) -> Result<Response, Failure> {
    check_role(&session)?;
    let (_, id) = record_of(&entity, &id)?;
    let now_ms = state.now_ms();
    let certificate =
        state.run(move |storage| office::certificate(&*storage.read()?, id, now_ms)).await?;
    let signed = certificate.ok_or(Failure::NotFound)?.sign(&state.key);
    file(&format!("erasure-{id}.json"), signed)
}

/// `GET /records/{entity}/{id}/disclosure.json`: everything that is known of a person.
pub(super) async fn download_disclosure(
    State(state): State<AppState>,
    session: Session,
    Path((entity, id)): Path<(String, String)>,
) -> Result<Response, Failure> {
    check_role(&session)?;
    let (_, id) = record_of(&entity, &id)?;
    let (now_ms, asker) = (state.now_ms(), Asker { account: Some(session.account) });
    let told = state
        .run(move |storage| Ok::<_, OfficeError>(office::disclose(storage, id, asker, now_ms)))
        .await?;
    match told {
        Ok(told) => file(&format!("disclosure-{id}.json"), told),
        Err(EraseError::Office(error)) => Err(error.into()),
        Err(_) => Err(Failure::NotFound),
    }
}

fn file(name: &str, content: impl Serialize) -> Result<Response, Failure> {
    let name = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""))
        .map_err(|_| AppError::Internal("a file had a name that is none"))?;
    Ok(([(header::CONTENT_DISPOSITION, name)], JsonBody(content)).into_response())
}
