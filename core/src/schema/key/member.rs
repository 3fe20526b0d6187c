//! Members of sets, which are part of their key.

use super::{KEY_BYTES_MAX, Key, KeyError, malformed};
use crate::schema::{
    field::Field,
    names::{fold, is_choice_id},
    types::{Type, parse_link},
};

/// Characters of a member of a set, at most.
pub const MEMBER_CHARS_MAX: usize = 64;

/// The key of a member of a set.
///
/// Text is normalised (one width, no capitals, single spaces), so that `ＶＩＰ` and `vip` are one
/// tag; ids of records and choices are taken as they are.
///
/// # Errors
///
/// The member is empty, too long, or not of the set's type.
pub fn member_key(field: &Field, value: &str) -> Result<String, KeyError> {
    let member = normalise(field, value)?;
    let key = format!("{}/{}", field.name, escape(&member));
    if key.len() > KEY_BYTES_MAX {
        return Err(KeyError::MemberTooLong(field.name.clone()));
    }
    Ok(key)
}

pub(super) fn parse_member<'a>(field: &'a Field, escaped: &str) -> Result<Key<'a>, KeyError> {
    let value = unescape(escaped).ok_or_else(|| malformed(field))?;
    if normalise(field, &value)? != value || escape(&value) != escaped {
        return Err(malformed(field));
    }
    Ok(Key::Member { field, value })
}

fn normalise(field: &Field, value: &str) -> Result<String, KeyError> {
    let value = value.trim();
    let wrong = |source| KeyError::Value { field: field.name.clone(), source };
    let member = match &field.ty {
        Type::Link(_) => parse_link(value).map_err(wrong)?.to_string(),
        Type::Picklist(_) if is_choice_id(value) => value.to_owned(),
        Type::Picklist(_) => return Err(malformed(field)),
        Type::Text { .. }
        | Type::Integer { .. }
        | Type::Decimal { .. }
        | Type::Money
        | Type::Bool
        | Type::Date
        | Type::DateTime
        | Type::Period
        | Type::Email
        | Type::Phone
        | Type::Url
        | Type::Address
        | Type::PersonName
        | Type::Geo
        | Type::TimeSpan
        | Type::Sha256
        | Type::Json { .. } => fold(value),
    };
    if member.is_empty() {
        return Err(KeyError::EmptyMember(field.name.clone()));
    }
    if member.chars().nth(MEMBER_CHARS_MAX).is_some() {
        return Err(KeyError::MemberTooLong(field.name.clone()));
    }
    if member.contains(char::is_control) {
        return Err(malformed(field));
    }
    Ok(member)
}

pub(super) fn escape(member: &str) -> String {
    member.replace('%', "%25").replace('/', "%2F")
}

/// Undoes [`escape`]; none if there is an escape that it does not write.
fn unescape(escaped: &str) -> Option<String> {
    let mut parts = escaped.split('%');
    let mut member = parts.next()?.to_owned();
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        member.push(match code {
            "25" => '%',
            "2F" => '/',
            _ => return None,
        });
        member.push_str(rest);
    }
    Some(member)
}
