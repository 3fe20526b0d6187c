//! Values as pages show them: words of a language, times that the script can move, links.

use askama::Template;
use outrider_core::{
    ids::RecordId,
    schema::{Language, Type},
};
use serde_json::Value as Json;

use super::{
    inputs::Titles,
    page::{When, name_of},
};

/// A value on a page.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "shown.html")]
pub(super) enum Shown {
    /// Nothing.
    Empty,
    /// Words.
    Text(String),
    /// A number, which stands to the right.
    Number(String),
    /// A choice of a list.
    Choice(String),
    /// A moment.
    Moment(When),
    /// From one moment to another.
    Span(When, Option<When>),
    /// Another record.
    Record { href: String, title: String },
    /// Something outside: an address on the web, to write to, to call.
    Outside { href: String, text: String },
    /// A yes, a no.
    Flag { is_yes: bool, text: String },
    /// A value with its name.
    Named(String, Box<Shown>),
    /// Several.
    Many(Vec<Shown>),
}

impl Shown {
    /// Whether there is nothing to see.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::Empty
    }

    /// Whether it stands to the right in a table.
    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Number(_))
    }
}

/// A value of a type, from its JSON.
pub(super) fn show(ty: &Type, json: &Json, language: Language, titles: &Titles) -> Shown {
    if json.is_null() {
        return Shown::Empty;
    }
    if let Json::Array(items) = json {
        return Shown::Many(items.iter().map(|item| show(ty, item, language, titles)).collect());
    }
    let Ok(value) = ty.from_json(json) else { return plain(json) };
    let text = ty.display(&value, language);
    match ty.name() {
        "integer" | "decimal" | "money" => Shown::Number(grouped(&text)),
        "picklist" => Shown::Choice(text),
        "bool" => Shown::Flag { is_yes: json.as_bool() == Some(true), text },
        "date_time" => value.as_int().map_or(Shown::Text(text), |at| Shown::Moment(When::at(at))),
        "period" => Shown::Text(text.replacen('/', " – ", 1)),
        "time_span" => span(json).unwrap_or(Shown::Text(text)),
        "link" => record(&text, language, titles),
        "email" => Shown::Outside { href: format!("mailto:{text}"), text },
        "phone" => {
            let dial: String = text.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
            Shown::Outside { href: format!("tel:{dial}"), text }
        }
        "url" => Shown::Outside { href: text.clone(), text },
        _ => Shown::Text(text),
    }
}

/// A value of no known type.
pub(super) fn plain(json: &Json) -> Shown {
    match json {
        Json::Null => Shown::Empty,
        Json::String(text) => Shown::Text(text.clone()),
        Json::Number(number) => Shown::Number(grouped(&number.to_string())),
        Json::Object(members) => match (members.get("currency"), members.get("amount")) {
            (Some(Json::String(currency)), Some(Json::String(amount))) => {
                Shown::Number(grouped(&format!("{amount} {currency}")))
            }
            (_, _) => Shown::Text(json.to_string()),
        },
        Json::Array(items) => Shown::Many(items.iter().map(plain).collect()),
        Json::Bool(_) => Shown::Text(json.to_string()),
    }
}

/// A link, by the name of its record.
pub(super) fn record(id: &str, language: Language, titles: &Titles) -> Shown {
    let known = id.parse().ok().and_then(|id: RecordId| titles.get_key_value(&id));
    match known {
        Some((key, (entity, title))) => Shown::Record {
            href: format!("/records/{entity}/{id}"),
            title: name_of(title, *key, entity, language),
        },
        None => Shown::Text(id.to_owned()),
    }
}

fn span(json: &Json) -> Option<Shown> {
    let moment = |name: &str| {
        let at = Type::DateTime.from_json(json.get(name)?).ok()?;
        at.as_int().map(When::at)
    };
    Some(Shown::Span(moment("start")?, moment("end")))
}

/// A number with its thousands apart.
pub(super) fn grouped(text: &str) -> String {
    let digits = text.find(|c: char| c.is_ascii_digit()).unwrap_or(0);
    let (sign, rest) = text.split_at_checked(digits).unwrap_or(("", text));
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (whole, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let mut out = String::from(sign);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out.push_str(tail);
    out
}

/// The ids of all records that a value may link to.
pub(super) fn ids_in(json: &Json, found: &mut Vec<RecordId>) {
    match json {
        Json::String(text) if text.len() == 36 => found.extend(text.parse::<RecordId>().ok()),
        Json::Array(items) => items.iter().for_each(|item| ids_in(item, found)),
        Json::Object(members) => members.values().for_each(|member| ids_in(member, found)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        for (text, wanted) in [
            ("0", "0"),
            ("1234.50 CNY", "1,234.50 CNY"),
            ("-1234567", "-1,234,567"),
            ("123", "123"),
            ("", ""),
            ("no number", "no number"),
        ] {
            assert_eq!(grouped(text), wanted);
        }
    }

    #[test]
    fn what_people_typed_cannot_become_markup() {
        let bad = "<script>alert(1)</script>\"'&";
        for shown in [
            Shown::Text(bad.to_owned()),
            Shown::Choice(bad.to_owned()),
            Shown::Record { href: "/x".to_owned(), title: bad.to_owned() },
            Shown::Outside { href: "mailto:\"><script>".to_owned(), text: bad.to_owned() },
            Shown::Many(vec![Shown::Text(bad.to_owned())]),
        ] {
            let html = shown.render().unwrap();
            assert!(!html.contains("<script"), "{html}");
        }
    }
}
