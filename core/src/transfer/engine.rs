//! One import at work: rows become records within transactions that it is given.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{
    error::RowProblem,
    export::defuse::refuse,
    links::{parse_pending, write_pending},
    lookup::Lookup,
    mapping::Mapping,
    reader::RawRow,
    report::{ERRORS_KEPT_MAX, ImportReport, RowError, count},
    row::{Cells, Fault, Said, changed, fingerprint},
    write::{Resolved, Stop, refused},
};
use crate::{
    ids::RecordId,
    replica::{ReplicaError, Writer},
    store::imports::{self, ImportedRow},
};

/// A rejected row and why, for the error file.
pub(super) type Rejected = (RowError, csv::StringRecord);

/// What an import knows while it runs.
#[derive(Debug)]
pub(super) struct Engine<'m> {
    pub(super) mapping: &'m Mapping,
    /// Places of the columns in a row, by slot.
    places: Vec<usize>,
    /// Columns of the header.
    width: usize,
    pub(super) lookup: Lookup,
    pub(super) report: ImportReport,
    /// Rejected rows since they were last taken.
    pub(super) rejected: Vec<Rejected>,
    /// Whether rows wait for records that may come later in the file.
    pub(super) has_waiting: bool,
}

/// What becomes of a row.
enum Outcome {
    Created,
    Updated,
    Unchanged,
}

/// A row that is fit to be written.
struct Ready {
    record: RecordId,
    key: String,
    said: Vec<Said>,
}

impl<'m> Engine<'m> {
    pub(super) fn new(
        mapping: &'m Mapping,
        places: Vec<usize>,
        header: &[String],
        is_dry_run: bool,
    ) -> Self {
        let is_unused = |name: &&String| mapping.columns.iter().all(|used| used.name != **name);
        let report = ImportReport {
            entity: mapping.entity.name.clone(),
            source: mapping.source.clone(),
            is_dry_run,
            unused_columns: header.iter().filter(is_unused).cloned().collect(),
            ..ImportReport::default()
        };
        Self {
            mapping,
            places,
            width: header.len(),
            lookup: Lookup::default(),
            report,
            rejected: Vec::new(),
            has_waiting: false,
        }
    }

    /// Imports one row, or rejects it.
    pub(super) fn take(
        &mut self,
        writer: &mut Writer<'_>,
        raw: &RawRow,
    ) -> Result<(), ReplicaError> {
        self.report.rows += 1;
        let done = self.prepare(writer, raw).and_then(|ready| self.write(writer, ready));
        match done {
            Ok(Outcome::Created) => self.report.created += 1,
            Ok(Outcome::Updated) => self.report.updated += 1,
            Ok(Outcome::Unchanged) => self.report.unchanged += 1,
            Err(Stop::Fault(fault)) => self.reject(raw, fault),
            Err(Stop::Store(error)) => return Err(error),
        }
        Ok(())
    }

    fn reject(&mut self, raw: &RawRow, (slot, problem): Fault) {
        self.report.rejected += 1;
        let column = slot.and_then(|slot| self.mapping.columns.get(slot));
        let error = RowError {
            row: raw.row,
            column: column.map_or_else(String::new, |column| column.name.clone()),
            reason: problem.to_string(),
        };
        if self.report.errors.len() < ERRORS_KEPT_MAX {
            self.report.errors.push(error.clone());
        }
        self.rejected.push((error, raw.cells.clone()));
    }

    /// Reads the row: its cells, its key, what it says about the fields.
    fn prepare(&mut self, writer: &Writer<'_>, raw: &RawRow) -> Result<Ready, Stop> {
        if raw.cells.len() != self.width {
            let problem = RowProblem::CellCount { found: raw.cells.len(), expected: self.width };
            return Err(Stop::Fault((None, problem)));
        }
        let mapping = self.mapping;
        let cells = self.clean(raw);
        let key = cells.key(mapping).map_err(Stop::Fault)?;
        let (record, key) = number_key(writer, mapping, key)?;
        if let Some(first) = imports::note_seen(writer.conn(), record, raw.row)? {
            let slot = mapping.key.first().copied();
            return Err(Stop::Fault((slot, RowProblem::SameKey(first))));
        }
        let said = mapping.targets.iter().map(|target| cells.read(target));
        let said = said.collect::<Result<Vec<_>, _>>().map_err(Stop::Fault)?;
        Ok(Ready { record, key, said })
    }

