//! Under which numbers a record is found.
//!
//! Two records are compared only if they have a key in common. A key is made of a piece of a
//! record that survives a usual difference: a name's sound survives another character that sounds
//! the same, its beginning a slip at its end, a birthday with a postal code any slip in the name.
//! A record has a bounded number of them. Keys of different entities never meet.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::{
    company::Company,
    profile::{Name, Profile},
};
use crate::schema::Entity;

/// Keys of one record, at most; further ones are left out.
pub const KEYS_MAX: usize = 24;
/// Digits at the end of a telephone number that find it: enough to be rare, few enough to leave
/// out codes of countries and areas.
const PHONE_DIGITS: usize = 8;
/// Characters at the beginning and the end of a company's whole name that find it.
const HEAD_CHARS: usize = 4;
const TAIL_CHARS: usize = 5;
/// Brands of so many characters are found with one of them left out: a shorter one would be found
/// by a single character.
const DROPPED_FROM: usize = 3;
const DROPPED_TO: usize = 5;
/// Words of a name that are combined with other pieces, at most.
const WORDS_COMBINED_MAX: usize = 3;

/// The keys under which a record with this profile is found.
#[must_use]
pub fn keys_of(entity: &Entity, profile: &Profile) -> Vec<i64> {
    let mut keys = Keys { entity: &entity.name, found: Vec::new() };
    for number in &profile.numbers {
        keys.add("number", &[number]);
    }
    for email in &profile.emails {
        keys.add("email", &[email]);
    }
    for phone in &profile.phones {
        let from = phone.len().saturating_sub(PHONE_DIGITS);
        keys.add("phone", &[phone.get(from..).unwrap_or(phone)]);
    }
    for name in &profile.names {
        match name {
            Name::Company(company) if company.words.is_empty() => of_han(&mut keys, company),
            Name::Company(company) => of_latin(&mut keys, company),
            Name::Person(person) => of_words(&mut keys, &person.words),
        }
    }
    of_pieces(&mut keys, profile);
    let distinct: BTreeSet<i64> = keys.found.iter().copied().take(KEYS_MAX).collect();
    distinct.into_iter().collect()
}

struct Keys<'a> {
    entity: &'a str,
    found: Vec<i64>,
}

impl Keys<'_> {
    /// Adds a key made of pieces; `what` keeps keys of different sorts apart.
    fn add(&mut self, what: &str, pieces: &[&str]) {
        let mut hash = Sha256::new();
        for piece in [self.entity, what].into_iter().chain(pieces.iter().copied()) {
            hash.update(piece.as_bytes());
            hash.update([0]);
        }
        let mut bytes = [0; 8];
        for (to, from) in bytes.iter_mut().zip(hash.finalize()) {
            *to = from;
        }
        let key = i64::from_be_bytes(bytes);
        if !self.found.contains(&key) {
            self.found.push(key);
        }
    }
}

/// A company in Han characters: its brand's sound, the brand with one character left out, both
/// ends of the whole, and its characters in any order.
fn of_han(keys: &mut Keys<'_>, company: &Company) {
    let whole: Vec<char> = company.whole().chars().collect();
    if company.is_generic {
        keys.add("whole", &[&company.whole()]);
    } else {
        keys.add("sound", &[&company.sound()]);
    }
    if whole.len() > HEAD_CHARS {
        let head: String = whole.iter().take(HEAD_CHARS).collect();
        let tail: String = whole.iter().skip(whole.len().saturating_sub(TAIL_CHARS)).collect();
        keys.add("head", &[&head]);
        keys.add("tail", &[&tail]);
        let mut sorted = whole.clone();
        sorted.sort_unstable();
        keys.add("letters", &[&sorted.into_iter().collect::<String>()]);
    }
    let brand: Vec<char> = company.brand.chars().collect();
    if brand.len() + 1 >= DROPPED_FROM && brand.len() < DROPPED_TO {
        keys.add("brand", &[&company.brand]);
    }
    if (DROPPED_FROM..=DROPPED_TO).contains(&brand.len()) {
        for left_out in 0..brand.len() {
            let rest = brand.iter().enumerate().filter(|(at, _)| *at != left_out);
            let rest: String = rest.map(|(_, c)| *c).collect();
            keys.add("brand", &[&rest]);
        }
    }
}

