//! One file of an import at work: rows become records within transactions that it is given.

use serde_json::Value as Json;

use super::{
    alike::Earlier,
    clean::trimmed,
    effect::{Effect, imprint},
    error::RowProblem,
    export::defuse::refuse,
    lookup::{Lookup, MADE, id_value, made_place},
    mapping::{Mapping, RowsInto},
    pending::{Pending, RowPlace},
    reader::RawRow,
    report::{ImportReport, RowNote, count},
    row::{Cells, Fault, Said, changed, fingerprint},
    table::is_defused,
    target::{Target, TargetError},
    write::{Resolved, Stop},
};
use crate::{
    ids::RecordId,
    schema::{RowId, SqlValue},
    store::imports::{
        ImportedRow,
        scratch::{Scratch, WaitingRow},
    },
};

/// A row that is told of in the error file, with its cells.
pub(super) type Told = (RowNote, csv::StringRecord);

/// What all files of a run share.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) scratch: Scratch,
    pub(super) is_dry_run: bool,
    /// What rows of the run's files are named by: entity and field.
    pub(super) named_by: Vec<(String, String)>,
}

/// What an import of one file knows while it runs.
#[derive(Debug)]
pub(super) struct Engine<'m> {
    pub(super) mapping: &'m Mapping,
    /// Which file of the run it is.
    pub(super) file: usize,
    /// Places of the columns in a row, by slot.
    places: Vec<usize>,
    /// Columns of the header.
    width: usize,
    /// Whether cells were made safe for spreadsheets.
    is_defused: bool,
    pub(super) lookup: Lookup,
    pub(super) report: ImportReport,
    /// Rejected rows since they were last taken.
    pub(super) told: Vec<Told>,
    /// The import that is kept for undo; none in a rehearsal.
    pub(super) batch: Option<i64>,
    /// Rows that were compared.
    pub(super) earlier: Option<Earlier<'m>>,
}

/// What becomes of a row.
enum Outcome {
    Created,
    Updated,
    Unchanged,
}

/// A row that is fit to be written.
struct Ready {
    /// The record; for a row of another record, what stands for it in the notes.
    record: RecordId,
    row: u64,
    key: String,
    said: Vec<Said>,
    /// Whose row it is, where it is no record of its own.
    place: Option<RowPlace>,
}

impl<'m> Engine<'m> {
    pub(super) fn new(
        mapping: &'m Mapping,
        file: usize,
        places: Vec<usize>,
        header: &[String],
        report: ImportReport,
    ) -> Self {
        Self {
            mapping,
            file,
            places,
            width: header.len(),
            is_defused: report.format.is_none_or(is_defused),
            lookup: Lookup::default(),
            report,
            told: Vec::new(),
            batch: None,
            earlier: None,
        }
    }

    /// A row of empty cells with `text` in the column of a slot.
    pub(super) fn width_cells(&self, slot: Option<usize>, text: &str) -> csv::StringRecord {
        let place = slot.and_then(|slot| self.places.get(slot).copied());
        (0..self.width).map(|at| if Some(at) == place { text } else { "" }).collect()
    }

    /// Imports one row, or rejects it.
    pub(super) fn take(
        &mut self,
        run: &Run,
        target: &mut dyn Target,
        raw: &RawRow,
    ) -> Result<(), TargetError> {
        self.report.rows += 1;
        let done = self.prepare(run, target, raw).and_then(|ready| self.write(run, target, ready));
        match done {
            Ok(Outcome::Created) => self.report.created += 1,
            Ok(Outcome::Updated) => self.report.updated += 1,
            Ok(Outcome::Unchanged) => self.report.unchanged += 1,
            Err(Stop::Fault(fault)) => self.reject(raw, fault),
            Err(Stop::Failed(error)) => return Err(error),
        }
        Ok(())
    }

    fn reject(&mut self, raw: &RawRow, (slot, problem): Fault) {
        self.report.rejected += 1;
        let column = slot.and_then(|slot| self.mapping.columns.get(slot));
        let note = RowNote {
            row: raw.row,
            column: column.map_or_else(String::new, |column| column.name.clone()),
            reason: problem.to_string(),
        };
        self.report.keep_error(&note);
        self.told.push((note, raw.cells.clone()));
    }

