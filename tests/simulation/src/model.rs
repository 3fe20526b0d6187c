//! The exhaustive model ([`outrider_model`]), and its traces on the real code.
//!
//! The model tries everything within bounds; a sample of its traces that has every kind of event,
//! every pair of kinds in a row, and all that a conversation can do, is played here with real
//! replicas and the real server. After every event both sides are asked what they hold, and must
//! say the same.
//!
//! * `stage`: events done for real. * `observe`: what both sides hold. * `replay`: a trace on both. * `report`: all of it, in numbers.

mod observe;
mod stage;

mod replay;
mod report;

pub use outrider_model::bounds::Reach;
pub use report::{ModelReport, run_model};
