//! China's provinces and cities, as far as they stand in the names of companies.
//!
//! A list of our own: a province, then its cities, all without the words for "province" and
//! "city". What is not in it is still known by those words (`昆山市`). A city whose name is an
//! everyday word (`东方`, `朝阳`) is left out: it is more often a name than a place.

use std::{collections::HashMap, sync::OnceLock};

/// Characters of the longest place in the list.
pub(super) const PLACE_CHARS_MAX: usize = 6;
/// Words that end the name of a place.
const ENDS: [&str; 10] =
    ["特别行政区", "壮族自治区", "自治区", "自治州", "新区", "省", "市", "区", "县", "镇"];

const LIST: &str = include_str!("places.txt");

struct Places {
    /// A place with its province; provinces with themselves.
    province_of: HashMap<&'static str, &'static str>,
}

fn places() -> &'static Places {
    static PLACES: OnceLock<Places> = OnceLock::new();
    PLACES.get_or_init(|| {
        let mut province_of = HashMap::new();
        for line in LIST.lines().filter(|line| !line.starts_with('#')) {
            let Some((province, cities)) = line.split_once(':') else { continue };
            province_of.insert(province, province);
            for city in cities.split_whitespace() {
                province_of.entry(city).or_insert(province);
            }
        }
        Places { province_of }
    })
}

/// The province of a place of the list; a province's is itself.
pub(super) fn province_of(place: &str) -> Option<&'static str> {
    places().province_of.get(place).copied()
}

/// The place that the characters begin with, without its ending word, and how many characters it
/// takes; a known one, or up to four characters before an ending word.
pub(super) fn leading(chars: &[char]) -> Option<(String, usize)> {
    for len in (2..=PLACE_CHARS_MAX.min(chars.len())).rev() {
        let Some(start) = chars.get(..len) else { continue };
        let name: String = start.iter().collect();
        if province_of(&name).is_some() {
            let rest: String = chars.iter().skip(len).collect();
            let end = ENDS.iter().find(|end| rest.starts_with(**end));
            return Some((name, len + end.map_or(0, |end| end.chars().count())));
        }
    }
    // 三, 昆山市: two to four characters before the word; 市区 and 小区 are no names.
    for len in 2..=4 {
        let (Some(name), Some(end)) = (chars.get(..len), chars.get(len)) else { continue };
        if matches!(end, '省' | '市' | '区' | '县') {
            let name: String = name.iter().collect();
            return Some((name.trim_end_matches('新').to_owned(), len + 1));
        }
    }
    None
}

/// The known place that the characters end with, and how many characters it takes.
pub(super) fn trailing(chars: &[char]) -> Option<(String, usize)> {
    for len in (2..=PLACE_CHARS_MAX.min(chars.len())).rev() {
        let name: String = chars.get(chars.len() - len..)?.iter().collect();
        let plain = without_end(&name);
        if province_of(plain).is_some() {
            return Some((plain.to_owned(), len));
        }
    }
    None
}

/// A name without the word for what sort of place it is.
pub(super) fn without_end(name: &str) -> &str {
    let end = ENDS.iter().find(|end| name.ends_with(**end));
    let plain = end.and_then(|end| name.strip_suffix(end)).unwrap_or(name);
    if plain.chars().count() < 2 { name } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chars(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    #[test]
    fn places_are_known_with_and_without_their_ending() {
        for (text, place, taken) in [
            ("上海中磊", "上海", 2),
            ("厦门市康之道", "厦门", 3),
            ("广西壮族自治区", "广西", 7),
            ("钟楼区北港", "钟楼", 3),
            ("江北新区华之北", "江北", 4),
            ("黑龙江省", "黑龙江", 4),
        ] {
            assert_eq!(leading(&chars(text)), Some((place.to_owned(), taken)), "{text}");
        }
        assert_eq!(leading(&chars("鼎盛企业")), None);
        assert_eq!(trailing(&chars("李尔汽车系统扬州")), Some(("扬州".to_owned(), 2)));
        assert_eq!(trailing(&chars("李尔汽车系统")), None);
    }

    #[test]
    fn no_place_of_the_list_is_longer_than_the_limit() {
        assert!(places().province_of.len() > 300);
        assert!(places().province_of.keys().all(|name| {
            let count = name.chars().count();
            (2..=PLACE_CHARS_MAX).contains(&count)
        }));
    }
}