    /// The cells of the columns that are used, trimmed, and replaced where the mapping says so.
    fn clean<'r>(&mut self, raw: &'r RawRow) -> Cells<'r>
    where
        'm: 'r,
    {
        let mut cells = Vec::with_capacity(self.places.len());
        for (column, place) in self.mapping.columns.iter().zip(&self.places) {
            let cell = refuse(raw.cells.get(*place).unwrap_or_default()).trim();
            match column.map.get(cell) {
                None => cells.push(cell),
                Some(meant) => {
                    let counts = self.report.mapped_values.entry(column.name.clone());
                    count(counts.or_default(), cell);
                    cells.push(meant.as_str());
                }
            }
        }
        Cells(cells)
    }

    fn write(&mut self, writer: &mut Writer<'_>, ready: Ready) -> Result<Outcome, Stop> {
        self.count_empty_references(&ready.said);
        let fresh = fingerprint(self.mapping, &ready.said);
        let before = imports::load(writer.conn(), ready.record)?;
        if !writer.exists(ready.record)? {
            return self.create(writer, ready, fresh);
        }
        match before {
            None => self.adopt(writer, ready, fresh),
            Some(before) if before.fingerprint == fresh => {
                if !before.pending.is_empty() {
                    self.wait(writer, ready.record, true)?;
                }
                Ok(Outcome::Unchanged)
            }
            Some(before) => self.update(writer, ready, &before, fresh),
        }
    }

    fn count_empty_references(&mut self, said: &[Said]) {
        for (target, said) in self.mapping.targets.iter().zip(said) {
            if target.reference.is_some() && *said == Said::Value(Json::Null) {
                count(&mut self.report.empty_references, &target.field.name);
            }
        }
    }

    fn wait(
        &mut self,
        writer: &Writer<'_>,
        record: RecordId,
        is_unchanged: bool,
    ) -> Result<(), ReplicaError> {
        self.has_waiting = true;
        Ok(imports::add_waiting(writer.conn(), record, is_unchanged)?)
    }

    fn create(
        &mut self,
        writer: &mut Writer<'_>,
        ready: Ready,
        fresh: Vec<u8>,
    ) -> Result<Outcome, Stop> {
        let mapping = self.mapping;
        let Ready { record, key, said } = ready;
        let all = mapping.targets.iter().zip(said);
        let Resolved { mut fields, pending } = self.resolve(writer, all)?;
        fields.retain(|_, json| !json.is_null());
        let external = [mapping.source.as_str(), ":", &key].concat();
        fields.insert("external_id".to_owned(), external.into());
        let entity = &mapping.entity.name;
        let created = writer.attempt(|writer| writer.create_with_gaps(entity, record, &fields));
        created.map_err(refused)?;
        self.keep(writer, record, fresh, pending, false)?;
        Ok(Outcome::Created)
    }

    /// Writes the fields that the file has changed since the last import.
    fn update(
        &mut self,
        writer: &mut Writer<'_>,
        ready: Ready,
        before: &ImportedRow,
        fresh: Vec<u8>,
    ) -> Result<Outcome, Stop> {
        let is_changed = changed(&before.fingerprint, &fresh);
        let targets = self.mapping.targets.iter().zip(ready.said).zip(is_changed);
        let mut still: BTreeMap<String, String> = parse_pending(&before.pending);
        let mut wanted = Vec::new();
        for ((target, said), is_changed) in targets {
            if is_changed {
                still.remove(&target.field.name);
                wanted.push((target, said));
            }
        }
        let resolved = self.resolve(writer, wanted.into_iter())?;
        still.extend(resolved.pending);
        let is_written = self.write_fields(writer, ready.record, resolved.fields)?;
        self.keep(writer, ready.record, fresh, still, !is_written)?;
        Ok(if is_written { Outcome::Updated } else { Outcome::Unchanged })
    }

    /// Fills what is empty in a record that came from elsewhere: another device's import, perhaps
    /// edited since.
    fn adopt(
        &mut self,
        writer: &mut Writer<'_>,
        ready: Ready,
        fresh: Vec<u8>,
    ) -> Result<Outcome, Stop> {
        self.report.adopted += 1;
        let current = writer.read(ready.record)?.unwrap_or_default();
        let targets = self.mapping.targets.iter().zip(ready.said);
        let gaps: Vec<_> =
            targets.filter(|(target, _)| current.get(&target.field.name).is_none()).collect();
        let Resolved { mut fields, pending } = self.resolve(writer, gaps.into_iter())?;
        fields.retain(|_, json| !json.is_null());
        let is_written = self.write_fields(writer, ready.record, fields)?;
        self.keep(writer, ready.record, fresh, pending, !is_written)?;
        Ok(if is_written { Outcome::Updated } else { Outcome::Unchanged })
    }

    fn keep(
        &mut self,
        writer: &Writer<'_>,
        record: RecordId,
        fingerprint: Vec<u8>,
        pending: BTreeMap<String, String>,
        is_unchanged: bool,
    ) -> Result<(), ReplicaError> {
        let is_waiting = !pending.is_empty();
        let row = ImportedRow { fingerprint, pending: write_pending(&pending) };
        imports::save(writer.conn(), record, &row)?;
        if is_waiting { self.wait(writer, record, is_unchanged) } else { Ok(()) }
    }
}

/// The record of a key; one that may come several times gets its number, from the second on.
fn number_key(
    writer: &Writer<'_>,
    mapping: &Mapping,
    key: String,
) -> Result<(RecordId, String), ReplicaError> {
    let id = |key: &str| RecordId::external(&mapping.entity.name, &mapping.source, key);
    let first = id(&key);
    if !mapping.key_occurrence {
        return Ok((first, key));
    }
    match imports::count_key(writer.conn(), first)? {
        1 => Ok((first, key)),
        times => {
            let key = format!("{key}#{times}");
            Ok((id(&key), key))
        }
    }
}
