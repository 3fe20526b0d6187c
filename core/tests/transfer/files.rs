//! Files as other programs write them: byte order marks, quotes, encodings, headers.

use serde_json::json;

use crate::world::{CUSTOMERS, World, counts};

const CHINESE: &str = r#"
entity = "customer"
source = "erp"
key = "编号"
currency = "CNY"
[fields]
company_name = { column = "公司名称" }
industry = { column = "行业" }
annual_revenue = { column = "年营业额" }
next_contact_at = { column = "下次联系" }
"#;

#[test]
fn chinese_headers_labels_dates_and_amounts() {
    let mut world = World::new();
    let csv =
        "\u{feff}编号,公司名称,行业,年营业额,下次联系\n1,上海水泵厂,制造,1.2万,2026年3月5日\n";
    assert_eq!(counts(&world.import(CHINESE, csv)), [1, 0, 0, 0]);
    let found = world.get("customer", "1");
    assert_eq!(found["company_name"], "上海水泵厂");
    assert_eq!(found["industry"], "manufacturing");
    assert_eq!(found["annual_revenue"]["minor"], 1_200_000);
    assert_eq!(found["next_contact_at"], "2026-03-05T00:00:00.000Z");
}

#[test]
fn quoted_cells_may_have_lines_commas_and_quotes() {
    let mut world = World::new();
    let csv = "no,name,industry,employees\r\n1,\"Acme, \"\"Inc\"\"\r\nShanghai\",retail,1\r\n\r\n2,,retail,2\r\n";
    let report = world.import(CUSTOMERS, csv);
    assert_eq!(counts(&report), [1, 0, 0, 1]);
    assert_eq!(world.get("customer", "1")["company_name"], "Acme, \"Inc\"\nShanghai");
    assert_eq!(report.errors[0].row, 3);
}

#[test]
fn characters_across_the_edges_of_chunks_are_fine() {
    let mut world = World::new();
    let mut csv = String::from("no,name,industry,employees\n");
    for row in 0..9_000 {
        csv.push_str(&format!("{row},水泵水泵水泵,retail,1\n"));
    }
    let report = world.try_import(CUSTOMERS, csv.as_bytes(), true).unwrap();
    assert_eq!(report.created, 9_000);
}

#[test]
fn files_without_what_the_mapping_needs() {
    let mut world = World::new();
    let mut words = |csv: &str| {
        let error = world.try_import(CUSTOMERS, csv.as_bytes(), false).unwrap_err();
        let text = error.to_string();
        text.split_once("import.csv").unwrap().1.to_owned()
    };
    assert_eq!(words(""), " is empty; its first line must name the columns");
    assert_eq!(
        words("no,name\n1,Acme\n"),
        " has no column `employees`, `industry`, which the mapping uses; it has no, name"
    );
    assert_eq!(
        words("no,name,name,industry,employees\n"),
        " has two columns `name`; rename one of them"
    );
    let endless = format!("no,name,industry,employees\n1,\"{}", "x".repeat(2 << 20));
    assert!(words(&endless).contains("is a quote left open?"));
}

#[test]
fn another_delimiter_and_progress() {
    let mut world = World::new();
    let mapping = CUSTOMERS.replace("key = ", "delimiter = \";\"\nkey = ");
    let report = world.import(&mapping, "no;name;industry;employees\n1;Acme;retail;1,000\n");
    assert_eq!(counts(&report), [1, 0, 0, 0]);
    assert_eq!(world.get("customer", "1")["employees"], json!(1_000));

    let mapping = outrider_core::transfer::Mapping::from_toml(&mapping).unwrap();
    let mut seen = Vec::new();
    let file = world.path("import.csv");
    let mut note = |progress: outrider_core::transfer::Progress| seen.push(progress);
    let job = outrider_core::transfer::Job::new(&mapping, &file);
    outrider_core::transfer::import(&mut world.replica, job, false, &mut note).unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].rows, seen[0].bytes), (1, seen[0].bytes_total));
}
