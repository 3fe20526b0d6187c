//! Ending what waits for a network, at once and from another thread.
//!
//! A platform's HTTP call blocks as long as it likes. So it runs in a thread of its own, and who waits for it
//! looks up often: when it is time to end, the thread is left behind and ends with its next bytes, or its
//! timeout.

use std::{
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    access::Http,
    transport::{HttpRequest, HttpResponse, Transport, TransportError},
};

/// How often who waits looks up.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Bytes that are read at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks that wait to be read, at most: a slow disk holds up the network, not the memory.
const CHUNKS_MAX: usize = 4;

/// Ends a conversation from another thread.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Ends it.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether this is the same one.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether it was ended.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A transport of which nobody waits longer than they want.
#[derive(Debug)]
pub struct Stoppable {
    inner: Http,
    until: Until,
}

impl Stoppable {
    /// One over `inner`.
    #[must_use]
    pub fn over(inner: &Http, stop: Stop, deadline: Option<Instant>) -> Http {
        Arc::new(Self { inner: Arc::clone(inner), until: Until { stop, deadline } })
    }
}

/// How long to wait.
#[derive(Debug, Clone)]
struct Until {
    stop: Stop,
    deadline: Option<Instant>,
}

impl Until {
    fn is_over(&self) -> bool {
        self.stop.is_stopped() || self.deadline.is_some_and(|at| Instant::now() >= at)
    }

    /// Waits for the next of a channel; `None` when it is over.
    fn next<T>(&self, from: &Receiver<T>) -> Option<Result<T, mpsc::RecvError>> {
        loop {
            match from.recv_timeout(LOOK_EVERY) {
                Ok(next) => return Some(Ok(next)),
                Err(RecvTimeoutError::Disconnected) => return Some(Err(mpsc::RecvError)),
                Err(RecvTimeoutError::Timeout) if self.is_over() => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

/// What an exchange tells: first its head, then its body in pieces.
type Head = Result<(u16, Vec<(String, String)>), TransportError>;
type Piece = io::Result<Vec<u8>>;

impl Transport for Stoppable {
    fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let gone = || TransportError::Unreachable("it was stopped".to_owned());
        if self.until.is_over() {
            return Err(gone());
        }
        let (to_head, head) = mpsc::sync_channel::<Head>(1);
        let (to_pieces, pieces) = mpsc::sync_channel::<Piece>(CHUNKS_MAX);
        let inner = Arc::clone(&self.inner);
        let exchange = move || exchange(&inner, request, &to_head, &to_pieces);
        let spawned = thread::Builder::new().name("outrider-http".to_owned()).spawn(exchange);
        spawned.map_err(|error| TransportError::Unreachable(error.to_string()))?;
        let (status, headers) = match self.until.next(&head) {
            Some(Ok(head)) => head?,
            // Its thread ended in a panic of the platform's transport.
            Some(Err(_)) => {
                return Err(TransportError::Unreachable("the network failed".to_owned()));
            }
            None => return Err(gone()),
        };
        let body = Pieces { from: pieces, until: self.until.clone(), rest: io::Cursor::default() };
        Ok(HttpResponse { status, headers, body: Box::new(body) })
    }
}

/// What runs in a thread of its own.
fn exchange(
    inner: &Http,
    request: HttpRequest,
    to_head: &SyncSender<Head>,
    to_pieces: &SyncSender<Piece>,
) {
    let mut response = match inner.send(request) {
        Ok(response) => response,
        Err(error) => {
            let _ = to_head.send(Err(error));
            return;
        }
    };
    let head = (response.status, std::mem::take(&mut response.headers));
    if to_head.send(Ok(head)).is_err() {
        return;
    }
    loop {
        let mut piece = vec![0; CHUNK_BYTES];
        let read = match response.body.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read,
        };
        let is_end = !matches!(read, Ok(1..));
        let read = read.map(|size| {
            piece.truncate(size);
            piece
        });
        // Nobody reads it any more, or there is no more.
        if to_pieces.send(read).is_err() || is_end {
            return;
        }
    }
}

/// The body of an exchange.
struct Pieces {
    from: Receiver<Piece>,
    until: Until,
    rest: io::Cursor<Vec<u8>>,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.rest.read(buffer)?;
        if read > 0 || buffer.is_empty() {
            return Ok(read);
        }
        match self.until.next(&self.from) {
            Some(Ok(piece)) => {
                self.rest = io::Cursor::new(piece?);
                self.rest.read(buffer)
            }
            Some(Err(_)) => Ok(0),
            None => Err(io::Error::other("it was stopped")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::Trust;

    /// A network that is gone: nobody answers, or the answer never ends.
    #[derive(Debug)]
    struct Gone {
        has_head: bool,
    }

    struct Silence;

    impl Read for Silence {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            loop {
                thread::park();
            }
        }
    }

    impl Transport for Gone {
        fn send(&self, _: HttpRequest) -> Result<HttpResponse, TransportError> {
            if !self.has_head {
                let _ = Silence.read(&mut []);
            }
            Ok(HttpResponse { status: 200, headers: Vec::new(), body: Box::new(Silence) })
        }
    }

    fn request() -> HttpRequest {
        HttpRequest {
            method: "GET",
            url: "https://crm.example.com/".to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            trust: Trust::Public,
            silence: Duration::from_secs(60),
        }
    }

    fn over(has_head: bool, stop: &Stop, deadline: Option<Instant>) -> Http {
        let gone: Http = Arc::new(Gone { has_head });
        Stoppable::over(&gone, stop.clone(), deadline)
    }

    #[test]
    fn who_waits_for_an_answer_is_stopped_from_another_thread() {
        for has_head in [false, true] {
            let stop = Stop::default();
            let http = over(has_head, &stop, None);
            let waits = thread::spawn(move || match http.send(request()) {
                Ok(mut answer) => {
                    answer.body.read(&mut [0; 8]).map(drop).map_err(|e| e.to_string())
                }
                Err(error) => Err(error.to_string()),
            });
            stop.stop();
            assert_eq!(waits.join().unwrap(), Err("it was stopped".to_owned()), "{has_head}");
        }
    }

    #[test]
    fn nobody_waits_longer_than_the_deadline() {
        let deadline = Instant::now() + Duration::from_millis(50);
        for has_head in [false, true] {
            let http = over(has_head, &Stop::default(), Some(deadline));
            let is_ended = match http.send(request()) {
                Ok(mut answer) => answer.body.read(&mut [0; 8]).is_err(),
                Err(_) => true,
            };
            assert!(is_ended && Instant::now() >= deadline, "{has_head}");
        }
    }
}
