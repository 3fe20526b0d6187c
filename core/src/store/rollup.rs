//! Rollups: what the records that link to a record come to.
//!
//! Declared with the entity ([`crate::schema::Rollup`]) and computed when a record is shown, from
//! the typed rows, which device and server fill by the same code. Each is one or two statements
//! over an indexed link. A device reckons with the records that it holds.
//!
//! Sums are exact: values are grouped by the database and added here as decimals. Where more
//! different values link than [`ROLLUP_VALUES_MAX`] there is no value, rather than a wrong one.

use std::collections::BTreeMap;

use rusqlite::{Connection, ToSql, params_from_iter, types::ValueRef};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Map, Value as Json, json};

use super::{StoreError, redirect, rows::columns_of};
use crate::{
    domain::derived::add_with_rollups,
    ids::RecordId,
    schema::{Entity, Field, Rollup, RollupHow, RollupWhen, Schema, Type},
    value::{Money, Value},
};

/// Different values that one sum is made of, at most.
pub const ROLLUP_VALUES_MAX: usize = 20_000;
/// Records that one sum is told apart by, at most.
pub const ROLLUP_GROUPS_MAX: usize = 1_000;
/// Digits after the point of a mean.
const MEAN_DIGITS: u32 = 2;

/// Adds to a record's JSON the rollups of its entity that have a value, and the derived fields
/// that follow from them.
///
/// `merged_from` names the records that were merged into it. A count is always there. A sum is there if anything was added; of amounts in several
/// currencies it is the list of their sums. `{<link>, "value"}` objects stand for a sum by link.
///
/// # Errors
///
/// Fails when the database does.
pub fn add_rollups(
    conn: &Connection,
    schema: &Schema,
    entity: &Entity,
    id: RecordId,
    json: &mut Map<String, Json>,
) -> Result<(), StoreError> {
    let halves = redirect::halves(conn, entity, id)?;
    if !halves.is_empty() {
        json.insert("merged_from".to_owned(), serde_json::json!(halves));
    }
    let mut ids = vec![id];
    ids.extend(halves);
    for rollup in &entity.rollups {
        let Some(of) = schema.entity(&rollup.of) else { continue };
        let Some(value) = (Source { conn, of, rollup, ids: &ids }).compute()? else { continue };
        json.insert(rollup.name.clone(), value);
    }
    add_with_rollups(entity, json);
    Ok(())
}

/// Whose records are taken together, and how.
struct Source<'a> {
    conn: &'a Connection,
    of: &'a Entity,
    rollup: &'a Rollup,
    /// The record and what was merged into it.
    ids: &'a [RecordId],
}

