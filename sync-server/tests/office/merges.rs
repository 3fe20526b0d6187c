//! Records that are merged while others write in them.

use std::collections::BTreeSet;

use outrider_core::{
    crdt::OpId,
    domain::merge::MergeError,
    ids::{DocumentId, Part, RecordId},
};
use outrider_sync_server::{
    office::{self, OfficeError},
    storage::{Content, Storage},
};
use serde_json::{Value as Json, json};

use crate::world::{Phone, World, fields};

fn none() -> BTreeSet<String> {
    BTreeSet::new()
}

/// An office with two devices that hold two customers that are the same.
fn world() -> (World, Phone, Phone, RecordId, RecordId) {
    let world = World::open();
    let (mut anna, mut ben) = (world.phone("anna"), world.phone("ben"));
    let wang = world.author("wang");
    let loser =
        world.create(&wang, "customer", json!({ "company_name": "Acme Ltd", "phone": "110" }));
    let survivor = world.create(&wang, "customer", json!({ "company_name": "Acme" }));
    world.sync(&mut anna);
    world.sync(&mut ben);
    (world, anna, ben, loser, survivor)
}

/// Everybody exchanges everything; then all agree on a record.
fn agree(world: &World, phones: [&mut Phone; 2], record: RecordId) -> Json {
    let [one, other] = phones;
    for _ in 0..2 {
        world.sync(one);
        world.sync(other);
    }
    assert_eq!(one.get(record), other.get(record));
    one.get(record)
}

#[test]
fn an_edit_of_a_record_that_was_merged_elsewhere_goes_on_to_the_survivor() {
    let (world, mut anna, mut ben, loser, survivor) = world();
    anna.replica.merge(loser, survivor, &none()).unwrap();
    ben.update(
        loser,
        json!({ "phone": "111", "tags": ["vip"], "website": "https://acme.example" }),
    );
    world.sync(&mut anna);
    let seen = agree(&world, [&mut anna, &mut ben], survivor);
    assert_eq!(seen["phone"], "111");
    assert_eq!(seen["website"], "https://acme.example");
    assert_eq!(seen["tags"], json!(["vip"]));
    assert!(seen.get("conflicts").is_none(), "{seen}");
    // The half keeps what was written in it.
    assert_eq!(ben.get(loser)["phone"], "111");
    // The history names who really wrote.
    let read = world.storage.read().unwrap();
    let entries =
        office::history(&*read, survivor, &office::HistoryQuery::default()).unwrap().entries;
    let website = entries.iter().find(|entry| entry.field == "website").unwrap();
    assert_eq!(website.user, "ben");
}

#[test]
fn an_edit_that_the_merger_had_not_seen_goes_on_too() {
    let (world, mut anna, mut ben, loser, survivor) = world();
    anna.replica.merge(loser, survivor, &none()).unwrap();
    ben.update(loser, json!({ "phone": "111" }));
    // Ben is first this time.
    world.sync(&mut ben);
    let seen = agree(&world, [&mut anna, &mut ben], survivor);
    assert_eq!(seen["phone"], "111");
}

/// What goes on was judged by what its push had cost so far: from one that cost too much it stayed in
/// its half.
#[test]
fn an_edit_goes_on_to_the_survivor_whatever_its_push_has_cost() {
    const LARGE: usize = 14;
    let (world, mut anna, mut ben, loser, survivor) = world();
    let tags: Vec<String> = (0..1_800).map(|n| format!("{n:0>64}")).collect();
    let large: Vec<RecordId> = (0..LARGE)
        .map(|n| {
            let json = json!({ "company_name": format!("Large {n}") });
            let record = ben.replica.create("customer", &fields(json)).unwrap();
            for tags in tags.chunks(450) {
                ben.update(record, json!({ "tags": { "add": tags } }));
            }
            record
        })
        .collect();
    world.sync(&mut ben);
    anna.replica.merge(loser, survivor, &none()).unwrap();
    world.sync(&mut anna);
    // A dozen of these cost more than one push may.
    let names: Vec<String> = (0..12).map(|n| format!("edit {n:0>2}")).collect();
    for name in &names {
        let tap = ben.replica.transaction(|tap| {
            for record in &large {
                tap.update(*record, &fields(json!({ "short_name": name })))?;
            }
            tap.update(loser, &fields(json!({ "tags": { "add": [name] } })))
        });
        tap.unwrap();
    }
    let told = world.session(&mut ben);
    assert!(told.waiting > 0, "not all of it at once: {told:?}");
    let seen = agree(&world, [&mut anna, &mut ben], survivor);
    assert_eq!(seen["tags"], json!(names));
}

