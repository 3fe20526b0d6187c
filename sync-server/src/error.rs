//! What a client is told when something went wrong, apart from what the log is told.

use std::error::Error;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::storage::StorageError;

/// Seconds after which a client that was turned away may come back.
const RETRY_AFTER_S: u64 = 5;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// No token, or one that no device has.
    #[error("the token is missing or not known; enrol the device")]
    Unauthorised,
    /// The client's mistake: a status, a code for programs, words for people.
    #[error("{message}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// For programs.
        code: &'static str,
        /// For people.
        message: String,
    },
    /// Too much is going on.
    #[error("the server is busy; try again in a moment")]
    Busy,
    /// Too many requests from one address.
    #[error("too many requests; try again in {retry_after_s} s")]
    TooMany {
        /// When to come back.
        retry_after_s: u64,
    },
    /// The storage failed.
    #[error("the server cannot reach its data")]
    Storage(#[from] StorageError),
    /// A bug.
    #[error("the server failed")]
    Internal(&'static str),
}

impl AppError {
    /// A client's mistake.
    pub fn refused(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self::Refused { status, code, message: message.into() }
    }

    /// A request that is not what it should be.
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::refused(StatusCode::BAD_REQUEST, code, message)
    }

    /// A request that is larger than a limit.
    pub fn too_large(code: &'static str, message: impl Into<String>) -> Self {
        Self::refused(StatusCode::PAYLOAD_TOO_LARGE, code, message)
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorised => StatusCode::UNAUTHORIZED,
            Self::Refused { status, .. } => *status,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Storage(StorageError::Query(_)) => StatusCode::BAD_REQUEST,
            Self::Storage(_) | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The code of the answer, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthorised => "unauthorised",
            Self::Refused { code, .. } => code,
            Self::Busy => "busy",
            Self::TooMany { .. } => "too_many_requests",
            Self::Storage(StorageError::Query(_)) => "bad_query",
            Self::Storage(_) => "storage_failed",
            Self::Internal(_) => "internal",
        }
    }

    fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::Busy => Some(RETRY_AFTER_S),
            Self::TooMany { retry_after_s } => Some(*retry_after_s),
            Self::Unauthorised | Self::Refused { .. } | Self::Storage(_) | Self::Internal(_) => {
                None
            }
        }
    }

    /// Tells the log, once, where the error is handled.
    pub(crate) fn log(&self) {
        match self {
            Self::Storage(StorageError::Query(_)) => tracing::debug!("refused a query"),
            Self::Storage(error) => {
                let cause = error.source().map(ToString::to_string).unwrap_or_default();
                tracing::error!(error = %error, cause, "the storage failed");
            }
            Self::Internal(what) => tracing::error!(what, "the server failed"),
            Self::Unauthorised | Self::Refused { .. } | Self::Busy | Self::TooMany { .. } => {
                tracing::debug!(code = self.code(), "refused a request");
            }
        }
    }
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        self.log();
        let message = if let Self::Storage(StorageError::Query(words)) = &self {
            words.clone()
        } else {
            self.to_string()
        };
        let body = json!({ "error": { "code": self.code(), "message": message } });
        let mut response = (self.status(), Json(body)).into_response();
        if let Some(seconds) = self.retry_after_s() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if matches!(self, Self::Unauthorised) {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
