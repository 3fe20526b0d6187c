//! Creating and changing records.
//!
//! A form to change a record carries the position at which it was drawn. What was typed is
//! compared with the record as it was there, and written on top of that: a colleague's newer
//! value stays beside it as a conflict.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::{Path, RawQuery, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use outrider_core::{
    access::Policy,
    domain::edit::EditError,
    ids::RecordId,
    schema::{Entity, Schema},
    time::TimestampMs,
};
use serde_json::{Map, Value as Json};

use super::{
    duplicates::{Hint, hints},
    failure::Failure,
    form::{Fields, Submission},
    inputs::{
        Candidates, Control, Group, Look, Names, Problem, Problems, Titles, entered, groups,
        link_inputs, resolve, shown, tell,
    },
    page::{Page, label_of, name_of, respond},
    session::Session,
    show::ids_in,
    words::Words,
};
use crate::{
    office::{self, Author, OfficeError, RecordView},
    state::AppState,
    storage::{Read, Storage},
};

/// The field that says at which position a form was drawn.
const SEEN: &str = "seen";
/// The button that creates a record although one may be there already.
const ANYWAY: &str = "anyway";

#[derive(Template)]
#[template(path = "edit.html")]
struct EditPage {
    page: Page,
    heading: String,
    action: String,
    back: String,
    seen: Option<u64>,
    groups: Vec<Group>,
    /// What is wrong, with where: shown before the form.
    problems: Vec<(Option<String>, String)>,
    currencies: Vec<(String, String)>,
    /// Records that may be the same as the new one: shown before the form, to be looked at.
    likely: Vec<Hint>,
    /// Whose likely records are asked for while one types, and which record is not one.
    asked: Option<(String, String)>,
}

/// What a form is about.
#[derive(Debug, Clone, Copy)]
struct Subject {
    entity: &'static Entity,
    /// The record, unless it is a new one.
    record: Option<RecordId>,
}

impl Subject {
    fn path(&self) -> String {
        match self.record {
            Some(id) => format!("/records/{}/{id}/edit", self.entity.name),
            None => format!("/records/{}/new", self.entity.name),
        }
    }

    fn from_path(path: &str) -> Option<Self> {
        let mut parts = path.strip_prefix("/records/")?.split('/');
        let entity = Schema::current().entity(parts.next()?)?;
        match (parts.next()?, parts.next(), parts.next()) {
            ("new", None, None) => Some(Self { entity, record: None }),
            (id, Some("edit"), None) => Some(Self { entity, record: Some(id.parse().ok()?) }),
            (_, _, _) => None,
        }
    }
}

/// The entity of this name.
pub(super) fn entity_of(name: &str) -> Result<&'static Entity, Failure> {
    Schema::current().entity(name).ok_or(Failure::NotFound)
}

/// The entity and the record that a path names.
pub(super) fn record_of(entity: &str, id: &str) -> Result<(&'static Entity, RecordId), Failure> {
    Ok((entity_of(entity)?, id.parse().map_err(|_| Failure::NotFound)?))
}

/// A record, if it is of this entity.
pub(super) fn view_of(
    read: &dyn Read,
    entity: &Entity,
    id: RecordId,
) -> Result<RecordView, OfficeError> {
    let view = office::view(read, id)?.filter(|view| view.entity.name == entity.name);
    view.ok_or(OfficeError::UnknownRecord(id))
}

/// The names of all records that a form or page may show.
pub(super) fn titles_in(
    read: &dyn Read,
    json: &Map<String, Json>,
    fields: &Fields,
) -> Result<Titles, OfficeError> {
    let mut ids = Vec::new();
    json.values().for_each(|value| ids_in(value, &mut ids));
    ids.extend(fields.0.iter().filter_map(|(_, value)| value.parse::<RecordId>().ok()));
    office::titles(read, ids)
}

/// Everything that a form is drawn from.
struct Draft {
    subject: Subject,
    fields: Fields,
    /// The record as it is, for what a form shows beside its inputs.
    record: Option<RecordView>,
    seen: Option<u64>,
    problems: Problems,
    open: Candidates,
    titles: Titles,
    /// Records that may be the same.
    likely: Vec<Hint>,
}

