//! The one place that writes to the terminal.
#![expect(clippy::print_stdout, reason = "the report is what the program is for")]

use std::time::Duration;

use crate::{Asked, Report, kill::Killed, world::Outcome};

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

/// Shows how far a run has come that lasts.
pub(crate) fn show_words(words: &str) {
    eprintln!("{words}");
}

/// Shows what came of killing, and what was found.
pub(crate) fn show_killed(killed: &Killed, is_json: bool) {
    for words in &killed.found {
        eprintln!("  {words}");
    }
    for point in &killed.unreached {
        eprintln!("  nobody came to {point}");
    }
    if is_json {
        println!("{}", serde_json::to_string(killed).unwrap_or_default());
        return;
    }
    let Killed { server_kills, device_kills, acknowledged, lost, diverged, stuck, .. } = killed;
    println!("killed        {server_kills} servers, {device_kills} devices");
    println!("points        {} of {}", killed.points_reached, killed.points);
    println!("acknowledged  {acknowledged}");
    println!("lost          {lost}");
    println!("diverged      {diverged}");
    println!("stuck         {stuck}");
}
