//! The one place that writes to the terminal.
#![expect(clippy::print_stdout, reason = "the report is what the program is for")]

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    Asked, Found, ModelReport, Outcome, Replayed, Report, Shrunk, Swept, Walked, kill::Killed,
};

/// How often it is shown how far the work is.
const SHOWN_EVERY: Duration = Duration::from_secs(5);

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
    let per_second = report.sessions_per_second;
    println!("sessions   {sessions}  ({requests} requests, {per_second:.0} sessions per second)");
    println!("faults     {faults}  ({:.0} per second)", report.faults_per_second);
    for (fault, count) in &report.faults_by {
        println!("           {count} {fault}");
    }
    println!("diverged   {diverged}");
    println!("leaked     {leaked}");
    println!("lost       {lost}");
    println!("stuck      {stuck}");
    for (check, count) in report.checks.iter().filter(|(_, count)| **count > 0) {
        println!("           {count} {check}");
    }
    for (excuse, count) in &report.excused {
        println!("excused    {count} {excuse}");
    }
    if report.unrepeatable > 0 {
        println!("unrepeatable {}", report.unrepeatable);
    }
    println!("trace      {}", report.trace);
    println!("took       {:.1} s", took.as_secs_f64());
}

/// Shows what a failed run found, and how to repeat it.
pub(crate) fn show_failure(outcome: &Outcome, repeat: &str) {
    eprintln!("\nseed {} failed; repeat it with {repeat}", outcome.seed);
    if outcome.is_unrepeatable {
        eprintln!("  made again it came out otherwise");
    }
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

/// Shows the smaller run that fails in the same way.
pub(crate) fn show_shrunk(shrunk: &Shrunk, repeat: &str) {
    let Shrunk { steps, tries, outcome, .. } = shrunk;
    eprintln!("  {steps} steps fail in the same way (found in {tries} tries): {repeat}");
    let kinds = [&outcome.diverged, &outcome.leaked, &outcome.lost, &outcome.stuck];
    for what in kinds.into_iter().flatten().take(SHOWN_MAX) {
        eprintln!("    {what}");
    }
}

/// Shows how far it has come, now and then.
pub(crate) struct Progress {
    begun: Instant,
    shown: Instant,
    runs: u64,
    sessions: u64,
    faults: u64,
    failed: u64,
}

impl Progress {
    pub(crate) fn new(begun: Instant) -> Self {
        Self { begun, shown: begun, runs: 0, sessions: 0, faults: 0, failed: 0 }
    }

    pub(crate) fn add(&mut self, outcome: &Outcome) {
        self.runs += 1;
        self.sessions += outcome.sessions;
        self.faults += outcome.faults;
        self.failed += u64::from(!outcome.is_good());
        if self.shown.elapsed() >= SHOWN_EVERY {
            self.shown = Instant::now();
            self.show();
        }
    }

    pub(crate) fn end(&self) {
        if self.begun.elapsed() >= SHOWN_EVERY {
            self.show();
            eprintln!();
        }
    }

    fn show(&self) {
        let Self { runs, sessions, faults, failed, .. } = self;
        let seconds = self.begun.elapsed().as_secs();
        eprint!(
            "\r{seconds} s: {runs} runs, {sessions} sessions, {faults} faults, {failed} failed"
        );
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

/// Shows a line to whoever waits.
pub(crate) fn show_line(words: &str) {
    eprintln!("{words}");
}

/// Shows what the model found: what is wrong in words, then one line.
pub(crate) fn show_model(report: &ModelReport, is_json: bool) {
    for words in &report.found {
        eprintln!("{words}\n");
    }
    if is_json {
        println!("{}", serde_json::to_string(report).unwrap_or_default());
        return;
    }
    let ModelReport { states, transitions, depth, rounds, replayed, events, pairs, .. } = report;
    println!("states      {states}  ({transitions} transitions, depth {depth})");
    println!("rounds      {rounds}  until nothing moves, at most");
    println!("replayed    {replayed}  ({events} events, {pairs} pairs of kinds)");
    println!("violations  {}", report.violations);
    println!("mismatches  {}", report.mismatches);
    println!("uncovered   {}", report.uncovered);
    println!("cut off     {}", report.cut_off);
    println!("took        {:.1} s", Duration::from_millis(report.took_ms).as_secs_f64());
}

/// Shows which storage path is walked, and now and then how far.
pub(crate) fn show_walk() -> impl FnMut(Walked) {
    let (mut shown, mut is_shown) = (Instant::now(), false);
    move |Walked { path, operations, cases, done }| {
        if done == 0 {
            eprintln!("{path}: {operations} operations, {cases} cases");
        } else if shown.elapsed() >= SHOWN_EVERY {
            eprint!("\r{path}: {done} of {cases}");
            (shown, is_shown) = (Instant::now(), true);
        }
        if done == cases && is_shown {
            eprintln!();
            is_shown = false;
        }
    }
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

/// Shows how far a run has come that lasts.
pub(crate) fn show_words(words: &str) {
    eprintln!("{words}");
}

/// Shows what came of killing; what was found is told already.
pub(crate) fn show_killed(killed: &Killed, is_json: bool) {
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
