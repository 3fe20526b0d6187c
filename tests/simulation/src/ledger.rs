//! The ledger: every edit that a user was told is kept, so that each can be asked for at the end.
//!
//! Each edit has a time of its own by its device's clock, and a change that is written anew keeps
//! the time of the edit: so an edit is found again in the server's history, whatever became of
//! its actor, number and hash. Of every operation the ledger keeps which edits its author saw in
//! its place: only those may it replace. The characters of long texts are unique and traced one
//! by one.

mod forwarded;
mod phones;

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use outrider_core::{
    crdt::{
        self, Action, Clock, EncodedChange, OpId,
        rows::{GONE, op_ids_from_text},
    },
    ids::{ActorId, ActorPrefix, ChangeHash, DocumentId},
    replica::Replica,
    schema::Kind,
    store::{inbox, outbox},
    value::Value,
};

use crate::{Failure, device::number_of, versions::newest};

/// Why an edit may be refused: it is withheld from devices, its record was erased, its device was turned
/// away and the edit waits for somebody to decide.
const REFUSALS: [&str; 4] = ["not_permitted", "erased", "ended", "in_review"];
/// The same where a server may be older than an app.
const OF_OLDER_SERVERS: [&str; 3] = ["unknown_field", "unknown_entity", "unknown_part"];

/// What one edit did under one key.
#[derive(Debug, Clone)]
pub(crate) struct Wrote {
    pub(crate) is_delete: bool,
    /// Edits whose operations stood there before its author's eyes.
    pub(crate) seen: BTreeSet<u32>,
    /// For the removal of a row: the edits of all cells that its author saw.
    pub(crate) cells: BTreeSet<u32>,
    /// For counters: by how much it counted.
    pub(crate) step: i64,
}

/// One edit of one document.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edit {
    /// By key; those of counters without their actor.
    pub(crate) wrote: BTreeMap<String, Wrote>,
    /// It went with a phone before the server had it.
    pub(crate) is_gone: bool,
    /// It waited while its phone was copied: each copy sends it, and what becomes of one copy's
    /// need not become of the other's.
    pub(crate) is_copied: bool,
    /// No user made it: a device wrote anew what a server had lost, and what waited there with it.
    pub(crate) is_anew: bool,
    /// No user made it: the server wrote what goes on from a record that was merged.
    pub(crate) is_forwarded: bool,
    /// The device that made it.
    device: String,
}

/// The characters of one long text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Letters {
    /// Every one that was ever put in.
    pub(crate) inserted: BTreeSet<char>,
    /// Those that somebody who saw them took out.
    pub(crate) deleted: BTreeSet<char>,
    /// Those that went with a phone before the server had them.
    pub(crate) gone: BTreeSet<char>,
    /// Those that waited while their phone was copied: each copy sends them, and may have to write them anew.
    pub(crate) copied: BTreeSet<char>,
    /// On which phone each was typed, in which edit.
    typed: BTreeMap<char, (String, u32)>,
}

/// Everything that users were promised.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) edits: BTreeMap<(DocumentId, u32), Edit>,
    pub(crate) letters: BTreeMap<DocumentId, Letters>,
    /// What was refused: document, edit, key.
    pub(crate) refused: BTreeSet<(DocumentId, u32, String)>,
    /// What an older server did not know: document and edit. A newer one takes the same request if the
    /// network brings it once more.
    pub(crate) of_older: BTreeSet<(DocumentId, u32)>,
    /// Characters of refused texts.
    pub(crate) refused_letters: BTreeMap<DocumentId, BTreeSet<char>>,
    /// What went wrong on the way.
    pub(crate) broken: Vec<String>,
    /// Devices that were put back with the token that tells copies apart: they use numbers again, and
    /// learn of it from the server.
    pub(crate) forking: BTreeSet<ActorPrefix>,
    /// Flat changes that the server wrote itself.
    pub(crate) of_office: BTreeSet<ChangeHash>,
    /// Whether a server may be older than an app.
    is_mixed: bool,
    /// Whether a user is editing right now; other new edits are a device's own.
    pub(crate) is_editing: bool,
    /// Devices on which users edited.
    authors: BTreeSet<ActorPrefix>,
    known: BTreeSet<ChangeHash>,
    /// Edit and count of an operation; more than one where a device used a number again.
    ops: BTreeMap<(DocumentId, OpId), Vec<(u32, i64)>>,
    /// What an operation is on one device alone, until that writes it anew.
    own_ops: BTreeMap<(String, DocumentId, OpId), (u32, i64)>,
    numbers: BTreeMap<(DocumentId, ActorId, u64), ChangeHash>,
}