    /// Reads the row: its cells, its key, what it says about the fields.
    fn prepare(&mut self, run: &Run, target: &mut dyn Target, raw: &RawRow) -> Result<Ready, Stop> {
        if raw.cells.len() != self.width {
            let problem = RowProblem::CellCount { found: raw.cells.len(), expected: self.width };
            return Err(Stop::Fault((None, problem)));
        }
        let mapping = self.mapping;
        let cells = self.clean(raw);
        let key = cells.key(mapping).map_err(Stop::Fault)?;
        let (record, key) = number_key(&run.scratch, mapping, key)?;
        if let Some(first) = run.scratch.note_seen(record, raw.row)? {
            let slot = mapping.key.first().copied();
            return Err(Stop::Fault((slot, RowProblem::SameKey(first))));
        }
        let mut said = Vec::with_capacity(mapping.targets.len());
        for field in &mapping.targets {
            let (value, tidied) = cells.read(mapping, field).map_err(Stop::Fault)?;
            for what in tidied {
                let counts = self.report.cleaned.entry(field.field.name.clone());
                count(counts.or_default(), what);
            }
            said.push(value);
        }
        let place = match &mapping.rows {
            None => None,
            Some(into) => Some(self.place_of(run, target, into, &cells, record)?),
        };
        Ok(Ready { record, row: raw.row, key, said, place })
    }

    /// Whose row it is.
    fn place_of(
        &mut self,
        run: &Run,
        target: &mut dyn Target,
        into: &RowsInto,
        cells: &Cells<'_>,
        row: RecordId,
    ) -> Result<RowPlace, Stop> {
        let fault = |problem| Stop::Fault((into.parent.first_slot(), problem));
        let text = cells.text(&into.parent);
        let field = into.field.name.clone();
        if text.is_empty() {
            return Err(fault(RowProblem::Required(field)));
        }
        let found = self.lookup.find(target, &run.scratch, &into.reference, &text)?;
        let crate::store::imports::Found::One(record) = found else {
            let entity = into.reference.entity.name.clone();
            return Err(fault(RowProblem::MissingReference { field, entity }));
        };
        // The same row on every device that imports the file.
        let mut bytes = [0; 10];
        for (to, from) in bytes.iter_mut().zip(row.as_bytes()) {
            *to = *from;
        }
        Ok(RowPlace { record, field, id: RowId::new(bytes).to_string() })
    }

