//! A small office that is opened once, and of which every story gets a copy.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::office::Office;
use crate::Failure;

/// Who has a device.
pub(super) const USERS: [&str; 3] = ["anna", "ben", "carla"];
/// Whose device was let in after the backup, and is still.
pub(super) const LATE: &str = "dora";
/// Whose device was turned away after the backup.
pub(super) const GONE: &str = "emil";
/// What the person is called who is erased in stories; no other word of any file has it.
pub(super) const CANARY: &str = "zzyzxcanary";
/// Names that were acknowledged before the backup and after it.
pub(super) const NAMES: [&str; 2] = ["Before the backup", "After the backup"];
/// Name of the private key's file.
const KEY: &str = "backup.key";

/// The office that is copied. Its server does not run.
#[derive(Debug)]
pub(super) struct Ground {
    folder: TempDir,
    office: Office,
    /// A record that all write in.
    pub(super) shared: String,
    /// One of each user, in which nobody else writes.
    pub(super) own: Vec<String>,
    /// A person.
    pub(super) person: String,
    /// The public half of the key of backups.
    pub(super) recipient: String,
    /// Name of the backup's file.
    backup: PathBuf,
}

impl Ground {
    /// Opens the office.
    pub(super) fn open(program: &Path) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let mut office = Office::closed(program, folder.path(), "http://127.0.0.1:0");
        office.start(None)?;
        let devices = USERS.map(|user| office.enrol(user));
        let devices = devices.into_iter().collect::<Result<Vec<_>, _>>()?;
        let customer = |name: &str| json!({"do": "create", "entity": "customer", "fields": {"company_name": name}});
        let sync = json!({"do": "sync"});
        let mut ids = Vec::new();
        for (device, name) in devices.iter().zip(USERS) {
            let made = device.batch(&[customer(name), customer(NAMES[0]), sync.clone()])?;
            ids.push(id_of(made.first()));
            if name == USERS[0] {
                let fields = json!({"company_name": format!("Li {CANARY}"), "notes": CANARY});
                let person = json!({"do": "create", "entity": "customer", "fields": fields});
                let made = device.batch(&[customer("shared"), person, sync.clone()])?;
                ids.extend([id_of(made.first()), id_of(made.get(1))]);
            }
        }
        let [first, shared, person, rest @ ..] = &ids[..] else { return Err("no records".into()) };
        let (shared, person) = (shared.clone(), person.clone());
        let own = [std::slice::from_ref(first), rest].concat();
        let key = folder.path().join(KEY);
        let made = office.run(&["backup-key", "--json", "--out", text(&key)?])?;
        let recipient = word_of(&made, "public_key");
        let to = folder.path().join("backups");
        let order = ["backup", "--json", "--recipient", &recipient, "--to", text(&to)?];
        let made = office.run(&order)?;
        let backup = PathBuf::from(word_of(&made, "file")).strip_prefix(folder.path())?.to_owned();
        for device in &devices {
            device.batch(&[customer(NAMES[1]), sync.clone()])?;
        }
        office.enrol(LATE)?;
        office.enrol(GONE)?;
        let gone = word_of(&office.standing(GONE)?, "device");
        office.run(&["device", "revoke", &gone, "--json"])?;
        for device in &devices {
            device.run(&["sync"])?;
        }
        office.kill()?;
        Ok(Self { folder, office, shared, own, person, recipient, backup })
    }

    /// A copy, whose server does not run. There is one at a time: all listen on the same address.
    pub(super) fn copy(&self) -> Result<(TempDir, Office), Failure> {
        let folder = tempfile::tempdir()?;
        copy_folder(self.folder.path(), folder.path())?;
        let office = Office::closed(&self.office.program, folder.path(), &self.office.url);
        Ok((folder, office))
    }

    /// The backup in a copy, and the private key that opens it.
    pub(super) fn backup_in(&self, office: &Office) -> (PathBuf, PathBuf) {
        (office.folder.join(&self.backup), office.folder.join(KEY))
    }

    pub(super) fn program(&self) -> &Path {
        &self.office.program
    }
}

/// A path as an argument.
pub(super) fn text(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| "a path that is not Unicode".into())
}

/// A word of an answer.
pub(super) fn word_of(json: &Json, name: &str) -> String {
    json.get(name).and_then(Json::as_str).unwrap_or_default().to_owned()
}

fn id_of(answer: Option<&Json>) -> String {
    answer.map(|answer| word_of(answer, "record")).unwrap_or_default()
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
