//! A text in memory: beginning, loading, reading, saving.

use std::{collections::BTreeMap, sync::LazyLock};

use automerge::{Automerge, LoadOptions, ObjId, ObjType, ROOT, ReadDoc as _, TextEncoding};

use super::{TEXT_KEY, TextChange, TextError, guard::guarded};
use crate::{
    crdt::{
        codec::{self, encode_text_start},
        op::Change,
    },
    ids::{ActorId, ChangeHash},
};

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
    pub(super) object: ObjId,
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

    /// The text as it was when `heads` were its heads.
    ///
    /// # Errors
    ///
    /// If one of them is not part of the text.
    pub fn text_at(&self, heads: &[ChangeHash]) -> Result<String, TextError> {
        let missing: Vec<ChangeHash> =
            heads.iter().filter(|hash| !self.contains(**hash)).copied().collect();
        if !missing.is_empty() {
            return Err(TextError::MissingDeps(missing));
        }
        let heads: Vec<_> = heads.iter().map(|hash| automerge::ChangeHash(hash.0)).collect();
        self.doc.text_at(&self.object, &heads).map_err(engine)
    }

    /// The text as it was when `heads` were its heads, to be edited there.
    ///
    /// # Errors
    ///
    /// If one of them is not part of the text.
    pub fn fork_at(&self, heads: &[ChangeHash]) -> Result<Self, TextError> {
        let missing: Vec<ChangeHash> =
            heads.iter().filter(|hash| !self.contains(**hash)).copied().collect();
        if !missing.is_empty() {
            return Err(TextError::MissingDeps(missing));
        }
        let heads: Vec<_> = heads.iter().map(|hash| automerge::ChangeHash(hash.0)).collect();
        Self::around(self.doc.fork_at(&heads).map_err(engine)?)
    }

    /// Takes in changes that were made on a fork.
    ///
    /// # Errors
    ///
    /// If one follows what is not part of the text.
    pub fn merge(&mut self, changes: &[TextChange]) -> Result<(), TextError> {
        let parsed: Result<Vec<_>, TextError> =
            changes.iter().map(|change| engine_change(&change.bytes)).collect();
        self.doc.apply_changes(parsed?).map_err(engine)?;
        if changes.iter().all(|change| self.contains(change.hash)) {
            Ok(())
        } else {
            Err(TextError::MissingDeps(ours(self.doc.get_missing_deps(&[]))))
        }
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
}

/// Hands a change to Automerge that has passed [`codec::header`].
pub(super) fn engine_change(bytes: &[u8]) -> Result<automerge::Change, TextError> {
    automerge::Change::try_from(bytes).map_err(|error| TextError::Engine(error.to_string()))
}

pub(super) fn engine_actor(actor: ActorId) -> automerge::ActorId {
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
