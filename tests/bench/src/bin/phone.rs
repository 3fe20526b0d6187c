//! What a phone's calls cost in pure Rust, beside which each language's are put (`bindings/measure`).
//!
//! ```text
//! phone make STORE [--records N]      makes a store with so many customers
//! phone measure STORE                 prints a line of JSON for each figure
//! ```
//!
//! The store is encrypted where this program can, with the key in `STORE/measure.key`.

#[path = "../input.rs"]
#[allow(dead_code, reason = "of the records, only what a store is filled with")]
mod input;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use outrider_core::{
    ids::RecordId,
    keys::{FileKeys, KeyStore},
    replica::{Options, Replica},
    store::query::Query,
};
use serde_json::json;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Records of one transaction while a store is filled.
const BATCH: usize = 1_000;
/// How often opening and listing are measured.
const REPETITIONS: usize = 15;
/// Calls of one measurement.
const CALLS: u32 = 10_000;
/// Updates of a watched list.
const UPDATES: usize = 1_000;

/// Makes and measures a phone's store.
#[derive(Debug, Parser)]
enum Args {
    /// Makes a store
    Make {
        /// Its folder
        store: PathBuf,
        /// Customers in it
        #[arg(long, default_value_t = 100_000)]
        records: usize,
    },
    /// Measures a store
    Measure {
        /// Its folder
        store: PathBuf,
    },
}

fn main() -> ExitCode {
    let done = match Args::parse() {
        Args::Make { store, records } => make(&store, records),
        Args::Measure { store } => measure(&store),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn open(store: &Path) -> Outcome<Replica> {
    let keys = Arc::new(FileKeys::new(store.join("measure.key"))) as Arc<dyn KeyStore>;
    let keys = cfg!(feature = "sqlcipher").then_some(keys);
    Ok(Replica::open(store, Options { keys, ..Options::default() })?)
}

fn make(store: &Path, records: usize) -> Outcome<()> {
    let mut replica = open(store)?;
    for first in (0..records).step_by(BATCH) {
        replica.transaction(|writer| {
            for at in first..records.min(first + BATCH) {
                writer.create(input::ENTITY, None, &input::customer(at))?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn measure(store: &Path) -> Outcome<()> {
    tell("open", median(REPETITIONS, || open(store).map(drop))? * 1_000.0, "ms");
    let query = Query { sort: Some("company_name".to_owned()), limit: 50, ..Query::default() };
    let replica = open(store)?;
    let first = median(REPETITIONS, || {
        std::hint::black_box(replica.list(input::ENTITY, &query)?);
        Ok(())
    })?;
    tell("first_list", first * 1_000.0, "ms");
    let ids = ids_of(&replica, &query)?;
    let id = *ids.first().ok_or("the store is empty")?;
    let calls = median(5, || {
        for _ in 0..CALLS {
            replica.check_lease()?;
        }
        Ok(())
    })?;
    tell("call", calls * 1e6 / f64::from(CALLS), "us");
    let gets = median(5, || {
        for _ in 0..1_000 {
            std::hint::black_box(replica.get(id)?);
        }
        Ok(())
    })?;
    tell("get", gets * 1e6 / 1_000.0, "us");
    tell("live_updates", live(replica, query, &ids)? * 1_000.0, "ms");
    Ok(())
}

fn ids_of(replica: &Replica, query: &Query) -> Outcome<Vec<RecordId>> {
    let page = replica.list(input::ENTITY, query)?;
    let id = |record: &serde_json::Value| record.get("id")?.as_str()?.parse().ok();
    Ok(page.records.iter().filter_map(id).collect())
}

/// Updates records of a watched list, one at a time, until the last of it was heard.
fn live(mut replica: Replica, query: Query, ids: &[RecordId]) -> Outcome<f64> {
    let signal = replica.signal();
    let (live, _) = replica.live(input::ENTITY, query)?;
    let replica = Arc::new(Mutex::new(replica));
    let (to, heard) = mpsc::channel();
    let looks = Arc::clone(&replica);
    let look = thread::spawn(move || -> Outcome<()> {
        let mut seen = signal.count();
        loop {
            seen = signal.wait(seen, Duration::from_millis(200));
            let news = looks.lock().map_err(|_| "poisoned")?.news()?;
            let last = news.iter().flat_map(|(_, diff)| &diff.changed).any(|placed| {
                let value = placed.record.get(input::EDITED).and_then(serde_json::Value::as_u64);
                value == Some(10_000 + UPDATES as u64 - 1)
            });
            if last {
                to.send(())?;
                return Ok(());
            }
        }
    });
    let begun = Instant::now();
    for (at, id) in (0..UPDATES).zip(ids.iter().cycle()) {
        replica.lock().map_err(|_| "poisoned")?.update(*id, &input::edit(at))?;
    }
    heard.recv()?;
    let took = begun.elapsed().as_secs_f64();
    look.join().map_err(|_| "the looking thread failed")??;
    replica.lock().map_err(|_| "poisoned")?.close_live(live)?;
    Ok(took)
}

/// Seconds of the middle one of several.
fn median(repetitions: usize, mut work: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    let mut took = Vec::new();
    for _ in 0..repetitions {
        let begun = Instant::now();
        work()?;
        took.push(begun.elapsed().as_secs_f64());
    }
    took.sort_by(f64::total_cmp);
    Ok(took.get(took.len() / 2).copied().unwrap_or_default())
}

#[expect(clippy::print_stdout, reason = "this is what it is for")]
fn tell(name: &str, value: f64, unit: &str) {
    println!("{}", json!({ "language": "rust", "name": name, "value": value, "unit": unit }));
}
