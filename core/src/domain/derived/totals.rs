//! Totals of lines and orders.
//!
//! A line is quantity × unit price less its percentage, rounded half up to the currency's minor
//! unit, less its discount; sums are those of rounded lines, so the order of lines never matters.
//! An order takes its own discount off the sum, spreads it over the tax rates by their share, and
//! rounds the tax per rate. The shipping fee is not taxed.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Map, Value as Json, json};

use super::{
    Record,
    amounts::{add, factor, less, read, round, times, to_json},
    decimal, rows,
};
use crate::value::Money;

/// The sum of the lines; `None` if there are none with a price, or they mix currencies.
#[must_use]
pub fn total_of_lines(record: &Record) -> Option<Money> {
    let mut total: Option<Money> = None;
    for line in rows(record, "lines")? {
        // A line that nobody priced yet counts nothing; one too large to multiply has no sum.
        let Some(price) = read(line.get("unit_price")) else { continue };
        let line = line_total(line, &price)?;
        total = Some(match total {
            None => line,
            Some(sum) => add(&sum, &line)?,
        });
    }
    total
}

/// The total of each line that has a price, by its row.
pub(super) fn line_totals(record: &Record) -> Option<Json> {
    let mut totals = Map::new();
    for line in rows(record, "lines")? {
        let id = line.get("id").and_then(Json::as_str);
        let total = read(line.get("unit_price")).and_then(|price| line_total(line, &price));
        if let (Some(id), Some(total)) = (id, total) {
            totals.insert(id.to_owned(), to_json(&total));
        }
    }
    (!totals.is_empty()).then_some(Json::Object(totals))
}

fn line_total(line: &Json, price: &Money) -> Option<Money> {
    let qty = decimal(line.get("qty")).unwrap_or(Decimal::ONE);
    let discount = decimal(line.get("discount_percent")).unwrap_or(Decimal::ZERO);
    let left = Decimal::ONE.checked_sub(factor(discount)?)?;
    let total = times(price, qty.checked_mul(left)?)?;
    match read(line.get("discount_amount")) {
        Some(off) => less(&total, &off),
        None => Some(total),
    }
}

/// One of the figures of an order by its name.
pub(super) fn of_order(name: &str, record: &Record) -> Option<Json> {
    let fee = read(record.get("shipping_fee"));
    let Some(totals) = Totals::of(record) else {
        // Lines that cannot be added have no total; no lines at all cost the fee.
        let has_price = |line: &Json| line.get("unit_price").is_some_and(|price| !price.is_null());
        let is_priced = rows(record, "lines").is_some_and(|lines| lines.iter().any(has_price));
        return fee.filter(|_| name == "amount" && !is_priced).map(|fee| to_json(&fee));
    };
    match name {
        "discount" => totals.has_discount.then(|| to_json(&totals.discount)),
        "tax" => (!totals.taxes.is_empty()).then(|| to_json(&totals.tax)),
        "taxes" => (!totals.taxes.is_empty()).then_some(Json::Array(totals.taxes)),
        "amount" => {
            let net = less(&totals.subtotal, &totals.discount)?;
            let net = if totals.is_inclusive { net } else { add(&net, &totals.tax)? };
            let amount = fee.map_or_else(|| Some(net), |fee| add(&net, &fee))?;
            Some(to_json(&amount))
        }
        _ => None,
    }
}

/// A tax code, if lines name one, and its percentage, if there is one.
type Rate = (Option<String>, Option<Decimal>);

/// What an order comes to, but for its fee.
struct Totals {
    subtotal: Money,
    discount: Money,
    has_discount: bool,
    tax: Money,
    taxes: Vec<Json>,
    is_inclusive: bool,
}

impl Totals {
    fn of(record: &Record) -> Option<Self> {
        let subtotal = total_of_lines(record)?;
        let percent = decimal(record.get("discount_percent"));
        let off = read(record.get("discount_amount"));
        let mut discount = times(&subtotal, factor(percent.unwrap_or(Decimal::ZERO))?)?;
        if let Some(off) = &off {
            discount = add(&discount, off)?;
        }
        let is_inclusive = record.get("prices_include_tax").and_then(Json::as_bool) == Some(true);
        let (tax, taxes) = taxes(record, &subtotal, &discount, is_inclusive)?;
        let has_discount = percent.is_some() || off.is_some();
        Some(Self { subtotal, discount, has_discount, tax, taxes, is_inclusive })
    }
}

/// The tax in all, and by code and rate.
fn taxes(
    record: &Record,
    subtotal: &Money,
    discount: &Money,
    is_inclusive: bool,
) -> Option<(Money, Vec<Json>)> {
    let mut tax = Money::new(subtotal.currency(), 0).ok()?;
    let mut list = Vec::new();
    let mut before = Decimal::ZERO;
    let whole = Decimal::from(subtotal.minor());
    // The discount up to a share of the sum, in minor units; differences of these always add up.
    let spread =
        |share: Decimal| match share.checked_mul(discount.minor().into())?.checked_div(whole) {
            Some(part) => round(part),
            None => Some(0),
        };
    for ((code, percent), base) in bases(record)? {
        let after = before.checked_add(base.into())?;
        let base = base.checked_sub(spread(after)?.checked_sub(spread(before)?)?)?;
        before = after;
        let Some(percent) = percent else { continue };
        let rate = factor(percent)?;
        let rate =
            if is_inclusive { rate.checked_div(Decimal::ONE.checked_add(rate)?)? } else { rate };
        let base = Money::new(subtotal.currency(), base).ok()?;
        let part = times(&base, rate)?;
        tax = add(&tax, &part)?;
        let percent = percent.normalize().to_string();
        let mut entry =
            json!({ "tax_percent": percent, "base": to_json(&base), "tax": to_json(&part) });
        if let (Some(code), Some(entry)) = (code, entry.as_object_mut()) {
            entry.insert("tax_code".to_owned(), code.into());
        }
        list.push(entry);
    }
    Some((tax, list))
}

/// Sums of lines in minor units by tax code and rate; a line without a rate has the order's.
fn bases(record: &Record) -> Option<BTreeMap<Rate, i64>> {
    let usual = decimal(record.get("tax_percent"));
    let mut bases = BTreeMap::new();
    for line in rows(record, "lines")? {
        let Some(price) = read(line.get("unit_price")) else { continue };
        let code = line.get("tax_code").and_then(Json::as_str).map(str::to_owned);
        let percent = decimal(line.get("tax_percent")).or(usual);
        let base: &mut i64 = bases.entry((code, percent)).or_default();
        *base = base.checked_add(line_total(line, &price)?.minor())?;
    }
    Some(bases)
}
