//! Certificates end, and files of certificates are written anew: the running server takes over both.

use std::time::Duration;

use super::{Source, Tls, TlsError, authority::CERTIFICATE_DURATION};

/// How often files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How often a certificate of the own authority is made anew: long before it ends, so that a server
/// that was asleep, or a clock that was wrong, does not keep an old one.
const RENEW_EVERY: Duration = CERTIFICATE_DURATION.checked_div(3).expect("not by zero");

/// Keeps the certificate fresh for as long as the server runs. New connections get the new one.
pub(crate) async fn keep_fresh(tls: Tls) {
    let mut hangup = Hangup::new();
    let mut marks = tls.source.marks();
    let mut made_at = std::time::SystemTime::now();
    loop {
        let is_told = tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => false,
            () = hangup.heard() => true,
        };
        let is_due = match &tls.source {
            Source::Files(_) => {
                let found = tls.source.marks();
                let is_changed = found != marks;
                marks = found;
                is_changed
            }
            // The wall's clock: it goes on while the machine sleeps.
            Source::Own { .. } => made_at.elapsed().is_ok_and(|age| age >= RENEW_EVERY),
        };
        if !is_told && !is_due {
            continue;
        }
        match renew(&tls) {
            Ok(()) => {
                made_at = std::time::SystemTime::now();
                tracing::info!("took over a new certificate");
            }
            Err(error) => {
                let cause: &dyn std::error::Error = &error;
                tracing::error!(error = cause, "kept the certificate that was in use");
            }
        }
    }
}

fn renew(tls: &Tls) -> Result<(), TlsError> {
    tls.rustls.reload_from_config(tls.source.load()?);
    Ok(())
}

impl Source {
    fn marks(&self) -> Vec<Option<(std::time::SystemTime, u64)>> {
        match self {
            Self::Files(files) => files.marks(),
            Self::Own { .. } => Vec::new(),
        }
    }
}

/// SIGHUP: what operators send to make a program read its files again.
struct Hangup {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangup {
    fn new() -> Self {
        Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    #[cfg(unix)]
    async fn heard(&mut self) {
        let told = match &mut self.signal {
            Some(signal) => signal.recv().await,
            None => None,
        };
        if told.is_none() {
            std::future::pending().await
        }
    }

    #[cfg(not(unix))]
    async fn heard(&mut self) {
        std::future::pending().await
    }
}
