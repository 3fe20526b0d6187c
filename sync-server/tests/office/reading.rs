//! What people at the office see.

use outrider_core::{
    schema::Schema,
    store::{
        query::{Compare, Filter, Query},
        timeline::{self, TimelineQuery},
    },
};
use outrider_sync_server::{
    office::{self, OfficeError, RELATED_MAX},
    storage::{Storage, StorageError},
};
use serde_json::json;

use crate::world::{NOW, World};

#[test]
fn a_record_shows_its_values_and_who_wrote_what_beside_each_other() {
    let world = World::open();
    let wang = world.author("wang");
    let mut anna = world.phone("anna");
    let made = json!({ "company_name": "Acme", "phone": "110", "notes": "Long.", "tags": ["a"] });
    let record = world.create(&wang, "customer", made);
    world.sync(&mut anna);
    let shown = world.position();
    anna.update(record, json!({ "phone": "111" }));
    world.sync(&mut anna);
    world.update(&wang, record, json!({ "phone": "112" }), Some(shown)).unwrap();
    let read = world.storage.read().unwrap();
    let view = office::view(&*read, record).unwrap().unwrap();
    assert_eq!((view.title.as_str(), view.entity.name.as_str()), ("Acme", "customer"));
    assert_eq!((&view.json["notes"], &view.json["tags"]), (&json!("Long."), &json!(["a"])));
    assert_eq!((view.position, view.is_archived), (world.position(), false));
    let [conflict] = view.conflicts.as_slice() else { panic!("{:?}", view.conflicts) };
    assert_eq!((conflict.key.as_str(), conflict.field.as_str()), ("phone", "phone"));
    let mut by: Vec<_> = conflict
        .values
        .iter()
        .map(|value| (value.user.as_str(), value.device_name.as_str(), value.value.clone()))
        .collect();
    by.sort_by_key(|(user, ..)| user.to_owned());
    assert_eq!(by, [("anna", "phone of anna", json!("111")), ("wang", "Office", json!("112"))]);
    assert!(conflict.values.iter().all(|value| value.made_at.is_some()));
    assert_eq!(conflict.values.iter().filter(|value| value.is_shown).count(), 1);
    world.sync(&mut anna);
    let mut on_device = crate::world::fields(anna.get(record));
    on_device.remove("conflicts");
    assert_eq!(view.json, on_device, "the device shows the same");

    let open = office::open_conflicts(&*read, 10).unwrap();
    assert_eq!((open.count, open.records.len()), (1, 1));
    let nobody = outrider_core::ids::RecordId::new(1, [9; 10]);
    assert!(office::view(&*read, nobody).unwrap().is_none());
}

