//! Lists of records.

mod watch;
mod watch_search;

use outrider_core::{
    replica::Replica,
    schema::{Entity, Field, Type},
    store::{
        query::{Compare, Filter, Query},
        rows::columns_of,
        search::SearchQuery,
    },
};
use serde_json::Value as Json;

use super::{filter, show};
use crate::{
    cli::{ConditionArgs, ListArgs, WatchArgs},
    context::Context,
    error::CliError,
    messages::{Word, word},
    near,
    output::Output,
    record_ref,
    table::Table,
};

/// Columns beside the name that a list shows unless it is told which.
const COLUMNS_MAX: usize = 5;
/// Fields that are looked up often and read seldom.
const NOT_SHOWN: [&str; 5] = ["owner_id", "external_id", "created_at", "pool_state", "tax_no"];

/// Lists records.
pub(crate) fn list(
    context: &Context,
    args: &ListArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    let replica = context.open()?;
    let entity = replica.entity(&args.entity)?;
    let mut query = query_of(&replica, entity, &args.conditions)?;
    query.after.clone_from(&args.after);
    query.limit = args.limit.into();
    let columns = columns(entity, &args.columns)?;
    if args.watch {
        return watch::watch(context, replica, (entity, &columns), query, output);
    }
    let mut search = args.search.clone().unwrap_or_default();
    if let Some(name) = &args.saved {
        filter::take(&replica, entity, name, &mut query, &mut search)?;
    }
    let page = match search.is_empty() {
        true => replica.list(&entity.name, &query)?,
        false => replica.list_found(&entity.name, &search, &query)?,
    };
    if output.is_json {
        return output.json(&page);
    }
    if page.records.is_empty() {
        output.note(word(Word::NoRecords, context.language));
        return Ok(());
    }
    let labels = columns.iter().map(|field| field.label.get(context.language));
    let mut table = Table::new(std::iter::once("id").chain(labels));
    for record in &page.records {
        table.row(cells(&replica, &columns, record, context)?);
    }
    table.write(output)?;
    if let Some(next) = &page.next {
        // The table is to stand before the note.
        output.finish()?;
        output.note(&format!("{} --after {next}", word(Word::More, context.language)));
    }
    Ok(())
}

/// The id of a record and what its columns say.
fn cells(
    replica: &Replica,
    columns: &[&Field],
    record: &Json,
    context: &Context,
) -> Result<Vec<String>, CliError> {
    let mut cells = vec![record.get("id").and_then(Json::as_str).unwrap_or("").to_owned()];
    for field in columns {
        cells.push(match record.get(&field.name) {
            Some(json) => show::value(replica, field, json, context.language)?,
            None => String::new(),
        });
    }
    Ok(cells)
}

/// Stays with a list, or with what a search finds.
pub(crate) fn watch_list(
    context: &Context,
    args: &WatchArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    let replica = context.open()?;
    let entity = args.entity.as_deref().map(|name| replica.entity(name)).transpose()?;
    if let Some(text) = &args.search {
        let query = SearchQuery {
            text: text.clone(),
            entities: entity.into_iter().map(|entity| entity.name.clone()).collect(),
            with_archived: args.conditions.archived,
            limit: args.limit.into(),
            ..SearchQuery::default()
        };
        return watch_search::watch(context, &replica, &query, output);
    }
    let Some(entity) = entity else { return Ok(()) };
    let limit = args.limit.into();
    let query = Query { limit, ..query_of(&replica, entity, &args.conditions)? };
    let columns = columns(entity, &args.columns)?;
    watch::watch(context, replica, (entity, &columns), query, output)
}

/// What conditions and an order ask for.
pub(super) fn query_of(
    replica: &Replica,
    entity: &Entity,
    args: &ConditionArgs,
) -> Result<Query, CliError> {
    let mut filters = Vec::new();
    let groups = [
        (Compare::Is, &args.is),
        (Compare::From, &args.from),
        (Compare::To, &args.to),
        (Compare::Contains, &args.contains),
    ];
    for (compare, conditions) in groups {
        for condition in conditions {
            filters.push(filter(replica, entity, compare, condition)?);
        }
    }
    if let Some(sort) = &args.sort {
        check_column(entity, sort)?;
    }
    Ok(Query {
        filters,
        sort: args.sort.clone(),
        descending: args.desc,
        with_archived: args.archived,
        ..Query::default()
    })
}

pub(super) fn filter(
    replica: &Replica,
    entity: &Entity,
    compare: Compare,
    condition: &str,
) -> Result<Filter, CliError> {
    let Some((column, value)) = condition.split_once('=') else {
        let text = format!("`{condition}` is no condition; write field=value");
        return Err(CliError::Usage(text));
    };
    let (column, compare) = match (column.strip_suffix('!'), compare) {
        (Some(column), Compare::Is) => (column, Compare::IsNot),
        _ => (column, compare),
    };
    let column = column.trim();
    check_column(entity, column)?;
    let value = match entity.field(column).map(|field| &field.ty) {
        Some(Type::Link(target)) if !value.is_empty() && compare != Compare::Contains => {
            match record_ref::target(target) {
                Some(target) => record_ref::find_of(replica, value, target)?.to_string(),
                None => value.to_owned(),
            }
        }
        Some(_) | None => value.to_owned(),
    };
    Ok(Filter { column: column.to_owned(), compare, value })
}

/// Fields, and the columns of amounts and periods, may be filtered and sorted by.
pub(super) fn check_column(entity: &Entity, name: &str) -> Result<(), CliError> {
    let mut columns = entity.fields.iter().flat_map(columns_of).map(|(column, _)| column);
    if columns.any(|column| column == name) {
        return Ok(());
    }
    let field = near::field_of(entity, name)?;
    let names: Vec<String> = columns_of(field).into_iter().map(|(column, _)| column).collect();
    let text = format!("`{name}` is kept in several columns; use {}", names.join(" or "));
    Err(CliError::Usage(text))
}

/// The fields that were asked for, or the name and what is looked up most.
fn columns<'a>(entity: &'a Entity, names: &[String]) -> Result<Vec<&'a Field>, CliError> {
    if !names.is_empty() {
        let names = names.iter().map(|name| name.trim()).filter(|name| *name != "id");
        return names.map(|name| near::field_of(entity, name)).collect();
    }
    let others = entity.fields.iter().filter(|field| {
        field.indexed
            && field.kind.is_single()
            && field.name != entity.title
            && !NOT_SHOWN.contains(&field.name.as_str())
    });
    Ok(entity.title_field().into_iter().chain(others.take(COLUMNS_MAX)).collect())
}
