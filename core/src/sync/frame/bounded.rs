//! Lists of a message, of which no more is decoded than it may have: an element that takes a byte on the wire
//! takes many in memory.

use minicbor::{Decode, Decoder, bytes::ByteVec, decode::Error};

use super::{PUSH_CHANGES_MAX, PushChange, PushGroup};
use crate::crdt::{op::CHANGE_OPS_MAX, text::TEXT_CHANGES_MAX};

/// Groups, and changes in all of them, that are decoded at all.
///
/// A little more than a push may have, so that too many get a clear answer, and far less than two-byte
/// groups, or changes of thirty bytes, would make of a message's memory.
pub const PUSH_DECODED_MAX: usize = 10 * PUSH_CHANGES_MAX;
/// Keys of one refusal that are decoded at all: of each operation of a change.
pub(super) const REFUSED_KEYS_DECODED_MAX: usize = CHANGE_OPS_MAX;
/// Changes of a text in one frame that are decoded at all: as many as a text has.
pub(super) const FRAME_CHANGES_DECODED_MAX: usize = TEXT_CHANGES_MAX;

/// Reads an array of at most `max`: an element that takes a byte on the wire takes many in memory.
fn bounded<'b, T: Decode<'b, C>, C>(
    d: &mut Decoder<'b>,
    ctx: &mut C,
    max: usize,
) -> Result<Vec<T>, Error> {
    let count = d.array()?.filter(|count| *count <= max as u64);
    let count = count.ok_or_else(|| Error::message("too many elements"))?;
    (0..count).map(|_| d.decode_with(ctx)).collect()
}

/// Reads groups that have a bounded number of changes together.
pub(super) fn groups<C>(d: &mut Decoder<'_>, ctx: &mut C) -> Result<Vec<PushGroup>, Error> {
    let count = d.array()?.filter(|count| *count <= PUSH_DECODED_MAX as u64);
    let count = count.ok_or_else(|| Error::message("too many groups"))?;
    let mut groups: Vec<PushGroup> = Vec::new();
    let mut changes = 0;
    for _ in 0..count {
        let group: PushGroup = d.decode_with(ctx)?;
        changes += group.changes.len();
        if changes > PUSH_DECODED_MAX {
            return Err(Error::message("too many changes"));
        }
        groups.push(group);
    }
    Ok(groups)
}

pub(super) fn changes<C>(d: &mut Decoder<'_>, ctx: &mut C) -> Result<Vec<PushChange>, Error> {
    bounded(d, ctx, PUSH_DECODED_MAX)
}

pub(super) fn keys<C>(d: &mut Decoder<'_>, ctx: &mut C) -> Result<Vec<String>, Error> {
    bounded(d, ctx, REFUSED_KEYS_DECODED_MAX)
}

pub(super) fn texts<C>(d: &mut Decoder<'_>, ctx: &mut C) -> Result<Vec<ByteVec>, Error> {
    bounded(d, ctx, FRAME_CHANGES_DECODED_MAX)
}
