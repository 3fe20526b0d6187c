//! Where a person is named: records that link to the person's, and records whose text says the
//! person's name, number or address.
//!
//! It reads everything that is stored, so that nothing is missed that stands there in the same
//! letters. What is written otherwise (another spelling, a nickname, a picture) only people find.

use std::collections::{BTreeMap, BTreeSet};

use outrider_core::{
    crdt::State,
    domain::record,
    ids::{DocumentId, Part, RecordId},
    schema::{Entity, Key, Language, Schema, Type},
};
use serde::Serialize;

use super::{
    OfficeError,
    review::{ABOUT, PROPOSAL},
    titles,
};
use crate::storage::{Content, Read};

/// Documents that are looked at, at most: the list says when there are more.
pub const NAMED_MAX: usize = 10_000;
/// Texts by which a person is looked for, at most.
const TEXTS_MAX: usize = 64;
/// Letters that a text has at least, in Latin script; in others half as many say as much.
const LETTERS_MIN: usize = 4;
const SIGNS_MIN: usize = 2;

/// A record in which a person is named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Naming {
    /// Its entity.
    pub entity: String,
    /// The record.
    pub record: RecordId,
    /// Its title, which may name the person too.
    pub title: String,
    /// Fields that say the person's name, number or address.
    pub says: BTreeSet<String>,
    /// Fields that link to the person's record.
    pub links: BTreeSet<String>,
}

/// Where a person is named.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Namings {
    /// The records, by id.
    pub records: Vec<Naming>,
    /// Whether there may be more.
    pub is_cut: bool,
    /// Changes in the histories of all records, the person's among them, that hold one of the
    /// person's texts.
    pub changes: u64,
}

impl Namings {
    /// The records that say something of the person; those that only link are left out.
    pub fn saying(&self) -> impl Iterator<Item = &Naming> {
        self.records.iter().filter(|naming| !naming.says.is_empty())
    }
}

/// Where the person of these records is named, beside in the records themselves.
///
/// # Errors
///
/// Fails when the storage does.
pub fn namings(read: &dyn Read, records: &[RecordId]) -> Result<Namings, OfficeError> {
    let mut texts = BTreeSet::new();
    for record in records {
        texts.extend(texts_of(read, *record)?);
    }
    let texts: Vec<String> = texts.into_iter().take(TEXTS_MAX).collect();
    let ids: Vec<String> = records.iter().map(RecordId::to_string).collect();
    let sought: Vec<String> = texts.iter().chain(&ids).cloned().collect();
    let found = read.documents_with(&sought, NAMED_MAX + 1)?;
    let is_cut = found.len() > NAMED_MAX;
    let mut named: BTreeMap<RecordId, Naming> = BTreeMap::new();
    for (id, entity) in found.into_iter().take(NAMED_MAX) {
        if records.contains(&id.record) {
            continue;
        }
        let naming = named.entry(id.record).or_insert_with(|| Naming {
            entity,
            record: id.record,
            title: String::new(),
            says: BTreeSet::new(),
            links: BTreeSet::new(),
        });
        naming.says.extend(fields_with(read, &id, &texts)?);
        naming.links.extend(fields_with(read, &id, &ids)?);
    }
    // A request for approval repeats what somebody wanted to write into the person's record, and goes
    // with it.
    named.retain(|_, naming| naming.entity != PROPOSAL || !naming.links.contains(ABOUT));
    let mut names = titles(read, named.keys().copied())?;
    for naming in named.values_mut() {
        naming.title = names.remove(&naming.record).map(|(_, title)| title).unwrap_or_default();
    }
    let records = named.into_values().filter(|one| !one.says.is_empty() || !one.links.is_empty());
    let changes = if texts.is_empty() { 0 } else { read.changes_with(&texts)? };
    Ok(Namings { records: records.collect(), is_cut, changes })
}

/// The texts by which a person is found: title, names, numbers, addresses of mail.
fn texts_of(read: &dyn Read, record: RecordId) -> Result<BTreeSet<String>, OfficeError> {
    let main = DocumentId { record, part: Part::Main };
    let mut texts = BTreeSet::new();
    let Some(stored) = read.document(&main)? else { return Ok(texts) };
    let (Some(entity), Content::Flat(state)) =
        (Schema::current().entity(&stored.entity), &stored.content)
    else {
        return Ok(texts);
    };
    let title = record::title(entity, record, state);
    texts.extend(Some(title).filter(|title| *title != record.to_string()));
    for (key, ops) in &state.keys {
        let Ok(key) = entity.parse_key(&main.part, key) else { continue };
        let ty = match &key {
            Key::Register(field) => &field.ty,
            Key::Cell { column, .. } => &column.ty,
            Key::Counter { .. } | Key::Member { .. } | Key::RowGone { .. } | Key::Entry { .. } => {
                continue;
            }
        };
        if matches!(ty, Type::PersonName | Type::Phone | Type::Email) {
            texts.extend(ops.iter().map(|op| ty.display(&op.value, Language::En)));
        }
    }
    texts.retain(|text| {
        let count = text.chars().count();
        count >= if text.is_ascii() { LETTERS_MIN } else { SIGNS_MIN }
    });
    Ok(texts)
}

/// The fields of a document in which one of these texts stands.
fn fields_with(
    read: &dyn Read,
    id: &DocumentId,
    texts: &[String],
) -> Result<BTreeSet<String>, OfficeError> {
    let says = |text: &str| texts.iter().any(|sought| text.contains(sought.as_str()));
    let Some(stored) = read.document(id)? else { return Ok(BTreeSet::new()) };
    Ok(match &stored.content {
        Content::Text(text) if says(&text.text) => [id.part.as_str().to_owned()].into(),
        Content::Text(_) => BTreeSet::new(),
        Content::Flat(state) => fields_of(state, &says, Schema::current().entity(&stored.entity)),
    })
}

fn fields_of(
    state: &State,
    says: &dyn Fn(&str) -> bool,
    entity: Option<&Entity>,
) -> BTreeSet<String> {
    let mut fields = BTreeSet::new();
    for (key, ops) in &state.keys {
        let in_value = ops.iter().filter_map(|op| op.value.as_text()).any(says);
        // The members of a set stand in its keys.
        if in_value || says(key) {
            let name = key.split('/').next().unwrap_or_default();
            let is_known = entity.is_none_or(|entity| entity.field(name).is_some());
            fields.extend(Some(name.to_owned()).filter(|_| is_known));
        }
    }
    fields
}
