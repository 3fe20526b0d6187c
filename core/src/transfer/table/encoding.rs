//! Text in any encoding as UTF-8.
//!
//! A mark at the beginning decides, else valid UTF-8 is UTF-8, else the encoding is guessed from
//! all of the file. A wrong guess shows as garbled names in the rehearsal, so the report says what
//! was read, and a mapping may say which encoding it is.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{CoderResult, Encoding, GB18030, GBK, UTF_8, UTF_16BE, UTF_16LE};
use tempfile::NamedTempFile;

use crate::transfer::error::ImportError;

/// Names of encodings that people know, for messages.
pub const ENCODINGS: &str = "utf-8, gb18030, utf-16le, big5, windows-1252";
/// Bytes that are read at once.
const CHUNK_BYTES: usize = 1 << 16;
/// How many of the first bytes tell of text with two bytes for each letter.
const WIDE_SAMPLE_BYTES: usize = 4_096;
/// How many zeros there must be at least.
const WIDE_ZEROS_MIN: usize = 4;

/// A text file that can be read as UTF-8.
#[derive(Debug)]
pub(super) struct Utf8 {
    /// The name of the encoding that the file has.
    pub(super) encoding: &'static str,
    /// The file in UTF-8, if it is another one.
    pub(super) made: Option<NamedTempFile>,
}

/// Makes sure that a file is UTF-8, or writes it anew.
///
/// # Errors
///
/// It cannot be read, is in no encoding that is known, or is no text.
pub(super) fn to_utf8(path: &Path, named: Option<&str>) -> Result<Utf8, ImportError> {
    let read_error = |source| ImportError::Read { path: path.to_owned(), source };
    let found = match named {
        Some(name) => Encoding::for_label(name.trim().as_bytes())
            .ok_or_else(|| ImportError::UnknownEncoding(name.chars().take(40).collect()))?,
        None => find(path).map_err(read_error)?,
    };
    if found == UTF_8 {
        check_utf8(path)?;
        return Ok(Utf8 { encoding: found.name(), made: None });
    }
    let made = transcode(path, found)?;
    Ok(Utf8 { encoding: name_of(found), made: Some(made) })
}

/// The name that people know: that of GBK's successor, which is read the same way.
fn name_of(encoding: &'static Encoding) -> &'static str {
    if encoding == GBK || encoding == GB18030 { "GB18030" } else { encoding.name() }
}

/// The encoding of a file.
fn find(path: &Path) -> io::Result<&'static Encoding> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    let mut utf8 = Utf8Check::default();
    let mut is_first = true;
    loop {
        let count = file.read(&mut buffer)?;
        let chunk = buffer.get(..count).unwrap_or_default();
        if is_first {
            if let Some((marked, _)) = Encoding::for_bom(chunk) {
                return Ok(marked);
            }
            if let Some(wide) = wide(chunk) {
                return Ok(wide);
            }
            is_first = false;
        }
        utf8.feed(chunk);
        detector.feed(chunk, count == 0);
        if count == 0 {
            let is_utf8 = utf8.problem(true).is_none();
            return Ok(if is_utf8 { UTF_8 } else { detector.guess(None, Utf8Detection::Deny) });
        }
    }
}

/// UTF-16 without a mark, told by its zeros.
fn wide(chunk: &[u8]) -> Option<&'static Encoding> {
    let sample = chunk.get(..chunk.len().min(WIDE_SAMPLE_BYTES)).unwrap_or_default();
    let zeros = |first: usize| sample.iter().skip(first).step_by(2).filter(|b| **b == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let half = sample.len() / 2;
    // Delimiters and digits are narrow in every language's tables: some of one side, none of the
    // other. A few zeros alone are no text at all.
    let is_many = |zeros: usize| zeros >= WIDE_ZEROS_MIN && zeros * 8 > half;
    match (even, odd) {
        (0, odd) if is_many(odd) => Some(UTF_16LE),
        (even, 0) if is_many(even) => Some(UTF_16BE),
        _ => None,
    }
}

/// Checks text in pieces.
#[derive(Debug, Default)]
struct Utf8Check {
    /// Bytes of a character that the piece before began.
    carried: Vec<u8>,
    lines: u64,
    bytes: u64,
    is_wrong: bool,
}

impl Utf8Check {
    fn feed(&mut self, chunk: &[u8]) {
        if self.is_wrong {
            return;
        }
        self.carried.extend_from_slice(chunk);
        let (valid, is_cut) = match std::str::from_utf8(&self.carried) {
            Ok(_) => (self.carried.len(), true),
            Err(error) => (error.valid_up_to(), error.error_len().is_none()),
        };
        self.is_wrong = !is_cut;
        let good = self.carried.get(..valid).unwrap_or_default();
        self.lines += good.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.bytes += valid as u64;
        self.carried.drain(..valid);
    }

    /// Line and place of the first wrong byte.
    fn problem(&self, is_end: bool) -> Option<(u64, u64)> {
        let is_wrong = self.is_wrong || (is_end && !self.carried.is_empty());
        is_wrong.then_some((self.lines + 1, self.bytes))
    }
}

fn check_utf8(path: &Path) -> Result<(), ImportError> {
    let read_error = |source| ImportError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(read_error)?;
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut check = Utf8Check::default();
    loop {
        let count = file.read(&mut buffer).map_err(read_error)?;
        check.feed(buffer.get(..count).unwrap_or_default());
        if let Some((line, offset)) = check.problem(count == 0) {
            let encoding = UTF_8.name();
            return Err(ImportError::Encoding { path: path.to_owned(), encoding, line, offset });
        }
        if count == 0 {
            return Ok(());
        }
    }
}

fn transcode(path: &Path, encoding: &'static Encoding) -> Result<NamedTempFile, ImportError> {
    let read_error = |source| ImportError::Read { path: path.to_owned(), source };
    let made_error = |source| ImportError::Temporary { source };
    let mut from = File::open(path).map_err(read_error)?;
    let mut to = NamedTempFile::new().map_err(made_error)?;
    let mut decoder = encoding.new_decoder_with_bom_removal();
    let mut read = vec![0; CHUNK_BYTES];
    let mut decoded = vec![0; CHUNK_BYTES * 3];
    let (mut offset, mut lines) = (0_u64, 0_u64);
    loop {
        let count = from.read(&mut read).map_err(read_error)?;
        let mut rest = read.get(..count).unwrap_or_default();
        loop {
            let (result, used, made, is_wrong) =
                decoder.decode_to_utf8(rest, &mut decoded, count == 0);
            let text = decoded.get(..made).unwrap_or_default();
            if is_wrong {
                let wrong = text.windows(3).position(|bytes| bytes == "\u{fffd}".as_bytes());
                let before = text.get(..wrong.unwrap_or_default()).unwrap_or_default();
                let line = lines + newlines(before) + 1;
                let encoding = name_of(encoding);
                return Err(ImportError::Encoding {
                    path: path.to_owned(),
                    encoding,
                    line,
                    offset,
                });
            }
            lines += newlines(text);
            offset += used as u64;
            to.write_all(text).map_err(made_error)?;
            rest = rest.get(used..).unwrap_or_default();
            if result == CoderResult::InputEmpty {
                break;
            }
        }
        if count == 0 {
            to.flush().map_err(made_error)?;
            return Ok(to);
        }
    }
}

fn newlines(text: &[u8]) -> u64 {
    text.iter().filter(|byte| **byte == b'\n').count() as u64
}
