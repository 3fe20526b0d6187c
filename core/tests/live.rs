//! Live queries: doing what a diff says to the old list gives the new one, whatever happened.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "support/dice.rs"]
mod dice;
#[path = "support/pair.rs"]
mod pair;

use std::{collections::BTreeMap, time::Duration};

use dice::Dice;
use outrider_core::{
    ids::RecordId,
    replica::{
        LiveId, Replica, ReplicaError,
        live::{LIVE_MAX, LIVE_WINDOW_MAX},
    },
    store::query::{Compare, Filter, Query},
};
use pair::{acknowledge, bring, enrolled, fields, open};
use serde_json::{Value as Json, json};

/// Lists as a host holds them.
struct Host {
    lists: BTreeMap<LiveId, (Query, &'static str, Vec<Json>)>,
}

impl Host {
    fn open(replica: &mut Replica, queries: &[(&'static str, Query)]) -> Self {
        let mut lists = BTreeMap::new();
        for (entity, query) in queries {
            let (id, page) = replica.live(entity, query.clone()).unwrap();
            lists.insert(id, (query.clone(), *entity, page.records));
        }
        Self { lists }
    }

    /// Takes the news; each list must be what asking anew gives.
    fn follow(&mut self, replica: &mut Replica) -> usize {
        let news = replica.news().unwrap();
        for (id, diff) in &news {
            let (_, _, list) = self.lists.get_mut(id).unwrap();
            let before = list.clone();
            diff.apply(list);
            for changed in &diff.changed {
                let same = before.iter().find(|old| old["id"] == changed.record["id"]).unwrap();
                assert_ne!(*same, changed.record, "it is told as changed and is the same");
            }
            assert!(diff.moved.iter().all(|(from, to)| from != to));
        }
        for (query, entity, list) in self.lists.values() {
            assert_eq!(*list, replica.list(entity, query).unwrap().records);
        }
        news.len()
    }
}

fn queries() -> Vec<(&'static str, Query)> {
    let small =
        Filter { column: "employees".to_owned(), compare: Compare::To, value: "4".to_owned() };
    vec![
        ("customer", Query { sort: Some("employees".to_owned()), limit: 7, ..Query::default() }),
        (
            "customer",
            Query {
                sort: Some("company_name".to_owned()),
                descending: true,
                filters: vec![small],
                ..Query::default()
            },
        ),
        ("customer", Query { with_archived: true, limit: LIVE_WINDOW_MAX, ..Query::default() }),
        ("product", Query::default()),
    ]
}

fn write(dice: &mut Dice, replica: &mut Replica, known: &mut Vec<RecordId>) -> RecordId {
    let values = json!({
        "company_name": format!("Company {}", dice.below(30)), "employees": dice.below(9),
    });
    if known.is_empty() || dice.below(4) == 0 {
        let id = replica.create("customer", &fields(values)).unwrap();
        known.push(id);
        return id;
    }
    let id = known[dice.below(known.len())];
    if replica.get(id).unwrap().is_none() {
        return id;
    }
    match dice.below(6) {
        0 => replica.archive(id).unwrap(),
        1 => replica.restore(id).unwrap(),
        2 => _ = replica.update(id, &fields(json!({"employees": dice.below(9)}))).unwrap(),
        3 => _ = replica.update(id, &fields(json!({"tags": {"add": ["vip"]}}))).unwrap(),
        4 => _ = replica.update(id, &fields(json!({"notes": format!("{}", dice.next())}))).unwrap(),
        _ => _ = replica.update(id, &fields(values)).unwrap(),
    }
    id
}

#[test]
fn the_old_list_and_the_diff_give_the_new_list() {
    let mut dice = Dice::new();
    let (folder, mut ada) = enrolled(1, "Ada");
    let (_ben_folder, mut ben) = enrolled(2, "Ben");
    // Another process on Ada's store.
    let mut other = open(folder.path(), 3);
    let mut known = Vec::new();
    for _ in 0..12 {
        write(&mut dice, &mut ada, &mut known);
    }
    let mut host = Host::open(&mut ada, &queries());
    for _ in 0..120 {
        for _ in 0..=dice.below(4) {
            match dice.below(8) {
                0 => _ = write(&mut dice, &mut other, &mut known),
                1 | 2 => {
                    let id = write(&mut dice, &mut ben, &mut known);
                    if ben.get(id).unwrap().is_some() {
                        bring(&ben, (2, "Ben"), &mut ada, id);
                    }
                }
                3 => {
                    let id = known[dice.below(known.len())];
                    if ada.get(id).unwrap().is_some() {
                        bring(&ada, (1, "Ada"), &mut ben, id);
                    }
                }
                4 => acknowledge(&mut ada),
                _ => _ = write(&mut dice, &mut ada, &mut known),
            }
        }
        host.follow(&mut ada);
        assert_eq!(host.follow(&mut ada), 0, "news are told once");
    }
}

#[test]
fn several_transactions_are_one_batch_and_what_others_wrote_is_told_too() {
    let (folder, mut replica) = enrolled(1, "Ada");
    let make = |replica: &mut Replica, name: &str| {
        replica.create("customer", &fields(json!({ "company_name": name }))).unwrap()
    };
    let query = Query { sort: Some("company_name".to_owned()), ..Query::default() };
    let (first, second) = (make(&mut replica, "B"), make(&mut replica, "D"));
    let (id, page) = replica.live("customer", query).unwrap();
    assert_eq!(page.records.len(), 2);
    assert!(replica.news().unwrap().is_empty());
    make(&mut replica, "C");
    replica.update(first, &fields(json!({"company_name": "E"}))).unwrap();
    replica.archive(second).unwrap();
    let news = replica.news().unwrap();
    let [(told, diff)] = news.as_slice() else { panic!("{news:?}") };
    assert_eq!(*told, id);
    assert_eq!((diff.removed.as_slice(), diff.moved.len()), (&[1][..], 0));
    assert_eq!((diff.inserted.len(), diff.inserted[0].index), (1, 0));
    assert_eq!((diff.changed.len(), diff.changed[0].index), (1, 1));
    // What does not belong to the list is no news; nor is an answer of the office.
    replica.create("product", &fields(json!({"name": "GTX"}))).unwrap();
    acknowledge(&mut replica);
    assert!(replica.news().unwrap().is_empty());
    let mut other = open(folder.path(), 3);
    make(&mut other, "A");
    let news = replica.news().unwrap();
    assert_eq!(news[0].1.inserted[0].record["company_name"], "A");
    assert!(replica.close_live(id).unwrap());
    assert!(!replica.close_live(id).unwrap());
    make(&mut other, "F");
    make(&mut replica, "G");
    assert!(replica.news().unwrap().is_empty());
}

#[test]
fn a_sorted_list_tells_the_fewest_moves() {
    let (_folder, mut replica) = enrolled(1, "Ada");
    let ids: Vec<RecordId> = (0..10)
        .map(|n| {
            let values = json!({"company_name": "x", "employees": n});
            replica.create("customer", &fields(values)).unwrap()
        })
        .collect();
    let query = Query { sort: Some("employees".to_owned()), ..Query::default() };
    replica.live("customer", query).unwrap();
    replica.update(ids[0], &fields(json!({"employees": 100}))).unwrap();
    let news = replica.news().unwrap();
    assert_eq!(news[0].1.moved, [(0, 9)]);
    assert_eq!(news[0].1.changed.len(), 1);
}

#[test]
fn live_queries_have_limits() {
    let (_folder, mut replica) = enrolled(1, "Ada");
    let wide = Query { limit: LIVE_WINDOW_MAX + 1, ..Query::default() };
    assert!(matches!(replica.live("customer", wide), Err(ReplicaError::LiveWindow { .. })));
    assert!(replica.live("planet", Query::default()).is_err());
    let wrong = Query { sort: Some("warp".to_owned()), ..Query::default() };
    assert!(replica.live("customer", wrong).is_err());
    let opened: Vec<LiveId> =
        (0..LIVE_MAX).map(|_| replica.live("customer", Query::default()).unwrap().0).collect();
    let more = replica.live("customer", Query::default());
    assert!(matches!(more, Err(ReplicaError::TooManyLive { .. })));
    assert!(replica.close_live(opened[0]).unwrap());
    replica.live("customer", Query::default()).unwrap();
}

#[test]
fn a_host_is_woken_by_a_write() {
    let (_folder, mut replica) = enrolled(1, "Ada");
    let signal = replica.signal();
    let seen = signal.count();
    let waiter = std::thread::spawn(move || signal.wait(seen, Duration::from_secs(60)));
    replica.create("customer", &fields(json!({"company_name": "Acme"}))).unwrap();
    assert_eq!(waiter.join().unwrap(), seen + 1);
    let signal = replica.signal();
    assert_eq!(signal.wait(seen + 1, Duration::ZERO), seen + 1);
}
