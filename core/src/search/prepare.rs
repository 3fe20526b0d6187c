//! Texts made into tokens: what an index keeps of a record.
//!
//! | column | what it holds | so that one finds |
//! |---|---|---|
//! | `name` | words of the title and of names; for Han each character with the next, the last alone | `Miller`, `mill`, 川, 三川 |
//! | `text` | the same of all other texts | parts of addresses, e-mails, notes |
//! | `digits` | every three digits in a row | any fragment of a phone number |
//! | `sound` | how every Han character of a name sounds with the next, in all readings | `sanchuan` |
//! | `initials` | up to four initials from every Han character of a name | `sczy` |
//! | `mirror` | words of names, reversed | a word whose first half has the typo |

use super::{
    sound::syllables_of,
    words::{Text, WORD_CHARS_MAX, Word},
};
use crate::{
    ids::Part,
    schema::{Entity, Field, Kind, Type},
    writing::{digits, initials},
};

/// Words of one record that are kept, at most; what follows is not found.
pub const RECORD_TOKENS_MAX: usize = 50_000;
/// Sounds, and windows of initials, of one record, at most.
const SOUNDS_MAX: usize = 256;
/// Initials of one window.
pub(super) const WINDOW: usize = 4;
/// Ways to read one window, at most.
const WINDOW_READINGS_MAX: usize = 8;
/// Digits in a row that are worth finding: in short texts, and in long ones.
const DIGITS_MIN: usize = 3;
const DIGITS_MIN_LONG: usize = 7;
/// Digits of one number, at most.
const DIGITS_MAX: usize = 40;
/// Letters of a word that may have a typo, at least.
pub(super) const SLIP_CHARS_MIN: usize = 4;
/// What a mirrored word begins with, so that it is no other word; alone, a gap between numbers.
pub(super) const MIRROR: char = '\u{e000}';

/// Between two numbers, so that no fragment runs from one into the next.
const GAP: &str = "\u{e000}";

/// What a text is to its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It is what the record is called.
    Title,
    /// Another name.
    Name,
    /// Any other short text.
    Other,
    /// A long text.
    Long,
}

/// Whether records are found by a field, or by a column of a field of rows.
#[must_use]
pub fn is_searched(field: &Field) -> bool {
    if field.part == Part::Restricted || field.by_program {
        return false;
    }
    match field.kind {
        Kind::Text => true,
        Kind::Register | Kind::Once | Kind::Office | Kind::Set => is_text(&field.ty),
        Kind::Rows => field.columns.iter().any(|column| is_text(&column.ty)),
        Kind::Counter | Kind::Log => false,
    }
}

/// Whether values of the type are text that people read.
fn is_text(ty: &Type) -> bool {
    match ty {
        Type::Text { .. }
        | Type::Email
        | Type::Phone
        | Type::Url
        | Type::Address
        | Type::PersonName => true,
        Type::Integer { .. }
        | Type::Decimal { .. }
        | Type::Money
        | Type::Bool
        | Type::Date
        | Type::DateTime
        | Type::Period
        | Type::Picklist(_)
        | Type::Link(_)
        | Type::Geo
        | Type::TimeSpan
        | Type::Sha256
        | Type::Json { .. } => false,
    }
}

/// What the text of a field, or of a column of its rows, is to the record.
#[must_use]
pub fn role_of(entity: &Entity, field: &Field, column: Option<&Field>) -> Option<Role> {
    let own = column.unwrap_or(field);
    if column.is_none() && field.name == entity.title && is_searched(field) {
        return Some(Role::Title);
    }
    if field.kind == Kind::Text {
        return Some(Role::Long);
    }
    // A column of rows stands for one value, whatever its field is.
    if !is_text(&own.ty) || own.part == Part::Restricted {
        return None;
    }
    let is_name = own.ty == Type::PersonName || own.name.ends_with("name");
    Some(if is_name { Role::Name } else { Role::Other })
}

/// The tokens of a record by the column of the index, each with spaces between.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Columns {
    /// Words of names.
    pub name: String,
    /// Words of other texts.
    pub text: String,
    /// Threes of digits.
    pub digits: String,
    /// Sounds of names.
    pub sound: String,
    /// Initials of names.
    pub initials: String,
    /// Mirrored words of names.
    pub mirror: String,
}

