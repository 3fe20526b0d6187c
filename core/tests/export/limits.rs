//! What is larger than a format, and files that are not ours.

use std::io::Cursor;

use calamine::{Data, Reader as _, Xlsx};
use outrider_core::{
    schema::Schema,
    transfer::{
        export::{Export, ExportError, Format, Options},
        own::{OwnError, take_back},
    },
};
use serde_json::{Map, Value as Json, json};

use crate::world::World;

fn map(json: Json) -> Map<String, Json> {
    json.as_object().unwrap().clone()
}

#[test]
fn a_text_longer_than_a_cell_goes_on_in_a_sheet_and_nothing_is_cut() {
    for (letter, length) in [("a", 32_767), ("a", 32_768), ("客", 70_000), ("🙂", 50_001)] {
        let mut world = World::new();
        let customer = Schema::current().entity("customer").unwrap();
        let notes = letter.repeat(length);
        let fields = map(json!({ "company_name": "三川", "notes": notes }));
        world.replica.create("customer", &fields).unwrap();
        let (bytes, _) = world.export(&[customer], Format::Xlsx, Options::default());
        let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).unwrap();
        let sheets = book.worksheets();
        let longest = sheets[0].1.used_cells().filter_map(|(_, _, cell)| match cell {
            Data::String(text) => Some(text.clone()),
            _ => None,
        });
        let longest = longest.max_by_key(String::len).unwrap();
        let is_continued = letter.encode_utf16().count() * length > 32_767;
        assert_eq!(sheets.len(), if is_continued { 2 } else { 1 });
        let Some((name, rest)) = sheets.get(1) else {
            assert_eq!(longest, notes);
            continue;
        };
        assert_eq!(name, "Continued");
        let rest: String = rest.rows().skip(1).map(|row| row[4].to_string()).collect();
        assert!(longest.encode_utf16().count() <= 32_767);
        assert_eq!(longest.strip_suffix(" …(continued)").unwrap().to_owned() + &rest, notes);
    }
}

#[test]
fn a_csv_file_holds_one_entity_and_a_calendar_only_what_has_days() {
    let schema = Schema::current();
    let (customer, team) = (schema.entity("customer").unwrap(), schema.entity("team").unwrap());
    let start = |format| {
        Export::start(format, Options::default(), Box::new(std::io::sink()), &|_| None).unwrap()
    };
    let mut csv = start(Format::Csv);
    csv.begin(customer).unwrap();
    assert!(matches!(csv.begin(team), Err(ExportError::OneEntity)));
    let mut ics = start(Format::Ics);
    let error = ics.begin(team).unwrap_err();
    assert!(error.to_string().contains("no date to plan by"), "{error}");
}

#[test]
fn what_is_not_ours_is_refused_with_its_reason() {
    let mut world = World::new();
    let file = world.path("other");
    for (text, why) in [
        ("name,phone\nx,1\n", "no column `entity`"),
        ("", "no column `entity`"),
        ("{\"format\":\"other\",\"version\":1}\n", "does not begin with the format"),
        ("{\"format\":\"outrider\",\"version\":2}\n", "newer"),
        ("{\"a\":\n1}", "does not begin with the format"),
        ("{", "no object"),
        ("{\"format\":\"outrider\",\n\"version\":1}", "no list of records"),
        ("{\"format\":\"outrider\",\n\"version\":2,\"records\":[{}]}", "newer"),
        ("{\"format\":\"outrider\",\n\"version\":1,\"records\":[{}}", "no object"),
    ] {
        std::fs::write(&file, text).unwrap();
        let error = take_back(&mut world.replica, &file, &mut |_| {}).unwrap_err();
        assert!(matches!(error, OwnError::NotOurs { .. }), "{error}");
        assert!(error.to_string().contains(why), "{text}: {error}");
    }
}

#[test]
fn a_row_that_does_not_fit_is_rejected_alone() {
    let mut world = World::new();
    let file = world.path("file.csv");
    let id = |last: u32| format!("018f0000-0000-7000-8000-00000000000{last}");
    let text = format!(
        "id,entity,company_name,employees,remark\n{},customer,A,12,x\n{},customer,B,many,\n\
         none,customer,C,,\n{},castle,D,,\n{},customer,'=E,,\n",
        id(1),
        id(2),
        id(3),
        id(4),
    );
    std::fs::write(&file, text).unwrap();
    let report = world.take_back(&file);
    assert_eq!((report.rows, report.created, report.rejected), (5, 2, 3), "{report}");
    assert_eq!(report.errors[0].row, 3);
    assert!(report.errors[0].reason.contains("employees"), "{report}");
    let record = world.replica.get(id(4).parse().unwrap()).unwrap().unwrap();
    assert_eq!(record["company_name"], "=E");
}

/// A row that never ends would take all memory.
#[test]
fn a_row_without_an_end_is_refused() {
    let mut world = World::new();
    let file = world.path("file.csv");
    std::fs::write(&file, format!("id,entity\n\"{}", "x".repeat(17 << 20))).unwrap();
    let error = take_back(&mut world.replica, &file, &mut |_| {}).unwrap_err();
    assert!(matches!(error, OwnError::RowTooLong { row: 2, .. }), "{error}");
    let line = format!(
        "{{\"format\":\"outrider\",\"version\":1}}\n{{\"id\":\"{}\"}}",
        "x".repeat(17 << 20)
    );
    std::fs::write(&file, line).unwrap();
    let error = take_back(&mut world.replica, &file, &mut |_| {}).unwrap_err();
    assert!(matches!(error, OwnError::RowTooLong { .. }), "{error}");
}

/// A line or a record with a few bytes of each value would take many times as much memory as its bytes.
#[test]
fn a_row_of_too_many_values_is_refused() {
    let mut world = World::new();
    let file = world.path("file.json");
    let head = "{\"format\":\"outrider\",\"version\":1";
    let many = format!("{{\"a\":[{}0]}}", "0,".repeat(100_000));
    std::fs::write(&file, format!("{head}}}\n{many}\n{{\"id\":1}}\n")).unwrap();
    let report = world.take_back(&file);
    assert_eq!((report.rows, report.rejected), (2, 2), "{report}");
    assert!(report.errors[0].reason.contains("too many values"), "{report}");
    // What is longer than a record of other files may be is one of ours all the same.
    let long = format!("{{\"id\":\"{}\"}}", "x".repeat(2 << 20));
    std::fs::write(&file, format!("{head},\n\"records\":[{long}]}}")).unwrap();
    let report = world.take_back(&file);
    assert_eq!((report.rows, report.rejected), (1, 1), "{report}");
    // A file on one line, so short that it could be what stands before records.
    std::fs::write(&file, format!("{head},\"records\":[{{\"id\":1}}]}}")).unwrap();
    let report = world.take_back(&file);
    assert_eq!((report.rows, report.rejected), (1, 1), "{report}");
    // Laid out anew, what is behind it cannot be told from it.
    std::fs::write(&file, format!("{head},\n\"records\":[{many}]}}")).unwrap();
    let error = take_back(&mut world.replica, &file, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("too many values"), "{error}");
}
