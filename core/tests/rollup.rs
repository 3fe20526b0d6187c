//! What the records that link to a record come to, on a device.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;

use outrider_core::{
    ids::RecordId,
    replica::{Options, Replica},
    schema::{RollupHow, Schema, Type, sample},
    time::ManualClock,
};
use serde_json::{Map, Value as Json, json};

const NOW_MS: i64 = 1_795_000_000_000; // 2026-11-18

struct Device {
    _folder: tempfile::TempDir,
    replica: Replica,
}

impl Device {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(NOW_MS));
        let options = Options { clock, seed: Some(1), ..Options::default() };
        let replica = Replica::open(folder.path(), options).unwrap();
        Self { _folder: folder, replica }
    }

    fn add(&mut self, entity: &str, fields: Json) -> RecordId {
        self.replica.create(entity, fields.as_object().unwrap()).unwrap()
    }

    fn change(&mut self, record: RecordId, fields: Json) {
        self.replica.update(record, fields.as_object().unwrap()).unwrap();
    }

    fn get(&self, record: RecordId) -> Json {
        self.replica.get(record).unwrap().unwrap()
    }

    fn moves(&mut self, product: RecordId, location: Option<RecordId>, qty: &str) -> RecordId {
        let mut fields = json!({ "product_id": product, "qty": qty, "move_kind": "receipt" });
        if let Some(location) = location {
            fields["location_id"] = json!(location);
        }
        self.add("stock_move", fields)
    }
}

#[test]
fn stock_is_the_sum_of_its_moves_in_all_and_by_location() {
    let mut device = Device::new();
    let pump = device.add("product", json!({ "name": "Pump", "reorder_level": "2" }));
    let other = device.add("product", json!({ "name": "Valve" }));
    let depot = device.add("stock_location", json!({ "name": "Depot" }));
    let van = device.add("stock_location", json!({ "name": "Van" }));
    assert!(device.get(pump).get("stock_quantity").is_none());
    assert!(device.get(pump).get("stock_status").is_none());
    device.moves(pump, Some(depot), "10");
    device.moves(pump, Some(depot), "-2.5");
    device.moves(pump, Some(van), "0.1");
    device.moves(pump, Some(van), "0.2");
    device.moves(pump, None, "1");
    device.moves(other, Some(depot), "100");
    let wrong = device.moves(pump, Some(depot), "5000");
    device.replica.archive(wrong).unwrap();
    let shown = device.get(pump);
    assert_eq!(shown["stock_quantity"], "8.8");
    let by_location = shown["stock_by_location"].as_array().unwrap();
    let at = |place: Json| {
        by_location.iter().find(|entry| entry["location_id"] == place).unwrap()["value"].clone()
    };
    assert_eq!(by_location.len(), 3);
    assert_eq!(
        (at(json!(depot)), at(json!(van)), at(Json::Null)),
        ("7.5".into(), "0.3".into(), "1".into())
    );
    assert_eq!(shown["stock_status"], "in_stock");
    device.moves(pump, Some(depot), "-7");
    assert_eq!(device.get(pump)["stock_status"], "low");
    assert_eq!(
        device.get(van)["stock_by_product"],
        json!([{ "product_id": pump, "value": "0.3" }])
    );
    // What is promised is not there for others; what was released is again.
    let held = device.add("stock_reservation", json!({ "product_id": pump, "qty": "1.5" }));
    assert_eq!(device.get(pump)["available_quantity"], "0.3");
    device.change(held, json!({ "released": true }));
    assert_eq!(device.get(pump)["available_quantity"], "1.8");
}

#[test]
fn amounts_of_several_currencies_are_never_added() {
    let mut device = Device::new();
    let campaign = device.add("campaign", json!({ "name": "Fair" }));
    let cost = |amount: &str| json!({ "name": "Stand", "amount": amount, "campaign_id": campaign });
    device.add("cost_entry", cost("100 CNY"));
    device.add("cost_entry", cost("100 CNY"));
    device.add("cost_entry", cost("-50 CNY"));
    assert_eq!(device.get(campaign)["actual_cost"]["amount"], "150.00");
    let won = json!({
        "name": "Deal", "sales_stage": "won", "expected_amount": "600 CNY", "campaign_id": campaign,
    });
    device.add("opportunity", won);
    assert_eq!(device.get(campaign)["roi_percent"], "300");
    device.add("cost_entry", cost("7 EUR"));
    let mixed = device.get(campaign);
    let amounts: Vec<&Json> =
        mixed["actual_cost"].as_array().unwrap().iter().map(|sum| &sum["amount"]).collect();
    assert_eq!(amounts, ["150.00", "7.00"]);
    assert!(mixed.get("roi_percent").is_none());
}

