//! Questions: lists, search, what is near, timelines, links.

use std::time::SystemTime;

use outrider_core::search::Snippet;
use outrider_core::{
    ids::RecordId,
    replica as core,
    store::{
        near::NearQuery as CoreNear,
        query::{self as store, Query},
        search as core_search, timeline as core_timeline,
    },
};

use crate::{
    error::{CrmError, Teller},
    records::{CrmRecord, record_of},
    replica::Replica,
    values::{FieldValue, GeoPoint, JsonText, Scalar, milliseconds, moment},
    words,
};

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Compare {
    /// The same value; no value means that there is none.
    Is,
    /// Another value, or none.
    IsNot,
    /// At least.
    From,
    /// At most.
    To,
    /// Text that contains the value, capitals of Latin letters apart.
    Contains,
}

impl From<Compare> for store::Compare {
    fn from(compare: Compare) -> Self {
        match compare {
            Compare::Is => Self::Is,
            Compare::IsNot => Self::IsNot,
            Compare::From => Self::From,
            Compare::To => Self::To,
            Compare::Contains => Self::Contains,
        }
    }
}

/// One condition.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Filter {
    /// A field's name, or a column of one such as `amount_minor`.
    pub field: String,
    /// How it is compared.
    pub compare: Compare,
    /// With what; nothing for fields that are empty.
    #[uniffi(default = None)]
    pub value: Option<FieldValue>,
}

/// Which records of an entity to list, and how.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct ListQuery {
    /// Name of the entity.
    pub entity: String,
    /// All must hold; at most 20.
    #[uniffi(default = [])]
    pub filters: Vec<Filter>,
    /// Only what a search for this finds, the best hits first unless `sort` says otherwise.
    #[uniffi(default = None)]
    pub text: Option<String>,
    /// The field to sort by; by time of creation if none.
    #[uniffi(default = None)]
    pub sort: Option<String>,
    /// Whether the greatest comes first.
    #[uniffi(default = false)]
    pub descending: bool,
    /// `next` of the page before.
    #[uniffi(default = None)]
    pub after: Option<String>,
    /// Records on a page, at most 1,000.
    #[uniffi(default = 50)]
    pub limit: u32,
    /// Whether archived records are listed too.
    #[uniffi(default = false)]
    pub with_archived: bool,
}

/// A page of records.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct ListPage {
    /// The records, in order.
    pub records: Vec<CrmRecord>,
    /// What to give as `after` for the next page, if there is more.
    pub next: Option<String>,
}

/// A piece of a text that was found; the pieces together are the text.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct TextPart {
    /// The piece.
    pub text: String,
    /// Whether it is what was searched for.
    pub is_hit: bool,
}

/// What to search for.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SearchQuery {
    /// What a person typed: words, Chinese characters, pinyin, initials, digits.
    pub text: String,
    /// Only these entities; all if empty.
    #[uniffi(default = [])]
    pub entities: Vec<String>,
    /// `next` of the page before.
    #[uniffi(default = None)]
    pub after: Option<String>,
    /// Hits on a page, at most 200.
    #[uniffi(default = 20)]
    pub limit: u32,
    /// Whether archived records are found too.
    #[uniffi(default = false)]
    pub with_archived: bool,
}

/// A record that was found.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SearchHit {
    /// Name of its entity.
    pub entity: String,
    /// The record.
    pub record: RecordId,
    /// Its name.
    pub title: String,
    /// Its name in pieces, of which some were found.
    pub title_parts: Vec<TextPart>,
    /// The field in which it was found, if not in the name, in the user's language.
    pub field_label: Option<String>,
    /// What stands there, in pieces; none if it was found in the name.
    pub snippet_parts: Vec<TextPart>,
    /// Whether it is archived.
    pub is_archived: bool,
    /// Whether it was found although a letter differs.
    pub is_slip: bool,
}

/// How many records of an entity.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct EntityCount {
    /// Name of the entity.
    pub entity: String,
    /// How many.
    pub count: u64,
}

/// A page of what was found.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SearchPage {
    /// The best hits first.
    pub hits: Vec<SearchHit>,
    /// What to give as `after` for the next page, if there is more.
    pub next: Option<String>,
    /// How many of each entity.
    pub counts: Vec<EntityCount>,
    /// How many in all.
    pub total: u64,
    /// Whether there are more than are counted.
    pub is_cut: bool,
}

/// A record near a place.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NearRecord {
    /// Name of its entity.
    pub entity: String,
    /// The record.
    pub record: RecordId,
    /// The field that says where it is.
    pub field: String,
    /// How far away, in metres.
    pub distance_m: u32,
}

