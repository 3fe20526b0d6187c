//! Frames as bytes: CBOR behind a length, in zstd, read with limits.

use std::io::{self, Read, Write};

use minicbor::{Decode, Encode};

/// Bytes of one frame, at most (the largest state, and what surrounds it).
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of one message, decompressed, at most.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Largest zstd window that is accepted, as a power of two (8 MiB).
pub const WINDOW_LOG_MAX: u32 = 23;
/// Compression level; higher ones cost more time than they save on a phone's network.
const LEVEL: i32 = 3;

/// Bytes that are not the message they should be.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// More bytes than a limit allows.
    #[error("a message is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// Not the CBOR that it should be.
    #[error("a message cannot be read")]
    Malformed(#[source] minicbor::decode::Error),
    /// The connection broke, or the compression is damaged.
    #[error("the connection ended within a message")]
    Io(#[from] io::Error),
}

/// Encodes and compresses one message.
///
/// # Errors
///
/// Fails only if the compressor does.
pub fn pack<T: Encode<()>>(message: &T) -> Result<Vec<u8>, CodecError> {
    Ok(zstd::bulk::compress(&to_cbor(message), LEVEL)?)
}

/// Decompresses and decodes one message of at most `limit` bytes.
///
/// # Errors
///
/// Returns [`CodecError`] for bytes that are too many or not such a message.
pub fn unpack<T: for<'b> Decode<'b, ()>>(bytes: &[u8], limit: usize) -> Result<T, CodecError> {
    let mut decoder = zstd::Decoder::with_buffer(bytes)?;
    decoder.window_log_max(WINDOW_LOG_MAX)?;
    let mut plain = Vec::new();
    decoder.take(limit as u64 + 1).read_to_end(&mut plain)?;
    if plain.len() > limit {
        return Err(CodecError::TooLarge { limit });
    }
    from_cbor(&plain)
}

/// Encodes one message without compression.
#[must_use]
pub fn to_cbor<T: Encode<()>>(message: &T) -> Vec<u8> {
    // Writing to a vector cannot fail, and no message has an encoder that does.
    minicbor::to_vec(message).unwrap_or_default()
}

/// Decodes one message without compression.
///
/// # Errors
///
/// Returns [`CodecError::Malformed`] for anything else.
pub fn from_cbor<T: for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Result<T, CodecError> {
    minicbor::decode(bytes).map_err(CodecError::Malformed)
}

/// Writes frames into a compressed stream.
#[expect(missing_debug_implementations, reason = "the compressor has none")]
pub struct FrameWriter<W: Write> {
    encoder: zstd::Encoder<'static, W>,
    written_bytes: u64,
}

impl<W: Write> FrameWriter<W> {
    /// A writer into `to`.
    ///
    /// # Errors
    ///
    /// Fails only if the compressor does.
    pub fn new(to: W) -> Result<Self, CodecError> {
        Ok(Self { encoder: zstd::Encoder::new(to, LEVEL)?, written_bytes: 0 })
    }

    /// Writes one frame.
    ///
    /// # Errors
    ///
    /// Returns [`CodecError`] if the frame is too large or the stream is broken.
    pub fn write<T: Encode<()>>(&mut self, frame: &T) -> Result<(), CodecError> {
        let bytes = to_cbor(frame);
        if bytes.len() > FRAME_BYTES_MAX {
            return Err(CodecError::TooLarge { limit: FRAME_BYTES_MAX });
        }
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.encoder.write_all(&length.to_be_bytes())?;
        self.encoder.write_all(&bytes)?;
        self.written_bytes += bytes.len() as u64 + 4;
        Ok(())
    }

    /// Bytes of frames so far, before compression.
    #[must_use]
    pub fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Where the compressed bytes go.
    pub fn inner(&mut self) -> &mut W {
        self.encoder.get_mut()
    }

    /// Makes everything written so far readable at the other end.
    ///
    /// # Errors
    ///
    /// Fails if the stream is broken.
    pub fn flush(&mut self) -> Result<(), CodecError> {
        Ok(self.encoder.flush()?)
    }

    /// Ends the stream.
    ///
    /// # Errors
    ///
    /// Fails if the stream is broken.
    pub fn finish(self) -> Result<W, CodecError> {
        Ok(self.encoder.finish()?)
    }
}

/// Reads frames from a compressed stream, one at a time.
#[expect(missing_debug_implementations, reason = "the decompressor has none")]
pub struct FrameReader<R: Read> {
    decoder: zstd::Decoder<'static, io::BufReader<R>>,
    buffer: Vec<u8>,
}

impl<R: Read> FrameReader<R> {
    /// A reader from `from`.
    ///
    /// # Errors
    ///
    /// Fails only if the decompressor does.
    pub fn new(from: R) -> Result<Self, CodecError> {
        let mut decoder = zstd::Decoder::new(from)?;
        decoder.window_log_max(WINDOW_LOG_MAX)?;
        Ok(Self { decoder, buffer: Vec::new() })
    }

    /// The next frame.
    ///
    /// # Errors
    ///
    /// Returns [`CodecError`] when the stream ends or is damaged.
    pub fn read<T: for<'b> Decode<'b, ()>>(&mut self) -> Result<T, CodecError> {
        let mut length = [0; 4];
        self.decoder.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(CodecError::TooLarge { limit: FRAME_BYTES_MAX });
        }
        self.buffer.resize(length, 0);
        self.decoder.read_exact(&mut self.buffer)?;
        from_cbor(&self.buffer)
    }

    /// Bytes of the last frame.
    #[must_use]
    pub fn frame_bytes(&self) -> usize {
        self.buffer.len()
    }
}
