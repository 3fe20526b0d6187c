//! Lines of what is read: durable before the answer goes out, several in one transaction.
//!
//! Each request brings its line and waits. Whoever finds nobody writing writes all lines that
//! wait, so under load one sync to disk serves many requests, and a quiet server waits for nobody.

use std::{
    collections::BTreeSet,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use crate::storage::{AuditLine, Storage, StorageError};

/// Where lines of requests gather.
#[derive(Debug, Default)]
pub struct Desk {
    waiting: Mutex<Waiting>,
    written: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<AuditLine>,
    /// Lines that were ever brought.
    brought: u64,
    /// Lines that were written, or that failed.
    settled: u64,
    /// Those that failed and whose request was not told yet.
    failed: BTreeSet<u64>,
    is_writing: bool,
}

impl Desk {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Whole at every moment, whatever a holder of the lock died of.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a line; returns when it is on disk.
    ///
    /// # Errors
    ///
    /// [`StorageError`] when the storage fails: then nothing may be shown.
    pub fn write(&self, storage: &dyn Storage, line: AuditLine) -> Result<(), StorageError> {
        let mut waiting = self.waiting();
        let own = waiting.brought;
        waiting.brought += 1;
        waiting.lines.push(line);
        while waiting.settled <= own {
            if waiting.is_writing {
                waiting = self.written.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            waiting.is_writing = true;
            let lines = std::mem::take(&mut waiting.lines);
            let (first, end) = (waiting.settled, waiting.brought);
            drop(waiting);
            let turn = Turn { desk: self, first, end, own, is_done: false };
            write_all(storage, &lines)?;
            waiting = turn.done();
        }
        if waiting.failed.remove(&own) {
            return Err(StorageError::Damaged("the audit could not be written".to_owned()));
        }
        Ok(())
    }
}

/// One request that writes for several; if it does not come to its end, all of them failed.
struct Turn<'d> {
    desk: &'d Desk,
    first: u64,
    end: u64,
    own: u64,
    is_done: bool,
}

impl<'d> Turn<'d> {
    fn settle(&self) -> MutexGuard<'d, Waiting> {
        let mut waiting = self.desk.waiting();
        waiting.settled = self.end;
        waiting.is_writing = false;
        self.desk.written.notify_all();
        waiting
    }

    fn done(mut self) -> MutexGuard<'d, Waiting> {
        self.is_done = true;
        self.settle()
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            let mut waiting = self.settle();
            // This request tells its own failure itself, with its cause.
            waiting.failed.extend((self.first..self.end).filter(|line| *line != self.own));
        }
    }
}

fn write_all(storage: &dyn Storage, lines: &[AuditLine]) -> Result<(), StorageError> {
    let mut write = storage.write()?;
    for line in lines {
        write.add_audit(line)?;
    }
    write.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tempfile::TempDir;

    use super::*;
    use crate::storage::{Read, Write, sqlite::SqliteStorage};

    /// Counts transactions, holds the first one up, and fails when told to.
    #[derive(Debug)]
    struct Watched {
        inner: SqliteStorage,
        writes: AtomicUsize,
        fails: bool,
        gate: Mutex<()>,
    }

    impl Storage for Watched {
        fn read_as(
            &self,
            grant: &outrider_core::access::Grant,
        ) -> Result<Box<dyn Read + '_>, StorageError> {
            self.inner.read_as(grant)
        }

        fn read(&self) -> Result<Box<dyn Read + '_>, StorageError> {
            self.inner.read()
        }

        fn write(&self) -> Result<Box<dyn Write + '_>, StorageError> {
            self.writes.fetch_add(1, Ordering::SeqCst);
            drop(self.gate.lock());
            if self.fails {
                return Err(StorageError::Damaged("told to fail".to_owned()));
            }
            self.inner.write()
        }

        fn news(&self) -> tokio::sync::watch::Receiver<u64> {
            self.inner.news()
        }
    }

    fn storage(folder: &TempDir, fails: bool) -> Watched {
        let inner = SqliteStorage::open_for_test(folder.path(), true).unwrap();
        Watched { inner, writes: AtomicUsize::new(0), fails, gate: Mutex::new(()) }
    }

    /// Sends 40 lines at once while the first transaction is held up.
    fn together(storage: &Watched) -> Vec<Result<(), StorageError>> {
        let desk = Desk::default();
        let held = storage.gate.lock().unwrap();
        std::thread::scope(|scope| {
            let one = |n: i64| {
                let desk = &desk;
                scope.spawn(move || desk.write(storage, AuditLine::new(n, "record_read")))
            };
            let threads: Vec<_> = (0..40).map(one).collect();
            while desk.waiting().brought < 40 {
                std::thread::yield_now();
            }
            drop(held);
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }

    #[test]
    fn lines_that_come_together_share_a_transaction() {
        let folder = TempDir::new().unwrap();
        let storage = storage(&folder, false);
        assert!(together(&storage).iter().all(Result::is_ok));
        assert_eq!(storage.read().unwrap().audit_tip().unwrap().number, 40);
        assert!(storage.writes.load(Ordering::SeqCst) <= 3, "{:?}", storage.writes);
    }

    /// `cargo test --workspace what_noting -- --ignored --nocapture`
    #[test]
    #[ignore = "a measurement"]
    fn what_noting_a_read_costs() {
        let folder = TempDir::new().unwrap();
        let storage = SqliteStorage::open(folder.path()).unwrap();
        let desk = Desk::default();
        for threads in [1, 4, 16] {
            let begun = std::time::Instant::now();
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| {
                        for n in 0..200 {
                            desk.write(&storage, AuditLine::new(n, "record_read")).unwrap();
                        }
                    });
                }
            });
            let each_ms = begun.elapsed().as_secs_f64() * 1e3 / 200.0;
            let rate = f64::from(threads) * 1e3 / each_ms;
            eprintln!("{threads} at once: {each_ms:.2} ms each, {rate:.0} lines a second, synced");
        }
    }

    #[test]
    fn a_transaction_that_fails_fails_everybody_in_it() {
        let folder = TempDir::new().unwrap();
        let storage = storage(&folder, true);
        assert!(together(&storage).iter().all(Result::is_err));
    }
}
