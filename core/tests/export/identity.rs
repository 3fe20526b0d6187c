//! Every entity, exported and taken back into an empty replica, is what it was.

use outrider_core::{
    schema::{Entity, Language, Schema},
    transfer::export::{Format, Headers, Options},
};

use crate::{dice::Dice, world::World};

/// Records of each entity.
const RECORDS: usize = 4;

fn check(
    entities: &[&'static Entity],
    one: &World,
    other: &mut World,
    format: Format,
    options: Options,
) {
    let (bytes, written) = one.export(entities, format, options);
    let before = one.records(entities);
    assert_eq!(written.records, before.len() as u64);
    let file = other.path("export");
    std::fs::write(&file, &bytes).unwrap();
    let report = other.take_back(&file);
    assert_eq!((report.created, report.rejected), (written.records, 0), "{report}");
    let after = other.records(entities);
    for (id, record) in &before {
        assert_eq!(Some(record), after.get(id), "{format:?} {options:?}");
    }
    let again = other.take_back(&file);
    assert_eq!(again.existing, written.records, "what is here is left alone");
}

#[test]
fn a_csv_file_taken_back_gives_the_same_records() {
    let mut dice = Dice::new();
    let mut world = World::new();
    let entities: Vec<&Entity> = Schema::current().entities().collect();
    for entity in &entities {
        world.fill(entity, RECORDS, &mut dice);
    }
    for headers in [Headers::Names, Headers::Labels(Language::En), Headers::Labels(Language::Zh)] {
        let bom = headers != Headers::Names;
        let options = Options { headers, bom, ..Options::default() };
        let mut other = World::new();
        // What is computed from other records is the same once all of them are there.
        for entity in &entities {
            let (bytes, _) = world.export(&[entity], Format::Csv, options);
            std::fs::write(other.path("export"), &bytes).unwrap();
            let file = other.path("export");
            let report = other.take_back(&file);
            assert_eq!((report.created, report.rejected), (RECORDS as u64, 0), "{report}");
        }
        let (before, after) = (world.records(&entities), other.records(&entities));
        for (id, record) in &before {
            assert_eq!(Some(record), after.get(id), "{headers:?}");
        }
    }
}

#[test]
fn a_json_file_of_everything_taken_back_gives_the_same_records() {
    let mut dice = Dice::new();
    let entities: Vec<&Entity> = Schema::current().entities().collect();
    let mut world = World::new();
    for entity in &entities {
        world.fill(entity, RECORDS, &mut dice);
    }
    for format in [Format::Json, Format::JsonLines] {
        check(&entities, &world, &mut World::new(), format, Options::default());
    }
}

#[test]
fn a_workbook_of_everything_taken_back_gives_the_same_records() {
    let mut dice = Dice::new();
    let entities: Vec<&Entity> = Schema::current().entities().collect();
    let mut world = World::new();
    for entity in &entities {
        world.fill(entity, RECORDS, &mut dice);
    }
    let long = serde_json::json!({ "company_name": "三川", "notes": "客🙂".repeat(25_000) });
    world.replica.create("customer", long.as_object().unwrap()).unwrap();
    for headers in [Headers::Names, Headers::Labels(Language::En), Headers::Labels(Language::Zh)] {
        let options = Options { headers, ..Options::default() };
        check(&entities, &world, &mut World::new(), Format::Xlsx, options);
    }
}

#[test]
fn a_json_file_that_was_laid_out_anew_is_read_all_the_same() {
    let mut dice = Dice::new();
    let entity = Schema::current().entity("customer").unwrap();
    let mut world = World::new();
    world.fill(entity, 3, &mut dice);
    let (bytes, _) = world.export(&[entity], Format::Json, Options::default());
    let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let mut other = World::new();
    let records = json["records"].to_string();
    let sorted = format!("{{\"records\":{records},\n\"version\":1,\"format\":\"outrider\"}}");
    for text in [sorted, serde_json::to_string_pretty(&json).unwrap(), json.to_string()] {
        let file = other.path("export.json");
        std::fs::write(&file, text).unwrap();
        let report = other.take_back(&file);
        assert_eq!((report.rows, report.created + report.existing), (3, 3), "{report}");
    }
    assert_eq!(world.records(&[entity]), other.records(&[entity]));
}
