//! Histories: entries that lead from nothing to what the record shows.

use std::collections::BTreeMap;

use outrider_core::{
    crdt::{EncodedChange, Own, State, archive::ARCHIVED, text::TextDocument, write},
    domain::{
        history::{
            EXCERPT_CHARS_MAX, FieldChange, Fold, TEXT_STEPS_MAX, What, excerpt, field_changes,
            state_at, text_changes,
        },
        record::{Documents, to_json},
    },
    ids::{Part, RecordId},
};
use serde_json::{Map, Value as Json, json};

use super::{
    dice::cases,
    world::{actor, archived, delete, entity, put, random_edits, stamp},
};

/// People who write in one document, and a server at which their changes arrive.
struct Office {
    fold: Fold<'static>,
    entries: Vec<FieldChange<usize>>,
    changes: Vec<EncodedChange>,
}

#[derive(Clone)]
struct Person {
    state: State,
    own: Option<Own>,
    number: u8,
    waiting: Vec<EncodedChange>,
}

impl Person {
    fn new(number: u8) -> Self {
        Self { state: State::default(), own: None, number, waiting: Vec::new() }
    }

    fn write(&mut self, edits: Vec<outrider_core::crdt::Edit>) {
        let stamp = stamp(actor(self.number, 0), i64::from(self.number) * 1_000);
        self.waiting.push(write(&mut self.state, &mut self.own, stamp, edits).unwrap());
    }

    fn push(&mut self, office: &mut Office) {
        for change in self.waiting.drain(..) {
            let number = office.changes.len();
            office.entries.extend(office.fold.apply(&change, &number));
            office.changes.push(change);
        }
    }

    fn pull(&mut self, office: &Office) {
        self.state.join(office.fold.state());
    }
}

fn office() -> Office {
    let fold = Fold::new(entity(), Part::Main);
    Office { fold, entries: Vec::new(), changes: Vec::new() }
}

fn shown(state: &State) -> Map<String, Json> {
    let documents =
        Documents { flat: BTreeMap::from([(Part::Main, state.clone())]), texts: BTreeMap::new() };
    let json = to_json(entity(), RecordId::from_bytes([7; 16]), &documents);
    json.as_object().unwrap().clone()
}

/// Puts a record together from nothing but entries, and checks that each begins where the one
/// before it ended.
fn replayed(entries: &[FieldChange<usize>]) -> Map<String, Json> {
    let mut plain: BTreeMap<&str, Json> = BTreeMap::new();
    let mut rows: BTreeMap<&str, Json> = BTreeMap::new();
    for entry in entries {
        let pieces: Vec<&str> = entry.key.split('/').collect();
        match pieces.as_slice() {
            ["lines", row] => {
                if entry.what != What::CameBack {
                    assert_eq!(rows.get(row).unwrap_or(&Json::Null), &entry.old, "{entry:?}");
                }
                rows.insert(row, entry.new.clone());
            }
            ["lines", row, column] => {
                let cells = rows.get_mut(row).unwrap().as_object_mut().unwrap();
                let before = cells.insert((*column).to_owned(), entry.new.clone());
                assert_eq!(before.unwrap_or(Json::Null), entry.old, "{entry:?}");
            }
            _ => {
                let before = plain.insert(&entry.key, entry.new.clone());
                let nothing = if entry.key == ARCHIVED { json!(false) } else { Json::Null };
                assert_eq!(before.unwrap_or(nothing), entry.old, "{entry:?}");
            }
        }
    }
    let mut record = Map::new();
    let mut list = |name: &str, item: Json| {
        let items = record.entry(name).or_insert_with(|| json!([]));
        items.as_array_mut().unwrap().push(item);
    };
    rows.into_values().filter(|row| !row.is_null()).for_each(|row| list("lines", row));
    let logs_and_tags = plain.iter().filter(|(key, json)| key.contains('/') && !json.is_null());
    logs_and_tags.for_each(|(key, json)| list(key.split('/').next().unwrap(), json.clone()));
    for (key, json) in plain.into_iter().filter(|(key, json)| !key.contains('/') && !json.is_null())
    {
        if key == ARCHIVED {
            if json == json!(true) {
                record.insert("is_archived".to_owned(), json);
            }
        } else {
            record.insert(key.to_owned(), json);
        }
    }
    record
}

/// Order among the entries of a log is not what is compared here.
fn comparable(mut record: Map<String, Json>) -> Map<String, Json> {
    for name in ["id", "entity", "conflicts", "is_revived"] {
        record.remove(name);
    }
    for items in record.values_mut().filter_map(Json::as_array_mut) {
        items.sort_by_key(Json::to_string);
    }
    record
}

#[test]
fn entries_lead_from_nothing_to_what_the_record_shows() {
    cases(60, |dice| {
        let mut office = office();
        let mut people: Vec<Person> = (1..=3).map(Person::new).collect();
        for _ in 0..60 {
            let person = &mut people[dice.below(3)];
            match dice.below(5) {
                0 => person.push(&mut office),
                1 => person.pull(&office),
                _ => {
                    let edits = random_edits(dice, &person.state, actor(person.number, 0));
                    person.write(edits);
                }
            }
            let record = comparable(shown(office.fold.state()));
            assert_eq!(comparable(replayed(&office.entries)), record);
        }
        // As it was: the same as folding that far.
        let count = dice.below(office.changes.len() + 1);
        let past = state_at(&office.changes, count);
        let until: Vec<_> =
            office.entries.iter().filter(|entry| entry.meta < count).cloned().collect();
        assert_eq!(comparable(replayed(&until)), comparable(shown(&past)));
        // All at once gives the same entries.
        let changes = office.changes.iter().cloned().zip(0..);
        let entries: Vec<_> = field_changes(entity(), Part::Main, changes).collect();
        assert_eq!(entries, office.entries);
        // A change that comes twice does nothing.
        for change in &office.changes {
            assert!(office.fold.apply(change, &0).is_empty());
        }
    });
}

