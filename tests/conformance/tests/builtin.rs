//! The suite over all entities that come with the program.

use std::env;

use outrider_conformance::suite;
use outrider_core::schema::{Kind, Schema};

const SEED: u64 = 42;

#[test]
fn every_entity_passes() {
    let seed = env::var("OUTRIDER_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    eprintln!("OUTRIDER_SEED={seed}");
    let report = suite::run(seed).unwrap();
    eprintln!("{:?}\n{:?}", report.checks, report.conflicts);
    assert!(report.wrong.is_empty(), "{} wrong:\n{}", report.wrong.len(), report.wrong.join("\n"));
    let entities = Schema::current().entities().count();
    assert!(report.checks.values().all(|checks| *checks > 0), "{:?}", report.checks);
    assert!(report.checks["create"] > 10 * entities);
    for kind in [Kind::Register, Kind::Set, Kind::Rows, Kind::Counter, Kind::Text] {
        assert!(report.conflicts.contains_key(kind.name()), "{}", kind.name());
    }
}
