//! What the policy says of a change: asked after the gate, before anything is applied.
//!
//! The current policy alone decides what is applied. What it refuses is kept as it was written, so
//! that its author can ask for it; what the policy allowed when the device last pulled waits for
//! somebody at the office to decide, without being asked.

use outrider_core::{
    access::{
        Grant, Operation, PartKind, Refusal, Standing, Target,
        change::{NOT_MERGEABLE, NOT_PERMITTED},
        grant::Question,
        scope::{linked, readers_of, scopes_of},
    },
    crdt::State,
    domain::merge::REDIRECT,
    ids::{ActorId, ChangeHash, DocumentId, Part, RecordId},
    schema::{Entity, Schema},
    sync::frame::HeldView,
    time::TimestampMs,
};

use super::{Desk, family::family_of, staged::Staged};
use crate::{
    office::{PROPOSAL, about_record, is_about_erased},
    storage::{
        Content, StorageError, StoredRefusal,
        access::{Review, ReviewState, UnitScope, alone},
    },
};

/// The answer to a change that somebody at the office will decide on.
pub const IN_REVIEW: &str = "in_review";
/// Why an edit waits: it was allowed when its device last pulled.
pub const LATE: &str = "late";

/// Why an edit waits: its author asks for it.
pub const ASKED: &str = "asked";

/// A change on its way, as the policy looks at it.
pub(super) struct Written<'a> {
    pub(super) id: &'a DocumentId,
    pub(super) entity: &'a Entity,
    /// A flat document with the change; none of texts.
    pub(super) after: Option<&'a State>,
    /// The keys that it writes.
    pub(super) keys: Vec<&'a str>,
    pub(super) hash: ChangeHash,
    pub(super) made_at: TimestampMs,
    pub(super) bytes: &'a [u8],
}

/// A link to a record by which its author gets at that record.
struct Link {
    /// The key that is refused if they may not.
    key: String,
    to: RecordId,
    /// What they have to be permitted there.
    operation: Operation,
}

/// Where the record of a change stands.
struct Places {
    is_new: bool,
    before: Standing,
    after: Standing,
}

