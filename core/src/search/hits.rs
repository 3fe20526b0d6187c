//! Where the terms of a question hit a text: the places to mark, and a snippet around them.

use std::ops::Range;

use super::{
    asked::{Asked, Piece, Term},
    prepare::is_phone_sign,
    slip::{is_slip_of, may_slip},
    sound::{is_initials, sounds_alike, spelled},
    words::{Text, Word},
};

/// Characters of a snippet, at most, and of what stands before its first mark.
const SNIPPET_CHARS_MAX: usize = 120;
const SNIPPET_CHARS_BEFORE: usize = 30;
/// Places that one term is marked at, at most.
const PLACES_MAX: usize = 32;
/// Words with one sign between them that are read as one, at most.
const JOINED_MAX: usize = 6;

/// How well a term fits a place, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// A whole word, or these very characters.
    Whole,
    /// A word that begins so.
    Begun,
    /// By sound or initials.
    Sound,
    /// With a typo.
    Slip,
}

/// How freely a text is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Freedom {
    /// Whether it is a name, which is found by sound too.
    pub(super) is_name: bool,
    /// Whether one typo is forgiven.
    pub(super) with_slips: bool,
}

/// What of a question a text has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hits {
    /// The bytes to mark, ascending, apart from each other.
    pub marks: Vec<Range<usize>>,
    /// How many of the terms hit.
    pub terms: usize,
}

/// Finds the terms of a question in a text.
#[must_use]
pub fn hits(asked: &Asked, text: &str, is_name: bool, with_slips: bool) -> Hits {
    let text = Text::of(text);
    let freedom = Freedom { is_name, with_slips };
    let mut found = Hits::default();
    let mut places: Vec<Range<usize>> = Vec::new();
    for term in &asked.terms {
        let hit = find(term, &text, freedom);
        found.terms += usize::from(!hit.is_empty());
        places.extend(hit.into_iter().map(|(chars, _)| text.bytes(&chars)));
    }
    places.sort_by_key(|place| (place.start, place.end));
    for place in places.into_iter().filter(|place| !place.is_empty()) {
        match found.marks.last_mut() {
            Some(last) if place.start <= last.end => last.end = last.end.max(place.end),
            _ => found.marks.push(place),
        }
    }
    found
}

/// Part of a text, with marks.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Snippet {
    /// The part, with … where the text goes on.
    pub text: String,
    /// The bytes of it to mark, ascending, apart from each other.
    pub marks: Vec<Range<usize>>,
}

/// Cuts a text around its first mark.
#[must_use]
pub fn snippet(text: &str, marks: &[Range<usize>]) -> Snippet {
    let first = marks.first().map_or(0, |mark| mark.start);
    let is_long = text.chars().count() > SNIPPET_CHARS_MAX;
    let before = text.get(..first).unwrap_or_default().chars();
    let skipped = if is_long { before.count().saturating_sub(SNIPPET_CHARS_BEFORE) } else { 0 };
    let start = text.char_indices().nth(skipped).map_or(text.len(), |(at, _)| at);
    let rest = text.get(start..).unwrap_or_default();
    let end = rest.char_indices().nth(SNIPPET_CHARS_MAX).map_or(text.len(), |(at, _)| start + at);
    let lead = if start > 0 { "…" } else { "" };
    let tail = if end < text.len() { "…" } else { "" };
    let part = text.get(start..end).unwrap_or_default();
    let move_in = |mark: &Range<usize>| {
        let from = mark.start.max(start).min(end) - start + lead.len();
        let to = mark.end.max(start).min(end) - start + lead.len();
        (from < to).then_some(from..to)
    };
    let marks = marks.iter().filter_map(move_in).collect();
    // One line; the places stay, because each is one byte.
    let part: String = part.chars().map(|c| if c.is_ascii_control() { ' ' } else { c }).collect();
    Snippet { text: [lead, &part, tail].concat(), marks }
}