/// Which part of a story to tell.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct TimelineQuery {
    /// A customer, with all that belongs to it, or any other record.
    pub record: RecordId,
    /// Only these: names of entities, or of logs such as `opportunity.stages`; all if empty.
    #[uniffi(default = [])]
    pub kinds: Vec<String>,
    /// Only from this moment on.
    #[uniffi(default = None)]
    pub since: Option<SystemTime>,
    /// Only before this moment.
    #[uniffi(default = None)]
    pub before: Option<SystemTime>,
    /// Only what this user answers for or created.
    #[uniffi(default = None)]
    pub by: Option<RecordId>,
    /// `next` of the page before.
    #[uniffi(default = None)]
    pub after: Option<String>,
    /// Entries on a page, at most 200.
    #[uniffi(default = 50)]
    pub limit: u32,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct TimelineEntry {
    /// When; nothing where nobody said.
    pub at: Option<SystemTime>,
    /// Name of the record's entity.
    pub entity: String,
    /// The record.
    pub record: RecordId,
    /// Its name.
    pub title: String,
    /// The entity's name for the record itself, `opportunity.stages` for an entry of that log.
    pub kind: String,
    /// Whose it is.
    pub by: Option<RecordId>,
    /// That user's name.
    pub by_name: Option<String>,
    /// What is worth reading.
    pub detail: JsonText,
}

/// A page of a timeline.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct TimelinePage {
    /// The newest first.
    pub entries: Vec<TimelineEntry>,
    /// What to give as `after` for the next page, if there is more.
    pub next: Option<String>,
}

/// A record that another links to, or is linked from.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct RecordLink {
    /// The field that holds the link.
    pub field: String,
    /// Name of the other record's entity.
    pub entity: String,
    /// The other record.
    pub record: RecordId,
    /// Its name; nothing if it is not on this device.
    pub title: Option<String>,
}

/// The links of a record, both ways.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct RecordLinks {
    /// Records that this one names.
    pub outgoing: Vec<RecordLink>,
    /// Records that name this one, at most 200 per field.
    pub incoming: Vec<RecordLink>,
}

#[uniffi::export]
impl Replica {
    /// A record, with all that is computed for it; nothing if it is not on this device.
    ///
    /// # Errors
    ///
    /// `Damaged` where it waits for the office's copy.
    pub fn get(&self, record: RecordId) -> Result<Option<CrmRecord>, CrmError> {
        Ok(self.with(|replica| replica.get(record))?.and_then(record_of))
    }

    /// A page of an entity's records, without what is computed from other records.
    ///
    /// # Errors
    ///
    /// `Invalid` for a field, value or page that there is not.
    pub fn list(&self, query: ListQuery) -> Result<ListPage, CrmError> {
        let text = query.text.clone();
        let (entity, query) = query.read(self.teller())?;
        let page = self.with(|replica| match &text {
            Some(text) => replica.list_found(&entity, text, &query),
            None => replica.list(&entity, &query),
        })?;
        Ok(page_of(page))
    }

    /// How many records the conditions of a question hold for.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub fn count(&self, query: ListQuery) -> Result<u64, CrmError> {
        let (entity, query) = query.read(self.teller())?;
        self.with(|replica| replica.count(&entity, &query))
    }

    /// Searches all records, the best hits first. Whatever is typed is no error.
    ///
    /// # Errors
    ///
    /// `Invalid` for an entity or page that there is not.
    pub fn search(&self, query: SearchQuery) -> Result<SearchPage, CrmError> {
        let SearchQuery { text, entities, after, limit, with_archived } = query;
        let limit = limit as usize;
        let query = core_search::SearchQuery { text, entities, with_archived, after, limit };
        let page = self.with(|replica| replica.search(&query))?;
        let core_search::SearchPage { hits, next, counts, total, is_cut } = page;
        let counts = counts.into_iter().map(|(entity, count)| EntityCount { entity, count });
        let hits = hits.into_iter().map(|hit| self.hit(hit)).collect();
        Ok(SearchPage { hits, next, counts: counts.collect(), total, is_cut })
    }

    /// Records near a place, the nearest first, at most 200.
    ///
    /// # Errors
    ///
    /// `Invalid` for a place that is not on Earth, and an entity without positions.
    #[uniffi::method(default(entity = None, radius_m = 10_000, limit = 50))]
    pub fn near(
        &self,
        place: GeoPoint,
        entity: Option<String>,
        radius_m: u32,
        limit: u32,
    ) -> Result<Vec<NearRecord>, CrmError> {
        let degrees = |degrees: f64| {
            degrees
                .to_string()
                .parse()
                .map_err(|_| self.teller().invalid("bad_place", words::PLACE))
        };
        let (lat, lon) = (degrees(place.latitude)?, degrees(place.longitude)?);
        let query = CoreNear { lat, lon, entity, radius_m, limit: limit as usize };
        let found = self.with(|replica| replica.near(&query))?;
        let found = found.into_iter().map(|near| {
            let outrider_core::store::near::NearRecord { entity, record, field, distance_m } = near;
            NearRecord { entity, record, field, distance_m }
        });
        Ok(found.collect())
    }

    /// What happened with a customer and all that belongs to it, or with any other record.
    ///
    /// # Errors
    ///
    /// `Invalid` for a kind or page that there is not.
    pub fn timeline(&self, query: TimelineQuery) -> Result<TimelinePage, CrmError> {
        let TimelineQuery { record, kinds, since, before, by, after, limit } = query;
        let (from, to) = (since.map(milliseconds), before.map(milliseconds));
        let limit = limit as usize;
        let query = core_timeline::TimelineQuery { kinds, from, to, by, after, limit };
        let page = self.with(|replica| replica.timeline(record, &query))?;
        let entries = page.entries.into_iter().map(|entry| {
            let core_timeline::TimelineEntry {
                at_ms,
                entity,
                record,
                title,
                kind,
                by,
                by_name,
                detail,
            } = entry;
            let (at, detail) = ((at_ms != 0).then(|| moment(at_ms)), JsonText(detail.to_string()));
            TimelineEntry { at, entity, record, title, kind, by, by_name, detail }
        });
        Ok(TimelinePage { entries: entries.collect(), next: page.next })
    }

    /// The links of a record, both ways.
    ///
    /// # Errors
    ///
    /// `NotFound` if it is not here.
    pub fn links(&self, record: RecordId) -> Result<RecordLinks, CrmError> {
        let core::Links { to, from } = self.with(|replica| replica.links(record))?;
        let links = |links: Vec<core::read::Link>| {
            let link = |core::read::Link { field, entity, record, title }| RecordLink {
                field,
                entity,
                record,
                title,
            };
            links.into_iter().map(link).collect()
        };
        Ok(RecordLinks { outgoing: links(to), incoming: links(from) })
    }
}

