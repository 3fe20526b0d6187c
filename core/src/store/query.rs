//! Lists: filter, sort and page through the typed rows of one entity.

use chrono::DateTime;
use rusqlite::{Connection, ToSql, params_from_iter};
use serde::{Deserialize, Serialize};

use super::{StoreError, redirect, rows::columns_of};
use crate::{
    ids::{RecordId, from_hex, to_hex},
    schema::{Entity, Schema, SqlValue, Type},
};

/// Records on one page, at most.
pub const PAGE_MAX: usize = 1_000;
/// Conditions of one query, at most.
pub const FILTERS_MAX: usize = 20;
/// Bytes of a cursor, at most.
const CURSOR_BYTES_MAX: usize = 4_096;
/// The column of a record's own id, of which a condition may say which it is.
const ID: &str = "id";

/// How a column is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    /// The same value; an empty value means that there is none.
    Is,
    /// Another value, or none.
    IsNot,
    /// At least.
    From,
    /// At most.
    To,
    /// Text that contains the value, capitals of Latin letters apart.
    Contains,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// A column: a field's name, or `amount_minor` and the like.
    pub column: String,
    /// How it is compared.
    pub compare: Compare,
    /// With what, as text.
    pub value: String,
}

/// Which records to list, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// All must hold.
    pub filters: Vec<Filter>,
    /// The column to sort by; by id, which is by time of creation, if none.
    pub sort: Option<String>,
    /// Whether the greatest comes first.
    pub descending: bool,
    /// Where the page before ended.
    pub after: Option<String>,
    /// Records, at most [`PAGE_MAX`].
    pub limit: usize,
    /// Whether archived records are listed too.
    pub with_archived: bool,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            filters: Vec::new(),
            sort: None,
            descending: false,
            after: None,
            limit: 50,
            with_archived: false,
        }
    }
}

/// One page of ids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdPage {
    /// The records, in order.
    pub ids: Vec<RecordId>,
    /// Where to go on, if there is more.
    pub next: Option<String>,
}

/// A cursor: the sorted value of the last record, and its id.
#[derive(Serialize, Deserialize)]
struct Cursor(CursorValue, RecordId);

#[derive(Serialize, Deserialize)]
enum CursorValue {
    Null,
    Integer(i64),
    Text(String),
}

/// Lists ids of records.
///
/// # Errors
///
/// Returns [`StoreError::Query`] for a column that the entity does not have, a value that does
/// not fit it, or a cursor that is none.
pub fn list(conn: &Connection, entity: &Entity, query: &Query) -> Result<IdPage, StoreError> {
    page(conn, entity, query, None)
}

/// Lists ids of records as [`list`] does, of these records alone, and how many of them fit in all.
///
/// # Errors
///
/// As [`list`].
pub fn list_among(
    conn: &Connection,
    entity: &Entity,
    query: &Query,
    among: &[RecordId],
) -> Result<(IdPage, u64), StoreError> {
    let among = among_text(among);
    let page = page(conn, entity, query, Some(&among))?;
    Ok((page, count_of(conn, entity, query, Some(&among))?))
}

/// Ids as one text, for [`among_condition`].
fn among_text(ids: &[RecordId]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| to_hex(id.as_bytes())).collect();
    serde_json::to_string(&ids).unwrap_or_default()
}

fn page(
    conn: &Connection,
    entity: &Entity,
    query: &Query,
    among: Option<&str>,
) -> Result<IdPage, StoreError> {
    if query.filters.len() > FILTERS_MAX {
        return Err(StoreError::Query(format!("at most {FILTERS_MAX} filters")));
    }
    let limit = query.limit.clamp(1, PAGE_MAX);
    let mut values: Vec<SqlValue> = Vec::new();
    let mut id_after: Option<Vec<u8>> = None;
    let mut conditions: Vec<String> = vec!["1".to_owned()];
    if !query.with_archived {
        conditions.push("is_archived = 0".to_owned());
    }
    for filter in &query.filters {
        conditions.push(condition(conn, entity, filter, &mut values)?);
    }
    if let Some(among) = among {
        conditions.push(among_condition(among, &mut values));
    }
    let sort = query.sort.as_deref().map(|name| column(entity, name)).transpose()?;
    let sort_name = sort.as_ref().map_or("NULL", |(name, _)| name.as_str());
    let (direction, beyond) = if query.descending { ("DESC", "<") } else { ("ASC", ">") };
    if let Some(after) = &query.after {
        let Cursor(value, id) = read_cursor(after)?;
        conditions.push(match sort {
            Some(_) => after_condition(sort_name, beyond, query.descending, &value, &mut values),
            None => format!("id {beyond} :id"),
        });
        id_after = Some(id.as_bytes().to_vec());
    }
    // A constant in the order would keep SQLite from walking an index.
    let order = sort.as_ref().map_or(String::new(), |(name, _)| format!("{name} {direction}, "));
    // Column and table names come from the schema; everything else is a parameter.
    let sql = format!(
        "SELECT id, {sort_name} FROM {} WHERE {} ORDER BY {order}id {direction} LIMIT {}",
        entity.name,
        conditions.join(" AND ").replace(":id", &format!("?{}", values.len() + 1)),
        limit + 1,
    );
    let mut parameters: Vec<&dyn ToSql> = values.iter().map(|value| value as &dyn ToSql).collect();
    if let Some(id) = &id_after {
        parameters.push(id);
    }
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(parameters))?;
    let mut page = IdPage::default();
    let mut last = None;
    while let Some(row) = rows.next()? {
        if page.ids.len() == limit {
            page.next = last;
            break;
        }
        let id = RecordId::from_bytes(row.get(0)?);
        let value = match row.get_ref(1)? {
            rusqlite::types::ValueRef::Integer(number) => CursorValue::Integer(number),
            rusqlite::types::ValueRef::Text(text) => {
                CursorValue::Text(String::from_utf8_lossy(text).into_owned())
            }
            rusqlite::types::ValueRef::Null
            | rusqlite::types::ValueRef::Real(_)
            | rusqlite::types::ValueRef::Blob(_) => CursorValue::Null,
        };
        last = Some(write_cursor(&Cursor(value, id)));
        page.ids.push(id);
    }
    Ok(page)
}

