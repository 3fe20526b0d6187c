//! Long texts that office and devices write together.

use outrider_sync_server::office::OfficeError;
use serde_json::json;

use crate::world::World;

#[test]
fn a_text_written_on_both_sides_keeps_both() {
    let world = World::open();
    let wang = world.author("wang");
    let mut anna = world.phone("anna");
    let made = json!({ "company_name": "Acme", "notes": "First line.\nLast line." });
    let record = world.create(&wang, "customer", made);
    world.sync(&mut anna);
    let shown = world.position();
    anna.update(record, json!({ "notes": "First line.\nAnna was here.\nLast line." }));
    world.sync(&mut anna);
    let entered = json!({ "notes": "First line, said Wang.\nLast line." });
    assert!(world.update(&wang, record, entered.clone(), Some(shown)).unwrap());
    world.sync(&mut anna);
    let both = "First line, said Wang.\nAnna was here.\nLast line.";
    assert_eq!(anna.get(record)["notes"], both);

    // The same form sent again writes under another actor; nothing of Anna's goes.
    world
        .update(&wang, record, json!({ "notes": "First line.\nLast line!" }), Some(shown))
        .unwrap();
    world.sync(&mut anna);
    let text = anna.get(record)["notes"].as_str().unwrap().to_owned();
    assert!(text.contains("Anna was here.") && text.ends_with("Last line!"), "{text}");

    // Without a form the text becomes what was entered.
    world.update(&wang, record, json!({ "notes": "Anew." }), None).unwrap();
    world.sync(&mut anna);
    assert_eq!(anna.get(record)["notes"], "Anew.");
    assert!(!world.update(&wang, record, json!({ "notes": "Anew." }), None).unwrap());
}

#[test]
fn two_first_writers_share_one_text() {
    let world = World::open();
    let wang = world.author("wang");
    let mut anna = world.phone("anna");
    let record = world.create(&wang, "customer", json!({ "company_name": "Acme" }));
    world.sync(&mut anna);
    let shown = world.position();
    anna.update(record, json!({ "notes": "from the road" }));
    world.sync(&mut anna);
    world.update(&wang, record, json!({ "notes": "from the office" }), Some(shown)).unwrap();
    world.sync(&mut anna);
    let text = anna.get(record)["notes"].as_str().unwrap().to_owned();
    assert!(text.contains("from the road") && text.contains("from the office"), "{text}");
}

#[test]
fn a_text_as_long_as_its_field_allows_is_taken_and_a_longer_one_is_not() {
    let world = World::open();
    let wang = world.author("wang");
    let record = world.create(&wang, "customer", json!({ "company_name": "Acme" }));
    let long = "字".repeat(80_000);
    assert!(world.update(&wang, record, json!({ "notes": long }), None).unwrap());
    let longer = "字".repeat(80_001);
    let error = world.update(&wang, record, json!({ "notes": longer }), None).unwrap_err();
    assert!(matches!(error, OfficeError::Edit(_)), "{error}");
    let mut anna = world.phone("anna");
    world.sync(&mut anna);
    assert_eq!(anna.get(record)["notes"].as_str().unwrap().chars().count(), 80_000);
}
