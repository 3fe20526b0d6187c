//! What each route does: extract, authorise, call, respond. One file per resource.

pub(crate) mod devices;
pub(crate) mod enrolment;
pub(crate) mod export;
pub(crate) mod history;
pub(crate) mod records;
pub(crate) mod search;
pub(crate) mod status;
pub(crate) mod sync;
