//! The pipeline adds up what it should, and nothing else.

use outrider_core::{ids::RecordId, reports::pipeline};
use serde_json::{Value as Json, json};

use crate::world::{World, map};

fn create(world: &mut World, entity: &str, fields: Json) -> RecordId {
    world.replica.create(entity, &map(fields)).unwrap()
}

fn deal(world: &mut World, customer: RecordId, stage: &str, more: Json) -> RecordId {
    let mut fields = map(json!({
        "name": "Deal", "customer_id": customer.to_string(), "sales_stage": stage,
    }));
    fields.extend(map(more));
    world.replica.create("opportunity", &fields).unwrap()
}

fn amount(currency: &str, amount: &str) -> Json {
    json!({ "currency": currency, "amount": amount })
}

#[test]
fn an_empty_replica_has_an_empty_pipeline() {
    let world = World::new();
    let json = serde_json::to_value(pipeline(&world.replica).unwrap()).unwrap();
    assert_eq!(json["currency"], Json::Null);
    assert_eq!(json["won"], json!({ "count": 0, "value": 0, "value_minor": 0 }));
    assert_eq!(json["win_rate_percent"], Json::Null);
}

#[test]
fn stages_weigh_by_their_chance_and_lost_deals_weigh_nothing() {
    let mut world = World::new();
    let acme = create(&mut world, "customer", json!({ "company_name": "Acme" }));
    let usd = |n: &str| json!({ "expected_amount": amount("USD", n) });
    deal(&mut world, acme, "won", usd("100.50"));
    deal(
        &mut world,
        acme,
        "lost",
        json!({ "expected_amount": amount("USD", "70"), "probability": 90 }),
    );
    deal(&mut world, acme, "proposal", usd("200"));
    deal(
        &mut world,
        acme,
        "proposal",
        json!({ "expected_amount": amount("USD", "100"), "probability": 80 }),
    );
    deal(&mut world, acme, "on_hold", usd("1000"));
    let archived = deal(&mut world, acme, "won", usd("9999"));
    world.replica.archive(archived).unwrap();
    deal(&mut world, acme, "won", json!({ "expected_amount": amount("CNY", "7") }));

    let report = pipeline(&world.replica).unwrap();
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["currency"], "USD");
    assert_eq!(json["won"], json!({ "count": 1, "value": 100.5, "value_minor": 10_050 }));
    assert_eq!(json["lost"]["value"], 70);
    assert_eq!(json["win_rate_percent"], 50.0);
    assert_eq!(json["open"]["count"], 2);
    assert_eq!(json["open"]["weighted"]["value"], 180);
    let lines = json["by_stage"].as_array().unwrap();
    let weighted: Vec<(&str, i64)> = lines
        .iter()
        .map(|line| {
            (line["stage"].as_str().unwrap(), line["weighted"]["value_minor"].as_i64().unwrap())
        })
        .collect();
    assert_eq!(weighted, [("proposal", 18_000), ("won", 10_050), ("lost", 0), ("on_hold", 0)]);
    assert_eq!(json["other_currencies"][0]["currency"], "CNY");
    assert_eq!(json["other_currencies"][0]["won"]["value"], 7);
    assert!(report.to_string().contains("Proposal · 方案报价"), "{report}");
}

#[test]
fn open_deals_without_an_amount_count_at_list_price() {
    let mut world = World::new();
    let acme = create(&mut world, "customer", json!({ "company_name": "Acme" }));
    let pump = json!({ "name": "Pump", "price": amount("CNY", "30") });
    let pump = create(&mut world, "product", pump).to_string();
    let gift = create(&mut world, "product", json!({ "name": "Gift" })).to_string();
    deal(&mut world, acme, "prospecting", json!({ "product_id": pump }));
    deal(&mut world, acme, "commit", json!({ "product_id": pump }));
    deal(
        &mut world,
        acme,
        "commit",
        json!({ "product_id": pump, "expected_amount": amount("CNY", "5") }),
    );
    deal(&mut world, acme, "commit", json!({ "product_id": gift }));
    deal(&mut world, acme, "lost", json!({ "product_id": pump }));
    let json = serde_json::to_value(pipeline(&world.replica).unwrap()).unwrap();
    let listed = &json["open_pipeline_at_list_price"];
    assert_eq!((&listed["count"], &listed["value"]), (&json!(2), &json!(60)));
    assert_eq!(listed["without_price"], 1);
    assert_eq!(json["count"], 5);
}
