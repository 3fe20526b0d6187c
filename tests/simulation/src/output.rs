//! The one place that writes to the terminal.
#![expect(clippy::print_stdout, reason = "the report is what the program is for")]

use std::time::Duration;

use crate::{Asked, Found, Report, Swept, world::Outcome};

/// Failures of one kind that are shown of one run.
const SHOWN_MAX: usize = 5;

/// Shows the report as one line of JSON.
pub(crate) fn show_json(report: &Report) {
    println!("{}", serde_json::to_string(report).unwrap_or_default());
}

/// Shows the report for people.
pub(crate) fn show(report: &Report, took: Duration) {
    let Report { runs, sessions, requests, faults, edits, diverged, leaked, lost, stuck, .. } =
        report;
    println!("runs       {runs}  (seeds from {})", report.seed);
    println!("edits      {edits}");
    println!("sessions   {sessions}  ({requests} requests)");
    let per_second = *faults as f64 / took.as_secs_f64().max(0.001);
    println!("faults     {faults}  ({per_second:.0} per second)");
    println!("diverged   {diverged}");
    println!("leaked     {leaked}");
    println!("lost       {lost}");
    println!("stuck      {stuck}");
    println!("trace      {}", report.trace);
    println!("took       {:.1} s", took.as_secs_f64());
}

/// Shows what a failed run found, and how to repeat it.
pub(crate) fn show_failure(outcome: &Outcome, repeat: &str) {
    eprintln!("\nseed {} failed; repeat it with {repeat}", outcome.seed);
    let kinds = [
        ("diverged", &outcome.diverged),
        ("leaked", &outcome.leaked),
        ("lost", &outcome.lost),
        ("stuck", &outcome.stuck),
    ];
    for (kind, found) in kinds {
        for what in found.iter().take(SHOWN_MAX) {
            eprintln!("  {kind}: {what}");
        }
        if found.len() > SHOWN_MAX {
            eprintln!("  {kind}: and {} more", found.len() - SHOWN_MAX);
        }
    }
}

/// Shows the events of a run.
pub(crate) fn show_trace(outcome: &Outcome) {
    for line in &outcome.lines {
        eprintln!("{line}");
    }
}

/// Shows how far it has come.
pub(crate) fn show_progress(done: u64, of: u64) {
    eprint!("\r{done} of {of} runs");
    if done == of {
        eprintln!();
    }
}

/// Shows what was asked about access, in one line.
pub(crate) fn show_asked(asked: &Asked, is_json: bool) {
    if is_json {
        println!("{}", serde_json::to_string(asked).unwrap_or_default());
        return;
    }
    let Asked { questions, differences, canary_hits, worlds, seed, .. } = asked;
    println!(
        "{questions} questions in {worlds} worlds (seeds from {seed}): {differences} differences, \
         {canary_hits} words leaked"
    );
}

/// Shows where server and model differ, and how to ask again.
pub(crate) fn show_differences(seed: u64, asked: &Asked) {
    eprintln!("\nworld {seed}; ask it again with access --seed {seed} --questions 1");
    for what in &asked.found {
        eprintln!("  {what}");
    }
}

/// Shows which storage path is walked next.
pub(crate) fn show_path(name: &str, operations: usize, cases: usize) {
    eprintln!("{name}: {operations} operations, {cases} cases");
}

/// Shows a case in which a promise was broken, and how to repeat it.
pub(crate) fn show_found(seed: u64, found: &Found) {
    let Found { path, mode, at, operation, is_lasting, what } = found;
    eprintln!(
        "  {path}: {} at {at} ({operation}), seed {seed}; repeat it with faults --seed {seed} --paths {path} \
         --mode {} --at {at} --lasting {is_lasting}",
        mode.name(),
        mode.name(),
    );
    for what in what.iter().take(SHOWN_MAX) {
        eprintln!("    {what}");
    }
}

/// Shows what was told when something failed.
pub(crate) fn show_errors(swept: &Swept) {
    for (error, count) in &swept.errors {
        eprintln!("{count:6}  {error}");
    }
}

/// Shows what came of failing disks, in one line.
pub(crate) fn show_swept(swept: &Swept, took: Duration, is_json: bool) {
    if is_json {
        println!("{}", serde_json::to_string(swept).unwrap_or_default());
        return;
    }
    let Swept { paths, points, cases, faults, lost, corrupt, panics, wrong, lied, seed, .. } =
        swept;
    println!(
        "{paths} paths, {points} operations, {cases} cases, {faults} faults (seed {seed}): {lost} lost, \
         {corrupt} corrupt, {panics} panics, {wrong} wrong; {lied} disks lied; {:.0} s",
        took.as_secs_f64()
    );
}

/// Shows why nothing could be run.
pub(crate) fn show_broken(why: &str) {
    eprintln!("{why}");
}
