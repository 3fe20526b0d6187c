//! Objects of JSON as CSV: what this program exports, and what other programs do.
//!
//! A list, an object with the member `records` and a file with one object on each line are read twice, record
//! by record: for their columns, and for their rows. Lists and objects within a record stay JSON in their cell.

use std::{
    collections::BTreeMap,
    io::{self, BufRead as _, Read as _, Write},
    path::Path,
};

use serde_json::{Map, Value as Json};
use tempfile::NamedTempFile;

use super::{
    COLUMNS_MAX, FILE_BYTES_MAX,
    records::{self, RECORD_BYTES_MAX, RECORD_MARKS_MAX, Shape, TOO_MANY_VALUES, marks},
};
use crate::transfer::{error::ImportError, reader::ROW_BYTES_MAX};

/// Writes the objects as CSV.
pub(super) fn to_csv(path: &Path) -> Result<NamedTempFile, ImportError> {
    let are_lines = is_lines(path)?;
    let mut columns = Columns::default();
    each_object(path, are_lines, &mut |object| columns.add(path, object.keys()))?;
    let mut rows = Rows::begin(path, &columns)?;
    each_object(path, are_lines, &mut |object| rows.write(&columns, &object))?;
    rows.finish()
}

type Visit<'v> = &'v mut dyn FnMut(Map<String, Json>) -> Result<(), ImportError>;

fn each_object(path: &Path, are_lines: bool, visit: Visit<'_>) -> Result<(), ImportError> {
    if are_lines {
        return each_line(path, visit);
    }
    let shape = records::each(path, RECORD_BYTES_MAX, &mut |json| {
        visit(object_of(json).ok_or_else(|| wrong(path, "a list of objects was expected"))?)
    })?;
    if let Shape::One(object) = shape { visit(object) } else { Ok(()) }
}

fn wrong(path: &Path, problem: &str) -> ImportError {
    ImportError::Json { path: path.to_owned(), problem: problem.to_owned() }
}

fn object_of(json: Json) -> Option<Map<String, Json>> {
    match json {
        Json::Object(object) => Some(object),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => None,
    }
}

/// Whether the first line is an object of its own.
fn is_lines(path: &Path) -> Result<bool, ImportError> {
    let read_error = |source| ImportError::Read { path: path.to_owned(), source };
    let mut lines = records::open(path)?;
    let mut first = Vec::new();
    lines.by_ref().take(RECORD_BYTES_MAX).read_until(b'\n', &mut first).map_err(read_error)?;
    // One with too many values is told so where it is read.
    let is_object = if marks(&first) as u64 > RECORD_MARKS_MAX {
        first.starts_with(b"{") && first.ends_with(b"\n")
    } else {
        serde_json::from_slice::<Map<String, Json>>(&first).is_ok()
    };
    let is_last = lines.fill_buf().map_err(read_error)?.is_empty();
    Ok(is_object && !is_last)
}

fn each_line(path: &Path, visit: Visit<'_>) -> Result<(), ImportError> {
    let read_error = |source| ImportError::Read { path: path.to_owned(), source };
    let mut lines = records::open(path)?;
    let mut line = Vec::new();
    let mut number = 0_u64;
    loop {
        line.clear();
        let mut limited = lines.by_ref().take(RECORD_BYTES_MAX + 1);
        if limited.read_until(b'\n', &mut line).map_err(read_error)? == 0 {
            return Ok(());
        }
        number += 1;
        if line.len() as u64 > RECORD_BYTES_MAX {
            let (path, max) = (path.to_owned(), RECORD_BYTES_MAX);
            return Err(ImportError::RowTooLong { path, line: number, max });
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if marks(&line) as u64 > RECORD_MARKS_MAX {
            return Err(wrong(path, TOO_MANY_VALUES));
        }
        let object = serde_json::from_slice(&line);
        visit(object.map_err(|_| wrong(path, &format!("line {number} is no object")))?)?;
    }
}

/// The columns in the order in which they first came.
#[derive(Debug, Default)]
pub(super) struct Columns {
    names: Vec<String>,
    places: BTreeMap<String, usize>,
    /// Of all names together: they become the first row.
    bytes: u64,
}

impl Columns {
    pub(super) fn add<'n>(
        &mut self,
        path: &Path,
        names: impl Iterator<Item = &'n String>,
    ) -> Result<(), ImportError> {
        for name in names {
            if !self.places.contains_key(name) {
                self.bytes += name.len() as u64;
                self.places.insert(name.clone(), self.names.len());
                self.names.push(name.clone());
            }
            let (path, found) = (path.to_owned(), self.names.len());
            if found > COLUMNS_MAX {
                return Err(ImportError::TooManyColumns { path, found, max: COLUMNS_MAX });
            }
            if self.bytes > ROW_BYTES_MAX {
                return Err(ImportError::RowTooLong { path, line: 1, max: ROW_BYTES_MAX });
            }
        }
        Ok(())
    }
}

