//! The shim under a real SQLite: each mode fails what it says, and the power takes what was not synced.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::path::{Path, PathBuf};

use outrider_disk::{Disk, Keep, Mode, Operation, Plan};
use rusqlite::{Connection, ErrorCode};
use tempfile::TempDir;

struct World {
    folder: TempDir,
    disk: Disk,
}

impl World {
    /// A database in WAL mode with one number in it; closed, so that all of it is in one file.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::over(folder.path()).unwrap();
        let world = Self { folder, disk };
        let conn = world.open();
        conn.execute_batch(
            "CREATE TABLE number (n INTEGER NOT NULL); INSERT INTO number VALUES (1)",
        )
        .unwrap();
        drop(conn);
        world
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("test.db")
    }

    fn open(&self) -> Connection {
        open(&self.path())
    }

    /// The numbers, read by a connection of its own, with the pages checked.
    fn numbers(&self) -> Vec<i64> {
        let conn = self.open();
        let verdict: String =
            conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(verdict, "ok");
        let mut query = conn.prepare("SELECT n FROM number ORDER BY n").unwrap();
        query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    fn cut(&self, conn: Connection, keep: Keep) {
        self.disk.begin(Some(Plan { mode: Mode::Power, at: 1, is_lasting: true }));
        drop(conn);
        self.disk.heal();
        self.disk.cut_power(keep).unwrap();
    }
}

fn open(path: &Path) -> Connection {
    let conn = Connection::open(path).unwrap();
    conn.pragma_update(None, "journal_mode", "WAL").unwrap();
    conn.pragma_update(None, "synchronous", "FULL").unwrap();
    conn
}

fn insert(conn: &Connection, n: i64) -> rusqlite::Result<usize> {
    conn.execute("INSERT INTO number VALUES (?1)", [n])
}

#[test]
fn operations_are_counted() {
    let world = World::new();
    let conn = world.open();
    world.disk.begin(None);
    insert(&conn, 2).unwrap();
    let done = world.disk.done();
    for operation in [Operation::Write, Operation::Sync, Operation::ShmLock] {
        assert!(done.iter().any(|one| one.operation == operation), "{done:?}");
    }
    assert!(done.iter().any(|one| one.file == "test.db-wal"));
    assert_eq!(world.disk.faults(), 0);
}

#[test]
fn a_folder_that_nobody_watches_is_left_alone() {
    let world = World::new();
    world.disk.begin(Some(Plan { mode: Mode::Error, at: 1, is_lasting: true }));
    let other = tempfile::tempdir().unwrap();
    let conn = open(&other.path().join("test.db"));
    conn.execute_batch("CREATE TABLE number (n INTEGER NOT NULL); INSERT INTO number VALUES (1)")
        .unwrap();
    assert_eq!(world.disk.done().len(), 0);
}

#[test]
fn each_mode_fails_a_write_as_it_says() {
    for (mode, code) in [
        (Mode::Error, ErrorCode::SystemIoFailure),
        (Mode::Full, ErrorCode::DiskFull),
        (Mode::Short, ErrorCode::SystemIoFailure),
        (Mode::SyncFails, ErrorCode::SystemIoFailure),
    ] {
        let world = World::new();
        let conn = world.open();
        world.disk.begin(Some(Plan { mode, at: 1, is_lasting: false }));
        let error = insert(&conn, 2).unwrap_err();
        assert_eq!(error.sqlite_error_code(), Some(code), "{mode:?}");
        assert_eq!(world.disk.faults(), 1);
        // Once; the same process goes on.
        insert(&conn, 3).unwrap();
        assert_eq!(world.numbers(), [1, 3], "{mode:?}");
    }
}

#[test]
fn a_lasting_fault_fails_until_it_is_healed() {
    let world = World::new();
    let conn = world.open();
    world.disk.begin(Some(Plan { mode: Mode::Full, at: 1, is_lasting: true }));
    for n in 2..5 {
        assert!(insert(&conn, n).is_err());
    }
    world.disk.heal();
    insert(&conn, 5).unwrap();
    drop(conn);
    assert_eq!(world.numbers(), [1, 5]);
}

#[test]
fn a_commit_survives_the_power() {
    for keep in [Keep::Nothing, Keep::Sectors(7)] {
        let world = World::new();
        let conn = world.open();
        insert(&conn, 2).unwrap();
        world.cut(conn, keep);
        assert_eq!(world.numbers(), [1, 2]);
    }
}

/// Without syncs the power takes the commit: so a test that passes has seen them.
#[test]
fn a_commit_that_was_not_synced_does_not() {
    let world = World::new();
    let conn = world.open();
    conn.pragma_update(None, "synchronous", "OFF").unwrap();
    insert(&conn, 2).unwrap();
    world.cut(conn, Keep::Nothing);
    assert_eq!(world.numbers(), [1]);
}

#[test]
fn a_sync_that_lies_loses_the_commit() {
    let world = World::new();
    let conn = world.open();
    world.disk.begin(Some(Plan { mode: Mode::SyncLies, at: 1, is_lasting: true }));
    insert(&conn, 2).unwrap();
    assert!(world.disk.faults() > 0);
    world.cut(conn, Keep::Nothing);
    assert_eq!(world.numbers(), [1]);
}

/// The power fails before each operation of a commit and of the close that writes the log back, and
/// leaves whatever sectors it likes.
#[test]
fn the_power_may_fail_anywhere() {
    let mut both = [0, 0];
    for at in 1.. {
        let world = World::new();
        let conn = world.open();
        world.disk.begin(Some(Plan { mode: Mode::Power, at, is_lasting: true }));
        let is_ok = insert(&conn, 2).is_ok();
        drop(conn);
        let is_over = world.disk.faults() == 0;
        world.disk.heal();
        world.disk.cut_power(Keep::Sectors(at)).unwrap();
        let numbers = world.numbers();
        assert!(numbers == [1, 2] || (!is_ok && numbers == [1]), "{at}: {numbers:?}");
        both[usize::from(numbers.len() == 2)] += 1;
        if is_over {
            break;
        }
    }
    assert!(both[0] > 3 && both[1] > 3, "{both:?}");
}

/// A folder that was removed with the files in it came back with one of them, or kept the power from
/// being cut.
#[test]
fn what_others_removed_stays_away() {
    let world = World::new();
    let inner = world.folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let conn = Connection::open(inner.join("test.db")).unwrap();
    conn.execute_batch("CREATE TABLE number (n INTEGER NOT NULL)").unwrap();
    drop(conn);
    std::fs::remove_dir_all(&inner).unwrap();
    world.cut(world.open(), Keep::Nothing);
    assert!(!inner.exists());
    assert_eq!(world.numbers(), [1]);
}

/// A lock that one connection holds is seen by another one, through the shim as without it.
#[test]
fn locks_are_the_real_ones() {
    let world = World::new();
    let (one, other) = (world.open(), world.open());
    other.busy_timeout(std::time::Duration::ZERO).unwrap();
    one.execute_batch("BEGIN IMMEDIATE").unwrap();
    insert(&one, 2).unwrap();
    let error = insert(&other, 3).unwrap_err();
    assert_eq!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy));
    one.execute_batch("COMMIT").unwrap();
    insert(&other, 3).unwrap();
    drop((one, other));
    assert_eq!(world.numbers(), [1, 2, 3]);
}
