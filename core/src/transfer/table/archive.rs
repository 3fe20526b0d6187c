//! What the archive of a workbook unpacks to, looked at before the library reads it.
//!
//! The library keeps in memory each piece of XML between two marks, each cell, all shared texts, and all
//! styles with a copy of what each is made of; and it makes room for as many texts as the workbook says that
//! it has. A few kilobytes may unpack to gigabytes of any of these. So every file that it reads is found as it
//! finds it, read once by the same parser set up in the same way, and forgotten piece by piece (`seen`). Pictures
//! and whatever else is in the archive are left alone.

use std::{
    collections::{BTreeSet, HashMap},
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use zip::ZipArchive;

use crate::transfer::error::ImportError;

mod seen;

use seen::{Relation, Role, look_at};

/// Files in the archive of a workbook, at most.
pub const ENTRIES_MAX: usize = 10_000;
/// Bytes that a workbook unpacks to, at most.
pub const UNPACKED_BYTES_MAX: u64 = 1 << 30;
/// Bytes of the directory of its archive, at most.
pub const DIRECTORY_BYTES_MAX: u32 = 4 << 20;
/// Bytes of a piece of XML, and of a cell or a shared text with all its pieces, at most. A cell has at most
/// 32,767 characters.
pub const PIECE_BYTES_MAX: u64 = 1 << 20;
/// Bytes of a workbook's shared texts, at most: the library keeps them in memory.
pub const SHARED_BYTES_MAX: u64 = 24 << 20;
/// How many they are, at most.
pub const SHARED_TEXTS_MAX: u64 = 600_000;
/// Bytes of each file that says something of all sheets (the workbook, its styles, what refers to what), at most.
pub const COMMON_BYTES_MAX: u64 = 4 << 20;
/// Elements of such a file, at most.
pub const COMMON_ELEMENTS_MAX: u64 = 200_000;
/// Styles of cells, at most: the format has 65,490.
pub const STYLES_MAX: u64 = 65_536;
/// Styles of cells times the longest element beside them, at most: each style has copies of what it names.
pub const COPIED_BYTES_MAX: u64 = 16 << 20;

/// How each archive begins, and its directory, and the end of that.
const BEGIN: [u8; 4] = *b"PK\x03\x04";
const DIRECTORY: [u8; 4] = *b"PK\x01\x02";
const END: [u8; 4] = *b"PK\x05\x06";
/// Bytes of the end without its comment, and with the longest one.
const END_BYTES: u64 = 22;
const END_BYTES_MAX: u64 = END_BYTES + 65_535;
/// Where the end says how many entries there are (16 bits), how long the directory is and where it begins
/// (32 bits each), and how long the comment is (16 bits).
const ENTRIES_AT: usize = 10;
const LENGTH_AT: usize = 12;
const OFFSET_AT: usize = 16;
const COMMENT_AT: usize = 20;
/// Where an archive says where its workbook is.
const ROOT: &str = "_rels/.rels";
/// How the type of the relationship to the workbook ends.
const OFFICE_DOCUMENT: &str = "/relationships/officeDocument";
/// What the types of sheets end with.
const SHEETS: [&str; 3] = ["worksheet", "chartsheet", "dialogsheet"];
/// Bytes of the place of the workbook, and of a sheet, at most.
const PLACE_BYTES_MAX: usize = 500;

/// Why an archive is no workbook that can be read.
type Problem = &'static str;

const NONE: Problem = "it is no workbook";
const DAMAGED: Problem = "its archive is damaged";
const TOO_MANY: Problem = "its archive has too many files";
const TOO_MUCH: Problem = "it unpacks to more than a workbook should";
const STRANGE: Problem = "its workbook is in a place where it should not be";

/// Unpacks what the library reads of an archive into nothing, to see that it does not burst.
pub(super) fn check(path: &Path) -> Result<(), ImportError> {
    let wrong = |problem: Problem| ImportError::Workbook {
        path: path.to_owned(),
        problem: problem.to_owned(),
    };
    let unread = |source| ImportError::Read { path: path.to_owned(), source };
    let mut file = BufReader::new(File::open(path).map_err(unread)?);
    check_end(&mut file).map_err(unread)?.map_err(wrong)?;
    let archive = ZipArchive::new(file).map_err(|_| wrong(NONE))?;
    Book::open(archive).and_then(|mut book| book.check()).map_err(wrong)
}

/// Whether a file begins and ends as archives do whose directory is small. The library would look for another end
/// in all of the file, which takes seconds, and read its directory whole.
fn check_end(file: &mut BufReader<File>) -> io::Result<Result<(), Problem>> {
    let size = file.seek(SeekFrom::End(0))?;
    let tail_at = size.saturating_sub(END_BYTES_MAX);
    let tail = bytes_at(file, tail_at, END_BYTES_MAX)?;
    let end = tail.windows(END.len()).rposition(|window| window == END);
    let Some((at, end)) = end.and_then(|at| Some((at, tail.get(at..)?))) else {
        return Ok(Err(NONE));
    };
    let short = |at: usize| end.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes));
    let long = |at: usize| end.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
    let (Some(entries), Some(length)) = (short(ENTRIES_AT), long(LENGTH_AT)) else {
        return Ok(Err(NONE));
    };
    if usize::from(entries) > ENTRIES_MAX || length > DIRECTORY_BYTES_MAX {
        return Ok(Err(TOO_MANY));
    }
    let (Some(offset), Some(comment)) = (long(OFFSET_AT), short(COMMENT_AT)) else {
        return Ok(Err(NONE));
    };
    let end_at = tail_at + at as u64;
    let is_whole = u64::from(offset) + u64::from(length) == end_at
        && end_at + END_BYTES + u64::from(comment) == size
        && bytes_at(file, u64::from(offset), DIRECTORY.len() as u64)? == DIRECTORY
        && bytes_at(file, 0, BEGIN.len() as u64)? == BEGIN;
    file.rewind()?;
    Ok(if is_whole { Ok(()) } else { Err(NONE) })
}

