//! What is wrong with a mapping file, or with a file to import.

use std::{io, path::PathBuf};

use super::{table::ENCODINGS, target::TargetError};
use crate::schema::ValueError;

/// What is wrong with a mapping file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// It is not TOML of the right shape; the text shows the place.
    #[error("the mapping cannot be read: {0}")]
    Syntax(#[from] Box<toml::de::Error>),
    /// It says something that does not fit the data model.
    #[error("the mapping is wrong at line {line}, column {column}: {problem}")]
    Invalid {
        /// Line of the file, from 1.
        line: usize,
        /// Column of the line, from 1.
        column: usize,
        /// What is wrong there.
        #[source]
        problem: MappingProblem,
    },
}

/// What does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingProblem {
    /// There is no such entity.
    #[error("there is no entity `{name}`; there are {known}")]
    UnknownEntity {
        /// What the file says.
        name: String,
        /// What there is.
        known: String,
    },
    /// The entity has no such field.
    #[error("{entity} has no field `{field}`; it has {known}")]
    UnknownField {
        /// The entity.
        entity: String,
        /// What the file says.
        field: String,
        /// What there is.
        known: String,
    },
    /// The field cannot come from a file.
    #[error("`{field}` cannot be imported: {reason}; leave it out")]
    NotImportable {
        /// The field.
        field: String,
        /// Why not.
        reason: &'static str,
    },
    /// A required field is not mapped.
    #[error(
        "{entity} requires `{field}`; map it, or write `{field} = {{ const = \"\", allow_empty = true }}`"
    )]
    Required {
        /// The entity.
        entity: String,
        /// The field.
        field: String,
    },
    /// Rows of a record without the record, or the other way about.
    #[error(
        "`rows` names the field that has rows, and `parent` the record: \
         `parent = {{ column = \"order\", ref = {{ by = \"key\" }} }}`; write both"
    )]
    NoParent,
    /// Not exactly one of column, const, template and sum.
    #[error("`{0}` needs exactly one of `column`, `const`, `template` and `sum`")]
    Source(String),
    /// A setting that does not go with the field.
    #[error("`{field}`: `{setting}` is for {usable}; leave it out")]
    Setting {
        /// The field.
        field: String,
        /// The setting.
        setting: &'static str,
        /// What it is for.
        usable: &'static str,
    },
    /// A part that the field does not have.
    #[error("`{field}` has no part `{part}`")]
    UnknownPart {
        /// The field.
        field: String,
        /// The part.
        part: String,
    },
    /// A column with two different maps.
    #[error("column `{0}` has two maps; a map holds wherever its column is used, so write it once")]
    TwoMaps(String),
    /// A template whose braces do not close.
    #[error(
        "`{0}`: write a template as text with columns in braces, such as \"{{name}} {{city}}\""
    )]
    Template(String),
    /// A constant that does not fit the field.
    #[error("`{field}`: the constant does not fit: {source}")]
    Constant {
        /// The field.
        field: String,
        /// What is wrong with it.
        #[source]
        source: ValueError,
    },
    /// A reference to the entity itself that may reject its row.
    #[error(
        "`{0}` refers to rows of the same file, which may come later; only `missing = \"leave_empty\"` is possible"
    )]
    RejectsItself(String),
    /// A link to another entity.
    #[error("`{field}` links to {entity}, not to `{named}`")]
    OtherEntity {
        /// The field.
        field: String,
        /// What it links to.
        entity: String,
        /// What the file says.
        named: String,
    },
    /// A field that records cannot be looked up by.
    #[error("{entity} cannot be looked up by `{field}`; use `key`, {known}")]
    NotIndexed {
        /// The entity.
        entity: String,
        /// What the file says.
        field: String,
        /// What there is.
        known: String,
    },
    /// The currency is unknown.
    #[error("`{0}` is no currency; write an ISO code such as CNY or USD")]
    Currency(String),
    /// The name of the source has another form.
    #[error("`{0}` cannot name a source; use up to 40 lower-case letters, digits, `-` and `_`")]
    SourceName(String),
    /// The key has no columns.
    #[error("the key needs at least one column")]
    NoKey,
    /// The delimiter is no single byte.
    #[error("a delimiter is one ASCII character, such as `,` or `;`")]
    Delimiter,
}

