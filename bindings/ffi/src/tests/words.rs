//! People are told in their language, and what to do.

use outrider_core::schema::Language;

use super::{customer, open, plain};
use crate::{
    CrmError, Replica,
    records::{CrmChanges, CustomerChange},
    replica::Language as Spoken,
    words,
};

#[test]
fn a_required_field_is_named_as_the_form_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_string_lossy().into_owned();
    let replica = Replica::open(path, Some(Spoken::Chinese), plain()).unwrap();
    let error = replica.create(CrmChanges::Customer(vec![])).unwrap_err();
    let CrmError::Invalid { code, reason, field } = error else { panic!("{error:?}") };
    assert_eq!((code.as_str(), field.as_deref()), ("required", Some("company_name")));
    assert_eq!(reason, "公司名称：必填");
}

#[test]
fn every_code_of_a_value_has_words_in_both_languages() {
    use outrider_core::schema::ValueError;
    let errors = [
        ValueError::WrongShape("x"),
        ValueError::Malformed("x"),
        ValueError::NotCanonical,
        ValueError::TooLong { max: 3 },
        ValueError::OutOfRange { min: "1".to_owned(), max: "2".to_owned() },
        ValueError::TooPrecise { scale: 2 },
        ValueError::EndsBeforeStart,
        ValueError::UnknownChoice { list: "x".to_owned() },
    ];
    for error in errors {
        let [en, zh] = words::bad_value(&error);
        assert!(!en.is_empty() && !zh.is_ascii(), "{error:?}: {en} {zh}");
    }
    assert_ne!(words::lease(3, Language::En), words::lease(3, Language::Zh));
}

#[test]
fn what_is_closed_says_so() {
    let (_folder, replica) = open();
    let id = customer(&replica, "Acme");
    replica.lock().unwrap();
    assert!(replica.is_locked().unwrap());
    let error = replica.get(id).unwrap_err();
    assert!(matches!(error, CrmError::Closed { .. }), "{error:?}");
    let error = replica.sync(None, None).unwrap_err();
    assert!(matches!(error, CrmError::Closed { .. }), "{error:?}");
    replica.unlock().unwrap();
    let change = CustomerChange::Phone(Some("+86 10 1234 5678".to_owned()));
    assert!(replica.update(id, CrmChanges::Customer(vec![change])).unwrap());
}

/// Marks were of bytes: 三 is three of them, and one character.
#[test]
fn a_hit_is_told_in_pieces_of_the_text() {
    use crate::query::SearchQuery;
    let (_folder, replica) = open();
    customer(&replica, "🏭三川精密实业");
    let (text, entities) = ("三川".to_owned(), Vec::new());
    let query = SearchQuery { text, entities, after: None, limit: 20, with_archived: false };
    let hits = replica.search(query).unwrap().hits;
    let parts: Vec<_> =
        hits[0].title_parts.iter().map(|part| (part.text.as_str(), part.is_hit)).collect();
    assert_eq!(parts, [("🏭", false), ("三川", true), ("精密实业", false)]);
    assert_eq!(hits[0].title, "🏭三川精密实业");
}
