//! Deciding on edits that the policy refused: those that were allowed when their device last
//! pulled, those whose author asks for it, those of people who may not write any more.
//!
//! A granted edit is a change of whoever granted it, with the dependencies, predecessors and time
//! of its author; its message names both. What is granted is written in one transaction with the
//! decision and with the answer to the request for approval.

use std::collections::BTreeSet;

use outrider_core::{
    access::{
        Operation, PartKind, Scope, Standing,
        grant::Question,
        scope::{linked, readers_of, scopes_of},
    },
    crdt::{self, EncodedChange, reissue},
    ids::{ChangeHash, DocumentId, Part, RecordId},
    schema::{Family, Schema},
    sync::frame::{PushChange, PushGroup},
    time::{TimestampMs, to_rfc3339},
    value::Money,
};
use serde_json::{Map, Value as Json, json};

use super::{Author, OfficeError, edit::Tap};
use crate::{
    accept::{Applied, Desk, access::ASKED},
    devices::review::ENDED,
    ledger::Entry,
    storage::{
        AuditLine, Content, Read, Storage, StorageError, Write,
        access::{Review, ReviewState},
    },
};

/// The entity of requests for approval.
pub(crate) const PROPOSAL: &str = "proposal";
/// The field that says of which record the edit is.
pub(crate) const ABOUT: &str = "about_record";
/// Characters of a name in the message of a granted change, at most.
const NAME_CHARS_MAX: usize = 100;

/// What somebody decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The edit is entered.
    Grant,
    /// It is not.
    Decline,
}

/// Decides on an edit that waits.
///
/// # Errors
///
/// [`OfficeError::Refused`] with the code `not_permitted` when whoever decides may not approve edits
/// of this record, or not so much, or made the edit themselves; [`OfficeError::NoReview`] when nothing of this number waits.
/// Nothing is decided then. [`OfficeError::NotEntered`] for a part of a record that was not entered
/// itself.
pub fn decide(
    storage: &dyn Storage,
    policy: &outrider_core::access::Policy,
    approver: &Author,
    id: u64,
    decision: Decision,
    reason: &str,
    now_ms: TimestampMs,
) -> Result<(), OfficeError> {
    let mut tap = Tap::open(storage, policy, approver, now_ms)?;
    let review = tap.desk.tx.review(id)?.filter(|review| review.state == ReviewState::Open);
    let Some(mut review) = review else { return Err(OfficeError::NoReview(id)) };
    check_approver(&mut tap.desk, &review)?;
    let main = DocumentId { record: review.document.record, part: Part::Main };
    let is_headless = review.document.part != Part::Main && tap.desk.tx.document(&main)?.is_none();
    if decision == Decision::Grant && is_headless {
        return Err(OfficeError::NotEntered(main.record));
    }
    if decision == Decision::Grant {
        enter(&mut tap, approver, &review)?;
    }
    review.state = match decision {
        Decision::Grant => ReviewState::Granted,
        Decision::Decline => ReviewState::Declined,
    };
    review.decided_at = Some(now_ms);
    review.decided_by.clone_from(&approver.device.user);
    tap.desk.tx.set_review(&review)?;
    answer_request(&mut tap, approver, &review, reason, now_ms)?;
    let action = if decision == Decision::Grant { "approved" } else { "declined" };
    let line = AuditLine::new(now_ms, action).device(approver.device.id);
    let line = line.document(review.document.clone()).hash(review.hash).code(&review.code);
    tap.desk.tx.add_audit(&line)?;
    tap.desk.finish()?;
    Ok(())
}

