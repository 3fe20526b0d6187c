//! One file of a workbook's archive, read as the library reads it.

use std::io::{BufReader, Read};

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};
use zip::read::ZipFile;

use super::{
    COMMON_BYTES_MAX, COMMON_ELEMENTS_MAX, COPIED_BYTES_MAX, DAMAGED, ENTRIES_MAX, PIECE_BYTES_MAX,
    Problem, SHARED_BYTES_MAX, SHARED_TEXTS_MAX, STYLES_MAX, TOO_MUCH, UNPACKED_BYTES_MAX,
};
use crate::transfer::table::metered::{Metered, Room};

/// Elements within one another, at most, and bytes of the name of one: the parser remembers those that are open.
const DEPTH_MAX: usize = 256;
const NAME_BYTES_MAX: usize = 256;
/// What holds a text in pieces.
const HOLDERS: [&str; 6] = ["c", "si", "is", "v", "t", "f"];

/// What a file of the archive is to the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Role {
    /// The shared texts.
    Shared,
    /// The workbook, its styles, its theme, what refers to what: kept in memory.
    Common,
    /// A sheet.
    #[default]
    Sheet,
}

impl Role {
    fn bytes_max(self) -> u64 {
        match self {
            Self::Common => COMMON_BYTES_MAX,
            Self::Shared => SHARED_BYTES_MAX,
            Self::Sheet => UNPACKED_BYTES_MAX,
        }
    }
}

/// That a file refers to another one.
#[derive(Debug)]
pub(super) struct Relation {
    pub(super) kind: String,
    pub(super) target: Option<String>,
}

/// Reads a file of the archive through; how long it is, and to what it refers.
///
/// What is no XML is read as far as the library would read it.
pub(super) fn look_at<R: Read>(
    entry: ZipFile<'_, R>,
    role: Role,
    left: u64,
) -> Result<(u64, Vec<Relation>), Problem> {
    let max = role.bytes_max().min(left);
    let room = Room::default();
    let metered = Metered::new(BufReader::new(entry.take(max + 1)), &room);
    let mut reader = Reader::from_reader(metered);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.trim_text(false);
    config.check_comments = false;
    config.expand_empty_elements = true;
    let mut seen = Seen { role, ..Seen::default() };
    let mut piece = Vec::new();
    loop {
        piece.clear();
        room.renew(PIECE_BYTES_MAX);
        let begin = reader.buffer_position();
        let event = match reader.read_event_into(&mut piece) {
            Ok(event) => event,
            Err(_) if room.is_used_up() => return Err(TOO_MUCH),
            // The library goes no further either.
            Err(_) => break,
        };
        if event == Event::Eof {
            break;
        }
        seen.note(&event, begin, reader.buffer_position())?;
    }
    let unread = reader.into_inner().into_inner().into_inner().limit();
    if unread == 0 { Err(TOO_MUCH) } else { Ok((max + 1 - unread, seen.relations)) }
}

/// What was seen of one file so far.
#[derive(Default)]
struct Seen {
    role: Role,
    /// The names of the elements that are open.
    open: Vec<String>,
    /// What holds a text: how many were open before it, and where it began.
    holder: Option<(usize, u64)>,
    elements: u64,
    styles: u64,
    sheets: usize,
    /// Bytes of the longest element but the first one, which names the languages of all others.
    longest: u64,
    texts: u64,
    relations: Vec<Relation>,
}

impl Seen {
    fn note(&mut self, event: &Event<'_>, begin: u64, end: u64) -> Result<(), Problem> {
        if let Event::Start(start) = event {
            self.note_start(start, begin, end)?;
        }
        if self.holder.is_some_and(|(_, at)| end - at > PIECE_BYTES_MAX) {
            return Err(TOO_MUCH);
        }
        if let Event::End(closing) = event {
            // The library passes over what does not fit, and would gather on.
            if self.open.pop().is_none_or(|name| closing.name().as_ref() != name) {
                return Err(DAMAGED);
            }
            self.holder = self.holder.filter(|(depth, _)| *depth < self.open.len());
        }
        Ok(())
    }

    fn note_start(&mut self, start: &BytesStart<'_>, begin: u64, end: u64) -> Result<(), Problem> {
        let whole = start.name();
        let local = start.local_name();
        let (whole, name): (&str, &str) = (whole.as_ref(), local.as_ref());
        if self.open.len() >= DEPTH_MAX || whole.len() > NAME_BYTES_MAX {
            return Err(TOO_MUCH);
        }
        if self.holder.is_none() && HOLDERS.contains(&name) {
            self.holder = Some((self.open.len(), begin));
        }
        self.open.push(whole.to_owned());
        match self.role {
            Role::Sheet => Ok(()),
            Role::Shared => self.note_shared(name, start),
            Role::Common => self.note_common(name, start, end - begin),
        }
    }

    fn note_shared(&mut self, name: &str, start: &BytesStart<'_>) -> Result<(), Problem> {
        self.texts += u64::from(name == "si");
        let is_true = name != "sst" || counts_truly(start);
        if self.texts <= SHARED_TEXTS_MAX && is_true { Ok(()) } else { Err(TOO_MUCH) }
    }

    fn note_common(
        &mut self,
        name: &str,
        start: &BytesStart<'_>,
        bytes: u64,
    ) -> Result<(), Problem> {
        self.elements += 1;
        self.styles += u64::from(name == "xf");
        self.sheets += usize::from(name == "sheet");
        if self.elements > 1 {
            self.longest = self.longest.max(bytes);
        }
        if name == "Relationship" {
            self.relations.push(relation(start).ok_or(DAMAGED)?);
        }
        let is_within = self.elements <= COMMON_ELEMENTS_MAX
            && self.styles <= STYLES_MAX
            && self.sheets <= ENTRIES_MAX
            && self.styles.saturating_mul(self.longest) <= COPIED_BYTES_MAX;
        if is_within { Ok(()) } else { Err(TOO_MUCH) }
    }
}

/// Whether the number of texts that it says to have is one that a workbook has.
fn counts_truly(start: &BytesStart<'_>) -> bool {
    start.attributes().with_checks(false).all(|attribute| {
        attribute.is_ok_and(|attribute| {
            let is_count = attribute.key.local_name().as_ref() == "uniqueCount";
            let count = attribute.value.parse::<u64>();
            !is_count || count.is_ok_and(|count| count <= SHARED_TEXTS_MAX)
        })
    })
}

/// What a relationship says; none if it cannot be read, or says something twice.
fn relation(start: &BytesStart<'_>) -> Option<Relation> {
    let mut relation = Relation { kind: String::new(), target: None };
    for attribute in start.attributes() {
        let attribute = attribute.ok()?;
        match attribute.key.as_ref() {
            "Type" => relation.kind = attribute.value.into_owned(),
            "Target" => relation.target = Some(attribute.value.into_owned()),
            _ => {}
        }
    }
    Some(relation)
}
