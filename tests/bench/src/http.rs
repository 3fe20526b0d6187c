//! The real server on the loopback interface, and devices that talk to it over HTTP.

use std::{io::Read, net::SocketAddr, path::Path, sync::Arc, sync::mpsc, thread};

use clap::Parser;
use outrider_core::{
    replica::{
        Replica,
        session::{Session, Summary},
    },
    time::SystemClock,
};
use outrider_sync_server::{config::Config, serve, storage::sqlite::SqliteStorage};
use tokio::sync::oneshot;

use crate::Outcome;

/// The media type of the sync protocol.
const MEDIA_TYPE: &str = "application/vnd.outrider.v1";

#[derive(Debug, Parser)]
struct Settings {
    #[command(flatten)]
    config: Config,
}

/// A running server; it stops when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    /// Starts the server on the data in `folder`.
    pub(crate) fn start(folder: &Path) -> Outcome<Self> {
        let settings = ["bench", "--listen", "127.0.0.1:0", "--requests-burst", "100000"];
        let config = Settings::parse_from(settings).config;
        let storage = Arc::new(SqliteStorage::open(folder)?);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let (ready, address) = mpsc::channel();
        let thread = thread::spawn(move || {
            let told = async {
                let _ = stopped.await;
            };
            let tell = move |address| {
                let _ = ready.send(address);
            };
            let served = serve::run_with(config, storage, Arc::new(SystemClock), told, tell);
            if let Err(error) = runtime.block_on(served) {
                eprintln!("outrider-bench: the server stopped: {error}");
            }
        });
        let address = address.recv().map_err(|_| "the server did not start")?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Runs a session of a device to its end.
    pub(crate) fn sync(&self, replica: &mut Replica) -> Outcome<Summary> {
        let enrolment = replica.enrolment()?.ok_or("the device is not enrolled")?;
        let bearer = ["Bearer ", &enrolment.token].concat();
        let mut session = Session::new();
        while let Some(request) = session.next(replica)? {
            let answer = ureq::post(format!("http://{}{}", self.address, request.path))
                .header("Content-Type", MEDIA_TYPE)
                .header("Authorization", &bearer)
                .send(&request.body)?;
            let mut body = answer.into_body().into_reader();
            session.receive(replica, &mut body as &mut dyn Read)?;
        }
        Ok(session.summary().clone())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
