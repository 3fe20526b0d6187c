//! Text cut into words: letters and digits in runs, and runs of scripts without spaces.

use std::ops::Range;

use crate::writing::{Folded, fold_with_places, is_han};

/// Characters of one word that are compared; what follows is not.
pub const WORD_CHARS_MAX: usize = 64;
/// The dot in the middle of names in kana: it parts words.
const MIDDLE_DOT: char = '\u{30fb}';

/// A run of characters of one sort.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// Its place among the characters of its text.
    pub(super) chars: Range<usize>,
    /// Whether its script goes without spaces.
    pub(super) is_han: bool,
    /// Whether nothing but one sign stands between it and the word before: `O'Brien`, `T-Mobile`.
    pub(super) is_joined: bool,
    /// Whether it touches the word before, which is of another script.
    pub(super) is_touching: bool,
}

/// Folded text and its words.
#[derive(Debug, Clone, Default)]
pub(super) struct Text {
    pub(super) chars: Vec<Folded>,
    pub(super) words: Vec<Word>,
}

impl Text {
    /// Folds and cuts a text.
    pub(super) fn of(text: &str) -> Self {
        Self::cut(fold_with_places(text))
    }

    /// Cuts text that is folded already.
    pub(super) fn of_folded(text: &str) -> Self {
        let place = |(at, c): (usize, char)| Folded { c, place: at..at + c.len_utf8() };
        Self::cut(text.char_indices().map(place).collect())
    }

    fn cut(chars: Vec<Folded>) -> Self {
        let mut words: Vec<Word> = Vec::new();
        let mut open: Option<(usize, bool)> = None;
        let mut close = |from: usize, to: usize, is_han: bool| {
            let gap = words.last().map(|last| last.chars.end..from);
            let signs = gap.as_ref().and_then(|gap| chars.get(gap.clone())).unwrap_or_default();
            let is_joined = matches!(signs, [sign] if is_joining(sign.c));
            let is_touching = gap.is_some() && signs.is_empty();
            words.push(Word { chars: from..to, is_han, is_joined, is_touching });
        };
        for (at, folded) in chars.iter().enumerate() {
            let sort = sort_of(folded.c);
            match (open, sort) {
                (Some((_, is_han)), Some(sort)) if is_han == sort => {}
                (Some((from, is_han)), _) => {
                    close(from, at, is_han);
                    open = sort.map(|sort| (at, sort));
                }
                (None, _) => open = sort.map(|sort| (at, sort)),
            }
        }
        if let Some((from, is_han)) = open {
            close(from, chars.len(), is_han);
        }
        Self { chars, words }
    }

    /// The characters of a place.
    pub(super) fn run(&self, chars: &Range<usize>) -> Vec<char> {
        let run = self.chars.get(chars.clone()).unwrap_or_default();
        run.iter().map(|folded| folded.c).collect()
    }

    /// The characters of a word as text, at most [`WORD_CHARS_MAX`].
    pub(super) fn word(&self, word: &Word) -> String {
        let run = self.chars.get(word.chars.clone()).unwrap_or_default();
        run.iter().take(WORD_CHARS_MAX).map(|folded| folded.c).collect()
    }

    /// The bytes of the original that a range of characters stands for.
    pub(super) fn bytes(&self, chars: &Range<usize>) -> Range<usize> {
        let run = self.chars.get(chars.clone()).unwrap_or_default();
        match (run.first(), run.last()) {
            (Some(first), Some(last)) => first.place.start..last.place.end,
            (_, _) => 0..0,
        }
    }
}

/// Whether the character is part of a word, and of which sort; `true` for scripts without spaces.
fn sort_of(c: char) -> Option<bool> {
    match c {
        MIDDLE_DOT => None,
        _ if is_han(c) => Some(true),
        _ if c.is_alphanumeric() => Some(false),
        _ => None,
    }
}

fn is_joining(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}' | '-' | '.' | '&' | '/' | '+' | '_')
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn texts_are_cut_where_people_see_words() {
        let words = |text: &str| -> Vec<String> {
            let text = Text::of(text);
            text.words.iter().map(|word| text.word(word)).collect()
        };
        assert_eq!(words("Müller & Søn, 18C"), ["muller", "son", "18c"]);
        assert_eq!(words("ABC贸易（上海）"), ["abc", "贸易", "上海"]);
        assert_eq!(words("ジョン・スミス"), ["ジョン", "スミス"]);
        assert_eq!(words("😀!?"), Vec::<String>::new());
    }

    #[test]
    fn one_sign_joins_two_words() {
        let joined = |text: &str| -> Vec<bool> {
            Text::of(text).words.iter().map(|word| word.is_joined).collect()
        };
        assert_eq!(joined("O'Brien T-Mobile a, b"), [false, true, false, true, false, false]);
    }
}
