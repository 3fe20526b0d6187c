//! States and deltas as bytes: on disk and on the wire alike.
//!
//! CBOR, an array whose first element is the version. Actors stand once and are named by their
//! place; a key with one survivor, which is nearly every key, costs three small numbers.
//! Reading trusts nothing: every count is bounded by the bytes that are there and by the limits
//! of a document, order and uniqueness are checked.

use std::collections::BTreeMap;

use minicbor::{Decoder, Encoder, data::Type};

use super::{
    join::Delta,
    op::{KEY_BYTES_MAX, OP_COUNTER_MAX, OpId, VALUE_BYTES_MAX},
    state::{
        ACTORS_MAX, Clock, DOCUMENT_BYTES_MAX, DOCUMENT_KEYS_MAX, HEADS_MAX, Head, SURVIVORS_MAX,
        Seen, State, Survivor,
    },
};
use crate::{
    ids::{ActorId, ChangeHash},
    value::Value,
};

/// Version of the layout.
const VERSION: u8 = 1;
/// A device's state is what the server holds joined with what waits to be sent, each within the
/// limits of a document. Both together must be readable, or the device would lose the record.
const JOINED: usize = 2;
/// Bytes of an encoded state, at most: two documents, and room for clocks and heads.
pub const STATE_BYTES_MAX: usize = JOINED * DOCUMENT_BYTES_MAX + 512 * 1024;

/// Bytes that are no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Not the CBOR that it should be.
    #[error("a document state cannot be read: {0}")]
    Malformed(String),
    /// A later version of the layout.
    #[error("a document state of version {0} needs a newer app")]
    Version(u8),
    /// A limit, an order or a reference is broken.
    #[error("a document state breaks the rule: {0}")]
    Broken(&'static str),
}

impl From<minicbor::decode::Error> for StateError {
    fn from(error: minicbor::decode::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl State {
    /// The bytes of the state.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut e = Encoder::new(Vec::with_capacity(512));
        // Writing to a vector cannot fail.
        let _ = encode_state(&mut e, self, None);
        e.into_writer()
    }

    /// Reads a state.
    ///
    /// # Errors
    ///
    /// Returns [`StateError`] for bytes that break the layout or a limit.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        let (state, base) = decode(bytes)?;
        if base.is_some() {
            return Err(StateError::Broken("a delta where a state was expected"));
        }
        if state.keys.values().any(Vec::is_empty) {
            return Err(StateError::Broken("a key without values"));
        }
        Ok(state)
    }

    /// Whether the state can be read again once it is written. A join with what an honest server
    /// sends always can; whatever cannot must not be kept in a record's place.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.keys.len() <= JOINED * DOCUMENT_KEYS_MAX
            && self.clock.len() <= JOINED * ACTORS_MAX
            && self.heads.len() <= JOINED * HEADS_MAX
            && self.keys.values().all(|ops| ops.len() <= JOINED * SURVIVORS_MAX)
            && self.size_bytes() <= JOINED * DOCUMENT_BYTES_MAX
    }
}

impl Delta {
    /// The bytes of the delta.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut e = Encoder::new(Vec::with_capacity(256));
        // Writing to a vector cannot fail.
        let _ = encode_state(&mut e, &self.state, Some(&self.base));
        e.into_writer()
    }

    /// Reads a delta.
    ///
    /// # Errors
    ///
    /// Returns [`StateError`] for bytes that break the layout or a limit.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        let (state, base) = decode(bytes)?;
        let base = base.ok_or(StateError::Broken("a state where a delta was expected"))?;
        Ok(Self { base, state })
    }
}

type EncodeResult = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

/// Writes a clock, in the form that histories keep too.
#[must_use]
pub fn clock_to_bytes(clock: &Clock) -> Vec<u8> {
    let mut e = Encoder::new(Vec::with_capacity(clock.len() * 24));
    let _ = encode_clock(&mut e, clock);
    e.into_writer()
}

/// Reads a clock.
///
/// # Errors
///
/// Returns [`StateError`] for bytes that break the layout or a limit.
pub fn clock_from_bytes(bytes: &[u8]) -> Result<Clock, StateError> {
    let mut d = Decoder::new(bytes);
    let clock = decode_clock(&mut d)?;
    if d.position() == bytes.len() { Ok(clock) } else { Err(StateError::Broken("trailing bytes")) }
}

