//! A table, row by row: no row without an end, no column twice.

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

/// One row of the table.
#[derive(Debug, Clone)]
pub(super) struct RawRow {
    /// Its number as spreadsheets count: the header is row 1; empty lines are none.
    pub(super) row: u64,
    pub(super) cells: StringRecord,
}

/// Whether nothing stands in a row, as in those that spreadsheets leave behind their tables.
pub(super) fn blank(cells: &StringRecord) -> bool {
    cells.iter().all(|cell| cell.trim().is_empty())
}

/// Reads the rows of a table.
#[derive(Debug)]
pub(super) struct RowReader {
    /// The file that people know.
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
    /// Opens `readable`, which stands for the file `path`, and reads its header, unless the names
    /// of the columns are given.
    pub(super) fn open(
        path: &Path,
        readable: &Path,
        delimiter: u8,
        columns: Option<&[String]>,
    ) -> Result<Self, ImportError> {
        let read_error = |source| ImportError::Read { path: path.to_owned(), source };
        let file = File::open(readable).map_err(read_error)?;
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
        if let Some(columns) = columns {
            reader.header = columns.to_vec();
            return Ok(reader);
        }
        let Some(header) = reader.next_row()? else {
            return Err(ImportError::NoHeader(reader.path));
        };
        let name = |cell: &str| cell.trim_start_matches('\u{feff}').trim().to_owned();
        reader.header = header.cells.iter().map(name).collect();
        // Spreadsheets save empty columns behind the last one.
        while reader.header.last().is_some_and(String::is_empty) {
            reader.header.pop();
        }
        if reader.header.is_empty() {
            return Err(ImportError::NoHeader(reader.path));
        }
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

    /// Whether the quotes behind a place of the file are not in pairs.
    pub(super) fn has_odd_quotes(&self, readable: &Path, from: u64) -> io::Result<bool> {
        use std::io::Seek as _;

        let mut file = File::open(readable)?;
        file.seek(io::SeekFrom::Start(from))?;
        let mut rest = Vec::new();
        file.take(ROW_BYTES_MAX).read_to_end(&mut rest)?;
        Ok(rest.iter().filter(|byte| **byte == b'"').count() % 2 == 1)
    }

    /// Bytes of the table.
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
        let mut cells = StringRecord::from_byte_record(record).map_err(|error| {
            let source = io::Error::new(io::ErrorKind::InvalidData, error);
            ImportError::Read { path: self.path.clone(), source }
        })?;
        // Beside the header's columns nothing may stand; empty cells there are none.
        let width = self.header.len();
        if width > 0 && cells.len() > width && cells.iter().skip(width).all(str::is_empty) {
            cells.truncate(width);
        }
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
