//! Short forms of what the program does for hours. One binary, so that what keeps one core busy runs beside
//! the rest; disks that fail have one of their own, because they are the whole process's.

mod access;
mod model;
mod replay;
mod sync;
