//! Undo: what a tap wrote is taken back, where nobody has written since, and back again.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "support/dice.rs"]
mod dice;
#[path = "support/pair.rs"]
mod pair;

use dice::Dice;
use outrider_core::{
    domain::history::What,
    ids::RecordId,
    replica::{
        Replica, ReplicaError,
        undo::{Reason, UNDO_TAPS_MAX, Undone},
    },
    schema::{Field, Kind, sample},
};
use pair::{acknowledge, bring, enrolled, fields, open};
use serde_json::{Map, Value as Json, json};

/// A record without what undo adds to: the log that the program keeps.
fn shown(replica: &Replica, id: RecordId) -> Json {
    let mut record = replica.get(id).unwrap().unwrap();
    record.as_object_mut().unwrap().remove("stages");
    record
}

fn last(replica: &Replica) -> i64 {
    replica.undoable(1).unwrap()[0].group
}

/// Takes the last tap back; nothing of it may stay.
fn undo(replica: &mut Replica) -> Undone {
    let undone = replica.undo(last(replica)).unwrap();
    assert!(undone.skipped.is_empty(), "{undone:?}");
    undone
}

fn is_edited_by_people(field: &Field) -> bool {
    !matches!(field.kind, Kind::Once | Kind::Office | Kind::Log) && !field.by_program
}

#[test]
fn every_field_of_every_entity_is_taken_back_and_back_again() {
    let mut dice = Dice::new();
    let mut draw = move |limit: u32| dice.below(limit as usize) as u32;
    let (_folder, mut replica) = enrolled(1, "Ada");
    for entity in replica.schema().entities() {
        let id = replica.create(&entity.name, &sample::record(entity, &mut draw)).unwrap();
        for field in entity.fields.iter().filter(|field| is_edited_by_people(field)) {
            {
                let is_acknowledged = draw(2) == 0;
                let before = shown(&replica, id);
                let edit = sample::edit(entity, field, &mut draw);
                let edit = Map::from_iter([(field.name.clone(), edit)]);
                if !replica.update(id, &edit).unwrap() {
                    continue;
                }
                let after = shown(&replica, id);
                if is_acknowledged {
                    acknowledge(&mut replica);
                }
                let name = format!("{}.{}: {edit:?}", entity.name, field.name);
                undo(&mut replica);
                assert_eq!(shown(&replica, id), before, "{name}");
                undo(&mut replica);
                assert_eq!(shown(&replica, id), after, "{name}");
            }
        }
        // Rows and members go and come back; fields are cleared.
        for field in entity.fields.iter().filter(|field| is_edited_by_people(field)) {
            let record = shown(&replica, id);
            let Some(value) = record.get(&field.name) else { continue };
            let edit = match (field.kind, value) {
                (Kind::Set, Json::Array(members)) => json!({"remove": [members[0]]}),
                (Kind::Rows, Json::Array(rows)) => json!({"remove": [rows[0]["id"]]}),
                (Kind::Register, _) if !field.required => Json::Null,
                (Kind::Text, _) => json!(""),
                _ => continue,
            };
            assert!(replica.update(id, &Map::from_iter([(field.name.clone(), edit)])).unwrap());
            let after = shown(&replica, id);
            undo(&mut replica);
            assert_eq!(shown(&replica, id), record, "{}.{}", entity.name, field.name);
            undo(&mut replica);
            assert_eq!(shown(&replica, id), after, "{}.{}", entity.name, field.name);
        }
    }
    let rows = replica.dump_rows().unwrap();
    replica.rebuild_rows().unwrap();
    assert_eq!(replica.dump_rows().unwrap(), rows);
}

#[test]
fn many_taps_are_taken_back_one_after_the_other() {
    let mut dice = Dice::new();
    let mut draw = move |limit: u32| dice.below(limit as usize) as u32;
    let (folder, mut replica) = enrolled(1, "Ada");
    let schema = replica.schema();
    let entity = schema.entity("opportunity").unwrap();
    let id = replica.create("opportunity", &sample::record(entity, &mut draw)).unwrap();
    let names: Vec<&Field> = entity.fields.iter().filter(|f| is_edited_by_people(f)).collect();
    let mut before = Vec::new();
    while before.len() < 30 {
        let state = shown(&replica, id);
        let mut edit = Map::new();
        for _ in 0..3 {
            let field = names[draw(names.len() as u32) as usize];
            edit.insert(field.name.clone(), sample::edit(entity, field, &mut draw));
        }
        if replica.update(id, &edit).unwrap() {
            before.push((last(&replica), state));
        }
        if draw(4) == 0 {
            acknowledge(&mut replica);
        }
    }
    drop(replica);
    let mut replica = open(folder.path(), 1);
    for (group, state) in before.into_iter().rev() {
        let undone = replica.undo(group).unwrap();
        assert!(undone.skipped.is_empty(), "{undone:?}");
        assert_eq!(shown(&replica, id), state);
    }
}

