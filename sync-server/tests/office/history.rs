//! Who changed what, and records as they were.

use automerge::{AutoCommit, ReadDoc};
use outrider_core::ids::{Part, RecordId};
use outrider_sync_server::{
    office::{self, HISTORY_PAGE_MAX, HistoryEntry, HistoryQuery, OfficeError},
    storage::{Storage, StorageError},
};
use serde_json::json;

use crate::world::World;

fn all(world: &World, record: RecordId, query: &HistoryQuery) -> Vec<HistoryEntry> {
    let read = world.storage.read().unwrap();
    let mut query = query.clone();
    let mut found = Vec::new();
    loop {
        let page = office::history(&*read, record, &query).unwrap();
        assert!(page.entries.len() <= query.limit);
        found.extend(page.entries);
        match page.next {
            Some(next) => query.after = Some(next.to_string().parse().unwrap()),
            None => return found,
        }
    }
}

#[test]
fn every_field_has_its_old_and_new_values_with_who_and_when() {
    let world = World::open();
    let wang = world.author("wang");
    let mut anna = world.phone("anna");
    let record = world.create(&wang, "customer", json!({ "company_name": "Acme", "phone": "110" }));
    world.sync(&mut anna);
    let shown = world.position();
    anna.update(
        record,
        json!({ "phone": "111", "tags": { "add": ["vip"] }, "visits": { "add": 2 } }),
    );
    world.sync(&mut anna);
    anna.update(record, json!({ "notes": "Called." }));
    world.sync(&mut anna);
    world.update(&wang, record, json!({ "phone": "112" }), Some(shown)).unwrap();
    let chosen = json!("111");
    let choice = office::Settlement { key: "phone", value: &chosen, seen: None };
    world.settle(&wang, record, choice).unwrap();
    office::archive(&world.storage, &world.policy, &wang, record, None, world.now()).unwrap();

    let found = all(&world, record, &HistoryQuery::default());
    let of = |field: &str| -> Vec<String> {
        let entries = found.iter().filter(|entry| entry.field == field);
        entries
            .map(|entry| {
                let what = serde_json::to_value(entry.what).unwrap();
                format!("{} {} {} → {}", entry.user, what.as_str().unwrap(), entry.old, entry.new)
            })
            .collect()
    };
    let phone = of("phone");
    assert_eq!(phone.len(), 4, "{phone:?}");
    assert_eq!(phone[0], "wang settled \"112\" → \"111\"".replace("\"112\"", &found_old(&found)));
    assert_eq!(phone[2], "anna changed \"110\" → \"111\"");
    assert_eq!(phone[3], "wang changed null → \"110\"");
    assert_eq!(of("tags"), ["anna added null → \"vip\""]);
    assert_eq!(of("visits"), ["anna changed null → 2"]);
    assert_eq!(of("notes"), ["anna edited null → \"Called.\""]);
    assert_eq!(of("archived"), ["wang archived false → true"]);
    let positions: Vec<u64> = found.iter().map(|entry| entry.position).collect();
    assert!(positions.is_sorted_by(|a, b| a >= b), "newest first: {positions:?}");
    for entry in found.iter().filter(|entry| entry.user == "anna") {
        assert_eq!((entry.device, entry.device_name.as_str()), (anna.device.id, "phone of anna"));
        assert!(entry.received_at >= entry.made_at);
    }
    let only = HistoryQuery { field: Some("phone".to_owned()), ..HistoryQuery::default() };
    assert_eq!(all(&world, record, &only).len(), 4);
    for limit in 1..=3 {
        let paged = HistoryQuery { limit, ..HistoryQuery::default() };
        assert_eq!(all(&world, record, &paged), found, "by pages of {limit}");
        let paged = HistoryQuery { limit, ..only.clone() };
        assert_eq!(all(&world, record, &paged).len(), 4);
    }
}

fn found_old(found: &[HistoryEntry]) -> String {
    found.iter().find(|entry| entry.field == "phone").unwrap().old.to_string()
}

