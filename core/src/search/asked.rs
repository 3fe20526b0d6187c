//! What a person typed, read as terms that must all be found.

use super::{
    prepare::is_phone_sign,
    words::{Text, Word},
};
use crate::writing::{digits, fold};

/// Characters of a question that are read; what follows is not.
pub const ASKED_CHARS_MAX: usize = 200;
/// Terms of a question that are read; what follows is not.
pub const TERMS_MAX: usize = 16;
/// Digits that are looked for as a fragment of a number, at least.
const DIGITS_MIN: usize = 3;
/// Digits of a number, at most.
const DIGITS_MAX: usize = 20;
/// Digits of a country's code, at most, and of what follows it, at least.
const COUNTRY_DIGITS_MAX: usize = 3;
const NATIONAL_DIGITS_MIN: usize = 6;

/// One thing that must be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Term {
    /// A word, or several with a sign between them; the last may be only begun.
    Words(Vec<String>),
    /// Characters of a script without spaces, in a row.
    Han(Vec<char>),
    /// Part of a number: the digits as they may be written, or the words that were typed.
    Digits { forms: Vec<String>, words: Vec<Vec<String>> },
    /// What stood in quotes: these words in a row, whole.
    Phrase(Vec<Piece>),
}

/// A part of a phrase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Word(String),
    Han(Vec<char>),
}

/// A question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    pub(super) terms: Vec<Term>,
    folded: String,
}

impl Asked {
    /// Reads what was typed: anything can be.
    #[must_use]
    pub fn read(typed: &str) -> Self {
        let typed: String = typed.chars().take(ASKED_CHARS_MAX).collect();
        let mut terms = Vec::new();
        for (at, part) in typed.split(is_quote).enumerate() {
            // Every second part stands in quotes; a quote that is not closed goes to the end.
            if at % 2 == 1 {
                terms.extend(phrase(part));
            } else {
                read_words(part, &mut terms);
            }
        }
        terms.truncate(TERMS_MAX);
        Self { terms, folded: folded(&typed.replace(is_quote, " ")) }
    }

    /// Whether there is nothing to look for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// How many things must be found.
    #[must_use]
    pub fn terms_count(&self) -> usize {
        self.terms.len()
    }

    /// The whole question as titles are compared with it.
    #[must_use]
    pub fn folded(&self) -> &str {
        &self.folded
    }

    /// The words that may have a typo, each with the place of its term.
    #[must_use]
    pub fn slip_words(&self) -> Vec<(usize, &str)> {
        let word = |(at, term): (usize, &'_ Term)| match term {
            Term::Words(words) => match words.as_slice() {
                [word] if super::slip::may_slip(word) => Some(at),
                _ => None,
            },
            Term::Han(_) | Term::Digits { .. } | Term::Phrase(_) => None,
        };
        let places: Vec<usize> = self.terms.iter().enumerate().filter_map(word).collect();
        let text = |at: &usize| match self.terms.get(*at) {
            Some(Term::Words(words)) => words.first().map(|word| (*at, word.as_str())),
            _ => None,
        };
        places.iter().filter_map(text).collect()
    }
}

