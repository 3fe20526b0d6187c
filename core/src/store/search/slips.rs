//! One typo forgiven: the words of the index that may be meant, and what has them.

use rusqlite::{Connection, params};

use super::{Candidate, Found, count};
use crate::{
    search::{Asked, Class, class, is_slip_of, ranges, slip_expression, variants},
    store::StoreError,
};

/// Words of the index that are compared with one that was typed, at most, on each side.
const WORDS_MAX: usize = 5_000;
/// Words that may be meant by one that was typed, at most.
const MEANT_MAX: usize = 40;

/// Adds what hits with one typo.
pub(super) fn add(
    conn: &Connection,
    asked: &Asked,
    found: &mut Found<'_>,
) -> Result<(), StoreError> {
    let mut meant: Vec<(usize, Vec<String>)> = Vec::new();
    for (place, word) in asked.slip_words() {
        meant.push((place, words_near(conn, word)?));
    }
    let Some(wanted) = slip_expression(asked, &meant) else { return Ok(()) };
    let has_words = meant.iter().any(|(_, words)| !words.is_empty());
    for candidate in found.matches(conn, &wanted)? {
        let class = class(asked, &candidate.folded, true);
        // Of Han the index finds too much; with a word in another name than the title it does not.
        let is_hit = class <= Class::Sound || class == Class::Slip || has_words;
        if is_hit && found.candidates.len() < super::CANDIDATES_MAX {
            found.add(Candidate { class: Class::Slip, ..candidate });
        }
    }
    Ok(())
}

/// The words of names that one typo away from a word.
fn words_near(conn: &Connection, word: &str) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    let mut words = conn
        .prepare_cached("SELECT term FROM search_word WHERE term >= ?1 AND term < ?2 LIMIT ?3")?;
    for range in ranges(word) {
        let terms = words.query_map(params![range.from, range.to, count(WORDS_MAX)], |row| {
            row.get::<_, String>(0)
        })?;
        for term in terms {
            let term = term?;
            let term =
                if range.is_mirrored { term.chars().skip(1).collect::<String>() } else { term };
            let term = if range.is_mirrored { term.chars().rev().collect() } else { term };
            if is_slip_of(word, &term) {
                found.push(term);
            }
        }
    }
    let mut is_word =
        conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM search_word WHERE term = ?1)")?;
    for variant in variants(word) {
        if is_word.query_row([&variant], |row| row.get(0))? {
            found.push(variant);
        }
    }
    found.sort();
    found.dedup();
    found.truncate(MEANT_MAX);
    Ok(found)
}