/// Why an import stopped. What was imported before stays, and running it again goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The user's role does not import such records.
    #[error(
        "your role may not import records of `{entity}`; ask an administrator to allow it. Nothing \
         was imported"
    )]
    NotPermitted {
        /// Of which entity.
        entity: String,
    },
    /// The file cannot be opened or read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is not in its encoding throughout.
    #[error(
        "{path} is read as {encoding}, which fits only up to line {line} (byte {offset}). Nothing \
         was imported. Save it as \"CSV UTF-8\", or say which encoding it has"
    )]
    Encoding {
        /// Which file.
        path: PathBuf,
        /// The encoding, guessed or said.
        encoding: &'static str,
        /// Line of the first wrong byte, from 1.
        line: u64,
        /// Its place in the file, from 0, more or less.
        offset: u64,
    },
    /// There is no such encoding.
    #[error("there is no encoding `{0}`; known are {ENCODINGS} and others that the web uses")]
    UnknownEncoding(String),
    /// The file holds what no text holds.
    #[error(
        "{path} is no table of text: row {row} holds a zero byte. Nothing was imported. Save it as \
         CSV or XLSX"
    )]
    NotText {
        /// Which file.
        path: PathBuf,
        /// Which row.
        row: u64,
    },
    /// The file is larger than is read.
    #[error("{path} is larger than {max} bytes; split it into several files. Nothing was imported")]
    FileTooLarge {
        /// Which file.
        path: PathBuf,
        /// Bytes, at most.
        max: u64,
    },
    /// The table is wider than is read.
    #[error("{path} has {found} columns, at most {max} are read. Nothing was imported")]
    TooManyColumns {
        /// Which file.
        path: PathBuf,
        /// How many it has, as far as they were counted.
        found: usize,
        /// How many are read.
        max: usize,
    },
    /// A quote is never closed.
    #[error(
        "{path}: a quote that opens in row {row} is never closed. Nothing was imported. Close it, or \
         double quotes that stand for themselves"
    )]
    OpenQuote {
        /// Which file.
        path: PathBuf,
        /// The row in which it opens.
        row: u64,
    },
    /// The workbook cannot be read.
    #[error("{path} cannot be read as a workbook: {problem}. Nothing was imported. Save it as CSV")]
    Workbook {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The workbook has no such sheet.
    #[error("{path} has no sheet `{wanted}` of cells; it has {found}")]
    NoSheet {
        /// Which file.
        path: PathBuf,
        /// The wanted sheet; empty if any would do.
        wanted: String,
        /// What there is.
        found: String,
    },
    /// The cards cannot be read.
    #[error("{path} cannot be read as vCard: {problem}. Nothing was imported")]
    Cards {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The JSON cannot be read.
    #[error("{path} cannot be read as JSON: {problem}. Nothing was imported")]
    Json {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A temporary file cannot be written.
    #[error("cannot write a temporary file: {source}; is the disk full?")]
    Temporary {
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is no such entity.
    #[error("there is no entity `{0}`; `schema` lists them")]
    UnknownEntity(String),
    /// The entity has no such field, or it cannot come from a file.
    #[error("no column can become `{field}` of {entity}")]
    UnknownField {
        /// The entity.
        entity: String,
        /// The field.
        field: String,
    },
    /// The currency is unknown.
    #[error("`{0}` is no currency of ISO 4217, such as EUR or CNY")]
    Currency(String),
    /// The region is unknown.
    #[error("`{0}` is no region of ISO 3166 with two letters, such as DE or CN")]
    Region(String),
    /// More files than one run takes.
    #[error("at most {max} files at once; import the others afterwards")]
    TooManyFiles {
        /// Files, at most.
        max: usize,
    },
    /// There is no such import.
    #[error("there is no import {0}; `imports` lists them")]
    UnknownBatch(i64),
    /// It was taken back already.
    #[error("import {0} was taken back before; import its file again to bring its records back")]
    UndoneBefore(i64),
    /// The import was long ago.
    #[error("an import can be taken back for {days} days; archive its records instead")]
    TooLate {
        /// For how many days.
        days: i64,
    },
    /// The file has no header.
    #[error("{0} is empty; its first line must name the columns")]
    NoHeader(PathBuf),
    /// The file lacks columns of the mapping.
    #[error("{path} has no column {missing}, which the mapping uses; it has {found}")]
    MissingColumns {
        /// Which file.
        path: PathBuf,
        /// What is missing.
        missing: String,
        /// What there is.
        found: String,
    },
    /// Two columns have the same name, and the mapping uses it.
    #[error("{path} has two columns `{column}`; rename one of them")]
    TwoColumns {
        /// Which file.
        path: PathBuf,
        /// Their name.
        column: String,
    },
    /// A row is longer than any row should be.
    #[error(
        "{path}: the row that begins near line {line} is longer than {max} bytes; is a quote left open?"
    )]
    RowTooLong {
        /// Which file.
        path: PathBuf,
        /// Where the row begins, more or less, from 1.
        line: u64,
        /// Bytes, at most.
        max: u64,
    },
    /// The error file cannot be written.
    #[error("cannot write the rejected rows to {path}: {source}")]
    ErrorFile {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The records cannot be written.
    #[error(transparent)]
    Target(#[from] TargetError),
}

/// Why one row was rejected. It never repeats the value, which may be personal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowProblem {
    /// Another number of cells than the header has.
    #[error("the row has {found} cells, the header {expected}")]
    CellCount {
        /// Cells of the row.
        found: usize,
        /// Cells of the header.
        expected: usize,
    },
    /// The key is empty.
    #[error("the key is empty")]
    EmptyKey,
    /// The key is too long.
    #[error("the key is longer than {max} characters")]
    LongKey {
        /// Characters, at most.
        max: usize,
    },
    /// An earlier row has the same key.
    #[error("row {0} has the same key")]
    SameKey(u64),
    /// A required field is empty.
    #[error("`{0}` is required")]
    Required(String),
    /// The value does not fit the field.
    #[error("`{field}`: {source}")]
    Value {
        /// The field.
        field: String,
        /// What is wrong with it.
        #[source]
        source: ValueError,
    },
    /// The record that a link names is not here.
    #[error("`{field}`: there is no such {entity}")]
    MissingReference {
        /// The field.
        field: String,
        /// The entity of the record.
        entity: String,
    },
    /// Several records have the name that a link gives.
    #[error("`{field}`: several records of {entity} have this {by}")]
    AmbiguousReference {
        /// The field.
        field: String,
        /// The entity of the records.
        entity: String,
        /// The field that they share.
        by: String,
    },
    /// The record does not take the values.
    #[error("{0}")]
    Refused(String),
}
