//! One process that keeps a device and the office alike: it syncs at the beginning, whenever the
//! office announces something, and whenever local edits wait, also those of other processes.
//!
//! Without a connection it tries again, after pauses that grow and are never quite the same, so
//! that a server that comes back is not asked by all at once. Where nothing can be announced (an
//! older server, a proxy that holds events back) it asks now and then.

use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    time::{Duration, Instant, SystemTime},
};

use outrider_client::{
    ClientError, access,
    live::{Heard, SILENCE_MAX, listen},
};
use outrider_core::{
    replica::Replica,
    store::{meta, outbox, watch::data_version},
};
use rand::RngExt as _;
use serde_json::json;

use crate::{
    context::Context,
    error::{CliError, EXIT_INTERRUPTED},
    http, messages,
    output::Output,
    sync,
};

/// How often other processes' edits are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often the office is asked while it cannot announce anything.
const ASK_EVERY: Duration = Duration::from_secs(60);
/// How often the office is asked although it announces nothing: so that the lease is renewed.
const CONTACT_EVERY: Duration = Duration::from_secs(60 * 60);
/// The first pause after a failure; it doubles with each further one.
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// The most doublings, so that nothing overflows.
const DOUBLINGS_MAX: u32 = 10;
/// By how much the clock on the wall must run ahead of the process to tell that it slept.
const SLEPT_MIN: Duration = Duration::from_secs(10);

/// What the loop is told.
enum Event {
    /// By a channel, with its number.
    Channel(u64, Heard),
    /// To end.
    Stop,
}

/// Syncs until the process is told to end (SIGINT, SIGTERM) or nobody reads its output.
pub(super) fn watch(
    context: &Context,
    replica: Replica,
    output: &mut Output,
) -> Result<(), CliError> {
    let (to, events) = mpsc::channel();
    stop_with_signals(to.clone())?;
    let now = Instant::now();
    let mut watch = Watch {
        context,
        replica,
        output,
        to,
        version: None,
        is_due: true,
        sync: Pause::over(now),
        last_sync: now,
        channel: Pause::over(now),
        number: 0,
        announced: 0,
        is_listening: false,
        is_outage_told: false,
    };
    watch.run(&events)
}

/// The first signal ends the loop after what it is doing, the second one the process: everything
/// that was done is on disk.
fn stop_with_signals(to: Sender<Event>) -> Result<(), CliError> {
    let is_told = Arc::new(AtomicBool::new(false));
    ctrlc::set_handler(move || {
        if is_told.swap(true, Ordering::Relaxed) {
            process::exit(EXIT_INTERRUPTED.into());
        }
        let _ = to.send(Event::Stop);
    })
    .map_err(|error| CliError::Usage(format!("signals cannot be caught: {error}")))
}

/// When something may be tried again.
#[derive(Debug, Clone, Copy)]
struct Pause {
    until: Instant,
    failures: u32,
}

impl Pause {
    fn over(now: Instant) -> Self {
        Self { until: now, failures: 0 }
    }

    fn is_over(&self, now: Instant) -> bool {
        now >= self.until
    }

    /// After a failure: longer each time, and between half of that and all.
    fn lengthen(&mut self, now: Instant) -> Duration {
        let longest = (PAUSE_MIN * (1 << self.failures.min(DOUBLINGS_MAX))).min(PAUSE_MAX);
        let pause = longest.mul_f64(rand::rng().random_range(0.5..=1.0));
        self.failures = self.failures.saturating_add(1);
        self.until = now + pause;
        pause
    }
}

struct Watch<'a> {
    context: &'a Context,
    replica: Replica,
    output: &'a mut Output,
    to: Sender<Event>,
    /// What the database said of other processes' writes when they were last looked for.
    version: Option<i64>,
    /// Whether there is something to exchange.
    is_due: bool,
    sync: Pause,
    last_sync: Instant,
    channel: Pause,
    /// The number of the newest channel.
    number: u64,
    /// Where the server said last that it is.
    announced: u64,
    is_listening: bool,
    is_outage_told: bool,
}

