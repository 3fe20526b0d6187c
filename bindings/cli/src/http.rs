//! HTTP for all commands of one process: connections are used again.

use std::sync::{Arc, OnceLock};

use outrider_client::{Desktop, access::Http};

/// The transport of this process.
pub(crate) fn desktop() -> Http {
    static DESKTOP: OnceLock<Http> = OnceLock::new();
    Arc::clone(DESKTOP.get_or_init(|| Arc::new(Desktop::default())))
}
