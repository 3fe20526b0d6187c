//! A page of an entity's records: search by name, sorting, pages, and the names that links
//! suggest while somebody types.

use askama::Template;
use axum::{
    Json as JsonBody,
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Response},
};
use outrider_core::{
    ids::RecordId,
    schema::{Entity, Field, Kind, Language, Type},
    store::{
        query::{Compare, Filter, Query},
        saved::SavedFilter,
    },
};
use serde::Serialize;

use super::{
    edit::{entity_of, titles_in},
    export::{Offer, offers},
    failure::Failure,
    form::Fields,
    inputs::{self, parts},
    page::{Page, name_of, respond},
    session::Session,
    show::{Shown, show},
};
use crate::{
    audit::reading::showing,
    office::{self, ListPage, OfficeError, RecordView, Selection},
    state::AppState,
    storage::Read,
};

/// Records on one page.
pub(super) const PAGE_RECORDS: usize = 50;
/// Columns that are looked through for those that have something to show.
const CANDIDATES_MAX: usize = 14;
/// Columns of a list beside the name, at most.
const COLUMNS_MAX: usize = 6;
/// Characters of a search, at most.
pub(super) const SEARCH_CHARS_MAX: usize = 200;

/// What the address of a list says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Asked {
    search: String,
    sort: Option<String>,
    is_descending: bool,
    with_archived: bool,
    after: Option<String>,
    /// A field, and the record that it links to.
    by: Option<(String, String)>,
    /// The saved filter that is taken.
    saved: Option<RecordId>,
    /// What it asks for besides.
    filters: Vec<Filter>,
}

impl Asked {
    /// Takes a saved filter; an order or a search of one's own stays.
    fn take(&mut self, filter: SavedFilter) {
        if self.sort.is_none() {
            self.sort = filter.query.sort;
            self.is_descending = filter.query.descending;
        }
        if self.search.is_empty() {
            self.search = filter.search;
        }
        self.with_archived |= filter.query.with_archived;
        self.filters = filter.query.filters;
    }

    /// As a saved filter keeps it.
    fn keep(&self, name: String, is_shared: bool) -> SavedFilter {
        let query = Query { after: None, ..self.query() };
        SavedFilter { id: None, name, search: self.search.clone(), query, is_shared }
    }

    pub(super) fn read(query: &str) -> Self {
        let fields = Fields(
            form_urlencoded::parse(query.as_bytes())
                .take(20)
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
        );
        let some = |name: &str| Some(fields.get(name).to_owned()).filter(|text| !text.is_empty());
        Self {
            search: fields.get("q").trim().chars().take(SEARCH_CHARS_MAX).collect(),
            sort: some("sort"),
            is_descending: fields.get("dir") == "down",
            with_archived: fields.get("archived") == "yes",
            after: some("after"),
            by: some("by").zip(some("of")),
            saved: fields.get("saved").parse().ok(),
            filters: Vec::new(),
        }
    }

    /// The address of this list as a file.
    fn export_address(&self, entity: &Entity, format: &str) -> String {
        let (path, export) = (format!("/records/{}", entity.name), format!("/export/{format}"));
        let address = self.address(entity);
        let query = address.strip_prefix(&path).unwrap_or_default();
        [&path, export.as_str(), query].concat()
    }

    /// The address of this list with another page or order.
    fn address(&self, entity: &Entity) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let mut add = |name: &str, value: Option<&str>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                query.append_pair(name, value);
            }
        };
        add("q", Some(&self.search));
        add("by", self.by.as_ref().map(|(field, _)| field.as_str()));
        add("of", self.by.as_ref().map(|(_, id)| id.as_str()));
        add("sort", self.sort.as_deref());
        add("dir", self.is_descending.then_some("down"));
        add("archived", self.with_archived.then_some("yes"));
        add("saved", self.saved.map(|id| id.to_string()).as_deref());
        add("after", self.after.as_deref());
        let query = query.finish();
        let path = format!("/records/{}", entity.name);
        if query.is_empty() { path } else { format!("{path}?{query}") }
    }

    /// Everything that the list shows, on whatever page.
    pub(super) fn selection(mut self, read: &dyn Read) -> Result<Selection, OfficeError> {
        if let Some(id) = self.saved {
            self.take(office::saved_filter(read, id)?);
        }
        let query = Query { after: None, ..self.query() };
        Ok(if self.search.is_empty() {
            Selection::List(query)
        } else {
            Selection::Found(self.search, query)
        })
    }

    fn query(&self) -> Query {
        let mut filters = self.filters.clone();
        filters.extend(self.by.clone().map(|(column, value)| Filter {
            column,
            compare: Compare::Is,
            value,
        }));
        Query {
            filters,
            // Without an order of one's own: the newest first.
            descending: self.is_descending || self.sort.is_none(),
            sort: self.sort.clone(),
            after: self.after.clone(),
            limit: PAGE_RECORDS,
            with_archived: self.with_archived,
        }
    }
}

