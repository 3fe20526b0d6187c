//! A device's bundle is lived through again, and everybody agrees afterwards.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on panics")]

use outrider_core::{
    bundle::Structure,
    replica::{Options, Replica},
    store::Durability,
};
use outrider_sim::replay;
use serde_json::{Map, Value as Json, json};

fn fields(json: Json) -> Map<String, Json> {
    json.as_object().unwrap().clone()
}

#[test]
fn a_bundle_is_lived_through_again_with_the_same_edits() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { seed: Some(3), durability: Durability::None, ..Options::default() };
    let mut replica = Replica::open(&folder.path().join("device"), options).unwrap();
    let mut records = Vec::new();
    for number in 0..5 {
        let all = json!({
            "company_name": format!("Acme 三川 {number}"), "employees": 12, "tags": ["vip"],
            "visits": 2, "notes": "first words",
        });
        records.push(replica.create("customer", &fields(all)).unwrap());
    }
    for record in &records {
        let edit = json!({
            "employees": 13, "tags": { "add": ["neu"] }, "visits": { "add": 1 }, "notes": "others",
        });
        replica.update(*record, &fields(edit)).unwrap();
    }
    let bundle = replica.bundle([9; 32], &[], None).unwrap();
    let file = folder.path().join("bundle.zip");
    bundle.write(&file).unwrap();
    let mut structure = Structure::read(&file).unwrap();
    // A colleague wrote in the same fields, unseen.
    for edit in structure.taps.iter_mut().flat_map(|tap| &mut tap.edits) {
        if edit.fields.contains_key("employees") {
            edit.beside.push("employees".to_owned());
        }
    }
    let replayed = replay(&structure, 1, false);
    assert!(replayed.outcome.is_good(), "{replayed:?}");
    assert_eq!(replayed.left_out, Vec::<String>::new());
    assert!(replayed.edits >= 10, "{replayed:?}");
    assert_eq!(replay(&structure, 1, false).outcome.trace, replayed.outcome.trace);
}
