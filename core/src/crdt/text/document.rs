//! A text in memory: reading, editing, saving.

use std::{collections::BTreeMap, sync::LazyLock};

use automerge::{
    Automerge, LoadOptions, ObjId, ObjType, ROOT, ReadDoc, TextEncoding,
    transaction::{CommitOptions, Transactable, Transaction},
};

use super::{
    TEXT_BYTES_MAX, TEXT_CHANGES_MAX, TEXT_KEY, TEXT_OPS_MAX, TextChange, TextError, guard::guarded,
};
use crate::{
    crdt::{
        codec::{self, ChangeError, encode_text_start},
        op::{Change, TEXT_CHANGE_OPS_MAX, TIME_MS_MAX, TIME_MS_MIN},
    },
    ids::{ActorId, ChangeHash},
    time::TimestampMs,
};

/// Differences are looked for while old times new characters, without what both begin and end
/// with, are at most this many; beyond it the differing stretch is replaced whole. (Automerge's
/// search takes time by that product.)
const DIFF_PRODUCT_MAX: usize = 1_000_000;

static FIRST: LazyLock<TextChange> = LazyLock::new(|| {
    let change = Change {
        actor: ActorId::ZERO,
        seq: 1,
        start_op: 1,
        time_ms: 0,
        message: None,
        deps: Vec::new(),
        ops: Vec::new(),
    };
    let (hash, bytes) = encode_text_start(&change, TEXT_KEY);
    TextChange {
        actor: change.actor,
        seq: change.seq,
        start_op: change.start_op,
        op_count: 1,
        time_ms: change.time_ms,
        deps: change.deps,
        hash,
        bytes,
    }
});

/// The change that every text begins with, the same on every device.
#[must_use]
pub fn first_change() -> &'static TextChange {
    &FIRST
}

/// One long text as an Automerge document in memory.
#[derive(Debug, Clone)]
pub struct TextDocument {
    pub(super) doc: Automerge,
    object: ObjId,
}

impl TextDocument {
    /// An empty text: the first change alone.
    ///
    /// # Errors
    ///
    /// None that is known: the first change is constant.
    pub fn new() -> Result<Self, TextError> {
        let mut doc = Automerge::new_with_encoding(TextEncoding::UnicodeCodePoint)
            .with_actor(engine_actor(ActorId::ZERO));
        doc.apply_changes([engine_change(&first_change().bytes)?]).map_err(engine)?;
        Self::around(doc)
    }

    /// Reads what [`Self::save`] wrote.
    ///
    /// # Errors
    ///
    /// If the bytes are not a text's, or Automerge cannot read them.
    pub fn load(saved: &[u8]) -> Result<Self, TextError> {
        guarded(|| Self::load_here(saved))
    }

    /// [`Self::load`] for a caller that is already in a guarded thread.
    pub(super) fn load_here(saved: &[u8]) -> Result<Self, TextError> {
        let options = LoadOptions::new().text_encoding(TextEncoding::UnicodeCodePoint);
        let doc = Automerge::load_with_options(saved, options)
            .map_err(|error| TextError::Unreadable(error.to_string()))?
            .with_actor(engine_actor(ActorId::ZERO));
        Self::around(doc)
    }

    /// Puts a text together from its changes, in any order; the first change may be left out.
    ///
    /// These are the device's own, or have been through [`super::accept`]: here only their form
    /// is checked.
    ///
    /// # Errors
    ///
    /// If one is not a change, or follows changes that are not among them.
    pub fn from_changes<B: AsRef<[u8]> + Sync>(changes: &[B]) -> Result<Self, TextError> {
        guarded(|| {
            let mut document = Self::new()?;
            let mut hashes = Vec::with_capacity(changes.len());
            let mut parsed = Vec::with_capacity(changes.len());
            for change in changes {
                let change = codec::header(change.as_ref())?;
                hashes.push(change.hash);
                parsed.push(engine_change(&change.bytes)?);
            }
            document.doc.apply_changes(parsed).map_err(engine)?;
            if hashes.iter().all(|hash| document.contains(*hash)) {
                Ok(document)
            } else {
                Err(TextError::MissingDeps(ours(document.doc.get_missing_deps(&[]))))
            }
        })
    }

    fn around(doc: Automerge) -> Result<Self, TextError> {
        match doc.get(ROOT, TEXT_KEY).map_err(engine)? {
            Some((automerge::Value::Object(ObjType::Text), object)) => {
                let document = Self { doc, object };
                let begins = document.contains(first_change().hash);
                if begins { Ok(document) } else { Err(TextError::NotAText) }
            }
            Some(_) | None => Err(TextError::NotAText),
        }
    }

