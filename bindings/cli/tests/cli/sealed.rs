//! A device whose folder was stolen: what is found in it, with encryption and without.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use serde_json::Value as Json;
use tempfile::TempDir;

use crate::support::{Done, finish, program};

/// What is looked for.
const CANARY: &str = "Zqcanaryhuhn";
/// Whether the program can encrypt.
const CAN_ENCRYPT: bool = cfg!(feature = "sqlcipher");

/// A device with folders for records, settings and temporary files.
struct Device {
    root: TempDir,
    said: String,
}

impl Device {
    fn new() -> Self {
        let device = Self { root: tempfile::tempdir().unwrap(), said: String::new() };
        for name in ["home", "settings", "temporary"] {
            fs::create_dir(device.root.path().join(name)).unwrap();
        }
        device
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = program(&self.folder("home"));
        command
            .env("XDG_CONFIG_HOME", self.folder("settings"))
            .env("HOME", self.folder("settings"));
        command.env("TMPDIR", self.folder("temporary")).args(args);
        command
    }

    fn run(&mut self, args: &[&str], input: &str) -> Done {
        let done = finish(&mut self.command(args), input);
        self.said.push_str(&done.stderr);
        done
    }

    fn json(&mut self, args: &[&str]) -> Json {
        let done = self.run(&[&["--json"], args].concat(), "");
        assert_eq!(done.code, 0, "{args:?}: {done:?}");
        done.json()
    }

    /// Writes, searches, notes, imports and exchanges, with the canary everywhere.
    fn work(&mut self, more: &[&str]) {
        let call = |args: &[&str]| [more, args].concat().join("\u{1}");
        let name = format!("company_name={CANARY} & Co");
        let lines = [
            call(&["init"]),
            call(&["create", "customer", &name, &format!("tags={CANARY}")]),
            call(&["search", CANARY]),
            call(&["list", "customer", "--sort", "company_name"]),
            call(&["duplicates", "customer"]),
        ];
        for line in lines {
            let args: Vec<&str> = line.split('\u{1}').collect();
            self.json(&args);
        }
        let file = self.root.path().join("import.csv");
        let rows: String = (0..50).map(|n| format!("{n},{CANARY} {n}\n")).collect();
        fs::write(&file, format!("id,name\n{rows}")).unwrap();
        let path = file.to_str().unwrap().to_owned();
        let import = [more, &["import", &path, "--yes", "--entity", "customer"]].concat();
        let done = self.run(&import, "");
        assert_eq!(done.code, 0, "{done:?}");
        fs::remove_file(file).unwrap();
    }
}

/// Files below a folder that hold a text, with the number of hits.
fn hits(folder: &Path, text: &str) -> Vec<(PathBuf, usize)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(hits(&path, text));
        } else {
            let bytes = fs::read(&path).unwrap();
            let lower = text.to_lowercase();
            let count = [text.as_bytes(), lower.as_bytes()]
                .iter()
                .map(|what| bytes.windows(what.len()).filter(|part| part == what).count())
                .sum();
            if count > 0 {
                found.push((path, count));
            }
        }
    }
    found
}

#[test]
fn a_plain_device_gives_everything_away() {
    let mut device = Device::new();
    device.work(&["--key-file", "plain"]);
    let found = hits(&device.folder("home"), CANARY);
    assert!(found.iter().map(|(_, count)| count).sum::<usize>() > 50, "{found:?}");
    assert_eq!(device.json(&["--key-file", "plain", "status"])["encrypted"], false);
}