#[test]
fn lists_are_paged_counted_and_searched_by_name() {
    let world = World::open();
    let wang = world.author("wang");
    for n in 0..7 {
        let name = format!("Company {n}");
        world.create(&wang, "customer", json!({ "company_name": name, "notes": "never listed" }));
    }
    let read = world.storage.read().unwrap();
    let customer = Schema::current().entity("customer").unwrap();
    let mut query = Query { sort: Some("company_name".to_owned()), limit: 3, ..Query::default() };
    let mut names = Vec::new();
    loop {
        let page = office::list(&*read, customer, &query).unwrap();
        assert_eq!(page.total, 7);
        names.extend(page.records.into_iter().map(|view| view.title));
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    assert_eq!(names.len(), 7);
    assert!(names.is_sorted());
    let part = Filter {
        column: "company_name".to_owned(),
        compare: Compare::Contains,
        value: "pany 4".to_owned(),
    };
    let query = Query { filters: vec![part], ..Query::default() };
    let page = office::list(&*read, customer, &query).unwrap();
    assert_eq!((page.total, page.records.len()), (1, 1));
    assert!(!page.records[0].json.contains_key("notes"), "lists read no long texts");
    let wrong = Query { sort: Some("nothing".to_owned()), ..Query::default() };
    let error = office::list(&*read, customer, &wrong).unwrap_err();
    assert!(matches!(error, OfficeError::Storage(StorageError::Query(_))), "{error}");
}

#[test]
fn related_records_are_named_up_to_a_limit_and_counted_beyond() {
    let world = World::open();
    let wang = world.author("wang");
    let customer = world.create(&wang, "customer", json!({ "company_name": "Acme" }));
    let count = RELATED_MAX + 2;
    for n in 0..count {
        let made = json!({ "name": format!("Person {n}"), "customer_id": customer.to_string() });
        world.create(&wang, "contact", made);
    }
    let read = world.storage.read().unwrap();
    let found = office::related(&*read, customer).unwrap();
    let contacts = found
        .iter()
        .find(|related| related.entity.name == "contact" && related.field.name == "customer_id")
        .unwrap();
    assert_eq!((contacts.count, contacts.records.len()), (count as u64, RELATED_MAX));
    assert_eq!(contacts.records[0].1, format!("Person {}", count - 1), "the newest first");
    let nobody = outrider_core::ids::RecordId::new(1, [9; 10]);
    assert!(matches!(office::related(&*read, nobody), Err(OfficeError::UnknownRecord(_))));
}

#[test]
fn what_arrived_is_grouped_by_record_and_push() {
    let world = World::open();
    let wang = world.author("wang");
    let mut anna = world.phone("anna");
    let record = world.create(&wang, "customer", json!({ "company_name": "Acme" }));
    world.sync(&mut anna);
    let since = world.now();
    anna.update(record, json!({ "phone": "111" }));
    anna.update(record, json!({ "tags": { "add": ["vip"] }, "notes": "hello" }));
    world.sync(&mut anna);
    let made = json!({ "company_name": "Brown" });
    let second = anna.replica.create("customer", &crate::world::fields(made)).unwrap();
    world.sync(&mut anna);
    let read = world.storage.read().unwrap();
    let found = office::arrivals(&*read, since, 10).unwrap();
    let seen: Vec<_> = found.iter().map(|one| (one.record, one.title.as_str())).collect();
    assert_eq!(seen, [(second, "Brown"), (record, "Acme")]);
    let first = &found[1];
    assert_eq!(first.fields, ["notes", "phone", "tags"]);
    assert_eq!((first.user.as_str(), first.device_name.as_str()), ("anna", "phone of anna"));
    assert!(!first.is_office && first.received_at > NOW);
    assert_eq!(office::arrivals(&*read, since, 1).unwrap().len(), 1);
    assert!(office::arrivals(&*read, world.now(), 10).unwrap().is_empty());
    let devices = office::devices(&*read).unwrap();
    let of = |name: &str| devices.iter().find(|known| known.device.user == name).unwrap();
    assert!(of("wang").device.is_office && !of("anna").device.is_office);
    assert!(of("anna").changes >= 4, "{}", of("anna").changes);
}

#[test]
fn the_timeline_is_that_of_the_devices() {
    let world = World::open();
    let wang = world.author("wang");
    let mut anna = world.phone("anna");
    let customer = world.create(&wang, "customer", json!({ "company_name": "Acme" }));
    for subject in ["first", "second"] {
        let made = json!({ "subject": subject, "customer_id": customer.to_string(),
                           "channel": "call", "occurred_at": "2024-05-01T10:00:00Z" });
        world.try_create(&wang, "interaction", made).unwrap();
    }
    world.sync(&mut anna);
    let read = world.storage.read().unwrap();
    let query = TimelineQuery::default();
    let page = office::timeline(&*read, customer, &query).unwrap();
    assert_eq!(page.entries.len(), 3);
    let conn = anna.replica.store().conn();
    let there = timeline::timeline(conn, Schema::current(), customer, &query).unwrap();
    assert_eq!(page, there);
    let wrong = TimelineQuery { kinds: vec!["cat".to_owned()], ..query };
    let error = office::timeline(&*read, customer, &wrong).unwrap_err();
    assert!(matches!(error, OfficeError::Storage(StorageError::Query(_))), "{error}");
}

#[test]
fn the_pipeline_is_that_of_the_devices() {
    let world = World::open();
    let wang = world.author("wang");
    let mut anna = world.phone("anna");
    for (n, stage) in ["prospecting", "negotiation", "won"].iter().enumerate() {
        let amount = json!({ "currency": "CNY", "amount": format!("{}", (n + 1) * 1_000) });
        let made = json!({ "name": "Deal", "sales_stage": stage, "expected_amount": amount });
        world.create(&wang, "opportunity", made);
    }
    world.sync(&mut anna);
    let read = world.storage.read().unwrap();
    let report = office::pipeline(&*read).unwrap();
    assert_eq!(report.main.count, 3);
    assert_eq!(report, outrider_core::reports::pipeline(&anna.replica).unwrap());
}
