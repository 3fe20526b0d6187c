//! One press of a button, on two devices that are apart: the same records, and no conflict that
//! nobody made.

use serde_json::{Value as Json, json};

use crate::world::{Device, Office};

fn create(device: &Device, entity: &str, fields: Json) -> String {
    let made = device.batch(&[json!({ "do": "create", "entity": entity, "fields": fields })]);
    made[0]["record"].as_str().unwrap().to_owned()
}

fn meet(devices: &[&Device]) {
    for _ in 0..2 {
        for device in devices {
            device.sync();
        }
    }
}

fn count(device: &Device, entity: &str) -> usize {
    device.json(&["list", entity, "--columns", "id"])["records"].as_array().unwrap().len()
}

#[test]
fn a_lead_converted_on_two_devices_becomes_three_records() {
    let office = Office::start();
    let (anna, ben) = (office.device("anna"), office.device("ben"));
    let pump = create(&anna, "product", json!({ "name": "Pump" }));
    let lead = create(
        &anna,
        "lead",
        json!({
            "name": "三川实业 水泵", "company_name": "三川实业有限公司", "contact_name": "王小明",
            "phone": "+86 21 5555 0001", "status": "in_process", "industry": "manufacturing",
            "expected_amount": "50000 CNY", "decision_role": "decision_maker", "owner_id": null,
            "products": [pump], "tags": ["fair"], "email_opt_out": true,
            "geo": { "lat": "31.2304", "lon": "121.4737" },
        }),
    );
    meet(&[&anna, &ben]);
    let first = anna.json(&["convert", &lead]);
    let second = ben.json(&["convert", &lead]);
    assert_eq!(first, second);
    meet(&[&anna, &ben]);
    for device in [&anna, &ben] {
        assert_eq!((count(device, "customer"), count(device, "contact")), (1, 1));
        assert_eq!(count(device, "opportunity"), 1);
        assert_eq!(device.json(&["conflicts"]), json!([]));
        assert_eq!(device.json(&["inbox"]), json!([]));
    }
    assert_eq!(anna.rows(), ben.rows());
    let made = |name: &str| ben.json(&["get", first[name].as_str().unwrap()]);
    let (customer, contact, deal) = (made("customer"), made("contact"), made("opportunity"));
    assert_eq!(customer["company_name"], "三川实业有限公司");
    assert_eq!(customer["geo"]["lat"], "31.2304");
    assert_eq!(contact["customer_id"], customer["id"]);
    assert_eq!(contact["email_opt_out"], true);
    assert_eq!(deal["expected_amount"]["amount"], "50000.00");
    assert_eq!(deal["contacts"].as_array().unwrap().len(), 1);
    assert_eq!(deal["lines"].as_array().unwrap().len(), 1);
    assert_eq!(deal["sales_stage"], "qualification");
    let lead = ben.json(&["get", &lead]);
    assert_eq!(lead["status"], "converted");
    assert_eq!(lead["converted_opportunity_id"], deal["id"]);
    // Doing it again changes nothing.
    assert_eq!(anna.json(&["convert", lead["id"].as_str().unwrap()]), first);
    assert_eq!(anna.json(&["outbox"]), json!([]), "nothing was written");
}

#[test]
fn an_activity_completed_twice_is_one_interaction() {
    let office = Office::start();
    let (anna, ben) = (office.device("anna"), office.device("ben"));
    let customer = create(&anna, "customer", json!({ "company_name": "Acme" }));
    let activity = create(
        &anna,
        "activity",
        json!({
            "subject": "Call about pumps", "customer_id": customer, "activity_type": "call",
            "activity_date": { "start": "2026-11-23T08:00:00Z", "end": "2026-11-23T08:30:00Z" },
            "status": "planned",
        }),
    );
    meet(&[&anna, &ben]);
    let first =
        anna.json(&["complete", &activity, "--outcome", "已沟通", "--note", "They want two"]);
    let second = ben.json(&["complete", &activity]);
    assert_eq!(first["interaction"], second["interaction"]);
    meet(&[&anna, &ben]);
    assert_eq!(count(&ben, "interaction"), 1);
    let told = ben.json(&["get", first["interaction"].as_str().unwrap()]);
    assert_eq!(told["channel"], "call");
    assert_eq!(told["summary"], "They want two");
    assert_eq!(told["occurred_at"], "2026-11-23T08:00:00.000Z");
    assert_eq!(told["activity_id"], json!(activity));
    let activity_now = ben.json(&["get", &activity]);
    assert_eq!(
        (&activity_now["status"], &activity_now["outcome"]),
        (&json!("held"), &json!("reached"))
    );
    assert_eq!(activity_now["interaction_count"], 1);
    for device in [&anna, &ben] {
        assert_eq!(device.json(&["conflicts"]), json!([]));
    }
    assert_eq!(ben.json(&["get", &customer])["last_contact_at"], "2026-11-23T08:00:00.000Z");
    // What is said later is added to what was told.
    ben.json(&["complete", &activity, "--note", "They want three"]);
    let told = ben.json(&["get", first["interaction"].as_str().unwrap()]);
    assert_eq!(told["corrections"][0]["text"], "They want three");
    assert_eq!(told["summary"], "They want two");
}