/// Refuses an approver who may not approve this.
fn check_approver(desk: &mut Desk<'_>, review: &Review) -> Result<(), OfficeError> {
    let refused = |keys| OfficeError::Refused { code: "not_permitted".to_owned(), keys };
    // Nobody grants themselves what they may not do.
    if review.user.is_some() && review.user == desk.device().user_record && !desk.grant().is_open {
        return Err(refused(Vec::new()));
    }
    let standing = desk.standing_of(review)?;
    let grant = desk.grant();
    let question = Question {
        operation: Operation::Approve,
        entity: &review.entity,
        part: PartKind::of(&review.document.part),
        standing: &standing,
    };
    if !grant.allows(&question) {
        return Err(refused(Vec::new()));
    }
    let Some(limit) = grant.approval_limit() else { return Ok(()) };
    let over: Vec<String> =
        amounts(review).filter(|(_, amount)| amount.amount() > limit).map(|(key, _)| key).collect();
    if over.is_empty() { Ok(()) } else { Err(refused(over)) }
}

/// The amounts of money that an edit wants to write.
fn amounts(review: &Review) -> impl Iterator<Item = (String, Money)> {
    let change = crdt::decode(&review.bytes).ok();
    let ops = change.into_iter().flat_map(|change| change.change.ops);
    ops.filter_map(|op| match op.action {
        crdt::Action::Put(value) => Some((op.key, value.as_text()?.parse().ok()?)),
        crdt::Action::Delete => None,
    })
}

/// Writes the edit.
fn enter(tap: &mut Tap<'_>, approver: &Author, review: &Review) -> Result<(), OfficeError> {
    let DocumentId { record, part } = review.document.clone();
    let (device, bytes, generation) = if part.is_flat() && review.reason != ENDED {
        let change = granted(tap, approver, review)?;
        (approver.device.clone(), change.bytes, generation_of(&tap.desk, &review.document)?)
    } else {
        // Nobody has written under the author's number there: it is entered as it is. Of flat
        // documents that holds for what a device handed in that writes no more, and whose later
        // edits follow the earlier ones.
        let header = crdt::header(&review.bytes).map_err(|_| unreadable())?;
        tap.desk.tx.remove_refusal(&review.document, header.actor, header.seq)?;
        let device = tap.desk.tx.device(review.device)?.ok_or_else(unreadable)?;
        (device, review.bytes.clone(), generation_of(&tap.desk, &review.document)?)
    };
    let entity = review.entity.clone();
    let change = PushChange { record, part, entity, generation, bytes };
    tap.judge_as(device, PushGroup { changes: vec![change] }).map_err(|error| {
        // It follows an edit that was not entered.
        let follows = matches!(&error, OfficeError::Refused { code, .. } if code == "pending");
        if follows { OfficeError::NotEntered(record) } else { error }
    })
}

fn unreadable() -> OfficeError {
    OfficeError::Storage(StorageError::Damaged("an edit that was refused".to_owned()))
}

fn generation_of(desk: &Desk<'_>, id: &DocumentId) -> Result<u32, StorageError> {
    Ok(desk.tx.document(id)?.map_or(0, |stored| match stored.content {
        Content::Flat(state) => state.generation,
        Content::Text(text) => text.generation,
    }))
}

/// The change that enters the edit, under an actor of the approver.
fn granted(
    tap: &Tap<'_>,
    approver: &Author,
    review: &Review,
) -> Result<EncodedChange, OfficeError> {
    let original = crdt::decode(&review.bytes).map_err(|_| unreadable())?;
    let clock = tap.desk.tx.document(&review.document)?.map(|stored| match stored.content {
        Content::Flat(state) => state.clock,
        Content::Text(_) => crdt::Clock::new(),
    });
    let is_free = |actor| clock.as_ref().is_none_or(|clock| !clock.contains_key(&actor));
    let actor = (0..).map(|n| approver.actor(&review.document, n)).find(|actor| is_free(*actor));
    let short = |name: &str| name.chars().take(NAME_CHARS_MAX).collect::<String>();
    let author = tap.desk.tx.device(review.device)?;
    let message = json!({
        "user": short(author.as_ref().map_or("", |device| device.user.as_str())),
        "device": review.device,
        "refused": review.hash,
        "approver": short(&approver.device.user),
    });
    let keys: BTreeSet<String> = review.keys.iter().cloned().collect();
    actor.and_then(|actor| reissue(&original.change, &keys, actor, message.to_string())).ok_or_else(
        || OfficeError::Refused { code: "counter".to_owned(), keys: review.keys.clone() },
    )
}

