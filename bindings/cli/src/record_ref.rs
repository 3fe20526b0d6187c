//! Records as people name them: by full id, by the first digits of it, or by the number that
//! another system gave them.

use outrider_core::{
    ids::{RecordId, to_hex},
    replica::Replica,
    schema::{Entity, Schema},
    store::query::{self, Compare, Filter, Query},
};

use crate::error::CliError;

/// Digits of an id that name a record, at least.
const PREFIX_DIGITS_MIN: usize = 8;
/// Digits of a full id.
const ID_DIGITS: usize = 32;
/// Records that an error about several names, at most.
const CANDIDATES_MAX: usize = 5;

/// Finds the one record that `text` names; only records on this device are found.
pub(crate) fn find(replica: &Replica, text: &str) -> Result<RecordId, CliError> {
    let id = resolve(replica, text, replica.schema().entities())?;
    match replica.title(id)? {
        Some(_) => Ok(id),
        None => Err(CliError::UnknownRecord(text.to_owned())),
    }
}

/// Finds the record of `entity` that `text` names. A full id need not be on this device.
pub(crate) fn find_of(
    replica: &Replica,
    text: &str,
    entity: &Entity,
) -> Result<RecordId, CliError> {
    resolve(replica, text, std::iter::once(entity))
}

fn resolve<'a>(
    replica: &Replica,
    text: &str,
    entities: impl Iterator<Item = &'a Entity>,
) -> Result<RecordId, CliError> {
    let text = text.trim();
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    if let Some((entity, external)) = text.split_once(':') {
        return by_external_id(replica, text, replica.entity(entity)?, external);
    }
    let digits: String = text.chars().filter(|char| *char != '-').collect();
    let is_prefix = (PREFIX_DIGITS_MIN..ID_DIGITS).contains(&digits.len())
        && digits.chars().all(|char| char.is_ascii_hexdigit());
    if is_prefix {
        by_prefix(replica, text, &digits.to_ascii_lowercase(), entities)
    } else {
        Err(CliError::BadReference(text.chars().take(80).collect()))
    }
}

fn by_external_id(
    replica: &Replica,
    text: &str,
    entity: &Entity,
    external: &str,
) -> Result<RecordId, CliError> {
    let filter = Filter {
        column: "external_id".to_owned(),
        compare: Compare::Is,
        value: external.to_owned(),
    };
    let query = Query {
        filters: vec![filter],
        limit: CANDIDATES_MAX,
        with_archived: true,
        ..Query::default()
    };
    only_one(text, query::list(replica.store().conn(), entity, &query)?.ids)
}

fn by_prefix<'a>(
    replica: &Replica,
    text: &str,
    digits: &str,
    entities: impl Iterator<Item = &'a Entity>,
) -> Result<RecordId, CliError> {
    let mut found = Vec::new();
    for entity in entities {
        let query = Query {
            after: Some(cursor_before(digits)),
            limit: CANDIDATES_MAX,
            with_archived: true,
            ..Query::default()
        };
        let page = query::list(replica.store().conn(), entity, &query)?;
        let begins = |id: &RecordId| to_hex(id.as_bytes()).starts_with(digits);
        found.extend(page.ids.into_iter().filter(begins));
    }
    only_one(text, found)
}

/// The cursor of a list by id that goes on with the first id that begins with `digits`.
///
/// An id that is these digits and nothing but zeros is passed by; no version of UUIDs has one.
fn cursor_before(digits: &str) -> String {
    let full = format!("{digits:0<ID_DIGITS$}");
    to_hex(serde_json::json!(["Null", uuid_text(&full)]).to_string().as_bytes())
}

/// Sets the dashes of a UUID.
fn uuid_text(digits: &str) -> String {
    let mut text = String::with_capacity(ID_DIGITS + 4);
    for (at, digit) in digits.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(digit);
    }
    text
}

fn only_one(text: &str, found: Vec<RecordId>) -> Result<RecordId, CliError> {
    match found.as_slice() {
        [] => Err(CliError::UnknownRecord(text.to_owned())),
        [only] => Ok(*only),
        several => {
            let some: Vec<String> =
                several.iter().take(CANDIDATES_MAX).map(ToString::to_string).collect();
            Err(CliError::AmbiguousRecord { text: text.to_owned(), some: some.join(", ") })
        }
    }
}

/// The entity that a link leads to.
pub(crate) fn target(name: &str) -> Option<&'static Entity> {
    Schema::current().entity(name)
}
