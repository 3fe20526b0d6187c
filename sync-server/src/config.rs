//! Settings: each a flag and an environment variable, with a default that has a name.
//!
//! `docs/CONFIGURATION.md` is made from these definitions; a test compares it.

use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf, time::Duration};

use clap::{Args, Command, FromArgMatches, ValueEnum};

mod tls;

pub use tls::{TlsConfig, TlsMode};

/// Where the server listens unless told otherwise.
pub const LISTEN: &str = "127.0.0.1:8480";
/// Where the data is unless told otherwise.
pub const DATA_FOLDER: &str = "outrider-data";
/// Open connections, at most.
pub const CONNECTIONS_MAX: u32 = 2_048;
/// Open connections from one address, at most (an office behind one address has many devices).
pub const CONNECTIONS_PER_ADDRESS_MAX: u32 = 256;
/// Milliseconds for a request's header to arrive, and before an idle connection is closed.
pub const HEADER_TIMEOUT_MS: u64 = 10_000;
/// Milliseconds that a request's body may pause.
pub const BODY_PAUSE_MS: u64 = 10_000;
/// Milliseconds for a request's whole body to arrive.
pub const BODY_TIMEOUT_MS: u64 = 60_000;
/// Milliseconds that a client may stop reading its answer.
pub const READER_PAUSE_MS: u64 = 30_000;
/// Milliseconds that one answer may take.
pub const ANSWER_TIMEOUT_MS: u64 = 600_000;
/// Milliseconds that running requests have to end when the server is told to stop.
pub const STOP_TIMEOUT_MS: u64 = 20_000;
/// Open live channels, at most: half of the connections, so that requests find theirs.
pub const LIVE_MAX: u32 = 1_024;
/// Open live channels of one device, or of one person's pages, at most.
pub const LIVE_EACH_MAX: u32 = 16;
/// Milliseconds of silence on a live channel before a comment is sent (proxies wait 60 s).
pub const LIVE_HEARTBEAT_MS: u64 = 20_000;
/// Milliseconds after which a live channel ends, so that access is checked again.
pub const LIVE_DURATION_MS: u64 = 900_000;
/// Bytes of one request's body as it comes over the wire, at most.
pub const BODY_BYTES_MAX: u32 = 8 * 1024 * 1024;
/// Bytes of all bodies that are being received, at most.
pub const BODIES_BYTES_MAX: u32 = 256 * 1024 * 1024;
/// Bodies of one device that are being received or worked on, at most: a device sends one after the other, and an
/// extension of its app may sync beside it.
pub const BODIES_EACH_MAX: u32 = 4;
/// Uncompressed bytes of one answer to a pull, at most; the device then asks for the rest.
pub const PULL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Short jobs (pushes, checks, look-ups) that run at once.
pub const JOBS_MAX: u32 = 16;
/// Streamed answers (pulls, fetches, histories) that run at once.
pub const STREAMS_MAX: u32 = 64;
/// Milliseconds that a request waits for its turn before it is told to come back.
pub const TURN_TIMEOUT_MS: u64 = 2_000;
/// Requests per second from one address, lasting.
pub const REQUESTS_PER_SECOND: NonZeroU32 = NonZeroU32::new(100).expect("not zero");
/// Requests from one address at once.
pub const REQUESTS_BURST: NonZeroU32 = NonZeroU32::new(500).expect("not zero");
/// Attempts to enrol per minute from one address.
pub const ENROLMENTS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(10).expect("not zero");
/// Attempts to sign in per minute from one address.
pub const SIGN_INS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(20).expect("not zero");
/// Minutes that an enrolment code is good.
pub const CODE_MINUTES: u32 = 10;

/// How often one address may fail to enrol before it has to wait for ten minutes.
pub const ENROLMENT_TRIES: NonZeroU32 = NonZeroU32::new(5).expect("not zero");
/// Milliseconds that a device's token is good: a quarter of an hour.
pub const TOKEN_MS: u64 = 15 * 60_000;
/// Milliseconds that a device's tokens are good unused: 30 days.
pub const TOKEN_IDLE_MS: u64 = 30 * 24 * 60 * 60_000;
/// Milliseconds after which a device must be approved again, however it is used: 90 days.
pub const TOKEN_ABSOLUTE_MS: u64 = 90 * 24 * 60 * 60_000;
/// Milliseconds that a device may be used without having reached the server: 30 days.
pub const LEASE_MS: u64 = 30 * 24 * 60 * 60_000;

