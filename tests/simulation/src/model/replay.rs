//! A trace on both: the model and the real code do the same, and must hold the same after each event.

use std::collections::BTreeSet;

use outrider_core::replica::session::Summary;
use outrider_model::{
    bounds::Bounds,
    cover::{Goal, deeds},
    event::Event,
    search::Search,
    session::Said,
    show::show_event,
    world::Model,
};

use super::{
    observe::{observe_model, observe_real},
    stage::Stage,
};
use crate::Failure;

/// What a trace has of what is to be covered.
pub(super) fn goals_of(model: &mut Model, events: &[Event]) -> BTreeSet<Goal> {
    let mut goals = BTreeSet::new();
    let mut world = model.begin();
    let mut before: Option<Event> = None;
    for event in events {
        let (next, said) = model.step(&world, *event);
        world = next;
        goals.extend(before.map(|before| Goal::Pair(before.kind(), event.kind())));
        goals.extend(deeds(&said).into_iter().map(|deed| Goal::Deed(event.kind(), deed)));
        before = Some(*event);
    }
    goals
}

/// Plays a trace; what is not the same, with the events up to there.
pub(super) fn replay(
    search: &mut Search,
    bounds: &Bounds,
    events: &[Event],
    seed: u64,
) -> Option<String> {
    let done = play(&mut search.model, bounds, events, seed);
    let (at, words) = match done {
        Ok(None) => return None,
        Ok(Some(found)) => found,
        Err(error) => (events.len(), format!("it broke: {error}")),
    };
    let lines = search.show(events.get(..at).unwrap_or(events));
    Some(format!("{}: {words}\n{}", bounds.name, lines.join("\n")))
}

fn play(
    model: &mut Model,
    bounds: &Bounds,
    events: &[Event],
    seed: u64,
) -> Result<Option<(usize, String)>, Failure> {
    let mut stage = Stage::open(bounds, seed)?;
    let mut world = model.begin();
    for (number, event) in (1..).zip(events) {
        let (next, said) = model.step(&world, *event);
        world = next;
        let real = match stage.act(*event) {
            Ok(summary) => summary,
            Err(error) => {
                let words = format!("{} broke: {error}", show_event(*event));
                return Ok(Some((number, words)));
            }
        };
        let is_talk = matches!(event, Event::Sync { .. } | Event::Cut { .. } | Event::Lost { .. });
        if is_talk && let Some(words) = compare_talk(&said, &real) {
            return Ok(Some((number, words)));
        }
        let real = observe_real(&stage, bounds.documents)?;
        if let Some(words) = observe_model(model, &world).difference(&real) {
            return Ok(Some((number, words)));
        }
    }
    Ok(None)
}

/// What a conversation did, in the words of both.
fn compare_talk(said: &Said, real: &Summary) -> Option<String> {
    let effect = said.effect;
    let pairs = [
        ("applied", effect.applied.into(), real.applied),
        ("duplicates", effect.duplicates.into(), real.duplicates),
        ("refused", effect.refused.into(), real.refused),
        ("forked", effect.forked.into(), real.forked),
        ("waiting", effect.waiting.into(), real.waiting),
        ("restored", said.is_restored.into(), real.is_server_restored.into()),
        ("erased", said.erased.into(), real.erased),
        ("fetched", said.fetched.into(), real.repaired),
        ("requests", said.requests.into(), real.requests),
    ];
    let differs = |(_, model, real): &(&str, u64, u64)| model != real;
    let (what, model, real) = pairs.into_iter().find(differs)?;
    Some(format!("{what}: model {model}, real {real}"))
}
