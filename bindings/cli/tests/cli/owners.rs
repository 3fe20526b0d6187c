//! Files and folders that the system keeps from whoever runs the program: a plain sentence with what
//! to do, in both languages, and nothing is changed.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value as Json;
use tempfile::TempDir;

use crate::support::{Done, finish, program};

/// Who owns nothing here (`nobody`).
const NOBODY: &str = "65534";

/// A folder that everybody may enter, with a copy of the program in it: the one that was built may lie
/// where nobody else gets.
struct Place {
    folder: TempDir,
}

impl Place {
    /// None where this user cannot become another one.
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        set_mode(folder.path(), 0o755);
        let copy = folder.path().join("outrider");
        let built = env!("CARGO_BIN_EXE_outrider");
        fs::hard_link(built, &copy).or_else(|_| fs::copy(built, &copy).map(drop)).unwrap();
        let place = Self { folder };
        let tried = place.as_nobody().arg("--version").output();
        if tried.is_ok_and(|tried| tried.status.success()) {
            return Some(place);
        }
        eprintln!("skipped: this user cannot run a program as another one");
        None
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program, run by somebody who owns nothing.
    fn as_nobody(&self) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--"]);
        command.arg(self.path("outrider")).env("LANG", "C").env_remove("LC_ALL");
        command.env("HOME", "/nonexistent").env_remove("XDG_CONFIG_HOME");
        // Where lines are counted: it may not write the counts where everybody else does.
        command.env("LLVM_PROFILE_FILE", "/dev/null");
        command
    }

    fn try_at(&self, home: &Path, language: &str, args: &[&str]) -> Done {
        let mut command = self.as_nobody();
        command.env("OUTRIDER_HOME", home).args(["--json", "--language", language]).args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        finish(&mut command, "")
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Everything in a folder, byte by byte.
fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

#[test]
fn a_device_whose_files_are_anothers_says_so_and_changes_nothing() {
    let Some(place) = Place::new() else { return };
    let home = place.path("device");
    fs::create_dir(&home).unwrap();
    assert_eq!(finish(program(&home).arg("init"), "").code, 0);
    let made = finish(program(&home).args(["create", "customer", "company_name=Acme"]), "");
    assert_eq!(made.code, 0, "{made:?}");
    let before = content(&home);
    // The folder's mode, the files' mode: nothing may be read, all may be read, only the folder or
    // only the files may be written.
    for (folder, files) in [(0o700, 0o600), (0o755, 0o600), (0o755, 0o644), (0o755, 0o666)] {
        for path in before.keys() {
            set_mode(path, files);
        }
        set_mode(&home, folder);
        for args in [&["create", "customer", "company_name=New"][..], &["list", "customer"]] {
            let (english, chinese) =
                (place.try_at(&home, "en", args), place.try_at(&home, "zh", args));
            let case = format!("{folder:o} {files:o} {args:?}: {english:?} {chinese:?}");
            assert!(english.code != 0 && chinese.code == english.code, "{case}");
            let message = |done: &Done| {
                let error: Json = serde_json::from_str(&done.stderr).expect(&case);
                assert_eq!(error["error"]["code"], "denied", "{case}");
                error["error"]["message"].as_str().unwrap().to_owned()
            };
            assert!(message(&english).contains("belongs to another user"), "{case}");
            assert!(message(&chinese).contains("属于其他用户"), "{case}");
            assert_eq!(content(&home), before, "{case}");
        }
    }
    // The owner goes on.
    let listed = finish(program(&home).args(["--json", "list", "customer"]), "");
    assert!(listed.stdout.contains("Acme"), "{listed:?}");
}

/// Each file by itself: it can be read and not written, or neither.
#[test]
fn a_device_of_which_one_file_is_anothers_says_so_or_goes_on_and_loses_nothing() {
    let Some(place) = Place::new() else { return };
    let create = |home: &Path, name: &str| {
        let name = format!("company_name={name}");
        place.try_at(home, "en", &["create", "customer", &name])
    };
    let own = |path: &Path, user: u32, mode: u32| {
        chown(path, Some(user), Some(user)).unwrap();
        set_mode(path, mode);
    };
    let nobody: u32 = NOBODY.parse().unwrap();
    let home = place.path("device");
    fs::create_dir(&home).unwrap();
    own(&home, nobody, 0o700);
    assert_eq!(place.try_at(&home, "en", &["init"]).code, 0);
    let mut names = vec!["First".to_owned()];
    assert_eq!(create(&home, "First").code, 0);
    let mut refused = 0;
    for file in content(&home).into_keys() {
        for mode in [0o444, 0o600] {
            own(&file, 0, mode);
            let name = format!("Number{}", names.len());
            let done = create(&home, &name);
            let case = format!("{} {mode:o}: {done:?}", file.display());
            if done.code == 0 {
                names.push(name);
            } else {
                let error: Json = serde_json::from_str(&done.stderr).expect(&case);
                assert_eq!(error["error"]["code"], "denied", "{case}");
                let message = error["error"]["message"].as_str().unwrap();
                assert!(message.contains("belongs to another user"), "{case}");
                refused += 1;
            }
            for path in content(&home).keys() {
                own(path, nobody, 0o600);
            }
            let listed = place.try_at(&home, "en", &["list", "customer"]);
            assert_eq!(listed.code, 0, "{case} {listed:?}");
            assert!(names.iter().all(|name| listed.stdout.contains(name)), "{case} {listed:?}");
        }
    }
    assert!(refused >= 2, "a database that is another's is refused");
}

#[test]
fn a_server_whose_data_is_anothers_says_so_and_changes_nothing() {
    let Some(place) = Place::new() else { return };
    let data = place.path("server");
    drop(outrider_sync_server::storage::sqlite::SqliteStorage::open(&data).unwrap());
    fs::write(data.join("server.lock"), b"").unwrap();
    let before = content(&data);
    for (folder, files) in [(0o700, 0o600), (0o755, 0o600), (0o755, 0o644), (0o755, 0o666)] {
        for path in before.keys() {
            set_mode(path, files);
        }
        set_mode(&data, folder);
        for words in ["serve --listen 127.0.0.1:0 --data", "server code --user anna --data"] {
            let words: Vec<&str> = words.split(' ').chain([data.to_str().unwrap()]).collect();
            let mut command = place.as_nobody();
            let done = command.args(&words).output().unwrap();
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            let case = format!("{folder:o} {files:o} {words:?}: {said}");
            assert_eq!(done.status.code(), Some(1), "{case}");
            assert!(said.contains("belongs to another user"), "{case}");
            assert_eq!(content(&data), before, "{case}");
        }
    }
}
