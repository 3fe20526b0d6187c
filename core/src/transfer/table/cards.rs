//! Cards of an address book (vCard 2.1 to 4.0) as CSV: one row a card, one column for each thing
//! that a contact has. Read card by card; pictures are left out.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

use calcard::{
    Entry, Parser,
    common::IanaType,
    vcard::{VCard, VCardEntry, VCardParameterName, VCardProperty, VCardType, VCardValue},
};
use tempfile::NamedTempFile;

use crate::transfer::error::ImportError;

/// Bytes of one card without its pictures, at most.
pub const CARD_BYTES_MAX: usize = 1 << 20;
/// Bytes of one line of a card, at most; a picture may be one line.
const LINE_BYTES_MAX: u64 = 32 << 20;
/// What a card's table has.
pub const COLUMNS: [&str; 24] = [
    "uid",
    "full_name",
    "family_name",
    "given_name",
    "salutation",
    "organization",
    "department",
    "job_title",
    "phone",
    "mobile",
    "phone_2",
    "email",
    "email_2",
    "street",
    "city",
    "province",
    "postcode",
    "country",
    "website",
    "birthday",
    "wechat",
    "qq",
    "categories",
    "note",
];
/// Properties that hold pictures, sounds and keys.
const HEAVY: [&str; 4] = ["PHOTO", "LOGO", "SOUND", "KEY"];

/// Writes the cards of a file in UTF-8 as CSV.
pub(super) fn to_csv(path: &Path, readable: &Path) -> Result<NamedTempFile, ImportError> {
    let read_error = |source| ImportError::Read { path: path.to_owned(), source };
    let made = NamedTempFile::new().map_err(|source| ImportError::Temporary { source })?;
    let mut csv = csv::Writer::from_writer(made);
    let write_error = |error: csv::Error| ImportError::Temporary { source: error.into() };
    csv.write_record(COLUMNS).map_err(write_error)?;
    let mut lines = BufReader::new(File::open(readable).map_err(read_error)?);
    let (mut card, mut line, mut number) = (String::new(), Vec::new(), 0_u64);
    let mut is_heavy = false;
    loop {
        line.clear();
        let mut limited = lines.by_ref().take(LINE_BYTES_MAX + 1);
        let count = limited.read_until(b'\n', &mut line).map_err(read_error)?;
        number += 1;
        if count as u64 > LINE_BYTES_MAX {
            let (path, max) = (path.to_owned(), LINE_BYTES_MAX);
            return Err(ImportError::RowTooLong { path, line: number, max });
        }
        let text = String::from_utf8_lossy(&line);
        let is_folded = text.starts_with([' ', '\t']);
        if !is_folded {
            is_heavy = is_heavy_line(&text);
        }
        if !is_heavy {
            card.push_str(&text);
        }
        if card.len() > CARD_BYTES_MAX {
            let (path, max) = (path.to_owned(), CARD_BYTES_MAX as u64);
            return Err(ImportError::RowTooLong { path, line: number, max });
        }
        let is_end = text.trim().eq_ignore_ascii_case("END:VCARD");
        if is_end || count == 0 {
            let is_blank = card.trim().is_empty();
            if !is_blank {
                csv.write_record(row_of(path, &card, number)?).map_err(write_error)?;
            }
            card.clear();
        }
        if count == 0 {
            break;
        }
    }
    csv.into_inner().map_err(|error| ImportError::Temporary { source: error.into_error() })
}

fn is_heavy_line(line: &str) -> bool {
    let name = line.split([':', ';']).next().unwrap_or_default();
    // A name may have a group before it, as in `item1.PHOTO`.
    let name = name.rsplit('.').next().unwrap_or_default();
    HEAVY.iter().any(|heavy| heavy.eq_ignore_ascii_case(name))
}

fn row_of(path: &Path, text: &str, line: u64) -> Result<Vec<String>, ImportError> {
    let entry = Parser::new(text.trim_start_matches('\u{feff}')).entry();
    let Entry::VCard(card) = entry else {
        let problem = format!("the card that ends at line {line} cannot be read");
        return Err(ImportError::Cards { path: path.to_owned(), problem });
    };
    Ok(COLUMNS.iter().map(|column| cell(&card, column)).collect())
}

