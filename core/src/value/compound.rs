//! Values with parts that are one register: a postal address, a person's name.
//!
//! Kept as JSON text with a fixed order of keys and no empty parts, so that equal values are
//! equal texts and any JSON reader understands them.

use serde::{Deserialize, Serialize};

/// Characters of one part of an address or a name, at most.
pub const COMPOUND_PART_CHARS_MAX: usize = 200;

/// A value with parts, kept as canonical JSON text.
pub trait Compound: Serialize + for<'de> Deserialize<'de> {
    /// The parts, to be cleaned in place.
    fn parts_mut(&mut self) -> Vec<&mut String>;
    /// A value of which only the text that a person typed in one line is known.
    fn from_line(line: &str) -> Self;
    /// The one line, if that is all that is known.
    fn as_line(&self) -> Option<&str>;
    /// The value in one line, for people and search.
    fn display(&self) -> String;
}

/// A postal address, parts from large to small as Chinese addresses are written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Address {
    /// Country or region, by name or code.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub country: String,
    /// Province or state.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub province: String,
    /// City.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub city: String,
    /// District or county.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub district: String,
    /// Street, number, building, door; the whole address when its parts are not known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub street: String,
    /// Postal code.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub postcode: String,
}

impl Compound for Address {
    fn parts_mut(&mut self) -> Vec<&mut String> {
        let Self { country, province, city, district, street, postcode } = self;
        vec![country, province, city, district, street, postcode]
    }

    fn from_line(line: &str) -> Self {
        Self { street: line.to_owned(), ..Self::default() }
    }

    fn as_line(&self) -> Option<&str> {
        (*self == Self::from_line(&self.street)).then_some(&self.street)
    }

    /// Large to small without gaps when it is written in Han characters, else small to large.
    fn display(&self) -> String {
        let Self { country, province, city, district, street, postcode } = self;
        let parts = [country, province, city, district, street];
        let parts = parts.into_iter().filter(|part| !part.is_empty()).map(String::as_str);
        if parts.clone().any(has_han) {
            let line: String = parts.collect();
            return if postcode.is_empty() { line } else { format!("{line} {postcode}") };
        }
        let mut parts: Vec<&str> = parts.rev().collect();
        if !postcode.is_empty() {
            parts.insert(parts.len().saturating_sub(1), postcode);
        }
        parts.join(", ")
    }
}

/// The name of a person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PersonName {
    /// Family name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub family: String,
    /// Given names.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub given: String,
    /// The name as one writes it, where its parts are not known or go in another order.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub full: String,
    /// Form of address, such as 先生, Dr.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub salutation: String,
}

impl Compound for PersonName {
    fn parts_mut(&mut self) -> Vec<&mut String> {
        let Self { family, given, full, salutation } = self;
        vec![family, given, full, salutation]
    }

    fn from_line(line: &str) -> Self {
        Self { full: line.to_owned(), ..Self::default() }
    }

    fn as_line(&self) -> Option<&str> {
        (*self == Self::from_line(&self.full)).then_some(&self.full)
    }

    /// The full name; else family name first without a gap in Han characters, last otherwise.
    fn display(&self) -> String {
        if !self.full.is_empty() {
            return self.full.clone();
        }
        let Self { family, given, .. } = self;
        let name = if has_han(family) || has_han(given) {
            format!("{family}{given}")
        } else {
            format!("{given} {family}").trim().to_owned()
        };
        if name.is_empty() { self.salutation.clone() } else { name }
    }
}

fn has_han(text: &str) -> bool {
    text.chars().any(|c| matches!(c, '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_as_their_country_writes_them() {
        let chinese = Address {
            province: "广东省".into(),
            city: "深圳市".into(),
            street: "科技园路1号".into(),
            postcode: "518057".into(),
            ..Address::default()
        };
        assert_eq!(chinese.display(), "广东省深圳市科技园路1号 518057");
        let french = Address {
            country: "France".into(),
            city: "Lyon".into(),
            street: "1 rue Neuve".into(),
            postcode: "69001".into(),
            ..Address::default()
        };
        assert_eq!(french.display(), "1 rue Neuve, Lyon, 69001, France");
    }

    #[test]
    fn names_read_as_their_language_writes_them() {
        let name = |family: &str, given: &str| PersonName {
            family: family.into(),
            given: given.into(),
            ..PersonName::default()
        };
        assert_eq!(name("王", "小明").display(), "王小明");
        assert_eq!(name("Curie", "Marie").display(), "Marie Curie");
        assert_eq!(name("", "Marie").display(), "Marie");
        assert_eq!(PersonName::from_line("李四").display(), "李四");
    }
}
