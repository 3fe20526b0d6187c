//! The records of a JSON file, one after another: never more than one is in memory.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead as _, BufReader},
    path::Path,
};

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Value as Json};

use super::metered::{Metered, Room};
use crate::transfer::error::ImportError;

/// Bytes of one record, at most. So much may also stand in all of a file that is no record.
pub const RECORD_BYTES_MAX: u64 = 1 << 20;
/// Signs by which a value of it may begin, at most: a value takes many times as much memory as its bytes.
pub const RECORD_MARKS_MAX: u64 = 100_000;

/// The member of an object that holds its records.
const RECORDS: &str = "records";
const MARK: &[u8] = b"\xef\xbb\xbf";

/// What a file is.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::transfer) enum Shape {
    /// A list of records.
    List,
    /// An object with the list `records`, and what stands beside that.
    Member(Map<String, Json>),
    /// An object without it: one record.
    One(Map<String, Json>),
    /// Anything else.
    None,
}

/// Opens a file, behind the mark that some programs begin it with.
pub(super) fn open(path: &Path) -> Result<BufReader<File>, ImportError> {
    let unread = |source| ImportError::Read { path: path.to_owned(), source };
    let mut file = BufReader::new(File::open(path).map_err(unread)?);
    if file.fill_buf().map_err(unread)?.starts_with(MARK) {
        file.consume(MARK.len());
    }
    Ok(file)
}

/// How many values may begin in these bytes.
pub(in crate::transfer) fn marks(json: &[u8]) -> usize {
    json.iter().filter(|byte| matches!(byte, b'{' | b'[' | b',')).count()
}

/// What is left of what one record may have.
struct Left {
    bytes_max: u64,
    bytes: Room,
    marks: Room,
}

impl Left {
    fn renew(&self) {
        self.bytes.renew(self.bytes_max);
        self.marks.renew(RECORD_MARKS_MAX);
    }

    fn problem(&self) -> Option<String> {
        if self.bytes.is_used_up() {
            return Some(format!("a record of it has more than {} bytes", self.bytes_max));
        }
        self.marks.is_used_up().then(|| TOO_MANY_VALUES.to_owned())
    }
}

/// What a record is that has more than [`RECORD_MARKS_MAX`].
pub(in crate::transfer) const TOO_MANY_VALUES: &str = "a record of it has too many values";

/// Visits each value of the list that a file is, or has as its member `records`; each has so many bytes at most.
pub(in crate::transfer) fn each(
    path: &Path,
    bytes_max: u64,
    visit: &mut dyn FnMut(Json) -> Result<(), ImportError>,
) -> Result<Shape, ImportError> {
    let left = Left { bytes_max, bytes: Room::default(), marks: Room::default() };
    left.renew();
    let mut failed = None;
    let file = Metered::weighing(Metered::new(open(path)?, &left.bytes), &left.marks, marks);
    let mut json = serde_json::Deserializer::from_reader(file);
    let records = Records { left: &left, visit, failed: &mut failed, is_member: false };
    let shape = records.deserialize(&mut json).and_then(|shape| {
        left.renew();
        json.end().map(|()| shape)
    });
    if let Some(error) = failed {
        return Err(error);
    }
    shape.map_err(|error| match left.problem() {
        None if error.is_io() => {
            ImportError::Read { path: path.to_owned(), source: io::Error::from(error) }
        }
        problem => {
            let problem = problem.unwrap_or_else(|| words(&error));
            ImportError::Json { path: path.to_owned(), problem }
        }
    })
}

/// What is wrong with JSON: words about the form alone, which never repeat the text itself.
fn words(error: &serde_json::Error) -> String {
    if error.is_data() {
        return format!("line {}, column {}", error.line(), error.column());
    }
    error.to_string()
}

/// The whole file, or its member `records`: a list is visited, and what else that member may be is left out.
struct Records<'v> {
    left: &'v Left,
    visit: &'v mut dyn FnMut(Json) -> Result<(), ImportError>,
    failed: &'v mut Option<ImportError>,
    is_member: bool,
}

impl<'de> DeserializeSeed<'de> for Records<'_> {
    type Value = Shape;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Shape, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Records<'_> {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
        loop {
            self.left.renew();
            let Some(record) = list.next_element()? else { return Ok(Shape::List) };
            if let Err(error) = (self.visit)(record) {
                *self.failed = Some(error);
                return Err(A::Error::custom("stopped"));
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Shape, A::Error> {
        let Self { left, visit, failed, is_member } = self;
        if is_member {
            while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Shape::None);
        }
        let mut others = Map::new();
        let mut is_list = false;
        while let Some(name) = members.next_key::<String>()? {
            if name == RECORDS {
                // A second list is no more of the first.
                if is_list {
                    return Err(A::Error::custom("`records` comes twice"));
                }
                let (visit, failed) = (&mut *visit, &mut *failed);
                let records = Records { left, visit, failed, is_member: true };
                is_list = members.next_value_seed(records)? == Shape::List;
            } else {
                others.insert(name, members.next_value()?);
            }
        }
        Ok(if is_list { Shape::Member(others) } else { Shape::One(others) })
    }

    fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape::None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
        Ok(Shape::None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
        Ok(Shape::None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
        Ok(Shape::None)
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::None)
    }
}
