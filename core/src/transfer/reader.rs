//! The CSV file, row by row: UTF-8 only, no row without an end.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use csv::{ByteRecord, StringRecord};

use super::error::ImportError;

/// Bytes of one row, at most; a quote left open would make the rest of the file one row.
pub const ROW_BYTES_MAX: u64 = 1 << 20;
/// Bytes that are read at once.
const CHUNK_BYTES: usize = 1 << 16;

/// One row of the file.
#[derive(Debug, Clone)]
pub(super) struct RawRow {
    /// Its number as spreadsheets count: the header is row 1; blank lines are none.
    pub(super) row: u64,
    pub(super) cells: StringRecord,
}

/// Reads the rows of a file.
#[derive(Debug)]
pub(super) struct RowReader {
    path: PathBuf,
    csv: csv::Reader<Limited>,
    header: Vec<String>,
    next_row: u64,
    bytes_total: u64,
}

/// A file of which only so much may be read before a row must have ended.
#[derive(Debug)]
struct Limited {
    file: File,
    left: u64,
    is_spent: bool,
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            self.is_spent = true;
            return Err(io::Error::other("a row without an end"));
        }
        let count = self.file.read(buffer)?;
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}

impl RowReader {
    /// Opens a file whose encoding has been checked, and reads its header.
    pub(super) fn open(path: &Path, delimiter: u8) -> Result<Self, ImportError> {
        let read_error = |source| ImportError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(read_error)?;
        let bytes_total = file.metadata().map_err(read_error)?.len();
        let limited = Limited { file, left: ROW_BYTES_MAX, is_spent: false };
        let csv = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .has_headers(false)
            .buffer_capacity(CHUNK_BYTES)
            .from_reader(limited);
        let path = path.to_owned();
        let mut reader = Self { path, csv, header: Vec::new(), next_row: 1, bytes_total };
        let Some(header) = reader.next_row()? else {
            return Err(ImportError::NoHeader(reader.path));
        };
        let name = |cell: &str| cell.trim_start_matches('\u{feff}').trim().to_owned();
        reader.header = header.cells.iter().map(name).collect();
        Ok(reader)
    }

    /// The names of the columns.
    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    /// Bytes read so far.
    pub(super) fn bytes(&self) -> u64 {
        self.csv.position().byte()
    }

    /// Bytes of the file.
    pub(super) fn bytes_total(&self) -> u64 {
        self.bytes_total
    }

    /// The next row; `None` at the end.
    pub(super) fn next_row(&mut self) -> Result<Option<RawRow>, ImportError> {
        let line = self.csv.position().line();
        self.csv.get_mut().left = ROW_BYTES_MAX;
        let mut record = ByteRecord::new();
        let is_row = self.csv.read_byte_record(&mut record).map_err(|error| {
            if self.csv.get_ref().is_spent {
                return ImportError::RowTooLong {
                    path: self.path.clone(),
                    line,
                    max: ROW_BYTES_MAX,
                };
            }
            ImportError::Read { path: self.path.clone(), source: error.into() }
        })?;
        if !is_row {
            return Ok(None);
        }
        // The whole file has been checked; it could only have changed since.
        let cells = StringRecord::from_byte_record(record).map_err(|error| {
            let source = io::Error::new(io::ErrorKind::InvalidData, error);
            ImportError::Read { path: self.path.clone(), source }
        })?;
        let row = self.next_row;
        self.next_row += 1;
        Ok(Some(RawRow { row, cells }))
    }

    /// The places of columns in a row.
    ///
    /// # Errors
    ///
    /// A column is not there, or is there twice.
    pub(super) fn places<'n>(
        &self,
        names: impl Iterator<Item = &'n str>,
    ) -> Result<Vec<usize>, ImportError> {
        let mut places = Vec::new();
        let mut missing = Vec::new();
        for name in names {
            let mut found = self.header.iter().enumerate().filter(|(_, known)| *known == name);
            match (found.next(), found.next()) {
                (Some((place, _)), None) => places.push(place),
                (None, _) => missing.push(format!("`{name}`")),
                (Some(_), Some(_)) => {
                    let (path, column) = (self.path.clone(), name.to_owned());
                    return Err(ImportError::TwoColumns { path, column });
                }
            }
        }
        if missing.is_empty() {
            return Ok(places);
        }
        Err(ImportError::MissingColumns {
            path: self.path.clone(),
            missing: missing.join(", "),
            found: self.header.join(", "),
        })
    }
}

/// Checks that the whole file is UTF-8, so that nothing is imported from one that is not.
pub(super) fn check_encoding(path: &Path) -> Result<(), ImportError> {
    let read_error = |source| ImportError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(read_error)?;
    let mut buffer = vec![0; CHUNK_BYTES];
    // Bytes of a character that the chunk before began.
    let mut carried = 0;
    let (mut offset, mut line, mut head) = (0_u64, 1_u64, [0_u8; 2]);
    loop {
        let free = buffer.get_mut(carried..).unwrap_or_default();
        let count = file.read(free).map_err(read_error)?;
        let filled = buffer.get(..carried + count).unwrap_or_default();
        if let (0, [first, second, ..]) = (offset, filled) {
            head = [*first, *second];
        }
        let (valid, is_cut) = match std::str::from_utf8(filled) {
            Ok(_) => (filled.len(), true),
            Err(error) => (error.valid_up_to(), error.error_len().is_none() && count > 0),
        };
        let good = filled.get(..valid).unwrap_or_default();
        line += good.iter().filter(|byte| **byte == b'\n').count() as u64;
        offset += valid as u64;
        if !is_cut {
            let looks_like =
                if head == [0xff, 0xfe] || head == [0xfe, 0xff] { "UTF-16" } else { "GB18030" };
            return Err(ImportError::NotUtf8 { path: path.to_owned(), line, offset, looks_like });
        }
        if count == 0 {
            return Ok(());
        }
        let end = filled.len();
        buffer.copy_within(valid..end, 0);
        carried = end - valid;
    }
}
