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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_up_to_the_last_byte_that_it_may_have_and_no_further() {
        let read = |length: usize| {
            let body = vec![7; length];
            let mut counted = Counted { inner: &mut body.as_slice(), bytes: 0, bytes_max: 10 };
            let is_read = counted.read_to_end(&mut Vec::new()).is_ok();
            (is_read, counted.bytes)
        };
        assert_eq!(read(10), (true, 10));
        assert_eq!(read(11), (false, 11));
    }
}
