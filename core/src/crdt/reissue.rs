//! An edit that was refused and then granted: written by the office with what its author had seen.

use std::collections::BTreeSet;

use super::{
    codec::encode,
    op::{Change, EncodedChange},
};
use crate::ids::ActorId;

/// Writes keys of a change (all if none are named) under an actor that never wrote in the document.
///
/// Dependencies, predecessors and time are the original ones: a value that a colleague wrote
/// meanwhile becomes a conflict and does not vanish. None if nothing is left of the change.
/// What an actor counted stands under a key of that actor; such keys are left out.
#[must_use]
pub fn reissue(
    original: &Change,
    keys: &BTreeSet<String>,
    actor: ActorId,
    message: String,
) -> Option<EncodedChange> {
    let counter = ["/", &original.actor.to_string()].concat();
    let ops: Vec<_> = original
        .ops
        .iter()
        .filter(|op| keys.is_empty() || keys.contains(&op.key))
        .filter(|op| !op.key.ends_with(&counter))
        .cloned()
        .collect();
    if ops.is_empty() {
        return None;
    }
    Some(encode(Change {
        actor,
        seq: 1,
        start_op: original.start_op,
        time_ms: original.time_ms,
        message: Some(message),
        deps: original.deps.clone(),
        ops,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crdt::{
        Action,
        op::Op,
        op::{TIME_MS_MAX, TIME_MS_MIN},
    };

    #[test]
    fn counts_and_keys_that_were_not_granted_are_left_out() {
        let by = ActorId([1; 16]);
        let put =
            |key: &str| Op { key: key.to_owned(), action: Action::Put(1.into()), pred: Vec::new() };
        let original = Change {
            actor: by,
            seq: 3,
            start_op: 9,
            time_ms: i64::midpoint(TIME_MS_MIN, TIME_MS_MAX),
            message: None,
            deps: Vec::new(),
            ops: vec![put("employees"), put(&format!("visits/{by}"))],
        };
        let again = |keys: &[&str]| {
            let keys = keys.iter().map(|key| (*key).to_owned()).collect();
            let again = reissue(&original, &keys, ActorId([2; 16]), String::new());
            again.map(|again| again.change.ops.len())
        };
        assert_eq!(again(&[]), Some(1));
        assert_eq!(again(&["employees"]), Some(1));
        assert_eq!(again(&["industry"]), None);
        assert_eq!(again(&[&format!("visits/{by}")]), None);
    }
}