#[test]
fn an_encrypted_device_gives_nothing_away() {
    let mut device = Device::new();
    if !CAN_ENCRYPT {
        let key = device.folder("settings/key");
        let done = device.run(&["--json", "--key-file", key.to_str().unwrap(), "init"], "");
        assert_eq!(done.failure(), (1, "no_encryption".to_owned()));
        assert!(hits(&device.folder("home"), "SQLite").is_empty() && !key.exists());
        return;
    }
    device.work(&[]);
    // A process that is killed in the middle leaves its log behind.
    let mut child = device.command(&["--json", "batch"]).spawn().unwrap();
    {
        use std::io::Write as _;
        let mut input = child.stdin.take().unwrap();
        for n in 0..20 {
            let fields = format!("{{\"company_name\":\"{CANARY} killed {n}\"}}");
            writeln!(input, "{{\"do\":\"create\",\"entity\":\"customer\",\"fields\":{fields}}}")
                .unwrap();
        }
        input.flush().unwrap();
        let mut first = [0];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(device.folder("home/outrider.db-wal").exists(), "the log of the killed one is here");
    for text in [CANARY, "company_name", "SQLite format 3"] {
        assert_eq!(hits(device.root.path(), text), [], "{text}");
    }
    // The key lies with the settings, and nowhere else.
    let keys: Vec<_> = fs::read_dir(device.folder("settings/outrider/keys")).unwrap().collect();
    assert_eq!(keys.len(), 1);
    let path = keys.into_iter().next().unwrap().unwrap().path();
    let key = fs::read_to_string(&path).unwrap();
    assert_eq!(hits(device.root.path(), key.trim()).len(), 1);
    assert!(!device.said.contains(key.trim()), "the key is told to nobody");
    let status = device.json(&["status"]);
    assert_eq!(status["encrypted"], true);
    // Without it: what is missing, where, and nothing is made in its place.
    let aside = device.folder("aside");
    fs::rename(&path, &aside).unwrap();
    assert_eq!(device.run(&["--json", "status"], "").failure(), (1, "key_missing".to_owned()));
    assert_eq!(
        device.run(&["--json", "--key-file", "plain", "status"], "").failure(),
        (1, "encrypted".to_owned())
    );
    fs::write(&path, "22".repeat(32)).unwrap();
    assert_eq!(device.run(&["--json", "status"], "").failure(), (1, "key_wrong".to_owned()));
    fs::rename(&aside, &path).unwrap();
    assert_eq!(device.json(&["status"])["records"], status["records"]);
    // A copy for support says that it is plain before it is.
    let copy = device.root.path().join("copy");
    let copy = copy.to_str().unwrap();
    let refused = device.run(&["--json", "store", "export", copy], "");
    assert_eq!(refused.failure(), (6, "plain".to_owned()));
    assert!(!Path::new(copy).exists());
    assert_eq!(device.json(&["store", "export", copy, "--plain"])["holds"]["was_encrypted"], true);
}

/// Of several processes that come upon a plain store together, one encrypts it and all go on.
#[test]
fn processes_that_begin_together_encrypt_a_store_once() {
    if !CAN_ENCRYPT {
        return;
    }
    let mut device = Device::new();
    device.work(&["--key-file", "plain"]);
    let before = device.json(&["--key-file", "plain", "status"]);
    let start = |_| device.command(&["--json", "status"]).spawn().unwrap();
    let together: Vec<_> = (0..6).map(start).collect();
    for process in together {
        let output = process.wait_with_output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words}");
        let found: Json = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&found["records"], &found["encrypted"]), (&before["records"], &true.into()));
    }
    assert_eq!(hits(&device.folder("home"), CANARY), []);
    assert_eq!(fs::read_dir(device.folder("settings/outrider/keys")).unwrap().count(), 1);
    assert!(!device.folder("home/outrider.db.sealing.lock").exists());
}

/// Plain stores that are being encrypted by processes which are killed lose nothing.
#[test]
fn a_killed_migration_loses_nothing() {
    if !CAN_ENCRYPT {
        return;
    }
    let seed = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    eprintln!("OUTRIDER_SEED={seed}");
    let mut device = Device::new();
    device.json(&["--key-file", "plain", "init"]);
    let commands: String = (0..300)
        .map(|n| {
            let fields = format!("{{\"company_name\":\"{CANARY} {n}\",\"notes\":\"{n}\"}}");
            format!("{{\"do\":\"create\",\"entity\":\"customer\",\"fields\":{fields}}}\n")
        })
        .collect();
    assert_eq!(device.run(&["--key-file", "plain", "batch"], &commands).code, 0);
    let home = device.folder("home");
    let kept = device.folder("kept");
    copy_folder(&home, &kept);
    // How long it takes undisturbed, to kill at every part of it.
    let begun = SystemTime::now();
    let whole = device.json(&["status"]);
    let took = begun.elapsed().unwrap();
    assert_eq!(whole["records"].as_array().map(Vec::len), Some(1));
    let (mut dice, mut broken_off) = (seed, 0);
    for round in 0..12 {
        fs::remove_dir_all(&home).unwrap();
        fs::remove_dir_all(device.folder("settings/outrider")).unwrap();
        copy_folder(&kept, &home);
        for _ in 0..3 {
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let mut child = device.command(&["--json", "status"]).spawn().unwrap();
            let share = (dice >> 33) % 1_000;
            std::thread::sleep(took.mul_f64(share as f64 / 1_000.0) + Duration::from_micros(50));
            child.kill().unwrap();
            broken_off += usize::from(!child.wait().unwrap().success());
        }
        let found = device.json(&["status"]);
        for name in ["records", "waiting", "encrypted"] {
            assert_eq!(found[name], whole[name], "{name} in round {round}");
        }
        assert_eq!(device.json(&["check"])["differing"], 0);
        assert_eq!(hits(&home, CANARY), [], "round {round}");
    }
    eprintln!("{broken_off} of 36 processes were killed before their end ({took:?})");
    assert!(broken_off > 0);
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