#[test]
fn a_long_history_is_read_by_bounded_pages() {
    let world = World::open();
    let wang = world.author("wang");
    let record = world.create(&wang, "customer", json!({ "company_name": "Acme" }));
    let count = HISTORY_PAGE_MAX + 20;
    for n in 0..count {
        let entered = json!({ "phone": format!("110{n:04}"), "notes": format!("Note {n}") });
        world.update(&wang, record, entered, None).unwrap();
    }
    let read = world.storage.read().unwrap();
    let greedy = HistoryQuery { limit: usize::MAX, ..HistoryQuery::default() };
    let page = office::history(&*read, record, &greedy).unwrap();
    assert_eq!(page.entries.len(), HISTORY_PAGE_MAX);
    let field = Some("notes".to_owned());
    let notes = all(&world, record, &HistoryQuery { field, limit: 70, after: None });
    assert_eq!(notes.len(), count);
    assert_eq!(notes.last().unwrap().new, "Note 0");
    let all = all(&world, record, &HistoryQuery { limit: 90, ..HistoryQuery::default() });
    let phones = all.iter().filter(|entry| entry.field == "phone");
    assert_eq!(phones.count(), count);
}

#[test]
fn a_record_is_shown_as_it_was() {
    let world = World::open();
    let wang = world.author("wang");
    let before = world.position();
    let made = json!({ "company_name": "Acme", "phone": "110", "notes": "One." });
    let record = world.create(&wang, "customer", made);
    let first = world.position();
    world.update(&wang, record, json!({ "phone": "111", "notes": "One. Two." }), None).unwrap();
    let second = world.position();
    let read = world.storage.read().unwrap();
    let at = |position| office::as_of(&*read, record, position).unwrap();
    assert_eq!(at(before), None);
    let then = at(first).unwrap();
    assert_eq!((&then["phone"], &then["notes"]), (&json!("110"), &json!("One.")));
    let now = at(second).unwrap();
    assert_eq!((&now["phone"], &now["notes"]), (&json!("111"), &json!("One. Two.")));
    // What other records add up to is that of now, and no part of the record as it was.
    let view = office::view(&*read, record).unwrap().unwrap();
    let mut shown = view.json;
    shown.retain(|name, _| view.entity.field(name).is_some() || name == "id" || name == "entity");
    assert_eq!(now, serde_json::Value::Object(shown));
    let error = office::as_of(&*read, record, second + 1).unwrap_err();
    assert!(matches!(error, OfficeError::UnknownPosition(_)), "{error}");
}

#[test]
fn any_automerge_library_opens_the_files() {
    let world = World::open();
    let wang = world.author("wang");
    let mut anna = world.phone("anna");
    let made = json!({ "company_name": "Acme", "notes": "Written here." });
    let record = world.create(&wang, "customer", made);
    world.sync(&mut anna);
    anna.update(record, json!({ "phone": "111", "notes": "Written there." }));
    world.sync(&mut anna);
    let read = world.storage.read().unwrap();
    let open = |part: &str| {
        let part: Part = part.parse().unwrap();
        let bytes = office::export_automerge(&*read, record, &part).unwrap().unwrap();
        AutoCommit::load(&bytes).unwrap()
    };
    let main = open("main");
    let (phone, _) = main.get(automerge::ROOT, "phone").unwrap().unwrap();
    assert_eq!(phone.as_str(), Some("111"));
    let notes = open("notes");
    let (_, text) = notes.get(automerge::ROOT, "text").unwrap().unwrap();
    assert_eq!(notes.text(&text).unwrap(), "Written there.");
    let nothing = office::export_automerge(&*read, record, &Part::Text("none".to_owned()));
    assert!(nothing.unwrap().is_none());
}

#[test]
fn what_is_not_there_is_said() {
    let world = World::open();
    let wang = world.author("wang");
    let record = world.create(&wang, "customer", json!({ "company_name": "Acme" }));
    let read = world.storage.read().unwrap();
    let nobody = RecordId::new(1, [9; 10]);
    let error = office::history(&*read, nobody, &HistoryQuery::default()).unwrap_err();
    assert!(matches!(error, OfficeError::UnknownRecord(_)), "{error}");
    let query = HistoryQuery { field: Some("cat".to_owned()), ..HistoryQuery::default() };
    let error = office::history(&*read, record, &query).unwrap_err();
    assert!(matches!(error, OfficeError::Storage(StorageError::Query(_))), "{error}");
    for cursor in ["", "1", "1.2", "a.b.c", "1.2.3.4", "-1.0.0"] {
        assert!(cursor.parse::<office::Place>().is_err(), "{cursor}");
    }
}
