//! What this device's user may do: asked before something is written, and when it is told what to
//! hold no longer.
//!
//! The grant is what the server said last, signed by it. It says what may be written from the
//! moment at which it arrives; what must go goes when the pull that brought it has come to its end,
//! because joins come before leaves.

use serde_json::{Map, Value as Json, json};

use super::{Replica, ReplicaError, Writer, flat::FlatDocument};
use crate::{
    access::{
        Grant, Operation, PartKind, Refusal, Standing, Target,
        change::NOT_PERMITTED,
        grant::SIGNED_KIND,
        scope::{linked, readers_of, scopes_of},
    },
    crdt::State,
    ids::{DocumentId, Part, RecordId, from_hex, to_hex},
    schema::{Entity, Family},
    store::{StoreError, credentials, document, erased, inbox, meta, outbox, rows, standing, undo},
    sync::{
        frame::{DocumentName, SignedGrant},
        sign::is_document_signed,
    },
};

/// Records that are looked at between two looks at which may have to go.
const LEAVING_PAGE: usize = 500;
/// Bytes of what a request for approval repeats of the refused values, at most.
const PROPOSED_BYTES_MAX: usize = 12_000;

impl Replica {
    /// What the user of this device may do, as the server said last; everything before it said so.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn grant(&self) -> Result<Grant, ReplicaError> {
        Ok(meta::grant(self.store.conn())?.unwrap_or_else(Grant::open))
    }

    /// Whether the user may do something with a record that is here.
    ///
    /// # Errors
    ///
    /// Fails when the store does, or the record is not here.
    pub fn may(&mut self, operation: Operation, record: RecordId) -> Result<bool, ReplicaError> {
        self.transaction(|writer| writer.may(operation, record))
    }

    /// Asks the office for what it refused: makes a request for approval, a record that is sent
    /// like others and comes back with the decision.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError::NoRefusal`] when there is no such refusal, or it was asked for or
    /// dismissed already.
    pub fn ask_approval(&mut self, refusal: i64, reason: &str) -> Result<RecordId, ReplicaError> {
        self.transaction(|writer| writer.ask_approval(refusal, reason))
    }

    /// Notes documents that the server does not show to the user: those that may not be held go when
    /// the next pull has come to its end. Among them is what the user may begin and not read, of
    /// which no frame ever tells.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub(super) fn may_leave(&mut self, names: &[DocumentName]) -> Result<(), ReplicaError> {
        if names.is_empty() {
            return Ok(());
        }
        self.transaction(|writer| {
            names.iter().try_for_each(|name| Ok(standing::may_leave(writer.tx, name.record)?))
        })
    }

    /// How many records may not be held any more, but wait until their edits are safe at the
    /// office.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn leaving(&self) -> Result<u64, ReplicaError> {
        Ok(standing::count_leaving(self.store.conn())?)
    }
}