/// A title, or a question, as the two are compared: folded, with one space between words.
#[must_use]
pub(super) fn folded(text: &str) -> String {
    fold(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{ff02}' | '«' | '»' | '「' | '」')
}

fn phrase(part: &str) -> Option<Term> {
    let text = Text::of(part);
    let piece = |word: &Word| match word.is_han {
        true => Piece::Han(text.run(&word.chars)),
        false => Piece::Word(text.word(word)),
    };
    let pieces: Vec<Piece> = text.words.iter().map(piece).collect();
    (!pieces.is_empty()).then_some(Term::Phrase(pieces))
}

fn read_words(part: &str, terms: &mut Vec<Term>) {
    let mut number: Vec<&str> = Vec::new();
    for word in part.split_whitespace() {
        if is_number(word) {
            number.push(word);
            continue;
        }
        close_number(&mut number, terms);
        read_word(word, terms);
    }
    close_number(&mut number, terms);
}

/// Whether nothing stands there but digits and the signs of phone numbers.
fn is_number(word: &str) -> bool {
    let mut has_digit = false;
    let fits = fold(word).chars().all(|c| {
        has_digit |= c.is_ascii_digit();
        c.is_ascii_digit() || is_phone_sign(c)
    });
    fits && has_digit
}

/// Words of digits in a row are one number.
fn close_number(words: &mut Vec<&str>, terms: &mut Vec<Term>) {
    let typed = words.join(" ");
    let found = digits(&typed.replace("(0)", ""));
    let mut plain = Vec::new();
    for word in words.drain(..) {
        read_word(word, &mut plain);
    }
    if found.len() < DIGITS_MIN || found.len() > DIGITS_MAX {
        terms.extend(plain);
        return;
    }
    let words = plain.into_iter().filter_map(|term| match term {
        Term::Words(words) => Some(words),
        Term::Han(_) | Term::Digits { .. } | Term::Phrase(_) => None,
    });
    terms.push(Term::Digits { forms: forms(&typed, &found), words: words.collect() });
}

/// The digits, and what is left of them without what leads to another country or out of a town.
fn forms(typed: &str, found: &str) -> Vec<String> {
    let mut forms = vec![found.to_owned()];
    let local = found.trim_start_matches('0');
    if local.len() >= DIGITS_MIN && local.len() < found.len() {
        forms.push(local.to_owned());
    }
    if fold(typed).starts_with('+') || found.starts_with("00") {
        for length in 1..=COUNTRY_DIGITS_MAX {
            let national = local.get(length..).unwrap_or_default();
            if national.len() >= NATIONAL_DIGITS_MIN {
                forms.push(national.to_owned());
            }
        }
    }
    forms
}

/// One word as it was typed: its Han characters by themselves, the rest in a row.
fn read_word(word: &str, terms: &mut Vec<Term>) {
    let text = Text::of(word);
    let mut open: Vec<String> = Vec::new();
    for part in &text.words {
        if part.is_han {
            terms.extend((!open.is_empty()).then(|| Term::Words(std::mem::take(&mut open))));
            terms.push(Term::Han(text.run(&part.chars)));
        } else {
            open.push(text.word(part));
        }
    }
    terms.extend((!open.is_empty()).then_some(Term::Words(open)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(typed: &str) -> String {
        let show = |term: &Term| match term {
            Term::Words(words) => words.join("-"),
            Term::Han(run) => format!("han:{}", run.iter().collect::<String>()),
            Term::Digits { forms, .. } => format!("digits:{}", forms.join("|")),
            Term::Phrase(pieces) => format!("phrase:{}", pieces.len()),
        };
        Asked::read(typed).terms.iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_people_type_is_read() {
        for (typed, read) in [
            ("Müller  Co", "muller co"),
            ("三川實業", "han:三川实业"),
            ("ABC贸易 上海", "abc han:贸易 han:上海"),
            ("anna.maier@exam", "anna-maier-exam"),
            ("\"sun rise\" x", "phrase:2 x"),
            ("“sun rise", "phrase:2"),
            ("0113 496", "digits:0113496|113496"),
            ("+44 113 496 0000", "digits:441134960000|41134960000|1134960000|134960000"),
            ("12", "12"),
            ("acme 12", "acme 12"),
            ("AND OR NOT NEAR( * ^ : {", "and or not near"),
            ("\0 \" ' -- ;", ""),
            ("", ""),
        ] {
            assert_eq!(terms(typed), read, "{typed}");
        }
    }

    #[test]
    fn questions_have_limits() {
        assert_eq!(Asked::read(&"a ".repeat(5_000)).terms.len(), TERMS_MAX);
        assert!(Asked::read(&"x".repeat(5_000)).folded().len() <= ASKED_CHARS_MAX);
        assert!(!terms(&"1".repeat(199)).contains("digits"));
    }
}
