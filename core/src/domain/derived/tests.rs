//! Each derived field, from records as JSON.

use serde_json::{Map, Value as Json, json};

use super::{TIMELY, add_derived, add_timely, add_with_rollups};
use crate::schema::{Entity, Schema};

const NOW_MS: i64 = 1_795_000_000_000; // 2026-11-18

fn derive(entity: &str, record: Json) -> Map<String, Json> {
    let entity = Schema::current().entity(entity).unwrap();
    let mut record = record.as_object().unwrap().clone();
    add_derived(entity, &mut record);
    add_with_rollups(entity, &mut record);
    add_timely(entity, &mut record, NOW_MS);
    record
}

fn eur(minor: i64) -> Json {
    json!({ "currency": "EUR", "minor": minor })
}

fn minor(record: &Map<String, Json>, name: &str) -> i64 {
    record[name]["minor"].as_i64().unwrap_or_else(|| panic!("{name}: {:?}", record.get(name)))
}

#[test]
fn every_derived_field_of_the_schema_is_computed() {
    let line =
        json!({ "id": "0a1b2c3d4e", "qty": "1", "unit_price": eur(100), "tax_percent": "13" });
    let span = json!({ "start": "2026-11-01T08:00:00.000Z", "end": "2026-11-01T09:00:00.000Z" });
    let at = |day: u32| json!(format!("2026-11-{day:02}T08:00:00.000Z"));
    let full = json!({
        "lines": [line], "shipping_fee": eur(5), "discount_percent": "10", "amount_source": "lines",
        "expected_amount": eur(1000), "sales_stage": "lost",
        "stages": [{ "to_stage": "lost", "at": at(1) }],
        "term": { "start": "2026-01-01", "end": "2026-12-31" },
        "period": { "start": "2026-01-01", "end": "2026-12-31" },
        "scheduled": span, "activity_date": span, "work_times": [
            { "work_kind": "work", "span": span }, { "work_kind": "travel", "span": span },
        ],
        "checklist": [{ "required": true }],
        "signatures": [{ "role": "customer", "signed_at": at(2) }, { "role": "company", "signed_at": at(3) }],
        "fulfilment_items": [{ "done": true }],
        "request_date": at(1), "first_response_at": at(2), "resolved_at": at(3), "response_due": at(4),
        "held_from": at(1), "held_until": at(2), "checked_in_at": at(1), "checked_out_at": at(1),
        "stock_quantity": "5", "participant_count": 10, "responded_count": 1,
        "actual_cost": eur(100), "won_revenue": eur(300), "open_opportunity_count": 1,
        "amount": eur(500),
    });
    for name in TIMELY {
        let declares = |entity: &Entity| entity.derived.iter().any(|one| one.name == *name);
        assert!(Schema::current().entities().any(declares), "{name}");
    }
    for entity in Schema::current().entities() {
        let mut full = full.clone();
        full["status"] = match entity.name.as_str() {
            "contract" => "active".into(),
            "visit" => "scheduled".into(),
            _ => "planned".into(),
        };
        let mut given = full.as_object().unwrap().clone();
        given.retain(|name, _| !entity.derived.iter().any(|derived| derived.name == *name));
        let record = derive(&entity.name, Json::Object(given));
        for derived in &entity.derived {
            assert!(record.contains_key(&derived.name), "{}.{}", entity.name, derived.name);
        }
    }
}

#[test]
fn lines_round_one_by_one_and_their_order_does_not_matter() {
    let mut lines = vec![
        json!({ "qty": "3", "unit_price": eur(333), "discount_percent": "12.5" }),
        json!({ "qty": "0.5", "unit_price": eur(1) }),
        json!({ "qty": "7", "unit_price": eur(19) }),
        json!({ "qty": "1", "unit_price": eur(100), "discount_amount": eur(30) }),
        json!({ "name": "no price yet" }),
    ];
    let amount = |lines: &[Json]| {
        derive("sales_order", json!({ "lines": lines, "shipping_fee": eur(500) }))["amount"].clone()
    };
    let first = amount(&lines);
    assert_eq!(first["minor"], 874 + 1 + 133 + 70 + 500);
    lines.reverse();
    assert_eq!(amount(&lines), first);
}

