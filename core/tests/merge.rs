//! Two records that are the same become one, and two again.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "support/pair.rs"]
mod pair;

use std::collections::BTreeSet;

use outrider_core::{
    domain::merge::MergeError,
    ids::RecordId,
    likeness::Verdict,
    replica::{Replica, ReplicaError},
    store::{
        query::{Compare, Filter, Query},
        search::SearchQuery,
        timeline::TimelineQuery,
    },
};
use pair::{bring, enrolled, fields};
use serde_json::{Value as Json, json};

fn none() -> BTreeSet<String> {
    BTreeSet::new()
}

fn add(replica: &mut Replica, entity: &str, json: Json) -> RecordId {
    replica.create(entity, &fields(json)).unwrap()
}

fn get(replica: &Replica, id: RecordId) -> Json {
    replica.get(id).unwrap().unwrap()
}

fn listed(replica: &Replica, entity: &str, by: Option<(&str, RecordId)>) -> usize {
    let filters = by.map(|(field, id)| Filter {
        column: field.to_owned(),
        compare: Compare::Is,
        value: id.to_string(),
    });
    let query = Query { filters: filters.into_iter().collect(), ..Query::default() };
    replica.list(entity, &query).unwrap().records.len()
}

/// Two customers that are the same, each with a contact.
fn twins(replica: &mut Replica) -> (RecordId, RecordId) {
    let loser = add(
        replica,
        "customer",
        json!({
            "company_name": "Acme Pumps Ltd", "phone": "021 5555 1234", "website": "https://acme.example",
            "tags": ["east"], "credit_limit": { "currency": "CNY", "minor": 100 }, "notes": "old friend",
        }),
    );
    let survivor = add(
        replica,
        "customer",
        json!({
            "company_name": "Acme Pumps", "phone": "+86 21 5555 1234", "tags": ["vip"],
        }),
    );
    add(replica, "contact", json!({ "name": "Anna Bell", "customer_id": loser }));
    add(replica, "contact", json!({ "name": "Otto Marsh", "customer_id": survivor }));
    (loser, survivor)
}

#[test]
fn a_merge_keeps_both_halves_and_gives_the_survivor_what_it_lacks() {
    let (_folder, mut replica) = enrolled(1, "Li");
    let (loser, survivor) = twins(&mut replica);
    replica.merge(loser, survivor, &BTreeSet::from(["company_name".to_owned()])).unwrap();
    let one = get(&replica, survivor);
    assert_eq!(one["company_name"], "Acme Pumps Ltd");
    assert_eq!(one["phone"], "+86 21 5555 1234");
    assert_eq!(one["website"], "https://acme.example");
    assert_eq!(one["tags"], json!(["east", "vip"]));
    assert_eq!(one["credit_limit"]["minor"], 100);
    assert_eq!(one["merged_from"], json!([loser]));
    assert_eq!(one["contact_count"], 2);
    assert_eq!(get(&replica, loser)["notes"], "old friend");
    assert_eq!(get(&replica, loser)["redirect_to"], json!(survivor));
    assert_eq!(replica.resolve(loser).unwrap(), survivor);
    assert_eq!(listed(&replica, "customer", None), 1);
    assert_eq!(listed(&replica, "contact", Some(("customer_id", survivor))), 2);
    assert_eq!(replica.links(survivor).unwrap().from.len(), 2);
    let told = replica.timeline(survivor, &TimelineQuery::default()).unwrap();
    assert_eq!(told.entries.iter().filter(|entry| entry.entity == "contact").count(), 2);
    // Who writes in the half writes in the whole.
    replica.update(loser, &fields(json!({ "website": "https://new.example" }))).unwrap();
    assert_eq!(get(&replica, survivor)["website"], "https://new.example");
    assert_eq!(get(&replica, loser)["website"], "https://acme.example");
    let rows = replica.dump_rows().unwrap();
    replica.rebuild_rows().unwrap();
    assert_eq!(replica.dump_rows().unwrap(), rows);
}

#[test]
fn taking_a_merge_back_gives_what_nobody_wrote_since() {
    let (_folder, mut replica) = enrolled(1, "Li");
    let (loser, survivor) = twins(&mut replica);
    let (theirs, ours) = (get(&replica, loser), get(&replica, survivor));
    replica.merge(loser, survivor, &none()).unwrap();
    let back = replica.unmerge(loser).unwrap();
    assert_eq!((back.survivor, back.stays), (survivor, Vec::<String>::new()));
    assert_eq!((get(&replica, loser), get(&replica, survivor)), (theirs, ours));
    assert_eq!(listed(&replica, "customer", None), 2);
    assert_eq!(listed(&replica, "contact", Some(("customer_id", survivor))), 1);

    replica.merge(loser, survivor, &none()).unwrap();
    replica.update(survivor, &fields(json!({ "website": "https://new.example" }))).unwrap();
    assert_eq!(replica.unmerge(loser).unwrap().stays, ["website"]);
    assert_eq!(get(&replica, survivor)["website"], "https://new.example");
}

#[test]
fn a_merge_is_undone_like_any_edit() {
    let (_folder, mut replica) = enrolled(1, "Li");
    let (loser, survivor) = twins(&mut replica);
    let (theirs, ours) = (get(&replica, loser), get(&replica, survivor));
    replica.merge(loser, survivor, &none()).unwrap();
    let merged = get(&replica, survivor);
    let undo = |replica: &mut Replica| {
        let group = replica.undoable(1).unwrap()[0].group;
        let undone = replica.undo(group).unwrap();
        assert!(undone.skipped.is_empty(), "{undone:?}");
    };
    undo(&mut replica);
    assert_eq!((get(&replica, loser), get(&replica, survivor)), (theirs, ours));
    undo(&mut replica);
    assert_eq!(get(&replica, survivor), merged);
}