#[test]
fn the_last_contact_is_the_latest_and_the_first_arrival_the_earliest() {
    let mut device = Device::new();
    let customer = device.add("customer", json!({ "company_name": "三川实业" }));
    for (at, summary) in [
        ("2026-11-02T08:00:00Z", Some("late")),
        ("2026-11-01T08:00:00Z", Some("early")),
        ("2026-11-03T08:00:00Z", None),
    ] {
        device.add(
            "interaction",
            json!({ "customer_id": customer, "channel": "call", "occurred_at": at, "summary": summary }),
        );
    }
    let shown = device.get(customer);
    assert_eq!(shown["last_contact_at"], "2026-11-03T08:00:00.000Z");
    assert_eq!(shown["last_contact_summary"], "late");
    let visit = device.add(
        "visit",
        json!({ "subject": "Repair", "status": "scheduled", "customer_id": customer }),
    );
    for (event, hour) in [("in", 9), ("pause", 10), ("out", 12), ("in", 8), ("out", 11)] {
        let at = format!("2026-11-01T{hour:02}:00:00Z");
        device.add("check_in", json!({ "visit_id": visit, "event": event, "at": at }));
    }
    let visit = device.get(visit);
    assert_eq!(visit["checked_in_at"], "2026-11-01T08:00:00.000Z");
    assert_eq!(visit["checked_out_at"], "2026-11-01T12:00:00.000Z");
    assert_eq!(visit["visit_minutes"], 240);
}

#[test]
fn satisfaction_is_the_mean_of_the_latest_answers() {
    let mut device = Device::new();
    let customer = device.add("customer", json!({ "company_name": "Acme", "tier": "a" }));
    for n in 0..25 {
        // The first five are not among the latest twenty.
        let score = if n < 5 { 1 } else { 4 + n % 2 };
        let at = format!("2026-10-{:02}T08:00:00Z", n + 1);
        device
            .add("feedback", json!({ "score": score, "customer_id": customer, "answered_at": at }));
    }
    let shown = device.get(customer);
    assert_eq!(shown["satisfaction"], "4.5");
    assert_eq!(shown["open_opportunity_count"], 0);
    assert_eq!(shown["potential_score"], 20 + 18);
}

/// Each declared rollup is made from the definitions alone: two records that link to one, with
/// values that its conditions take, and it has a value.
#[test]
fn every_rollup_of_the_schema_has_a_value() {
    let mut seed = 7_u64;
    let mut draw = move |bound: u32| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        u32::try_from(seed >> 33).unwrap() % bound
    };
    let mut device = Device::new();
    for entity in Schema::current().entities().filter(|entity| !entity.rollups.is_empty()) {
        for rollup in &entity.rollups {
            let id =
                device.replica.create(&entity.name, &sample::record(entity, &mut draw)).unwrap();
            let of = Schema::current().entity(&rollup.of).unwrap();
            for _ in 0..2 {
                let mut fields: Map<String, Json> = sample::record(of, &mut draw);
                fields.insert(rollup.by.clone(), json!(id));
                for when in &rollup.when {
                    let value = when.is[0].as_str();
                    fields.insert(
                        when.field.clone(),
                        match value {
                            "true" => true.into(),
                            "false" => false.into(),
                            choice => choice.into(),
                        },
                    );
                }
                for field in
                    rollup.field.iter().filter(|name| of.field(name).unwrap().ty == Type::Money)
                {
                    fields.insert(field.clone(), json!("2.50 CNY"));
                }
                device.replica.create(&of.name, &fields).unwrap();
            }
            let shown = device.get(id);
            let value = shown.get(&rollup.name);
            let place = format!("{}.{}", entity.name, rollup.name);
            assert!(value.is_some_and(|value| !value.is_null()), "{place}");
            match rollup.how {
                RollupHow::Count => assert_eq!(shown[&rollup.name], 2, "{place}"),
                RollupHow::Sum if shown[&rollup.name].is_object() => {
                    assert_eq!(shown[&rollup.name]["amount"], "5.00", "{place}");
                }
                RollupHow::Sum | RollupHow::Average | RollupHow::First | RollupHow::Last => {}
            }
        }
    }
}
