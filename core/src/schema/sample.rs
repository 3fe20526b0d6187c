//! Test data made from a definition: valid JSON for any field and any record.
//!
//! The same draws give the same data, so a test that prints its seed can be run again; other
//! draws give other values as far as a type has room for them. Whoever adds a field or an entity
//! has it in every generated test without writing one.

use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde_json::{Map, Value as Json, json};

use crate::{
    schema::{
        entity::Entity,
        field::{Field, Kind},
        types::Type,
    },
    time::to_rfc3339,
    value::Money,
};

/// Gives a number below its argument, which is at least 1.
pub type Draw<'a> = &'a mut dyn FnMut(u32) -> u32;

/// Rows, entries and members that a new record has of a field, at most.
const ITEMS_MAX: u32 = 3;
/// Counts and amounts stay below this, so that sums of many stay within their limits.
const NUMBER_MAX: u32 = 1_000_000;
/// The first moment that is drawn: the year 2020.
const MOMENT_FIRST_S: i64 = 1_577_836_800;
/// Seconds of ten years.
const MOMENTS_S: u32 = 315_360_000;
/// Fields that the program fills in when it creates a record.
const BY_CREATION: &[&str] = &["created_at", "created_by"];
const WORDS: &[&str] = &[
    "三川实业",
    "Nordlicht",
    "水泵 / Pumpe",
    "客户 100%",
    "O'Brien, \"Ltd\"",
    "été",
    "ＡＢＣ",
    "报价",
];

/// Valid JSON for one value of a field: of a register or a column, one member of a set, one
/// step of a counter, one row, one entry, a text.
pub fn value(field: &Field, draw: Draw<'_>) -> Json {
    match field.kind {
        Kind::Register | Kind::Once | Kind::Office | Kind::Set => of_type(&field.ty, draw),
        Kind::Counter => (1 + below(draw, 9)).into(),
        Kind::Rows | Kind::Log => Json::Object(cells(field, draw)),
        Kind::Text => paragraphs(draw).into(),
    }
}

/// Every field that a person may write when creating a record, of every kind.
pub fn record(entity: &Entity, draw: Draw<'_>) -> Map<String, Json> {
    let by_person = entity.fields.iter().filter(|field| is_by_person(field));
    by_person.map(|field| (field.name.clone(), at_creation(field, draw))).collect()
}

/// Whether a person gives the field a value when creating a record.
#[must_use]
pub fn is_by_person(field: &Field) -> bool {
    field.kind != Kind::Office && !field.by_program && !BY_CREATION.contains(&field.name.as_str())
}

/// What changes a field of a record that is there: a value, or `{"add": …}` where the field's
/// kind asks for it.
pub fn edit(_entity: &Entity, field: &Field, draw: Draw<'_>) -> Json {
    let value = value(field, draw);
    match field.kind {
        Kind::Register | Kind::Once | Kind::Office | Kind::Text => value,
        Kind::Counter => json!({ "add": value }),
        Kind::Set | Kind::Rows | Kind::Log => json!({ "add": [value] }),
    }
}

fn at_creation(field: &Field, draw: Draw<'_>) -> Json {
    match field.kind {
        Kind::Register | Kind::Once | Kind::Office | Kind::Counter | Kind::Text => {
            value(field, draw)
        }
        Kind::Set | Kind::Rows | Kind::Log => {
            let count = 1 + below(draw, ITEMS_MAX);
            (0..count).map(|_| value(field, draw)).collect()
        }
    }
}

fn cells(field: &Field, draw: Draw<'_>) -> Map<String, Json> {
    let cell = |column: &Field| (column.name.clone(), of_type(&column.ty, &mut *draw));
    field.columns.iter().map(cell).collect()
}

/// Valid JSON of a type.
fn of_type(ty: &Type, draw: Draw<'_>) -> Json {
    match ty {
        Type::Text { max } => text(*max, draw).into(),
        Type::Integer { min, max } => integer(*min, *max, draw).into(),
        Type::Decimal { scale, min, max } => decimal(*scale, *min, *max, draw).into(),
        Type::Money => money(draw),
        Type::Bool => (below(draw, 2) == 1).into(),
        Type::Date => date(draw).into(),
        Type::DateTime => to_rfc3339(moment_ms(draw)).into(),
        Type::Period => {
            let (one, other) = (date(draw), date(draw));
            json!({ "start": one.clone().min(other.clone()), "end": one.max(other) })
        }
        Type::Picklist(list) => {
            let open = || list.choices.iter().filter(|choice| !choice.retired);
            let at = below(draw, u32::try_from(open().count()).unwrap_or(u32::MAX));
            open().nth(at as usize).map_or(Json::Null, |choice| choice.id.as_str().into())
        }
        Type::Link(_) => uuid(draw).into(),
        Type::Email => format!("{}@example.com", letters(draw)).into(),
        Type::Phone => format!("+86 138 {:08}", below(draw, 100_000_000)).into(),
        Type::Url => format!("https://example.com/{}", letters(draw)).into(),
        Type::Address => json!({
            "country": "中国", "city": word(draw), "street": format!("{} {}", word(draw), letters(draw)),
            "postcode": format!("{:06}", below(draw, 1_000_000)),
        }),
        Type::PersonName => json!({ "family": word(draw), "given": letters(draw) }),
        Type::Geo => json!({
            "lat": degrees(89, draw), "lon": degrees(179, draw), "accuracy_m": below(draw, 500),
            "source": "gps",
        }),
        Type::TimeSpan => {
            let start = moment_ms(draw);
            let end = start + i64::from(below(draw, 14_400)) * 60_000;
            json!({
                "start": to_rfc3339(start), "end": to_rfc3339(end), "time_zone": "Asia/Shanghai",
            })
        }
        Type::Sha256 => format!("{:0>64}", letters(draw)).into(),
        Type::Json { .. } => json!({ "name": word(draw), "number": below(draw, NUMBER_MAX) }),
    }
}

