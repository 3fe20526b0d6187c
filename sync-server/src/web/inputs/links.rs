//! Links: from the name that was typed to the record that is meant.
//!
//! With the script the record's id comes along. Without it a name that fits exactly one record
//! is enough; where several fit, the form comes back with them to choose from.

use std::collections::BTreeMap;

use outrider_core::{
    ids::RecordId,
    schema::{Entity, Schema, Type},
    store::{
        query::{Compare, FILTERS_MAX, Filter, Query},
        search::SearchQuery,
    },
};

use super::link_inputs;
use crate::{
    office::{self, OfficeError},
    storage::Read,
    web::form::Fields,
};

/// Records that are offered where a name fits several.
pub(in crate::web) const CANDIDATES_MAX: usize = 20;

/// Records to choose from, by the name of the input.
pub(in crate::web) type Candidates = BTreeMap<String, Vec<(RecordId, String)>>;

/// Writes the ids of the records that are meant into `NAME.id`, and tells which names fit none or
/// several.
pub(in crate::web) fn resolve(
    read: &dyn Read,
    entity: &Entity,
    fields: &mut Fields,
    is_new: bool,
) -> Result<Candidates, OfficeError> {
    let mut open = Candidates::new();
    for (name, to) in link_inputs(entity, fields, is_new) {
        let (id_name, pick_name) = (format!("{name}.id"), format!("{name}.pick"));
        let text = fields.get(&name).trim().to_owned();
        let picked: Option<RecordId> = fields.get(&pick_name).parse().ok();
        let id = match picked {
            Some(picked) => Some(picked),
            None if text.is_empty() => None,
            None => {
                let known: Option<RecordId> = fields.get(&id_name).parse().ok();
                match known.filter(|id| is_called(read, *id, &text)) {
                    Some(known) => Some(known),
                    None => match find(read, &to, &text)? {
                        Ok(found) => Some(found),
                        Err(candidates) => {
                            open.insert(name.clone(), candidates);
                            None
                        }
                    },
                }
            }
        };
        fields.0.retain(|(found, _)| *found != id_name && *found != pick_name);
        if let Some(id) = id {
            if picked.is_some() {
                let title = office::titles(read, [id])?.remove(&id).map(|(_, title)| title);
                set(fields, &name, title.unwrap_or_else(|| id.to_string()));
            }
            fields.0.push((id_name, id.to_string()));
        }
    }
    Ok(open)
}

fn set(fields: &mut Fields, name: &str, value: String) {
    match fields.0.iter_mut().find(|(found, _)| found == name) {
        Some(field) => field.1 = value,
        None => fields.0.push((name.to_owned(), value)),
    }
}

/// Whether the record has this name, or its id was typed.
fn is_called(read: &dyn Read, id: RecordId, text: &str) -> bool {
    if id.to_string() == text {
        return true;
    }
    let title = office::titles(read, [id]).ok().and_then(|mut titles| titles.remove(&id));
    title.is_some_and(|(_, title)| title == text || label(&title, id) == text)
}

/// A name that is told from the same name of another record.
pub(in crate::web) fn label(title: &str, id: RecordId) -> String {
    let id = id.to_string();
    let tail: String = id.chars().skip(id.len().saturating_sub(6)).collect();
    format!("{title} · {tail}")
}

/// The one record that a text means, else those that it may mean.
fn find(
    read: &dyn Read,
    entity: &str,
    text: &str,
) -> Result<Result<RecordId, Vec<(RecordId, String)>>, OfficeError> {
    if let Ok(id) = text.parse::<RecordId>() {
        return Ok(Ok(id));
    }
    let candidates = search(read, entity, text)?;
    let wanted = text.to_lowercase();
    let mut exact = candidates
        .iter()
        .filter(|(id, title)| title.to_lowercase() == wanted || label(title, *id) == text);
    match (exact.next(), exact.next()) {
        (Some((id, _)), None) => Ok(Ok(*id)),
        (_, _) => Ok(Err(candidates)),
    }
}

/// Records of an entity that a text finds, those of that name first, at most [`CANDIDATES_MAX`].
pub(in crate::web) fn search(
    read: &dyn Read,
    entity: &str,
    text: &str,
) -> Result<Vec<(RecordId, String)>, OfficeError> {
    let Some(entity) = Schema::current().entity(entity) else { return Ok(Vec::new()) };
    let asked = SearchQuery {
        text: text.to_owned(),
        entities: vec![entity.name.clone()],
        limit: CANDIDATES_MAX,
        ..SearchQuery::default()
    };
    let found = office::search(read, &asked)?.hits;
    if !found.is_empty() {
        return Ok(found.into_iter().map(|hit| (hit.record, hit.title)).collect());
    }
    // Names of signs alone have no words.
    let query = Query {
        filters: search_filters(entity, text),
        sort: Some(entity.title.clone()),
        limit: CANDIDATES_MAX,
        ..Query::default()
    };
    let page = office::list(read, entity, &query)?;
    Ok(page.records.into_iter().map(|record| (record.id, record.title)).collect())
}

/// What a search for a name asks of an entity's rows.
///
/// The parts of a person's name are kept apart, so each word and each Han character is looked
/// for by itself.
fn search_filters(entity: &Entity, text: &str) -> Vec<Filter> {
    let filter =
        |value: String| Filter { column: entity.title.clone(), compare: Compare::Contains, value };
    let text = text.trim();
    if text.is_empty() {
        return Vec::new();
    }
    let is_name = entity.title_field().is_some_and(|field| field.ty == Type::PersonName);
    if !is_name {
        return vec![filter(text.to_owned())];
    }
    let is_han = |c: char| matches!(c, '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}');
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if is_han(c) || c.is_whitespace() {
            words.push(std::mem::take(&mut word));
            words.extend(is_han(c).then(|| c.to_string()));
        } else {
            word.push(c);
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words.truncate(FILTERS_MAX);
    words.into_iter().map(filter).collect()
}
