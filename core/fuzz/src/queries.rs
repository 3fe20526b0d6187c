//! What people type into search and lists: any text is a search, any filter a question or a sentence.

use std::sync::Arc;

use outrider_core::{
    ids::{Part, RecordId},
    replica::{Options, Replica, ReplicaError},
    search::{Asked, Reach, class, expression, hits, ranges, slip_expression, snippet, variants},
    store::{Durability, StoreError, query::Query, search::SearchQuery, timeline::TimelineQuery},
    time::ManualClock,
};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

/// The first byte says whether the rest is a text to search for, a text beside one that is searched,
/// or a query in JSON.
pub fn run(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    match kind % 6 {
        0 => type_text(text),
        1 => {
            let (typed, shown) = text.split_once('\n').unwrap_or((text, text));
            mark(typed, shown);
        }
        2 => with_replica(|replica| {
            let Ok(query) = serde_json::from_str::<Query>(text) else { return };
            for entity in ["customer", "contact", "visit"] {
                check(replica.list(entity, &query));
                check(replica.list_found(entity, "acme", &query));
            }
        }),
        3 => with_replica(|replica| {
            let after = Some(text.to_owned());
            let sort = Some("company_name".to_owned());
            let query = Query { after: after.clone(), sort, ..Query::default() };
            check(replica.list("customer", &query));
            check(replica.timeline(
                record(),
                &TimelineQuery { after: after.clone(), ..TimelineQuery::default() },
            ));
            let text = "acme".to_owned();
            check(replica.search(&SearchQuery { text, after, ..SearchQuery::default() }));
        }),
        4 => {
            let _ = text.parse::<RecordId>();
            if let Ok(part) = text.parse::<Part>() {
                assert_eq!(part.as_str(), text);
            }
        }
        _ => {
            for word in text.split(' ').take(8) {
                let _ = (variants(word), ranges(word));
            }
        }
    }
}

/// Whatever is typed is found or not; it is never an error.
fn type_text(text: &str) {
    let asked = Asked::read(text);
    for reach in [Reach::Names, Reach::All] {
        let _ = expression(&asked, reach);
    }
    let words: Vec<_> =
        asked.slip_words().into_iter().map(|(at, word)| (at, variants(word))).collect();
    let _ = slip_expression(&asked, &words);
    with_replica(|replica| {
        let query = SearchQuery { text: text.to_owned(), ..SearchQuery::default() };
        replica.search(&query).unwrap();
        replica.list_found("customer", text, &Query::default()).unwrap();
    });
}

/// Marks lie within the text, on borders of characters.
fn mark(typed: &str, shown: &str) {
    let asked = Asked::read(typed);
    for (is_name, with_slips) in [(true, true), (false, false)] {
        let hits = hits(&asked, shown, is_name, with_slips);
        for mark in &hits.marks {
            assert!(shown.get(mark.clone()).is_some(), "{mark:?} of {shown:?}");
        }
        let snippet = snippet(shown, &hits.marks);
        for mark in &snippet.marks {
            assert!(snippet.text.get(mark.clone()).is_some(), "{mark:?} of {snippet:?}");
        }
        let _ = class(&asked, shown, with_slips);
    }
}

/// A question that cannot be asked is said to be one; the store is whole.
fn check<T>(answer: Result<T, ReplicaError>) {
    match answer {
        Ok(_) | Err(ReplicaError::Store(StoreError::Query(_))) => {}
        Err(error) => panic!("{error:?}"),
    }
}

fn record() -> RecordId {
    RecordId(uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001))
}

/// Shows a store with a few records, made once for each thread and only read.
fn with_replica(use_it: impl FnOnce(&Replica)) {
    thread_local! {
        static REPLICA: (TempDir, Replica) = make();
    }
    REPLICA.with(|(_, replica)| use_it(replica));
}

fn make() -> (TempDir, Replica) {
    let folder = TempDir::new().unwrap();
    let clock = Arc::new(ManualClock::at(1_700_000_000_000));
    let options = Options { clock, seed: Some(1), durability: Durability::None, keys: None };
    let mut replica = Replica::open(folder.path(), options).unwrap();
    let mut add = |id: Option<RecordId>, entity: &str, json: Json| {
        let Json::Object(fields) = json else { return };
        replica.transaction(|writer| writer.create(entity, id, &fields)).unwrap();
    };
    add(Some(record()), "customer", json!({ "company_name": "Acme 城市", "phone": "+86 10 1" }));
    for (number, name) in
        ["上海长城", "Müller & Söhne", "O'Brien", "重庆 AB-12", ""].iter().enumerate()
    {
        let name = if name.is_empty() { format!("n{number}") } else { (*name).to_owned() };
        add(None, "customer", json!({ "company_name": name, "employees": number }));
    }
    add(
        None,
        "contact",
        json!({ "name": { "family": "李", "given": "雷" }, "customer_id": record().to_string() }),
    );
    (folder, replica)
}

/// Texts, cursors and queries.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let seed = |kind: u8, text: &str| [&[kind], text.as_bytes()].concat();
    let query = json!({
        "filters": [{ "column": "company_name", "compare": "contains", "value": "c" },
                    { "column": "employees", "compare": "from", "value": "1" }],
        "sort": "company_name", "descending": true, "after": null, "limit": 5, "with_archived": true,
    });
    let cursor = with_cursor();
    vec![
        seed(0, "acme \"城市\" sh 138-0000 -x * OR"),
        seed(0, "zhangsan 长城 cq"),
        seed(1, "acme\nAcme 城市 and Söhne"),
        seed(2, &query.to_string()),
        seed(3, &cursor),
        seed(4, r#"{"filters":[]}"#),
        seed(4, "01900000-0000-7000-8000-000000000001"),
        seed(5, "acme söhne 城市"),
    ]
}

fn with_cursor() -> String {
    let mut cursor = None;
    with_replica(|replica| {
        let query = Query { sort: Some("company_name".to_owned()), limit: 1, ..Query::default() };
        cursor = replica.list("customer", &query).unwrap().next;
    });
    cursor.unwrap_or_default()
}
