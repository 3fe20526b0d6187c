//! Whatever may take long ends when it is cancelled.

use outrider_core::replica::ReplicaError;

use super::{customer, open};
use crate::{
    Cancel, CrmError,
    query::ListQuery,
    records::{CrmChanges, CustomerChange},
    transfer::{FileFormat, ImportWishes},
};

fn is_cancelled<T: std::fmt::Debug>(name: &str, done: Result<T, CrmError>) {
    assert!(matches!(done, Err(CrmError::Cancelled { .. })), "{name}: {done:?}");
}

#[test]
fn what_is_cancelled_before_it_began_does_nothing() {
    let (folder, replica) = open();
    customer(&replica, "Acme");
    let file = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::write(file("a.csv"), "Company name\nAcme\n").unwrap();
    let (cancel, query) = (Cancel::new(), ListQuery::of("customer"));
    let wishes = ImportWishes { entity: Some("customer".to_owned()), ..Default::default() };
    let mapping = replica.propose_import(file("a.csv"), wishes.clone(), None).unwrap().mapping;
    let json = file("a.json");
    replica.export_file(json.clone(), FileFormat::Json, query.clone(), None, None).unwrap();
    cancel.cancel();
    let with = || Some(std::sync::Arc::clone(&cancel));
    is_cancelled("diagnose", replica.diagnose(with()));
    is_cancelled("storage", replica.storage(with()));
    is_cancelled("bundle", replica.write_support_bundle(file("b.zip"), None, with()));
    is_cancelled("export_store", replica.export_store(file("store"), true, with()));
    is_cancelled(
        "export_file",
        replica.export_file(file("c.csv"), FileFormat::Csv, query, None, with()),
    );
    is_cancelled("import_file", replica.import_file(file("a.csv"), mapping, false, None, with()));
    is_cancelled("import_exported", replica.import_exported(json, None, with()));
    assert!(!std::path::Path::new(&file("b.zip")).exists());
    assert!(!std::path::Path::new(&file("c.csv")).exists());
    assert_eq!(replica.count(ListQuery::of("customer")).unwrap(), 1);
}

/// What is broken off in the middle leaves nothing of itself.
#[test]
fn a_statement_is_broken_off() {
    let (_folder, replica) = open();
    for number in 0..50 {
        customer(&replica, &format!("Customer {number}"));
    }
    let mut beside = replica.beside(None).unwrap();
    let mut looks = 0;
    beside
        .replica
        .break_off_when(move || {
            looks += 1;
            looks > 3
        })
        .unwrap();
    let mut done: Result<_, ReplicaError> = beside.replica.examine();
    for _ in 0..1_000 {
        if done.is_err() {
            break;
        }
        done = beside.replica.examine();
    }
    assert!(done.is_err(), "it was looked often enough");
    drop(beside);
    let change = CustomerChange::CompanyName(Some("Acme".to_owned()));
    replica.create(CrmChanges::Customer(vec![change])).unwrap();
    assert_eq!(replica.count(ListQuery::of("customer")).unwrap(), 51);
}
