//! A document with its history, as a file that every Automerge library opens.

use std::{
    cell::Cell,
    io::{self, Read, Write as _},
    path::Path,
    rc::Rc,
};

use minicbor::bytes::ByteVec;
use outrider_client::access;
use outrider_core::{
    crdt::{Stamp, export::export as put_together, reroot::reroot, text::first_change},
    ids::{ActorId, DocumentId, Part, RecordId},
    replica::{Replica, ReplicaError},
    store::document,
    sync::codec::{CodecError, FrameReader},
    time::{Clock as _, SystemClock},
    transfer::export::whole::WholeFile,
};
use serde_json::json;

use crate::{
    cli::ExportArgs,
    context::Context,
    error::CliError,
    http,
    messages::{Word, word},
    output::Output,
    record_ref,
};

/// Writes a document as an Automerge file.
pub(super) fn export(
    context: &Context,
    args: &ExportArgs,
    file: &Path,
    output: &mut Output,
) -> Result<(), CliError> {
    let mut replica = context.open()?;
    let id = record_ref::find(&replica, &args.what)?;
    let part = part_of(&replica, id, &args.part)?;
    let saved = if args.offline {
        output.note(word(Word::WithoutHistory, context.language));
        from_device(&replica, id, &part)?
    } else {
        from_server(&mut replica, id, &part).map_err(|error| CliError::NoHistory(error.into()))?
    };
    if file == Path::new("-") {
        return output.bytes(&saved);
    }
    write_whole(file, &saved).map_err(|source| CliError::File { path: file.to_owned(), source })?;
    let answer = json!({
        "record": id,
        "part": part.as_str(),
        "file": file,
        "bytes": saved.len(),
        "with_history": !args.offline,
    });
    let text = format!("{} {}", word(Word::Exported, context.language), file.display());
    output.answer(&answer, &text)
}

/// The part, if records of this entity can have it.
fn part_of(replica: &Replica, id: RecordId, name: &str) -> Result<Part, CliError> {
    let (entity, _) = replica.title(id)?.ok_or_else(|| CliError::UnknownRecord(id.to_string()))?;
    let parts = entity.parts();
    parts.iter().find(|part| part.as_str() == name).cloned().ok_or_else(|| {
        let known: Vec<&str> = parts.iter().map(Part::as_str).collect();
        CliError::Usage(format!(
            "{} has no part `{name}`; it has {}",
            entity.name,
            known.join(", ")
        ))
    })
}

/// A history is written over the one before: a later one has all of it.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = WholeFile::create(path)?;
    file.write_all(bytes)?;
    file.keep(true).map(drop)
}

/// The document as this device has it: the values of a flat one as a single change, a long text
/// with what it remembers.
fn from_device(replica: &Replica, id: RecordId, part: &Part) -> Result<Vec<u8>, CliError> {
    let name = DocumentId { record: id, part: part.clone() };
    let unknown = || CliError::Usage(format!("this record has nothing in `{part}`"));
    if !part.is_flat() {
        let stored = document::load(replica.store().conn(), &name)?.ok_or_else(unknown)?;
        return Ok(stored.state);
    }
    let (_, documents) =
        replica.documents(id)?.ok_or_else(|| CliError::UnknownRecord(id.to_string()))?;
    let state = documents.flat.get(part).ok_or_else(unknown)?;
    let stamp = Stamp {
        // Nobody's: the file stands for itself and is never sent.
        actor: ActorId(*id.as_bytes()),
        time_ms: SystemClock.now_ms(),
        message: Some("values without history".to_owned()),
    };
    let rerooted = reroot(state, stamp, |_| true).map_err(ReplicaError::from)?;
    let change = rerooted.change.ok_or_else(unknown)?;
    Ok(put_together([change.bytes.as_slice()])?)
}

/// The whole history, from the server.
fn from_server(replica: &mut Replica, id: RecordId, part: &Part) -> Result<Vec<u8>, CliError> {
    let server = access::authorised(&http::desktop(), replica)?;
    let response = server.get(&format!("/v1/records/{id}/{part}/history"))?;
    let response = server.accepted(response)?;
    let cut = |cause: String| CliError::Unreachable { url: server.url().to_owned(), cause };
    let is_whole = Rc::new(Cell::new(false));
    let body = Watched { inner: response.body, is_whole: is_whole.clone() };
    let mut frames = FrameReader::new(body).map_err(|error| cut(error.to_string()))?;
    let mut chunks: Vec<ByteVec> = Vec::new();
    loop {
        match frames.read::<ByteVec>() {
            Ok(chunk) => chunks.push(chunk),
            // The stream ends with the body, which HTTP says was sent to its end.
            Err(CodecError::Io(error))
                if error.kind() == io::ErrorKind::UnexpectedEof && is_whole.get() =>
            {
                break;
            }
            Err(error) => return Err(cut(error.to_string())),
        }
    }
    // Every text begins with the same change, which nobody sends.
    let first = (!part.is_flat()).then(|| first_change().bytes.as_slice());
    Ok(put_together(first.into_iter().chain(chunks.iter().map(|chunk| chunk.as_slice())))?)
}

/// A body that remembers whether it came to its end.
struct Watched<R> {
    inner: R,
    is_whole: Rc<Cell<bool>>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            self.is_whole.set(true);
        }
        Ok(count)
    }
}
