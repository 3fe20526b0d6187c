//! How Han characters sound, as far as people type it: syllables without tones, and initials.

use std::{collections::BTreeSet, sync::OnceLock};

use crate::writing::readings;

/// Ways to cut one word into syllables that are tried, at most.
pub(super) const CUTS_MAX: usize = 8;
/// Syllables of one word, at most.
pub(super) const SYLLABLES_MAX: usize = 12;
/// Letters of the longest syllable.
const SYLLABLE_CHARS_MAX: usize = 6;
/// The characters whose readings are all the syllables there are.
const HAN: std::ops::RangeInclusive<char> = '\u{4e00}'..='\u{9fff}';

/// The syllables that a character may stand for, as people type them: `lü` as `lv` or `lu`.
pub(super) fn syllables_of(c: char) -> Vec<&'static str> {
    let mut found = Vec::new();
    for reading in readings(c) {
        match reading {
            "lü" => found.extend(["lv", "lu"]),
            "nü" => found.extend(["nv", "nu"]),
            "lüe" => found.extend(["lve", "lue"]),
            "nüe" => found.extend(["nve", "nue"]),
            _ => found.push(reading),
        }
    }
    // Without a vowel nobody types it, and it would cut everything into pieces.
    found.retain(|syllable| {
        syllable.is_ascii() && syllable.contains(['a', 'e', 'i', 'o', 'u', 'v'])
    });
    found
}

fn syllables() -> &'static BTreeSet<&'static str> {
    static ALL: OnceLock<BTreeSet<&'static str>> = OnceLock::new();
    ALL.get_or_init(|| HAN.flat_map(syllables_of).collect())
}

/// The ways to read letters as syllables, the last of which may be only begun.
pub(super) fn cuts(letters: &str) -> Vec<Vec<&str>> {
    let mut found = Vec::new();
    if letters.bytes().all(|b| b.is_ascii_lowercase()) {
        cut(letters, &mut Vec::new(), &mut found);
    }
    found
}

fn cut<'a>(rest: &'a str, begun: &mut Vec<&'a str>, found: &mut Vec<Vec<&'a str>>) {
    if found.len() >= CUTS_MAX || begun.len() >= SYLLABLES_MAX || rest.is_empty() {
        return;
    }
    if is_begun(rest) {
        found.push(begun.iter().copied().chain([rest]).collect());
    }
    // Long syllables first: they are meant more often.
    for length in (1..=SYLLABLE_CHARS_MAX.min(rest.len().saturating_sub(1))).rev() {
        let Some((syllable, behind)) = rest.split_at_checked(length) else { continue };
        if syllables().contains(syllable) {
            begun.push(syllable);
            cut(behind, begun, found);
            begun.pop();
        }
    }
}

/// Whether a syllable begins with these letters.
fn is_begun(letters: &str) -> bool {
    syllables().range(letters..).next().is_some_and(|first| first.starts_with(letters))
}

/// How many of the characters, from the first on, the letters spell, if they spell any: whole
/// syllables, the last of which may be only begun.
pub(super) fn spelled(letters: &str, chars: &[char]) -> Option<usize> {
    let (first, others) = chars.split_first()?;
    for syllable in syllables_of(*first) {
        if syllable.starts_with(letters) {
            return Some(1);
        }
        let Some(rest) = letters.strip_prefix(syllable) else { continue };
        if let Some(count) = spelled(rest, others) {
            return Some(count + 1);
        }
    }
    None
}

/// Whether the letters are the initials of the characters, from the first on.
pub(super) fn is_initials(letters: &str, chars: &[char]) -> bool {
    let mut chars = chars.iter();
    letters.chars().all(|letter| chars.next().is_some_and(|c| has_initial(*c, letter)))
}

/// Whether a reading of the character begins with the letter.
pub(super) fn has_initial(c: char, letter: char) -> bool {
    readings(c).iter().any(|reading| reading.starts_with(letter))
}

/// Whether two characters have a reading in common.
pub(super) fn sounds_alike(left: char, right: char) -> bool {
    left == right || {
        let right = readings(right);
        readings(left).iter().any(|reading| right.contains(reading))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_cut_into_syllables_in_all_ways() {
        assert_eq!(cuts("sanchuan").first(), Some(&vec!["san", "chuan"]));
        assert!(cuts("xian").contains(&vec!["xian"]) && cuts("xian").contains(&vec!["xi", "an"]));
        assert!(cuts("sanchuanshiy").contains(&vec!["san", "chuan", "shi", "y"]));
        assert!(cuts("müller").is_empty());
        assert!(cuts("vvv").is_empty());
        assert!(cuts(&"xian".repeat(50)).len() <= CUTS_MAX);
    }

    #[test]
    fn characters_are_spelled_in_all_their_readings() {
        let chars: Vec<char> = "重庆银行".chars().collect();
        assert_eq!(spelled("chongqing", &chars), Some(2));
        assert_eq!(spelled("zhongqingyinh", &chars), Some(4));
        assert_eq!(spelled("chongqingx", &chars), None);
        assert!(is_initials("cqyh", &chars) && is_initials("zqyx", &chars));
        assert!(!is_initials("cqyhx", &chars));
        assert_eq!(spelled("lv", &['吕']), Some(1));
        assert!(sounds_alike('三', '叁') && !sounds_alike('三', '川'));
    }
}
