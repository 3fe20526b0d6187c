//! Walking through units: what is sent of each, and what left.

use outrider_core::{
    ids::{DocumentId, Part, RecordId},
    sync::frame::{DocumentFrame, Progress, PullFrame, PullRequest},
};

use super::{Emit, FeedError, Pass, View, body, visits};
use crate::storage::{
    Device, FeedRow, Read, Storage, StorageError, StoredDocument,
    access::{UnitRow, UnitScope},
};

/// Units per page, and so per read transaction.
const UNITS_PAGE: usize = 64;
/// Documents of one unit per page.
const DOCUMENTS_PAGE: usize = 500;

/// One answer under way.
pub(super) struct Walk<'a, 'e> {
    pub(super) storage: &'a dyn Storage,
    pub(super) device: &'a Device,
    pub(super) view: &'a View,
    /// The device's cursor.
    pub(super) base: u64,
    /// Bytes that may still be sent.
    pub(super) budget: u64,
    pub(super) emit: &'a mut Emit<'e>,
}

/// How far an answer came.
pub(super) enum Reached {
    /// To its end; the position that the cursor may take.
    All(u64),
    /// The budget ended it; the position that the cursor may take once all is sent.
    OutOfBudget(Option<u64>),
}

impl Walk<'_, '_> {
    /// Sends everything, from where an earlier answer was cut off.
    pub(super) fn run(&mut self, request: &PullRequest) -> Result<Reached, FeedError> {
        let progress = request.progress.as_ref();
        let mut reached = progress.and_then(|progress| progress.reached);
        let mut passes = Vec::new();
        if self.view.holds_something() {
            passes.push(Pass::Changes);
        }
        if self.view.has_grown() {
            passes.extend([Pass::Configuration, Pass::Visits, Pass::Rest]);
        }
        let begun = progress.map_or(0, |progress| progress.pass);
        for pass in passes.into_iter().filter(|pass| pass.number() >= begun) {
            let progress = progress.filter(|progress| progress.pass == pass.number());
            let Some(position) = self.pass(pass, progress)? else {
                return Ok(Reached::OutOfBudget(reached));
            };
            // What changes while later passes are under way is sent by the next pull: the cursor
            // goes no further than the first pass came.
            reached.get_or_insert(position);
        }
        let position = match reached {
            Some(position) => position,
            None => self.storage.read()?.position()?,
        };
        self.tell_left()?;
        Ok(Reached::All(position))
    }

    /// One pass; the position that it reached, or none if the budget ended it.
    fn pass(&mut self, pass: Pass, progress: Option<&Progress>) -> Result<Option<u64>, FeedError> {
        let (scopes, base) = match pass {
            Pass::Changes => (self.view.scopes(), self.base),
            Pass::Configuration => (self.view.configuration(), 0),
            Pass::Visits => return self.visits(),
            Pass::Rest => {
                let sent = self.view.configuration();
                let rest = self.view.scopes().into_iter();
                (rest.filter(|scope| !sent.contains(scope)).collect(), 0)
            }
        };
        let mut after = progress.map(|progress| (progress.family_position, progress.family));
        // The unit in which the budget ended is gone on with behind the last document.
        let mut within = progress.map(|progress| (progress.record, progress.part.clone()));
        if let Some(progress) = progress {
            let unit = UnitRow { position: progress.family_position, unit: progress.family };
            if !self.unit(pass, &unit, within.take())? {
                return Ok(None);
            }
        }
        loop {
            let (units, position) = {
                let tx = self.storage.read()?;
                (tx.changed_units(&scopes, base, after, UNITS_PAGE)?, tx.position()?)
            };
            if units.is_empty() {
                return Ok(Some(position));
            }
            for unit in units {
                if !self.unit(pass, &unit, None)? {
                    return Ok(None);
                }
                after = Some((unit.position, unit.unit));
            }
        }
    }

    /// Sends what the device needs of a unit; whether there is budget left.
    fn unit(
        &mut self,
        pass: Pass,
        unit: &UnitRow,
        mut after: Option<(RecordId, Part)>,
    ) -> Result<bool, FeedError> {
        let tx = self.storage.read()?;
        let scopes = tx.scopes_of(unit.unit, None)?;
        if after.is_none() {
            for scope in self.view.told(&scopes) {
                if pass != Pass::Changes || !self.view.was_told(scope) {
                    (self.emit)(PullFrame::Enter(unit.unit, scope.scope.to_string()))?;
                }
            }
            if pass == Pass::Changes {
                for record in tx.left_records(unit.unit, self.base)? {
                    (self.emit)(PullFrame::Depart(unit.unit, record))?;
                }
            }
        }
        // Of a record alone the family counts too, and the other way round.
        let alone = tx.record_alone(unit.unit)?;
        loop {
            let rows = tx.unit_documents(unit.unit, after.take(), DOCUMENTS_PAGE)?;
            let is_last = rows.len() < DOCUMENTS_PAGE;
            for row in rows {
                after = Some((row.cursor.record, row.cursor.part.clone()));
                self.document(&*tx, pass, unit, &row, (&scopes, alone.is_some()))?;
                if self.budget == 0 {
                    return Ok(false);
                }
            }
            if is_last {
                return Ok(true);
            }
        }
    }

