//! A reader that stops when what is to be held in memory gets too long.

use std::{
    cell::Cell,
    io::{self, BufRead, Read},
    rc::Rc,
};

/// Bytes that may still be read of what is being read.
#[derive(Debug, Clone, Default)]
pub(super) struct Room(Rc<Cell<u64>>);

impl Room {
    /// Something else begins.
    pub(super) fn renew(&self, bytes: u64) {
        self.0.set(bytes);
    }

    /// Whether a reader stopped because of it.
    pub(super) fn is_used_up(&self) -> bool {
        self.0.get() == 0
    }

    fn take(&self, bytes: usize) {
        self.0.set(self.0.get().saturating_sub(bytes as u64));
    }

    fn check(&self) -> io::Result<()> {
        if self.is_used_up() { Err(io::Error::other("too long")) } else { Ok(()) }
    }
}

/// Reads until the room is used up.
pub(super) struct Metered<R> {
    inner: R,
    room: Room,
}

impl<R> Metered<R> {
    pub(super) fn new(inner: R, room: &Room) -> Self {
        Self { inner, room: room.clone() }
    }

    pub(super) fn into_inner(self) -> R {
        self.inner
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.room.check()?;
        let count = self.inner.read(buffer)?;
        self.room.take(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Metered<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.room.check()?;
        self.inner.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.room.take(count);
        self.inner.consume(count);
    }
}