/// A number below `bound`, whatever the draw gives.
fn below(draw: Draw<'_>, bound: u32) -> u32 {
    let bound = bound.max(1);
    draw(bound) % bound
}

fn word(draw: Draw<'_>) -> &'static str {
    let count = u32::try_from(WORDS.len()).unwrap_or(1);
    WORDS.get(below(draw, count) as usize).copied().unwrap_or_default()
}

/// Some lower-case letters and digits, as many as there are numbers to draw.
fn letters(draw: Draw<'_>) -> String {
    format!("{:x}", below(draw, u32::MAX))
}

/// Text that differs with the draw, in its first characters if there is no room for more.
fn text(max: usize, draw: Draw<'_>) -> String {
    let text = format!("{} {}", letters(draw), word(draw));
    text.chars().take(max).collect::<String>().trim_end().to_owned()
}

fn paragraphs(draw: Draw<'_>) -> String {
    format!("{}\n\n{} {}。", word(draw), word(draw), letters(draw))
}

fn integer(min: i64, max: i64, draw: Draw<'_>) -> i64 {
    let span = max.saturating_sub(min).clamp(0, i64::from(NUMBER_MAX));
    let first = if min <= 0 && 0 <= max { 0 } else { min };
    let span = span.min(max.saturating_sub(first));
    first + i64::from(below(draw, u32::try_from(span).unwrap_or(0) + 1))
}

fn decimal(scale: u32, min: Decimal, max: Decimal, draw: Draw<'_>) -> String {
    let whole = |limit: Decimal, otherwise| limit.to_i64().unwrap_or(otherwise);
    let whole = integer(whole(min.ceil(), 0), whole(max.floor(), 0), draw);
    let digits = scale.min(4);
    let fraction = i64::from(below(draw, 10_u32.pow(digits)));
    let number = Decimal::from(whole) + Decimal::new(fraction, digits);
    number.clamp(min, max).normalize().to_string()
}

/// Mostly of one currency, so that sums have a value, but not always.
fn money(draw: Draw<'_>) -> Json {
    let currency = if below(draw, 16) == 0 { "USD" } else { "CNY" };
    let minor = i64::from(below(draw, NUMBER_MAX));
    let amount = Money::new(currency, minor).map(|money| money.to_decimal_text());
    json!({ "currency": currency, "minor": minor, "amount": amount.unwrap_or_default() })
}

fn degrees(max: u32, draw: Draw<'_>) -> String {
    let fraction = Decimal::new(below(draw, 10_000_000).into(), 7);
    let degrees = Decimal::from(below(draw, 2 * max)) - Decimal::from(max) + fraction;
    degrees.normalize().to_string()
}

fn moment_ms(draw: Draw<'_>) -> i64 {
    (MOMENT_FIRST_S + i64::from(below(draw, MOMENTS_S))) * 1_000
}

fn date(draw: Draw<'_>) -> String {
    to_rfc3339(moment_ms(draw)).chars().take(10).collect()
}

fn uuid(draw: Draw<'_>) -> String {
    let parts = [below(draw, u32::MAX), below(draw, u32::MAX), below(draw, u32::MAX)];
    let bits = parts.iter().fold(0_u128, |bits, part| (bits << 32) | u128::from(*part));
    uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{schema::Schema, value::Value};

    /// A generator that is good enough to tell draws apart.
    fn dice(mut seed: u64) -> impl FnMut(u32) -> u32 {
        move |bound| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            u32::try_from(seed >> 33).unwrap_or(0) % bound
        }
    }

    fn all_fields() -> impl Iterator<Item = &'static Field> {
        let fields = Schema::builtin().entities().flat_map(|entity| &entity.fields);
        fields.flat_map(|field| field.columns.iter().chain([field]))
    }

    #[test]
    fn every_value_is_valid_and_stays_as_it_is() {
        for seed in 0..200 {
            let mut draw = dice(seed);
            for field in all_fields().filter(|field| field.kind.is_single()) {
                let json = value(field, &mut draw);
                let read = field.ty.from_json(&json);
                assert!(read.is_ok(), "{}: {json}: {read:?}", field.name);
                let read = read.unwrap();
                assert_ne!(read, Value::Null, "{}", field.name);
                assert_eq!(field.ty.to_json(&read), json, "{}", field.name);
            }
        }
    }

    #[test]
    fn the_same_draws_give_the_same_record_and_others_another() {
        for entity in Schema::builtin().entities() {
            assert_eq!(record(entity, &mut dice(1)), record(entity, &mut dice(1)));
            assert_ne!(record(entity, &mut dice(1)), record(entity, &mut dice(2)));
        }
    }

    #[test]
    fn values_differ_as_far_as_the_type_allows() {
        for field in all_fields().filter(|field| field.kind.is_single()) {
            let mut draw = dice(7);
            let seen: BTreeSet<String> =
                (0..64).map(|_| value(field, &mut draw).to_string()).collect();
            assert!(seen.len() > 1, "{}", field.name);
        }
    }

    #[test]
    fn any_draw_is_borne() {
        for constant in [0, u32::MAX] {
            for entity in Schema::builtin().entities() {
                let made = record(entity, &mut |_| constant);
                assert!(!made.is_empty());
            }
        }
    }
}
