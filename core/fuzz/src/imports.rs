//! Files of every format, as people get them from elsewhere: a table or a sentence, within bounded
//! memory; what is proposed for a table is a mapping that can be read.

use std::{fs, sync::Arc};

use outrider_core::{
    replica::{Options, Replica},
    store::Durability,
    time::ManualClock,
    transfer::{
        Format, Job, Mapping, Table, TableOptions, import,
        own::take_back,
        propose::{NoNames, Wishes, propose},
    },
};
use tempfile::TempDir;

/// The first byte says which format the rest is told to be, and what is done with it.
pub fn run(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let folder = TempDir::new().unwrap();
    let (format, name) = match kind % 7 {
        0 => (Some(Format::Csv), "file.csv"),
        1 => (Some(Format::Xlsx), "file.xlsx"),
        2 => (Some(Format::Vcard), "file.vcf"),
        3 => (Some(Format::DataTree), "file.json"),
        4 => (Some(Format::Json), "file.jsonl"),
        5 => (None, "file.json"),
        _ => (None, "file"),
    };
    let path = folder.path().join(name);
    fs::write(&path, rest).unwrap();
    if kind & 0x80 != 0 {
        // A file that pretends to be ours.
        let mut replica = open(&folder);
        let _ = take_back(&mut replica, &path, &mut |_| {});
        check(&replica);
        return;
    }
    let options = TableOptions { format, ..TableOptions::default() };
    let Ok(table) = Table::open(&path, &options) else { return };
    let wishes = Wishes { currency: Some("CNY".to_owned()), ..Wishes::default() };
    let Ok(proposal) = propose(&table, &wishes, &NoNames) else { return };
    let mapping = Mapping::from_toml(&proposal.mapping).expect("what is proposed can be read");
    if kind & 0x40 != 0 {
        let mut replica = open(&folder);
        if let Ok(report) = import(&mut replica, Job::new(&mapping, &path), false, &mut |_| {}) {
            assert_eq!(report.accounted(), report.rows, "{report}");
        }
        check(&replica);
    }
}

fn open(folder: &TempDir) -> Replica {
    let clock = Arc::new(ManualClock::at(1_700_000_000_000));
    let options = Options { clock, seed: Some(1), durability: Durability::None, keys: None };
    Replica::open(&folder.path().join("replica"), options).unwrap()
}

fn check(replica: &Replica) {
    for entity in ["customer", "contact"] {
        replica.list(entity, &Default::default()).unwrap();
    }
}

const CSV: &str =
    "company_name,phone,industry\r\nAcme,\"+86 10, 1\",technology\n\"a\"\"b\",,\n城市,1,x\n";
const VCARD: &[u8] = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Li Lei\r\nN:Lei;Li;;;\r\nTEL;TYPE=cell:+8613900000000\r\nORG:Acme\r\nNOTE;ENCODING=QUOTED-PRINTABLE:a=3Db=\r\n c\r\nEND:VCARD\r\n";
const TREE: &[u8] = br#"{"records":[{"attributes":{"type":"Account","referenceId":"r1"},"Name":"Acme","Contacts":{"records":[{"attributes":{"type":"Contact","referenceId":"r2"},"LastName":"Li"}]}}]}"#;
const JSON: &[u8] = br#"[{"company_name":"Acme","address":{"city":"X"},"tags":["a","b"],"n":1e3},{"company_name":null}]"#;
const LINES: &[u8] = b"{\"entity\":\"customer\",\"id\":\"01900000-0000-7000-8000-000000000001\",\"company_name\":\"Acme\"}\n{\"entity\":\"nothing\"}\n";

/// A small file of every format.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let file = |kind: u8, bytes: &[u8]| [&[kind], bytes].concat();
    let mut utf16 = vec![0xff, 0xfe];
    utf16.extend("company_name;phone\n城;1\n".encode_utf16().flat_map(u16::to_le_bytes));
    vec![
        file(0, CSV.as_bytes()),
        file(0x46, CSV.as_bytes()),
        file(6, &utf16),
        file(1, &workbook()),
        file(2, VCARD),
        file(0x42, VCARD),
        file(3, TREE),
        file(4, JSON),
        file(5, LINES),
        file(0x45, JSON),
        file(0x85, LINES),
        file(0x80, b"entity,id,company_name\ncustomer,01900000-0000-7000-8000-000000000001,Acme\n"),
    ]
}

fn workbook() -> Vec<u8> {
    let mut workbook = rust_xlsxwriter::Workbook::new();
    let sheet = workbook.add_worksheet();
    for (column, name) in (0..).zip(["company_name", "employees", "城"]) {
        sheet.write_string(0, column, name).unwrap();
    }
    sheet.write_string(1, 0, "Acme").unwrap();
    sheet.write_number(1, 1, 7.0).unwrap();
    sheet.write_boolean(1, 2, true).unwrap();
    workbook.save_to_buffer().unwrap()
}
