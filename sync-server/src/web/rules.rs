//! Rules, for administrators: what roles may do, what would change, and switching them on.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use outrider_core::{
    access::{Level, Operation, PartKind, Role},
    schema::Schema,
};

use super::{
    devices::check_role,
    failure::Failure,
    form::Submission,
    page::{Page, respond},
    session::Session,
    words::Words,
};
use crate::{
    access::admin::{self, RulesError},
    office::{self, OfficeError},
    state::AppState,
};

/// Users whose devices are previewed, at most.
const PREVIEW_MAX: usize = 100;
/// What the page shows of each role, in this order.
const SHOWN: [(Operation, PartKind); 6] = [
    (Operation::Read, PartKind::Main),
    (Operation::Read, PartKind::Restricted),
    (Operation::Read, PartKind::Texts),
    (Operation::Create, PartKind::Main),
    (Operation::Edit, PartKind::Main),
    (Operation::Approve, PartKind::Main),
];

/// One entity in the table of a role: its name, and how far each operation reaches.
struct Reach {
    entity: String,
    levels: Vec<String>,
}

struct RoleTable {
    name: String,
    label: String,
    rows: Vec<Reach>,
}

struct Seer {
    name: String,
    roles: String,
    records: u64,
    megabytes: String,
}

#[derive(Template)]
#[template(path = "rules.html")]
struct RulesPage {
    page: Page,
    number: u64,
    is_on: bool,
    heads: Vec<String>,
    roles: Vec<RoleTable>,
    seers: Vec<Seer>,
    problem: Option<String>,
}

/// `GET /rules`: what roles may do, and what each user would hold.
pub(super) async fn show_rules(
    State(state): State<AppState>,
    session: Session,
) -> Result<Response, Failure> {
    show(&state, &session, None).await
}

fn table(role: &Role, words: Words) -> RoleTable {
    let language = words.0;
    let reach = |entity: &outrider_core::schema::Entity| {
        let level =
            |(operation, part): &(Operation, PartKind)| role.level(&entity.name, *operation, *part);
        let levels: Vec<Level> = SHOWN.iter().map(level).collect();
        levels.iter().any(|level| *level > Level::None).then(|| Reach {
            entity: entity.label.get(language).to_owned(),
            levels: levels.into_iter().map(|level| words.t(key_of(level))).collect(),
        })
    };
    RoleTable {
        name: role.name.clone(),
        label: role.label.get(language).to_owned(),
        rows: Schema::current().entities().filter_map(reach).collect(),
    }
}

fn key_of(level: Level) -> &'static str {
    match level {
        Level::None => "level-none",
        Level::Own => "level-own",
        Level::Team => "level-team",
        Level::Territory => "level-territory",
        Level::All => "level-all",
    }
}

async fn show(
    state: &AppState,
    session: &Session,
    problem: Option<String>,
) -> Result<Response, Failure> {
    check_role(session)?;
    let now_ms = state.now_ms();
    let found = state.run(move |storage| {
        let rules = storage.read()?.rules()?;
        // Rules that could not be published have no preview.
        let seers = admin::preview(storage, rules.clone(), now_ms, PREVIEW_MAX).unwrap_or_default();
        let names = office::titles(&*storage.read()?, seers.iter().map(|seer| seer.user))?;
        Ok::<_, OfficeError>((rules, seers, names))
    });
    let (rules, seers, names) = found.await?;
    let words = Words(session.language);
    let seer = |seer: admin::Preview| Seer {
        name: names.get(&seer.user).map_or_else(String::new, |(_, name)| name.clone()),
        roles: seer.roles.join(", "),
        records: seer.records,
        megabytes: format!("{:.1}", seer.bytes as f64 / 1_000_000.0),
    };
    let heads = ["rules-read", "rules-read-restricted", "rules-read-texts", "rules-create"];
    let heads = heads.into_iter().chain(["rules-edit", "rules-approve"]);
    Ok(respond(&RulesPage {
        page: Page::new(session, words.t("nav-rules"), "/rules"),
        number: rules.number,
        is_on: rules.is_on,
        heads: heads.map(|key| words.t(key)).collect(),
        roles: rules.roles.values().map(|role| table(role, words)).collect(),
        seers: seers.into_iter().map(seer).collect(),
        problem,
    }))
}

/// `POST /rules`: switches the rules on or off.
pub(super) async fn switch_rules(
    State(state): State<AppState>,
    Submission { session, fields }: Submission,
) -> Result<Response, Failure> {
    check_role(&session)?;
    let is_on = fields.get("on") == "yes";
    let seen: u64 = fields.get("seen").parse().map_err(|_| Failure::BadQuery)?;
    let (by, now_ms) = (session.user.clone(), state.now_ms());
    let done = state.run(move |storage| {
        let mut rules = storage.read()?.rules()?;
        rules.is_on = is_on;
        match admin::publish(storage, rules, seen, &by, now_ms) {
            Ok(_) => Ok(None),
            Err(RulesError::Storage(error)) => Err(error),
            Err(RulesError::NoAdministrator) => Ok(Some("rules-no-administrator")),
            Err(RulesError::Changed) => Ok(Some("rules-changed")),
            Err(RulesError::Unreadable(_) | RulesError::TooLarge | RulesError::Unknown { .. }) => {
                Ok(Some("rules-wrong"))
            }
        }
    });
    match done.await? {
        None => Ok(Redirect::to("/rules").into_response()),
        Some(problem) => {
            let problem = Words(session.language).t(problem);
            show(&state, &session, Some(problem)).await
        }
    }
}
