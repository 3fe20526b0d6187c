//! Running the server: open the data, listen, stop in good order.

use std::{
    fs::File,
    future::Future,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use axum_server::{Handle, tls_rustls::RustlsAcceptor};
use outrider_core::time::{Clock, SystemClock};
use tokio::signal;

use crate::{
    accounts::{AccountError, ensure_administrator, show_password},
    audit::heads::{HEAD_EVERY_MS, newest_head},
    config::{Config, StorageConfig, millis},
    connection::Doorkeeper,
    keys::ServerKey,
    lock::lock,
    office::{self, EraseError},
    router::router,
    state::{AppState, Machine, share_of},
    storage::{
        Storage, StorageError,
        sqlite::{SqliteStorage, create_folder},
    },
    tenants::{self, Tenant, TenantError, dispatch::dispatch},
    tls::{self, PinnedCa, TlsError},
};

/// Bytes of a request's header, at most; a last piece that is read may be as long again.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Fields of a request's header, at most.
const HEADER_FIELDS_MAX: usize = 64;

/// What whoever started the server is told when it listens.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_debug_implementations, reason = "it may hold a password")]
pub struct Ready {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether it speaks TLS there.
    pub is_tls: bool,
    /// Fingerprint of the authority that devices pin.
    pub ca_fingerprint: Option<String>,
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
    /// What the ledger says was erased is still there.
    #[error("cannot erase again what was erased before the data was put back")]
    Erase(#[from] EraseError),
    /// It cannot be reached safely.
    #[error("cannot listen safely")]
    Tls(#[from] TlsError),
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
    /// A tenant cannot be served.
    #[error("cannot serve a tenant")]
    Tenant(#[from] TenantError),
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
    let config = Arc::new(config);
    let first = Company::open(None, Arc::clone(&config))?;
    let tenants = tenants::list(&config.storage.data)?;
    let count = tenants.len();
    let others = tenants.into_iter().map(|tenant| {
        let config = Arc::new(config_of(&config, &tenant, count + 1));
        Company::open(Some(tenant), config)
    });
    let others = others.collect::<Result<Vec<_>, _>>()?;
    let with_input = config.network.stop_with_input;
    // Before the account is made whose password is shown once.
    tls::prepare(&first.config, first.config.network.listen)?;
    let first_password = create_administrator(first.storage.as_ref())?;
    let (is_tls, data) = (first.config.tls.is_on(), first.config.storage.data.clone());
    let ready = |address| {
        let ca = PinnedCa::of_data(&data).ok().flatten();
        let ca_fingerprint = ca.map(|ca| ca.fingerprint());
        ready(Ready { address, is_tls, ca_fingerprint, first_password });
    };
    serve_all(first, others, Arc::new(SystemClock), told_to_stop(with_input), ready).await
}

/// One company with everything of its own.
struct Company {
    /// None of the first one.
    tenant: Option<Tenant>,
    config: Arc<Config>,
    storage: Arc<dyn Storage>,
    /// Held until the process ends, however it ends.
    _lock: Option<File>,
}

impl Company {
    fn open(tenant: Option<Tenant>, config: Arc<Config>) -> Result<Self, ServeError> {
        let StorageConfig { data, ledger } = &config.storage;
        // Before the data is opened, which brings it up to date: another server may be using it.
        create_folder(data)
            .map_err(|source| StorageError::Open { path: data.display().to_string(), source })?;
        let lock = lock(data)?;
        let storage = Arc::new(SqliteStorage::open_with_ledger(data, ledger.as_deref())?);
        let again = office::replay_erasures(&*storage, SystemClock.now_ms())?;
        if again > 0 {
            tracing::info!(records = again, "erased again what the ledger says was erased");
        }
        // Nobody has to wait for it: the next start tries again.
        match office::restore_users(&*storage, SystemClock.now_ms()) {
            Ok(0) => {}
            Ok(users) => tracing::info!(users, "made records of users again who have devices"),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "records of users who have devices are not there");
            }
        }
        Ok(Self { tenant, config, storage, _lock: Some(lock) })
    }
}

/// The settings of a tenant: its own folder, ledger and address, and its share of the limits.
fn config_of(first: &Config, tenant: &Tenant, companies: usize) -> Config {
    let companies = u32::try_from(companies).unwrap_or(u32::MAX);
    let mut config = first.clone();
    config.storage = StorageConfig {
        data: tenant.folder.clone(),
        ledger: tenants::ledger_of(first.storage.ledger.as_deref(), &tenant.name),
    };
    // With the first company's scheme and port: the same proxy stands before all.
    config.network.public_url = first.network.public_url.as_deref().and_then(|url| {
        let (scheme, rest) = url.split_once("://")?;
        let port = rest.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
        let port = port.map(|(_, port)| format!(":{port}")).unwrap_or_default();
        Some(format!("{scheme}://{}{port}", tenant.hosts.first()?))
    });
    config.limits = share_of(&first.limits);
    config.live.live_max = (first.live.live_max / companies).max(1);
    config
}

/// Makes the first account; its password, if it was made.
///
/// # Errors
///
/// Returns [`ServeError`] when the storage fails or the system has no randomness.
pub(crate) fn create_administrator(storage: &dyn Storage) -> Result<Option<String>, ServeError> {
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
    let company = Company { tenant: None, config: Arc::new(config), storage, _lock: None };
    serve_all(company, Vec::new(), clock, stop, ready).await
}

/// Serves the first company and the tenants on one address.
async fn serve_all(
    first: Company,
    others: Vec<Company>,
    clock: Arc<dyn Clock>,
    stop: impl Future<Output = ()> + Send + 'static,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    let config = Arc::clone(&first.config);
    let network = &config.network;
    let unheard = |source| ServeError::Listen { address: network.listen, source };
    let listener = TcpListener::bind(network.listen).map_err(unheard)?;
    let address = listener.local_addr().map_err(unheard)?;
    let header_timeout = millis(network.header_timeout_ms);
    let stop_timeout = millis(network.stop_timeout_ms);

    let tls = tls::prepare(&config, address)?;
    let doorkeeper = Doorkeeper::new(network);

    let handle = Handle::new();
    let mut server = axum_server::from_tcp(listener)
        .map_err(unheard)?
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

    let machine = (!others.is_empty()).then(|| Machine::new(&config.limits));
    let mut live = Vec::new();
    let mut routed = |company: &Company| -> Result<axum::Router, ServeError> {
        let storage = Arc::clone(&company.storage);
        let mut config = Arc::clone(&company.config);
        if machine.is_some() && company.tenant.is_none() {
            let limits = share_of(&config.limits);
            config = Arc::new(Config { limits, ..Config::clone(&config) });
        }
        let key = ServerKey::load_or_create(&config.storage.data).map_err(ServeError::Key)?;
        let mut state = AppState::new(storage, Arc::clone(&clock), config, key);
        state.ca = tls.as_ref().and_then(|tls| tls.ca.clone());
        if let Some(machine) = &machine {
            state = state.beside_others(machine);
        }
        live.push(Arc::clone(&state.live));
        tokio::spawn(sign_heads(state.clone()));
        tokio::spawn(Arc::clone(&state.barred).follow(Arc::clone(&state.storage)));
        Ok(router(state))
    };
    let service = routed(&first)?;
    let tenants: Vec<_> = others
        .iter()
        .filter_map(|company| Some((company.tenant.clone()?, company)))
        .map(|(tenant, company)| Ok((tenant, routed(company)?)))
        .collect::<Result<_, ServeError>>()?;
    tracing::info!(tenants = tenants.len(), "opened the data");
    let service = dispatch(service, tenants);
    tokio::spawn(async move {
        stop.await;
        tracing::info!("stopping: running requests may end");
        live.iter().for_each(|live| live.stop());
        handle.graceful_shutdown(Some(stop_timeout));
    });
    let service = service.into_make_service_with_connect_info::<SocketAddr>();
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "listening");
    ready(address);
    // Connections are counted before they are encrypted, so that a slow handshake has its place too.
    let served = match tls {
        None => server.acceptor(doorkeeper).serve(service).await,
        Some(tls) => {
            let acceptor =
                RustlsAcceptor::new(tls.rustls.clone()).handshake_timeout(header_timeout);
            let fresh = tokio::spawn(tls::keep_fresh(tls));
            let served = server.acceptor(acceptor.acceptor(doorkeeper)).serve(service).await;
            fresh.abort();
            served
        }
    };
    served.map_err(ServeError::Stopped)?;
    tracing::info!("stopped");
    Ok(())
}

/// Signs where the audit stands, every minute while lines come; ends with the runtime.
async fn sign_heads(state: AppState) {
    let mut minute = tokio::time::interval(millis(HEAD_EVERY_MS.unsigned_abs()));
    loop {
        minute.tick().await;
        let (key, now_ms) = (Arc::clone(&state.key), state.now_ms());
        if let Err(error) = state.run(move |storage| newest_head(storage, &key, now_ms)).await {
            error.log();
        }
    }
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