impl Writer<'_> {
    /// Writes what follows although the grant does not allow it: the office will decide.
    pub fn insist(&mut self) {
        self.is_insisting = true;
    }

    fn ask_approval(&mut self, refusal: i64, reason: &str) -> Result<RecordId, ReplicaError> {
        let refused = inbox::open(self.tx, usize::MAX)?;
        let refused = refused.into_iter().find(|one| one.id == refusal && one.proposal.is_none());
        let Some((one, hash)) = refused.and_then(|one| Some((one.hash?, one))).map(|(h, o)| (o, h))
        else {
            return Err(ReplicaError::NoRefusal(refusal));
        };
        let proposed = json!({
            "refused": to_hex(&hash.0),
            "part": one.part,
            "code": one.code,
            "values": one.refused,
        });
        // A large text is named by its change alone: a request has its limits.
        let proposed = if proposed.to_string().len() > PROPOSED_BYTES_MAX {
            json!({ "refused": to_hex(&hash.0), "part": one.part, "code": one.code })
        } else {
            proposed
        };
        let mut fields = Map::from_iter([
            ("about_entity".to_owned(), Json::from(one.entity.clone())),
            ("about_record".to_owned(), Json::from(one.record.to_string())),
            ("proposed".to_owned(), proposed),
        ]);
        if !reason.trim().is_empty() {
            fields.insert("reason".to_owned(), Json::from(reason.trim()));
        }
        if let Some(field) = one.refused.as_object().and_then(|values| values.keys().next()) {
            let field: String = field.split('/').next().unwrap_or_default().to_owned();
            fields.insert("about_field".to_owned(), Json::from(field));
        }
        let proposal = self.create("proposal", None, &fields)?;
        inbox::set_proposal(self.tx, refusal, proposal)?;
        Ok(proposal)
    }

    fn grant(&mut self) -> Result<Option<&Grant>, StoreError> {
        if self.grant.is_none() {
            self.grant = Some(meta::grant(self.tx)?);
        }
        Ok(self.grant.as_ref().and_then(Option::as_ref).filter(|grant| !grant.is_open))
    }

    /// Whether there is anything that may not be written.
    pub(super) fn needs_check(&mut self) -> Result<bool, StoreError> {
        Ok(!self.is_insisting && self.grant()?.is_some())
    }

    fn may(&mut self, operation: Operation, record: RecordId) -> Result<bool, ReplicaError> {
        let id = DocumentId { record, part: Part::Main };
        let main = self.load_flat(&id)?.ok_or(ReplicaError::UnknownRecord(record))?;
        let entity = self.entity(&main.entity)?;
        let standing = self.standing(entity, record, &main.state)?;
        let Some(grant) = self.grant()? else { return Ok(true) };
        let (entity, part) = (entity.name.as_str(), PartKind::Main);
        let question =
            crate::access::grant::Question { operation, entity, part, standing: &standing };
        Ok(grant.allows(&question))
    }

    /// Refuses what the grant does not allow, before anything of it is kept.
    ///
    /// `before` is the document before the edits, `after` the one with them; texts have none.
    pub(super) fn check_access(
        &mut self,
        entity: &Entity,
        id: &DocumentId,
        before: Option<&State>,
        after: Option<&State>,
        keys: &[&str],
    ) -> Result<(), ReplicaError> {
        if self.is_insisting || self.grant()?.is_none() {
            return Ok(());
        }
        let main = DocumentId { record: id.record, part: Part::Main };
        let stored = self.load_flat(&main)?;
        let is_new = self.is_creating || stored.is_none();
        let main_before = match (&id.part, before) {
            (Part::Main, before) => before.cloned(),
            _ => stored.map(|document| document.state),
        };
        let before = match &main_before {
            Some(state) => self.standing(entity, id.record, state)?,
            None => Standing::new(),
        };
        let now = match (&id.part, after) {
            (Part::Main, Some(after)) => self.standing(entity, id.record, after)?,
            _ => before.clone(),
        };
        let Some(grant) = self.grant()? else { return Ok(()) };
        let (record, part) = (id.record, &id.part);
        let target = Target { record, entity, part, is_new, before: &before, after: &now };
        let refusal = match after {
            Some(after) => grant.judge(target, keys, after),
            None => (!grant.writes(target))
                .then(|| Refusal { code: NOT_PERMITTED, keys: vec![id.part.to_string()] }),
        };
        match refusal {
            None => Ok(()),
            Some(Refusal { code, keys }) => {
                Err(ReplicaError::NotPermitted { record: id.record, code, keys })
            }
        }
    }

    /// The scopes of a record whose main part is `main`, as far as this device can know them: those
    /// that the server named, and those that follow from what it does not have yet.
    fn standing(
        &self,
        entity: &Entity,
        record: RecordId,
        main: &State,
    ) -> Result<Standing, StoreError> {
        let family = family_named(entity, record, main);
        let mut scopes = standing::scopes_of(self.tx, family)?;
        scopes.extend(standing::scopes_of(self.tx, standing::alone(record))?);
        scopes.extend(readers_of(entity, main).into_iter().map(crate::access::Scope::User));
        if family == record {
            if standing::family_of(self.tx, record)?.is_none() {
                scopes.extend(scopes_of(entity, record, main));
            }
            return Ok(scopes);
        }
        let head = self.load_flat(&DocumentId { record: family, part: Part::Main })?;
        if let Some(head) = head
            && standing::family_of(self.tx, family)?.is_none()
            && let Some(entity) = self.schema.entity(&head.entity)
        {
            scopes.extend(scopes_of(entity, family, &head.state));
        }
        Ok(scopes)
    }

    /// Takes a new grant: what may be written follows it at once. A device that knows its server's
    /// key takes no grant that another key signed.
    pub(super) fn take_grant(&mut self, grant: &SignedGrant) -> Result<(), ReplicaError> {
        if let Some(certificate) = credentials::certificate(self.tx)? {
            let is_signed = from_hex::<65>(&certificate.server_key).is_some_and(|key| {
                is_document_signed(&key, SIGNED_KIND, &grant.body, &grant.signature)
            });
            if !is_signed {
                let words = "its grant is not signed by the server that enrolled this device";
                return Err(ReplicaError::Protocol(words.to_owned()));
            }
        }
        // One that cannot be read would be in the way of everything that is written from now on.
        if let Err(error) = Grant::from_bytes(&grant.body) {
            return Err(ReplicaError::Protocol(format!("its grant cannot be read: {error}")));
        }
        meta::set_grant(self.tx, &grant.body)?;
        self.grant = None;
        Ok(())
    }

    /// The grant under which everything is held counts again: another one came with an answer that
    /// was cut off, and was taken back since. What that answer brought may have to go.
    pub(super) fn return_to_held_grant(&mut self) -> Result<(), ReplicaError> {
        let Some(held) = meta::held_grant_bytes(self.tx)? else { return Ok(()) };
        let Some(current) = meta::grant(self.tx)? else { return Ok(()) };
        if current.digest() == meta::held_grant(self.tx)? {
            return Ok(());
        }
        meta::set_grant(self.tx, &held)?;
        self.grant = None;
        if let Some(grant) = meta::grant(self.tx)? {
            let is_kept = |scope: &crate::access::Scope| grant.scopes().any(|one| one == scope);
            standing::all_may_leave(self.tx, is_kept)?;
        }
        Ok(())
    }

    /// A pull has come to its end: what may not be held any more goes, as far as nothing of it
    /// waits. Returns how many records went.
    pub(super) fn purge(&mut self) -> Result<u64, ReplicaError> {
        let Some(grant) = meta::grant(self.tx)? else { return Ok(0) };
        self.drop_stale_scopes()?;
        if meta::held_grant(self.tx)? != grant.digest() {
            let is_kept = |scope: &crate::access::Scope| grant.scopes().any(|one| one == scope);
            standing::all_may_leave(self.tx, is_kept)?;
            meta::set_held_grant(self.tx, &grant.digest())?;
            meta::set_held_grant_bytes(self.tx, &grant.to_bytes())?;
        }
        self.purge_leaving(&grant)
    }

    /// As [`purge`](Self::purge), for somebody who may hold nothing any more.
    pub(super) fn let_go(&mut self) -> Result<u64, ReplicaError> {
        standing::all_may_leave(self.tx, |_| false)?;
        let gone = self.purge_leaving(&Grant::default())?;
        // A device that is turned away sends nothing again.
        outbox::forget_acknowledged(self.tx)?;
        Ok(gone)
    }

    fn purge_leaving(&mut self, grant: &Grant) -> Result<u64, ReplicaError> {
        let (mut gone, mut after) = (0, None);
        loop {
            let page = standing::leaving(self.tx, after, LEAVING_PAGE)?;
            let Some(last) = page.last() else { return Ok(gone) };
            after = Some(*last);
            for record in page {
                gone += u64::from(self.purge_record(grant, record)?);
            }
        }
    }

    /// The office has a main part that was written here, and does not send it back: where the record
    /// stands is noted when the pull has come to its end, with which its scopes come.
    pub(super) fn note_place(&mut self, document: &FlatDocument) -> Result<(), ReplicaError> {
        let record = document.id.record;
        let Some(entity) = self.schema.entity(&document.entity) else { return Ok(()) };
        if document.id.part != Part::Main {
            return Ok(());
        }
        let held = document.confirmed.as_ref().unwrap_or(&document.state);
        let named = family_named(entity, record, held);
        match standing::family_of(self.tx, record)? {
            Some(known) if known == named => {}
            Some(_) => {
                standing::set_place(self.tx, record, named)?;
                standing::may_leave(self.tx, record)?;
            }
            None => standing::may_leave(self.tx, record)?,
        }
        Ok(())
    }

    /// The scopes of a record as the server named them; of one that came from here and was never
    /// sent back, those of the family to which it says it belongs.
    fn told_scopes(&self, record: RecordId) -> Result<Standing, ReplicaError> {
        if let Some(family) = standing::family_of(self.tx, record)? {
            let mut scopes = standing::scopes_of(self.tx, family)?;
            scopes.extend(standing::scopes_of(self.tx, standing::alone(record))?);
            return Ok(scopes);
        }
        let main = self.load_flat(&DocumentId { record, part: Part::Main })?;
        let entity = main.as_ref().and_then(|main| self.schema.entity(&main.entity));
        Ok(match (main.as_ref(), entity) {
            (Some(main), Some(entity)) => self.standing(entity, record, &main.state)?,
            _ => standing::scopes_of(self.tx, standing::alone(record))?,
        })
    }

    /// Takes off what of a record may not be held; whether nothing of it is left.
    fn purge_record(&mut self, grant: &Grant, record: RecordId) -> Result<bool, ReplicaError> {
        let documents = self.stored_all(record)?;
        let scopes = self.told_scopes(record)?;
        let (mut left, mut waits) = (0, false);
        let mut touched = None;
        for (part, stored) in documents {
            let id = DocumentId { record, part };
            let is_waiting = !outbox::waiting_rows(self.tx, &id)?.is_empty();
            // What the server never had is nobody's but its author's.
            let is_own = stored.digest.is_none() && is_waiting;
            if is_own || grant.reads(&stored.entity, PartKind::of(&id.part), &scopes) {
                // What is not sent yet is looked at again once it is.
                (left, waits) = (left + 1, waits || is_own);
                continue;
            }
            // The server counts it no longer among what is held here.
            self.replace_digest(stored.digest, None);
            if is_waiting {
                document::forget_digest(self.tx, &id)?;
                (left, waits) = (left + 1, true);
                continue;
            }
            document::remove(self.tx, &id)?;
            undo::forget(self.tx, &id)?;
            touched = Some(stored.entity);
        }
        if let Some(entity) = touched.and_then(|name| self.schema.entity(&name)) {
            rows::delete(self.tx, entity, record).map_err(StoreError::from)?;
            self.changed.note(entity, record);
            for (part, stored) in self.stored_all(record)? {
                let other = DocumentId { record, part };
                super::rebuild::project_stored(self.tx, entity, &other, &stored.state)?;
            }
        }
        if left == 0 {
            // What others wrote stands here too.
            erased::remove_notes(self.tx, record)?;
        }
        if !waits {
            standing::settled(self.tx, record, left == 0)?;
            if left > 0 && standing::family_of(self.tx, record)?.is_none() {
                self.set_own_place(record)?;
            }
        }
        Ok(left == 0)
    }

    fn set_own_place(&mut self, record: RecordId) -> Result<(), ReplicaError> {
        let Some(main) = self.load_flat(&DocumentId { record, part: Part::Main })? else {
            return Ok(());
        };
        if let Some(entity) = self.schema.entity(&main.entity) {
            let held = main.confirmed.as_ref().unwrap_or(&main.state);
            standing::set_place(self.tx, record, family_named(entity, record, held))?;
        }
        Ok(())
    }
}

/// The family to which a record says it belongs.
fn family_named(entity: &Entity, record: RecordId, main: &State) -> RecordId {
    match &entity.family {
        Family::Itself => record,
        Family::Link(field) => linked(main, field).unwrap_or(record),
    }
}
