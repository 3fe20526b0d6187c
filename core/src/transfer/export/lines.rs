//! Content lines, in which vCard (RFC 6350) and iCalendar (RFC 5545) are written.
//!
//! A line ends with CRLF and has at most 75 bytes; a longer one is folded between characters. Text
//! is escaped, and control characters, which neither format can hold, are left out: a name can
//! never begin a property of its own.

use std::io::{self, Write};

/// Bytes of a line, at most.
const LINE_BYTES_MAX: usize = 75;

/// Writes a line that is complete.
pub(super) fn write_line(out: &mut impl Write, line: &str) -> io::Result<()> {
    let mut left = LINE_BYTES_MAX;
    let mut buffer = [0; 4];
    for char in line.chars().filter(|char| !char.is_control()) {
        let bytes = char.encode_utf8(&mut buffer).as_bytes();
        if bytes.len() > left {
            out.write_all(b"\r\n ")?;
            // The space counts.
            left = LINE_BYTES_MAX - 1;
        }
        out.write_all(bytes)?;
        left -= bytes.len();
    }
    out.write_all(b"\r\n")
}

/// Text as it stands in a value.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\\' | ';' | ',' => escaped.extend(['\\', char]),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\r' => escaped.push_str("\\n"),
            char if char.is_control() && char != '\t' => {}
            '\t' => escaped.push(' '),
            char => escaped.push(char),
        }
    }
    escaped
}

/// The value of a parameter: in quotes, without what would end them.
pub(super) fn quote(text: &str) -> String {
    let kept = text.chars().filter(|char| !char.is_control() && *char != '"');
    std::iter::once('"').chain(kept).chain(std::iter::once('"')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(line: &str) -> String {
        let mut out = Vec::new();
        write_line(&mut out, line).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn long_lines_are_folded_between_characters() {
        for length in [74, 75, 76, 149, 150, 400] {
            for letter in ["a", "é", "客", "🙂"] {
                let line = letter.repeat(length);
                let folded = written(&line);
                assert!(folded.split("\r\n").all(|line| line.len() <= LINE_BYTES_MAX));
                assert_eq!(folded.replace("\r\n ", "").trim_end_matches("\r\n"), line);
            }
        }
        assert_eq!(written("N:x"), "N:x\r\n");
    }

    #[test]
    fn no_text_can_begin_a_property_of_its_own() {
        assert_eq!(escape("a\r\nEND:VCARD\n\r;,\\"), "a\\nEND:VCARD\\n\\n\\;\\,\\\\");
        assert_eq!(escape("\0\u{7f}x\ty"), "x y");
        assert_eq!(quote("a\"b\r\nc"), "\"abc\"");
    }
}
