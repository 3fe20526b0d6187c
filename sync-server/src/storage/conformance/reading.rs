//! What pages read: lists, counts, contacts, what arrived.

use outrider_core::{
    crdt::{Action, Edit, Stamp, State, write},
    ids::RecordId,
    schema::{Entity, Schema},
    store::query::{Compare, Filter, Query},
    value::Value,
};

use super::{Case, world::*};
use crate::storage::{Content, NewChange, Storage, StorageError};

pub(super) const CASES: &[Case] = &[
    ("a list goes page by page in its order, and is counted", lists),
    ("a list is filtered, and refuses what the entity does not know", filters),
    ("contacts and changes of devices are counted, and are no news", contacts),
    ("what arrived comes latest first, from the end of the history alone", arrivals),
    ("records with several values are found and counted", conflicts),
    ("the pipeline adds up what is open", pipeline),
];

fn customer() -> &'static Entity {
    Schema::current().entity("customer").unwrap()
}

/// Puts a record with registers, as one change of the n-th device.
fn put(storage: &dyn Storage, entity: &str, n: u8, by: u8, values: &[(&str, Value)]) {
    let id = main_of(n);
    let mut tx = storage.write().unwrap();
    let mut state = match tx.document(&id).unwrap().map(|stored| stored.content) {
        Some(Content::Flat(state)) => state,
        Some(Content::Text(_)) => panic!("{id} is a text"),
        None => State::default(),
    };
    let edits = values
        .iter()
        .map(|(key, value)| Edit { key: (*key).to_owned(), action: Action::Put(value.clone()) });
    let stamp = Stamp { actor: actor(by), time_ms: NOW, message: None };
    let encoded = write(&mut state, &mut None, stamp, edits.collect()).unwrap();
    let change = NewChange::flat(&encoded, state.clock.clone(), device(by).id);
    tx.add_change(&id, &change, NOW + i64::from(n)).unwrap();
    tx.put_document(&id, entity, record(n), &Content::Flat(state)).unwrap();
    tx.commit().unwrap();
}

fn names(storage: &dyn Storage, count: u8) {
    for n in 1..=count {
        let name = format!("Name {}", count - n);
        put(storage, "customer", n, n, &[("company_name", name.as_str().into())]);
    }
}

fn walk_list(storage: &dyn Storage, mut query: Query) -> Vec<RecordId> {
    let read = storage.read().unwrap();
    let mut found = Vec::new();
    loop {
        let page = read.list(customer(), &query).unwrap();
        assert!(page.ids.len() <= query.limit);
        found.extend(page.ids);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return found,
        }
    }
}

fn lists(storage: &dyn Storage) {
    names(storage, 7);
    let ids = |ns: &[u8]| -> Vec<RecordId> { ns.iter().map(|n| record(*n)).collect() };
    let query = Query { limit: 3, ..Query::default() };
    assert_eq!(walk_list(storage, query.clone()), ids(&[1, 2, 3, 4, 5, 6, 7]));
    let last_first = Query { descending: true, ..query.clone() };
    assert_eq!(walk_list(storage, last_first), ids(&[7, 6, 5, 4, 3, 2, 1]));
    let by_name = Query { sort: Some("company_name".to_owned()), ..query.clone() };
    assert_eq!(walk_list(storage, by_name), ids(&[7, 6, 5, 4, 3, 2, 1]));
    let read = storage.read().unwrap();
    assert_eq!(read.count(customer(), &query).unwrap(), 7, "all, not those of one page");
}

fn filters(storage: &dyn Storage) {
    names(storage, 3);
    let query = |column: &str, value: &str| Query {
        filters: vec![Filter {
            column: column.to_owned(),
            compare: Compare::Contains,
            value: value.to_owned(),
        }],
        ..Query::default()
    };
    let read = storage.read().unwrap();
    let found = read.list(customer(), &query("company_name", "name 2")).unwrap();
    assert_eq!(found.ids, [record(1)]);
    assert_eq!(read.count(customer(), &query("company_name", "name 2")).unwrap(), 1);
    let wrong = read.list(customer(), &query("nothing", "x")).unwrap_err();
    assert!(matches!(wrong, StorageError::Query(_)), "{wrong}");
    let wrong = Query { after: Some("nowhere".to_owned()), ..Query::default() };
    assert!(matches!(read.list(customer(), &wrong), Err(StorageError::Query(_))));
}

