//! A sheet of a workbook as CSV, cell by cell.
//!
//! A workbook is a compressed archive of XML: a few kilobytes may unpack to gigabytes. So the
//! [`archive`] is looked at first, with limits, before the library sees it. Formulas are
//! never reckoned: the value that the workbook was saved with counts.

use std::{fs::File, io::BufReader, path::Path};

use calamine::{DataRef, Reader, SheetType, SheetVisible, Xlsx, XlsxError, open_workbook};
use tempfile::NamedTempFile;

use super::{
    COLUMNS_MAX, archive,
    json::{Bounded, row_unwritten, unwritten},
};
use crate::transfer::{error::ImportError, reader::ROW_BYTES_MAX};

/// The last day that a workbook knows: the end of the year 9999.
const DAYS_MAX: f64 = 2_958_466.0;
/// Rows of a sheet, at most: what the format has.
pub const SHEET_ROWS_MAX: u32 = 1 << 20;

/// Writes a sheet as CSV.
pub(in crate::transfer) fn to_csv(
    path: &Path,
    sheet: Option<&str>,
) -> Result<NamedTempFile, ImportError> {
    archive::check(path)?;
    let damaged = |error: XlsxError| ImportError::Workbook {
        path: path.to_owned(),
        problem: error.to_string().chars().take(200).collect(),
    };
    let mut workbook: Xlsx<BufReader<File>> = open_workbook(path).map_err(damaged)?;
    let name = sheet_name(path, &workbook, sheet)?;
    let mut cells = workbook.worksheet_cells_reader(&name).map_err(damaged)?;
    let mut csv = csv::WriterBuilder::new().flexible(true).from_writer(Bounded::new()?);
    let write_error = |error: csv::Error| row_unwritten(path, error);
    let mut row: Vec<String> = Vec::new();
    let (mut row_at, mut width, mut empty_rows, mut row_bytes) = (0_u32, 0, 0_u32, 0_u64);
    loop {
        let cell = cells.next_cell().map_err(damaged)?;
        let (at, column) = match &cell {
            Some(cell) => cell.get_position(),
            None => (row_at.saturating_add(1), 0),
        };
        if cell.is_some() && at < row_at {
            let problem = "its rows are not in order".to_owned();
            return Err(ImportError::Workbook { path: path.to_owned(), problem });
        }
        if at > SHEET_ROWS_MAX {
            let problem = format!("it has more than {SHEET_ROWS_MAX} rows");
            return Err(ImportError::Workbook { path: path.to_owned(), problem });
        }
        while row_at < at {
            if row_at == 0 {
                width = row.len();
            }
            if row.is_empty() {
                empty_rows += 1;
            } else {
                // Rows without cells keep the numbers of those behind them; the last ones go.
                for _ in 0..empty_rows {
                    let empty = std::iter::repeat_n("", width.max(1));
                    csv.write_record(empty).map_err(write_error)?;
                }
                empty_rows = 0;
                // The header says how wide the sheet is; what stands beside it is another row's
                // fault.
                if row.len() < width {
                    row.resize(width, String::new());
                }
                csv.write_record(&row).map_err(write_error)?;
                row.clear();
                row_bytes = 0;
            }
            row_at += 1;
            if cell.is_none() {
                break;
            }
        }
        let Some(cell) = cell else { break };
        let text = text_of(cell.get_value());
        if text.is_empty() {
            continue;
        }
        let column = column as usize;
        if column >= COLUMNS_MAX {
            let (path, found) = (path.to_owned(), column + 1);
            return Err(ImportError::TooManyColumns { path, found, max: COLUMNS_MAX });
        }
        if row.len() <= column {
            row.resize(column + 1, String::new());
        }
        row_bytes += text.len() as u64;
        if row_bytes > ROW_BYTES_MAX {
            let (path, line) = (path.to_owned(), u64::from(at) + 1);
            return Err(ImportError::RowTooLong { path, line, max: ROW_BYTES_MAX });
        }
        if let Some(place) = row.get_mut(column) {
            *place = text;
        }
    }
    let made = csv.into_inner().map_err(|error| unwritten(path, error.into_error()))?;
    Ok(made.into_made())
}

/// The names of the sheets that are tables.
pub(in crate::transfer) fn names(path: &Path) -> Result<Vec<String>, ImportError> {
    archive::check(path)?;
    let damaged = |error: XlsxError| ImportError::Workbook {
        path: path.to_owned(),
        problem: error.to_string().chars().take(200).collect(),
    };
    let workbook: Xlsx<BufReader<File>> = open_workbook(path).map_err(damaged)?;
    let sheets = workbook.sheets_metadata().iter();
    let tables = sheets.filter(|sheet| sheet.typ == SheetType::WorkSheet);
    Ok(tables.map(|sheet| sheet.name.clone()).collect())
}

/// The sheet of that name, or the first one that people see.
fn sheet_name(
    path: &Path,
    workbook: &Xlsx<BufReader<File>>,
    wanted: Option<&str>,
) -> Result<String, ImportError> {
    let sheets = workbook.sheets_metadata();
    let is_table = |sheet: &&calamine::Sheet| sheet.typ == SheetType::WorkSheet;
    let mut tables = sheets.iter().filter(is_table);
    let found = match wanted {
        Some(wanted) => tables.find(|sheet| sheet.name == wanted),
        None => tables.find(|sheet| sheet.visible == SheetVisible::Visible),
    };
    found.map(|sheet| sheet.name.clone()).ok_or_else(|| ImportError::NoSheet {
        path: path.to_owned(),
        wanted: wanted.unwrap_or_default().chars().take(80).collect(),
        found: sheets.iter().take(20).map(|s| s.name.as_str()).collect::<Vec<_>>().join(", "),
    })
}

/// A cell as text that the types of fields read.
fn text_of(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Empty => String::new(),
        DataRef::Int(number) => number.to_string(),
        // Fifteen digits are all that a workbook keeps; more would be noise.
        DataRef::Float(number) => float_text(*number),
        DataRef::String(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(flag) => flag.to_string(),
        // The library reckons with milliseconds, of which others do not fit into a number.
        DataRef::DateTime(at) if !(0.0..=DAYS_MAX).contains(&at.as_f64()) => {
            float_text(at.as_f64())
        }
        DataRef::DateTime(at) => match at.as_datetime() {
            Some(moment) if at.is_datetime() => {
                let text = moment.format("%Y-%m-%dT%H:%M:%S%.f").to_string();
                text.strip_suffix("T00:00:00").map(str::to_owned).unwrap_or(text)
            }
            Some(_) | None => float_text(at.as_f64()),
        },
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::Error(error) => error.to_string(),
    }
}

fn float_text(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        return format!("{number:.0}");
    }
    // The shortest text that gives the number back, without an exponent.
    let rounded: f64 = format!("{number:.14e}").parse().unwrap_or(number);
    format!("{rounded}")
}