#[test]
fn a_value_of_the_survivors_own_stays_beside_a_forwarded_one() {
    let (world, mut anna, mut ben, loser, survivor) = world();
    world.update(&world.author("wang"), survivor, json!({ "phone": "220" }), None).unwrap();
    world.sync(&mut anna);
    anna.replica.merge(loser, survivor, &none()).unwrap();
    world.sync(&mut anna);
    ben.update(loser, json!({ "phone": "111" }));
    agree(&world, [&mut anna, &mut ben], survivor);
    assert_eq!(world.values(survivor, "phone"), ["111", "220"]);
}

/// Simulated (`sync --seed 50000010 --steps 400`): where what the merge took over won in the survivor, what goes
/// on replaced everything else there too.
#[test]
fn a_value_that_the_merger_had_not_seen_stays_beside_a_forwarded_one() {
    for is_edit_first in [true, false] {
        let (world, mut anna, mut ben, loser, survivor) = world();
        world.update(&world.author("wang"), survivor, json!({ "phone": "220" }), None).unwrap();
        // Ahead of what stands there, so that what is taken over wins.
        anna.update(survivor, json!({ "website": "https://acme.example" }));
        anna.update(survivor, json!({ "short_name": "Acme" }));
        anna.replica.merge(loser, survivor, &none()).unwrap();
        ben.update(loser, json!({ "phone": "111" }));
        if is_edit_first {
            world.sync(&mut ben);
        }
        agree(&world, [&mut anna, &mut ben], survivor);
        assert_eq!(world.values(survivor, "phone"), ["111", "220"], "{is_edit_first}");
    }
}

/// Simulated (`sync --seed 1000990 --steps 400`): two merge the same two records into one another. What the second
/// took over from the record that goes on came back to it, and replaced what it had been taken from.
#[test]
fn what_two_crossing_merges_took_over_is_not_written_again_where_it_came_from() {
    for is_first in [true, false] {
        let (world, mut anna, mut ben, one, other) = world();
        let (rich, poor) = if is_first { (one, other) } else { (other, one) };
        let number = json!({ "number": "+86 10 5555 0100", "label": "office" });
        let more = json!({ "tags": ["vip"], "phones": { "add": [number] }, "website": "https://a.example" });
        world.update(&world.author("wang"), rich, more, None).unwrap();
        world.sync(&mut anna);
        world.sync(&mut ben);
        let before = written(&world, rich);
        assert!(before.len() >= 4, "{before:?}");
        anna.replica.merge(poor, rich, &none()).unwrap();
        ben.replica.merge(rich, poor, &none()).unwrap();
        world.sync(&mut anna);
        let seen = agree(&world, [&mut anna, &mut ben], rich);
        assert_eq!(
            (&seen["tags"], &seen["website"]),
            (&json!(["vip"]), &json!("https://a.example"))
        );
        assert_eq!(seen["phones"].as_array().map(Vec::len), Some(1));
        assert_eq!(written(&world, rich), before, "{is_first}: nobody wrote anything else there");
    }
}

/// Simulated (`sync --seed 6001434 --steps 400`): what the first merge took over came back to the record it had been
/// taken from, and replaced what the second one's author wrote there since.
#[test]
fn what_somebody_wrote_after_merges_that_crossed_is_not_undone_by_them() {
    for (is_first, is_ben_first) in [(true, false), (false, false), (true, true), (false, true)] {
        let (world, mut anna, mut ben, one, other) = world();
        let (rich, poor) = if is_first { (one, other) } else { (other, one) };
        let key = with_number(&world, rich);
        world.sync(&mut anna);
        world.sync(&mut ben);
        anna.replica.merge(rich, poor, &none()).unwrap();
        ben.replica.merge(poor, rich, &none()).unwrap();
        // What is written at one time counts as written at once.
        world.now();
        ben.update(rich, edit_of(&key, "222"));
        ben.update(rich, json!({ "website": "https://b.example" }));
        world.sync(if is_ben_first { &mut ben } else { &mut anna });
        agree(&world, [&mut anna, &mut ben], rich);
        let heir = anna.replica.resolve(rich).unwrap();
        for record in [rich, heir] {
            let case = format!("{is_first}, {is_ben_first}, {}", record == rich);
            assert_eq!(world.values(record, &key), ["222"], "{case}");
            assert_eq!(world.values(record, "website"), ["https://b.example"], "{case}");
        }
    }
}