/// The key as the ledger names it: counters without their actor.
pub(crate) fn plain_key(entity: &str, key: &str) -> String {
    let Some((field, _)) = key.split_once('/') else { return key.to_owned() };
    let is_counter = newest()
        .entity(entity)
        .and_then(|entity| entity.field(field))
        .is_some_and(|field| field.kind == Kind::Counter);
    if is_counter { [field, "/*"].concat() } else { key.to_owned() }
}

impl Ledger {
    /// An empty one; where versions are mixed a server may be older than an app.
    pub(crate) fn of(is_mixed: bool) -> Self {
        Self { is_mixed, ..Self::default() }
    }

    /// Takes note of everything in a device's outbox that is new: fresh edits, and edits that
    /// were written anew.
    pub(crate) fn scan(&mut self, device: &str, replica: &Replica) -> Result<(), Failure> {
        for own in outbox::waiting(replica.store().conn(), 0, usize::MAX)? {
            if !self.known.insert(own.hash) {
                continue;
            }
            if own.document.part.is_flat() {
                let encoded = crdt::decode(&own.bytes)?;
                self.note_number(&own.document, &encoded);
                self.note_flat(device, &own.document, &own.entity, &encoded);
            } else {
                let header = crdt::header(&own.bytes)?;
                self.note_name((own.document.clone(), header.actor, header.seq), own.hash);
            }
        }
        Ok(())
    }

    /// Takes note of a change that the office wrote.
    pub(crate) fn note_office(
        &mut self,
        document: &DocumentId,
        entity: &str,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        let encoded = crdt::decode(bytes)?;
        self.of_office.insert(encoded.hash);
        if self.known.insert(encoded.hash) {
            self.note_number(document, &encoded);
            self.note_flat("", document, entity, &encoded);
        }
        Ok(())
    }

    fn note_number(&mut self, document: &DocumentId, encoded: &EncodedChange) {
        let name = (document.clone(), encoded.change.actor, encoded.change.seq);
        self.note_name(name, encoded.hash);
    }

    /// A (document, actor, number) is written once in the world.
    fn note_name(&mut self, name: (DocumentId, ActorId, u64), hash: ChangeHash) {
        if let Some(other) = self.numbers.insert(name.clone(), hash)
            && other != hash
            && !self.forking.contains(&name.1.prefix())
        {
            let (document, actor, seq) = name;
            self.broken.push(format!("{document}: change {seq} of {actor} is written twice"));
        }
    }

