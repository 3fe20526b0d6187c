//! What a device says to its server, over any HTTP.
//!
//! The command line and the packages for phones are two front ends of this one: it enrols, exchanges
//! tokens, carries a [`Session`](outrider_core::replica::session::Session)'s requests there and its answers
//! back, and obeys when the office turns the device away. It blocks; who must not wait calls it in a thread.
//!
//! In reading order: [`transport`] is what a platform brings, [`trust`] says whom to believe, [`server`] signs
//! requests and reads answers, [`access`] lets a device in, [`enrol`] makes it known, [`converse`] exchanges
//! within limits, [`live`] listens; `desktop` is the transport of desktops.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "a test that cannot go on panics"
    )
)]

pub mod access;
pub mod converse;
#[cfg(feature = "ureq")]
pub mod desktop;
pub mod enrol;
pub mod error;
pub mod live;
pub mod server;
pub mod transport;
pub mod trust;

#[cfg(feature = "ureq")]
pub use desktop::Desktop;
pub use error::ClientError;
pub use server::Server;
pub use transport::{HttpRequest, HttpResponse, Transport, TransportError};
pub use trust::Trust;
