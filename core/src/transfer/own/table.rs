//! Tables as our exports write them: columns found by name or by label, cells made values.
//!
//! [`Table`] takes the cells as text, of CSV or of a sheet made into CSV.
//! The order of the columns does not matter, and columns that are not ours are passed over, so a
//! file that somebody has sorted and annotated is still understood.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use csv::{ByteRecord, StringRecord};
use serde_json::{Map, Value as Json};

use super::{OwnError, Row, continued::Continued};
use crate::{
    schema::{Entity, Field, Kind, Language, Schema, TextHints, Type},
    transfer::export::{
        Headers,
        cells::read_members,
        columns::{Column, Columns, ENTITY, Holds},
        defuse::refuse,
    },
};

/// Bytes of one row, at most: a record with all that it may hold.
const ROW_BYTES_MAX: u64 = 16 << 20;

/// The head of a table of ours.
#[derive(Debug)]
pub(super) struct Table {
    heads: Vec<String>,
    /// The place of the column with the entity's name.
    entity_place: usize,
    /// The entity of the rows, once one has named it, and what its columns hold.
    known: Option<(&'static Entity, Vec<Option<Column>>)>,
    hints: TextHints,
    /// What is longer than a cell.
    rest: Arc<Continued>,
}

impl Table {
    /// Takes the heads of the columns, as text that was not defused.
    ///
    /// # Errors
    ///
    /// What is missing.
    pub(super) fn new(heads: Vec<String>) -> Result<Self, String> {
        let names = [ENTITY, "Entity", "实体"];
        let entity_place = heads
            .iter()
            .position(|head| names.contains(&head.as_str()))
            .ok_or_else(|| format!("it has no column `{ENTITY}`"))?;
        let (hints, rest) = (TextHints::default(), Arc::default());
        Ok(Self { heads, entity_place, known: None, hints, rest })
    }

    /// The record that a row says, as JSON.
    ///
    /// # Errors
    ///
    /// What does not fit, with the name of the column.
    pub(super) fn record<'c>(
        &mut self,
        cells: impl Iterator<Item = &'c str> + Clone,
    ) -> Result<Map<String, Json>, String> {
        let name = cells.clone().nth(self.entity_place).unwrap_or_default();
        let is_known = self.known.as_ref().is_some_and(|(entity, _)| entity.name == name);
        if !is_known {
            let entity =
                Schema::current().entity(name).ok_or("it names no entity that there is")?;
            self.known = Some((entity, self.columns_of(entity)));
        }
        let Some((entity, columns)) = &self.known else { return Ok(Map::new()) };
        let mut record = Map::new();
        record.insert(ENTITY.to_owned(), entity.name.as_str().into());
        let is_id = |(column, _): &(&Option<Column>, &str)| {
            column.as_ref().is_some_and(|column| column.holds == Holds::Id)
        };
        let id = columns.iter().zip(cells.clone()).find(is_id).map_or("", |(_, cell)| cell);
        for (column, cell) in columns.iter().zip(cells) {
            let Some(column) = column.as_ref().filter(|_| !cell.is_empty()) else { continue };
            let cell = self.rest.whole(id, &column.name, cell);
            self.take(&column.holds, &cell, &mut record)?;
        }
        Ok(record)
    }

    /// What each column holds, by its name or by its label in one of the languages.
    fn columns_of(&self, entity: &'static Entity) -> Vec<Option<Column>> {
        let mut known: HashMap<String, Column> = HashMap::new();
        for language in [Language::En, Language::Zh] {
            let columns = Columns::of(entity, Headers::Labels(language));
            for (label, column) in columns.labels(language).into_iter().zip(columns.list) {
                known.insert(label, column.clone());
                known.insert(column.name.clone(), column);
            }
        }
        // A name is meant before a label that happens to be the same.
        for column in Columns::of(entity, Headers::Names).list {
            known.insert(column.name.clone(), column);
        }
        self.heads.iter().map(|head| known.get(head).cloned()).collect()
    }

    fn take(
        &self,
        holds: &Holds,
        cell: &str,
        record: &mut Map<String, Json>,
    ) -> Result<(), String> {
        match holds {
            Holds::Entity | Holds::Title(_) => {}
            Holds::Id => drop(record.insert("id".to_owned(), cell.into())),
            Holds::IsArchived => {
                let flag = self.value(&Type::Bool, "is_archived", cell)?;
                record.insert("is_archived".to_owned(), flag);
            }
            Holds::Whole(field) => {
                let json = self.whole(field, cell)?;
                record.insert(field.name.clone(), json);
            }
            Holds::Part(field, part) => {
                let json = self.part(field, part, cell)?;
                let value = record.entry(field.name.clone()).or_insert_with(|| Map::new().into());
                if let Json::Object(value) = value {
                    value.insert((*part).to_owned(), json);
                }
            }
        }
        Ok(())
    }