    fn note_flat(
        &mut self,
        device: &str,
        document: &DocumentId,
        entity: &str,
        encoded: &EncodedChange,
    ) {
        let number = number_of(encoded.change.time_ms);
        let is_forking = self.forking.contains(&encoded.change.actor.prefix());
        // What is written anew has other operations from here on.
        self.own_ops
            .retain(|(holder, id, _), (of, _)| holder != device || id != document || *of != number);
        let mut wrote = BTreeMap::new();
        for (id, op) in encoded.change.ops_with_ids() {
            let seen = op.pred.iter();
            let count = match &op.action {
                Action::Put(Value::Int(count)) => *count,
                Action::Put(_) | Action::Delete => 0,
            };
            let pred = op.pred.iter();
            let before = pred.filter_map(|id| self.op(device, document, *id).first()).next_back();
            let cells = match &op.action {
                Action::Put(Value::Text(text)) if op.key.rsplit('/').next() == Some(GONE) => {
                    op_ids_from_text(text)
                }
                Action::Put(_) | Action::Delete => Vec::new(),
            };
            let edits_of = |ledger: &Self, ids: &mut dyn Iterator<Item = OpId>| {
                ids.flat_map(|id| ledger.op(device, document, id))
                    .map(|(number, _)| *number)
                    .collect()
            };
            let done = Wrote {
                is_delete: op.action == Action::Delete,
                seen: edits_of(self, &mut seen.copied()),
                cells: edits_of(self, &mut cells.into_iter()),
                step: count - before.map_or(0, |(_, count)| *count),
            };
            wrote.insert(plain_key(entity, &op.key), done);
            if is_forking {
                let own = (device.to_owned(), document.clone(), id);
                self.own_ops.insert(own, (number, count));
                // Which of them others will have seen only the server decides.
                self.ops.entry((document.clone(), id)).or_default().push((number, count));
            } else {
                self.ops.insert((document.clone(), id), vec![(number, count)]);
            }
        }
        let name = (document.clone(), number);
        if self.is_editing {
            self.authors.insert(encoded.change.actor.prefix());
        }
        let is_anew = !self.is_editing && self.authors.contains(&encoded.change.actor.prefix());
        let device = device.to_owned();
        match self.edits.entry(name) {
            // What a server lost is written anew at one time: its values, and in another change what was removed.
            Entry::Occupied(mut edit) if is_anew && edit.get().is_anew => {
                for (key, wrote) in wrote {
                    edit.get_mut().wrote.entry(key).or_insert(wrote);
                }
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(edit) => {
                edit.insert(Edit { wrote, is_anew, device, ..Edit::default() });
            }
        }
    }

    /// The edits that an operation is, as a device has it.
    fn op(&self, device: &str, document: &DocumentId, id: OpId) -> &[(u32, i64)] {
        if let Some(own) = self.own_ops.get(&(device.to_owned(), document.clone(), id)) {
            return std::slice::from_ref(own);
        }
        self.ops.get(&(document.clone(), id)).map_or(&[], Vec::as_slice)
    }

    /// Whether an edit of another document wrote a key; rows have names of their own in all of them.
    pub(crate) fn wrote_elsewhere(&self, document: &DocumentId, key: &str) -> bool {
        let mut edits = self.edits.iter().filter(|((of, _), _)| of != document);
        edits.any(|(_, edit)| edit.wrote.contains_key(key))
    }

    /// Whether anything that was written under a key was refused.
    pub(crate) fn is_refused(&self, document: &DocumentId, key: &str) -> bool {
        self.refused.iter().any(|(of, _, refused)| of == document && refused == key)
    }

    /// Whether an edit wrote a key of which nothing is in `clock`; what devices wrote anew is no edit.
    pub(crate) fn is_written_unseen(
        &self,
        document: &DocumentId,
        key: &str,
        clock: &Clock,
    ) -> bool {
        let ops = self.ops.iter().filter(|((of, _), _)| of == document);
        let seen: BTreeSet<u32> = ops
            .filter(|((_, id), _)| clock.get(&id.actor).is_some_and(|seen| seen.op >= id.counter))
            .flat_map(|(_, edits)| edits.iter().map(|(number, _)| *number))
            .collect();
        let mut edits = self.edits.iter().filter(|((of, _), _)| of == document);
        edits.any(|((_, number), edit)| {
            !edit.is_anew && !seen.contains(number) && edit.wrote.contains_key(key)
        })
    }

    /// Takes note of a text as its author had it before and after an edit.
    pub(crate) fn note_text(&mut self, document: &DocumentId, before: &str, after: &str) {
        let (before, after): (BTreeSet<char>, BTreeSet<char>) =
            (before.chars().collect(), after.chars().collect());
        let letters = self.letters.entry(document.clone()).or_default();
        letters.inserted.extend(after.difference(&before));
        letters.deleted.extend(before.difference(&after));
    }

    /// As [`note_text`](Self::note_text), of an edit on a phone.
    pub(crate) fn note_typed(
        &mut self,
        (device, number): (&str, u32),
        document: &DocumentId,
        before: &str,
        after: &str,
    ) {
        self.note_text(document, before, after);
        let typed = after.chars().filter(|letter| !before.contains(*letter));
        let by = typed.map(|letter| (letter, (device.to_owned(), number)));
        self.letters.entry(document.clone()).or_default().typed.extend(by);
    }

    /// Takes over what a device's inbox says was refused.
    pub(crate) fn note_inbox(&mut self, replica: &Replica) -> Result<(), Failure> {
        for refused in inbox::open(replica.store().conn(), usize::MAX)? {
            let document = DocumentId { record: refused.record, part: refused.part.parse()? };
            let is_known = |codes: &[&str]| codes.contains(&refused.code.as_str());
            let is_of_older = self.is_mixed && is_known(&OF_OLDER_SERVERS);
            if !(is_known(&REFUSALS) || is_of_older) {
                let code = &refused.code;
                self.broken.push(format!("{document}: refused as {code}: {}", refused.refused));
            }
            if is_of_older {
                self.of_older.insert((document.clone(), number_of(refused.made_at)));
            }
            let Some(values) = refused.refused.as_object() else { continue };
            for (key, value) in values {
                if document.part.is_flat() {
                    let key = plain_key(&refused.entity, key);
                    self.refused.insert((document.clone(), number_of(refused.made_at), key));
                } else {
                    let letters = value.as_str().unwrap_or_default().chars();
                    self.refused_letters.entry(document.clone()).or_default().extend(letters);
                }
            }
        }
        Ok(())
    }

    /// The edits of `key` that the author of an edit had in front of them, and what those had
    /// replaced.
    pub(crate) fn past(&self, document: &DocumentId, number: u32, key: &str) -> BTreeSet<u32> {
        let mut past = BTreeSet::new();
        let mut open = vec![number];
        while let Some(next) = open.pop() {
            let Some(edit) = self.edits.get(&(document.clone(), next)) else { continue };
            let Some(wrote) = edit.wrote.get(key) else { continue };
            open.extend(wrote.seen.iter().filter(|seen| past.insert(**seen)));
        }
        past
    }
}

#[cfg(test)]
mod tests {
    use outrider_core::{
        crdt::{Edit, Own, Stamp, State, write},
        ids::{Part, RecordId},
    };