/// Everything that the server can be told.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Where the data is.
    #[command(flatten)]
    pub storage: StorageConfig,
    /// How it listens.
    #[command(flatten)]
    pub network: NetworkConfig,
    /// How connections are encrypted.
    #[command(flatten)]
    pub tls: TlsConfig,
    /// What one request may cost.
    #[command(flatten)]
    pub limits: LimitsConfig,
    /// How it tells of news.
    #[command(flatten)]
    pub live: LiveConfig,
    /// How far it trusts devices.
    #[command(flatten)]
    pub devices: DevicesConfig,
    /// What it says.
    #[command(flatten)]
    pub logging: LoggingConfig,
}

impl Config {
    /// Reads settings from flags and the environment, for programs that embed the server.
    ///
    /// # Errors
    ///
    /// Fails for a flag that is not known or a value that cannot be read.
    pub fn from_flags<'a>(flags: impl IntoIterator<Item = &'a str>) -> Result<Self, clap::Error> {
        let command = Self::augment_args(Command::new("serve").no_binary_name(true));
        Self::from_arg_matches(&command.try_get_matches_from(flags)?)
    }

    /// Whether people and devices reach the server by TLS, its own or a proxy's.
    #[must_use]
    pub fn is_https(&self) -> bool {
        let public = self.network.public_url.as_deref();
        self.tls.is_on()
            || self.network.secure_cookies
            || public.map_or(self.tls.behind_proxy, |url| url.starts_with("https://"))
    }
}

/// Where the data is.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Storage")]
pub struct StorageConfig {
    /// Folder of the database; created when it is not there
    #[arg(long, global = true, env = "OUTRIDER_DATA", default_value = DATA_FOLDER, value_name = "FOLDER")]
    pub data: PathBuf,
    /// File that remembers what must outlive a backup; `ledger` in the folder unless given. Best on
    /// another disk
    #[arg(long, global = true, env = "OUTRIDER_LEDGER", value_name = "FILE")]
    pub ledger: Option<PathBuf>,
}

/// How the server listens, and how patient it is.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Network")]
pub struct NetworkConfig {
    /// Address and port; port 0 takes a free one
    #[arg(long, env = "OUTRIDER_LISTEN", default_value = LISTEN, value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Address under which people and devices reach the server, such as <https://crm.example.com>;
    /// with https, cookies are for TLS alone
    #[arg(long, env = "OUTRIDER_PUBLIC_URL", value_name = "URL", value_parser = parse_url)]
    pub public_url: Option<String>,
    /// Send cookies over TLS alone, whatever the address says: for a server behind a proxy that
    /// speaks TLS, without a public URL
    #[arg(long, env = "OUTRIDER_SECURE_COOKIES")]
    pub secure_cookies: bool,
    /// Stop when standard input ends: for a program that starts the server and must not outlive it
    #[arg(long, env = "OUTRIDER_STOP_WITH_INPUT")]
    pub stop_with_input: bool,
    /// Open connections, at most
    #[arg(long, env = "OUTRIDER_CONNECTIONS_MAX", default_value_t = CONNECTIONS_MAX)]
    pub connections_max: u32,
    /// Open connections from one address (of IPv6 one /64), at most; raise it behind a proxy
    #[arg(long, env = "OUTRIDER_CONNECTIONS_PER_ADDRESS_MAX",
          default_value_t = CONNECTIONS_PER_ADDRESS_MAX)]
    pub connections_per_address_max: u32,
    /// Time for a request's header to arrive; an idle connection is closed after it too
    #[arg(long, env = "OUTRIDER_HEADER_TIMEOUT_MS", default_value_t = HEADER_TIMEOUT_MS)]
    pub header_timeout_ms: u64,
    /// Time that a request's body may pause
    #[arg(long, env = "OUTRIDER_BODY_PAUSE_MS", default_value_t = BODY_PAUSE_MS)]
    pub body_pause_ms: u64,
    /// Time for a request's whole body to arrive
    #[arg(long, env = "OUTRIDER_BODY_TIMEOUT_MS", default_value_t = BODY_TIMEOUT_MS)]
    pub body_timeout_ms: u64,
    /// Time that a client may stop reading its answer
    #[arg(long, env = "OUTRIDER_READER_PAUSE_MS", default_value_t = READER_PAUSE_MS)]
    pub reader_pause_ms: u64,
    /// Time that one streamed answer may take
    #[arg(long, env = "OUTRIDER_ANSWER_TIMEOUT_MS", default_value_t = ANSWER_TIMEOUT_MS)]
    pub answer_timeout_ms: u64,
    /// Time that running requests have to end when the server is told to stop
    #[arg(long, env = "OUTRIDER_STOP_TIMEOUT_MS", default_value_t = STOP_TIMEOUT_MS)]
    pub stop_timeout_ms: u64,
}

