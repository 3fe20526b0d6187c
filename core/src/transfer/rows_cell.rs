//! The rows of a field in one cell, as an export writes them: a list in JSON, each row with its id.
//!
//! The ids make importing the same cell again change nothing, and tell which row a changed cell
//! means. Rows that the cell does not name stay: people may have added them.

use serde_json::{Map, Value as Json, json};

use crate::schema::{Field, RowId, ValueError};

/// Rows of one cell, at most.
const ROWS_MAX: usize = crate::domain::edit::EDIT_ITEMS_MAX;

/// Reads the rows of a cell; an empty one has none.
///
/// # Errors
///
/// The cell is no list of rows, a row has no id, or a value does not fit its column.
pub(super) fn parse_rows(field: &Field, text: &str) -> Result<Json, ValueError> {
    let malformed = || ValueError::Malformed("a list of rows in JSON, each with its `id`");
    if text.trim().is_empty() {
        return Ok(Json::Null);
    }
    let rows: Vec<Map<String, Json>> = serde_json::from_str(text).map_err(|_| malformed())?;
    if rows.len() > ROWS_MAX {
        return Err(malformed());
    }
    let mut read = Vec::with_capacity(rows.len());
    for row in rows {
        let id = row.get("id").and_then(Json::as_str).ok_or_else(malformed)?;
        let id: RowId = id.parse().map_err(|_| malformed())?;
        let mut cells = Map::from_iter([("id".to_owned(), Json::from(id.to_string()))]);
        for (name, value) in &row {
            // How the row came to be here is no cell of it.
            if name == "id" || name == "is_revived" {
                continue;
            }
            let column = field.column(name).ok_or_else(malformed)?;
            cells.insert(name.clone(), column.ty.to_json(&column.ty.from_json(value)?));
        }
        read.push(Json::Object(cells));
    }
    Ok(if read.is_empty() { Json::Null } else { Json::Array(read) })
}

/// What makes the rows of a record those of the cell; `None` if nothing is to be done.
pub(super) fn edit_rows(current: Option<&Json>, wanted: &Json) -> Option<Json> {
    let known = current.and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let (mut add, mut edit) = (Vec::new(), Map::new());
    for row in wanted.as_array()? {
        let id = row.get("id").and_then(Json::as_str)?;
        match known.iter().find(|other| other.get("id").and_then(Json::as_str) == Some(id)) {
            None => add.push(row.clone()),
            Some(other) => {
                let is_new = |(name, value): &(&String, &Json)| other.get(*name) != Some(*value);
                let cells = row.as_object()?.iter().filter(|(name, _)| *name != "id");
                let cells: Map<String, Json> = cells
                    .filter(is_new)
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect();
                if !cells.is_empty() {
                    edit.insert(id.to_owned(), Json::Object(cells));
                }
            }
        }
    }
    (!add.is_empty() || !edit.is_empty()).then(|| json!({ "add": add, "edit": edit }))
}
