//! Where a record hits: its title with marks, and the field that has what the title has not.

use rusqlite::Connection;

use super::{Candidate, Hit, HitPlace, entries};
use crate::{
    schema::{Label, Schema},
    search::{Asked, Class, Role, hits, snippet},
    store::StoreError,
};

/// A record as the answer shows it.
pub(super) fn hit(
    conn: &Connection,
    schema: &Schema,
    asked: &Asked,
    candidate: &Candidate,
) -> Result<Hit, StoreError> {
    let Candidate { record, entity, title, is_archived, class, .. } = candidate;
    let is_slip = *class == Class::Slip;
    let mut found = hits(asked, title, true, is_slip);
    let mut place = None;
    if *class <= Class::Start {
        // A single letter is no word to mark elsewhere; here it is how the title begins.
        if let (true, Some(first)) = (found.marks.is_empty(), title.chars().next()) {
            found.marks.push(0..first.len_utf8());
        }
    } else if found.terms < asked.terms_count() {
        place = place_of(conn, schema, asked, candidate, is_slip)?;
    }
    let mut title = title.clone();
    if title.is_empty() {
        found.marks.clear();
        title = record.to_string();
    }
    Ok(Hit {
        entity: entity.clone(),
        record: *record,
        title,
        title_marks: found.marks,
        place,
        is_archived: *is_archived,
        is_slip,
    })
}

/// Whether all terms hit in the title and in what can be read of the record.
pub(super) fn has_all(
    conn: &Connection,
    schema: &Schema,
    asked: &Asked,
    candidate: &Candidate,
) -> Result<bool, StoreError> {
    let mut all = candidate.title.clone();
    if let Some(entity) = schema.entity(&candidate.entity)
        && let Some(texts) = entries::read(conn, entity, candidate.record)?
    {
        for text in &texts.texts {
            all.push('\n');
            all.push_str(&text.text);
        }
    }
    let found = hits(asked, &all, true, candidate.class == Class::Slip);
    Ok(found.terms >= asked.terms_count())
}

/// The field in which most terms hit, the first of them.
fn place_of(
    conn: &Connection,
    schema: &Schema,
    asked: &Asked,
    candidate: &Candidate,
    is_slip: bool,
) -> Result<Option<HitPlace>, StoreError> {
    let Some(entity) = schema.entity(&candidate.entity) else { return Ok(None) };
    let Some(texts) = entries::read(conn, entity, candidate.record)? else { return Ok(None) };
    let mut best: Option<(usize, HitPlace)> = None;
    for text in texts.texts.iter().filter(|text| text.role != Role::Title) {
        let found = hits(asked, &text.text, text.role == Role::Name, is_slip);
        if found.terms == 0 || best.as_ref().is_some_and(|(terms, _)| *terms >= found.terms) {
            continue;
        }
        let (field, label) = match text.column {
            None => (text.field.name.clone(), text.field.label.clone()),
            Some(column) => (format!("{}.{}", text.field.name, column.name), {
                let of = &text.field.label;
                let (en, zh) = (&column.label.en, &column.label.zh);
                Label { en: format!("{}: {en}", of.en), zh: format!("{}：{zh}", of.zh) }
            }),
        };
        let place = HitPlace { field, label, snippet: snippet(&text.text, &found.marks) };
        best = Some((found.terms, place));
    }
    Ok(best.map(|(_, place)| place))
}
