//! Devices after their enrolment: the tokens that name them, whether they are let in, and how one
//! that is lost is turned away and wiped.

pub mod review;
pub mod standing;
pub mod tokens;

pub use standing::{Bar, DeviceError};
pub use tokens::{Terms, TokenError};
