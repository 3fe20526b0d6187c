//! The operations of a flat document: puts and deletes of scalars under keys of the root map.

use std::collections::BTreeSet;

use super::{
    ChangeError,
    columns::{self, RowLimit, rows},
    head::Head,
    reader::Reader,
};
use crate::{
    crdt::op::{Action, CHANGE_OPS_MAX, KEY_BYTES_MAX, OP_PREDS_MAX, Op, OpId, VALUE_BYTES_MAX},
    ids::ActorId,
    value::Value,
};

const PUT: u64 = 1;
const DELETE: u64 = 3;

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT: u8 = 4;
const TEXT: u8 = 6;
const BYTES: u8 = 7;

/// Reads the operations of a flat document's change.
pub(super) fn read_ops(head: &Head<'_>) -> Result<Vec<Op>, ChangeError> {
    let limit = RowLimit::ops(CHANGE_OPS_MAX);
    let elsewhere = [
        columns::OBJECT_ACTOR,
        columns::OBJECT_COUNTER,
        columns::ELEMENT_ACTOR,
        columns::ELEMENT_COUNTER,
    ];
    if head.columns.iter().any(|column| elsewhere.contains(&column.number)) {
        return Err(ChangeError::NotAtRoot);
    }
    let actions = rows(head.column(columns::ACTION), limit, Reader::unsigned)?;
    if actions.is_empty() {
        return Err(ChangeError::NoOps);
    }
    head.check_counters(actions.len())?;
    check_inserts(head, actions.len())?;
    let keys = read_keys(head)?;
    let metas = rows(head.column(columns::VALUE_META), limit, Reader::unsigned)?;
    let preds = read_preds(head)?;
    if [keys.len(), metas.len(), preds.len()] != [actions.len(); 3] {
        return Err(ChangeError::ColumnLengths);
    }
    let mut values = Reader::new(head.column(columns::VALUE));
    let mut ops = Vec::with_capacity(actions.len());
    for (((action, key), meta), pred) in actions.into_iter().zip(keys).zip(metas).zip(preds) {
        let value = read_value(&mut values, meta)?;
        let action = match action {
            PUT => Action::Put(value),
            DELETE if value != Value::Null => return Err(ChangeError::DeleteWithValue),
            DELETE if pred.is_empty() => return Err(ChangeError::DeleteWithoutPred),
            DELETE => Action::Delete,
            other => return Err(ChangeError::ActionNotAllowed(other)),
        };
        ops.push(Op { key: key.to_owned(), action, pred });
    }
    if !values.is_empty() {
        return Err(ChangeError::ColumnLengths);
    }
    Ok(ops)
}

fn check_inserts(head: &Head<'_>, ops: usize) -> Result<(), ChangeError> {
    let inserts = head.column(columns::INSERT);
    let rows = columns::boolean_rows(inserts, RowLimit::ops(CHANGE_OPS_MAX), || {
        Err(ChangeError::InsertInMap)
    })?;
    if rows == ops { Ok(()) } else { Err(ChangeError::ColumnLengths) }
}

fn read_keys<'a>(head: &Head<'a>) -> Result<Vec<&'a str>, ChangeError> {
    let mut keys = Vec::new();
    let mut seen = BTreeSet::new();
    let read = |reader: &mut Reader<'a>| reader.text(KEY_BYTES_MAX, ChangeError::KeyTooLong);
    columns::runs(
        head.column(columns::KEY),
        RowLimit::ops(CHANGE_OPS_MAX),
        read,
        |key, length| {
            let key = key.ok_or(ChangeError::NullInColumn)?;
            if key.is_empty() {
                return Err(ChangeError::KeyEmpty);
            }
            if length > 1 || !seen.insert(key) {
                return Err(ChangeError::DuplicateKey);
            }
            keys.push(key);
            Ok(())
        },
    )?;
    Ok(keys)
}