#[test]
fn what_was_typed_beside_a_colleague_is_told_and_so_is_the_choice() {
    let mut office = office();
    let (mut ada, mut ben) = (Person::new(2), Person::new(1));
    ada.write(vec![put("amount", "CNY 100")]);
    ada.push(&mut office);
    ben.pull(&office);
    ada.write(vec![put("amount", "CNY 200")]);
    ben.write(vec![put("amount", "CNY 300")]);
    ada.push(&mut office);
    ben.push(&mut office);
    ada.pull(&office);
    ada.write(vec![put("amount", "CNY 200")]);
    ada.push(&mut office);
    let minor = |json: &Json| json["minor"].as_i64();
    let told: Vec<_> = office
        .entries
        .iter()
        .map(|e| (e.what, minor(&e.old), minor(&e.new), e.is_conflict, e.actor == actor(2, 0)))
        .collect();
    assert_eq!(
        told,
        [
            (What::Changed, None, Some(100), false, true),
            (What::Changed, Some(100), Some(200), false, true),
            (What::Changed, Some(200), Some(200), true, false),
            (What::Settled, Some(200), Some(200), false, true),
        ]
    );
    assert_eq!(minor(office.entries[2].written.as_ref().unwrap()), Some(300));
    assert_eq!(office.entries[1].written, None);
}

#[test]
fn rows_go_and_come_back_and_records_too() {
    let mut office = office();
    let (mut ada, mut ben) = (Person::new(1), Person::new(2));
    let qty = "lines/row0000000/qty";
    ada.write(vec![put(qty, "1"), put("name", "Pump")]);
    ada.push(&mut office);
    ben.pull(&office);
    let removal = ada.state.delete_row("lines", "row0000000").unwrap();
    ada.write(vec![removal]);
    ben.write(vec![put(qty, "2")]);
    ada.push(&mut office);
    ben.push(&mut office);
    ada.pull(&office);
    ada.write(vec![put(ARCHIVED, archived(&ada.state).to_value())]);
    ada.push(&mut office);
    ben.write(vec![put("tags/vip", true)]);
    ben.push(&mut office);
    ada.pull(&office);
    ada.write(vec![delete(ARCHIVED), delete("tags/vip")]);
    ada.push(&mut office);
    let told: Vec<_> = office.entries.iter().map(|e| (e.key.as_str(), e.what)).collect();
    assert_eq!(
        told,
        [
            ("lines/row0000000", What::Added),
            ("name", What::Changed),
            ("lines/row0000000", What::Removed),
            ("lines/row0000000", What::CameBack),
            (ARCHIVED, What::Archived),
            ("tags/vip", What::Added),
            (ARCHIVED, What::Revived),
            ("tags/vip", What::Removed),
            (ARCHIVED, What::Restored),
        ]
    );
    assert_eq!(office.entries[3].new["qty"], "2");
    assert!(office.entries[6].ops.is_empty());
}

#[test]
fn texts_are_told_by_the_place_that_differs() {
    let mut text = TextDocument::new().unwrap();
    let mut changes = Vec::new();
    for words in ["Call back on Monday", "Call Ann back on Monday", "Call Ann back"] {
        changes.extend(text.edit(actor(1, 1), 5_000, words).unwrap());
    }
    let changes: Vec<(Vec<u8>, u32)> =
        changes.into_iter().zip(0..).map(|(change, number)| (change.bytes, number)).collect();
    let entries = text_changes("notes", &changes, 0).unwrap();
    let told: Vec<_> = entries.iter().map(|e| (&e.old, &e.new, e.meta)).collect();
    assert_eq!(
        told,
        [
            (&Json::Null, &json!("Call back on Monday"), 0),
            (&json!("Call back on Monday"), &json!("Call Ann back on Monday"), 1),
            (&json!("Call Ann back on Monday"), &json!("Call Ann back"), 2),
        ]
    );
    assert_eq!(text_changes("notes", &changes, 2).unwrap(), entries[2..]);
    assert!(text_changes("notes", &changes, 3).unwrap().is_empty());
    let gap = [changes[0].clone(), changes[2].clone()];
    assert!(text_changes("notes", &gap, 0).is_err());
}

#[test]
fn excerpts_and_pages_of_texts_are_bounded() {
    let long = "山".repeat(50_000);
    let found = excerpt("", &long);
    assert_eq!((found.at, found.added), (0, 50_000));
    assert!(found.new.chars().count() <= EXCERPT_CHARS_MAX + 3);
    let found = excerpt(&long, &[long.as_str(), "水", long.as_str()].concat());
    assert_eq!((found.removed, found.added), (0, 50_001));
    let mut text = TextDocument::new().unwrap();
    let mut changes = Vec::new();
    for count in 1..=TEXT_STEPS_MAX + 1 {
        let change = text.edit(actor(1, 1), 5_000, &"x".repeat(count)).unwrap().unwrap();
        changes.push((change.bytes, ()));
    }
    assert_eq!(text_changes("notes", &changes, 0).unwrap().len(), TEXT_STEPS_MAX);
    assert_eq!(text_changes("notes", &changes, TEXT_STEPS_MAX).unwrap().len(), 1);
}
