//! The head of a change: who, when, after what; and where its columns are.

use super::{ChangeError, reader::Reader};
use crate::{
    crdt::op::{CHANGE_DEPS_MAX, MESSAGE_BYTES_MAX, OP_COUNTER_MAX, TIME_MS_MAX, TIME_MS_MIN},
    ids::{ACTOR_BYTES, ActorId, ChangeHash},
    time::TimestampMs,
};

/// The bit of a column's number that says that it is compressed by itself.
const DEFLATED_BIT: u64 = 0b1000;

/// One column of the operations.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column<'a> {
    /// Its number: which column, and how it is written.
    pub(super) number: u64,
    /// Its rows.
    pub(super) data: &'a [u8],
}

/// What comes before the operations.
#[derive(Debug)]
pub(super) struct Head<'a> {
    pub(super) deps: Vec<ChangeHash>,
    pub(super) actor: ActorId,
    pub(super) seq: u64,
    pub(super) start_op: u64,
    pub(super) time_ms: TimestampMs,
    pub(super) message: Option<&'a str>,
    /// Who else is named by an operation, ascending.
    pub(super) others: Vec<ActorId>,
    pub(super) columns: Vec<Column<'a>>,
}

impl<'a> Head<'a> {
    /// Reads a change's body up to its columns, which `known` numbers may have.
    pub(super) fn read(body: &'a [u8], known: &[u64]) -> Result<Self, ChangeError> {
        let mut reader = Reader::new(body);
        let deps = read_deps(&mut reader)?;
        let actor = read_actor(&mut reader)?;
        let seq = reader.unsigned()?;
        let start_op = reader.unsigned()?;
        let time_ms = reader.signed()?;
        match () {
            () if seq == 0 => return Err(ChangeError::SeqZero),
            () if seq > OP_COUNTER_MAX => return Err(ChangeError::SeqTooHigh),
            () if start_op == 0 => return Err(ChangeError::StartOpZero),
            () if start_op > OP_COUNTER_MAX => return Err(ChangeError::CounterTooHigh),
            () if !(TIME_MS_MIN..=TIME_MS_MAX).contains(&time_ms) => {
                return Err(ChangeError::TimeOutOfRange);
            }
            () => {}
        }
        let message = reader.text(MESSAGE_BYTES_MAX, ChangeError::MessageTooLong)?;
        let message = (!message.is_empty()).then_some(message);
        let others = read_others(&mut reader, actor)?;
        let columns = read_columns(&mut reader, known)?;
        if !reader.is_empty() {
            return Err(ChangeError::ExtraBytes);
        }
        Ok(Self { deps, actor, seq, start_op, time_ms, message, others, columns })
    }

    /// The rows of one column; none if the change does not have it.
    pub(super) fn column(&self, number: u64) -> &'a [u8] {
        self.columns.iter().find(|column| column.number == number).map_or(&[], |column| column.data)
    }

    /// Checks that the last of `ops` operations is still within the limit of counters.
    pub(super) fn check_counters(&self, ops: usize) -> Result<(), ChangeError> {
        if self.start_op.saturating_add(ops as u64) > OP_COUNTER_MAX {
            return Err(ChangeError::CounterTooHigh);
        }
        Ok(())
    }
}

fn read_deps(reader: &mut Reader<'_>) -> Result<Vec<ChangeHash>, ChangeError> {
    let count = reader.unsigned()?;
    if count > CHANGE_DEPS_MAX as u64 {
        return Err(ChangeError::TooManyDeps);
    }
    let mut deps = Vec::new();
    for _ in 0..count {
        let dep = ChangeHash(reader.array()?);
        if deps.last().is_some_and(|last| *last >= dep) {
            return Err(ChangeError::DepsNotAscending);
        }
        deps.push(dep);
    }
    Ok(deps)
}

fn read_actor(reader: &mut Reader<'_>) -> Result<ActorId, ChangeError> {
    let length = reader.unsigned()?;
    if length != ACTOR_BYTES as u64 {
        return Err(ChangeError::ActorLength(length));
    }
    reader.array().map(ActorId)
}

/// Reads the other actors. The list grows with the bytes that are there, not with its count.
fn read_others(reader: &mut Reader<'_>, author: ActorId) -> Result<Vec<ActorId>, ChangeError> {
    let count = reader.unsigned()?;
    let mut others = Vec::new();
    for _ in 0..count {
        let other = read_actor(reader)?;
        if other == author || others.last().is_some_and(|last| *last >= other) {
            return Err(ChangeError::ActorsNotAscending);
        }
        others.push(other);
    }
    Ok(others)
}

fn read_columns<'a>(
    reader: &mut Reader<'a>,
    known: &[u64],
) -> Result<Vec<Column<'a>>, ChangeError> {
    let count = reader.unsigned()?;
    let mut lengths: Vec<(u64, u64)> = Vec::new();
    for _ in 0..count {
        let (number, length) = (reader.unsigned()?, reader.unsigned()?);
        if number & DEFLATED_BIT != 0 {
            return Err(ChangeError::DeflatedColumn);
        }
        if !known.contains(&number) {
            return Err(ChangeError::UnknownColumn(number));
        }
        if lengths.last().is_some_and(|(last, _)| *last >= number) {
            return Err(ChangeError::ColumnsNotAscending);
        }
        if length == 0 {
            return Err(ChangeError::EmptyColumn);
        }
        lengths.push((number, length));
    }
    lengths
        .into_iter()
        .map(|(number, length)| Ok(Column { number, data: reader.take(length)? }))
        .collect()
}
