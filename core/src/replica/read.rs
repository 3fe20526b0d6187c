//! Answers: records, lists, links, conflicts, what waits, where we stand.

use serde::Serialize;
use serde_json::Value as Json;

use super::{Replica, ReplicaError, flat::decode_own, text::text_of};
use crate::{
    crdt::{Action, OpId},
    domain::{
        derived::add_timely,
        record::{self, Documents},
    },
    ids::{ChangeHash, DocumentId, Part, RecordId},
    schema::{Entity, Kind, Type},
    store::{
        StoreError, document,
        inbox::{self, Refused},
        meta, outbox,
        quarantine::{self, Quarantined},
        query::{self, Compare, Filter, Query},
        rollup,
        timeline::{self, TimelinePage, TimelineQuery},
    },
    time::TimestampMs,
};

/// Records that one answer about links names per field, at most.
pub const LINKS_MAX: usize = 200;
/// Conflicts in one answer, at most.
pub const CONFLICTS_MAX: usize = 1_000;

/// One page of records.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page {
    /// The records as JSON, in order.
    pub records: Vec<Json>,
    /// Where to go on, if there is more.
    pub next: Option<String>,
}

/// One record that another links to, or is linked from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// The field that holds the link.
    pub field: String,
    /// Name of the other record's entity.
    pub entity: String,
    /// The other record.
    pub record: RecordId,
    /// Its name; `None` if it is not on this device.
    pub title: Option<String>,
}

/// The links of a record, both ways.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Links {
    /// Records that this one names.
    pub to: Vec<Link>,
    /// Records that name this one, at most [`LINKS_MAX`] per field.
    pub from: Vec<Link>,
}

/// One of several concurrent values, with who wrote it and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConflictValue {
    /// The value as JSON.
    pub value: Json,
    /// The name of its author; `None` for this device's own user before enrolment.
    pub by: Option<String>,
    /// When, by the author's clock, as far as it is known.
    pub at: Option<TimestampMs>,
    /// Whether it is the one that shows.
    pub is_shown: bool,
}

/// A field or cell with several values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// Name of the record's entity.
    pub entity: String,
    /// The record.
    pub record: RecordId,
    /// Its name.
    pub title: String,
    /// The key: a field's name, or `lines/<row>/qty`.
    pub key: String,
    /// Whether nothing acts on the value until a person chooses.
    pub must_settle: bool,
    /// The values, the one that shows last.
    pub values: Vec<ConflictValue>,
}

/// A change that waits to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Names it.
    pub hash: ChangeHash,
    /// The record.
    pub record: RecordId,
    /// Its part.
    pub part: String,
    /// Name of its entity.
    pub entity: String,
    /// The keys that it writes.
    pub keys: Vec<String>,
    /// When it was written.
    pub made_at: TimestampMs,
}

/// Where this device stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The server and the user, once enrolled.
    pub server: Option<String>,
    /// The user's name, once enrolled.
    pub user: Option<String>,
    /// This device's id, once enrolled.
    pub device: Option<String>,
    /// Records by entity.
    pub records: Vec<(String, u64)>,
    /// Changes that wait to be sent.
    pub waiting: u64,
    /// Fields with several values.
    pub conflicts: u64,
    /// Refusals that nobody has dismissed.
    pub refusals: u64,
    /// The cursor's position.
    pub position: u64,
    /// When the last session ended well.
    pub last_sync: Option<TimestampMs>,
    /// Changes of this device that its office has and that are kept for it, until backups cover them.
    pub kept: u64,
    /// Up to which position of its feed the office's backups reach, as far as it said.
    pub backed_up: Option<u64>,
    /// What was found damaged here, and how much of it waits for the server's copy.
    pub damaged: Quarantined,
}

