//! Taps on a device: each one group, judged and committed whole.

use rand::RngExt;
use serde_json::{Map, Value as Json};

use super::{Replica, ReplicaError};
use crate::{
    domain::taps::{self, Arrival, CheckEvent, Completion, Converted, PartUsed, TapError, Write},
    ids::RecordId,
    schema::RowId,
    store::{
        meta,
        query::{self, Compare, Filter, Query},
    },
};

impl Replica {
    /// Makes a lead a customer with a contact and an opportunity. Doing it again, here or on
    /// another device, gives the same three records.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] when the lead is not here.
    pub fn convert_lead(&mut self, lead: RecordId) -> Result<Converted, ReplicaError> {
        let shown = self.shown_of(lead, "lead")?;
        let (made, writes) = taps::convert_lead(lead, &shown, self.clock.now_ms());
        self.write_tap(&writes)?;
        Ok(made)
    }

    /// Marks an activity as held and tells what happened as an interaction, of which it gives the
    /// id; none for an activity without a customer.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] when the activity is not here or what is said does not fit.
    pub fn complete_activity(
        &mut self,
        activity: RecordId,
        said: &Completion,
    ) -> Result<Option<RecordId>, ReplicaError> {
        let shown = self.shown_of(activity, "activity")?;
        let is_told = self.get_itself(RecordId::derived(activity, "done"))?.is_some();
        let now_ms = self.clock.now_ms();
        let (told, writes) = taps::complete_activity(activity, &shown, said, is_told, now_ms);
        self.write_tap(&writes)?;
        Ok(told)
    }

    /// Records that somebody comes to a visit, pauses, goes on or leaves; gives the id of the
    /// check-in.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] when the visit is not here, what is said does not fit, or
    /// required rows of its checklist are open on leaving.
    pub fn check_in(
        &mut self,
        visit: RecordId,
        event: CheckEvent,
        said: &Arrival,
    ) -> Result<RecordId, ReplicaError> {
        let shown = self.shown_of(visit, "visit")?;
        let mut said = said.clone();
        said.user = said.user.or(self.user_record()?);
        if said.customer_geo.is_none() {
            said.customer_geo = self.geo_of_customer(&shown)?;
        }
        let now_ms = self.clock.now_ms();
        let id = RecordId::new(u64::try_from(now_ms).unwrap_or(0), self.rng.random());
        let writes = taps::check_in((visit, id), &shown, event, &said, now_ms)?;
        self.write_tap(&writes)?;
        Ok(id)
    }

    /// Records a part that was used on a visit, and takes it from stock: from the location that
    /// is said, else from the van of this device's user. Gives the id of the stock move.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] when the visit is not here or the quantity is none.
    pub fn use_part(&mut self, visit: RecordId, part: &PartUsed) -> Result<RecordId, ReplicaError> {
        self.shown_of(visit, "visit")?;
        let mut part = part.clone();
        if part.location.is_none() {
            part.location = self.own_van()?;
        }
        let row = RowId::new(self.rng.random());
        let (stock_move, writes) = taps::use_part(visit, row, &part, self.clock.now_ms())?;
        self.write_tap(&writes)?;
        Ok(stock_move)
    }

    /// The record of this device's user, where there is one.
    fn user_record(&self) -> Result<Option<RecordId>, ReplicaError> {
        let enrolment = meta::enrolment(self.conn()?)?;
        Ok(enrolment.and_then(|enrolment| enrolment.user_record))
    }

    fn geo_of_customer(&self, visit: &Map<String, Json>) -> Result<Option<Json>, ReplicaError> {
        let customer = visit.get("customer_id").and_then(Json::as_str);
        let Some(Ok(customer)) = customer.map(str::parse) else { return Ok(None) };
        Ok(self.get_itself(customer)?.and_then(|customer| customer.get("geo").cloned()))
    }

    /// The one open location that is the van of this device's user.
    fn own_van(&self) -> Result<Option<RecordId>, ReplicaError> {
        let Some(user) = self.user_record()? else { return Ok(None) };
        let is = |column: &str, compare, value: String| Filter {
            column: column.to_owned(),
            compare,
            value,
        };
        let filters = vec![
            is("user_id", Compare::Is, user.to_string()),
            is("location_kind", Compare::Is, "van".to_owned()),
            is("inactive", Compare::IsNot, "true".to_owned()),
        ];
        let query = Query { filters, limit: 2, ..Query::default() };
        let vans = query::list(self.conn()?, self.entity("stock_location")?, &query)?.ids;
        Ok(if let [only] = vans.as_slice() { Some(*only) } else { None })
    }

    /// A record as it is shown, if it is of the entity that a tap is for.
    fn shown_of(
        &self,
        record: RecordId,
        wanted: &'static str,
    ) -> Result<Map<String, Json>, ReplicaError> {
        let shown = self.get(record)?.ok_or(ReplicaError::UnknownRecord(record))?;
        let Json::Object(shown) = shown else { return Err(ReplicaError::UnknownRecord(record)) };
        if shown.get("entity").and_then(Json::as_str) != Some(wanted) {
            return Err(TapError::WrongEntity { record, wanted }.into());
        }
        Ok(shown)
    }

    /// Writes a tap as one group; records that are here already stay as they are.
    fn write_tap(&mut self, writes: &[Write]) -> Result<(), ReplicaError> {
        self.transaction(|writer| {
            writer.group(|writer| {
                for write in writes {
                    match write {
                        Write::Create { record, .. } if writer.exists(*record)? => {}
                        Write::Create { entity, record, fields } => {
                            writer.create(entity, Some(*record), fields)?;
                        }
                        Write::Update { record, fields } => {
                            writer.update(*record, fields)?;
                        }
                    }
                }
                Ok(())
            })
        })
    }
}
