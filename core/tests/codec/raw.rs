//! Changes made by hand, byte by byte, with a right checksum: what an attacker can send.

use std::io::Write as _;

use outrider_core::crdt::{ChangeError, decode};
use sha2::{Digest as _, Sha256};

pub(crate) const OBJECT_ACTOR: u64 = 0x01;
pub(crate) const ELEMENT_ACTOR: u64 = 0x11;
pub(crate) const KEY: u64 = 0x15;
pub(crate) const INSERT: u64 = 0x34;
pub(crate) const ACTION: u64 = 0x42;
pub(crate) const VALUE_META: u64 = 0x56;
pub(crate) const VALUE: u64 = 0x57;
pub(crate) const PRED_COUNT: u64 = 0x70;
pub(crate) const PRED_ACTOR: u64 = 0x71;
pub(crate) const PRED_COUNTER: u64 = 0x73;

/// The parts of a change; `put` gives one that is right.
#[derive(Clone)]
pub(crate) struct Raw {
    pub(crate) deps: Vec<[u8; 32]>,
    pub(crate) actor: Vec<u8>,
    pub(crate) seq: Vec<u8>,
    pub(crate) start_op: u64,
    pub(crate) time_ms: i64,
    pub(crate) message: Vec<u8>,
    pub(crate) others: Vec<Vec<u8>>,
    pub(crate) columns: Vec<(u64, Vec<u8>)>,
    pub(crate) extra: Vec<u8>,
}

impl Raw {
    /// Puts "Ada" under `key`.
    pub(crate) fn put(key: &str) -> Self {
        Self {
            deps: Vec::new(),
            actor: vec![7; 16],
            seq: unsigned(1),
            start_op: 1,
            time_ms: 0,
            message: Vec::new(),
            others: Vec::new(),
            columns: vec![
                (KEY, [signed(-1), prefixed(key.as_bytes())].concat()),
                (INSERT, unsigned(1)),
                (ACTION, one(1)),
                (VALUE_META, one(3 << 4 | 6)),
                (VALUE, b"Ada".to_vec()),
                (PRED_COUNT, one(0)),
            ],
            extra: Vec::new(),
        }
    }

    /// The same with other bytes in one column; none remove it.
    pub(crate) fn column(mut self, number: u64, data: Vec<u8>) -> Self {
        self.columns.retain(|(column, _)| *column != number);
        if !data.is_empty() {
            self.columns.push((number, data));
        }
        self.columns.sort();
        self
    }

    /// The same with a text of `length` bytes as its value.
    pub(crate) fn value(self, length: usize) -> Self {
        let meta = one((length as u64) << 4 | 6);
        self.column(VALUE_META, meta).column(VALUE, vec![b'x'; length])
    }

    /// The same with `rows` of everything, in a few bytes.
    pub(crate) fn rows(self, rows: i64) -> Self {
        self.column(KEY, [signed(rows), prefixed(b"k")].concat())
            .column(INSERT, unsigned(rows.unsigned_abs()))
            .column(ACTION, [signed(rows), unsigned(1)].concat())
            .column(VALUE_META, [signed(rows), unsigned(0)].concat())
            .column(VALUE, Vec::new())
            .column(PRED_COUNT, [signed(rows), unsigned(0)].concat())
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        let mut body = unsigned(self.deps.len() as u64);
        body.extend(self.deps.concat());
        body.extend(prefixed(&self.actor));
        body.extend(&self.seq);
        body.extend(unsigned(self.start_op));
        body.extend(signed(self.time_ms));
        body.extend(prefixed(&self.message));
        body.extend(unsigned(self.others.len() as u64));
        for other in &self.others {
            body.extend(prefixed(other));
        }
        body.extend(unsigned(self.columns.len() as u64));
        for (number, data) in &self.columns {
            body.extend(unsigned(*number));
            body.extend(unsigned(data.len() as u64));
        }
        for (_, data) in &self.columns {
            body.extend(data);
        }
        body.extend(&self.extra);
        body
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        frame(1, &self.body())
    }

    /// Checks that the change is refused for `reason`.
    pub(crate) fn refused(&self, reason: ChangeError) {
        assert_eq!(decode(&self.bytes()).map(|_| ()), Err(reason));
    }

    /// Checks that the change is taken as it is.
    pub(crate) fn taken(&self) {
        assert_eq!(decode(&self.bytes()).expect("within the limits").bytes, self.bytes());
    }
}

/// Puts a frame of type `kind` around `body`.
pub(crate) fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    framed(kind, &checksum(kind, body), body)
}

/// Puts a frame around `body`, compressed.
pub(crate) fn deflated(body: &[u8]) -> Vec<u8> {
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    deflate.write_all(body).expect("memory takes it");
    framed(2, &checksum(1, body), &deflate.finish().expect("memory takes it"))
}

pub(crate) fn framed(kind: u8, checksum: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let length = unsigned(content.len() as u64);
    [&[0x85, 0x6f, 0x4a, 0x83][..], checksum, &[kind], &length, content].concat()
}

fn checksum(kind: u8, body: &[u8]) -> [u8; 4] {
    let data = [&[kind], &unsigned(body.len() as u64)[..], body].concat();
    let hash = Sha256::digest(data);
    [hash[0], hash[1], hash[2], hash[3]]
}

pub(crate) fn unsigned(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

pub(crate) fn signed(value: i64) -> Vec<u8> {
    let mut rest = value;
    let mut bytes = Vec::new();
    loop {
        let byte = (rest & 0x7f) as u8;
        rest >>= 7;
        if (rest == 0 && byte & 0x40 == 0) || (rest == -1 && byte & 0x40 != 0) {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

/// A run of one value.
pub(crate) fn one(value: u64) -> Vec<u8> {
    [signed(-1), unsigned(value)].concat()
}

pub(crate) fn prefixed(bytes: &[u8]) -> Vec<u8> {
    [unsigned(bytes.len() as u64), bytes.to_vec()].concat()
}
