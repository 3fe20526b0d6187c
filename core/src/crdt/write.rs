//! Writing: from edits to a genuine Automerge change and the state after it.

use super::{
    archive::ARCHIVED,
    codec,
    op::{
        Action, CHANGE_BYTES_MAX, CHANGE_DEPS_MAX, CHANGE_OPS_MAX, Change, EncodedChange,
        KEY_BYTES_MAX, MESSAGE_BYTES_MAX, OP_COUNTER_MAX, OP_PREDS_MAX, Op, TIME_MS_MAX,
        TIME_MS_MIN, VALUE_BYTES_MAX,
    },
    state::{HEADS_MAX, Own, SURVIVORS_MAX, State},
};
use crate::{ids::ActorId, time::TimestampMs};

/// An edit of one key, before it is a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The key in the root map.
    pub key: String,
    /// What to do there.
    pub action: Action,
}

/// Who writes, when, and in whose name.
#[derive(Debug, Clone)]
pub struct Stamp {
    /// Under which actor.
    pub actor: ActorId,
    /// The author's time.
    pub time_ms: TimestampMs,
    /// Words that travel with the change.
    pub message: Option<String>,
}

/// Why edits cannot become a change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// There is nothing to write.
    #[error("a change needs at least one edit")]
    Empty,
    /// The same key twice in one change.
    #[error("the key {0} is edited twice in one change")]
    DuplicateKey(String),
    /// More edits than one change may hold.
    #[error("{count} edits in one change, at most {CHANGE_OPS_MAX} are allowed")]
    TooManyEdits {
        /// How many there were.
        count: usize,
    },
    /// A key or value is too long.
    #[error("the value of {key} is too large")]
    TooLarge {
        /// Which key.
        key: String,
    },
    /// The document would outgrow its limits.
    #[error("the record would outgrow its limits of keys, bytes or concurrent values")]
    DocumentFull,
    /// The actor has written before, but its last change is not known here.
    #[error("actor {0} has written here before and its last change is not known")]
    UnknownOwn(ActorId),
}

// A change may replace every survivor and follow every head of a full document, each with one of
// the author's own beside them that the server has not seen.
const _: () = assert!(OP_PREDS_MAX > SURVIVORS_MAX && CHANGE_DEPS_MAX > HEADS_MAX);

impl WriteError {
    /// A short name of the reason, stable across versions.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::DuplicateKey(_) => "duplicate_key",
            Self::TooManyEdits { .. } => "too_many_edits",
            Self::TooLarge { .. } => "too_large",
            Self::DocumentFull => "document_full",
            Self::UnknownOwn(_) => "unknown_own",
        }
    }
}

/// Writes `edits` as one change on top of everything that `state` has seen.
///
/// The edit that archives the record comes last, so that it covers the others. A time outside the
/// years 1 to 9999 is moved there: no clock set wrong may keep a change from being taken.
///
/// # Errors
///
/// Returns [`WriteError`] and leaves `state` and `own` as they were when the edits are empty, too
/// many or too large, name a key twice, or when `own` is not the actor's last change.
pub fn write(
    state: &mut State,
    own: &mut Option<Own>,
    stamp: Stamp,
    edits: Vec<Edit>,
) -> Result<EncodedChange, WriteError> {
    write_with(state, own, stamp, edits, |edit| edit.key == ARCHIVED)
}

