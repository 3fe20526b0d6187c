//! XLSX: a sheet for each entity, its head frozen and filtered, cells of their own types.
//!
//! Text is written as text whatever it begins with, never as a formula. Rows go to a temporary file
//! as they come (`constant_memory`), so memory does not grow with them.
//!
//! The format has limits, and nothing is cut at them. A sheet takes 1,048,576 rows; what comes after
//! goes to a further sheet. A cell takes 32,767 characters; of a longer text the cell has the
//! beginning and [`CONTINUED_MARK`], and the sheet [`CONTINUED`] the rest, a row for each piece. Days
//! before March 1900, which Excel counts wrongly or not at all, and numbers with more digits than
//! a binary fraction keeps are written as text.

use std::io::Write;

use rust_xlsxwriter::{Format, Workbook as Book, Worksheet};
use serde_json::{Map, Value as Json};

use super::{
    ExportError, Headers, Names, Options, Sink,
    cells::Cell,
    columns::{Columns, ENTITY, ID},
    days::{date_to_ms, moment_to_ms},
};
use crate::{schema::Entity, time::DAY_MS};

/// Rows of a sheet, with its head.
const ROWS_MAX: u32 = 1_048_576;
/// UTF-16 units of a cell, at most.
const CELL_UNITS_MAX: usize = 32_767;
/// UTF-16 units of a piece of a longer text; leaves room for the mark.
const PIECE_UNITS: usize = 32_700;
/// What ends a cell whose text goes on elsewhere.
pub(in crate::transfer) const CONTINUED_MARK: &str = " …(continued)";
/// The sheet where it goes on.
pub(in crate::transfer) const CONTINUED: &str = "Continued";
/// Characters of a sheet's name, at most.
const NAME_CHARS_MAX: usize = 31;
/// Digits that a binary fraction keeps.
const NUMBER_DIGITS_MAX: usize = 15;
/// The first moment that Excel counts as everybody does: 1 March 1900, in its days.
const SERIAL_MIN: f64 = 61.0;
/// Days from Excel's day zero, 30 December 1899, to 1 January 1970.
const SERIAL_1970: f64 = 25_569.0;
/// How wide columns are, in characters.
const COLUMN_WIDTH: f64 = 16.0;

/// A workbook.
pub(super) struct Workbook<W: Write + Send> {
    out: W,
    book: Book,
    options: Options,
    looks: Looks,
    rows_max: u32,
    names: Vec<String>,
    sheet: Option<Sheet>,
    continued: Option<Continued>,
}

/// How cells look.
struct Looks {
    head: Format,
    day: Format,
    moment: Format,
}

/// The sheet that is being written.
struct Sheet {
    columns: Columns,
    worksheet: Worksheet,
    next_row: u32,
}

/// The sheet of what did not fit into cells.
struct Continued {
    worksheet: Worksheet,
    next_row: u32,
}

impl<W: Write + Send> Workbook<W> {
    pub(super) fn start(out: W, options: Options) -> Self {
        let looks = Looks {
            head: Format::new().set_bold(),
            day: Format::new().set_num_format("yyyy-mm-dd"),
            moment: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
        };
        Self {
            out,
            book: Book::new(),
            options,
            looks,
            rows_max: ROWS_MAX,
            names: Vec::new(),
            sheet: None,
            continued: None,
        }
    }

    /// Ends the sheet that is being written.
    fn end_sheet(&mut self) -> Result<(), ExportError> {
        let Some(mut sheet) = self.sheet.take() else { return Ok(()) };
        let last = u16::try_from(sheet.columns.list.len().saturating_sub(1)).unwrap_or(u16::MAX);
        sheet.worksheet.autofilter(0, 0, sheet.next_row.saturating_sub(1), last)?;
        self.book.push_worksheet(sheet.worksheet);
        Ok(())
    }

    fn begin_sheet(&mut self, columns: Columns) -> Result<(), ExportError> {
        self.end_sheet()?;
        let name = self.free_name(columns.entity);
        let mut worksheet = self.book.new_worksheet_with_constant_memory()?;
        worksheet.set_name(&name)?;
        self.names.push(name);
        worksheet.set_freeze_panes(1, 0)?;
        for (at, head) in (0..).zip(columns.heads()) {
            worksheet.set_column_width(at, COLUMN_WIDTH)?;
            worksheet.write_string_with_format(0, at, &head, &self.looks.head)?;
        }
        self.sheet = Some(Sheet { columns, worksheet, next_row: 1 });
        Ok(())
    }

    /// A name that no sheet has, without the letters that none may have.
    fn free_name(&self, entity: &Entity) -> String {
        let wanted = match self.options.headers {
            Headers::Names => entity.name.as_str(),
            Headers::Labels(language) => entity.plural.get(language),
        };
        let is_allowed = |char: &char| !"[]:*?/\\'".contains(*char) && !char.is_control();
        let wanted: String = wanted.chars().filter(is_allowed).collect();
        let with = |end: &str| {
            let room = NAME_CHARS_MAX.saturating_sub(end.len());
            wanted.chars().take(room).chain(end.chars()).collect::<String>()
        };
        let is_free = |name: &String| {
            let is_same = |other: &str| other.eq_ignore_ascii_case(name);
            !name.trim().is_empty() && !is_same(CONTINUED) && !self.names.iter().any(|n| is_same(n))
        };
        let numbered = (2..u32::MAX).map(|number| with(&format!(" {number}")));
        std::iter::once(with("")).chain(numbered).find(is_free).unwrap_or_default()
    }