/// The places of a term in a text, by their characters; those of the best fit alone.
pub(super) fn find(term: &Term, text: &Text, freedom: Freedom) -> Vec<(Range<usize>, Fit)> {
    let mut found = match term {
        Term::Words(words) => find_words(words, text, freedom),
        Term::Han(run) => find_han(run, text, freedom),
        Term::Digits { forms, words } => {
            let mut found = find_digits(forms, text);
            if found.is_empty() {
                let each: Vec<_> = words.iter().map(|words| find_plain(words, text)).collect();
                if each.iter().all(|places| !places.is_empty()) {
                    found = each.into_iter().flatten().collect();
                }
            }
            found
        }
        Term::Phrase(pieces) => find_phrase(pieces, text),
    };
    let best = found.iter().map(|(_, fit)| *fit).min();
    found.retain(|(_, fit)| Some(*fit) == best);
    found.truncate(PLACES_MAX);
    found
}

fn find_words(words: &[String], text: &Text, freedom: Freedom) -> Vec<(Range<usize>, Fit)> {
    let mut found = find_plain(words, text);
    let joined = words.concat();
    found.extend(find_joined(&joined, text));
    if found.is_empty() && freedom.is_name {
        found.extend(find_sound(&joined, text));
    }
    if found.is_empty() && freedom.with_slips && freedom.is_name && words.len() == 1 {
        found.extend(find_slip(&joined, text));
    }
    found
}

/// Words in a row, the last of which may be only begun.
fn find_plain(words: &[String], text: &Text) -> Vec<(Range<usize>, Fit)> {
    let Some((last, before)) = words.split_last() else { return Vec::new() };
    let length = last.chars().count();
    let place = |run: &[Word]| {
        let (end, begin) = run.split_last()?;
        let fits =
            begin.iter().zip(before).all(|(word, asked)| is_word(text, word, asked)) && !end.is_han;
        let word = text.word(end);
        let fit = match () {
            () if !fits => return None,
            () if word == *last => Fit::Whole,
            // One letter is looked for as a word.
            () if (length > 1 || !before.is_empty()) && word.starts_with(last) => Fit::Begun,
            () => return None,
        };
        let from = run.first()?.chars.start;
        Some((from..(end.chars.start + length).min(end.chars.end), fit))
    };
    text.words.windows(words.len()).filter_map(place).collect()
}

fn is_word(text: &Text, word: &Word, asked: &str) -> bool {
    !word.is_han && text.word(word) == asked
}

/// Words with one sign between them, read as one.
fn find_joined(asked: &str, text: &Text) -> Vec<(Range<usize>, Fit)> {
    let mut found = Vec::new();
    for at in 0..text.words.len() {
        let mut joined = String::new();
        for (count, word) in text.words.iter().skip(at).take(JOINED_MAX).enumerate() {
            if word.is_han || (count > 0 && !word.is_joined) {
                break;
            }
            joined.push_str(&text.word(word));
            let is_begun = asked.chars().count() > 1 && joined.starts_with(asked);
            if joined == asked || is_begun {
                let fit = if joined == asked { Fit::Whole } else { Fit::Begun };
                let from = text.words.get(at).map_or(0, |first| first.chars.start);
                let left = joined.chars().count().saturating_sub(asked.chars().count());
                found.push((from..word.chars.end.saturating_sub(left), fit));
                break;
            }
        }
    }
    found
}

fn find_sound(asked: &str, text: &Text) -> Vec<(Range<usize>, Fit)> {
    let mut found = Vec::new();
    let length = asked.chars().count();
    if !asked.is_ascii() || length < 2 {
        return found;
    }
    for word in text.words.iter().filter(|word| word.is_han) {
        let run = text.run(&word.chars);
        for at in 0..run.len() {
            let rest = run.get(at..).unwrap_or_default();
            let count = spelled(asked, rest).or(is_initials(asked, rest).then_some(length));
            let from = word.chars.start + at;
            found.extend(count.map(|count| (from..from + count, Fit::Sound)));
        }
    }
    found
}

