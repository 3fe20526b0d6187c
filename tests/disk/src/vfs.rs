//! The shim: SQLite calls it, it asks the [disk](crate::disk) and passes on.
//!
//! Releasing (closing, unlocking, unmapping) always succeeds and is not counted: a lock that could not be
//! given back would hold up the rest of the process, which no failing disk does.
#![expect(unsafe_code, reason = "SQLite calls a VFS through C; this module is that border alone")]

use std::{
    ffi::{CStr, OsStr, c_char, c_int, c_void},
    mem,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    ptr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicPtr, Ordering},
    },
};

use rusqlite::ffi;

use crate::{
    disk::{FileNumber, Watched, watcher_of},
    fault::{Mode, Operation},
    shadow::Shadow,
};

/// Under which name SQLite knows it.
const NAME: &CStr = c"outrider-disk";

/// The VFS that SQLite brings, which does the work.
static REAL: AtomicPtr<ffi::sqlite3_vfs> = AtomicPtr::new(ptr::null_mut());
/// What came of registering, once in a process.
static INSTALLED: OnceLock<Result<(), i32>> = OnceLock::new();

/// An open file: SQLite's part, ours, and right behind it the file of the real VFS.
#[repr(C, align(8))]
struct File {
    base: ffi::sqlite3_file,
    /// A `Box`, or null for a file in a folder that nobody watches.
    watch: *mut Watch,
}

struct Watch {
    disk: Arc<Watched>,
    path: PathBuf,
    /// What tells the file from another one that takes its name.
    number: Option<FileNumber>,
    /// Whether its first sync syncs the folder, too: SQLite does so with logs that it creates.
    syncs_folder: AtomicBool,
}

/// The files of which SQLite syncs the folder, once they are created.
const LOGS: c_int =
    ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL | ffi::SQLITE_OPEN_WAL;

/// Version 2: with shared memory, without memory mapping, so that every read comes by here.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Makes the shim the default VFS of the process.
pub(crate) fn install() -> Result<(), i32> {
    *INSTALLED.get_or_init(|| {
        // SAFETY: SQLite initialises itself; the pointer it returns lives as long as the process.
        let real = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
        if real.is_null() {
            return Err(ffi::SQLITE_ERROR);
        }
        REAL.store(real, Ordering::Release);
        // SAFETY: `real` is a whole `sqlite3_vfs`, of which this is a copy. The functions taken over as
        // they are (paths, time, randomness, libraries) use nothing of the structure that is changed here.
        let mut shim = unsafe { ptr::read(real) };
        let ours = c_int::try_from(size_of::<File>()).map_err(|_| ffi::SQLITE_ERROR)?;
        shim.szOsFile += ours;
        shim.zName = NAME.as_ptr();
        shim.pNext = ptr::null_mut();
        shim.pAppData = ptr::null_mut();
        shim.xOpen = Some(open);
        shim.xDelete = Some(delete);
        shim.xAccess = Some(access);
        // SAFETY: the structure is given away for good, as SQLite wants it.
        let code = unsafe { ffi::sqlite3_vfs_register(Box::into_raw(Box::new(shim)), 1) };
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(code) }
    })
}

/// The real file behind ours.
///
/// # Safety
///
/// `file` is one that [`open`] was given: as long as `szOsFile` says.
unsafe fn real_of(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: SQLite allocated `szOsFile` bytes, ours first; `File` is aligned to 8 and so is what follows.
    unsafe { file.cast::<File>().add(1).cast() }
}

/// Who watches an open file.
///
/// # Safety
///
/// `file` is open.
unsafe fn watch_of<'f>(file: *mut ffi::sqlite3_file) -> Option<&'f Watch> {
    // SAFETY: it is a `File`, and its `watch` null or a box that lives until it is closed.
    unsafe { (*file.cast::<File>()).watch.as_ref() }
}

/// How an operation on an open file goes wrong, if it does.
///
/// # Safety
///
/// `file` is open.
unsafe fn ask(file: *mut ffi::sqlite3_file, operation: Operation) -> Option<Mode> {
    // SAFETY: as this function asks for.
    let watch = unsafe { watch_of(file) }?;
    watch.disk.ask(operation, &watch.path)
}

/// Calls a method of the real file.
macro_rules! forward {
    ($file:expr, $method:ident $(, $argument:expr)*) => {{
        // SAFETY: `$file` is open, so the file behind it is, and the arguments are SQLite's own.
        unsafe {
            let real = real_of($file);
            match (*real).pMethods.as_ref().and_then(|methods| methods.$method) {
                Some(method) => method(real $(, $argument)*),
                None => Default::default(),
            }
        }
    }};
}

