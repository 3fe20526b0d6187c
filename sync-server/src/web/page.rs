//! What every page has: its title, the way to the others, the language, who is signed in.

use askama::Template;
use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use outrider_core::{
    access::Operation,
    ids::RecordId,
    schema::{Entity, Language, Schema},
    time::{TimestampMs, to_rfc3339},
};

use super::{assets, session::Session, words::Words};
use crate::{error::AppError, storage::accounts::Role};

/// The built-in entities that people work with every day; a company's own are among them. The
/// others, such as stock moves and comments, are mostly reached from the records they belong to.
const MAIN: &[&str] = &[
    "customer",
    "contact",
    "lead",
    "opportunity",
    "activity",
    "interaction",
    "visit",
    "service_request",
    "sales_order",
    "contract",
    "product",
    "campaign",
    "report",
    "user",
];

fn is_main(entity: &Entity) -> bool {
    MAIN.contains(&entity.name.as_str()) || Schema::builtin().entity(&entity.name).is_none()
}

/// One way to another page.
#[derive(Debug, Clone)]
pub(super) struct Way {
    pub(super) href: String,
    pub(super) label: String,
    pub(super) is_here: bool,
}

/// Who is signed in, as far as pages show it.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    pub(super) user: String,
    pub(super) csrf: String,
}

/// What the layout needs.
#[derive(Debug, Clone)]
pub(super) struct Page {
    pub(super) words: Words,
    pub(super) title: String,
    pub(super) reader: Option<Reader>,
    pub(super) office: Vec<Way>,
    pub(super) entities: Vec<Way>,
    /// Those that are mostly reached from others.
    pub(super) more: Vec<Way>,
    /// The address of this page, to come back to after the language was changed.
    pub(super) here: String,
    /// The feed's position that the page shows; nothing for one that does not follow it.
    pub(super) position: Option<u64>,
    /// As whom the reader looks, to be said on top.
    pub(super) seen_as: Option<String>,
    /// What was just done, to be said once.
    pub(super) notice: Option<String>,
    /// What the search box says.
    pub(super) search: String,
    pub(super) status: u16,
}

impl Page {
    /// A page of someone who is signed in.
    pub(super) fn new(session: &Session, title: impl Into<String>, here: &str) -> Self {
        let words = Words(session.language);
        let way = |href: &str, label: String| Way {
            href: href.to_owned(),
            label,
            is_here: here.split('?').next() == Some(href),
        };
        let mut office = vec![way("/", words.t("nav-today"))];
        if session.may(Operation::Read, "opportunity") {
            office.push(way("/reports/pipeline", words.t("nav-pipeline")));
        }
        if Schema::current().entities().any(|one| session.may(Operation::Import, &one.name)) {
            office.push(way("/import", words.t("nav-import")));
        }
        office.push(way("/duplicates", words.t("duplicates-title")));
        office.push(way("/reviews", words.t("nav-reviews")));
        office.push(way("/me", words.t("nav-me")));
        if session.role == Role::Administrator {
            office.push(way("/devices", words.t("nav-devices")));
            office.push(way("/accounts", words.t("nav-accounts")));
            office.push(way("/rules", words.t("nav-rules")));
            office.push(way("/audit", words.t("nav-audit")));
        }
        let way_of = |entity: &Entity| {
            let href = format!("/records/{}", entity.name);
            let is_here = here.split('?').next().is_some_and(|path| {
                path.strip_prefix(&href)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            });
            Way { label: entity.label.get(session.language).to_owned(), href, is_here }
        };
        let sees = |entity: &&Entity| session.may(Operation::Read, &entity.name);
        let (main, more): (Vec<&Entity>, Vec<&Entity>) =
            Schema::current().entities().filter(sees).partition(|entity| is_main(entity));
        Self {
            words,
            title: title.into(),
            reader: Some(Reader { user: session.user.clone(), csrf: session.csrf.clone() }),
            office,
            entities: main.into_iter().map(way_of).collect(),
            more: more.into_iter().map(way_of).collect(),
            here: here.to_owned(),
            position: None,
            seen_as: session.seen_as.as_ref().map(|seen| seen.user.clone()),
            notice: None,
            search: String::new(),
            status: 200,
        }
    }

    /// A page of someone who is not signed in.
    pub(super) fn for_nobody(words: Words, title: impl Into<String>) -> Self {
        Self {
            words,
            title: title.into(),
            reader: None,
            office: Vec::new(),
            entities: Vec::new(),
            more: Vec::new(),
            here: "/".to_owned(),
            position: None,
            seen_as: None,
            notice: None,
            search: String::new(),
            status: 200,
        }
    }

    /// The page follows the feed from this position.
    pub(super) fn at(mut self, position: u64) -> Self {
        self.position = Some(position);
        self
    }

    /// The page shows what this search found.
    pub(super) fn searching(mut self, text: &str) -> Self {
        text.clone_into(&mut self.search);
        self
    }

    /// The words under a key.
    pub(super) fn t(&self, key: &str) -> String {
        self.words.t(key)
    }

    /// The words under a key with a number.
    pub(super) fn count(&self, key: &str, count: &u64) -> String {
        self.words.count(key, *count)
    }

    /// The words under a key with a name.
    pub(super) fn name(&self, key: &str, name: &str) -> String {
        self.words.name(key, name)
    }

    pub(super) fn css(&self) -> &'static str {
        assets::address("office.css")
    }

    pub(super) fn js(&self) -> &'static str {
        assets::address("office.js")
    }

    pub(super) fn icon(&self) -> &'static str {
        assets::address("icon.svg")
    }

    pub(super) fn csrf(&self) -> &str {
        self.reader.as_ref().map_or("", |reader| &reader.csrf)
    }

    pub(super) fn is_english(&self) -> bool {
        self.words.0 == Language::En
    }
}

/// A moment, for machines and for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct When {
    pub(super) iso: String,
    /// In UTC; the script shows it in the reader's time zone.
    pub(super) text: String,
}

impl When {
    pub(super) fn at(at_ms: TimestampMs) -> Self {
        let iso = to_rfc3339(at_ms);
        let text = match (iso.get(..10), iso.get(11..16)) {
            (Some(day), Some(time)) => format!("{day} {time} UTC"),
            (_, _) => iso.clone(),
        };
        Self { iso, text }
    }
}

/// The name of a record for people; one that has none gets that of its entity and the end of its id.
pub(super) fn name_of(title: &str, id: RecordId, entity: &str, language: Language) -> String {
    if title != id.to_string() {
        return title.to_owned();
    }
    let label = Schema::current().entity(entity).map(|entity| label_of(entity, language));
    let tail = title.len().saturating_sub(6);
    format!("{} · {}", label.unwrap_or(entity), title.get(tail..).unwrap_or(title))
}

/// The name of an entity's records in a language.
pub(super) fn label_of(entity: &Entity, language: Language) -> &str {
    entity.label.get(language)
}

/// Renders a template as an HTML page.
pub(super) fn respond(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => {
            let html_type = HeaderValue::from_static("text/html; charset=utf-8");
            ([(header::CONTENT_TYPE, html_type)], html).into_response()
        }
        Err(_) => AppError::Internal("a page could not be rendered").into_response(),
    }
}
