//! Chunks with a right checksum around any body, so that what is wrong inside is looked at.

use std::io::Write as _;

use sha2::{Digest as _, Sha256};

/// A chunk of this kind around `body`.
#[must_use]
pub fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    with_checksum(kind, checksum(kind, body), body)
}

/// A compressed change around `body`.
///
/// # Panics
///
/// Never: memory takes what is written.
#[must_use]
pub fn deflated(body: &[u8]) -> Vec<u8> {
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    deflate.write_all(body).unwrap();
    with_checksum(2, checksum(1, body), &deflate.finish().unwrap())
}

/// A compressed change with any bytes as its content, and a checksum that does not fit.
#[must_use]
pub fn claimed_deflated(content: &[u8]) -> Vec<u8> {
    with_checksum(2, [0; 4], content)
}

/// What is inside a chunk that is whole.
#[must_use]
pub fn body_of(bytes: &[u8]) -> &[u8] {
    let length = bytes[9..].iter().take_while(|byte| **byte >= 0x80).count() + 1;
    &bytes[9 + length..]
}

fn with_checksum(kind: u8, checksum: [u8; 4], content: &[u8]) -> Vec<u8> {
    let length = number(content.len() as u64);
    [&[0x85, 0x6f, 0x4a, 0x83][..], &checksum, &[kind], &length, content].concat()
}

fn checksum(kind: u8, body: &[u8]) -> [u8; 4] {
    let data = [&[kind], &number(body.len() as u64)[..], body].concat();
    let hash = Sha256::digest(data);
    [hash[0], hash[1], hash[2], hash[3]]
}

fn number(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
