//! What is found: a table of queries over a small world, on a device and on the server alike.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests"
)]

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use outrider_conformance::world::World;
use outrider_core::{
    ids::RecordId,
    schema::{Schema, Type},
    store::{
        index::{self, Changed},
        near::{NearQuery, NearRecord},
        rows,
        search::{CANDIDATES_MAX, Hit, SearchPage, SearchQuery},
    },
};
use outrider_sync_server::storage::Storage;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

const WORLD: &str = include_str!("../search/world.toml");
const QUERIES: &str = include_str!("../search/queries.toml");

#[derive(Deserialize)]
struct Records {
    records: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    key: String,
    entity: String,
    fields: Map<String, Json>,
    #[serde(default)]
    archived: bool,
}

#[derive(Deserialize)]
struct Queries {
    queries: Vec<Asked>,
}

/// A query and the keys of what it finds, in order.
#[derive(Deserialize)]
struct Asked {
    ask: String,
    find: Vec<String>,
    /// What is marked of the first hit: in its title, or in the field that hits.
    #[serde(default)]
    marks: Option<Vec<String>>,
    /// The field in which the first hit hits, if not in its title.
    #[serde(default)]
    place: Option<String>,
    #[serde(default)]
    entities: Vec<String>,
    #[serde(default)]
    archived: bool,
    /// Whether they are found by a typo alone.
    #[serde(default)]
    slip: bool,
}

type Keys = BTreeMap<String, RecordId>;

/// A device with all records, and a server to which they were sent.
fn world() -> (World, Keys) {
    let records: Records = toml::from_str(WORLD).unwrap();
    let mut world = World::new(7).unwrap();
    let device = world.add_device("Mia", "phone").unwrap();
    world.enrol(device).unwrap();
    let mut keys = Keys::new();
    for Record { key, entity, mut fields, archived } in records.records {
        for value in fields.values_mut() {
            if let Some(link) = value.as_str().and_then(|text| text.strip_prefix('@')) {
                *value = json!(keys[link]);
            }
        }
        fill_in(&entity, &mut fields);
        let replica = world.act(device).unwrap().replica_mut().unwrap();
        let id = replica.create(&entity, &fields).unwrap_or_else(|error| panic!("{key}: {error}"));
        if archived {
            replica.archive(id).unwrap();
        }
        keys.insert(key, id);
    }
    world.sync_all(&[device]).unwrap();
    (world, keys)
}

/// What a record must have and search does not read.
fn fill_in(entity: &str, fields: &mut Map<String, Json>) {
    let entity = Schema::current().entity(entity).unwrap();
    for field in entity.fields.iter().filter(|field| field.required) {
        let value = match &field.ty {
            Type::Picklist(list) => json!(list.choices[0].id),
            Type::DateTime => json!("2026-06-01T08:00:00Z"),
            Type::Date => json!("2026-06-01"),
            Type::Bool => json!(false),
            Type::Money => json!({ "amount": "1", "currency": "EUR" }),
            Type::Period => json!({ "start": "2026-06-01", "end": "2026-06-02" }),
            _ => continue,
        };
        fields.entry(field.name.clone()).or_insert(value);
    }
}

/// What both sides find: they must agree in everything.
fn search(world: &World, query: &SearchQuery) -> SearchPage {
    let mine = world.device(0).unwrap().replica().unwrap().search(query).unwrap();
    let theirs = world.office.storage().unwrap().read().unwrap().search(query).unwrap();
    assert_eq!(mine, theirs, "device and server differ: {query:?}");
    mine
}

fn near(world: &World, query: &NearQuery) -> Vec<NearRecord> {
    let mine = world.device(0).unwrap().replica().unwrap().near(query).unwrap();
    let theirs = world.office.storage().unwrap().read().unwrap().near(query).unwrap();
    assert_eq!(mine, theirs, "device and server differ: {query:?}");
    mine
}

fn ask(text: &str) -> SearchQuery {
    SearchQuery { text: text.to_owned(), limit: 200, ..SearchQuery::default() }
}

fn key_of(keys: &Keys, record: RecordId) -> String {
    keys.iter()
        .find(|(_, id)| **id == record)
        .map_or_else(|| "?".to_owned(), |(key, _)| key.clone())
}

fn marked(hit: &Hit) -> Vec<String> {
    let part = |text: &str, mark: &std::ops::Range<usize>| text[mark.clone()].to_owned();
    match &hit.place {
        Some(place) => {
            place.snippet.marks.iter().map(|mark| part(&place.snippet.text, mark)).collect()
        }
        None => hit.title_marks.iter().map(|mark| part(&hit.title, mark)).collect(),
    }
}

