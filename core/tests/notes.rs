//! Long notes typed by two people, who changed what, and what takes how much.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "support/pair.rs"]
mod pair;

use outrider_core::{
    domain::history::What,
    ids::{Part, RecordId},
    replica::{
        Replica, ReplicaError,
        history::Progress,
        typing::{SPLICES_MAX, SeenText, Splice, TextEdit},
    },
    schema::Type,
    sync::frame::DocumentName,
};
use pair::{acknowledge, bring, enrolled, fields};
use serde_json::json;

fn splice(at: usize, delete: usize, insert: &str) -> Splice {
    Splice { at, delete, insert: insert.to_owned() }
}

#[test]
fn two_people_type_in_one_note_and_both_stay() {
    let (_ada, mut ada) = enrolled(1, "Ada");
    let (_ben, mut ben) = enrolled(2, "Ben");
    let make = json!({"company_name": "Acme", "notes": "拜访 Monday 10:00"});
    let id = ada.create("customer", &fields(make)).unwrap();
    bring(&ada, (1, "Ada"), &mut ben, id);
    let typed = TextEdit::Splices(vec![splice(3, 6, "Tuesday"), splice(0, 0, "! ")]);
    assert!(ada.edit_text(id, "notes", &typed, None).unwrap());
    let typed = TextEdit::Append("Bring the pump".to_owned());
    assert!(ben.edit_text(id, "notes", &typed, None).unwrap());
    bring(&ada, (1, "Ada"), &mut ben, id);
    bring(&ben, (2, "Ben"), &mut ada, id);
    let both = "! 拜访 Tuesday 10:00\nBring the pump";
    assert_eq!(ada.text(id, "notes").unwrap().text, both);
    assert_eq!(ben.text(id, "notes").unwrap(), ada.text(id, "notes").unwrap());
    assert_eq!(ada.get(id).unwrap().unwrap()["notes"], both);
    assert!(!ada.edit_text(id, "notes", &TextEdit::Text(both.to_owned()), None).unwrap());
}

#[test]
fn an_edit_of_an_older_version_is_merged_with_what_came_meanwhile() {
    let (_ada, mut ada) = enrolled(1, "Ada");
    let (_ben, mut ben) = enrolled(2, "Ben");
    let make = json!({"company_name": "Acme", "notes": "one two three"});
    let id = ada.create("customer", &fields(make)).unwrap();
    bring(&ada, (1, "Ada"), &mut ben, id);
    // Ada opens the note in an editor; Ben's words arrive, and Ada writes some elsewhere.
    let SeenText { text, heads } = ada.text(id, "notes").unwrap();
    ben.edit_text(id, "notes", &TextEdit::Splices(vec![splice(4, 3, "TWO")]), None).unwrap();
    bring(&ben, (2, "Ben"), &mut ada, id);
    ada.edit_text(id, "notes", &TextEdit::Append("four".to_owned()), None).unwrap();
    let saved = TextEdit::Text(text.replace("one", "ONE"));
    assert!(ada.edit_text(id, "notes", &saved, Some(&heads)).unwrap());
    assert_eq!(ada.text(id, "notes").unwrap().text, "ONE TWO three\nfour");
    // The replica goes on, and the other device can take all of it.
    ada.edit_text(id, "notes", &TextEdit::Append("five".to_owned()), None).unwrap();
    acknowledge(&mut ada);
    bring(&ada, (1, "Ada"), &mut ben, id);
    assert_eq!(ben.text(id, "notes").unwrap().text, "ONE TWO three\nfour\nfive");
    let group = ada.undoable(1).unwrap()[0].group;
    assert!(ada.undo(group).unwrap().skipped.is_empty());
    assert_eq!(ada.text(id, "notes").unwrap().text, "ONE TWO three\nfour");
}

fn append(text: &str) -> TextEdit {
    TextEdit::Append(text.to_owned())
}

