//! Several files at once, rows of rows, imports taken back, runs that were interrupted.

use std::fs;

use outrider_core::{
    ids::RecordId,
    transfer::{
        ImportReport, Job, Mapping, import_all, imports,
        propose::{NoNames, Note, Wishes, propose},
        undo_import, {Table, TableOptions},
    },
};
use serde_json::json;

use crate::world::{CUSTOMERS, World, counts};

const DEALS: &str = r#"
entity = "opportunity"
source = "erp"
key = "no"
[fields]
name = { column = "name" }
sales_stage = { const = "prospecting" }
customer_id = { column = "customer", ref = { by = "key" }, allow_empty = true }
"#;

const ORDERS: &str = r#"
entity = "sales_order"
source = "erp"
key = "no"
[fields]
customer_id = { column = "customer", ref = { by = "company_name" }, allow_empty = true }
status = { const = "draft" }
"#;

const LINES: &str = r#"
entity = "sales_order"
source = "erp"
key = "no"
rows = "lines"
parent = { column = "order", ref = { by = "key" } }
[fields]
name = { column = "what" }
qty = { sum = ["s", "m", "l"] }
product_id = { column = "product", ref = { by = "key" } }
"#;

const CUSTOMER_ROWS: &str = "no,name,industry,employees\n1,Acme,retail,1\n2,Bolt,retail,2\n";

fn run(world: &mut World, files: &[(&str, &str)], is_dry_run: bool) -> Vec<ImportReport> {
    let mappings: Vec<Mapping> =
        files.iter().map(|(mapping, _)| Mapping::from_toml(mapping).unwrap()).collect();
    let paths: Vec<_> = (0..files.len()).map(|at| world.path(&format!("{at}.csv"))).collect();
    for (path, (_, csv)) in paths.iter().zip(files) {
        fs::write(path, csv).unwrap();
    }
    let errors = world.path("errors.csv");
    let jobs: Vec<Job<'_>> = mappings
        .iter()
        .zip(&paths)
        .map(|(mapping, path)| Job { error_file: Some(errors.clone()), ..Job::new(mapping, path) })
        .collect();
    let reports = import_all(&mut world.replica, &jobs, is_dry_run, &mut |_, _| {}).unwrap();
    for report in &reports {
        assert_eq!(report.accounted(), report.rows, "{report}");
    }
    reports
}

fn undo(world: &mut World, report: &ImportReport) -> [u64; 4] {
    let undone = undo_import(&mut world.replica, report.batch.unwrap(), &mut |_| {}).unwrap();
    [undone.archived, undone.restored, undone.rows_removed, undone.kept]
}

#[test]
fn files_of_one_run_name_each_other_in_any_order() {
    let deals = "no,name,customer\n1,One,1\n2,Two,2\n3,Three,9\n";
    for is_dry_run in [true, false] {
        let mut world = World::new();
        let reports = run(&mut world, &[(DEALS, deals), (CUSTOMERS, CUSTOMER_ROWS)], is_dry_run);
        assert_eq!(counts(&reports[0]), [3, 0, 0, 0]);
        assert_eq!(reports[0].missing_references["customer_id"], 1, "{is_dry_run}");
        let told = &reports[0].left_empty[0];
        assert_eq!((told.row, told.column.as_str()), (4, "customer"));
        if is_dry_run {
            assert_eq!(world.waiting(), 0);
        } else {
            let acme = RecordId::external("customer", "erp", "1").to_string();
            assert_eq!(world.get("opportunity", "1")["customer_id"], acme);
        }
    }
}

