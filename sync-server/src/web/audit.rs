//! The audit for administrators: who did, saw, exported what, filtered and page by page.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use outrider_core::{
    ids::{DeviceId, RecordId, to_hex},
    schema::Language,
};
use uuid::Uuid;

use super::{
    devices::check_role,
    failure::Failure,
    form::Fields,
    page::{Page, When, name_of, respond},
    session::Session,
    words::Words,
};
use crate::{
    audit::reading::showing,
    office::{self, OfficeError},
    state::AppState,
    storage::{
        Read,
        audit::{AuditFilter, StoredAuditLine},
    },
};

/// Lines on one page.
const LINES_SHOWN: usize = 100;
/// Fields of the address that are read.
const FIELDS_MAX: usize = 10;
/// Characters of a filter, at most.
const FILTER_CHARS_MAX: usize = 100;

/// Actions by their names in the audit, with the keys of their words.
pub(super) const ACTIONS: &[(&str, &str)] = &[
    ("applied", "audit-applied"),
    ("rules_published", "audit-rules-published"),
    ("rules_off", "audit-rules-off"),
    ("approved", "audit-approved"),
    ("declined", "audit-declined"),
    ("refused", "audit-refused"),
    ("forked", "audit-forked"),
    ("rebuilt", "audit-rebuilt"),
    ("damaged", "audit-damaged"),
    ("put_off", "audit-put-off"),
    ("repaired", "audit-repaired"),
    ("forwarded", "audit-forwarded"),
    ("not_forwarded", "audit-not-forwarded"),
    ("record_read", "audit-record-read"),
    ("history_read", "audit-history-read"),
    ("list_read", "audit-list-read"),
    ("search_read", "audit-search-read"),
    ("report_read", "audit-report-read"),
    ("import_read", "audit-import-read"),
    ("audit_read", "audit-audit-read"),
    ("pulled", "audit-pulled"),
    ("fetched", "audit-fetched"),
    ("exported", "audit-exported"),
    ("erased", "audit-erased"),
    ("disclosed", "audit-disclosed"),
    ("signed_in", "audit-signed-in"),
    ("signed_out", "audit-signed-out"),
    ("sign_in_failed", "audit-sign-in-failed"),
    ("password_set", "audit-password-set"),
    ("second_factor_set", "audit-factor-set"),
    ("second_factor_removed", "audit-factor-removed"),
    ("recovery_code_used", "audit-recovery-used"),
    ("account_created", "audit-account-created"),
    ("account_disabled", "audit-account-disabled"),
    ("account_enabled", "audit-account-enabled"),
    ("account_linked", "audit-account-linked"),
    ("role_set", "audit-role-set"),
    ("see_as_begun", "audit-see-as-begun"),
    ("see_as_ended", "audit-see-as-ended"),
    ("author_added", "audit-author-added"),
    ("code_created", "audit-code-created"),
    ("enrolled", "audit-enrolled"),
    ("enrolment_refused", "audit-enrolment-refused"),
    ("enrolment_asked", "audit-enrolment-asked"),
    ("enrolment_declined", "audit-enrolment-declined"),
    ("approved_again", "audit-approved-again"),
    ("tokens_recovered", "audit-tokens-recovered"),
    ("suspended", "audit-suspended"),
    ("revoked", "audit-revoked"),
    ("wipe_ordered", "audit-wipe-ordered"),
    ("purged", "audit-purged"),
    ("wiped", "audit-wiped"),
    ("review_kept", "audit-review-kept"),
    ("user_disabled", "audit-user-disabled"),
    ("user_enabled", "audit-user-enabled"),
    ("recovery_opened", "audit-recovery-opened"),
    ("recovery_closed", "audit-recovery-closed"),
    ("audit_pruned", "audit-audit-pruned"),
    ("audit_rewritten", "audit-audit-rewritten"),
];

fn action_words(action: &str, words: Words) -> String {
    // An action that this page does not know shows by its name.
    let known = ACTIONS.iter().find(|(name, _)| *name == action);
    known.map_or_else(|| action.to_owned(), |(_, key)| words.t(key))
}

/// Somebody or something that a line names: what to show, and where it leads.
#[derive(Debug, Clone, Default)]
struct Named {
    text: String,
    href: String,
}

