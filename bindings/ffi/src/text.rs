//! Long texts: typed on what one saw, so that what others typed meanwhile stays.

use outrider_core::{
    ids::{ChangeHash, RecordId, from_hex, to_hex},
    replica::typing,
};

use crate::{error::CrmError, replica::Replica, words};

/// A text as somebody sees it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SeenText {
    /// The text.
    pub text: String,
    /// Names what it holds: give it back with the edit.
    pub heads: Vec<String>,
}

/// Characters (Unicode code points) taken out at a place, and others put in there.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Splice {
    /// How many characters come before.
    pub at: u32,
    /// How many are taken out.
    pub delete: u32,
    /// What is put in.
    pub insert: String,
}

/// What becomes of a text.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum TextEdit {
    /// It becomes this; the least that differs is written.
    Becomes(String),
    /// This follows it, on a line of its own.
    Append(String),
    /// These, one after the other, at most 64.
    Splices(Vec<Splice>),
}

impl From<TextEdit> for typing::TextEdit {
    fn from(edit: TextEdit) -> Self {
        let splice = |Splice { at, delete, insert }| typing::Splice {
            at: at as usize,
            delete: delete as usize,
            insert,
        };
        match edit {
            TextEdit::Becomes(text) => Self::Text(text),
            TextEdit::Append(line) => Self::Append(line),
            TextEdit::Splices(splices) => Self::Splices(splices.into_iter().map(splice).collect()),
        }
    }
}

#[uniffi::export]
impl Replica {
    /// A long text, with what names the version that is shown.
    ///
    /// # Errors
    ///
    /// `NotFound`, and `Invalid` when the field is no long text.
    pub fn text(&self, record: RecordId, field: String) -> Result<SeenText, CrmError> {
        let typing::SeenText { text, heads } = self.with(|replica| replica.text(record, &field))?;
        let heads = heads.iter().map(|ChangeHash(hash)| to_hex(hash)).collect();
        Ok(SeenText { text, heads })
    }

    /// Edits a long text; returns whether anything was written. With the heads of the version that the
    /// person saw, the edit is merged with what came meanwhile, character by character.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Invalid` when the version is not known, or the text gets too long.
    #[uniffi::method(default(seen = None))]
    pub fn edit_text(
        &self,
        record: RecordId,
        field: String,
        edit: TextEdit,
        seen: Option<Vec<String>>,
    ) -> Result<bool, CrmError> {
        let read = |head: &String| {
            let hash = from_hex(head).map(ChangeHash);
            hash.ok_or_else(|| self.teller().invalid("bad_version", words::VERSION))
        };
        let seen = seen.map(|heads| heads.iter().map(read).collect::<Result<Vec<_>, _>>());
        let (seen, edit) = (seen.transpose()?, edit.into());
        self.with(|replica| replica.edit_text(record, &field, &edit, seen.as_deref()))
    }
}