#[test]
fn merges_both_ways_lead_to_the_smaller_id_everywhere() {
    let (_one_folder, mut one) = enrolled(1, "Li");
    let (_other_folder, mut other) = enrolled(2, "Wang");
    let (a, b) = twins(&mut one);
    for record in [a, b] {
        bring(&one, (1, "Li"), &mut other, record);
    }
    one.merge(a, b, &none()).unwrap();
    other.merge(b, a, &none()).unwrap();
    for record in [a, b] {
        bring(&other, (2, "Wang"), &mut one, record);
        bring(&one, (1, "Li"), &mut other, record);
    }
    let smaller = a.min(b);
    for replica in [&mut one, &mut other] {
        assert_eq!(replica.resolve(a).unwrap(), smaller);
        assert_eq!(replica.resolve(b).unwrap(), smaller);
        assert_eq!(listed(replica, "customer", None), 1);
        let query = SearchQuery { text: "acme".to_owned(), ..SearchQuery::default() };
        let hits = replica.search(&query).unwrap().hits;
        assert_eq!(hits.iter().map(|hit| hit.record).collect::<Vec<_>>(), [smaller]);
        let rows = replica.dump_rows().unwrap();
        replica.rebuild_rows().unwrap();
        assert_eq!(replica.dump_rows().unwrap(), rows);
    }
    // Opened at one side it is one merge.
    one.unmerge(a).unwrap();
    assert_eq!(one.resolve(b).unwrap(), a);
}

#[test]
fn what_cannot_be_merged_is_said() {
    let (_folder, mut replica) = enrolled(1, "Li");
    let (a, b) = twins(&mut replica);
    let c = add(&mut replica, "customer", json!({ "company_name": "Zenith" }));
    let lead = add(&mut replica, "lead", json!({ "name": "Acme Pumps", "status": "new" }));
    let fails =
        |replica: &mut Replica, loser, survivor| match replica.merge(loser, survivor, &none()) {
            Err(ReplicaError::Merge(error)) => error,
            other => panic!("{other:?}"),
        };
    assert_eq!(fails(&mut replica, a, a), MergeError::Itself(a));
    assert!(matches!(fails(&mut replica, a, lead), MergeError::OtherEntity { .. }));
    replica.merge(a, b, &none()).unwrap();
    assert_eq!(fails(&mut replica, a, c), MergeError::Already { record: a, into: b });
    assert_eq!(fails(&mut replica, c, a), MergeError::Already { record: a, into: b });
    let not_merged = replica.unmerge(c);
    assert!(matches!(not_merged, Err(ReplicaError::Merge(MergeError::NotMerged(id))) if id == c));
    let by_hand = replica.update(c, &fields(json!({ "redirect_to": b })));
    assert!(matches!(by_hand, Err(ReplicaError::Edit(_))));
}

#[test]
fn files_that_name_a_merged_record_mean_the_survivor() {
    use outrider_core::{
        schema::{Schema, SqlValue},
        store::imports::{Found, find_by},
    };
    let (_folder, mut replica) = enrolled(1, "Li");
    let (loser, survivor) = twins(&mut replica);
    replica.update(loser, &fields(json!({ "tax_no": "T1" }))).unwrap();
    replica.update(survivor, &fields(json!({ "tax_no": "T2" }))).unwrap();
    replica.merge(loser, survivor, &none()).unwrap();
    let entity = Schema::builtin().entity("customer").unwrap();
    for number in ["T1", "T2"] {
        let value = SqlValue::Text(number.to_owned());
        let found = find_by(replica.store().conn(), entity, "tax_no", &value).unwrap();
        assert!(matches!(found, Found::One(id) if id == survivor), "{number}");
    }
}

#[test]
fn likely_records_are_found_while_typing_and_in_the_store() {
    let (_folder, mut replica) = enrolled(1, "Li");
    let (a, b) = twins(&mut replica);
    let other = add(&mut replica, "customer", json!({ "company_name": "Zenith Tools" }));
    let typed = fields(json!({ "company_name": "ACME PUMPS", "phone": "（021）5555-1234" }));
    let likely = replica.likely("customer", &typed, None).unwrap();
    assert_eq!(
        likely.iter().map(|l| l.likely.record).collect::<BTreeSet<_>>(),
        BTreeSet::from([a, b])
    );
    assert_eq!(likely[0].likely.likeness.verdict, Verdict::Sure);
    let pairs = |replica: &Replica| replica.duplicates("customer", None, 100).unwrap().pairs;
    assert_eq!(pairs(&replica).len(), 1);
    // An edit moves a record to other keys, an archived one is not asked about.
    replica.update(other, &fields(json!({ "phone": "21 5555 1234" }))).unwrap();
    assert_eq!(pairs(&replica).len(), 3);
    replica.archive(other).unwrap();
    assert_eq!(pairs(&replica).len(), 1);
    // Told apart once, nobody is asked again, until it is taken back.
    assert!(replica.tell_apart(b, a).unwrap());
    assert!(!replica.tell_apart(a, b).unwrap());
    assert!(pairs(&replica).is_empty());
    let page = replica.duplicates("customer", None, 1).unwrap();
    assert_eq!((page.scanned, page.next), (1, Some(a.min(b))));
    replica.merge(a, b, &none()).unwrap();
    let only: Vec<_> = replica.likely("customer", &typed, None).unwrap();
    assert_eq!(only.len(), 1);
    replica.rebuild_rows().unwrap();
    assert_eq!(replica.likely("customer", &typed, None).unwrap(), only);
}
