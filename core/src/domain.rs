//! CRM rules: what the fields mean together, the same on phone and server.

pub mod rank;

pub mod values;

pub mod derived;

pub mod record;

pub mod edit;

pub mod stage;

pub mod compose;

pub mod history;

pub mod taps;

pub mod merge;