#[test]
fn the_table_holds_on_device_and_server() {
    let (world, keys) = world();
    let queries: Queries = toml::from_str(QUERIES).unwrap();
    assert!(queries.queries.len() >= 60, "{} queries", queries.queries.len());
    let mut wrong = Vec::new();
    for asked in &queries.queries {
        let query = SearchQuery {
            entities: asked.entities.clone(),
            with_archived: asked.archived,
            ..ask(&asked.ask)
        };
        let page = search(&world, &query);
        let found: Vec<String> = page.hits.iter().map(|hit| key_of(&keys, hit.record)).collect();
        if found != asked.find {
            wrong.push(format!("{:?}: {found:?}, not {:?}", asked.ask, asked.find));
        }
        let Some(first) = page.hits.first() else { continue };
        if let Some(marks) = &asked.marks
            && marked(first) != *marks
        {
            wrong.push(format!("{:?} marks {:?}, not {marks:?}", asked.ask, marked(first)));
        }
        let place = first.place.as_ref().map(|place| place.field.clone());
        if asked.place.is_some() && place != asked.place {
            wrong.push(format!("{:?} hits in {place:?}, not {:?}", asked.ask, asked.place));
        }
        if page.hits.iter().any(|hit| hit.is_slip) != asked.slip {
            wrong.push(format!("{:?}: typos {}", asked.ask, !asked.slip));
        }
        // Every hit says where it is.
        for hit in &page.hits {
            if marked(hit).is_empty() {
                wrong.push(format!("{:?}: {} has no mark", asked.ask, key_of(&keys, hit.record)));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn pages_hold_together_and_counts_tell_of_all() {
    let (world, _) = world();
    let whole = search(&world, &ask("an"));
    assert!(whole.hits.len() > 3 && whole.next.is_none() && !whole.is_cut);
    assert_eq!(whole.counts.iter().map(|(_, count)| count).sum::<u64>(), whole.total);
    let mut pieces = Vec::new();
    let mut query = SearchQuery { limit: 2, ..ask("an") };
    loop {
        let page = search(&world, &query);
        pieces.extend(page.hits);
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    assert_eq!(pieces, whole.hits);
    let storage = world.office.storage().unwrap();
    let wrong = |query: SearchQuery| storage.read().unwrap().search(&query).is_err();
    assert!(wrong(SearchQuery { after: Some("x".to_owned()), ..ask("an") }));
    assert!(wrong(SearchQuery { after: Some(usize::MAX.to_string()), ..ask("an") }));
    assert!(wrong(SearchQuery { entities: vec!["no_such".to_owned()], ..ask("an") }));
}

/// Whatever is typed is no error, and takes no time.
#[test]
fn anything_may_be_typed() {
    let (world, _) = world();
    let thousand = "word ".repeat(1_000);
    let long = "长".repeat(5_000);
    let letters = "xian".repeat(100);
    let odd = [
        "\"",
        "\"\"",
        "\" \"",
        "a\"b",
        "AND",
        "OR NOT",
        "NEAR(a b)",
        "a*",
        "*",
        "^a",
        "name:a",
        "{name}:a",
        "a AND (b",
        "-a",
        "a -b",
        "(",
        ")",
        ":",
        "'",
        "''; DROP TABLE customer; --",
        "\0",
        "a\0b",
        "😀",
        "👩‍👩‍👧",
        "\u{e000}",
        "\u{e001}customer",
        "\u{10ffff}",
        "%",
        "_",
        "\\",
        "１２３",
        "+",
        "00",
        "000",
        "+0",
        "İ",
        "ß",
        "ﬁ",
        "\u{202e}abc",
        "a\u{301}",
        "々",
        "〇",
        thousand.as_str(),
        long.as_str(),
        letters.as_str(),
        " ",
        "\t\n",
    ];
    for text in odd {
        let start = Instant::now();
        let page = search(&world, &ask(text));
        let took = start.elapsed();
        let shown: String = text.chars().take(20).collect();
        assert!(took < Duration::from_secs(2), "{shown:?} took {took:?}");
        assert!(page.total as usize <= CANDIDATES_MAX, "{shown:?}");
    }
    assert!(
        search(&world, &ask("\u{e001}customer")).hits.is_empty(),
        "a token of the index itself"
    );
}

#[test]
fn what_is_archived_undone_edited_or_gone_is_not_found() {
    let (mut world, keys) = world();
    let found = |world: &World, text: &str| search(world, &ask(text)).hits.len();
    assert_eq!(found(&world, "northwind"), 1);
    let device = world.act(0).unwrap().replica_mut().unwrap();
    device.archive(keys["northwind"]).unwrap();
    device.update(keys["acme"], json!({ "company_name": "Zenith" }).as_object().unwrap()).unwrap();
    world.sync_all(&[0]).unwrap();
    assert_eq!((found(&world, "northwind"), found(&world, "zenith")), (0, 1));
    assert_eq!(found(&world, "acme"), 1, "the other one");
    let archived = SearchQuery { with_archived: true, ..ask("northwind") };
    assert!(search(&world, &archived).hits[0].is_archived);
    let device = world.act(0).unwrap().replica_mut().unwrap();
    device.restore(keys["northwind"]).unwrap();
    let last = device.undoable(1).unwrap()[0].group;
    device.undo(last).unwrap();
    world.sync_all(&[0]).unwrap();
    assert_eq!(found(&world, "northwind"), 0, "the restoring was undone");

    // What has no row any more leaves nothing in the index.
    let conn = rusqlite::Connection::open(world.office.database()).unwrap();
    let schema = Schema::current();
    let words = |conn: &rusqlite::Connection, word: &str| -> i64 {
        let sql = "SELECT count(*) FROM search_word WHERE term = ?1";
        conn.query_row(sql, [word], |row| row.get(0)).unwrap()
    };
    assert_eq!(words(&conn, "fisheries"), 1);
    let customer = schema.entity("customer").unwrap();
    rows::delete(&conn, customer, keys["obrien"]).unwrap();
    let mut changed = Changed::default();
    changed.note(customer, keys["obrien"]);
    index::follow(&conn, schema, &changed).unwrap();
    assert_eq!(words(&conn, "fisheries"), 0);
    drop(conn);
    let page = world.office.storage().unwrap().read().unwrap().search(&ask("fisheries")).unwrap();
    assert!(page.hits.is_empty());
}

#[test]
fn an_index_made_anew_finds_the_same() {
    let (mut world, _) = world();
    let queries: Queries = toml::from_str(QUERIES).unwrap();
    let all = |world: &World| -> Vec<SearchPage> {
        let replica = world.device(0).unwrap().replica().unwrap();
        queries.queries.iter().map(|q| replica.search(&ask(&q.ask)).unwrap()).collect()
    };
    let before = all(&world);
    world.act(0).unwrap().replica_mut().unwrap().rebuild_rows().unwrap();
    assert_eq!(all(&world), before);
}

#[test]
fn records_are_found_by_where_they_are() {
    let mut world = World::new(11).unwrap();
    let device = world.add_device("Mia", "phone").unwrap();
    world.enrol(device).unwrap();
    let mut keys = Keys::new();
    for (key, lat, lon) in [
        ("bund", "31.2397", "121.4900"),
        ("pudong", "31.2304", "121.5400"),
        ("suzhou", "31.2990", "120.5853"),
        ("fiji east", "-17.0", "179.99"),
        ("fiji west", "-17.0", "-179.99"),
        ("pole", "89.99", "10"),
        ("pole behind", "89.99", "-170"),
    ] {
        let fields = json!({ "company_name": key, "geo": { "lat": lat, "lon": lon } });
        let replica = world.act(device).unwrap().replica_mut().unwrap();
        keys.insert(
            key.to_owned(),
            replica.create("customer", fields.as_object().unwrap()).unwrap(),
        );
    }
    world.sync_all(&[device]).unwrap();
    for (lat, lon, radius_m, found) in [
        ("31.2304", "121.4737", 3_000, vec!["bund"]),
        ("31.2304", "121.4737", 10_000, vec!["bund", "pudong"]),
        ("31.2304", "121.4737", 200_000, vec!["bund", "pudong", "suzhou"]),
        ("-17.0", "180", 5_000, vec!["fiji east", "fiji west"]),
        ("-17.0", "-179.999", 5_000, vec!["fiji west", "fiji east"]),
        ("90", "0", 5_000, vec!["pole", "pole behind"]),
        ("0", "0", 1_000, vec![]),
    ] {
        let (lat, lon) = (lat.parse().unwrap(), lon.parse().unwrap());
        let query = NearQuery { lat, lon, entity: None, radius_m, limit: 10 };
        let near: Vec<String> =
            near(&world, &query).iter().map(|near| key_of(&keys, near.record)).collect();
        let mut sorted = (near.clone(), found.iter().map(ToString::to_string).collect::<Vec<_>>());
        if lat == "90".parse().unwrap() || lat == "-17.0".parse().unwrap() {
            // Equally far.
            sorted.0.sort();
            sorted.1.sort();
        }
        assert_eq!(sorted.0, sorted.1, "{lat} {lon} {radius_m}");
    }
    let query =
        NearQuery { lat: 0.into(), lon: 0.into(), entity: None, radius_m: 30_000_000, limit: 3 };
    assert_eq!(near(&world, &query).len(), 3);
    let storage = world.office.storage().unwrap();
    for (lat, entity) in [(91, None), (0, Some("no_such")), (0, Some("role"))] {
        let entity = entity.map(str::to_owned);
        let query = NearQuery { lat: lat.into(), entity, ..query.clone() };
        assert!(storage.read().unwrap().near(&query).is_err(), "{query:?}");
    }
}