impl Replica {
    /// The heads of the server's audit that this device was told, the newest last.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn audit_heads(&self) -> Result<Vec<crate::sync::head::AuditHead>, ReplicaError> {
        Ok(crate::store::witness::heads(self.store.conn())?)
    }

    /// The definition of an entity.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError::UnknownEntity`].
    pub fn entity(&self, name: &str) -> Result<&'static Entity, ReplicaError> {
        self.schema.entity(name).ok_or_else(|| ReplicaError::UnknownEntity {
            name: name.chars().take(80).collect(),
            known: self.schema.entities().map(|e| e.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    /// The documents of a record, with its entity; `None` if it is not here.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn documents(
        &self,
        id: RecordId,
    ) -> Result<Option<(&'static Entity, Documents)>, ReplicaError> {
        let mut documents = Documents::default();
        let mut entity = None;
        for (part, stored) in self.stored_all(id)? {
            let name = DocumentId { record: id, part };
            if name.part.is_flat() {
                let state = document::decode_state(&name, &stored.state)?;
                documents.flat.insert(name.part, state);
            } else {
                documents.texts.insert(name.part.as_str().to_owned(), text_of(&stored)?);
            }
            entity = Some(stored.entity);
        }
        match entity {
            None => self.check_not_awaited(id).map(|()| None),
            Some(entity) => Ok(Some((self.entity(&entity)?, documents))),
        }
    }

    /// A record as JSON, with all that is computed for it: also from the records that link to it,
    /// and from the time now. `None` if it is not on this device.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn get(&self, id: RecordId) -> Result<Option<Json>, ReplicaError> {
        let Some((entity, documents)) = self.documents(id)? else { return Ok(None) };
        let mut json = record::to_json(entity, id, &documents);
        if let Json::Object(members) = &mut json {
            rollup::add_rollups(self.conn()?, self.schema, entity, id, members)?;
            add_timely(entity, members, self.clock.now_ms());
        }
        Ok(Some(json))
    }

    /// A record as JSON, as its own documents say it: what lists show.
    pub(super) fn get_itself(&self, id: RecordId) -> Result<Option<Json>, ReplicaError> {
        let found = self.documents(id)?;
        Ok(found.map(|(entity, documents)| record::to_json(entity, id, &documents)))
    }

    /// What is not here because it was found damaged is no unknown record.
    fn check_not_awaited(&self, id: RecordId) -> Result<(), ReplicaError> {
        let main = DocumentId { record: id, part: Part::Main };
        if quarantine::is_awaited(self.conn()?, &main)? {
            return Err(
                StoreError::damaged_document(&main, "it waits for the server's copy").into()
            );
        }
        Ok(())
    }

    /// A record in a list: one that is damaged is left out, and the others are shown.
    pub(super) fn get_listed(&self, id: RecordId) -> Result<Option<Json>, ReplicaError> {
        match self.get_itself(id) {
            Err(ReplicaError::Store(error)) if error.is_damage() => Ok(None),
            found => found,
        }
    }

    /// A page of an entity's records, without what is computed from other records.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] when the entity or a column is unknown, or a value does not fit.
    pub fn list(&self, entity: &str, query: &Query) -> Result<Page, ReplicaError> {
        let entity = self.entity(entity)?;
        let page = query::list(self.conn()?, entity, query)?;
        let mut records = Vec::with_capacity(page.ids.len());
        for id in page.ids {
            records.extend(self.get_listed(id)?);
        }
        Ok(Page { records, next: page.next })
    }

    /// The name of a record for people; `None` if it is not here.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn title(&self, id: RecordId) -> Result<Option<(&'static Entity, String)>, ReplicaError> {
        let name = DocumentId { record: id, part: Part::Main };
        let stored = match self.stored(&name) {
            Err(ReplicaError::Store(error)) if error.is_damage() => return Ok(None),
            stored => stored?,
        };
        let Some(stored) = stored else { return Ok(None) };
        let entity = self.entity(&stored.entity)?;
        let state = document::decode_state(&name, &stored.state)?;
        Ok(Some((entity, record::title(entity, id, &state))))
    }

    /// What happened with a customer and all that belongs to it, or with any other record, newest
    /// first.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] for a kind that there is not or a cursor that is none.
    pub fn timeline(
        &self,
        family: RecordId,
        query: &TimelineQuery,
    ) -> Result<TimelinePage, ReplicaError> {
        Ok(timeline::timeline(self.conn()?, self.schema, family, query)?)
    }

    /// The links of a record, both ways.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError::UnknownRecord`] if it is not here.
    pub fn links(&self, id: RecordId) -> Result<Links, ReplicaError> {
        let (entity, documents) = self.documents(id)?.ok_or(ReplicaError::UnknownRecord(id))?;
        let json = record::to_json(entity, id, &documents);
        let mut links = Links::default();
        for field in &entity.fields {
            let Type::Link(target) = &field.ty else { continue };
            let Some(other) = json.get(&field.name).and_then(Json::as_str) else { continue };
            let Ok(other) = other.parse() else { continue };
            let title = self.title(other)?.map(|(_, title)| title);
            links.to.push(Link {
                field: field.name.clone(),
                entity: target.clone(),
                record: other,
                title,
            });
        }
        for other in self.schema.entities() {
            for field in other.fields.iter().filter(|field| field.kind.is_single()) {
                let is_found = field.kind == Kind::Register || field.indexed;
                if !is_found || field.ty != Type::Link(entity.name.clone()) {
                    continue;
                }
                let filter = Filter {
                    column: field.name.clone(),
                    compare: Compare::Is,
                    value: id.to_string(),
                };
                let query = Query { filters: vec![filter], limit: LINKS_MAX, ..Query::default() };
                for record in query::list(self.conn()?, other, &query)?.ids {
                    let title = self.title(record)?.map(|(_, title)| title);
                    let entity = other.name.clone();
                    links.from.push(Link { field: field.name.clone(), entity, record, title });
                }
            }
        }
        Ok(links)
    }

    /// Fields and cells with several values, of all records or of one, at most
    /// [`CONFLICTS_MAX`].
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn conflicts(&self, only: Option<RecordId>) -> Result<Vec<Conflict>, ReplicaError> {
        let ids = match only {
            Some(id) => vec![id],
            None => query::with_conflicts(self.conn()?, self.schema, CONFLICTS_MAX)?,
        };
        let mut found = Vec::new();
        for id in ids {
            let record = match self.documents(id) {
                Err(ReplicaError::Store(error)) if error.is_damage() => continue,
                record => record?,
            };
            let Some((entity, documents)) = record else { continue };
            let title = documents
                .flat
                .get(&Part::Main)
                .map_or_else(|| id.to_string(), |main| record::title(entity, id, main));
            for conflict in record::conflicts(entity, &documents) {
                let part = conflict.part.clone().unwrap_or(Part::Main);
                let name = DocumentId { record: id, part };
                let values = conflict
                    .values
                    .iter()
                    .map(|value| self.conflict_value(&name, value))
                    .collect::<Result<_, ReplicaError>>()?;
                found.push(Conflict {
                    entity: entity.name.clone(),
                    record: id,
                    title: title.clone(),
                    key: conflict.key,
                    must_settle: conflict.must_settle,
                    values,
                });
                if found.len() >= CONFLICTS_MAX {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }

    fn conflict_value(
        &self,
        id: &DocumentId,
        value: &record::ConflictingValue,
    ) -> Result<ConflictValue, ReplicaError> {
        let conn = self.conn()?;
        let by = meta::author(conn, value.op.actor.prefix())?;
        let at = match meta::made_at(conn, id, value.op)? {
            Some(at) => Some(at),
            None => self.own_made_at(id, value.op)?,
        };
        Ok(ConflictValue { value: value.value.clone(), by, at, is_shown: value.is_shown })
    }

    /// When a waiting change of this device wrote an operation.
    fn own_made_at(&self, id: &DocumentId, op: OpId) -> Result<Option<TimestampMs>, ReplicaError> {
        for (own, is_acknowledged) in outbox::readable_of(self.conn()?, id)? {
            if is_acknowledged {
                continue;
            }
            let encoded = decode_own(&own)?;
            if encoded.change.ops_with_ids().any(|(known, _)| known == op) {
                return Ok(Some(own.made_at));
            }
        }
        Ok(None)
    }

    /// What waits to be sent, oldest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn outbox(&self, limit: usize) -> Result<Vec<Waiting>, ReplicaError> {
        outbox::waiting(self.conn()?, 0, limit)?
            .into_iter()
            .map(|own| {
                let keys = if own.document.part.is_flat() {
                    let encoded = decode_own(&own)?;
                    let ops = encoded.change.ops.iter();
                    ops.filter(|op| !matches!(op.action, Action::Delete) || !op.key.is_empty())
                        .map(|op| op.key.clone())
                        .collect()
                } else {
                    vec![own.document.part.as_str().to_owned()]
                };
                Ok(Waiting {
                    hash: own.hash,
                    record: own.document.record,
                    part: own.document.part.as_str().to_owned(),
                    entity: own.entity,
                    keys,
                    made_at: own.made_at,
                })
            })
            .collect()
    }

    /// What the office refused and nobody has dismissed, oldest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn inbox(&self, limit: usize) -> Result<Vec<Refused>, ReplicaError> {
        Ok(inbox::open(self.conn()?, limit)?)
    }

    /// Dismisses a refusal; returns whether it was there.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn dismiss(&mut self, refusal: i64) -> Result<bool, ReplicaError> {
        let now_ms = self.clock.now_ms();
        let tx = self.store.begin()?;
        let is_dismissed = inbox::dismiss(&tx, refusal, now_ms)?;
        tx.commit().map_err(StoreError::from)?;
        Ok(is_dismissed)
    }

    /// What enrolment gave, once there was one.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn enrolment(&self) -> Result<Option<meta::Enrolment>, ReplicaError> {
        Ok(meta::enrolment(self.store.conn())?)
    }

    /// Where this device stands.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn status(&self) -> Result<Status, ReplicaError> {
        let conn = self.store.conn();
        let enrolment = meta::enrolment(conn)?;
        let (server, user, device) = match enrolment {
            Some(e) => (Some(e.url), Some(e.user), Some(e.device.to_string())),
            None => (None, None, None),
        };
        Ok(Status {
            server,
            user,
            device,
            records: document::counts(conn)?,
            waiting: outbox::count_waiting(conn)?,
            conflicts: query::count_conflicts(conn, self.schema)?,
            refusals: inbox::open(conn, usize::MAX)?.len() as u64,
            position: meta::cursor(conn)?.position,
            last_sync: meta::last_sync(conn)?,
            kept: outbox::count_acknowledged(conn)?,
            backed_up: meta::backed_up(conn)?,
            damaged: quarantine::count(conn)?,
        })
    }
}
