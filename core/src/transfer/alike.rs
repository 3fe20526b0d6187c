//! Rows that may be the same as a record that is here, or as an earlier row of the file: told, not
//! kept away. A person decides, and merging can be undone.

use serde_json::{Map, Value as Json};

use super::{
    engine::{Engine, Run},
    report::RowNote,
    target::{Target, TargetError},
};
use crate::{
    ids::RecordId,
    likeness::{Likeness, Profile, inside::Inside},
};

/// Rows of a file that are compared with each other in memory, at most; then comparing begins anew.
/// Rows that were written are found in the store as well.
pub const INSIDE_ROWS_MAX: usize = 20_000;

/// Earlier rows of the file, with their numbers.
#[derive(Debug)]
pub(super) struct Earlier<'m> {
    inside: Inside<'m>,
    rows: Vec<u64>,
}

impl<'m> Engine<'m> {
    /// Tells if the record that is about to be created may be there already.
    pub(super) fn compare(
        &mut self,
        run: &Run,
        target: &dyn Target,
        record: RecordId,
        row: u64,
        fields: &Map<String, Json>,
    ) -> Result<(), TargetError> {
        let entity = self.mapping.entity;
        let Some(roles) = entity.likeness.as_ref().filter(|_| self.mapping.is_compared) else {
            return Ok(());
        };
        let earlier = self
            .earlier
            .get_or_insert_with(|| Earlier { inside: Inside::new(entity), rows: Vec::new() });
        if earlier.rows.len() >= INSIDE_ROWS_MAX {
            *earlier = Earlier { inside: Inside::new(entity), rows: Vec::new() };
        }
        let inside = earlier.inside.add(Profile::of(roles, fields));
        let inside = inside.into_iter().next();
        let inside = inside.and_then(|(at, likeness)| Some((*earlier.rows.get(at)?, likeness)));
        earlier.rows.push(row);
        let words = match inside {
            Some((other, likeness)) => format!("row {other}{}", why(&likeness)),
            None => {
                let likely = target.likely(entity, fields, record)?;
                let Some(likely) = likely.into_iter().next() else { return Ok(()) };
                format!("{} {}{}", entity.name, likely.record, why(&likely.likeness))
            }
        };
        self.report.alike += 1;
        let reason = format!("imported, and may be the same as {words}");
        let note = RowNote { row, column: String::new(), reason };
        self.report.keep_alike(&note);
        if !run.is_dry_run {
            let cells = self.width_cells(None, "");
            self.told.push((note, cells));
        }
        Ok(())
    }
}

fn why(likeness: &Likeness) -> String {
    let reasons: Vec<String> = likeness
        .reasons
        .iter()
        .filter_map(|reason| Some(serde_json::to_value(reason).ok()?.as_str()?.to_owned()))
        .collect();
    if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) }
}
