//! What a form sends: names and values in order, bounded, of this session and this site.

use axum::{
    extract::{FromRequest, Request, State},
    http::{HeaderMap, Method, header},
    middleware::Next,
    response::Response,
};

use super::{
    failure::{Failure, Pair},
    session::{self, Session},
};
use crate::{
    body::{check_type, receive},
    error::AppError,
    state::AppState,
};

/// Bytes of a form, at most: a record with all its long texts.
pub const FORM_BYTES_MAX: u32 = 4 * 1024 * 1024;
/// Fields of a form, at most.
pub const FORM_FIELDS_MAX: usize = 10_000;
/// Bytes of a form that nobody is signed in for, at most, unless it is one that was interrupted.
pub const SIGN_IN_BYTES_MAX: u32 = FORM_BYTES_MAX + 64 * 1024;
/// The field that every form of a session carries.
pub(super) const CSRF: &str = "_csrf";

/// The fields of a form, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields(pub(super) Vec<Pair>);

impl Fields {
    /// The first value of a field; empty if it is not there.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }

    /// Whether the field is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(found, _)| found == name)
    }
}

/// A form of someone who is signed in, sent from a page of this session.
pub(super) struct Submission {
    pub(super) session: Session,
    pub(super) fields: Fields,
}

impl FromRequest<AppState> for Submission {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Failure> {
        let next = request.uri().path().to_owned();
        check_site(request.headers())?;
        let session = session::find(request.headers(), state).await?;
        let mut fields = read(request, state, FORM_BYTES_MAX).await?;
        let csrf = fields.get(CSRF).to_owned();
        fields.0.retain(|(name, _)| name != CSRF);
        match session {
            Some(session) if session.csrf == csrf => Ok(Self { session, fields }),
            Some(_) => Err(Failure::Stale { next, fields: fields.0 }),
            None => Err(Failure::SignIn { next, fields: fields.0 }),
        }
    }
}

/// A form of whoever, sent from a page of this site.
pub(super) struct OpenForm(pub(super) Fields);

impl FromRequest<AppState> for OpenForm {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Failure> {
        check_site_is_said(request.headers())?;
        read(request, state, SIGN_IN_BYTES_MAX).await.map(Self)
    }
}

/// Forms that can be sent while somebody looks as another.
const WHILE_LOOKING: &[&str] = &["/see-as/stop", "/sign-out", "/sign-in", "/sign-in/code"];

/// Around all pages: what another site made the browser send goes nowhere, whatever the handler,
/// and while somebody looks as another nothing is written.
pub(super) async fn guard(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(next.run(request).await);
    }
    check_site(request.headers())?;
    if !WHILE_LOOKING.contains(&request.uri().path()) {
        let session = session::find(request.headers(), &state).await?;
        if session.is_some_and(|session| session.seen_as.is_some()) {
            return Err(Failure::Looking);
        }
    }
    Ok(next.run(request).await)
}

/// Refuses what does not say from which site it comes: every browser does, and these forms carry
/// no word of a session.
fn check_site_is_said(headers: &HeaderMap) -> Result<(), Failure> {
    if headers.contains_key("sec-fetch-site") || headers.contains_key(header::ORIGIN) {
        return check_site(headers);
    }
    Err(Failure::Stale { next: "/".to_owned(), fields: Vec::new() })
}

/// Refuses what another site made the browser send.
pub(super) fn check_site(headers: &HeaderMap) -> Result<(), Failure> {
    let refused = || Failure::Stale { next: "/".to_owned(), fields: Vec::new() };
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return if matches!(site, "same-origin" | "none") { Ok(()) } else { Err(refused()) };
    }
    // Older browsers say where the page came from. Behind a proxy the scheme may differ.
    let origin = text(header::ORIGIN.as_str()).map(|origin| origin.split("://").nth(1));
    match origin {
        Some(host) if host != text(header::HOST.as_str()) => Err(refused()),
        Some(_) | None => Ok(()),
    }
}

async fn read(request: Request, state: &AppState, most: u32) -> Result<Fields, Failure> {
    debug_assert!(request.method() == Method::POST);
    check_type(request.headers(), "application/x-www-form-urlencoded")?;
    let (bytes, _room) = receive(request, state, most).await?;
    let mut fields = Vec::new();
    for (name, value) in form_urlencoded::parse(&bytes) {
        if fields.len() == FORM_FIELDS_MAX {
            let words = format!("a form may have {FORM_FIELDS_MAX} fields");
            return Err(AppError::too_large("too_many_fields", words).into());
        }
        // Browsers send every end of a line as two characters.
        fields.push((name.into_owned(), value.replace("\r\n", "\n")));
    }
    Ok(Fields(fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_site_may_send_forms() {
        let may = |fields: &[(&'static str, &str)]| {
            let fields = fields.iter().map(|(name, value)| {
                (header::HeaderName::from_static(name), value.parse().unwrap())
            });
            check_site(&fields.collect()).is_ok()
        };
        assert!(may(&[]));
        assert!(may(&[("sec-fetch-site", "same-origin")]));
        assert!(may(&[("sec-fetch-site", "none")]));
        assert!(!may(&[("sec-fetch-site", "cross-site")]));
        assert!(!may(&[("sec-fetch-site", "same-site")]));
        assert!(may(&[("origin", "https://crm.example.com"), ("host", "crm.example.com")]));
        assert!(!may(&[("origin", "https://evil.example"), ("host", "crm.example.com")]));
        assert!(!may(&[("origin", "null"), ("host", "crm.example.com")]));
    }
}