#[test]
fn what_a_colleague_wrote_since_stays_and_the_answer_says_who() {
    let (_ada, mut ada) = enrolled(1, "Ada");
    let (_ben, mut ben) = enrolled(2, "Ben");
    let deal = json!({"name": "Pumps", "sales_stage": "proposal", "next_step": "Call",
                      "tags": ["old"], "description": "first"});
    let id = ada.create("opportunity", &fields(deal)).unwrap();
    acknowledge(&mut ada);
    bring(&ada, (1, "Ada"), &mut ben, id);
    ada.update(
        id,
        &fields(json!({
            "name": "Pumps A", "next_step": "Write", "sales_stage": "negotiation",
            "tags": {"add": ["vip"], "remove": ["old"]}, "description": "first and second",
            "lines": {"add": [{"qty": "1", "name": "GTX"}]}, "expected_amount": "5 CNY",
        })),
    )
    .unwrap();
    let group = last(&ada);
    acknowledge(&mut ada);
    bring(&ada, (1, "Ada"), &mut ben, id);
    let row = ben.get(id).unwrap().unwrap()["lines"][0]["id"].as_str().unwrap().to_owned();
    ben.update(
        id,
        &fields(json!({
            "name": "Pumps B", "tags": {"add": ["old"]}, "description": "first and second, third",
            "lines": {"edit": { row.clone(): {"note": "soon"}}},
        })),
    )
    .unwrap();
    bring(&ben, (2, "Ben"), &mut ada, id);
    ada.update(id, &fields(json!({"expected_amount": "6 CNY"}))).unwrap();
    let undone = ada.undo(group).unwrap();
    let mut skipped: Vec<(&str, Reason, bool, Option<&str>)> = undone
        .skipped
        .iter()
        .map(|one| (one.key.as_str(), one.reason, one.is_own, one.by.as_deref()))
        .collect();
    skipped.sort_by_key(|one| one.0);
    let since = Reason::WrittenSince;
    let row = format!("lines/{row}");
    assert_eq!(
        skipped,
        [
            ("description", since, false, Some("Ben")),
            ("expected_amount", since, true, None),
            (row.as_str(), since, false, Some("Ben")),
            ("name", since, false, Some("Ben")),
            ("tags/old", since, false, Some("Ben")),
        ]
    );
    let record = ada.get(id).unwrap().unwrap();
    assert_eq!(record["name"], "Pumps B");
    assert_eq!(record["next_step"], "Call");
    assert_eq!(record["sales_stage"], "proposal");
    assert_eq!(record["tags"], json!(["old"]));
    assert_eq!(record["description"], "first and second, third");
    assert_eq!(record["lines"].as_array().unwrap().len(), 1);
    assert_eq!(record["expected_amount"]["minor"], 600);
    // The stage moved back by a further entry; none was taken away.
    let moves: Vec<_> =
        record["stages"].as_array().unwrap().iter().map(|e| &e["to_stage"]).collect();
    assert_eq!(moves, ["proposal", "negotiation", "proposal"]);
    let told: Vec<_> = undone.items.iter().map(|item| (item.key.as_str(), item.what)).collect();
    assert!(told.contains(&("next_step", What::Changed)), "{told:?}");
    assert!(told.contains(&("tags/vip", What::Removed)), "{told:?}");
}

#[test]
fn a_value_beside_a_concurrent_one_stays() {
    let (_ada, mut ada) = enrolled(1, "Ada");
    let (_ben, mut ben) = enrolled(2, "Ben");
    let id = ada.create("customer", &fields(json!({"company_name": "Acme"}))).unwrap();
    bring(&ada, (1, "Ada"), &mut ben, id);
    ada.update(id, &fields(json!({"short_name": "1", "visits": {"add": 3}}))).unwrap();
    ben.update(id, &fields(json!({"short_name": "2", "visits": {"add": 4}}))).unwrap();
    bring(&ben, (2, "Ben"), &mut ada, id);
    let undone = ada.undo(last(&ada)).unwrap();
    assert_eq!(undone.skipped.len(), 1);
    assert_eq!(
        (undone.skipped[0].key.as_str(), undone.skipped[0].by.as_deref()),
        ("short_name", Some("Ben"))
    );
    // Counts need no care: the step goes back, whatever others counted.
    assert_eq!(ada.get(id).unwrap().unwrap()["visits"], 4);
    assert_eq!(ada.conflicts(Some(id)).unwrap().len(), 1);
}