impl Columns {
    /// Whether there is nothing to find.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.name.is_empty() && self.text.is_empty() && self.digits.is_empty()
    }
}

/// Makes tokens of a record's texts.
pub fn prepare<'a>(texts: impl IntoIterator<Item = (Role, &'a str)>) -> Columns {
    let mut columns = Columns::default();
    let mut left = RECORD_TOKENS_MAX;
    for (role, text) in texts {
        let cut = Text::of(text);
        match role {
            Role::Title | Role::Name => {
                put_words(&cut, &mut columns.name, &mut left);
                put_joined(&cut, &mut columns.name);
                put_mirrored(&cut, &mut columns.mirror);
                put_sounds(&cut, &mut columns);
            }
            Role::Other | Role::Long => {
                put_words(&cut, &mut columns.text, &mut left);
                if role == Role::Other {
                    put_joined(&cut, &mut columns.text);
                }
            }
        }
        let min = if role == Role::Long { DIGITS_MIN_LONG } else { DIGITS_MIN };
        put_digits(text, min, &mut columns.digits);
    }
    columns
}

fn put(column: &mut String, token: &str) {
    if !column.is_empty() {
        column.push(' ');
    }
    column.push_str(token);
}

fn put_words(text: &Text, column: &mut String, left: &mut usize) {
    for word in &text.words {
        let count = if word.is_han { word.chars.len() } else { 1 };
        let Some(rest) = left.checked_sub(count) else { return };
        *left = rest;
        if word.is_han {
            for token in pairs(&text.run(&word.chars)) {
                put(column, &token);
            }
        } else {
            put(column, &text.word(word));
        }
    }
}

/// Each character with the next, the last one alone.
pub(super) fn pairs(run: &[char]) -> impl Iterator<Item = String> {
    (0..run.len()).map(|at| run.iter().skip(at).take(2).collect())
}

/// Words with one sign between them, as one word.
fn put_joined(text: &Text, column: &mut String) {
    let mut joined = String::new();
    for pair in text.words.windows(2) {
        let [before, word] = pair else { continue };
        if word.is_joined && !word.is_han && !before.is_han {
            if joined.is_empty() {
                joined = text.word(before);
            }
            joined.push_str(&text.word(word));
        } else {
            flush(&mut joined, column);
        }
    }
    flush(&mut joined, column);
}

fn flush(joined: &mut String, column: &mut String) {
    if !joined.is_empty() {
        put(column, &joined.chars().take(WORD_CHARS_MAX).collect::<String>());
        joined.clear();
    }
}

fn put_mirrored(text: &Text, column: &mut String) {
    let is_long = |word: &&Word| !word.is_han && word.chars.len() >= SLIP_CHARS_MIN;
    for word in text.words.iter().filter(is_long) {
        let word = text.word(word);
        if word.chars().all(char::is_alphabetic) {
            let mirrored: String = std::iter::once(MIRROR).chain(word.chars().rev()).collect();
            put(column, &mirrored);
        }
    }
}

fn put_sounds(text: &Text, columns: &mut Columns) {
    let mut left = SOUNDS_MAX;
    for word in text.words.iter().filter(|word| word.is_han) {
        let run = text.run(&word.chars);
        for at in 0..run.len() {
            let rest = run.get(at..).unwrap_or_default();
            for sound in sounds(rest) {
                put(&mut columns.sound, &sound);
                left = left.saturating_sub(1);
            }
            for window in windows(rest) {
                put(&mut columns.initials, &window);
                left = left.saturating_sub(1);
            }
            if left == 0 {
                return;
            }
        }
    }
}

/// How the first character sounds with the second, in all readings; alone if it is the last.
pub(super) fn sounds(run: &[char]) -> Vec<String> {
    let Some(first) = run.first() else { return Vec::new() };
    let next = run.get(1).map(|next| syllables_of(*next)).filter(|next| !next.is_empty());
    let mut found = Vec::new();
    for syllable in syllables_of(*first) {
        match &next {
            Some(next) => found.extend(next.iter().map(|next| [syllable, next].concat())),
            None => found.push(syllable.to_owned()),
        }
    }
    found
}