    /// The cells of the columns that are used, trimmed, and replaced where the mapping says so.
    fn clean<'r>(&mut self, raw: &'r RawRow) -> Cells<'r>
    where
        'm: 'r,
    {
        let mut cells = Vec::with_capacity(self.places.len());
        for (column, place) in self.mapping.columns.iter().zip(&self.places) {
            let cell = raw.cells.get(*place).unwrap_or_default();
            let cell = trimmed(if self.is_defused { refuse(cell) } else { cell });
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

    fn write(&mut self, run: &Run, target: &mut dyn Target, ready: Ready) -> Result<Outcome, Stop> {
        self.count_empty_references(&ready.said);
        let fresh = fingerprint(self.mapping, &ready.said);
        let before = target.notes().imported(ready.record)?;
        if let Some(place) = ready.place.clone() {
            return self.write_row(run, target, ready, place, before, fresh);
        }
        if !target.exists(ready.record)? {
            return self.create(run, target, ready, fresh);
        }
        target.check_touch(ready.record)?;
        match before {
            None => self.adopt(run, target, ready, fresh),
            Some(before) => {
                let pending = Pending::read(&before.pending);
                if before.fingerprint != fresh || pending.is_taken_back {
                    return self.update(run, target, ready, &before, fresh);
                }
                self.wait(run, &ready, pending, true)?;
                Ok(Outcome::Unchanged)
            }
        }
    }

    fn count_empty_references(&mut self, said: &[Said]) {
        for (target, said) in self.mapping.targets.iter().zip(said) {
            if target.reference.is_some() && *said == Said::Value(Json::Null) {
                count(&mut self.report.empty_references, &target.field.name);
            }
        }
    }

    /// Has references tried again at the end of the run.
    fn wait(
        &mut self,
        run: &Run,
        ready: &Ready,
        pending: Pending,
        is_unchanged: bool,
    ) -> Result<(), TargetError> {
        if pending.links.is_empty() {
            return Ok(());
        }
        Ok(run.scratch.add_waiting(&WaitingRow {
            record: ready.record,
            file: self.file,
            row: ready.row,
            is_unchanged,
            pending: pending.write(),
        })?)
    }

    fn pending(&self, ready: &Ready) -> Pending {
        Pending::new(&self.mapping.entity.name, ready.place.clone())
    }

    fn create(
        &mut self,
        run: &Run,
        target: &mut dyn Target,
        mut ready: Ready,
        fresh: Vec<u8>,
    ) -> Result<Outcome, Stop> {
        let mapping = self.mapping;
        let said = std::mem::take(&mut ready.said);
        let all = mapping.targets.iter().zip(said);
        let pending = self.pending(&ready);
        let Resolved { mut fields, pending } = self.resolve(run, target, all, pending)?;
        fields.retain(|_, json| !json.is_null());
        let external = [mapping.source.as_str(), ":", &ready.key].concat();
        fields.insert("external_id".to_owned(), external.into());
        self.compare(run, target, ready.record, ready.row, &fields)?;
        target.create(&mapping.entity.name, ready.record, &fields)?;
        if run.is_dry_run {
            self.note_made(run, ready.record, &fields)?;
        }
        let effect = Effect::Created { imprint: imprint(mapping.entity, &fields) };
        self.keep_effect(target, ready.record, &effect)?;
        self.keep(run, target, &ready, fresh, pending, false)?;
        Ok(Outcome::Created)
    }

    /// What later rows may name, although it will not be there.
    fn note_made(
        &self,
        run: &Run,
        record: RecordId,
        fields: &serde_json::Map<String, Json>,
    ) -> Result<(), TargetError> {
        run.scratch.note_made(MADE, &id_value(record), record)?;
        let entity = self.mapping.entity;
        for (_, name) in run.named_by.iter().filter(|(of, _)| *of == entity.name) {
            let Some(field) = entity.field(name) else { continue };
            let value = fields.get(name).and_then(|json| field.ty.from_json(json).ok());
            let value: Option<SqlValue> =
                value.and_then(|value| field.ty.to_sql(&value).into_iter().next());
            if let Some(value) = value {
                run.scratch.note_made(&made_place(entity, name), &value, record)?;
            }
        }
        Ok(())
    }

    /// Writes the fields that the file has changed since the last import. A record that an import
    /// had made which was taken back comes out of the archive.
    fn update(
        &mut self,
        run: &Run,
        target: &mut dyn Target,
        mut ready: Ready,
        before: &ImportedRow,
        fresh: Vec<u8>,
    ) -> Result<Outcome, Stop> {
        let is_changed = changed(&before.fingerprint, &fresh);
        let said = std::mem::take(&mut ready.said);
        let targets = self.mapping.targets.iter().zip(said).zip(is_changed);
        let mut still = self.pending(&ready);
        let was = Pending::read(&before.pending);
        still.links = was.links;
        let mut wanted = Vec::new();
        for ((field, said), is_changed) in targets {
            if is_changed {
                still.links.remove(&field.field.name);
                wanted.push((field, said));
            }
        }
        let resolved = self.resolve(run, target, wanted.into_iter(), still)?;
        let old = target.read(ready.record)?.unwrap_or_default();
        let is_back = was.is_taken_back && old.get("is_archived").is_some();
        let is_written = self.write_back(target, ready.record, &old, resolved.fields, is_back)?;
        if is_written {
            self.keep_change(target, ready.record, &old, &before.fingerprint)?;
        }
        self.keep(run, target, &ready, fresh, resolved.pending, !is_written)?;
        Ok(if is_written { Outcome::Updated } else { Outcome::Unchanged })
    }

    /// Fills what is empty in a record that came from elsewhere: another device's import, perhaps
    /// edited since; or one of ours that was taken back, which is brought back.
    fn adopt(
        &mut self,
        run: &Run,
        target: &mut dyn Target,
        mut ready: Ready,
        fresh: Vec<u8>,
    ) -> Result<Outcome, Stop> {
        self.report.adopted += 1;
        let old = target.read(ready.record)?.unwrap_or_default();
        let is_archived = old.get("is_archived").is_some();
        let said = std::mem::take(&mut ready.said);
        let targets = self.mapping.targets.iter().zip(said);
        let gaps: Vec<_> =
            targets.filter(|(field, _)| old.get(&field.field.name).is_none()).collect();
        let pending = self.pending(&ready);
        let Resolved { mut fields, pending } =
            self.resolve(run, target, gaps.into_iter(), pending)?;
        fields.retain(|_, json| !json.is_null());
        let is_written = self.write_back(target, ready.record, &old, fields, is_archived)?;
        if is_written {
            self.keep_change(target, ready.record, &old, &[])?;
        }
        self.keep(run, target, &ready, fresh, pending, !is_written)?;
        Ok(if is_written { Outcome::Updated } else { Outcome::Unchanged })
    }

    /// Writes fields, of a record that comes out of the archive if it is to; a row that is refused
    /// leaves it there.
    fn write_back(
        &self,
        target: &mut dyn Target,
        record: RecordId,
        old: &Json,
        fields: serde_json::Map<String, Json>,
        is_back: bool,
    ) -> Result<bool, Stop> {
        if is_back {
            target.restore(record)?;
        }
        let written = self.write_fields(target, record, old, fields);
        if is_back && matches!(written, Err(Stop::Fault(_))) {
            target.archive(record)?;
        }
        Ok(written? || is_back)
    }

    fn keep(
        &mut self,
        run: &Run,
        target: &dyn Target,
        ready: &Ready,
        fingerprint: Vec<u8>,
        pending: Pending,
        is_unchanged: bool,
    ) -> Result<(), TargetError> {
        let row = ImportedRow { fingerprint, pending: pending.write() };
        target.notes().keep_imported(ready.record, &row)?;
        self.wait(run, ready, pending, is_unchanged)
    }

    /// A row of another record: added, or its cells changed.
    fn write_row(
        &mut self,
        run: &Run,
        target: &mut dyn Target,
        mut ready: Ready,
        place: RowPlace,
        before: Option<ImportedRow>,
        fresh: Vec<u8>,
    ) -> Result<Outcome, Stop> {
        let record = target.read(place.record)?.unwrap_or_default();
        let old = row_of(&record, &place).cloned();
        let is_same = before.as_ref().is_some_and(|before| before.fingerprint == fresh);
        // A row that a person took out stays out.
        if before.is_some() && (is_same || old.is_none()) && target.exists(place.record)? {
            let pending = before.map(|before| Pending::read(&before.pending)).unwrap_or_default();
            self.wait(run, &ready, pending, true)?;
            return Ok(Outcome::Unchanged);
        }
        let said = std::mem::take(&mut ready.said);
        let mut still = self.pending(&ready);
        let is_changed = match (&old, &before) {
            (Some(_), Some(before)) => changed(&before.fingerprint, &fresh),
            (_, _) => vec![true; said.len()],
        };
        if let Some(before) = &before {
            still.links = Pending::read(&before.pending).links;
        }
        let mut wanted = Vec::new();
        for ((field, said), is_changed) in self.mapping.targets.iter().zip(said).zip(is_changed) {
            if is_changed {
                still.links.remove(&field.field.name);
                wanted.push((field, said));
            }
        }
        let Resolved { mut fields, pending } =
            self.resolve(run, target, wanted.into_iter(), still)?;
        let (edit, effect) = if let Some(old) = &old {
            let cells = fields.iter().map(|(name, new)| {
                let old = old.get(name).cloned().unwrap_or(Json::Null);
                (name.clone(), (old, new.clone()))
            });
            let effect = Effect::Cells { place: place.clone(), fields: cells.collect() };
            (serde_json::json!({ "edit": { place.id.as_str(): fields } }), effect)
        } else {
            fields.retain(|_, json| !json.is_null());
            fields.insert("id".to_owned(), place.id.as_str().into());
            (serde_json::json!({ "add": [fields] }), Effect::Row { place: place.clone() })
        };
        let fields = serde_json::Map::from_iter([(place.field, edit)]);
        // A rehearsal has not written the record that it would have made.
        if target.exists(place.record)? {
            target.update(place.record, &fields)?;
        }
        self.keep_effect(target, ready.record, &effect)?;
        self.keep(run, target, &ready, fresh, pending, false)?;
        Ok(if old.is_some() { Outcome::Updated } else { Outcome::Created })
    }
}

/// Whether a record has a row.
pub(super) fn has_row(record: &Json, place: &RowPlace) -> bool {
    row_of(record, place).is_some()
}

/// The row of a record.
pub(super) fn row_of<'r>(record: &'r Json, place: &RowPlace) -> Option<&'r Json> {
    let rows = record.get(&place.field)?.as_array()?;
    rows.iter().find(|row| row.get("id").and_then(Json::as_str) == Some(place.id.as_str()))
}

/// The record of a key; one that may come several times gets its number, from the second on.
fn number_key(
    scratch: &Scratch,
    mapping: &Mapping,
    key: String,
) -> Result<(RecordId, String), TargetError> {
    let entity = match &mapping.rows {
        None => mapping.entity.name.clone(),
        // No record has this id: it stands for the row in the notes.
        Some(into) => [&mapping.entity.name, "/", &into.field.name].concat(),
    };
    let id = |key: &str| RecordId::external(&entity, &mapping.source, key);
    let first = id(&key);
    if !mapping.key_occurrence {
        return Ok((first, key));
    }
    match scratch.count_key(first)? {
        1 => Ok((first, key)),
        times => {
            let key = format!("{key}#{times}");
            Ok((id(&key), key))
        }
    }
}
