//! Each key has one spelling, and says what may stand under it.

use proptest::prelude::*;
use serde_json::json;

use crate::{
    crdt::op,
    ids::{ActorId, Part},
    schema::{
        ENTRY_BYTES_MAX, Entity, Field, KEY_BYTES_MAX, Key, Kind, MEMBER_CHARS_MAX, RowId, Schema,
        Type, VALUE_BYTES_MAX, cell_key, counter_key, entry_key, member_key, register_key,
        row_gone_key,
        strategies::{any_text, any_value},
    },
    value::Value,
};

const USER: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn entity(name: &str) -> &'static Entity {
    Schema::builtin().entity(name).unwrap()
}

fn field(entity_name: &str, name: &str) -> &'static Field {
    entity(entity_name).field(name).unwrap()
}

fn row() -> RowId {
    "0a1b2c3d4e".parse().unwrap()
}

/// A key of each sort that the field can have.
fn keys_of(field: &Field) -> Vec<String> {
    let member = if let Type::Picklist(list) = &field.ty {
        &list.choices[0].id
    } else if matches!(field.ty, Type::Link(_)) {
        USER
    } else {
        "50% A/B"
    };
    match field.kind {
        Kind::Register | Kind::Once | Kind::Office => vec![register_key(field)],
        Kind::Counter => vec![counter_key(field, ActorId([0xab; 16]))],
        Kind::Set => vec![member_key(field, member).unwrap()],
        Kind::Rows => {
            let cells = field.columns.iter().map(|column| cell_key(field, row(), column));
            cells.chain([row_gone_key(field, row())]).collect()
        }
        Kind::Log => vec![entry_key(field, row())],
        Kind::Text => vec![],
    }
}

#[test]
fn keys_of_every_field_are_read_back() {
    for entity in Schema::builtin().entities() {
        for field in &entity.fields {
            for key in keys_of(field) {
                let read = entity.parse_key(&field.part, &key).unwrap();
                assert_eq!(read.to_string(), key);
                assert_eq!(read.field(), field);
            }
        }
    }
}

#[test]
fn keys_are_spelt_as_the_design_says() {
    let actor = ActorId([1; 16]);
    let lines = field("sales_order", "lines");
    let key = counter_key(field("customer", "visits"), actor);
    assert_eq!(key, format!("visits/{}", "01".repeat(16)));
    let tags = field("customer", "tags");
    assert_eq!(member_key(tags, "  ＶＩＰ  客户 50%/A ").unwrap(), "tags/vip 客户 50%25%2Fa");
    assert_eq!(cell_key(lines, row(), lines.column("qty").unwrap()), "lines/0a1b2c3d4e/qty");
    assert_eq!(row_gone_key(lines, row()), "lines/0a1b2c3d4e/-");
    assert_eq!(entry_key(field("opportunity", "stages"), row()), "stages/0a1b2c3d4e");
}

fn check_key_refused(entity_name: &str, part: &Part, key: &str, code: &str) {
    let error = entity(entity_name).parse_key(part, key).unwrap_err();
    assert_eq!(error.code(), code, "{key}: {error}");
}

#[test]
fn other_spellings_are_refused() {
    let hex = "ab".repeat(16);
    let refused = |key: &str, code| check_key_refused("customer", &Part::Main, key, code);
    refused("", "unknown_field");
    refused("colour", "unknown_field");
    refused("company_name/", "malformed_key");
    refused("credit_limit", "wrong_part");
    refused("notes", "wrong_part");
    refused("visits", "malformed_key");
    refused(&format!("visits/{}", hex.to_uppercase()), "malformed_key");
    refused(&format!("visits/{hex}/x"), "malformed_key");
    refused("tags/VIP", "malformed_key");
    refused("tags/a  b", "malformed_key");
    refused("tags/a/b", "malformed_key");
    refused("tags/a%2fb", "malformed_key");
    refused("tags/a%", "malformed_key");
    refused("tags/", "empty_member");
    refused("followers/someone", "malformed");
    check_key_refused("customer", &Part::Text("notes".into()), "notes", "malformed_key");
    let refused = |key: &str, code| check_key_refused("sales_order", &Part::Main, key, code);
    refused("lines", "malformed_key");
    refused("lines/0a1b2c3d4e", "malformed_key");
    refused("lines/0A1b2c3d4e/qty", "malformed_key");
    refused("lines/0a1b2c3d4/qty", "malformed_key");
    refused("lines/0a1b2c3d4e/colour", "unknown_column");
    refused("lines/0a1b2c3d4e/qty/", "unknown_column");
}

#[test]
fn members_have_a_limit() {
    let tags = field("customer", "tags");
    assert!(member_key(tags, &"a".repeat(MEMBER_CHARS_MAX)).is_ok());
    let refusal = |member: &str| member_key(tags, member).unwrap_err().code();
    assert_eq!(refusal(&"a".repeat(MEMBER_CHARS_MAX + 1)), "member_too_long");
    // 64 characters of four bytes do not fit a key beside the field's name.
    assert_eq!(refusal(&"𠀀".repeat(MEMBER_CHARS_MAX)), "member_too_long");
    assert_eq!(refusal(" \u{3000} "), "empty_member");
    assert_eq!(refusal("a\u{1}b"), "malformed_key");
}

#[test]
fn keys_and_entries_fit_what_a_change_may_hold() {
    assert_eq!(KEY_BYTES_MAX, op::KEY_BYTES_MAX);
    const { assert!(ENTRY_BYTES_MAX <= op::VALUE_BYTES_MAX) };
    assert_eq!(VALUE_BYTES_MAX, op::VALUE_BYTES_MAX);
}