impl Source<'_> {
    fn compute(&self) -> Result<Option<Json>, StoreError> {
        let field = self.rollup.field.as_deref().and_then(|name| self.of.field(name));
        match (self.rollup.how, field) {
            (RollupHow::Count, _) => self.count().map(Some),
            (RollupHow::Sum, Some(field)) if field.ty == Type::Money => self.sum_money(field),
            (RollupHow::Sum, Some(field)) => match &self.rollup.per {
                Some(per) => self.sum_by(field, per),
                None => self.sum(field),
            },
            (RollupHow::Average, Some(field)) => self.mean(field),
            (RollupHow::First, Some(field)) => self.one(field, "ASC"),
            (RollupHow::Last, Some(field)) => self.one(field, "DESC"),
            (_, None) => Ok(None),
        }
    }

    /// The rows that link here, as the end of a statement. Names come from the schema, which
    /// admits only `[a-z0-9_]`; the id and the conditions' values are parameters.
    fn linking(&self) -> (String, Vec<Parameter>) {
        let Rollup { by, when, .. } = self.rollup;
        let mut parameters: Vec<Parameter> =
            self.ids.iter().map(|id| Parameter::Text(id.to_string())).collect();
        let places: Vec<String> = (1..=parameters.len()).map(|place| format!("?{place}")).collect();
        let mut text = format!(
            "FROM {} WHERE {by} IN ({}) AND {by} IS NOT NULL AND is_archived = 0",
            self.of.name,
            places.join(", ")
        );
        for RollupWhen { field, is } in when {
            let is_bool = self.of.field(field).is_some_and(|field| field.ty == Type::Bool);
            let mut places = Vec::new();
            for value in is {
                parameters.push(if is_bool {
                    Parameter::Number(i64::from(value == "true"))
                } else {
                    Parameter::Text(value.clone())
                });
                places.push(format!("?{}", parameters.len()));
            }
            let column = if is_bool { format!("coalesce({field}, 0)") } else { field.clone() };
            text.push_str(&format!(" AND {column} IN ({})", places.join(", ")));
        }
        (text, parameters)
    }

    fn count(&self) -> Result<Json, StoreError> {
        let (linking, parameters) = self.linking();
        let sql = format!("SELECT count(*) {linking}");
        let mut query = self.conn.prepare_cached(&sql)?;
        let count: i64 = query.query_row(params_from_iter(&parameters), |row| row.get(0))?;
        Ok(count.into())
    }

    /// Different values of the columns with how many rows have them.
    fn values(&self, columns: &str) -> Result<Option<Vec<Vec<SqlCell>>>, StoreError> {
        let (linking, parameters) = self.linking();
        let sql = format!(
            "SELECT count(*), {columns} {linking} GROUP BY {columns} ORDER BY {columns} LIMIT {}",
            ROLLUP_VALUES_MAX + 1
        );
        let rows = self.read(&sql, &parameters)?;
        Ok((rows.len() <= ROLLUP_VALUES_MAX).then_some(rows))
    }

    fn read(&self, sql: &str, parameters: &[Parameter]) -> Result<Vec<Vec<SqlCell>>, StoreError> {
        let mut query = self.conn.prepare_cached(sql)?;
        let width = query.column_count();
        let mut rows = query.query(params_from_iter(parameters))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let cells = (0..width).map(|at| row.get_ref(at).map(SqlCell::read));
            found.push(cells.collect::<Result<_, _>>()?);
        }
        Ok(found)
    }

    fn sum(&self, field: &Field) -> Result<Option<Json>, StoreError> {
        let Some(rows) = self.values(&field.name)? else { return Ok(None) };
        let mut sum = None;
        for row in &rows {
            let [count, value] = row.as_slice() else { continue };
            let Some(part) = times(value, count) else { continue };
            sum = match sum.unwrap_or(Decimal::ZERO).checked_add(part) {
                Some(sum) => Some(sum),
                None => return Ok(None),
            };
        }
        Ok(sum.map(|sum| number_json(&field.ty, sum)))
    }

    fn sum_by(&self, field: &Field, per: &str) -> Result<Option<Json>, StoreError> {
        let Some(rows) = self.values(&format!("{per}, {}", field.name))? else { return Ok(None) };
        let mut sums: BTreeMap<Option<String>, Decimal> = BTreeMap::new();
        for row in &rows {
            let [count, per, value] = row.as_slice() else { continue };
            let Some(part) = times(value, count) else { continue };
            let sum = sums.entry(per.text().map(str::to_owned)).or_default();
            let Some(more) = sum.checked_add(part) else { return Ok(None) };
            *sum = more;
        }
        if sums.is_empty() || sums.len() > ROLLUP_GROUPS_MAX {
            return Ok(None);
        }
        let entry = |(link, sum)| json!({ per: link, "value": number_json(&field.ty, sum) });
        Ok(Some(sums.into_iter().map(entry).collect()))
    }

    fn sum_money(&self, field: &Field) -> Result<Option<Json>, StoreError> {
        let columns: Vec<String> = columns_of(field).into_iter().map(|(name, _)| name).collect();
        let [minor, currency] = columns.as_slice() else { return Ok(None) };
        let Some(rows) = self.values(&format!("{currency}, {minor}"))? else { return Ok(None) };
        let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
        for row in &rows {
            let [SqlCell::Number(count), currency, SqlCell::Number(minor)] = row.as_slice() else {
                continue;
            };
            let Some(currency) = currency.text() else { continue };
            let sum = sums.entry(currency).or_default();
            let more = minor.checked_mul(*count).and_then(|part| sum.checked_add(part));
            let Some(more) = more else { return Ok(None) };
            *sum = more;
        }
        let mut amounts = Vec::new();
        for (currency, minor) in sums {
            let Ok(money) = Money::new(currency, minor) else { return Ok(None) };
            amounts.push(field.ty.to_json(&Value::Text(money.to_string())));
        }
        Ok(match amounts.len() {
            0 => None,
            1 => amounts.pop(),
            _ => Some(Json::Array(amounts)),
        })
    }

    fn mean(&self, field: &Field) -> Result<Option<Json>, StoreError> {
        let (linking, parameters) = self.linking();
        let (name, order) = (&field.name, self.order());
        let latest = self.rollup.latest.map_or(ROLLUP_VALUES_MAX, |latest| latest as usize);
        let sql = format!(
            "SELECT {name} {linking} AND {name} IS NOT NULL
             ORDER BY {order} DESC, id DESC LIMIT {}",
            latest.min(ROLLUP_VALUES_MAX)
        );
        let (mut sum, mut count) = (Decimal::ZERO, Decimal::ZERO);
        for row in self.read(&sql, &parameters)? {
            let Some(more) = row.first().and_then(SqlCell::decimal) else { continue };
            let Some(total) = sum.checked_add(more) else { return Ok(None) };
            (sum, count) = (total, count + Decimal::ONE);
        }
        let mean = sum.checked_div(count).map(|mean| {
            mean.round_dp_with_strategy(MEAN_DIGITS, RoundingStrategy::MidpointAwayFromZero)
        });
        Ok(mean.map(|mean| mean.normalize().to_string().into()))
    }

    /// The column that says which is first: a moment, or the start of a time.
    fn order(&self) -> String {
        let name = self.rollup.order.as_deref().or(self.rollup.field.as_deref()).unwrap_or("id");
        let column = self.of.field(name).and_then(|field| columns_of(field).into_iter().next());
        column.map_or_else(|| "id".to_owned(), |(column, _)| column)
    }

    /// The value of the first or last record that has one.
    fn one(&self, field: &Field, direction: &str) -> Result<Option<Json>, StoreError> {
        let (linking, parameters) = self.linking();
        let names: Vec<String> = columns_of(field).into_iter().map(|(name, _)| name).collect();
        let (Some(name), order) = (names.first(), self.order()) else { return Ok(None) };
        let sql = format!(
            "SELECT {} {linking} AND {name} IS NOT NULL AND {order} IS NOT NULL
             ORDER BY {order} {direction}, id {direction} LIMIT 1",
            names.join(", ")
        );
        let rows = self.read(&sql, &parameters)?;
        Ok(rows.first().and_then(|cells| shown(&field.ty, cells)))
    }
}

