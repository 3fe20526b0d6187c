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

#[cfg(test)]
mod tests {
    use outrider_model::{
        bounds::Last,
        change::{Kind, Slot},
        event::EventKind,
        promise::Promise,
        rules::Broken,
    };

    use super::*;

    const BASE: Bounds = Bounds {
        name: "broken",
        devices: 2,
        last: Last::Enrolled,
        documents: 1,
        operations: 4,
        edits: 3,
        kinds: &[Kind::Plain, Kind::Mixed],
        accidents: &[EventKind::BackUp],
        accidents_max: 2,
        cuts: 1,
        takes_both: false,
        states_max: 1_000_000,
    };

    /// Everybody talks, twice, also where the model sees nothing to say: the code may.
    fn let_all_talk(search: &mut Search, bounds: &Bounds, events: &mut Vec<Event>) {
        let mut world = search.model.begin();
        for event in events.iter() {
            world = search.model.step(&world, *event).0;
        }
        for _ in 0..2 {
            for slot in 0..Slot::try_from(bounds.devices).unwrap() {
                let Some(device) = world.device(slot) else { continue };
                let prefix = search.model.devices.get(device).prefix;
                if search.model.servers.get(world.server).admits(prefix) {
                    let event = Event::Sync { slot };
                    world = search.model.step(&world, event).0;
                    events.push(event);
                }
            }
        }
    }

    /// A model that breaks a rule does not do what the code does, and the comparison says so:
    /// otherwise a replay would prove nothing.
    fn check_differs(broken: Broken, bounds: &Bounds) {
        let mut search = Search::run(bounds, broken, true);
        let mut events = search.found.first().expect("a broken rule is found").events.clone();
        let_all_talk(&mut search, bounds, &mut events);
        let found = replay(&mut search, bounds, &events, 1);
        eprintln!("{broken:?}: {}", found.as_deref().unwrap_or("nothing"));
        assert!(found.is_some(), "{broken:?}");
    }

    #[test]
    fn a_model_that_breaks_a_rule_differs_from_the_code() {
        check_differs(Broken::TodaysPreds, &BASE);
        check_differs(Broken::RefusedDropped, &BASE);
        check_differs(Broken::NothingSentAgain, &BASE);
        check_differs(Broken::PendingDropped, &BASE);
        check_differs(Broken::CursorBelieved, &BASE);
        let bounds = Bounds { accidents: &[EventKind::Toggle, EventKind::Late], edits: 2, ..BASE };
        check_differs(Broken::RefusalsForgotten, &bounds);
        let bounds = Bounds { accidents: &[EventKind::BackUp, EventKind::Revoke], ..BASE };
        check_differs(Broken::LedgerIgnored, &bounds);
        let bounds = Bounds { accidents: &[EventKind::BackUp, EventKind::Erase], ..BASE };
        check_differs(Broken::LedgerIgnored, &bounds);
        let bounds = Bounds { accidents: &[EventKind::Erase], ..BASE };
        check_differs(Broken::ErasedOpen, &bounds);
        let bounds = Bounds { last: Last::Empty, accidents: &[EventKind::Snapshot], ..BASE };
        check_differs(Broken::ForkConfirmed, &bounds);
        check_differs(Broken::TokenIgnored, &bounds);
    }

    /// Found by the model: somebody copies a device's whole folder with its token, both copies write, one
    /// of them has it acknowledged, the server is put back to before, and the other copy talks first.
    /// The server takes its change for the number, so that number is two changes' until they talk:
    /// hence the bound `takes_both`. When the acknowledged one is sent again and answered `forked`, it is
    /// written anew; before that it stayed on its device for good.
    #[test]
    fn a_folder_copied_with_its_token_and_a_server_put_back_agree_when_they_have_talked() {
        let accidents = &[EventKind::BackUp, EventKind::Snapshot];
        let (kinds, cuts) = (&[Kind::Plain][..], 0);
        let base = Bounds { operations: 5, last: Last::Empty, accidents, kinds, cuts, ..BASE };
        let bounds = Bounds { takes_both: true, ..base.clone() };
        let mut search = Search::run(&bounds, Broken::Nothing, true);
        let found = search.found.first().expect("the limit is found");
        assert_eq!(found.violation.promise, Promise::OneHash);
        let mut events = found.events.clone();
        assert_eq!(replay(&mut search, &bounds, &events, 1), None);
        let_all_talk(&mut search, &bounds, &mut events);
        assert_eq!(replay(&mut search, &bounds, &events, 1), None);
        let mut world = search.model.begin();
        for event in &events {
            world = search.model.step(&world, *event).0;
        }
        for (_, device) in world.placed() {
            let device = search.model.devices.get(device);
            assert!(device.awaited().is_empty());
            let seen = search.model.facts.view(&device.visible(&search.model.facts, 0));
            // Both copies' edits show beside each other.
            assert_eq!(seen.edits().len(), 3, "{events:?}");
        }
        assert!(Search::run(&base, Broken::Nothing, true).found.is_empty());
    }
    fn plain(slot: Slot) -> Event {
        Event::Write { slot, document: 0, kind: Kind::Plain }
    }

    fn during(slot: Slot) -> Event {
        Event::WriteDuring { slot, document: 0, kind: Kind::Plain }
    }

    fn talk(slot: Slot) -> Event {
        Event::Sync { slot }
    }

    /// Found by a long search (`model --operations 6 --replay 500 --seed 1 --long`): whoever had seen others and
    /// wrote on made every other device fetch the record whole, for the server says what an operation was at
    /// most.
    #[test]
    fn who_goes_on_after_others_is_joined_and_not_fetched_whole() {
        let kinds = &[Kind::Plain];
        let bounds = Bounds { devices: 3, kinds, accidents: &[], edits: 9, operations: 9, ..BASE };
        let few = Bounds { states_max: 1_000, ..bounds.clone() };
        let mut search = Search::run(&few, Broken::Nothing, true);
        let traces = [
            vec![
                plain(0),
                plain(1),
                during(0),
                talk(0),
                talk(2),
                plain(2),
                talk(2),
                talk(1),
                talk(0),
                plain(0),
                plain(0),
                talk(0),
                talk(1),
            ],
            vec![
                plain(0),
                plain(0),
                talk(0),
                talk(1),
                plain(1),
                talk(1),
                during(2),
                during(2),
                talk(1),
                talk(2),
                during(1),
            ],
            vec![
                plain(0),
                plain(1),
                talk(0),
                talk(2),
                plain(2),
                talk(1),
                talk(0),
                plain(0),
                talk(2),
                talk(1),
                plain(1),
                talk(1),
                during(0),
            ],
        ];
        for events in traces {
            assert_eq!(replay(&mut search, &bounds, &events, 1), None);
        }
    }
}