/// A temporary file that becomes no larger than a file that is read may be.
#[derive(Debug)]
pub(super) struct Bounded {
    made: NamedTempFile,
    left: u64,
}

impl Bounded {
    pub(super) fn new() -> Result<Self, ImportError> {
        let made = NamedTempFile::new().map_err(|source| ImportError::Temporary { source })?;
        Ok(Self { made, left: FILE_BYTES_MAX })
    }

    pub(super) fn into_made(self) -> NamedTempFile {
        self.made
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.left {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let count = self.made.write(bytes)?;
        self.left -= count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.made.flush()
    }
}

/// Why the temporary file of a file was not written.
pub(super) fn unwritten(path: &Path, source: io::Error) -> ImportError {
    if source.kind() == io::ErrorKind::FileTooLarge {
        return ImportError::FileTooLarge { path: path.to_owned(), max: FILE_BYTES_MAX };
    }
    ImportError::Temporary { source }
}

/// Why a row of it was not written.
pub(super) fn row_unwritten(path: &Path, error: csv::Error) -> ImportError {
    let words = error.to_string();
    let csv::ErrorKind::Io(source) = error.into_kind() else {
        return ImportError::Temporary { source: io::Error::other(words) };
    };
    unwritten(path, source)
}

/// A temporary file of CSV.
pub(super) struct Rows<'p> {
    path: &'p Path,
    csv: csv::Writer<Bounded>,
}

impl<'p> Rows<'p> {
    pub(super) fn begin(path: &'p Path, columns: &Columns) -> Result<Self, ImportError> {
        let mut rows = Self { path, csv: csv::Writer::from_writer(Bounded::new()?) };
        rows.record(columns.names.iter().map(String::as_str))?;
        Ok(rows)
    }

    pub(super) fn write(
        &mut self,
        columns: &Columns,
        object: &Map<String, Json>,
    ) -> Result<(), ImportError> {
        // It would become a row as wide as all others.
        if object.is_empty() {
            return Ok(());
        }
        let cells: Vec<String> = columns
            .names
            .iter()
            .map(|name| object.get(name).map_or_else(String::new, cell))
            .collect();
        self.record(cells.iter().map(String::as_str))
    }

    fn record<'c>(&mut self, cells: impl Iterator<Item = &'c str>) -> Result<(), ImportError> {
        self.csv.write_record(cells).map_err(|error| row_unwritten(self.path, error))
    }

    pub(super) fn finish(self) -> Result<NamedTempFile, ImportError> {
        let path = self.path;
        let made = self.csv.into_inner().map_err(|error| unwritten(path, error.into_error()))?;
        Ok(made.into_made())
    }
}

fn cell(json: &Json) -> String {
    match json {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => json.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_of_a_file_has_a_limit() {
        let made = || Bounded { made: NamedTempFile::new().unwrap(), left: 12 };
        let columns = Columns { names: vec!["a".to_owned(), "b".to_owned()], ..Columns::default() };
        let write = |objects: &[&str]| {
            let path = Path::new("x.json");
            let mut rows = Rows { path, csv: csv::Writer::from_writer(made()) };
            rows.record(columns.names.iter().map(String::as_str))?;
            for object in objects {
                rows.write(&columns, &serde_json::from_str(object).unwrap())?;
            }
            rows.finish().map(|made| std::fs::read_to_string(made.path()).unwrap())
        };
        // An object of nothing is no row: a million of them make no million wide ones.
        assert_eq!(write(&["{}", "{\"a\":1}", "{}", "{\"b\":23}"]).unwrap(), "a,b\n1,\n,23\n");
        let error = write(&["{\"a\":1}", "{\"b\":2345}"]).unwrap_err();
        assert!(matches!(error, ImportError::FileTooLarge { .. }), "{error}");
    }
}
