//! What happened to a long text: the place where it differs, not the whole of it twice.

use serde_json::Value as Json;

use super::{FieldChange, What};
use crate::crdt::{
    TextError, header,
    text::{TextChange, replay},
};

/// Changes of a text that one answer explains, at most.
pub const TEXT_STEPS_MAX: usize = 500;
/// Characters of what differs that an excerpt shows, at most, on each side.
pub const EXCERPT_CHARS_MAX: usize = 400;
/// Characters around what differs that an excerpt shows.
pub const EXCERPT_CONTEXT_CHARS: usize = 24;

/// Where two texts differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// How many characters come before.
    pub at: usize,
    /// Characters that were taken out.
    pub removed: usize,
    /// Characters that were put in.
    pub added: usize,
    /// The place before, with a little of what stands around it; `…` for what is left out.
    pub old: String,
    /// The place afterwards.
    pub new: String,
}

/// Shows where two texts differ; bounded, however long they are.
#[must_use]
pub fn excerpt(old: &str, new: &str) -> Excerpt {
    let old: Vec<char> = old.chars().collect();
    let new: Vec<char> = new.chars().collect();
    let at = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let left = old.len().min(new.len()) - at;
    let end = old.iter().rev().zip(new.iter().rev()).take(left).take_while(|(old, new)| old == new);
    let end = end.count();
    let (removed, added) = (old.len() - at - end, new.len() - at - end);
    Excerpt { at, removed, added, old: around(&old, at, removed), new: around(&new, at, added) }
}

fn around(text: &[char], at: usize, count: usize) -> String {
    let from = at.saturating_sub(EXCERPT_CONTEXT_CHARS);
    let to = (at + count + EXCERPT_CONTEXT_CHARS).min(text.len());
    let piece = |from: usize, to: usize| -> String {
        text.get(from..to).unwrap_or_default().iter().collect()
    };
    let middle = if count > EXCERPT_CHARS_MAX {
        let half = EXCERPT_CHARS_MAX / 2;
        [piece(at, at + half), piece(at + count - half, at + count)].join(" … ")
    } else {
        piece(at, at + count)
    };
    let mark = |is_cut: bool| if is_cut { "…" } else { "" };
    [mark(from > 0), &piece(from, at), &middle, &piece(at + count, to), mark(to < text.len())]
        .concat()
}

/// The entries of a long text for the changes from number `first` on (from 0), at most
/// [`TEXT_STEPS_MAX`]; `changes` are all of the text's in their order of arrival.
///
/// # Errors
///
/// If a change cannot be read, or follows one that is not among those before it.
pub fn text_changes<B: AsRef<[u8]> + Sync, T: Clone>(
    field: &str,
    changes: &[(B, T)],
    first: usize,
) -> Result<Vec<FieldChange<T>>, TextError> {
    let until = changes.len().min(first.saturating_add(TEXT_STEPS_MAX));
    let bytes: Vec<&[u8]> = changes.iter().take(until).map(|(bytes, _)| bytes.as_ref()).collect();
    let mut excerpts = Vec::new();
    replay(&bytes, first, |old, new| excerpts.push(excerpt(old, new)))?;
    let shown = changes.iter().skip(first).zip(excerpts);
    let entries = shown.map(|((bytes, meta), excerpt)| {
        let TextChange { actor, hash, time_ms, .. } = header(bytes.as_ref())?;
        Ok(FieldChange {
            key: field.to_owned(),
            field: field.to_owned(),
            what: What::Edited,
            old: as_json(excerpt.old),
            new: as_json(excerpt.new),
            written: None,
            is_conflict: false,
            ops: Vec::new(),
            hash,
            actor,
            made_at: time_ms,
            message: None,
            meta: meta.clone(),
        })
    });
    entries.collect()
}

fn as_json(text: String) -> Json {
    if text.is_empty() { Json::Null } else { text.into() }
}