impl Draft {
    fn draw(self, session: &Session) -> Response {
        let words = Words(session.language);
        let label = label_of(self.subject.entity, session.language);
        let record = self.record.as_ref();
        let heading = match record {
            Some(record) => {
                let title = name_of(&record.title, record.id, &record.entity.name, words.0);
                words.name("edit-heading", &title)
            }
            None => words.name("new-heading", label),
        };
        let names = Names {
            words,
            titles: &self.titles,
            problems: &self.problems,
            open: &self.open,
            record: record.map(|record| &record.json),
        };
        let path = self.subject.path();
        let back = match self.subject.record {
            Some(id) => format!("/records/{}/{id}", self.subject.entity.name),
            None => format!("/records/{}", self.subject.entity.name),
        };
        let groups = groups(self.subject.entity, &self.fields, &names);
        let problems = problems_of(&self.problems, self.subject.entity, words);
        let has_problems = !problems.is_empty() || !self.likely.is_empty();
        let takes_part = self.subject.entity.likeness.is_some();
        let except = self.subject.record.map(|id| id.to_string()).unwrap_or_default();
        let asked = takes_part.then(|| (self.subject.entity.name.clone(), except));
        let currencies = currencies(words);
        let page = Page::new(session, heading.clone(), &path);
        // A form with problems is an answer to what was sent: asked for again it would be another.
        let page = match record {
            Some(record) if !has_problems => page.at(record.position),
            Some(_) | None => page,
        };
        let response = respond(&EditPage {
            page,
            heading,
            action: path,
            back,
            seen: self.seen,
            groups,
            problems,
            currencies,
            likely: self.likely,
            asked,
        });
        if has_problems {
            return (StatusCode::UNPROCESSABLE_ENTITY, response).into_response();
        }
        response
    }
}

/// The problems of a form in words, each with the input that it is about.
fn problems_of(
    problems: &Problems,
    entity: &Entity,
    words: Words,
) -> Vec<(Option<String>, String)> {
    let line = |(name, problem): (&String, &Problem)| {
        let mut path = name.split('.').skip(1);
        let field = path.next().and_then(|field| entity.field(field));
        let column = path.nth(1).and_then(|column| field?.column(column));
        let label = field.map(|field| field.label.get(words.0));
        let label = match (label, column) {
            (Some(label), Some(column)) => format!("{label}, {}: ", column.label.get(words.0)),
            (Some(label), None) => format!("{label}: "),
            (None, _) => String::new(),
        };
        let said = tell(problem, words);
        (field.is_some().then(|| name.clone()), format!("{label}{said}"))
    };
    problems.iter().map(line).collect()
}

fn currencies(words: Words) -> Vec<(String, String)> {
    let list = Schema::current().picklist("currency");
    let choices = list.into_iter().flat_map(|list| &list.choices);
    choices.map(|choice| (choice.id.clone(), choice.label.get(words.0).to_owned())).collect()
}

/// `GET /records/{entity}/new`: an empty form; `?FIELD=ID` fills in links.
pub(super) async fn show_new(
    State(state): State<AppState>,
    session: Session,
    Path(entity): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let entity = entity_of(&entity)?;
    let given: Vec<(String, String)> = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .filter(|(_, value)| value.parse::<RecordId>().is_ok())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let subject = Subject { entity, record: None };
    let draft = state
        .run_as(session.eyes(), move |storage| {
            let read = storage.read()?;
            let mut fields = Fields::default();
            let links = link_inputs(entity, &fields, true);
            let titles =
                office::titles(&*read, given.iter().filter_map(|(_, id)| id.parse().ok()))?;
            for (name, id) in given {
                let name = format!("f.{name}");
                if links.iter().any(|(link, _)| *link == name) {
                    let title = id.parse().ok().and_then(|id: RecordId| titles.get(&id));
                    let title = title.map_or_else(|| id.clone(), |(_, title)| title.clone());
                    fields.0.push((format!("{name}.id"), id));
                    fields.0.push((name, title));
                }
            }
            Ok::<_, OfficeError>(Draft::empty(subject, fields, titles))
        })
        .await?;
    Ok(draft.draw(&session))
}

impl Draft {
    fn empty(subject: Subject, fields: Fields, titles: Titles) -> Self {
        let (problems, open) = (Problems::new(), Candidates::new());
        let (record, seen, likely) = (None, None, Vec::new());
        Self { subject, fields, record, seen, problems, open, titles, likely }
    }

