//! Who is told what changes: a few threads that call listeners, so that one who blocks holds up no other.
//!
//! One thread serves all listeners, one after the other. When a listener keeps it longer than
//! [`PATIENCE`], and others have mail, another thread goes on with those. A listener's own mail comes in
//! order, and one call at a time. Whoever does not fetch their mail gets a new beginning instead of a heap.

use std::{
    collections::{BTreeMap, VecDeque},
    panic,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// How long a listener may keep the thread that serves all.
pub(crate) const PATIENCE: Duration = Duration::from_millis(250);
/// Messages that wait for one listener, at most.
pub(crate) const MAIL_MAX: usize = 64;
/// How long a thread that has nothing to do waits for something.
const IDLE: Duration = Duration::from_secs(10);

type Call = Box<dyn FnOnce() + Send>;

/// Mail for listeners, by a number that each has.
#[derive(Default, Clone)]
pub(crate) struct Mail(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    waiting: BTreeMap<u64, VecDeque<Call>>,
    /// Who is being called, and since when.
    called: BTreeMap<u64, Instant>,
    threads: usize,
    idle: usize,
    /// Whether nobody will get mail any more, unless somebody comes.
    is_over: bool,
}

impl State {
    fn next(&mut self) -> Option<(u64, Call)> {
        let is_free = |number: &u64| !self.called.contains_key(number);
        let number = *self.waiting.keys().find(|number| is_free(number))?;
        let mail = self.waiting.get_mut(&number)?;
        let call = mail.pop_front();
        if mail.is_empty() {
            self.waiting.remove(&number);
        }
        Some((number, call?))
    }

    /// Whether nobody who serves all is free, or soon will be. Last words are said without patience.
    fn is_held_up(&self, now: Instant) -> bool {
        let patience = if self.is_over { Duration::ZERO } else { PATIENCE };
        let slow = |since: &&Instant| now.saturating_duration_since(**since) >= patience;
        self.idle == 0 && self.called.values().filter(slow).count() >= self.threads
    }
}

impl Mail {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves a message; false if as many wait as may.
    pub(crate) fn post(&self, number: u64, call: impl FnOnce() + Send + 'static) -> bool {
        let mut state = self.state();
        let mail = state.waiting.entry(number).or_default();
        if mail.len() >= MAIL_MAX {
            return false;
        }
        mail.push_back(Box::new(call));
        drop(state);
        self.serve();
        true
    }

    /// Somebody listens.
    pub(crate) fn resume(&self) {
        self.state().is_over = false;
    }

    /// Nobody listens any more: what was posted is still said, then the threads end.
    pub(crate) fn rest(&self) {
        self.state().is_over = true;
        self.0.1.notify_all();
        self.serve();
    }

    /// Forgets what waits for a listener.
    pub(crate) fn forget(&self, number: u64) {
        self.state().waiting.remove(&number);
    }

    /// Sees to it that somebody serves who has mail; to be called from time to time while there is some.
    pub(crate) fn serve(&self) {
        let mut state = self.state();
        if state.waiting.is_empty() || !state.is_held_up(Instant::now()) {
            self.0.1.notify_one();
            return;
        }
        state.threads += 1;
        drop(state);
        let mail = self.clone();
        let spawned =
            thread::Builder::new().name("outrider-listeners".to_owned()).spawn(move || mail.run());
        if spawned.is_err() {
            self.state().threads -= 1;
        }
    }

    fn run(&self) {
        let mut state = self.state();
        loop {
            if let Some((number, call)) = state.next() {
                state.called.insert(number, Instant::now());
                drop(state);
                // What a listener throws is its own matter.
                let _ = panic::catch_unwind(panic::AssertUnwindSafe(call));
                state = self.state();
                state.called.remove(&number);
                continue;
            }
            // One waits for the next message, the others were for those who blocked.
            if state.idle > 0 || state.is_over {
                break;
            }
            state.idle += 1;
            let waited = self.0.1.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            state.idle -= 1;
            if waited.1.timed_out() && state.waiting.is_empty() {
                break;
            }
        }
        state.threads -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn who_blocks_holds_up_nobody_else_and_gets_its_own_mail_in_order() {
        let mail = Mail::default();
        let (release, blocked) = mpsc::channel::<()>();
        let (to, heard) = mpsc::channel();
        let say = |text: &'static str| {
            let to = to.clone();
            move || to.send(text).unwrap()
        };
        assert!(mail.post(1, move || blocked.recv().unwrap()));
        assert!(mail.post(1, say("first's second")));
        assert!(mail.post(2, say("second's")));
        // Whoever looks from time to time notices.
        let mut got = None;
        for _ in 0..200 {
            mail.serve();
            got = heard.recv_timeout(Duration::from_millis(50)).ok();
            if got.is_some() {
                break;
            }
        }
        assert_eq!(got, Some("second's"));
        assert!(heard.recv_timeout(PATIENCE).is_err(), "one call at a time");
        release.send(()).unwrap();
        assert_eq!(heard.recv_timeout(Duration::from_secs(20)), Ok("first's second"));
    }

    #[test]
    fn a_heap_of_mail_is_refused() {
        let mail = Mail::default();
        let (release, blocked) = mpsc::channel::<()>();
        mail.post(1, move || {
            let _ = blocked.recv();
        });
        while mail.state().called.is_empty() {
            thread::yield_now();
        }
        for _ in 0..MAIL_MAX {
            assert!(mail.post(1, || {}));
        }
        assert!(!mail.post(1, || {}));
        assert!(mail.post(2, || {}), "others' is theirs");
        mail.forget(1);
        assert!(mail.post(1, || {}));
        drop(release);
    }
}