/// Tells whoever asked what was decided.
fn answer_request(
    tap: &mut Tap<'_>,
    approver: &Author,
    review: &Review,
    reason: &str,
    now_ms: TimestampMs,
) -> Result<(), OfficeError> {
    let Some(proposal) = review.proposal else { return Ok(()) };
    let decision = if review.state == ReviewState::Granted { "accepted" } else { "rejected" };
    let mut fields = Map::from_iter([
        ("decision".to_owned(), Json::from(decision)),
        ("decided_at".to_owned(), Json::from(to_rfc3339(now_ms))),
    ]);
    if let Some(user) = approver.device.user_record {
        fields.insert("decided_by".to_owned(), Json::from(user.to_string()));
    }
    if !reason.is_empty() {
        fields.insert("decision_reason".to_owned(), Json::from(reason));
    }
    tap.desk.flush()?;
    tap.update(proposal, &fields)?;
    tap.judge_freely()
}

/// Requests for approval that were just received: what they ask for waits from now on. Those about
/// an erased record are due to be erased. Whether there are some.
///
/// # Errors
///
/// Fails when the storage does.
pub(crate) fn note_requests(
    desk: &mut Desk<'_>,
    applied: &[Applied],
) -> Result<bool, StorageError> {
    let mut is_erasure_due = false;
    for request in applied.iter().filter(|applied| applied.id.part == Part::Main) {
        let Some(stored) = desk.tx.document(&request.id)? else { continue };
        let Content::Flat(main) = &stored.content else { continue };
        if stored.entity != PROPOSAL {
            continue;
        }
        let now_ms = desk.now_ms();
        if let Some(about) = about(main)
            && is_about_erased(&mut *desk.tx, about, request.id.record, now_ms)?
        {
            is_erasure_due = true;
            continue;
        }
        let Some((document, hash)) = asked_for(main) else { continue };
        let Some(mut review) = desk.tx.review_of(&document, hash)? else { continue };
        // Nobody asks for what somebody else wrote, or what was decided already.
        let is_own = review.user.is_some() && review.user == desk.device().user_record;
        if is_own && review.state == ReviewState::Kept {
            review.state = ReviewState::Open;
            review.reason = ASKED.to_owned();
            review.proposal = Some(request.id.record);
            desk.tx.set_review(&review)?;
            open_following(desk, &review)?;
        } else if is_own && review.state == ReviewState::Open && review.proposal.is_none() {
            review.proposal = Some(request.id.record);
            desk.tx.set_review(&review)?;
        }
    }
    Ok(is_erasure_due)
}

/// What was typed into a text after a refused change of it is asked for with that one.
fn open_following(desk: &mut Desk<'_>, first: &Review) -> Result<(), StorageError> {
    let id = &first.document;
    let Some(header) = crdt::header(&first.bytes).ok().filter(|_| !id.part.is_flat()) else {
        return Ok(());
    };
    for seq in header.seq + 1.. {
        let Some(refusal) = desk.tx.refusal(id, header.actor, seq)? else { break };
        let kept = desk.tx.review_of(id, refusal.hash)?;
        let Some(mut review) = kept.filter(|one| one.state == ReviewState::Kept) else { break };
        review.state = ReviewState::Open;
        review.reason = ASKED.to_owned();
        desk.tx.set_review(&review)?;
    }
    Ok(())
}

/// Whether a request that came is about an erased record: then it is due to be erased, because it
/// repeats what somebody wanted to write.
pub(crate) fn is_about_erased(
    write: &mut dyn Write,
    about: RecordId,
    record: RecordId,
    now_ms: TimestampMs,
) -> Result<bool, StorageError> {
    if write.erasure_of(about)?.is_none() {
        return Ok(false);
    }
    write.note_erasure_due(record, now_ms)?;
    // In the ledger before the commit, as every erasure.
    write.note(Entry::Erased { record, at: now_ms });
    Ok(true)
}

