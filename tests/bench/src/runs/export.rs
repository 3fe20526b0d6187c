//! Records into files, and our own files taken back: each format beside the plain SQL that reads
//! the same rows and writes their columns out as CSV.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
};

use outrider_core::{
    replica::{DATABASE_FILE, Replica, ReplicaError},
    schema::Schema,
    store::query::Query,
    transfer::{
        export::{Export, ExportError, Format, Options},
        own::take_back,
    },
};
use rusqlite::{Connection, types::ValueRef};
use tempfile::TempDir;

use super::{BATCH, Setting, create};
use crate::{
    Outcome,
    figure::Figure,
    floor::{Plain, Rows, Sync},
    input::ENTITY,
    measure::{Cost, alternate, cost},
    office::open_device,
};

/// What is measured, with the name of its figure.
const FORMATS: [(Format, &str); 4] = [
    (Format::Csv, "export_csv"),
    (Format::Json, "export_json"),
    (Format::Xlsx, "export_xlsx"),
    (Format::Vcard, "export_vcard"),
];

/// An export fails by its own fault, or the replica's.
#[derive(Debug)]
struct Failure(String);

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        Self(error.to_string())
    }
}

impl From<ReplicaError> for Failure {
    fn from(error: ReplicaError) -> Self {
        Self(error.to_string())
    }
}

pub(crate) fn run(setting: &Setting) -> Outcome<Vec<Figure>> {
    let folder = TempDir::new()?;
    let (mut replica, clock) = open_device(folder.path(), Sync::Off, 1)?;
    create(&mut replica, setting.records, || clock.advance(1))?;
    let database = folder.path().join(DATABASE_FILE);
    let rows = Rows::read(&database)?;
    let (file, plain_file) = (folder.path().join("ours"), folder.path().join("plain"));
    let mut figures = Vec::new();
    for (format, name) in FORMATS {
        let both = alternate(
            setting.repetitions,
            |_| write_ours(&replica, format, &file),
            |_| write_plain(&database, &rows, &plain_file),
        )?;
        figures.push(Figure::rate(name, setting.records, both.wall));
        let megabytes = std::fs::metadata(&file)?.len() as f64 / 1e6;
        figures.push(Figure::new(&format!("{name}_size"), setting.records, megabytes, "MB"));
    }
    for (format, name) in [(Format::Csv, "take_back_csv"), (Format::Json, "take_back_json")] {
        write_ours(&replica, format, &file)?;
        let both = alternate(
            setting.repetitions,
            |seed| read_ours(&file, seed as u64, setting.records),
            |_| read_plain(&plain_file, &rows),
        )?;
        figures.push(Figure::rate(name, setting.records, both.wall));
    }
    Ok(figures)
}

fn write_ours(replica: &Replica, format: Format, path: &Path) -> Outcome<Cost> {
    let entity = Schema::current().entity(ENTITY).ok_or("no entity")?;
    let (time, written) = cost(|| {
        let out = Box::new(BufWriter::new(File::create(path)?));
        let mut export = Export::start(format, Options::default(), out, &|_| None)?;
        export.begin(entity)?;
        let done = replica
            .each(entity, &Query::default(), |record| Ok::<_, Failure>(export.write(record)?));
        done.map_err(|Failure(words)| words)?;
        Ok(export.finish()?)
    })?;
    if written.records == 0 { Err("nothing was written".into()) } else { Ok(time) }
}

/// All columns that are filled, read by plain SQL and written as CSV.
fn write_plain(database: &Path, rows: &Rows, path: &Path) -> Outcome<Cost> {
    let conn = Connection::open(database)?;
    let (time, ()) = cost(|| {
        let mut csv = csv::Writer::from_writer(BufWriter::new(File::create(path)?));
        csv.write_record(rows.names())?;
        let sql = format!("SELECT {} FROM {ENTITY} ORDER BY id", rows.names().join(", "));
        let mut statement = conn.prepare(&sql)?;
        let mut found = statement.query([])?;
        while let Some(row) = found.next()? {
            for at in 0..rows.names().len() {
                match row.get_ref(at)? {
                    ValueRef::Null => csv.write_field("")?,
                    ValueRef::Integer(number) => csv.write_field(number.to_string())?,
                    ValueRef::Real(number) => csv.write_field(number.to_string())?,
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => csv.write_field(bytes)?,
                }
            }
            csv.write_record(None::<&[u8]>)?;
        }
        csv.into_inner().map_err(|error| error.to_string())?.flush()?;
        Ok(())
    })?;
    Ok(time)
}

fn read_ours(path: &Path, seed: u64, records: usize) -> Outcome<Cost> {
    let folder = TempDir::new()?;
    let (mut replica, _) = open_device(folder.path(), Sync::Full, 10 + seed)?;
    let (time, report) = cost(|| Ok(take_back(&mut replica, path, &mut |_| {})?))?;
    if report.created == records as u64 { Ok(time) } else { Err(report.to_string().into()) }
}

/// Reads the plain file to its end, and inserts the rows by plain SQL.
fn read_plain(path: &Path, rows: &Rows) -> Outcome<Cost> {
    let folder = TempDir::new()?;
    let mut plain = Plain::open(&folder.path().join("plain.db"), Sync::Full)?;
    let (time, ()) = cost(|| {
        let mut csv = csv::Reader::from_path(path)?;
        let mut record = csv::ByteRecord::new();
        while csv.read_byte_record(&mut record)? {}
        plain.insert(rows, BATCH)
    })?;
    Ok(time)
}
