//! What is read of an answer, and no more.

use std::io::Read;

use crate::{
    replica::ReplicaError,
    sync::codec::{CodecError, MESSAGE_BYTES_MAX, unpack},
};

/// Reads one whole message of a bounded size.
pub(super) fn read_message<T: for<'b> minicbor::Decode<'b, ()>>(
    body: &mut dyn Read,
) -> Result<T, ReplicaError> {
    let mut bytes = Vec::new();
    // A longer one is cut off, and cannot be read then.
    body.take(MESSAGE_BYTES_MAX as u64).read_to_end(&mut bytes).map_err(CodecError::from)?;
    Ok(unpack(&bytes, MESSAGE_BYTES_MAX)?)
}

/// Counts what is read, and reads no more than it may: compressed bytes need not ever become any
/// others.
pub(super) struct Counted<'a> {
    pub(super) inner: &'a mut dyn Read,
    pub(super) bytes: u64,
    pub(super) bytes_max: u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.bytes += count as u64;
        if self.bytes > self.bytes_max {
            return Err(std::io::Error::other("the answer never ends"));
        }
        Ok(count)
    }
}