/// What one request, and one address, may cost.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitsConfig {
    /// Bytes of one request's body as it comes over the wire
    #[arg(long, env = "OUTRIDER_BODY_BYTES_MAX", default_value_t = BODY_BYTES_MAX)]
    pub body_bytes_max: u32,
    /// Bytes of all bodies that are being received
    #[arg(long, env = "OUTRIDER_BODIES_BYTES_MAX", default_value_t = BODIES_BYTES_MAX)]
    pub bodies_bytes_max: u32,
    /// Bodies of one device that are being received or worked on; more are told to come back
    #[arg(long, env = "OUTRIDER_BODIES_EACH_MAX", default_value_t = BODIES_EACH_MAX)]
    pub bodies_each_max: u32,
    /// Uncompressed bytes of one answer to a pull; the device then asks for the rest
    #[arg(long, env = "OUTRIDER_PULL_BYTES_MAX", default_value_t = PULL_BYTES_MAX)]
    pub pull_bytes_max: u64,
    /// Short jobs (pushes, checks, look-ups) that run at once
    #[arg(long, env = "OUTRIDER_JOBS_MAX", default_value_t = JOBS_MAX)]
    pub jobs_max: u32,
    /// Streamed answers (pulls, fetches, histories) that run at once
    #[arg(long, env = "OUTRIDER_STREAMS_MAX", default_value_t = STREAMS_MAX)]
    pub streams_max: u32,
    /// Time that a request waits for its turn before it is told to come back
    #[arg(long, env = "OUTRIDER_TURN_TIMEOUT_MS", default_value_t = TURN_TIMEOUT_MS)]
    pub turn_timeout_ms: u64,
    /// Requests per second from one address (of IPv6 one /64), lasting
    #[arg(long, env = "OUTRIDER_REQUESTS_PER_SECOND", default_value_t = REQUESTS_PER_SECOND)]
    pub requests_per_second: NonZeroU32,
    /// Requests from one address at once
    #[arg(long, env = "OUTRIDER_REQUESTS_BURST", default_value_t = REQUESTS_BURST)]
    pub requests_burst: NonZeroU32,
    /// Attempts to enrol per minute from one address
    #[arg(long, env = "OUTRIDER_ENROLMENTS_PER_MINUTE", default_value_t = ENROLMENTS_PER_MINUTE)]
    pub enrolments_per_minute: NonZeroU32,
    /// Attempts to sign in per minute from one address
    #[arg(long, env = "OUTRIDER_SIGN_INS_PER_MINUTE", default_value_t = SIGN_INS_PER_MINUTE)]
    pub sign_ins_per_minute: NonZeroU32,
}

