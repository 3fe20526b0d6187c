//! JSON as our exports write it: each record on a line of its own. Of a file that something else has laid
//! out anew the records are read one after another, too: none need fit into memory.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver},
    thread,
};

use serde_json::{Map, Value as Json};

use super::{OwnError, Row};
use crate::transfer::{
    error::ImportError,
    export::{FORMAT, FORMAT_VERSION},
    table::records::{self, RECORD_MARKS_MAX, Shape, TOO_MANY_VALUES, marks},
};

/// Bytes of one line, at most: a record with all that it may hold.
const LINE_BYTES_MAX: u64 = 16 << 20;
/// Bytes of what stands before the records, at most; what is longer was laid out anew.
const HEAD_BYTES_MAX: usize = 4 << 10;

/// Where lines come from.
enum Lines {
    File(BufReader<File>),
    /// Each record of a file that is laid out otherwise.
    LaidOut(Receiver<Result<String, OwnError>>),
}

/// The records of a file.
pub(super) struct JsonRows {
    path: PathBuf,
    lines: Lines,
    bytes: u64,
    row: u64,
}

impl JsonRows {
    pub(super) fn open(path: &Path, file: BufReader<File>) -> Result<Self, OwnError> {
        let mut rows = Self { path: path.to_owned(), lines: Lines::File(file), bytes: 0, row: 1 };
        if let Some(head) = rows.next_line()?.and_then(|line| head_of(&line)) {
            check(path, &head)?;
        } else {
            check(path, &beside_records(path)?)?;
            rows.lines = Lines::LaidOut(laid_out(path));
            rows.bytes = 0;
        }
        Ok(rows)
    }

    fn next_line(&mut self) -> Result<Option<String>, OwnError> {
        let file = match &mut self.lines {
            Lines::File(file) => file,
            Lines::LaidOut(records) => {
                let line = records.recv().ok().transpose()?;
                self.bytes += line.as_ref().map_or(0, |line| line.len() as u64);
                return Ok(line);
            }
        };
        let failed = |source| OwnError::Read { path: self.path.clone(), source };
        let mut line = String::new();
        let mut limited = file.take(LINE_BYTES_MAX + 1);
        let count = limited.read_line(&mut line).map_err(failed)? as u64;
        if count > LINE_BYTES_MAX {
            let (path, row) = (self.path.clone(), self.row);
            return Err(OwnError::RowTooLong { path, row, max: LINE_BYTES_MAX });
        }
        self.bytes += count;
        Ok((count > 0).then_some(line))
    }

    pub(super) fn next_row(&mut self) -> Result<Option<(u64, Row)>, OwnError> {
        while let Some(line) = self.next_line()? {
            let text = line.trim();
            let text = text.strip_suffix(',').unwrap_or(text);
            if text.is_empty() || text == "]}" {
                continue;
            }
            self.row += 1;
            return Ok(Some((self.row, row_of(text))));
        }
        Ok(None)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

fn not_ours(path: &Path, why: &str) -> OwnError {
    OwnError::NotOurs { path: path.to_owned(), why: why.to_owned() }
}

/// What stands before the records in a file of ours.
fn head_of(line: &str) -> Option<Map<String, Json>> {
    if line.len() > HEAD_BYTES_MAX {
        return None;
    }
    let begin = line.trim_end().strip_suffix(",\"records\":[").map(|head| format!("{head}}}"));
    let head: Map<String, Json> = serde_json::from_str(begin.as_deref().unwrap_or(line)).ok()?;
    (!head.contains_key("records")).then_some(head)
}

fn check(path: &Path, head: &Map<String, Json>) -> Result<(), OwnError> {
    if head.get("format").and_then(Json::as_str) != Some(FORMAT) {
        return Err(not_ours(path, "it does not begin with the format"));
    }
    match head.get("version").and_then(Json::as_u64) {
        Some(version) if (1..=FORMAT_VERSION).contains(&version) => Ok(()),
        Some(_) => Err(not_ours(path, "its version is newer than this program")),
        None => Err(not_ours(path, "it names no version")),
    }
}

/// What stands beside the records of a file that is laid out otherwise.
fn beside_records(path: &Path) -> Result<Map<String, Json>, OwnError> {
    match records::each(path, LINE_BYTES_MAX, &mut |_| Ok(()))
        .map_err(|error| failed(path, error))?
    {
        Shape::Member(head) => Ok(head),
        Shape::One(head) => {
            check(path, &head)?;
            Err(not_ours(path, "it has no list of records"))
        }
        Shape::List | Shape::None => Err(not_ours(path, "it is no object of JSON")),
    }
}

/// Reads the records of a file that is laid out otherwise, each as a line, until nobody asks for more.
fn laid_out(path: &Path) -> Receiver<Result<String, OwnError>> {
    // None is kept in between.
    let (give, take) = mpsc::sync_channel(0);
    let path = path.to_owned();
    thread::spawn(move || {
        let stopped = || ImportError::Json { path: path.clone(), problem: "stopped".to_owned() };
        let read = records::each(&path, LINE_BYTES_MAX, &mut |record| {
            give.send(Ok(record.to_string())).map_err(|_| stopped())
        });
        if let Err(error) = read {
            // Whoever stopped it asks for no reason.
            let _ = give.send(Err(failed(&path, error)));
        }
    });
    take
}

fn failed(path: &Path, error: ImportError) -> OwnError {
    if let ImportError::Read { path, source } = error {
        return OwnError::Read { path, source };
    }
    let words =
        if let ImportError::Json { problem, .. } = error { problem } else { error.to_string() };
    not_ours(path, &format!("it is no object of JSON with records: {words}"))
}

fn row_of(text: &str) -> Row {
    if marks(text.as_bytes()) as u64 > RECORD_MARKS_MAX {
        return Err(TOO_MANY_VALUES.to_owned());
    }
    match serde_json::from_str(text) {
        Ok(Json::Object(record)) => Ok(record),
        Ok(Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_)) => {
            Err("it is no object of JSON".to_owned())
        }
        Err(_) => Err("it is no JSON".to_owned()),
    }
}
