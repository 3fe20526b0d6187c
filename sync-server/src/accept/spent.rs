//! What judging a push has cost so far, so that none costs more than it may.
//!
//! The size of a push says little about its cost: a change of a few bytes is judged on a copy of a
//! document of 256 KiB, and may name predecessors all over a long history. The work is counted as
//! bytes that were copied or read; behind the bound every change is answered
//! [`Outcome::Retry`](outrider_core::sync::frame::Outcome::Retry) and sent again at once. So others
//! get their turn to write.

/// Bytes of documents and history that judging one push copies and reads, about, at most. A thousand
/// changes of ordinary records take two megabytes.
pub const WORK_BYTES_MAX: usize = 48 * 1024 * 1024;
/// Bytes of documents and changes that a push holds in memory, about, at most.
pub const HELD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What was spent; nothing is counted for what the office itself writes.
#[derive(Debug, Default)]
pub(super) struct Spent {
    is_bounded: bool,
    work_bytes: usize,
    loaded_bytes: usize,
}

impl Spent {
    /// Of a device's push.
    pub(super) fn bounded() -> Self {
        Self { is_bounded: true, ..Self::default() }
    }

    /// Whether nothing was spent yet.
    pub(super) fn is_nothing(&self) -> bool {
        self.work_bytes == 0
    }

    /// Whether no more may be spent.
    pub(super) fn is_over(&self) -> bool {
        self.is_bounded && self.work_bytes > WORK_BYTES_MAX
    }

    /// So much was copied or read.
    pub(super) fn note_work(&mut self, bytes: usize) {
        self.work_bytes = self.work_bytes.saturating_add(bytes);
    }

    /// A document of this size was loaded and is held.
    pub(super) fn note_loaded(&mut self, bytes: usize) {
        self.note_work(bytes);
        self.loaded_bytes = self.loaded_bytes.saturating_add(bytes);
    }

    /// So much more is held: what was taken over, and documents that grew with it.
    pub(super) fn note_held(&mut self, bytes: usize) {
        self.loaded_bytes = self.loaded_bytes.saturating_add(bytes);
    }

    /// Whether so much is held that it should be let go.
    pub(super) fn is_room_needed(&self) -> bool {
        self.is_bounded && self.loaded_bytes > HELD_BYTES_MAX
    }

    /// Nothing is held any more.
    pub(super) fn forget_loaded(&mut self) {
        self.loaded_bytes = 0;
    }
}
