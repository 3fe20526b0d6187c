//! An activity is done: it happened, and what happened is an interaction.

use serde_json::{Value as Json, json};

use super::{Record, Write, copy, put, text, update};
use crate::{
    ids::RecordId,
    time::{TimestampMs, to_rfc3339},
};

/// Characters of an interaction's summary, at most.
const SUMMARY_CHARS_MAX: usize = 4_000;
/// Characters of a correction in the interaction's log, at most.
const CORRECTION_CHARS_MAX: usize = 200;

/// What a person says when completing an activity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completion {
    /// A choice of `activity_outcome`.
    pub outcome: Option<String>,
    /// What happened, in words.
    pub note: Option<String>,
}

/// Plans the completion of an activity: its status, and one interaction.
///
/// The interaction's id follows from the activity's. `is_told` says that the interaction is here already: what is said then is added to
/// its corrections. An activity without a customer leaves no interaction.
///
/// Gives the id of the interaction, if there is one.
#[must_use]
pub fn complete_activity(
    id: RecordId,
    activity: &Record,
    said: &Completion,
    is_told: bool,
    now_ms: TimestampMs,
) -> (Option<RecordId>, Vec<Write>) {
    let mut changed = Record::new();
    put(&mut changed, "status", "held");
    if !activity.contains_key("completed_at") {
        put(&mut changed, "completed_at", to_rfc3339(now_ms));
    }
    for (name, value) in [("outcome", &said.outcome), ("outcome_notes", &said.note)] {
        if let Some(value) = value {
            put(&mut changed, name, value.as_str());
        }
    }
    let held = update(id, activity, changed);
    if text(activity, "customer_id").is_none() {
        return (None, held.into_iter().collect());
    }
    let interaction = RecordId::derived(id, "done");
    let told = if is_told {
        said.note.as_deref().map(|note| correction(interaction, note, now_ms))
    } else {
        let fields = interaction_of(id, activity, said, now_ms);
        Some(Write::Create { entity: "interaction", record: interaction, fields })
    };
    (Some(interaction), held.into_iter().chain(told).collect())
}

fn correction(interaction: RecordId, note: &str, now_ms: TimestampMs) -> Write {
    let note: String = note.chars().take(CORRECTION_CHARS_MAX).collect();
    let entry = json!({ "at": to_rfc3339(now_ms), "text": note });
    let mut fields = Record::new();
    put(&mut fields, "corrections", json!({ "add": [entry] }));
    Write::Update { record: interaction, fields }
}

fn interaction_of(
    id: RecordId,
    activity: &Record,
    said: &Completion,
    now_ms: TimestampMs,
) -> Record {
    let same = [
        "subject",
        "customer_id",
        "contact_id",
        "participants",
        "colleagues",
        "opportunity_id",
        "lead_id",
        "contract_id",
        "order_id",
        "request_id",
        "visit_id",
        "campaign_id",
        "direction",
        "duration_s",
        "place",
        "geo",
        "team_id",
    ];
    let mut fields = copy(activity, &same.map(|name| (name, name)));
    // Nobody's activity leaves nobody's interaction; see the conversion of leads.
    put(&mut fields, "owner_id", activity.get("owner_id").cloned().unwrap_or(Json::Null));
    put(&mut fields, "activity_id", id.to_string());
    put(&mut fields, "channel", channel_of(text(activity, "activity_type")));
    put(&mut fields, "status", "completed");
    put(&mut fields, "record_source", "manual");
    // When it was planned to happen, as both of two devices know it; else now.
    let planned = activity.get("activity_date").and_then(|date| date.get("start"));
    put(&mut fields, "occurred_at", planned.cloned().unwrap_or_else(|| to_rfc3339(now_ms).into()));
    let summary = said.note.as_deref().or(text(activity, "content"));
    if let Some(summary) = summary {
        put(&mut fields, "summary", summary.chars().take(SUMMARY_CHARS_MAX).collect::<String>());
    }
    fields
}

fn channel_of(activity_type: Option<&str>) -> &'static str {
    match activity_type {
        Some("call") => "call",
        Some("email") => "email",
        Some("meeting" | "demo") => "meeting",
        Some("visit") => "visit",
        Some("sms") => "sms",
        Some("wechat") => "wechat",
        Some("social") => "social",
        Some(_) | None => "other",
    }
}
