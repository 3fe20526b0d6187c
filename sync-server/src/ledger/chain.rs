//! The chain of lines: each names the one before.

use std::path::Path;

use outrider_core::ids::{from_hex, to_hex};
use sha2::{Digest as _, Sha256};

use super::{LINE_BYTES_MAX, LedgerError, Line, LineHash, Reached, Tail, changed};

/// Reads whole lines and follows the chain; stops before a last line that was never finished.
pub(super) fn read_lines(
    path: &Path,
    bytes: &[u8],
    tail: &mut Tail,
    lines_before: u64,
) -> Result<Vec<(LineHash, Line)>, LedgerError> {
    let mut lines = Vec::new();
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let number = lines_before + lines.len() as u64 + 1;
        let (line, after) = rest.split_at(end);
        let after = after.get(1..).unwrap_or_default();
        let read = read_line(line, &tail.reached.hash);
        let (hash, json) = match read {
            Some(read) => read,
            // The file had grown, the disk had not yet what it grew by.
            None if after.is_empty() && line.contains(&0) => break,
            None => return Err(changed(path, number)),
        };
        let parsed = serde_json::from_slice(json)
            .map_err(|_| LedgerError::TooNew { path: path.display().to_string(), line: number })?;
        tail.reached.hash = hash;
        tail.bytes += end as u64 + 1;
        lines.push((hash, parsed));
        rest = after;
    }
    if rest.len() > LINE_BYTES_MAX {
        return Err(LedgerError::TooLong { path: path.display().to_string() });
    }
    Ok(lines)
}

/// The hash and the JSON of a line that follows `before`.
fn read_line<'a>(line: &'a [u8], before: &LineHash) -> Option<(LineHash, &'a [u8])> {
    let (hash, json) = line.split_at_checked(64)?;
    let json = json.strip_prefix(b" ")?;
    let hash = from_hex::<32>(std::str::from_utf8(hash).ok()?)?;
    (hash_line(before, json) == hash).then_some((hash, json))
}

/// Adds a line to `text`, and to the chain.
pub(super) fn write_line(text: &mut String, reached: &mut Reached, line: &Line) {
    let json = serde_json::to_string(line).expect("names and bytes are always JSON");
    reached.hash = hash_line(&reached.hash, json.as_bytes());
    text.push_str(&to_hex(&reached.hash));
    text.push(' ');
    text.push_str(&json);
    text.push('\n');
}

pub(super) fn hash_line(before: &LineHash, json: &[u8]) -> LineHash {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(json);
    hash.finalize().into()
}
