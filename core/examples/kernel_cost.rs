//! What the kernel's steps cost, next to the same through Automerge documents.
//!
//! `cargo run --release -p outrider-core --example kernel_cost`

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "an example prints, and may stop")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use automerge::{
    Automerge, ROOT, ReadDoc as _,
    transaction::{CommitOptions, Transactable as _},
};
use outrider_core::{
    crdt::{
        Action, Edit, EncodedChange, Own, Stamp, State, decode,
        gate::{Context, Verdict, judge},
        history::MemoryHistory,
        write,
    },
    ids::{ActorId, ActorPrefix, Part},
    schema::{Entity, Schema},
    value::Value,
};

const ROUNDS: u32 = 2_000;

/// A customer with 18 fields.
const FIELDS: [(&str, &str); 18] = [
    ("company_name", "Überlingen Maschinenbau GmbH"),
    ("short_name", "Überlingen"),
    ("phone", "+4975511234567"),
    ("email", "office@ueberlingen.example"),
    ("wechat", "ueberlingen_office"),
    ("qq", "123456789"),
    ("website", "https://ueberlingen.example"),
    ("pool_reason", "no contact for ninety days"),
    ("tax_no", "DE123456789"),
    ("potential", "0.75"),
    ("external_id", "erp:10042"),
    ("tags/fair", ""),
    ("tags/vip", ""),
    ("tags/machines", ""),
    ("tags/south", ""),
    ("tags/old", ""),
    ("tags/2026", ""),
    ("annual_revenue", "EUR 125000000"),
];

fn value(text: &str) -> Value {
    if text.is_empty() { Value::Bool(true) } else { Value::from(text) }
}

fn edits() -> Vec<Edit> {
    let edit =
        |(key, text): (&str, &str)| Edit { key: key.into(), action: Action::Put(value(text)) };
    FIELDS.into_iter().map(edit).collect()
}

fn actor(n: u8) -> ActorId {
    ActorId([n; 16])
}

fn written(state: &mut State, own: &mut Option<Own>, by: u8, edits: Vec<Edit>) -> EncodedChange {
    let stamp = Stamp { actor: actor(by), time_ms: 1_700_000_000_000, message: None };
    write(state, own, stamp, edits).unwrap()
}

fn rename(n: u32) -> Vec<Edit> {
    vec![Edit { key: "short_name".into(), action: Action::Put(format!("name {n}").into()) }]
}

fn measure(mut step: impl FnMut(u32)) -> Duration {
    (0..ROUNDS / 10).for_each(&mut step);
    let started = Instant::now();
    (0..ROUNDS).for_each(&mut step);
    started.elapsed() / ROUNDS
}

fn row(name: &str, kernel: Duration, automerge: Duration) {
    let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
    let ratio = micros(automerge) / micros(kernel);
    println!("{name:<44} {:>9.2} {:>9.2} {ratio:>7.1}", micros(kernel), micros(automerge));
}

fn automerge_created() -> Automerge {
    let mut doc = Automerge::new().with_actor(actor(1).0.to_vec().into());
    let mut transaction = doc.transaction();
    for (key, text) in FIELDS {
        if text.is_empty() {
            transaction.put(ROOT, key, true).unwrap();
        } else {
            transaction.put(ROOT, key, text).unwrap();
        }
    }
    transaction.commit_with(CommitOptions::default().with_time(1_700_000_000_000));
    doc
}

fn automerge_edit(doc: &mut Automerge, n: u32) -> Vec<u8> {
    let mut transaction = doc.transaction();
    transaction.put(ROOT, "short_name", format!("name {n}")).unwrap();
    transaction.commit();
    doc.get_last_local_change().unwrap().raw_bytes().to_vec()
}

fn judged(state: &State, history: &MemoryHistory, encoded: &EncodedChange, entity: &Entity) {
    let prefix: ActorPrefix = encoded.change.actor.prefix();
    let context = Context { entity, part: &Part::Main, prefix, is_office: false };
    let Ok(verdict) = judge(state, history, encoded, context);
    assert!(matches!(verdict, Verdict::Fits(_)), "{verdict:?}");
}

fn main() {
    let entity = Schema::current().entity("customer").unwrap();
    let (mut state, mut own) = (State::default(), None);
    let first = written(&mut state, &mut own, 1, edits());
    let saved = automerge_created().save();
    let bytes = state.to_bytes();
    println!(
        "{ROUNDS} rounds; a record of {} bytes, saved by Automerge {}",
        bytes.len(),
        saved.len()
    );
    println!("{:<44} {:>9} {:>9} {:>7}", "microseconds", "kernel", "automerge", "ratio");

    let kernel =
        measure(|_| drop(black_box(written(&mut State::default(), &mut None, 1, edits()))));
    let other = measure(|_| {
        black_box(automerge_created().get_last_local_change().unwrap().raw_bytes().to_vec());
    });
    row("create a record of 18 fields", kernel, other);

    let kernel = measure(|n| {
        let (mut state, mut own) = (state.clone(), own);
        black_box(written(&mut state, &mut own, 1, rename(n)));
    });
    let other = measure(|n| {
        let mut doc = Automerge::load(&saved).unwrap().with_actor(actor(1).0.to_vec().into());
        black_box(automerge_edit(&mut doc, n));
    });
    row("edit one field (not in memory in Automerge)", kernel, other);

    let mut history = MemoryHistory::default();
    history.insert(first, &Default::default());
    let change = written(&mut state.clone(), &mut None, 2, rename(0));
    let kernel = measure(|_| {
        let encoded = decode(&change.bytes).unwrap();
        judged(&state, &history, &encoded, entity);
        let mut after = state.clone();
        after.apply(&encoded);
        black_box(after);
    });
    let other = measure(|_| {
        let mut doc = Automerge::load(&saved).unwrap();
        doc.apply_changes([automerge::Change::try_from(change.bytes.as_slice()).unwrap()]).unwrap();
        black_box(doc.get(ROOT, "short_name").unwrap());
    });
    row("decode, gate (heads followed), apply", kernel, other);
    let proven = measure(|_| {
        let mut doc = Automerge::load(&saved).unwrap();
        doc.apply_changes([automerge::Change::try_from(change.bytes.as_slice()).unwrap()]).unwrap();
        black_box(Automerge::load(&doc.save()).unwrap());
    });
    row("the same, Automerge proving that it reloads", kernel, proven);

    let mut theirs = state.clone();
    written(&mut theirs, &mut None, 2, rename(7));
    let kernel = measure(|_| {
        let mut mine = state.clone();
        mine.join(&theirs);
        black_box(mine);
    });
    let base = Automerge::load(&saved).unwrap();
    let mut fork = base.fork().with_actor(actor(2).0.to_vec().into());
    automerge_edit(&mut fork, 7);
    let other = measure(|_| {
        let mut doc = base.clone();
        doc.merge(&mut fork).unwrap();
        black_box(doc);
    });
    row("join two replicas in memory", kernel, other);

    let kernel = measure(|_| drop(black_box(state.to_bytes())));
    let doc = Automerge::load(&saved).unwrap();
    let other = measure(|_| drop(black_box(doc.save())));
    row("write to bytes", kernel, other);
    let kernel = measure(|_| drop(black_box(State::from_bytes(&bytes).unwrap())));
    let other = measure(|_| drop(black_box(Automerge::load(&saved).unwrap())));
    row("read from bytes", kernel, other);
}