#[test]
fn rows_become_rows_of_records_once() {
    let mut world = World::new();
    let orders = "no,customer\nO1,Acme\n";
    let lines = "no,order,what,s,m,l,product\n1,O1,Shirt,1,2,,P1\n2,O1,Hat,,,5,\n3,O9,Lost,1,,,\n4,O1,Bad,x,,,\n";
    let files = [(LINES, lines), (ORDERS, orders), (CUSTOMERS, CUSTOMER_ROWS)];
    let reports = run(&mut world, &files, false);
    assert_eq!(counts(&reports[0]), [2, 0, 0, 2]);
    assert_eq!(reports[0].errors[0].reason, "`lines`: there is no such sales_order");
    assert_eq!(reports[0].missing_references["product_id"], 1);
    let order = world.get("sales_order", "O1");
    let mut names: Vec<(&str, &str)> = order["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["name"].as_str().unwrap(), line["qty"].as_str().unwrap()))
        .collect();
    names.sort_unstable();
    assert_eq!(names, [("Hat", "5"), ("Shirt", "3")]);

    assert_eq!(counts(&run(&mut world, &files, false)[0]), [0, 0, 2, 2]);
    let changed = lines.replace("Shirt,1,2", "Shirt,4,2");
    assert_eq!(counts(&run(&mut world, &[(LINES, &changed)], false)[0]), [0, 1, 1, 2]);

    // The product comes with a later import, which knows nothing of the order's file.
    let products = "entity = \"product\"\nsource = \"erp\"\nkey = \"no\"\n[fields]\nname = { column = \"name\" }\n";
    let report = world.import(products, "no,name\nP1,Shirt\n");
    assert_eq!(report.linked_earlier, 1);
    let order = world.get("sales_order", "O1");
    let product = RecordId::external("product", "erp", "P1").to_string();
    let has = |line: &serde_json::Value| line.get("product_id") == Some(&json!(product));
    assert_eq!(order["lines"].as_array().unwrap().iter().filter(|line| has(line)).count(), 1);
    assert_eq!(undo(&mut world, &reports[0]), [0, 0, 2, 0]);
    assert!(world.get("sales_order", "O1").get("lines").is_none());
}

#[test]
fn an_import_is_taken_back_and_leaves_what_people_did() {
    let mut world = World::new();
    let first = world.import(CUSTOMERS, CUSTOMER_ROWS);
    world.edit("customer", "2", json!({ "short_name": "B" }));
    assert_eq!(undo(&mut world, &first), [1, 0, 0, 1]);
    assert_eq!(world.get("customer", "1")["is_archived"], true);
    assert!(world.get("customer", "2").get("is_archived").is_none());
    // Nobody takes it back once more; importing again brings it back, time and again.
    let twice = undo_import(&mut world.replica, first.batch.unwrap(), &mut |_| {}).unwrap_err();
    assert!(twice.to_string().contains("was taken back before"), "{twice}");
    for _ in 0..3 {
        let again = world.import(CUSTOMERS, CUSTOMER_ROWS);
        assert_eq!(counts(&again), [0, 1, 1, 0]);
        assert!(world.get("customer", "1").get("is_archived").is_none());
        assert_eq!(undo(&mut world, &again), [0, 1, 0, 0]);
        assert_eq!(world.get("customer", "1")["is_archived"], true);
    }
    // What was put right in the file meanwhile arrives.
    let right = CUSTOMER_ROWS.replace("Acme,retail,1", "Acme,finance,7");
    assert_eq!(counts(&world.import(CUSTOMERS, &right)), [0, 1, 1, 0]);
    let acme = world.get("customer", "1");
    assert_eq!((&acme["industry"], &acme["employees"]), (&json!("finance"), &json!(7)));
}

const PRICES: &str = r#"
entity = "opportunity"
source = "erp"
key = "no"
currency = "EUR"
[fields]
name = { column = "name" }
sales_stage = { const = "prospecting" }
customer_id = { const = "", allow_empty = true }
expected_amount = { column = "amount" }
"#;

#[test]
fn an_amount_that_a_person_changed_after_the_import_stays() {
    let mut world = World::new();
    world.import(PRICES, "no,name,amount\n1,One,100\n");
    let second = world.import(PRICES, "no,name,amount\n1,One,200\n");
    let mine = json!({ "amount": "250.00", "currency": "EUR" });
    world.edit("opportunity", "1", json!({ "expected_amount": mine }));
    assert_eq!(undo(&mut world, &second), [0, 0, 0, 1]);
    assert_eq!(world.get("opportunity", "1")["expected_amount"]["amount"], mine["amount"]);
    assert_eq!(counts(&world.import(PRICES, "no,name,amount\n1,One,200\n")), [0, 0, 1, 0]);
    assert_eq!(world.get("opportunity", "1")["expected_amount"]["amount"], mine["amount"]);
}

#[test]
fn cells_and_rows_that_a_person_changed_stay() {
    let mut world = World::new();
    let lines = "no,order,what,s,m,l,product\n1,O1,Shirt,1,,,\n2,O1,Hat,5,,,\n";
    run(&mut world, &[(ORDERS, "no,customer\nO1,\n"), (LINES, lines)], false);
    let order = world.get("sales_order", "O1");
    let line = |name: &str| {
        let lines = order["lines"].as_array().unwrap();
        lines.iter().find(|line| line["name"] == name).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let edit = json!({ "edit": { line("Shirt"): { "name": "Blouse" } }, "remove": [line("Hat")] });
    world.edit("sales_order", "O1", json!({ "lines": edit }));
    let changed = lines.replace("Shirt,1", "Shirt,4");
    let report = run(&mut world, &[(LINES, &changed)], false);
    assert_eq!(counts(&report[0]), [0, 1, 1, 0]);
    let order = world.get("sales_order", "O1");
    assert_eq!(order["lines"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&order["lines"][0]["name"], &order["lines"][0]["qty"]),
        (&json!("Blouse"), &json!("4"))
    );
    assert_eq!(undo(&mut world, &report[0]), [0, 1, 0, 0]);
    let order = world.get("sales_order", "O1");
    assert_eq!(
        (&order["lines"][0]["name"], &order["lines"][0]["qty"]),
        (&json!("Blouse"), &json!("1"))
    );
}

#[test]
fn a_refused_row_leaves_its_record_in_the_archive() {
    let mut world = World::new();
    let import = world.import(CUSTOMERS, CUSTOMER_ROWS);
    undo(&mut world, &import);
    // A text may be longer in a file than in a record.
    let long = CUSTOMER_ROWS.replace("Acme", &"x".repeat(100_000));
    assert_eq!(counts(&world.import(CUSTOMERS, &long)), [0, 1, 0, 1]);
    assert_eq!(world.get("customer", "1")["is_archived"], true);
    assert_eq!(counts(&world.import(CUSTOMERS, CUSTOMER_ROWS)), [0, 1, 1, 0]);
    assert!(world.get("customer", "1").get("is_archived").is_none());
}

#[test]
fn a_record_that_others_were_merged_into_is_not_archived_by_undo() {
    let mut world = World::new();
    let mine = RecordId::external("customer", "mine", "7");
    world
        .import(&CUSTOMERS.replace("erp", "mine"), "no,name,industry,employees\n7,Acme,retail,1\n");
    let import = world.import(CUSTOMERS, CUSTOMER_ROWS);
    let acme = RecordId::external("customer", "erp", "1");
    world.replica.merge(mine, acme, &std::collections::BTreeSet::new()).unwrap();
    assert_eq!(undo(&mut world, &import)[0], 1);
    assert!(world.get("customer", "1").get("is_archived").is_none());
}

#[test]
fn a_later_import_taken_back_gives_the_values_of_before() {
    let mut world = World::new();
    world.import(CUSTOMERS, CUSTOMER_ROWS);
    let later = CUSTOMER_ROWS
        .replace("Acme,retail,1", "Acme Ltd,finance,1")
        .replace("Bolt,retail,2", "Bolt,retail,9");
    let second = world.import(CUSTOMERS, &later);
    assert_eq!(counts(&second), [0, 2, 0, 0]);
    world.edit("customer", "1", json!({ "company_name": "Acme Group" }));
    assert_eq!(undo(&mut world, &second), [0, 1, 0, 1]);
    let acme = world.get("customer", "1");
    assert_eq!(
        (&acme["company_name"], &acme["industry"]),
        (&json!("Acme Group"), &json!("retail"))
    );
    assert_eq!(world.get("customer", "2")["employees"], 2);
    // The first file again changes nothing: it is as it was.
    assert_eq!(counts(&world.import(CUSTOMERS, CUSTOMER_ROWS)), [0, 0, 2, 0]);
    let listed = imports(&mut world.replica, 10).unwrap();
    assert_eq!(listed.len(), 3);
    assert!(listed[1].undone_at.is_some() && listed[0].ended_at.is_some());
    assert!(
        undo_import(&mut world.replica, 99, &mut |_| {})
            .unwrap_err()
            .to_string()
            .contains("there is no import 99")
    );
}

#[test]
fn cells_are_tidied_and_counted() {
    let mut world = World::new();
    let mapping = r#"
entity = "customer"
source = "erp"
key = "no"
region = "CN"
[fields]
company_name = { column = "name" }
phone = { column = "phone" }
email = { column = "email" }
annual_revenue = { column = "revenue", currency = "CNY" }
customer_kind = { const = "company" }
"#;
    let csv = "no,name,phone,email,revenue\n１,　Ａｃｍｅ　 有限公司（上海） ,138-1234 5678,Info@ACME.example ,¥1.2万\n2,Bolt,ask for it,,3亿\n";
    let report = world.import(mapping, csv);
    assert_eq!(counts(&report), [1, 0, 0, 1]);
    let acme = world.get("customer", "１");
    assert_eq!(acme["company_name"], "Acme 有限公司（上海）");
    assert_eq!(acme["phone"], "+8613812345678");
    assert_eq!(acme["email"], "info@acme.example");
    assert_eq!(acme["annual_revenue"]["amount"], "12000.00");
    assert_eq!(report.cleaned["company_name"]["spaces"], 1);
    assert_eq!(report.cleaned["company_name"]["width"], 1);
    assert_eq!(report.cleaned["phone"]["phone"], 1);
    assert_eq!(report.cleaned["email"]["capitals"], 1);
    let as_it_is = mapping.replace("region = \"CN\"", "clean = false").replace("erp", "raw");
    world.import(&as_it_is, "no,name,phone,email,revenue\n1,ＡＢＣ,138-1234 5678,,\n");
    let id = RecordId::external("customer", "raw", "1");
    assert_eq!(world.replica.get(id).unwrap().unwrap()["company_name"], "ＡＢＣ");
}

#[test]
fn mappings_are_proposed_in_both_languages() {
    let mut world = World::new();
    let csv = "客户编号,公司名称,联系电话,电子邮箱,所属行业,成立日期,城市\n\
        K1,三川实业,13812345678,a@example.cn,制造,2020年3月5日,上海\n\
        K2,四海贸易,13912345678,b@example.cn,制造业,2021/1/6,北京\n";
    let path = world.path("zh.csv");
    fs::write(&path, csv).unwrap();
    let table = Table::open(&path, &TableOptions::default()).unwrap();
    let wishes = Wishes { region: Some("CN".into()), ..Wishes::default() };
    let proposal = propose(&table, &wishes, &NoNames).unwrap();
    assert_eq!(proposal.entity, "customer");
    let becomes: Vec<Option<&str>> =
        proposal.columns.iter().map(|column| column.field.as_deref()).collect();
    assert_eq!(
        becomes[1..5],
        [Some("company_name"), Some("phone"), Some("email"), Some("industry")]
    );
    assert_eq!(becomes[6], Some("address.city"));
    assert_eq!(proposal.key, ["客户编号"]);
    let mapping = Mapping::from_toml(&proposal.mapping).unwrap();
    let mut job = Job::new(&mapping, &path);
    job.name = Some("customers".to_owned());
    let report =
        outrider_core::transfer::import(&mut world.replica, job, false, &mut |_| {}).unwrap();
    assert_eq!(counts(&report), [2, 0, 0, 0], "{}\n{report}", proposal.mapping);

    let csv = "Deal name,Amount,Close date,Stage,Account\nOne,1200,3/31/2026,Prospectng,Acme\nTwo,900,12/1/2026,Mystery,Bolt\n";
    fs::write(&path, csv).unwrap();
    let table = Table::open(&path, &TableOptions::default()).unwrap();
    let proposal = propose(&table, &Wishes::default(), &NoNames).unwrap();
    assert_eq!(proposal.entity, "opportunity", "{}", proposal.mapping);
    let stage = proposal.columns.iter().find(|column| column.column == "Stage").unwrap();
    assert_eq!(stage.replaced["Prospectng"], "prospecting");
    let close = proposal.columns.iter().find(|column| column.column == "Close date").unwrap();
    assert_eq!(close.date_order, Some("mdy"));
    let unknown = Note::Unknown { column: "Stage".into(), values: vec!["Mystery".into()] };
    assert!(proposal.notes.contains(&unknown), "{:?}", proposal.notes);
    Mapping::from_toml(&proposal.mapping).unwrap();
}

#[test]
fn names_that_are_here_already_tell_misspelt_ones() {
    let mut world = World::new();
    for name in ["GTX Pro", "GTX Basic", "MG Special"] {
        world.replica.create("product", &crate::world::map(json!({ "name": name }))).unwrap();
    }
    let path = world.path("deals.csv");
    fs::write(&path, "opportunity_id,product,deal_stage\n1,GTXPro,Won\n2,MG Speciall,Lost\n3,GTX Basic,Won\n4,Other,Won\n").unwrap();
    let table = Table::open(&path, &TableOptions::default()).unwrap();
    let proposal = propose(&table, &Wishes::default(), &world.replica).unwrap();
    let product = proposal.columns.iter().find(|column| column.column == "product").unwrap();
    assert_eq!(product.by.as_deref(), Some("name"));
    let replaced: Vec<(&str, &str)> =
        product.replaced.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
    assert_eq!(replaced, [("GTXPro", "GTX Pro"), ("MG Speciall", "MG Special")]);
}
