//! Short forms of what the program does for hours. One binary, so that what keeps one core busy runs beside
//! the rest.

mod access;
mod faults;
mod model;
mod replay;
mod sync;
