//! Saved filters: lists that are kept under a name.

use outrider_core::{
    replica::Replica,
    schema::Entity,
    store::{
        query::Query,
        saved::{SAVED_FILTER, SavedFilter},
    },
};
use serde_json::{Value as Json, json};

use super::list::query_of;
use crate::{
    cli::{FilterCommand, FilterSaveArgs},
    context::Context,
    error::CliError,
    messages::{Word, word},
    output::Output,
    table::Table,
};

/// Keeps or lists filters.
pub(crate) fn filter(
    context: &Context,
    which: &FilterCommand,
    output: &mut Output,
) -> Result<(), CliError> {
    match which {
        FilterCommand::Save(args) => save(context, args, output),
        FilterCommand::List { entity } => list(context, entity.as_deref(), output),
    }
}

fn save(context: &Context, args: &FilterSaveArgs, output: &mut Output) -> Result<(), CliError> {
    let mut replica = context.open()?;
    let entity = replica.entity(&args.entity)?;
    let filter = SavedFilter {
        id: None,
        name: args.name.trim().to_owned(),
        search: args.search.clone().unwrap_or_default(),
        query: query_of(&replica, entity, &args.conditions)?,
        is_shared: args.shared,
    };
    let mut fields = filter.fields(entity);
    let known = find(&replica, entity, &filter.name)?.and_then(|known| known.id);
    let id = match known {
        Some(id) => {
            // What the new one does not search, the old one does not any more.
            fields.entry("search").or_insert(Json::Null);
            replica.update(id, &fields)?;
            id
        }
        None => replica.create(SAVED_FILTER, &fields)?,
    };
    output.answer(&json!({ "record": id }), &id.to_string())
}

fn list(context: &Context, entity: Option<&str>, output: &mut Output) -> Result<(), CliError> {
    let replica = context.open()?;
    let entity = entity.map(|name| replica.entity(name)).transpose()?;
    let found = replica.saved_filters(entity.map(|entity| entity.name.as_str()))?;
    if output.is_json {
        let filters: Vec<Json> = found
            .iter()
            .map(|(about, filter)| {
                json!({
                    "record": filter.id,
                    "name": filter.name,
                    "entity": about,
                    "search": filter.search,
                    "query": filter.query,
                    "shared": filter.is_shared,
                })
            })
            .collect();
        return output.json(&json!({ "filters": filters }));
    }
    if found.is_empty() {
        output.note(word(Word::NoRecords, context.language));
        return Ok(());
    }
    let labels = [Word::Label, Word::Entity].map(|label| word(label, context.language));
    let mut table = Table::new(std::iter::once("id").chain(labels));
    for (about, filter) in found {
        let id = filter.id.map(|id| id.to_string()).unwrap_or_default();
        table.row(vec![id, filter.name, about]);
    }
    table.write(output)
}

fn find(replica: &Replica, entity: &Entity, name: &str) -> Result<Option<SavedFilter>, CliError> {
    let filters = replica.saved_filters(Some(&entity.name))?;
    Ok(filters.into_iter().map(|(_, filter)| filter).find(|filter| filter.name == name.trim()))
}

/// Takes a saved filter into a query; an order or a search of one's own stays.
pub(super) fn take(
    replica: &Replica,
    entity: &Entity,
    name: &str,
    query: &mut Query,
    search: &mut String,
) -> Result<(), CliError> {
    let Some(saved) = find(replica, entity, name)? else {
        let names: Vec<String> = replica
            .saved_filters(Some(&entity.name))?
            .into_iter()
            .map(|(_, filter)| filter.name)
            .collect();
        let name: String = name.chars().take(80).collect();
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Err(CliError::Usage(format!("there is no filter `{name}`; there are: {known}")));
    };
    query.filters.extend(saved.query.filters);
    query.with_archived |= saved.query.with_archived;
    if query.sort.is_none() {
        query.sort = saved.query.sort;
        query.descending |= saved.query.descending;
    }
    if search.is_empty() {
        *search = saved.search;
    }
    Ok(())
}