/// How many records the conditions of `query` hold for.
///
/// # Errors
///
/// As [`list`].
pub fn count(conn: &Connection, entity: &Entity, query: &Query) -> Result<u64, StoreError> {
    count_of(conn, entity, query, None)
}

fn count_of(
    conn: &Connection,
    entity: &Entity,
    query: &Query,
    among: Option<&str>,
) -> Result<u64, StoreError> {
    let mut values: Vec<SqlValue> = Vec::new();
    let mut conditions: Vec<String> = vec!["1".to_owned()];
    if !query.with_archived {
        conditions.push("is_archived = 0".to_owned());
    }
    for filter in &query.filters {
        conditions.push(condition(conn, entity, filter, &mut values)?);
    }
    if let Some(among) = among {
        conditions.push(among_condition(among, &mut values));
    }
    let sql = format!("SELECT count(*) FROM {} WHERE {}", entity.name, conditions.join(" AND "));
    let count: i64 =
        conn.prepare_cached(&sql)?.query_row(params_from_iter(values.iter()), |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// Holds for records whose ids are among those of a JSON text.
fn among_condition(among: &str, values: &mut Vec<SqlValue>) -> String {
    values.push(SqlValue::Text(among.to_owned()));
    format!("id IN (SELECT unhex(value) FROM json_each(?{}))", values.len())
}

/// Finds a column by name, with the type of its field if it is a plain one.
fn column<'a>(entity: &'a Entity, name: &str) -> Result<(String, Option<&'a Type>), StoreError> {
    for field in &entity.fields {
        for (column, _) in columns_of(field) {
            if column == name {
                let ty = (field.kind.is_single() && column == field.name).then_some(&field.ty);
                return Ok((column, ty));
            }
        }
    }
    let columns = entity.fields.iter().flat_map(columns_of);
    let names: Vec<String> = columns.map(|(column, _)| column).collect();
    Err(StoreError::Query(format!(
        "{} has no column `{}`; it has {}",
        entity.name,
        name.chars().take(80).collect::<String>(),
        names.join(", "),
    )))
}

fn condition(
    conn: &Connection,
    entity: &Entity,
    filter: &Filter,
    values: &mut Vec<SqlValue>,
) -> Result<String, StoreError> {
    if filter.column == ID {
        return id_condition(filter, values);
    }
    let (name, ty) = column(entity, &filter.column)?;
    if filter.value.is_empty() && matches!(filter.compare, Compare::Is | Compare::IsNot) {
        let is_not = if filter.compare == Compare::Is { "IS NULL" } else { "IS NOT NULL" };
        return Ok([name.as_str(), " ", is_not].concat());
    }
    if filter.compare == Compare::Contains {
        values.push(SqlValue::Text(filter.value.clone()));
        return Ok(format!("instr(lower({name}), lower(?{})) > 0", values.len()));
    }
    values.push(parameter(filter, ty, is_integer(entity, &name))?);
    // Whoever links to what was merged into a record links to the record.
    if let (Compare::Is, Some(Type::Link(target)), Ok(id)) =
        (filter.compare, ty, filter.value.parse::<RecordId>())
        && let Some(target) = Schema::current().entity(target)
    {
        let mut places = vec![format!("?{}", values.len())];
        for half in redirect::halves(conn, target, id)? {
            values.push(SqlValue::Text(half.to_string()));
            places.push(format!("?{}", values.len()));
        }
        if let [_, _, ..] = places.as_slice() {
            return Ok(format!("{name} IN ({})", places.join(", ")));
        }
    }
    let operator = match filter.compare {
        // Not IS: for that an index of the values that are there cannot be used.
        Compare::Is => "=",
        Compare::IsNot => "IS NOT",
        Compare::From => ">=",
        Compare::To => "<=",
        Compare::Contains => "LIKE",
    };
    Ok(format!("{name} {operator} ?{}", values.len()))
}

/// One record, or all others.
fn id_condition(filter: &Filter, values: &mut Vec<SqlValue>) -> Result<String, StoreError> {
    let operator = match filter.compare {
        Compare::Is => "=",
        Compare::IsNot => "<>",
        Compare::From | Compare::To | Compare::Contains => {
            return Err(StoreError::Query(format!("{ID}: an id is compared by `is` or `is_not`")));
        }
    };
    let wrong = |_| StoreError::Query(format!("{ID}: this is not the id of a record"));
    let id: RecordId = filter.value.parse().map_err(wrong)?;
    values.push(SqlValue::Text(to_hex(id.as_bytes())));
    Ok(format!("{ID} {operator} unhex(?{})", values.len()))
}

/// Whether a column holds whole numbers.
fn is_integer(entity: &Entity, name: &str) -> bool {
    let mut columns = entity.fields.iter().flat_map(columns_of);
    columns.any(|(column, sql_type)| column == name && sql_type == "INTEGER")
}

fn parameter(filter: &Filter, ty: Option<&Type>, is_integer: bool) -> Result<SqlValue, StoreError> {
    let wrong = |error: String| StoreError::Query(format!("{}: {error}", filter.column));
    match ty {
        Some(Type::Money | Type::Period | Type::Geo | Type::TimeSpan) | None => {
            // Moments within a value, such as the start of a time span, are kept in milliseconds.
            let moment =
                || Some(DateTime::parse_from_rfc3339(&filter.value).ok()?.timestamp_millis());
            let number = filter.value.parse().ok().or_else(|| moment().filter(|_| is_integer));
            match number {
                Some(number) => Ok(SqlValue::Integer(number)),
                // SQLite finds every text greater than every number.
                None if is_integer => Err(wrong("a whole number or a moment is wanted".to_owned())),
                None => Ok(SqlValue::Text(filter.value.clone())),
            }
        }
        Some(ty) => {
            let value = ty
                .from_text(&filter.value, &crate::schema::TextHints::default())
                .map_err(|error| wrong(error.to_string()))?;
            Ok(ty.to_sql(&value).into_iter().next().unwrap_or(SqlValue::Null))
        }
    }
}

/// Holds for what comes after the cursor in SQLite's order, in which NULL is least.
fn after_condition(
    name: &str,
    beyond: &str,
    descending: bool,
    value: &CursorValue,
    values: &mut Vec<SqlValue>,
) -> String {
    let same_later = format!("id {beyond} :id");
    match value {
        CursorValue::Null if descending => format!("({name} IS NULL AND {same_later})"),
        CursorValue::Null => format!("({name} IS NOT NULL OR {same_later})"),
        CursorValue::Integer(_) | CursorValue::Text(_) => {
            values.push(match value {
                CursorValue::Integer(number) => SqlValue::Integer(*number),
                CursorValue::Text(text) => SqlValue::Text(text.clone()),
                CursorValue::Null => SqlValue::Null,
            });
            let place = values.len();
            let or_null = if descending { format!(" OR {name} IS NULL") } else { String::new() };
            format!("({name} {beyond} ?{place} OR ({name} = ?{place} AND {same_later}){or_null})")
        }
    }
}

fn write_cursor(cursor: &Cursor) -> String {
    to_hex(&serde_json::to_vec(cursor).unwrap_or_default())
}

fn read_cursor(text: &str) -> Result<Cursor, StoreError> {
    let wrong = || StoreError::Query("this is not a cursor of an earlier page".to_owned());
    if text.len() > CURSOR_BYTES_MAX || !text.is_ascii() {
        return Err(wrong());
    }
    let bytes: Option<Vec<u8>> = text
        .as_bytes()
        .chunks(2)
        .map(|pair| from_hex::<1>(std::str::from_utf8(pair).ok()?).map(|[byte]| byte))
        .collect();
    serde_json::from_slice(&bytes.ok_or_else(wrong)?).map_err(|_| wrong())
}

/// Records with fields that have several values, at most `limit`.
///
/// # Errors
///
/// Fails when the database does.
pub fn with_conflicts(
    conn: &Connection,
    schema: &Schema,
    limit: usize,
) -> Result<Vec<RecordId>, StoreError> {
    let mut found = Vec::new();
    for entity in schema.entities() {
        let left = limit.saturating_sub(found.len());
        let sql =
            format!("SELECT id FROM {} WHERE conflicts > 0 ORDER BY id LIMIT {left}", entity.name);
        let mut statement = conn.prepare_cached(&sql)?;
        let ids = statement.query_map([], |row| Ok(RecordId::from_bytes(row.get(0)?)))?;
        for id in ids {
            found.push(id?);
        }
    }
    Ok(found)
}

/// How many fields have several values.
///
/// # Errors
///
/// Fails when the database does.
pub fn count_conflicts(conn: &Connection, schema: &Schema) -> Result<u64, StoreError> {
    let mut total: i64 = 0;
    for entity in schema.entities() {
        let sql =
            format!("SELECT coalesce(sum(conflicts), 0) FROM {} WHERE conflicts > 0", entity.name);
        total += conn.prepare_cached(&sql)?.query_row([], |row| row.get::<_, i64>(0))?;
    }
    Ok(total.unsigned_abs())
}
