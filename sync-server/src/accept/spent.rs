//! What judging a push has cost so far, so that none costs more than it may.
//!
//! The size of a push says little about its cost: a change of a few bytes is judged on a copy of a
//! document of 256 KiB, and may name predecessors all over a long history. The work is counted as
//! bytes that were copied or read; behind the bound every change is answered
//! [`Outcome::Retry`] and sent again at once. So others
//! get their turn to write.

use outrider_core::{crdt::text::TEXT_OPS_MAX, sync::frame::Outcome};

use super::Judged;

/// Bytes of documents and history that one push copies, reads and writes, about, at most; about a second of
/// one core. A thousand changes of ordinary records take some thirty megabytes.
pub const WORK_BYTES_MAX: usize = 48 * 1024 * 1024;
/// How many times the size of a document stands for writing it: its row, and what it is found by, cost more
/// than copying it.
pub const WRITE_WEIGHT: usize = 12;
/// Bytes of work that stand for one operation of a long text, each time that changes are tried on it.
///
/// Once for a group: loading, saving and reading back takes about as long as copying so many bytes of a flat
/// document.
pub const TEXT_OP_BYTES: u64 = 60;
// A long text that was pasted comes in several changes of one group: into the longest text too it fits.
const _: () = assert!(TEXT_OPS_MAX * TEXT_OP_BYTES < WORK_BYTES_MAX as u64 / 4 * 3);
/// Bytes of documents and changes that a push holds in memory, about, at most.
pub const HELD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What was spent; nothing is counted for what the office itself writes.
#[derive(Debug, Default)]
pub(super) struct Spent {
    is_bounded: bool,
    work_bytes: usize,
    loaded_bytes: usize,
    groups: u32,
    is_cut: bool,
}

impl Spent {
    /// Of a device's push.
    pub(super) fn bounded() -> Self {
        Self { is_bounded: true, ..Self::default() }
    }

    /// Another group is looked at.
    pub(super) fn begin_group(&mut self) {
        self.groups += 1;
    }

    /// Whether nothing was looked at before this group.
    pub(super) fn is_first_group(&self) -> bool {
        self.groups < 2
    }

    /// A change is put off: judging it would be too much, with what there was.
    pub(super) fn cut(&mut self) -> Judged {
        self.is_cut = true;
        Judged::Answered(Outcome::Retry(0))
    }

    /// Whether a change was put off.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// A change was tried on a long text of so many operations.
    pub(super) fn note_text(&mut self, ops: u64) {
        self.note_work(usize::try_from(ops.saturating_mul(TEXT_OP_BYTES)).unwrap_or(usize::MAX));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_is_over_when_more_was_spent_than_it_may() {
        let mut spent = Spent::bounded();
        spent.note_loaded(WORK_BYTES_MAX - 1);
        spent.note_work(1);
        assert!(!spent.is_over(), "all that it may");
        spent.note_work(1);
        assert!(spent.is_over());
        let mut office = Spent::default();
        office.note_work(usize::MAX);
        assert!(!office.is_over(), "the office itself is not bounded");
    }

    #[test]
    fn room_is_needed_when_more_is_held_than_may_be_until_it_is_let_go() {
        let mut spent = Spent::bounded();
        assert!(!spent.is_room_needed());
        spent.note_loaded(HELD_BYTES_MAX - 1);
        spent.note_held(1);
        assert!(!spent.is_room_needed(), "all that it may");
        spent.note_held(1);
        assert!(spent.is_room_needed());
        spent.forget_loaded();
        assert!(!spent.is_room_needed());
        let mut office = Spent::default();
        office.note_held(usize::MAX);
        assert!(!office.is_room_needed(), "the office itself is not bounded");
    }

    #[test]
    fn the_first_group_is_known_and_whether_anything_was_put_off() {
        let mut spent = Spent::bounded();
        spent.begin_group();
        assert!(spent.is_first_group() && !spent.is_cut());
        spent.cut();
        spent.begin_group();
        assert!(!spent.is_first_group() && spent.is_cut());
    }
}
