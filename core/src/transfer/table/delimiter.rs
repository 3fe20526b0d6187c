//! What stands between the cells of a CSV file, found out from its first rows.

use std::{fs::File, io, io::Read, path::Path};

/// What may stand there, the usual one first.
const CANDIDATES: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Bytes that are looked at.
const SAMPLE_BYTES: u64 = 1 << 16;
/// Rows that are looked at.
const SAMPLE_ROWS: usize = 50;

/// Finds it: what cuts the most rows into as many cells as the first one, which has several.
pub(super) fn find(path: &Path) -> io::Result<u8> {
    let mut sample = Vec::new();
    File::open(path)?.take(SAMPLE_BYTES).read_to_end(&mut sample)?;
    let mut best = (0, 0, b',');
    for candidate in CANDIDATES {
        let (alike, columns) = rate(&sample, candidate);
        if columns > 1 && (alike, columns) > (best.0, best.1) {
            best = (alike, columns, candidate);
        }
    }
    Ok(best.2)
}

/// How many rows of a hundred have as many cells as the first one, and how many cells that has.
fn rate(sample: &[u8], delimiter: u8) -> (usize, usize) {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .has_headers(false)
        .from_reader(sample);
    let counts: Vec<usize> =
        reader.byte_records().take(SAMPLE_ROWS).flatten().map(|row| row.len()).collect();
    let Some((first, rest)) = counts.split_first() else { return (0, 0) };
    // The sample may end within a row.
    let rest = rest.get(..rest.len().saturating_sub(1)).unwrap_or_default();
    let alike = rest.iter().filter(|count| *count == first).count();
    (if rest.is_empty() { 100 } else { alike * 100 / rest.len() }, *first)
}
