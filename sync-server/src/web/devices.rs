//! Devices: whose they are, when they were last heard of; codes that let new ones in, and the
//! buttons that approve them, turn them away, and have them wiped.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::{HeaderMap, header},
    response::{IntoResponse as _, Redirect, Response},
};
use outrider_core::{
    ids::DeviceId,
    schema::{Entity, Schema},
    store::query::Query,
    sync::sign::fingerprint,
};
use qrcode::{EcLevel, QrCode, render::svg};

use super::{
    failure::Failure,
    form::Submission,
    page::{Page, When, respond},
    session::Session,
    words::Words,
};
use crate::{
    config::CODE_MINUTES,
    devices::{
        Bar, DeviceError,
        standing::{approve, decline, order_wipe, revoke},
    },
    enrol::{Approval, EnrolError, create_code_with},
    error::AppError,
    office::{self, OfficeError},
    state::AppState,
    storage::{
        DeviceContact, Storage,
        accounts::Role,
        standing::{DeviceStanding, EnrolmentRequest},
    },
};

/// Minutes that a code may be good, at most: a week.
const CODE_MINUTES_MAX: u32 = 7 * 24 * 60;
/// Users that the form suggests, at most.
const USERS_MAX: usize = 200;

struct Line {
    id: String,
    name: String,
    user: String,
    enrolled: When,
    contact: Option<When>,
    changes: u64,
    is_office: bool,
    fingerprint: String,
    /// Whether the office may let it in or not.
    waits: bool,
    /// Whether it can be turned away.
    is_in: bool,
    can_be_wiped: bool,
    /// How it stands, in words.
    standing: String,
    wipe_ordered: Option<When>,
    wiped: Option<When>,
}

impl Line {
    fn waiting(request: EnrolmentRequest, words: Words) -> Self {
        Self {
            id: request.device.to_string(),
            name: request.name,
            user: request.user,
            enrolled: When::at(request.asked_at),
            contact: None,
            changes: 0,
            is_office: false,
            fingerprint: fingerprint(&request.public_key).unwrap_or_default(),
            waits: true,
            is_in: false,
            can_be_wiped: false,
            standing: words.t("standing-pending"),
            wipe_ordered: None,
            wiped: None,
        }
    }

    fn of(contact: DeviceContact, standing: &DeviceStanding, words: Words) -> Self {
        let bar = Bar::of(standing);
        let name = match bar {
            None => "standing-active",
            Some(Bar::Revoked) => "standing-revoked",
            Some(Bar::UserDisabled) => "standing-user-disabled",
            Some(Bar::Wipe) => "standing-wipe",
            Some(Bar::Suspended) => match standing.reason.as_str() {
                "token_reused" => "standing-reused",
                _ => "standing-suspended",
            },
        };
        let at = |at: i64| (at > 0).then(|| When::at(at));
        Self {
            id: contact.device.id.to_string(),
            name: contact.device.name,
            user: contact.device.user,
            enrolled: When::at(contact.device.enrolled_at),
            contact: at(contact.last_contact_at),
            changes: contact.changes,
            is_office: contact.device.is_office,
            fingerprint: fingerprint(&contact.device.public_key).unwrap_or_default(),
            waits: bar == Some(Bar::Suspended),
            is_in: !contact.device.is_office && bar != Some(Bar::Revoked),
            can_be_wiped: !contact.device.is_office && standing.wipe_ordered_at == 0,
            standing: words.t(name),
            wipe_ordered: at(standing.wipe_ordered_at),
            wiped: at(standing.wiped_at),
        }
    }
}

#[derive(Template)]
#[template(path = "devices.html")]
struct DevicesPage {
    page: Page,
    waiting: Vec<Line>,
    lines: Vec<Line>,
    users: Vec<String>,
    minutes: u32,
    minutes_max: u32,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "code.html")]
struct CodePage {
    page: Page,
    user: String,
    code: String,
    expires: When,
    server: String,
    ca: Option<String>,
    link: String,
    picture: String,
}

/// `GET /devices`: all devices, and the form for a code.
pub(super) async fn show_devices(
    State(state): State<AppState>,
    session: Session,
) -> Result<Response, Failure> {
    list(state, session, None).await
}

async fn list(
    state: AppState,
    session: Session,
    problem: Option<String>,
) -> Result<Response, Failure> {
    check_role(&session)?;
    let words = Words(session.language);
    let (position, requests, devices, users) = state
        .run(move |storage| {
            let read = storage.read()?;
            let users = match Schema::current().entity("user") {
                Some(entity) => users(&*read, entity)?,
                None => Vec::new(),
            };
            let mut devices = Vec::new();
            for contact in office::devices(&*read)? {
                if let Some(standing) = read.standing(contact.device.id)? {
                    devices.push((contact, standing));
                }
            }
            let requests = read.enrolment_requests()?;
            Ok::<_, OfficeError>((read.position()?, requests, devices, users))
        })
        .await?;
    let lines = devices.into_iter().map(|(contact, standing)| Line::of(contact, &standing, words));
    let (again, lines): (Vec<Line>, Vec<Line>) = lines.partition(|line| line.waits);
    let waiting = requests.into_iter().map(|request| Line::waiting(request, words)).chain(again);
    Ok(respond(&DevicesPage {
        page: Page::new(&session, words.t("nav-devices"), "/devices").at(position),
        waiting: waiting.collect(),
        lines,
        users,
        minutes: CODE_MINUTES,
        minutes_max: CODE_MINUTES_MAX,
        problem,
    }))
}

