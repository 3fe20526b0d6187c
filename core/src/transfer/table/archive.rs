//! What the archive of a workbook unpacks to, looked at before the library reads it.
//!
//! The library keeps in memory each piece of XML between two marks, each cell, all shared texts, and all
//! styles with a copy of what each is made of; and it makes room for as many texts as the workbook says that
//! it has. A few kilobytes may unpack to gigabytes of any of these. So everything is unpacked once, read by the
//! same parser set up in the same way, and forgotten piece by piece.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};
use zip::{ZipArchive, read::ZipFile};

use super::metered::{Metered, Room};
use crate::transfer::error::ImportError;

/// Files in the archive of a workbook, at most.
pub const ENTRIES_MAX: usize = 10_000;
/// Bytes that a workbook unpacks to, at most.
pub const UNPACKED_BYTES_MAX: u64 = 1 << 30;
/// Bytes of a piece of XML, and of a cell or a shared text with all its pieces, at most. A cell has at most
/// 32,767 characters, and a picture no stretch so long without a `<`.
pub const PIECE_BYTES_MAX: u64 = 1 << 20;
/// Bytes of a workbook's shared texts, at most: the library keeps them in memory.
pub const SHARED_BYTES_MAX: u64 = 24 << 20;
/// How many they are, at most.
pub const SHARED_TEXTS_MAX: u64 = 600_000;
/// Bytes of each other file that says something of all sheets (its styles, its names), at most.
pub const COMMON_BYTES_MAX: u64 = 4 << 20;
/// Elements of such a file, at most.
pub const COMMON_ELEMENTS_MAX: u64 = 200_000;
/// Styles of cells, at most: the format has 65,490.
pub const STYLES_MAX: u64 = 65_536;
/// Styles of cells times the longest element beside them, at most: each style has copies of what it names.
pub const COPIED_BYTES_MAX: u64 = 32 << 20;

/// How each archive begins, and how its directory ends.
const BEGIN: [u8; 4] = *b"PK\x03\x04";
const END: [u8; 4] = *b"PK\x05\x06";
/// Bytes from the end of the directory to that of the file, at most: with the longest comment.
const END_BYTES_MAX: u64 = 22 + 65_535;
/// What holds a text in pieces.
const HOLDERS: [&str; 6] = ["c", "si", "is", "v", "t", "f"];
/// How the type of the relationship to the workbook ends.
const OFFICE_DOCUMENT: &str = "/relationships/officeDocument";

/// Why an archive is no workbook that can be read.
type Problem = &'static str;

const NONE: Problem = "it is no workbook";
const DAMAGED: Problem = "its archive is damaged";
const TOO_MUCH: Problem = "it unpacks to more than a workbook should";
const STRANGE: Problem = "its workbook is in a place where it should not be";

/// Unpacks an archive into nothing, to see that it does not burst.
pub(super) fn check(path: &Path) -> Result<(), ImportError> {
    let unread = |source| ImportError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(unread)?;
    let mut file = BufReader::new(file);
    let wrong = |problem: Problem| ImportError::Workbook {
        path: path.to_owned(),
        problem: problem.to_owned(),
    };
    if !is_archive(&mut file).map_err(unread)? {
        return Err(wrong(NONE));
    }
    let mut archive = ZipArchive::new(file).map_err(|_| wrong(NONE))?;
    if archive.len() > ENTRIES_MAX {
        return Err(wrong("its archive has too many files"));
    }
    let mut left = UNPACKED_BYTES_MAX;
    for at in 0..archive.len() {
        let entry = archive.by_index(at).map_err(|_| wrong(DAMAGED))?;
        let name = entry.name().map_err(|_| wrong(DAMAGED))?;
        let role = Role::of(&name.replace('\\', "/").to_ascii_lowercase());
        left -= look_at(entry, role, left).map_err(wrong)?;
    }
    Ok(())
}

/// Whether a file begins and ends as archives do: looking for the end in one that has none takes seconds.
fn is_archive(file: &mut BufReader<File>) -> io::Result<bool> {
    let size = file.seek(SeekFrom::End(0))?;
    let mut end = Vec::new();
    file.seek(SeekFrom::Start(size.saturating_sub(END_BYTES_MAX)))?;
    file.take(END_BYTES_MAX).read_to_end(&mut end)?;
    let mut begin = Vec::new();
    file.rewind()?;
    file.take(BEGIN.len() as u64).read_to_end(&mut begin)?;
    file.rewind()?;
    Ok(begin == BEGIN && end.windows(END.len()).any(|window| window == END))
}

/// What a file of the archive may be to the library, by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Says where the workbook is.
    Root,
    /// The shared texts.
    Shared,
    /// The workbook, its styles, its theme, what refers to what: kept in memory.
    Common,
    /// A sheet, a picture, whatever may be long.
    Other,
}

