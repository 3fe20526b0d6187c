//! One row of the file: its cells cleaned, its key, its values for the fields, their fingerprint.

use serde_json::{Map, Value as Json};
use sha2::{Digest as _, Sha256};

use super::{
    clean::{Tidied, tidy},
    error::RowProblem,
    mapping::{Content, Mapping, Rescale, Source, Target},
    rows_cell::parse_rows,
};
use crate::{
    schema::{Field, Kind, TextHints, Type, ValueError},
    value::Value,
};

/// Characters of a key, at most: with its source it must fit into `external_id`.
pub const KEY_CHARS_MAX: usize = 150;
/// Bytes of one field's share of a fingerprint.
const FIELD_HASH_BYTES: usize = 8;

/// What a row says about one field.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    /// A value, as JSON; `null` if it is empty.
    Value(Json),
    /// The text that names another record; never empty.
    Reference(String),
}

/// Why a row is rejected, with the slot of the column at fault.
pub(super) type Fault = (Option<usize>, RowProblem);

/// Reads the cells of a row by slot.
#[derive(Debug)]
pub(super) struct Cells<'a>(pub(super) Vec<&'a str>);

impl Cells<'_> {
    fn get(&self, slot: usize) -> &str {
        self.0.get(slot).copied().unwrap_or_default()
    }

    pub(super) fn text(&self, source: &Source) -> String {
        match source {
            Source::Column(slot) => self.get(*slot).to_owned(),
            Source::Constant(text) => text.clone(),
            Source::Template(pieces) => {
                pieces.iter().map(|piece| self.text(piece)).collect::<String>().trim().to_owned()
            }
            Source::Sum(slots) => self.sum(slots),
        }
    }

    /// The numbers of columns added; empty if all are, and what is no number stands as it is, so
    /// that the field refuses it.
    fn sum(&self, slots: &[usize]) -> String {
        let mut sum: Option<rust_decimal::Decimal> = None;
        for cell in slots.iter().map(|slot| self.get(*slot)).filter(|cell| !cell.is_empty()) {
            let Ok(number) = cell.parse::<rust_decimal::Decimal>() else { return cell.to_owned() };
            match sum.unwrap_or_default().checked_add(number) {
                Some(added) => sum = Some(added),
                None => return cell.to_owned(),
            }
        }
        sum.map_or_else(String::new, |sum| sum.normalize().to_string())
    }

    /// The key of the row: the cells of its columns, told apart by a slash.
    ///
    /// # Errors
    ///
    /// The key is empty or too long.
    pub(super) fn key(&self, mapping: &Mapping) -> Result<String, Fault> {
        let slot = mapping.key.first().copied();
        if mapping.key.iter().all(|&slot| self.get(slot).is_empty()) {
            return Err((slot, RowProblem::EmptyKey));
        }
        let is_compound = mapping.key.len() > 1 || mapping.key_occurrence;
        let parts: Vec<String> = mapping
            .key
            .iter()
            .map(|&slot| self.get(slot))
            .map(|cell| if is_compound { escape(cell) } else { cell.to_owned() })
            .collect();
        let key = parts.join("/");
        if key.chars().count() > KEY_CHARS_MAX {
            return Err((slot, RowProblem::LongKey { max: KEY_CHARS_MAX }));
        }
        Ok(key)
    }

    /// What the row says about a field, and what was tidied on the way.
    ///
    /// # Errors
    ///
    /// The value does not fit, or is missing.
    pub(super) fn read(
        &self,
        mapping: &Mapping,
        target: &Target,
    ) -> Result<(Said, Vec<Tidied>), Fault> {
        let mut tidied = Vec::new();
        let mut text_of = |source: &Source| {
            let text = self.text(source);
            if !mapping.is_tidied {
                return text;
            }
            let (clean, what) = tidy(target, &text, mapping.region.as_deref());
            tidied.extend(what);
            clean.into_owned()
        };
        let field = target.field;
        let fault = |problem| (target.first_slot(), problem);
        let value_fault = |source| fault(RowProblem::Value { field: field.name.clone(), source });
        let said = match &target.content {
            Content::Whole(source) if target.reference.is_some() => match text_of(source) {
                text if text.is_empty() => Said::Value(Json::Null),
                text => Said::Reference(text),
            },
            Content::Whole(source) => {
                let text = text_of(source);
                if let Some(choice) = target.choices.get(&text) {
                    return Ok((Said::Value(choice.as_str().into()), tidied));
                }
                let json = parse_text(field, &text, &target.hints, target.rescale);
                Said::Value(json.map_err(value_fault)?)
            }
            Content::Parts(parts) => {
                let parts = parts.iter().map(|(part, source)| (part, text_of(source)));
                let object: Map<String, Json> = parts
                    .filter(|(_, text)| !text.is_empty())
                    .map(|(part, text)| (part.clone(), text.into()))
                    .collect();
                if object.is_empty() {
                    Said::Value(Json::Null)
                } else {
                    let value = field.ty.from_json(&Json::Object(object)).map_err(value_fault)?;
                    Said::Value(field.ty.to_json(&value))
                }
            }
            Content::Members(members) => {
                let members = members.iter().map(String::as_str);
                Said::Value(parse_members(field, members, &target.hints).map_err(value_fault)?)
            }
            Content::Split(source, between) => {
                let text = text_of(source);
                if text.starts_with('[')
                    && let Ok(list) = serde_json::from_str::<Vec<String>>(&text)
                {
                    // As an export writes members that hold what would stand between them.
                    let members = list.iter().map(String::as_str);
                    let members = parse_members(field, members, &target.hints);
                    return Ok((Said::Value(members.map_err(value_fault)?), tidied));
                }
                let members = if between.is_empty() {
                    vec![text.as_str()]
                } else {
                    text.split(between.as_str()).collect()
                };
                let members = parse_members(field, members.into_iter(), &target.hints);
                Said::Value(members.map_err(value_fault)?)
            }
        };
        if said == Said::Value(Json::Null) && target.must_be_filled() {
            return Err(fault(RowProblem::Required(field.name.clone())));
        }
        Ok((said, tidied))
    }
}