/// Found with it: of a row that was taken over, what the merger wrote in the same push was taken for a part of that.
#[test]
fn what_the_merger_wrote_in_a_row_since_stays_beside_a_forwarded_cell() {
    let (world, mut anna, mut ben, loser, survivor) = world();
    let key = with_number(&world, loser);
    world.sync(&mut anna);
    world.sync(&mut ben);
    anna.replica.merge(loser, survivor, &none()).unwrap();
    world.now();
    anna.update(survivor, edit_of(&key, "333"));
    ben.update(loser, edit_of(&key, "222"));
    world.sync(&mut ben);
    agree(&world, [&mut anna, &mut ben], survivor);
    assert_eq!(world.values(survivor, &key), ["222", "333"]);
}

#[test]
fn a_row_that_is_removed_elsewhere_stays_where_the_merger_wrote_in_it_since() {
    for is_edited in [true, false] {
        let (world, mut anna, mut ben, loser, survivor) = world();
        let key = with_number(&world, loser);
        world.sync(&mut anna);
        world.sync(&mut ben);
        anna.replica.merge(loser, survivor, &none()).unwrap();
        if is_edited {
            world.now();
            anna.update(survivor, edit_of(&key, "333"));
        }
        ben.update(loser, json!({ "phones": { "remove": [row_of(&key)] } }));
        world.sync(&mut ben);
        let seen = agree(&world, [&mut anna, &mut ben], survivor);
        let numbers: Vec<&str> = seen["phones"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|row| row["number"].as_str())
            .collect();
        assert_eq!(numbers, if is_edited { vec!["333"] } else { vec![] });
    }
}

#[test]
fn a_member_that_is_removed_elsewhere_stays_where_the_survivor_had_it_by_itself() {
    for is_own in [true, false] {
        let (world, mut anna, mut ben, loser, survivor) = world();
        let (wang, tags) = (world.author("wang"), json!({ "tags": ["vip"] }));
        world.update(&wang, loser, tags.clone(), None).unwrap();
        if is_own {
            world.update(&wang, survivor, tags, None).unwrap();
        }
        world.sync(&mut anna);
        world.sync(&mut ben);
        anna.replica.merge(loser, survivor, &none()).unwrap();
        world.sync(&mut anna);
        ben.update(loser, json!({ "tags": { "remove": ["vip"] }, "website": "https://b.example" }));
        let seen = agree(&world, [&mut anna, &mut ben], survivor);
        assert_eq!(seen.get("tags"), is_own.then(|| json!(["vip"])).as_ref());
        assert_eq!(seen["website"], "https://b.example", "what else was written goes on");
    }
}

#[test]
fn a_field_that_was_emptied_in_the_survivor_takes_what_is_written_elsewhere() {
    let (world, mut anna, mut ben, loser, survivor) = world();
    let wang = world.author("wang");
    world.update(&wang, loser, json!({ "phone": null }), None).unwrap();
    world.update(&wang, survivor, json!({ "phone": "220" }), None).unwrap();
    world.update(&wang, survivor, json!({ "phone": null }), None).unwrap();
    world.sync(&mut anna);
    world.sync(&mut ben);
    anna.replica.merge(loser, survivor, &none()).unwrap();
    world.sync(&mut anna);
    ben.update(loser, json!({ "phone": "111" }));
    let seen = agree(&world, [&mut anna, &mut ben], survivor);
    assert_eq!(seen["phone"], "111");
    assert_eq!(world.values(survivor, "phone"), ["111"]);
}

/// Gives a customer a number and a website; the key under which the number stands.
fn with_number(world: &World, record: RecordId) -> String {
    let number = json!({ "number": "111", "label": "office" });
    let more = json!({ "phones": { "add": [number] }, "website": "https://a.example" });
    world.update(&world.author("wang"), record, more, None).unwrap();
    let id = DocumentId { record, part: Part::Main };
    let stored = world.storage.read().unwrap().document(&id).unwrap().unwrap();
    let Content::Flat(state) = stored.content else { panic!("a text") };
    let (rest, _) = state.under("phones/").find(|(rest, _)| rest.ends_with("/number")).unwrap();
    format!("phones/{rest}")
}