fn find_slip(asked: &str, text: &Text) -> Vec<(Range<usize>, Fit)> {
    let fits =
        |word: &&Word| may_slip(asked) && !word.is_han && is_slip_of(asked, &text.word(word));
    text.words.iter().filter(fits).map(|word| (word.chars.clone(), Fit::Slip)).collect()
}

fn find_han(asked: &[char], text: &Text, freedom: Freedom) -> Vec<(Range<usize>, Fit)> {
    let mut found = Vec::new();
    let length = asked.len().max(1);
    for word in text.words.iter().filter(|word| word.is_han) {
        let run = text.run(&word.chars);
        for (at, window) in run.windows(length).enumerate() {
            let from = word.chars.start + at;
            if window == asked {
                found.push((from..from + length, Fit::Whole));
            } else if freedom.with_slips && freedom.is_name && is_han_slip(asked, window) {
                found.push((from..from + length, Fit::Slip));
            }
        }
    }
    found
}

/// One character of three or more is wrong, or all sound the same.
fn is_han_slip(asked: &[char], window: &[char]) -> bool {
    let wrong = asked.iter().zip(window).filter(|(a, b)| a != b).count();
    (asked.len() > 2 && wrong == 1)
        || (asked.len() > 1 && asked.iter().zip(window).all(|(a, b)| sounds_alike(*a, *b)))
}

fn find_phrase(pieces: &[Piece], text: &Text) -> Vec<(Range<usize>, Fit)> {
    let count = pieces.len();
    let place = |run: &[Word]| {
        let mut from = None;
        let mut to = 0;
        for (at, (piece, word)) in pieces.iter().zip(run).enumerate() {
            let chars = word.chars.clone();
            let (start, end) = match piece {
                Piece::Word(asked) => {
                    is_word(text, word, asked).then_some((chars.start, chars.end))?
                }
                Piece::Han(asked) if word.is_han => {
                    let run = text.run(&word.chars);
                    let is_first = at == 0;
                    let offset = match at + 1 == count {
                        // The first run may have begun before, the last may go on.
                        true if is_first => run.windows(asked.len()).position(|w| w == asked)?,
                        true => run.starts_with(asked).then_some(0)?,
                        false if is_first => {
                            run.ends_with(asked).then(|| run.len().saturating_sub(asked.len()))?
                        }
                        false => (run == *asked).then_some(0)?,
                    };
                    (chars.start + offset, chars.start + offset + asked.len())
                }
                Piece::Han(_) => return None,
            };
            from = from.or(Some(start));
            to = end;
        }
        Some((from?..to, Fit::Whole))
    };
    text.words.windows(count.max(1)).filter_map(place).collect()
}

/// Digits in a row, whatever people put between them.
fn find_digits(forms: &[String], text: &Text) -> Vec<(Range<usize>, Fit)> {
    for skips_zero in [false, true] {
        for run in digit_runs(text, skips_zero) {
            let digits: String = run.iter().map(|(_, digit)| digit).collect();
            for form in forms {
                let Some(at) = digits.find(form.as_str()) else { continue };
                let first = run.get(at).map(|(place, _)| *place);
                let last = run.get(at + form.len() - 1).map(|(place, _)| *place);
                if let (Some(first), Some(last)) = (first, last) {
                    return vec![(first..last + 1, Fit::Whole)];
                }
            }
        }
    }
    Vec::new()
}

