//! CSV: UTF-8, RFC 4180, CRLF, every cell defused.
//!
//! Cells of numbers, days and moments are what they are. Everything else goes through
//! [`super::defuse`], whatever its type: a tag, a row of JSON, a name, and the head of a column.

use std::io::Write;

use serde_json::{Map, Value as Json};

use super::{ExportError, Names, Options, Sink, cells::Cell, columns::Columns, defuse::defuse};
use crate::schema::Entity;

/// What makes Excel read UTF-8 as such.
const BOM: &[u8] = "\u{feff}".as_bytes();

/// A CSV file.
pub(super) struct Comma<W: Write> {
    csv: csv::Writer<W>,
    options: Options,
    columns: Option<Columns>,
}

impl<W: Write> Comma<W> {
    pub(super) fn start(mut out: W, options: Options) -> Result<Self, ExportError> {
        if options.bom {
            out.write_all(BOM)?;
        }
        let csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
        Ok(Self { csv, options, columns: None })
    }
}

impl<W: Write> Sink for Comma<W> {
    fn begin(&mut self, entity: &'static Entity) -> Result<(), ExportError> {
        if self.columns.is_some() {
            return Err(ExportError::OneEntity);
        }
        let columns = Columns::of(entity, self.options.headers);
        for head in columns.heads() {
            self.csv.write_field(defuse(&head).as_bytes())?;
        }
        self.csv.write_record(None::<&[u8]>)?;
        self.columns = Some(columns);
        Ok(())
    }

    fn write(
        &mut self,
        record: &Map<String, Json>,
        names: &mut Names<'_>,
    ) -> Result<bool, ExportError> {
        let Some(columns) = &self.columns else { return Ok(false) };
        for column in &columns.list {
            let cell = columns.cell(column, record, names);
            match &cell {
                Cell::Text(text) => self.csv.write_field(defuse(text).as_bytes())?,
                Cell::Number(_) | Cell::Empty | Cell::Bool(_) | Cell::Date(_) | Cell::Moment(_) => {
                    self.csv.write_field(cell.to_text())?;
                }
            }
        }
        self.csv.write_record(None::<&[u8]>)?;
        Ok(true)
    }

    fn finish(mut self: Box<Self>) -> Result<(), ExportError> {
        Ok(self.csv.flush()?)
    }
}
