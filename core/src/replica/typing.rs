//! Long texts as people type them: on what they saw, so that what others typed meanwhile stays.

use super::{Replica, ReplicaError, Writer, draw_suffix};
use crate::{
    crdt::{TextChange, TextDocument, TextError},
    domain::edit::EditError,
    ids::{ActorId, ChangeHash, DocumentId, Part, RecordId},
    schema::{Field, Kind, Type, ValueError},
    store::document,
    sync::frame::GROUP_CHANGES_MAX,
};

/// Splices of one edit, at most: each is a change, and a tap is one group.
pub const SPLICES_MAX: usize = GROUP_CHANGES_MAX;

/// A text as somebody sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenText {
    /// The text.
    pub text: String,
    /// Names what it holds: give it back with the edit.
    pub heads: Vec<ChangeHash>,
}

/// Characters (Unicode code points) taken out at a place, and others put in there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Splice {
    /// How many characters come before.
    pub at: usize,
    /// How many are taken out.
    pub delete: usize,
    /// What is put in.
    pub insert: String,
}

/// What becomes of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextEdit {
    /// It becomes this; the least that differs is written.
    Text(String),
    /// This follows it, on a line of its own.
    Append(String),
    /// These, one after the other.
    Splices(Vec<Splice>),
}

impl Replica {
    /// A long text, with what names the version that is shown.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] if the record is not here or the field is no long text.
    pub fn text(&self, record: RecordId, field: &str) -> Result<SeenText, ReplicaError> {
        let (entity, _) = self.title(record)?.ok_or(ReplicaError::UnknownRecord(record))?;
        long_text(&entity.name, entity.field(field), field)?;
        let id = DocumentId { record, part: Part::Text(field.to_owned()) };
        let Some(stored) = self.stored(&id)? else {
            return Ok(SeenText::default());
        };
        let text = TextDocument::load(&stored.state)?;
        Ok(SeenText { text: text.text()?, heads: text.heads() })
    }

    /// Edits a long text; returns whether anything was written.
    ///
    /// With `seen`, the heads of the version that the person edited, the edit is written on that
    /// version and merged with what came meanwhile, character by character; without, it is written
    /// on the text as it is now.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] if the record is not here, the field is no long text, the version
    /// is not known, a splice is not within the text, or the text gets too long. Nothing was
    /// written then.
    pub fn edit_text(
        &mut self,
        record: RecordId,
        field: &str,
        edit: &TextEdit,
        seen: Option<&[ChangeHash]>,
    ) -> Result<bool, ReplicaError> {
        self.transaction(|writer| writer.edit_text(record, field, edit, seen))
    }
}

impl Writer<'_> {
    /// Edits a long text as [`Replica::edit_text`] does.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn edit_text(
        &mut self,
        record: RecordId,
        field: &str,
        edit: &TextEdit,
        seen: Option<&[ChangeHash]>,
    ) -> Result<bool, ReplicaError> {
        self.begin_tap();
        let parts = document::parts(self.tx, record)?;
        let (_, entity) = parts.first().ok_or(ReplicaError::UnknownRecord(record))?;
        let entity = self.entity(entity)?;
        let max = long_text(&entity.name, entity.field(field), field)?;
        let id = DocumentId { record, part: Part::Text(field.to_owned()) };
        let stored = self.stored(&id)?;
        let mut text = match &stored {
            Some(stored) => TextDocument::load(&stored.state)?,
            None => TextDocument::new()?,
        };
        // An empty text that nobody began has no version.
        let seen = seen.filter(|seen| !seen.is_empty() && *seen != text.heads());
        let own = stored.as_ref().and_then(|stored| stored.own);
        let actor = match seen {
            // Beside own later changes the numbers of their actor are taken.
            Some(_) => ActorId::new(self.actor.prefix(), draw_suffix(self.rng)),
            None => self.text_actor(&text, own.as_ref()),
        };
        let changes = match seen {
            None => typed(&mut text, actor, self.now_ms, edit)?,
            Some(seen) => {
                let mut then = text.fork_at(seen)?;
                let changes = typed(&mut then, actor, self.now_ms, edit)?;
                text.merge(&changes)?;
                changes
            }
        };
        let length = text.text()?.chars().count();
        if length > max && !changes.is_empty() {
            let source = ValueError::TooLong { max };
            return Err(EditError::Value { field: field.to_owned(), source }.into());
        }
        self.queue_text(&id, entity, stored, &text, &changes)
    }
}

/// The length that a long text may have.
fn long_text(entity: &str, field: Option<&Field>, name: &str) -> Result<usize, EditError> {
    let name: String = name.chars().take(80).collect();
    match field {
        None => Err(EditError::UnknownField { entity: entity.to_owned(), field: name }),
        Some(Field { kind: Kind::Text, ty: Type::Text { max }, .. }) => Ok(*max),
        Some(_) => {
            Err(EditError::Shape { field: name, expected: "an ordinary edit: it is no long text" })
        }
    }
}

fn typed(
    text: &mut TextDocument,
    actor: ActorId,
    now_ms: i64,
    edit: &TextEdit,
) -> Result<Vec<TextChange>, TextError> {
    match edit {
        TextEdit::Text(new) => text.edit_in_steps(actor, now_ms, new),
        TextEdit::Append(line) => {
            let before = text.text()?;
            let gap = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
            let at = before.chars().count();
            let added = text.splice(actor, now_ms, at, 0, &[gap, line].concat())?;
            Ok(added.into_iter().collect())
        }
        TextEdit::Splices(splices) => {
            if splices.len() > SPLICES_MAX {
                return Err(TextError::EditTooLarge);
            }
            let mut changes = Vec::with_capacity(splices.len());
            for Splice { at, delete, insert } in splices {
                changes.extend(text.splice(actor, now_ms, *at, *delete, insert)?);
            }
            Ok(changes)
        }
    }
}
