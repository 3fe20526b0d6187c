//! Exchange with the office.

use crate::{context::Context, error::CliError, messages, output::Output, sync};

/// Sends what waits and fetches what is new.
pub(crate) fn sync(context: &Context, output: &mut Output) -> Result<(), CliError> {
    let mut replica = context.open()?;
    let summary = sync::run(&mut replica, context.language, !context.json)?;
    output.answer(&summary, &messages::summary(&summary, context.language))?;
    if summary.refused > 0 { Err(CliError::Refused(summary.refused)) } else { Ok(()) }
}
