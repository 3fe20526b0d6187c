//! Each value has one encoding, and JSON, text and tables say the same.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::{
    schema::{
        Column, DateOrder, Language, Schema, SqlValue, TextHints, Type,
        strategies::{any_json, any_text, any_value, values},
    },
    value::Value,
};

/// One type of each sort, with the limits that fields really have.
fn types() -> Vec<Type> {
    let fields = Schema::builtin().entities().flat_map(|entity| &entity.fields);
    let mut types: Vec<Type> = Vec::new();
    for field in fields.flat_map(|field| field.columns.iter().chain([field])) {
        if !types.contains(&field.ty) {
            types.push(field.ty.clone());
        }
    }
    types
}

fn a_type() -> impl Strategy<Value = Type> {
    proptest::sample::select(types())
}

fn a_typed_value() -> impl Strategy<Value = (Type, Value)> {
    a_type().prop_flat_map(|ty| (Just(ty.clone()), values(&ty)))
}

fn find_type(name: &str) -> Type {
    types().into_iter().find(|ty| ty.name() == name).unwrap()
}

fn hints() -> TextHints {
    TextHints { utc_offset_minutes: 480, ..TextHints::default() }
}

#[test]
fn all_types_are_in_use() {
    let names: std::collections::BTreeSet<_> = types().iter().map(Type::name).collect();
    assert_eq!(names.len(), 19);
}

fn check_text(ty: &Type, text: &str, hints: &TextHints, expected: impl Into<Value>) {
    let value = ty.from_text(text, hints).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(value, expected.into(), "{text}");
}

fn check_text_refused(ty: &Type, text: &str, hints: &TextHints, code: &str) {
    let refusal = ty.from_text(text, hints).map_err(|error| error.code());
    assert_eq!(refusal, Err(code), "{text}");
}

#[test]
fn dates_are_read_in_the_agreed_order_and_never_guessed() {
    let date = Type::Date;
    let mdy = TextHints { date_order: DateOrder::Mdy, ..hints() };
    let dmy = TextHints { date_order: DateOrder::Dmy, ..hints() };
    for text in ["2026-03-04", "2026/3/4", "2026年3月4日", "２０２６．３．４"] {
        check_text(&date, text, &hints(), "2026-03-04");
        check_text(&date, text, &mdy, "2026-03-04");
    }
    check_text(&date, "3/4/2026", &mdy, "2026-03-04");
    check_text(&date, "3/4/2026", &dmy, "2026-04-03");
    check_text(&date, "04.03.2026", &dmy, "2026-03-04");
    for text in ["3/4/2026", "2026-02-30", "2026-3", "3/4/26", "yesterday", "0000-01-01"] {
        check_text_refused(&date, text, &hints(), "malformed");
    }
    check_text_refused(&date, "13/4/2026", &mdy, "malformed");
    check_text(&date, "  ", &mdy, Value::Null);
}

#[test]
fn moments_take_the_agreed_zone_where_they_name_none() {
    let moment = Type::DateTime;
    let at = 1_772_584_200_000_i64;
    check_text(&moment, "2026-03-04T00:30:00Z", &hints(), at);
    check_text(&moment, "2026-03-04 08:30", &hints(), at);
    check_text(&moment, "2026/3/4 8:30:00 AM", &hints(), at);
    check_text(&moment, "2026年3月4日", &hints(), at - 8 * 3_600_000 - 30 * 60_000);
    assert_eq!(moment.from_json(&json!("2026-03-04T08:30:00+08:00")).unwrap(), at.into());
    assert_eq!(moment.to_json(&at.into()), json!("2026-03-04T00:30:00.000Z"));
    check_text_refused(&moment, "2026-03-04 25:00", &hints(), "malformed");
    assert!(moment.check(&i64::MAX.into()).is_err());
}

#[test]
fn money_is_read_with_its_currency_or_an_agreed_one() {
    let money = Type::Money;
    let yen = TextHints { currency: Some("jpy".into()), ..hints() };
    for text in [
        "12345.00 CNY",
        "CNY 12,345",
        "cny12345",
        "￥12,345.00",
        "12345元",
        "RMB 12345",
        "1.2345万元",
    ] {
        check_text(&money, text, &hints(), "CNY 1234500");
    }
    check_text(&money, "$1,234.50", &hints(), "USD 123450");
    check_text(&money, "¥500", &yen, "JPY 500");
    check_text(&money, "500", &yen, "JPY 500");
    check_text(&money, "3亿 CNY", &hints(), "CNY 30000000000");
    check_text_refused(&money, "500", &hints(), "currency_missing");
    check_text_refused(&money, "12,5 EUR", &hints(), "malformed");
    check_text_refused(&money, "1.005 CNY", &hints(), "too_precise");
    check_text_refused(&money, "1 XYZ", &hints(), "unknown_currency");
}

