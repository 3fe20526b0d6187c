//! SQLite's checks of the pages of a database.

use rusqlite::{Connection, Error, ffi};

/// What a check says where all is well.
const WELL: &str = "ok";
/// What it says of a page that the disk did not give; a code of SQLite follows.
const UNREAD: &str = "unable to get the page. error code=";
/// The part of a code that says of what kind it is.
const KIND: i32 = 0xff;

/// What is wrong with pages, at most 100 lines; nothing if all is well.
///
/// # Errors
///
/// Fails when the database does, and when a page cannot be read: that says nothing of what is on it.
pub fn quick_check(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    lines(conn, "PRAGMA quick_check(100)")
}

/// As [`quick_check`], with indexes and search tables compared with what they are of.
///
/// # Errors
///
/// As [`quick_check`].
pub fn integrity_check(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    lines(conn, "PRAGMA integrity_check(100)")
}

fn lines(conn: &Connection, check: &str) -> rusqlite::Result<Vec<String>> {
    let mut query = conn.prepare(check)?;
    let mut lines: Vec<String> =
        query.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    if let Some(code) = lines.iter().find_map(|line| unread(line)) {
        return Err(Error::SqliteFailure(ffi::Error::new(code), None));
    }
    lines.retain(|line| line != WELL);
    Ok(lines)
}

/// The code with which the disk did not give a page.
fn unread(line: &str) -> Option<i32> {
    let (_, code) = line.split_once(UNREAD)?;
    let end = code.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(code.len());
    let code = code.get(..end)?.parse::<i32>().ok()?;
    (code & KIND == ffi::SQLITE_IOERR).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_cannot_be_read_is_no_damage() {
        let line =
            "*** in database main ***\nTree 51 page 51: unable to get the page. error code=266";
        assert_eq!(unread(line), Some(266));
        assert_eq!(unread(&[line, "\nTree 52"].concat()), Some(266));
        assert_eq!(unread("Tree 51 page 51: unable to get the page. error code=11"), None);
        assert_eq!(unread("Tree 51 page 51: btreeInitPage() returns error code 11"), None);
    }

    #[test]
    fn a_whole_database_has_nothing_to_tell() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE a (b); INSERT INTO a VALUES (1);").unwrap();
        assert_eq!(quick_check(&conn).unwrap(), [""; 0]);
        assert_eq!(integrity_check(&conn).unwrap(), [""; 0]);
    }
}
