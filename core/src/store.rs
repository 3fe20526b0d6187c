//! The device's store: documents, rows and the outbox in one SQLite file.

pub mod rows;
