//! Records as files: what a list shows, or one record, in any format of the export.

use std::io::Write;

use outrider_core::{
    domain::record,
    ids::{DeviceId, DocumentId, Part, RecordId},
    schema::Entity,
    store::query::{PAGE_MAX, Query},
    transfer::export::{Export, Format, Options, Written},
};
use serde_json::Value as Json;

use super::{OfficeError, documents, titles, view};
use crate::storage::{AuditLine, Read, Storage};

/// Which records.
#[derive(Debug, Clone)]
pub enum Selection {
    /// All that a query finds; its limit does not count.
    List(Query),
    /// Those of a query in which a text is found.
    Found(String, Query),
    /// One.
    Record(RecordId),
}

/// How they are written, and who asked.
#[derive(Debug, Clone)]
pub struct FileOptions {
    /// The format.
    pub format: Format,
    /// What goes for it.
    pub options: Options,
    /// The device that asked, for the audit.
    pub device: Option<DeviceId>,
    /// The account that asked, for the audit.
    pub account: Option<uuid::Uuid>,
    /// As whom that account looked, for the audit.
    pub subject: Option<uuid::Uuid>,
}

/// Writes a file as of one moment, record by record, and a line into the audit: ids and counts.
///
/// # Errors
///
/// [`OfficeError`] for a query or a format that does not fit the entity, a record that is not
/// there, or when reading or writing fails; what was written by then is no file.
pub fn write_file<'w>(
    storage: &dyn Storage,
    entity: &'static Entity,
    selection: &Selection,
    file: &FileOptions,
    out: Box<dyn Write + Send + 'w>,
) -> Result<Written, OfficeError> {
    let read = storage.read()?;
    let find_name = |id| {
        let found = titles(&*read, [id]).ok()?;
        found.into_values().next().map(|(_, title)| title)
    };
    // What cannot be asked for is said before the file has begun: some begin with a head.
    check_selection(&*read, entity, selection)?;
    let mut export = Export::start(file.format, file.options, out, &find_name)?;
    export.begin(entity)?;
    match selection {
        Selection::Record(id) => {
            let found = view(&*read, *id)?.filter(|view| view.entity.name == entity.name);
            export.write(&found.ok_or(OfficeError::UnknownRecord(*id))?.json)?;
        }
        Selection::List(query) => write_list(&*read, entity, "", query, &mut export)?,
        Selection::Found(text, query) => write_list(&*read, entity, text, query, &mut export)?,
    }
    let written = export.finish()?;
    add_audit(storage, entity, selection, file, written)?;
    Ok(written)
}

fn check_selection(
    read: &dyn Read,
    entity: &'static Entity,
    selection: &Selection,
) -> Result<(), OfficeError> {
    let one = |query: &Query| Query { limit: 1, after: None, ..query.clone() };
    match selection {
        Selection::Record(id) => {
            let found = view(read, *id)?.filter(|view| view.entity.name == entity.name);
            found.map(drop).ok_or(OfficeError::UnknownRecord(*id))
        }
        Selection::List(query) => Ok(read.list(entity, &one(query)).map(drop)?),
        Selection::Found(text, query) => {
            Ok(read.list_found(entity, text, &one(query)).map(drop)?)
        }
    }
}

fn write_list(
    read: &dyn Read,
    entity: &'static Entity,
    text: &str,
    query: &Query,
    export: &mut Export<'_>,
) -> Result<(), OfficeError> {
    let mut query = Query { limit: PAGE_MAX, after: None, ..query.clone() };
    loop {
        let page = if text.is_empty() {
            read.list(entity, &query)?
        } else {
            read.list_found(entity, text, &query)?.0
        };
        for id in page.ids {
            let Some((_, documents)) = documents(read, id)? else { continue };
            if let Json::Object(record) = record::to_json(entity, id, &documents) {
                export.write(&record)?;
            }
        }
        match page.next {
            None => return Ok(()),
            after => query.after = after,
        }
    }
}

/// Who took what along: data that leaves is worth a line.
fn add_audit(
    storage: &dyn Storage,
    entity: &Entity,
    selection: &Selection,
    file: &FileOptions,
    written: Written,
) -> Result<(), OfficeError> {
    let document = match selection {
        Selection::Record(record) => Some(DocumentId { record: *record, part: Part::Main }),
        Selection::List(_) | Selection::Found(..) => None,
    };
    let line = AuditLine::new(file.options.now_ms, "exported");
    let line = line.device(file.device).account(file.account).subject(file.subject);
    let code = format!("{} {}", entity.name, file.format.ending());
    let mut write = storage.write()?;
    write.add_audit(&line.document(document).count(written.records).code(code))?;
    write.commit()?;
    Ok(())
}
