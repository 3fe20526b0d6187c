//! Changes that are honest but for something: what a device sends that was taken over.

use outrider_core::crdt::{Action, Change, EncodedChange, OpId, encode};

use crate::{
    choices::Dice,
    chunk::{body_of, framed},
};

/// The change as it arrives: as it is, with something wrong in it, or with damaged bytes and a right
/// checksum.
#[must_use]
pub fn spoil(dice: &mut Dice, honest: &EncodedChange, log: &[EncodedChange]) -> Option<Vec<u8>> {
    match dice.below(4) {
        0 | 1 => Some(honest.bytes.clone()),
        2 => {
            let mut change = honest.change.clone();
            for _ in 0..=dice.below(3) {
                mutate(dice, &mut change, log)?;
            }
            Some(encode(change).bytes)
        }
        _ => {
            let mut body = body_of(&honest.bytes).to_vec();
            for _ in 0..=dice.below(3) {
                let at = dice.below(body.len());
                body[at] = dice.byte();
            }
            Some(framed(1, &body))
        }
    }
}

/// One thing that is wrong. None when there is nothing yet to lie about.
fn mutate(dice: &mut Dice, change: &mut Change, log: &[EncodedChange]) -> Option<()> {
    let known = if log.is_empty() { None } else { Some(dice.pick(log).clone()) };
    let op_at = dice.below(change.ops.len());
    match dice.below(15) {
        0 => change.seq = 1 + dice.below(6) as u64,
        1 => change.start_op = 1 + dice.below(60) as u64,
        2 => change.actor = known?.change.actor,
        3 => change.deps.push(known?.hash),
        4 => drop((!change.deps.is_empty()).then(|| change.deps.remove(0))),
        5 => change.deps = vec![known?.hash],
        6 => {
            let ids: Vec<OpId> = known?.change.ops_with_ids().map(|(id, _)| id).collect();
            change.ops[op_at].pred.push(*dice.pick(&ids));
        }
        7 => {
            let key = change.ops[op_at].key.clone();
            let changes = log.iter().flat_map(|encoded| encoded.change.ops_with_ids());
            let same = changes.filter(|(_, op)| op.key == key).map(|(id, _)| id);
            change.ops[op_at].pred.extend(same);
        }
        8 => change.ops[op_at].pred.clear(),
        9 => change.ops[op_at].key = known?.change.ops[0].key.clone(),
        10 => change.ops[op_at].action = Action::Delete,
        11 => change.start_op = u64::from(u32::MAX) - dice.below(4) as u64,
        12 => change.seq = u64::MAX >> dice.below(64),
        13 => change.time_ms = dice.number() as i64,
        _ => {
            let past = known?.change;
            change.deps = past.deps;
            change.start_op = past.start_op;
            change.seq = past.seq;
        }
    }
    Some(())
}