    use super::*;
    use crate::device::TICKS;

    #[test]
    fn values_and_removals_that_are_written_anew_are_one_edit() {
        let id = DocumentId { record: RecordId::from_bytes([1; 16]), part: Part::Main };
        let (mut state, mut own, mut ledger) = (State::default(), None::<Own>, Ledger::default());
        let mut note = |ledger: &mut Ledger, number, key: &str, value: &str| {
            let time_ms = TICKS + number;
            let stamp = Stamp { actor: ActorId([7; 16]), time_ms, message: None };
            let action = Action::Put(Value::Text(value.to_owned()));
            let edits = vec![Edit { key: key.to_owned(), action }];
            let bytes = write(&mut state, &mut own, stamp, edits).unwrap().bytes;
            ledger.note_office(&id, "customer", &bytes).unwrap();
        };
        ledger.is_editing = true;
        note(&mut ledger, 1, "contacts/a/name", "Ann");
        ledger.is_editing = false;
        note(&mut ledger, 2, "contacts/b/name", "Bea");
        let removed = format!("contacts/a/{GONE}");
        note(&mut ledger, 2, &removed, &format!("1@{}", ActorId([7; 16])));
        let edit = &ledger.edits[&(id, 2)];
        assert!(edit.is_anew && edit.wrote.contains_key("contacts/b/name"));
        assert_eq!(edit.wrote[&removed].cells, BTreeSet::from([1]));
    }
}
