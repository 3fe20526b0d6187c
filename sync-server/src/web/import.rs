//! Files that become records: brought, looked at, tried, imported, taken back.
//!
//! Works without the page's script: a page of a file that is worked on loads itself again.

use askama::Template;
use axum::{
    extract::{Multipart, Path, State, multipart::MultipartError},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
};
use outrider_core::{
    access::Operation,
    schema::{Entity, Schema},
    transfer::{
        ImportReport,
        propose::{Note, Proposal, choices},
    },
};
use tokio::io::AsyncWriteExt as _;
use uuid::Uuid;

use super::{
    failure::Failure,
    form::{CSRF, Submission, check_site},
    page::{Page, When, respond},
    session::{self, Session},
    words::Words,
};
use crate::{
    access::Eyes,
    error::AppError,
    imports::{Importer, Imports, Job, Said, Stage, UPLOAD_BYTES_MAX, take_back},
    state::AppState,
    storage::StorageError,
};

/// Characters of a file's name that are kept.
const NAME_CHARS_MAX: usize = 120;

struct Line {
    href: String,
    name: String,
    user: String,
    at: When,
    stage: String,
}

#[derive(Template)]
#[template(path = "imports.html")]
struct ImportsPage {
    page: Page,
    lines: Vec<Line>,
    entities: Vec<(String, String)>,
    problem: Option<String>,
    mebibytes: u64,
}

struct ColumnLine {
    name: String,
    input: String,
    field: String,
    example: String,
    filled: u64,
    replaced: String,
    is_key: bool,
}

#[derive(Template)]
#[template(path = "import.html")]
struct ImportPage {
    page: Page,
    job: Job,
    stage: String,
    at: When,
    entities: Vec<(String, String)>,
    entity: String,
    columns: Vec<ColumnLine>,
    fields: Vec<(String, String)>,
    notes: Vec<String>,
    /// Rows and percent, while it is worked on.
    progress: Option<(u64, u64)>,
    report: Option<Report>,
    has_file: bool,
}

/// What came of a file, for people.
struct Report {
    is_try: bool,
    counts: Vec<(String, u64)>,
    lines: Vec<String>,
    told: Vec<(u64, String, String)>,
    has_errors: bool,
    batch: Option<i64>,
    list: String,
}

fn stage_words(words: Words, stage: Stage) -> String {
    words.t(match stage {
        Stage::Waiting => "import-waiting",
        Stage::Trying => "import-trying",
        Stage::Importing => "import-importing",
        Stage::Done => "import-done",
        Stage::Interrupted => "import-interrupted",
    })
}

/// The entities of which somebody may import records.
fn entities(session: &Session) -> Vec<(String, String)> {
    let language = session.language;
    let pair = |entity: &Entity| (entity.name.clone(), entity.label.get(language).to_owned());
    let may = |entity: &&Entity| session.may(Operation::Import, &entity.name);
    Schema::current().entities().filter(may).map(pair).collect()
}

/// `GET /import`: what was brought, and the form for a file.
pub(super) async fn show_imports(
    State(state): State<AppState>,
    session: Session,
) -> Result<Response, Failure> {
    list(&state, &session, None).await
}

async fn list(
    state: &AppState,
    session: &Session,
    problem: Option<String>,
) -> Result<Response, Failure> {
    let words = Words(session.language);
    let imports = std::sync::Arc::clone(&state.imports);
    let jobs = state.run(move |_| Ok::<_, StorageError>(imports.list())).await?;
    let line = |job: Job| Line {
        href: format!("/import/{}", job.id),
        name: job.name,
        user: job.user,
        at: When::at(job.at),
        stage: stage_words(words, job.stage),
    };
    Ok(respond(&ImportsPage {
        page: Page::new(session, words.t("nav-import"), "/import"),
        lines: jobs.into_iter().filter(|job| session.sees_all_of(&job.user)).map(line).collect(),
        entities: entities(session),
        problem,
        mebibytes: (UPLOAD_BYTES_MAX >> 20) as u64,
    }))
}

/// A file that is arriving: taken away again unless it is kept.
struct Begun {
    imports: std::sync::Arc<Imports>,
    id: Uuid,
    is_kept: bool,
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.is_kept {
            // Fails where nothing has arrived yet.
            let _ = self.imports.remove(self.id);
        }
    }
}

