//! How the server is reached: by TLS of its own, by a proxy's, or from this machine alone.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// How connections are encrypted.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "TLS")]
pub struct TlsConfig {
    /// `auto`: the server makes a certificate authority of its own in the data folder, and
    /// certificates by it; devices learn to trust it when they are enrolled
    #[arg(long, env = "OUTRIDER_TLS", value_enum, default_value_t = TlsMode::Off,
          conflicts_with_all = ["tls_cert", "tls_key", "tls_ca"])]
    pub tls: TlsMode,
    /// Name or IP address under which the server is reached, for the certificate of `--tls auto`; may be
    /// given several times (in the variable: with commas). The host of `--public-url`, the address of
    /// `--listen` and localhost are in it anyway
    #[arg(
        long = "tls-name",
        env = "OUTRIDER_TLS_NAME",
        value_name = "NAME",
        value_delimiter = ','
    )]
    pub tls_names: Vec<String>,
    /// Certificate of the server with those between it and its authority, PEM; read again when it
    /// changes, and on SIGHUP
    #[arg(long, env = "OUTRIDER_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of that certificate, PEM
    #[arg(long, env = "OUTRIDER_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Certificate of the authority behind `--tls-cert`, PEM, if it is none that every device knows:
    /// devices are told to trust it alone
    #[arg(long, env = "OUTRIDER_TLS_CA", value_name = "FILE", requires = "tls_cert")]
    pub tls_ca: Option<PathBuf>,
    /// A proxy in front of this server speaks TLS to everybody else: plain HTTP may then be spoken
    /// on an address that is not this machine's own. Nobody but the proxy may reach that address
    #[arg(long, env = "OUTRIDER_BEHIND_PROXY")]
    pub behind_proxy: bool,
}

impl TlsConfig {
    /// Whether this server speaks TLS itself.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.tls == TlsMode::Auto || self.tls_cert.is_some()
    }
}

/// Where certificates come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TlsMode {
    /// From files, or there are none.
    Off,
    /// From the server's own authority.
    Auto,
}
