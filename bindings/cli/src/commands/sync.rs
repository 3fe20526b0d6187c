//! Exchange with the office: once, or whenever there is something to exchange.

mod watch;

use crate::{cli::SyncArgs, context::Context, error::CliError, messages, output::Output, sync};

/// Sends what waits and fetches what is new.
pub(crate) fn sync(
    context: &Context,
    args: &SyncArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    let mut replica = context.open()?;
    if args.watch {
        return watch::watch(context, replica, output);
    }
    let summary = sync::run(&mut replica, context.language, !context.json)?;
    output.answer(&summary, &messages::summary(&summary, context.language))?;
    if summary.refused > 0 { Err(CliError::Refused(summary.refused)) } else { Ok(()) }
}
