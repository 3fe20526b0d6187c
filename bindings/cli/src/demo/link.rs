//! The network between the devices and the server: a relay that can be down, or cut a
//! connection after some bytes.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// Bytes that are passed on at once.
const BUFFER_BYTES: usize = 16 * 1024;
/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// How the link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// No signal: every connection is dropped at once.
    None,
    /// Every connection is cut after so many bytes, in both directions together.
    CutAfter(u64),
    /// All is well.
    Good,
}

/// A relay on the loopback interface.
#[derive(Debug, Clone)]
pub(super) struct Link {
    address: SocketAddr,
    signal: Arc<Mutex<Signal>>,
    cuts: Arc<AtomicU64>,
}

impl Link {
    /// Starts a relay to `server`.
    pub(super) fn start(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let link = Self {
            address: listener.local_addr()?,
            signal: Arc::new(Mutex::new(Signal::Good)),
            cuts: Arc::new(AtomicU64::new(0)),
        };
        let relay = link.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let relay = relay.clone();
                thread::spawn(move || relay.pass_on(client, server));
            }
        });
        Ok(link)
    }

    /// Where devices connect to.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets how the link is, for connections that begin from now on.
    pub(super) fn set(&self, signal: Signal) {
        *self.signal.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = signal;
    }

    /// How many connections were cut.
    pub(super) fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::Relaxed)
    }

    fn pass_on(&self, client: TcpStream, server: SocketAddr) {
        let signal = *self.signal.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let limit = match signal {
            Signal::None => return,
            Signal::CutAfter(bytes) => bytes,
            Signal::Good => u64::MAX,
        };
        let Ok(server) = TcpStream::connect(server) else { return };
        let passed = Arc::new(AtomicU64::new(0));
        let (Ok(client_again), Ok(server_again)) = (client.try_clone(), server.try_clone()) else {
            return;
        };
        let up = Pipe { from: client, to: server, limit, passed: Arc::clone(&passed) };
        let down = Pipe { from: server_again, to: client_again, limit, passed };
        let upwards = thread::spawn(move || up.run());
        let is_cut_down = down.run();
        let is_cut_up = upwards.join().unwrap_or(false);
        if is_cut_up || is_cut_down {
            self.cuts.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// One direction of a connection.
struct Pipe {
    from: TcpStream,
    to: TcpStream,
    limit: u64,
    passed: Arc<AtomicU64>,
}

impl Pipe {
    /// Passes bytes on until either side ends; returns whether the limit cut the connection.
    fn run(mut self) -> bool {
        let _ = self.from.set_read_timeout(Some(SILENCE));
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let count = match self.from.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(count) => count,
            };
            let before = self.passed.fetch_add(count as u64, Ordering::Relaxed);
            let allowed = usize::try_from(self.limit.saturating_sub(before)).unwrap_or(usize::MAX);
            let bytes = buffer.get(..count.min(allowed)).unwrap_or_default();
            if self.to.write_all(bytes).is_err() {
                break;
            }
            if allowed < count {
                self.close();
                return true;
            }
        }
        let _ = self.to.shutdown(Shutdown::Write);
        false
    }

    fn close(&self) {
        let _ = self.from.shutdown(Shutdown::Both);
        let _ = self.to.shutdown(Shutdown::Both);
    }
}