/// The digits of a text with their places, a run for each number; without a zero in brackets if
/// that is to be skipped.
fn digit_runs(text: &Text, skips_zero: bool) -> Vec<Vec<(usize, char)>> {
    let mut runs: Vec<Vec<(usize, char)>> = vec![Vec::new()];
    let at = |place: Option<usize>| place.and_then(|at| text.chars.get(at)).map(|folded| folded.c);
    for (place, folded) in text.chars.iter().enumerate() {
        let in_brackets =
            at(place.checked_sub(1)) == Some('(') && at(place.checked_add(1)) == Some(')');
        if folded.c.is_ascii_digit() {
            if !(skips_zero && folded.c == '0' && in_brackets)
                && let Some(run) = runs.last_mut()
            {
                run.push((place, folded.c));
            }
        } else if !is_phone_sign(folded.c) {
            runs.push(Vec::new());
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marked(asked: &str, text: &str, with_slips: bool) -> String {
        let hits = hits(&Asked::read(asked), text, true, with_slips);
        let mut shown = String::new();
        let mut at = 0;
        for mark in hits.marks {
            shown.push_str(text.get(at..mark.start).unwrap());
            shown.push_str(&format!("[{}]", text.get(mark.clone()).unwrap()));
            at = mark.end;
        }
        shown + text.get(at..).unwrap()
    }

    #[test]
    fn places_are_marked() {
        for (asked, text, shown) in [
            ("mul", "Ernst Müller GmbH", "Ernst [Mül]ler GmbH"),
            ("三川", "上海三川實業", "上海[三川]實業"),
            ("实", "三川實業", "三川[實]業"),
            ("sczy", "上海三川重业", "上海[三川重业]"),
            ("sanch", "上海三川实业", "上海[三川]实业"),
            ("chongq", "重庆银行", "[重庆]银行"),
            ("obrien", "Pat O'Brien", "Pat [O'Brien]"),
            ("t-mob", "TMobile", "[TMob]ile"),
            ("0113 496", "+44 (0)113 496 0000", "+44 ([0)113 496] 0000"),
            ("44113496", "+44 (0)113 496 0000", "+[44 (0)113 496] 0000"),
            ("maier@ex", "anna.maier@example.com", "anna.[maier@ex]ample.com"),
            ("\"sun rise\"", "The Sun Rise Inn", "The [Sun Rise] Inn"),
            ("\"sun rise\"", "The Sun Risen", "The Sun Risen"),
            ("strasse", "Hauptstraße, Straße 1", "Hauptstraße, [Straße] 1"),
            ("a", "A. Adams", "[A]. Adams"),
        ] {
            assert_eq!(marked(asked, text, false), shown, "{asked}");
        }
    }

    #[test]
    fn typos_are_marked_when_they_are_forgiven() {
        assert_eq!(marked("schmitd", "Anna Schmidt", true), "Anna [Schmidt]");
        assert_eq!(marked("schmitd", "Anna Schmidt", false), "Anna Schmidt");
        assert_eq!(marked("三山实业", "三川实业", true), "[三川实业]");
        assert_eq!(marked("山川", "三穿", true), "三穿");
        assert_eq!(marked("叁川", "三穿", true), "[三穿]");
    }

    #[test]
    fn long_texts_are_cut_around_the_first_mark() {
        let text = format!("{} 三川 {}", "前".repeat(200), "后".repeat(200));
        let found = hits(&Asked::read("三川"), &text, false, false);
        let cut = snippet(&text, &found.marks);
        assert!(cut.text.chars().count() <= SNIPPET_CHARS_MAX + 2);
        assert_eq!(cut.marks.first().and_then(|mark| cut.text.get(mark.clone())), Some("三川"));
        assert_eq!(snippet("short\nline", &[]).text, "short line");
    }

    proptest! {
        /// Marks and snippets never cut a character, whatever is asked of whatever.
        #[test]
        fn marks_stand_on_characters(asked in "\\PC{0,12}", text in "\\PC{0,200}", free in any::<bool>()) {
            let found = hits(&Asked::read(&asked), &text, free, free);
            for mark in &found.marks {
                prop_assert!(text.get(mark.clone()).is_some_and(|part| !part.is_empty()));
            }
            let cut = snippet(&text, &found.marks);
            for mark in &cut.marks {
                prop_assert!(cut.text.get(mark.clone()).is_some_and(|part| !part.is_empty()));
            }
        }

        /// A word of a text is found in it.
        #[test]
        fn a_word_of_a_text_is_found(words in prop::collection::vec("[a-zé三川实业重庆]{2,8}", 1..6), at in 0_usize..6) {
            let text = words.join(" ");
            let Some(word) = words.get(at % words.len()) else { return Ok(()) };
            let asked = Asked::read(word);
            prop_assert_eq!(hits(&asked, &text, false, false).terms, asked.terms.len());
        }
    }
}
