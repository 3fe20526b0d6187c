//! Files of every format and encoding, and what ends in a sentence instead.

use std::{collections::BTreeMap, fs, io::Write as _, path::Path};

use outrider_core::transfer::{
    Format, Job, Mapping, Table, TableOptions, import,
    table::{
        COLUMNS_MAX, FILE_BYTES_MAX, archive as limits, cards,
        records::{RECORD_BYTES_MAX, RECORD_MARKS_MAX},
        tree,
    },
};
use serde_json::json;

use crate::world::{CUSTOMERS, World, counts};

fn open(path: &Path) -> Result<Table, String> {
    Table::open(path, &TableOptions::default()).map_err(|error| error.to_string())
}

/// Writes a file and opens it as a table.
fn table(world: &World, name: &str, bytes: &[u8]) -> Result<Table, String> {
    let path = world.path(name);
    fs::write(&path, bytes).unwrap();
    open(&path)
}

fn utf16(text: &str, is_little: bool) -> Vec<u8> {
    let units = text.encode_utf16();
    units.flat_map(|unit| if is_little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
}

/// An archive of these files.
fn archive(path: &Path, files: &[(&str, Vec<u8>)]) {
    let mut zip = zip::ZipWriter::new(fs::File::create(path).unwrap());
    for (name, bytes) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

const CONTENT_TYPES: &str = r#"<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/></Types>"#;
const RELS: &str = r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
const WORKBOOK: &str = r#"<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="客户" sheetId="1" r:id="rId1"/></sheets></workbook>"#;
const WORKBOOK_RELS: &str = r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#;

/// A workbook with one sheet of these rows.
fn workbook(path: &Path, rows: &str) {
    let sheet = format!(
        r#"<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{rows}</sheetData></worksheet>"#
    );
    archive(
        path,
        &[
            ("[Content_Types].xml", CONTENT_TYPES.into()),
            ("_rels/.rels", RELS.into()),
            ("xl/workbook.xml", WORKBOOK.into()),
            ("xl/_rels/workbook.xml.rels", WORKBOOK_RELS.into()),
            ("xl/worksheets/sheet1.xml", sheet.into_bytes()),
        ],
    );
}

fn text_cell(place: &str, text: &str) -> String {
    format!(r#"<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>"#)
}

#[test]
fn every_encoding_gives_the_same_table() {
    let world = World::new();
    let csv = "编号,公司名称,行业\n1,上海水泵厂有限公司,制造业\n2,北京三川实业有限公司,贸易\n";
    let (gb18030, _, _) = encoding_rs::GB18030.encode(csv);
    let little = utf16(csv, true);
    let marked = [&[0xff, 0xfe][..], &little].concat();
    let big = [&[0xfe, 0xff][..], &utf16(csv, false)].concat();
    for (name, bytes, encoding) in [
        ("utf8", csv.as_bytes().to_vec(), "UTF-8"),
        ("bom", ["\u{feff}", csv].concat().into_bytes(), "UTF-8"),
        ("gb", gb18030.to_vec(), "GB18030"),
        ("le", marked, "UTF-16LE"),
        ("be", big, "UTF-16BE"),
        ("bare", utf16("no;name\n1;Acme\n2;Bolt\n", true), "UTF-16LE"),
    ] {
        let table = table(&world, name, &bytes).unwrap();
        assert_eq!(table.encoding, encoding, "{name}");
        assert_eq!(table.rows, 2, "{name}");
        if name == "bare" {
            assert_eq!(table.header, ["no", "name"]);
        } else {
            assert_eq!(table.header, ["编号", "公司名称", "行业"], "{name}");
        }
    }
    let latin = encoding_rs::WINDOWS_1252.encode("no,name\n1,Müller & Söhne\n2,Café Été\n").0;
    assert_eq!(table(&world, "latin", &latin).unwrap().encoding, "windows-1252");
}

#[test]
fn a_named_encoding_must_fit() {
    let world = World::new();
    let path = world.path("x.csv");
    fs::write(&path, b"no,name\n1,\xc9\xcf\n2,\xff\xff\n").unwrap();
    let named = |encoding: &str| {
        let options =
            TableOptions { encoding: Some(encoding.to_owned()), ..TableOptions::default() };
        Table::open(&path, &options).map(drop).unwrap_err().to_string()
    };
    let words = named("utf-8");
    assert!(words.contains("is read as UTF-8, which fits only up to line 2"), "{words}");
    let words = named("gb18030");
    assert!(words.contains("GB18030") && words.contains("Nothing was imported"), "{words}");
    assert!(named("klingon").contains("there is no encoding `klingon`; known are utf-8, gb18030"));
}

#[test]
fn the_delimiter_is_found_out() {
    let world = World::new();
    for (csv, width) in [
        ("a;b;c\n1;\"x,y\";3\n4;5;6\n", 3),
        ("a\tb\n1,5\t2\n", 2),
        ("a|b|c\n1|2|3\n", 3),
        ("a,b\n1;2;3,4\n", 2),
        ("only\nx\ny\n", 1),
    ] {
        assert_eq!(table(&world, "d.csv", csv.as_bytes()).unwrap().header.len(), width, "{csv}");
    }
}

#[test]
fn workbooks_give_dates_numbers_and_saved_values() {
    let mut world = World::new();
    let path = world.path("customers.xlsx");
    let header: String = ["no", "name", "industry", "employees"]
        .iter()
        .zip(["A1", "B1", "C1", "D1"])
        .map(|(text, place)| text_cell(place, text))
        .collect();
    let rows = format!(
        r#"<row r="1">{header}</row><row r="3">{}{}<c r="C3" t="str"><f>LOWER("RETAIL")</f><v>retail</v></c><c r="D3"><v>1200</v></c></row>"#,
        text_cell("A3", "7"),
        text_cell("B3", "=cmd|' /C calc'!A0"),
    );
    workbook(&path, &rows);
    let mapping = Mapping::from_toml(CUSTOMERS).unwrap();
    let report = import(&mut world.replica, Job::new(&mapping, &path), false, &mut |_| {}).unwrap();
    assert_eq!((counts(&report), report.blank), ([1, 0, 0, 0], 1));
    assert_eq!(report.format, Some(Format::Xlsx));
    let found = world.get("customer", "7");
    assert_eq!(found["company_name"], "=cmd|' /C calc'!A0");
    assert_eq!((&found["industry"], &found["employees"]), (&json!("retail"), &json!(1200)));

    let words = {
        let options = TableOptions { sheet: Some("none".into()), ..TableOptions::default() };
        Table::open(&path, &options).unwrap_err().to_string()
    };
    assert!(words.contains("has no sheet `none` of cells; it has 客户"), "{words}");
}

#[test]
fn workbooks_that_burst_or_are_none_end_in_a_sentence() {
    let world = World::new();
    let path = world.path("bomb.xlsx");
    let comments = usize::try_from(limits::SHARED_BYTES_MAX).unwrap() / "<!-- -->".len();
    let nothing = format!("<sst>{}</sst>", "<!-- -->".repeat(comments));
    workbook_with(&path, &[("xl/sharedStrings.xml", nothing)]);
    assert!(fs::metadata(&path).unwrap().len() < 200_000);
    assert!(open(&path).unwrap_err().contains("unpacks to more than a workbook should"));

    let many: Vec<(String, Vec<u8>)> =
        (0..=limits::ENTRIES_MAX).map(|n| (format!("f{n}"), Vec::new())).collect();
    let many: Vec<(&str, Vec<u8>)> = many.iter().map(|(n, b)| (n.as_str(), b.clone())).collect();
    archive(&path, &many);
    assert!(open(&path).unwrap_err().contains("too many files"));

    // A directory of long names, and one that is behind another one.
    let long: Vec<String> = (0..5_000).map(|n| format!("{n:0>1000}")).collect();
    let long: Vec<(&str, Vec<u8>)> = long.iter().map(|n| (n.as_str(), Vec::new())).collect();
    archive(&path, &long);
    assert!(open(&path).unwrap_err().contains("too many files"));
    let whole = fs::read(&path).unwrap();
    archive(&path, &[("hello.txt", b"hello".to_vec())]);
    let small = fs::read(&path).unwrap();
    fs::write(&path, [&whole[..], &small[small.len() - 22..]].concat()).unwrap();
    assert!(open(&path).unwrap_err().contains("it is no workbook"));

    archive(&path, &[("hello.txt", b"hello".to_vec())]);
    assert!(open(&path).unwrap_err().contains("cannot be read as a workbook"));
    fs::write(&path, b"PK\x03\x04 and then nothing").unwrap();
    assert!(open(&path).unwrap_err().contains("it is no workbook"));

    let wide = format!(r#"<row r="1">{}</row>"#, text_cell("BZZ1", "far away"));
    workbook(&path, &wide);
    let words = open(&path).unwrap_err();
    assert!(words.contains("columns, at most 1000 are read"), "{words}");
    let deep = format!(r#"<row r="2000000">{}</row>"#, text_cell("A2000000", "deep"));
    workbook(&path, &deep);
    assert!(open(&path).unwrap_err().contains("rows"));
    let back = format!(
        r#"<row r="2">{}</row><row r="1">{}</row>"#,
        text_cell("A2", "x"),
        text_cell("A1", "y")
    );
    workbook(&path, &back);
    assert!(open(&path).unwrap_err().contains("not in order"));
}

/// A workbook with one cell, and with these files in place of or beside its own.
fn workbook_with(path: &Path, others: &[(&str, String)]) {
    let cell = r#"<c r="A1" t="s"><v>0</v></c>"#;
    let sheet = format!(r#"<worksheet><sheetData><row r="1">{cell}</row></sheetData></worksheet>"#);
    let texts = "<sst><si><t>company_name</t></si></sst>";
    let mut files: BTreeMap<&str, Vec<u8>> = [
        ("[Content_Types].xml", CONTENT_TYPES.into()),
        ("_rels/.rels", RELS.into()),
        ("xl/workbook.xml", WORKBOOK.into()),
        ("xl/_rels/workbook.xml.rels", WORKBOOK_RELS.into()),
        ("xl/sharedStrings.xml", texts.into()),
        ("xl/worksheets/sheet1.xml", sheet.into_bytes()),
    ]
    .into();
    files.extend(others.iter().map(|(name, text)| (*name, text.clone().into_bytes())));
    archive(path, &files.into_iter().collect::<Vec<_>>());
}

const BURSTS: &str = "unpacks to more than a workbook should";

/// The library would keep each of these in memory, or make room for it: the file is a few kilobytes.
#[test]
fn what_a_workbook_makes_of_a_few_kilobytes_is_bounded() {
    let world = World::new();
    let path = world.path("bomb.xlsx");
    let try_with = |name: &str, text: String| {
        workbook_with(&path, &[(name, text)]);
        open(&path)
    };
    let number = |limit: u64| usize::try_from(limit).unwrap();
    let piece = number(limits::PIECE_BYTES_MAX);
    let sheet = |inside: &str| format!("<worksheet><sheetData>{inside}</sheetData></worksheet>");
    let row = |cell: &str| format!(r#"<row r="1"><c r="A1" t="inlineStr">{cell}</c></row>"#);
    let name = row("<is><t>company_name</t></is>");
    let at = "xl/worksheets/sheet1.xml";
    // Between two marks; the parser asks for some kilobytes at once.
    let spaces = |count| sheet(&(" ".repeat(count) + &name));
    assert!(try_with(at, spaces(piece - 20_000)).is_ok());
    assert!(try_with(at, spaces(piece + 20_000)).unwrap_err().contains(BURSTS));
    // A comment, and a mark itself.
    let comment = sheet(&format!("<!--{}-->{name}", "<c>".repeat(piece / 3 + 10_000)));
    assert!(try_with(at, comment).unwrap_err().contains(BURSTS));
    let mark = sheet(&format!("<x y=\"{}\"/>{name}", "z".repeat(piece + 20_000)));
    assert!(try_with(at, mark).unwrap_err().contains(BURSTS));
    // A cell in many pieces.
    let cell = |count: usize| sheet(&row(&format!("<is><t>{}</t></is>", "x<!---->".repeat(count))));
    assert!(try_with(at, cell(piece / 8 + 10)).unwrap_err().contains(BURSTS));
    // The shared texts: how many there are, how many there are said to be, how long one is.
    let texts = "xl/sharedStrings.xml";
    let many = |count: u64| format!("<sst>{}</sst>", "<si><t>n</t></si>".repeat(number(count)));
    assert!(try_with(texts, many(limits::SHARED_TEXTS_MAX)).is_ok());
    assert!(try_with(texts, many(limits::SHARED_TEXTS_MAX + 1)).unwrap_err().contains(BURSTS));
    for count in
        ["68719476736", "18446744073709551615", "0x7", "00000000000000000000000068719476736"]
    {
        let said = format!(r#"<sst count="1" uniqueCount="{count}"><si><t>n</t></si></sst>"#);
        assert!(try_with(texts, said).unwrap_err().contains(BURSTS), "{count}");
    }
    let said =
        format!(r#"<sst uniqueCount="{}"><si><t>n</t></si></sst>"#, limits::SHARED_TEXTS_MAX);
    assert!(try_with(texts, said).is_ok());
    let long = format!("<sst><si>{}</si></sst>", "<r><t>x</t></r>".repeat(piece / 15 + 10));
    assert!(try_with(texts, long).unwrap_err().contains(BURSTS));
    // Styles, each with copies of what it names.
    let styles = |count: u64, font: usize| {
        let (font, all) = ("f".repeat(font), "<xf fontId=\"0\"/>".repeat(number(count)));
        format!(
            r#"<styleSheet><fonts><font><name val="{font}"/></font></fonts><cellXfs>{all}</cellXfs></styleSheet>"#
        )
    };
    let at = "xl/styles.xml";
    assert!(try_with(at, styles(limits::STYLES_MAX, 200)).is_ok());
    assert!(try_with(at, styles(limits::STYLES_MAX + 1, 200)).unwrap_err().contains(BURSTS));
    assert!(try_with(at, styles(limits::STYLES_MAX, 300)).unwrap_err().contains(BURSTS));
    let borders = "<border/>".repeat(number(limits::COMMON_ELEMENTS_MAX));
    let borders = format!("<styleSheet><borders>{borders}</borders></styleSheet>");
    assert!(try_with(at, borders).unwrap_err().contains(BURSTS));
    let long = format!(
        "<styleSheet>{}</styleSheet>",
        "<!-- -->".repeat(number(limits::COMMON_BYTES_MAX) / 8)
    );
    assert!(try_with(at, long).unwrap_err().contains(BURSTS));
    // Whatever the library finds is what was looked at: it takes the last workbook of which it is said where, and
    // names as they stand where no other letters fit.
    let evil = sheet(&" ".repeat(piece + 20_000));
    let nowhere =
        "<Relationship Id=\"x\" Type=\"x/relationships/officeDocument\"/></Relationships>";
    for (rels, name) in [
        (RELS.replace("</Relationships>", nowhere), "xl/workbook.xml"),
        (RELS.replace("xl/workbook.xml", "xl/evil.xml"), "XL/EVIL.XML"),
        (RELS.replace("xl/workbook.xml", "xl/a\\evil.xml"), "xl/a\\evil.xml"),
        (RELS.replace(" Target=", " x:Target=\"nowhere\" Target="), "xl/workbook.xml"),
    ] {
        workbook_with(&path, &[("_rels/.rels", rels), (name, evil.clone())]);
        assert!(open(&path).unwrap_err().contains(BURSTS), "{name}");
    }
    let twice = RELS.replace(" Target=", " Target=\"nowhere\" Target=");
    assert!(try_with("_rels/.rels", twice).unwrap_err().contains("damaged"));
    let backslash = WORKBOOK_RELS.replace("worksheets/sheet1.xml", "worksheets\\evil.xml");
    let files = [("xl/_rels/workbook.xml.rels", backslash), ("xl/worksheets\\evil.xml", evil)];
    workbook_with(&path, &files);
    assert!(open(&path).unwrap_err().contains(BURSTS));
    let named = |bytes: usize| sheet(&format!("{name}<{0}></{0}>", "a".repeat(bytes)));
    assert!(try_with("xl/worksheets/sheet1.xml", named(256)).is_ok());
    assert!(try_with("xl/worksheets/sheet1.xml", named(257)).unwrap_err().contains(BURSTS));
    // A place with a name that all sheets would copy, and elements that never end.
    for target in ["x/".repeat(251), "xl&#47;workbook.xml".to_owned()] {
        let words = try_with("_rels/.rels", RELS.replace("xl/workbook.xml", &target)).unwrap_err();
        assert!(words.contains("in a place where it should not be"), "{target}: {words}");
    }
    let deep =
        |count: usize| sheet(&format!("{}{name}{}", "<a>".repeat(count), "</a>".repeat(count)));
    assert!(try_with("xl/worksheets/sheet1.xml", deep(250)).is_ok());
    assert!(try_with("xl/worksheets/sheet1.xml", deep(300)).unwrap_err().contains(BURSTS));
    let sheets = WORKBOOK
        .replace("<sheets>", &format!("<sheets>{}", "<sheet/>".repeat(limits::ENTRIES_MAX)));
    assert!(try_with("xl/workbook.xml", sheets).unwrap_err().contains(BURSTS));
    let crossed = sheet(&row("<is><t>x</c>y</t></is>"));
    assert!(try_with("xl/worksheets/sheet1.xml", crossed).unwrap_err().contains("damaged"));
    // One long text in all cells of a row.
    let text = format!("<sst><si><t>{}</t></si></sst>", "x".repeat(piece - 100));
    let cells = r#"<c t="s"><v>0</v></c>"#.repeat(3);
    let files =
        [(texts, text), ("xl/worksheets/sheet1.xml", sheet(&format!("<row>{cells}</row>")))];
    workbook_with(&path, &files);
    assert!(open(&path).unwrap_err().contains("longer than"), "{:?}", open(&path));
    // Dates before all time.
    let styles = r#"<styleSheet><cellXfs><xf numFmtId="14"/></cellXfs></styleSheet>"#.to_owned();
    for number in ["-1e300", "1e300", "-1e18", "2958465.5", "inf", "NaN"] {
        let cells = format!(r#"<row r="1"><c r="A1" s="0"><v>{number}</v></c></row>"#);
        workbook_with(
            &path,
            &[("xl/styles.xml", styles.clone()), ("xl/worksheets/sheet1.xml", sheet(&cells))],
        );
        let _ = open(&path);
    }
    // What the library does not read may be as it likes.
    let others = [
        ("xl/calcChain.xml", format!("<calcChain>{}</calcChain>", "<c/>".repeat(1_100_000))),
        ("xl/media/white.bmp", "\0".repeat(2 * piece)),
    ];
    workbook_with(&path, &others);
    assert!(open(&path).is_ok());
    // What says that it is an archive and does not end as one.
    let noise: Vec<u8> = b"PK\x03\x04"
        .iter()
        .copied()
        .chain((0..200_000_u32).map(|n| (n.wrapping_mul(n) >> 7) as u8))
        .collect();
    fs::write(&path, noise).unwrap();
    assert!(open(&path).unwrap_err().contains("it is no workbook"));
}

/// A list, and one in a member, however long; a record as long as one may be, and a longer one.
#[test]
fn records_of_json_are_read_one_by_one() {
    let world = World::new();
    let whole = |name: &str, json: &str| {
        let table = table(&world, name, json.as_bytes()).map_err(|error| error.to_string())?;
        Ok::<_, String>((table.header, table.rows))
    };
    let header = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let max = usize::try_from(RECORD_BYTES_MAX).unwrap();
    let record = |bytes: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes - 8));
    // What is at its limit is read ahead by one byte.
    for list in [
        format!("[{},{}\n]", record(max - 2), record(max - 2)),
        format!(r#"{{"b":1,"records":[{},{}],"c":2}}"#, record(max - 2), record(max - 2)),
    ] {
        assert_eq!(whole("a.json", &list), Ok((header(&["a"]), 2)));
    }
    for list in [
        format!("[{},{}]", record(10), record(max + 1)),
        format!(r#"{{"records":[{}],"c":2}}"#, record(max + 1)),
        format!(r#"{{"b":"{}","records":[]}}"#, "x".repeat(max)),
    ] {
        let words = whole("a.json", &list).unwrap_err();
        assert!(words.contains("a record of it has more than 1048576 bytes"), "{words}");
    }
    // Values take many times as much memory as their bytes, in lists, in members and in lines of their own.
    let values = |count: usize| format!("[{}0]", "0,".repeat(count));
    let most = usize::try_from(RECORD_MARKS_MAX).unwrap();
    for (json, is_good) in [
        (format!(r#"[{{"a":{}}}]"#, values(most - 4)), true),
        (format!(r#"[{{"a":{}}}]"#, values(most)), false),
        (format!(r#"{{"a":{},"records":[]}}"#, values(most)), false),
        (format!("{{\"a\":{}}}\n{{\"a\":1}}\n", values(most - 2)), true),
        (format!("{{\"a\":{}}}\n{{\"a\":1}}\n", values(most)), false),
        (format!("{{\"a\":1}}\n{{\"a\":{}}}\n", values(most)), false),
    ] {
        match whole("a.json", &json) {
            Ok((header, _)) => assert!(is_good && header == ["a"]),
            Err(words) => assert!(!is_good && words.contains("too many values"), "{words}"),
        }
    }
    let twice = r#"{"records":[{"a":1}],"records":[{"a":2}]}"#;
    assert!(whole("a.json", twice).unwrap_err().contains("line 1"), "a second list");
    let name = |n: usize| format!("{{\"{}{n}\":1}},", "k".repeat(max / 2));
    let names = format!("[{}{{}}]", (0..3).map(name).collect::<String>());
    let words = whole("a.json", &names).unwrap_err();
    assert!(words.contains("longer than"), "{}", words.chars().take(200).collect::<String>());
    let lines = "\u{feff}{\"a\":1}\n{\"a\":2}\n";
    assert_eq!(whole("a.json", lines), Ok((header(&["a"]), 2)), "lines behind a mark");
    let many = format!("[{}{{\"b\":1}}]", r#"{"a":1},"#.repeat(300_000));
    assert_eq!(
        whole("a.json", &many),
        Ok((header(&["a", "b"]), 300_001)),
        "longer than one record"
    );
    let words = whole("a.json", r#"[{"a":1},2]"#).unwrap_err();
    assert!(words.contains("a list of objects was expected"), "{words}");
    assert_eq!(
        whole("a.json", "\u{feff}{\"a\":1,\"records\":{\"x\":[1]}}"),
        Ok((header(&["a"]), 1))
    );
    for broken in ["[{\"a\":1}", "[{\"a\":1}] 2", "{\"records\":[{\"a\":1}]", "[{\"a\":1},]"] {
        let words = whole("a.json", broken).unwrap_err();
        assert!(
            words.contains("line 1") && !words.contains('a'.to_string().repeat(3).as_str()),
            "{words}"
        );
    }
}

#[test]
fn a_tree_of_many_types_tells_of_some() {
    let world = World::new();
    let record =
        |n: usize| format!(r#"{{"attributes":{{"type":"T{n}","referenceId":"r{n}"}},"Name":"x"}}"#);
    let tree = format!(r#"{{"records":[{}]}}"#, (0..150).map(record).collect::<Vec<_>>().join(","));
    let types = table(&world, "tree.json", tree.as_bytes()).unwrap().types.unwrap();
    assert_eq!((types.taken.as_str(), types.others.len()), ("T0", tree::TYPES_MAX));
}

#[test]
fn hostile_tables_end_in_a_sentence_and_change_nothing() {
    let mut world = World::new();
    let good = "no,name,industry,employees\n1,Acme,retail,1\n";
    let mut check = |csv: &[u8], expected: &str| {
        let words = world.try_import(CUSTOMERS, csv, false).unwrap_err().to_string();
        assert!(words.contains(expected), "{words}");
        assert_eq!(world.waiting(), 0, "{expected}");
    };
    check(
        &[good.as_bytes(), b"2,\"Bolt,retail,2\n3,Cork,retail,3\n"].concat(),
        "a quote that opens in row 3",
    );
    check(&[good.as_bytes(), b"2,Bo\0lt,retail,2\n"].concat(), "row 3 holds a zero byte");
    let wide: String = (0..10_000).map(|n| format!("c{n},")).collect();
    check(format!("{wide}no\n1\n").as_bytes(), "has 10001 columns, at most 1000");
    check(b"", "is empty");
    check(b",,,\n1,2,3,4\n", "is empty");
    let endless = format!("{good}2,\"{}", "x\n".repeat(1 << 20));
    check(endless.as_bytes(), "is a quote left open?");

    // Larger than is read: a sparse file costs no disk.
    let path = world.path("huge.csv");
    fs::File::create(&path).unwrap().set_len(2 << 30).unwrap();
    assert!(open(&path).unwrap_err().contains("split it into several files"));
    fs::File::create(&path).unwrap().set_len(FILE_BYTES_MAX).unwrap();
    assert!(open(&path).unwrap_err().contains("huge.csv"));
    assert_eq!(world.waiting(), 0);
}

#[test]
fn a_table_at_its_limits_is_read() {
    let world = World::new();
    let header: Vec<String> = (0..COLUMNS_MAX).map(|n| format!("c{n}")).collect();
    let csv = format!("{}\n{}\n", header.join(","), vec!["x"; COLUMNS_MAX].join(","));
    assert_eq!(table(&world, "wide.csv", csv.as_bytes()).unwrap().header.len(), COLUMNS_MAX);
    let more = format!("{},one more\n", header.join(","));
    assert!(table(&world, "wider.csv", more.as_bytes()).is_err());
}

#[test]
fn cards_of_address_books_become_contacts() {
    let mut world = World::new();
    let card = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:a-1\r\nN:王;伟;;先生;\r\nFN:王伟\r\nORG:三川实业;销售部\r\n\
        TITLE:经理\r\nTEL;TYPE=CELL:+86 138 1234 5678\r\nTEL;TYPE=WORK:010-8888 8888\r\n\
        EMAIL;TYPE=INTERNET:wang@example.cn\r\nADR;TYPE=WORK:;;南京路 1 号;上海;上海市;200000;中国\r\n\
        PHOTO;ENCODING=b;TYPE=JPEG:AAAA\r\n AAAA\r\nNOTE:Met at the fair\\, twice\r\nEND:VCARD\r\n";
    let file = world.path("cards.vcf");
    fs::write(&file, [card, &card.replace("a-1", "a-2")].concat()).unwrap();
    let mapping = Mapping::from_toml(
        r#"
entity = "contact"
source = "erp"
key = "uid"
[fields]
"name.family" = { column = "family_name" }
"name.given" = { column = "given_name" }
customer_id = { const = "", allow_empty = true }
job_title = { column = "job_title" }
mobile = { column = "mobile" }
phone = { column = "phone" }
email = { column = "email" }
"address.city" = { column = "city" }
notes = { column = "note" }
"#,
    )
    .unwrap();
    let report = import(&mut world.replica, Job::new(&mapping, &file), false, &mut |_| {}).unwrap();
    assert_eq!((counts(&report), report.format), ([2, 0, 0, 0], Some(Format::Vcard)));
    let found = world.get("contact", "a-1");
    assert_eq!(found["name"]["family"], "王");
    assert_eq!(found["mobile"], "+86 138 1234 5678");
    assert_eq!(found["phone"], "010-8888 8888");
    assert_eq!(found["address"]["city"], "上海");
    assert_eq!(found["notes"], "Met at the fair, twice");

    let endless = format!("BEGIN:VCARD\nNOTE:{}\n", "x".repeat(cards::CARD_BYTES_MAX + 1));
    assert!(table(&world, "long.vcf", endless.as_bytes()).unwrap_err().contains("longer than"));
}

#[test]
fn json_comes_as_a_list_as_lines_and_as_a_tree() {
    let world = World::new();
    let list = br#"[{"no": 1, "name": "Acme", "tags": ["a"]}, {"no": 2, "city": null}]"#;
    let one = table(&world, "list.json", list).unwrap();
    assert_eq!(
        (one.rows, one.header),
        (2, vec!["name".into(), "no".into(), "tags".into(), "city".into()])
    );
    let lines = b"{\"no\": 1}\n\n{\"no\": 2, \"name\": \"x\"}\n";
    assert_eq!(table(&world, "lines.jsonl", lines).unwrap().rows, 2);
    let tree = br#"{"records": [{"attributes": {"type": "Account", "referenceId": "A1"}, "Name": "Acme",
        "Contacts": {"records": [{"attributes": {"type": "Contact", "referenceId": "C1"}, "LastName": "Berg", "AccountId": "@A1Ref"}]}}]}"#;
    let accounts = table(&world, "tree.json", tree).unwrap();
    assert_eq!((accounts.rows, accounts.format), (1, Format::DataTree));
    let path = world.path("tree.json");
    let options = TableOptions { record_type: Some("Contact".into()), ..TableOptions::default() };
    let contacts = Table::open(&path, &options).unwrap();
    assert_eq!(contacts.header, ["@parent", "AccountId", "LastName", "referenceId"]);

    for (name, bytes) in [
        ("a.json", &b"[1, 2]"[..]),
        ("b.json", b"{\"x\": "),
        ("c.jsonl", b"{\"x\": 1}\nnot json\n"),
        ("d.json", b"\"text\""),
    ] {
        assert!(table(&world, name, bytes).is_err(), "{name}");
    }
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(table(&world, "deep.json", deep.as_bytes()).unwrap_err().contains("JSON"));
}
