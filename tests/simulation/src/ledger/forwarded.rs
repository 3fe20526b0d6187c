//! What goes on to the record into which another was merged: the server wrote it, somebody's edit it is.

use std::collections::BTreeSet;

use outrider_core::{
    crdt::{self, rows::GONE},
    domain::merge::REDIRECT,
    ids::{DocumentId, RecordId},
};

use super::Ledger;
use crate::{Failure, device::number_of};

impl Ledger {
    /// Takes note of a change that the server wrote by itself: what goes on to the record into which another was
    /// merged. Whatever it says to replace, its author saw the other record, and what the merge took over from that.
    pub(crate) fn note_forwarded(
        &mut self,
        document: &DocumentId,
        entity: &str,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        let name = (document.clone(), number_of(crdt::decode(bytes)?.change.time_ms));
        let is_new = !self.edits.contains_key(&name);
        self.note_office(document, entity, bytes)?;
        let edit = if is_new { self.edits.remove(&name) } else { None };
        let Some(mut edit) = edit else { return Ok(()) };
        let halves: BTreeSet<RecordId> = self
            .edits
            .keys()
            .filter(|(id, number)| *number == name.1 && id.record != document.record)
            .map(|(id, _)| id.record)
            .filter(|record| self.was_merged(*record))
            .collect();
        let of_halves = || self.edits.iter().filter(|((id, _), _)| halves.contains(&id.record));
        for (key, wrote) in &mut edit.wrote {
            let row = key.strip_suffix(GONE).filter(|row| row.ends_with('/'));
            let is_same = |other: &String| {
                other == key || other == REDIRECT || row.is_some_and(|row| other.starts_with(row))
            };
            let before = of_halves().filter(|(_, half)| half.wrote.keys().any(is_same));
            let before: BTreeSet<u32> = before.map(|((_, number), _)| *number).collect();
            wrote.seen.retain(|number| before.contains(number));
            wrote.cells.retain(|number| before.contains(number));
        }
        edit.is_forwarded = true;
        self.edits.insert(name, edit);
        Ok(())
    }

    fn was_merged(&self, record: RecordId) -> bool {
        let mut edits = self.edits.iter().filter(|((id, _), _)| id.record == record);
        edits.any(|(_, edit)| edit.wrote.contains_key(REDIRECT))
    }
}

#[cfg(test)]
mod tests {
    use outrider_core::{
        crdt::{Action, Edit, EncodedChange, Own, Stamp, State, write},
        ids::{ActorId, Part},
        value::Value,
    };

    use super::*;
    use crate::device::TICKS;

    /// Puts a value, as the edit of a number by an actor.
    fn put(state: &mut State, (number, key, value): (u8, &str, &str)) -> EncodedChange {
        let stamp = Stamp {
            actor: ActorId([number; 16]),
            time_ms: TICKS + i64::from(number),
            message: None,
        };
        let action = Action::Put(Value::Text(value.to_owned()));
        write(state, &mut None::<Own>, stamp, vec![Edit { key: key.to_owned(), action }]).unwrap()
    }

    /// What a server says that somebody had seen of a record which they never opened is not believed.
    #[test]
    fn what_goes_on_may_replace_what_the_merge_took_over_and_nothing_else() {
        let of =
            |byte: u8| DocumentId { record: RecordId::from_bytes([byte; 16]), part: Part::Main };
        let (half, heir) = (of(1), of(2));
        let mut ledger = Ledger::default();
        let (mut there, mut here) = (State::default(), State::default());
        for what in [(1, "phone", "110"), (2, REDIRECT, "the other")] {
            ledger.note_office(&half, "customer", &put(&mut there, what).bytes).unwrap();
        }
        ledger.note_office(&heir, "customer", &put(&mut here, (2, "phone", "110")).bytes).unwrap();
        let mut as_merged = here.clone();
        // A colleague writes there, and two who know nothing of the merge in the half.
        ledger.note_office(&heir, "customer", &put(&mut here, (3, "phone", "333")).bytes).unwrap();
        for number in [4, 5] {
            let what = (number, "phone", "444");
            ledger.note_office(&half, "customer", &put(&mut there.clone(), what).bytes).unwrap();
        }
        for (number, state, seen) in [(4, &mut as_merged, vec![2]), (5, &mut here, vec![])] {
            let bytes = put(state, (number, "phone", "444")).bytes;
            ledger.note_forwarded(&heir, "customer", &bytes).unwrap();
            let edit = &ledger.edits[&(heir.clone(), u32::from(number))];
            assert_eq!(edit.wrote["phone"].seen, seen.into_iter().collect(), "{number}");
            assert!(edit.is_forwarded);
        }
        // Of what comes from no half nothing is believed.
        let bytes = put(&mut here, (6, "phone", "666")).bytes;
        ledger.note_forwarded(&heir, "customer", &bytes).unwrap();
        assert!(ledger.edits[&(heir.clone(), 6)].wrote["phone"].seen.is_empty());
        // Nor of what comes from a record that was never merged.
        let (other, mut elsewhere) = (of(3), State::default());
        for number in [6, 7] {
            let bytes = put(&mut elsewhere, (number, "phone", "777")).bytes;
            ledger.note_office(&other, "customer", &bytes).unwrap();
        }
        let bytes = put(&mut here, (7, "phone", "777")).bytes;
        ledger.note_forwarded(&heir, "customer", &bytes).unwrap();
        assert!(ledger.edits[&(heir, 7)].wrote["phone"].seen.is_empty());
    }
}
