//! Reports: what the records add up to.
//!
//! Computed from the typed rows, so that a report of a million records reads columns and no
//! documents. [`pipeline()`] says where the sales stand; [`amount`] how sums are shown.

pub mod amount;
pub mod pipeline;
mod sums;
mod table;

pub use amount::Amount;
pub use pipeline::{
    AgentValue, Counted, CurrencyPipeline, ListPriced, OpenTotal, PipelineReport, RegionValue,
    StageLine, StageValue, pipeline, pipeline_of,
};
