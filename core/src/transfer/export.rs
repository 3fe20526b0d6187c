//! Export: records as files for other programs, the same on a device and on the server.
//!
//! What is exported is a stream of records as JSON, as [`crate::domain::record::to_json`] makes
//! them, each with the definition of its entity. An [`Export`] takes them one after another and
//! writes as it goes, so its memory does not grow with their number:
//!
//! ```no_run
//! # use outrider_core::transfer::export::{Export, ExportError, Format, Options};
//! # fn records() -> Vec<serde_json::Map<String, serde_json::Value>> { Vec::new() }
//! # fn main() -> Result<(), ExportError> {
//! let entity = outrider_core::schema::Schema::current().entity("customer").expect("built in");
//! let file = Box::new(std::fs::File::create("customers.csv")?);
//! let mut export = Export::start(Format::Csv, Options::default(), file, &|_| None)?;
//! export.begin(entity)?;
//! for record in records() {
//!     export.write(&record)?;
//! }
//! export.finish()?;
//! # Ok(())
//! # }
//! ```
//!
//! In reading order: [`defuse`] (cells that a spreadsheet would run), `columns` and `cells` (what a
//! table of records looks like), then one file for each format: `comma`, `sheet`, `json`; `lines`
//! is what `card` and `calendar` are written in, and `agenda` says which days a record has.
//! [`super::own`] reads our files back.

use std::{
    collections::HashMap,
    fmt,
    io::{self, Write},
};

use serde_json::{Map, Value as Json};

use crate::{
    ids::RecordId,
    schema::{Entity, Language},
    time::TimestampMs,
};

pub mod defuse;
pub mod whole;

pub(in crate::transfer) mod cells;
pub(in crate::transfer) mod columns;

mod days;

mod comma;
mod json;
pub(super) mod sheet;

mod lines;

mod agenda;
mod calendar;
mod card;

pub use card::CardVersion;
pub use json::{FORMAT, FORMAT_VERSION};

/// Names of linked records that are remembered, at most; then they are asked for anew.
pub const NAMES_KEPT_MAX: usize = 10_000;

/// The kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values, one entity.
    Csv,
    /// A workbook for Excel and others, a sheet for each entity.
    Xlsx,
    /// One object of JSON with the list of records, as the API gives them.
    Json,
    /// JSON, a record on each line after a line that names the format.
    JsonLines,
    /// Cards for address books.
    Vcard,
    /// Events and tasks for calendars.
    Ics,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Csv, Self::Xlsx, Self::Json, Self::JsonLines, Self::Vcard, Self::Ics];

    /// The format of a name such as `csv`, or of the ending of a file's name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        Some(match name.as_str() {
            "csv" => Self::Csv,
            "xlsx" => Self::Xlsx,
            "json" => Self::Json,
            "jsonl" | "ndjson" => Self::JsonLines,
            "vcf" | "vcard" => Self::Vcard,
            "ics" => Self::Ics,
            _ => return None,
        })
    }

    /// The ending of such a file's name.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Json => "json",
            Self::JsonLines => "jsonl",
            Self::Vcard => "vcf",
            Self::Ics => "ics",
        }
    }

    /// The media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Json => "application/json",
            Self::JsonLines => "application/x-ndjson",
            Self::Vcard => "text/vcard; charset=utf-8",
            Self::Ics => "text/calendar; charset=utf-8",
        }
    }

    /// Whether records of an entity can be written so: cards need somebody who can be reached,
    /// calendars a day.
    #[must_use]
    pub fn takes(self, entity: &Entity) -> bool {
        match self {
            Self::Csv | Self::Xlsx | Self::Json | Self::JsonLines => true,
            Self::Vcard => card::has_card(entity),
            Self::Ics => !agenda::dated_fields(entity).is_empty(),
        }
    }

    /// Whether one file can hold records of several entities.
    #[must_use]
    pub fn takes_several(self) -> bool {
        self != Self::Csv
    }
}

/// What stands at the head of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Headers {
    /// Names of fields, for programs: they stay the same.
    #[default]
    Names,
    /// Labels in a language, for people; choices and linked records are named too.
    Labels(Language),
}

/// How files are written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// What stands at the head of tables.
    pub headers: Headers,
    /// Whether CSV begins with a byte order mark, without which Excel takes UTF-8 for something
    /// else.
    pub bom: bool,
    /// Which version of cards.
    pub card: CardVersion,
    /// The time now, which every event names.
    pub now_ms: TimestampMs,
}

/// Why records could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The file could not be written.
    #[error("the export cannot be written: {0}")]
    Io(#[from] io::Error),
    /// The workbook could not be written.
    #[error("the workbook cannot be written: {0}")]
    Workbook(Box<rust_xlsxwriter::XlsxError>),
    /// One file would have to hold several entities.
    #[error("a CSV file holds one entity; write a file for each, or another format")]
    OneEntity,
    /// The entity has nothing that such a file could hold.
    #[error("records of {entity} cannot be written as {format}: {why}")]
    NotThat {
        /// The entity.
        entity: String,
        /// The ending of the file.
        format: &'static str,
        /// What is missing.
        why: &'static str,
    },
}

