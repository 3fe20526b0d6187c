//! JSON: records as the API gives them, each on a line of its own.
//!
//! A file is one object, `{"format": "outrider", "version": 1, "records": [ … ]}`; with lines, the
//! first line is `{"format": "outrider", "version": 1}` and every other one a record. Both can be
//! read line by line, so neither has to fit into memory.

use std::io::Write;

use serde_json::{Map, Value as Json};

use super::{ExportError, Names, Sink};
use crate::schema::Entity;

/// What names the format in a file.
pub const FORMAT: &str = "outrider";
/// The version that is written; a reader refuses what is newer.
pub const FORMAT_VERSION: u64 = 1;

/// A JSON file.
pub(super) struct JsonFile<W: Write> {
    out: W,
    is_lines: bool,
    is_begun: bool,
}

impl<W: Write> JsonFile<W> {
    pub(super) fn start(mut out: W, is_lines: bool) -> Result<Self, ExportError> {
        let end = if is_lines { "}\n" } else { ",\"records\":[" };
        write!(out, "{{\"format\":\"{FORMAT}\",\"version\":{FORMAT_VERSION}{end}")?;
        Ok(Self { out, is_lines, is_begun: false })
    }
}

impl<W: Write> Sink for JsonFile<W> {
    fn begin(&mut self, _entity: &'static Entity) -> Result<(), ExportError> {
        Ok(())
    }

    fn write(
        &mut self,
        record: &Map<String, Json>,
        _names: &mut Names<'_>,
    ) -> Result<bool, ExportError> {
        if !self.is_lines {
            self.out.write_all(if self.is_begun { b",\n" } else { b"\n" })?;
        }
        serde_json::to_writer(&mut self.out, record).map_err(std::io::Error::from)?;
        if self.is_lines {
            self.out.write_all(b"\n")?;
        }
        self.is_begun = true;
        Ok(true)
    }

    fn finish(mut self: Box<Self>) -> Result<(), ExportError> {
        if !self.is_lines {
            self.out.write_all(b"\n]}\n")?;
        }
        Ok(self.out.flush()?)
    }
}