    /// The bytes to keep: one uncompressed Automerge document.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        self.doc.save_nocompress()
    }

    /// The text as people read it.
    ///
    /// # Errors
    ///
    /// None that is known: the object was there when the document was read.
    pub fn text(&self) -> Result<String, TextError> {
        self.doc.text(&self.object).map_err(engine)
    }

    /// The changes that no other change follows, ascending.
    #[must_use]
    pub fn heads(&self) -> Vec<ChangeHash> {
        ours(self.doc.get_heads())
    }

    /// Per actor the number of its last change and the counter of its last operation.
    #[must_use]
    pub fn clock(&self) -> BTreeMap<ActorId, (u64, u64)> {
        let mut clock = BTreeMap::new();
        for meta in self.doc.get_changes_meta(&[]) {
            if let Ok(actor) = ActorId::try_from(meta.actor.to_bytes()) {
                let last = clock.entry(actor).or_insert((0, 0));
                *last = (meta.seq.max(last.0), meta.max_op.max(last.1));
            }
        }
        clock
    }

    /// Whether the change is part of the text.
    #[must_use]
    pub fn contains(&self, hash: ChangeHash) -> bool {
        self.doc.get_change_meta_by_hash(&automerge::ChangeHash(hash.0)).is_some()
    }

    /// The changes that somebody with the heads `have` lacks, each after those that it follows.
    ///
    /// # Errors
    ///
    /// If a change of the text is not one that Outrider writes.
    pub fn changes_since(&self, have: &[ChangeHash]) -> Result<Vec<TextChange>, TextError> {
        let known: Vec<_> = have
            .iter()
            .filter(|hash| self.contains(**hash))
            .map(|hash| automerge::ChangeHash(hash.0))
            .collect();
        let changes = self.doc.get_changes(&known);
        changes.iter().map(|change| Ok(codec::header(change.raw_bytes())?)).collect()
    }

    /// Makes the text `new_text` with as few operations as can be found; `None` if it is so.
    ///
    /// # Errors
    ///
    /// If the text or its history gets too long, or the edit is too large for one change:
    /// [`Self::edit_in_steps`] takes several.
    pub fn edit(
        &mut self,
        actor: ActorId,
        time_ms: TimestampMs,
        new_text: &str,
    ) -> Result<Option<TextChange>, TextError> {
        let old: Vec<char> = self.text()?.chars().collect();
        let new: Vec<char> = new_text.chars().collect();
        let stretch = Stretch::between(&old, &new);
        let product = stretch.old.len().saturating_mul(stretch.new.len());
        self.write(actor, time_ms, new_text.len(), |transaction, object| {
            if product <= DIFF_PRODUCT_MAX {
                transaction.update_text(object, new_text)
            } else {
                let inserted: String = stretch.new.iter().collect();
                splice_text(transaction, object, stretch.at, stretch.old.len(), &inserted)
            }
        })
    }

    /// Makes the text `new_text` like [`Self::edit`], in as many changes as it takes.
    ///
    /// # Errors
    ///
    /// If the text or its history gets too long; the changes made until then stay.
    pub fn edit_in_steps(
        &mut self,
        actor: ActorId,
        time_ms: TimestampMs,
        new_text: &str,
    ) -> Result<Vec<TextChange>, TextError> {
        if new_text.len() > TEXT_BYTES_MAX {
            return Err(TextError::TextTooLong);
        }
        match self.edit(actor, time_ms, new_text) {
            Err(TextError::EditTooLarge) => {}
            done => return Ok(done?.into_iter().collect()),
        }
        let old: Vec<char> = self.text()?.chars().collect();
        let new: Vec<char> = new_text.chars().collect();
        let stretch = Stretch::between(&old, &new);
        let mut changes = Vec::new();
        for piece in stretch.old.chunks(TEXT_CHANGE_OPS_MAX) {
            changes.extend(self.splice(actor, time_ms, stretch.at, piece.len(), "")?);
        }
        for (step, piece) in stretch.new.chunks(TEXT_CHANGE_OPS_MAX).enumerate() {
            let at = stretch.at + step * TEXT_CHANGE_OPS_MAX;
            let piece: String = piece.iter().collect();
            changes.extend(self.splice(actor, time_ms, at, 0, &piece)?);
        }
        Ok(changes)
    }

    /// Takes out `delete` characters (Unicode code points) at `at` and puts `insert` there.
    ///
    /// # Errors
    ///
    /// As [`Self::edit`], and if the place is not within the text.
    pub fn splice(
        &mut self,
        actor: ActorId,
        time_ms: TimestampMs,
        at: usize,
        delete: usize,
        insert: &str,
    ) -> Result<Option<TextChange>, TextError> {
        let text = self.text()?;
        let end = at.checked_add(delete).ok_or(TextError::OutOfBounds)?;
        if end > text.chars().count() {
            return Err(TextError::OutOfBounds);
        }
        let removed: usize = text.chars().skip(at).take(delete).map(char::len_utf8).sum();
        let size_bytes = text.len() - removed + insert.len();
        self.write(actor, time_ms, size_bytes, |transaction, object| {
            splice_text(transaction, object, at, delete, insert)
        })
    }

    /// Writes one change with what `edit` does, or nothing at all.
    fn write(
        &mut self,
        actor: ActorId,
        time_ms: TimestampMs,
        size_bytes: usize,
        edit: impl FnOnce(&mut Transaction<'_>, &ObjId) -> Result<(), automerge::AutomergeError>,
    ) -> Result<Option<TextChange>, TextError> {
        if actor == ActorId::ZERO {
            return Err(TextError::ActorZero);
        }
        if size_bytes > TEXT_BYTES_MAX {
            return Err(TextError::TextTooLong);
        }
        if !(TIME_MS_MIN..=TIME_MS_MAX).contains(&time_ms) {
            return Err(ChangeError::TimeOutOfRange.into());
        }
        let metas = self.doc.get_changes_meta(&[]);
        let changes = metas.len();
        let ops: u64 =
            metas.iter().map(|meta| (meta.max_op + 1).saturating_sub(meta.start_op)).sum();
        drop(metas);
        self.doc.set_actor(engine_actor(actor));
        let mut transaction = self.doc.transaction();
        if let Err(error) = edit(&mut transaction, &self.object) {
            transaction.rollback();
            return Err(engine(error));
        }
        let added = transaction.pending_ops();
        let refused = match () {
            () if added == 0 => None,
            () if added > TEXT_CHANGE_OPS_MAX => Some(TextError::EditTooLarge),
            () if ops + added as u64 > TEXT_OPS_MAX => Some(TextError::TooManyOps),
            () if changes >= TEXT_CHANGES_MAX => Some(TextError::TooManyChanges),
            () => None,
        };
        if added == 0 || refused.is_some() {
            transaction.rollback();
            return refused.map_or(Ok(None), Err);
        }
        let (hash, _) = transaction.commit_with(CommitOptions::default().with_time(time_ms));
        let change = hash.and_then(|hash| self.doc.get_change_by_hash(&hash));
        let change = change.ok_or_else(|| TextError::Engine("no change was made".to_owned()))?;
        Ok(Some(codec::header(change.raw_bytes())?))
    }
}

