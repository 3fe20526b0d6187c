//! Files that are still there when the power comes back, and files that only their owner may read.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

use outrider_core::points;

/// The mode of a file that only its owner may read.
pub(crate) const OWNER_ONLY: u32 = 0o600;

/// Makes a new or renamed file's name durable.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if cfg!(unix) {
        File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// Gives a file that these options create its mode from the first moment on.
pub(crate) fn with_mode(options: &mut OpenOptions, mode: u32) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    options
}

/// Begins a file that only its owner may read, in place of what was there.
pub(crate) fn begin_private(path: &Path) -> io::Result<File> {
    with_mode(OpenOptions::new().write(true).create(true).truncate(true), OWNER_ONLY).open(path)
}

/// Begins a file that only its owner may read; fails if one is there.
pub(crate) fn begin_new_private(path: &Path) -> io::Result<File> {
    with_mode(OpenOptions::new().write(true).create_new(true), OWNER_ONLY).open(path)
}

/// Reads a file, or makes it and reads it: of two processes that begin together one is first, and
/// both use what it made.
pub(crate) fn read_or_create<E>(
    path: &Path,
    mode: u32,
    make: impl FnOnce() -> Result<String, E>,
    wrong: impl FnOnce(io::Error) -> E,
) -> Result<String, E> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        read => return read.map_err(wrong),
    }
    let text = make()?;
    write_first(path, mode, text.as_bytes()).and_then(|_| fs::read_to_string(path)).map_err(wrong)
}

/// Gives a file its whole content at once, unless one is there, perhaps because somebody else was
/// faster; returns whether it did.
pub(crate) fn write_first(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<bool> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.part", std::process::id()));
    let draft = Path::new(&draft);
    // What a process that was killed left may be the file itself, under another name.
    match fs::remove_file(draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = OpenOptions::new();
    let mut file = with_mode(options.write(true).create_new(true), mode).open(draft)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    points::reach("server.file.drafted");
    let linked = written.and_then(|()| fs::hard_link(draft, path));
    points::reach("server.file.linked");
    fs::remove_file(draft)?;
    let is_first = match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(error),
        Ok(()) => true,
    };
    // Devices will know the server by such a file: its name must outlast the power, too.
    sync_folder_of(path).map(|()| is_first)
}
