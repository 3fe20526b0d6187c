//! A customer's timeline, from the rows.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;

use outrider_core::{
    ids::{ActorPrefix, DeviceId, RecordId},
    replica::{Options, Replica},
    schema::{Family, sample},
    store::{
        meta::Enrolment,
        timeline::{
            DETAIL_CHARS_MAX, DETAIL_FIELDS_MAX, TIMELINE_KINDS_MAX, TIMELINE_PAGE_MAX,
            TimelineQuery,
        },
    },
    time::ManualClock,
};
use serde_json::{Map, Value as Json, json};

const NOW_MS: i64 = 1_780_000_000_000;

struct World {
    _folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    replica: Replica,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(NOW_MS));
        let options = Options { clock: clock.clone(), seed: Some(1), ..Options::default() };
        let replica = Replica::open(folder.path(), options).unwrap();
        Self { _folder: folder, clock, replica }
    }

    fn create(&mut self, entity: &str, json: Json) -> RecordId {
        self.clock.advance(1_000);
        self.replica.create(entity, &fields(json)).unwrap()
    }

    fn update(&mut self, record: RecordId, json: Json) {
        self.clock.advance(1_000);
        self.replica.update(record, &fields(json)).unwrap();
    }

    fn become_user(&mut self, name: &str, user_record: RecordId) {
        let enrolment = Enrolment {
            url: "http://localhost".to_owned(),
            device: DeviceId("00000000-0000-4000-8000-000000000001".parse().unwrap()),
            user: name.to_owned(),
            prefix: ActorPrefix([7; 12]),
            token: "secret".to_owned(),
            user_record: Some(user_record),
            ca: None,
        };
        self.replica.enroll(&enrolment).unwrap();
    }

    fn told(&self, family: RecordId, query: &TimelineQuery) -> Vec<(String, String)> {
        let page = self.replica.timeline(family, query).unwrap();
        page.entries.into_iter().map(|entry| (entry.kind, entry.title)).collect()
    }
}

fn fields(json: Json) -> Map<String, Json> {
    json.as_object().unwrap().clone()
}

#[test]
fn a_timeline_tells_all_records_of_the_family_by_their_moment_and_the_moves_of_stages() {
    let mut world = World::new();
    let ann = world.create("user", json!({"name": "Ann"}));
    world.become_user("Ann", ann);
    let acme = world.create("customer", json!({"company_name": "Acme"}));
    let other = world.create("customer", json!({"company_name": "Other"}));
    let deal = world.create(
        "opportunity",
        json!({"name": "Pumps", "customer_id": acme, "sales_stage": "proposal",
               "expected_amount": "100 CNY"}),
    );
    // Entered late: it counts when it happened.
    world.create(
        "interaction",
        json!({"subject": "Call", "customer_id": acme, "channel": "call",
               "occurred_at": "2020-01-01T08:00:00Z", "summary": "长".repeat(900)}),
    );
    world.create("opportunity", json!({"name": "No", "customer_id": other, "sales_stage": "won"}));
    world.update(deal, json!({"sales_stage": "won"}));
    let archived = world.create("contact", json!({"name": {"family": "张"}, "customer_id": acme}));
    world.replica.archive(archived).unwrap();
    let page = world.replica.timeline(acme, &TimelineQuery::default()).unwrap();
    let told: Vec<_> = page.entries.iter().map(|e| (e.kind.as_str(), e.title.as_str())).collect();
    assert_eq!(
        told,
        [
            ("opportunity.stages", "Pumps"),
            ("opportunity.stages", "Pumps"),
            ("opportunity", "Pumps"),
            ("customer", "Acme"),
            ("interaction", "Call"),
        ]
    );
    assert_eq!(page.next, None);
    let moved = &page.entries[0];
    assert_eq!(moved.detail["from_stage"], "proposal");
    assert_eq!(moved.detail["to_stage"], "won");
    assert_eq!((moved.by, moved.by_name.as_deref()), (Some(ann), Some("Ann")));
    assert_eq!(moved.at_ms, NOW_MS + 7_000);
    let deal = &page.entries[2];
    assert_eq!(deal.detail["expected_amount"]["minor"], 10_000);
    assert_eq!(deal.detail["sales_stage"], "won");
    let call = &page.entries[4];
    assert_eq!(call.at_ms, 1_577_865_600_000);
    let summary = call.detail["summary"].as_str().unwrap();
    assert_eq!(summary.chars().count(), DETAIL_CHARS_MAX);
    assert!(page.entries.iter().all(|e| e.detail.as_object().unwrap().len() <= DETAIL_FIELDS_MAX));
}

