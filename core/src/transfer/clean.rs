//! What is tidied in every cell before its field reads it, counted by field.
//!
//! Only what changes no meaning: spaces, the width of letters and digits, capitals of an e-mail
//! address, the form of a telephone number whose region is known. What needs a decision, such as
//! a misspelt choice, is proposed in the mapping instead.

use std::borrow::Cow;

use super::mapping::Target;
use crate::{
    schema::{Kind, Type},
    writing::to_e164,
};

/// What was tidied.
pub(super) type Tidied = &'static str;

/// Spaces around, doubled, wide or without width.
const SPACES: Tidied = "spaces";
/// Full-width letters and digits.
const WIDTH: Tidied = "width";
/// Capitals of an e-mail address.
const CAPITALS: Tidied = "capitals";
/// The form of a telephone number.
const PHONE: Tidied = "phone";

/// The text as its field should read it, and what was tidied.
pub(super) fn tidy<'t>(
    target: &Target,
    text: &'t str,
    region: Option<&str>,
) -> (Cow<'t, str>, Vec<Tidied>) {
    let mut tidied = Vec::new();
    if target.field.kind == Kind::Text {
        return (trimmed(text).into(), tidied);
    }
    let mut clean = Cow::Borrowed(text);
    let mut step = |now: Option<String>, what: Tidied, clean: &mut Cow<'t, str>| {
        if let Some(now) = now.filter(|now| *now != **clean) {
            *clean = Cow::Owned(now);
            tidied.push(what);
        }
    };
    let is_json = matches!(target.field.ty, Type::Json { .. });
    let is_of_lines = matches!(target.field.ty, Type::Text { .. }) && text.contains('\n');
    if is_json || is_of_lines {
        return (trimmed(text).into(), tidied);
    }
    step(Some(one_space(text)), SPACES, &mut clean);
    step(Some(half_width(&clean)), WIDTH, &mut clean);
    if target.field.ty == Type::Email {
        step(Some(clean.to_lowercase()), CAPITALS, &mut clean);
    } else if target.field.ty == Type::Phone && region.is_some() {
        step(to_e164(&clean, region), PHONE, &mut clean);
    }
    (clean, tidied)
}

/// Whether a character is a space in some sense, or nothing at all.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches(is_space)
}

fn one_space(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split(is_space).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// Letters, digits and the signs between them; punctuation of Chinese text stays wide.
fn half_width(text: &str) -> String {
    let narrow = |c: char| match c {
        '０'..='９'
        | 'Ａ'..='Ｚ'
        | 'ａ'..='ｚ'
        | '＠'
        | '．'
        | '－'
        | '＋'
        | '／'
        | '＃'
        | '＆'
        | '％' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        _ => c,
    };
    text.chars().map(narrow).collect()
}

#[cfg(test)]
mod tests {
    use super::{half_width, one_space, trimmed};

    #[test]
    fn spaces_of_all_kinds_become_one() {
        assert_eq!(one_space(" a\u{3000}\u{a0} b\u{200b}c\t"), "a b c");
        assert_eq!(trimmed("\u{feff} x \n"), "x");
    }

    #[test]
    fn letters_and_digits_become_narrow_and_brackets_stay() {
        assert_eq!(half_width("ＡＣＭＥ（中国）１８Ｃ，"), "ACME（中国）18C，");
    }
}
