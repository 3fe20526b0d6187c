//! What a disk holds of a file: what was synced, and what was written since in an order of the disk's own.

use std::mem;

/// A disk writes these whole or not at all.
const SECTOR_BYTES: usize = 512;

/// Something that was done to a file and not synced.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Write {
        at: usize,
        bytes: Vec<u8>,
    },
    Truncate(usize),
    /// It was removed. What follows is another file under the same name.
    Delete,
}

/// A file as the disk has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shadow {
    synced: Option<Vec<u8>>,
    since: Vec<Step>,
}

impl Shadow {
    /// A file of which everything is durable; none if it is not there.
    pub(crate) fn of(content: Option<Vec<u8>>) -> Self {
        Self { synced: content, since: Vec::new() }
    }

    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) {
        self.since.push(Step::Write { at, bytes: bytes.to_vec() });
    }

    pub(crate) fn truncate(&mut self, length: usize) {
        self.since.push(Step::Truncate(length));
    }

    /// It was removed; durably if the folder was synced with it.
    pub(crate) fn delete(&mut self, is_synced: bool) {
        if is_synced {
            *self = Self::of(None);
        } else {
            self.since.push(Step::Delete);
        }
    }

    /// Whether it was removed, and that was not synced.
    pub(crate) fn is_removed(&self) -> bool {
        self.since.contains(&Step::Delete)
    }

    /// Everything so far is durable.
    pub(crate) fn sync(&mut self) {
        let is_new = self.since.is_empty() && self.synced.is_none();
        for step in mem::take(&mut self.since) {
            apply(&mut self.synced, step);
        }
        if is_new {
            self.synced = Some(Vec::new());
        }
    }

    /// The folder was synced: it stays removed, if it was.
    pub(crate) fn sync_name(&mut self) {
        if let Some(last) = self.since.iter().rposition(|step| *step == Step::Delete) {
            self.since.drain(..=last);
            self.synced = None;
        }
    }

    /// What was to be synced is given up.
    pub(crate) fn forget(&mut self) {
        self.since.retain(|step| *step == Step::Delete);
    }

    /// What is left when the power fails: what was synced, and of each sector written since whatever
    /// `keeps` says; none if there is no such file.
    pub(crate) fn after_power(&self, mut keeps: impl FnMut() -> bool) -> Option<Vec<u8>> {
        let mut content = self.synced.clone();
        for step in &self.since {
            match step {
                Step::Delete | Step::Truncate(_) => {
                    let is_kept = keeps();
                    if is_kept {
                        apply(&mut content, step.clone());
                    } else if *step == Step::Delete {
                        // The old file is still there; what followed went to another one.
                        break;
                    }
                }
                Step::Write { at, bytes } => {
                    let mut done = 0;
                    while done < bytes.len() {
                        // A piece ends where a sector of the disk does.
                        let end = bytes.len().min(done + SECTOR_BYTES - (at + done) % SECTOR_BYTES);
                        if keeps() {
                            let piece = bytes.get(done..end).unwrap_or_default().to_vec();
                            apply(&mut content, Step::Write { at: at + done, bytes: piece });
                        }
                        done = end;
                    }
                }
            }
        }
        content
    }
}

fn apply(content: &mut Option<Vec<u8>>, step: Step) {
    match step {
        Step::Delete => *content = None,
        Step::Truncate(length) => content.get_or_insert_default().resize(length, 0),
        Step::Write { at, bytes } => {
            let content = content.get_or_insert_default();
            let end = at + bytes.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            if let Some(place) = content.get_mut(at..end) {
                place.copy_from_slice(&bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn old() -> Shadow {
        Shadow::of(Some(b"old".to_vec()))
    }

    #[test]
    fn what_was_not_synced_is_gone() {
        let mut shadow = old();
        shadow.write(0, b"new and longer");
        assert_eq!(shadow.after_power(|| false), Some(b"old".to_vec()));
        assert_eq!(shadow.after_power(|| true), Some(b"new and longer".to_vec()));
        shadow.sync();
        assert_eq!(shadow.after_power(|| false), Some(b"new and longer".to_vec()));
    }

    #[test]
    fn a_page_arrives_in_sectors() {
        let mut shadow = Shadow::of(Some(vec![0; 4096]));
        shadow.write(0, &[1; 4096]);
        let mut turn = 0;
        let torn = shadow.after_power(|| {
            turn += 1;
            turn % 2 == 0
        });
        let torn = torn.unwrap();
        assert_eq!(turn, 8);
        let sectors: Vec<u8> = torn.chunks(512).map(|sector| sector[0]).collect();
        assert_eq!(sectors, [0, 1, 0, 1, 0, 1, 0, 1]);
        assert!(torn.chunks(512).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
    }

    /// What was written into a new file would otherwise land in the removed one that came back.
    #[test]
    fn a_removal_that_was_lost_brings_the_old_file_back() {
        let mut shadow = old();
        shadow.delete(false);
        shadow.write(0, b"x");
        assert_eq!(shadow.after_power(|| false), Some(b"old".to_vec()));
        assert_eq!(shadow.after_power(|| true), Some(b"x".to_vec()));
        shadow.delete(true);
        assert_eq!(shadow.after_power(|| false), None);
    }

    #[test]
    fn a_removal_is_durable_once_the_folder_was_synced() {
        let mut shadow = old();
        shadow.write(0, b"x");
        shadow.sync_name();
        assert_eq!(shadow.after_power(|| false), Some(b"old".to_vec()));
        shadow.delete(false);
        shadow.write(0, b"new");
        shadow.sync_name();
        assert_eq!(shadow.after_power(|| false), None);
        assert_eq!(shadow.after_power(|| true), Some(b"new".to_vec()));
    }

    #[test]
    fn a_sync_that_failed_gives_up_what_it_was_for() {
        let mut shadow = old();
        shadow.write(0, b"new");
        shadow.forget();
        shadow.write(3, b"er");
        shadow.sync();
        assert_eq!(shadow.after_power(|| false), Some(b"older".to_vec()));
    }

    #[test]
    fn a_new_empty_file_is_there_once_it_was_synced() {
        let mut shadow = Shadow::of(None);
        assert_eq!(shadow.after_power(|| true), None);
        shadow.sync();
        assert_eq!(shadow.after_power(|| false), Some(Vec::new()));
        shadow.truncate(2);
        assert_eq!(shadow.after_power(|| true), Some(vec![0, 0]));
    }
}