/// `POST /import`: a file is brought.
pub(super) async fn bring(
    State(state): State<AppState>,
    headers: HeaderMap,
    mut parts: Multipart,
) -> Result<Response, Failure> {
    check_site(&headers)?;
    let signed_out = || Failure::SignIn { next: "/import".to_owned(), fields: Vec::new() };
    let session = session::find(&headers, &state).await?.ok_or_else(signed_out)?;
    let words = Words(session.language);
    let id = draw_id(&state)?;
    let imports = std::sync::Arc::clone(&state.imports);
    let mut begun = Begun { imports, id, is_kept: false };
    let mut said = Said::default();
    let mut is_ours = false;
    let mut name = String::new();
    while let Some(mut part) = parts.next_field().await.map_err(refuse)? {
        match part.name().unwrap_or_default() {
            CSRF => is_ours = part.text().await.map_err(refuse)? == session.csrf,
            "entity" => said.entity = part.text().await.map_err(refuse)?.chars().take(80).collect(),
            "file" if is_ours => {
                name = part.file_name().unwrap_or_default().chars().take(NAME_CHARS_MAX).collect();
                let path = state.imports.begin(id, state.now_ms()).map_err(disk)?;
                let mut file = tokio::fs::File::create(&path).await.map_err(disk)?;
                while let Some(chunk) = part.chunk().await.map_err(refuse)? {
                    file.write_all(&chunk).await.map_err(disk)?;
                }
                file.sync_all().await.map_err(disk)?;
            }
            _ => {}
        }
    }
    if !is_ours {
        return Err(Failure::Stale { next: "/import".to_owned(), fields: Vec::new() });
    }
    if name.is_empty() {
        return list(&state, &session, Some(words.t("import-no-file"))).await;
    }
    let job = Job {
        id,
        name,
        user: session.subject().user.to_owned(),
        at: state.now_ms(),
        stage: Stage::Waiting,
        said,
        mapping: String::new(),
        report: None,
        problem: None,
        undone: None,
        batches: Vec::new(),
    };
    propose(&state, session.eyes(), job).await?;
    begun.is_kept = true;
    Ok(Redirect::to(&format!("/import/{id}")).into_response())
}

fn draw_id(state: &AppState) -> Result<Uuid, Failure> {
    let mut random = [0; 10];
    getrandom::fill(&mut random)
        .map_err(|_| AppError::Internal("the system gave no randomness"))?;
    let now_ms = state.now_ms().unsigned_abs();
    Ok(uuid::Builder::from_unix_timestamp_millis(now_ms, &random).into_uuid())
}

fn refuse(error: MultipartError) -> Failure {
    let status = error.status();
    if status == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
        return AppError::too_large("body_too_large", "the file is too large").into();
    }
    AppError::refused(status, "body_incomplete", "the file did not arrive whole").into()
}

fn disk(error: std::io::Error) -> Failure {
    tracing::error!(%error, "a file to import cannot be kept");
    AppError::Internal("a file to import cannot be kept").into()
}

/// Proposes a mapping and keeps it, or says what is wrong with the file.
async fn propose(state: &AppState, eyes: Eyes, mut job: Job) -> Result<(), Failure> {
    let imports = std::sync::Arc::clone(&state.imports);
    state
        .run_as(eyes, move |storage| {
            match imports.propose(storage, &job) {
                Ok(proposal) => {
                    job.said.entity.clone_from(&proposal.entity);
                    job.mapping = proposal.mapping;
                    job.problem = None;
                }
                Err(words) => job.problem = Some(words),
            }
            job.report = None;
            imports.save(&job).map_err(|_| AppError::Internal("a file cannot be kept"))
        })
        .await?;
    Ok(())
}

/// A file that somebody brought: their own, or any if they administer the server.
fn job_of(state: &AppState, session: &Session, id: &str) -> Result<Job, Failure> {
    let id = id.parse().map_err(|_| Failure::NotFound)?;
    let job = state.imports.load(id).filter(|job| session.sees_all_of(&job.user));
    job.ok_or(Failure::NotFound)
}