    /// Sends a document, if the device sees it and does not have it.
    fn document(
        &mut self,
        tx: &dyn Read,
        pass: Pass,
        unit: &UnitRow,
        row: &FeedRow,
        (scopes, is_alone): (&[UnitScope], bool),
    ) -> Result<(), FeedError> {
        let part = &row.cursor.part;
        let id = DocumentId { record: row.cursor.record, part: part.clone() };
        let mut all = scopes.to_vec();
        if let Some((family, alone)) = tx.place_of(id.record)? {
            if is_alone {
                let family = tx.scopes_of(family, None)?;
                if self.view.sees(&row.entity, part, &family) {
                    // It comes with its family.
                    return Ok(());
                }
                all.extend(family);
            } else if let Some(alone) = alone {
                all.extend(tx.scopes_of(alone, None)?);
            }
        }
        if !self.view.sees(&row.entity, part, &all) {
            return Ok(());
        }
        let saw = self.view.saw(&row.entity, part, &all);
        let base = match pass {
            // What is new to the device comes whole; in a pull that has grown, with the rest.
            Pass::Changes if saw => self.base,
            Pass::Changes => 0,
            Pass::Configuration | Pass::Visits | Pass::Rest if saw => return Ok(()),
            Pass::Configuration | Pass::Visits | Pass::Rest => 0,
        };
        if saw && row.position <= self.base {
            return Ok(());
        }
        self.send(tx, &id, base, (pass.number(), unit.position), unit.unit)
    }

    fn send(
        &mut self,
        tx: &dyn Read,
        id: &DocumentId,
        base: u64,
        place: (u8, u64),
        unit: RecordId,
    ) -> Result<(), FeedError> {
        let Some(stored) = readable(tx, id)? else { return Ok(()) };
        // What the device wrote itself it has, unless it lost it meanwhile: what it wrote before
        // its cursor and does not see by it.
        let is_own_news = || {
            let first = match tx.changes_since(id, 0, 1) {
                // Then it is sent whole.
                Err(error) if error.is_damage() => return Ok(false),
                first => first?,
            };
            Ok::<_, StorageError>(first.first().is_some_and(|change| change.position > self.base))
        };
        let author = (base > 0 || is_own_news()?).then_some(self.device);
        let frames = match frames(tx, id, &stored, base, author, place) {
            Err(error) if error.is_damage() => {
                tracing::error!(document = %id, error = %error, "left out of an answer");
                return Ok(());
            }
            frames => frames?,
        };
        for mut frame in frames {
            frame.unit = (unit != frame.family).then_some(unit);
            let size = body::size_of(&frame.body) as u64;
            self.budget = self.budget.saturating_sub(size);
            (self.emit)(PullFrame::Document(Box::new(frame)))?;
        }
        Ok(())
    }

    /// The user's open visits, and their customers.
    fn visits(&mut self) -> Result<Option<u64>, FeedError> {
        let tx = self.storage.read_as(self.view.grant())?;
        let position = tx.position()?;
        for record in visits::first_needed(&*tx, self.device)? {
            let Some(entity) = visits::entity_of(&*tx, record)? else { continue };
            for (unit, scope) in super::view::scopes_for(&*tx, self.view.grant(), record)? {
                (self.emit)(PullFrame::Enter(unit, scope))?;
            }
            for part in entity.parts() {
                let id = DocumentId { record, part };
                self.send(&*tx, &id, 0, (Pass::Visits.number(), 0), record)?;
            }
        }
        Ok(Some(position))
    }

    /// Units that left the scopes of which the device knows.
    fn tell_left(&mut self) -> Result<(), FeedError> {
        if !self.view.holds_something() {
            return Ok(());
        }
        for scope in self.view.scopes() {
            let mut after = None;
            loop {
                let left = {
                    let tx = self.storage.read()?;
                    tx.left_units(&scope, self.base, after, UNITS_PAGE)?
                };
                for unit in &left {
                    (self.emit)(PullFrame::Leave(unit.unit, scope.clone()))?;
                    after = Some((unit.position, unit.unit));
                }
                if left.len() < UNITS_PAGE {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// A document, if it is there and can be read: one that is damaged ends no answer.
pub(super) fn readable(
    tx: &dyn Read,
    id: &DocumentId,
) -> Result<Option<StoredDocument>, StorageError> {
    match tx.document(id) {
        Err(error) if error.is_damage() => {
            tracing::error!(document = %id, error = %error, "left out of an answer");
            Ok(None)
        }
        found => found,
    }
}

/// The frames of one document: none if `author` wrote everything new in it itself.
pub(super) fn frames(
    tx: &dyn Read,
    id: &DocumentId,
    stored: &StoredDocument,
    base: u64,
    author: Option<&Device>,
    (pass, family_position): (u8, u64),
) -> Result<Vec<DocumentFrame>, StorageError> {
    let bodies = body::bodies(tx, id, stored, base, author)?;
    let provenance = match body::provenance(tx, id, stored) {
        Err(error) if error.is_damage() => Vec::new(),
        known => known?,
    };
    Ok(bodies
        .into_iter()
        .map(|body| DocumentFrame {
            record: id.record,
            part: id.part.clone(),
            entity: stored.entity.clone(),
            family: stored.family,
            family_position,
            pass,
            body,
            provenance: provenance.clone(),
            unit: None,
        })
        .collect())
}
