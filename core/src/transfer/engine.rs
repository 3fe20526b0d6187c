//! One import at work: rows become records within transactions that it is given.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::{
    error::RowProblem,
    file::Missing,
    lookup::Lookup,
    mapping::{Content, Mapping, Target},
    reader::RawRow,
    report::{ERRORS_KEPT_MAX, ImportReport, RowError, count},
    row::{Cells, Fault, Said, changed, fingerprint},
};
use crate::{
    ids::RecordId,
    replica::{ReplicaError, Writer},
    schema::Kind,
    store::imports::{self, Found, ImportedRow, WaitingRow},
};

/// A rejected row and why, for the error file.
pub(super) type Rejected = (RowError, csv::StringRecord);

/// What an import knows while it runs.
#[derive(Debug)]
pub(super) struct Engine<'m> {
    mapping: &'m Mapping,
    /// Places of the columns in a row, by slot.
    places: Vec<usize>,
    /// Columns of the header.
    width: usize,
    lookup: Lookup,
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

/// Fields to write, and references whose record is not here, by field.
#[derive(Default)]
struct Resolved {
    fields: Map<String, Json>,
    pending: BTreeMap<String, String>,
}

/// Why a row was not written: its own fault, or the store's.
enum Stop {
    Fault(Fault),
    Store(ReplicaError),
}

impl From<ReplicaError> for Stop {
    fn from(error: ReplicaError) -> Self {
        Self::Store(error)
    }
}

impl From<crate::store::StoreError> for Stop {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Store(error.into())
    }
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
            let cell = raw.cells.get(*place).unwrap_or_default().trim();
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

    /// Finds the records that references name.
    fn resolve(
        &mut self,
        writer: &Writer<'_>,
        targets: impl Iterator<Item = (&'m Target, Said)>,
    ) -> Result<Resolved, Stop> {
        let mut resolved = Resolved::default();
        for (target, said) in targets {
            let name = &target.field.name;
            let (text, reference) = match (said, &target.reference) {
                (Said::Reference(text), Some(reference)) => (text, reference),
                (Said::Reference(text), None) => {
                    resolved.fields.insert(name.clone(), text.into());
                    continue;
                }
                (Said::Value(json), _) => {
                    resolved.fields.insert(name.clone(), json);
                    continue;
                }
            };
            let found = self.lookup.find(writer, name, reference, &text)?;
            if let Found::One(id) = found {
                resolved.fields.insert(name.clone(), id.to_string().into());
            } else if reference.missing == Missing::Reject || target.must_be_filled() {
                return Err(Stop::Fault((target.first_slot(), not_found(target, found))));
            } else {
                resolved.fields.insert(name.clone(), Json::Null);
                resolved.pending.insert(name.clone(), text);
            }
        }
        Ok(resolved)
    }

    /// Writes fields of a record that exists; returns whether anything changed.
    fn write_fields(
        &self,
        writer: &mut Writer<'_>,
        record: RecordId,
        fields: Map<String, Json>,
    ) -> Result<bool, Stop> {
        let mut edits = Map::new();
        let mut current = None;
        for target in &self.mapping.targets {
            let Some(json) = fields.get(&target.field.name) else { continue };
            let edit = match target.field.kind {
                // A file sets them once; afterwards people count, and who wrote first stays.
                Kind::Counter | Kind::Once => continue,
                // What people added beside the file's members stays.
                Kind::Set if json.is_null() => continue,
                Kind::Set => serde_json::json!({ "add": json }),
                Kind::Register | Kind::Text | Kind::Office | Kind::Rows | Kind::Log => {
                    if matches!(target.content, Content::Parts(_)) {
                        if current.is_none() {
                            current = writer.read(record)?;
                        }
                        overlay(target, current.as_ref(), json)
                    } else {
                        json.clone()
                    }
                }
            };
            edits.insert(target.field.name.clone(), edit);
        }
        if edits.is_empty() {
            return Ok(false);
        }
        writer.attempt(|writer| writer.update(record, &edits)).map_err(refused)
    }

    /// Tries the references of a row again, now that the whole file has been read.
    pub(super) fn link(
        &mut self,
        writer: &mut Writer<'_>,
        waiting: &WaitingRow,
    ) -> Result<(), ReplicaError> {
        let Some(mut row) = imports::load(writer.conn(), waiting.record)? else { return Ok(()) };
        let mut still = BTreeMap::new();
        let mut found_fields = Map::new();
        for (name, text) in parse_pending(&row.pending) {
            let target = self.mapping.targets.iter().find(|target| target.field.name == name);
            let Some((target, reference)) =
                target.and_then(|target| Some((target, target.reference.as_ref()?)))
            else {
                continue;
            };
            match self.lookup.find(writer, &target.field.name, reference, &text)? {
                Found::One(id) => drop(found_fields.insert(name, id.to_string().into())),
                Found::None => {
                    count(&mut self.report.missing_references, &name);
                    still.insert(name, text);
                }
                Found::Several => {
                    count(&mut self.report.ambiguous_references, &name);
                    still.insert(name, text);
                }
            }
        }
        if found_fields.is_empty() {
            return Ok(());
        }
        // What a person has filled in meanwhile stays.
        let current = writer.read(waiting.record)?.unwrap_or_default();
        found_fields.retain(|name, _| current.get(name).is_none());
        let is_written =
            !found_fields.is_empty() && writer.update(waiting.record, &found_fields)?;
        if is_written && waiting.is_unchanged {
            self.report.unchanged -= 1;
            self.report.updated += 1;
        }
        row.pending = write_pending(&still);
        Ok(imports::save(writer.conn(), waiting.record, &row)?)
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

fn not_found(target: &Target, found: Found) -> RowProblem {
    let field = target.field.name.clone();
    let (entity, by) = target.reference.as_ref().map_or_else(Default::default, |reference| {
        (reference.entity.name.clone(), reference.by.name().to_owned())
    });
    match found {
        Found::Several => RowProblem::AmbiguousReference { field, entity, by },
        Found::None | Found::One(_) => RowProblem::MissingReference { field, entity },
    }
}

/// What a record does not take is the row's fault; everything else stops the import.
fn refused(error: ReplicaError) -> Stop {
    let is_own =
        matches!(error, ReplicaError::Edit(_) | ReplicaError::Write(_) | ReplicaError::Text(_));
    if is_own {
        Stop::Fault((None, RowProblem::Refused(error.to_string())))
    } else {
        Stop::Store(error)
    }
}

/// The parts that the file gives over those that the record has.
fn overlay(target: &Target, current: Option<&Json>, json: &Json) -> Json {
    let Content::Parts(parts) = &target.content else { return json.clone() };
    let known = current.and_then(|record| record.get(&target.field.name)).and_then(Json::as_object);
    let mut object = known.cloned().unwrap_or_default();
    for (part, _) in parts {
        match json.get(part) {
            Some(text) => drop(object.insert(part.clone(), text.clone())),
            None => drop(object.remove(part)),
        }
    }
    if object.is_empty() { Json::Null } else { Json::Object(object) }
}

/// Reads references that wait; none if they cannot be read, as only this room writes them.
fn parse_pending(text: &str) -> BTreeMap<String, String> {
    serde_json::from_str(text).unwrap_or_default()
}

fn write_pending(pending: &BTreeMap<String, String>) -> String {
    if pending.is_empty() {
        return String::new();
    }
    serde_json::to_string(pending).unwrap_or_default()
}
