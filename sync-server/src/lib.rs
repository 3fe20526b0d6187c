//! Server.
pub mod storage;
