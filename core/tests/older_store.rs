//! A store that an older app wrote is opened by a newer one: tables and columns that the older
//! did not have come by themselves, and its records are in them.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{path::Path, sync::Arc};

use outrider_core::{
    ids::RecordId,
    replica::{DATABASE_FILE, Options, Replica},
    schema::Schema,
    store::query::{Compare, Filter, Query},
    time::ManualClock,
};
use rusqlite::Connection;
use serde_json::{Value as Json, json};

/// Tables of the first version; all others came later.
const FIRST: &[&str] =
    &["customer", "contact", "opportunity", "interaction", "product", "sales_order", "user"];

fn open(folder: &Path) -> Replica {
    let clock = Arc::new(ManualClock::at(1_795_000_000_000));
    Replica::open(folder, Options { clock, seed: Some(1), ..Options::default() }).unwrap()
}

fn create(replica: &mut Replica, entity: &str, fields: Json) -> RecordId {
    replica.create(entity, fields.as_object().unwrap()).unwrap()
}

/// Makes the tables what the first version had: few entities, and customers with few columns.
fn age(folder: &Path) {
    let conn = Connection::open(folder.join(DATABASE_FILE)).unwrap();
    for entity in Schema::builtin().entities() {
        if !FIRST.contains(&entity.name.as_str()) {
            conn.execute_batch(&format!("DROP TABLE {};", entity.name)).unwrap();
        }
    }
    conn.execute_batch(
        "DROP TABLE customer;
         CREATE TABLE customer (
             id BLOB PRIMARY KEY NOT NULL,
             is_archived INTEGER NOT NULL DEFAULT 0,
             conflicts INTEGER NOT NULL DEFAULT 0,
             company_name TEXT, phone TEXT, owner_id TEXT, tags TEXT, created_at INTEGER
         ) STRICT;
         INSERT INTO customer (id, company_name, phone)
             SELECT record, 'Acme', '120' FROM document WHERE entity = 'customer' AND part = 'main';
         UPDATE meta SET value = x'00000001' WHERE key = 'schema_version';",
    )
    .unwrap();
}

#[test]
fn an_older_store_opens_with_its_records_in_the_new_tables() {
    let folder = tempfile::tempdir().unwrap();
    let mut replica = open(folder.path());
    let customer = create(
        &mut replica,
        "customer",
        json!({
            "company_name": "Acme", "phone": "120", "notes": "long",
            "geo": { "lat": "31.2304", "lon": "121.4737" },
        }),
    );
    let visit = create(
        &mut replica,
        "visit",
        json!({ "subject": "Repair", "status": "new", "customer_id": customer }),
    );
    let before = replica.dump_rows().unwrap();
    drop(replica);
    age(folder.path());
    let mut replica = open(folder.path());
    assert_eq!(replica.dump_rows().unwrap(), before);
    let shown = replica.get(customer).unwrap().unwrap();
    assert_eq!(shown["geo"]["lon"], "121.4737");
    assert_eq!(shown["contact_count"], 0);
    let filter = Filter {
        column: "geo_lat".to_owned(),
        compare: Compare::From,
        value: "312304000".to_owned(),
    };
    let query = Query { filters: vec![filter], ..Query::default() };
    assert_eq!(replica.list("customer", &query).unwrap().records.len(), 1);
    assert_eq!(replica.get(visit).unwrap().unwrap()["subject"], "Repair");
    create(&mut replica, "stock_location", json!({ "name": "Depot" }));
    assert_eq!(replica.status().unwrap().waiting, 4);
}