/// A company in Latin letters: its words joined, both ends of that, and every telling word. The
/// sound of a brand in Han characters is written in the same letters.
fn of_latin(keys: &mut Keys<'_>, company: &Company) {
    keys.add("sound", &[&company.brand]);
    let letters: Vec<char> = company.brand.chars().collect();
    if letters.len() > HEAD_CHARS {
        let head: String = letters.iter().take(HEAD_CHARS + 1).collect();
        let tail: String = letters.iter().skip(letters.len().saturating_sub(TAIL_CHARS)).collect();
        keys.add("head", &[&head]);
        keys.add("tail", &[&tail]);
    }
    of_words(keys, &company.words);
}

/// A name of words: all of them in any order, and pairs of which one may have a slip behind its
/// second letter.
fn of_words(keys: &mut Keys<'_>, words: &[String]) {
    let mut sorted = words.to_vec();
    sorted.sort();
    keys.add("words", &[&sorted.concat()]);
    // Run together, the given name first or last.
    keys.add("words", &[&words.concat()]);
    let some = words.iter().take(WORDS_COMBINED_MAX);
    for (at, word) in some.clone().enumerate() {
        for (_, other) in some.clone().enumerate().filter(|(other, _)| *other != at) {
            let start: String = other.chars().take(2).collect();
            keys.add("pair", &[word, &start]);
        }
    }
}

/// Pieces of different fields together.
fn of_pieces(keys: &mut Keys<'_>, profile: &Profile) {
    let place = profile.places.first();
    let postcode = place.map_or("", |place| place.postcode.as_str());
    let born = profile.born.first().map_or("", |born| born.0.as_str());
    let words = profile.names.iter().flat_map(|name| match name {
        Name::Company(company) => &company.words,
        Name::Person(person) => &person.words,
    });
    for word in words.take(WORDS_COMBINED_MAX) {
        if !postcode.is_empty() {
            keys.add("word and code", &[word, postcode]);
        }
        if !born.is_empty() {
            keys.add("word and birth", &[word, born]);
        }
    }
    if !born.is_empty() && !postcode.is_empty() {
        keys.add("birth and code", &[born, postcode]);
    }
    if let Some(place) = place
        && let (Some(number), Some(street)) =
            (place.numbers.first(), place.street.iter().max_by_key(|word| word.len()))
    {
        keys.add("house", &[number, street]);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::schema::Schema;

    fn keys(entity: &str, fields: &Json) -> Vec<i64> {
        let entity = Schema::builtin().entity(entity).unwrap();
        let roles = entity.likeness.as_ref().unwrap();
        keys_of(entity, &Profile::of(roles, fields.as_object().unwrap()))
    }

    fn meet(entity: &str, left: &Json, right: &Json) -> bool {
        let right = keys(entity, right);
        keys(entity, left).iter().any(|key| right.contains(key))
    }

    #[test]
    fn usual_differences_leave_a_key_in_common() {
        let company = |name: &str| json!({ "company_name": name });
        for (left, right) in [
            ("上海青禾环保科技有限公司", "青禾环保科技"),
            ("上海青禾环保科技有限公司", "上海清和环保科技有限公司"),
            ("上海青禾田环保科技有限公司", "上海青木田环保科技有限公司"),
            ("上海青禾环保科技有限公司", "上诲青禾环保科技有限公司"),
            ("Blue Whale Logistics Ltd", "BlueWhale Logistics"),
            ("Blue Whale Logistics Ltd", "Blue Whale Logistcis"),
        ] {
            assert!(meet("customer", &company(left), &company(right)), "{left} / {right}");
        }
        let phone = |number: &str| json!({ "company_name": "a b", "phone": number });
        assert!(meet("customer", &phone("021 5555 1234"), &phone("+86 21 55551234")));
        let person = |name: &str| json!({ "name": name });
        assert!(meet("contact", &person("陈小明"), &person("Chen Xiaoming")));
    }

    #[test]
    fn a_record_has_bounded_keys_and_entities_never_meet() {
        let rows: Vec<Json> =
            (0..9).map(|n| json!({ "number": format!("02155550{n:03}") })).collect();
        let full = json!({
            "company_name": "one two three four five", "short_name": "six seven eight nine",
            "phones": rows, "tax_no": "GB123456789", "email": "a@example.com",
            "address": { "street": "12 High Street", "postcode": "1234" },
        });
        assert!(keys("customer", &full).len() <= KEYS_MAX);
        let lead = keys("lead", &json!({ "company_name": "one two" }));
        let customer = keys("customer", &json!({ "company_name": "one two" }));
        assert!(lead.iter().all(|key| !customer.contains(key)));
    }
}
