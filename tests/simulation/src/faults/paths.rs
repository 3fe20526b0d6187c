//! The storage paths: everything that a device or a server writes or reads by, one by one.

use std::{fs, path::PathBuf};

use super::town::{EDITOR, NEWCOMER, Town};
use crate::Failure;

/// Whose disk fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// That of a phone.
    Phone(usize),
    /// The server's.
    Server,
}

impl Side {
    /// The folder whose disk fails.
    pub(super) fn folder(self, town: &Town) -> PathBuf {
        match self {
            Self::Phone(at) => town.phone_folder(at),
            Self::Server => town.data(),
        }
    }
}

/// What may be found when a path was broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Steps {
    /// One transaction: all of it, or nothing.
    One,
    /// Several: some of them.
    Several,
    /// As several, and what is drawn is the system's: what it comes to is never the same twice.
    Drawn,
}

/// What is open when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
    /// Phone or server, as they are while people work.
    Open,
    /// Nothing: opening is part of it.
    Closed,
}

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoragePath {
    pub(super) name: &'static str,
    pub(super) side: Side,
    pub(super) steps: Steps,
    pub(super) begins: Begins,
    /// What happened before, on a disk that works.
    pub(super) prepare: fn(&mut Town) -> Result<(), Failure>,
    /// What is done; its answer is the same whenever it says that it succeeded.
    pub(super) act: fn(&mut Town) -> Result<String, Failure>,
    /// Whether phones hold what the server holds at the end; else they only agree with each other.
    pub(super) is_seen_by_all: bool,
    /// Whether what follows from documents, or is known of the server, is not there meanwhile and made anew.
    pub(super) leaves_rows: bool,
}

impl StoragePath {
    pub(super) const fn on_phone(
        name: &'static str,
        steps: Steps,
        act: fn(&mut Town) -> Result<String, Failure>,
    ) -> Self {
        Self {
            name,
            side: Side::Phone(EDITOR),
            steps,
            begins: Begins::Open,
            prepare: nothing,
            act,
            is_seen_by_all: true,
            leaves_rows: false,
        }
    }

    pub(super) const fn on_server(
        name: &'static str,
        steps: Steps,
        act: fn(&mut Town) -> Result<String, Failure>,
    ) -> Self {
        Self { side: Side::Server, ..Self::on_phone(name, steps, act) }
    }

    pub(super) const fn after(self, prepare: fn(&mut Town) -> Result<(), Failure>) -> Self {
        Self { prepare, ..self }
    }

    pub(super) const fn beginning_closed(self) -> Self {
        Self { begins: Begins::Closed, ..self }
    }

    pub(super) const fn of_newcomer(self) -> Self {
        Self { side: Side::Phone(NEWCOMER), ..self }
    }

    pub(super) const fn leaving_rows(self) -> Self {
        Self { leaves_rows: true, ..self }
    }

    pub(super) const fn hidden_from_phones(self) -> Self {
        Self { is_seen_by_all: false, ..self }
    }
}

fn nothing(_: &mut Town) -> Result<(), Failure> {
    Ok(())
}

/// All of them: those of phones, those of the server, and those on which something is made good.
pub(super) fn all() -> impl Iterator<Item = &'static StoragePath> {
    use super::{desk, device, member, mend, office};
    [device::PATHS, member::PATHS, office::PATHS, desk::PATHS, mend::PATHS].into_iter().flatten()
}

/// Leaves nothing of a folder.
pub(super) fn empty(folder: &std::path::Path) -> Result<(), Failure> {
    fs::remove_dir_all(folder)?;
    fs::create_dir_all(folder)?;
    Ok(())
}
