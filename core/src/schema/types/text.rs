//! Text, and text of a certain form.

use super::{ValueError, canonical};

/// Characters of an e-mail address, at most (RFC 5321).
const EMAIL_CHARS_MAX: usize = 254;
/// Characters of a telephone number with its extension, at most.
const PHONE_CHARS_MAX: usize = 64;
/// Digits of a telephone number, at least: 110, 120.
const PHONE_DIGITS_MIN: usize = 3;
/// Characters of an address on the web, at most.
const URL_CHARS_MAX: usize = 2_048;

/// The text as it is kept: outer space gone, line ends as `\n`, no control characters.
pub(in crate::schema) fn clean_text(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.replace(is_forbidden, "").trim().to_owned()
}

pub(super) fn check_text(text: &str, max: usize) -> Result<(), ValueError> {
    check_length(text, max)?;
    if text.is_empty() || text.contains(is_forbidden) || text.trim().len() != text.len() {
        return Err(ValueError::NotCanonical);
    }
    Ok(())
}

/// Checks that text may be an e-mail address: `local@domain.tld`, no more.
pub(in crate::schema) fn check_email(text: &str) -> Result<(), ValueError> {
    let malformed = ValueError::Malformed("an e-mail address");
    check_length(text, EMAIL_CHARS_MAX)?;
    canonical(text, text.trim())?;
    let Some((local, domain)) = text.rsplit_once('@') else { return Err(malformed) };
    let labels_are_filled = domain.contains('.') && domain.split('.').all(|part| !part.is_empty());
    if local.is_empty() || !labels_are_filled || text.contains(is_space_or_control) {
        return Err(malformed);
    }
    Ok(())
}

/// Checks that text may be a telephone number: some digits, whatever stands between them.
pub(in crate::schema) fn check_phone(text: &str) -> Result<(), ValueError> {
    check_text(text, PHONE_CHARS_MAX)?;
    let digits = text.chars().filter(|c| c.is_numeric()).count();
    if digits < PHONE_DIGITS_MIN || text.contains(char::is_control) {
        return Err(ValueError::Malformed("a telephone number"));
    }
    Ok(())
}

/// Checks that text may be an address on the web. Only `http` and `https`: a link that runs a
/// script must never reach a page.
pub(in crate::schema) fn check_url(text: &str) -> Result<(), ValueError> {
    check_length(text, URL_CHARS_MAX)?;
    canonical(text, text.trim())?;
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let has_host =
        host.is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '['));
    if !has_host || text.contains(is_space_or_control) {
        return Err(ValueError::Malformed("an address on the web"));
    }
    Ok(())
}

/// Adds the scheme that people leave out: `example.com` is `https://example.com`. A word without a
/// point is left as it is, and then is no address.
pub(in crate::schema) fn complete_url(text: &str) -> String {
    let text = text.trim();
    let host = text.split(['/', '?', '#']).next().unwrap_or_default();
    if !host.contains('.') || text.contains("://") {
        return text.to_owned();
    }
    format!("https://{text}")
}

pub(super) fn check_length(text: &str, max: usize) -> Result<(), ValueError> {
    if text.chars().nth(max).is_some() { Err(ValueError::TooLong { max }) } else { Ok(()) }
}

pub(super) fn is_forbidden(c: char) -> bool {
    c.is_control() && c != '\n' && c != '\t'
}

fn is_space_or_control(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}