fn users(read: &dyn crate::storage::Read, entity: &Entity) -> Result<Vec<String>, OfficeError> {
    let page = office::list(read, entity, &Query { limit: USERS_MAX, ..Query::default() })?;
    let mut users: Vec<String> = page.records.into_iter().map(|record| record.title).collect();
    users.sort();
    users.dedup();
    Ok(users)
}

pub(super) fn check_role(session: &Session) -> Result<(), Failure> {
    match session.role {
        Role::Administrator => Ok(()),
        Role::Office => Err(Failure::Forbidden),
    }
}

/// `POST /devices/codes`: makes a code and shows it, once.
pub(super) async fn create_device_code(
    State(state): State<AppState>,
    headers: HeaderMap,
    Submission { session, fields }: Submission,
) -> Result<Response, Failure> {
    check_role(&session)?;
    let words = Words(session.language);
    let user = fields.get("user").trim().to_owned();
    let minutes = fields.get("minutes").trim().parse::<u32>().ok();
    let Some(minutes) = minutes.filter(|m| (1..=CODE_MINUTES_MAX).contains(m)) else {
        return list(state, session, Some(words.t("code-minutes-wrong"))).await;
    };
    let approval = if fields.has("at_once") { Approval::AtOnce } else { Approval::ByOffice };
    let mut random = [0; 16];
    getrandom::fill(&mut random)
        .map_err(|_| AppError::Internal("the system gave no randomness"))?;
    let (random, now_ms, name) = (u128::from_be_bytes(random), state.now_ms(), user.clone());
    let by = session.account;
    let made = state
        .run(move |storage: &dyn Storage| {
            match create_code_with(storage, (&name, approval), minutes, random, Some(by), now_ms) {
                Ok(made) => Ok(Some(made)),
                Err(EnrolError::Invalid(_)) => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await?;
    let Some((code, expires_at)) = made else {
        return list(state, session, Some(words.t("code-user-wrong"))).await;
    };
    let server = server_of(&state, &headers);
    let ca = state.ca.as_ref().map(|ca| ca.fingerprint());
    let mut link = form_urlencoded::Serializer::new(String::new());
    link.append_pair("server", &server).append_pair("code", &code);
    if let Some(ca) = &ca {
        link.append_pair("ca", ca);
    }
    let link = format!("outrider://enroll?{}", link.finish());
    let picture = draw(&link)?;
    let page = Page::new(&session, words.t("code-title"), "/devices");
    let expires = When::at(expires_at);
    Ok(respond(&CodePage { page, user, code, expires, server, ca, link, picture }))
}

/// `POST /devices/{id}/{act}`: lets a device in, turns it away, or orders it to be wiped.
pub(super) async fn act_on_device(
    State(state): State<AppState>,
    Path((id, act)): Path<(String, String)>,
    Submission { session, .. }: Submission,
) -> Result<Response, Failure> {
    check_role(&session)?;
    let id = id.parse().map(DeviceId).map_err(|_| Failure::NotFound)?;
    let act = match act.as_str() {
        "approve" => approve,
        "decline" => decline,
        "revoke" => revoke,
        "wipe" => order_wipe,
        _ => return Err(Failure::NotFound),
    };
    let now_ms = state.now_ms();
    let done = state.run(move |storage: &dyn Storage| match act(storage, id, now_ms) {
        // A colleague was faster; the page shows how it stands.
        Ok(()) | Err(DeviceError::NotWaiting) => Ok(()),
        Err(error) => Err(error),
    });
    done.await?;
    Ok(Redirect::to("/devices").into_response())
}

/// Where devices reach this server: as it was told, else as the browser did.
fn server_of(state: &AppState, headers: &HeaderMap) -> String {
    if let Some(url) = &state.config.network.public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    let host: String = host.chars().filter(|c| is_host(*c)).collect();
    let scheme = if state.config.is_https() { "https" } else { "http" };
    format!("{scheme}://{host}")
}

/// The link as a picture for cameras.
pub(super) fn draw(link: &str) -> Result<String, AppError> {
    let code = QrCode::with_error_correction_level(link, EcLevel::M)
        .map_err(|_| AppError::Internal("a code could not be drawn"))?;
    let svg = code
        .render::<svg::Color<'_>>()
        .min_dimensions(240, 240)
        .dark_color(svg::Color("#000"))
        .light_color(svg::Color("#fff"))
        .build();
    // Within a page there is no XML declaration.
    Ok(svg.split_once("?>").map_or(svg.clone(), |(_, svg)| svg.to_owned()))
}