/// The record of which a change to a request says that it wants an edit.
pub(crate) fn about_record(bytes: &[u8]) -> Option<RecordId> {
    let change = crdt::decode(bytes).ok()?;
    change.change.ops.iter().find_map(|op| match &op.action {
        crdt::Action::Put(value) if op.key == ABOUT => value.as_text()?.parse().ok(),
        crdt::Action::Put(_) | crdt::Action::Delete => None,
    })
}

/// The refused change that a granted one stands for, as its message says.
pub(super) fn granted_in(message: &str) -> Option<ChangeHash> {
    let message: Json = serde_json::from_str(message).ok()?;
    outrider_core::ids::from_hex(message.get("refused")?.as_str()?).map(ChangeHash)
}

/// The record of which a request wants an edit.
fn about(proposal: &crdt::State) -> Option<RecordId> {
    proposal.register(ABOUT)?.winner.value.as_text()?.parse().ok()
}

/// The change for which a request asks.
fn asked_for(proposal: &crdt::State) -> Option<(DocumentId, ChangeHash)> {
    let text = |field: &str| proposal.register(field)?.winner.value.as_text();
    let record = about(proposal)?;
    let proposed: Json = serde_json::from_str(text("proposed")?).ok()?;
    let part: Part = proposed.get("part")?.as_str()?.parse().ok()?;
    let hash = outrider_core::ids::from_hex(proposed.get("refused")?.as_str()?)?;
    Some((DocumentId { record, part }, ChangeHash(hash)))
}

/// Edits that wait and that this user may decide on, the oldest first.
///
/// # Errors
///
/// Fails when the storage does.
pub fn open_reviews(
    storage: &dyn Storage,
    grant: &outrider_core::access::Grant,
    limit: usize,
) -> Result<Vec<Review>, StorageError> {
    /// Edits that are read at a time.
    const PAGE: usize = 1_000;
    let read = storage.read()?;
    let (mut found, mut after) = (Vec::new(), 0);
    loop {
        let page = read.reviews(ReviewState::Open, after, PAGE)?;
        let Some(last) = page.last() else { return Ok(found) };
        after = last.id;
        for review in page {
            let standing = standing_now(&*read, &review)?;
            let question = Question {
                operation: Operation::Approve,
                entity: &review.entity,
                part: PartKind::of(&review.document.part),
                standing: &standing,
            };
            let is_own = review.user.is_some() && review.user == grant.user;
            let is_known = Schema::current().entity(&review.entity).is_some();
            if !is_own && is_known && grant.allows(&question) {
                found.push(review);
            }
            if found.len() >= limit {
                return Ok(found);
            }
        }
    }
}

/// Where the record of an edit stands; one that is not there yet, as the edit would begin it.
fn standing_now(read: &dyn Read, review: &Review) -> Result<Standing, StorageError> {
    let record = review.document.record;
    let scopes_of_unit = |family, alone| -> Result<Standing, StorageError> {
        let scopes = read.scopes_of(family, alone)?.into_iter();
        Ok(scopes.filter(|scope| scope.left.is_none()).map(|scope| scope.scope).collect())
    };
    if let Some((family, alone)) = read.place_of(record)? {
        return scopes_of_unit(family, alone);
    }
    let (Some(entity), Ok(change)) =
        (Schema::current().entity(&review.entity), crdt::decode(&review.bytes))
    else {
        return Ok(Standing::new());
    };
    let mut state = crdt::State::default();
    state.apply(&change);
    let family = match &entity.family {
        Family::Itself => record,
        Family::Link(field) => linked(&state, field).unwrap_or(record),
    };
    let mut standing = match read.place_of(family)?.filter(|_| family != record) {
        Some((family, _)) => scopes_of_unit(family, None)?,
        None => scopes_of(entity, record, &state),
    };
    standing.extend(readers_of(entity, &state).into_iter().map(Scope::User));
    Ok(standing)
}
