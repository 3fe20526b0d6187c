//! What an answer to a route shows of records, told for all routes in one place.
//!
//! A layer around the routes writes the line: the handler says who asks ([`Asker`]) and, where
//! there are many records, how many it shows ([`Shown`]). Files of records and pulls write their
//! own lines, because only they know what they sent.

use std::sync::{Arc, OnceLock};

use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};
use outrider_core::ids::{DeviceId, DocumentId, Part, RecordId};
use uuid::Uuid;

use crate::{state::AppState, storage::AuditLine, web::failure::Failure};

/// Who asks; a handler's extractor sets it once it knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asker(Arc<OnceLock<Who>>);

/// A device, or an account and as whom it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) device: Option<DeviceId>,
    pub(crate) account: Option<Uuid>,
    pub(crate) subject: Option<Uuid>,
}

impl Asker {
    /// Says who asks, if a layer wants to know.
    pub(crate) fn tell(parts: &axum::http::request::Parts, who: Who) {
        if let Some(asker) = parts.extensions.get::<Self>() {
            // The first one counts; a request has one.
            let _ = asker.0.set(who);
        }
    }
}

/// How many records an answer shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown(pub(crate) u64);

/// An answer that says how many records it shows.
pub(crate) fn showing(mut response: Response, count: usize) -> Response {
    response.extensions_mut().insert(Shown(count as u64));
    response
}

/// What the audit says of an answer to a route: action and code. Nothing for routes that show no
/// records, or that write their own lines.
fn line_of(route: &str) -> Option<(&'static str, &'static str)> {
    Some(match route {
        "/" => ("list_read", "today"),
        "/reports/pipeline" => ("report_read", "pipeline"),
        "/search" | "/v1/search" => ("search_read", ""),
        "/near" | "/v1/near" => ("search_read", "near"),
        "/duplicates" => ("list_read", "duplicates"),
        "/likely/{entity}" => ("search_read", "likely"),
        "/suggest/{entity}" => ("search_read", "suggest"),
        "/records/{entity}" => ("list_read", ""),
        "/records/{entity}/{id}" | "/v1/records/{record}" => ("record_read", ""),
        "/records/{entity}/{id}/edit" => ("record_read", "edit"),
        "/records/{entity}/{id}/erase" => ("record_read", "erase"),
        "/records/{entity}/{id}/merge/{other}" => ("record_read", "merge"),
        "/records/{entity}/{id}/record.json" => ("exported", "json"),
        "/records/{entity}/{id}/history"
        | "/v1/records/{record}/changes"
        | "/v1/records/{record}/{part}/history" => ("history_read", ""),
        "/records/{entity}/{id}/at/{position}" => ("history_read", "at"),
        "/records/{entity}/{id}/{file}" | "/v1/records/{record}/{part}/automerge" => {
            ("exported", "automerge")
        }
        "/import/{id}" => ("import_read", ""),
        "/import/{id}/errors.csv" => ("import_read", "errors"),
        "/audit" => ("audit_read", ""),
        "/reviews" => ("list_read", "reviews"),
        _ => return None,
    })
}

/// The part of a path that stands where the route has a name in braces.
fn parameter<'p>(route: &str, path: &'p str, name: &str) -> Option<&'p str> {
    let mut pairs = route.split('/').zip(path.split('/'));
    pairs
        .find(|(pattern, _)| {
            pattern.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) == Some(name)
        })
        .map(|(_, value)| value)
}

/// The line for an answer, without who and when.
fn describe(route: &str, path: &str, shown: Option<Shown>) -> Option<AuditLine> {
    let (action, code) = line_of(route)?;
    let record = parameter(route, path, "id").or_else(|| parameter(route, path, "record"));
    let record: Option<RecordId> = record.and_then(|text| text.parse().ok());
    let part = parameter(route, path, "part").and_then(|text| text.parse().ok());
    let document = record.map(|record| DocumentId { record, part: part.unwrap_or(Part::Main) });
    let entity = parameter(route, path, "entity").unwrap_or_default();
    let code = [entity, code].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>();
    let count = shown.map(|shown| shown.0);
    Some(AuditLine::new(0, action).document(document).count(count).code(code.join(" ")))
}

/// Writes what an answer shows into the audit, before it goes out.
pub(crate) async fn note(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let is_question = request.method() == Method::GET || request.method() == Method::HEAD;
    let route = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned());
    let Some(route) = route.filter(|route| is_question && line_of(route).is_some()) else {
        return next.run(request).await;
    };
    let path = request.uri().path().to_owned();
    let asker = Asker::default();
    request.extensions_mut().insert(asker.clone());
    let response = next.run(request).await;
    let Some(who) = asker.0.get().copied().filter(|_| response.status().is_success()) else {
        return response;
    };
    let Some(line) = describe(&route, &path, response.extensions().get().copied()) else {
        return response;
    };
    let line = AuditLine { at: state.now_ms(), ..line };
    let line = line.device(who.device).account(who.account).subject(who.subject);
    let desk = Arc::clone(&state.audit);
    match state.run(move |storage| desk.write(storage, line)).await {
        Ok(()) => response,
        // What cannot be noted is not shown.
        Err(error) if path.starts_with("/v1/") => error.into_response(),
        Err(error) => Failure::from(error).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Routes that show no records, or whose lines are written where the records are.
    const SILENT: &[&str] = &[
        "/sign-in",
        "/me",
        "/accounts",
        "/rules",
        "/devices",
        "/live",
        "/import",
        "/records/{entity}/new",
        // Lines of their own, with the number of rows: `office::write_file`.
        "/records/{entity}/export/{format}",
        "/records/{entity}/{id}/export/{format}",
        "/v1/export/{entity}",
        // A line of its own, `disclosed`; a certificate says nothing of the person.
        "/records/{entity}/{id}/disclosure.json",
        "/records/{entity}/{id}/erasure.json",
        "/static/{digest}/{name}",
        "/health",
        "/ready",
        "/v1/status",
        "/v1/device",
        "/v1/ca",
        "/v1/live",
    ];

    #[test]
    fn every_route_that_shows_records_is_told() {
        let sources = [include_str!("../web.rs"), include_str!("../router.rs")];
        let mut count = 0;
        for source in sources {
            for rest in source.split(".route(\"").skip(1) {
                let (route, rest) = rest.split_once('"').unwrap();
                let call = rest.split(".route(").next().unwrap();
                if !call.contains("get(") {
                    continue;
                }
                count += 1;
                let is_told = line_of(route).is_some();
                assert_ne!(is_told, SILENT.contains(&route), "{route}: told or silent, not both");
            }
        }
        assert!(count > 25, "the search found next to nothing");
    }

    #[test]
    fn a_line_names_the_record_and_the_entity() {
        let id = RecordId::new(1, [1; 10]);
        let line =
            describe("/records/{entity}/{id}/edit", &format!("/records/customer/{id}/edit"), None);
        let line = line.unwrap();
        assert_eq!((line.action, line.code.as_str()), ("record_read", "customer edit"));
        assert_eq!(line.document, Some(DocumentId { record: id, part: Part::Main }));
        let line = describe("/v1/search", "/v1/search", Some(Shown(7))).unwrap();
        assert_eq!((line.action, line.count, line.document), ("search_read", Some(7), None));
        assert!(describe("/health", "/health", None).is_none());
    }
}
