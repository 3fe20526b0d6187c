//! The style sheet and the script: in the program itself, under names made of their content, so
//! that browsers may keep them for ever.

use std::sync::OnceLock;

use axum::{
    extract::Path,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use outrider_core::ids::to_hex;
use sha2::{Digest as _, Sha256};

use super::FOR_EVER;

/// The files, each with its name and type.
const FILES: [(&str, &str, &[u8]); 3] = [
    ("office.css", "text/css; charset=utf-8", include_bytes!("../../static/office.css")),
    ("office.js", "text/javascript; charset=utf-8", include_bytes!("../../static/office.js")),
    ("icon.svg", "image/svg+xml", include_bytes!("../../static/icon.svg")),
];

/// The address of a file, with its content's digest.
pub(super) fn address(name: &str) -> &'static str {
    static ADDRESSES: OnceLock<[String; 3]> = OnceLock::new();
    let addresses = ADDRESSES.get_or_init(|| {
        FILES.map(|(name, _, bytes)| {
            let digest: [u8; 32] = Sha256::digest(bytes).into();
            let digest: String = to_hex(&digest).chars().take(16).collect();
            format!("/static/{digest}/{name}")
        })
    });
    let ending = format!("/{name}");
    addresses.iter().find(|address| address.ends_with(&ending)).map_or("", String::as_str)
}

/// `GET /static/{digest}/{name}`: a file, if its content has this digest.
pub(super) async fn show_file(Path((digest, name)): Path<(String, String)>) -> Response {
    let asked = format!("/static/{digest}/{name}");
    let file = FILES.iter().find(|(name, _, _)| address(name) == asked);
    match file {
        Some((_, content_type, bytes)) => {
            let headers = [
                (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
                (header::CACHE_CONTROL, FOR_EVER),
            ];
            (headers, *bytes).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