impl Role {
    /// By its name in small letters. The workbook is no deeper than in one folder ([`leads_deeper`]), and what
    /// the library keeps of it has fixed names beside it; what refers to the parts of a sheet is not read.
    fn of(name: &str) -> Self {
        let name = name.trim_start_matches('/');
        let last = name.rsplit('/').next().unwrap_or_default();
        if name == "_rels/.rels" {
            Self::Root
        } else if last == "sharedstrings.xml" {
            Self::Shared
        } else if depth(name) <= 1
            || (depth(name) == 2 && (last.ends_with(".rels") || last == "theme1.xml"))
        {
            Self::Common
        } else {
            Self::Other
        }
    }

    fn bytes_max(self) -> u64 {
        match self {
            Self::Root | Self::Common => COMMON_BYTES_MAX,
            Self::Shared => SHARED_BYTES_MAX,
            Self::Other => UNPACKED_BYTES_MAX,
        }
    }
}

/// In how many folders a place in the archive is.
fn depth(name: &str) -> usize {
    name.trim_start_matches('/').matches('/').count()
}

/// Reads a file of the archive through, and tells how long it is.
///
/// What is no XML is read as far as the library would read it.
fn look_at<R: Read>(entry: ZipFile<'_, R>, role: Role, left: u64) -> Result<u64, Problem> {
    let max = role.bytes_max().min(left);
    let room = Room::default();
    let metered = Metered::new(BufReader::new(entry.take(max + 1)), &room);
    let mut reader = Reader::from_reader(metered);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.trim_text(false);
    config.check_comments = false;
    config.expand_empty_elements = true;
    let mut seen = Seen::new(role);
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
    if unread == 0 { Err(TOO_MUCH) } else { Ok(max + 1 - unread) }
}

/// What was seen of one file so far.
struct Seen {
    role: Role,
    /// What holds a text, and where it began.
    holder: Option<(String, u64)>,
    elements: u64,
    styles: u64,
    /// Bytes of the longest element but the first one, which names the languages of all others.
    longest: u64,
    texts: u64,
}

impl Seen {
    fn new(role: Role) -> Self {
        Self { role, holder: None, elements: 0, styles: 0, longest: 0, texts: 0 }
    }

    fn note(&mut self, event: &Event<'_>, begin: u64, end: u64) -> Result<(), Problem> {
        if let Event::Start(start) = event {
            self.note_start(start, begin, end)?;
        }
        if let Some((name, at)) = &self.holder {
            if end - at > PIECE_BYTES_MAX {
                return Err(TOO_MUCH);
            }
            if matches!(event, Event::End(closing) if closing.local_name().as_ref() == name) {
                self.holder = None;
            }
        }
        Ok(())
    }

    fn note_start(&mut self, start: &BytesStart<'_>, begin: u64, end: u64) -> Result<(), Problem> {
        let local = start.local_name();
        let name: &str = local.as_ref();
        if self.holder.is_none() && HOLDERS.contains(&name) {
            self.holder = Some((name.to_owned(), begin));
        }
        self.texts += u64::from(name == "si");
        if self.texts > SHARED_TEXTS_MAX || (name == "sst" && !counts_truly(start)) {
            return Err(TOO_MUCH);
        }
        if self.role == Role::Common {
            self.elements += 1;
            self.styles += u64::from(name == "xf");
            if self.elements > 1 {
                self.longest = self.longest.max(end - begin);
            }
            let copied = self.styles.saturating_mul(self.longest);
            let is_within = self.elements <= COMMON_ELEMENTS_MAX && self.styles <= STYLES_MAX;
            if !is_within || copied > COPIED_BYTES_MAX {
                return Err(TOO_MUCH);
            }
        }
        if self.role == Role::Root && name == "Relationship" && leads_deeper(start) {
            return Err(STRANGE);
        }
        Ok(())
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

/// Whether the workbook is said to be deeper than in one folder, where sheets and pictures are.
fn leads_deeper(start: &BytesStart<'_>) -> bool {
    let mut attributes = start.attributes();
    let all: Result<Vec<_>, _> = attributes.with_checks(false).collect();
    let Ok(all) = all else { return true };
    let of = |wanted: &'static str| {
        all.iter().filter(move |attribute| attribute.key.local_name().as_ref() == wanted)
    };
    of("Type").any(|attribute| attribute.value.ends_with(OFFICE_DOCUMENT))
        && of("Target").any(|attribute| {
            let place = &*attribute.value;
            place.contains(['&', '\\', '%']) || place.contains("..") || depth(place) > 1
        })
}