#[test]
fn money_in_json_says_minor_units_and_amount() {
    let canonical = json!({ "currency": "CNY", "minor": 1_234_500, "amount": "12345.00" });
    assert_eq!(Type::Money.to_json(&"CNY 1234500".into()), canonical);
    for json in [
        canonical,
        json!({ "currency": "CNY", "amount": "12345.00" }),
        json!({ "currency": "CNY", "amount": 12345 }),
        json!({ "currency": "CNY", "minor": 1_234_500 }),
        json!("12345.00 CNY"),
    ] {
        assert_eq!(Type::Money.from_json(&json).unwrap(), "CNY 1234500".into());
    }
    let refusal = |json: Json| Type::Money.from_json(&json).unwrap_err().code();
    assert_eq!(refusal(json!({ "currency": "CNY", "minor": 1, "amount": "1" })), "malformed");
    assert_eq!(refusal(json!({ "amount": "1" })), "currency_missing");
    assert_eq!(refusal(json!({ "currency": "CNY" })), "wrong_shape");
    assert_eq!(refusal(json!({ "currency": "CNY", "minor": 1.5 })), "wrong_shape");
    assert_eq!(refusal(json!(12345)), "wrong_shape");
}

#[test]
fn numbers_are_never_rounded_and_commas_never_guessed() {
    let decimal = Type::Decimal { scale: 2, min: (-10_000).into(), max: 100_000_000.into() };
    check_text(&decimal, "1,234.50", &hints(), "1234.5");
    check_text(&decimal, "-0.00", &hints(), "0");
    check_text(&decimal, "1.5万", &hints(), "15000");
    check_text(&decimal, "１２", &hints(), "12");
    check_text_refused(&decimal, "1,5", &hints(), "malformed");
    check_text_refused(&decimal, "1.234,5", &hints(), "malformed");
    check_text_refused(&decimal, "0.001", &hints(), "too_precise");
    check_text_refused(&decimal, "-10001", &hints(), "out_of_range");
    assert_eq!(decimal.from_json(&json!(0.5)).unwrap(), "0.5".into());
    let integer = Type::Integer { min: 0, max: 1_000 };
    check_text(&integer, "1,000", &hints(), 1_000);
    check_text_refused(&integer, "1,001", &hints(), "out_of_range");
    check_text_refused(&integer, "1.5", &hints(), "malformed");
}

#[test]
fn yes_and_no_come_in_both_languages() {
    for text in ["Yes", "TRUE", "1", "是", "y"] {
        check_text(&Type::Bool, text, &hints(), true);
    }
    for text in ["No", "false", "0", "否"] {
        check_text(&Type::Bool, text, &hints(), false);
    }
    check_text_refused(&Type::Bool, "maybe", &hints(), "malformed");
}

#[test]
fn choices_are_found_by_id_or_label_in_either_language() {
    let list = Schema::builtin().entity("customer").unwrap().field("industry").unwrap();
    for text in ["real_estate", "Real Estate", "房地产", " REAL  ESTATE "] {
        check_text(&list.ty, text, &hints(), "real_estate");
    }
    check_text_refused(&list.ty, "moon mining", &hints(), "unknown_choice");
    let later = Value::from("moon_mining");
    assert!(list.ty.check(&later).is_err());
    assert!(list.ty.check_form(&later).is_ok(), "a newer office may know more choices");
}

#[test]
fn periods_may_be_open_and_never_end_before_they_start() {
    let period = Type::Period;
    check_text(&period, "2026-01-01/2026-12-31", &hints(), "2026-01-01/2026-12-31");
    check_text(&period, "2026/1/1 - 2026/12/31", &hints(), "2026-01-01/2026-12-31");
    check_text(&period, "2026年1月1日至2026年12月31日", &hints(), "2026-01-01/2026-12-31");
    check_text(&period, "2026-01-01/", &hints(), "2026-01-01/");
    check_text_refused(&period, "2026-12-31/2026-01-01", &hints(), "ends_before_start");
    assert_eq!(period.from_json(&json!({ "start": null, "end": null })).unwrap(), Value::Null);
    assert_eq!(
        period.to_json(&"/2026-12-31".into()),
        json!({ "start": null, "end": "2026-12-31" })
    );
}