/// Reads the value that `meta` tells the type (low four bits) and the length of.
fn read_value(values: &mut Reader<'_>, meta: u64) -> Result<Value, ChangeError> {
    let length = meta >> 4;
    if length > VALUE_BYTES_MAX as u64 {
        return Err(ChangeError::ValueTooLarge);
    }
    let [kind, ..] = (meta & 0x0f).to_le_bytes();
    let bytes = values.take(length)?;
    match kind {
        NULL | FALSE | TRUE if length > 0 => Err(ChangeError::ValueMalformed),
        NULL => Ok(Value::Null),
        FALSE => Ok(Value::Bool(false)),
        TRUE => Ok(Value::Bool(true)),
        INT => {
            let mut number = Reader::new(bytes);
            let value = number.signed()?;
            if number.is_empty() { Ok(Value::Int(value)) } else { Err(ChangeError::ValueMalformed) }
        }
        TEXT => std::str::from_utf8(bytes)
            .map(|text| Value::Text(text.to_owned()))
            .map_err(|_| ChangeError::NotUtf8),
        BYTES => Ok(Value::Bytes(bytes.to_vec())),
        other => Err(ChangeError::ValueKindNotAllowed(other)),
    }
}

/// Reads the predecessors of each operation.
fn read_preds(head: &Head<'_>) -> Result<Vec<Vec<OpId>>, ChangeError> {
    let mut counts = Vec::new();
    let mut total = 0_usize;
    let count_column = head.column(columns::PRED_COUNT);
    columns::runs(
        count_column,
        RowLimit::ops(CHANGE_OPS_MAX),
        Reader::unsigned,
        |count, length| {
            let count = count.ok_or(ChangeError::NullInColumn)?;
            let count = usize::try_from(count).map_err(|_| ChangeError::TooManyPreds)?;
            if count > OP_PREDS_MAX {
                return Err(ChangeError::TooManyPreds);
            }
            // At most CHANGE_OPS_MAX * OP_PREDS_MAX: both factors have just been checked.
            total += count * length;
            counts.extend(std::iter::repeat_n(count, length));
            Ok(())
        },
    )?;
    let limit = RowLimit::like_others(total);
    let actors = rows(head.column(columns::PRED_ACTOR), limit, Reader::unsigned)?;
    let deltas = rows(head.column(columns::PRED_COUNTER), limit, Reader::signed)?;
    if [actors.len(), deltas.len()] != [total; 2] {
        return Err(ChangeError::ColumnLengths);
    }
    let mut ids = PredIds { head, counter: 0 };
    let mut parts = actors.into_iter().zip(deltas);
    counts
        .into_iter()
        .map(|count| {
            let mut pred: Vec<OpId> = Vec::with_capacity(count);
            for (actor, delta) in parts.by_ref().take(count) {
                let id = ids.next(actor, delta)?;
                if pred.last().is_some_and(|last| *last >= id) {
                    return Err(ChangeError::PredsNotAscending);
                }
                pred.push(id);
            }
            Ok(pred)
        })
        .collect()
}

/// Makes ids from indexes into the actors and from differences of counters.
struct PredIds<'a> {
    head: &'a Head<'a>,
    counter: i64,
}

impl PredIds<'_> {
    fn next(&mut self, actor: u64, delta: i64) -> Result<OpId, ChangeError> {
        self.counter = self.counter.checked_add(delta).ok_or(ChangeError::PredCounter)?;
        let counter = u64::try_from(self.counter).map_err(|_| ChangeError::PredCounter)?;
        if counter == 0 || counter >= self.head.start_op {
            return Err(ChangeError::PredCounter);
        }
        Ok(OpId { counter, actor: self.actor(actor).ok_or(ChangeError::UnknownActorIndex)? })
    }

    /// The author is 0, the others follow.
    fn actor(&self, index: u64) -> Option<ActorId> {
        match usize::try_from(index).ok()?.checked_sub(1) {
            None => Some(self.head.actor),
            Some(other) => self.head.others.get(other).copied(),
        }
    }
}