/// The row that a key of a cell is of.
fn row_of(key: &str) -> &str {
    key.split('/').nth(1).unwrap()
}

/// Another number in the row of a key.
fn edit_of(key: &str, number: &str) -> Json {
    json!({ "phones": { "edit": { row_of(key): { "number": number } } } })
}

/// Which operations say what tags, phones and website a record has.
fn written(world: &World, record: RecordId) -> Vec<OpId> {
    let id = DocumentId { record, part: Part::Main };
    let Content::Flat(state) =
        world.storage.read().unwrap().document(&id).unwrap().unwrap().content
    else {
        panic!("a text")
    };
    let keys = ["tags/", "phones/", "website"].map(|prefix| state.under(prefix));
    keys.into_iter().flatten().flat_map(|(_, ops)| ops.iter().map(|op| op.id)).collect()
}

#[test]
fn whoever_knows_of_the_merge_writes_to_the_survivor_and_nothing_is_forwarded() {
    let (world, mut anna, mut ben, loser, survivor) = world();
    anna.replica.merge(loser, survivor, &none()).unwrap();
    world.sync(&mut anna);
    world.sync(&mut ben);
    ben.update(loser, json!({ "phone": "111" }));
    let seen = agree(&world, [&mut anna, &mut ben], survivor);
    assert_eq!(seen["phone"], "111");
    assert_eq!(anna.get(loser)["phone"], "110");
}

#[test]
fn two_survivors_of_one_record_are_a_conflict_that_leads_everybody_the_same_way() {
    let (world, mut anna, mut ben, loser, survivor) = world();
    let wang = world.author("wang");
    let third = world.create(&wang, "customer", json!({ "company_name": "Acme Group" }));
    world.sync(&mut anna);
    world.sync(&mut ben);
    anna.replica.merge(loser, survivor, &none()).unwrap();
    ben.replica.merge(loser, third, &none()).unwrap();
    agree(&world, [&mut anna, &mut ben], loser);
    let heir = anna.replica.resolve(loser).unwrap();
    assert_eq!(ben.replica.resolve(loser).unwrap(), heir);
    assert!(heir == survivor || heir == third);
    let conflicts = anna.conflicts(loser);
    assert!(conflicts.iter().any(|conflict| conflict.key == "redirect_to"), "{conflicts:?}");
}

#[test]
fn the_office_merges_and_takes_back_and_devices_follow() {
    let (world, mut anna, mut ben, loser, survivor) = world();
    let wang = world.author("wang");
    let merge =
        |pair| office::merge(&world.storage, &world.policy, &wang, pair, &none(), world.now());
    merge((loser, survivor)).unwrap();
    let again = merge((loser, survivor));
    assert!(matches!(again, Err(OfficeError::Merge(MergeError::Already { .. }))), "{again:?}");
    let seen = agree(&world, [&mut anna, &mut ben], survivor);
    assert_eq!(seen["phone"], "110");
    assert_eq!(anna.replica.resolve(loser).unwrap(), survivor);
    let stays = office::unmerge(&world.storage, &world.policy, &wang, loser, world.now()).unwrap();
    assert!(stays.is_empty());
    let seen = agree(&world, [&mut anna, &mut ben], survivor);
    assert!(seen.get("phone").is_none());
    assert_eq!(anna.replica.resolve(loser).unwrap(), loser);
    office::tell_apart(&world.storage, &world.policy, &wang, (loser, survivor), world.now())
        .unwrap();
    world.sync(&mut anna);
    assert!(anna.replica.duplicates("customer", None, 100).unwrap().pairs.is_empty());
}

#[test]
fn a_form_that_was_opened_before_the_merge_is_forwarded() {
    let (world, mut anna, mut ben, loser, survivor) = world();
    let shown = world.position();
    anna.replica.merge(loser, survivor, &none()).unwrap();
    world.sync(&mut anna);
    world.update(&world.author("wang"), loser, json!({ "phone": "111" }), Some(shown)).unwrap();
    assert_eq!(agree(&world, [&mut anna, &mut ben], survivor)["phone"], "111");
    // One that was opened afterwards means the survivor.
    let shown = world.position();
    world.update(&world.author("wang"), loser, json!({ "phone": "112" }), Some(shown)).unwrap();
    assert_eq!(agree(&world, [&mut anna, &mut ben], survivor)["phone"], "112");
    assert_eq!(anna.get(loser)["phone"], "111");
}
