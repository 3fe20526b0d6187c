//! Reports: what the records add up to.

use outrider_core::reports;

use crate::{cli::Report, context::Context, error::CliError, output::Output};

/// Computes and shows a report.
pub(crate) fn report(
    context: &Context,
    report: &Report,
    output: &mut Output,
) -> Result<(), CliError> {
    let replica = context.open()?;
    match report {
        Report::Pipeline => {
            let pipeline = reports::pipeline(&replica)?;
            output.answer(&pipeline, pipeline.to_string().trim_end())
        }
    }
}
