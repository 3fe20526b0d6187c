//! The office pages: made on the server, for any browser, in English and Chinese.
//!
//! Everything follows from the schema: a new entity or field has its list, its form and its place
//! on pages without a line here. Pages work without their script, which adds what a page cannot do
//! by itself: news while one looks at it, names suggested while one types, the reader's time zone.
//! Nothing is loaded from elsewhere and nothing runs that is not a file of ours: the policy in
//! [`POLICY`] goes with every answer.
//!
//! * [`session`]: who is signed in. * `form`: what forms send. * `failure`: pages that say no.
//! * `words`, `page`, `show`: what pages say. * `inputs`: forms from the schema.
//! * One file for each page.

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    http::{HeaderName, HeaderValue, header},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::{get, post},
};
use std::time::Duration;

use crate::{imports::UPLOAD_BYTES_MAX, limits::rate_limit, state::AppState};

mod assets;
mod words;

pub mod failure;
pub mod form;
pub mod session;

mod page;
#[expect(unused_qualifications, reason = "in what the template of an enum becomes")]
mod show;

mod inputs;
mod rollups;
mod sheet;

mod accounts;
mod act;
mod audit;
mod devices;
mod duplicates;
mod edit;
mod erase;
mod export;
mod filters;
mod history;
mod import;
mod list;
mod live;
mod me;
mod merge;
mod pipeline;
mod record;
mod reviews;
mod rules;
mod search;
mod see_as;
mod sign_in;
mod today;

/// What a page may load, run and send: files of ours, forms to ourselves.
pub const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
                          img-src 'self' data:; connect-src 'self'; form-action 'self'; \
                          base-uri 'none'; frame-ancestors 'none'";

/// What no page of ours uses, and none may begin to.
pub const PERMISSIONS: &str = "camera=(), display-capture=(), geolocation=(), hid=(), microphone=(), \
                               payment=(), publickey-credentials-get=(), serial=(), usb=()";

/// What `Cache-Control` says of a file that never changes.
pub(crate) const FOR_EVER: HeaderValue =
    HeaderValue::from_static("public, max-age=31536000, immutable");

/// All pages.
pub(crate) fn routes(state: &AppState) -> Router<AppState> {
    let per_minute = state.config.limits.sign_ins_per_minute;
    let attempts = || rate_limit(Duration::from_secs(60) / per_minute.get(), per_minute);
    // What stands beside the file in the form is short.
    let upload = DefaultBodyLimit::max(UPLOAD_BYTES_MAX + form::FORM_BYTES_MAX as usize);
    Router::new()
        .route("/sign-in", post(sign_in::sign_in).layer(attempts()).get(sign_in::show_sign_in))
        .route("/sign-in/code", post(sign_in::enter_code).layer(attempts()))
        .route("/me", get(me::show_me))
        .route("/me/password", post(me::change_password).layer(attempts()))
        .route("/me/sessions/end", post(me::end_sessions))
        .route("/me/second-factor", post(me::begin_factor).layer(attempts()))
        .route("/me/second-factor/confirm", post(me::confirm_factor).layer(attempts()))
        .route("/me/second-factor/remove", post(me::remove_factor).layer(attempts()))
        .route("/accounts", get(accounts::show_accounts).post(accounts::create))
        .route("/accounts/{id}/disable", post(accounts::disable))
        .route("/accounts/{id}/enable", post(accounts::enable))
        .route("/accounts/{id}/password", post(accounts::reset_password))
        .route("/accounts/{id}/second-factor", post(accounts::reset_factor))
        .route("/accounts/{id}/role", post(accounts::set_role))
        .route("/accounts/{id}/user", post(accounts::link_user))
        .route("/see-as", post(see_as::begin))
        .route("/see-as/stop", post(see_as::stop))
        .route("/audit", get(audit::show_audit))
        .route("/send-again", post(sign_in::send_again))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/language", post(sign_in::choose_language))
        .route("/", get(today::show_today))
        .route("/reports/pipeline", get(pipeline::show_pipeline))
        .route("/devices", get(devices::show_devices))
        .route("/devices/codes", post(devices::create_device_code))
        .route("/devices/{id}/{act}", post(devices::act_on_device))
        .route("/import", get(import::show_imports).post(import::bring).layer(upload))
        .route("/import/{id}", get(import::show_import).post(import::work))
        .route("/import/{id}/undo", post(import::undo))
        .route("/import/{id}/remove", post(import::remove))
        .route("/import/{id}/errors.csv", get(import::download_errors))
        .route("/rules", get(rules::show_rules).post(rules::switch_rules))
        .route("/reviews", get(reviews::show_reviews))
        .route("/reviews/{id}", post(reviews::decide_review))
        .route("/live", get(live::follow))
        .route("/search", get(search::show_search))
        .route("/near", get(search::show_near))
        .route("/duplicates", get(duplicates::show_duplicates))
        .route("/likely/{entity}", get(duplicates::likely))
        .route("/suggest/{entity}", get(list::suggest))
        .route("/records/{entity}", get(list::show_list))
        .route("/records/{entity}/filters", post(filters::save_filter))
        .route("/records/{entity}/new", get(edit::show_new).post(edit::create))
        .route("/records/{entity}/export/{format}", get(export::export_list))
        .route("/records/{entity}/{id}", get(record::show_record))
        .route("/records/{entity}/{id}/edit", get(edit::show_edit).post(edit::update))
        .route("/records/{entity}/{id}/archive", post(act::archive))
        .route("/records/{entity}/{id}/restore", post(act::restore))
        .route("/records/{entity}/{id}/settle", post(act::settle))
        .route("/records/{entity}/{id}/merge/{other}", get(merge::show_merge).post(merge::merge))
        .route("/records/{entity}/{id}/unmerge", post(merge::unmerge))
        .route("/records/{entity}/{id}/distinct", post(duplicates::tell_apart))
        .route("/records/{entity}/{id}/erase", get(erase::show_erase).post(erase::erase))
        .route("/records/{entity}/{id}/erasure.json", get(erase::download_certificate))
        .route("/records/{entity}/{id}/disclosure.json", get(erase::download_disclosure))
        .route("/records/{entity}/{id}/record.json", get(record::download_json))
        .route("/records/{entity}/{id}/export/{format}", get(export::export_record))
        .route("/records/{entity}/{id}/history", get(history::show_history))
        .route("/records/{entity}/{id}/at/{position}", get(history::show_at_position))
        .route("/records/{entity}/{id}/{file}", get(history::download_automerge))
        .route("/static/{digest}/{name}", get(assets::show_file))
        .layer(DefaultBodyLimit::max(form::SIGN_IN_BYTES_MAX as usize))
        .layer(from_fn_with_state(state.clone(), form::guard))
}

/// Makes pages of failures, and adds the headers that every page has.
pub(crate) async fn finish(request: Request, next: Next) -> Response {
    let headers = request.headers().clone();
    let mut response = failure::show(next.run(request).await, &headers);
    let add = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), PERMISSIONS),
    ];
    for (name, value) in add {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
