//! A device's store as the place of an import.

use rusqlite::Connection;
use serde_json::{Map, Value as Json};

use super::target::{Place, Target, TargetError, Work};
use crate::{
    access::{Level, Operation, PartKind},
    ids::RecordId,
    points,
    replica::{Replica, Writer},
    schema::{Entity, Schema, SqlValue},
    store::{
        StoreError,
        imports::{self, Found, Notes},
        likeness::{self, Likely},
        redirect::{self, REDIRECT},
    },
    time::TimestampMs,
};

impl Place for Replica {
    fn write(&mut self, work: Work<'_>) -> Result<(), TargetError> {
        let done = self.transaction(|writer| Ok(work(writer)))?;
        points::reach("device.import.after_batch");
        done
    }

    fn rehearse(&mut self, work: Work<'_>) -> Result<(), TargetError> {
        Self::rehearse(self, |writer| work(writer))
    }

    fn set_bulk(&mut self, is_bulk: bool) -> Result<(), TargetError> {
        Ok(imports::set_bulk(self.store().conn(), is_bulk)?)
    }

    fn may_import(&self, entity: &str) -> Result<bool, TargetError> {
        let grant = self.grant()?;
        Ok(grant.level(entity, Operation::Import, PartKind::Main) > Level::None)
    }

    fn now_ms(&self) -> TimestampMs {
        self.clock_ms()
    }
}

impl Target for Writer<'_> {
    fn exists(&self, record: RecordId) -> Result<bool, TargetError> {
        Ok(Self::exists(self, record)?)
    }

    fn read(&self, record: RecordId) -> Result<Option<Json>, TargetError> {
        let Some(itself) = Self::read(self, record)? else { return Ok(None) };
        match heir(self.conn(), &itself, record)? {
            Some(heir) => Ok(Self::read(self, heir)?),
            None => Ok(Some(itself)),
        }
    }

    fn create(
        &mut self,
        entity: &str,
        record: RecordId,
        fields: &Map<String, Json>,
    ) -> Result<(), TargetError> {
        Ok(self.attempt(|writer| writer.create_with_gaps(entity, record, fields))?)
    }

    fn update(
        &mut self,
        record: RecordId,
        fields: &Map<String, Json>,
    ) -> Result<bool, TargetError> {
        Ok(self.attempt(|writer| writer.update(record, fields))?)
    }

    fn archive(&mut self, record: RecordId) -> Result<(), TargetError> {
        Ok(self.attempt(|writer| writer.archive(record))?)
    }

    fn restore(&mut self, record: RecordId) -> Result<(), TargetError> {
        Ok(self.attempt(|writer| writer.restore(record))?)
    }

    fn find_by(
        &self,
        entity: &Entity,
        column: &str,
        value: &SqlValue,
    ) -> Result<Found, TargetError> {
        Ok(imports::find_by(self.conn(), entity, column, value)?)
    }

    fn likely(
        &self,
        entity: &Entity,
        fields: &Map<String, Json>,
        own: RecordId,
    ) -> Result<Vec<Likely>, TargetError> {
        Ok(likeness::likely(self.conn(), entity, fields, Some(own))?)
    }

    fn has_halves(&self, entity: &Entity, record: RecordId) -> Result<bool, TargetError> {
        let halves = redirect::halves(self.conn(), entity, record).map_err(StoreError::from)?;
        Ok(!halves.is_empty())
    }

    fn notes(&self) -> &dyn Notes {
        self.conn()
    }
}

/// The record that goes on for one that was merged into it.
fn heir(
    conn: &Connection,
    itself: &Json,
    record: RecordId,
) -> Result<Option<RecordId>, StoreError> {
    if itself.get(REDIRECT).is_none() {
        return Ok(None);
    }
    let entity = itself.get("entity").and_then(Json::as_str);
    let Some(entity) = entity.and_then(|name| Schema::current().entity(name)) else {
        return Ok(None);
    };
    let heir = redirect::resolve(conn, entity, record)?;
    Ok((heir != record).then_some(heir))
}
