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

/// How each archive begins, and how its directory ends.
const BEGIN: [u8; 4] = *b"PK\x03\x04";
const END: [u8; 4] = *b"PK\x05\x06";
/// Bytes from the end of the directory to that of the file: at least, and with the longest comment.
const END_BYTES_MIN: usize = 22;
const END_BYTES_MAX: u64 = 22 + 65_535;
/// Where the end of the directory says how many entries it has (16 bits), and how long it is (32 bits).
const END_ENTRIES_AT: usize = 10;
const END_SIZE_AT: usize = 12;
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

/// Whether a file begins and ends as small archives do: looking for the end in one that has none takes
/// seconds, and a directory is read whole.
fn check_end(file: &mut BufReader<File>) -> io::Result<Result<(), Problem>> {
    let size = file.seek(SeekFrom::End(0))?;
    let mut end = Vec::new();
    file.seek(SeekFrom::Start(size.saturating_sub(END_BYTES_MAX)))?;
    file.take(END_BYTES_MAX).read_to_end(&mut end)?;
    let mut begin = Vec::new();
    file.rewind()?;
    file.take(BEGIN.len() as u64).read_to_end(&mut begin)?;
    file.rewind()?;
    let ends = || end.windows(END_BYTES_MIN).filter(|window| window.starts_with(&END));
    if begin != BEGIN || ends().next().is_none() {
        return Ok(Err(NONE));
    }
    // There may be such bytes in a comment; which of them count the library decides.
    let is_small = |window: &[u8]| {
        let entries = window.get(END_ENTRIES_AT..).and_then(<[u8]>::first_chunk);
        let size = window.get(END_SIZE_AT..).and_then(<[u8]>::first_chunk);
        let entries = entries.map(|bytes| usize::from(u16::from_le_bytes(*bytes)));
        entries.is_some_and(|count| count <= ENTRIES_MAX)
            && size.is_some_and(|bytes| u32::from_le_bytes(*bytes) <= DIRECTORY_BYTES_MAX)
    };
    Ok(if ends().all(is_small) { Ok(()) } else { Err(TOO_MANY) })
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
        let is_workbook = |one: &&Relation| one.kind.ends_with(OFFICE_DOCUMENT);
        // Of several the library takes the last one.
        let target =
            relations.iter().rfind(is_workbook).map(|one| one.target.as_str()).ok_or(NONE)?;
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

    fn place(&self, name: &str) -> Option<usize> {
        self.places.get(&name.to_ascii_lowercase()).copied()
    }

    fn look_at(&mut self, at: usize, role: Role) -> Result<Vec<Relation>, Problem> {
        let entry = self.archive.by_index(at).map_err(|_| DAMAGED)?;
        let (bytes, relations) = look_at(entry, role, self.left)?;
        self.left = self.left.saturating_sub(bytes);
        Ok(relations)
    }
}
