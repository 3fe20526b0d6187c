//! Connections: how many there may be, and what becomes of those that stop reading.

use std::{
    future::{Future, Ready, ready},
    io,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum_server::accept::Accept;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

use crate::{
    config::{NetworkConfig, millis},
    limits::network_of,
    places::{Place, Places},
};

/// Lets connections in while there are places.
#[derive(Debug, Clone)]
pub(crate) struct Doorkeeper {
    places: Arc<Places<IpAddr>>,
    pause: Duration,
}

impl Doorkeeper {
    /// With the places that `config` gives.
    pub(crate) fn new(config: &NetworkConfig) -> Self {
        let places = Places::new(config.connections_max, config.connections_per_address_max);
        Self { places: Arc::new(places), pause: millis(config.reader_pause_ms) }
    }

    fn let_in(&self, stream: TcpStream) -> io::Result<Connection> {
        let network = network_of(stream.peer_addr()?.ip());
        let place = self.places.take(network).ok_or_else(|| {
            io::Error::new(io::ErrorKind::ConnectionRefused, "too many connections")
        })?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, pause: self.pause, stalled: None, _place: place })
    }
}

impl<S> Accept<TcpStream, S> for Doorkeeper {
    type Stream = Connection;
    type Service = S;
    type Future = Ready<io::Result<(Connection, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        ready(self.let_in(stream).map(|connection| (connection, service)))
    }
}

/// A connection that breaks when the other side stops reading for too long.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    pause: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    _place: Place<IpAddr>,
}

impl Connection {
    /// Passes on what a write came to, unless it has been waiting for too long.
    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.stalled = None;
            return result;
        }
        let pause = self.pause;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(pause)));
        stalled.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watch(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch(cx, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
