//! What becomes of edits that wait on a phone which is copied, or replaced by its backup.

use std::{collections::BTreeSet, ops::Range};

use outrider_core::{
    crdt::TextDocument,
    ids::DocumentId,
    replica::Replica,
    store::{document, outbox},
};
use rusqlite::Connection;

use super::Ledger;
use crate::{Failure, device::number_of};

impl Ledger {
    /// A device is being copied.
    pub(crate) fn note_copy(&mut self, replica: &Replica) -> Result<(), Failure> {
        let conn = replica.store().conn();
        for own in outbox::waiting(conn, 0, usize::MAX)? {
            if !own.document.part.is_flat() {
                let letters = waiting_letters(conn, &own.document)?.unwrap_or_default();
                self.letters.entry(own.document).or_default().copied.extend(letters);
            } else if let Some(edit) = self.edits.get_mut(&(own.document, number_of(own.made_at))) {
                edit.is_copied = true;
            }
        }
        Ok(())
    }

    /// A device is about to be thrown away and replaced by a copy in which edits from `next_edit`
    /// on are missing: those that the server has not acknowledged go with it.
    pub(crate) fn note_end(
        &mut self,
        device: &str,
        replica: &Replica,
        next_edit: u32,
    ) -> Result<(), Failure> {
        self.note_inbox(replica)?;
        // What it wrote by numbers that it used twice it knows no more.
        self.own_ops.retain(|(holder, ..), (number, _)| holder != device || *number < next_edit);
        let conn = replica.store().conn();
        let mut texts = BTreeSet::new();
        let mut anew = Vec::new();
        for own in outbox::waiting(conn, 0, usize::MAX)? {
            if !own.document.part.is_flat() {
                texts.insert(own.document);
                continue;
            }
            let number = number_of(own.made_at);
            let edit = self.edits.get_mut(&(own.document.clone(), number));
            if let Some(edit) = edit.filter(|_| number >= next_edit) {
                edit.is_gone = true;
                if edit.is_anew {
                    anew.push((own.document, number));
                }
            }
        }
        for (id, number) in anew {
            self.note_end_of_anew(&id, next_edit..number, device);
        }
        for id in texts {
            let waiting = waiting_letters(conn, &id)?;
            let letters = self.letters.entry(id).or_default();
            match waiting {
                Some(gone) => letters.gone.extend(gone),
                None => {
                    let is_gone =
                        |(of, number): &(String, u32)| of == device && *number >= next_edit;
                    let typed = letters.typed.iter().filter(|(_, by)| is_gone(by));
                    letters.gone.extend(typed.map(|(letter, _)| *letter));
                }
            }
        }
        Ok(())
    }

    /// What was written anew went with a phone: what waited there was a part of that.
    fn note_end_of_anew(&mut self, id: &DocumentId, before: Range<u32>, device: &str) {
        let anew = self.edits.get(&(id.clone(), before.end));
        let keys: BTreeSet<String> =
            anew.into_iter().flat_map(|edit| edit.wrote.keys().cloned()).collect();
        let of = (id.clone(), before.start)..(id.clone(), before.end);
        for (_, edit) in self.edits.range_mut(of) {
            let is_part = edit.wrote.keys().all(|key| keys.contains(key));
            edit.is_gone |= edit.device == device && is_part;
        }
    }
}

/// The letters of a text that a device shows and the server has not confirmed; `None` of a text that has rotted:
/// nobody can say what it showed.
fn waiting_letters(conn: &Connection, id: &DocumentId) -> Result<Option<BTreeSet<char>>, Failure> {
    let stored = match document::load(conn, id) {
        Err(error) if error.is_damage() => return Ok(None),
        loaded => loaded?,
    };
    let Some(stored) = stored else { return Ok(Some(BTreeSet::new())) };
    let shown = TextDocument::load(&stored.state)?.text()?;
    let confirmed = match &stored.confirmed {
        Some(confirmed) => TextDocument::load(confirmed)?.text()?,
        None => shown.clone(),
    };
    Ok(Some(shown.chars().filter(|letter| !confirmed.contains(*letter)).collect()))
}