/// The path that SQLite names.
///
/// # Safety
///
/// `name` is null or ends with a zero byte.
unsafe fn path_of(name: *const c_char) -> Option<PathBuf> {
    // SAFETY: as this function asks for.
    let name = (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) })?;
    Some(Path::new(OsStr::from_bytes(name.to_bytes())).to_owned())
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite passes a name that ends, or none.
    let path = unsafe { path_of(name) };
    let is_log = flags & LOGS != 0 && flags & ffi::SQLITE_OPEN_CREATE != 0;
    let watch = path.and_then(|path| {
        let disk = watcher_of(&path)?;
        Some(Watch { disk, path, number: None, syncs_folder: AtomicBool::new(is_log) })
    });
    let ours = file.cast::<File>();
    // SAFETY: SQLite gives as much room as `szOsFile` says; without methods the file counts as not open.
    unsafe {
        (*ours).base.pMethods = ptr::null();
        (*ours).watch = ptr::null_mut();
    }
    if let Some(Watch { disk, path, .. }) = &watch {
        if disk.ask(Operation::Open, path).is_some() {
            return ffi::SQLITE_CANTOPEN;
        }
        disk.begin(path);
    }
    let vfs = REAL.load(Ordering::Acquire);
    // SAFETY: the real VFS gets its own structure and the room behind ours, which is as large as it asked.
    unsafe {
        let real = real_of(file);
        (*real).pMethods = ptr::null();
        let code = match (*vfs).xOpen {
            Some(open) => open(vfs, name, real, flags, out_flags),
            None => ffi::SQLITE_CANTOPEN,
        };
        if (*real).pMethods.is_null() {
            return code;
        }
        (*ours).base.pMethods = &raw const METHODS;
        let opened = |watch: Watch| Watch { number: watch.disk.opened(&watch.path), ..watch };
        (*ours).watch =
            watch.map_or(ptr::null_mut(), |watch| Box::into_raw(Box::new(opened(watch))));
        code
    }
}

unsafe extern "C" fn delete(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    syncs_folder: c_int,
) -> c_int {
    // SAFETY: SQLite passes a name that ends.
    let path = unsafe { path_of(name) };
    let watch = path.and_then(|path| Some((watcher_of(&path)?, path)));
    if let Some((disk, path)) = &watch {
        if disk.ask(Operation::Delete, path).is_some() {
            return ffi::SQLITE_IOERR_DELETE;
        }
        disk.begin(path);
    }
    let vfs = REAL.load(Ordering::Acquire);
    // SAFETY: the real VFS gets its own structure. The folder is not synced: the shadow stands for that.
    let code = unsafe { (*vfs).xDelete.map_or(ffi::SQLITE_ERROR, |delete| delete(vfs, name, 0)) };
    if let Some((disk, path)) = watch.filter(|_| code == ffi::SQLITE_OK) {
        disk.note(&path, None, |shadow| shadow.delete(syncs_folder != 0));
    }
    code
}

unsafe extern "C" fn access(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite passes a name that ends.
    let path = unsafe { path_of(name) };
    if let Some(path) = path
        && let Some(disk) = watcher_of(&path)
        && disk.ask(Operation::Access, &path).is_some()
    {
        return ffi::SQLITE_IOERR_ACCESS;
    }
    let vfs = REAL.load(Ordering::Acquire);
    // SAFETY: the real VFS gets its own structure and SQLite's arguments.
    unsafe { (*vfs).xAccess.map_or(ffi::SQLITE_ERROR, |access| access(vfs, name, flags, out)) }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let code = forward!(file, xClose);
    let ours = file.cast::<File>();
    // SAFETY: a box of `open`, freed once: SQLite closes a file once, and nothing uses it afterwards.
    unsafe {
        let watch = mem::replace(&mut (*ours).watch, ptr::null_mut());
        if !watch.is_null() {
            drop(Box::from_raw(watch));
        }
        (*ours).base.pMethods = ptr::null();
    }
    code
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    buffer: *mut c_void,
    length: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: the file is open.
    if unsafe { ask(file, Operation::Read) }.is_some() {
        return ffi::SQLITE_IOERR_READ;
    }
    forward!(file, xRead, buffer, length, at)
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    buffer: *const c_void,
    length: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: the file is open.
    let mode = unsafe { ask(file, Operation::Write) };
    let (length, failure) = match mode {
        None => (length, None),
        Some(Mode::Short) => (length / 2, Some(ffi::SQLITE_IOERR_WRITE)),
        Some(Mode::Full) => return ffi::SQLITE_FULL,
        Some(Mode::Error | Mode::SyncFails | Mode::SyncLies | Mode::Power) => {
            return ffi::SQLITE_IOERR_WRITE;
        }
    };
    let code: c_int = forward!(file, xWrite, buffer, length, at);
    // SAFETY: the file is open, and the buffer as long as SQLite says.
    let (watch, bytes) = unsafe {
        let length = usize::try_from(length).unwrap_or(0);
        (watch_of(file), std::slice::from_raw_parts(buffer.cast::<u8>(), length))
    };
    if let (Some(watch), Ok(at), ffi::SQLITE_OK) = (watch, usize::try_from(at), code) {
        watch.disk.note(&watch.path, watch.number, |shadow| shadow.write(at, bytes));
    }
    failure.unwrap_or(code)
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: ffi::sqlite3_int64) -> c_int {
    // SAFETY: the file is open.
    if unsafe { ask(file, Operation::Truncate) }.is_some() {
        return ffi::SQLITE_IOERR_TRUNCATE;
    }
    let code: c_int = forward!(file, xTruncate, size);
    // SAFETY: the file is open.
    let watch = unsafe { watch_of(file) };
    if let (Some(watch), Ok(size), ffi::SQLITE_OK) = (watch, usize::try_from(size), code) {
        watch.disk.note(&watch.path, watch.number, |shadow| shadow.truncate(size));
    }
    code
}