impl Replica {
    fn hit(&self, hit: core_search::Hit) -> SearchHit {
        let core_search::Hit { entity, record, title, title_marks, place, is_archived, is_slip } =
            hit;
        let (field_label, snippet_parts) = match place {
            Some(core_search::HitPlace { field: _, label, snippet: Snippet { text, marks } }) => {
                (Some(label.get(self.language).to_owned()), parts_of(&text, &marks))
            }
            None => (None, Vec::new()),
        };
        let title_parts = parts_of(&title, &title_marks);
        SearchHit {
            entity,
            record,
            title,
            title_parts,
            field_label,
            snippet_parts,
            is_archived,
            is_slip,
        }
    }
}

/// A text in pieces. Places in a text are of bytes here, of something else in each language: pieces are not.
fn parts_of(text: &str, marks: &[std::ops::Range<usize>]) -> Vec<TextPart> {
    let mut parts = Vec::new();
    let mut add = |range: std::ops::Range<usize>, is_hit| {
        if let Some(text) = text.get(range).filter(|text| !text.is_empty()) {
            parts.push(TextPart { text: text.to_owned(), is_hit });
        }
    };
    let mut done = 0;
    for mark in marks {
        add(done..mark.start, false);
        add(mark.clone(), true);
        done = mark.end;
    }
    add(done..text.len(), false);
    parts
}

pub(crate) fn page_of(page: core::Page) -> ListPage {
    let core::Page { records, next } = page;
    ListPage { records: records.into_iter().filter_map(record_of).collect(), next }
}

impl ListQuery {
    /// All records of an entity.
    #[cfg(test)]
    pub(crate) fn of(entity: &str) -> Self {
        let (entity, filters) = (entity.to_owned(), Vec::new());
        let (text, sort, after, limit) = (None, None, None, 50);
        Self { entity, filters, text, sort, descending: false, after, limit, with_archived: false }
    }

    /// The question as the core asks it.
    pub(crate) fn read(self, teller: Teller<'_>) -> Result<(String, Query), CrmError> {
        let Self { entity, filters, text: _, sort, descending, after, limit, with_archived } = self;
        let filter = |filter: Filter| {
            let Filter { field, compare, value } = filter;
            let value = value.map_or(Some(String::new()), |value| text_of(&value));
            let value = value.ok_or_else(|| teller.invalid("bad_filter", words::FILTER))?;
            Ok(store::Filter { column: field, compare: compare.into(), value })
        };
        let filters = filters.into_iter().map(filter).collect::<Result<_, CrmError>>()?;
        let limit = limit as usize;
        Ok((entity, Query { filters, sort, descending, after, limit, with_archived }))
    }
}

/// A value as conditions are written.
fn text_of(value: &FieldValue) -> Option<String> {
    match value {
        FieldValue::Text(text) => Some(text.clone()),
        FieldValue::Integer(number) => Some(number.to_string()),
        FieldValue::Decimal(number) => Some(number.0.clone()),
        FieldValue::YesNo(flag) => Some(flag.to_string()),
        FieldValue::Date(day) => Some(day.0.clone()),
        FieldValue::Moment(at) => at.to_json().as_str().map(str::to_owned),
        FieldValue::Link(record) => Some(record.to_string()),
        FieldValue::Amount(_)
        | FieldValue::Days(_)
        | FieldValue::Span(_)
        | FieldValue::Place(_)
        | FieldValue::Name(_)
        | FieldValue::Position(_)
        | FieldValue::Json(_) => None,
    }
}
