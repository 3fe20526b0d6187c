//! What a user needs first: open visits, and the records that they link to.

use std::collections::BTreeSet;

use outrider_core::{
    access::scope::linked,
    ids::{DocumentId, Part, RecordId},
    schema::{Entity, Schema, Type},
    store::query::{Compare, Filter, Query},
};

use super::walk::readable;
use crate::storage::{Content, Device, Read, StorageError};

/// Visits that are sent before everything else, at most: weeks of anybody's work.
const VISITS_MAX: usize = 200;
/// Where visits are over.
const ENDED: [&str; 4] = ["cancelled", "cannot_complete", "completed", "closed"];

/// The user's open visits with the customers, contacts and so on that they link to.
pub(super) fn first_needed(tx: &dyn Read, device: &Device) -> Result<Vec<RecordId>, StorageError> {
    let (Some(user), Some(visit)) = (device.user_record, Schema::current().entity("visit")) else {
        return Ok(Vec::new());
    };
    let mut filters = vec![filter("owner_id", Compare::Is, &user.to_string())];
    let known = choices(visit, "status");
    let ended = ENDED.iter().filter(|status| known.contains(**status));
    filters.extend(ended.map(|status| filter("status", Compare::IsNot, status)));
    let query = Query { filters, limit: VISITS_MAX, ..Query::default() };
    let mut needed = Vec::new();
    let mut known = BTreeSet::new();
    for record in tx.list(visit, &query)?.ids {
        let id = DocumentId { record, part: Part::Main };
        let Some(stored) = readable(tx, &id)? else { continue };
        let Content::Flat(main) = &stored.content else { continue };
        let links = visit.shares.iter().filter_map(|field| linked(main, field));
        needed.extend(links.chain([record]).filter(|record| known.insert(*record)));
    }
    Ok(needed)
}

fn filter(column: &str, compare: Compare, value: &str) -> Filter {
    Filter { column: column.to_owned(), compare, value: value.to_owned() }
}

fn choices<'a>(entity: &'a Entity, field: &str) -> BTreeSet<&'a str> {
    match entity.field(field).map(|field| &field.ty) {
        Some(Type::Picklist(list)) => {
            list.choices.iter().map(|choice| choice.id.as_str()).collect()
        }
        _ => BTreeSet::new(),
    }
}

/// The entity of a record that can be read.
pub(super) fn entity_of(
    tx: &dyn Read,
    record: RecordId,
) -> Result<Option<&'static Entity>, StorageError> {
    let stored = readable(tx, &DocumentId { record, part: Part::Main })?;
    Ok(stored.and_then(|stored| Schema::current().entity(&stored.entity)))
}
