//! Files that the system keeps from this user.

use std::{
    fs::OpenOptions,
    io::{
        Error,
        ErrorKind::{PermissionDenied, ReadOnlyFilesystem},
    },
    path::Path,
};

/// Whether the system keeps a file from this user.
#[must_use]
pub fn is_denied(error: &Error) -> bool {
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem)
}

/// Whether the system keeps this user from writing to a file, or from making one beside it, as its
/// journal is.
pub(super) fn is_kept_from_us(path: &Path) -> bool {
    let file = OpenOptions::new().read(true).write(true).open(path).map(drop);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let beside = tempfile::tempfile_in(folder.unwrap_or(Path::new("."))).map(drop);
    [file, beside].iter().any(|tried| tried.as_ref().is_err_and(is_denied))
}
