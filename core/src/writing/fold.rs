//! One form for all ways of writing the same text.

use std::{ops::Range, sync::OnceLock};

use unicode_normalization::UnicodeNormalization;

/// Han characters whose Simplified form is looked up in a table: the basic block and extension A.
const HAN_FIRST: u32 = 0x3400;
const HAN_LAST: u32 = 0x9fff;

/// One character of folded text, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded {
    /// The folded character.
    pub c: char,
    /// The bytes of the original text that it stands for. Several characters may share them.
    pub place: Range<usize>,
}

/// Folds text: full width as half width, no capitals, no accents, Traditional as Simplified.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        each_folded(c, |c| folded.push(c));
    }
    folded
}

/// Folds text as [`fold`] does, and says where each character comes from.
#[must_use]
pub fn fold_with_places(text: &str) -> Vec<Folded> {
    let mut folded = Vec::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let place = at..at + c.len_utf8();
        each_folded(c, |c| folded.push(Folded { c, place: place.clone() }));
    }
    folded
}

/// Whether text in the character's script runs on without spaces: Han, kana, Hangul.
#[must_use]
pub fn is_han(c: char) -> bool {
    matches!(u32::from(c),
        0x3005..=0x3007 | 0x3041..=0x30ff | HAN_FIRST..=HAN_LAST | 0xac00..=0xd7a3
        | 0xf900..=0xfaff | 0x20000..=0x323af)
}

fn each_folded(c: char, mut push: impl FnMut(char)) {
    if c.is_ascii() {
        return push(c.to_ascii_lowercase());
    }
    for c in std::iter::once(c).nfkc() {
        match c {
            _ if c.is_ascii() => push(c.to_ascii_lowercase()),
            _ if is_han(c) => push(simplified(c)),
            _ if is_accent(c) => {}
            // Letters with accents; other scripts keep their letters.
            _ if is_latin(c) => {
                any_ascii::any_ascii_char(c).to_lowercase().chars().for_each(&mut push)
            }
            _ => c.to_lowercase().for_each(&mut push),
        }
    }
}

/// Marks that stand on the letter before them.
fn is_accent(c: char) -> bool {
    matches!(u32::from(c), 0x300..=0x36f)
}

fn is_latin(c: char) -> bool {
    matches!(u32::from(c), 0xaa | 0xba | 0xc0..=0x24f | 0x1e00..=0x1eff) && c.is_alphabetic()
}

fn simplified(c: char) -> char {
    static TABLE: OnceLock<Vec<char>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let simplify = |code| {
            let c = char::from_u32(code)?;
            let mut simple = hanconv::t2s(c.to_string()).chars().collect::<Vec<_>>().into_iter();
            // A character stands for one character: places and bigrams depend on it.
            simple.next().filter(|_| simple.next().is_none()).or(Some(c))
        };
        (HAN_FIRST..=HAN_LAST).map(|code| simplify(code).unwrap_or(' ')).collect()
    });
    let place = u32::from(c).checked_sub(HAN_FIRST).and_then(|at| usize::try_from(at).ok());
    place.and_then(|at| table.get(at).copied()).unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::{fold, fold_with_places, is_han};

    #[test]
    fn ways_of_writing_the_same_fold_to_one() {
        for (text, folded) in [
            ("Müller & Søn", "muller & son"),
            ("Straße", "strasse"),
            ("１８Ｃ　上海", "18c 上海"),
            ("三川實業", "三川实业"),
            ("臺灣", "台湾"),
            ("Cafe\u{301}", "cafe"),
            ("ΑΘΗΝΑ Привет", "αθηνα привет"),
            ("ﬁn ① ㈱", "fin 1 (株)"),
            ("", ""),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
    }

    #[test]
    fn places_are_those_of_the_original() {
        let text = "Ｍü實";
        for folded in fold_with_places(text) {
            let original = text.get(folded.place).unwrap();
            assert!(fold(original).contains(folded.c));
        }
    }

    #[test]
    fn scripts_without_spaces_are_told() {
        assert!("三ひカ한々".chars().all(is_han));
        assert!(!"a1ü·，".chars().any(is_han));
    }
}