impl Watch<'_> {
    fn run(&mut self, events: &Receiver<Event>) -> Result<(), CliError> {
        let mut clocks = (Instant::now(), SystemTime::now());
        loop {
            let now = Instant::now();
            if has_slept(&mut clocks, now, SystemTime::now()) {
                // The old connection may be gone without a sign.
                self.is_listening = false;
                self.is_due = true;
                (self.sync, self.channel) = (Pause::over(now), Pause::over(now));
            }
            self.look_for_edits()?;
            let quiet = now.duration_since(self.last_sync);
            if quiet >= CONTACT_EVERY || (!self.is_listening && quiet >= ASK_EVERY) {
                self.is_due = true;
            }
            if self.is_due && self.sync.is_over(now) {
                self.exchange()?;
                // What was announced meanwhile is looked at before the next exchange.
                clocks = (Instant::now(), SystemTime::now());
            }
            if !self.is_listening && self.channel.is_over(now) {
                self.open_channel()?;
            }
            match events.recv_timeout(LOOK_EVERY) {
                Ok(event) => {
                    for event in std::iter::once(event).chain(events.try_iter()) {
                        if self.take(event)? {
                            return Ok(());
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    /// Takes an event; returns whether it is the end.
    fn take(&mut self, event: Event) -> Result<bool, CliError> {
        match event {
            Event::Stop => return Ok(true),
            // Of a channel that was given up.
            Event::Channel(number, _) if number != self.number => {}
            Event::Channel(_, Heard::Position(position)) => {
                self.channel.failures = 0;
                self.announced = position;
                self.is_due |= self.position()? != position;
                if self.is_due {
                    // Whatever failed before: there is a connection now.
                    self.sync.until = Instant::now();
                }
            }
            // The next exchange finds out whether the token is over, or the device.
            Event::Channel(
                _,
                Heard::Lost(ClientError::TokenRefused(_) | ClientError::Barred { .. }),
            ) => {
                self.is_listening = false;
                self.is_due = true;
                self.sync = Pause::over(Instant::now());
                self.channel.lengthen(Instant::now());
            }
            Event::Channel(_, Heard::Lost(error)) => {
                self.is_listening = false;
                let pause = self.channel.lengthen(Instant::now());
                // A channel ends now and then by itself; that is no outage.
                if self.channel.failures > 1 {
                    self.tell_outage(&error.into(), pause)?;
                }
            }
        }
        Ok(false)
    }

    /// The position up to which this device has everything.
    fn position(&self) -> Result<u64, CliError> {
        Ok(meta::cursor(self.replica.store().conn())?.position)
    }

    fn open_channel(&mut self) -> Result<(), CliError> {
        let server = match access::listening(&http::desktop(), &mut self.replica, SILENCE_MAX) {
            Ok(server) => server,
            Err(error) => {
                let error = access::turned_away(&http::desktop(), &mut self.replica, error);
                let error = CliError::from(error);
                if is_passing(&error) {
                    self.channel.lengthen(Instant::now());
                    return Ok(());
                }
                return Err(error);
            }
        };
        self.number += 1;
        self.is_listening = true;
        listen(server, self.number, self.to.clone(), Event::Channel);
        Ok(())
    }

    /// Whether another process wrote something that waits to be sent.
    fn look_for_edits(&mut self) -> Result<(), CliError> {
        let conn = self.replica.store().conn();
        let version = data_version(conn)?;
        if self.version.replace(version) != Some(version) {
            self.is_due |= outbox::count_waiting(conn)? > 0;
        }
        Ok(())
    }

    fn exchange(&mut self) -> Result<(), CliError> {
        let language = self.context.language;
        match sync::run(&mut self.replica, language, false) {
            Ok(summary) => {
                let now = Instant::now();
                self.is_outage_told = false;
                self.last_sync = now;
                // Not all of it came when one part of the data was fetched for the first time.
                self.is_due = self.position()? < self.announced;
                if self.is_due {
                    self.sync.lengthen(now);
                } else {
                    self.sync = Pause::over(now);
                }
                if self.output.is_json {
                    return self.output.json_line(&json!({ "event": "sync", "summary": summary }));
                }
                self.output.line(&messages::summary(&summary, language))?;
                self.output.finish()
            }
            Err(error) if is_passing(&error) => {
                self.last_sync = Instant::now();
                let pause = self.sync.lengthen(self.last_sync);
                self.tell_outage(&error, pause)
            }
            Err(error) => Err(error),
        }
    }

    /// Says once that there is no connection.
    fn tell_outage(&mut self, error: &CliError, pause: Duration) -> Result<(), CliError> {
        if std::mem::replace(&mut self.is_outage_told, true) {
            return Ok(());
        }
        let language = self.context.language;
        let words = messages::of_error(error, language);
        if self.output.is_json {
            let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            let code = error.code();
            return self.output.json_line(
                &json!({ "event": "offline", "code": code, "message": words, "retry_ms": pause_ms }),
            );
        }
        self.output.note(&messages::tries_again(&words, language));
        Ok(())
    }
}

/// Whether the error will be another one, or none, when there is a connection again.
#[expect(clippy::wildcard_enum_match_arm, reason = "whatever else failed fails again")]
fn is_passing(error: &CliError) -> bool {
    match error {
        // Also a wrong certificate: the pages for signing in to a hotel's network have one.
        CliError::Unreachable { .. } | CliError::Untrusted { .. } | CliError::Cut { .. } => true,
        CliError::Server { status, .. } => matches!(status, 408 | 429 | 500..),
        _ => false,
    }
}

/// Whether the clock on the wall ran on while the process stood still: the machine slept.
fn has_slept(clocks: &mut (Instant, SystemTime), now: Instant, wall: SystemTime) -> bool {
    let (then, wall_then) = std::mem::replace(clocks, (now, wall));
    let ran = now.duration_since(then);
    wall.duration_since(wall_then).is_ok_and(|passed| passed > ran + SLEPT_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_differ() {
        let now = Instant::now();
        let mut pause = Pause::over(now);
        assert!(pause.is_over(now));
        let mut longest = PAUSE_MIN;
        for _ in 0..40 {
            let found = pause.lengthen(now);
            assert!(found >= longest / 2 && found <= longest, "{found:?} of {longest:?}");
            assert!(!pause.is_over(now) && pause.is_over(now + PAUSE_MAX));
            longest = (longest * 2).min(PAUSE_MAX);
        }
        let (mut one, mut other) = (pause, pause);
        let same = (0..10).all(|_| one.lengthen(now) == other.lengthen(now));
        assert!(!same, "all would come at once");
    }

    #[test]
    fn a_machine_that_slept_is_noticed_and_a_clock_set_back_is_not() {
        let (now, wall) = (Instant::now(), SystemTime::now());
        let mut clocks = (now, wall);
        let second = Duration::from_secs(1);
        assert!(!has_slept(&mut clocks, now + second, wall + second));
        assert!(has_slept(&mut clocks, now + second, wall + SLEPT_MIN + second * 3));
        assert!(!has_slept(&mut clocks, now + second * 2, wall));
        assert!(!has_slept(&mut clocks, now + second * 30, wall + second * 28), "a long exchange");
    }

    #[test]
    fn only_what_passes_is_tried_again() {
        let server =
            |status| CliError::Server { status, code: String::new(), message: String::new() };
        for status in [408, 429, 503] {
            assert!(is_passing(&server(status)));
        }
        for error in [server(400), server(403), CliError::NotEnrolled] {
            assert!(!is_passing(&error));
        }
        assert!(!is_passing(&CliError::TokenRefused(String::new())));
    }
}
