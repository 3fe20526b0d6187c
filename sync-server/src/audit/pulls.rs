//! What a device took along: one line for each answer with documents, and the audit's own heads.
//!
//! The line is on disk before the answer's end goes out; an answer that breaks off leaves one too.
//! A pull that brings nothing shows nothing, and leaves no line: devices ask all day.

use std::collections::BTreeSet;

use outrider_core::sync::frame::{AuditHead, End, PullFrame};

use super::Desk;
use crate::{
    feed::{FeedError, Stopped},
    storage::{AuditLine, Storage, StorageError},
};

/// Characters that the entities of a line have, at most.
const ENTITIES_CHARS_MAX: usize = 200;

/// An answer with frames, on its way out.
pub(crate) struct Watch<'a> {
    storage: &'a dyn Storage,
    desk: &'a Desk,
    line: AuditLine,
    head: Option<AuditHead>,
    documents: u64,
    entities: BTreeSet<String>,
    failed: Option<StorageError>,
    is_noted: bool,
}

impl<'a> Watch<'a> {
    /// Begins; the line says who, when and what, the head goes along with the end.
    pub(crate) fn new(
        storage: &'a dyn Storage,
        desk: &'a Desk,
        line: AuditLine,
        head: Option<AuditHead>,
    ) -> Self {
        let entities = BTreeSet::new();
        Self { storage, desk, line, head, documents: 0, entities, failed: None, is_noted: false }
    }

    /// Sees a frame before it goes out.
    pub(crate) fn see(&mut self, frame: PullFrame) -> Result<PullFrame, Stopped> {
        match frame {
            PullFrame::Document(document) => {
                self.documents += 1;
                if !self.entities.contains(&document.entity) {
                    self.entities.insert(document.entity.clone());
                }
                Ok(PullFrame::Document(document))
            }
            PullFrame::End(end) => {
                if let Err(error) = self.note("") {
                    self.failed = Some(error);
                    return Err(Stopped);
                }
                Ok(PullFrame::End(End { audit_head: self.head.take(), ..end }))
            }
            PullFrame::Hello(_)
            | PullFrame::Author(_)
            | PullFrame::Enter(..)
            | PullFrame::Leave(..)
            | PullFrame::Depart(..) => Ok(frame),
        }
    }

    fn note(&mut self, how: &str) -> Result<(), StorageError> {
        if self.documents == 0 || std::mem::replace(&mut self.is_noted, true) {
            return Ok(());
        }
        let entities: Vec<&str> = self.entities.iter().map(String::as_str).collect();
        let entities: String = entities.join(",").chars().take(ENTITIES_CHARS_MAX).collect();
        let line = self.line.clone().count(self.documents).code(format!("{entities}{how}"));
        self.desk.write(self.storage, line)
    }

    /// Ends, whatever became of the answer.
    pub(crate) fn end(mut self, answer: Result<(), FeedError>) -> Result<(), FeedError> {
        if let Some(error) = self.failed.take() {
            return Err(error.into());
        }
        self.note(" (broken off)")?;
        answer
    }
}
