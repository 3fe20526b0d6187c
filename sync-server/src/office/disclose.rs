//! Everything that is known of a person, as one file for programs: the right to a copy.

use outrider_core::{
    ids::{DocumentId, Part, RecordId},
    time::{TimestampMs, to_rfc3339},
};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::{
    HISTORY_PAGE_MAX, HistoryQuery, OfficeError,
    erase::{EraseError, erased_with},
    history,
    naming::namings,
    view::view,
};
use crate::storage::{AuditLine, Read, Storage};

/// Says which form the file has.
pub const DISCLOSURE_FORMAT: &str = "outrider-disclosure/1";
/// Records beside the person's own that are told whole, at most; the file says when there are more.
pub const LINKED_MAX: usize = 2_000;

/// Who asks for a disclosure, for the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asker {
    /// The account that asks; none for the command.
    pub account: Option<Uuid>,
}

/// Everything that is known of a person; that it was asked for is in the audit before it is handed
/// out.
///
/// That is: the record with all parts and texts, records that were merged into it, their histories,
/// and every record that links to the person or says the person's name, number or address.
///
/// # Errors
///
/// Returns [`EraseError`] for a record that is no person or was erased.
pub fn disclose(
    storage: &dyn Storage,
    record: RecordId,
    asker: Asker,
    now_ms: TimestampMs,
) -> Result<Json, EraseError> {
    let (file, count) = {
        let read = storage.read()?;
        let records = match erased_with(&*read, record) {
            // What must not be erased can be told.
            Err(EraseError::LegalHold(_)) => vec![record],
            other => other?,
        };
        file_of(&*read, record, &records, now_ms)?
    };
    let id = DocumentId { record, part: Part::Main };
    let line = AuditLine::new(now_ms, "disclosed").account(asker.account).document(id);
    let mut write = storage.write()?;
    write.add_audit(&line.count(count).code("json"))?;
    write.commit()?;
    Ok(file)
}

fn file_of(
    read: &dyn Read,
    record: RecordId,
    records: &[RecordId],
    now_ms: TimestampMs,
) -> Result<(Json, u64), OfficeError> {
    let mut own = Vec::new();
    for record in records {
        let Some(mut told) = told(read, *record)? else { continue };
        told.insert("history".to_owned(), whole_history(read, *record)?.into());
        own.push(Json::Object(told));
    }
    let found = namings(read, records)?;
    let mut linked = Vec::new();
    for naming in found.records.iter().take(LINKED_MAX) {
        let Some(mut told) = told(read, naming.record)? else { continue };
        told.insert("links".to_owned(), json!(naming.links));
        told.insert("says".to_owned(), json!(naming.says));
        linked.push(Json::Object(told));
    }
    let count = (own.len() + linked.len()) as u64;
    let file = json!({
        "format": DISCLOSURE_FORMAT,
        "record": record,
        "made_at": to_rfc3339(now_ms),
        "records": own,
        "linked": linked,
        "is_cut": found.is_cut || found.records.len() > LINKED_MAX,
    });
    Ok((file, count))
}

/// A record with all its parts and texts, what is in conflict, and its attachments.
fn told(read: &dyn Read, record: RecordId) -> Result<Option<Map<String, Json>>, OfficeError> {
    let Some(view) = view(read, record)? else { return Ok(None) };
    let attachments = view.json.get("attachments").cloned().unwrap_or_else(|| json!([]));
    Ok(Some(Map::from_iter([
        ("entity".to_owned(), json!(view.entity.name)),
        ("record".to_owned(), json!(record)),
        ("title".to_owned(), json!(view.title)),
        ("fields".to_owned(), Json::Object(view.json)),
        ("conflicts".to_owned(), json!(view.conflicts)),
        ("attachments".to_owned(), attachments),
    ])))
}

fn whole_history(read: &dyn Read, record: RecordId) -> Result<Vec<Json>, OfficeError> {
    let mut query = HistoryQuery { limit: HISTORY_PAGE_MAX, ..HistoryQuery::default() };
    let mut all = Vec::new();
    loop {
        let page = history(read, record, &query)?;
        all.extend(page.entries.iter().map(|entry| json!(entry)));
        query.after = page.next;
        if query.after.is_none() {
            return Ok(all);
        }
    }
}
