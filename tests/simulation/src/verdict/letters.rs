//! Every character that was typed into a long text is there once, unless somebody who saw it took
//! it out.

use std::collections::{BTreeMap, BTreeSet};

use automerge::{ActorId, Automerge, ObjId, ReadDoc};
use outrider_core::crdt::{
    export::export,
    text::{TEXT_KEY, first_change},
};
use outrider_sync_server::storage::{Content, Read};

use super::{
    Office, Verdict,
    excused::{Excused, WRITTEN_TWICE},
};
use crate::{Failure, plan::Check, world::World};

pub(super) fn judge(
    tx: &dyn Read,
    world: &World,
    office: &Office,
    excused: &mut Excused,
    verdict: &mut Verdict,
) -> Result<(), Failure> {
    let ledger = &world.ledger;
    for (id, letters) in &ledger.letters {
        if excused.has(id) || world.is_erased(id) {
            continue;
        }
        let stored = office.documents.get(id).map(|stored| &stored.content);
        let text = match stored {
            Some(Content::Text(text)) => text.text.as_str(),
            Some(Content::Flat(_)) | None => "",
        };
        let mut there: BTreeMap<char, usize> = BTreeMap::new();
        for letter in text.chars() {
            *there.entry(letter).or_default() += 1;
        }
        let refused = ledger.refused_letters.get(id);
        let missing: String = letters
            .inserted
            .iter()
            .filter(|letter| !there.contains_key(letter))
            .filter(|letter| !letters.deleted.contains(letter) && !letters.gone.contains(letter))
            .filter(|letter| refused.is_none_or(|refused| !refused.contains(letter)))
            .collect();
        if !missing.is_empty() {
            verdict.add(Check::Accounted, format!("{id}: {missing} is missing"));
        }
        if stored.is_some() {
            let first = first_change().bytes.clone();
            let changes = tx.changes_since(id, 0, usize::MAX)?;
            let chunks: Vec<Vec<u8>> =
                std::iter::once(first).chain(changes.into_iter().map(|one| one.bytes)).collect();
            let document = Automerge::load(&export(chunks.iter().map(Vec::as_slice))?)?;
            let object = document.get(automerge::ROOT, TEXT_KEY)?.ok_or("a text without text")?.1;
            if document.text(&object)? != text {
                verdict.add(Check::Sound, format!("{id}: Automerge reads another text"));
            }
            for letter in there.iter().filter(|(_, count)| **count > 1).map(|(letter, _)| *letter) {
                let actors = actors_of(&document, &object, text, letter)?;
                let writers: BTreeSet<&ActorId> = actors.iter().collect();
                // Nobody writes a passage anew twice; two who know nothing of one another may, and so may two copies
                // of one phone on which it waited.
                let may_be = world.out.restores > 0 || letters.copied.contains(&letter);
                if may_be && writers.len() == actors.len() {
                    excused.count(WRITTEN_TWICE);
                } else {
                    let count = actors.len();
                    verdict.add(Check::Accounted, format!("{id}: {letter} is there {count} times"));
                }
            }
        }
    }
    Ok(())
}

/// Who wrote each of the places at which a letter stands.
fn actors_of(
    document: &Automerge,
    object: &ObjId,
    text: &str,
    letter: char,
) -> Result<Vec<ActorId>, Failure> {
    let places = text.chars().enumerate().filter(|(_, one)| *one == letter);
    places
        .map(|(at, _)| match document.get(object, at)? {
            Some((_, ObjId::Id(_, actor, _))) => Ok(actor),
            Some((_, ObjId::Root)) | None => Err("a letter without an operation".into()),
        })
        .collect()
}
