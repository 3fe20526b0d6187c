//! What a database holds, row by row, seen by a connection of its own; and whether its pages are whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, DirEntry},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::Path,
};

use outrider_core::{replica::DATABASE_FILE, store::pages};
use outrider_sync_server::backup;
use rusqlite::{Connection, OpenFlags, types::ValueRef};

use crate::Failure;

/// Ends of the names of files that belong to a database.
const JOURNALS: [&str; 2] = ["-wal", "-shm"];
/// The journal that is rolled back when the database is read; a number that is drawn stands in it.
const ROLLBACK_END: &str = "-journal";
/// How the name of a backup ends.
const BACKUP_END: &str = ".age";
/// How that of a backup of persons' keys ends, in which a number that is drawn stands.
const KEYS_END: &str = ".keys.age";
/// Files with what is drawn: sums of backups, keys of persons.
const DRAWN: [&str; 2] = [".age.json", ".persons"];
/// What a device wrote itself: the changes alone, and, beside them, whether they are acknowledged, which a
/// server that was put back takes away from them.
const OWN_CHANGE: &str = "own_change";
const OWN_CHANGES: &str = "SELECT record, part, hash, bytes FROM own_change";
/// Problems that one check of the pages tells, at most.
const PROBLEMS_MAX: usize = 5;

/// The rows of all tables, each as a digest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Dump(BTreeMap<String, BTreeSet<u64>>);

impl Dump {
    /// Reads the database at `path`; nothing is in one that is not there.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let Some(conn) = connect(path)? else { return Ok(Self::default()) };
        let mut names = conn.prepare(
            "SELECT name FROM pragma_table_list
             WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
             ORDER BY name",
        )?;
        let names: Vec<String> =
            names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let mut tables = BTreeMap::new();
        for name in names {
            // The name is one that SQLite itself told.
            let all = ["SELECT * FROM \"", &name.replace('"', "\"\""), "\""].concat();
            let rows = rows_of(&conn, &all)?;
            if name == OWN_CHANGE {
                tables.insert(name.clone(), rows_of(&conn, OWN_CHANGES)?);
                tables.insert(name + " with its standing", rows);
            } else {
                tables.insert(name, rows);
            }
        }
        Ok(Self(tables))
    }

    /// How many rows there are.
    #[cfg(test)]
    pub(crate) fn rows(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }

    /// The tables in which the two differ, with how many rows are here alone and there alone.
    pub(crate) fn difference(&self, other: &Self) -> Vec<String> {
        let names: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        let none = BTreeSet::new();
        let told = names.into_iter().filter_map(|name| {
            let (here, there) =
                (self.0.get(name).unwrap_or(&none), other.0.get(name).unwrap_or(&none));
            let (here, there) = (here.difference(there).count(), there.difference(here).count());
            (here + there > 0).then(|| format!("{name} +{here} -{there}"))
        });
        told.collect()
    }

    /// Rows that both `before` and `after` have and this has not, of all tables or of those that are named.
    pub(super) fn missing(&self, before: &Self, after: &Self, of: Option<&[&str]>) -> Vec<String> {
        let none = BTreeSet::new();
        let tables = before.0.iter();
        let asked = tables.filter(|(name, _)| of.is_none_or(|of| of.contains(&name.as_str())));
        let told = asked.filter_map(|(name, rows)| {
            let (here, after) =
                (self.0.get(name).unwrap_or(&none), after.0.get(name).unwrap_or(&none));
            let gone = rows.iter().filter(|row| after.contains(row) && !here.contains(row)).count();
            (gone > 0).then(|| format!("{name} -{gone}"))
        });
        told.collect()
    }
}

/// What everything in a folder says: the rows of its databases, and the bytes of all other files.
pub(super) fn fingerprint(folder: &Path) -> Result<u64, Failure> {
    let mut hasher = DefaultHasher::new();
    look_into(folder, &mut hasher)?;
    Ok(hasher.finish())
}

fn look_into(folder: &Path, hasher: &mut DefaultHasher) -> Result<(), Failure> {
    let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(DirEntry::file_name);
    for entry in entries {
        let (name, path) = (entry.file_name(), entry.path());
        // SQLite makes them, and asks them when it reads the database.
        let ends_with = |end: &&str| name.to_string_lossy().ends_with(*end);
        if JOURNALS.iter().any(ends_with) {
            continue;
        }
        if ends_with(&KEYS_END) {
            KEYS_END.hash(hasher);
        } else {
            name.hash(hasher);
        }
        if entry.file_type()?.is_dir() {
            look_into(&path, hasher)?;
        } else if name == DATABASE_FILE {
            Dump::read(&path)?.hash(hasher);
        } else if ends_with(&BACKUP_END) {
            // Its key is drawn, so its bytes are others each time; whether they are those of the sum beside it counts.
            let sealed = backup::check_file(&path, &mut |_, _, _| ());
            sealed.is_ok_and(|sealed| sealed.is_some()).hash(hasher);
        } else if DRAWN.iter().any(ends_with) {
            // Written by the standard library, below which nothing fails here.
            entry.metadata()?.len().hash(hasher);
        } else if !ends_with(&ROLLBACK_END) {
            fs::read(&path)?.hash(hasher);
        }
    }
    Ok(())
}

/// What SQLite finds wrong with the pages, indexes and search tables of a database.
pub(super) fn damage(path: &Path) -> Result<Vec<String>, Failure> {
    let Some(conn) = connect(path)? else { return Ok(Vec::new()) };
    Ok(pages::integrity_check(&conn)?.into_iter().take(PROBLEMS_MAX).collect())
}

fn connect(path: &Path) -> Result<Option<Connection>, Failure> {
    if !path.exists() {
        return Ok(None);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Some(Connection::open_with_flags(path, flags)?))
}

fn rows_of(conn: &Connection, sql: &str) -> Result<BTreeSet<u64>, Failure> {
    let mut query = conn.prepare(sql)?;
    let width = query.column_count();
    let mut rows = query.query([])?;
    let mut all = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let mut hasher = DefaultHasher::new();
        for at in 0..width {
            match row.get_ref(at)? {
                ValueRef::Null => 0_u8.hash(&mut hasher),
                ValueRef::Integer(number) => number.hash(&mut hasher),
                ValueRef::Real(number) => number.to_bits().hash(&mut hasher),
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.hash(&mut hasher),
            }
        }
        all.insert(hasher.finish());
    }
    Ok(all)
}
