//! Which tenant a request is for: the host that it names decides, before anything else is read.
//!
//! The host comes from the request's target if that is absolute, else from its one `Host` field;
//! both are what proxies pass on. A request that names two hosts, or none that can be read, is
//! nobody's: it is answered here.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, Uri, header, uri::Authority},
    response::{IntoResponse as _, Response},
};
use tower::ServiceExt as _;
use tracing::{Instrument as _, Span};

use super::{LOCAL_SUFFIX, Tenant};
use crate::error::AppError;

/// One service for all companies: the first one's, and the tenants' by their hosts.
pub fn dispatch(first: Router, tenants: Vec<(Tenant, Router)>) -> Router {
    if tenants.is_empty() {
        return first;
    }
    let mut by_host = BTreeMap::new();
    for (tenant, router) in tenants {
        // Lines of the log within say whose they are.
        let span = tracing::info_span!("tenant", tenant = %tenant.name);
        for host in &tenant.hosts {
            by_host.insert(host.clone(), (router.clone(), span.clone()));
        }
        by_host.insert([tenant.name.as_str(), LOCAL_SUFFIX].concat(), (router, span));
    }
    let by_host = Arc::new(by_host);
    let first = (first, Span::none());
    Router::new().fallback(move |request: Request| {
        let chosen = host_of(request.uri(), request.headers())
            .map(|host| by_host.get(&host).unwrap_or(&first).clone());
        let span = chosen.as_ref().map_or_else(|_| Span::none(), |(_, span)| span.clone());
        answer(chosen.map(|(router, _)| router), request).instrument(span)
    })
}

async fn answer(router: Result<Router, Ambiguous>, request: Request) -> Response {
    let Ok(router) = router else {
        let words = "a request names one host";
        return AppError::bad_request("host_malformed", words).into_response();
    };
    match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// A request that does not name one host.
#[derive(Debug, PartialEq, Eq)]
struct Ambiguous;

/// The host that a request names: lower case, without port and final dot; empty if it names none.
fn host_of(uri: &Uri, headers: &HeaderMap) -> Result<String, Ambiguous> {
    let mut fields = headers.get_all(header::HOST).iter();
    let field = fields.next().map(|value| value.to_str().map_err(|_| Ambiguous)).transpose()?;
    if fields.next().is_some() {
        return Err(Ambiguous);
    }
    let target = uri.authority().map(Authority::as_str);
    let plain = |text: &str| -> Result<String, Ambiguous> {
        let authority: Authority = match text {
            "" => return Ok(String::new()),
            text => text.parse().map_err(|_| Ambiguous)?,
        };
        // Names of users do not belong there.
        if authority.as_str().contains('@') {
            return Err(Ambiguous);
        }
        let host = authority.host().to_ascii_lowercase();
        Ok(host.strip_suffix('.').unwrap_or(&host).to_owned())
    };
    let field = field.map(plain).transpose()?;
    let target = target.map(plain).transpose()?;
    match (target, field) {
        (Some(target), Some(field)) if target != field => Err(Ambiguous),
        (Some(host), _) | (None, Some(host)) => Ok(host),
        (None, None) => Ok(String::new()),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn host(target: &str, fields: &[&'static str]) -> Result<String, Ambiguous> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(header::HOST, HeaderValue::from_static(field));
        }
        host_of(&target.parse().unwrap(), &headers)
    }

    #[test]
    fn a_host_is_told_from_its_field_or_its_target_and_two_are_none() {
        let acme = Ok("acme.localhost".to_owned());
        assert_eq!(host("/", &["acme.localhost"]), acme);
        assert_eq!(host("/", &["ACME.localhost.:8480"]), acme);
        assert_eq!(host("http://acme.localhost:80/", &[]), acme);
        assert_eq!(host("http://acme.localhost/", &["acme.localhost:80"]), acme);
        assert_eq!(host("/", &[]), Ok(String::new()));
        assert_eq!(host("/", &["[::1]:8480"]), Ok("[::1]".to_owned()));
        for (target, fields) in [
            ("http://acme.localhost/", &["beta.localhost"][..]),
            ("/", &["acme.localhost", "acme.localhost"]),
            ("/", &["acme.localhost, beta.localhost"]),
            ("/", &["beta@acme.localhost"]),
            ("/", &["acme.localhost/x"]),
        ] {
            assert_eq!(host(target, fields), Err(Ambiguous), "{target} {fields:?}");
        }
    }
}
