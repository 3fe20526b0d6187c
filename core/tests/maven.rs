//! The public Maven set of sales opportunities, imported with the mappings beside the tests: the
//! golden numbers come out, and importing again changes nothing.
//!
//! The set is not part of the project; the test says so and passes where it is not found.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::{
    env,
    path::{Path, PathBuf},
    time::Instant,
};

use outrider_core::{
    ids::RecordId,
    replica::{Options, Replica},
    reports::pipeline,
    store::Durability,
    transfer::{ImportReport, Job, Mapping, import},
};
use serde_json::{Map, Value as Json, json};

/// The files in the order in which they name each other.
const FILES: &[&str] = &["accounts", "products", "sales_teams", "sales_pipeline", "interactions"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn data_folder() -> Option<PathBuf> {
    let shared = env::var_os("OUTRIDER_SHARED_DATA")
        .map_or_else(|| root().join("../shared/data"), PathBuf::from);
    let folder = shared.join("maven");
    folder.is_dir().then_some(folder)
}

fn import_file(replica: &mut Replica, data: &Path, name: &str, dry_run: bool) -> ImportReport {
    let mapping = root().join("tests/maven").join(name).with_extension("toml");
    let mapping = Mapping::from_toml(&std::fs::read_to_string(mapping).unwrap()).unwrap();
    let file = data.join(name).with_extension("csv");
    let report = import(replica, Job::new(&mapping, &file), dry_run, &mut |_| {}).unwrap();
    assert_eq!(report.accounted(), report.rows, "{report}");
    assert_eq!(report.rejected, 0, "{report}");
    report
}

fn fields(json: Json) -> Map<String, Json> {
    json.as_object().unwrap().clone()
}

#[test]
fn the_maven_set_gives_its_golden_numbers_and_stays() {
    let Some(data) = data_folder() else {
        eprintln!("skipped: the Maven set is not here; OUTRIDER_SHARED_DATA says where it is");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let options = Options { seed: Some(1), durability: Durability::None, ..Options::default() };
    let mut replica = Replica::open(folder.path(), options).unwrap();

    let begin = Instant::now();
    let mut rows = Vec::new();
    for name in FILES {
        let report = import_file(&mut replica, &data, name, false);
        assert_eq!(report.created, report.rows, "{report}");
        assert!(report.missing_references.is_empty(), "{report}");
        rows.push(report.rows);
        if *name == "sales_pipeline" {
            assert_eq!(report.empty_references["customer_id"], 1_425);
            assert_eq!(report.mapped_values["product"]["GTXPro"], 1_480);
        }
        if *name == "accounts" {
            assert_eq!(report.empty_references["parent_id"], 70);
        }
    }
    assert_eq!(rows, [85, 7, 35, 8_800, 626]);
    let seconds = begin.elapsed().as_secs_f64();
    eprintln!("{:.0} records/s", f64::from(85 + 7 + 35 + 8_800 + 626) / seconds);

    check_golden_numbers(&replica);

    let opportunity = RecordId::external("opportunity", "maven", "N4SD17JR");
    let edit = json!({ "next_step": "Call again", "name": "Edited by a person" });
    assert!(replica.update(opportunity, &fields(edit)).unwrap());
    let edited = replica.get(opportunity).unwrap().unwrap();
    let waiting = replica.status().unwrap().waiting;
    for name in FILES {
        let report = import_file(&mut replica, &data, name, false);
        assert_eq!(report.unchanged, report.rows, "{report}");
    }
    assert_eq!(replica.get(opportunity).unwrap().unwrap(), edited);
    assert_eq!(replica.status().unwrap().waiting, waiting);
    check_golden_numbers(&replica);
}

fn check_golden_numbers(replica: &Replica) {
    let report = pipeline(replica).unwrap();
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["currency"], "USD");
    assert_eq!(json["count"], 8_800);
    assert_eq!(
        json["won"],
        json!({ "count": 4_238, "value": 10_005_534, "value_minor": 1_000_553_400 })
    );
    assert_eq!(json["lost"]["count"], 2_473);
    assert_eq!(json["win_rate_percent"], 63.15);
    let regions: Vec<(&str, i64)> = json["won_by_region"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["region"].as_str().unwrap(), line["value"].as_i64().unwrap()))
        .collect();
    assert_eq!(regions, [("West", 3_568_647), ("Central", 3_346_293), ("East", 3_090_594)]);
    assert_eq!(json["best_agent"]["name"], "Darcel Schlecht");
    assert_eq!(json["best_agent"]["value"], 1_153_214);
    let listed = &json["open_pipeline_at_list_price"];
    assert_eq!(listed["value"], 4_966_215);
    assert_eq!(listed["without_price"], 0);
    let by_stage: Vec<(&str, i64)> = listed["by_stage"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["stage"].as_str().unwrap(), line["value"].as_i64().unwrap()))
        .collect();
    assert_eq!(by_stage, [("prospecting", 1_073_986), ("qualification", 3_892_229)]);
    assert_eq!(json["other_currencies"], json!([]));
    let table = report.to_string();
    assert!(table.contains("Won · 赢单"), "{table}");
}

#[test]
fn a_dry_run_of_the_maven_set_counts_the_same_and_writes_nothing() {
    let Some(data) = data_folder() else {
        eprintln!("skipped: the Maven set is not here; OUTRIDER_SHARED_DATA says where it is");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut replica = Replica::open(folder.path(), Options::default()).unwrap();
    let report = import_file(&mut replica, &data, "accounts", true);
    assert_eq!((report.rows, report.created), (85, 85));
    assert!(report.missing_references.is_empty(), "{report}");
    assert_eq!(replica.status().unwrap().waiting, 0);
    assert!(replica.status().unwrap().records.is_empty());
}
