//! Why a page is not what was asked for, as a page for people.
//!
//! Handlers return a [`Failure`]; the layer around them, which knows the reader's language, makes
//! the page of it.

use askama::Template;
use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{page::Page, session::language_of, sign_in::sign_in_page, words::Words};
use crate::{error::AppError, office::OfficeError, storage::StorageError};

/// A name and a value that were typed.
pub(super) type Pair = (String, String);

/// Why there is no page.
#[derive(Debug)]
pub enum Failure {
    /// Nobody is signed in; what was typed comes along.
    SignIn {
        /// Where they wanted to go.
        next: String,
        /// What they had typed.
        fields: Vec<(String, String)>,
    },
    /// There is nothing here.
    NotFound,
    /// The form is of another session, or of another site.
    Stale {
        /// Where it was sent.
        next: String,
        /// What they had typed; nothing if it came from another site.
        fields: Vec<(String, String)>,
    },
    /// They may not.
    Forbidden,
    /// They look as somebody else, and nothing can be written meanwhile.
    Looking,
    /// The address says something that cannot be.
    BadQuery,
    /// Everything else.
    App(AppError),
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        Self::App(error)
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::App(error.into())
    }
}

/// Carries a failure to the layer that shows it.
#[derive(Clone)]
struct Carried(std::sync::Arc<std::sync::Mutex<Option<Failure>>>);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        let carried = std::sync::Arc::new(std::sync::Mutex::new(Some(self)));
        response.extensions_mut().insert(Carried(carried));
        response
    }
}

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage {
    page: Page,
    words: String,
}

/// Makes a page of a failure that a handler returned; other responses pass.
pub(super) fn show(mut response: Response, headers: &HeaderMap) -> Response {
    let Some(Carried(carried)) = response.extensions_mut().remove::<Carried>() else {
        return response;
    };
    let failure = carried.lock().ok().and_then(|mut failure| failure.take());
    let words = Words(language_of(headers));
    let (status, key) = match failure {
        Some(Failure::SignIn { next, fields }) if fields.is_empty() => {
            let query =
                form_urlencoded::Serializer::new(String::new()).append_pair("next", &next).finish();
            let location =
                if next == "/" { "/sign-in".to_owned() } else { format!("/sign-in?{query}") };
            return (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response();
        }
        Some(Failure::SignIn { next, fields }) => {
            let page = sign_in_page(words, &next, "", Some("sign-in-ended"), fields);
            return (StatusCode::UNAUTHORIZED, page).into_response();
        }
        Some(Failure::Stale { next, fields }) if !fields.is_empty() => {
            return (StatusCode::FORBIDDEN, super::sign_in::send_again_page(words, &next, fields))
                .into_response();
        }
        Some(Failure::Stale { .. }) => (StatusCode::FORBIDDEN, words.t("failure-stale")),
        Some(Failure::NotFound) => (StatusCode::NOT_FOUND, words.t("failure-not-found")),
        Some(Failure::Forbidden) => (StatusCode::FORBIDDEN, words.t("failure-forbidden")),
        Some(Failure::Looking) => (StatusCode::FORBIDDEN, words.t("failure-looking")),
        Some(Failure::BadQuery) => (StatusCode::BAD_REQUEST, words.t("failure-query")),
        Some(Failure::App(error)) => {
            error.log();
            let text = match &error {
                AppError::Busy => words.t("failure-busy"),
                AppError::TooMany { .. } => words.t("failure-too-many"),
                AppError::Refused { status: StatusCode::PAYLOAD_TOO_LARGE, .. } => {
                    words.t("failure-too-large")
                }
                AppError::Refused { status: StatusCode::NOT_FOUND, .. } => {
                    words.t("failure-not-found")
                }
                AppError::Storage(StorageError::Query(_)) => words.t("failure-query"),
                AppError::Refused { message, .. } => message.clone(),
                AppError::Unauthorised | AppError::Storage(_) | AppError::Internal(_) => {
                    words.t("failure-server")
                }
            };
            (error.status(), text)
        }
        None => (StatusCode::INTERNAL_SERVER_ERROR, words.t("failure-server")),
    };
    let mut page = Page::for_nobody(words, words.t("failure-title"));
    page.status = status.as_u16();
    (status, FailurePage { page, words: key }.into_page()).into_response()
}

impl FailurePage {
    fn into_page(self) -> Response {
        super::page::respond(&self)
    }
}

impl From<OfficeError> for Failure {
    fn from(error: OfficeError) -> Self {
        Self::App(error.into())
    }
}
