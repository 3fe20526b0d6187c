//! Every entity, every story and every query, on device and server. One binary, so that what keeps one core
//! busy runs beside the rest.

mod builtin;
mod extended;
mod search;
mod stories;
