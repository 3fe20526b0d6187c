//! Sync: the conversation between device and server, without any network of its own.
//!
//! [`frame`] has the messages, [`codec`] their bytes, [`sign`] who wrote them, [`head`] where
//! the audit of the server stood, [`digest`] how both sides notice that they differ.

pub mod frame;

pub mod codec;

pub mod sign;

pub mod head;

pub mod digest;