/// How the server tells those who listen that there is news.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Live channels")]
pub struct LiveConfig {
    /// Open channels, at most; each is a connection too
    #[arg(long, env = "OUTRIDER_LIVE_MAX", default_value_t = LIVE_MAX)]
    pub live_max: u32,
    /// Open channels of one device, or of one person's pages, at most
    #[arg(long, env = "OUTRIDER_LIVE_EACH_MAX", default_value_t = LIVE_EACH_MAX)]
    pub live_each_max: u32,
    /// Time of silence after which a comment is sent, so that proxies keep the channel open
    #[arg(long, env = "OUTRIDER_LIVE_HEARTBEAT_MS", default_value_t = LIVE_HEARTBEAT_MS)]
    pub live_heartbeat_ms: u64,
    /// Time after which a channel ends and is opened anew, and with it who may listen is asked
    #[arg(long, env = "OUTRIDER_LIVE_DURATION_MS", default_value_t = LIVE_DURATION_MS)]
    pub live_duration_ms: u64,
}

/// How far the server trusts devices, and for how long.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Devices")]
pub struct DevicesConfig {
    /// Failures to enrol after which an address has to wait for ten minutes; raise it behind a proxy
    #[arg(long, env = "OUTRIDER_ENROLMENT_TRIES", default_value_t = ENROLMENT_TRIES)]
    pub enrolment_tries: NonZeroU32,
    /// Time that a device's token is good before it is exchanged
    #[arg(long, env = "OUTRIDER_TOKEN_MS", default_value_t = TOKEN_MS)]
    pub token_ms: u64,
    /// Time without use after which a device must be approved again
    #[arg(long, env = "OUTRIDER_TOKEN_IDLE_MS", default_value_t = TOKEN_IDLE_MS)]
    pub token_idle_ms: u64,
    /// Time after which a device must be approved again, however it is used
    #[arg(long, env = "OUTRIDER_TOKEN_ABSOLUTE_MS", default_value_t = TOKEN_ABSOLUTE_MS)]
    pub token_absolute_ms: u64,
    /// Time that a device may be used without having reached the server, before it locks; 0 is for
    /// ever
    #[arg(long, env = "OUTRIDER_LEASE_MS", default_value_t = LEASE_MS)]
    pub lease_ms: u64,
}

/// What the server says about its work.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Logging")]
pub struct LoggingConfig {
    /// One JSON object per line, or lines for people
    #[arg(long, env = "OUTRIDER_LOG_FORMAT", value_enum, default_value_t = LogFormat::Json)]
    pub log_format: LogFormat,
    /// What is said: a level (error, warn, info, debug, trace), or one for each part
    #[arg(long, env = "OUTRIDER_LOG", default_value = "info", value_name = "FILTER")]
    pub log: String,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Lines for people.
    Pretty,
}

/// An address on the web without anything after the host.
fn parse_url(text: &str) -> Result<String, &'static str> {
    let text = text.trim_end_matches('/');
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    match host {
        Some(host) if !host.is_empty() && host.chars().all(is_host) => Ok(text.to_owned()),
        Some(_) | None => Err("expected an address such as https://crm.example.com"),
    }
}

/// Milliseconds as a duration.
pub(crate) fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// All settings as a page for people.
#[must_use]
pub fn to_markdown() -> String {
    let command = Config::augment_args(Command::new("serve"));
    let mut page = String::from(
        "# Configuration\n\n\
         Every setting of `serve` is a flag and an environment variable; the flag wins. The \
         server needs none of them to run. Times are in milliseconds.\n\n\
         Without TLS the server listens on this machine alone; [SECURITY](SECURITY.md#in-transit) says \
         how to choose. It trusts no header about where a request came from, so behind a proxy all \
         devices share one address: raise the limits that count by address.\n",
    );
    let mut heading = None;
    for arg in command.get_arguments() {
        if arg.get_help_heading() != heading {
            heading = arg.get_help_heading();
            let title = heading.unwrap_or("Other");
            page.push_str(&format!(
                "\n## {title}\n\n| flag | variable | default | meaning |\n|---|---|---|---|\n"
            ));
        }
        let defaults: Vec<_> =
            arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        page.push_str(&format!(
            "| `--{}` | `{}` | `{}` | {} |\n",
            arg.get_long().unwrap_or_default(),
            arg.get_env().map(|name| name.to_string_lossy()).unwrap_or_default(),
            defaults.join(" "),
            arg.get_help().map(ToString::to_string).unwrap_or_default(),
        ));
    }
    page
}
