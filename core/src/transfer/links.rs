//! References to records that come later: kept with the row, tried again when the file is read.

use std::collections::BTreeMap;

use serde_json::Map;

use super::{engine::Engine, report::count};
use crate::{
    replica::{ReplicaError, Writer},
    store::imports::{self, Found, WaitingRow},
};

impl Engine<'_> {
    /// Tries the references of a row again, now that the whole file has been read.
    pub(super) fn link(
        &mut self,
        writer: &mut Writer<'_>,
        waiting: &WaitingRow,
    ) -> Result<(), ReplicaError> {
        let Some(mut row) = imports::load(writer.conn(), waiting.record)? else { return Ok(()) };
        let mut still = BTreeMap::new();
        let mut found_fields = Map::new();
        for (name, text) in parse_pending(&row.pending) {
            let target = self.mapping.targets.iter().find(|target| target.field.name == name);
            let Some((target, reference)) =
                target.and_then(|target| Some((target, target.reference.as_ref()?)))
            else {
                continue;
            };
            match self.lookup.find(writer, &target.field.name, reference, &text)? {
                Found::One(id) => drop(found_fields.insert(name, id.to_string().into())),
                Found::None => {
                    count(&mut self.report.missing_references, &name);
                    still.insert(name, text);
                }
                Found::Several => {
                    count(&mut self.report.ambiguous_references, &name);
                    still.insert(name, text);
                }
            }
        }
        if found_fields.is_empty() {
            return Ok(());
        }
        // What a person has filled in meanwhile stays.
        let current = writer.read(waiting.record)?.unwrap_or_default();
        found_fields.retain(|name, _| current.get(name).is_none());
        let is_written =
            !found_fields.is_empty() && writer.update(waiting.record, &found_fields)?;
        if is_written && waiting.is_unchanged {
            self.report.unchanged -= 1;
            self.report.updated += 1;
        }
        row.pending = write_pending(&still);
        Ok(imports::save(writer.conn(), waiting.record, &row)?)
    }
}

/// Reads references that wait; none if they cannot be read, as only this room writes them.
pub(super) fn parse_pending(text: &str) -> BTreeMap<String, String> {
    serde_json::from_str(text).unwrap_or_default()
}

/// Writes references that wait; empty if there are none.
pub(super) fn write_pending(pending: &BTreeMap<String, String>) -> String {
    if pending.is_empty() {
        return String::new();
    }
    serde_json::to_string(pending).unwrap_or_default()
}
