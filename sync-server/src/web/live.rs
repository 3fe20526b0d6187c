//! News for open pages: the live channel, for who is signed in.

use axum::{extract::State, response::Response};

use super::{failure::Failure, session::Session};
use crate::{
    live::{self, Listener},
    state::AppState,
};

/// `GET /live`: announces the position of each commit to the pages of a person.
pub(super) async fn follow(
    State(state): State<AppState>,
    session: Session,
) -> Result<Response, Failure> {
    Ok(live::events(&state, Listener::Person(session.account.to_string())).await?)
}
