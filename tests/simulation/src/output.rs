//! The one place that writes to the terminal.
#![expect(clippy::print_stdout, reason = "the report is what the program is for")]

use std::time::Duration;

use serde_json::json;

use crate::{
    Asked, Report,
    world::{Outcome, Replayed},
};

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

/// Says why nothing was done.
pub(crate) fn show_error(error: &dyn std::error::Error) {
    eprintln!("outrider-sim: {error}");
}

/// Shows what came of a bundle, in one line.
pub(crate) fn show_replayed(replayed: &Replayed, is_json: bool) {
    let Replayed { outcome, records, edits, left_out } = replayed;
    if is_json {
        let line = json!({
            "records": records, "edits": edits, "left_out": left_out.len(),
            "sessions": outcome.sessions, "diverged": outcome.diverged.len(),
            "lost": outcome.lost.len(), "stuck": outcome.stuck.len(), "seed": outcome.seed,
            "trace": outcome.trace,
        });
        println!("{line}");
    } else {
        println!(
            "{records} records and {edits} edits lived through again in {} sessions, {} left out",
            outcome.sessions,
            left_out.len()
        );
    }
    for why in left_out.iter().take(SHOWN_MAX) {
        eprintln!("  left out: {why}");
    }
    if !outcome.is_good() {
        show_failure(outcome, &format!("--seed {}", outcome.seed));
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
