//! Each limit of texts: what reaches it is taken, one more is refused.

use outrider_core::crdt::{
    TextDocument, TextError,
    op::TEXT_CHANGE_OPS_MAX,
    text::{TEXT_BYTES_MAX, TEXT_CHANGES_MAX, TEXT_OPS_MAX, accept, first_change},
};

use super::sly::{ADA, BEN, Sly, edit, empty};

#[test]
fn the_length_of_a_text_is_limited() {
    let mut document = empty();
    let changes = document.edit_in_steps(ADA, 5, &"€".repeat(TEXT_BYTES_MAX / 3)).unwrap();
    assert_eq!(changes.len(), (TEXT_BYTES_MAX / 3).div_ceil(TEXT_CHANGE_OPS_MAX));
    let before = document.save();
    let full = document.splice(ADA, 5, 0, 0, &"x".repeat(TEXT_BYTES_MAX % 3)).unwrap().unwrap();
    assert_eq!(accept(&before, &full.bytes).unwrap().text.len(), TEXT_BYTES_MAX);
    let saved = document.save();
    assert_eq!(document.splice(ADA, 5, 0, 0, "x"), Err(TextError::TextTooLong));
    let longer = format!("{}x", document.text().unwrap());
    assert_eq!(document.edit(ADA, 5, &longer), Err(TextError::TextTooLong));
    assert_eq!(document.edit_in_steps(ADA, 5, &longer), Err(TextError::TextTooLong));
    let mut sly = Sly::after(&document, BEN);
    sly.insert("x");
    assert_eq!(accept(&saved, &sly.bytes()), Err(TextError::TextTooLong));
}

#[test]
fn the_size_of_an_edit_is_limited() {
    let mut document = empty();
    let text = "x".repeat(TEXT_CHANGE_OPS_MAX);
    assert_eq!(document.edit(ADA, 5, &format!("{text}x")), Err(TextError::EditTooLarge));
    assert_eq!(document.heads(), [first_change().hash]);
    let change = edit(&mut document, ADA, &text);
    assert_eq!(change.op_count, TEXT_CHANGE_OPS_MAX);
    assert_eq!(accept(&[], &change.bytes).unwrap().text, text);
    let other = "y".repeat(TEXT_CHANGE_OPS_MAX / 2);
    assert_eq!(document.edit(ADA, 5, &other), Err(TextError::EditTooLarge));
    assert_eq!(document.edit_in_steps(ADA, 5, &other).unwrap().len(), 2);
    assert_eq!(document.text().unwrap(), other);
}

#[test]
fn the_number_of_changes_is_limited() {
    let mut last = first_change().clone();
    let mut changes = vec![last.clone()];
    for seq in 1..TEXT_CHANGES_MAX as u64 {
        let mut sly = Sly::new(ADA, seq, last.max_op() + 1, vec![last.hash]);
        sly.insert("x");
        last = outrider_core::crdt::header(&sly.bytes()).unwrap();
        changes.push(last.clone());
    }
    let before: Vec<_> = changes.iter().take(TEXT_CHANGES_MAX - 1).map(|c| &c.bytes).collect();
    let before = TextDocument::from_changes(&before).unwrap();
    let full = accept(&before.save(), &last.bytes).unwrap();
    let mut document = TextDocument::load(&full.saved).unwrap();
    let mut sly = Sly::after(&document, ADA);
    sly.insert("x");
    assert_eq!(accept(&full.saved, &sly.bytes()), Err(TextError::TooManyChanges));
    assert_eq!(document.edit(ADA, 5, "y"), Err(TextError::TooManyChanges));
}

#[test]
fn the_number_of_operations_is_limited() {
    let mut document = empty();
    let (text, none) = ("x".repeat(TEXT_CHANGE_OPS_MAX), 0);
    for _ in 0..TEXT_OPS_MAX as usize / TEXT_CHANGE_OPS_MAX / 2 - 1 {
        document.splice(ADA, 5, 0, none, &text).unwrap();
        document.splice(ADA, 5, 0, TEXT_CHANGE_OPS_MAX, "").unwrap();
    }
    document.splice(ADA, 5, 0, none, &text).unwrap();
    // The first change is one operation.
    document.splice(ADA, 5, 0, TEXT_CHANGE_OPS_MAX - 2, "").unwrap();
    let last = document.clone().splice(ADA, 5, 0, 1, "").unwrap().unwrap();
    let saved = document.save();
    assert_eq!(document.splice(ADA, 5, 0, 1, "y"), Err(TextError::TooManyOps));
    let full = accept(&saved, &last.bytes).unwrap();
    let mut sly = Sly::after(&TextDocument::load(&full.saved).unwrap(), BEN);
    sly.insert("x");
    assert_eq!(accept(&full.saved, &sly.bytes()), Err(TextError::TooManyOps));
}