/// A device that wrote a note under one number twice: its folder was put back to an earlier copy.
struct Twice {
    _folders: [tempfile::TempDir; 2],
    /// The record.
    id: RecordId,
    /// Has "one", and "forgotten", which the office took.
    ada: Replica,
    /// Has "one", and writes on.
    again: Replica,
}

fn twice() -> Twice {
    let (folder, mut ada) = enrolled(1, "Ada");
    let id = ada.create("customer", &fields(json!({"company_name": "Acme"}))).unwrap();
    ada.edit_text(id, "notes", &append("one"), None).unwrap();
    acknowledge(&mut ada);
    drop(ada);
    let earlier = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            std::fs::copy(file.path(), earlier.path().join(file.file_name())).unwrap();
        }
    }
    let mut ada = pair::open(folder.path(), 3);
    ada.edit_text(id, "notes", &append("forgotten"), None).unwrap();
    acknowledge(&mut ada);
    let again = pair::open(earlier.path(), 4);
    Twice { _folders: [folder, earlier], id, ada, again }
}

/// What a colleague has of a note is not what a server has that was put back and heard the other copy first
/// (simulated world 30000089): every session broke off.
#[test]
fn a_note_in_which_the_office_has_another_change_is_fetched_whole() {
    let Twice { _folders, id, ada, mut again } = twice();
    let (_ben, mut ben) = enrolled(2, "Ben");
    bring(&ada, (1, "Ada"), &mut ben, id);
    again.edit_text(id, "notes", &append("other"), None).unwrap();
    let effect = bring(&again, (1, "Ada"), &mut ben, id);
    let notes = DocumentName { record: id, part: Part::Text("notes".to_owned()) };
    assert_eq!((&effect.parted, &effect.needs_whole), (&vec![notes.clone()], &vec![notes]));
    assert_eq!(ben.text(id, "notes").unwrap().text, "one\nforgotten", "as it was, meanwhile");
}

/// The server's note has another change by the name of the edit that waits here, because the device's folder
/// was put back to an earlier copy (simulated world 10000374): the edit went into the inbox.
#[test]
fn an_edit_of_a_device_that_was_rolled_back_stands_beside_what_it_had_forgotten() {
    let Twice { _folders, id, ada, mut again } = twice();
    let (_ben, mut ben) = enrolled(2, "Ben");
    bring(&ada, (1, "Ada"), &mut ben, id);
    ben.edit_text(id, "notes", &append("ben's"), None).unwrap();
    again.edit_text(id, "notes", &append("typed"), None).unwrap();
    bring(&ben, (2, "Ben"), &mut again, id);
    let text = again.text(id, "notes").unwrap().text;
    for part in ["one", "forgotten", "ben's", "typed"] {
        assert_eq!(text.matches(part).count(), 1, "{text}");
    }
    assert_eq!(again.status().unwrap().refusals, 0);
    assert_eq!(again.status().unwrap().waiting, 1);
    acknowledge(&mut again);
    bring(&again, (1, "Ada"), &mut ben, id);
    assert_eq!(ben.text(id, "notes").unwrap().text, text);
}

#[test]
fn what_does_not_fit_a_text_is_refused_and_changes_nothing() {
    let (_ada, mut ada) = enrolled(1, "Ada");
    let id = ada.create("customer", &fields(json!({"company_name": "Acme"}))).unwrap();
    assert_eq!(ada.text(id, "notes").unwrap(), SeenText::default());
    let append = TextEdit::Append("first".to_owned());
    assert!(ada.edit_text(id, "notes", &append, Some(&[])).unwrap());
    let waiting = ada.status().unwrap().waiting;
    let Type::Text { max } = ada.entity("customer").unwrap().field("notes").unwrap().ty else {
        panic!("notes are a text")
    };
    let refused = [
        ("notes", TextEdit::Append("长".repeat(max))),
        ("notes", TextEdit::Splices(vec![splice(0, 0, "x"), splice(7, 0, "y")])),
        ("notes", TextEdit::Splices(vec![splice(0, 0, "x"); SPLICES_MAX + 1])),
        ("company_name", append.clone()),
        ("warp", append),
    ];
    for (field, edit) in refused {
        assert!(ada.edit_text(id, field, &edit, None).is_err(), "{field}");
    }
    let unknown = outrider_core::ids::ChangeHash([7; 32]);
    let edit = TextEdit::Text("x".to_owned());
    assert!(ada.edit_text(id, "notes", &edit, Some(&[unknown])).is_err());
    assert_eq!(ada.text(id, "notes").unwrap().text, "first");
    assert_eq!(ada.status().unwrap().waiting, waiting);
}