/// `GET /import/{id}`: where a file stands.
pub(super) async fn show_import(
    State(state): State<AppState>,
    session: Session,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let job = job_of(&state, &session, &id)?;
    let language = session.language;
    let words = Words(language);
    let has_file = state.imports.has_file(job.id);
    let is_open = has_file && matches!(job.stage, Stage::Waiting | Stage::Interrupted);
    let proposal: Option<Proposal> = if is_open {
        let (imports, job) = (std::sync::Arc::clone(&state.imports), job.clone());
        state
            .run_as(session.eyes(), move |storage| {
                Ok::<_, StorageError>(imports.propose(storage, &job).ok())
            })
            .await?
    } else {
        None
    };
    let entity = proposal.as_ref().and_then(|proposal| Schema::current().entity(&proposal.entity));
    let fields = entity.map(choices).unwrap_or_default().into_iter();
    let fields = fields.map(|(name, label)| (name, label.get(language).to_owned())).collect();
    let columns = proposal.iter().flat_map(|proposal| proposal.columns.iter().enumerate());
    let key = proposal.as_ref().map(|found| found.key.clone()).unwrap_or_default();
    let columns = columns.map(|(at, column)| ColumnLine {
        is_key: key.contains(&column.column),
        name: column.column.clone(),
        input: format!("column.{at}"),
        field: column.field.clone().unwrap_or_default(),
        example: column.example.chars().take(60).collect(),
        filled: column.filled,
        replaced: {
            let pairs = column.replaced.iter().map(|(from, to)| format!("{from} → {to}"));
            pairs.collect::<Vec<_>>().join(", ")
        },
    });
    let notes = proposal.iter().flat_map(|proposal| proposal.notes.iter());
    let progress = state.imports.progress(job.id);
    let progress = progress.map(|now| (now.rows, now.bytes * 100 / now.bytes_total.max(1)));
    Ok(respond(&ImportPage {
        page: Page::new(&session, job.name.clone(), &format!("/import/{}", job.id)),
        stage: stage_words(words, job.stage),
        at: When::at(job.at),
        entities: entities(&session),
        entity: proposal.as_ref().map_or_else(String::new, |found| found.entity.clone()),
        columns: columns.collect(),
        fields,
        notes: notes.map(|note| note_words(words, note)).collect(),
        progress,
        report: match &job.report {
            Some(report) => Some(report_of(report, &job, words, &state)),
            None => broken_off(&job).filter(|_| progress.is_none()),
        },
        has_file,
        job,
    }))
}

fn note_words(words: Words, note: &Note) -> String {
    match note {
        Note::Unknown { column, values } => {
            format!("{column}: {} {}", words.t("import-note-unknown"), values.join(", "))
        }
        Note::AmbiguousDates { column, order } => {
            format!("{column}: {} {order}", words.t("import-note-dates"))
        }
        Note::Required { field } => format!("{field}: {}", words.t("import-note-required")),
        Note::NoKey => words.t("import-note-key"),
        Note::Currency { currency } => format!("{} {currency}", words.t("import-note-currency")),
        Note::OtherType { record_type, records } => {
            format!("{record_type}: {records} {}", words.t("import-note-type"))
        }
    }
}

/// What can be said of imports that broke off.
fn broken_off(job: &Job) -> Option<Report> {
    let batch = job.undoable().first().copied()?;
    Some(Report {
        is_try: false,
        counts: Vec::new(),
        lines: Vec::new(),
        told: Vec::new(),
        has_errors: false,
        batch: Some(batch),
        list: format!("/records/{}", job.said.entity),
    })
}

fn report_of(report: &ImportReport, job: &Job, words: Words, state: &AppState) -> Report {
    let counts = [
        ("import-rows", report.rows),
        ("import-created", report.created),
        ("import-updated", report.updated),
        ("import-unchanged", report.unchanged),
        ("import-rejected", report.rejected),
    ];
    let mut lines = Vec::new();
    let references = [
        ("import-empty", &report.empty_references),
        ("import-missing", &report.missing_references),
        ("import-ambiguous", &report.ambiguous_references),
    ];
    for (key, counts) in references {
        lines.extend(counts.iter().map(|(field, n)| format!("{field}: {n} {}", words.t(key))));
    }
    for (column, values) in &report.mapped_values {
        let replaced = words.t("import-replaced");
        lines.extend(values.iter().map(|(from, n)| format!("{column}: “{from}” {replaced} {n}")));
    }
    for (field, sorts) in &report.cleaned {
        let tidied = words.t("import-tidied");
        lines.extend(sorts.iter().map(|(sort, n)| format!("{field}: {sort} {tidied} {n}")));
    }
    if report.linked_earlier > 0 {
        lines.push(format!("{}: {}", words.t("import-linked"), report.linked_earlier));
    }
    if report.alike > 0 {
        lines.push(format!("{}: {}", words.t("import-alike"), report.alike));
    }
    if report.adopted > 0 {
        lines.push(format!("{}: {}", words.t("import-adopted"), report.adopted));
    }
    let told = report.errors.iter().chain(&report.left_empty).chain(&report.likely);
    Report {
        is_try: report.is_dry_run,
        counts: counts.into_iter().map(|(key, count)| (words.t(key), count)).collect(),
        lines,
        told: told.map(|note| (note.row, note.column.clone(), note.reason.clone())).collect(),
        has_errors: state.imports.errors_of(job.id).is_file()
            && report.rejected + report.alike + report.left_empty.len() as u64 > 0,
        batch: job.undoable().first().copied(),
        list: format!("/records/{}", report.entity),
    }
}

