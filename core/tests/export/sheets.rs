//! Workbooks, read by another library: the cells are those of the records.

use std::io::Cursor;

use calamine::{Data, Reader as _, Xlsx};
use outrider_core::{
    schema::{Language, Schema},
    transfer::export::{Format, Headers, Options},
};

use crate::world::World;

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