struct Line {
    number: u64,
    when: When,
    who: Named,
    action: String,
    is_alarm: bool,
    record: Named,
    subject: Named,
    count: Option<u64>,
    code: String,
    hash: String,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditTemplate {
    page: Page,
    user: String,
    who: String,
    record: String,
    /// Name, words, whether it is chosen.
    actions: Vec<(&'static str, String, bool)>,
    lines: Vec<Line>,
    last: u64,
    first: Option<String>,
    next: Option<String>,
}

fn address(fields: &Fields, before: Option<u64>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for name in ["user", "who", "record", "action"] {
        let value = fields.get(name);
        if !value.is_empty() {
            query.append_pair(name, value);
        }
    }
    if let Some(before) = before {
        query.append_pair("before", &before.to_string());
    }
    format!("/audit?{}", query.finish())
}

/// Names of what the lines of a page mention.
struct Names {
    ids: BTreeMap<Vec<u8>, String>,
    records: BTreeMap<RecordId, (String, String)>,
}

fn names(read: &dyn Read, lines: &[StoredAuditLine]) -> Result<Names, OfficeError> {
    let mut ids = BTreeMap::new();
    let mut records = Vec::new();
    for line in lines {
        let all = [&line.device, &line.account, &line.subject];
        for bytes in all.into_iter().flatten() {
            let Ok(id) = Uuid::from_slice(bytes) else { continue };
            if ids.contains_key(bytes) {
                continue;
            }
            if let Some(account) = read.account(id)? {
                ids.insert(bytes.clone(), format!("{} ({})", account.user, account.login));
            } else if let Some(device) = read.device(DeviceId(id))? {
                ids.insert(bytes.clone(), format!("{}, {}", device.user, device.name));
            } else {
                records.push(RecordId(id));
            }
        }
        let record = line.record.as_deref().and_then(|bytes| Uuid::from_slice(bytes).ok());
        records.extend(record.map(RecordId));
    }
    Ok(Names { ids, records: office::titles(read, records)? })
}

impl Names {
    /// An account, a device or a user, by whose id the audit can be filtered.
    fn somebody(&self, bytes: &[u8]) -> Named {
        let Ok(id) = Uuid::from_slice(bytes) else { return Named::default() };
        let known = self.ids.get(bytes).cloned();
        let known = known.or_else(|| self.records.get(&RecordId(id)).map(|(_, name)| name.clone()));
        let text = known.unwrap_or_else(|| id.to_string());
        Named { text, href: format!("/audit?who={id}") }
    }

    fn record(&self, bytes: &[u8], language: Language) -> Named {
        let Ok(id) = Uuid::from_slice(bytes).map(RecordId) else { return Named::default() };
        let Some((entity, title)) = self.records.get(&id) else {
            return Named { text: id.to_string(), href: format!("/audit?record={id}") };
        };
        let text = name_of(title, id, entity, language);
        Named { text, href: format!("/records/{entity}/{id}") }
    }
}

/// `GET /audit?user=&who=&record=&action=&before=`: a page of the audit, the newest line first.
pub(super) async fn show_audit(
    State(state): State<AppState>,
    session: Session,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    check_role(&session)?;
    let query = query.unwrap_or_default();
    let pairs = form_urlencoded::parse(query.as_bytes()).take(FIELDS_MAX);
    let fields = Fields(
        pairs
            .map(|(name, value)| {
                let value = value.trim().chars().take(FILTER_CHARS_MAX).collect();
                (name.into_owned(), value)
            })
            .collect(),
    );
    let some = |name: &str| Some(fields.get(name)).filter(|value| !value.is_empty());
    let id = |name: &str| some(name).map(str::parse::<Uuid>).transpose();
    let filter = AuditFilter {
        user: some("user").map(str::to_owned),
        who: id("who").map_err(|_| Failure::BadQuery)?,
        record: id("record").map_err(|_| Failure::BadQuery)?,
        action: some("action").map(str::to_owned),
        before: some("before").map(str::parse).transpose().map_err(|_| Failure::BadQuery)?,
        limit: LINES_SHOWN,
    };
    let found = state.run(move |storage| {
        let read = storage.read()?;
        let page = read.audit_page(&filter)?;
        let names = names(&*read, &page.lines)?;
        Ok::<_, OfficeError>((page, names, read.audit_tip()?.number))
    });
    let (found, names, last) = found.await?;
    let words = Words(session.language);
    let lines: Vec<Line> = found.lines.iter().map(|line| line_of(line, &names, words)).collect();
    let count = lines.len();
    let actions =
        ACTIONS.iter().map(|(name, key)| (*name, words.t(key), fields.get("action") == *name));
    let page = AuditTemplate {
        page: Page::new(&session, words.t("nav-audit"), "/audit"),
        actions: actions.collect(),
        lines,
        last,
        first: some("before").map(|_| address(&fields, None)),
        next: found.next.map(|next| address(&fields, Some(next))),
        user: fields.get("user").to_owned(),
        who: fields.get("who").to_owned(),
        record: fields.get("record").to_owned(),
    };
    Ok(showing(respond(&page), count))
}

fn line_of(line: &StoredAuditLine, names: &Names, words: Words) -> Line {
    let somebody = |bytes: &Option<Vec<u8>>| {
        bytes.as_deref().map(|bytes| names.somebody(bytes)).unwrap_or_default()
    };
    Line {
        number: line.number,
        when: When::at(line.at),
        who: somebody(if line.account.is_some() { &line.account } else { &line.device }),
        action: action_words(&line.action, words),
        is_alarm: line.action == "audit_rewritten",
        record: line
            .record
            .as_deref()
            .map(|bytes| names.record(bytes, words.0))
            .unwrap_or_default(),
        subject: somebody(&line.subject),
        count: line.count,
        code: line.code.clone(),
        hash: line.hash.as_deref().map(to_hex).unwrap_or_default().chars().take(12).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// The text of all sources.
    fn sources(folder: &Path, text: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, text);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                text.push_str(&fs::read_to_string(&path).unwrap());
            }
        }
    }

    #[test]
    fn every_action_has_words() {
        let mut text = String::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut text);
        let calls = text.split("AuditLine::new(").skip(1);
        let arguments = calls.filter_map(|rest| rest.split(')').next());
        let named: std::collections::BTreeSet<&str> = arguments
            .filter_map(|arguments| arguments.split(", \"").nth(1)?.strip_suffix('"'))
            .collect();
        assert!(named.len() > 15, "the search found next to nothing: {named:?}");
        let known = |action: &&&str| ACTIONS.iter().any(|(name, _)| name == *action);
        let unknown: Vec<_> = named.iter().filter(|action| !known(action)).collect();
        assert!(unknown.is_empty(), "no words for {unknown:?}");
        for (name, _) in ACTIONS {
            assert!(text.contains(&format!("\"{name}\"")), "nothing says {name}");
            assert_ne!(action_words(name, Words(Language::Zh)), *name);
        }
    }
}
