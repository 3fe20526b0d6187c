//! Every target is fed its seeds, and everything that ever broke it.

use outrider_core_fuzz::{TARGETS, feed_all, feed_damaged, folder, write_seeds};

#[test]
fn seeds_and_crashers_break_nothing() {
    let fed = feed_all(folder(), TARGETS).unwrap();
    assert!(fed >= TARGETS.len());
}

/// Seeds are made by the targets themselves: `cargo test -p outrider-core-fuzz -- --ignored` writes
/// them anew when formats change.
#[test]
#[ignore = "writes into the tree"]
fn write_the_seeds_anew() {
    write_seeds(folder(), TARGETS).unwrap();
}

/// Damaged seeds for `OUTRIDER_SECONDS` (10) a target, or for the one target `OUTRIDER_TARGET`; what
/// broke it last is in `last-input` in the temporary folder.
#[test]
#[ignore = "takes as long as it is told to"]
fn damaged_seeds_break_nothing() {
    let told = |name: &str| std::env::var(name).ok();
    let number = |name: &str| told(name).and_then(|text| text.parse::<u64>().ok());
    let seed = number("OUTRIDER_SEED").unwrap_or_else(|| std::process::id().into());
    let wanted = told("OUTRIDER_TARGET");
    let is_wanted = |name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
    for target in TARGETS.iter().filter(|target| is_wanted(target.name)) {
        let last = std::env::temp_dir().join(format!("last-input-{}", target.name));
        let seconds = number("OUTRIDER_SECONDS").unwrap_or(10);
        let count = feed_damaged(folder(), target, seconds, seed, &last).unwrap();
        eprintln!("{}: {count} inputs in {seconds} s, OUTRIDER_SEED={seed}", target.name);
    }
}
