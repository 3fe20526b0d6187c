//! Sync: the conversation between device and server, without any network of its own.
//!
//! [`frame`] has the messages, [`codec`] their bytes, [`key`] is what a device is known by, [`sign`]
//! says who wrote them, [`proof`] who asks, [`certificate`] who a device is, [`sealed`] for whose eyes edits are,
//! [`tokens`] how it is enrolled and named, [`head`] where the audit of the server stood, [`digest`]
//! how both sides notice that they differ.

pub mod frame;

pub mod codec;

pub mod key;

pub mod sign;

pub mod proof;

pub mod certificate;

pub mod sealed;

pub mod tokens;

pub mod head;

pub mod digest;
