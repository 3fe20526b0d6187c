//! Han characters by their sound.

use pinyin::{ToPinyin as _, ToPinyinMulti as _};

use super::fold::{fold, is_han};

/// Readings of one character that are told, at most; the first are the common ones.
pub const READINGS_MAX: usize = 3;

/// The readings of a Han character, without tones, the common one first; none if it has none.
#[must_use]
pub fn readings(c: char) -> Vec<&'static str> {
    let mut found = Vec::new();
    for reading in c.to_pinyin_multi().into_iter().flatten() {
        let plain = reading.plain();
        if !found.contains(&plain) && found.len() < READINGS_MAX {
            found.push(plain);
        }
    }
    found
}

/// Text with every Han character as the common reading, one word each: to sort and to show by.
#[must_use]
pub fn pinyin(text: &str) -> String {
    let mut spelled = String::with_capacity(text.len());
    let mut is_after_han = false;
    for c in fold(text).chars() {
        let reading = if is_han(c) { c.to_pinyin().map(|reading| reading.plain()) } else { None };
        if !spelled.is_empty() && (reading.is_some() || is_after_han) && !spelled.ends_with(' ') {
            spelled.push(' ');
        }
        match reading {
            Some(reading) => spelled.push_str(reading),
            None if c == ' ' && spelled.ends_with(' ') => {}
            None => spelled.push(c),
        }
        is_after_han = reading.is_some();
    }
    spelled
}

/// The first letters of the readings of a Han character, each once.
#[must_use]
pub fn initials(c: char) -> Vec<char> {
    let mut found: Vec<char> = Vec::new();
    for initial in readings(c).into_iter().filter_map(|reading| reading.chars().next()) {
        if !found.contains(&initial) {
            found.push(initial);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{initials, pinyin, readings};

    #[test]
    fn characters_have_their_readings() {
        assert_eq!(readings('三'), ["san"]);
        assert!(readings('重').starts_with(&["zhong", "chong"]));
        assert!(readings('行').contains(&"hang"));
        assert_eq!(initials('长'), ['z', 'c']);
        assert!(readings('a').is_empty());
    }

    #[test]
    fn names_are_spelled() {
        assert_eq!(pinyin("三川實業"), "san chuan shi ye");
        assert_eq!(pinyin("ABC贸易 2"), "abc mao yi 2");
        assert_eq!(pinyin("Acme"), "acme");
    }
}