/// A value as JSON from its columns. Of a time in several columns it is the start.
fn shown(ty: &Type, cells: &[SqlCell]) -> Option<Json> {
    let first = cells.first()?;
    Some(match (ty, first) {
        (Type::TimeSpan, SqlCell::Number(at_ms)) => Type::DateTime.to_json(&Value::Int(*at_ms)),
        (Type::Bool, SqlCell::Number(flag)) => (*flag != 0).into(),
        (Type::Money, SqlCell::Number(minor)) => {
            let money = Money::new(cells.get(1)?.text()?, *minor).ok()?;
            ty.to_json(&Value::Text(money.to_string()))
        }
        (_, SqlCell::Number(number)) => ty.to_json(&Value::Int(*number)),
        (Type::Period, SqlCell::Text(text)) => text.as_str().into(),
        (_, SqlCell::Text(text)) => ty.to_json(&Value::Text(text.clone())),
        (_, SqlCell::Null) => return None,
    })
}

fn times(value: &SqlCell, count: &SqlCell) -> Option<Decimal> {
    value.decimal()?.checked_mul(count.decimal()?)
}

fn number_json(ty: &Type, number: Decimal) -> Json {
    let text = number.normalize().to_string();
    if matches!(ty, Type::Integer { .. })
        && let Ok(whole) = text.parse::<i64>()
    {
        return whole.into();
    }
    text.into()
}

/// What a statement is asked with.
enum Parameter {
    Text(String),
    Number(i64),
}

impl ToSql for Parameter {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        match self {
            Self::Text(text) => text.to_sql(),
            Self::Number(number) => number.to_sql(),
        }
    }
}

/// What a statement answers with.
enum SqlCell {
    Null,
    Number(i64),
    Text(String),
}

impl SqlCell {
    fn read(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Integer(number) => Self::Number(number),
            ValueRef::Text(text) => Self::Text(String::from_utf8_lossy(text).into_owned()),
            // Tables are strict and have no columns of these.
            ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => Self::Null,
        }
    }

    fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    fn decimal(&self) -> Option<Decimal> {
        match self {
            Self::Null => None,
            Self::Number(number) => Some((*number).into()),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::rows;

    const PRODUCT: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    /// A product with `count` stock moves, each of another quantity.
    fn stock(count: usize) -> (Connection, Map<String, Json>) {
        let conn = Connection::open_in_memory().unwrap();
        let schema = Schema::builtin();
        rows::create_tables(&conn, schema).unwrap();
        conn.execute(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
             INSERT INTO stock_move (id, product_id, qty) SELECT randomblob(16), ?2, n FROM n",
            rusqlite::params![i64::try_from(count).unwrap(), PRODUCT],
        )
        .unwrap();
        let mut json = Map::new();
        let entity = schema.entity("product").unwrap();
        add_rollups(&conn, schema, entity, PRODUCT.parse().unwrap(), &mut json).unwrap();
        (conn, json)
    }

    #[test]
    fn more_values_than_the_limit_have_no_sum_and_never_a_wrong_one() {
        let (_conn, json) = stock(ROLLUP_VALUES_MAX);
        assert_eq!(json["stock_quantity"], "200010000");
        let (_conn, json) = stock(ROLLUP_VALUES_MAX + 1);
        assert!(!json.contains_key("stock_quantity"));
    }

    #[test]
    fn links_are_found_by_an_index() {
        let (conn, _) = stock(10);
        for entity in Schema::builtin().entities() {
            for rollup in &entity.rollups {
                let of = Schema::builtin().entity(&rollup.of).unwrap();
                let id = PRODUCT.parse().unwrap();
                let source = Source { conn: &conn, of, rollup, ids: &[id] };
                let (linking, parameters) = source.linking();
                let sql = format!("EXPLAIN QUERY PLAN SELECT count(*) {linking}");
                let mut query = conn.prepare(&sql).unwrap();
                let plan: String = query
                    .query_row(params_from_iter(&parameters), |row| row.get("detail"))
                    .unwrap();
                let by = format!("{}_by_", rollup.of);
                assert!(plan.contains("SEARCH") && plan.contains(&by), "{}: {plan}", rollup.name);
            }
        }
    }
}