#[test]
fn values_under_keys_are_checked() {
    let check = |name: &str, key: &str, value: Value| {
        let key = entity(name).parse_key(&Part::Main, key).unwrap();
        key.check_value(&value).map_err(|error| error.code())
    };
    assert_eq!(check("customer", "company_name", "三川".into()), Ok(()));
    assert_eq!(check("customer", "company_name", Value::Null), Ok(()));
    assert_eq!(check("customer", "company_name", 5.into()), Err("wrong_shape"));
    assert_eq!(check("customer", "company_name", "a".repeat(201).into()), Err("too_long"));
    assert_eq!(check("customer", "tags/vip", true.into()), Ok(()));
    assert_eq!(check("customer", "tags/vip", false.into()), Err("wrong_shape"));
    assert_eq!(check("customer", "tags/vip", Value::Null), Err("wrong_shape"));
    assert_eq!(check("customer", "archived", "长".repeat(65_536).into()), Err("too_long"));
    assert_eq!(check("user", "allowed_operations/fly", true.into()), Err("unknown_choice"));
    let visits = format!("visits/{}", ActorId([1; 16]));
    assert_eq!(check("customer", &visits, 3.into()), Ok(()));
    assert_eq!(check("customer", &visits, "3".into()), Err("wrong_shape"));
    let gone = "lines/0a1b2c3d4e/-";
    assert_eq!(check("sales_order", gone, "1@ab".into()), Ok(()));
    assert_eq!(check("sales_order", gone, "x".repeat(64 * 1024 + 1).into()), Err("too_long"));
    assert_eq!(check("sales_order", "lines/0a1b2c3d4e/qty", "1.5".into()), Ok(()));
    assert_eq!(check("sales_order", "lines/0a1b2c3d4e/qty", "1.50".into()), Err("not_canonical"));
}

#[test]
fn values_of_a_newer_office_keep_their_form() {
    let check = |name: &str, key: &str, value: Value| {
        let key = entity(name).parse_key(&Part::Main, key).unwrap();
        key.check_form(&value).map_err(|error| error.code())
    };
    assert_eq!(check("customer", "company_name", "a".repeat(300).into()), Ok(()));
    assert_eq!(check("customer", "industry", "moon_mining".into()), Ok(()));
    assert_eq!(check("user", "allowed_operations/fly", true.into()), Ok(()));
    assert_eq!(check("opportunity", "stages/0a1b2c3d4e", r#"{"to_stage":"moon"}"#.into()), Ok(()));
    assert_eq!(check("customer", "company_name", 5.into()), Err("wrong_shape"));
    assert_eq!(check("customer", "industry", "Moon mining".into()), Err("malformed"));
    assert_eq!(check("customer", "company_name", "a".repeat(65_537).into()), Err("too_long"));
}

#[test]
fn entries_of_a_log_are_flat_json_in_order() {
    let stages = field("opportunity", "stages");
    let entry = json!({ "to_stage": "won", "from_stage": "commit", "note": null, "at": 0 });
    let value = stages.entry_from_json(entry.as_object().unwrap()).unwrap();
    let text = r#"{"at":"1970-01-01T00:00:00.000Z","from_stage":"commit","to_stage":"won"}"#;
    assert_eq!(value, text.into());
    let key = entity("opportunity").parse_key(&Part::Main, "stages/0a1b2c3d4e").unwrap();
    let check = |text: &str| key.check_value(&text.into()).map_err(|error| error.code());
    assert_eq!(check(text), Ok(()));
    assert_eq!(check(r#"{"later_member":1,"to_stage":"won"}"#), Ok(()));
    assert_eq!(check(r#"{"to_stage":"won","from_stage":"lost"}"#), Err("not_canonical"));
    assert_eq!(check(r#"{"to_stage": "won"}"#), Err("not_canonical"));
    assert_eq!(check(r#"{"to_stage":"moon"}"#), Err("unknown_choice"));
    assert_eq!(check(r#"{"x":{"y":1}}"#), Err("wrong_shape"));
    assert_eq!(check("[]"), Err("wrong_shape"));
    assert_eq!(check(&format!("{{\"x\":\"{}\"}}", "x".repeat(1_024))), Err("too_long"));
    assert!(key.check_value(&Value::Null).is_err());
}

proptest! {
    #[test]
    fn members_are_normalised_once(text in any::<String>()) {
        let tags = field("customer", "tags");
        if let Ok(key) = member_key(tags, &text) {
            let read = entity("customer").parse_key(&Part::Main, &key).unwrap();
            let Key::Member { value, .. } = &read else { panic!("{read:?}") };
            prop_assert_eq!(&member_key(tags, value).unwrap(), &key);
            prop_assert_eq!(read.to_string(), key);
        }
    }

    #[test]
    fn whatever_is_read_as_a_key_has_that_spelling(
        name in "tags|visits|lines|stages|contacts|name|social_accounts",
        rest in any_text(),
        value in any_value(),
    ) {
        for entity in Schema::builtin().entities() {
            for key in [rest.clone(), format!("{name}/{rest}")] {
                if let Ok(read) = entity.parse_key(&Part::Main, &key) {
                    prop_assert_eq!(read.to_string(), key);
                    let _ = read.check_value(&value);
                    if read.check_value(&value).is_ok() {
                        prop_assert_eq!(read.check_form(&value), Ok(()));
                    }
                }
            }
        }
    }

    #[test]
    fn rows_have_ids_of_ten_characters(random in any::<[u8; 10]>()) {
        let row = RowId::new(random);
        prop_assert_eq!(row.as_str().len(), 10);
        prop_assert_eq!(row.as_str().parse::<RowId>().unwrap(), row);
    }
}
