//! How high a discount is, whether it is given in percent or as an amount.

use std::str::FromStr as _;

use rust_decimal::Decimal;

use crate::{
    crdt::{State, rows::Row},
    schema::{Entity, Field, Key, Kind},
    value::{Money, Value},
};

/// A discount in percent, of a record or of a line.
const PERCENT: &str = "discount_percent";
/// A discount as an amount, taken off after the percentage.
const AMOUNT: &str = "discount_amount";
/// What a line counts.
const QTY: &str = "qty";
/// What one of it costs.
const PRICE: &str = "unit_price";

/// Whether writing `key` leaves a discount above `limit` percent.
///
/// A discount given as an amount counts by its share of what it is taken off; of what has no price
/// yet, any amount is above every limit.
pub(super) fn is_over(entity: &Entity, key: &Key<'_>, after: &State, limit: Decimal) -> bool {
    let share = match key {
        Key::Register(field) if field.name == PERCENT || field.name == AMOUNT => {
            let gross: Decimal =
                rows_of(entity, after).map(|(field, row)| gross(field, &row)).sum();
            let read = |name: &str| Some(&after.register(name)?.winner.value);
            share(entity.field(PERCENT), read(PERCENT), read(AMOUNT), gross)
        }
        Key::Cell { column, field, row } if is_of_a_line(&column.name) => {
            let line = after.rows(&field.name).into_iter().find(|line| line.id == row.as_str());
            let Some(line) = line else { return false };
            share(
                field.column(PERCENT),
                cell(&line, PERCENT),
                cell(&line, AMOUNT),
                gross(field, &line),
            )
        }
        Key::Register(_)
        | Key::Counter { .. }
        | Key::Member { .. }
        | Key::Cell { .. }
        | Key::RowGone { .. }
        | Key::Entry { .. } => return false,
    };
    share.is_some_and(|share| share > limit)
}

fn is_of_a_line(column: &str) -> bool {
    [PERCENT, AMOUNT, QTY, PRICE].contains(&column)
}

fn rows_of<'a>(entity: &'a Entity, after: &'a State) -> impl Iterator<Item = (&'a Field, Row<'a>)> {
    // What has no price or no quantity adds nothing.
    let lines = entity.fields.iter().filter(|field| field.kind == Kind::Rows);
    lines.flat_map(|field| after.rows(&field.name).into_iter().map(move |row| (field, row)))
}

fn cell<'a>(row: &Row<'a>, column: &str) -> Option<&'a Value> {
    row.cells.get(column)?.last().map(|cell| &cell.value)
}

fn decimal(field: Option<&Field>, value: Option<&Value>) -> Option<Decimal> {
    let json = field?.ty.to_json(value?);
    let text = json.as_str().map_or_else(|| json.to_string(), str::to_owned);
    Decimal::from_str(&text).ok()
}

fn money(value: Option<&Value>) -> Option<Decimal> {
    Some(value?.as_text()?.parse::<Money>().ok()?.amount())
}

fn gross(field: &Field, row: &Row<'_>) -> Decimal {
    let qty = decimal(field.column(QTY), cell(row, QTY)).unwrap_or_default();
    qty.checked_mul(money(cell(row, PRICE)).unwrap_or_default()).unwrap_or_default()
}

/// Percentage and amount together, in percent of `gross`; none if nothing is taken off.
fn share(
    percent_field: Option<&Field>,
    percent: Option<&Value>,
    amount: Option<&Value>,
    gross: Decimal,
) -> Option<Decimal> {
    let hundred = Decimal::ONE_HUNDRED;
    let percent = decimal(percent_field, percent).unwrap_or_default();
    let amount = money(amount).unwrap_or_default();
    if amount <= Decimal::ZERO {
        return (percent > Decimal::ZERO).then_some(percent);
    }
    if gross <= Decimal::ZERO {
        return Some(Decimal::MAX);
    }
    let share = amount.checked_mul(hundred).and_then(|amount| amount.checked_div(gross));
    percent.checked_add(share.unwrap_or(Decimal::MAX)).or(Some(Decimal::MAX))
}