    /// The form of a record as it is.
    fn of_record(read: &dyn Read, subject: Subject, id: RecordId) -> Result<Self, OfficeError> {
        let record = view_of(read, subject.entity, id)?;
        let titles = titles_in(read, &record.json, &Fields::default())?;
        let fields = shown(subject.entity, &record.json, &titles);
        let seen = Some(record.position);
        Ok(Self { record: Some(record), seen, ..Self::empty(subject, fields, titles) })
    }

    /// A form as it was sent, with what is wrong with it.
    fn again(
        read: &dyn Read,
        subject: Subject,
        fields: Fields,
        problems: Problems,
        open: Candidates,
    ) -> Result<Self, OfficeError> {
        let record = subject.record.map(|id| view_of(read, subject.entity, id)).transpose()?;
        let seen = fields.get(SEEN).parse().ok();
        let nothing = Map::new();
        let json = record.as_ref().map_or(&nothing, |record| &record.json);
        let titles = titles_in(read, json, &fields)?;
        Ok(Self { subject, fields, record, seen, problems, open, titles, likely: Vec::new() })
    }
}

/// `GET /records/{entity}/{id}/edit`: the form of a record.
pub(super) async fn show_edit(
    State(state): State<AppState>,
    session: Session,
    Path((entity, id)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let (entity, id) = record_of(&entity, &id)?;
    let subject = Subject { entity, record: Some(id) };
    let draft = state
        .run_as(session.eyes(), move |storage| Draft::of_record(&*storage.read()?, subject, id))
        .await?;
    Ok(draft.draw(&session))
}

/// A form that was interrupted, as it was; other forms lead to the page that they came from.
pub(super) async fn show_again(
    state: &AppState,
    session: &Session,
    path: &str,
    fields: Fields,
) -> Result<Response, Failure> {
    let Some(subject) = Subject::from_path(path) else {
        let page = path.rsplit_once('/').map_or("/", |(page, _)| page);
        let is_page = page.starts_with("/records/");
        return Ok(Redirect::to(if is_page { page } else { "/" }).into_response());
    };
    let draft = state
        .run_as(session.eyes(), move |storage| {
            let (problems, open) = (Problems::new(), Candidates::new());
            Draft::again(&*storage.read()?, subject, fields, problems, open)
        })
        .await?;
    Ok(draft.draw(session))
}

/// What became of a form.
enum Saved {
    /// It was written to this record; whether anything was.
    Done(RecordId, bool),
    /// It comes back.
    Draft(Box<Draft>),
}

/// `POST /records/{entity}/new`: creates a record.
pub(super) async fn create(
    State(state): State<AppState>,
    Path(entity): Path<String>,
    submission: Submission,
) -> Result<Response, Failure> {
    let entity = entity_of(&entity)?;
    save(state, Subject { entity, record: None }, submission).await
}

/// `POST /records/{entity}/{id}/edit`: changes a record.
pub(super) async fn update(
    State(state): State<AppState>,
    Path((entity, id)): Path<(String, String)>,
    submission: Submission,
) -> Result<Response, Failure> {
    let (entity, id) = record_of(&entity, &id)?;
    save(state, Subject { entity, record: Some(id) }, submission).await
}

async fn save(
    state: AppState,
    subject: Subject,
    submission: Submission,
) -> Result<Response, Failure> {
    let Submission { session, fields } = submission;
    let (policy, now_ms) = (state.policy()?, state.now_ms());
    let author = (session.user.clone(), session.user_record);
    let words = Words(session.language);
    let saved = state
        .run_as(session.eyes(), move |storage| {
            write(storage, &policy, author, (subject, words), fields, now_ms)
        })
        .await?;
    Ok(match saved {
        Saved::Done(id, is_written) => {
            let done = match (subject.record, is_written) {
                (None, _) => "created",
                (Some(_), true) => "saved",
                (Some(_), false) => "same",
            };
            let href = format!("/records/{}/{id}?done={done}", subject.entity.name);
            Redirect::to(&href).into_response()
        }
        Saved::Draft(draft) => draft.draw(&session),
    })
}

/// Writes what a form says, or tells what is wrong with it.
fn write(
    storage: &dyn Storage,
    policy: &Policy,
    (user, user_record): (String, Option<RecordId>),
    (subject, words): (Subject, Words),
    mut fields: Fields,
    now_ms: TimestampMs,
) -> Result<Saved, OfficeError> {
    let entity = subject.entity;
    let seen: Option<u64> = fields.get(SEEN).parse().ok();
    let read = storage.read()?;
    let open = resolve(&*read, entity, &mut fields, subject.record.is_none())?;
    let before = match subject.record {
        None => None,
        Some(id) => {
            let now = view_of(&*read, entity, id)?;
            let json = match seen {
                Some(seen) if seen != now.position => {
                    let was = office::as_of(&*read, id, seen)?;
                    let was = was.and_then(|json| json.as_object().cloned());
                    was.ok_or(OfficeError::UnknownPosition(seen))?
                }
                Some(_) | None => now.json,
            };
            // Names may have changed since: what was not touched still has the same id.
            let titles = titles_in(&*read, &json, &Fields::default())?;
            Some(shown(entity, &json, &titles))
        }
    };
    let entered = entered(entity, &fields, before.as_ref(), &open);
    drop(read);
    let again = |problems: Problems, open: Candidates| {
        let draft = Draft::again(&*storage.read()?, subject, fields.clone(), problems, open)?;
        Ok::<_, OfficeError>(Saved::Draft(Box::new(draft)))
    };
    let entered = match entered {
        Ok(entered) => entered,
        Err(problems) => return again(problems, open),
    };
    if subject.record.is_none() && fields.get(ANYWAY).is_empty() {
        let read = storage.read()?;
        let likely = read.likely(entity, &entered, None)?;
        if !likely.is_empty() {
            let likely = hints(&*read, entity, &likely, words)?;
            let draft = Draft::again(&*read, subject, fields.clone(), Problems::new(), open)?;
            return Ok(Saved::Draft(Box::new(Draft { likely, ..draft })));
        }
    }
    if let Some(id) = subject.record.filter(|_| entered.is_empty()) {
        return Ok(Saved::Done(id, false));
    }
    let author = author_of(storage, policy, &user, user_record, now_ms)?;
    let written = match subject.record {
        None => office::create(storage, policy, &author, &entity.name, &entered, now_ms)
            .map(|id| (id, true)),
        Some(id) => office::update(storage, policy, &author, id, &entered, seen, now_ms)
            .map(|is_written| (id, is_written)),
    };
    match written {
        Ok((id, is_written)) => Ok(Saved::Done(id, is_written)),
        Err(error) => match problem_of(&error) {
            Some((name, problem)) => again(BTreeMap::from([(name, problem)]), open),
            None => Err(error),
        },
    }
}

/// Who writes: with the user's record, which is made when somebody first writes.
pub(super) fn author_of(
    storage: &dyn Storage,
    policy: &Policy,
    user: &str,
    user_record: Option<RecordId>,
    now_ms: TimestampMs,
) -> Result<Author, OfficeError> {
    let record = match user_record {
        Some(record) => record,
        None => office::ensure_user(storage, policy, user, now_ms)?,
    };
    office::author_for(storage, user, Some(record), now_ms)
}

/// Which input an error is about, if a person can do something about it.
fn problem_of(error: &OfficeError) -> Option<(String, Problem)> {
    let at = |field: &str| format!("f.{field}");
    match error {
        OfficeError::Edit(EditError::Value { field, source }) => {
            Some((at(field), Problem::Value(source.clone())))
        }
        OfficeError::Edit(EditError::Required(field)) => Some((at(field), Problem::Required)),
        OfficeError::Edit(EditError::Key { field, .. } | EditError::Shape { field, .. }) => {
            Some((at(field), Problem::Said(error.to_string())))
        }
        OfficeError::Edit(_)
        | OfficeError::Merge(_)
        | OfficeError::TooLarge
        | OfficeError::Refused { .. }
        | OfficeError::Write(_)
        | OfficeError::Text(_) => Some((String::new(), Problem::Said(error.to_string()))),
        OfficeError::Storage(_)
        | OfficeError::UnknownEntity(_)
        | OfficeError::UnknownRecord(_)
        | OfficeError::UnknownPosition(_)
        | OfficeError::NoConflict { .. }
        | OfficeError::NoReview(_)
        | OfficeError::NotEntered(_)
        | OfficeError::Random(_)
        | OfficeError::File(_)
        | OfficeError::Export(_) => None,
    }
}
