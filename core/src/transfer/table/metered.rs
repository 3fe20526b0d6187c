//! A reader that stops when what is to be held in memory gets too long.

use std::{
    cell::Cell,
    io::{self, BufRead, Read},
    rc::Rc,
};

/// How much may still be read of what is being read.
#[derive(Debug, Clone, Default)]
pub(super) struct Room(Rc<Cell<u64>>);

impl Room {
    /// Something else begins.
    pub(super) fn renew(&self, most: u64) {
        self.0.set(most);
    }

    /// Whether a reader stopped because of it.
    pub(super) fn is_used_up(&self) -> bool {
        self.0.get() == 0
    }

    fn take(&self, weight: usize) {
        self.0.set(self.0.get().saturating_sub(weight as u64));
    }

    fn check(&self) -> io::Result<()> {
        if self.is_used_up() { Err(io::Error::other("too long")) } else { Ok(()) }
    }
}

/// Reads until the room is used up.
pub(super) struct Metered<R> {
    inner: R,
    room: Room,
    /// How much of the room some bytes take.
    weigh: fn(&[u8]) -> usize,
}

impl<R> Metered<R> {
    /// Each byte takes one.
    pub(super) fn new(inner: R, room: &Room) -> Self {
        Self::weighing(inner, room, <[u8]>::len)
    }

    pub(super) fn weighing(inner: R, room: &Room, weigh: fn(&[u8]) -> usize) -> Self {
        Self { inner, room: room.clone(), weigh }
    }

    pub(super) fn into_inner(self) -> R {
        self.inner
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.room.check()?;
        let count = self.inner.read(buffer)?;
        self.room.take((self.weigh)(buffer.get(..count).unwrap_or_default()));
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Metered<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.room.check()?;
        self.inner.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        // What is there to be consumed was read without an error.
        let read = self.inner.fill_buf().ok().and_then(|bytes| bytes.get(..count));
        self.room.take(read.map_or(count, self.weigh));
        self.inner.consume(count);
    }
}
