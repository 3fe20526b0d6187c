//! The schema: entities, fields, choices.

use outrider_core::schema::{Choice, Entity, Field, Language, Schema, Type};
use serde_json::{Value as Json, json};

use crate::{
    context::Context,
    error::CliError,
    messages::{Word, word},
    near,
    output::Output,
    table::Table,
};

/// Shows all entities, or the fields of one.
pub(crate) fn show(
    context: &Context,
    entity: Option<&str>,
    output: &mut Output,
) -> Result<(), CliError> {
    let schema = Schema::current();
    let Some(name) = entity else { return entities(context, schema, output) };
    let entity = schema.entity(name).ok_or_else(|| near::unknown_entity(name))?;
    if output.is_json {
        return output.json(&entity_json(entity));
    }
    let say = |name| word(name, context.language);
    output.line(&format!("{} ({})", entity.label.get(context.language), entity.name))?;
    let head = [Word::Field, Word::Label, Word::Type, Word::Kind, Word::Merge, Word::Required];
    let mut table = Table::new(head.map(say));
    for field in &entity.fields {
        table.row(row(field, "", context.language));
        for column in &field.columns {
            table.row(row(column, &format!("{}/…/", field.name), context.language));
        }
    }
    table.write(output)
}

fn row(field: &Field, before: &str, language: Language) -> [String; 6] {
    let required = if field.required { word(Word::Yes, language) } else { "" };
    [
        format!("{before}{}", field.name),
        field.label.get(language).to_owned(),
        type_words(field),
        field.kind.name().to_owned(),
        field.settle.name().to_owned(),
        required.to_owned(),
    ]
}

fn type_words(field: &Field) -> String {
    if let Type::Picklist(list) = &field.ty {
        return format!("picklist {}", list.name);
    }
    if let Type::Link(entity) = &field.ty {
        return format!("link {entity}");
    }
    if field.columns.is_empty() { field.ty.name().to_owned() } else { String::new() }
}

fn entities(context: &Context, schema: &Schema, output: &mut Output) -> Result<(), CliError> {
    if output.is_json {
        let entities: Vec<Json> = schema.entities().map(entity_json).collect();
        return output.json(&json!({ "version": schema.version, "entities": entities }));
    }
    let mut table =
        Table::new([Word::Entity, Word::Label].map(|name| word(name, context.language)));
    for entity in schema.entities() {
        table.row([entity.name.as_str(), entity.plural.get(context.language)]);
    }
    table.write(output)
}

fn entity_json(entity: &Entity) -> Json {
    let fields: Vec<Json> = entity.fields.iter().map(field_json).collect();
    json!({
        "name": entity.name,
        "label": entity.label,
        "plural": entity.plural,
        "title": entity.title,
        "fields": fields,
    })
}

fn field_json(field: &Field) -> Json {
    let (choices, target) = (choices_of(field), target_of(field));
    let columns: Vec<Json> = field.columns.iter().map(field_json).collect();
    json!({
        "name": field.name,
        "label": field.label,
        "kind": field.kind,
        "type": if columns.is_empty() { Some(field.ty.name()) } else { None },
        "choices": choices,
        "target": target,
        "columns": columns,
        "part": field.part.as_str(),
        "merge": field.settle,
        "required": field.required,
        "indexed": field.indexed,
    })
}

fn choices_of(field: &Field) -> Option<&[Choice]> {
    if let Type::Picklist(list) = &field.ty { Some(&list.choices) } else { None }
}

fn target_of(field: &Field) -> Option<&str> {
    if let Type::Link(entity) = &field.ty { Some(entity) } else { None }
}