/// `POST /import/{id}`: looks at the file anew, tries it, or imports it.
pub(super) async fn work(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Submission { session, fields }: Submission,
) -> Result<Response, Failure> {
    let mut job = job_of(&state, &session, &id)?;
    let here = Redirect::to(&format!("/import/{}", job.id)).into_response();
    if state.imports.progress(job.id).is_some() || !state.imports.has_file(job.id) {
        return Ok(here);
    }
    let text = |name: &str| fields.get(name).trim().chars().take(100).collect::<String>();
    let said = Said {
        entity: text("entity"),
        source: text("source"),
        currency: text("currency"),
        region: text("region"),
        fields: if text("entity") == job.said.entity {
            columns_of(&fields.0)
        } else {
            // Fields of another entity say nothing.
            Default::default()
        },
    };
    let action = text("do");
    let mapping = fields.get("mapping").to_owned();
    let is_rewritten = mapping.trim() != job.mapping.trim() && !mapping.trim().is_empty();
    if action == "look" || (said != job.said && !is_rewritten) {
        job.said = said;
        propose(&state, session.eyes(), job.clone()).await?;
        job = job_of(&state, &session, &id)?;
    } else if is_rewritten {
        job.mapping = mapping;
    }
    if matches!(action.as_str(), "try" | "import") && job.problem.is_none() {
        start(&state, &session, job, action == "try")?;
    }
    Ok(here)
}

/// The fields that were chosen for columns, each input beside the column's name.
fn columns_of(fields: &[(String, String)]) -> std::collections::BTreeMap<String, String> {
    let find = |name: &str| fields.iter().find(|(found, _)| found == name).map(|(_, v)| v.clone());
    let inputs = fields.iter().filter_map(|(name, field)| {
        let at = name.strip_prefix("column.")?;
        Some((find(&format!("name.{at}"))?, field.clone()))
    });
    inputs.collect()
}

fn importer_of(session: &Session) -> Importer {
    Importer {
        user: session.user.clone(),
        record: session.user_record,
        not_permitted: Words(session.language).t("import-not-permitted"),
    }
}

fn start(state: &AppState, session: &Session, mut job: Job, is_try: bool) -> Result<(), Failure> {
    let Some(running) = state.imports.mark(&mut job, is_try).map_err(disk)? else {
        return Ok(());
    };
    let importer = importer_of(session);
    let policy = state.policy()?;
    let state = state.clone();
    let id = job.id;
    tokio::spawn(async move {
        // One at a time; the permit is never closed.
        let _turn = state.imports.turn().acquire_owned().await;
        let work = tokio::task::spawn_blocking(move || {
            let storage = state.storage.as_ref();
            state.imports.run(storage, &policy, &state.clock, &importer, running)
        });
        match work.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%id, %error, "an import cannot be kept"),
            Err(error) => tracing::error!(%id, %error, "an import ended in a panic"),
        }
    });
    Ok(())
}

/// `POST /import/{id}/undo`: takes an import back.
pub(super) async fn undo(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Submission { session, .. }: Submission,
) -> Result<Response, Failure> {
    let id = job_of(&state, &session, &id)?.id;
    let here = Redirect::to(&format!("/import/{id}")).into_response();
    let Some(_running) = state.imports.claim(id) else { return Ok(here) };
    let mut job = state.imports.load(id).ok_or(Failure::NotFound)?;
    if job.undone.is_some() {
        return Ok(here);
    }
    let batches = job.undoable();
    if batches.is_empty() {
        return Err(Failure::NotFound);
    }
    let words = Words(session.language);
    let importer = importer_of(&session);
    let (policy, clock) = (state.policy()?, state.clock.clone());
    let imports = std::sync::Arc::clone(&state.imports);
    let done = state
        .run_as(session.eyes(), move |storage| {
            Ok::<_, StorageError>(take_back(storage, &policy, &clock, &importer, &batches))
        })
        .await?;
    match done {
        Ok(undone) => {
            job.undone = Some(format!(
                "{}: {}; {}: {}; {}: {}",
                words.t("import-undone-archived"),
                undone.archived,
                words.t("import-undone-restored"),
                undone.restored + undone.rows_removed,
                words.t("import-undone-kept"),
                undone.kept
            ));
        }
        Err(problem) => job.problem = Some(problem),
    }
    imports.save(&job).map_err(disk)?;
    Ok(here)
}

/// `POST /import/{id}/remove`: takes the file away.
pub(super) async fn remove(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Submission { session, .. }: Submission,
) -> Result<Response, Failure> {
    let job = job_of(&state, &session, &id)?;
    state.imports.remove(job.id).map_err(disk)?;
    Ok(Redirect::to("/import").into_response())
}

/// `GET /import/{id}/errors.csv`: the rows that were told of.
pub(super) async fn download_errors(
    State(state): State<AppState>,
    session: Session,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let job = job_of(&state, &session, &id)?;
    let text = tokio::fs::read(state.imports.errors_of(job.id)).await;
    let text = text.map_err(|_| Failure::NotFound)?;
    let kind = HeaderValue::from_static("text/csv; charset=utf-8");
    let name = HeaderValue::from_static("attachment; filename=\"errors.csv\"");
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], text).into_response())
}
