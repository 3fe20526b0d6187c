//! Lists: pages of records, who links to whom, what waits to be settled, where the sales stand.

use outrider_core::{
    ids::RecordId,
    reports::PipelineReport,
    schema::{Entity, Field, Kind, Schema, Type},
    store::{
        query::{Compare, Filter, Query},
        timeline::{TimelinePage, TimelineQuery},
    },
};

use super::{
    OfficeError, titles,
    view::{Depth, RecordView, entity_of, view_of},
};
use crate::storage::{Read, StorageError};

/// Related records that are named per field, at most; the count tells of the others.
pub const RELATED_MAX: usize = 50;

/// One page of records, without their long texts.
#[derive(Debug, Clone)]
pub struct ListPage {
    /// The records in order.
    pub records: Vec<RecordView>,
    /// Where to go on, if there is more.
    pub next: Option<String>,
    /// How many the conditions hold for.
    pub total: u64,
}

/// Records that link to one by a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// The entity of the records that link.
    pub entity: &'static Entity,
    /// The field that holds the link.
    pub field: &'static Field,
    /// How many there are.
    pub count: u64,
    /// The newest with their names, at most [`RELATED_MAX`].
    pub records: Vec<(RecordId, String)>,
}

/// Records in which a person should choose.
#[derive(Debug, Clone)]
pub struct OpenConflicts {
    /// Some of them.
    pub records: Vec<RecordView>,
    /// Fields and cells with several values, in all records.
    pub count: u64,
}

/// A page of an entity's records.
///
/// # Errors
///
/// [`StorageError::Query`] for a column, value or cursor that does not fit the entity; fails when
/// the storage does.
pub fn list(read: &dyn Read, entity: &Entity, query: &Query) -> Result<ListPage, OfficeError> {
    let page = read.list(entity, query)?;
    let total = read.count(entity, query)?;
    Ok(ListPage { records: views(read, page.ids)?, next: page.next, total })
}

pub(super) fn views(
    read: &dyn Read,
    ids: impl IntoIterator<Item = RecordId>,
) -> Result<Vec<RecordView>, StorageError> {
    let found = ids.into_iter().map(|id| match view_of(read, id, Depth::Flat) {
        // One that is damaged is left out, and the others are shown.
        Err(error) if error.is_damage() => Ok(None),
        found => found,
    });
    found.filter_map(Result::transpose).collect()
}

/// Who links to a record, by the fields that have an index: those that are meant to be asked for.
///
/// # Errors
///
/// [`OfficeError::UnknownRecord`]; fails when the storage does.
pub fn related(read: &dyn Read, id: RecordId) -> Result<Vec<Related>, OfficeError> {
    let target = entity_of(read, id)?.ok_or(OfficeError::UnknownRecord(id))?;
    let mut found = Vec::new();
    for entity in Schema::current().entities() {
        for field in entity.fields.iter().filter(|field| links_to(field, target)) {
            let compare = Compare::Is;
            let filter = Filter { column: field.name.clone(), compare, value: id.to_string() };
            let query = Query {
                filters: vec![filter],
                descending: true,
                limit: RELATED_MAX,
                ..Query::default()
            };
            let count = read.count(entity, &query)?;
            if count == 0 {
                continue;
            }
            let ids = read.list(entity, &query)?.ids;
            let mut names = titles(read, ids.iter().copied())?;
            let records = ids.into_iter().map(|id| {
                let name = names.remove(&id).map_or_else(|| id.to_string(), |(_, title)| title);
                (id, name)
            });
            found.push(Related { entity, field, count, records: records.collect() });
        }
    }
    Ok(found)
}

fn links_to(field: &Field, target: &Entity) -> bool {
    let is_link = matches!(&field.ty, Type::Link(entity) if *entity == target.name);
    is_link && field.indexed && matches!(field.kind, Kind::Register | Kind::Once | Kind::Office)
}

/// Records with fields that have several values, at most `limit`.
///
/// # Errors
///
/// Fails when the storage does.
pub fn open_conflicts(read: &dyn Read, limit: usize) -> Result<OpenConflicts, OfficeError> {
    let (ids, count) = read.conflicts(limit)?;
    Ok(OpenConflicts { records: views(read, ids)?, count })
}

/// What happened with a record and all that belongs to it, newest first.
///
/// # Errors
///
/// [`StorageError::Query`] for a kind or cursor that does not fit; fails when the storage does.
pub fn timeline(
    read: &dyn Read,
    family: RecordId,
    query: &TimelineQuery,
) -> Result<TimelinePage, OfficeError> {
    Ok(read.timeline(family, query)?)
}

/// Where the sales stand.
///
/// # Errors
///
/// Fails when the storage does.
pub fn pipeline(read: &dyn Read) -> Result<PipelineReport, OfficeError> {
    Ok(read.pipeline()?)
}
