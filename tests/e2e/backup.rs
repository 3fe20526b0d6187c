//! Backups of a server at work, put back elsewhere and in place.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value as Json, json};

use crate::world::Office;

/// Backups that are made while devices push.
const BACKUPS: usize = 4;
/// Kills of one command.
const KILLS: usize = 12;
/// Longest life of a command that is killed, in milliseconds: now and then one ends by itself.
const LIFE_MS_MAX: u64 = 400;

fn customer(name: &str) -> Json {
    json!({"do": "create", "entity": "customer", "fields": {"company_name": name, "notes": name}})
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A pair of keys: the public half, and the file of the private one.
fn keys(office: &Office) -> (String, PathBuf) {
    let file = office.folder.path().join("backup.key");
    let made = office.command(&["backup-key", "--json", "--out", text(&file)]);
    (made["public_key"].as_str().unwrap().to_owned(), file)
}

fn back_up(office: &Office, recipient: &str) -> (PathBuf, Json) {
    let to = office.folder.path().join("backups");
    let made = office.command(&["backup", "--json", "--recipient", recipient, "--to", text(&to)]);
    (PathBuf::from(made["file"].as_str().unwrap()), made)
}

#[test]
fn backups_made_while_devices_push_are_whole_and_nothing_stands_still() {
    let office = Office::start();
    let devices = [office.device("anna"), office.device("ben"), office.device("carla")];
    let (recipient, key) = keys(&office);
    let (is_done, rounds) = (AtomicBool::new(false), AtomicU32::new(0));
    let mut positions = Vec::new();
    let backups = std::thread::scope(|scope| {
        for (n, device) in devices.iter().enumerate() {
            let (is_done, rounds) = (&is_done, &rounds);
            scope.spawn(move || {
                for round in 0.. {
                    if is_done.load(Ordering::Relaxed) {
                        break;
                    }
                    let names: Vec<Json> =
                        (0..20).map(|at| customer(&format!("C-{n}-{round}-{at}"))).collect();
                    device.batch(&names);
                    let summary = device.sync();
                    assert_eq!(summary["waiting"], 0, "{summary}");
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut backups = Vec::new();
        for _ in 0..BACKUPS {
            // A backup begins when something was pushed since the one before.
            let before = rounds.load(Ordering::Relaxed);
            while rounds.load(Ordering::Relaxed) < before + 2 {
                std::thread::yield_now();
            }
            let (file, made) = back_up(&office, &recipient);
            positions.push(made["position"].as_u64().unwrap());
            backups.push(file);
        }
        is_done.store(true, Ordering::Relaxed);
        backups
    });
    println!("{} rounds of pushes, backups at {positions:?}", rounds.load(Ordering::Relaxed));
    assert!(positions.is_sorted_by(|one, other| one < other), "{positions:?}");
    for (n, backup) in backups.iter().enumerate() {
        // The ledger of a drill is a copy: the real one is not for trying.
        let elsewhere = office.folder.path().join(format!("elsewhere-{n}"));
        fs::create_dir(&elsewhere).unwrap();
        fs::copy(office.data().join("ledger"), elsewhere.join("ledger")).unwrap();
        let put = ["restore", text(backup), "--identity", text(&key), "--json"];
        let to = ["--data", text(&elsewhere)];
        let restored = office.command(&[&put[..], &to].concat());
        assert_eq!(restored["position"], positions[n], "{restored}");
        let found = office.command(&["verify", "--json", "--data", text(&elsewhere)]);
        assert_eq!(found["problem_count"], 0, "{found}");
        assert!(found["documents"].as_u64().unwrap() > 0, "{found}");
        let found = office.command(&["verify", "--json", text(backup), "--identity", text(&key)]);
        assert_eq!(found["problem_count"], 0, "{found}");
    }
    let found = office.command(&["verify", "--json"]);
    assert_eq!(found["problem_count"], 0, "beside a running server: {found}");
}

#[test]
fn a_device_enrolled_after_the_backup_goes_on_and_the_server_gets_everything_back() {
    let mut office = Office::start();
    let (anna, ben) = (office.device("anna"), office.device("ben"));
    let made = anna.batch(&[customer("before the backup")]);
    let id = made[0]["record"].as_str().unwrap().to_owned();
    anna.sync();
    ben.sync();
    let (recipient, key) = keys(&office);
    let (backup, _) = back_up(&office, &recipient);

    let carla = office.device("carla");
    carla.batch(&[customer("by carla, after the backup")]);
    carla.sync();
    anna.batch(&[
        customer("by anna, after the backup"),
        json!({"do": "edit", "record": id, "fields": {"visits": {"add": 3}}}),
    ]);
    anna.sync();
    ben.sync();
    let rows = ben.rows();

    let put = ["restore", text(&backup), "--identity", text(&key), "--replace", "--json"];
    let refused = office.attempt(&put);
    assert!(!refused.status.success(), "a server runs");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another server uses"));
    office.stop();
    let restored = office.command(&put);
    // Carla's device, and nothing else: the office wrote under its prefix before.
    assert_eq!(restored["devices_from_ledger"].as_u64(), Some(carlas(&office)), "{restored}");
    assert!(Path::new(restored["aside"].as_str().unwrap()).join("outrider.db").exists());
    office.start_again();

    for device in [&carla, &anna, &ben] {
        let summary = device.sync();
        assert_eq!(summary["is_server_restored"], true, "{summary}");
    }
    for device in [&carla, &anna, &ben, &carla, &anna, &ben] {
        device.sync();
    }
    assert_eq!(carla.rows(), anna.rows());
    assert_eq!(ben.rows(), anna.rows());
    for row in &rows {
        let name = row.split(' ').take(2).collect::<Vec<_>>().join(" ");
        assert!(anna.rows().iter().any(|row| row.starts_with(&name)), "{name} is lost");
    }
    assert_eq!(anna.json(&["get", &id])["visits"], 3);
    let found = office.command(&["verify", "--json"]);
    assert_eq!(found["problem_count"], 0, "{found}");
    let idle = carla.sync();
    assert_eq!((&idle["pushed"], &idle["waiting"]), (&json!(0), &json!(0)), "{idle}");
    // What devices wrote is back. What the office itself wrote after the backup, here the record of
    // the user carla, no device can send as it was; whether it is back by now is not asked here.
    let rows: Vec<String> =
        office_rows(&office).into_iter().filter(|row| !row.starts_with("user ")).collect();
    let held = anna.rows().into_iter().filter(|row| !row.starts_with("user "));
    assert_eq!(rows, held.collect::<Vec<_>>());
    // Nobody gets a prefix that was given out: all of them are in the ledger, each once.
    let ledger = fs::read_to_string(office.data().join("ledger")).unwrap();
    let mut prefixes: Vec<String> = ledger
        .lines()
        .filter_map(|line| serde_json::from_str::<Json>(line.split_once(' ')?.1).ok())
        .filter_map(|line| Some(line["enrolled"]["prefix"].as_str()?.to_owned()))
        .collect();
    let count = prefixes.len();
    prefixes.sort();
    prefixes.dedup();
    assert!(count >= 3 && prefixes.len() == count, "{ledger}");
}

/// All typed rows of the server, as devices show theirs.
fn office_rows(office: &Office) -> Vec<String> {
    let output = office.device("reader");
    output.sync();
    output.rows()
}

/// How many entries of the ledger came with carla's enrolment.
fn carlas(office: &Office) -> u64 {
    let ledger = fs::read_to_string(office.data().join("ledger")).unwrap();
    ledger.lines().filter(|line| line.contains("\"user\":\"carla\"")).count() as u64
}

#[test]
fn what_was_before_a_restore_is_told_from_what_is_after_it() {
    // A commit that only enrols somebody has no hashes in the chain. Without a mark of its own a
    // restored server would have the same digest at the same position again, and a cursor would
    // fit by accident.
    let mut office = Office::start();
    let (anna, _ben) = (office.device("anna"), office.device("ben"));
    let (recipient, key) = keys(&office);
    let (backup, made) = back_up(&office, &recipient);
    let tablet = office.device_of("ben", "bens-tablet");
    anna.sync();
    office.device_of("ben", "bens-phone");
    office.stop();
    let put = ["restore", text(&backup), "--identity", text(&key), "--replace", "--json"];
    let restored = office.command(&put);
    assert_eq!(restored["devices_from_ledger"], 2, "{restored}");
    office.start_again();
    let summary = anna.sync();
    assert_eq!(summary["is_server_restored"], true, "{made} {summary}");
    tablet.batch(&[customer("by ben's tablet")]);
    tablet.sync();
    anna.sync();
    assert!(anna.rows().join("\n").contains("by ben's tablet"));
}

#[test]
fn commands_that_are_killed_leave_whole_backups_and_whole_data() {
    let seed = std::env::var("OUTRIDER_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(1_u64);
    println!("OUTRIDER_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let mut office = Office::start();
    let anna = office.device("anna");
    let names: Vec<Json> = (0..300).map(|n| customer(&format!("Company {n}"))).collect();
    anna.batch(&names);
    anna.sync();
    let (recipient, key) = keys(&office);
    let to = office.folder.path().join("backups");
    let order = ["backup", "--recipient", &recipient, "--to", text(&to)];
    kill_at_random(&office, &order, &mut rng);
    let (last, _) = back_up(&office, &recipient);
    let files = fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().path());
    let whole: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|end| end == "age")).collect();
    let is_keys = |path: &Path| text(path).ends_with(".keys.age");
    let whole: Vec<&PathBuf> =
        whole.iter().filter(|path| !is_hidden(path) && !is_keys(path)).collect();
    for backup in &whole {
        let found = office.command(&["verify", text(backup), "--identity", text(&key), "--json"]);
        assert_eq!(found["problem_count"], 0, "{found}; OUTRIDER_SEED={seed}");
    }
    office.stop();
    let order = ["restore", text(&last), "--identity", text(&key), "--replace"];
    for _ in 0..KILLS {
        kill(&office, &order, &mut rng);
        let found = office.command(&["verify", "--json"]);
        assert_eq!(found["problem_count"], 0, "{found}; OUTRIDER_SEED={seed}");
        assert_eq!(found["documents"].as_u64().unwrap() / 2, 300, "{found}; OUTRIDER_SEED={seed}");
    }
    let replaced = fs::read_dir(office.data()).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with("replaced-")
    });
    println!("{} backups ended, {} restores replaced something", whole.len(), replaced.count());
    office.start_again();
    anna.sync();
    assert_eq!(anna.sync()["waiting"], 0);
}

fn kill_at_random(office: &Office, order: &[&str], rng: &mut StdRng) {
    for _ in 0..KILLS {
        kill(office, order, rng);
    }
}

fn kill(office: &Office, order: &[&str], rng: &mut StdRng) {
    let mut child = office.begin(order);
    std::thread::sleep(std::time::Duration::from_millis(rng.random_range(1..LIFE_MS_MAX)));
    child.kill().unwrap();
    child.wait().unwrap();
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}
