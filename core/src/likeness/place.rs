//! Addresses: what of them agrees, part by part, whether they came in parts or in one line.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::words::{agreement, words_of};
use crate::writing::{digits, fold, is_han};

/// Characters of an address in Han that are looked at, at most.
const STREET_CHARS_MAX: usize = 80;
/// Words of a street that say what sort of way it is.
const WAYS: &[&str] = &[
    "street",
    "st",
    "road",
    "rd",
    "avenue",
    "ave",
    "drive",
    "dr",
    "lane",
    "ln",
    "place",
    "pl",
    "court",
    "ct",
    "crescent",
    "cres",
    "close",
    "circuit",
    "cct",
    "way",
    "square",
    "terrace",
    "parade",
    "boulevard",
];

/// An address, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// Words of the street without numbers, in Latin letters.
    pub street: Vec<String>,
    /// Numbers in the street: house, flat.
    pub numbers: Vec<String>,
    /// Pairs of characters of a street in Han.
    pub pairs: BTreeSet<(char, char)>,
    /// City, district and province in one text without gaps, the largest last.
    pub town: Vec<String>,
    /// The postal code.
    pub postcode: String,
}

impl Place {
    /// Takes an address apart: an object of parts, or one line.
    #[must_use]
    pub fn parse(json: &Json) -> Option<Self> {
        let part = |name: &str| json.get(name).and_then(Json::as_str).unwrap_or_default();
        let line = json.as_str().unwrap_or_else(|| part("street"));
        let folded = fold(line);
        let (numbers, street): (Vec<String>, Vec<String>) = words_of(&folded)
            .into_iter()
            .filter(|word| !word.chars().any(is_han))
            .partition(|word| word.chars().any(|c| c.is_ascii_digit()));
        let han: Vec<char> =
            folded.chars().filter(|c| c.is_alphanumeric()).take(STREET_CHARS_MAX).collect();
        let pairs = if han.iter().copied().any(is_han) {
            han.iter().zip(han.iter().skip(1)).map(|(a, b)| (*a, *b)).collect()
        } else {
            BTreeSet::new()
        };
        let town = ["city", "district", "province"]
            .map(|name| words_of(&fold(part(name))).concat())
            .into_iter()
            .filter(|name| !name.is_empty())
            .collect();
        let street = street.into_iter().filter(|word| !WAYS.contains(&word.as_str())).collect();
        let place = Self { street, numbers, pairs, town, postcode: digits(part("postcode")) };
        (place != Self::default()).then_some(place)
    }

    /// How alike the streets are, from 0 to 1; `None` where one has none.
    #[must_use]
    pub fn street_likeness(&self, other: &Self) -> Option<f64> {
        if !self.pairs.is_empty() && !other.pairs.is_empty() {
            let common = self.pairs.intersection(&other.pairs).count();
            return Some(ratio(2 * common, self.pairs.len() + other.pairs.len()));
        }
        if self.street.is_empty() || other.street.is_empty() {
            return None;
        }
        let found = agreement(&self.street, &other.street);
        let agreeing = found.same + found.near;
        Some(ratio(agreeing, agreeing + found.against + found.extra.div_ceil(2)))
    }

    /// Whether a number of one street is in the other; `None` where one has none.
    #[must_use]
    pub fn number_agrees(&self, other: &Self) -> Option<bool> {
        let has_both = !self.numbers.is_empty() && !other.numbers.is_empty();
        has_both.then(|| self.numbers.iter().any(|number| other.numbers.contains(number)))
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    let count = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    if whole == 0 { 0.0 } else { count(part) / count(whole) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn streets_agree_with_slips_and_in_other_words() {
        let likeness = |a: &str, b: &str| {
            let (a, b) = (Place::parse(&json!(a)).unwrap(), Place::parse(&json!(b)).unwrap());
            a.street_likeness(&b)
        };
        assert_eq!(likeness("6 Tulloch Street", "6 tuloch st."), Some(1.0));
        assert_eq!(likeness("6 Tulloch Street", "9 Banner Road"), Some(0.0));
        assert_eq!(likeness("6", "9 Banner Road"), None);
        assert!(likeness("世纪大道100号", "浦东新區世紀大道１００號").unwrap() > 0.6);
        assert!(likeness("世纪大道100号", "人民路9号").unwrap() < 0.2);
    }

    #[test]
    fn numbers_agree() {
        let place = |text: &str| Place::parse(&json!({ "street": text })).unwrap();
        assert_eq!(place("6 High St").number_agrees(&place("High St 6")), Some(true));
        assert_eq!(place("6 High St").number_agrees(&place("8 High St")), Some(false));
        assert_eq!(place("6 High St").number_agrees(&place("High St")), None);
        assert_eq!(Place::parse(&json!({})), None);
    }
}
