//! Cells that a spreadsheet would take for a formula, made harmless, and made themselves again.
//!
//! A name such as `=HYPERLINK("http://…")` runs when a colleague opens the file. [`defuse`] puts an
//! apostrophe before every cell that a spreadsheet might run; [`refuse`] takes exactly that one off
//! again, so `refuse(defuse(text)) == text` for every text:
//!
//! * Whether a text [`is_armed`] is judged behind all apostrophes that it begins with, so a further
//!   one in front never changes the answer. That makes the two functions inverses: a text that was
//!   itself `'=1` becomes `''=1` and comes back as `'=1`, while `'s-Hertogenbosch`, which nothing
//!   would run, is never touched, neither on the way out nor on the way in.
//! * A plain negative number such as `-5` or `-12.50` is left alone: all that it can do is to be
//!   that number, and a column of numbers stays one.
//! * `+86 138…` gets its apostrophe. That also keeps spreadsheets from making the number
//!   8.6138E+12 of it: a telephone number survives being opened and saved.
//!
//! Files of other programs that defuse cells in the same way (OWASP recommends it) are read by the
//! same [`refuse`].

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;

/// What is put before a cell.
const APOSTROPHE: char = '\'';

/// The cell as it is safe to write.
#[must_use]
pub fn defuse(text: &str) -> Cow<'_, str> {
    if is_armed(text) { Cow::Owned(format!("{APOSTROPHE}{text}")) } else { Cow::Borrowed(text) }
}

/// The text that a cell was before it was made safe.
#[must_use]
pub fn refuse(cell: &str) -> &str {
    match cell.strip_prefix(APOSTROPHE) {
        Some(text) if is_armed(text) => text,
        Some(_) | None => cell,
    }
}

/// Whether a spreadsheet might run the cell: behind spaces, quotes, and characters that nobody
/// sees it begins with `=`, `+`, `-` or `@` of any width, or a control character is among those.
#[must_use]
pub fn is_armed(text: &str) -> bool {
    let text = text.trim_start_matches(APOSTROPHE);
    for char in text.chars() {
        match char {
            // Letters and digits are nearly every cell; nothing else need be asked of them.
            'a'..='z' | 'A'..='Z' | '0'..='9' | '\u{4e00}'..='\u{9fff}' => return false,
            _ if char.is_control() => return true,
            _ if is_passed_over(char) => {}
            '-' => return !is_negative_number(text),
            _ => return begins_formula(char),
        }
    }
    false
}

/// Spaces, quotes, and what has no width: a spreadsheet or a careless reader may drop them.
fn is_passed_over(char: char) -> bool {
    char.is_whitespace()
        || matches!(
            char,
            '"' | '\'' | '`' | '´' | '‘' | '’' | '“' | '”' | '«' | '»' | '＂' | '＇'
                | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}'
        )
}

fn begins_formula(char: char) -> bool {
    std::iter::once(char)
        .nfkc()
        .next()
        .is_some_and(|char| matches!(char, '=' | '+' | '-' | '@' | '−'))
}

/// `-5`, `-12.50`, and nothing beside it.
fn is_negative_number(text: &str) -> bool {
    let Some(number) = text.strip_prefix('-') else { return false };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let are_digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    are_digits(whole) && are_digits(fraction)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What people have been attacked with, and what only looks like it.
    #[test]
    fn what_runs_is_defused_and_nothing_else() {
        let armed = [
            "=1+1",
            "+1",
            "-1+1",
            "@SUM(1)",
            "＝1",
            "＋1",
            "－1",
            "＠A",
            "﹦1",
            "\t=1",
            "\r=1",
            "\n1",
            "\0",
            " =1",
            "\u{3000}=1",
            "\"=1",
            "'=1",
            "''=1",
            "\u{feff}=1",
            "\u{200f}=1",
            "−5",
            "=cmd|' /C calc'!A0",
            "-5.00 CNY",
            "+86 138 0000 0000",
            "--5",
            "-",
            "-5.",
            "“=1",
        ];
        for text in armed {
            assert_eq!(defuse(text), format!("'{text}"), "{text:?}");
            assert_eq!(refuse(&defuse(text)), text);
        }
        let harmless = [
            "",
            "-5",
            "-12.50",
            "5",
            "021-5555",
            "a=b",
            "'s-Hertogenbosch",
            "'",
            "''",
            "三川实业",
            "'-5",
            "\"quoted\"",
            " plain",
            "{\"a\":1}",
            "[1]",
            "(1)",
            "#1",
            "%",
            "!",
            "🙂",
        ];
        for text in harmless {
            assert_eq!(defuse(text), text, "{text:?}");
            assert_eq!(refuse(text), text, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn refusing_takes_back_what_defusing_did(
            text in prop_oneof![any::<String>(), "['=+@ \t\r\n\0\"a0-9.＝－-]{0,8}"]
        ) {
            let cell = defuse(&text);
            prop_assert_eq!(refuse(&cell), text.as_str());
            let bare = cell.trim_start_matches(APOSTROPHE);
            prop_assert!(!is_armed(bare) || cell.starts_with(APOSTROPHE));
        }
    }
}
