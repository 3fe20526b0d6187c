//! The columns of a change's operations, and the run lengths that they are written in.
//!
//! A few bytes can say "a million rows". Every length is checked against its limit before a
//! single row is made of it.

use super::{ChangeError, reader::Reader};

/// Which object: its actor.
pub(super) const OBJECT_ACTOR: u64 = 0x01;
/// Which object: its counter.
pub(super) const OBJECT_COUNTER: u64 = 0x02;
/// Which element of a text: its actor.
pub(super) const ELEMENT_ACTOR: u64 = 0x11;
/// Which element of a text: its counter.
pub(super) const ELEMENT_COUNTER: u64 = 0x13;
/// Which key of a map.
pub(super) const KEY: u64 = 0x15;
/// Whether the operation inserts an element.
pub(super) const INSERT: u64 = 0x34;
/// What the operation does.
pub(super) const ACTION: u64 = 0x42;
/// Type and length of the value.
pub(super) const VALUE_META: u64 = 0x56;
/// The bytes of the values, one after the other.
pub(super) const VALUE: u64 = 0x57;
/// How many predecessors.
pub(super) const PRED_COUNT: u64 = 0x70;
/// The predecessors' actors.
pub(super) const PRED_ACTOR: u64 = 0x71;
/// The predecessors' counters.
pub(super) const PRED_COUNTER: u64 = 0x73;

/// All columns of operations without marks.
pub(super) const ALL: [u64; 12] = [
    OBJECT_ACTOR,
    OBJECT_COUNTER,
    ELEMENT_ACTOR,
    ELEMENT_COUNTER,
    KEY,
    INSERT,
    ACTION,
    VALUE_META,
    VALUE,
    PRED_COUNT,
    PRED_ACTOR,
    PRED_COUNTER,
];

/// How many rows a column may have, and what it means if it has more.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowLimit {
    rows_max: usize,
    over: ChangeError,
}

impl RowLimit {
    /// The limit of operations in a change.
    pub(super) fn ops(rows_max: usize) -> Self {
        Self { rows_max, over: ChangeError::TooManyOps }
    }

    /// The number of rows that another column has.
    pub(super) fn like_others(rows: usize) -> Self {
        Self { rows_max: rows, over: ChangeError::ColumnLengths }
    }

    fn add(self, rows: usize, length: u64) -> Result<usize, ChangeError> {
        let sum = usize::try_from(length).ok().and_then(|length| rows.checked_add(length));
        sum.filter(|sum| *sum <= self.rows_max).ok_or(self.over)
    }
}

/// Goes through the runs of a column, each with its value (`None` for rows without one), and
/// returns how many rows there are.
pub(super) fn runs<'a, T>(
    data: &'a [u8],
    limit: RowLimit,
    read: impl Fn(&mut Reader<'a>) -> Result<T, ChangeError>,
    mut each: impl FnMut(Option<T>, usize) -> Result<(), ChangeError>,
) -> Result<usize, ChangeError> {
    let mut reader = Reader::new(data);
    let mut rows = 0_usize;
    let mut count = |length: u64| {
        let sum = limit.add(rows, length)?;
        let before = std::mem::replace(&mut rows, sum);
        if rows == before { Err(ChangeError::EmptyRun) } else { Ok(rows - before) }
    };
    while !reader.is_empty() {
        match reader.signed()? {
            0 => each(None, count(reader.unsigned()?)?)?,
            length if length > 0 => {
                let length = count(length.unsigned_abs())?;
                each(Some(read(&mut reader)?), length)?;
            }
            length => {
                for _ in 0..count(length.unsigned_abs())? {
                    each(Some(read(&mut reader)?), 1)?;
                }
            }
        }
    }
    Ok(rows)
}

/// Reads a column that has a value in every row.
pub(super) fn rows<'a, T: Copy>(
    data: &'a [u8],
    limit: RowLimit,
    read: impl Fn(&mut Reader<'a>) -> Result<T, ChangeError>,
) -> Result<Vec<T>, ChangeError> {
    let mut rows = Vec::new();
    runs(data, limit, read, |value, length| {
        let value = value.ok_or(ChangeError::NullInColumn)?;
        rows.extend(std::iter::repeat_n(value, length));
        Ok(())
    })?;
    Ok(rows)
}

/// Counts the rows of a column of yes and no, written as lengths that alternate from no.
pub(super) fn boolean_rows(
    data: &[u8],
    limit: RowLimit,
    mut yes: impl FnMut() -> Result<(), ChangeError>,
) -> Result<usize, ChangeError> {
    let mut reader = Reader::new(data);
    let mut rows = 0;
    let mut value = false;
    while !reader.is_empty() {
        rows = limit.add(rows, reader.unsigned()?)?;
        if value {
            yes()?;
        }
        value = !value;
    }
    Ok(rows)
}
