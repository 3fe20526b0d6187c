//! Waiting changes written anew, on what their author had seen (`core/src/crdt/base.rs`).

use std::collections::BTreeMap;

use crate::{
    change::{Actor, Change, ChangeId, Key, Op, OpName, Set, insert, unite},
    facts::Facts,
    rules::Broken,
};

/// A waiting change of a document, with what was confirmed when it was written.
#[derive(Debug, Clone)]
pub struct Pending {
    /// As it was written.
    pub change: ChangeId,
    /// What its author had seen confirmed.
    pub base: Set,
    /// Keys that are left out.
    pub dropped: Vec<Key>,
}

/// Writes all waiting changes of a document anew under an actor that goes on after `seq`; nothing
/// is left of some.
pub fn rewrite(
    facts: &mut Facts,
    confirmed: &Set,
    pending: &[Pending],
    (actor, mut seq): (Actor, u8),
) -> Vec<Option<ChangeId>> {
    let mut own: Option<ChangeId> = None;
    let mut seen: Vec<ChangeId> = Vec::new();
    let mut max_op = 0;
    let mut written: BTreeMap<Key, (OpName, Vec<OpName>)> = BTreeMap::new();
    let mut context = confirmed.clone();
    let mut successors = Vec::new();
    for waiting in pending {
        let old = facts.changes.get(waiting.change);
        unite(&mut context, &waiting.base);
        let base = facts.view(&waiting.base);
        let start = max_op.max(base.max_op()) + 1;
        let mut ops = Vec::new();
        for op in old.ops.iter().filter(|op| !waiting.dropped.contains(&op.key)) {
            let is_today = facts.broken == Broken::TodaysPreds;
            let today = is_today.then(|| facts.view(confirmed).names(op.key));
            let replaced = today.unwrap_or_else(|| base.names(op.key));
            let mut pred = match written.get(&op.key) {
                None => replaced.clone(),
                Some((stands, earlier)) => {
                    let news = replaced.iter().filter(|name| !earlier.contains(name));
                    news.copied().chain([*stands]).collect()
                }
            };
            pred.sort_unstable();
            let counter = start + u8::try_from(ops.len()).unwrap_or(0);
            written.insert(op.key, (OpName { counter, actor }, replaced));
            ops.push(Op { key: op.key, edit: op.edit, pred });
        }
        if ops.is_empty() {
            successors.push(None);
            continue;
        }
        let heads = base.heads();
        let mut deps: Set = heads.iter().filter(|head| !seen.contains(head)).copied().collect();
        if let Some(own) = own {
            insert(&mut deps, own);
        }
        seq += 1;
        let (document, generation) = (old.document, old.generation);
        let change = Change { document, generation, actor, seq, start, deps, ops };
        max_op = change.last();
        let view = facts.view(&context);
        let id = facts.write(change, &view);
        insert(&mut context, id);
        seen.extend(heads);
        own = Some(id);
        successors.push(Some(id));
    }
    successors
}