    /// Writes the pieces of a text that is longer than a cell; returns what stands in the cell.
    fn continue_elsewhere(
        &mut self,
        entity: &Entity,
        id: &str,
        column: &str,
        text: &str,
    ) -> Result<String, ExportError> {
        if self.continued.is_none() {
            let mut worksheet = self.book.new_worksheet_with_constant_memory()?;
            worksheet.set_name(CONTINUED)?;
            worksheet.set_freeze_panes(1, 0)?;
            for (at, head) in (0..).zip([ID, ENTITY, "column", "piece", "text"]) {
                worksheet.write_string_with_format(0, at, head, &self.looks.head)?;
            }
            self.continued = Some(Continued { worksheet, next_row: 1 });
        }
        let mut pieces = pieces(text).into_iter();
        let first = pieces.next().unwrap_or_default();
        let Some(continued) = &mut self.continued else { return Ok(String::new()) };
        for (number, piece) in (2_u32..).zip(pieces) {
            let row = continued.next_row;
            continued.worksheet.write_string(row, 0, id)?;
            continued.worksheet.write_string(row, 1, &entity.name)?;
            continued.worksheet.write_string(row, 2, column)?;
            continued.worksheet.write_number(row, 3, number)?;
            continued.worksheet.write_string(row, 4, piece)?;
            continued.next_row += 1;
        }
        Ok([first, CONTINUED_MARK].concat())
    }
}

impl<W: Write + Send> Sink for Workbook<W> {
    fn begin(&mut self, entity: &'static Entity) -> Result<(), ExportError> {
        self.begin_sheet(Columns::of(entity, self.options.headers))
    }

    fn write(
        &mut self,
        record: &Map<String, Json>,
        names: &mut Names<'_>,
    ) -> Result<bool, ExportError> {
        if let Some(full) = self.sheet.take_if(|sheet| sheet.next_row >= self.rows_max) {
            let columns = full.columns.clone();
            self.sheet = Some(full);
            self.begin_sheet(columns)?;
        }
        let Some(mut sheet) = self.sheet.take() else { return Ok(false) };
        let row = sheet.next_row;
        for (at, column) in (0..).zip(&sheet.columns.list) {
            let cell = sheet.columns.cell(column, record, names);
            let worksheet = &mut sheet.worksheet;
            match (&cell, serial_of(&cell)) {
                (Cell::Empty, _) => {}
                (Cell::Bool(flag), _) => drop(worksheet.write_boolean(row, at, *flag)?),
                (Cell::Number(_), Some(number)) => drop(worksheet.write_number(row, at, number)?),
                (Cell::Date(_), Some(days)) => {
                    worksheet.write_number_with_format(row, at, days, &self.looks.day)?;
                }
                (_, Some(days)) => {
                    worksheet.write_number_with_format(row, at, days, &self.looks.moment)?;
                }
                (cell, None) => {
                    let text = cell.to_text();
                    if text.encode_utf16().count() > CELL_UNITS_MAX {
                        let id = record.get(ID).and_then(Json::as_str).unwrap_or_default();
                        let entity = sheet.columns.entity;
                        let begin = self.continue_elsewhere(entity, id, &column.name, text)?;
                        worksheet.write_string(row, at, begin)?;
                    } else {
                        worksheet.write_string(row, at, text)?;
                    }
                }
            }
        }
        sheet.next_row += 1;
        self.sheet = Some(sheet);
        Ok(true)
    }

    fn finish(mut self: Box<Self>) -> Result<(), ExportError> {
        self.end_sheet()?;
        if let Some(continued) = self.continued.take() {
            self.book.push_worksheet(continued.worksheet);
        }
        let Self { mut book, mut out, .. } = *self;
        book.save_to_writer(&mut out)?;
        Ok(out.flush()?)
    }
}

/// What a spreadsheet counts: a number, or days since its day zero; none if it cannot.
fn serial_of(cell: &Cell) -> Option<f64> {
    let days = |ms: i64| {
        let days = ms as f64 / DAY_MS as f64 + SERIAL_1970;
        (days >= SERIAL_MIN).then_some(days)
    };
    match cell {
        Cell::Number(digits) => {
            let significant = digits.bytes().filter(u8::is_ascii_digit).count();
            if significant > NUMBER_DIGITS_MAX { None } else { digits.parse().ok() }
        }
        Cell::Date(day) => days(date_to_ms(day)?),
        Cell::Moment(moment) => days(moment_to_ms(moment)?),
        Cell::Empty | Cell::Text(_) | Cell::Bool(_) => None,
    }
}

/// A text in pieces that fit into cells, none of which divides a character.
fn pieces(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut begin, mut units) = (0, 0);
    for (at, char) in text.char_indices() {
        if units + char.len_utf16() > PIECE_UNITS {
            found.extend(text.get(begin..at));
            (begin, units) = (at, 0);
        }
        units += char.len_utf16();
    }
    found.extend(text.get(begin..));
    found
}