/// The initials of up to four characters, in all readings.
fn windows(run: &[char]) -> Vec<String> {
    let mut found = vec![String::new()];
    for c in run.iter().take(WINDOW) {
        let mut initials = initials(*c);
        initials.retain(char::is_ascii_lowercase);
        if initials.is_empty() {
            break;
        }
        initials.truncate(WINDOW_READINGS_MAX / found.len().max(1));
        found = found
            .iter()
            .flat_map(|begun| initials.iter().map(move |initial| format!("{begun}{initial}")))
            .collect();
    }
    found.retain(|window| !window.is_empty());
    found
}

/// Digits in a row, with what people put between them; as they stand, and without a zero in
/// brackets: `+44 (0)113`.
fn put_digits(text: &str, min: usize, column: &mut String) {
    for run in digit_runs(text) {
        let forms = [digits(&run), digits(&run.replace("(0)", ""))];
        for (at, form) in forms.iter().enumerate() {
            let is_new = at == 0 || forms.first() != Some(form);
            if form.len() >= min && is_new {
                put(column, GAP);
                for three in threes(form) {
                    put(column, three);
                }
            }
        }
    }
}

/// Every three digits in a row.
pub(super) fn threes(digits: &str) -> impl Iterator<Item = &str> {
    (0..digits.len().min(DIGITS_MAX)).filter_map(move |at| digits.get(at..at + 3))
}

/// Parts of a text that hold digits and the signs in phone numbers alone.
fn digit_runs(text: &str) -> Vec<String> {
    let text = crate::writing::fold(text);
    text.split(|c: char| !(c.is_ascii_digit() || is_phone_sign(c)))
        .filter(|run| run.bytes().any(|b| b.is_ascii_digit()))
        .map(str::to_owned)
        .collect()
}

/// Signs that people write in phone numbers.
pub(super) fn is_phone_sign(c: char) -> bool {
    matches!(c, ' ' | '+' | '(' | ')' | '-' | '.' | '/' | '\u{a0}' | '\u{2010}'..='\u{2013}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_by_words_pairs_sounds_and_initials() {
        let columns = prepare([(Role::Title, "三川實業 ABC")]);
        assert_eq!(columns.name, "三川 川实 实业 业 abc");
        assert_eq!(columns.sound, "sanchuan chuanshi shiye ye");
        assert_eq!(columns.initials, "scsy csy sy y");
        assert_eq!(columns.mirror, "");
    }

    #[test]
    fn several_readings_are_all_kept() {
        let columns = prepare([(Role::Name, "重庆")]);
        for sound in ["chongqing", "zhongqing"] {
            assert!(columns.sound.split(' ').any(|token| token == sound), "{}", columns.sound);
        }
        let windows: Vec<&str> = columns.initials.split(' ').collect();
        assert!(windows.contains(&"cq") && windows.contains(&"zq"));
    }

    #[test]
    fn latin_names_are_kept_joined_and_mirrored() {
        let columns = prepare([(Role::Title, "O'Brien-Śmith Co.")]);
        assert_eq!(columns.name, "o brien smith co obriensmith");
        assert_eq!(columns.mirror, "\u{e000}neirb \u{e000}htims");
    }

    #[test]
    fn numbers_are_kept_by_threes() {
        let columns = prepare([(Role::Other, "+44 (0)113 4")]);
        assert_eq!(columns.digits, "\u{e000} 440 401 011 113 134 \u{e000} 441 411 113 134");
        assert_eq!(prepare([(Role::Long, "in 2024, 12 of 500")]).digits, "");
    }

    #[test]
    fn a_record_has_its_limit() {
        let long = "a ".repeat(RECORD_TOKENS_MAX + 10);
        let columns = prepare([(Role::Long, long.as_str())]);
        assert_eq!(columns.text.split(' ').count(), RECORD_TOKENS_MAX);
        let han = "重".repeat(500);
        let columns = prepare([(Role::Name, han.as_str())]);
        assert!(columns.sound.split(' ').count() <= SOUNDS_MAX);
    }
}
