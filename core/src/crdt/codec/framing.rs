//! The frame around a change: magic, checksum, type, length; inflated here within a limit.

use std::{borrow::Cow, io::Read as _};

use sha2::{Digest as _, Sha256};

use super::{ChangeError, reader::Reader};
use crate::{crdt::op::CHANGE_BYTES_MAX, ids::ChangeHash};

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const DOCUMENT: u8 = 0;
const CHANGE: u8 = 1;
const DEFLATED_CHANGE: u8 = 2;
const BUNDLE: u8 = 3;

/// A change without its frame, known to be what its checksum says.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    /// The whole uncompressed chunk.
    pub(super) chunk: Cow<'a, [u8]>,
    /// How many bytes of the chunk come before the body.
    body_from: usize,
    /// The SHA-256 that names the change.
    pub(super) hash: ChangeHash,
}

impl<'a> Frame<'a> {
    /// Takes the frame off one change.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, ChangeError> {
        if bytes.len() > CHANGE_BYTES_MAX {
            return Err(ChangeError::TooLarge);
        }
        let mut reader = Reader::new(bytes);
        if reader.array()? != MAGIC {
            return Err(ChangeError::BadMagic);
        }
        let checksum = reader.array::<4>()?;
        let kind = reader.byte()?;
        match kind {
            CHANGE | DEFLATED_CHANGE => {}
            DOCUMENT => return Err(ChangeError::DocumentChunk),
            BUNDLE => return Err(ChangeError::BundleChunk),
            other => return Err(ChangeError::UnknownChunk(other)),
        }
        let length = reader.unsigned()?;
        let content = reader.take(length)?;
        if !reader.is_empty() {
            return Err(ChangeError::TrailingBytes);
        }
        let frame = if kind == DEFLATED_CHANGE {
            let (chunk, body_from) = rebuild(checksum, &inflate(content)?)?;
            let hash = hash_of(chunk.get(body_from..).unwrap_or_default());
            Self { chunk: Cow::Owned(chunk), body_from, hash }
        } else {
            let body_from = bytes.len() - content.len();
            Self { chunk: Cow::Borrowed(bytes), body_from, hash: hash_of(content) }
        };
        if !frame.hash.0.starts_with(&checksum) {
            return Err(ChangeError::BadChecksum);
        }
        Ok(frame)
    }

    /// What is inside the frame.
    pub(super) fn body(&self) -> &[u8] {
        self.chunk.get(self.body_from..).unwrap_or_default()
    }
}

/// Bytes that a change takes uncompressed, one more than it may have at most. Nothing else is looked
/// at: what the bytes are is for [`Frame::open`].
pub(super) fn plain_bytes(bytes: &[u8]) -> usize {
    /// Where the type of a chunk stands.
    const KIND_AT: usize = 8;
    if bytes.get(KIND_AT) != Some(&DEFLATED_CHANGE) {
        return bytes.len();
    }
    let mut reader = Reader::new(bytes.get(KIND_AT + 1..).unwrap_or_default());
    let Ok(content) = reader.unsigned().and_then(|length| reader.take(length)) else {
        return bytes.len();
    };
    let inflater = flate2::bufread::DeflateDecoder::new(content);
    let mut plain = inflater.take(CHANGE_BYTES_MAX as u64 + 1);
    // What breaks off counts as far as it came.
    let _ = std::io::copy(&mut plain, &mut std::io::sink());
    let left = usize::try_from(plain.limit()).unwrap_or(0);
    bytes.len().max(CHANGE_BYTES_MAX + 1 - left)
}

/// Inflates at most one byte more than a change may have.
fn inflate(content: &[u8]) -> Result<Vec<u8>, ChangeError> {
    let mut body = Vec::new();
    let mut inflater = flate2::bufread::DeflateDecoder::new(content);
    (&mut inflater)
        .take(CHANGE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut body)
        .map_err(|_| ChangeError::BadDeflate)?;
    if body.len() > CHANGE_BYTES_MAX {
        return Err(ChangeError::TooLarge);
    }
    if inflater.total_in() != content.len() as u64 {
        return Err(ChangeError::TrailingBytes);
    }
    Ok(body)
}

/// Puts an uncompressed frame around `body`, and says where the body begins.
fn rebuild(checksum: [u8; 4], body: &[u8]) -> Result<(Vec<u8>, usize), ChangeError> {
    let mut chunk = Vec::with_capacity(body.len() + 16);
    chunk.extend_from_slice(&MAGIC);
    chunk.extend_from_slice(&checksum);
    chunk.push(CHANGE);
    write_unsigned(&mut chunk, body.len() as u64);
    let body_from = chunk.len();
    chunk.extend_from_slice(body);
    if chunk.len() > CHANGE_BYTES_MAX {
        return Err(ChangeError::TooLarge);
    }
    Ok((chunk, body_from))
}

/// The hash of an uncompressed change: its type, its length and its body.
fn hash_of(body: &[u8]) -> ChangeHash {
    let mut front = vec![CHANGE];
    write_unsigned(&mut front, body.len() as u64);
    ChangeHash(Sha256::new().chain_update(front).chain_update(body).finalize().into())
}

/// Writes a number from 0 in its shortest form.
fn write_unsigned(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}
