//! A CSV file of customers made into records: found out, checked, tidied, written. The floor reads
//! the same file and writes the same rows in plain SQLite.

use std::{fs, path::Path};

use outrider_core::{
    replica::DATABASE_FILE,
    transfer::{Job, Mapping, import},
};
use serde_json::Value as Json;
use tempfile::TempDir;

use super::{BATCH, Setting};
use crate::{
    Outcome,
    figure::Figure,
    floor::{Plain, Rows, Sync},
    input::customer,
    measure::{Cost, alternate, cost},
    office::open_device,
};

/// The columns of the file, each a field of the same name.
const COLUMNS: [&str; 15] = [
    "company_name",
    "short_name",
    "customer_kind",
    "phone",
    "email",
    "website",
    "wechat",
    "industry",
    "company_size",
    "customer_type",
    "tier",
    "lifecycle",
    "source",
    "annual_revenue",
    "employees",
];

pub(crate) fn run(setting: &Setting) -> Outcome<Vec<Figure>> {
    let input = TempDir::new()?;
    let file = input.path().join("customers.csv");
    write(&file, setting.records)?;
    let fields: String =
        COLUMNS.iter().map(|name| format!("{name} = {{ column = \"{name}\" }}\n")).collect();
    let mapping = Mapping::from_toml(&format!(
        "entity = \"customer\"\nsource = \"bench\"\nkey = \"no\"\n[fields]\n{fields}"
    ))?;
    let run = |seed: usize, again: bool| -> Outcome<(Cost, TempDir)> {
        let folder = TempDir::new()?;
        let (mut replica, _) = open_device(folder.path(), Sync::Full, seed as u64)?;
        if again {
            import(&mut replica, Job::new(&mapping, &file), false, &mut |_| {})?;
        }
        let (time, report) =
            cost(|| Ok(import(&mut replica, Job::new(&mapping, &file), false, &mut |_| {})?))?;
        let done = if again { report.unchanged } else { report.created };
        if done != setting.records as u64 {
            return Err(format!("not every row was imported: {report}").into());
        }
        Ok((time, folder))
    };
    let (_, folder) = run(0, false)?;
    let rows = Rows::read(&folder.path().join(DATABASE_FILE))?;
    let count = setting.records;
    let first = alternate(
        setting.repetitions,
        |seed| Ok(run(seed, false)?.0),
        |_| {
            let folder = TempDir::new()?;
            let mut plain = Plain::open(&folder.path().join("plain.db"), Sync::Full)?;
            Ok(cost(|| {
                read(&file)?;
                plain.insert(&rows, BATCH)
            })?
            .0)
        },
    )?;
    let again = alternate(
        setting.repetitions,
        |seed| Ok(run(seed, true)?.0),
        |_| Ok(cost(|| read(&file))?.0),
    )?;
    Ok(vec![
        Figure::rate("import_file", count, first.wall),
        Figure::each("import_file_cpu", count, first.cpu, count),
        Figure::rate("import_file_again", count, again.wall),
    ])
}

fn write(file: &Path, records: usize) -> Outcome<()> {
    let mut csv = csv::Writer::from_path(file)?;
    csv.write_record(std::iter::once("no").chain(COLUMNS))?;
    for at in 0..records {
        let fields = customer(at);
        let cell = |name: &&str| match fields.get(*name) {
            Some(Json::String(text)) => text.clone(),
            Some(json) => json.to_string(),
            None => String::new(),
        };
        let cells: Vec<String> =
            std::iter::once(at.to_string()).chain(COLUMNS.iter().map(cell)).collect();
        csv.write_record(&cells)?;
    }
    csv.flush()?;
    Ok(())
}

/// Plain reading of the file.
fn read(file: &Path) -> Outcome<()> {
    let mut bytes = 0;
    for row in csv::Reader::from_reader(fs::File::open(file)?).byte_records() {
        bytes += row?.as_slice().len();
    }
    if bytes == 0 { Err("the file is empty".into()) } else { Ok(()) }
}
