//! Workbooks, read by another library: the cells are those of the records, and give them again.

use std::io::Cursor;

use calamine::{Data, Reader as _, Xlsx};
use outrider_core::{
    schema::{Entity, Language, Schema},
    transfer::{
        export::{Format, Headers, Options},
        own::table::Table,
    },
};
use serde_json::{Map, Value as Json};

use crate::{dice::Dice, world::World};

const MARK: &str = " …(continued)";
const MS_PER_DAY: f64 = 86_400_000.0;

/// A cell as text, as the reader of workbooks gives it to an import.
fn text(cell: &Data) -> String {
    match cell {
        Data::Empty => String::new(),
        Data::String(text) => text.clone(),
        Data::Float(number) => number.to_string(),
        Data::Int(number) => number.to_string(),
        Data::Bool(flag) => flag.to_string(),
        Data::DateTime(at) => {
            let ms = ((at.as_f64() - 25_569.0) * MS_PER_DAY).round() as i64;
            let text = outrider_core::time::to_rfc3339(ms);
            if ms % 86_400_000 == 0 { text.chars().take(10).collect() } else { text }
        }
        other => panic!("{other:?}"),
    }
}

/// The records of a workbook, the pieces of long texts joined.
fn records(bytes: Vec<u8>) -> Vec<Map<String, Json>> {
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).unwrap();
    let mut pieces: Vec<[String; 2]> = Vec::new();
    let sheets = book.worksheets();
    for (name, range) in &sheets {
        if name == "Continued" {
            for row in range.rows().skip(1) {
                pieces.push([format!("{}/{}", text(&row[0]), text(&row[2])), text(&row[4])]);
            }
        }
    }
    let mut found = Vec::new();
    for (name, range) in &sheets {
        assert!(book.worksheet_formula(name).unwrap().used_cells().next().is_none());
        if name == "Continued" {
            continue;
        }
        let mut rows = range.rows();
        let heads: Vec<String> = rows.next().unwrap().iter().map(text).collect();
        let mut table = Table::new(heads.clone()).unwrap();
        for row in rows {
            let mut cells: Vec<String> = row.iter().map(text).collect();
            let id = cells[0].clone();
            for (cell, head) in cells.iter_mut().zip(&heads) {
                if let Some(begin) = cell.strip_suffix(MARK) {
                    let key = format!("{id}/{head}");
                    let rest = pieces.iter().filter(|[of, _]| *of == key).map(|[_, piece]| piece);
                    *cell = std::iter::once(begin).chain(rest.map(String::as_str)).collect();
                }
            }
            found.push(table.record(cells.iter().map(String::as_str)).unwrap());
        }
    }
    found
}

fn lines(records: impl Iterator<Item = Json>) -> String {
    let head = "{\"format\":\"outrider\",\"version\":1}\n".to_owned();
    records.fold(head, |text, record| text + &record.to_string() + "\n")
}

/// Ready to become an import by the reader of workbooks: only `records` is to be replaced.
#[test]
fn a_workbook_read_by_calamine_gives_the_same_records() {
    let mut dice = Dice::new();
    let entities: Vec<&Entity> = Schema::current().entities().collect();
    let mut world = World::new();
    for entity in &entities {
        world.fill(entity, 3, &mut dice);
    }
    let before = world.records(&entities);
    for headers in [Headers::Names, Headers::Labels(Language::Zh)] {
        let options = Options { headers, ..Options::default() };
        if headers != Headers::Names
            && before.values().any(|record| record.to_string().len() > 30_000)
        {
            // Pieces name columns for programs; joining them by label is the reader's.
            continue;
        }
        let (bytes, _) = world.export(&entities, Format::Xlsx, options);
        let mut other = World::new();
        let file = other.path("export.jsonl");
        std::fs::write(&file, lines(records(bytes).into_iter().map(Json::Object))).unwrap();
        let report = other.take_back(&file);
        assert_eq!((report.created, report.rejected), (before.len() as u64, 0), "{report}");
        let after = other.records(&entities);
        for (id, record) in &before {
            assert_eq!(Some(record), after.get(id), "{headers:?}");
        }
    }
}

#[test]
fn cells_have_their_types_and_the_head_stays_in_sight() {
    let mut world = World::new();
    let opportunity = Schema::current().entity("opportunity").unwrap();
    let fields = serde_json::json!({
        "name": "=1+1", "customer_id": "018f0000-0000-7000-8000-000000000001",
        "expected_amount": {"currency": "CNY", "amount": "1234.50"},
        "expected_close_date": "2026-11-23", "created_at": "2026-11-23T08:30:00.250Z",
        "sales_stage": "qualification",
    });
    world.replica.create("opportunity", fields.as_object().unwrap()).unwrap();
    let options = Options { headers: Headers::Labels(Language::En), ..Options::default() };
    let (bytes, _) = world.export(&[opportunity], Format::Xlsx, options);
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).unwrap();
    assert_eq!(book.sheet_names(), [opportunity.plural.en.as_str()]);
    let range = book.worksheet_range_at(0).unwrap().unwrap();
    let mut rows = range.rows();
    let heads: Vec<String> = rows.next().unwrap().iter().map(text).collect();
    let row = rows.next().unwrap();
    let cell = |head: &str| &row[heads.iter().position(|h| h == head).expect(head)];
    let label = |name: &str| opportunity.field(name).unwrap().label.en.clone();
    assert_eq!(cell(&label("name")), &Data::String("=1+1".to_owned()));
    let amount = label("expected_amount");
    assert_eq!(cell(&format!("{amount} (amount)")), &Data::Float(1234.5));
    assert_eq!(cell(&format!("{amount} (currency)")), &Data::String("CNY".to_owned()));
    assert!(matches!(cell(&label("expected_close_date")), Data::DateTime(_)));
    assert_eq!(text(cell(&label("expected_close_date"))), "2026-11-23");
    assert_eq!(text(cell(&label("created_at"))), "2026-11-23T08:30:00.250Z");
    assert!(matches!(cell(&label("sales_stage")), Data::String(label) if label != "qualification"));
}