#[test]
fn addresses_and_names_keep_their_order_and_take_one_line() {
    let address = json!({ "street": " 科技园路1号 ", "city": "深圳市", "country": "" });
    assert_eq!(
        Type::Address.from_json(&address).unwrap(),
        r#"{"city":"深圳市","street":"科技园路1号"}"#.into()
    );
    check_text(&Type::PersonName, "王小明", &hints(), r#"{"full":"王小明"}"#);
    let unordered = Value::from(r#"{"street":"x","city":"y"}"#);
    assert_eq!(Type::Address.check(&unordered).unwrap_err().code(), "not_canonical");
    assert!(Type::Address.from_json(&json!({ "planet": "Mars" })).is_err());
    assert_eq!(Type::Address.from_json(&json!({ "city": " " })).unwrap(), Value::Null);
}

#[test]
fn positions_are_read_as_maps_and_receivers_write_them() {
    let geo = |text: &str| format!("{{\"lat\":\"31.2304\",\"lon\":\"121.4737\"{text}}}");
    check_text(&Type::Geo, "31.2304, 121.4737", &hints(), geo(""));
    check_text(&Type::Geo, "３１.２３０４，１２１.４７３７", &hints(), geo(""));
    check_text(
        &Type::Geo,
        "31.23040 121.4737 ±5m gps",
        &hints(),
        geo(r#","accuracy_m":5,"source":"gps""#),
    );
    let from_receiver = json!({ "lat": 31.2304, "lon": 121.473_700_000_000_01, "accuracy_m": 4.2 });
    assert_eq!(Type::Geo.from_json(&from_receiver).unwrap(), geo(r#","accuracy_m":5"#).into());
    for text in ["31.2304", "91, 0", "0, 181", "here", "1, 2 ±x", "1, 2 gps map"] {
        check_text_refused(&Type::Geo, text, &hints(), "malformed");
    }
    assert_eq!(
        Type::Geo.to_sql(&geo("").into()),
        [SqlValue::Integer(312_304_000), SqlValue::Integer(1_214_737_000), SqlValue::Null]
    );
    assert!(Type::Geo.from_json(&json!({ "lat": 1, "lon": 2, "height": 3 })).is_err());
}

#[test]
fn time_spans_take_the_agreed_zone_and_may_be_open() {
    let span = Type::TimeSpan;
    let stored = |more: &str| format!("{{\"start\":\"2026-03-04T00:30:00.000Z\"{more}}}");
    let until = r#","end":"2026-03-04T02:00:00.000Z""#;
    check_text(&span, "2026-03-04 08:30", &hints(), stored(""));
    for text in [
        "2026-03-04 08:30 - 2026-03-04 10:00",
        "2026/3/4 8:30 - 10:00",
        "2026年3月4日 08:30 至 10:00",
        "2026-03-04T00:30:00Z/2026-03-04T02:00:00Z",
    ] {
        check_text(&span, text, &hints(), stored(until));
    }
    check_text(
        &span,
        "2026-03-04 08:30 - 10:00 [Asia/Shanghai] [all day]",
        &hints(),
        stored(&format!(r#"{until},"time_zone":"Asia/Shanghai","all_day":true"#)),
    );
    check_text_refused(&span, "2026-03-04 10:00 - 08:30", &hints(), "ends_before_start");
    check_text_refused(&span, "2026-03-04 10:00 [Asia Shanghai]", &hints(), "malformed");
    check_text_refused(&span, "tomorrow", &hints(), "malformed");
    let columns: Vec<_> = span.columns().iter().map(|column| column.suffix).collect();
    assert_eq!(columns, ["_start", "_end"]);
    assert_eq!(
        span.to_sql(&stored("").into()),
        [SqlValue::Integer(1_772_584_200_000), SqlValue::Null]
    );
}

#[test]
fn objects_of_json_have_one_text_and_digests_one_spelling() {
    let object = Type::Json { max: 40 };
    let read = |json: Json| object.from_json(&json);
    assert_eq!(
        read(json!({ "b": 1, "a": [true, null] })).unwrap(),
        r#"{"a":[true,null],"b":1}"#.into()
    );
    assert_eq!(read(json!(r#" {"b": 1} "#)).unwrap(), r#"{"b":1}"#.into());
    assert_eq!(read(json!({ "a": 0.5 })).unwrap_err().code(), "wrong_shape");
    assert_eq!(read(json!([1])).unwrap_err().code(), "wrong_shape");
    assert_eq!(read(json!({ "a": "x".repeat(40) })).unwrap_err().code(), "too_long");
    assert_eq!(object.check(&r#"{"b":1,"a":2}"#.into()).unwrap_err().code(), "not_canonical");
    let mut deep = json!(1);
    for _ in 0..20 {
        deep = json!([deep]);
    }
    assert_eq!(read(json!({ "a": deep })).unwrap_err().code(), "wrong_shape");
    let digest = "AB".repeat(32);
    assert_eq!(Type::Sha256.from_json(&json!(digest)).unwrap(), digest.to_lowercase().into());
    check_text_refused(&Type::Sha256, &"g".repeat(64), &hints(), "malformed");
}

#[test]
fn telephones_mail_and_web_addresses_are_checked_a_little() {
    for phone in ["120", "+86 138 0000 0000", "010-62770000转8001", "(555) 123-4567 ext. 8"] {
        check_text(&Type::Phone, phone, &hints(), phone);
    }
    check_text_refused(&Type::Phone, "none", &hints(), "malformed");
    check_text(&Type::Email, " li.si@example.com.cn ", &hints(), "li.si@example.com.cn");
    for email in ["li", "li@", "@x.cn", "li si@x.cn", "li@x", "li@.cn", "li@x..cn"] {
        check_text_refused(&Type::Email, email, &hints(), "malformed");
    }
    check_text(&Type::Url, "example.com/a", &hints(), "https://example.com/a");
    check_text(&Type::Url, "http://example.com:8080", &hints(), "http://example.com:8080");
    check_text(&Type::Url, "http://intranet/a", &hints(), "http://intranet/a");
    for url in ["javascript:alert(1)", "ftp://x.cn", "https://", "https:// x.cn", "nota"] {
        check_text_refused(&Type::Url, url, &hints(), "malformed");
    }
}

#[test]
fn values_with_parts_take_columns_of_their_own() {
    let sql = |ty: &Type, value: &str| ty.to_sql(&value.into());
    let text = |text: &str| SqlValue::Text(text.into());
    assert_eq!(sql(&Type::Money, "CNY 5"), [SqlValue::Integer(5), text("CNY")]);
    assert_eq!(sql(&Type::Period, "2026-01-01/"), [text("2026-01-01"), SqlValue::Null]);
    assert_eq!(Type::Bool.to_sql(&true.into()), [SqlValue::Integer(1)]);
    let suffixes: Vec<_> = Type::Money.columns().iter().map(|column| column.suffix).collect();
    assert_eq!(suffixes, ["_minor", "_currency"]);
    assert_eq!(Type::Date.columns(), [Column { suffix: "", sql_type: "TEXT" }]);
    assert_eq!(find_type("integer").columns()[0].sql_type, "INTEGER");
}

#[test]
fn people_read_labels_and_lines() {
    let industry = &Schema::builtin().entity("customer").unwrap().field("industry").unwrap().ty;
    assert_eq!(industry.display(&"retail".into(), Language::Zh), "零售");
    assert_eq!(industry.display(&"moon_mining".into(), Language::Zh), "moon_mining");
    assert_eq!(Type::Bool.display(&true.into(), Language::En), "Yes");
    assert_eq!(Type::Money.display(&"CNY 1234500".into(), Language::En), "12345.00 CNY");
    let name = r#"{"family":"王","given":"小明"}"#;
    assert_eq!(Type::PersonName.display(&name.into(), Language::Zh), "王小明");
    assert_eq!(Type::Date.display(&Value::Null, Language::En), "");
}

#[test]
fn text_has_a_limit_in_characters() {
    let text = Type::Text { max: 3 };
    assert!(text.from_json(&json!("三川实")).is_ok());
    assert_eq!(text.from_json(&json!("三川实业")).unwrap_err().code(), "too_long");
    assert_eq!(text.from_json(&json!("a\r\nb")).unwrap(), "a\nb".into());
    assert_eq!(text.from_json(&json!(" \u{1} ")).unwrap(), Value::Null);
    assert_eq!(text.check(&" a".into()).unwrap_err().code(), "not_canonical");
    assert_eq!(text.check(&"".into()).unwrap_err().code(), "not_canonical");
}

/// What reaches the limit of its type is taken, one more is refused.
#[test]
fn each_type_has_a_limit_that_can_be_reached() {
    let check = |ty: &Type, fits: &str, beyond: &str, code: &str| {
        assert!(ty.from_text(fits, &hints()).is_ok(), "{}: {}", ty.name(), fits.len());
        check_text_refused(ty, beyond, &hints(), code);
    };
    let email = |count: usize| format!("{}@example.com", "x".repeat(count - 12));
    check(&Type::Email, &email(254), &email(255), "too_long");
    let phone = |count: usize| "1".repeat(count);
    check(&Type::Phone, &phone(64), &phone(65), "too_long");
    let url = |count: usize| format!("https://{}", "x".repeat(count - 8));
    check(&Type::Url, &url(2_048), &url(2_049), "too_long");
    let decimal = find_type("decimal");
    let number = |count: usize| format!("0.{}", "0".repeat(count - 2));
    // 28 places are all that the library of decimals keeps.
    check(&decimal, &number(30), &number(33), "malformed");
    let Type::Integer { min, max } = find_type("integer") else { panic!("no integer") };
    let integer = Type::Integer { min, max };
    check(&integer, &max.to_string(), &(max + 1).to_string(), "out_of_range");
    check(&integer, &min.to_string(), &(min - 1).to_string(), "out_of_range");
    check(&Type::DateTime, "9999-12-31T23:59:59Z", "10000-01-01T00:00:00Z", "malformed");
    let nested = |depth: usize| {
        let list = format!("{}1{}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        format!(r#"{{"a":{list}}}"#)
    };
    check(&Type::Json { max: 1_000 }, &nested(16), &nested(17), "wrong_shape");
    // Far deeper than any stack: the parser gives up first.
    check_text_refused(&Type::Json { max: 1_000_000 }, &nested(10_000), &hints(), "wrong_shape");
    let json = |count: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(count - 8));
    check(&Type::Json { max: 40 }, &json(40), &json(41), "too_long");
    let part = |count: usize| json!({ "city": "x".repeat(count) });
    assert!(Type::Address.from_json(&part(200)).is_ok());
    assert_eq!(Type::Address.from_json(&part(201)).unwrap_err().code(), "too_long");
    for (fits, beyond) in [("90, 180", "90.0000001, 180"), ("-90, -180", "-90, -180.0000001")] {
        check(&find_type("geo"), fits, beyond, "malformed");
    }
}

proptest! {
    #[test]
    fn json_and_text_give_the_same_value_back((ty, value) in a_typed_value()) {
        prop_assert_eq!(ty.check(&value), Ok(()));
        prop_assert_eq!(ty.check_form(&value), Ok(()));
        prop_assert_eq!(ty.from_json(&ty.to_json(&value)), Ok(value.clone()));
        for date_order in [DateOrder::Mdy, DateOrder::Dmy, DateOrder::Ymd] {
            let hints = TextHints { date_order, ..hints() };
            let text = ty.to_text(&value);
            prop_assert_eq!(ty.from_text(&text, &hints), Ok(value.clone()), "{}", text);
        }
    }

    #[test]
    fn what_is_read_is_canonical(ty in a_type(), text in any_text(), json in any_json()) {
        for value in [ty.from_text(&text, &hints()), ty.from_json(&json)].into_iter().flatten() {
            prop_assert_eq!(ty.check(&value), Ok(()));
            prop_assert_eq!(ty.from_json(&ty.to_json(&value)), Ok(value));
        }
    }

    #[test]
    fn any_scalar_can_be_shown(ty in a_type(), value in any_value()) {
        let _ = (ty.check(&value), ty.check_form(&value), ty.to_json(&value), ty.to_text(&value));
        let _ = ty.display(&value, Language::Zh);
        prop_assert_eq!(ty.to_sql(&value).len(), ty.columns().len());
    }
}