impl From<rust_xlsxwriter::XlsxError> for ExportError {
    fn from(error: rust_xlsxwriter::XlsxError) -> Self {
        if let rust_xlsxwriter::XlsxError::IoError(error) = error {
            Self::Io(error)
        } else {
            Self::Workbook(Box::new(error))
        }
    }
}

impl From<csv::Error> for ExportError {
    /// What the system said of a file comes unwrapped: whether the disk is full, say.
    fn from(error: csv::Error) -> Self {
        let words = error.to_string();
        if let csv::ErrorKind::Io(error) = error.into_kind() {
            Self::Io(error)
        } else {
            Self::Io(io::Error::other(words))
        }
    }
}

/// Finds the name of a record that a link leads to.
pub type FindName<'a> = &'a dyn Fn(RecordId) -> Option<String>;

/// Names of linked records, remembered for a while.
pub(in crate::transfer) struct Names<'a> {
    find: FindName<'a>,
    known: HashMap<RecordId, Option<String>>,
}

impl Names<'_> {
    /// The name of the record that a link's JSON names; `None` if it is not here.
    fn of_link(&mut self, json: &Json) -> Option<String> {
        let id = json.as_str()?.parse().ok()?;
        if self.known.len() >= NAMES_KEPT_MAX {
            self.known.clear();
        }
        self.known.entry(id).or_insert_with(|| (self.find)(id)).clone()
    }
}

/// Writes records in one format.
trait Sink {
    /// Begins the records of an entity.
    fn begin(&mut self, entity: &'static Entity) -> Result<(), ExportError>;

    /// Writes a record; says whether it has anything that the format can hold.
    fn write(
        &mut self,
        record: &Map<String, Json>,
        names: &mut Names<'_>,
    ) -> Result<bool, ExportError>;

    /// Writes what comes last.
    fn finish(self: Box<Self>) -> Result<(), ExportError>;
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Written {
    /// Records in the file.
    pub records: u64,
    /// Records that have nothing that the format can hold: no date, no name.
    pub left_out: u64,
}

/// An export at work.
pub struct Export<'a> {
    sink: Box<dyn Sink + 'a>,
    format: Format,
    names: Names<'a>,
    written: Written,
}

impl fmt::Debug for Export<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { format, written, .. } = self;
        f.debug_struct("Export").field("format", format).field("written", written).finish()
    }
}

impl<'a> Export<'a> {
    /// Begins a file; `find_name` is asked for the names of linked records.
    ///
    /// # Errors
    ///
    /// Fails when `out` does.
    pub fn start(
        format: Format,
        options: Options,
        out: Box<dyn Write + Send + 'a>,
        find_name: FindName<'a>,
    ) -> Result<Self, ExportError> {
        let sink: Box<dyn Sink + 'a> = match format {
            Format::Csv => Box::new(comma::Comma::start(out, options)?),
            Format::Xlsx => Box::new(sheet::Workbook::start(out, options)),
            Format::Json => Box::new(json::JsonFile::start(out, false)?),
            Format::JsonLines => Box::new(json::JsonFile::start(out, true)?),
            Format::Vcard => Box::new(card::Cards::start(out, options.card)),
            Format::Ics => Box::new(calendar::Calendar::start(out, options.now_ms)?),
        };
        let names = Names { find: find_name, known: HashMap::new() };
        Ok(Self { sink, format, names, written: Written::default() })
    }

    /// Begins the records of an entity.
    ///
    /// # Errors
    ///
    /// [`ExportError::NotThat`] if the format cannot hold them, [`ExportError::OneEntity`] for a
    /// second one in CSV; fails when writing does.
    pub fn begin(&mut self, entity: &'static Entity) -> Result<(), ExportError> {
        if !self.format.takes(entity) {
            let why = match self.format {
                Format::Vcard => "they have no name of a person and no e-mail address",
                Format::Ics => "they have no date to plan by",
                Format::Csv | Format::Xlsx | Format::Json | Format::JsonLines => "",
            };
            let (entity, format) = (entity.name.clone(), self.format.ending());
            return Err(ExportError::NotThat { entity, format, why });
        }
        self.sink.begin(entity)
    }

    /// Writes one record of the entity that was begun.
    ///
    /// # Errors
    ///
    /// Fails when writing does.
    pub fn write(&mut self, record: &Map<String, Json>) -> Result<(), ExportError> {
        if self.sink.write(record, &mut self.names)? {
            self.written.records += 1;
        } else {
            self.written.left_out += 1;
        }
        Ok(())
    }

    /// What was written so far.
    #[must_use]
    pub fn written(&self) -> Written {
        self.written
    }

    /// Ends the file.
    ///
    /// # Errors
    ///
    /// Fails when writing does.
    pub fn finish(self) -> Result<Written, ExportError> {
        self.sink.finish()?;
        Ok(self.written)
    }
}