#[test]
fn a_timeline_is_filtered_by_kind_period_and_person() {
    let mut world = World::new();
    let ann = world.create("user", json!({"name": "Ann"}));
    let ben = world.create("user", json!({"name": "Ben"}));
    world.become_user("Ann", ann);
    let acme = world.create("customer", json!({"company_name": "Acme"}));
    for (day, owner) in [(1, ann), (2, ben), (3, ann)] {
        world.create(
            "interaction",
            json!({"subject": format!("Call {day}"), "customer_id": acme, "channel": "call",
                   "occurred_at": format!("2024-05-0{day}T00:00:00Z"), "owner_id": owner}),
        );
    }
    let kinds = TimelineQuery { kinds: vec!["interaction".to_owned()], ..TimelineQuery::default() };
    assert_eq!(world.told(acme, &kinds).len(), 3);
    let day_ms = 86_400_000;
    let first = 1_714_521_600_000;
    let period =
        TimelineQuery { from: Some(first + day_ms), to: Some(first + 2 * day_ms), ..kinds.clone() };
    assert_eq!(world.told(acme, &period), [("interaction".to_owned(), "Call 2".to_owned())]);
    // Ben answers for one call; Ann created everything.
    let by = |user| TimelineQuery { by: Some(user), ..kinds.clone() };
    assert_eq!(world.told(acme, &by(ben)).len(), 1);
    assert_eq!(world.told(acme, &by(ann)).len(), 3);
    let unknown = TimelineQuery { kinds: vec!["planet".to_owned()], ..TimelineQuery::default() };
    let error = world.replica.timeline(acme, &unknown).unwrap_err();
    assert!(error.to_string().contains("opportunity.stages"), "{error}");
    let many = vec!["interaction".to_owned(); TIMELINE_KINDS_MAX + 1];
    let many = TimelineQuery { kinds: many, ..TimelineQuery::default() };
    assert!(world.replica.timeline(acme, &many).is_err());
    let bad = TimelineQuery { after: Some("xx".to_owned()), ..TimelineQuery::default() };
    assert!(world.replica.timeline(acme, &bad).is_err());
}

#[test]
fn pages_follow_each_other_without_gaps_or_repetitions() {
    let mut world = World::new();
    let acme = world.create("customer", json!({"company_name": "Acme"}));
    for n in 0..20 {
        // Many at the same moment, of several kinds.
        let at = format!("2024-05-0{}T00:00:00Z", 1 + n % 3);
        world.create(
            "interaction",
            json!({"subject": format!("Call {n}"), "customer_id": acme, "channel": "call",
                   "occurred_at": at}),
        );
        world.create(
            "opportunity",
            json!({"name": format!("Deal {n}"), "customer_id": acme, "sales_stage": "proposal"}),
        );
    }
    let all = TimelineQuery { limit: TIMELINE_PAGE_MAX, ..TimelineQuery::default() };
    let whole = world.replica.timeline(acme, &all).unwrap();
    assert_eq!(whole.entries.len(), 61);
    for limit in [1, 7, 60, 61] {
        let mut query = TimelineQuery { limit, ..TimelineQuery::default() };
        let mut entries = Vec::new();
        loop {
            let page = world.replica.timeline(acme, &query).unwrap();
            assert!(page.entries.len() <= limit);
            entries.extend(page.entries);
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        assert_eq!(entries, whole.entries, "limit {limit}");
    }
}

#[test]
fn a_page_has_a_limit_and_other_records_have_timelines_too() {
    let mut world = World::new();
    let product = world.create("product", json!({"name": "GTX"}));
    let acme = world.create("customer", json!({"company_name": "Acme"}));
    world
        .replica
        .transaction(|writer| {
            for n in 0..=TIMELINE_PAGE_MAX {
                let deal = json!({"name": format!("Deal {n}"), "customer_id": acme,
                                  "product_id": product, "sales_stage": "proposal"});
                writer.create("opportunity", None, &fields(deal))?;
            }
            Ok(())
        })
        .unwrap();
    let kinds = vec!["opportunity".to_owned()];
    let query = TimelineQuery { limit: usize::MAX, kinds, ..TimelineQuery::default() };
    for family in [acme, product] {
        let page = world.replica.timeline(family, &query).unwrap();
        assert_eq!(page.entries.len(), TIMELINE_PAGE_MAX);
        let query = TimelineQuery { after: page.next, ..query.clone() };
        assert_eq!(world.replica.timeline(family, &query).unwrap().entries.len(), 1);
    }
    let nobody = RecordId::from_bytes([9; 16]);
    assert!(world.replica.timeline(nobody, &query).unwrap().entries.is_empty());
}

#[test]
fn whatever_belongs_to_a_customer_is_on_its_timeline() {
    let mut world = World::new();
    let acme = world.create("customer", json!({"company_name": "Acme"}));
    let mut dice = 7_u32;
    let mut draw = move |limit: u32| {
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (dice >> 8) % limit
    };
    let mut expected = vec!["customer".to_owned()];
    for entity in world.replica.schema().entities() {
        if !matches!(&entity.family, Family::Link(name) if name == "customer_id") {
            continue;
        }
        let mut record = sample::record(entity, &mut draw);
        record.insert("customer_id".to_owned(), json!(acme));
        world.replica.create(&entity.name, &record).unwrap();
        expected.push(entity.name.clone());
    }
    assert!(expected.len() > 4);
    let query = TimelineQuery { limit: TIMELINE_PAGE_MAX, ..TimelineQuery::default() };
    let page = world.replica.timeline(acme, &query).unwrap();
    for name in &expected {
        let entry = page.entries.iter().find(|entry| entry.kind == *name);
        let entry = entry.unwrap_or_else(|| panic!("{name} is missing"));
        assert!(entry.at_ms > 0, "{entry:?}");
    }
    assert!(page.entries.is_sorted_by(|one, other| one.at_ms >= other.at_ms));
}
