//! A device that has not reached its office for too long locks itself, whatever its clock says.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on panics")]

use std::{path::Path, sync::Arc};

use outrider_core::{
    replica::{Options, Replica, ReplicaError},
    store::{Durability, query::Query},
    time::{Clock, ManualClock},
};
use serde_json::{Map, json};

const NOW: i64 = 1_780_000_000_000;
const DAY: i64 = 24 * 60 * 60_000;
const LEASE: i64 = 30 * DAY;

fn open(folder: &Path, clock: &Arc<ManualClock>) -> Replica {
    let clock: Arc<dyn Clock> = clock.clone();
    let options = Options { clock, seed: Some(1), durability: Durability::None, keys: None };
    Replica::open(folder, options).unwrap()
}

fn customer(name: &str) -> Map<String, serde_json::Value> {
    json!({ "company_name": name }).as_object().unwrap().clone()
}

fn days(error: ReplicaError) -> i64 {
    if let ReplicaError::Locked { days } = error { days } else { panic!("{error}") }
}

#[test]
fn the_doors_close_with_the_lease_and_open_with_a_contact() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(NOW));
    let mut replica = open(folder.path(), &clock);
    clock.advance(400 * DAY);
    let record = replica.create("customer", &customer("Acme")).unwrap();
    let now = clock.now_ms();
    replica.note_contact(now, LEASE).unwrap();
    clock.advance(LEASE);
    assert!(replica.get(record).unwrap().is_some(), "to the last moment");
    clock.advance(1);
    assert_eq!(days(replica.get(record).unwrap_err()), 30);
    assert_eq!(days(replica.list("customer", &Query::default()).unwrap_err()), 30);
    assert_eq!(days(replica.update(record, &customer("Brown")).unwrap_err()), 30);
    assert_eq!(days(replica.archive(record).unwrap_err()), 30);
    assert_eq!(days(replica.live("customer", Query::default()).unwrap_err()), 30);
    assert_eq!(days(replica.outbox(10).unwrap_err()), 30);
    assert_eq!(days(replica.conflicts(None).unwrap_err()), 30);
    assert_eq!(days(replica.title(record).unwrap_err()), 30);
    assert_eq!(days(replica.rebuild_rows().unwrap_err()), 30);
    assert_eq!(days(replica.export_store(&folder.path().join("copy")).unwrap_err()), 30);
    assert!(replica.status().is_ok() && replica.enrolment().is_ok(), "it says where it stands");
    replica.note_contact(clock.now_ms(), LEASE).unwrap();
    assert!(replica.get(record).unwrap().is_some());
    replica.update(record, &customer("Brown")).unwrap();
}

#[test]
fn setting_the_clock_back_does_not_help() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(NOW));
    let mut replica = open(folder.path(), &clock);
    replica.note_contact(NOW, LEASE).unwrap();
    // Seen once: by a write of an open store, or by opening it.
    clock.advance(20 * DAY);
    replica.create("customer", &customer("Acme")).unwrap();
    clock.advance(-19 * DAY);
    drop(replica);
    clock.advance(LEASE + 20 * DAY);
    drop(open(folder.path(), &clock));
    clock.advance(-LEASE - 20 * DAY);
    let mut replica = open(folder.path(), &clock);
    assert_eq!(days(replica.list("customer", &Query::default()).unwrap_err()), 51);
    // Neither does a clock that is set far back before the contact.
    replica.note_contact(NOW + 51 * DAY, LEASE).unwrap();
    assert!(replica.list("customer", &Query::default()).is_ok());
    clock.advance(60 * DAY + LEASE);
    assert!(replica.list("customer", &Query::default()).is_err());
}

#[test]
fn a_lease_of_nothing_is_for_ever_and_its_end_is_the_servers_word() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(NOW));
    let mut replica = open(folder.path(), &clock);
    replica.note_contact(NOW, 0).unwrap();
    clock.advance(1_000 * DAY);
    assert!(replica.list("customer", &Query::default()).is_ok());
    replica.note_contact(clock.now_ms(), DAY).unwrap();
    clock.advance(DAY + 1);
    assert!(replica.list("customer", &Query::default()).is_err());
}

/// The clock of a phone was ten years ahead: it was locked for ever, also while it talked to its
/// server.
#[test]
fn a_clock_that_is_far_ahead_does_not_lock_a_device_that_its_server_answers() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(NOW));
    let mut replica = open(folder.path(), &clock);
    replica.note_contact(NOW, LEASE).unwrap();
    clock.advance(3_652 * DAY);
    assert!(replica.list("customer", &Query::default()).is_err(), "nobody can tell it from a wait");
    replica.note_contact(NOW + 1, LEASE).unwrap();
    replica.create("customer", &customer("Acme")).unwrap();
    drop(replica);
    let mut replica = open(folder.path(), &clock);
    replica.create("customer", &customer("Brown")).unwrap();
    clock.advance(LEASE + 1);
    assert_eq!(days(replica.list("customer", &Query::default()).unwrap_err()), 30);
}

/// A device came back after two years with a newer app, which makes all rows anew before anything
/// else: its lease was over, and it never opened again.
#[test]
fn a_newer_app_opens_although_the_lease_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(NOW));
    let mut replica = open(folder.path(), &clock);
    let record = replica.create("customer", &customer("Acme")).unwrap();
    replica.note_contact(NOW, LEASE).unwrap();
    drop(replica);
    let conn = rusqlite::Connection::open(folder.path().join("outrider.db")).unwrap();
    conn.execute("UPDATE meta SET value = x'00000001' WHERE key = 'schema_version'", []).unwrap();
    drop(conn);
    clock.advance(730 * DAY);
    let mut replica = open(folder.path(), &clock);
    assert!(replica.get(record).is_err(), "it is locked");
    replica.note_contact(clock.now_ms(), LEASE).unwrap();
    assert_eq!(replica.get(record).unwrap().unwrap()["company_name"], "Acme");
}
