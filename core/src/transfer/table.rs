//! Files of any format as one table: columns with names, rows of text.
//!
//! Whatever a file is, it becomes a CSV file in UTF-8 first, the original itself where it is one
//! already, else a temporary one. So everything behind this reads one format, twice if it needs to,
//! and memory does not grow with the file. The whole table is read and checked before anything is
//! done with it: a file that breaks off in its last row has then changed nothing.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use super::{
    error::ImportError,
    reader::{RowReader, blank},
};

pub mod archive;
pub mod cards;
mod delimiter;
mod encoding;
mod json;
mod metered;
pub mod records;
pub mod sheet;
pub mod tree;

pub use encoding::ENCODINGS;

/// Bytes of a file, at most.
pub const FILE_BYTES_MAX: u64 = 1 << 30;
/// Whether a spreadsheet would have run its cells as they stand, so that exports make them safe.
#[must_use]
pub(super) fn is_defused(format: Format) -> bool {
    format == Format::Csv
}

/// Columns of a table, at most.
pub const COLUMNS_MAX: usize = 1_000;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Cells with something between them.
    Csv,
    /// A workbook of Excel and others.
    Xlsx,
    /// Cards of an address book.
    Vcard,
    /// Records of Salesforce as its command line exports them.
    DataTree,
    /// Objects of JSON: a list, one on each line, or a member `records`.
    Json,
}

/// How a file is read; what is not said is found out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableOptions {
    /// What it is.
    pub format: Option<Format>,
    /// The name of its encoding, as the web has them.
    pub encoding: Option<String>,
    /// What stands between cells.
    pub delimiter: Option<u8>,
    /// The sheet of a workbook; the first one if none.
    pub sheet: Option<String>,
    /// The type of the records of a data tree; that of the first one if none.
    pub record_type: Option<String>,
    /// Names of the columns, where no first row has them.
    pub columns: Option<Vec<String>>,
}

/// A file as a table, checked.
#[derive(Debug)]
pub struct Table {
    /// The file that was given.
    path: PathBuf,
    /// What is read instead.
    made: Option<NamedTempFile>,
    /// What the file is.
    pub format: Format,
    /// The types of the records of a data tree.
    pub types: Option<tree::Types>,
    /// The name of its encoding.
    pub encoding: &'static str,
    /// What stands between cells of what is read.
    delimiter: u8,
    columns: Option<Vec<String>>,
    /// The names of the columns.
    pub header: Vec<String>,
    /// Rows that are not blank, without the header.
    pub rows: u64,
}

impl Table {
    /// Finds out what a file is, makes a table of it and checks it whole.
    ///
    /// # Errors
    ///
    /// What is wrong with the file, and what to do.
    pub fn open(path: &Path, options: &TableOptions) -> Result<Self, ImportError> {
        let read_error = |source| ImportError::Read { path: path.to_owned(), source };
        let bytes = File::open(path).and_then(|file| file.metadata()).map_err(read_error)?.len();
        if bytes > FILE_BYTES_MAX {
            return Err(ImportError::FileTooLarge { path: path.to_owned(), max: FILE_BYTES_MAX });
        }
        let format = match options.format {
            Some(format) => format,
            None => sniff(path).map_err(read_error)?,
        };
        let (mut encoding, mut delimiter, mut types) = ("UTF-8", b',', None);
        let made = match format {
            Format::Csv => {
                let text = encoding::to_utf8(path, options.encoding.as_deref())?;
                encoding = text.encoding;
                let readable = text.made.as_ref().map_or(path, |made| made.path());
                delimiter = match options.delimiter {
                    Some(delimiter) => delimiter,
                    None => delimiter::find(readable).map_err(read_error)?,
                };
                text.made
            }
            Format::Xlsx => Some(sheet::to_csv(path, options.sheet.as_deref())?),
            Format::Vcard => {
                let text = encoding::to_utf8(path, options.encoding.as_deref())?;
                encoding = text.encoding;
                let readable = text.made.as_ref().map_or(path, |made| made.path());
                Some(cards::to_csv(path, readable)?)
            }
            Format::DataTree => {
                let (made, found) = tree::to_csv(path, options.record_type.as_deref())?;
                types = Some(found);
                Some(made)
            }
            Format::Json => Some(json::to_csv(path)?),
        };
        let columns = options.columns.clone();
        let path = path.to_owned();
        let header = Vec::new();
        let mut table =
            Self { path, made, format, types, encoding, delimiter, columns, header, rows: 0 };
        table.check()?;
        Ok(table)
    }

    /// Reads the table from its beginning.
    pub(super) fn reader(&self) -> Result<RowReader, ImportError> {
        RowReader::open(&self.path, self.readable(), self.delimiter, self.columns.as_deref())
    }

    fn readable(&self) -> &Path {
        self.made.as_ref().map_or(self.path.as_path(), |made| made.path())
    }

    fn check(&mut self) -> Result<(), ImportError> {
        let path = self.path.clone();
        let read_error = |source| ImportError::Read { path: path.clone(), source };
        let mut reader = self.reader()?;
        self.header = reader.header().to_vec();
        if self.header.len() > COLUMNS_MAX {
            let (path, found) = (self.path.clone(), self.header.len());
            return Err(ImportError::TooManyColumns { path, found, max: COLUMNS_MAX });
        }
        let mut last = None;
        loop {
            let from = reader.bytes();
            let Some(row) = reader.next_row()? else { break };
            if row.cells.as_slice().contains('\0') {
                return Err(ImportError::NotText { path: self.path.clone(), row: row.row });
            }
            self.rows += u64::from(!blank(&row.cells));
            last = Some((from, row));
        }
        // A quote that nobody closed makes the rest of the file one cell of the last row.
        if let Some((from, last)) = last
            && self.format == Format::Csv
            && last.cells.iter().any(|cell| cell.contains('\n'))
            && reader.has_odd_quotes(self.readable(), from).map_err(read_error)?
        {
            return Err(ImportError::OpenQuote { path: self.path.clone(), row: last.row });
        }
        Ok(())
    }
}

/// What a file is, by its first bytes, and by its name where they say too little.
fn sniff(path: &Path) -> std::io::Result<Format> {
    use std::io::Read as _;

    let mut head = Vec::new();
    File::open(path)?.take(4_096).read_to_end(&mut head)?;
    if head.starts_with(b"PK\x03\x04") {
        return Ok(Format::Xlsx);
    }
    // Also of text with two bytes for each letter.
    let text: Vec<u8> = head.iter().copied().filter(|byte| *byte != 0).collect();
    let text = String::from_utf8_lossy(&text);
    let text = text.trim_start_matches(['\u{feff}', '\u{fffd}']).trim_start();
    if text.get(..11).is_some_and(|begin| begin.eq_ignore_ascii_case("BEGIN:VCARD")) {
        return Ok(Format::Vcard);
    }
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let is_json = ending.to_ascii_lowercase().starts_with("json") || ending == "jsonl";
    if is_json || text.starts_with("[{") || (text.starts_with('{') && text.contains('"')) {
        let is_tree = text.contains("\"attributes\"") && text.contains("\"referenceId\"");
        return Ok(if is_tree { Format::DataTree } else { Format::Json });
    }
    Ok(Format::Csv)
}
