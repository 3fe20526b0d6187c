//! Real input: the Maven set imported on one device, pulled by two others, edited offline.

use std::path::Path;

use serde_json::{Value as Json, json};

use crate::world::{Device, Office, shared_data};

/// Opportunities that each of two devices edits offline.
const EDITS: usize = 200;
/// Files with their mappings, in an order in which references are found.
const FILES: &[(&str, &str)] = &[
    ("accounts.csv", "accounts.toml"),
    ("products.csv", "products.toml"),
    ("sales_teams.csv", "sales_teams.toml"),
    ("sales_pipeline.csv", "sales_pipeline.toml"),
    ("interactions.csv", "interactions.toml"),
];

#[test]
fn maven_gives_the_golden_numbers_everywhere_and_moves_by_exactly_the_edits() {
    let Some(data) = shared_data("maven") else { return };
    let office = Office::start();
    let importer = office.device("importer");
    import(&importer, &data);
    assert_golden(&importer);
    let summary = importer.sync();
    println!("importer pushed: {summary}");
    let (anna, ben) = (office.device("anna"), office.device("ben"));
    for device in [&anna, &ben] {
        let summary = device.sync();
        println!("first sync: {summary}");
        assert_golden(device);
    }
    // The two came after the import; they are users too.
    importer.sync();
    assert_eq!(importer.rows(), anna.rows());

    let before = report(&importer);
    let won = list(&anna, "won");
    let open = list(&ben, "qualification");
    raise_won(&anna, &won);
    let (list_price, product_less) = close_open(&ben, &open);
    let value = |report: &Json, name: &str| report["won"][name].as_i64().unwrap();
    for device in [&anna, &ben, &importer, &anna] {
        device.sync();
    }
    assert_eq!(product_less, 0, "every open opportunity has a product");
    for device in [&importer, &anna, &ben] {
        let after = report(device);
        let half = EDITS as i64 / 2;
        // Anna raised 200 won deals by 10; Ben won 100 at 1,000 and lost 100.
        let more = EDITS as i64 * 10 + half * 1_000;
        assert_eq!(value(&after, "value"), value(&before, "value") + more);
        assert_eq!(value(&after, "count"), value(&before, "count") + half);
        let lost = before["lost"]["count"].as_i64().unwrap();
        assert_eq!(after["lost"]["count"].as_i64().unwrap(), lost + half);
        let open = |report: &Json| report["open_pipeline_at_list_price"]["value"].as_i64().unwrap();
        assert_eq!(open(&after), open(&before) - list_price);
    }
    assert_eq!(anna.rows(), ben.rows());
    assert_eq!(anna.rows(), importer.rows());
}

fn import(device: &Device, data: &Path) {
    let mappings = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/maven");
    for round in ["first", "second"] {
        for (file, mapping) in FILES {
            let (file, mapping) = (data.join(file), mappings.join(mapping));
            let (path, map) = (file.to_str().unwrap(), mapping.to_str().unwrap());
            let report = device.json(&["import", path, "--mapping", map]);
            let count = |name: &str| report[name].as_u64().unwrap();
            assert_eq!(count("rejected"), 0, "{report}");
            let accounted =
                count("created") + count("updated") + count("unchanged") + count("rejected");
            assert_eq!(accounted, count("rows"), "no row vanishes: {report}");
            let expected = if round == "first" { "created" } else { "unchanged" };
            assert_eq!(count(expected), count("rows"), "{round} import: {report}");
            if file.ends_with("sales_pipeline.csv") && round == "first" {
                assert_eq!(report["empty_references"]["customer_id"], 1_425);
                assert_eq!(report["mapped_values"]["product"]["GTXPro"], 1_480);
            }
        }
    }
}

fn report(device: &Device) -> Json {
    device.json(&["report", "pipeline"])
}

fn assert_golden(device: &Device) {
    let report = report(device);
    assert_eq!(report["won"]["value"], 10_005_534);
    assert_eq!(report["won"]["count"], 4_238);
    assert_eq!(report["lost"]["count"], 2_473);
    assert_eq!(report["win_rate_percent"], 63.15);
    let region = |name: &str| {
        let regions = report["won_by_region"].as_array().unwrap();
        regions.iter().find(|region| region["region"] == name).unwrap()["value"].clone()
    };
    assert_eq!(region("West"), 3_568_647);
    assert_eq!(region("Central"), 3_346_293);
    assert_eq!(region("East"), 3_090_594);
    let best = &report["best_agent"];
    assert_eq!((&best["name"], &best["value"]), (&json!("Darcel Schlecht"), &json!(1_153_214)));
    let open = &report["open_pipeline_at_list_price"];
    assert_eq!(open["value"], 4_966_215);
    let stage = |name: &str| {
        let stages = open["by_stage"].as_array().unwrap();
        stages.iter().find(|stage| stage["stage"] == name).unwrap()["value"].clone()
    };
    assert_eq!(stage("prospecting"), 1_073_986);
    assert_eq!(stage("qualification"), 3_892_229);
}

fn list(device: &Device, stage: &str) -> Vec<Json> {
    let filter = format!("sales_stage={stage}");
    let limit = EDITS.to_string();
    let page = device.json(&["list", "opportunity", "--where", &filter, "--limit", &limit]);
    let records = page["records"].as_array().unwrap().clone();
    assert_eq!(records.len(), EDITS);
    records
}

fn raise_won(device: &Device, won: &[Json]) {
    let edits: Vec<Json> = won
        .iter()
        .map(|record| {
            let minor = record["expected_amount"]["minor"].as_i64().unwrap() + 1_000;
            let amount =
                json!({"currency": "USD", "amount": format!("{}.{:02}", minor / 100, minor % 100)});
            json!({"do": "edit", "record": record["id"], "fields": {"expected_amount": amount}})
        })
        .collect();
    device.batch(&edits);
}

/// Wins the first half at 1,000 each and loses the second; returns the list price of all, and how
/// many have none.
fn close_open(device: &Device, open: &[Json]) -> (i64, usize) {
    let mut edits = Vec::new();
    let (mut list_price, mut product_less) = (0, 0);
    for (place, record) in open.iter().enumerate() {
        match record["product_id"].as_str() {
            Some(product) => {
                let product = device.json(&["get", product]);
                list_price += product["price"]["minor"].as_i64().unwrap() / 100;
            }
            None => product_less += 1,
        }
        let fields = if place < EDITS / 2 {
            json!({"sales_stage": "won", "expected_amount": "1000.00 USD"})
        } else {
            json!({"sales_stage": "lost", "lost_reason": "other"})
        };
        edits.push(json!({"do": "edit", "record": record["id"], "fields": fields}));
    }
    device.batch(&edits);
    (list_price, product_less)
}