/// The disk below is not asked: what would be left on it, the shadow knows.
unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: the file is open.
    let Some(watch) = (unsafe { watch_of(file) }) else {
        return forward!(file, xSync, flags);
    };
    match watch.disk.ask(Operation::Sync, &watch.path) {
        None => {
            watch.disk.note(&watch.path, watch.number, Shadow::sync);
            if watch.syncs_folder.swap(false, Ordering::Relaxed) {
                watch.disk.note_folder(&watch.path);
            }
        }
        Some(Mode::SyncLies) => {}
        Some(Mode::SyncFails) => {
            watch.disk.note(&watch.path, watch.number, Shadow::forget);
            return ffi::SQLITE_IOERR_FSYNC;
        }
        Some(Mode::Error | Mode::Full | Mode::Short | Mode::Power) => {
            return ffi::SQLITE_IOERR_FSYNC;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_size(
    file: *mut ffi::sqlite3_file,
    size: *mut ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: the file is open.
    if unsafe { ask(file, Operation::Size) }.is_some() {
        return ffi::SQLITE_IOERR_FSTAT;
    }
    forward!(file, xFileSize, size)
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: the file is open.
    if unsafe { ask(file, Operation::Lock) }.is_some() {
        return ffi::SQLITE_IOERR_LOCK;
    }
    forward!(file, xLock, level)
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    forward!(file, xUnlock, level)
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: the file is open.
    if unsafe { ask(file, Operation::Lock) }.is_some() {
        return ffi::SQLITE_IOERR_CHECKRESERVEDLOCK;
    }
    forward!(file, xCheckReservedLock, out)
}

unsafe extern "C" fn file_control(
    file: *mut ffi::sqlite3_file,
    question: c_int,
    argument: *mut c_void,
) -> c_int {
    forward!(file, xFileControl, question, argument)
}

unsafe extern "C" fn sector_size(file: *mut ffi::sqlite3_file) -> c_int {
    forward!(file, xSectorSize)
}

unsafe extern "C" fn device_characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    forward!(file, xDeviceCharacteristics)
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    page: c_int,
    size: c_int,
    extends: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: the file is open.
    match unsafe { ask(file, Operation::ShmMap) } {
        None => forward!(file, xShmMap, page, size, extends, out),
        Some(Mode::Full) => ffi::SQLITE_IOERR_SHMSIZE,
        Some(Mode::Error | Mode::Short | Mode::SyncFails | Mode::SyncLies | Mode::Power) => {
            ffi::SQLITE_IOERR_SHMMAP
        }
    }
}

unsafe extern "C" fn shm_lock(
    file: *mut ffi::sqlite3_file,
    at: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    let releases = flags & ffi::SQLITE_SHM_UNLOCK != 0;
    // SAFETY: the file is open.
    if !releases && unsafe { ask(file, Operation::ShmLock) }.is_some() {
        return ffi::SQLITE_IOERR_SHMLOCK;
    }
    forward!(file, xShmLock, at, count, flags)
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    forward!(file, xShmBarrier);
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, deletes: c_int) -> c_int {
    forward!(file, xShmUnmap, deletes)
}