fn encode_clock(e: &mut Encoder<Vec<u8>>, clock: &Clock) -> EncodeResult {
    e.array(clock.len() as u64 * 3)?;
    for (actor, seen) in clock {
        e.bytes(&actor.0)?.u64(seen.seq)?.u64(seen.op)?;
    }
    Ok(())
}

fn encode_state(e: &mut Encoder<Vec<u8>>, state: &State, base: Option<&Clock>) -> EncodeResult {
    let places: BTreeMap<ActorId, u64> = state.clock.keys().copied().zip(0..).collect();
    let place = |actor: &ActorId| places.get(actor).copied().unwrap_or(u64::MAX);
    e.array(if base.is_some() { 7 } else { 6 })?;
    e.u8(VERSION)?.u32(state.generation)?.u64(state.max_op)?;
    encode_clock(e, &state.clock)?;
    e.array(state.heads.len() as u64 * 3)?;
    for head in &state.heads {
        e.bytes(&head.hash.0)?.u64(place(&head.actor))?.u64(head.seq)?;
    }
    let items: usize = state.keys.values().map(|ops| if ops.len() == 1 { 4 } else { 2 }).sum();
    e.array(items as u64)?;
    for (key, ops) in &state.keys {
        e.str(key)?;
        if ops.len() != 1 {
            e.array(ops.len() as u64 * 3)?;
        }
        for op in ops {
            e.u64(op.id.counter)?.u64(place(&op.id.actor))?;
            encode_value(e, &op.value)?;
        }
    }
    if let Some(base) = base {
        encode_clock(e, base)?;
    }
    Ok(())
}

fn encode_value(e: &mut Encoder<Vec<u8>>, value: &Value) -> EncodeResult {
    match value {
        Value::Null => e.null()?,
        Value::Bool(flag) => e.bool(*flag)?,
        Value::Int(number) => e.i64(*number)?,
        Value::Text(text) => e.str(text)?,
        Value::Bytes(bytes) => e.bytes(bytes)?,
    };
    Ok(())
}

fn decode(bytes: &[u8]) -> Result<(State, Option<Clock>), StateError> {
    if bytes.len() > STATE_BYTES_MAX {
        return Err(StateError::Broken("too many bytes"));
    }
    let d = &mut Decoder::new(bytes);
    let fields = count(d, 64)?;
    let version = d.u8()?;
    if version != VERSION {
        return Err(StateError::Version(version));
    }
    if fields != 6 && fields != 7 {
        return Err(StateError::Broken("number of fields"));
    }
    let generation = d.u32()?;
    let max_op = d.u64()?;
    let clock = decode_clock(d)?;
    let highest = clock.values().map(|seen| seen.op).max().unwrap_or(0);
    if max_op > OP_COUNTER_MAX || max_op != highest {
        return Err(StateError::Broken("operation counters"));
    }
    let actors: Vec<(ActorId, Seen)> = clock.iter().map(|(actor, seen)| (*actor, *seen)).collect();
    let heads = decode_heads(d, &actors)?;
    if heads.is_empty() != clock.is_empty() {
        return Err(StateError::Broken("heads"));
    }
    let keys = decode_keys(d, &actors)?;
    let base = if fields == 7 { Some(decode_clock(d)?) } else { None };
    if d.position() != bytes.len() {
        return Err(StateError::Broken("trailing bytes"));
    }
    let state = State { generation, heads, clock, max_op, keys };
    if state.size_bytes() > JOINED * DOCUMENT_BYTES_MAX {
        return Err(StateError::Broken("size of the document"));
    }
    Ok((state, base))
}

/// Reads an array's length, refusing indefinite ones and more than `max`.
fn count(d: &mut Decoder<'_>, max: usize) -> Result<usize, StateError> {
    let length = d.array()?.ok_or(StateError::Broken("indefinite length"))?;
    usize::try_from(length)
        .ok()
        .filter(|length| *length <= max)
        .ok_or(StateError::Broken("too many elements"))
}

/// Reads the length of an array whose elements stand in threes; returns how many threes.
fn count_triples(d: &mut Decoder<'_>, max: usize) -> Result<usize, StateError> {
    let length = count(d, max * 3)?;
    if length % 3 == 0 { Ok(length / 3) } else { Err(StateError::Broken("number of elements")) }
}