impl Desk<'_> {
    /// Notes what the author of a push held, if it names a position and a grant that there were:
    /// what late edits are measured by. A pull notes it too, but only that of the pull before.
    pub(super) fn note_held(&mut self, held: &HeldView) -> Result<(), StorageError> {
        if held.position == 0 || self.tx.feed_digest(held.position)? != Some(held.digest) {
            return Ok(());
        }
        let Some(grant) = self.tx.sent_grant(&held.grant)? else { return Ok(()) };
        let noted = self.tx.device_view(self.device.id)?;
        let is_noted = noted.is_some_and(|view| {
            view.position > held.position || view.position == held.position && view.grant == grant
        });
        if is_noted {
            return Ok(());
        }
        self.tx.note_view(self.device.id, &held.grant, held.position, self.now_ms)
    }

    /// Whether who writes may read the main part of a record that is stored.
    pub(crate) fn reads(&self, entity: &Entity, record: RecordId) -> Result<bool, StorageError> {
        self.reads_part(entity, record, PartKind::Main)
    }

    /// Whether who writes may read a part of a record that is stored.
    pub(crate) fn reads_part(
        &self,
        entity: &Entity,
        record: RecordId,
        part: PartKind,
    ) -> Result<bool, StorageError> {
        if self.grant.is_open {
            return Ok(true);
        }
        let Some((family, alone)) = self.tx.place_of(record)? else { return Ok(false) };
        let scopes = self.tx.scopes_of(family, alone)?;
        let live = scopes.iter().filter(|one| one.left.is_none());
        let standing: Standing = live.map(|one| one.scope).collect();
        Ok(self.grant.reads(&entity.name, part, &standing))
    }

    /// Refuses what the policy does not allow; what it refuses is kept.
    pub(super) fn judge_access(
        &mut self,
        written: &Written<'_>,
        staged: &Staged,
    ) -> Result<Option<Refusal>, StorageError> {
        if self.grant.is_open && self.grant.withheld.is_empty() {
            return Ok(None);
        }
        let places = self.places(written, staged)?;
        let asked = match self.is_headless(written.id, staged)? {
            true => {
                let keys = vec![written.id.part.to_string()];
                Some(Refusal { code: NOT_PERMITTED, keys })
            }
            false => ask(&self.grant, written, &places),
        };
        let (refusal, astray) = match asked {
            Some(refusal) => (refusal, Vec::new()),
            None => match self.ask_links(written, staged)? {
                Some(found) => found,
                None => return Ok(None),
            },
        };
        if written.entity.name == PROPOSAL
            && let Some(about) = about_record(written.bytes)
            && is_about_erased(&mut *self.tx, about, written.id.record, self.now_ms)?
        {
            self.is_erasure_due = true;
            return Ok(Some(refusal));
        }
        let reason = match astray.as_slice() {
            // It was permitted where it was written.
            _ if self.is_forwarding => LATE,
            [] => self.was_allowed(written, places, &refusal)?,
            links => self.were_links_allowed(links)?,
        };
        let review = Review {
            id: 0,
            state: if reason.is_empty() { ReviewState::Kept } else { ReviewState::Open },
            reason: reason.to_owned(),
            device: self.device.id,
            user: self.device.user_record,
            document: written.id.clone(),
            entity: written.entity.name.clone(),
            hash: written.hash,
            code: refusal.code.to_owned(),
            keys: refusal.keys.clone(),
            bytes: written.bytes.to_vec(),
            made_at: written.made_at,
            received_at: self.now_ms,
            decided_at: None,
            decided_by: String::new(),
            proposal: None,
        };
        self.tx.add_review(&review)?;
        let code = if reason.is_empty() { refusal.code } else { IN_REVIEW };
        Ok(Some(Refusal { code, keys: refusal.keys }))
    }

    /// A change of a text that follows a refused one cannot be judged by itself: it is kept beside that
    /// one, and answered the same. None if nothing was refused before it.
    pub(super) fn keep_after(
        &mut self,
        written: &Written<'_>,
        (actor, seq): (ActorId, u64),
    ) -> Result<Option<StoredRefusal>, StorageError> {
        let Written { id, hash, made_at, bytes, .. } = written;
        let before = match seq.checked_sub(1) {
            // Whoever enters a refused change is told that it follows another one.
            Some(before) if !self.grant.is_open => self.tx.refusal(id, actor, before)?,
            Some(_) | None => None,
        };
        let Some(before) = before else { return Ok(None) };
        let Some(kept) = self.tx.review_of(id, before.hash)? else { return Ok(None) };
        let is_open = kept.state == ReviewState::Open;
        self.tx.add_review(&Review {
            id: 0,
            state: if is_open { ReviewState::Open } else { ReviewState::Kept },
            hash: *hash,
            bytes: bytes.to_vec(),
            made_at: *made_at,
            received_at: self.now_ms,
            decided_at: None,
            decided_by: String::new(),
            proposal: None,
            ..kept
        })?;
        Ok(Some(StoredRefusal { hash: *hash, ..before }))
    }

    /// Whether a part belongs to a record that the device handed in when it was turned away, and that
    /// was not entered: the part would stand there without it.
    fn is_headless(&self, id: &DocumentId, staged: &Staged) -> Result<bool, StorageError> {
        let main = DocumentId { record: id.record, part: Part::Main };
        if id.part == Part::Main || staged.documents.contains_key(&main) {
            return Ok(false);
        }
        let is_there = self.documents.get(&main).is_some_and(|held| held.entity.is_some());
        Ok(!is_there && self.tx.was_handed_in(&main, self.device.id)?)
    }

    /// Refuses links by which somebody would get at another record: those that share it with the
    /// readers of this one, and the one by which this record leads to it.
    fn ask_links(
        &mut self,
        written: &Written<'_>,
        staged: &Staged,
    ) -> Result<Option<(Refusal, Vec<Link>)>, StorageError> {
        let Written { entity, after: Some(after), keys, .. } = written else { return Ok(None) };
        if self.grant.is_open || written.id.part != Part::Main {
            return Ok(None);
        }
        let mut keys: Vec<&str> = keys.clone();
        let names_reader = keys.iter().find(|key| {
            entity.readers.iter().any(|field| key.split('/').next() == Some(field.as_str()))
        });
        // A new reader is given what the record shares.
        let named_by = names_reader.copied();
        keys.sort_unstable();
        let mut links = Vec::new();
        for field in &entity.shares {
            let key = keys.iter().find(|key| **key == field.as_str()).copied().or(named_by);
            if let (Some(key), Some(to)) = (key, linked(after, field)) {
                links.push(Link { key: key.to_owned(), to, operation: Operation::Read });
            }
        }
        if keys.contains(&REDIRECT)
            && let Some(to) = linked(after, REDIRECT)
        {
            links.push(Link { key: REDIRECT.to_owned(), to, operation: Operation::Merge });
        }
        let mut astray: Vec<Link> = Vec::new();
        for link in links {
            // What is not here yet nobody is kept from naming.
            let Some((entity, standing)) = self.standing_now(link.to, staged)? else { continue };
            let (operation, part) = (link.operation, PartKind::Main);
            let question = Question { operation, entity: &entity, part, standing: &standing };
            if link.to != written.id.record && !self.grant.allows(&question) {
                astray.push(link);
            }
        }
        if astray.is_empty() {
            return Ok(None);
        }
        let is_merge = astray.iter().any(|link| link.operation == Operation::Merge);
        let code = if is_merge { NOT_MERGEABLE } else { NOT_PERMITTED };
        let mut refused: Vec<String> = astray.iter().map(|link| link.key.clone()).collect();
        refused.sort();
        refused.dedup();
        Ok(Some((Refusal { code, keys: refused }, astray)))
    }

    /// Where another record stands, as the push has made it so far; none if it is not there.
    fn standing_now(
        &mut self,
        record: RecordId,
        staged: &Staged,
    ) -> Result<Option<(String, Standing)>, StorageError> {
        let main = DocumentId { record, part: Part::Main };
        self.load(&main)?;
        let held = staged.documents.get(&main).or_else(|| self.documents.get(&main));
        let Some((name, state)) =
            held.and_then(|held| Some((held.entity.clone()?, flat(&held.content)?.clone())))
        else {
            return Ok(None);
        };
        let Some(entity) = Schema::current().entity(&name) else { return Ok(None) };
        let standing = self.standing(entity, record, &state, staged)?;
        Ok(Some((name, standing)))
    }

    /// Why links that are refused now were allowed when the device last pulled; empty if they were
    /// not.
    fn were_links_allowed(&self, links: &[Link]) -> Result<&'static str, StorageError> {
        let Some(view) = self.tx.device_view(self.device.id)? else { return Ok("") };
        let Ok(then) = Grant::from_bytes(&view.grant) else { return Ok("") };
        for Link { to, operation, .. } in links {
            let main = DocumentId { record: *to, part: Part::Main };
            let (Some((family, alone)), Some(stored)) =
                (self.tx.place_of(*to)?, self.tx.document(&main)?)
            else {
                return Ok("");
            };
            let was_in = |scope: &&UnitScope| {
                scope.first <= view.position && scope.left.is_none_or(|left| left > view.position)
            };
            let scopes = self.tx.scopes_of(family, alone)?;
            let standing: Standing = scopes.iter().filter(was_in).map(|one| one.scope).collect();
            let (operation, part, entity) = (*operation, PartKind::Main, stored.entity.as_str());
            if !then.allows(&Question { operation, entity, part, standing: &standing }) {
                return Ok("");
            }
        }
        Ok(LATE)
    }

    /// Why an edit that is refused now was allowed when the device last pulled; empty if it was
    /// not.
    fn was_allowed(
        &self,
        written: &Written<'_>,
        mut places: Places,
        refusal: &Refusal,
    ) -> Result<&'static str, StorageError> {
        let Some(view) = self.tx.device_view(self.device.id)? else { return Ok("") };
        let Ok(mut then) = Grant::from_bytes(&view.grant) else { return Ok("") };
        // What the office withholds from all it withholds at once.
        then.withheld = self.grant.withheld.clone();
        if let Some((family, alone)) = self.tx.place_of(written.id.record)? {
            let scopes = self.tx.scopes_of(family, alone)?;
            // It knows what it wrote itself, whether it came back or not.
            let mut seen = view.position;
            for record in [written.id.record, family] {
                seen = seen.max(self.tx.last_own_change(record, self.device.id)?.unwrap_or(0));
            }
            let was_in = |scope: &&UnitScope| {
                scope.first <= seen && scope.left.is_none_or(|left| left > seen)
            };
            places.before = scopes.iter().filter(was_in).map(|scope| scope.scope).collect();
        }
        let refused_then = ask(&then, written, &places);
        let was_refused = refused_then.is_some_and(|then| {
            then.keys.is_empty() || then.keys.iter().any(|key| refusal.keys.contains(key))
        });
        Ok(if was_refused { "" } else { LATE })
    }

    /// Where the record stood before the group, and where it stands with the change.
    fn places(&mut self, written: &Written<'_>, staged: &Staged) -> Result<Places, StorageError> {
        let Written { id, entity, after, .. } = written;
        let main = DocumentId { record: id.record, part: Part::Main };
        self.load(&main)?;
        let before = self.documents.get(&main).filter(|held| held.entity.is_some());
        let before = before.and_then(|held| flat(&held.content)).cloned();
        let is_new = before.is_none();
        let before = match before {
            Some(state) => self.standing(entity, id.record, &state, staged)?,
            None => Standing::new(),
        };
        let with_change = match (&id.part, after) {
            (Part::Main, Some(after)) => (*after).clone(),
            _ => {
                let held = staged.documents.get(&main).or_else(|| self.documents.get(&main));
                held.and_then(|held| flat(&held.content)).cloned().unwrap_or_default()
            }
        };
        let after = self.standing(entity, id.record, &with_change, staged)?;
        Ok(Places { is_new, before, after })
    }

    /// Where a record stands; one that is not there yet, as the change that would begin it says.
    pub(crate) fn standing_of(&mut self, review: &Review) -> Result<Standing, StorageError> {
        let record = review.document.record;
        let Some(entity) = Schema::current().entity(&review.entity) else {
            return Ok(Standing::new());
        };
        let main = DocumentId { record, part: Part::Main };
        self.load(&main)?;
        let held = self.documents.get(&main).filter(|held| held.entity.is_some());
        let state = match held.and_then(|held| flat(&held.content)) {
            Some(state) => state.clone(),
            None => {
                let mut state = State::default();
                if let Ok(change) = outrider_core::crdt::decode(&review.bytes) {
                    state.apply(&change);
                }
                state
            }
        };
        self.standing(entity, record, &state, &Staged::default())
    }

    /// The scopes of a record whose main part is `main`: its family's, and its own.
    fn standing(
        &mut self,
        entity: &Entity,
        record: RecordId,
        main: &State,
        staged: &Staged,
    ) -> Result<Standing, StorageError> {
        let family = family_of(entity, record, main);
        let mut standing = if family == record {
            scopes_of(entity, record, main)
        } else {
            self.standing_of_head(family, staged)?
                .unwrap_or_else(|| scopes_of(entity, record, main))
        };
        let readers = readers_of(entity, main).into_iter();
        standing.extend(readers.map(outrider_core::access::Scope::User));
        let own = self.tx.scopes_of(alone(record), None)?;
        let live = own.into_iter().filter(|scope| scope.left.is_none());
        standing.extend(live.map(|scope| scope.scope));
        Ok(standing)
    }

    fn standing_of_head(
        &mut self,
        family: RecordId,
        staged: &Staged,
    ) -> Result<Option<Standing>, StorageError> {
        let head = DocumentId { record: family, part: Part::Main };
        self.load(&head)?;
        let held = staged.documents.get(&head).or_else(|| self.documents.get(&head));
        let Some(held) = held else { return Ok(None) };
        let entity = held.entity.as_deref().and_then(|name| Schema::current().entity(name));
        let (Some(entity), Some(state)) = (entity, flat(&held.content)) else { return Ok(None) };
        Ok(Some(scopes_of(entity, family, state)))
    }
}

fn flat(content: &Content) -> Option<&State> {
    if let Content::Flat(state) = content { Some(state) } else { None }
}

fn ask(grant: &Grant, written: &Written<'_>, places: &Places) -> Option<Refusal> {
    let Written { id, entity, after, keys, .. } = written;
    let Places { is_new, before, after: standing } = places;
    let (record, part) = (id.record, &id.part);
    let target = Target { record, entity, part, is_new: *is_new, before, after: standing };
    match after {
        Some(after) => grant.judge(target, keys, after),
        None => {
            let is_withheld = grant.is_withheld(&entity.name, id.part.as_str());
            let is_refused = is_withheld || (!grant.is_open && !grant.writes(target));
            is_refused.then(|| Refusal { code: NOT_PERMITTED, keys: Vec::new() })
        }
    }
}
