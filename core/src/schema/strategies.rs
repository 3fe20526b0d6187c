//! Canonical values of each type, for property tests.

use proptest::{prelude::*, sample::select};
use rust_decimal::Decimal;
use serde_json::Value as Json;

use crate::{
    schema::Type,
    value::{
        Address, Geo, Money, PersonName, TimeSpan, Value, compound::Compound,
        money::MONEY_MINOR_MAX,
    },
};

/// Text without outer space or control characters, not empty.
fn text(max: usize) -> BoxedStrategy<String> {
    let mixed = "[a-zA-Z0-9中文客户，,./%'\"{} -]{1,40}|\\PC{1,20}|[一-龥]{1,12}|a\nb\t{0,2}c";
    mixed
        .prop_map(move |text| text.chars().take(max).collect::<String>().trim().to_owned())
        .prop_filter("text is empty", |text| !text.is_empty())
        .boxed()
}

fn date() -> impl Strategy<Value = String> {
    (1..=9999, 1..=12u32, 1..=28u32).prop_map(|(y, m, d)| format!("{y:04}-{m:02}-{d:02}"))
}

fn compound<C: Compound + Default + Clone + 'static>() -> BoxedStrategy<Value> {
    let parts = proptest::collection::vec(prop_oneof![Just(String::new()), text(40)], 6);
    parts
        .prop_map(|texts| {
            let mut value = C::default();
            for (part, text) in value.parts_mut().into_iter().zip(texts) {
                *part = text;
            }
            if value.parts_mut().iter().all(|part| part.is_empty()) {
                value = C::from_line("x");
            }
            Value::Text(serde_json::to_string(&value).unwrap())
        })
        .boxed()
}

/// Canonical values of a type, without [`Value::Null`].
pub(in crate::schema) fn values(ty: &Type) -> BoxedStrategy<Value> {
    match ty {
        Type::Text { max } => text(*max).prop_map(Value::Text).boxed(),
        Type::Integer { min, max } => (*min..=*max).prop_map(Value::Int).boxed(),
        Type::Decimal { scale, min, max } => {
            let (scale, min, max) = (*scale, *min, *max);
            (any::<i64>(), 0..=scale)
                .prop_map(move |(digits, scale)| {
                    let number = Decimal::new(digits, scale);
                    let span = max - min + Decimal::ONE;
                    let number = (min + (number % span).abs()).min(max).round_dp(scale);
                    Value::Text(number.normalize().to_string())
                })
                .boxed()
        }
        Type::Money => (
            select(vec!["CNY", "USD", "JPY", "KWD", "EUR"]),
            prop_oneof![-100_000_i64..100_000, -MONEY_MINOR_MAX..=MONEY_MINOR_MAX],
        )
            .prop_map(|(currency, minor)| Money::new(currency, minor).unwrap().to_string().into())
            .boxed(),
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Date => date().prop_map(Value::Text).boxed(),
        Type::DateTime => {
            (-62_135_596_800_000..=253_402_300_799_999_i64).prop_map(Value::Int).boxed()
        }
        Type::Period => (date(), date(), 0..3)
            .prop_map(|(a, b, open)| {
                let (start, end) = if a <= b { (a, b) } else { (b, a) };
                match open {
                    0 => format!("{start}/{end}"),
                    1 => format!("{start}/"),
                    _ => format!("/{end}"),
                }
                .into()
            })
            .boxed(),
        Type::Picklist(list) => {
            let ids: Vec<String> = list.choices.iter().map(|choice| choice.id.clone()).collect();
            select(ids).prop_map(Value::Text).boxed()
        }
        Type::Link(_) => {
            any::<u128>().prop_map(|id| uuid::Uuid::from_u128(id).to_string().into()).boxed()
        }
        Type::Email => {
            "[a-z.+王]{1,20}@[a-z0-9-]{1,10}\\.(com|cn|中国)".prop_map(Value::Text).boxed()
        }
        Type::Phone => {
            "(\\+86 )?[0-9]{3,4}[- ]?[0-9]{4,8}(转[0-9]{1,4})?".prop_map(Value::Text).boxed()
        }
        Type::Url => "https?://[a-z0-9]{1,10}\\.[a-z]{2,3}(/[a-z0-9%?=&.]{0,20})?"
            .prop_map(Value::Text)
            .boxed(),
        Type::Address => compound::<Address>(),
        Type::PersonName => compound::<PersonName>(),
        Type::Geo => (
            -900_000_000..=900_000_000_i64,
            -1_800_000_000..=1_800_000_000_i64,
            proptest::option::of(0..1_000_000_u32),
            "[a-z_]{0,8}",
        )
            .prop_map(|(lat, lon, accuracy, source)| {
                let degrees = |number| Decimal::new(number, 7);
                let accuracy = accuracy.map(Decimal::from);
                let geo = Geo::new(degrees(lat), degrees(lon), accuracy, &source).unwrap();
                Value::Text(geo.to_canonical())
            })
            .boxed(),
        Type::TimeSpan => (
            -62_135_596_800_000..=253_402_300_799_999_i64,
            proptest::option::of(0..100_000_000_000_i64),
            select(vec!["", "Asia/Shanghai", "Etc/GMT+8"]),
            any::<bool>(),
        )
            .prop_map(|(start_ms, length, zone, all_day)| {
                let end_ms = length.map(|length| (start_ms + length).min(253_402_300_799_999));
                let time_zone = zone.to_owned();
                TimeSpan { start_ms, end_ms, time_zone, all_day }.to_canonical().into()
            })
            .boxed(),
        Type::Sha256 => "[0-9a-f]{64}".prop_map(Value::Text).boxed(),
        Type::Json { .. } => {
            let object = |json: &Value| matches!(json, Value::Text(text) if text.starts_with('{'));
            let ty = ty.clone();
            any_json()
                .prop_map(move |json| {
                    ty.from_json(&serde_json::json!({ "it": json })).unwrap_or(Value::Null)
                })
                .prop_filter("refused", object)
                .boxed()
        }
    }
}

/// Any scalar.
pub(in crate::schema) fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any_text().prop_map(Value::Text),
        any::<Vec<u8>>().prop_map(Value::Bytes),
    ]
}

/// Any text, and text that is nearly something.
pub(in crate::schema) fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[0-9/. :,T年月日万亿¥$CNY+eE-]{0,24}",
        "[a-z_]{0,12}(/[0-9a-z%A-F.-]{0,32}){0,3}",
        "\\{\"(full|street|start|currency|amount)\":\"?[a-z0-9 ]{0,10}\"?\\}?",
    ]
}

/// Any JSON that is not deep.
pub(in crate::schema) fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        any_text().prop_map(Json::from),
    ];
    let member = "currency|minor|amount|start|end|full|family|street|city|other";
    leaf.prop_recursive(2, 16, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            proptest::collection::btree_map(member, inner, 0..4)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}
