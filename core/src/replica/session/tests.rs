//! Limits that only a server far from here could reach.

use super::*;
use crate::ids::Part;

#[test]
fn a_server_cannot_have_more_fetched_than_there_can_be() {
    let name = DocumentName { record: RecordId::new(1, [1; 10]), part: Part::Main };
    let mut session = Session::new();
    session.fetch_too(vec![name.clone(); FETCHED_MAX]).unwrap();
    let error = session.fetch_too(vec![name]).unwrap_err();
    assert!(error.to_string().contains("more is to be fetched"), "{error}");
    assert_eq!(session.to_fetch.len(), FETCHED_MAX);
}