fn bytes_at(file: &mut BufReader<File>, at: u64, count: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(at))?;
    file.take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// An archive, with its files as the library finds them: whatever the case of their names.
struct Book {
    archive: ZipArchive<BufReader<File>>,
    places: HashMap<String, usize>,
    left: u64,
}

impl Book {
    fn open(mut archive: ZipArchive<BufReader<File>>) -> Result<Self, Problem> {
        if archive.len() > ENTRIES_MAX {
            return Err(TOO_MANY);
        }
        let mut places = HashMap::new();
        for at in 0..archive.len() {
            let entry = archive.by_index(at).map_err(|_| DAMAGED)?;
            let name = entry.name().map_err(|_| DAMAGED)?;
            places.insert(name.replace('\\', "/").to_ascii_lowercase(), at);
        }
        Ok(Self { archive, places, left: UNPACKED_BYTES_MAX })
    }

    fn check(&mut self) -> Result<(), Problem> {
        let root = self.place(ROOT).ok_or(NONE)?;
        let relations = self.look_at(root, Role::Common)?;
        // Of several the library takes the last one that says where.
        let is_workbook = |one: &&Relation| one.kind.ends_with(OFFICE_DOCUMENT);
        let mut targets =
            relations.iter().filter(is_workbook).filter_map(|one| one.target.as_deref());
        let target = targets.next_back().ok_or(NONE)?;
        if target.len() > PLACE_BYTES_MAX || target.contains('&') {
            return Err(STRANGE);
        }
        let (folder, name) = target.rsplit_once('/').map_or(("", target), |(folder, name)| {
            (target.get(..=folder.len()).unwrap_or_default(), name)
        });
        let folder = folder.strip_prefix('/').unwrap_or(folder);
        let name = if name.is_empty() { "workbook.xml" } else { name };
        for (rest, role) in [
            ("sharedStrings.xml", Role::Shared),
            ("styles.xml", Role::Common),
            ("theme/theme1.xml", Role::Common),
            (name, Role::Common),
        ] {
            if let Some(at) = self.place(&[folder, rest].concat()) {
                self.look_at(at, role)?;
            }
        }
        let relations = self.place(&[folder, "_rels/", name, ".rels"].concat()).ok_or(DAMAGED)?;
        let relations = self.look_at(relations, Role::Common)?;
        let mut sheets = BTreeSet::new();
        for Relation { kind, target } in relations {
            if !kind.rsplit('/').next().is_some_and(|kind| SHEETS.contains(&kind)) {
                continue;
            }
            let target = target.unwrap_or_default();
            if target.len() > PLACE_BYTES_MAX {
                return Err(STRANGE);
            }
            let beside = || [folder, target.as_str()].concat();
            let place = target.strip_prefix('/').map_or_else(beside, str::to_owned);
            sheets.extend(self.place(&place));
        }
        for at in sheets {
            self.look_at(at, Role::Sheet)?;
        }
        Ok(())
    }

    /// Which file the library takes for a name: one of these letters, small or not, or else that very one.
    fn place(&self, name: &str) -> Option<usize> {
        let place = self.places.get(&name.to_ascii_lowercase()).copied();
        place.or_else(|| self.archive.index_for_name(name))
    }

    fn look_at(&mut self, at: usize, role: Role) -> Result<Vec<Relation>, Problem> {
        let entry = self.archive.by_index(at).map_err(|_| DAMAGED)?;
        let (bytes, relations) = look_at(entry, role, self.left)?;
        self.left = self.left.saturating_sub(bytes);
        Ok(relations)
    }
}