fn cell(card: &VCard, column: &str) -> String {
    let parts = |property: &VCardProperty| card.property(property).map(values).unwrap_or_default();
    let part =
        |property: &VCardProperty, at: usize| parts(property).get(at).cloned().unwrap_or_default();
    let nth = |property: &VCardProperty, n: usize, only: &dyn Fn(&VCardEntry) -> bool| {
        let found = card.properties(property).filter(|entry| only(entry)).nth(n);
        found.map(|entry| values(entry).join(" ")).unwrap_or_default()
    };
    let any = |_: &VCardEntry| true;
    let is_fixed = |entry: &VCardEntry| !has_type(entry, &VCardType::Cell);
    let is_cell = |entry: &VCardEntry| has_type(entry, &VCardType::Cell);
    match column {
        "uid" => part(&VCardProperty::Uid, 0),
        "full_name" => part(&VCardProperty::Fn, 0),
        "family_name" => part(&VCardProperty::N, 0),
        "given_name" => part(&VCardProperty::N, 1),
        "salutation" => part(&VCardProperty::N, 3),
        "organization" => part(&VCardProperty::Org, 0),
        "department" => part(&VCardProperty::Org, 1),
        "job_title" => part(&VCardProperty::Title, 0),
        "phone" => without_scheme(&nth(&VCardProperty::Tel, 0, &is_fixed)),
        "mobile" => without_scheme(&nth(&VCardProperty::Tel, 0, &is_cell)),
        "phone_2" => without_scheme(&nth(&VCardProperty::Tel, 1, &is_fixed)),
        "email" => nth(&VCardProperty::Email, 0, &any),
        "email_2" => nth(&VCardProperty::Email, 1, &any),
        "street" => part(&VCardProperty::Adr, 2),
        "city" => part(&VCardProperty::Adr, 3),
        "province" => part(&VCardProperty::Adr, 4),
        "postcode" => part(&VCardProperty::Adr, 5),
        "country" => part(&VCardProperty::Adr, 6),
        "website" => part(&VCardProperty::Url, 0),
        "birthday" => part(&VCardProperty::Bday, 0),
        "wechat" => other(card, &["X-WECHAT", "X-WEIXIN"]),
        "qq" => other(card, &["X-QQ"]),
        "categories" => parts(&VCardProperty::Categories).join(";"),
        "note" => part(&VCardProperty::Note, 0),
        _ => String::new(),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the other values have a text or nothing")]
fn values(entry: &VCardEntry) -> Vec<String> {
    let text = |value: &VCardValue| match value {
        VCardValue::Component(parts) => parts.join(" "),
        VCardValue::PartialDateTime(at) => match (at.year, at.month, at.day) {
            (Some(year), Some(month), Some(day)) => format!("{year:04}-{month:02}-{day:02}"),
            (None, Some(month), Some(day)) => format!("{month:02}-{day:02}"),
            _ => String::new(),
        },
        VCardValue::Integer(number) => number.to_string(),
        VCardValue::Float(number) => number.to_string(),
        VCardValue::Boolean(flag) => flag.to_string(),
        other => other.as_text().unwrap_or_default().to_owned(),
    };
    entry.values.iter().map(text).collect()
}

fn has_type(entry: &VCardEntry, wanted: &VCardType) -> bool {
    let types = entry.parameters(&VCardParameterName::Type);
    types.filter_map(|value| value.as_type()).any(|found| match found {
        IanaType::Iana(found) => found == wanted,
        IanaType::Other(_) => false,
    })
}

fn other(card: &VCard, names: &[&str]) -> String {
    let is_wanted = |entry: &&VCardEntry| {
        matches!(&entry.name, VCardProperty::Other(name)
            if names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name)))
    };
    card.entries.iter().find(is_wanted).map(|entry| values(entry).join(" ")).unwrap_or_default()
}

fn without_scheme(number: &str) -> String {
    number.strip_prefix("tel:").unwrap_or(number).to_owned()
}
