//! Which field a column's name means: our names and labels in both languages, and what other
//! systems call it.

use std::{collections::BTreeMap, sync::OnceLock};

use crate::{
    schema::{Entity, Field, Kind, Type},
    writing::fold,
};

/// A name that is the same.
pub(super) const SAME: u32 = 100;
/// What a name must score to be proposed without a look at the values.
pub(super) const LIKELY: u32 = 70;
/// Likeness of two names from which on one may be a misspelling of the other.
const MISSPELT: f64 = 0.93;

/// What a column may be: a field, or a part of one.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) field: &'static Field,
    pub(super) part: Option<&'static str>,
}

impl Place {
    /// Its name in a mapping.
    pub(super) fn name(&self) -> String {
        match self.part {
            Some(part) => format!("{}.{part}", self.field.name),
            None => self.field.name.clone(),
        }
    }
}

/// Parts that a column alone may hold.
const ADDRESS: [&str; 6] = ["street", "district", "city", "province", "postcode", "country"];
const NAME: [&str; 3] = ["family", "given", "salutation"];

/// Every place of an entity that a column can fill.
pub(super) fn places(entity: &'static Entity) -> Vec<Place> {
    let mut found = Vec::new();
    for field in &entity.fields {
        let is_open = matches!(field.kind, Kind::Register | Kind::Set | Kind::Once | Kind::Text)
            && !field.by_program
            && field.name != "external_id";
        if !is_open {
            continue;
        }
        found.push(Place { field, part: None });
        let parts: &[&'static str] = if field.ty == Type::Address {
            &ADDRESS
        } else if field.ty == Type::PersonName {
            &NAME
        } else {
            &[]
        };
        found.extend(parts.iter().map(|part| Place { field, part: Some(*part) }));
    }
    found
}

/// How well a column's name fits a place, up to [`SAME`].
pub(super) fn score(header: &str, entity: &Entity, place: &Place) -> u32 {
    let name = plain(header);
    if name.is_empty() {
        return 0;
    }
    let without_entity = [&entity.name, &entity.label.en, &entity.label.zh]
        .into_iter()
        .find_map(|word| name.strip_prefix(&plain(word)).filter(|rest| !rest.is_empty()));
    let mut best = 0;
    for (spelling, weight) in spellings(entity, place) {
        let fit = if spelling == name {
            SAME
        } else if without_entity == Some(spelling.as_str()) {
            95
        } else if is_within(&name, &spelling) || is_within(&spelling, &name) {
            60
        } else if strsim::jaro_winkler(&spelling, &name) >= MISSPELT {
            75
        } else {
            0
        };
        best = best.max(fit * weight / 100);
    }
    best
}

fn is_within(part: &str, whole: &str) -> bool {
    let long_enough = if part.is_ascii() { part.len() >= 4 } else { part.chars().count() >= 2 };
    long_enough && (whole.starts_with(part) || whole.ends_with(part))
}

/// What a place is called, each with how sure that is, in percent.
fn spellings(entity: &Entity, place: &Place) -> Vec<(String, u32)> {
    let field = place.field;
    let mut found = Vec::new();
    if place.part.is_none() {
        found.push((plain(&field.name), 100));
        found.push((plain(&field.label.en), 100));
        found.push((plain(&field.label.zh), 100));
        if let Some(short) = field.name.strip_suffix("_id") {
            found.push((plain(short), 95));
        }
    }
    if place.part.is_none() && field.name == entity.title {
        // Of whatever it is a list, its names are likely called that.
        let entity = [entity.name.as_str(), &entity.label.en, &entity.label.zh];
        found.extend(["name", "title", "名称"].into_iter().chain(entity).map(|n| (plain(n), 80)));
    }
    let synonyms = synonyms().get(&place.name()).into_iter().flatten();
    found.extend(synonyms.map(|synonym| (plain(synonym), 90)));
    found
}

fn synonyms() -> &'static BTreeMap<String, Vec<String>> {
    static SYNONYMS: OnceLock<BTreeMap<String, Vec<String>>> = OnceLock::new();
    SYNONYMS.get_or_init(|| toml::from_str(include_str!("synonyms.toml")).unwrap_or_default())
}

/// A name without what does not matter.
pub(super) fn plain(name: &str) -> String {
    let folded = fold(name);
    let folded = folded.strip_suffix("__c").unwrap_or(&folded);
    folded.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// Whether a column's name says that it holds keys of another system.
pub(super) fn is_key(header: &str) -> bool {
    let name = fold(header);
    let name = name.strip_suffix("__c").unwrap_or(&name);
    let ends = ["_id", " id", "_no", " no", "_key", "code", "_ref", "编号", "编码", "id", "号"];
    name == "no" || name == "key" || name == "uid" || ends.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::{plain, synonyms};

    #[test]
    fn the_synonyms_are_read_and_name_places() {
        assert!(synonyms().len() > 40);
        let fields: std::collections::BTreeSet<&str> = crate::schema::Schema::builtin()
            .entities()
            .flat_map(|entity| entity.fields.iter())
            .flat_map(|field| field.columns.iter().chain([field]))
            .map(|field| field.name.as_str())
            .collect();
        for place in synonyms().keys() {
            let field = place.split('.').next().unwrap();
            assert!(fields.contains(field), "no entity has a field {field}");
        }
    }

    #[test]
    fn names_are_compared_without_signs() {
        assert_eq!(plain("Company_Name__c"), "companyname");
        assert_eq!(plain(" Ｅ-mail："), "email");
    }
}