#[test]
fn a_visit_is_checked_in_worked_on_and_left() {
    let office = Office::start();
    let (dora, tom) = (office.device("dora"), office.device("tom"));
    let customer = create(
        &dora,
        "customer",
        json!({ "company_name": "Acme", "geo": { "lat": "31.2304", "lon": "121.4737" } }),
    );
    let valve = create(&dora, "product", json!({ "name": "Valve", "reorder_level": "4" }));
    let van = create(&dora, "stock_location", json!({ "name": "Van 1", "location_kind": "van" }));
    create(
        &dora,
        "stock_move",
        json!({ "product_id": valve, "qty": "5", "location_id": van, "move_kind": "receipt" }),
    );
    let visit = create(
        &dora,
        "visit",
        json!({
            "subject": "Repair the pump", "customer_id": customer, "status": "dispatched",
            "scheduled": { "start": "2026-11-23T08:00:00Z", "end": "2026-11-23T10:00:00Z" },
            "checklist": [{ "name": "Power off", "required": true }, { "name": "Photo" }],
        }),
    );
    meet(&[&dora, &tom]);
    let arrived = tom.json(&["check-in", &visit, "--geo", "31.2310, 121.4740 ±12"]);
    assert_eq!(
        (&arrived["verdict"], &arrived["status"]),
        (&json!("verified"), &json!("in_progress"))
    );
    let used = tom.json(&["use-part", &visit, &valve, "2", "--from", &van, "--serial", "V-77"]);
    assert_eq!(used["stock_quantity"], "3");
    let refused = tom.attempt(&["check-out", &visit]);
    assert_eq!(refused.status.code(), Some(6), "a required row is open");
    let error: Json = serde_json::from_slice(&refused.stderr).unwrap();
    assert_eq!(error["error"]["code"], "checklist_left");
    let row = tom.json(&["get", &visit])["checklist"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["name"] == "Power off")
        .unwrap()["id"]
        .clone();
    // Done on one device, undone on another: it is done.
    let row = row.as_str().unwrap();
    let tick = |done: bool| {
        json!({ "do": "edit", "record": visit, "fields": {
            "checklist": { "edit": { row: { "done": done } } },
        } })
    };
    dora.batch(&[tick(false)]);
    tom.batch(&[tick(true)]);
    meet(&[&dora, &tom]);
    assert_eq!(dora.json(&["get", &visit])["checklist_left"], 0);
    let left = tom.json(&["check-out", &visit, "--outcome", "done", "--note", "Runs again"]);
    assert_eq!((&left["verdict"], &left["status"]), (&json!("unverified"), &json!("completed")));
    meet(&[&dora, &tom]);
    let seen = dora.json(&["get", &visit]);
    assert_eq!(seen["status"], "completed");
    assert_eq!(seen["outcome"], "done");
    assert_eq!(seen["parts"][0]["qty"], "2");
    assert_eq!(seen["check_in_verdict"], "verified");
    assert!(seen["checked_in_at"].as_str() <= seen["checked_out_at"].as_str());
    assert!(seen["visit_minutes"].is_number());
    let product = dora.json(&["get", &valve]);
    assert_eq!(product["stock_quantity"], "3");
    assert_eq!(product["stock_status"], "low");
    assert_eq!(dora.rows(), tom.rows());
    assert_eq!(dora.json(&["conflicts"]), json!([]));
    let wrong = tom.attempt(&["check-in", &valve]);
    assert_eq!(wrong.status.code(), Some(2), "a product is no visit");
}
