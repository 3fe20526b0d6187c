//! Running the server: open the data, listen, stop in good order.

use std::{
    fs::{File, TryLockError},
    future::Future,
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::Arc,
};

use axum_server::Handle;
use outrider_core::time::{Clock, SystemClock};
use tokio::signal;

use crate::{
    accounts::{AccountError, ensure_administrator, show_password},
    config::{Config, millis},
    connection::Doorkeeper,
    keys::ServerKey,
    router::router,
    state::AppState,
    storage::{Storage, StorageError, sqlite::SqliteStorage},
};

/// Bytes of a request's header, at most.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Fields of a request's header, at most.
const HEADER_FIELDS_MAX: usize = 64;

/// Name of the file in the data folder that a running server holds locked.
const LOCK_FILE: &str = "server.lock";

/// What whoever started the server is told when it listens.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_debug_implementations, reason = "it may hold a password")]
pub struct Ready {
    /// Where it listens.
    pub address: SocketAddr,
    /// The administrator's password, if the account was made by this start.
    pub first_password: Option<String>,
}

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The data cannot be opened.
    #[error("cannot open the data")]
    Storage(#[from] StorageError),
    /// Nobody can listen there.
    #[error(
        "cannot listen on {address}; choose another address with --listen, or end what uses it"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The runtime failed.
    #[error("the server stopped")]
    Stopped(#[source] std::io::Error),
    /// The server's own key cannot be used.
    #[error("cannot read server.key in the data folder, nor make it")]
    Key(#[source] std::io::Error),
    /// The first account cannot be made.
    #[error("cannot create the administrator's account")]
    Account(#[from] AccountError),
    /// The system gives no random bytes.
    #[error("the system gave no randomness")]
    Random(#[from] getrandom::Error),
    /// The log cannot be set up.
    #[error("the log filter cannot be read")]
    Log(#[from] tracing_subscriber::filter::ParseError),
}

/// Opens the data and serves until the process is told to stop (SIGTERM, SIGINT).
///
/// The first start of all creates the administrator. `ready` is told where the server listens.
///
/// # Errors
///
/// Returns [`ServeError`] when the server cannot start or cannot go on.
pub async fn run(config: Config, ready: impl FnOnce(Ready)) -> Result<(), ServeError> {
    let storage = Arc::new(SqliteStorage::open(&config.storage.data)?);
    // Held until the process ends, however it ends.
    let _lock = lock(&config.storage.data)?;
    let with_input = config.network.stop_with_input;
    let first_password = create_administrator(storage.as_ref())?;
    let ready = |address| ready(Ready { address, first_password });
    run_with(config, storage, Arc::new(SystemClock), told_to_stop(with_input), ready).await
}

/// Makes the first account; its password, if it was made.
fn create_administrator(storage: &dyn Storage) -> Result<Option<String>, ServeError> {
    if storage.read()?.account_count()? > 0 {
        return Ok(None);
    }
    let mut random = [0; 16];
    getrandom::fill(&mut random)?;
    let password = show_password(u128::from_be_bytes(random));
    let mut salt = [0; 16];
    getrandom::fill(&mut salt)?;
    let now_ms = SystemClock.now_ms();
    let is_made = ensure_administrator(storage, &password, &salt, uuid::Uuid::now_v7(), now_ms)?;
    Ok(is_made.then_some(password))
}

/// Makes sure that no other server serves the same data.
fn lock(folder: &Path) -> Result<File, StorageError> {
    let path = folder.join(LOCK_FILE);
    let open = |source| StorageError::Open { path: path.display().to_string(), source };
    let file = File::create(&path).map_err(open)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(StorageError::InUse { path: folder.display().to_string() })
        }
        Err(TryLockError::Error(source)) => Err(open(source)),
    }
}

/// As [`run`], on a storage and a clock of the caller's, until `stop` is done.
///
/// # Errors
///
/// As [`run`].
pub async fn run_with(
    config: Config,
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    stop: impl Future<Output = ()> + Send + 'static,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    let network = &config.network;
    let unheard = |source| ServeError::Listen { address: network.listen, source };
    let listener = TcpListener::bind(network.listen).map_err(unheard)?;
    let address = listener.local_addr().map_err(unheard)?;
    let header_timeout = millis(network.header_timeout_ms);
    let stop_timeout = millis(network.stop_timeout_ms);

    let handle = Handle::new();
    let mut server = axum_server::from_tcp(listener)
        .map_err(unheard)?
        .acceptor(Doorkeeper::new(network))
        .handle(handle.clone())
        .http1_only()
        .first_request_timeout(header_timeout)
        .accept_error_handler(|_, error| tracing::warn!(%error, "turned a connection away"));
    server
        .http_builder()
        .http1()
        .header_read_timeout(header_timeout)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADER_FIELDS_MAX);

    let keys = ServerKey::load_or_create(&config.storage.data).map_err(ServeError::Key)?;
    let state = AppState::new(storage, clock, Arc::new(config), keys);
    tokio::spawn(Arc::clone(&state.barred).follow(Arc::clone(&state.storage)));
    let live = Arc::clone(&state.live);
    tokio::spawn(async move {
        stop.await;
        tracing::info!("stopping: running requests may end");
        live.stop();
        handle.graceful_shutdown(Some(stop_timeout));
    });
    let service = router(state).into_make_service_with_connect_info::<SocketAddr>();
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "listening");
    ready(address);
    server.serve(service).await.map_err(ServeError::Stopped)?;
    tracing::info!("stopped");
    Ok(())
}

/// Waits for SIGTERM, SIGINT or, if asked to, the end of standard input.
async fn told_to_stop(with_input: bool) {
    let interrupted = async {
        if signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = interrupted => (),
        () = terminated() => (),
        () = input_ended(), if with_input => (),
    }
}

async fn input_ended() {
    let (ended, when_ended) = tokio::sync::oneshot::channel();
    // A thread of its own: it may wait for ever, and nothing waits for it.
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = ended.send(());
    });
    if when_ended.await.is_err() {
        std::future::pending().await
    }
}

#[cfg(unix)]
async fn terminated() {
    match signal::unix::signal(signal::unix::SignalKind::terminate()) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}
