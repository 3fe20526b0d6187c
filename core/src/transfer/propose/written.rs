//! A proposal as a mapping file.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{Chosen, Key, Wishes, columns::Column};
use crate::{
    schema::{Entity, Kind, Type},
    transfer::table::{Format, Table},
};

/// The currency that is written where nobody said one: to be changed by a person.
pub(super) const CURRENCY: &str = "USD";
/// The system that is written where nobody said one.
const SOURCE: &str = "import";

/// Writes it.
pub(super) fn write(
    entity: &Entity,
    table: &Table,
    columns: &[Column],
    chosen: &BTreeMap<usize, Chosen>,
    key: &Key,
    wishes: &Wishes,
) -> String {
    let mut text = String::new();
    let mut line = |words: String| {
        text.push_str(&words);
        text.push('\n');
    };
    line(format!("entity = {}", quoted(&entity.name)));
    line(format!("source = {}", quoted(wishes.source.as_deref().unwrap_or(SOURCE))));
    match key.names.as_slice() {
        [only] => line(format!("key = {}", quoted(only))),
        names => {
            let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
            line(format!("key = [{}]", names.join(", ")));
        }
    }
    if key.may_repeat {
        line("key_occurrence = true".to_owned());
    }
    if table.format == Format::Csv && table.encoding != "UTF-8" {
        line(format!("encoding = {}", quoted(table.encoding)));
    }
    if let Some(types) = &table.types {
        line(format!("record_type = {}", quoted(&types.taken)));
    }
    if let Some(region) = &wishes.region {
        line(format!("region = {}", quoted(region)));
    }
    if chosen.values().any(|chosen| chosen.place.field.ty == Type::Money) {
        line(format!("currency = {}", quoted(wishes.currency.as_deref().unwrap_or(CURRENCY))));
    }
    line("\n[fields]".to_owned());
    for (at, chosen) in chosen {
        let Some(column) = columns.get(*at) else { continue };
        line(field(entity, column, chosen));
    }
    let is_filled = |name: &str| chosen.values().any(|chosen| chosen.place.field.name == name);
    for asked in entity.fields.iter().filter(|field| field.required && field.kind != Kind::Office) {
        if !is_filled(&asked.name) {
            line(format!("{} = {{ const = \"\", allow_empty = true }}", asked.name));
        }
    }
    let is_used = |at: usize, name: &String| chosen.contains_key(&at) || key.names.contains(name);
    let mut unused = columns.iter().enumerate().filter(|(at, c)| !is_used(*at, &c.name)).peekable();
    if unused.peek().is_some() {
        line("\n# Left out:".to_owned());
        for (_, column) in unused {
            line(format!("# field = {{ column = {} }}", quoted(&column.name)));
        }
    }
    text
}

fn field(entity: &Entity, column: &Column, chosen: &Chosen) -> String {
    let name = chosen.place.name();
    let name = if chosen.place.part.is_some() { quoted(&name) } else { name };
    let mut entry = format!("{name} = {{ column = {}", quoted(&column.name));
    if let Some(order) = chosen.fit.date_order.filter(|order| *order != "ymd") {
        let _ = write!(entry, ", date_order = {}", quoted(order));
    }
    if !chosen.replaced.is_empty() {
        let pairs: Vec<String> = chosen
            .replaced
            .iter()
            .map(|(from, to)| format!("{} = {}", quoted(from), quoted(to)))
            .collect();
        let _ = write!(entry, ", map = {{ {} }}", pairs.join(", "));
    }
    if let Some(by) = &chosen.by {
        let _ = write!(entry, ", ref = {{ by = {} }}", quoted(by));
    }
    if chosen.place.field.kind == Kind::Set {
        entry.push_str(", split = \";\"");
    }
    // A row without its own name is refused; one without a link or a part of a name is not.
    let is_its_name = chosen.place.part.is_none() && chosen.place.field.name == entity.title;
    if chosen.place.field.required && !is_its_name {
        entry.push_str(", allow_empty = true");
    }
    entry.push_str(" }");
    entry
}

/// On one line, also what has several: it may stand in a comment.
fn quoted(text: &str) -> String {
    let written = toml::Value::String(text.to_owned()).to_string();
    if !written.contains('\n') {
        return written;
    }
    // TOML takes the strings of JSON, but for one character.
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}
