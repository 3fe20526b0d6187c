//! What authors meant, without operation ids: the model that rewriting is tested against.

use std::collections::BTreeSet;

pub(crate) type EditId = usize;

/// What an author meant, in terms of the edits that he saw.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meant {
    pub(crate) key: String,
    /// The text that it put; none for a deletion.
    pub(crate) value: Option<String>,
    /// Edits that stood under the key.
    pub(crate) replaced: BTreeSet<EditId>,
    /// His own edits of the key that the server had not answered for.
    pub(crate) waiting: Vec<EditId>,
    /// For a deleted row its cells, for an archiving everything that he knew of.
    pub(crate) saw: BTreeSet<EditId>,
    /// Whether the server took it in the end.
    pub(crate) kept: bool,
}

/// All edits of a world by their id.
#[derive(Default)]
pub(crate) struct Model(pub(crate) Vec<Meant>);

impl Model {
    fn replaced(&self, id: EditId) -> BTreeSet<EditId> {
        let meant = &self.0[id];
        let dropped = meant.waiting.iter().filter(|earlier| !self.0[**earlier].kept);
        meant.replaced.iter().copied().chain(dropped.flat_map(|id| self.replaced(*id))).collect()
    }

    /// Kept puts of a key that no kept edit replaced.
    pub(crate) fn survivors(&self, key: &str) -> BTreeSet<EditId> {
        let of_key = |id: &EditId| self.0[*id].key == key && self.0[*id].kept;
        let kept: Vec<EditId> = (0..self.0.len()).filter(of_key).collect();
        let replaced: BTreeSet<EditId> = kept.iter().flat_map(|id| self.replaced(*id)).collect();
        kept.into_iter()
            .filter(|id| !replaced.contains(id) && self.0[*id].value.is_some())
            .collect()
    }
}