/// Makes room for what tells the parts of a key apart.
fn escape(cell: &str) -> String {
    cell.replace('%', "%25").replace('/', "%2F").replace('#', "%23")
}

/// Reads one text as a field's value, in JSON.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn parse_text(
    field: &Field,
    text: &str,
    hints: &TextHints,
    rescale: Option<Rescale>,
) -> Result<Json, ValueError> {
    match field.kind {
        Kind::Text => return parse_long_text(field, text),
        Kind::Rows => return parse_rows(field, text),
        Kind::Register | Kind::Once | Kind::Office | Kind::Counter | Kind::Set | Kind::Log => {}
    }
    let rescaled;
    let text = match rescale {
        Some(rescale) if !text.trim().is_empty() => {
            rescaled = rescale_number(text, rescale)?;
            &rescaled
        }
        Some(_) | None => text,
    };
    Ok(field.ty.to_json(&field.ty.from_text(text, hints)?))
}

fn parse_long_text(field: &Field, text: &str) -> Result<Json, ValueError> {
    let text = text.trim();
    if let Type::Text { max } = field.ty
        && text.chars().count() > max
    {
        return Err(ValueError::TooLong { max });
    }
    Ok(if text.is_empty() { Json::Null } else { text.into() })
}

fn rescale_number(text: &str, rescale: Rescale) -> Result<String, ValueError> {
    let malformed = || ValueError::Malformed("a plain number, as arithmetic on it needs");
    let number: rust_decimal::Decimal = text.trim().parse().map_err(|_| malformed())?;
    let product = number.checked_mul(rescale.times.into()).ok_or_else(malformed)?;
    let rounded = match rescale.round {
        None => product,
        Some(digits) => product
            .round_dp_with_strategy(digits, rust_decimal::RoundingStrategy::MidpointAwayFromZero),
    };
    Ok(rounded.normalize().to_string())
}

fn parse_members<'t>(
    field: &Field,
    members: impl Iterator<Item = &'t str>,
    hints: &TextHints,
) -> Result<Json, ValueError> {
    let mut found: Vec<Json> = Vec::new();
    for member in members {
        let value = field.ty.from_text(member, hints)?;
        if value != Value::Null {
            found.push(field.ty.to_json(&value));
        }
    }
    Ok(if found.is_empty() { Json::Null } else { Json::Array(found) })
}

/// One field's share of the fingerprint of a row.
fn hash_field(target: &Target, said: &Said) -> [u8; FIELD_HASH_BYTES] {
    let mut hasher = Sha256::new();
    hasher.update(target.field.name.as_bytes());
    match said {
        Said::Value(json) => {
            hasher.update([0]);
            hasher.update(json.to_string().as_bytes());
        }
        Said::Reference(text) => {
            hasher.update([1]);
            hasher.update(text.as_bytes());
        }
    }
    let digest: [u8; 32] = hasher.finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    [a, b, c, d, e, f, g, h]
}

/// The fingerprint of a row: for each field, in order, what it said.
pub(super) fn fingerprint(mapping: &Mapping, said: &[Said]) -> Vec<u8> {
    mapping.targets.iter().zip(said).flat_map(|(target, said)| hash_field(target, said)).collect()
}

/// For each field whether it says something else than when `old` was taken.
pub(super) fn changed(old: &[u8], new: &[u8]) -> Vec<bool> {
    let known: Vec<&[u8]> = old.chunks(FIELD_HASH_BYTES).collect();
    new.chunks(FIELD_HASH_BYTES).map(|hash| !known.contains(&hash)).collect()
}