/// What a form says of the list that it was sent from, as a saved filter.
///
/// # Errors
///
/// Fails when the filter that the list took is not there any more.
pub(super) fn filter_of(read: &dyn Read, fields: &Fields) -> Result<SavedFilter, OfficeError> {
    let query = fields.get("list");
    let name: String = fields.get("name").trim().chars().take(SEARCH_CHARS_MAX).collect();
    let mut asked = Asked::read(query);
    if let Some(id) = asked.saved {
        asked.take(office::saved_filter(read, id)?);
    }
    Ok(asked.keep(name, fields.get("shared") == "yes"))
}

/// The head of a column.
#[derive(Debug, Clone)]
struct Head {
    label: String,
    href: Option<String>,
    /// What `aria-sort` says, if the list is in order of it.
    order: Option<&'static str>,
    is_number: bool,
}

#[derive(Debug, Clone)]
struct Row {
    id: RecordId,
    href: String,
    title: String,
    is_archived: bool,
    conflicts: u64,
    /// Each with the column's name: a narrow page has no heads.
    cells: Vec<(String, Shown)>,
}

#[derive(Template)]
#[template(path = "list.html")]
struct ListTemplate {
    page: Page,
    heading: String,
    path: String,
    new: String,
    asked: Asked,
    /// The record that all of these link to.
    of: Option<(String, String)>,
    heads: Vec<Head>,
    rows: Vec<Row>,
    /// Filters to take: where, what they are called, whether it is this one.
    saved: Vec<(String, String, bool)>,
    /// The address of this list without its path, to keep.
    list: String,
    /// Whether there is something to keep.
    can_save: bool,
    total: u64,
    exports: Vec<Offer>,
    first: Option<String>,
    next: Option<String>,
}

