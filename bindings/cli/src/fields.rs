//! What people type after `create` and `edit`, as the JSON that the core understands.
//!
//! | typed | meaning |
//! |---|---|
//! | `field=value` | the value; for a set a list with commas |
//! | `field=` | clears |
//! | `field+=value` | adds a member to a set, or to a counter |
//! | `field-=value` | takes it away |
//! | `field=[…]`, `field={…}` | rows and logs, as JSON |

use outrider_core::{
    replica::Replica,
    schema::{Entity, Field, Kind, TextHints, Type},
};
use serde_json::{Map, Value as Json, json};

use crate::{error::CliError, near, record_ref};

/// How a field is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Set,
    Add,
    Remove,
}

/// Reads all assignments into one object of fields.
pub(crate) fn parse(
    replica: &Replica,
    entity: &Entity,
    assignments: &[String],
) -> Result<Map<String, Json>, CliError> {
    let mut fields = Map::new();
    for assignment in assignments {
        let (name, sign, text) = split(assignment)?;
        let field = near::field_of(entity, name)?;
        put(replica, &mut fields, field, sign, text)?;
    }
    Ok(fields)
}

fn split(assignment: &str) -> Result<(&str, Sign, &str), CliError> {
    let Some((name, text)) = assignment.split_once('=') else {
        return Err(CliError::Usage(format!(
            "`{assignment}` is no assignment; write field=value, field= to clear, or +=, -="
        )));
    };
    let (name, sign) = if let Some(name) = name.strip_suffix('+') {
        (name, Sign::Add)
    } else if let Some(name) = name.strip_suffix('-') {
        (name, Sign::Remove)
    } else {
        (name, Sign::Set)
    };
    Ok((name.trim(), sign, text))
}

fn put(
    replica: &Replica,
    fields: &mut Map<String, Json>,
    field: &Field,
    sign: Sign,
    text: &str,
) -> Result<(), CliError> {
    let wrong = |expected: &str| CliError::Usage(format!("`{}`: {expected}", field.name));
    let value = match (field.kind, sign) {
        (Kind::Set, Sign::Add | Sign::Remove) => {
            let word = if sign == Sign::Add { "add" } else { "remove" };
            return add_members(fields, field, word, &members(replica, field, text)?);
        }
        (Kind::Set, Sign::Set) => json!(members(replica, field, text)?),
        (Kind::Counter, _) => return count(fields, field, sign, text),
        (Kind::Register | Kind::Once | Kind::Office, Sign::Set) => value(replica, field, text)?,
        (Kind::Text, Sign::Set) => text.into(),
        (Kind::Rows | Kind::Log, Sign::Set) => serde_json::from_str(text).map_err(|_| {
            wrong(
                "takes JSON, such as [{…}] at first and {\"add\": [{…}]} later; or use --from-json",
            )
        })?,
        (
            Kind::Register | Kind::Once | Kind::Office | Kind::Text | Kind::Rows | Kind::Log,
            Sign::Add | Sign::Remove,
        ) => return Err(wrong("holds one value; += and -= are for sets and counters")),
    };
    if fields.insert(field.name.clone(), value).is_some() {
        return Err(wrong("is given twice"));
    }
    Ok(())
}

/// One value of a field, from text, as JSON.
pub(crate) fn value(replica: &Replica, field: &Field, text: &str) -> Result<Json, CliError> {
    let text = link(replica, field, text)?;
    let value = field.ty.from_text(&text, &TextHints::default()).map_err(|error| {
        let choices = if let Type::Picklist(list) = &field.ty {
            let ids: Vec<&str> = list.choices.iter().map(|choice| choice.id.as_str()).collect();
            format!("; it has {}", ids.join(", "))
        } else {
            String::new()
        };
        CliError::Usage(format!("`{}`: {error}{choices}", field.name))
    })?;
    Ok(field.ty.to_json(&value))
}

/// The id of a linked record, from any way of naming it.
fn link(replica: &Replica, field: &Field, text: &str) -> Result<String, CliError> {
    let Type::Link(target) = &field.ty else { return Ok(text.to_owned()) };
    match record_ref::target(target) {
        Some(entity) if !text.trim().is_empty() => {
            Ok(record_ref::find_of(replica, text, entity)?.to_string())
        }
        Some(_) | None => Ok(text.to_owned()),
    }
}

fn members(replica: &Replica, field: &Field, text: &str) -> Result<Vec<String>, CliError> {
    text.split([',', '，', '、'])
        .map(str::trim)
        .filter(|member| !member.is_empty())
        .map(|member| link(replica, field, member))
        .collect()
}

fn add_members(
    fields: &mut Map<String, Json>,
    field: &Field,
    word: &str,
    members: &[String],
) -> Result<(), CliError> {
    let change = fields.entry(&field.name).or_insert_with(|| json!({}));
    let Some(change) = change.as_object_mut() else {
        let text = format!("`{}`: give the whole list, or += and -=, not both", field.name);
        return Err(CliError::Usage(text));
    };
    let list = change.entry(word).or_insert_with(|| json!([]));
    if let Some(list) = list.as_array_mut() {
        list.extend(members.iter().map(|member| Json::from(member.as_str())));
    }
    Ok(())
}

fn count(
    fields: &mut Map<String, Json>,
    field: &Field,
    sign: Sign,
    text: &str,
) -> Result<(), CliError> {
    let wrong = |expected: &str| CliError::Usage(format!("`{}`: {expected}", field.name));
    let step: i64 = text.trim().parse().map_err(|_| wrong("expected a whole number"))?;
    let step = match sign {
        Sign::Set => return Err(wrong("counts; write += or -= and how many")),
        Sign::Add => step,
        Sign::Remove => step.checked_neg().ok_or_else(|| wrong("expected a whole number"))?,
    };
    let before = fields.get(&field.name).and_then(|json| json.get("add")).and_then(Json::as_i64);
    let sum = before.unwrap_or(0).checked_add(step).ok_or_else(|| wrong("counts too far"))?;
    fields.insert(field.name.clone(), json!({ "add": sum }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_split_at_the_first_sign() {
        assert_eq!(split("a=b=c").unwrap(), ("a", Sign::Set, "b=c"));
        assert_eq!(split("tags+=vip").unwrap(), ("tags", Sign::Add, "vip"));
        assert_eq!(split("tags-=vip").unwrap(), ("tags", Sign::Remove, "vip"));
        assert_eq!(split("phone=").unwrap(), ("phone", Sign::Set, ""));
        assert!(split("phone").is_err());
    }
}