    fn value(&self, ty: &Type, name: &str, cell: &str) -> Result<Json, String> {
        let value = ty.from_text(cell, &self.hints).map_err(|error| format!("{name}: {error}"))?;
        Ok(ty.to_json(&value))
    }

    fn whole(&self, field: &Field, cell: &str) -> Result<Json, String> {
        match field.kind {
            Kind::Text => Ok(cell.into()),
            Kind::Set => Ok(read_members(cell).into()),
            Kind::Rows | Kind::Log => {
                serde_json::from_str(cell).map_err(|_| format!("{}: no JSON", field.name))
            }
            Kind::Register | Kind::Once | Kind::Office | Kind::Counter => {
                self.value(&field.ty, &field.name, cell)
            }
        }
    }

    fn part(&self, field: &Field, part: &str, cell: &str) -> Result<Json, String> {
        let name = || format!("{}.{part}", field.name);
        match (&field.ty, part) {
            (Type::Period, _) => self.value(&Type::Date, &name(), cell),
            (Type::TimeSpan, "start" | "end") => self.value(&Type::DateTime, &name(), cell),
            (Type::TimeSpan, "all_day") => self.value(&Type::Bool, &name(), cell),
            (_, _) => Ok(cell.into()),
        }
    }
}

/// The rows of a CSV file.
pub(super) struct CsvRows {
    path: PathBuf,
    csv: csv::Reader<Limited>,
    table: Table,
    row: u64,
    /// Whether cells were made safe for spreadsheets.
    is_defused: bool,
}

/// A file of which only so much may be read before a row must have ended.
struct Limited {
    file: BufReader<File>,
    left: u64,
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let count = self.file.read(buffer)?;
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}

impl CsvRows {
    pub(super) fn open(
        path: &Path,
        file: BufReader<File>,
        is_defused: bool,
    ) -> Result<Self, OwnError> {
        let csv = csv::ReaderBuilder::new()
            .flexible(true)
            .has_headers(false)
            .from_reader(Limited { file, left: ROW_BYTES_MAX });
        let table = Table {
            heads: Vec::new(),
            entity_place: 0,
            known: None,
            hints: TextHints::default(),
            rest: Arc::default(),
        };
        let mut rows = Self { path: path.to_owned(), csv, table, row: 0, is_defused };
        let head = rows.next_cells()?.unwrap_or_default();
        let head = head.iter().map(|cell| {
            let cell = cell.trim_start_matches('\u{feff}');
            if is_defused { refuse(cell) } else { cell }.to_owned()
        });
        rows.table = Table::new(head.collect())
            .map_err(|why| OwnError::NotOurs { path: path.to_owned(), why })?;
        Ok(rows)
    }

    /// With the texts that are longer than a cell.
    pub(super) fn going_on(mut self, rest: Arc<Continued>) -> Self {
        self.table.rest = rest;
        self
    }

    fn next_cells(&mut self) -> Result<Option<StringRecord>, OwnError> {
        self.csv.get_mut().left = ROW_BYTES_MAX;
        self.row += 1;
        let mut record = ByteRecord::new();
        let is_row = self.csv.read_byte_record(&mut record).map_err(|error| {
            let (path, row) = (self.path.clone(), self.row);
            let words = error.to_string();
            let csv::ErrorKind::Io(source) = error.into_kind() else {
                return OwnError::Read { path, source: io::Error::other(words) };
            };
            if source.kind() == io::ErrorKind::FileTooLarge {
                return OwnError::RowTooLong { path, row, max: ROW_BYTES_MAX };
            }
            OwnError::Read { path, source }
        })?;
        if !is_row {
            return Ok(None);
        }
        let cells = StringRecord::from_byte_record(record).map_err(|_| OwnError::NotOurs {
            path: self.path.clone(),
            why: format!("row {} is not UTF-8", self.row),
        })?;
        Ok(Some(cells))
    }

    pub(super) fn next_row(&mut self) -> Result<Option<(u64, Row)>, OwnError> {
        let Some(cells) = self.next_cells()? else { return Ok(None) };
        let is_defused = self.is_defused;
        let cell = |cell| if is_defused { refuse(cell) } else { cell };
        Ok(Some((self.row, self.table.record(cells.iter().map(cell)))))
    }

    pub(super) fn bytes(&self) -> u64 {
        self.csv.position().byte()
    }
}
