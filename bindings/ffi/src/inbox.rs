//! What waits for a person: conflicts to settle, refusals to read; and what waits for the office.

use std::{collections::HashMap, time::SystemTime};

use outrider_core::{
    access::words::sentence,
    ids::RecordId,
    replica::{self as core, ReplicaError, read::Waiting},
    schema::{Entity, Type},
    store::inbox::Refused,
};
use serde_json::Value as Json;

use crate::{
    error::CrmError,
    records::value_of,
    replica::Replica,
    values::{FieldValue, Scalar, moment, values_of},
    words,
};

/// Entries of one answer, at most.
const ENTRIES_MAX: u32 = 1_000;

/// One of several values that were written beside one another.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct ConflictValue {
    /// The value; nothing where somebody cleared the field.
    pub value: Option<FieldValue>,
    /// The value in words, in the user's language.
    pub text: String,
    /// Who wrote it, as far as it is known.
    pub by: Option<String>,
    /// When, by their clock, as far as it is known.
    pub at: Option<SystemTime>,
    /// Whether it is the one that shows.
    pub is_shown: bool,
}

/// A field or cell with several values.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Conflict {
    /// Name of the record's entity.
    pub entity: String,
    /// The record.
    pub record: RecordId,
    /// Its name.
    pub title: String,
    /// The key: a field's name, or `lines/<row>/qty`.
    pub key: String,
    /// The field as forms call it, in the user's language.
    pub label: String,
    /// Whether nothing acts on the value until a person chooses.
    pub must_settle: bool,
    /// The values, the one that shows last.
    pub values: Vec<ConflictValue>,
}

/// A change that waits to be sent.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct WaitingChange {
    /// The record.
    pub record: RecordId,
    /// Its part.
    pub part: String,
    /// Name of its entity.
    pub entity: String,
    /// The keys that it writes.
    pub keys: Vec<String>,
    /// When it was written.
    pub made_at: SystemTime,
}

/// What the office refused: it stays until somebody dismisses it.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Refusal {
    /// Names it on this device.
    pub number: i64,
    /// The record.
    pub record: RecordId,
    /// Name of its entity.
    pub entity: String,
    /// Its part.
    pub part: String,
    /// Why, as a stable word.
    pub code: String,
    /// Why, in the user's language.
    pub reason: String,
    /// What was written, by key.
    pub values: HashMap<String, FieldValue>,
    /// When it was written.
    pub made_at: SystemTime,
    /// When the office refused it.
    pub refused_at: SystemTime,
    /// The proposal that asks the office for it, if somebody did.
    pub proposal: Option<RecordId>,
}

#[uniffi::export]
impl Replica {
    /// Fields and cells with several values, of all records or of one, at most 1,000.
    ///
    /// # Errors
    ///
    /// `Closed`, `Damaged`.
    #[uniffi::method(default(record = None))]
    pub fn conflicts(&self, record: Option<RecordId>) -> Result<Vec<Conflict>, CrmError> {
        self.with(|replica| {
            let found = replica.conflicts(record)?;
            found.into_iter().map(|conflict| self.conflict(replica, conflict)).collect()
        })
    }

    /// Settles a conflict: `value` counts in place of all values there, one of them or another.
    ///
    /// # Errors
    ///
    /// `NotFound` when somebody settled it already, `Invalid` when the value does not fit.
    pub fn settle(
        &self,
        record: RecordId,
        key: String,
        value: Option<FieldValue>,
    ) -> Result<(), CrmError> {
        let value = value.map_or(Json::Null, |value| value.to_json());
        self.with(|replica| replica.settle(record, &key, &value))
    }

    /// What waits to be sent, oldest first.
    ///
    /// # Errors
    ///
    /// `Closed`, `Damaged`.
    #[uniffi::method(default(limit = 100))]
    pub fn outbox(&self, limit: u32) -> Result<Vec<WaitingChange>, CrmError> {
        let found = self.with(|replica| replica.outbox(limit.min(ENTRIES_MAX) as usize))?;
        let waiting = found.into_iter().map(|waiting| {
            let Waiting { hash: _, record, part, entity, keys, made_at } = waiting;
            WaitingChange { record, part, entity, keys, made_at: moment(made_at) }
        });
        Ok(waiting.collect())
    }

    /// What the office refused and nobody has dismissed, the newest first.
    ///
    /// # Errors
    ///
    /// `Closed`, `Damaged`.
    #[uniffi::method(default(limit = 100))]
    pub fn inbox(&self, limit: u32) -> Result<Vec<Refusal>, CrmError> {
        let found = self.with(|replica| replica.inbox(limit.min(ENTRIES_MAX) as usize))?;
        Ok(found.into_iter().map(|refused| self.refusal(refused)).collect())
    }

    /// Puts a refusal away; returns whether it was there.
    ///
    /// # Errors
    ///
    /// `Closed`.
    pub fn dismiss(&self, number: i64) -> Result<bool, CrmError> {
        self.with(|replica| replica.dismiss(number))
    }

    /// Asks the office for what it refused, with a reason; gives the proposal.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no such refusal.
    pub fn ask_approval(&self, number: i64, reason: String) -> Result<RecordId, CrmError> {
        self.with(|replica| replica.ask_approval(number, &reason))
    }
}

impl Replica {
    fn conflict(
        &self,
        replica: &core::Replica,
        conflict: core::Conflict,
    ) -> Result<Conflict, ReplicaError> {
        let core::Conflict { entity, record, title, key, must_settle, values } = conflict;
        let definition = replica.entity(&entity)?;
        let ty = type_of(definition, &key);
        let values = values.into_iter().map(|one| {
            let core::read::ConflictValue { value, by, at, is_shown } = one;
            let text = ty.map_or_else(|| value.to_string(), |ty| self.in_words(ty, &value));
            let value = match ty {
                Some(ty) => value_of(ty, &value),
                None => FieldValue::from_json(&value),
            };
            ConflictValue { value, text, by, at: at.map(moment), is_shown }
        });
        let values = values.collect();
        let label = words::label_of_key(&entity, &key, self.language);
        Ok(Conflict { entity, record, title, key, label, must_settle, values })
    }

    fn in_words(&self, ty: &Type, value: &Json) -> String {
        match ty.from_json(value) {
            Ok(value) => ty.display(&value, self.language),
            Err(_) => value.to_string(),
        }
    }

    fn refusal(&self, refused: Refused) -> Refusal {
        let Refused {
            id: number,
            record,
            part,
            entity,
            code,
            refused,
            made_at,
            refused_at,
            hash: _,
            proposal,
        } = refused;
        let reason = sentence(&code, self.language);
        let reason = reason.map_or_else(|| words::refused(&code, self.language), str::to_owned);
        let (made_at, refused_at) = (moment(made_at), moment(refused_at));
        let values = values_of(Some(refused));
        Refusal {
            number,
            record,
            entity,
            part,
            code,
            reason,
            values,
            made_at,
            refused_at,
            proposal,
        }
    }
}

/// The type of what is under a key.
fn type_of<'e>(entity: &'e Entity, key: &str) -> Option<&'e Type> {
    let mut names = key.split('/');
    let field = entity.field(names.next()?)?;
    match names.nth(1) {
        Some(column) => field.column(column).map(|column| &column.ty),
        None => Some(&field.ty),
    }
}