/// Where two texts differ: what both begin with and end with is left out.
struct Stretch<'a> {
    at: usize,
    old: &'a [char],
    new: &'a [char],
}

impl<'a> Stretch<'a> {
    fn between(old: &'a [char], new: &'a [char]) -> Self {
        let at = old.iter().zip(new).take_while(|(old, new)| old == new).count();
        let old = old.get(at..).unwrap_or_default();
        let new = new.get(at..).unwrap_or_default();
        let end =
            old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
        Self {
            at,
            old: old.get(..old.len() - end).unwrap_or_default(),
            new: new.get(..new.len() - end).unwrap_or_default(),
        }
    }
}

fn splice_text(
    transaction: &mut Transaction<'_>,
    object: &ObjId,
    at: usize,
    delete: usize,
    insert: &str,
) -> Result<(), automerge::AutomergeError> {
    // A length in memory always fits.
    transaction.splice_text(object, at, isize::try_from(delete).unwrap_or(isize::MAX), insert)
}

/// Hands a change to Automerge that has passed [`codec::header`].
pub(super) fn engine_change(bytes: &[u8]) -> Result<automerge::Change, TextError> {
    automerge::Change::try_from(bytes).map_err(|error| TextError::Engine(error.to_string()))
}

fn engine_actor(actor: ActorId) -> automerge::ActorId {
    automerge::ActorId::from(actor.0)
}

pub(super) fn engine(error: automerge::AutomergeError) -> TextError {
    TextError::Engine(error.to_string())
}

pub(super) fn ours(hashes: Vec<automerge::ChangeHash>) -> Vec<ChangeHash> {
    let mut hashes: Vec<_> = hashes.into_iter().map(|hash| ChangeHash(hash.0)).collect();
    hashes.sort_unstable();
    hashes
}
