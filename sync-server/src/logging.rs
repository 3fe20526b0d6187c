//! The log: ids and sizes; never names, tokens, bodies or values.

use std::io;

use tracing::Subscriber;
use tracing_subscriber::{EnvFilter, filter::ParseError, fmt::MakeWriter};

use crate::config::{LogFormat, LoggingConfig};

/// Makes the log that `config` asks for, into `writer`.
///
/// # Errors
///
/// Fails when the filter cannot be read.
pub fn subscriber<W>(
    config: &LoggingConfig,
    writer: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, ParseError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(&config.log)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    Ok(match config.log_format {
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
        LogFormat::Pretty => Box::new(builder.with_ansi(false).finish()),
    })
}

/// Sends the log of this process to its standard error.
///
/// # Errors
///
/// Fails when the filter cannot be read. A log that is already set up stays.
pub fn start(config: &LoggingConfig) -> Result<(), ParseError> {
    let subscriber = subscriber(config, io::stderr)?;
    // Only a program that embeds the server has one already; it keeps its own.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(())
}
