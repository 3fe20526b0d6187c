//! What two names say.

use std::collections::BTreeSet;

use strsim::osa_distance;

use super::weights as w;
use crate::{
    likeness::{
        company::{Company, is_generic_word},
        places::province_of,
        profile::{Name, Person},
        words::{Closeness, agreement, closeness},
    },
    writing::pinyin,
};

/// Characters of a whole name from which a slip outside the brand is taken for one.
const WHOLE_CHARS_MIN: usize = 6;

/// Bits of two names; `None` where they cannot be compared.
pub(super) fn bits(left: &Name, right: &Name) -> Option<f64> {
    let bits = match (left, right) {
        (Name::Company(left), Name::Company(right)) => company(left, right),
        (Name::Person(left), Name::Person(right)) => person(left, right),
        // A field for companies that holds a person's name in one record.
        (Name::Company(company), Name::Person(person))
        | (Name::Person(person), Name::Company(company)) => words_of_both(company, person)?,
    };
    Some(bits.max(w::NAME_MIN))
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn person(left: &Person, right: &Person) -> f64 {
    if !left.han.is_empty() && !right.han.is_empty() {
        return han_person(left, right);
    }
    if left.han.is_empty() != right.han.is_empty() {
        let sound = |person: &Person| person.words.concat();
        let sorted = |person: &Person| {
            let mut words = person.words.clone();
            words.sort();
            words.concat()
        };
        let is_same = sound(left) == sound(right) || sorted(left) == sorted(right) || {
            // The family name last, as in the West.
            let (han, latin) = if left.han.is_empty() { (right, left) } else { (left, right) };
            let mut turned = latin.words.clone();
            turned.rotate_right(1);
            sound(han) == turned.concat()
        };
        return if is_same { w::HAN_SOUND_SAME } else { w::NAME_MIN };
    }
    let found = agreement(&left.words, &right.words);
    let bits = count(found.same) * w::PERSON_WORD_SAME
        + count(found.near) * w::PERSON_WORD_NEAR
        + count(found.initials) * w::PERSON_INITIAL
        + count(found.against) * w::PERSON_WORD_OTHER
        + count(found.extra) * w::PERSON_WORD_MORE;
    bits.min(w::PERSON_MAX)
}

fn han_person(left: &Person, right: &Person) -> f64 {
    if left.han == right.han {
        let given = left.han.chars().count().saturating_sub(1);
        return (w::HAN_FAMILY_SAME + count(given) * w::HAN_GIVEN_SAME).min(w::PERSON_MAX);
    }
    if left.words == right.words { w::HAN_SOUND_SAME } else { w::NAME_MIN }
}

fn words_of_both(company: &Company, person: &Person) -> Option<f64> {
    if company.words.is_empty() {
        return (!person.han.is_empty() && company.brand == person.han).then_some(w::PERSON_MAX);
    }
    let words = Person { words: company.words.clone(), han: String::new() };
    (person.han.is_empty()).then(|| self::person(&words, person))
}

fn company(left: &Company, right: &Company) -> f64 {
    let is_latin = (!left.words.is_empty(), !right.words.is_empty());
    match is_latin {
        (true, true) => latin(left, right),
        (false, false) => han(left, right),
        // One in letters, one in characters: the sound of the brand.
        (true, false) | (false, true) => {
            if left.sound() == right.sound() {
                w::HAN_SOUND_SAME
            } else {
                0.0
            }
        }
    }
}

fn latin(left: &Company, right: &Company) -> f64 {
    let found = agreement(&left.words, &right.words);
    let generic = left.words.iter().filter(|word| is_generic_word(word));
    let generic = generic.filter(|word| right.words.contains(word)).count().min(found.same);
    let telling = found.same - generic;
    let mut bits = count(telling) * w::WORD_SAME
        + count(generic) * w::GENERIC_WORD_SAME
        + count(found.near) * w::WORD_NEAR
        + count(found.against) * w::WORD_OTHER
        + count(found.extra) * w::WORD_MORE;
    if found.is_whole() && telling > 0 {
        bits += w::WORDS_WHOLE;
    }
    bits.min(w::COMPANY_MAX)
}

fn han(left: &Company, right: &Company) -> f64 {
    let mut bits = match swapped(left, right).or_else(|| outside_slip(left, right)) {
        Some(bits) => bits,
        None => {
            let brand = brand(left, right);
            if brand <= 0.0 {
                return w::NAME_MIN;
            }
            let is_whole = left.whole() == right.whole();
            let whole = if is_whole { w::WHOLE_SAME } else { 0.0 };
            brand + places(left, right) + trade(left, right) + whole
        }
    };
    bits = bits.min(w::COMPANY_MAX);
    if left.branch != right.branch {
        bits += w::BRANCH_OTHER;
    }
    bits
}

/// The brands as they were taken apart.
fn brand(left: &Company, right: &Company) -> f64 {
    let (a, b) = (&left.brand, &right.brand);
    let len = a.chars().count().max(b.chars().count());
    let one =
        if left.is_generic || right.is_generic { w::GENERIC_CHAR_SAME } else { w::BRAND_CHAR_SAME };
    if a == b {
        return (count(len) * one).min(w::BRAND_MAX);
    }
    // In letters or mixed, a slip is one of many letters.
    if a.is_ascii() && b.is_ascii() {
        let is_near = closeness(a, b) == Closeness::Near;
        return if is_near { 2.0 * w::WORD_NEAR } else { w::NAME_MIN };
    }
    let distance = osa_distance(a, b);
    let same = count(len.saturating_sub(distance)) * one;
    let differing = if pinyin(a) == pinyin(b) {
        count(distance) * w::BRAND_SOUND + count(distance)
    } else if is_anagram(a, b) {
        w::BRAND_SWAPPED + one
    } else {
        count(distance) * w::BRAND_CHAR_OTHER
    };
    (same + differing).min(w::BRAND_MAX)
}

fn is_anagram(left: &str, right: &str) -> bool {
    let sorted = |text: &str| {
        let mut chars: Vec<char> = text.chars().collect();
        chars.sort_unstable();
        chars
    };
    sorted(left) == sorted(right)
}

/// Two neighbours changed over, wherever in the name: no two companies differ by that.
fn swapped(left: &Company, right: &Company) -> Option<f64> {
    let (a, b) = (left.whole(), right.whole());
    let is_long = a.chars().count() >= WHOLE_CHARS_MIN;
    (is_long && a != b && is_anagram(&a, &b) && osa_distance(&a, &b) == 1).then_some(w::NEIGHBOURS)
}

/// One slip in a place or trade leaves a name that is taken apart in another way: then the whole
/// names differ by that slip, and the shorter brand is part of the longer one.
fn outside_slip(left: &Company, right: &Company) -> Option<f64> {
    if left.brand == right.brand {
        return None;
    }
    let (a, b) = (left.whole(), right.whole());
    let len = a.chars().count().min(b.chars().count());
    let (short, long) =
        if left.brand.len() <= right.brand.len() { (left, right) } else { (right, left) };
    if len < WHOLE_CHARS_MIN || short.is_generic || !long.brand.contains(short.brand.as_str()) {
        return None;
    }
    (osa_distance(&a, &b) == 1).then(|| {
        let brand = count(short.brand.chars().count()) * w::BRAND_CHAR_SAME;
        brand.min(w::BRAND_MAX) + w::OUTSIDE_SLIP + w::TRADE_NEAR + w::PLACE_WITHIN
    })
}

fn places(left: &Company, right: &Company) -> f64 {
    if left.places.is_empty() || right.places.is_empty() {
        return 0.0;
    }
    if left.places.iter().any(|place| right.places.contains(place)) {
        return w::PLACE_SAME;
    }
    // A province and a city of it do not contradict; two cities of one do.
    let is_within = |inner: &[String], outer: &[String]| {
        inner
            .iter()
            .filter_map(|place| province_of(place))
            .any(|province| outer.iter().any(|place| place == province))
    };
    if is_within(&left.places, &right.places) || is_within(&right.places, &left.places) {
        w::PLACE_WITHIN
    } else {
        w::PLACE_OTHER
    }
}

fn trade(left: &Company, right: &Company) -> f64 {
    let (a, b) = (&left.trade, &right.trade);
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    if a == b {
        return w::TRADE_SAME;
    }
    let pairs =
        |text: &str| -> BTreeSet<(char, char)> { text.chars().zip(text.chars().skip(1)).collect() };
    let (a, b) = (pairs(a), pairs(b));
    // One word in common is enough: 信息科技 and 科技.
    if a.is_disjoint(&b) { w::TRADE_OTHER } else { w::TRADE_NEAR }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::likeness::{POSSIBLE_FROM, SURE_FROM};

    fn of(left: &str, right: &str) -> f64 {
        let name = |text| Name::Company(Company::parse(text).unwrap());
        bits(&name(left), &name(right)).unwrap()
    }

    #[test]
    fn companies_are_told_by_brand_place_and_trade() {
        let whole = "杭州青禾田环保科技有限公司";
        for other in [
            whole,
            "杭州市青禾田环保科技股份公司",
            "青禾田环保科技（杭州）有限公司",
            "杭州青禾田環保科技有限公司",
        ] {
            assert!(of(whole, other) >= SURE_FROM, "{other} {}", of(whole, other));
        }
        for other in [
            "青禾田环保科技",
            "杭州青禾田科技",
            "杭州清禾田环保科技有限公司",
            "杭州青禾甜环保科技有限公司",
            "杭洲青禾田环保科技有限公司",
            "杭州青禾田环保料技有限公司",
            "浙江青禾田环保科技有限公司",
        ] {
            assert!(of(whole, other) >= POSSIBLE_FROM, "{other} {}", of(whole, other));
        }
        for other in [
            "杭州青禾田环保科技有限公司宁波分公司",
            "杭州白鹭洲环保科技有限公司",
            "宁波青禾田餐饮有限公司",
            "杭州环保科技有限公司",
        ] {
            assert!(of(whole, other) < POSSIBLE_FROM, "{other} {}", of(whole, other));
        }
    }

    #[test]
    fn two_companies_of_a_city_may_differ_by_one_character() {
        let (one, other) = ("北京华美科技有限公司", "北京华夏科技有限公司");
        assert!(of(one, other) < POSSIBLE_FROM, "{}", of(one, other));
        // The same sound is how people mistype.
        assert!(of(one, "北京华镁科技有限公司") >= POSSIBLE_FROM);
    }

    #[test]
    fn latin_companies_are_told_by_their_words() {
        assert!(of("Acme", "ACME Inc.") >= POSSIBLE_FROM);
        assert!(of("Blue Whale Logistics", "Blue Whale Logistics Ltd") >= SURE_FROM);
        assert!(of("Blue Whale Logistics", "Bluewhale Logistics") >= SURE_FROM);
        assert!(of("Blue Whale Logistics", "Blue Wale Logistics") >= POSSIBLE_FROM);
        assert!(of("Blue Whale Logistics", "Blue Whale Catering") < POSSIBLE_FROM);
        assert!(of("Global Services", "Global Services Group") < POSSIBLE_FROM);
    }
}
