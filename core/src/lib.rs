//! Outrider's core: CRM records as CRDT documents in SQLite.
//!
//! Synchronous and free of network: time, randomness and the bytes of a conversation are
//! arguments. The same code runs on a phone, in the sync server and in the simulator.
//!
//! Rooms, in reading order; imports point only upwards in this list:
//!
//! * [`ids`], [`time`], [`value`]: what everything is made of.
//! * [`writing`]: what people mean by the same text.
//! * [`schema`]: what entities and fields there are, and what their values look like.
//! * [`search`]: what a text is found by.
//! * [`likeness`]: who is the same.
//! * [`crdt`]: how they are written and merged.
//! * [`keys`]: with which key a store is encrypted, and where a device keeps it.
//! * [`access`], [`domain`], [`sync`], [`store`], [`replica`]: a device's records, kept, edited and exchanged.
//! * [`doctor`]: what may be wrong with them on a device, and repairs.
//! * [`bundle`]: what support may see of a device.
//! * [`transfer`]: files of other systems made into records.
//! * [`reports`]: what the records add up to.

pub mod ids;
pub mod points;
pub mod time;
pub mod value;

pub mod writing;

pub mod schema;

pub mod likeness;
pub mod search;

pub mod crdt;

pub mod access;

pub mod domain;

pub mod sync;

pub mod keys;

pub mod store;

pub mod replica;

pub mod doctor;

pub mod bundle;

pub mod transfer;

pub mod reports;