#[test]
fn a_device_knows_what_it_wrote_and_who_wrote_what_it_has() {
    let (_ada, mut ada) = enrolled(1, "Ada");
    let (_ben, mut ben) = enrolled(2, "Ben");
    let make = json!({"company_name": "Acme", "tags": ["vip"], "notes": "hello"});
    let id = ada.create("customer", &fields(make)).unwrap();
    acknowledge(&mut ada);
    bring(&ada, (1, "Ada"), &mut ben, id);
    ben.update(id, &fields(json!({"employees": 7, "visits": {"add": 2}, "notes": "hello you"})))
        .unwrap();
    bring(&ben, (2, "Ben"), &mut ada, id);
    ada.update(id, &fields(json!({"company_name": "Acme Ltd"}))).unwrap();
    let history = ada.history(id, None).unwrap();
    let found = |key: &str, by: &str, progress: Progress| {
        let of = |e: &&_| {
            let e: &outrider_core::replica::history::LocalChange = e;
            e.key == key && e.by.as_deref() == Some(by) && e.progress == progress
        };
        history.iter().find(of).unwrap_or_else(|| panic!("{key} {by}: {history:?}")).clone()
    };
    let name = found("company_name", "Ada", Progress::Waiting);
    assert_eq!((name.old, name.new, name.is_own), (json!("Acme"), json!("Acme Ltd"), true));
    assert_eq!(found("tags/vip", "Ada", Progress::Acknowledged).what, What::Added);
    let employees = found("employees", "Ben", Progress::Arrived);
    assert_eq!((employees.new, employees.is_own), (json!(7), false));
    assert_eq!(found("visits", "Ben", Progress::Arrived).new, json!({"count": 2}));
    let typed = found("notes", "Ben", Progress::Arrived);
    assert_eq!((typed.old, typed.new), (json!("hello"), json!("hello you")));
    assert!(typed.made_at.is_some());
    assert_eq!(ada.history(id, Some("notes")).unwrap().len(), 2);
    let nobody = RecordId::from_bytes([9; 16]);
    assert!(matches!(ada.history(nobody, None), Err(ReplicaError::UnknownRecord(_))));
}

#[test]
fn what_takes_how_much_is_counted_by_entity() {
    let (_ada, mut ada) = enrolled(1, "Ada");
    let make = json!({"company_name": "Acme", "notes": "hello", "credit_limit": "5 CNY"});
    let id = ada.create("customer", &fields(make)).unwrap();
    acknowledge(&mut ada);
    ada.create("product", &fields(json!({"name": "GTX"}))).unwrap();
    ada.update(id, &fields(json!({"short_name": "A"}))).unwrap();
    let storage = ada.storage().unwrap();
    let names: Vec<&str> = storage.entities.iter().map(|sizes| sizes.entity.as_str()).collect();
    assert_eq!(names, ["customer", "product"]);
    let customer = &storage.entities[0];
    assert_eq!((customer.records, customer.documents), (1, 3));
    assert_eq!((customer.own_changes, customer.waiting), (4, 1));
    assert!(customer.state_bytes > 0 && customer.text_bytes > 0 && customer.confirmed_bytes > 0);
    assert_eq!(storage.entities[1].text_bytes, 0);
    assert!(storage.file_bytes >= storage.log_bytes && storage.database_bytes > 0);
}