fn decode_clock(d: &mut Decoder<'_>) -> Result<Clock, StateError> {
    let length = count_triples(d, JOINED * ACTORS_MAX)?;
    let mut clock = Clock::new();
    for _ in 0..length {
        let actor: ActorId = d.decode()?;
        let seen = Seen { seq: d.u64()?, op: d.u64()? };
        if clock.last_key_value().is_some_and(|(last, _)| *last >= actor) {
            return Err(StateError::Broken("order of the clock"));
        }
        if seen.seq == 0 || seen.seq > seen.op || seen.op > OP_COUNTER_MAX {
            return Err(StateError::Broken("counters of the clock"));
        }
        clock.insert(actor, seen);
    }
    Ok(clock)
}

fn decode_heads(d: &mut Decoder<'_>, actors: &[(ActorId, Seen)]) -> Result<Vec<Head>, StateError> {
    let length = count_triples(d, JOINED * HEADS_MAX)?;
    let mut heads: Vec<Head> = Vec::with_capacity(length.min(16));
    for _ in 0..length {
        let hash: ChangeHash = d.decode()?;
        let (actor, seen) = actor_at(d, actors)?;
        let head = Head { hash, actor, seq: d.u64()? };
        if head.seq == 0 || head.seq > seen.seq || heads.last().is_some_and(|last| *last >= head) {
            return Err(StateError::Broken("heads"));
        }
        heads.push(head);
    }
    Ok(heads)
}

fn actor_at(
    d: &mut Decoder<'_>,
    actors: &[(ActorId, Seen)],
) -> Result<(ActorId, Seen), StateError> {
    let place = usize::try_from(d.u64()?).unwrap_or(usize::MAX);
    actors.get(place).copied().ok_or(StateError::Broken("an actor that the clock lacks"))
}

fn decode_keys(
    d: &mut Decoder<'_>,
    actors: &[(ActorId, Seen)],
) -> Result<BTreeMap<String, Vec<Survivor>>, StateError> {
    let mut items = count(d, JOINED * DOCUMENT_KEYS_MAX * 4)?;
    let mut keys: BTreeMap<String, Vec<Survivor>> = BTreeMap::new();
    while items > 0 {
        let key = d.str()?;
        if key.is_empty()
            || key.len() > KEY_BYTES_MAX
            || keys.len() >= JOINED * DOCUMENT_KEYS_MAX
            || keys.last_key_value().is_some_and(|(last, _)| last.as_str() >= key)
        {
            return Err(StateError::Broken("keys"));
        }
        let key = key.to_owned();
        let (used, ops) = if d.datatype()? == Type::Array {
            (2, decode_survivors(d, actors)?)
        } else {
            (4, vec![decode_survivor(d, actors)?])
        };
        keys.insert(key, ops);
        items = items.checked_sub(used).ok_or(StateError::Broken("keys"))?;
    }
    Ok(keys)
}

fn decode_survivors(
    d: &mut Decoder<'_>,
    actors: &[(ActorId, Seen)],
) -> Result<Vec<Survivor>, StateError> {
    let length = count_triples(d, JOINED * SURVIVORS_MAX)?;
    if length == 1 {
        return Err(StateError::Broken("an array of one survivor"));
    }
    let mut ops: Vec<Survivor> = Vec::with_capacity(length);
    for _ in 0..length {
        let op = decode_survivor(d, actors)?;
        if ops.last().is_some_and(|last| last.id >= op.id) {
            return Err(StateError::Broken("order of survivors"));
        }
        ops.push(op);
    }
    Ok(ops)
}

fn decode_survivor(
    d: &mut Decoder<'_>,
    actors: &[(ActorId, Seen)],
) -> Result<Survivor, StateError> {
    let counter = d.u64()?;
    let (actor, seen) = actor_at(d, actors)?;
    if counter == 0 || counter > seen.op {
        return Err(StateError::Broken("an operation that the clock has not seen"));
    }
    let value = decode_value(d)?;
    if value.size_bytes() > VALUE_BYTES_MAX {
        return Err(StateError::Broken("size of a value"));
    }
    Ok(Survivor { id: OpId { counter, actor }, value })
}

fn decode_value(d: &mut Decoder<'_>) -> Result<Value, StateError> {
    let kind = d.datatype()?;
    Ok(if kind == Type::Null {
        d.null()?;
        Value::Null
    } else if kind == Type::Bool {
        Value::Bool(d.bool()?)
    } else if kind == Type::String {
        Value::Text(d.str()?.to_owned())
    } else if kind == Type::Bytes {
        Value::Bytes(d.bytes()?.to_vec())
    } else {
        Value::Int(d.i64()?)
    })
}
