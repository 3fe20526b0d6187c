//! Names that are close to a misspelt one.

use outrider_core::schema::{Entity, Field, Schema};

use crate::error::CliError;

/// How alike two names must be, from 0 to 1.
const LIKENESS_MIN: f64 = 0.7;
/// Names that are offered, at most.
const NEAR_MAX: usize = 4;

/// The known names that are most like `name`, best first.
fn near<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found: Vec<(f64, &str)> = known
        .map(|candidate| {
            let likeness = strsim::jaro_winkler(name, candidate);
            // A word of a longer name is meant too: `amount` for `expected_amount`.
            let is_word = name.len() > 2 && candidate.split('_').any(|word| word == name);
            (if is_word { likeness.max(0.95) } else { likeness }, candidate)
        })
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .collect();
    found.sort_by(|left, right| right.0.total_cmp(&left.0));
    found.into_iter().take(NEAR_MAX).map(|(_, candidate)| candidate).collect()
}

/// What to type instead: the near names, or all of them if none is near.
fn hint(name: &str, known: &[&str]) -> String {
    let close = near(name, known.iter().copied());
    if close.is_empty() {
        format!("there are {}", known.join(", "))
    } else {
        format!("near it: {}", close.join(", "))
    }
}

/// The error for an entity that is not defined.
pub(crate) fn unknown_entity(name: &str) -> CliError {
    let known: Vec<&str> =
        Schema::current().entities().map(|entity| entity.name.as_str()).collect();
    CliError::UnknownEntity { near: hint(name, &known), name: name.chars().take(80).collect() }
}

/// The error for a field that an entity, or the rows of a field, do not have.
pub(crate) fn unknown_field(entity: String, field: String) -> CliError {
    let schema = Schema::current();
    let names: Vec<&str> = match schema.entity(&entity) {
        Some(entity) => entity.fields.iter().map(|field| field.name.as_str()).collect(),
        None => schema
            .entities()
            .filter_map(|owner| owner.field(&entity))
            .flat_map(|rows| rows.columns.iter().map(|column| column.name.as_str()))
            .collect(),
    };
    let near = hint(&field, &names);
    CliError::UnknownField { entity, field, near }
}

/// The field of this name.
pub(crate) fn field_of<'a>(entity: &'a Entity, name: &str) -> Result<&'a Field, CliError> {
    entity
        .field(name)
        .ok_or_else(|| unknown_field(entity.name.clone(), name.chars().take(80).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_names_and_words_of_names_are_found() {
        let known = ["company_name", "expected_amount", "phone"];
        assert_eq!(near("compny_name", known.into_iter()), ["company_name"]);
        assert_eq!(near("amount", known.into_iter()), ["expected_amount"]);
        assert!(near("zzz", known.into_iter()).is_empty());
    }
}
