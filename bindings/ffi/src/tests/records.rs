//! Typed records and changes of all entities, with data made from the definitions.

use std::sync::Arc;

use outrider_core::{
    ids::RecordId,
    replica::{Options, Replica as Core},
    schema::{Entity, Schema, sample},
    time::ManualClock,
};
use serde_json::{Map, Value as Json, json};

use super::{customer, open};
use crate::{
    records::{CrmChanges, CrmRecord, Fields, record_of},
    values::FieldValue,
};

/// The same draws for the same number.
fn draws(seed: u32) -> impl FnMut(u32) -> u32 {
    let mut state = u64::from(seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % u64::from(below.max(1))) as u32
    }
}

fn core() -> (tempfile::TempDir, Core) {
    let folder = tempfile::tempdir().unwrap();
    // Two records that are made one after the other are made at the same time.
    let clock = Arc::new(ManualClock::at(1_796_000_000_000));
    let core = Core::open(folder.path(), Options { clock, ..Options::default() }).unwrap();
    (folder, core)
}

/// Ids differ between two records; those of rows are drawn, and some computed values are by row.
fn comparable(entity: &Entity, mut json: Json) -> Json {
    fn strip(json: &mut Json) {
        match json {
            Json::Object(members) => {
                members.remove("id");
                members.values_mut().for_each(strip);
            }
            Json::Array(items) => {
                items.iter_mut().for_each(strip);
                items.sort_by_key(ToString::to_string);
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }
    strip(&mut json);
    if let Json::Object(members) = &mut json {
        for derived in &entity.derived {
            members.remove(&derived.name);
        }
    }
    json
}

#[test]
fn every_field_of_every_entity_is_read() {
    for seed in 1..=20 {
        let (_folder, mut core) = core();
        for entity in Schema::current().entities() {
            let fields = sample::record(entity, &mut draws(seed));
            let id = core.create(&entity.name, &fields).unwrap();
            let Some(Json::Object(mut members)) = core.get(id).unwrap() else {
                panic!("{entity:?}")
            };
            members.remove("entity");
            let record = CrmRecord::read(&entity.name, &mut Fields::of(members));
            assert_eq!(record.id(), id);
            assert!(!matches!(record, CrmRecord::Other { .. }), "{} has no type", entity.name);
            let text = format!("{record:?}");
            assert!(
                text.contains("custom: {}"),
                "seed {seed}: a field of {} has none: {text}",
                entity.name
            );
        }
    }
}

#[test]
fn every_change_of_every_entity_writes_what_its_json_does() {
    for seed in 1..=20 {
        let (_folder, mut core) = core();
        for entity in Schema::current().entities() {
            let fields = sample::record(entity, &mut draws(seed));
            let typed = CrmChanges::typed(&entity.name, &fields).unwrap();
            assert_eq!(typed.entity(), entity.name);
            let written = typed.written().at_creation();
            let [by_json, by_type] = [&fields, &written].map(|fields: &Map<String, Json>| {
                let id = core.create(&entity.name, fields).unwrap();
                comparable(entity, core.get(id).unwrap().unwrap())
            });
            assert_eq!(by_json, by_type, "seed {seed}, {}", entity.name);
        }
    }
}

#[test]
fn what_a_newer_version_knows_comes_as_custom() {
    let id = RecordId::from_bytes([7; 16]);
    let json = json!({
        "entity": "customer", "id": id.to_string(), "company_name": "Acme",
        "custom": { "loyalty": 3, "club": "gold" }, "employees": "many",
    });
    let Some(CrmRecord::Customer { record }) = record_of(json) else { panic!("no customer") };
    assert_eq!(record.company_name.as_deref(), Some("Acme"));
    assert_eq!(record.employees, None);
    let custom = |name: &str| record.common.custom.get(name);
    assert_eq!(custom("loyalty"), Some(&FieldValue::Integer(3)));
    assert_eq!(custom("club"), Some(&FieldValue::Text("gold".to_owned())));
    assert_eq!(custom("employees"), Some(&FieldValue::Text("many".to_owned())), "not lost");
    let other = json!({ "entity": "spaceship", "id": id.to_string(), "crew": 4 });
    let Some(CrmRecord::Other { record }) = record_of(other) else { panic!("a type for it") };
    assert_eq!(
        (record.entity.as_str(), record.values.get("crew")),
        ("spaceship", Some(&FieldValue::Integer(4)))
    );
}

#[test]
fn changes_are_for_records_of_their_entity_alone() {
    use crate::records::ContactChange;
    let (_folder, replica) = open();
    let id = customer(&replica, "Acme");
    let changes = CrmChanges::Contact(vec![ContactChange::JobTitle(Some("CEO".to_owned()))]);
    let error = replica.update(id, changes).unwrap_err();
    assert!(
        matches!(&error, crate::CrmError::Invalid { code, .. } if code == "wrong_entity"),
        "{error:?}"
    );
}

#[test]
fn moments_stay_what_they_are_where_dates_are_floating_numbers() {
    use crate::values::{milliseconds, moment};
    use std::time::Duration;
    for at_ms in [0, 1, 1_772_357_415_123, -1, -1_772_357_415_123] {
        let at = moment(at_ms);
        assert_eq!(milliseconds(at), at_ms);
        // As a floating number of seconds says it, cut to nanoseconds.
        assert_eq!(milliseconds(at - Duration::from_nanos(94)), at_ms);
        assert_eq!(milliseconds(at + Duration::from_nanos(94)), at_ms);
    }
}

#[test]
fn a_number_that_a_language_could_not_hold_is_no_decimal() {
    use crate::values::{DecimalNumber, Scalar as _};
    let read = |json: Json| DecimalNumber::from_json(&json).map(|number| number.0);
    assert_eq!(read(json!("-12.50")), Some("-12.50".to_owned()));
    assert_eq!(read(json!(0.5)), Some("0.5".to_owned()));
    for none in
        [json!("1e200"), json!(1e200), json!("NaN"), json!("1,5"), json!(""), json!("9".repeat(60))]
    {
        assert_eq!(read(none.clone()), None, "{none}");
    }
}
