//! Public data sets, imported with the mappings in `tests/import`: every row is accounted for.
//!
//! The sets are not part of the project; the tests say so and pass where they are not found.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use outrider_core::{
    ids::RecordId,
    replica::{Options, Replica},
    store::Durability,
    transfer::{
        ImportReport, Job, Mapping, Table, TableOptions, import_all,
        propose::{NoNames, Wishes, propose},
    },
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn data_folder(name: &str) -> Option<PathBuf> {
    let shared = env::var_os("OUTRIDER_SHARED_DATA")
        .map_or_else(|| root().join("../shared/data"), PathBuf::from);
    let folder = shared.join(name);
    if !folder.is_dir() {
        eprintln!("skipped: {name} is not here; OUTRIDER_SHARED_DATA says where public data is");
        return None;
    }
    Some(folder)
}

/// A replica, and what importing these files into it came to.
fn run(data: &Path, files: &[(&str, &str)]) -> (tempfile::TempDir, Replica, Vec<ImportReport>) {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { seed: Some(1), durability: Durability::None, ..Options::default() };
    let mut replica = Replica::open(folder.path(), options).unwrap();
    let read = |name: &str| {
        let path = root().join("tests/import").join(name).with_extension("toml");
        Mapping::from_toml(&fs::read_to_string(path).unwrap()).unwrap()
    };
    let mappings: Vec<Mapping> = files.iter().map(|(_, mapping)| read(mapping)).collect();
    let paths: Vec<PathBuf> = files.iter().map(|(file, _)| data.join(file)).collect();
    let jobs: Vec<Job<'_>> =
        mappings.iter().zip(&paths).map(|(mapping, path)| Job::new(mapping, path)).collect();
    let reports = import_all(&mut replica, &jobs, false, &mut |_, _| {}).unwrap();
    for report in &reports {
        assert_eq!(report.accounted(), report.rows, "{report}");
    }
    // Again, nothing changes.
    for report in import_all(&mut replica, &jobs, false, &mut |_, _| {}).unwrap() {
        assert_eq!(report.unchanged, report.rows, "{report}");
    }
    (folder, replica, reports)
}

#[test]
fn e_bikes_import_whole_and_tell_of_each_missing_product() {
    let Some(data) = data_folder("ebikes") else { return };
    // The lines first: they find their orders all the same.
    let files = [
        ("Order_Item__cs.json", "ebikes-items"),
        ("Order__cs.json", "ebikes-orders"),
        ("Opportunities.json", "ebikes-opportunities"),
        ("Cases.json", "ebikes-cases"),
        ("Accounts.json", "ebikes-accounts"),
    ];
    let (_folder, replica, reports) = run(&data, &files);
    let created: Vec<u64> = reports.iter().map(|report| report.created).collect();
    assert_eq!(created, [5, 2, 1, 1, 3]);
    assert!(reports.iter().all(|report| report.rejected == 0));
    let dangling: Vec<(u64, &str)> =
        reports[0].left_empty.iter().map(|note| (note.row, note.column.as_str())).collect();
    assert_eq!(dangling, [2, 3, 4, 5, 6].map(|row| (row, "Product__c")));
    assert!(reports[1..].iter().all(|report| report.left_empty.is_empty()));
    let order = RecordId::external("sales_order", "salesforce", "OrderRef1");
    let order = replica.get(order).unwrap().unwrap();
    let customer = RecordId::external("customer", "salesforce", "AccountRef3");
    assert_eq!(order["customer_id"], customer.to_string());
    assert!(order["lines"].as_array().unwrap().iter().any(|line| line["qty"] == "20"));
}

#[test]
fn chinas_divisions_become_a_tree_of_territories() {
    let Some(data) = data_folder("cn_divisions") else { return };
    let files = [
        ("areas.csv", "divisions-areas"),
        ("cities.csv", "divisions-cities"),
        ("provinces.csv", "divisions-provinces"),
    ];
    let (_folder, replica, reports) = run(&data, &files);
    let created: Vec<u64> = reports.iter().map(|report| report.created).collect();
    assert_eq!(created, [2_978, 342, 31]);
    assert!(reports.iter().all(|report| report.missing_references.is_empty()));
    let parent = |key: &str| {
        let place = RecordId::external("territory", "gb2260", key);
        replica.get(place).unwrap().unwrap()["parent_id"].as_str().unwrap().to_owned()
    };
    assert_eq!(parent("110105"), RecordId::external("territory", "gb2260", "1101").to_string());
    assert_eq!(parent("1301"), RecordId::external("territory", "gb2260", "13").to_string());
}

#[test]
fn persons_with_spaces_before_every_cell_become_contacts() {
    let Some(data) = data_folder("febrl") else { return };
    let (_folder, replica, reports) = run(&data, &[("dataset1.csv", "febrl")]);
    assert_eq!((reports[0].rows, reports[0].created), (1_000, 1_000));
    let person = replica.get(RecordId::external("contact", "febrl", "rec-122-org"));
    let person = person.unwrap().unwrap();
    assert_eq!(
        (person["name"]["given"].as_str(), person["birthday"].as_str()),
        (Some("lachlan"), Some("19990219"))
    );
    assert_eq!(person["address"]["street"], "69 giblin street");
}

#[test]
fn chinese_companies_and_places_become_records() {
    let Some(data) = data_folder("zh") else { return };
    let files = [("company_demo.txt", "zh-companies"), ("pca.csv", "zh-places")];
    let (_folder, replica, reports) = run(&data, &files);
    let lines = fs::read_to_string(data.join("company_demo.txt")).unwrap();
    let names = lines.lines().filter(|line| !line.trim().is_empty()).count() as u64;
    assert_eq!((reports[0].rows, reports[0].created), (names, names));
    let places = fs::read_to_string(data.join("pca.csv")).unwrap().lines().count() as u64 - 1;
    assert_eq!((reports[1].rows, reports[1].created), (places, places));
    let page = replica.list("stock_location", &outrider_core::store::query::Query::default());
    assert!(page.unwrap().records.iter().all(|record| record.get("geo").is_some()));
}

#[test]
fn what_is_dirty_in_the_maven_set_is_proposed_to_be_cleaned() {
    let Some(data) = data_folder("maven") else { return };
    let table = Table::open(&data.join("accounts.csv"), &TableOptions::default()).unwrap();
    let wishes = Wishes { currency: Some("USD".into()), ..Wishes::default() };
    let proposal = propose(&table, &wishes, &NoNames).unwrap();
    assert_eq!(
        (proposal.entity.as_str(), proposal.key.as_slice()),
        ("customer", &["account_id".to_owned()][..])
    );
    let column = |name: &str| proposal.columns.iter().find(|column| column.column == name).unwrap();
    assert_eq!(column("sector").replaced["technolgy"], "technology");
    assert_eq!(column("subsidiary_of").by.as_deref(), Some("company_name"));
    assert_eq!(column("office_location").field.as_deref(), Some("address.country"));
    assert_eq!(column("office_location").replaced["Philipines"], "Philippines");
    Mapping::from_toml(&proposal.mapping).unwrap();
}