#[test]
fn tax_is_added_or_taken_out_by_rate() {
    let lines = json!([
        { "qty": "1", "unit_price": eur(10_000), "tax_code": "goods", "tax_percent": "13" },
        { "qty": "1", "unit_price": eur(5_000), "tax_code": "service", "tax_percent": "6" },
        { "qty": "1", "unit_price": eur(1_000) },
    ]);
    let order = |more: Json| {
        let mut record = json!({ "lines": lines });
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        derive("sales_order", record)
    };
    let added = order(json!({}));
    assert_eq!((minor(&added, "tax"), minor(&added, "amount")), (1_300 + 300, 16_000 + 1_600));
    // A line without a rate takes the order's; without one it is not taxed.
    assert_eq!(added["taxes"].as_array().unwrap().len(), 2);
    let usual = order(json!({ "tax_percent": "20" }));
    assert_eq!(minor(&usual, "tax"), 1_300 + 300 + 200);
    // 100.00 with 13 % inside are 11.50 of tax, 50.00 with 6 % are 2.83.
    let inside = order(json!({ "prices_include_tax": true }));
    assert_eq!((minor(&inside, "tax"), minor(&inside, "amount")), (1_150 + 283, 16_000));
    // The discount lessens the tax of each rate by its share.
    let less = order(
        json!({ "discount_percent": "10", "discount_amount": eur(400), "shipping_fee": eur(700) }),
    );
    assert_eq!(minor(&less, "discount"), 2_000);
    let bases: i64 = less["taxes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["base"]["minor"].as_i64().unwrap())
        .sum();
    assert_eq!(bases, 8_750 + 4_375);
    assert_eq!(minor(&less, "amount"), 16_000 - 2_000 + 1_138 + 263 + 700);
}

#[test]
fn a_discount_is_spread_without_losing_a_cent() {
    for discount in 0..200 {
        let lines: Vec<Json> = (1..=7)
            .map(|n| json!({ "qty": "1", "unit_price": eur(100 * n + 33), "tax_percent": n.to_string() }))
            .collect();
        let order =
            derive("sales_order", json!({ "lines": lines, "discount_amount": eur(discount) }));
        let bases: i64 = order["taxes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|t| t["base"]["minor"].as_i64().unwrap())
            .sum();
        assert_eq!(bases, minor(&order, "subtotal") - discount);
    }
}

#[test]
fn mixed_currencies_have_no_sum() {
    let yuan = json!({ "currency": "CNY", "minor": 1 });
    let lines = json!([{ "unit_price": eur(1) }, { "unit_price": yuan }]);
    let mixed = derive("sales_order", json!({ "lines": lines, "shipping_fee": eur(5) }));
    assert!(!mixed.contains_key("amount") && !mixed.contains_key("subtotal"));
    let fee =
        derive("sales_order", json!({ "lines": [{ "unit_price": eur(1) }], "shipping_fee": yuan }));
    assert!(!fee.contains_key("amount"));
    let paid = json!([{ "currency": "CNY", "minor": 1 }, { "currency": "EUR", "minor": 1 }]);
    let owed = derive("contract", json!({ "amount": eur(5), "paid_amount": paid }));
    assert!(!owed.contains_key("outstanding_amount"));
}

#[test]
fn a_deal_on_hold_keeps_its_chance_and_a_lost_one_weighs_nothing() {
    let history = json!([{ "to_stage": "negotiation" }, { "to_stage": "on_hold" }]);
    let held = derive(
        "opportunity",
        json!({ "sales_stage": "on_hold", "stages": history, "expected_amount": eur(1000) }),
    );
    assert_eq!(held["weighted_amount"]["minor"], 750);
    let lost =
        derive("opportunity", json!({ "sales_stage": "lost", "expected_amount": eur(1000) }));
    assert_eq!(lost["weighted_amount"]["minor"], 0);
    let own = derive("opportunity", json!({ "sales_stage": "lost", "probability": 40 }));
    assert_eq!(own["chance"], 40);
}

#[test]
fn a_lost_deal_without_a_reason_says_so() {
    let lost = derive("opportunity", json!({ "sales_stage": "lost" }));
    assert_eq!(lost["needs_reason"], true);
    let said = derive("opportunity", json!({ "sales_stage": "lost", "lost_reason": "budget" }));
    assert!(!said.contains_key("needs_reason"));
}

#[test]
fn a_contract_tells_its_end_and_when_to_renew_it() {
    let contract = |status: &str| {
        derive(
            "contract",
            json!({
                "term": { "start": "2026-01-01", "end": "2026-12-31" }, "notice_days": 30,
                "status": status, "amount": eur(500), "paid_amount": eur(200),
            }),
        )
    };
    let active = contract("active");
    assert_eq!(active["renewal_reminder_on"], "2026-12-01");
    assert_eq!(active["days_left"], 43);
    assert_eq!(minor(&active, "outstanding_amount"), 300);
    assert!(!contract("draft").contains_key("days_left"));
    let open = derive("contract", json!({ "term": { "start": "2026-01-01", "end": null } }));
    assert!(open.contains_key("start_date") && !open.contains_key("end_date"));
}

#[test]
fn stock_says_when_to_order() {
    let status = |record: Json| derive("product", record).get("stock_status").cloned();
    assert_eq!(status(json!({ "stock_quantity": "5", "reorder_level": "5" })), Some("low".into()));
    assert_eq!(
        status(json!({ "stock_quantity": "5.5", "reorder_level": "5" })),
        Some("in_stock".into())
    );
    assert_eq!(status(json!({ "stock_quantity": "-1" })), Some("out".into()));
    assert_eq!(
        status(json!({ "stock_quantity": "5", "inactive": true })),
        Some("discontinued".into())
    );
    assert_eq!(status(json!({ "stock_quantity": "5", "product_kind": "service" })), None);
    assert_eq!(status(json!({})), None);
    let product = derive("product", json!({ "stock_quantity": "5", "reserved_quantity": "1.5" }));
    assert_eq!(product["available_quantity"], "3.5");
}

#[test]
fn payments_settle_an_order() {
    let status = |paid: Option<i64>| {
        let mut record = json!({ "lines": [{ "unit_price": eur(100) }] });
        if let Some(paid) = paid {
            record["paid_amount"] = eur(paid);
        }
        derive("sales_order", record)["payment_status"].clone()
    };
    assert_eq!(status(None), "unpaid");
    assert_eq!(status(Some(40)), "part_paid");
    assert_eq!(status(Some(100)), "paid");
    assert_eq!(status(Some(120)), "paid");
}

#[test]
fn times_of_a_visit_are_added_and_never_negative() {
    let at = |hour: u32| json!(format!("2026-11-01T{hour:02}:00:00.000Z"));
    let span = |from: u32, to: u32| json!({ "start": at(from), "end": at(to) });
    let visit = derive(
        "visit",
        json!({
            "scheduled": span(8, 10), "status": "in_progress",
            "checked_in_at": at(9), "checked_out_at": at(11),
            "work_times": [
                { "work_kind": "travel", "span": span(8, 9) },
                { "work_kind": "work", "span": span(9, 10) },
                { "work_kind": "work", "span": span(10, 11) },
                { "work_kind": "work", "span": span(12, 11) },
                { "work_kind": "work", "span": { "start": at(11) } },
            ],
            "checklist": [
                { "name": "a", "required": true, "done": true }, { "name": "b", "required": true },
                { "name": "c" },
            ],
        }),
    );
    assert_eq!(visit["planned_minutes"], 120);
    assert_eq!(visit["visit_minutes"], 120);
    assert_eq!(visit["work_minutes"], 120);
    assert_eq!(visit["travel_minutes"], 60);
    assert_eq!(visit["checklist_left"], 1);
    assert!(!visit.contains_key("is_overdue"));
    let late = derive("visit", json!({ "scheduled": span(8, 10), "status": "dispatched" }));
    assert_eq!(late["is_overdue"], true);
}

#[test]
fn service_levels_follow_their_due_times() {
    let at = |day: u32| json!(format!("2026-11-{day:02}T08:00:00.000Z"));
    let state = |record: Json| derive("service_request", record).get("sla_status").cloned();
    let due = |more: Json| {
        let mut record = json!({ "response_due": at(25), "resolve_due": at(26) });
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        state(record)
    };
    assert_eq!(state(json!({})), None);
    assert_eq!(due(json!({})), Some("first_response_due".into()));
    assert_eq!(due(json!({ "first_response_at": at(24) })), Some("resolution_due".into()));
    assert_eq!(
        due(json!({ "first_response_at": at(24), "resolved_at": at(26) })),
        Some("fulfilled".into())
    );
    assert_eq!(due(json!({ "first_response_at": at(26) })), Some("failed".into()));
    assert_eq!(state(json!({ "resolve_due": at(1) })), Some("failed".into()));
}

#[test]
fn returns_and_potential_have_numbers() {
    let campaign = derive(
        "campaign",
        json!({ "actual_cost": eur(200), "won_revenue": eur(500), "participant_count": 3, "responded_count": 2 }),
    );
    assert_eq!(campaign["roi_percent"], "150");
    assert_eq!(campaign["response_percent"], "66.7");
    assert!(!derive("campaign", json!({ "actual_cost": eur(0) })).contains_key("roi_percent"));
    let customer = derive(
        "customer",
        json!({ "tier": "a", "open_opportunity_count": 5, "won_amount": eur(1), "satisfaction": "4.5" }),
    );
    assert_eq!(customer["potential_score"], 20 + 24 + 20 + 18);
}
