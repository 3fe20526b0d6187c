//! Counts the operations of a text's change without making one of them.

use super::{
    ChangeError,
    columns::{self, RowLimit, boolean_rows, runs},
    head::Head,
    reader::Reader,
};
use crate::crdt::op::{OP_PREDS_MAX, TEXT_CHANGE_OPS_MAX};

/// How many operations the columns hold; every column has that many rows, or is left out.
pub(super) fn count_ops(head: &Head<'_>) -> Result<usize, ChangeError> {
    let limit = RowLimit::ops(TEXT_CHANGE_OPS_MAX);
    let ops = count(head.column(columns::ACTION), limit, Reader::unsigned)?;
    if ops == 0 {
        return Err(ChangeError::NoOps);
    }
    head.check_counters(ops)?;
    let preds = sum_preds(head, ops)?;
    let mut value_bytes = 0_u64;
    for column in &head.columns {
        let expected = match column.number {
            columns::PRED_ACTOR | columns::PRED_COUNTER => preds,
            _ => ops,
        };
        let limit = RowLimit::like_others(expected);
        let rows = match column.number {
            columns::VALUE => continue,
            columns::INSERT => boolean_rows(column.data, limit, || Ok(())),
            columns::ELEMENT_COUNTER | columns::PRED_COUNTER => {
                count(column.data, limit, Reader::signed)
            }
            columns::OBJECT_ACTOR | columns::ELEMENT_ACTOR | columns::PRED_ACTOR => {
                count(column.data, limit, |reader| {
                    // 0 is the author. Automerge believes the rest, and panics.
                    let listed = reader.unsigned()? <= head.others.len() as u64;
                    if listed { Ok(()) } else { Err(ChangeError::UnknownActorIndex) }
                })
            }
            columns::KEY => count(column.data, limit, |reader| {
                let length = reader.unsigned()?;
                reader.take(length)
            }),
            columns::VALUE_META => runs(column.data, limit, Reader::unsigned, |meta, length| {
                let bytes = meta.map_or(0, |meta| meta >> 4).checked_mul(length as u64);
                let sum = bytes.and_then(|bytes| value_bytes.checked_add(bytes));
                value_bytes = sum.ok_or(ChangeError::ColumnLengths)?;
                Ok(())
            }),
            _ => count(column.data, limit, Reader::unsigned),
        };
        if rows != Ok(expected) {
            return Err(rows.err().unwrap_or(ChangeError::ColumnLengths));
        }
    }
    if value_bytes != head.column(columns::VALUE).len() as u64 {
        return Err(ChangeError::ColumnLengths);
    }
    Ok(ops)
}

fn count<'a, T>(
    data: &'a [u8],
    limit: RowLimit,
    read: impl Fn(&mut Reader<'a>) -> Result<T, ChangeError>,
) -> Result<usize, ChangeError> {
    runs(data, limit, read, |_, _| Ok(()))
}

fn sum_preds(head: &Head<'_>, ops: usize) -> Result<usize, ChangeError> {
    let mut total = 0_u64;
    runs(
        head.column(columns::PRED_COUNT),
        RowLimit::like_others(ops),
        Reader::unsigned,
        |count, length| {
            let count = count.ok_or(ChangeError::NullInColumn)?;
            if count > OP_PREDS_MAX as u64 {
                return Err(ChangeError::TooManyPreds);
            }
            // At most TEXT_CHANGE_OPS_MAX * OP_PREDS_MAX: both factors have just been checked.
            total += count * length as u64;
            Ok(())
        },
    )?;
    usize::try_from(total).map_err(|_| ChangeError::TooManyPreds)
}
