//! What one press of a button does: each one group, judged and committed whole.

use outrider_core::{domain::taps as core, ids::RecordId};

use crate::{
    error::CrmError,
    replica::Replica,
    values::{DecimalNumber, GeoPoint, Scalar},
};

/// What a lead became.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct ConvertedLead {
    /// The customer.
    pub customer: RecordId,
    /// The contact.
    pub contact: RecordId,
    /// The opportunity.
    pub opportunity: RecordId,
}

/// What happens at a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum VisitEvent {
    /// Somebody arrives.
    CheckIn,
    /// Work pauses.
    Pause,
    /// Work goes on.
    Resume,
    /// Somebody leaves.
    CheckOut,
    /// Somebody leaves although required checks are open.
    ForcedCheckOut,
}

impl From<VisitEvent> for core::CheckEvent {
    fn from(event: VisitEvent) -> Self {
        match event {
            VisitEvent::CheckIn => Self::In,
            VisitEvent::Pause => Self::Pause,
            VisitEvent::Resume => Self::Resume,
            VisitEvent::CheckOut => Self::Out,
            VisitEvent::ForcedCheckOut => Self::ForcedOut,
        }
    }
}

/// What is said at a visit besides.
#[derive(Debug, Clone, Default, PartialEq, uniffi::Record)]
pub struct VisitNote {
    /// Where; if nobody says, the platform's position source is asked.
    #[uniffi(default = None)]
    pub position: Option<GeoPoint>,
    /// How it went: an id of the picklist `visit_outcome`.
    #[uniffi(default = None)]
    pub outcome: Option<String>,
    /// In words.
    #[uniffi(default = None)]
    pub note: Option<String>,
}

/// A part that was used.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct PartUsed {
    /// The product.
    pub product: RecordId,
    /// How much of it.
    pub quantity: DecimalNumber,
    /// Where it was taken from; the user's van if nobody says.
    #[uniffi(default = None)]
    pub location: Option<RecordId>,
    /// Its serial number.
    #[uniffi(default = None)]
    pub serial_no: Option<String>,
}

#[uniffi::export]
impl Replica {
    /// Makes a lead a customer with a contact and an opportunity. Doing it again, here or on another device,
    /// gives the same three records.
    ///
    /// # Errors
    ///
    /// `NotFound`, and `Invalid` when the record is no lead.
    pub fn convert_lead(&self, lead: RecordId) -> Result<ConvertedLead, CrmError> {
        let core::Converted { customer, contact, opportunity } =
            self.with(|replica| replica.convert_lead(lead))?;
        Ok(ConvertedLead { customer, contact, opportunity })
    }

    /// Marks an activity as held, and tells what happened as an interaction, of which it gives the id;
    /// nothing for an activity without a customer.
    ///
    /// # Errors
    ///
    /// `NotFound`, and `Invalid` when the record is no activity.
    #[uniffi::method(default(outcome = None, note = None))]
    pub fn complete_activity(
        &self,
        activity: RecordId,
        outcome: Option<String>,
        note: Option<String>,
    ) -> Result<Option<RecordId>, CrmError> {
        let said = core::Completion { outcome, note };
        self.with_of(Some("activity"), |replica| replica.complete_activity(activity, &said))
    }

    /// Records that somebody comes to a visit, pauses, goes on or leaves; gives the id of the check-in.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Invalid` with the code `checklist_left` when required checks are open on leaving.
    pub fn check_in(
        &self,
        visit: RecordId,
        event: VisitEvent,
        note: VisitNote,
    ) -> Result<RecordId, CrmError> {
        let VisitNote { position, outcome, note } = note;
        let position = position.or_else(|| self.platform.position_now());
        let geo = position.map(|position| position.to_json());
        let said = core::Arrival { user: None, geo, customer_geo: None, outcome, note };
        self.with_of(Some("visit"), |replica| replica.check_in(visit, event.into(), &said))
    }

    /// Records a part that was used on a visit, and takes it from stock; gives the id of the stock move.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Invalid` when the quantity is not above 0.
    pub fn use_part(&self, visit: RecordId, part: PartUsed) -> Result<RecordId, CrmError> {
        let PartUsed { product, quantity, location, serial_no } = part;
        let part = core::PartUsed { product, qty: quantity.0, location, serial_no };
        self.with_of(Some("visit"), |replica| replica.use_part(visit, &part))
    }
}