#[test]
fn records_are_archived_and_come_back() {
    let (_ada, mut ada) = enrolled(1, "Ada");
    let (_ben, mut ben) = enrolled(2, "Ben");
    let make = json!({"company_name": "Acme", "credit_limit": "5 CNY", "notes": "hello"});
    let id = ada.create("customer", &fields(make)).unwrap();
    let created = last(&ada);
    let is_archived = |replica: &Replica| shown(replica, id).get("is_archived").is_some();
    let undone = undo(&mut ada);
    assert!(is_archived(&ada));
    assert_eq!(undone.items[0].what, What::Archived);
    undo(&mut ada);
    assert!(!is_archived(&ada));
    ada.archive(id).unwrap();
    undo(&mut ada);
    assert!(!is_archived(&ada));
    undo(&mut ada);
    assert!(is_archived(&ada));
    ada.restore(id).unwrap();
    let restored = last(&ada);
    bring(&ada, (1, "Ada"), &mut ben, id);
    ben.update(id, &fields(json!({"short_name": "2"}))).unwrap();
    bring(&ben, (2, "Ben"), &mut ada, id);
    // Now archiving would hide what Ben wrote.
    for group in [restored, created] {
        let undone = ada.undo(group).unwrap();
        assert_eq!((undone.by_group, undone.skipped[0].by.as_deref()), (None, Some("Ben")));
        assert!(!is_archived(&ada));
    }
}

#[test]
fn a_tap_over_several_records_is_taken_back_whole_and_lists_say_so() {
    let (_folder, mut replica) = enrolled(1, "Ada");
    let acme = replica.create("customer", &fields(json!({"company_name": "Acme"}))).unwrap();
    let deal = replica
        .transaction(|writer| {
            writer.group(|writer| {
                writer.update(acme, &fields(json!({"short_name": "1"})))?;
                writer.update(acme, &fields(json!({"short_name": "2", "lifecycle": "active"})))?;
                let deal = json!({"name": "Pumps", "customer_id": acme, "sales_stage": "proposal"});
                writer.create("opportunity", None, &fields(deal))
            })
        })
        .unwrap();
    let group = last(&replica);
    let taps = replica.undoable(10).unwrap();
    assert_eq!(taps.len(), 2);
    let keys: Vec<_> =
        taps[0].items.iter().map(|item| (item.title.as_str(), item.key.as_str())).collect();
    assert_eq!(
        keys,
        [("Acme", "short_name"), ("Acme", "lifecycle"), ("Acme", "short_name"), ("Pumps", "")]
    );
    let undone = undo(&mut replica);
    let record = replica.get(acme).unwrap().unwrap();
    assert!(record.get("short_name").is_none() && record.get("lifecycle").is_none(), "{record}");
    assert_eq!(replica.get(deal).unwrap().unwrap()["is_archived"], true);
    let taps = replica.undoable(10).unwrap();
    assert_eq!(taps[0].group, undone.by_group.unwrap());
    assert_eq!((taps[0].undoes, taps[0].is_undone), (Some(group), false));
    assert!(taps[1].is_undone && !taps[2].is_undone);
    undo(&mut replica);
    let taps = replica.undoable(10).unwrap();
    assert!(taps[1].is_undone && !taps[2].is_undone, "what was taken back twice stands again");
    assert_eq!(replica.get(acme).unwrap().unwrap()["short_name"], "2");
    // Taking back what was taken back already finds nothing of it.
    let again = replica.undo(taps[1].group).unwrap();
    assert_eq!(again.by_group, None);
}

#[test]
fn only_the_last_taps_are_offered() {
    let (_folder, mut replica) = enrolled(1, "Ada");
    assert!(replica.undoable(10).unwrap().is_empty());
    assert!(matches!(replica.undo(1), Err(ReplicaError::NoTap(1))));
    let id = replica.create("customer", &fields(json!({"company_name": "Acme"}))).unwrap();
    for n in 0..=UNDO_TAPS_MAX {
        replica.update(id, &fields(json!({"employees": n}))).unwrap();
    }
    assert_eq!(replica.undoable(usize::MAX).unwrap().len(), UNDO_TAPS_MAX);
    assert_eq!(replica.undoable(3).unwrap().len(), 3);
    let entries = json!({"name": "X", "sales_stage": "won"});
    let deal = replica.create("opportunity", &fields(entries)).unwrap();
    replica.update(deal, &fields(json!({"sales_stage": "lost"}))).unwrap();
    let undone = replica.undo(last(&replica)).unwrap();
    assert!(undone.skipped.is_empty(), "{undone:?}");
}

#[test]
fn what_was_written_before_enrolment_is_taken_back_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let mut replica = open(folder.path(), 1);
    let id = replica.create("customer", &fields(json!({"company_name": "Acme"}))).unwrap();
    replica
        .update(id, &fields(json!({"short_name": "1", "visits": {"add": 2}, "notes": "a"})))
        .unwrap();
    let before = shown(&replica, id);
    replica.update(id, &fields(json!({"short_name": "2", "visits": {"add": 5}}))).unwrap();
    let group = last(&replica);
    let enrolment = {
        let (_other, other) = enrolled(3, "Ada");
        other.enrolment().unwrap().unwrap()
    };
    replica.enroll(&enrolment).unwrap();
    let undone = replica.undo(group).unwrap();
    assert!(undone.skipped.is_empty(), "{undone:?}");
    assert_eq!(shown(&replica, id), before);
}
