//! One typo in a word: a letter too many, too few, another one, or two that changed places.
//!
//! An index finds words by how they begin. A letter too many and changed places are undone in all
//! ways and looked for as they are. Of the other two, one half of the word is intact: the index's
//! words that begin with the first half, or whose mirror begins with the mirrored second half,
//! are compared with the whole.

use super::prepare::{MIRROR, SLIP_CHARS_MIN};

/// Letters of a word in which a typo is looked for, at most.
const SLIP_CHARS_MAX: usize = 32;

/// Words of an index, from one on up to another that is not among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordRange {
    /// The first.
    pub from: String,
    /// The first behind them.
    pub to: String,
    /// Whether they are mirrored words.
    pub is_mirrored: bool,
}

/// Whether a word is one in which a typo is looked for.
pub(super) fn may_slip(word: &str) -> bool {
    (SLIP_CHARS_MIN..=SLIP_CHARS_MAX).contains(&word.chars().count())
        && word.chars().all(char::is_alphabetic)
}

/// The word with one letter taken out, or two neighbours changed, in all ways.
#[must_use]
pub fn variants(word: &str) -> Vec<String> {
    let chars: Vec<char> = word.chars().collect();
    let mut found = Vec::new();
    for at in 0..chars.len() {
        let mut shorter = chars.clone();
        shorter.remove(at);
        found.push(shorter.into_iter().collect::<String>());
        if at + 1 < chars.len() {
            let mut changed = chars.clone();
            changed.swap(at, at + 1);
            found.push(changed.into_iter().collect());
        }
    }
    found.sort();
    found.dedup();
    found.retain(|variant| variant != word);
    found
}

/// Where words with another letter, or with one more, are to be found.
#[must_use]
pub fn ranges(word: &str) -> Vec<WordRange> {
    let chars: Vec<char> = word.chars().collect();
    let half = chars.len() / 2;
    let first: String = chars.iter().take(half).collect();
    let second: String =
        std::iter::once(MIRROR).chain(chars.iter().skip(half).rev().copied()).collect();
    let range = |from: String, is_mirrored| {
        // Behind all words that begin so.
        let to = format!("{from}\u{10ffff}");
        WordRange { from, to, is_mirrored }
    };
    vec![range(first, false), range(second, true)]
}

/// Whether one typo makes one word of the other.
#[must_use]
pub fn is_slip_of(word: &str, other: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (word.chars().collect(), other.chars().collect());
    if a == b || a.len().abs_diff(b.len()) > 1 {
        return false;
    }
    let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let a = a.get(same..).unwrap_or_default();
    let b = b.get(same..).unwrap_or_default();
    let behind = |run: &[char], count: usize| run.get(count..).map(<[char]>::to_vec);
    let swapped = || {
        let (Some([a0, a1]), Some([b0, b1])) = (a.first_chunk::<2>(), b.first_chunk::<2>()) else {
            return false;
        };
        a0 == b1 && a1 == b0 && behind(a, 2) == behind(b, 2)
    };
    match a.len().cmp(&b.len()) {
        std::cmp::Ordering::Equal => behind(a, 1) == behind(b, 1) || swapped(),
        std::cmp::Ordering::Less => behind(b, 1).as_deref() == Some(a),
        std::cmp::Ordering::Greater => behind(a, 1).as_deref() == Some(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_typo_is_told_from_two() {
        for (word, other, is_slip) in [
            ("schmidt", "schmitd", true),
            ("schmidt", "schmit", true),
            ("schmidt", "schmiddt", true),
            ("schmidt", "schmjdt", true),
            ("schmidt", "chmidt", true),
            ("schmidt", "schmidt", false),
            ("schmidt", "shcmitd", false),
            ("schmidt", "scmit", false),
            ("abcd", "abdce", false),
        ] {
            assert_eq!(is_slip_of(word, other), is_slip, "{word} {other}");
            assert_eq!(is_slip_of(other, word), is_slip, "{other} {word}");
        }
    }

    /// Whatever the typo: it is among the variants, or one half stands in a range.
    #[test]
    fn every_typo_is_reached() {
        let word = "meridian";
        let mut typos: Vec<String> = variants(word);
        for at in 0..=word.len() {
            let (before, behind) = word.split_at(at);
            typos.push(format!("{before}q{behind}"));
            if let Some(rest) = behind.get(1..) {
                typos.push(format!("{before}q{rest}"));
            }
        }
        for typo in typos {
            let mirrored: String = std::iter::once(MIRROR).chain(word.chars().rev()).collect();
            let is_within = |range: &WordRange| {
                let word = if range.is_mirrored { mirrored.as_str() } else { word };
                (range.from.as_str()..range.to.as_str()).contains(&word)
            };
            let is_reached =
                variants(&typo).iter().any(|v| v == word) || ranges(&typo).iter().any(is_within);
            assert!(is_reached && is_slip_of(&typo, word), "{typo}");
        }
    }
}