fn contacts(storage: &dyn Storage) {
    let mut write = storage.write().unwrap();
    for n in [2, 1] {
        write.add_device(&device(n)).unwrap();
    }
    write.commit().unwrap();
    put(storage, "customer", 1, 1, &[("company_name", "A".into())]);
    put(storage, "customer", 2, 1, &[("company_name", "B".into())]);
    let mut dropped = storage.write().unwrap();
    edit(dropped.as_mut(), &main_of(3), record(3), actor(1), "lost");
    drop(dropped);
    let position = storage.read().unwrap().position().unwrap();
    let mut write = storage.write().unwrap();
    write.set_last_contact(device(1).id, NOW + 5).unwrap();
    write.set_last_contact(device(1).id, NOW + 3).unwrap();
    assert_eq!(write.commit().unwrap(), position, "no news");
    let read = storage.read().unwrap();
    let mut found = read.devices().unwrap();
    found.sort_by_key(|known| known.device.id);
    let seen: Vec<_> =
        found.iter().map(|known| (known.device.id, known.last_contact_at, known.changes)).collect();
    assert_eq!(seen, [(device(1).id, NOW + 5, 2), (device(2).id, NOW, 0)]);
    assert_eq!(read.device_by_prefix(device(2).prefix).unwrap(), Some(device(2)));
    assert_eq!(read.device_by_prefix(device(9).prefix).unwrap(), None);
}

fn arrivals(storage: &dyn Storage) {
    assert!(storage.read().unwrap().arrivals(0, 10).unwrap().is_empty());
    names(storage, 5);
    let read = storage.read().unwrap();
    let found = |since, scan| -> Vec<RecordId> {
        let found = read.arrivals(since, scan).unwrap();
        found.into_iter().map(|change| change.document.record).collect()
    };
    assert_eq!(found(NOW + 3, 100), [record(5), record(4), record(3)]);
    assert_eq!(found(0, 2), [record(5), record(4)], "no more than it may look through");
    assert!(found(NOW + 6, 100).is_empty());
    let last = read.arrivals(NOW + 5, 1).unwrap().remove(0);
    assert_eq!((last.entity.as_str(), last.device), ("customer", device(5).id));
    assert_eq!((last.keys, last.received_at), (vec!["company_name".to_owned()], NOW + 5));
    assert_eq!((last.position, last.made_at), (5, NOW));
}

fn conflicts(storage: &dyn Storage) {
    names(storage, 2);
    let id = main_of(2);
    let mut tx = storage.write().unwrap();
    let Some(Content::Flat(mut state)) = tx.document(&id).unwrap().map(|stored| stored.content)
    else {
        panic!("no {id}");
    };
    // Two writers who have not seen each other.
    let before = state.clone();
    for by in [7, 8] {
        let mut seen = before.clone();
        let stamp = Stamp { actor: actor(by), time_ms: NOW, message: None };
        let action = Action::Put(Value::Text(format!("{by}{by}{by}")));
        let edits = vec![Edit { key: "phone".to_owned(), action }];
        let encoded = write(&mut seen, &mut None, stamp, edits).unwrap();
        state.apply(&encoded);
        let change = NewChange::flat(&encoded, seen.clock.clone(), device(by).id);
        tx.add_change(&id, &change, NOW).unwrap();
    }
    tx.put_document(&id, "customer", record(2), &Content::Flat(state)).unwrap();
    tx.commit().unwrap();
    let read = storage.read().unwrap();
    assert_eq!(read.conflicts(10).unwrap(), (vec![record(2)], 1));
    assert_eq!(read.conflicts(0).unwrap(), (Vec::new(), 1), "counted all the same");
}

fn pipeline(storage: &dyn Storage) {
    let deal = |n, amount: &str, stage: &str| {
        let values = [
            ("name", Value::from("Deal")),
            ("expected_amount", amount.into()),
            ("sales_stage", stage.into()),
        ];
        put(storage, "opportunity", n, n, &values);
    };
    let stage = |kind| {
        let stages = Schema::current().picklist("sales_stage").unwrap();
        let found = stages.choices.iter().find(|choice| choice.stage_type == Some(kind)).unwrap();
        found.id.clone()
    };
    deal(1, "CNY 10000", &stage(outrider_core::schema::StageType::Open));
    deal(2, "CNY 5000", &stage(outrider_core::schema::StageType::Won));
    let report = storage.read().unwrap().pipeline().unwrap();
    assert_eq!((report.main.count, report.main.open.count, report.main.won.count), (2, 1, 1));
    assert_eq!(report.main.currency.as_deref(), Some("CNY"));
}
