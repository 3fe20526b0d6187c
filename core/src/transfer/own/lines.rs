//! JSON as our exports write it: each record on a line of its own, so that no file need fit into
//! memory. A file that something else has laid out anew is read whole, if it is not too long.

use std::{
    collections::VecDeque,
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
};

use serde_json::{Map, Value as Json};

use super::{OwnError, Row};
use crate::transfer::export::{FORMAT, FORMAT_VERSION};

/// Bytes of one line, at most: a record with all that it may hold.
const LINE_BYTES_MAX: u64 = 16 << 20;
/// Bytes of a file that is read whole, at most.
const WHOLE_BYTES_MAX: u64 = 64 << 20;

/// The records of a file.
pub(super) struct JsonRows {
    path: PathBuf,
    file: BufReader<File>,
    bytes: u64,
    row: u64,
    /// Records of a file that was read whole.
    whole: Option<VecDeque<Json>>,
}

impl JsonRows {
    pub(super) fn open(path: &Path, file: BufReader<File>) -> Result<Self, OwnError> {
        let mut rows = Self { path: path.to_owned(), file, bytes: 0, row: 1, whole: None };
        let head = rows.next_line()?.unwrap_or_default();
        let begin = head.trim_end().strip_suffix(",\"records\":[").map(|head| format!("{head}}}"));
        let head_json = serde_json::from_str(begin.as_deref().unwrap_or(&head));
        if let Ok(Json::Object(mut head)) = head_json {
            rows.check(&head)?;
            if let Some(Json::Array(records)) = head.remove("records") {
                rows.whole = Some(records.into());
            }
            return Ok(rows);
        }
        rows.read_whole(head)?;
        Ok(rows)
    }

    fn not_ours(&self, why: &str) -> OwnError {
        OwnError::NotOurs { path: self.path.clone(), why: why.to_owned() }
    }

    fn check(&self, head: &Map<String, Json>) -> Result<(), OwnError> {
        if head.get("format").and_then(Json::as_str) != Some(FORMAT) {
            return Err(self.not_ours("it does not begin with the format"));
        }
        match head.get("version").and_then(Json::as_u64) {
            Some(version) if (1..=FORMAT_VERSION).contains(&version) => Ok(()),
            Some(_) => Err(self.not_ours("its version is newer than this program")),
            None => Err(self.not_ours("it names no version")),
        }
    }

    fn read_whole(&mut self, mut text: String) -> Result<(), OwnError> {
        let failed = |source| OwnError::Read { path: self.path.clone(), source };
        let mut rest = (&mut self.file).take(WHOLE_BYTES_MAX + 1);
        let count = rest.read_to_string(&mut text).map_err(failed)?;
        if count as u64 > WHOLE_BYTES_MAX {
            return Err(self.not_ours("its records do not stand on lines of their own"));
        }
        self.bytes += count as u64;
        let Ok(Json::Object(mut head)) = serde_json::from_str(&text) else {
            return Err(self.not_ours("it is no object of JSON"));
        };
        self.check(&head)?;
        let Some(Json::Array(records)) = head.remove("records") else {
            return Err(self.not_ours("it has no list of records"));
        };
        self.whole = Some(records.into());
        Ok(())
    }

    fn next_line(&mut self) -> Result<Option<String>, OwnError> {
        let failed = |source| OwnError::Read { path: self.path.clone(), source };
        let mut line = String::new();
        let mut limited = (&mut self.file).take(LINE_BYTES_MAX + 1);
        let count = limited.read_line(&mut line).map_err(failed)? as u64;
        if count > LINE_BYTES_MAX {
            let (path, row) = (self.path.clone(), self.row);
            return Err(OwnError::RowTooLong { path, row, max: LINE_BYTES_MAX });
        }
        self.bytes += count;
        Ok((count > 0).then_some(line))
    }

    pub(super) fn next_row(&mut self) -> Result<Option<(u64, Row)>, OwnError> {
        if let Some(whole) = &mut self.whole {
            self.row += 1;
            return Ok(whole.pop_front().map(|record| (self.row, object(record))));
        }
        while let Some(line) = self.next_line()? {
            let text = line.trim();
            let text = text.strip_suffix(',').unwrap_or(text);
            if text.is_empty() || text == "]}" {
                continue;
            }
            self.row += 1;
            let row = serde_json::from_str(text).map_err(|_| "it is no JSON".to_owned());
            return Ok(Some((self.row, row.and_then(object))));
        }
        Ok(None)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

fn object(json: Json) -> Row {
    match json {
        Json::Object(record) => Ok(record),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => {
            Err("it is no object of JSON".to_owned())
        }
    }
}