/// Writes `edits`, those for which `rank` gives more later.
pub(super) fn write_with(
    state: &mut State,
    own: &mut Option<Own>,
    stamp: Stamp,
    mut edits: Vec<Edit>,
    rank: impl Fn(&Edit) -> bool,
) -> Result<EncodedChange, WriteError> {
    check_edits(&edits)?;
    if stamp.message.as_ref().is_some_and(|message| message.len() > MESSAGE_BYTES_MAX) {
        return Err(WriteError::TooLarge { key: "message".to_owned() });
    }
    edits.sort_by_key(rank);
    let mut deps = state.head_hashes();
    let seq = match (state.clock.get(&stamp.actor), own.as_ref()) {
        // After re-rooting the clock has forgotten the actor, but its numbers are used up.
        (None, Some(own)) if own.actor == stamp.actor => {
            return Err(WriteError::UnknownOwn(stamp.actor));
        }
        (None, _) => 1,
        (Some(seen), Some(own)) if own.actor == stamp.actor && own.seq == seen.seq => {
            if !deps.contains(&own.hash) {
                deps.push(own.hash);
            }
            seen.seq + 1
        }
        (Some(_), _) => return Err(WriteError::UnknownOwn(stamp.actor)),
    };
    if state.max_op + edits.len() as u64 >= OP_COUNTER_MAX {
        return Err(WriteError::DocumentFull);
    }
    let ops = edits
        .into_iter()
        .map(|edit| Op { pred: state.survivor_ids(&edit.key), key: edit.key, action: edit.action })
        .collect();
    let change = Change {
        actor: stamp.actor,
        seq,
        start_op: state.max_op + 1,
        time_ms: stamp.time_ms.clamp(TIME_MS_MIN, TIME_MS_MAX),
        message: stamp.message,
        deps,
        ops,
    };
    commit(state, own, change)
}

/// Encodes `change`, applies it and remembers it as this replica's last one.
pub(super) fn commit(
    state: &mut State,
    own: &mut Option<Own>,
    change: Change,
) -> Result<EncodedChange, WriteError> {
    let too_many = change.ops.iter().any(|op| op.pred.len() > OP_PREDS_MAX);
    if too_many || change.deps.len() > CHANGE_DEPS_MAX {
        return Err(WriteError::DocumentFull);
    }
    let encoded = codec::encode(change);
    if encoded.bytes.len() > CHANGE_BYTES_MAX {
        return Err(WriteError::DocumentFull);
    }
    if state.surely_holds(&encoded.change) {
        state.apply(&encoded);
    } else {
        let mut after = state.clone();
        after.apply(&encoded);
        if !after.is_within_limits() {
            return Err(WriteError::DocumentFull);
        }
        *state = after;
    }
    *own = Some(Own { actor: encoded.change.actor, seq: encoded.change.seq, hash: encoded.hash });
    Ok(encoded)
}

fn check_edits(edits: &[Edit]) -> Result<(), WriteError> {
    if edits.is_empty() {
        return Err(WriteError::Empty);
    }
    if edits.len() > CHANGE_OPS_MAX {
        return Err(WriteError::TooManyEdits { count: edits.len() });
    }
    let mut keys = std::collections::BTreeSet::new();
    for edit in edits {
        let size = match &edit.action {
            Action::Put(value) => value.size_bytes(),
            Action::Delete => 0,
        };
        if edit.key.is_empty() || edit.key.len() > KEY_BYTES_MAX || size > VALUE_BYTES_MAX {
            return Err(WriteError::TooLarge { key: edit.key.clone() });
        }
        if !keys.insert(edit.key.as_str()) {
            return Err(WriteError::DuplicateKey(edit.key.clone()));
        }
    }
    Ok(())
}

/// The actor under which a replica writes next in a document.
///
/// The document's own last actor if its last change is the last that the document knows of it,
/// else `standard` (the device's prefix with its present suffix) if that has never written here,
/// else the first drawn suffix that has not. So (document, actor, seq) is written once in the
/// world even after a restore, a clone or re-rooting.
pub fn next_actor(
    state: &State,
    own: Option<&Own>,
    standard: ActorId,
    mut draw_suffix: impl FnMut() -> [u8; 4],
) -> ActorId {
    let mut used = None;
    if let Some(own) = own {
        if state.clock.get(&own.actor).is_some_and(|seen| seen.seq == own.seq) {
            return own.actor;
        }
        used = Some(own.actor);
    }
    let mut actor = standard;
    while state.clock.contains_key(&actor) || used == Some(actor) {
        actor = ActorId::new(standard.prefix(), draw_suffix());
    }
    actor
}
