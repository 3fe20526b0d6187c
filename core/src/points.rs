//! Named commit points: the moments at which a crash is tried.
//!
//! Between two of them lies a step that must happen wholly or not at all, or that the next start must
//! be able to finish. A test names one in [`STOP_AT`]; the process stops there for good, says so, and
//! is killed from outside with a signal that nobody can catch. What a process would do that was
//! killed there by chance, once in a million runs, is seen every time.
//!
//! Programs that are built for release have none of this: [`reach`] is nothing there.

/// Names the point at which the process stops, and after a colon at which time that it gets there:
/// `device.edit.before_commit:3`. Without a number it is the first time.
pub const STOP_AT: &str = "OUTRIDER_STOP_AT";

/// What a process that stopped writes to its standard error, before the point's name.
pub const STOPPED: &str = "stopped at ";

/// Every point. The first word says who gets there, the second at what work.
pub const POINTS: &[&str] = &[
    // A device's store is opened, or made.
    "device.store.step",
    "device.store.before_commit",
    "device.store.after_commit",
    "device.key.drafted",
    "device.key.linked",
    "device.instance.drafted",
    "device.instance.named",
    "device.open.before_commit",
    "device.open.after_commit",
    "device.rebuild.before_commit",
    "device.schema.before_commit",
    "device.schema.after_commit",
    // A store is encrypted.
    "device.keep.drafted",
    "device.keep.linked",
    "device.seal.held",
    "device.seal.exported",
    "device.seal.proven",
    "device.seal.marked",
    "device.seal.before_name",
    "device.seal.named",
    // What can be read of a torn store takes its place.
    "device.salvage.drafted",
    "device.salvage.linked",
    "device.salvage.named",
    // A device is enrolled, and gets its tokens.
    "device.enroll.before_commit",
    "device.enroll.after_commit",
    "device.nonce.after_commit",
    "device.tokens.before_commit",
    "device.tokens.after_commit",
    // People type.
    "device.edit.before_commit",
    "device.edit.after_commit",
    "device.import.after_batch",
    // A device talks with its server.
    "device.answers.before_commit",
    "device.answers.after_commit",
    "device.pull.before_purge",
    "device.pull.before_commit",
    "device.pull.after_commit",
    "device.cursor.before_commit",
    "device.cursor.after_commit",
    "device.resend.before_commit",
    "device.resend.after_commit",
    "device.resent.before_commit",
    "device.resent.after_commit",
    "device.sweep.before",
    "device.sweep.after",
    // The office turned a device away.
    "device.review.before_commit",
    "device.review.after_commit",
    "device.leave.before_commit",
    "device.leave.after_commit",
    "device.wipe.drafted",
    "device.wipe.ordered",
    "device.wipe.marked",
    "device.wipe.key_zeroed",
    "device.wipe.key_destroyed",
    "device.wipe.file",
    "device.wipe.files_gone",
    "device.wipe.mark_gone",
    // A server opens its data, or makes it.
    "server.migrate.step",
    "server.migrate.before_commit",
    "server.migrate.after_commit",
    "server.ledger.before_name",
    "server.ledger.named",
    "server.ledger.before_known",
    "server.file.drafted",
    "server.file.linked",
    // A server writes.
    "server.write.before_commit",
    "server.write.after_commit",
    "server.ledger.before_append",
    "server.ledger.before_sync",
    "server.ledger.after_sync",
    "server.ledger.before_forget",
    "server.push.before_commit",
    "server.push.after_commit",
    "server.push.before_answer",
    "server.office.before_commit",
    "server.office.after_commit",
    "server.merge.before_commit",
    "server.merge.after_commit",
    "server.enrol.before_commit",
    "server.enrol.after_commit",
    "server.tokens.before_commit",
    "server.tokens.after_commit",
    "server.revoke.before_commit",
    "server.revoke.after_commit",
    "server.review.before_commit",
    "server.review.after_commit",
    "server.erase.before_commit",
    "server.erase.before_sweep",
    "server.erase.after_sweep",
    // What can be read of torn data takes its place.
    "server.salvage.drafted",
    "server.salvage.linked",
    "server.salvage.named",
    // Backups are made and put back.
    "server.backup_key.begun",
    "server.person_keys.begun",
    "server.person_keys.before_slots",
    "server.person_keys.new_begun",
    "server.backup.copied",
    "server.backup.sealed",
    "server.backup.keys_copied",
    "server.backup.written",
    "server.backup.described",
    "server.backup.named",
    "server.restore.opened",
    "server.restore.prepared",
    "server.restore.aside",
    "server.restore.keys_written",
    "server.restore.named",
];

/// Says that the process has got to a point; it stops there if a test asked for it.
#[inline]
pub fn reach(name: &'static str) {
    #[cfg(debug_assertions)]
    stop::at(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

#[cfg(debug_assertions)]
mod stop {
    use std::{
        sync::{
            LazyLock,
            atomic::{AtomicU64, Ordering},
        },
        thread,
    };

    use super::{POINTS, STOP_AT, STOPPED};

    /// The point at which to stop, and at which time.
    static ASKED: LazyLock<Option<(String, u64)>> =
        LazyLock::new(|| std::env::var(STOP_AT).ok().map(|text| parse(&text)));
    /// How often this process got there.
    static TIMES: AtomicU64 = AtomicU64::new(0);

    pub(super) fn at(name: &'static str) {
        debug_assert!(POINTS.contains(&name), "{name} is not in the list of points");
        let Some((asked, time)) = &*ASKED else { return };
        if asked == name && TIMES.fetch_add(1, Ordering::SeqCst) + 1 == *time {
            eprintln!("{STOPPED}{name}");
            loop {
                thread::park();
            }
        }
    }

    pub(super) fn parse(text: &str) -> (String, u64) {
        match text.rsplit_once(':') {
            Some((name, time)) => (name.to_owned(), time.parse().unwrap_or(1)),
            None => (text.to_owned(), 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_point_is_listed_once_by_three_words() {
        let all: BTreeSet<_> = POINTS.iter().collect();
        assert_eq!(all.len(), POINTS.len());
        for name in POINTS {
            let words: Vec<&str> = name.split('.').collect();
            let is_plain = |word: &&str| {
                !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            };
            assert!(matches!(words[..], ["device" | "server", _, _]), "{name}");
            assert!(words.iter().all(is_plain), "{name}");
        }
    }

    #[cfg(debug_assertions)]
    #[test]
    fn a_point_is_asked_for_by_its_name_and_a_number() {
        assert_eq!(stop::parse("device.edit.before_commit:3").1, 3);
        assert_eq!(
            stop::parse("device.edit.before_commit"),
            ("device.edit.before_commit".into(), 1)
        );
        // Nobody asked for it: the process goes on.
        reach("device.edit.before_commit");
    }
}
