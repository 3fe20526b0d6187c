//! A replica in a folder of its own, files to import, and short words for both.

use std::{fs, path::PathBuf, sync::Arc};

use outrider_core::{
    ids::RecordId,
    replica::{Options, Replica},
    store::Durability,
    time::ManualClock,
    transfer::{ImportError, ImportReport, Job, Mapping, import},
};
use serde_json::{Map, Value as Json};
use tempfile::TempDir;

pub(crate) struct World {
    folder: TempDir,
    pub(crate) replica: Replica,
}

pub(crate) const CUSTOMERS: &str = r#"
entity = "customer"
source = "erp"
key = "no"
currency = "CNY"

[fields]
company_name = { column = "name" }
industry = { column = "industry", map = { technolgy = "technology" } }
employees = { column = "employees" }
"#;

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            clock: Arc::new(ManualClock::at(1_790_000_000_000)),
            seed: Some(7),
            durability: Durability::None,
            keys: None,
        };
        let replica = Replica::open(&folder.path().join("replica"), options).unwrap();
        Self { folder, replica }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn try_import(
        &mut self,
        mapping: &str,
        csv: &[u8],
        dry_run: bool,
    ) -> Result<ImportReport, ImportError> {
        let file = self.path("import.csv");
        fs::write(&file, csv).unwrap();
        let mapping = Mapping::from_toml(mapping).unwrap();
        let errors = self.path("errors.csv");
        let job = Job { error_file: Some(errors), ..Job::new(&mapping, &file) };
        let report = import(&mut self.replica, job, dry_run, &mut |_| {})?;
        assert_eq!(report.accounted(), report.rows, "{report}");
        Ok(report)
    }

    pub(crate) fn import(&mut self, mapping: &str, csv: &str) -> ImportReport {
        self.try_import(mapping, csv.as_bytes(), false).unwrap()
    }

    pub(crate) fn error_file(&self) -> String {
        fs::read_to_string(self.path("errors.csv")).unwrap()
    }

    pub(crate) fn get(&self, entity: &str, key: &str) -> Json {
        let id = RecordId::external(entity, "erp", key);
        self.replica.get(id).unwrap().unwrap_or_default()
    }

    pub(crate) fn edit(&mut self, entity: &str, key: &str, fields: Json) {
        let id = RecordId::external(entity, "erp", key);
        assert!(self.replica.update(id, &map(fields)).unwrap());
    }

    pub(crate) fn waiting(&self) -> u64 {
        self.replica.status().unwrap().waiting
    }
}

pub(crate) fn map(json: Json) -> Map<String, Json> {
    json.as_object().unwrap().clone()
}

/// Created, updated, unchanged, rejected.
pub(crate) fn counts(report: &ImportReport) -> [u64; 4] {
    [report.created, report.updated, report.unchanged, report.rejected]
}
