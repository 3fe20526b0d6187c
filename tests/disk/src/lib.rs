//! A disk that fails when it is told to, below the real SQLite and the code that opens it.
//!
//! [`Disk::over`] watches a folder. Every operation that SQLite does on a file in it is counted, and the one
//! that a [`Plan`] names goes wrong in its [`Mode`]. [`Disk::cut_power`] makes of the folder what a disk
//! would hold whose power failed: nothing that was not synced, or some sectors of it.
//!
//! It is a shim over the VFS that SQLite brings (`unix`): locks, shared memory and paths are the real ones,
//! because it is these that a device and a server run on. The crate `sqlite-plugin` was looked at: it asks
//! for a whole file system, with locks and shared memory of one's own, so tests would pass or fail by those.
//! The shim becomes the default VFS of the process, so that stores are opened by their own code; files
//! outside watched folders are passed through.
//!
//! What does not go through SQLite (keys, ledgers, marks) does not come by here.
//!
//! * [`fault`]: what goes wrong, and when. * `shadow`: what a disk holds. * [`disk`]: both for a folder.
//! * `vfs`: the shim.

pub mod fault;

mod shadow;

pub mod disk;

mod vfs;

pub use disk::{Disk, DiskError, Keep};
pub use fault::{Mode, Operation, Plan};