/// The fields that a list shows beside the name: those that tell most at a glance.
fn columns(entity: &'static Entity, records: &[RecordView]) -> Vec<&'static Field> {
    let weight = |field: &Field| {
        if field.name == "owner_id" {
            return 2;
        }
        match (&field.ty, field.indexed) {
            (Type::Picklist(_) | Type::Money, true) => 0,
            (_, true) if field.required => 0,
            (Type::Money, false) => 1,
            (_, true) => 3,
            (_, false) => 9,
        }
    };
    let is_short = |field: &&Field| {
        field.kind.is_single()
            && field.name != entity.title
            && !field.by_program
            && field.part.as_str() == "main"
            && !matches!(field.name.as_str(), "external_id" | "created_by" | "created_at")
            && weight(field) < 9
    };
    let mut found: Vec<&Field> = entity.fields.iter().filter(is_short).collect();
    found.sort_by_key(|field| weight(field));
    found.truncate(CANDIDATES_MAX);
    // What no record of the page has would be an empty column; what stays keeps its order.
    let is_used = |field: &&Field| {
        records.is_empty() || records.iter().any(|record| record.json.contains_key(&field.name))
    };
    found.retain(is_used);
    found.truncate(COLUMNS_MAX);
    let place = |field: &Field| entity.fields.iter().position(|other| other.name == field.name);
    found.sort_by_key(|field| place(field));
    found
}

/// The column of the rows that a field is sorted by.
fn sort_column(field: &Field) -> Option<String> {
    if !field.kind.is_single() {
        return None;
    }
    match field.ty.name() {
        "money" => Some(format!("{}_minor", field.name)),
        "period" | "time_span" => Some(format!("{}_start", field.name)),
        // An order by ids, or by a place on Earth, says nothing.
        "link" => None,
        _ if parts(&field.ty).is_empty() || field.ty.name() == "person_name" => {
            Some(field.name.clone())
        }
        _ => None,
    }
}

/// `GET /records/{entity}`: the list.
pub(super) async fn show_list(
    State(state): State<AppState>,
    session: Session,
    Path(entity): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let entity = entity_of(&entity)?;
    let mut asked = Asked::read(&query.unwrap_or_default());
    let (user, name) = (session.subject().user_record, session.subject().user.to_owned());
    let of = asked.by.as_ref().and_then(|(_, id)| id.parse::<RecordId>().ok());
    let (position, list, titles, saved, asked) = state
        .run_as(session.eyes(), move |storage| {
            let read = storage.read()?;
            if let Some(id) = asked.saved {
                asked.take(office::saved_filter(&*read, id)?);
            }
            let wanted = asked.query();
            let list = match asked.search.is_empty() {
                true => office::list(&*read, entity, &wanted)?,
                false => office::list_found(&*read, entity, &asked.search, &wanted)?,
            };
            let user = match user {
                Some(user) => Some(user),
                None => office::find_user(&*read, &name)?,
            };
            let saved = office::saved_filters(&*read, entity, user)?;
            let mut titles = office::titles(&*read, of)?;
            for record in &list.records {
                titles.extend(titles_in(&*read, &record.json, &Fields::default())?);
            }
            Ok::<_, OfficeError>((read.position()?, list, titles, saved, asked))
        })
        .await?;
    let language = session.language;
    let columns = columns(entity, &list.records);
    let here = asked.address(entity);
    let of = of.map(|id| match titles.get(&id) {
        Some((entity, title)) => (format!("/records/{entity}/{id}"), title.clone()),
        None => (String::new(), id.to_string()),
    });
    let ListPage { records, next, total } = list;
    let count = records.len();
    let rows = records.into_iter().map(|record| {
        let cell = |field: &&Field| {
            let json = record.json.get(&field.name);
            let shown = json.map(|json| show(&field.ty, json, language, &titles));
            (field.label.get(language).to_owned(), shown.unwrap_or(Shown::Empty))
        };
        Row {
            href: format!("/records/{}/{}", entity.name, record.id),
            cells: columns.iter().map(cell).collect(),
            is_archived: record.is_archived,
            conflicts: record.conflicts.len() as u64,
            id: record.id,
            title: name_of(&record.title, record.id, &entity.name, language),
        }
    });
    let heads = entity.title_field().into_iter().chain(columns.iter().copied());
    let first = Asked { after: None, ..asked.clone() };
    let page = ListTemplate {
        page: Page::new(&session, entity.plural.get(language), &here).at(position),
        heading: entity.plural.get(language).to_owned(),
        path: format!("/records/{}", entity.name),
        new: match &asked.by {
            Some((field, id)) => format!("/records/{}/new?{field}={id}", entity.name),
            None => format!("/records/{}/new", entity.name),
        },
        heads: heads.map(|field| head(field, entity, &asked, language)).collect(),
        rows: rows.collect(),
        total,
        exports: offers(entity, |format| first.export_address(entity, format)),
        first: asked.after.is_some().then(|| first.address(entity)),
        next: next.map(|next| Asked { after: Some(next), ..asked.clone() }.address(entity)),
        of,
        saved: saved
            .into_iter()
            .filter_map(|filter| {
                let href = format!("/records/{}?saved={}", entity.name, filter.id?);
                Some((href, filter.name, filter.id == asked.saved))
            })
            .collect(),
        list: Asked { after: None, ..asked.clone() }
            .address(entity)
            .split_once('?')
            .map_or_else(String::new, |(_, query)| query.to_owned()),
        can_save: !asked.search.is_empty() || asked.sort.is_some() || asked.by.is_some(),
        asked,
    };
    Ok(showing(respond(&page), count))
}

fn head(field: &Field, entity: &Entity, asked: &Asked, language: Language) -> Head {
    let column = sort_column(field);
    let is_sorted = column.is_some() && asked.sort == column;
    let order = is_sorted.then_some(if asked.is_descending { "descending" } else { "ascending" });
    let href = column.map(|column| {
        let is_descending = is_sorted && !asked.is_descending;
        Asked { sort: Some(column), is_descending, after: None, ..asked.clone() }.address(entity)
    });
    let is_number =
        matches!(field.ty.name(), "money" | "integer" | "decimal") && field.kind != Kind::Text;
    Head { label: field.label.get(language).to_owned(), href, order, is_number }
}

/// A record that a link may mean.
#[derive(Serialize)]
pub(super) struct Suggestion {
    id: RecordId,
    title: String,
}

/// `GET /suggest/{entity}?q=`: records whose name contains a text, for inputs of links.
pub(super) async fn suggest(
    State(state): State<AppState>,
    session: Session,
    Path(entity): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let entity = entity_of(&entity)?;
    let search = Asked::read(&query.unwrap_or_default()).search;
    let found = state
        .run_as(session.eyes(), move |storage| {
            inputs::search(&*storage.read()?, &entity.name, &search)
        })
        .await?;
    let names: Vec<String> = found.iter().map(|(_, title)| title.clone()).collect();
    let suggestion = |(id, title): (RecordId, String)| {
        let is_unique = names.iter().filter(|name| **name == title).count() < 2;
        Suggestion { id, title: if is_unique { title } else { inputs::label(&title, id) } }
    };
    let found: Vec<Suggestion> = found.into_iter().map(suggestion).collect();
    let count = found.len();
    Ok(showing(JsonBody(found).into_response(), count))
}
